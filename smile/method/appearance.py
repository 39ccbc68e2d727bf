"""Words tested on what the outcomes look like: one regression of all their parts on the words, and one test for each word.

A distance from the full outcome loses the sign of a change, and with it most of the power: two edits may be equally far
from the full one and look nothing alike. Here the response is the outcome itself, for a picture the mean colours of its
cells. A word's statistic is the squared length of its effect over the sum of the HC3 variances of the effect's parts:
Student's t of `smile.method.inference` where there is one part, and the pseudo-F of McArdle & Anderson (2001) with a
robust denominator where there are many. Whole outcomes are permuted, so parts may go together in any way.

Two words that act only together leave a remainder that would hide both. So pairs whose product explains the remainder
evidently are columns of the model in which words are tested. A third word may act only where both are in, as “blue” does in
“add a blue car”, and by itself change little. So each word is tested in the context of every such pair, too. What three words
do together, a small design mixes with other words. So a word that seems to act beside three that act more must also stand
out beside what those do together.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from smile.method import inference
from smile.method.least_squares import ROUND_OFF, Solution, solve

LEVEL = inference.LEVEL
PAIRS = 3  # at most, in the model in which words are tested
DIMENSIONS = 64  # of the outcomes that are tested, those along which they vary most; up to 65 outcomes have no more


@dataclass(frozen=True)
class Appearance:
    """What k words do to how the outcomes look, of n outcomes with q values each."""

    effects: np.ndarray  # (k, q) how much each value is larger where the word is in, in the values' own units
    p_values: np.ndarray  # (k,) one word at a time; 1 for a word that cannot be tested
    pairs: list[tuple[int, int]]  # positions of the words whose pairs are in the model, the strongest first


def test_words(mask, looks, *, permutations: int = 999, seed: int = 0, blocks=None) -> Appearance:
    """Test each word of mask (n, k) on looks (n, q), the outcomes of one seed; row by row finite numbers.

    blocks (n,) int: with several seeds, of which each has all the texts, outcomes are permuted within each.

    Freedman & Lane (1983): what is permuted is the remainder of a model without the word, which holds the pairs and the
    other words that act evidently (p <= .05 in a first pass over the remainder of the whole model). Counted with the +1
    (Phipson & Smyth 2010). A word is also tested by its product with each pair in the model, beside the words that act and
    the pairs; the smallest p-value counts, times the number of tests (Bonferroni). Pairs enter one by one, at most three, as
    long as the one that explains most of the remainder does so beyond chance: compared with the largest of all pairs in each
    permutation (Westfall & Young 1993).
    """
    mask, looks = np.asarray(mask, float), np.asarray(looks, float)
    blocks = np.zeros(len(mask), int) if blocks is None else np.asarray(blocks)
    for block in np.unique(blocks):
        looks = looks - np.where((blocks == block)[:, None], looks[blocks == block].mean(axis=0), 0.0)
    scores, order = _reduce(looks), inference.orders(blocks, permutations, seed)
    pairs = _enter_pairs(mask, scores, order)
    k, columns = mask.shape[1], np.hstack([mask, multiply_words(mask, pairs)])
    model = _fit(columns, scores)
    observed = _statistic(model, scores[:, None], slice(0, k))[:, 0]  # (k,)
    tested = model.estimable[:k] & (observed > 0)
    errors = inference.equalised(model, scores)  # nothing where the words explain the outcomes exactly
    acts = tested & (_chance(model, errors, order, observed, np.arange(k)) <= LEVEL) if errors.any() else tested
    p_values = np.ones(k)
    for word in np.flatnonzero(tested):
        others = np.r_[acts & (np.arange(k) != word), np.ones(len(pairs), bool)]
        errors = _fit(columns * others, scores).residual(scores)
        if np.abs(errors).max() > ROUND_OFF * np.abs(scores).max():
            alone = _chance(model, errors, order, observed, [word])[0]
            pair_words = np.isin(np.arange(k), pairs)
            others = columns[:, np.r_[(acts | pair_words) & (np.arange(k) != word), np.ones(len(pairs), bool)]]
            p_values[word] = _correct([alone, *_test_columns(_find_contexts(mask, word, pairs), others, scores, order)])
    stronger: list[int] = []
    for word in sorted(np.flatnonzero(p_values <= LEVEL), key=lambda j: (-round(np.linalg.norm(model.weights[j]), 9), j)):
        if len(stronger) >= 3:
            p_values[word] = max(p_values[word], _beside_triples(mask, scores, order, word, stronger, pairs))
        stronger += [int(word)] * bool(p_values[word] <= LEVEL)
    return Appearance(solve_effects(mask, looks), p_values, pairs)


def _beside_triples(mask, scores, order, word, stronger, pairs) -> float:
    """The p-value of a word in the model of stronger ones, their pairs that act, and what any three of them do together."""
    triples = multiply_words(mask, list(combinations(stronger, 3))[: max(1, len(mask) - len(stronger) - len(pairs) - 5)])
    others = np.hstack([mask[:, stronger], multiply_words(mask, pairs), triples])
    return _correct(_test_columns([mask[:, word], *_find_contexts(mask, word, pairs)], others, scores, order))


def _find_contexts(mask, word, pairs) -> list[np.ndarray]:
    """Columns (n,): 1 where the word is in together with both words of one of the pairs that do not hold it."""
    return [mask[:, [*pair, word]].prod(axis=1) for pair in pairs if word not in pair]


def _test_columns(tested, others, scores, order) -> list[float]:
    """The p-value of each column (n,) in a model of it and others (n, m); 1 for one that the others determine."""
    errors, p_values = _fit(others, scores).residual(scores), []
    for column in tested:
        model = _fit(np.hstack([column[:, None], others]), scores)
        if not model.estimable[0] or np.abs(errors).max() <= ROUND_OFF * np.abs(scores).max():
            p_values.append(1.0)
        else:
            p_values.append(_chance(model, errors, order, _statistic(model, scores[:, None], [0])[:, 0], [0])[0])
    return p_values


def _correct(p_values) -> float:
    """The smallest of several p-values of one word, by Bonferroni."""
    return min(1.0, len(p_values) * min(p_values))


def solve_effects(mask, looks) -> np.ndarray:
    """(k, q) least-squares effects of the words of mask (n, k) on looks (n, q), each row counting alike."""
    return _fit(np.asarray(mask, float), np.asarray(looks, float)).weights


def _enter_pairs(mask, scores, order) -> list[tuple[int, int]]:
    """The pairs of words that explain evidently more than the words, the strongest first."""
    entered: list[tuple[int, int]] = []
    candidates = list(combinations(range(mask.shape[1]), 2))
    while candidates and len(entered) < PAIRS:
        model = _fit(np.hstack([mask, multiply_words(mask, entered)]), scores)
        remainder = model.residual(scores)
        if model.df_resid < 3 or np.abs(remainder).max() <= ROUND_OFF * np.abs(scores).max():
            break
        directions = model.residual(multiply_words(mask, candidates))
        lengths = np.linalg.norm(directions, axis=0)
        new = lengths > 1e-3 * np.sqrt(len(mask))  # the others are combinations of what is in the model
        if not new.any():
            break
        candidates = [pair for pair, is_new in zip(candidates, new, strict=True) if is_new]
        directions = directions[:, new] / lengths[new]
        observed = _share(directions, remainder[:, None])[:, 0]
        errors, reached = inference.equalised(model, scores), 0
        for chunk in inference.permuted(errors, order):
            again = model.residual(chunk.reshape(len(chunk), -1)).reshape(chunk.shape)
            reached += (_share(directions, again).max(axis=0) >= observed.max() * (1 - ROUND_OFF)).sum()
        if (1 + reached) / (1 + len(order)) > LEVEL:
            break
        entered.append(candidates.pop(int(observed.argmax())))
    return entered


def multiply_words(mask, terms) -> np.ndarray:
    """(n, terms) the product of the words' signs, +1 and -1, less each word's mean: free of the words themselves in a balanced
    design, where the mean is 0, and nearly so in others. Without that, a word that is mostly in is like each of its products,
    and what they explain would be taken from it."""
    signs = 2 * (mask - mask.mean(axis=0))
    return np.array([signs[:, list(term)].prod(axis=1) for term in terms]).T.reshape(len(mask), len(terms))


def _reduce(looks) -> np.ndarray:
    """(n, r) the same outcomes in fewer dimensions: distances between them are kept, but for what lies outside the
    `DIMENSIONS` along which they vary most."""
    u, sizes, _ = np.linalg.svd(looks - looks.mean(axis=0), full_matrices=False)
    kept = sizes > ROUND_OFF * max(sizes.max(initial=0), 1)
    scores = (u * sizes)[:, kept][:, :DIMENSIONS]
    return scores if scores.shape[1] else np.zeros((len(looks), 1))


def _fit(columns, values) -> Solution:
    return solve(columns, values, np.ones(len(columns)), np.zeros(len(columns), int))


def _statistic(model, chunk, words) -> np.ndarray:
    """(words, c) of these words for outcomes (n, c, r): the effect's length over its HC3 standard error."""
    weights, errors = (
        each.reshape(-1, *chunk.shape[1:])
        for each in inference.estimate(model, chunk.reshape(len(chunk), -1), model.operator[words])
    )
    length, error = np.linalg.norm(weights, axis=2), np.linalg.norm(errors, axis=2)
    return length / np.maximum(error, np.maximum(ROUND_OFF * length, np.finfo(float).tiny))


def _chance(model, errors, order, observed, words) -> np.ndarray:
    """(1 + how often permuted errors (n, r) reach the observed statistic of these words) / (1 + permutations)."""
    reached = np.zeros(len(words))
    for chunk in inference.permuted(errors, order):
        drawn = _statistic(model, chunk, words)
        reached += (drawn >= observed[words][:, None] * (1 - ROUND_OFF) - ROUND_OFF).sum(axis=1)
    return (1 + reached) / (1 + len(order))


def _share(directions, remainder) -> np.ndarray:
    """(pairs, c) part of each remainder (n, c, r) that lies along each unit direction (n, pairs)."""
    total = (remainder**2).sum(axis=(0, 2))
    along = (np.tensordot(directions.T, remainder, axes=1) ** 2).sum(axis=2)
    return np.divide(along, total, out=np.zeros_like(along), where=total > 0)
