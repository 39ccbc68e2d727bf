"""Every sentence the page shows. What becomes markup is made by the templates, which escape whatever somebody typed."""

from itertools import groupby

import numpy as np
from markupsafe import Markup

from smile import Explanation, options
from smile.report.jinja import render

TITLE = "Which words did it?"
EDITORS = {
    "instruct-pix2pix": "Follows an instruction: “make it snow”.",
    "img2img-turbo": "Draws the picture anew in a single step, from itself, its outlines or its strokes.",
    "inpaint": "Draws a part of the picture anew, the region, and leaves the rest as it is.",
}
EDITOR_NAMES = {"instruct-pix2pix": "Pix2Pix", "img2img-turbo": "Turbo", "inpaint": "Inpaint"}
METHODS = [("Ours", "ours"), ("As published", "published")]
PUBLISHED = (
    "As published draws at random which words are left out, makes 30 edits, and compares all features in one heap "
    "(Wasserstein). Ours leaves out each word in half of the edits, evenly mixed, and compares place by place."
)
BESIDE_PRESET = ("reference", "seeds", "noise_seeds", "join", "hold")  # options that what was published does not decide
COMPARE = f"Compare the {len(EDITORS)} editors"
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
PHRASES = {"join": "red car, big sky", "hold": "please"}  # options that are phrases, with commas between them, and examples
CHOICES = {
    name: list(options.OPTIONS[name].metadata["choices"]) for name in OPTIONS if options.OPTIONS[name].metadata["choices"]
}
CHOICES["reference"] = [({"edit": "the full edit", "input": "the input picture"}[each], each) for each in CHOICES["reference"]]
NAMED = 4  # words in a line
DEVICES = {"cpu": "CPU", "cuda": "GPU"}
PLACEMENTS = {  # of weights on a GPU
    "whole": "whole",
    "model by model": "model by model, because not all of it fits: somewhat slower than estimated",
    "layer by layer": "layer by layer, because its largest part does not fit: many times slower than estimated",
}
HUB_EDITOR = "A repository with a diffusers pipeline that edits a picture by a text. Checked before anything is downloaded."
HUB_EDITORS = "This Space allows {}. Checked before anything is downloaded."
CHECKING = "Asking the Hub …"
NO_REPOSITORY = "“{}” is no repository on the Hub; write its name as owner/name, for example {}."
NEEDS_GPU = "The full weights ({}) need a GPU, which this Space does not have."
NO_PHRASE = "Say what to look for, for example “the sky”."
FOUND = "Found; paint to add to it, or erase."
BROKEN = "Something went wrong while editing; the edits made so far stay. Try again, or try another picture."
NO_MEMORY = "The memory of this machine is full; the edits made so far stay. Try a smaller picture, or wait for other runs."
GPU_LOST = "The GPU stopped working. This page starts again by itself in a minute; take away now what you want to keep."
TOO_LONG = "This run took longer than the page allows, so it was stopped."
REPLAYED = "A saved run: nothing was computed just now."
STALE = "Not explained yet: press Explain."
OPENED = "Opened from a file: not run here."
CHECK = "Check against the model"
MEASURING_AGAIN = "Measuring again what the file says …"
TOO_MUCH_TO_CHECK = "To check this would keep others waiting; check it in Python, with check_against_model."
NOT_TO_CHECK = "There is nothing here to check, or what measured it is not on this page; check it in Python."
TAKE = {"json": "JSON", "zip": "Bundle (.zip)", "html": "Page (.html)", "png": "Heatmap (.png)"}
ELSEWHERE = "What edited it is not on this page; a live run takes the editor and weights that are chosen."
NOTHING = "There is nothing to take away: no explanation yet, or it is more than an hour old; press Explain."
LINKED_EDITOR = "A link can choose {}; choose another editor of the Hub under Advanced."
LINKED = "Filled in from the link; press Explain to run it."
LINKED_ALONE = "Filled in from the link, which holds no picture; choose yours, or keep this one, and press Explain."
WHOLE = "on the whole picture, because no region is painted"
STOPPED = "Stopped; what you see rests on the edits made so far."
ABANDONED = "Nobody was looking at this run any more."
RUN_FORGOTTEN = "The run that this address names is not kept any more; ask again, and press Explain."
PINNED = "Pinned: the next run will stand beside this one, with the difference of each word."
UNPINNED = "Nothing is pinned any more."
NOTHING_TO_PIN = "There is nothing to pin: no explanation yet, or it is more than an hour old; press Explain."
TICKS = "Tick the words that should matter"
MEASURE = "Measure stability, consistency, faithfulness"
NOT_HERE = "What edited this is not on this page, so it cannot be asked for more edits here."
ENOUGH_FILES = "You have brought as many files as one visitor may bring here for now; try again in some hours."
ENOUGH = "You have as many runs going or waiting as one visitor may have here; wait for one, or stop it."
NOTHING_TO_MEASURE = "There is nothing to measure: no explanation yet, or it is more than an hour old; press Explain."
MEASURED_IN_PART = "Stopped; what was measured stays, and rests on the edits made so far."
TABS = ("Explain an edit", "Ask a model", "Scenarios")
OWN_SUITE = "Your own (.yaml, .json)"
OPEN_RUN = "Open a finished run (.zip)"
TAKE_REPORT = {"html": "Report (.html)", "zip": "All numbers and the report (.zip)"}
NO_SUITE = "Choose a suite, or bring your own."
NO_CELL = "Stopped before the first cell was explained."
NO_REPORT = "There is nothing to take away: no report yet, or it is more than an hour old; press Run."
RUN_OPENED = "Opened from a file: not run here. What follows from the edits in it was computed again."
NOTHING_ASKED = "Every picture shows already what the instructions ask for, so there is nothing to explain."
TOO_MANY_PERMUTATIONS = "The suite asks for more than {} permutations, too many for a page that others may be waiting for."


KEPT_HOURS = 6  # an upload or a result


def build_header() -> Markup:
    """Title and one line for someone who has never heard of any of this."""
    return render("ui/templates/header.html", title=TITLE)


def build_guide() -> Markup:
    """How to read the answer, for somebody who sees one for the first time."""
    return render("ui/templates/guide.html", hours=KEPT_HOURS)


# What happens


def say(text: str, done: int | None = None, total: int = 1, label: str = "edits made") -> Markup:
    """A plain line, with a bar where `done` of `total` are finished."""
    return render("ui/templates/status.html", text=text.strip(), done=done, total=max(total, 1), label=label, opened=False)


def say_opened(text: str) -> Markup:
    """What was not checked of what was opened, which is never folded away."""
    return render("ui/templates/status.html", text=text.strip(), done=None, opened=True)


def say_problem(problem: Exception | str) -> Markup:
    """One sentence about what is wrong."""
    return render("ui/templates/problem.html", sentence=str(problem))


def say_warning(sentence: str) -> Markup | str:
    """What the weights never saw; nothing where there is nothing to say."""
    return render("ui/templates/warning.html", sentence=sentence) if sentence else ""


def say_waiting(ready: bool, download: float = 0, where: str = "") -> Markup:
    """Between the click and the first edit; somebody else's run may be before ours."""
    first = f"Downloading {format_size(download)} and loading the editor" if download else "Loading the editor"
    return say(where + ("Waiting for the editor …" if ready else f"{first}; this happens once …"))


def say_progress(explanation: Explanation, seconds_left: float | None, where: str = "") -> Markup:
    """How far a run is; `where` in a comparison."""
    done, total, blocks, waits = explanation.done, explanation.total, explanation.settings["looks"], ""
    undecided = [f"“{word}”" for word, still in zip(explanation.words, explanation.undecided, strict=True) if still]
    if blocks and undecided:
        waits = f", not sure yet of {', '.join(undecided[:NAMED])}{' …' if len(undecided) > NAMED else ''}"
    most = "at most " if blocks else ""
    return say(f"{where}{done} of {most}{total} edits{_format_left(seconds_left)}{waits}", done, total)


def say_step(done: int, total: int, noun: str, seconds_left: float | None, label: str = "edits made") -> Markup:
    """How far something else is."""
    left = _format_left(seconds_left if done < total else None)
    return say(f"{done} of {format_count(total, noun)}{left}", done, total, label)


def say_finished(explanation: Explanation) -> Markup:
    """The last word of a run that came to its end."""
    done, failed = explanation.done, f"; {explanation.failed} blocked or failed" if explanation.failed else ""
    text = f"Done: {format_count(done, 'edit')} in {explanation.seconds['total']:.1f} s{failed}"
    return say(text, done, explanation.total)


def say_stopped(explanation: Explanation | None, reason: str = "") -> Markup:
    """What remains of a run that was stopped."""
    if explanation is None:
        return say(f"{reason} Stopped before the first edit was made.")
    done, total = explanation.done, explanation.total
    return say(f"{reason} Stopped after {done} of {total} edits; what you see rests on these.", done, total)


def say_compared(explained: int, editors: int, seconds: float, notes: dict[str, str]) -> Markup:
    """The last word of a comparison."""
    done = f"Done: {explained} of {format_count(editors, 'editor')} explained in {seconds:.1f} s"
    return say("; ".join([done, *(f"{editor} {note}" for editor, note in notes.items())]))


def say_cost(edits: int, seconds: float | None) -> Markup:
    """What measuring would take."""
    if not edits:
        return say("No further edits are needed.")
    return say(f"{format_count(edits, 'further edit')}{'' if seconds is None else f', {format_duration(seconds)}'}.")


def say_suite_done(failed: int, cells: int, seconds: float) -> Markup:
    """The last word of a suite."""
    return say(f"Done: {format_count(cells, 'cell')} in {seconds:.1f} s{f'; {failed} failed' if failed else ''}")


def say_suite_stopped(done: int, total: int, reason: str = "") -> Markup:
    """What remains of a suite that was stopped."""
    return say(f"{reason} Stopped after {done} of {format_count(total, 'cell')}; the report is about these.")


# What is about to happen


def describe_plan(outlook, run: str, comparison: str = "") -> Markup:
    """On what a run will be made. `outlook` is a `smile.ui.estimate.Outlook`, None while that is being found out."""
    if outlook is None:
        terms = {"Editor": "being loaded, a few seconds …"}
    else:
        placement = f", {PLACEMENTS[outlook.placement]}" if outlook.placement else ""
        terms = {
            "Editor": f"{outlook.name} on the {_name_device(outlook)}{placement}",
            "Weights": WEIGHTS.get(outlook.weights, outlook.weights),
        }
    terms |= {f"All {len(EDITORS)}": comparison} if comparison else {}
    return render("ui/templates/plan.html", run=run, terms=terms)


def describe_offer(offer, room: float, seconds: float | None, gigabytes: float, placement: str) -> Markup:
    """What is known of an editor of the Hub before it is downloaded, once it may be chosen. `offer` is a
    `smile.models.editors.offer.Offer`; `room`: gigabytes of memory here; `seconds`: of a run; `gigabytes`: to download."""
    download = f"downloads {format_size(gigabytes)} before the first run" if gigabytes else "on this machine already"
    memory = f"its largest part takes {offer.largest:.0f} of the {room:.0f} GB of memory here"
    placed = f", {PLACEMENTS[placement]}" if placement else ""
    time = "how long a run takes is not known yet" if seconds is None else f"a run takes {format_duration(seconds)}"
    return say(f"Chosen: {offer.kind}, licence {offer.licence}; {download}; {memory}{placed}; {time}.")


def describe_run(edits: int, noise: int, outlook=None) -> str:
    """How much work a run is, and how long it will take where that is known."""
    more = f"up to {noise}" if noise > 1 else noise  # an editor whose second seed changes nothing gets no third
    parts = [f"{format_count(edits, 'edit')}, {more} more beside them"]
    if outlook is not None and outlook.seconds_per_edit is not None:
        device = "" if outlook.loaded else f" on this {_name_device(outlook)}"
        parts.append(f"{format_duration((edits + noise) * outlook.seconds_per_edit)}{device}")
    if outlook is not None and outlook.gigabytes:
        parts.append(f"downloads {format_size(outlook.gigabytes)} first")
    return "; ".join(parts)


def describe_comparison(edits: int, outlooks: list) -> str:
    """The same for a comparison, where `edits` are those of one editor."""
    known = [outlook.seconds_per_edit for outlook in outlooks if outlook.seconds_per_edit is not None]
    unknown = [outlook.name for outlook in outlooks if outlook.seconds_per_edit is None]
    parts = [f"up to {format_count(edits * len(outlooks), 'edit')}"]
    if known:
        rest = f" and what {' and '.join(unknown)} may take" if unknown else ""
        parts.append(format_duration(edits * sum(known)) + rest)
    download = sum(outlook.gigabytes for outlook in outlooks)
    parts += [f"downloads {format_size(download)} first"] if download else []
    return "; ".join([*parts, "inpaint changes what is painted, or else everything"])


def note_caption(asked: str, used: str) -> str:
    """Of weights that expect a caption, in a comparison that gives all editors an instruction."""
    if asked == used:
        return f"reads this as a caption of the result, which its weights {asked} expect, not as an instruction"
    return f"with the weights {used}, because {asked} expects a caption and not an instruction"


def describe_place(editor: str, number: int, editors: int, note: str | None = None) -> str:
    """Which editor of a comparison is at work."""
    return f"{editor}{f' {note}' if note else ''} ({number} of {editors}): "


def describe_ticks(source: str | None) -> str:
    """Where the ticks come from, and what they are for."""
    known = f" Ticked beforehand: {source}." if source else ""
    return f"Accuracy says whether these have the large weights.{known}"


def describe_suite(planned, seconds: float | None, download: float, cells: int, edits: int) -> Markup:
    """What a suite would take, and the largest that would be run; `planned` is a `smile.ui.tabs.scenarios.Plan`."""
    suite, time = planned.suite, "" if seconds is None else f"; {format_duration(seconds)}"
    first = f"; downloads {format_size(download)} first" if download else ""
    instructions = len({cell.instruction for cell in planned.cells})
    asked = f"{format_count(instructions, 'instruction')}, {format_count(len(suite.pictures), 'picture')}"
    asked, what = (format_count(instructions, "prompt"), "prompt") if suite.asks else (asked, "edit")
    terms = {
        "Suite": f"{suite.name}. {suite.description}" if suite.description else suite.name,
        "Cells": f"{len(planned.cells)}: {asked}, {', '.join(model.label for model in suite.models)}",
        "This run": f"up to {format_count(sum(planned.edits.values()), what)}{time}{first}",
        "At most": f"{cells} cells and {edits} {what}s here; others may be waiting",
    }
    return _list_terms(terms)


def describe_elsewhere(command: str) -> str:
    """Where a larger suite is run."""
    return f"run it on the command line: {command}"


def describe_too_large(cells: int, edits: int, most_cells: int, most_edits: int, command: str, what: str = "edit") -> str:
    """For a suite that would keep others waiting; `what` it makes: edits, or prompts."""
    return (
        f"The suite has {cells} cells with {format_count(edits, what)}, and this page runs at most {most_cells} cells with "
        f"{most_edits} {what}s; {describe_elsewhere(command)}"
    )


# Plain text


def write_caption(words: list[str], mask: np.ndarray, distance: float) -> str:
    """The instruction with the words that were left out in brackets, and the distance."""
    parts = []
    for kept, group in groupby(zip(words, mask, strict=True), key=lambda pair: bool(pair[1])):
        run = " ".join(word for word, _ in group)
        parts.append(run if kept else f"[{run}]")
    return f"{' '.join(parts)}\n{_format_distance(distance)}"


def write_noise_caption(seed: int, distance: float) -> str:
    """For an edit with all words from other noise."""
    return f"all words, other seed ({seed})\n{_format_distance(distance)}"


def shorten_weights(weights: str) -> str:
    """The name of a set of weights as it stands on a small button."""
    return "Auto" if weights == "auto" else weights.split("/")[-1]


def format_duration(seconds: float) -> str:
    """A duration as one says it."""
    if seconds < 1.5:
        return "about a second"
    for limit, unit, name in ((90, 1, "seconds"), (90 * 60, 60, "minutes"), (36 * 3600, 3600, "hours")):
        if seconds < limit:
            return f"about {round(seconds / unit)} {name}"
    return f"about {round(seconds / 86400)} days"


def format_size(gigabytes: float) -> str:
    """How much is downloaded, as well as one knows."""
    return f"about {max(1, round(gigabytes))} GB"


def format_count(number: int, noun: str) -> str:
    """1 edit, 2 edits."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _format_left(seconds: float | None) -> str:
    return "" if seconds is None else f", {format_duration(seconds)} left"


def _format_distance(distance: float) -> str:
    return f"distance {distance:.2f}" if np.isfinite(distance) else "blocked or failed"


def _name_device(outlook) -> str:
    return DEVICES.get(outlook.device, outlook.device)


def _list_terms(terms: dict[str, str]) -> Markup:
    return render("ui/templates/terms.html", terms=terms)
