"""The surrogate: a weighted linear model response ~ mask, and how far to believe its weights."""

from dataclasses import dataclass

import numpy as np

from smile.errors import InputError
from smile.method import inference
from smile.method.least_squares import KINDS, ROUND_OFF, checked, solve

TOO_FEW = "the edits are too few to judge chance by"
ALL_TOO_FEW = "all combinations of the words are edited, and they are too few to judge chance by"
EXACT = "the words explain the edits without any remainder to judge chance by"
ALL_ALIKE = "the edits are all equally far from the reference"
SEEDS_ALIKE = "every seed makes the same edits, so several tell no more than one"
LEAST_TEXTS = 6  # 5 texts have 120 orders: Holm's correction for 3 words would need the single most extreme one


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


def fit(mask, response, locality_weight=None, *, kind="linear", permutations=999, seed=0, blocks=None, level=0.05) -> Surrogate:
    """Fit response (N,) ~ mask (N, k) with locality weights (N,) >= 0 (None: all 1) and return a `Surrogate`.

    kind: "linear" (weighted least squares), "ridge" (penalty 1, as scikit-learn's default) or "bayesian"
    (scikit-learn's BayesianRidge). blocks (N,) int: rows that share a noise seed share an intercept. level: of one block's
    intervals, where one looks more than once (`smile.method.group_sequential`).

    With one block the numbers are about this edit, with several about the editor:

    | | one block | S blocks |
    |---|---|---|
    | 95 % interval | HC3, quantile by permutation: `inference.half_widths` | `inference.over_seeds`, Student's t on S - 1 |
    | p-value | permutation: `inference.word_p_values` | the larger of that on the texts' means over the seeds and that t's |

    For ridge and bayesian the interval covers the shrunken weight's variation, not its bias. P-values are of the model
    without penalty and locality (both change the weight, not the evidence), then Holm's (1979) over the words; the larger
    of two p-values is that of an intersection-union test (Berger 1982): a word must stand out of what the texts do and
    of what the seeds do. Raises InputError for shapes or values that do not fit together.
    """
    mask, response, weight, block = checked(mask, response, locality_weight, blocks)
    if kind not in KINDS:
        raise InputError(f"Unknown surrogate {kind!r}: choose one of {', '.join(KINDS)}.")
    solution = solve(mask, response, weight, block, kind)
    counted = weight > 0  # a row of weight 0 is not part of the regression
    mask, response, weight, block = (a[counted] for a in (mask, response, weight, block))
    if len(np.unique(block)) == 1:
        half, p_values, untested = _one_seed(mask, response, weight, block, kind, permutations, seed, level)
    else:
        half, p_values, untested = _several_seeds(mask, response, weight, block, kind, permutations, seed)
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
    )


def maps(mask, responses, locality_weight=None, *, permutations=199, seed=0, blocks=None):
    """The same regression per patch: responses (N, p) -> weights (k, p) and p-values (k, p).

    Each word's p-values hold family-wise over the patches (`inference.map_p_values`); words are not corrected against
    each other. They speak of the seeds that were run, also where there are several. A patch that never changes has
    weight 0 and p 1.
    """
    mask, responses, weight, block = checked(mask, responses, locality_weight, blocks, columns=True)
    counted = weight > 0
    p_values = inference.map_p_values(mask[counted], responses[counted], block[counted], permutations, seed)
    return solve(mask, responses, weight, block).weights, p_values


def holm(p_values):
    """Holm's step-down correction (1979) of p_values (k,): controls the chance of any false discovery."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def _one_seed(mask, response, weight, block, kind, permutations, seed, level):
    """Half widths (k,), p-values (k,) and why there are none: of this edit."""
    model = solve(mask, response, weight, block, kind)
    half = inference.half_widths(model, response[:, None], permutations, seed, level)[:, 0]
    return half, *_of_texts(mask, response, permutations, seed)


def _several_seeds(mask, response, weight, block, kind, permutations, seed):
    """The same of the editor."""
    seeds, nothing = len(np.unique(block)), np.ones(mask.shape[1])
    spread = inference.over_seeds(mask, response, weight, block, kind)
    alone = inference.over_seeds(mask, response, np.ones(len(mask)), block)
    if spread is None or alone is None:
        return np.nan * nothing, nothing, TOO_FEW
    if not alone[1].any():
        return np.nan * nothing, nothing, SEEDS_ALIKE
    texts, responses = inference.by_text(mask, response, block)
    p_values, untested = _of_texts(texts, responses.mean(axis=1), permutations, seed) if len(texts) else (nothing, TOO_FEW)
    if not untested:
        p_values = np.maximum(p_values, inference.seed_p_values(alone[0], alone[1], seeds))
    return inference.seed_half_widths(spread[1], seeds), p_values, untested


def _of_texts(mask, response, permutations, seed):
    """P-values (k,) and why there are none."""
    model = solve(mask, response, np.ones(len(mask)), np.zeros(len(mask), int))
    if len(mask) < LEAST_TEXTS or model.df_resid < 1 or not model.estimable.any():
        untested = ALL_TOO_FEW if len(mask) == 2 ** mask.shape[1] else TOO_FEW
    elif inference.exact(model, response[:, None]):
        untested = ALL_ALIKE if np.ptp(response) <= ROUND_OFF * np.abs(response).max() else EXACT
    else:
        return inference.word_p_values(mask, response[:, None], permutations, seed)[:, 0], ""
    return np.ones(mask.shape[1]), untested
