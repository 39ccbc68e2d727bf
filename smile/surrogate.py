"""The weighted linear model response ~ keep, and how far to believe its coefficients.

The intercept of each block (a noise seed) is never penalised, so it is taken out first: rows are centred on their
block's weighted mean (Frisch-Waugh-Lovell). What is left is a regression through the origin in which a word that
never varies is a zero column, and gets weight 0 by the pseudo-inverse.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import orth
from scipy.stats import t as student

from smile.errors import InputError

KINDS = ("linear", "ridge", "bayesian")
RIDGE_PENALTY = 1.0  # scikit-learn's default
CONFIDENCE = 0.95
ROUND_OFF = 1e-10  # relative to a response's own size: anything smaller is arithmetic, not evidence
CHUNK = 4_000_000  # permuted values held at a time


@dataclass(frozen=True)
class Surrogate:
    """The fitted model. Arrays (k,) are per word position, `fitted` (N,) per row, `intercepts` (B,) per block.

    `intercept` is the mean of `intercepts`. ci_low and ci_high are nan where there is no residual freedom.
    """

    weights: np.ndarray
    intercept: float
    ci_low: np.ndarray
    ci_high: np.ndarray
    p_values: np.ndarray
    p_values_holm: np.ndarray
    fitted: np.ndarray
    intercepts: np.ndarray


@dataclass(frozen=True)
class Solution:
    """Point estimates and the linear map behind them: weights = operator @ response."""

    weights: np.ndarray  # (k,) or (k, p)
    intercepts: np.ndarray  # (B,) or (B, p)
    fitted: np.ndarray  # (N,) or (N, p)
    operator: np.ndarray  # (k, N)
    leverage: np.ndarray  # (N,) diagonal of the hat matrix, intercepts included
    freedom: float  # residual degrees of freedom


def fit(keep, response, locality_weight=None, *, kind="linear", permutations=999, seed=0, blocks=None):
    """Fit response (N,) ~ keep (N, k) with locality weights (N,) >= 0 (None: all 1) and return a `Surrogate`.

    kind: "linear" (weighted least squares), "ridge" (penalty 1, as scikit-learn's default) or "bayesian"
    (scikit-learn's BayesianRidge). blocks (N,) int: rows that share a noise seed share an intercept.

    Intervals: 95 %, HC3 (MacKinnon & White 1985) with Student's t quantile; for ridge and bayesian the same sandwich
    around the penalised operator, so they cover the shrunken weight's variation, not its bias. A row that alone
    determines a coefficient (leverage 1) has no residual; the mean of the other rows' HC3 terms stands in for it.
    P-values: Freedman & Lane (1983) permutation of the residuals of the model without the word, within blocks, of the
    unpenalised model whatever the kind (shrinking changes the weight, not the evidence), counted with the +1; then
    Holm (1979) over the words. Raises InputError for shapes or values that do not fit together.
    """
    keep, response, weight, block = checked(keep, response, locality_weight, blocks)
    if kind not in KINDS:
        raise InputError(f"Unknown surrogate {kind!r}: choose one of {', '.join(KINDS)}.")
    solution = solve(keep, response, weight, block, kind)
    half = _quantile(solution.freedom) * _hc3(solution, response)
    p_values = _p_values(keep, response[:, None], weight, block, permutations, seed)[:, 0]
    return Surrogate(
        weights=solution.weights,
        intercept=float(solution.intercepts.mean()),
        ci_low=solution.weights - half,
        ci_high=solution.weights + half,
        p_values=p_values,
        p_values_holm=holm(p_values),
        fitted=solution.fitted,
        intercepts=solution.intercepts,
    )


def maps(keep, responses, locality_weight=None, *, permutations=199, seed=0, blocks=None):
    """The same regression per patch: responses (N, p) -> weights (k, p) and p-values (k, p).

    Each word's p-values hold family-wise over the patches: an observed statistic is compared with the largest over
    all patches in each permutation (Westfall & Young 1993; Winkler et al. 2014). Words are not corrected against
    each other. A patch that never changes has weight 0 and p 1.
    """
    keep, responses, weight, block = checked(keep, responses, locality_weight, blocks, columns=True)
    weights = solve(keep, responses, weight, block).weights
    return weights, _p_values(keep, responses, weight, block, permutations, seed)


def holm(p_values):
    """Holm's step-down correction (1979) of p_values (k,): controls the chance of any false discovery."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def solve(keep, response, weight, block, kind="linear"):
    """Estimate the weights from arguments that `checked` has passed; see `Solution`."""
    member = _membership(block)  # (N, B)
    share = weight[:, None] * member  # a block whose weights are all 0 has no say and no intercept
    share = share / np.maximum(share.sum(axis=0), np.finfo(float).tiny)  # (N, B), columns sum to 1
    X, X_mean, y, y_mean = *_centred(keep, member, share), *_centred(response, member, share)
    y = np.where(_constant(y, response), 0, y)

    root = np.sqrt(weight)[:, None]
    penalty = _penalty(kind, X, y, weight)
    if penalty:
        inverse = np.linalg.inv(X.T @ (weight[:, None] * X) + penalty * np.eye(X.shape[1]))
        operator = inverse @ (weight[:, None] * X).T
    else:
        operator = np.linalg.pinv(root * X, rcond=ROUND_OFF) * root.T  # (k, N)
    weights = operator @ y
    intercepts = y_mean - X_mean @ weights
    leverage = np.einsum("nk,kn->n", X, operator) + (share * member).sum(axis=1)
    return Solution(
        weights=weights,
        intercepts=intercepts,
        fitted=member @ intercepts + keep @ weights,
        operator=operator,
        leverage=leverage,
        freedom=_whole((weight > 0).sum() - leverage.sum()),
    )


def checked(keep, response, locality_weight, blocks, columns=False):
    """keep (N, k) float, response (N,) or (N, p), locality_weight (N,), blocks (N,) as arrays, or InputError."""
    keep, response = np.asarray(keep, float), np.asarray(response, float)
    if keep.ndim != 2 or not keep.size:
        raise InputError(f"keep must have one row per edit and one column per word, not shape {keep.shape}.")
    rows = len(keep)
    weight = np.ones(rows) if locality_weight is None else np.asarray(locality_weight, float)
    block = np.zeros(rows, int) if blocks is None else np.asarray(blocks)
    if response.ndim != 1 + columns or any(len(a) != rows for a in (response, weight, block)):
        raise InputError(f"keep has {rows} rows: give as many responses, locality weights and blocks.")
    if not np.isfinite(response).all() or not np.isfinite(keep).all():
        raise InputError("Responses must be finite numbers: leave failed edits out first.")
    if weight.ndim != 1 or not np.isfinite(weight).all() or weight.min() < 0 or not weight.any():
        raise InputError("Locality weights must be finite, >= 0 and not all 0: widen the kernel.")
    return keep, response, weight, block


def _p_values(keep, responses, weight, block, permutations, seed):
    """Freedman-Lane p-values (k, p) of responses (N, p), family-wise over p by the largest statistic.

    The statistic is the word's partial F, |z . e|^2 / (residual sum of squares), on residuals e permuted as they are
    (not scaled by the weights, which say what counts, not what is noisy). Adding the reduced fit back, as the recipe
    says, would change nothing: the full model removes it again.
    """
    rows = np.flatnonzero(weight)  # a row of weight 0 is not part of the regression
    keep, responses, weight, block = keep[rows], responses[rows], weight[rows], block[rows]
    member, root = _membership(block), np.sqrt(weight)[:, None]
    size = np.sqrt((weight[:, None] * responses**2).sum(axis=0))  # (p,)
    orders = _permutations(block, permutations, seed)  # (P, N)
    p_values = np.ones((keep.shape[1], responses.shape[1]))
    for j in range(keep.shape[1]):
        others = np.hstack([member, np.delete(keep, j, axis=1)])
        basis = orth(root * others, rcond=ROUND_OFF)  # (N, r)
        column = root[:, 0] * keep[:, j]
        direction = column - basis @ (basis.T @ column)
        if np.linalg.norm(direction) <= ROUND_OFF * np.linalg.norm(column) or len(rows) <= basis.shape[1] + 1:
            continue  # the word never varies on its own, or no residual freedom is left
        direction /= np.linalg.norm(direction)
        residual = responses - others @ (np.linalg.pinv(root * others, rcond=ROUND_OFF) @ (root * responses))  # (N, p)
        residual[:, np.linalg.norm(root * residual, axis=0) <= ROUND_OFF * size] = 0
        if not residual.any():
            continue
        observed = _partial_f(residual, root, basis, direction)  # (p,)
        reached = np.zeros(responses.shape[1])
        step = max(1, CHUNK // residual.size)
        for start in range(0, len(orders), step):
            shuffled = residual[orders[start : start + step].T]  # (N, c, p)
            chance = _partial_f(shuffled.reshape(len(rows), -1), root, basis, direction)
            largest = chance.reshape(shuffled.shape[1:]).max(axis=1)  # (c,)
            reached += (largest[:, None] >= observed * (1 - 1e-9)).sum(axis=0)
        p_values[j] = np.where(residual.any(axis=0), (1 + reached) / (len(orders) + 1), 1)
    return p_values


def _partial_f(residual, root, basis, direction):
    """Partial F, without its constant, of each column of residual (N, c) -> (c,); 0 for a column of zeros."""
    scaled = root * residual
    explained = (direction @ scaled) ** 2
    total = np.einsum("nc,nc->c", scaled, scaled)
    fitted = basis.T @ scaled
    left = total - np.einsum("rc,rc->c", fitted, fitted) - explained
    floor = ROUND_OFF * total  # an exact fit is a large number, not a division by round-off
    return np.divide(explained, np.maximum(left, floor), out=np.zeros_like(total), where=total > 0)


def _permutations(block, count, seed):
    """Row orders (count, N): uniform within each block, blocks stay in place."""
    rng = np.random.default_rng(seed)
    orders = np.tile(np.arange(len(block)), (count, 1))
    for b in np.unique(block):
        rows = np.flatnonzero(block == b)
        orders[:, rows] = rng.permuted(orders[:, rows], axis=1)
    return orders


def _quantile(freedom):
    return student.ppf((1 + CONFIDENCE) / 2, freedom) if freedom > 0 else np.nan


def _hc3(solution, response):
    """Standard errors (k,): each row's variance is its squared leave-one-out residual, e^2 / (1 - h)^2."""
    slack = 1 - solution.leverage
    informative = slack > ROUND_OFF
    residual = np.where(informative, response - solution.fitted, 0)
    variance = (residual / np.where(informative, slack, 1)) ** 2
    variance[~informative] = variance[informative].mean() if informative.any() else np.nan
    return np.sqrt(solution.operator**2 @ variance)


def _penalty(kind, X, y, weight):
    """The ridge penalty: 0 for linear, 1 for ridge, estimated from the data for bayesian."""
    if kind != "bayesian":
        return RIDGE_PENALTY if kind == "ridge" else 0.0
    from sklearn.linear_model import BayesianRidge  # a second of import that most runs do not need

    model = BayesianRidge().fit(X, y, sample_weight=weight)
    return float(model.lambda_ / model.alpha_)


def _membership(block):
    """One-hot blocks (N, B), float."""
    return (block[:, None] == np.unique(block)).astype(float)


def _centred(values, member, share):
    """Values (N, ...) less their block's weighted mean, and the means (B, ...)."""
    mean = share.T @ values
    return values - member @ mean, mean


def _constant(centred, values):
    """True where a response does not vary beyond round-off."""
    return np.abs(centred).max(axis=0) <= ROUND_OFF * np.abs(values).max(axis=0)


def _whole(freedom):
    """Snap round-off to a whole number, so that 0 degrees of freedom are 0."""
    return float(np.round(freedom) if abs(freedom - np.round(freedom)) < 1e-6 else freedom)
