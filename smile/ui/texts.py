"""Every sentence the page shows. What somebody typed is escaped wherever it becomes markup."""

from html import escape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from smile import Explanation, options

TITLE = "Which words did it?"
INTRODUCTION = (
    "Give an image editor a picture and an instruction, and it returns a new picture, but not which words made the "
    "difference. This page repeats the edit with words left out, measures how far each result moves, and shows what "
    "each word did."
)
OWN = "Try your own picture and words"  # on a phone, where they stand below the answer
FULL = "Open the full page"  # where this one is in somebody's
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
OPTIONS = {  # of the method: label and help
    name: (option.metadata["label"], option.metadata["help"])
    for name, option in options.OPTIONS.items()
    if option.metadata["label"]
}
CHOICES = {
    name: list(options.OPTIONS[name].metadata["choices"]) for name in OPTIONS if options.OPTIONS[name].metadata["choices"]
}
CHOICES["reference"] = [({"edit": "the full edit", "input": "the input picture"}[each], each) for each in CHOICES["reference"]]
NAMED = 4  # words in a line
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
NEEDS_GPU = "The full weights ({}) need a GPU, which this Space does not have."
NO_PHRASE = "Say what to look for, for example “the sky”."
FOUND = "Found; paint to add to it, or erase."
BROKEN = "Something went wrong while editing; the edits made so far stay. Try again, or try another picture."
NO_MEMORY = "The memory of this machine is full; the edits made so far stay. Try a smaller picture, or wait for other runs."
GPU_LOST = "The GPU stopped working, so nothing can be edited until this page is started again; the edits made so far stay."
TOO_LONG = "This run took longer than the page allows, so it was stopped."
REPLAYED = "A saved run, replayed: nothing was run here just now."
OPENED = "Opened from a file: not run here."
TAKE = {"json": "JSON", "zip": "Bundle (.zip)", "html": "Page (.html)", "png": "Heatmap (.png)"}
ELSEWHERE = "What edited it is not on this page; a live run takes the editor and weights that are chosen."
NOTHING = "There is nothing to take away: no explanation yet, or it is more than an hour old; press Explain."
LINKED = "Filled in from the link; press Explain to run it."
LINKED_ALONE = "Filled in from the link, which holds no picture; choose yours, or keep this one, and press Explain."
WHOLE = "on the whole picture, because no region is painted"
STOPPED = "Stopped; what you see rests on the edits made so far."
TRUST = "How far to believe it"
TICKS = "Tick the words that should matter"
MEASURE = "Measure stability, consistency, faithfulness"
NOT_HERE = "What edited this is not on this page, so it cannot be asked for more edits here."
ENOUGH = "You have as many runs going or waiting as one visitor may have here; wait for one, or stop it."
NOTHING_TO_MEASURE = "There is nothing to measure: no explanation yet, or it is more than an hour old; press Explain."
MEASURED_IN_PART = "Stopped; what was measured stays, and rests on the edits made so far."
TABS = ("Explain", "Scenarios")
SCENARIOS = "Many explanations at once"
SCENARIOS_INTRODUCTION = (
    "A suite says which conditions of a driving domain are asked for, in which words, on which pictures. Every cell "
    "of it is explained, and the report tells how each word fares over all pictures, and which part of the domain was met."
)
REPORT = "The report will stand here: box plots of each word's weight, the domain and what of it was met, and every cell."
OWN_SUITE = "Your own (.yaml, .json)"
OPEN_RUN = "Open a finished run (.zip)"
TAKE_REPORT = {"html": "Report (.html)", "zip": "All numbers and the report (.zip)"}
NO_SUITE = "Choose a suite, or bring your own."
NO_CELL = "Stopped before the first cell was explained."
NO_REPORT = "There is nothing to take away: no report yet, or it is more than an hour old; press Run."
RUN_OPENED = "Opened from a file: not run here. What follows from the edits in it was computed again."
NOTHING_ASKED = "Every picture shows already what the instructions ask for, so there is nothing to explain."
TOO_MANY_DRAWS = "The suite asks for more than {} permutations, too many for a page that others may be waiting for."


GUIDE = (
    (
        "A weight",
        "says how much nearer to the full edit the results came with the word than without it. 1 is all the way there.",
    ),
    ("Red, plus:", "with the word, the results were more like the full edit. Blue, minus: less like it. White: no difference."),
    ("★ and a thick frame:", "so large a difference hardly comes by chance (p < 0.05, corrected for the number of words)."),
    ("No star", "does not mean no effect. It means that these edits cannot tell it from chance; more edits or seeds may."),
    ("The line in a word's cell", "is its 95 % interval: how far off the weight may be."),
    (
        "The noise floor",
        "is how far other seeds move the result when nothing is left out. Smaller moves are nothing to explain.",
    ),
    (
        "The maps",
        "show where in the picture a word made a difference. Where none could be shown, the picture is left as it is.",
    ),
    (
        "This edit or this editor:",
        "one seed tells about the one edit you see; several seeds (Advanced) about the editor on it.",
    ),
    (
        "What a weight is not:",
        "how important the word is elsewhere, or what the editor thinks. It is about this picture, instruction and edits.",
    ),
    (
        "No more than was tried:",
        "words were left out, one or several. What words do only together is not in their weights: look at the edits.",
    ),
)
KEPT_HOURS = 6  # an upload or a result
PRIVACY = (
    f"What you upload and what is made of it stays on the machine that runs this page and is deleted after {KEPT_HOURS} hours, "
    "or sooner. Nobody's picture or instruction is written into a log, and nothing is counted or sent elsewhere."
)


def header() -> str:
    """Title and one line for someone who has never heard of any of this."""
    links = f'<a class="own" href="#ask">{OWN}</a><a class="full" href="./" target="_blank">{FULL}</a>'
    return f"<h1>{TITLE}</h1><p>{INTRODUCTION}</p>{links}"


def weights_label(weights: str) -> str:
    """The name of a set of weights as it stands on a small button."""
    return "Auto" if weights == "auto" else weights.split("/")[-1]


def plan(outlook, run: str, comparison: str = "") -> str:
    """What is about to happen, and on what. `outlook` is None while that is being found out."""
    if outlook is None:
        return _terms({"Editor": "being loaded, a few seconds …", "This run": run})
    terms = {
        "Editor": f"{outlook.name} on the {DEVICES.get(outlook.device, outlook.device)}",
        "Weights": WEIGHTS.get(outlook.weights, outlook.weights),
        "This run": run,
    }
    return _terms(terms | ({"All three": comparison} if comparison else {}))


def run(edits: int, noise: int, outlook=None) -> str:
    """How much work a run is, and how long it will take where that is known."""
    parts = [f"{count(edits, 'edit')}, {noise} more under other seeds"]
    if outlook is not None and outlook.seconds_per_edit is not None:
        device = "" if outlook.loaded else f" on this {DEVICES.get(outlook.device, outlook.device)}"
        parts.append(f"{about((edits + noise) * outlook.seconds_per_edit)}{device}")
    if outlook is not None and outlook.gigabytes:
        parts.append(f"downloads {gigabytes(outlook.gigabytes)} first")
    return "; ".join(parts)


def comparison(edits: int, outlooks: list) -> str:
    """The same for a comparison, where `edits` are those of one editor."""
    known = [outlook.seconds_per_edit for outlook in outlooks if outlook.seconds_per_edit is not None]
    unknown = [outlook.name for outlook in outlooks if outlook.seconds_per_edit is None]
    parts = [count(edits * len(outlooks), "edit")]
    if known:
        parts += [about(edits * sum(known)) + (f" and what {' and '.join(unknown)} may take" if unknown else "")]
    download = sum(outlook.gigabytes for outlook in outlooks)
    parts += [f"downloads {gigabytes(download)} first"] if download else []
    return "; ".join([*parts, "inpaint changes what is painted, or else everything"])


def progress(explanation: Explanation, seconds_left: float | None, where: str = "") -> str:
    """How far a run is; `where` in a comparison."""
    left = f", {about(seconds_left)} left" if seconds_left is not None else ""
    if not explanation.settings["looks"]:
        return _status(f"{where}{explanation.done} of {explanation.total} edits{left}", explanation)
    open_ = [f"“{word}”" for word, still in zip(explanation.words, explanation.undecided, strict=True) if still]
    waits = f", not sure yet of {', '.join(open_[:NAMED])}{' …' if len(open_) > NAMED else ''}" if open_ else ""
    return _status(f"{where}{explanation.done} of at most {explanation.total} edits{left}{waits}", explanation)


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


def where(editor: str, number: int, of: int, note: str | None = None) -> str:
    """Which editor of a comparison is at work."""
    return f"{editor}{f' {note}' if note else ''} ({number} of {of}): "


def compared(made: int, of: int, seconds: float, notes: dict[str, str]) -> str:
    """The last word of a comparison."""
    said = [f"Done: {made} of {count(of, 'editor')} explained in {seconds:.1f} s"]
    return _status("; ".join([*said, *(f"{editor} {note}" for editor, note in notes.items())]))


def waiting(ready: bool, download: float = 0, where: str = "") -> str:
    """Between the click and the first edit; somebody else's run may be before ours."""
    first = f"Downloading {gigabytes(download)} and loading the editor" if download else "Loading the editor"
    text = "Waiting for the editor …" if ready else f"{first}; this happens once …"
    return _status(where + text)


def ticks(source: str | None) -> str:
    """Where the ticks come from, and what they are for."""
    known = f" Ticked beforehand: {source}." if source else ""
    return f"Accuracy says whether these have the large weights.{known}"


def cost(edits: int, seconds: float | None) -> str:
    """What measuring would take."""
    if not edits:
        return _status("No further edits are needed.")
    return _status(f"{count(edits, 'further edit')}{'' if seconds is None else f', {about(seconds)}'}.")


def measuring(step, seconds_left: float | None) -> str:
    """How far measuring is; `step` is a `smile.evaluation.evaluate.Measurement`."""
    left = f", {about(seconds_left)} left" if seconds_left is not None and step.done < step.total else ""
    return _status(f"{step.done} of {count(step.total, 'further edit')}{left}", step)


def measured(edits: int) -> str:
    """The last word of measuring."""
    return _status(f"Done: {count(edits, 'further edit')}.")


def scenarios() -> str:
    """What the second tab is for."""
    return f"<h2>{SCENARIOS}</h2><p>{SCENARIOS_INTRODUCTION}</p>"


def suite_plan(planned, seconds: float | None, download: float, cells: int, edits: int) -> str:
    """What a suite would take, and the largest that would be run; `planned` is a `smile.ui.suites.Plan`."""
    suite, time = planned.suite, "" if seconds is None else f"; {about(seconds)}"
    first = f"; downloads {gigabytes(download)} first" if download else ""
    instructions = len({cell.instruction for cell in planned.cells})
    asked = f"{count(instructions, 'instruction')}, {count(len(suite.pictures), 'picture')}"
    terms = {
        "Suite": f"{suite.name}. {suite.description}" if suite.description else suite.name,
        "Cells": f"{len(planned.cells)}: {asked}, {', '.join(editor.label for editor in suite.editors)}",
        "This run": f"{count(sum(planned.edits.values()), 'edit')}{time}{first}",
        "At most": f"{cells} cells and {edits} edits here; others may be waiting",
    }
    return _terms(terms)


def elsewhere(command: str) -> str:
    """Where a larger suite is run."""
    return f"run it on the command line: {command}"


def too_large(cells: int, edits: int, most_cells: int, most_edits: int, command: str) -> str:
    """For a suite that would keep others waiting."""
    return (
        f"The suite has {cells} cells with {count(edits, 'edit')}, and this page runs at most {most_cells} cells with "
        f"{most_edits} edits; {elsewhere(command)}"
    )


def suite_progress(done: int, total: int, seconds_left: float | None) -> str:
    """How far a suite is."""
    left = f", {about(seconds_left)} left" if seconds_left is not None and done < total else ""
    return _status(f"{done} of {count(total, 'cell')}{left}", _Bar(done, total), "cells explained")


def suite_done(failed: int, cells: int, seconds: float) -> str:
    """The last word of a suite."""
    return _status(f"Done: {count(cells, 'cell')} in {seconds:.1f} s{f'; {failed} failed' if failed else ''}")


def suite_stopped(done: int, total: int, reason: str = "") -> str:
    """What remains of a suite that was stopped."""
    return _status(f"{reason} Stopped after {done} of {count(total, 'cell')}; the report is about these.".strip())


def said(text: str) -> str:
    """A plain line about what happened."""
    return _status(text)


def problem(sentence: str) -> str:
    """One sentence about what is wrong."""
    return f'<div class="problem" role="alert">{escape(sentence)}</div>'


def caption(words: list[str], mask: np.ndarray, distance: float) -> str:
    """The instruction with the words that were left out in brackets, and the distance: plain text."""
    parts = []
    for kept, group in groupby(zip(words, mask, strict=True), key=lambda pair: bool(pair[1])):
        run = " ".join(word for word, _ in group)
        parts.append(run if kept else f"[{run}]")
    return f"{' '.join(parts)}\n{_distance(distance)}"


def noise_caption(seed: int, distance: float) -> str:
    """For an edit with all words from other noise."""
    return f"all words, other seed ({seed})\n{_distance(distance)}"


def guide() -> str:
    """How to read the answer, for somebody who sees one for the first time."""
    items = "".join(f"<li><b>{escape(head)}</b> {escape(text)}</li>" for head, text in GUIDE)
    drawn = (Path(__file__).parent / "static" / "guide.svg").read_text(encoding="utf-8")
    return f'<h2>How to read this</h2><div class="guide"><ol>{items}</ol>{drawn}</div><p class="privacy">{PRIVACY}</p>'


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


class _Bar(NamedTuple):
    done: int
    total: int


def _status(text: str, step=None, made: str = "edits made") -> str:
    """With a bar for an explanation, or whatever else has `done` and `total`."""
    bar = ""
    if step is not None:
        bar = f'<progress value="{step.done}" max="{max(step.total, 1)}" aria-label="{made}"></progress>'
    return f'<div class="status" role="status">{bar}<span>{escape(text)}</span></div>'


def _terms(terms: dict[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in terms.items())
    return f"<dl>{rows}</dl>"
