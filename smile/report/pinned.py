"""A run that was pinned beside another one: what the browser needs to draw both heatmaps and the difference, and the sentences
that say what differs."""

from typing import Any

import numpy as np

from smile.method.differences import SMALLEST, Difference, compare_weights
from smile.report import plots
from smile.report.finding import write_sentences
from smile.report.numbers import finite_or_none, format_interval, format_weight
from smile.report.payload import Pictures
from smile.report.protocols import ExplanationLike
from smile.report.words import join_names

DIFFERS = "≠"
SETTINGS = {  # what can differ between two runs, by what it is called on the page
    "editor": "editor",
    "editor_weights": "weights",
    "preset": "method",
    "seed": "seed",
    "seeds": "number of seeds",
    "edits": "number of edits",
    "design": "design",
    "distance": "distance",
    "locality": "locality",
    "surrogate": "surrogate",
    "editor_settings": "settings of the editor",
}
NAMES = {"preset": {None: "ours", "paper": "as published"}}


def pinned_payload(pinned: ExplanationLike, now: ExplanationLike, pictures: Pictures | None = None) -> dict[str, Any]:
    """What templates/comparison.html and its script draw: the pinned run, the one now, and the difference by word."""
    url = (pictures or Pictures()).url
    comparable = pinned.settings["reference"] == now.settings["reference"]
    differences = compare_weights(pinned, now)
    runs = [
        _list_row(name, run, [getattr(each, place) for each in differences]) | {"edit": url(run.edits[0])}
        for name, run, place in (("pinned", pinned, "first"), ("now", now, "second"))
    ]
    return {
        "input": None,
        "title": "The pinned run and this one",
        "said": write_comparison(pinned, now, differences),
        "words": [each.word for each in differences],
        "scale": plots.SCALE,
        "dark_scale": plots.DARK_SCALE,
        "limit": plots.LIMIT,
        "source": "",
        "editors": [*runs, _list_difference(differences)] if comparable else runs,
    }


def write_comparison(pinned: ExplanationLike, now: ExplanationLike, differences: list[Difference]) -> list[str]:
    """What is not the same in the two runs; which words differ, and whether that is more than the intervals leave open."""
    changed = _list_changes(pinned, now)
    said = [f"Not the same: {'; '.join(changed)}." if changed else "The same question twice."]
    if pinned.settings["reference"] != now.settings["reference"]:
        return [
            *said,
            "One is compared with the full edit and one with the input picture, so their weights cannot be subtracted.",
        ]
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
        said.append("Each run has one seed: this is how these two edits differ, and another seed may differ as much.")
    return said


def _list_changes(pinned: ExplanationLike, now: ExplanationLike) -> list[str]:
    """Each setting that is not the same, as "seed 0, now 1"."""
    changes = ["another picture"] if pinned.image.tobytes() != now.image.tobytes() else []
    changes += ["the words"] if pinned.words != now.words else []
    for setting, name in SETTINGS.items():
        before, after = pinned.settings.get(setting), now.settings.get(setting)
        if before == after:
            continue
        if isinstance(before, dict) or isinstance(after, dict):
            changes.append(name)
        else:
            called = NAMES.get(setting, {})
            changes.append(f"{name} {called.get(before, before)}, now {called.get(after, after)}")
    return changes


def _list_row(name: str, run: ExplanationLike, places: list[int | None]) -> dict[str, Any]:
    """One run as a row of the comparison; a word that it has not is unknown there."""
    rows = plots.tabulate_words(run)
    return {
        "name": name,
        "weights": [None if at is None else finite_or_none(run.weights[at]) for at in places],
        "noise": not run.beyond_noise,
        "significant": [at is not None and bool(run.significant[at]) for at in places],
        "rows": [("", "", "", "", "", "", "") if at is None else rows[at] for at in places],
        "finding": write_sentences(run)[0],
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
