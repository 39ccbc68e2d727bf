"""The trace: what each segment of an answer rests on, the prompt's units and the segments written before it.

A model that is given the beginning of an answer may go on alike whatever the prompt says, so the prompt's units alone do not
tell what a later segment rests on. Here each segment has a design and a fit of its own, in which earlier segments are left out
of what is given before it as units are left out of the prompt. What is drawn has survived Holm's correction over all edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smile.errors import InputError
from smile.method import design, surrogate
from smile.method.likelihood import measure_likelihood

LEVEL = 0.05
LEAST = 0.05  # of likelihood: a smaller effect is no edge


@dataclass(frozen=True)
class Edge:
    """An edge of the trace: from a unit (position 0 to k - 1) or an earlier segment (k plus its number) to a segment."""

    source: int
    target: int
    weight: float  # how much likelier the segment is with the source than without, on average
    ci_low: float
    ci_high: float
    p_value_holm: float  # over all edges that there might be

    @property
    def survives(self) -> bool:
        """Whether it is drawn: it can be told from chance, and is no smaller than one would look at."""
        return self.p_value_holm < LEVEL and abs(self.weight) >= LEAST


def plan_trace(units: int, segments: int, seed: int) -> list[np.ndarray]:
    """For each segment the rows (n, units + earlier segments) bool to score it with. Raises InputError where there are more
    than 64 units and segments together."""
    if units + segments - 1 > design.MAX_WORDS:
        raise InputError(f"A trace takes {design.MAX_WORDS} units and segments together; explain sentences instead of words.")
    widths = [units + earlier for earlier in range(segments)]
    return [design.choose(k, 2 * design.default_edits(k), "sparse", seed) for k in widths]


def fit_trace(masks: Sequence[np.ndarray], log_probs: Sequence[Sequence], *, permutations: int, seed: int) -> list[Edge]:
    """All edges that there might be, of masks (n, k + s) and the log-probabilities (n rows of t tokens) of each segment s."""
    fitted = []
    for mask, rows in zip(masks, log_probs, strict=True):
        response = np.array([measure_likelihood(row) for row in rows])
        fitted.append(surrogate.fit(mask, response, permutations=permutations, seed=seed))
    p_values = surrogate.holm(np.concatenate([each.p_values for each in fitted]))
    edges, at = [], 0
    for target, each in enumerate(fitted):
        for source, weight in enumerate(each.weights):
            low, high, p = each.ci_low[source], each.ci_high[source], p_values[at + source]
            edges.append(Edge(source, target, float(weight), float(low), float(high), float(p)))
        at += len(each.weights)
    return edges


def list_given(mask, segments: int, parts: Sequence[str]) -> list[list[str | None]]:
    """For each segment s what stands before it in each row of its mask (n, k + s): the earlier `parts` (S,) that are kept,
    without the white space at the start, None for nothing."""
    found: list[list[str | None]] = []
    for segment, rows in zip(range(segments), mask, strict=True):
        kept = rows[:, rows.shape[1] - segment :]
        found.append(["".join(p for p, k in zip(parts[:segment], row, strict=True) if k).lstrip() or None for row in kept])
    return found
