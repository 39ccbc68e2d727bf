"""Whether the order of the words by size of weight is sure, from the same outcomes as the weights.

The word that ranks first does so for sure where the 95 % interval of its lead over each other word is above zero; then the
second beside those that are left, and so on until one is not sure. That the strongest was picked because it is the strongest
costs nothing: the two-sided test of the winner against each other is valid after the selection, and so is going on until the
first that fails (Hung & Fithian, Annals of Statistics 2019). So the whole order is right with a probability of at least 95 %,
as Goldwasser & Hooker (UAI 2025) promise it for SHAP and LIME.
"""

from collections.abc import Callable

import numpy as np

MOST = 8  # ranks; each is another set of tests
ROUND_OFF = 1e-9  # of the largest weight, and of the responses, which are in [0, 1]


def find_order(weights, judge: Callable[[np.ndarray], np.ndarray | float]) -> list[int]:
    """Positions of the words whose rank by |weight| (k,) is sure, from the first on, until one is not, and at most `MOST`.

    judge(contrasts (c, k)) -> half widths (c,) of the 95 % intervals of contrasts @ weights; NaN where that is not known.
    """
    weights = np.asarray(weights, float)
    if not np.isfinite(weights).all() or np.abs(weights).max(initial=0.0) <= ROUND_OFF:
        return []
    size, sign = np.abs(weights), np.where(weights < 0, -1.0, 1.0)
    ranked, sure = sorted(range(len(weights)), key=lambda j: (-size[j], j)), []
    for place, first in enumerate(ranked[:MOST]):
        others = ranked[place + 1 :]
        contrasts = np.zeros((len(others), len(weights)))
        contrasts[:, first] = sign[first]
        contrasts[np.arange(len(others)), others] = -sign[others]
        lead = size[first] - size[others]
        if len(others) and not (lead > np.maximum(judge(contrasts), ROUND_OFF * size.max())).all():
            break
        sure.append(first)
    return sure
