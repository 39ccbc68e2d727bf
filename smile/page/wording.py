"""Every sentence the page shows. What somebody typed is escaped wherever it becomes markup."""

from html import escape
from itertools import groupby

import numpy as np

from smile import Explanation

TITLE = "Which words did it?"
INTRODUCTION = (
    "Give an image editor a picture and an instruction, and it returns a new picture, but not which words made the "
    "difference. This page repeats the edit with words left out, measures how far each result moves, and shows what "
    "each word did."
)
EDITORS = {
    "instruct-pix2pix": "Follows an instruction: “make it snow”.",
    "img2img-turbo": "Draws the picture anew in a single step, from itself, its outlines or its strokes.",
    "inpaint": "Draws a part of the picture anew, the region, and leaves the rest as it is.",
}
ROADS = "they know drawn road scenes, nothing else"
WEIGHTS = {
    "bundled": f"bundled; {ROADS}",
    "bundled-edges": f"bundled-edges; they draw from the outlines what a caption says, “a red car on a road at night”; {ROADS}",
    "edge_to_image": "edge_to_image; they draw from the outlines what a caption says",
    "sketch_to_image_stochastic": "sketch_to_image_stochastic; they draw from dark strokes what a caption says",
}
SETTINGS = {
    "steps": ("Steps", "How often an edit is refined; twice as many take twice as long."),
    "guidance": ("Guidance", "How much the words count."),
    "image_guidance": ("Image guidance", "How much the picture counts."),
    "low": ("Canny, low", "Weaker outlines than this are left out."),
    "high": ("Canny, high", "Stronger outlines than this are always taken."),
    "gamma": ("Gamma", "How much the strokes count against noise."),
}
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
NEEDS_GPU = "The full weights ({}) need a GPU, which this Space does not have."
NO_PHRASE = "Say what to look for, for example “the sky”."
FOUND = "Found; paint to add to it, or erase."
BROKEN = "Something went wrong while editing; the edits made so far stay. Try again, or try another picture."
TOO_LONG = "This run took longer than the page allows, so it was stopped."


def header() -> str:
    """Title and one line for someone who has never heard of any of this."""
    return f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p>"


def weights_label(weights: str) -> str:
    """The name of a set of weights as it stands on a small button."""
    return "Auto" if weights == "auto" else weights.split("/")[-1]


def plan(outlook, run: str) -> str:
    """What is about to happen, and on what. `outlook` is None while that is being found out."""
    if outlook is None:
        return _terms({"Editor": "being loaded, a few seconds …", "This run": run})
    return _terms(
        {
            "Editor": f"{outlook.name} on the {DEVICES.get(outlook.device, outlook.device)}",
            "Weights": WEIGHTS.get(outlook.weights, outlook.weights),
            "This run": run,
        }
    )


def run(edits: int, noise: int, outlook=None) -> str:
    """How much work a run is, and how long it will take where that is known."""
    parts = [f"{count(edits, 'edit')}, {noise} more under other seeds"]
    if outlook is not None and outlook.seconds_per_edit is not None:
        device = "" if outlook.loaded else f" on this {DEVICES.get(outlook.device, outlook.device)}"
        parts.append(f"{about((edits + noise) * outlook.seconds_per_edit)}{device}")
    if outlook is not None and outlook.gigabytes:
        parts.append(f"downloads {gigabytes(outlook.gigabytes)} first")
    return "; ".join(parts)


def progress(explanation: Explanation, seconds_left: float | None) -> str:
    """How far a run is."""
    left = f", {about(seconds_left)} left" if seconds_left is not None else ""
    return _status(f"{explanation.done} of {explanation.total} edits{left}", explanation)


def finished(explanation: Explanation) -> str:
    """The last word of a run that came to its end."""
    failed = f"; {explanation.failed} blocked or failed" if explanation.failed else ""
    return _status(f"Done: {count(explanation.done, 'edit')} in {explanation.seconds['total']:.1f} s{failed}", explanation)


def stopped(explanation: Explanation | None, reason: str = "") -> str:
    """What remains of a run that was stopped."""
    if explanation is None:
        return _status(f"{reason} Stopped before the first edit was made.".strip())
    made = f"Stopped after {explanation.done} of {explanation.total} edits; what you see rests on these."
    return _status(f"{reason} {made}".strip(), explanation)


def waiting(ready: bool, download: float = 0) -> str:
    """Between the click and the first edit; somebody else's run may be before ours."""
    first = f"Downloading {gigabytes(download)} and loading the editor" if download else "Loading the editor"
    return _status("Waiting for the editor …" if ready else f"{first}; this happens once …")


def said(text: str) -> str:
    """A plain line about what happened."""
    return _status(text)


def problem(sentence: str) -> str:
    """One sentence about what is wrong."""
    return f'<div class="problem" role="alert">{escape(sentence)}</div>'


def finding(explanation: Explanation) -> str:
    """The finding as a paragraph."""
    return f"<p>{escape(explanation.finding)}</p>"


def note(explanation: Explanation, was_stopped: bool = False) -> str:
    """The mark on a heatmap that is not final; "" on one that is."""
    if not explanation.provisional:
        return ""
    kind = "stopped" if was_stopped else "provisional"
    return f"{kind}, {explanation.done} of {explanation.total} edits"


def caption(words: list[str], keep: np.ndarray, distance: float) -> str:
    """The instruction with the words that were left out in brackets, and the distance: plain text."""
    parts = []
    for kept, group in groupby(zip(words, keep, strict=True), key=lambda pair: bool(pair[1])):
        run = " ".join(word for word, _ in group)
        parts.append(run if kept else f"[{run}]")
    return f"{' '.join(parts)}\n{_distance(distance)}"


def noise_caption(seed: int, distance: float) -> str:
    """For an edit with all words from other noise."""
    return f"all words, other seed ({seed})\n{_distance(distance)}"


def about(seconds: float) -> str:
    """A duration as one says it."""
    if seconds < 1.5:
        return "about a second"
    for limit, unit, name in ((90, 1, "seconds"), (90 * 60, 60, "minutes"), (36 * 3600, 3600, "hours")):
        if seconds < limit:
            return f"about {round(seconds / unit)} {name}"
    return f"about {round(seconds / 86400)} days"


def gigabytes(number: float) -> str:
    """How much is downloaded, as well as one knows."""
    return f"about {max(1, round(number))} GB"


def count(number: int, noun: str) -> str:
    """1 edit, 2 edits."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _distance(distance: float) -> str:
    return f"distance {distance:.2f}" if np.isfinite(distance) else "blocked or failed"


def _status(text: str, explanation: Explanation | None = None) -> str:
    bar = ""
    if explanation is not None:
        bar = f'<progress value="{explanation.done}" max="{explanation.total}" aria-label="edits made"></progress>'
    return f'<div class="status" role="status">{bar}<span>{escape(text)}</span></div>'


def _terms(terms: dict[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in terms.items())
    return f"<dl>{rows}</dl>"
