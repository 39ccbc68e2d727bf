"""Sentences about what was made beside the design: each word alone left out, the set that undoes the change, and the order."""

import numpy as np

from smile.report.protocols import NumbersLike
from smile.report.words import join_names

QUARTER = 0.25  # of the weight: what leaves less when it is left out alone is said by other words, too
MORE = 1.5  # times the weight: what takes more when it is left out alone works only with others
ALIKE = 1e-9


def describe_order(e: NumbersLike) -> str:
    """Which of the words with a star are first for sure, and which may change places; "" where there is no star."""
    stars = sorted(np.flatnonzero(e.significant), key=lambda j: (-abs(e.weights[j]), j))
    if e.provisional or not stars:
        return ""
    sure = 0
    while sure < min(len(e.order), len(stars)) and e.order[sure] == stars[sure]:
        sure += 1
    rest, exact = stars[sure:], np.array_equal(e.ci_low, e.ci_high)
    said = [f"“{e.words[j]}” is {place}" for j, place in zip(stars[:sure], ("first", "second", "third"), strict=False)]
    if sure > len(said):
        said.append(f"the order is sure down to “{e.words[stars[sure - 1]]}”")
    first = f"{join_names(said)} for sure" if said else ""
    if len(rest) < 2:
        return f"{first}." if first else ""
    alike = exact and np.ptp(np.abs(e.weights[rest])) <= ALIKE
    others = f"{_name(e, rest)} {'count alike' if alike else 'may change places'}"
    return f"{first}; {others}." if first else f"{others}."


def describe_undo(e: NumbersLike) -> str:
    """The fewest words without which nothing of the edit is left; "" where that is not known."""
    return f"Without {_name(e, e.undo)} nothing of the edit is left." if e.undo and e.significant[e.undo].all() else ""


def describe_alone(e: NumbersLike) -> str:
    """Where leaving out a word alone does less, or more, than its weight by more than chance: what that means."""
    if e.provisional or not np.isfinite(e.alone).any():
        return ""
    chance, size = _measure_noise(e), np.where(e.weights < 0, -1.0, 1.0)
    alone, weight = e.alone * size, np.abs(e.weights)
    low, high = np.minimum(e.ci_low * size, e.ci_high * size), np.maximum(e.ci_low * size, e.ci_high * size)
    twice = np.flatnonzero(e.significant & (np.abs(alone) <= QUARTER * weight) & (np.abs(alone) + chance < low))
    together = np.flatnonzero(e.significant & (alone >= MORE * weight) & (alone - chance > high))
    said = []
    if len(twice):
        said.append(f"Leaving out {_name(e, twice, 'or')} alone changes next to nothing: other words say the same.")
    if len(together):
        said.append(f"Leaving out {_name(e, together, 'or')} alone takes more than its weight: it works only with other words.")
    return " ".join(said)


def _measure_noise(e: NumbersLike) -> float:
    """How far another seed moves the full text at most, on the scale of the weights."""
    noise = e.noise_distances[np.isfinite(e.noise_distances)]
    farthest = np.nanmax(e.distances_from_full)
    return float(noise.max() / farthest) if noise.size and farthest > 0 else 0.0


def _name(e: NumbersLike, positions, last: str = "and") -> str:
    return join_names([f"“{e.words[j]}”" for j in positions], last)
