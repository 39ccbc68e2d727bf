"""Looking at the results before all edits are made, without paying for it in false discoveries.

A run that stops as soon as it is confident looks several times, and at the level .05 each time it would be wrong more often
than .05. So the level is spent over the looks (Lan & DeMets 1983), by Pocock's rule, which spends much of it early because
edits are what costs. A word's results at two looks share their edits and go together accordingly; the levels below are
those of a Brownian motion at the shares of the edits (Armitage, McPherson & Rowe 1969; Jennison & Turnbull 2000, chapter 19).
"""

import functools
import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

GRID = np.r_[np.geomspace(1e-4, 0.05, 24), np.geomspace(0.05, 0.99, 17)[1:]]  # levels of the whole test; .05 is one
POINTS = 201  # of Simpson's rule
MOST = 16  # looks
FAR = 9.0  # standard deviations


def planned(first: int, budget: int) -> list[int]:
    """The numbers of edits at which one looks: after each block of `first`, and when the budget ends. Where that would be
    more than `MOST` looks, after every second block, or third, and so on."""
    step = first * math.ceil(budget / first / MOST)
    return [*range(step, budget, step), budget]


def made(looks: list[int], edits: int) -> list[int]:
    """The looks so far, when so many edits are made; stopping between two of them is a look as well."""
    return sorted({look for look in looks if look <= edits} | {edits})


def levels(looks, budget: int, level: float = 0.05) -> np.ndarray:
    """(L,) two-sided levels at which to test at each look, so that a word that does nothing is ever called significant
    with the probability level x ln(1 + (e - 1) t), t = the last look / budget (Lan & DeMets 1983, after Pocock 1977).
    """
    time = np.asarray(looks, float) / budget
    to_spend = np.diff(level * np.log1p((np.e - 1) * time), prepend=0)
    at, density, found = np.zeros(1), np.ones(1), []  # where the motion may be, and Simpson's weight x density there
    for step, spend, now in zip(np.diff(time, prepend=0), to_spend, time, strict=True):
        sd = np.sqrt(step)

        def unspent(bound, at=at, density=density, sd=sd, spend=spend):
            return density @ (norm.sf((bound - at) / sd) + norm.cdf((-bound - at) / sd)) - spend

        bound = brentq(unspent, 0, FAR * np.sqrt(now), xtol=1e-10) if unspent(0) > 0 else 0.0
        found.append(2 * norm.sf(bound / np.sqrt(now)))
        grid = np.linspace(-bound, bound, POINTS)
        simpson = np.r_[1, np.tile([4, 2], POINTS // 2 - 1), 4, 1] * (grid[1] - grid[0]) / 3
        at, density = grid, simpson * (norm.pdf((grid[:, None] - at) / sd) / sd @ density)
    return np.array(found)


def repeated_p_values(p_values, looks, budget: int) -> np.ndarray:
    """(k,) p-values that hold however often one looked, from p_values (L, k): the least level of the whole test at which a
    word is significant at one of the looks (Jennison & Turnbull 1984). At most .05 where a p-value is at most its look's
    `levels`."""
    p_values = np.asarray(p_values, float)
    if list(looks) == [budget]:
        return p_values[0]
    whole = _table(tuple(looks), budget)  # (G, L)
    found = [np.interp(p, at, GRID, right=1.0) for p, at in zip(p_values, whole.T, strict=True)]
    return np.min(found, axis=0)


def undecided(p_values_holm, ci_low, ci_high, smallest_effect: float) -> np.ndarray:
    """(k,) bool: words that are neither significant nor shown to have less than the smallest effect of interest, that is,
    whose interval reaches beyond it (Schuirmann 1987; Lakens 2017). Of an exact weight, whose interval has no width, nothing
    is open."""
    low, high = np.asarray(ci_low), np.asarray(ci_high)
    small = (low > -smallest_effect) & (high < smallest_effect)
    return ~(small | (low == high) | (np.asarray(p_values_holm) < 0.05))


@functools.lru_cache(maxsize=64)
def _table(looks, budget):
    """(G, L) `levels` for each level of `GRID`."""
    return np.array([levels(looks, budget, level) for level in GRID])
