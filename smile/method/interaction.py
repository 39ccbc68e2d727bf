"""Which two words act together: the strongest pair beyond what the words do one by one.

A pair's column is the product of its words' columns less what the words alone explain of it, so its weight is what
keeping both adds to the sum of keeping each. With a folded design, words are free of pairs but pairs are not free of
each other (Box & Hunter 1961: resolution IV): with 7 words and 16 rows, 21 pairs share 7 columns. Pairs that these
edits cannot tell apart are therefore named together, the likelier first by the words' own weights (effect heredity:
Hamada & Wu 1992).
"""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.stats import ttest_1samp

from smile.method import inference
from smile.method.least_squares import ROUND_OFF, checked, solve

ALIKE = 0.5  # two columns that share more than half of their variation cannot be told apart by so few edits
NO_PAIR = "there is no pair of words"
TOO_FEW = "at least twice as many edits as words are needed to tell pairs from words"
NO_REMAINDER = "the words leave nothing for pairs to explain"
SEEDS_ALIKE = "every seed makes the same edits"
CHUNK = 500  # permutations held at a time


@dataclass(frozen=True)
class Interaction:
    """The strongest pair and those that cannot be told from it; without any, `untested` says why."""

    pairs: list[list[int]] = field(default_factory=list)  # positions of the words
    weight: float | None = None  # of the first pair: < 0 where either word does part of the other's work
    p_value: float | None = None  # family-wise over all pairs
    untested: str = ""


def interaction(mask, response, *, permutations=999, seed=0, blocks=None) -> Interaction:
    """The strongest interaction in response (N,) ~ mask (N, k); arguments and InputError as in `surrogate.fit`.

    Residuals of the words' model are permuted (Freedman & Lane 1983), and the largest share of the remainder that any
    pair explains is compared with the largest in each permutation (Westfall & Young 1993). With several blocks that is
    done on the texts' means over the seeds, and the pair must besides be the same over the seeds: the larger of that
    p-value and of Student's over them, with Bonferroni's correction, counts (an intersection-union test: Berger 1982).
    Locality does not count, as in all p-values; with all combinations the weight is the pair's Banzhaf interaction
    index (Grabisch & Roubens 1999). It needs N >= 2 k, the size from which a design can keep words free of pairs.
    """
    mask, response, _, block = checked(mask, response, None, blocks)
    texts, responses = inference.by_text(mask, response, block)
    if mask.shape[1] < 2:
        return Interaction(untested=NO_PAIR)
    if len(texts) < 2 * mask.shape[1]:
        return Interaction(untested=TOO_FEW)
    means, seeds = responses.mean(axis=1), responses.shape[1]
    if seeds > 1 and np.ptp(responses, axis=1).max() <= ROUND_OFF * np.abs(responses).max():
        return Interaction(untested=SEEDS_ALIKE)
    words = solve(texts, means, np.ones(len(texts)), np.zeros(len(texts), int))
    if words.df_resid < 2 or not words.estimable.all() or inference.exact(words, means[:, None]):
        return Interaction(untested=NO_REMAINDER)
    pairs = np.array(list(combinations(range(mask.shape[1]), 2))).T  # (2, m)
    columns = words.residual(texts[:, pairs[0]] * texts[:, pairs[1]])  # (N, m)
    size = (columns**2).sum(axis=0)
    seen = size > ROUND_OFF * len(texts)
    if not seen.any():
        return Interaction(untested=NO_REMAINDER)
    pairs, columns, size = pairs[:, seen], columns[:, seen], size[seen]

    share = _shares(columns, size, words.residual(means[:, None]))[:, 0]
    best = share.argmax()
    group = np.flatnonzero((columns.T @ columns[:, best]) ** 2 > ALIKE * size * size[best])
    heredity = np.abs(words.weights)[pairs[:, group]].prod(axis=0).round(9)
    group = group[np.lexsort((-heredity, -share[group].round(9)))]
    first = group[0]

    errors, reached = inference.equalised(words, means[:, None])[:, 0], 0
    order = inference.orders(np.zeros(len(texts), int), permutations, seed)
    for some in np.array_split(order, 1 + permutations // CHUNK):
        chance = _shares(columns, size, words.residual(errors[some.T])).max(axis=0)
        reached += (chance >= share[first] * (1 - 1e-9)).sum()
    p_value, operator = (1 + reached) / (1 + permutations), columns[:, first] / size[first]
    if seeds > 1:
        p_value = max(p_value, min(1, size.size * ttest_1samp(operator @ responses, 0).pvalue))
    return Interaction(pairs=pairs[:, group].T.tolist(), weight=float(operator @ means), p_value=float(p_value))


def _shares(columns, size, remainder):
    """(m, c) part of each remainder (N, c) that each pair's column (N, m), of squared length `size`, explains."""
    total = (remainder**2).sum(axis=0)
    explained = (columns.T @ remainder) ** 2 / size[:, None]
    return np.divide(explained, total, out=np.zeros_like(explained), where=total > 0)
