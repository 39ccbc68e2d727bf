"""How much each word's weight differs between two runs: another seed, distance, editor, picture or instruction.

Both weights are estimates, so that their difference has an interval of its own, wider than either: overlapping intervals do
not mean that there is no difference, and weights that look apart may be within what both leave open.
"""

from difflib import SequenceMatcher
from typing import NamedTuple, Protocol

import numpy as np
from scipy.stats import norm

LEVEL = 0.05
SMALLEST = 0.05  # of a weight; nobody would look at a smaller difference, however sure it is


class Run(Protocol):
    """What is compared: k words with their weights and 95 % intervals."""

    words: list[str]
    weights: np.ndarray  # (k,)
    ci_low: np.ndarray  # (k,)
    ci_high: np.ndarray  # (k,)


class Difference(NamedTuple):
    """One word, in the second run compared with the first."""

    word: str
    first: int | None  # its position in the first run; None where that has not the word
    second: int | None
    value: float  # the second weight minus the first; NaN where one is missing or not known
    low: float  # 95 % interval of `value`
    high: float
    differs: bool  # by `SMALLEST` or more, and beyond both intervals, corrected for the number of words in both runs


def match_words(first: list[str], second: list[str]) -> list[tuple[int | None, int | None]]:
    """Pairs of positions: the same words in the same order, as many as there can be; None for a word that is only in one."""
    pairs: list[tuple[int | None, int | None]] = []
    for kind, a, b, c, d in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs += zip(range(a, b), range(c, d), strict=True)
        else:
            pairs += [(i, None) for i in range(a, b)] + [(None, j) for j in range(c, d)]
    return pairs


def compare_weights(first: Run, second: Run) -> list[Difference]:
    """One line for each word of either run, in the order of `match_words`.

    The interval is MOVER's (Zou & Donner 2008, Statistics in Medicine 27:1693), for independent estimates: from d = w2 - w1
    down by sqrt((w2 - low2)^2 + (high1 - w1)^2) and up by sqrt((high2 - w2)^2 + (w1 - low1)^2). Runs that share edits are
    alike rather than independent, which makes it too wide, not too narrow. `differs` is decided on an interval that is widened
    for the number of common words (Bonferroni, normal).
    """
    pairs = match_words(first.words, second.words)
    common = sum(i is not None and j is not None for i, j in pairs)
    wider = float(norm.isf(LEVEL / 2 / max(1, common)) / norm.isf(LEVEL / 2))
    differences = []
    for i, j in pairs:
        if i is None or j is None:
            word = second.words[j] if j is not None else first.words[i or 0]
            differences.append(Difference(word, i, j, np.nan, np.nan, np.nan, False))
            continue
        value = float(second.weights[j] - first.weights[i])
        down = float(np.hypot(second.weights[j] - second.ci_low[j], first.ci_high[i] - first.weights[i]))
        up = float(np.hypot(second.ci_high[j] - second.weights[j], first.weights[i] - first.ci_low[i]))
        apart = value - wider * down > 0 or value + wider * up < 0
        differs = apart and abs(value) >= SMALLEST
        differences.append(Difference(second.words[j], i, j, value, value - down, value + up, differs))
    return differences
