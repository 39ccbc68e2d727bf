"""The two lines above an answer: what was found, without a number or a term of statistics, and the numbers to it.

`smile.report.finding` has the whole finding in sentences; these lines say no more than that.
"""

import numpy as np

from smile.report.finding import SAME, act_only_together, is_enumerated
from smile.report.numbers import format_interval, format_weight
from smile.report.protocols import ExplanationLike
from smile.report.words import join_names

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NAMED = 4  # words in a line

Parts = list[tuple[str, bool]]  # pieces of a line, and whether each stands out


def write_headline(e: ExplanationLike) -> str:
    """Which words changed the picture, in one sentence."""
    if not e.provisional:
        return _write_final(e)
    if np.isnan(e.weights).any():
        return "Making the edits: the first numbers come when there are enough of them."
    return f"So far: {_write_final(e)}"


def write_figures(e: ExplanationLike) -> Parts:
    """The numbers to the headline."""
    if e.provisional and np.isnan(e.weights).any():
        return [("Each edit leaves out other words. The first, with all words, is in the picture below.", False)]
    parts: Parts = []
    named = sorted(np.flatnonzero(e.significant).tolist(), key=lambda j: -abs(e.weights[j]))
    for j in named[:NAMED]:
        weight, interval = format_weight(e.weights[j]), format_interval(e.ci_low[j], e.ci_high[j])
        between = f" ({_sign(interval)})" if np.isfinite(e.ci_low[j]) else ""
        parts += [(", " if parts else "", False), (f"{e.words[j]} {_sign(weight)}", True), (between, False)]
    parts += [(" …", False)] if len(named) > NAMED else []
    parts += [(". ", False)] if parts else []
    parts.append((_describe_distance(e), False))
    return [part for part in parts if part[0]]


def _write_final(e: ExplanationLike) -> str:
    usable = np.isfinite(e.distances)
    if usable.sum() > 1 and e.distances_from_full[usable].max() <= SAME:
        return f"No word did anything: all {usable.sum()} edits are the same picture."
    if np.isnan(e.weights).all():
        return "Too many edits failed to say which words did it."
    if not e.moved:
        return "No word changed the picture more than another seed does."
    if not e.visible.any():
        return "No word changed anything that one can see."
    named = sorted(np.flatnonzero(e.significant).tolist(), key=lambda j: -abs(e.weights[j]))
    if e.untested and not is_enumerated(e):
        return "These edits are too few or too alike to say which words did it."
    if not named:
        return "Something changed the picture, but these edits cannot say which words did it."
    if is_enumerated(e) and len(named) == 2 and act_only_together(e, named[0], named[1]):
        return f"{_join_words(e, named)} did it together; neither of them does it alone."
    does = "changed the picture" if e.settings["reference"] == "edit" else "made the difference"
    return f"{_join_words(e, named)} {does}{_describe_others(e, named)}."


def _describe_others(e: ExplanationLike, named: list[int]) -> str:
    """What may be said of the words that are not named."""
    count = int(np.isfinite(e.weights).sum()) - len(named)
    if not count:
        return ""
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    others = "the other word" if count == 1 else f"the other {number} words"
    return f"; {others} could go" if _could_go(e, named) else f"; for {others} nothing could be shown"


def _could_go(e: ExplanationLike, named: list[int]) -> bool:
    """Whether every other word was left out of some edit that kept the named ones, and each such edit stayed as near to the
    full one as another seed does."""
    kept = e.mask[:, named].all(axis=1) & np.isfinite(e.distances_from_full)
    others = [j for j in range(len(e.words)) if j not in named]
    known = e.noise_distances[np.isfinite(e.noise_distances)]
    if not len(known) or not (~e.mask[kept][:, others]).any(axis=0).all():
        return False
    return bool(e.distances_from_full[kept].max() <= max(known.max(), SAME))


def _describe_distance(e: ExplanationLike) -> str:
    """How far the farthest edit moved, beside what another seed does."""
    if e.noise_floor is None or not np.isfinite(e.distances_from_full).any():
        return ""
    if e.noise_floor <= SAME:
        return "Another seed alone does not move the picture."
    times = np.nanmax(e.distances_from_full) / e.noise_floor
    return f"The farthest edit moved {times:.1f} times as far as another seed."


def _join_words(e: ExplanationLike, positions: list[int]) -> str:
    """“night”, “snow” and “car”."""
    names = [f"“{e.words[j]}”" for j in positions[:NAMED]]
    more = len(positions) - NAMED
    if more > 0:
        return f"{', '.join(names)} and {more} more words"
    return join_names(names)


def _sign(number: str) -> str:
    """With a true minus sign."""
    return number.replace("-", "−")
