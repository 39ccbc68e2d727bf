"""The surrogate: a weighted linear model response ~ mask, and how far to believe its weights."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from smile.errors import InputError
from smile.method import inference, ranking
from smile.method.appearance import multiply_words, test_words
from smile.method.least_squares import KINDS, ROUND_OFF, checked, solve

TOO_FEW = "the edits are too few to judge chance by"
ENUMERATED = "all combinations of so few words are edited, which leaves nothing to chance under one seed"
LEAST_WEIGHT = 0.05  # of the largest distance: where nothing is left to chance, a word of less is not said to act
NOISY = "another seed changes the outcome, and so few texts cannot be told from noise under one seed"
ALL_ALIKE = "the edits are all equally far from the reference"
SEEDS_ALIKE = "every seed makes the same edits, so several tell no more than one"
LEAST_TEXTS = 9  # with the 8 of three words, a word that acts only together with another has p >= .43 whatever the noise


@dataclass(frozen=True)
class Surrogate:
    """The fitted model. Arrays (k,) are per word position, `fitted` (N,) per row, `intercepts` (B,) per block.

    `intercept` is the mean of `intercepts`. Where the edits cannot tell a word from chance, `untested` says why, all
    p-values are 1, and ci_low and ci_high may be nan; it is empty otherwise.
    """

    weights: np.ndarray
    intercept: float
    ci_low: np.ndarray
    ci_high: np.ndarray
    p_values: np.ndarray
    p_values_holm: np.ndarray
    fitted: np.ndarray
    intercepts: np.ndarray
    untested: str
    order: list[int]  # `ranking.find_order`: the words whose rank by size is sure, the largest weight first


def fit(
    mask,
    response,
    locality_weight=None,
    *,
    kind: str = "linear",
    permutations: int = 999,
    seed: int = 0,
    blocks=None,
    level: float = 0.05,
    appearance=None,
    outcomes=None,
    rank: bool = False,
) -> Surrogate:
    """Fit response (N,) ~ mask (N, k) with locality weights (N,) >= 0 (None: all 1) and return a `Surrogate`.

    - kind: "linear" (weighted least squares), "ridge" (penalty 1, as scikit-learn's default) or "bayesian" (scikit-learn's
      BayesianRidge).
    - blocks (N,) int: rows that share a noise seed share an intercept.
    - level: of one block's intervals, where one looks more than once (`smile.method.group_sequential`).
    - appearance (N, q): what the outcomes look like; words are tested on it, and on the response where it is None.
    - outcomes (N,) int: rows of the same number are the same outcome, and count as one in the test; None: all differ.
    - rank: whether to find the words whose rank is sure, which takes as long again.

    With one block the numbers are about this edit, with several about the editor:

    | | one block | S blocks |
    |---|---|---|
    | 95 % interval | HC3, quantile by permutation: `inference.half_widths` | `inference.over_seeds`, Student's t on S - 1 |
    | p-value | permutation: `appearance.test_words` | the larger of that on the texts' means over the seeds and that t's |

    Where every row counts alike, pairs of words that act together evidently are no noise: intervals are as wide as what the
    words and these pairs leave. Where all combinations of up to three words are edited under one seed, the weights are no
    sample: intervals have no width, and nothing is tested. For ridge and bayesian the interval covers the shrunken weight's
    variation, not its bias.
    P-values are of the model without penalty and locality (both change the weight, not the evidence), then Holm's (1979)
    over the words; the larger of two p-values is that of an intersection-union test (Berger 1982): a word must stand out
    of what the texts do and of what the seeds do. Raises InputError for shapes or values that do not fit together.
    """
    mask, response, weight, block = checked(mask, response, locality_weight, blocks)
    if kind not in KINDS:
        raise InputError(f"Unknown surrogate {kind!r}: choose one of {', '.join(KINDS)}.")
    appearance = response[:, None] if appearance is None else np.asarray(appearance, float)
    if appearance.ndim != 2 or len(appearance) != len(mask) or not np.isfinite(appearance).all():
        raise InputError("What the outcomes look like must be finite numbers, one row for each edit.")
    solution = solve(mask, response, weight, block, kind)
    counted = weight > 0  # a row of weight 0 is not part of the regression
    data = mask[counted], response[counted], weight[counted], block[counted]
    first, order = _first(outcomes, counted), []
    p_values, untested, pairs = _test_words(data[0], appearance[counted], data[3], first, permutations, seed)
    if len(np.unique(data[3])) == 1:
        alike = np.ptp(data[2]) == 0  # with unequal weights a pair's part in a word's weight hangs on the rows that were drawn
        beside = solve(np.hstack([data[0], multiply_words(data[0], pairs)]), *data[1:], kind) if pairs and alike else None
        model = solve(*data, kind)

        rest = beside if beside is not None and beside.df_resid >= 2 else model

        def judge(contrasts):
            if untested == ENUMERATED or rest.df_resid < 2:
                return 0.0 if untested else np.full(len(contrasts), np.nan)
            other = replace(model, operator=contrasts @ model.operator)
            return inference.half_widths(other, data[1][:, None], permutations, seed, level, rest)[:, 0]

        half = inference.half_widths(model, data[1][:, None], permutations, seed, level, beside)[:, 0]
        half = np.zeros_like(half) if untested == ENUMERATED else half
        if rank and untested in ("", ENUMERATED):
            order = ranking.find_order(model.weights, judge)
    else:
        half, p_values, untested = _several_seeds(data, kind, p_values, untested)
        if rank and not untested:
            order = ranking.find_order(solution.weights, partial(_judge_over_seeds, data))
    return Surrogate(
        weights=solution.weights,
        intercept=float(solution.intercepts.mean()),
        ci_low=solution.weights - half,
        ci_high=solution.weights + half,
        p_values=p_values,
        p_values_holm=holm(p_values),
        fitted=solution.fitted,
        intercepts=solution.intercepts,
        untested=untested,
        order=order,
    )


def holm(p_values):
    """Holm's step-down correction (1979) of p_values (k,): controls the chance of any false discovery. NaN stays, and does
    not count: nothing was tested there."""
    p_values = np.asarray(p_values, float)
    known = np.isfinite(p_values)
    if not known.all():
        corrected = np.full(len(p_values), np.nan)
        corrected[known] = holm(p_values[known])
        return corrected
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def _test_words(mask, appearance, block, first, permutations, seed):
    """P-values (k,) of the texts' outcomes, why there are none, and the pairs that act; `first` (N,) bool: rows whose outcome
    is not another's."""
    nothing, blocks = np.ones(mask.shape[1]), len(np.unique(block))
    mask, appearance, block = mask[first], appearance[first], block[first]
    texts, appearance = (mask, appearance) if blocks == 1 else inference.average_seeds(mask, appearance, block)
    model = solve(texts, appearance, np.ones(len(texts)), np.zeros(len(texts), int))
    if np.ptp(appearance, axis=0).max() <= ROUND_OFF * np.abs(appearance).max():
        return nothing, ALL_ALIKE, []
    if len(texts) == 2 ** texts.shape[1] < LEAST_TEXTS and blocks == 1:
        return nothing, ENUMERATED, []
    if len(texts) < LEAST_TEXTS or model.df_resid < 1 or not model.estimable.any():
        return nothing, TOO_FEW, []
    found = test_words(texts, appearance, permutations=permutations, seed=seed)
    return found.p_values, "", found.pairs


def _several_seeds(data, kind, p_values, untested):
    """Half widths (k,), p-values (k,) and why there are none: of the editor."""
    mask, response, weight, block = data
    seeds, nothing = len(np.unique(block)), np.ones(mask.shape[1])
    spread = inference.over_seeds(mask, response, weight, block, kind)
    alone = inference.over_seeds(mask, response, np.ones(len(mask)), block)
    if spread is None or alone is None:
        return np.nan * nothing, nothing, TOO_FEW
    if not alone[1].any():
        return np.nan * nothing, nothing, SEEDS_ALIKE
    if not untested:
        p_values = np.maximum(p_values, inference.seed_p_values(alone[0], alone[1], seeds))
    return inference.seed_half_widths(spread[1], seeds), p_values, untested


def _judge_over_seeds(data, contrasts) -> np.ndarray:
    """(c,) half widths of 95 % intervals of contrasts (c, k), each of two words, of the editor.

    The difference of two words' weights is the weight of the one where the other's column is their sum (or difference).
    """
    mask, *rest = data
    found = []
    for contrast in contrasts:
        first, second = np.flatnonzero(contrast)
        columns = mask.copy()
        columns[:, second] -= contrast[first] * contrast[second] * mask[:, first]
        spread = inference.over_seeds(columns, *rest)
        found.append(np.nan if spread is None else spread[1][first])
    return inference.seed_half_widths(np.array(found), len(np.unique(data[3])))


def _first(outcomes, counted):
    """(N,) bool, of the rows that count: the first of each outcome."""
    if outcomes is None:
        return np.ones(counted.sum(), bool)
    found = np.zeros(counted.sum(), bool)
    found[np.unique(np.asarray(outcomes)[counted], return_index=True)[1]] = True
    return found
