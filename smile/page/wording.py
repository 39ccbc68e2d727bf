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
WEIGHTS = {
    "bundled": "bundled; they know drawn road scenes, nothing else",
    "full": "full",
}
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
BROKEN = "Something went wrong while editing; the edits made so far stay. Try again, or try another picture."
TOO_LONG = "This run took longer than the page allows, so it was stopped."


def header() -> str:
    """Title and one line for someone who has never heard of any of this."""
    return f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p>"


def plan(editor, run: str) -> str:
    """What is about to happen, and on what. `editor` is None while it is being loaded."""
    if editor is None:
        return _terms({"Editor": "being loaded, a few seconds …", "This run": run})
    name, device = getattr(editor, "name", type(editor).__name__), str(getattr(editor, "device", "computer"))
    weights = str(getattr(editor, "weights", "its own"))
    return _terms(
        {
            "Editor": f"{name} on the {DEVICES.get(device, device)}",
            "Weights": WEIGHTS.get(weights, weights),
            "This run": run,
        }
    )


def run(edits: int, noise: int, seconds: float | None) -> str:
    """How much work a run is."""
    time = f"; {about(seconds)}" if seconds is not None else ""
    return f"{count(edits, 'edit')}, {noise} more under other seeds{time}"


def progress(explanation: Explanation, seconds_left: float | None) -> str:
    """How far a run is."""
    left = f", {about(seconds_left)} left" if seconds_left is not None else ""
    return _status(f"{explanation.done} of {explanation.total} edits{left}", explanation)


def finished(explanation: Explanation) -> str:
    """The last word of a run that came to its end."""
    failed = f"; {explanation.failed} failed" if explanation.failed else ""
    return _status(f"Done: {count(explanation.done, 'edit')} in {explanation.seconds['total']:.1f} s{failed}", explanation)


def stopped(explanation: Explanation | None, reason: str = "") -> str:
    """What remains of a run that was stopped."""
    if explanation is None:
        return _status(f"{reason} Stopped before the first edit was made.".strip())
    made = f"Stopped after {explanation.done} of {explanation.total} edits; what you see rests on these."
    return _status(f"{reason} {made}".strip(), explanation)


def waiting(loading: bool) -> str:
    """Between the click and the first edit; somebody else's run may be before ours."""
    return _status("Loading the editor; this happens once …" if loading else "Waiting for the editor …")


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
    return f"about {round(seconds)} seconds" if seconds < 90 else f"about {round(seconds / 60)} minutes"


def count(number: int, noun: str) -> str:
    """1 edit, 2 edits."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _distance(distance: float) -> str:
    return f"distance {distance:.2f}" if np.isfinite(distance) else "failed"


def _status(text: str, explanation: Explanation | None = None) -> str:
    bar = ""
    if explanation is not None:
        bar = f'<progress value="{explanation.done}" max="{explanation.total}" aria-label="edits made"></progress>'
    return f'<div class="status" role="status">{bar}<span>{escape(text)}</span></div>'


def _terms(terms: dict[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in terms.items())
    return f"<dl>{rows}</dl>"
