"""A run that was pinned beside another one: what the browser needs to draw both heatmaps and the difference, and the sentences
that say what differs. Runs are two edits, or two answers."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from smile.method.differences import SMALLEST, Difference, compare_weights
from smile.report import plots
from smile.report.answer_finding import write_answer_sentences
from smile.report.finding import write_sentences
from smile.report.numbers import finite_or_none, format_interval, format_weight
from smile.report.payload import Pictures
from smile.report.protocols import AnswerLike, ExplanationLike, NumbersLike
from smile.report.words import join_names

DIFFERS = "≠"
COMMON = {  # what can differ between two runs, by what it is called on the page
    "preset": "method",
    "seed": "seed",
    "seeds": "number of seeds",
    "design": "design",
    "distance": "distance",
    "locality": "locality",
    "surrogate": "surrogate",
}
OF_EDITS = {
    "editor": "editor",
    "editor_weights": "weights",
    "edits": "number of edits",
    "editor_settings": "settings of the editor",
}
OF_ANSWERS = {
    "language_model": "model",
    "language_model_weights": "weights",
    "edits": "number of prompts",
    "units": "what is left out",
    "language_model_settings": "settings of the model",
}
NAMES = {"preset": {None: "ours", "paper": "as published"}}


class _Subject(NamedTuple):
    """What is said of runs of one kind."""

    settings: dict[str, str]
    measured: str  # the setting that both must share, or their weights are of different things
    apart: str  # what is said where they do not
    changed: Callable[[Any, Any], list[str]]  # what else is not the same
    things: str
    sentences: Callable[[Any], list[str]]
    marked: Callable[[Any], Sequence[bool]]  # the words that are framed
    mark: str  # beside them
    legend: dict[str, str]


EDITS = _Subject(
    COMMON | OF_EDITS,
    "reference",
    "One is compared with the full edit and one with the input picture, so their weights cannot be subtracted.",
    lambda pinned, now: ["another picture"] if pinned.image.tobytes() != now.image.tobytes() else [],
    "edits",
    write_sentences,
    lambda run: run.significant,
    plots.STAR,
    {},
)
ANSWERS = _Subject(
    COMMON | OF_ANSWERS,
    "distance",
    "One is measured by how likely its answer is and one by how far answers are apart, so their weights cannot be subtracted.",
    lambda pinned, now: [],
    "answers",
    write_answer_sentences,
    lambda run: run.leading,
    "",
    {"low": "works against its answer", "high": "makes its answer", "mark": "framed: did most"},
)


def pinned_payload(pinned: ExplanationLike, now: ExplanationLike, pictures: Pictures | None = None) -> dict[str, Any]:
    """What templates/comparison.html and its script draw: the pinned run, the one now, and the difference by word."""
    url = (pictures or Pictures()).url
    return _build(pinned, now, EDITS, [{"edit": url(run.edits[0])} for run in (pinned, now)])


def pinned_answers(pinned: AnswerLike, now: AnswerLike) -> dict[str, Any]:
    """The same of two answers."""
    drawn = _build(pinned, now, ANSWERS, [{"answer": run.answer} for run in (pinned, now)])
    if pinned.answer != now.answer:
        drawn["said"].insert(1, "The answers are not the same: each weight is about its own run's answer.")
    return drawn


def _build(pinned: NumbersLike, now: NumbersLike, of: _Subject, outcomes: list[dict]) -> dict[str, Any]:
    comparable = pinned.settings[of.measured] == now.settings[of.measured]
    differences = compare_weights(pinned, now)
    runs = [
        _list_row(name, run, of, [getattr(each, place) for each in differences]) | outcome
        for (name, run, place), outcome in zip((("pinned", pinned, "first"), ("now", now, "second")), outcomes, strict=True)
    ]
    return {
        "input": None,
        "title": "The pinned run and this one",
        "said": _write(pinned, now, of, differences),
        "words": [each.word for each in differences],
        "scale": plots.SCALE,
        "dark_scale": plots.DARK_SCALE,
        "limit": plots.LIMIT,
        "source": "",
        "legend": of.legend,
        "editors": [*runs, _list_difference(differences)] if comparable else runs,
    }


def _write(pinned: NumbersLike, now: NumbersLike, of: _Subject, differences: list[Difference]) -> list[str]:
    """What is not the same in the two runs; which words differ, and whether that is more than the intervals leave open."""
    changed = _list_changes(pinned, now, of)
    said = [f"Not the same: {'; '.join(changed)}." if changed else "The same question twice."]
    if pinned.settings[of.measured] != now.settings[of.measured]:
        return [*said, of.apart]
    known = [each for each in differences if np.isfinite(each.value)]
    apart = [each for each in known if each.differs]
    for each in apart:
        far = f"{format_weight(each.value)} ({format_interval(each.low, each.high)})"
        said.append(f"“{each.word}” differs by {far}, more than the intervals of both runs leave open.")
    rest = len(known) - len(apart)
    if rest:
        others = f"the other {rest} words" if rest > 1 else "the other word"
        whose = f"Of {others}" if apart else "Of the words in both"
        said.append(f"{whose}, none differs by more than both intervals leave open and by {SMALLEST} or more.")
    for name, place in (("pinned run", "second"), ("new run", "first")):
        only = [f"“{each.word}”" for each in differences if getattr(each, place) is None]
        if only:
            said.append(f"Only in the {name}: {join_names(only)}.")
    if not (pinned.beyond_noise or now.beyond_noise):
        said.append("Neither run shows anything that another seed would not.")
    elif apart and pinned.settings["seeds"] == now.settings["seeds"] == 1:
        said.append(f"Each run has one seed: this is how these two {of.things} differ, and another seed may differ as much.")
    return said


def _list_changes(pinned: NumbersLike, now: NumbersLike, of: _Subject) -> list[str]:
    """Each setting that is not the same, as "seed 0, now 1"."""
    changes = of.changed(pinned, now)
    changes += ["the words"] if pinned.words != now.words else []
    for setting, name in of.settings.items():
        before, after = pinned.settings.get(setting), now.settings.get(setting)
        if before == after:
            continue
        if isinstance(before, dict) or isinstance(after, dict):
            changes.append(name)
        else:
            called = NAMES.get(setting, {})
            changes.append(f"{name} {called.get(before, before)}, now {called.get(after, after)}")
    return changes


def _list_row(name: str, run: NumbersLike, of: _Subject, places: list[int | None]) -> dict[str, Any]:
    """One run as a row of the comparison; a word that it has not is unknown there."""
    rows, marked = plots.tabulate_words(run), of.marked(run)
    return {
        "name": name,
        "weights": [None if at is None else finite_or_none(run.weights[at]) for at in places],
        "noise": not run.beyond_noise,
        "significant": [at is not None and bool(marked[at]) for at in places],
        "mark": of.mark,
        "rows": [("", "", "", "", "", "", "") if at is None else rows[at] for at in places],
        "finding": of.sentences(run)[0],
        "note": "",
    }


def _list_difference(differences: list[Difference]) -> dict[str, Any]:
    return {
        "name": "difference",
        "weights": [finite_or_none(each.value) for each in differences],
        "noise": False,
        "significant": [each.differs for each in differences],
        "mark": DIFFERS,
        "rows": [_tabulate(each) for each in differences],
    }


def _tabulate(each: Difference) -> tuple[str, ...]:
    if not np.isfinite(each.value):
        return each.word, "", "", "", "", "", ""
    interval = format_interval(each.low, each.high)
    return each.word, format_weight(each.value), "", interval, "", "", DIFFERS if each.differs else ""
