"""Fidelity: how well the surrogate follows the responses it was fitted to, and those that were left out of the fit."""

import numpy as np

from smile.method.kernel import effective_sample_size
from smile.method.least_squares import ROUND_OFF, checked, solve


def fidelity(mask, response, locality_weight=None, *, kind: str = "linear", blocks=None) -> dict[str, float | None]:
    """How well the surrogate follows response (N,) given mask (N, k) and locality weights w (N,) >= 0.

    Definitions of arXiv 2602.01206, which reproduce the authors' printed run; e = response - fitted:

    | key | definition |
    |---|---|
    | WMSE, WMAE | sum w e^2 / sum w, sum w abs(e) / sum w |
    | Lm | abs(mean e): mean fitted against mean response, without weights |
    | L1, L2 | mean abs(e), mean e^2, without weights |
    | weighted_L1, weighted_L2 | mean w abs(e), mean w e^2: divided by N, not by sum w |
    | R2_weighted | 1 - sum w e^2 / sum w (y - weighted mean of y)^2 |
    | R2_weighted_adjusted | 1 - (1 - R2_weighted) (N - B) / (N - k - B), B blocks |
    | R2_weighted_leave_one_out | R2_weighted with each row predicted from the others (PRESS, Allen 1974) |
    | effective_sample_size | (sum w)^2 / sum w^2 (Kish 1965) |

    All but the last two are in-sample and flatter small N. With blocks, means are per block and each further block
    costs one degree of freedom. A value that is not defined is None (R2 of a constant response, the adjusted one
    when N <= k + 1). Raises InputError like `surrogate.fit`.
    """
    mask, y, w, block = checked(mask, response, locality_weight, blocks)
    rows, words = mask.shape
    solution = solve(mask, y, w, block, kind)
    e = y - solution.fitted
    mean = solve(np.zeros_like(mask), y, w, block).fitted
    varies = not np.allclose(y, mean, rtol=0, atol=ROUND_OFF * np.abs(y).max())
    spread = w @ (y - mean) ** 2
    df_total = rows - len(np.unique(block))
    df_resid = df_total - words
    r2 = float(1 - w @ e**2 / spread) if varies and spread > 0 else None
    left_out = _left_out(mask, y, w, block, kind, solution) if r2 is not None else None
    return {
        "WMSE": float(w @ e**2 / w.sum()),
        "WMAE": float(w @ abs(e) / w.sum()),
        "R2_weighted": r2,
        "R2_weighted_adjusted": 1 - (1 - r2) * df_total / df_resid if r2 is not None and df_resid > 0 else None,
        "Lm": float(abs(e.mean())),
        "L1": float(abs(e).mean()),
        "L2": float((e**2).mean()),
        "weighted_L1": float((w * abs(e)).mean()),
        "weighted_L2": float((w * e**2).mean()),
        "R2_weighted_leave_one_out": None if left_out is None else float(1 - w @ left_out**2 / spread),
        "effective_sample_size": effective_sample_size(w),
    }


def _left_out(mask, y, w, block, kind, solution) -> np.ndarray:
    """Residual (N,) of each row under the model fitted without it: e / (1 - h), refitted where h is 1.

    The identity is exact for ridge too (the penalty acts like extra rows that stay); for bayesian the penalty stays
    the one estimated from all rows.
    """
    slack = 1 - solution.leverage
    errors = (y - solution.fitted) / np.where(slack > ROUND_OFF, slack, 1)
    for i in np.flatnonzero(slack <= ROUND_OFF):
        rest = w.copy()
        rest[i] = 0
        errors[i] = y[i] - solve(mask, y, rest, block, kind).fitted[i] if rest.any() else y[i]
    return errors
