"""The weighted linear model response ~ mask: point estimates, and the linear maps behind them.

The intercept of each block (a noise seed) is never penalised, so it is taken out first: rows are centred on their
block's weighted mean (Frisch-Waugh-Lovell). What is left is a regression through the origin in which a word that
never varies is a zero column, and gets weight 0 by the pseudo-inverse.
"""

from dataclasses import dataclass

import numpy as np

from smile.errors import InputError

KINDS = ("linear", "ridge", "bayesian")
RIDGE_PENALTY = 1.0  # scikit-learn's default
ROUND_OFF = 1e-10  # relative to a response's own size: anything smaller is arithmetic, not evidence


@dataclass(frozen=True)
class Solution:
    """Point estimates and the linear maps behind them: weights = operator @ response."""

    weights: np.ndarray  # (k,) or (k, p)
    intercepts: np.ndarray  # (B,) or (B, p)
    fitted: np.ndarray  # (N,) or (N, p)
    operator: np.ndarray  # (k, N)
    centred: np.ndarray  # (N, k) mask less its block's weighted mean
    member: np.ndarray  # (N, B) one-hot blocks
    share: np.ndarray  # (N, B) a row's part of its block's weight; columns sum to 1
    df_resid: float  # residual degrees of freedom

    @property
    def leverage(self) -> np.ndarray:
        """(N,) diagonal of the hat matrix, intercepts included."""
        return np.einsum("nk,kn->n", self.centred, self.operator) + (self.share * self.member).sum(axis=1)

    @property
    def estimable(self) -> np.ndarray:
        """(k,) bool: the rows determine this word's weight on its own (of a model without penalty)."""
        return np.abs(np.einsum("kn,nk->k", self.operator, self.centred) - 1) < 1e-6

    def residual(self, values):
        """What the same fit leaves of other values (N, c)."""
        return values - self.centred @ (self.operator @ values) - self.member @ (self.share.T @ values)

    def noise_scale(self) -> np.ndarray:
        """(N,) standard deviation of each residual where all errors have standard deviation 1."""
        left, right = np.hstack([self.centred, self.member]), np.vstack([self.operator, self.share.T])
        squares = (left @ (right @ right.T) * left).sum(axis=1)
        return np.sqrt(np.maximum(1 - 2 * self.leverage + squares, 0))


def solve(mask, response, weight, block, kind="linear") -> Solution:
    """Estimate the weights from arguments that `checked` has passed."""
    member = (block[:, None] == np.unique(block)).astype(float)  # (N, B)
    share = weight[:, None] * member  # a block whose weights are all 0 has no say and no intercept
    share = share / np.maximum(share.sum(axis=0), np.finfo(float).tiny)
    X_mean, y_mean = share.T @ mask, share.T @ response
    X, y = mask - member @ X_mean, response - member @ y_mean
    y = np.where(np.abs(y).max(axis=0) <= ROUND_OFF * np.abs(response).max(axis=0), 0, y)  # it does not vary

    root = np.sqrt(weight)[:, None]
    penalty = _penalty(kind, X, y, weight)
    if penalty:
        whole = X.T @ (weight[:, None] * X) + penalty * np.eye(X.shape[1])
        operator = np.linalg.pinv(whole, rcond=ROUND_OFF, hermitian=True) @ (weight[:, None] * X).T
    else:
        operator = np.linalg.pinv(root * X, rcond=ROUND_OFF) * root.T
    weights = operator @ y
    intercepts = y_mean - X_mean @ weights
    used = np.einsum("nk,kn->", X, operator) + (share * member).sum()
    return Solution(
        weights=weights,
        intercepts=intercepts,
        fitted=member @ intercepts + mask @ weights,
        operator=operator,
        centred=X,
        member=member,
        share=share,
        df_resid=_whole((weight > 0).sum() - used),
    )


def checked(mask, response, locality_weight, blocks, columns=False):
    """mask (N, k) float, response (N,) or (N, p), locality_weight (N,), blocks (N,) as arrays, or InputError."""
    mask, response = np.asarray(mask, float), np.asarray(response, float)
    if mask.ndim != 2 or not mask.size:
        raise InputError(f"mask must have one row per edit and one column per word, not shape {mask.shape}.")
    rows = len(mask)
    weight = np.ones(rows) if locality_weight is None else np.asarray(locality_weight, float)
    block = np.zeros(rows, int) if blocks is None else np.asarray(blocks)
    if response.ndim != 1 + columns or any(len(a) != rows for a in (response, weight, block)):
        raise InputError(f"mask has {rows} rows: give as many responses, locality weights and blocks.")
    if not np.isfinite(response).all() or not np.isfinite(mask).all():
        raise InputError("Responses must be finite numbers: leave failed edits out first.")
    if weight.ndim != 1 or not np.isfinite(weight).all() or weight.min() < 0 or not weight.any():
        raise InputError("Locality weights must be finite, >= 0 and not all 0: widen the kernel.")
    return mask, response, weight, block


def _penalty(kind, X, y, weight):
    """The ridge penalty: 0 for linear, 1 for ridge, estimated from the data for bayesian."""
    if kind != "bayesian":
        return RIDGE_PENALTY if kind == "ridge" else 0.0
    from sklearn.linear_model import BayesianRidge  # a second of import that most runs do not need

    scale = (weight > 0).sum() / weight.sum()  # it takes the sum of the weights for the number of rows
    model = BayesianRidge().fit(X, y, sample_weight=scale * weight)
    return float(model.lambda_ / model.alpha_ / scale)


def _whole(df_resid):
    """Snap round-off to a whole number, so that 0 degrees of freedom are 0."""
    return float(np.round(df_resid) if abs(df_resid - np.round(df_resid)) < 1e-6 else df_resid)
