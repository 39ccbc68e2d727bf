"""Outcomes beside the design, which are never rows of a test: each word alone left out, the smallest set that undoes the
change, and the same texts under other seeds where there are too few texts to test under one.

Leave-one-out rows would break the test of the words: where noise is larger without a word, such a row looks like an effect.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from smile.method.appearance import test_words
from smile.method.surrogate import ENUMERATED, LEAST_WEIGHT, NOISY, TOO_FEW, holm

REPLICATES = {1: 5, 2: 2, 3: 1}  # by the number of words, further seeds with which a word can be told from noise
UNDONE = 0.85  # of the way to the farthest outcome
MOST_SET = 6  # words without which nothing is left, at most
SAME = 1e-9

Row = tuple[int, np.ndarray]  # (block, (k,) bool)


class Extra(NamedTuple):
    """m outcomes beside the design."""

    mask: np.ndarray  # (m, k) bool
    blocks: np.ndarray  # (m,) int: the seed, counted from the first; S and more are seeds that the design has not
    distances: np.ndarray  # (m,) from the reference of the block, or of the first where the block is none of the design's
    appearance: np.ndarray | None = None  # (m, ...) as of `analysis.analyse`


def make_extra(k: int) -> Extra:
    """None of them."""
    return Extra(np.zeros((0, k), bool), np.zeros(0, int), np.zeros(0))


def plan_alone(mask, blocks: int) -> list[Row]:
    """What is missing in the design's rows (N, k) of the texts without one word, under each seed."""
    there, k = set(map(tuple, np.asarray(mask).tolist())), mask.shape[1]
    without = [row for row in ~np.eye(k, dtype=bool) if tuple(row.tolist()) not in there]
    return [(block, row) for block in range(blocks) for row in without]


def plan_replicates(mask, untested: str, worthwhile: bool) -> list[Row]:
    """All texts of up to three words under other seeds, where another seed changes the outcome (`NOISY`), so that what is left
    of a word could be noise, and it is `worthwhile`: something moved beyond noise."""
    if untested != NOISY or not worthwhile:
        return []
    seeds = range(1, 1 + REPLICATES[mask.shape[1]])
    return [(block, row) for block in seeds for row in mask]


def plan_undo(mask, blocks, distances_from_full, significant) -> list[Row]:
    """The text without the smallest set that seems to undo the change, where the design has it not, under each seed."""
    found = find_undoing(mask, blocks, distances_from_full, significant)
    without = np.ones(mask.shape[1], bool)
    without[found] = False
    if not found or (mask == without).all(axis=1).any():
        return []
    return [(block, without) for block in range(int(blocks.max()) + 1)]


def find_undoing(mask, blocks, distances_from_full, significant) -> list[int]:
    """Positions of the fewest words with a star (k,) without which no outcome kept more than 15 % of the way to the farthest;
    of several such sets the one without which outcomes are farthest. [] where there is none, or it would be all words."""
    far = find_undone(blocks, distances_from_full, blocks, distances_from_full)
    usable, stars = np.isfinite(distances_from_full), np.flatnonzero(significant)
    for size in range(1, min(len(stars), mask.shape[1] - 1, MOST_SET) + 1):
        found = {}
        for some in combinations(stars.tolist(), size):
            without = usable & ~mask[:, some].any(axis=1)
            if without.any() and far[without].all():
                found[distances_from_full[without].mean(), some] = list(some)
        if found:
            return found[max(found)]
    return []


def find_undone(blocks, distances, design_blocks, design_distances) -> np.ndarray:
    """(m,) bool: outcomes that are 85 % of the way to the farthest of their block of the design, or farther."""
    farthest = {b: np.nanmax(design_distances[design_blocks == b]) for b in np.unique(design_blocks)}
    return np.array([d >= UNDONE * farthest[b] > SAME for b, d in zip(blocks, distances, strict=True)], bool)


def confirm_undoing(found: Sequence[int], mask, blocks, distances, extra: Extra) -> list[int]:
    """The set, where the very text without it undoes the change under every seed; else []."""
    if not found:
        return []
    without = np.ones(mask.shape[1], bool)
    without[list(found)] = False
    inside = extra.blocks <= blocks.max()
    rows, block = np.vstack([mask, extra.mask[inside]]), np.r_[blocks, extra.blocks[inside]]
    each = np.r_[distances, extra.distances[inside]]
    exact = (rows == without).all(axis=1) & np.isfinite(each)
    return list(found) if exact.any() and find_undone(block[exact], each[exact], blocks, distances).all() else []


def measure_alone(mask, blocks, responses, distances, extra: Extra) -> np.ndarray:
    """(k,) by how much the response falls when this one word is left out, mean over the seeds; NaN where that is not known.

    On the scale of the weights: the extra distances are turned into responses as the design's were.
    """
    k, found = mask.shape[1], []
    usable = np.isfinite(distances)
    least, most = np.argmin(np.where(usable, distances, np.inf)), np.argmax(np.where(usable, distances, -np.inf))
    slope = (responses[most] - responses[least]) / ((distances[most] - distances[least]) or 1.0)
    inside = extra.blocks <= blocks.max()
    further = responses[least] + slope * (extra.distances[inside] - distances[least])
    rows, block = np.vstack([mask, extra.mask[inside]]), np.r_[blocks, extra.blocks[inside]]
    each = np.r_[responses, further]
    for b in np.unique(blocks):
        full = each[(block == b) & rows.all(axis=1)][0]
        single = [(block == b) & (rows == ~np.eye(k, dtype=bool)[j]).all(axis=1) & np.isfinite(each) for j in range(k)]
        found.append([full - each[one][0] if one.any() else np.nan for one in single])
    known = np.isfinite(found)
    return np.divide(np.where(known, found, 0).sum(axis=0), known.sum(axis=0), out=np.full(k, np.nan), where=known.any(axis=0))


def test_enumerated(
    fitted: dict[str, Any], mask, values, extra: Extra, noisy: bool, settings: dict[str, Any]
) -> dict[str, Any]:
    """What is known of the words where all combinations of up to three were edited, under one seed (`surrogate.ENUMERATED`).

    Where another seed changes nothing, everything: `fitted` as it is. Else an editor may draw new noise for every text, so the
    same texts under other seeds decide: outcomes (N, q) of the design and of `extra` are permuted within each seed. A word that
    has a weight worth naming and is not told from noise has no interval. Without such texts nothing is tested (`NOISY`).
    """
    if fitted["untested"] != ENUMERATED or not noisy:
        return fitted
    k = mask.shape[1]
    complete = [b for b in np.unique(extra.blocks) if b > 0 and (extra.blocks == b).sum() >= len(mask)]
    seen = extra.distances if extra.appearance is None else extra.appearance
    looks = seen.reshape(len(seen), -1) if len(seen) else np.zeros((0, values.shape[1]))
    complete = [b for b in complete if np.isfinite(looks[extra.blocks == b]).all()]
    p_values, untested = np.ones(k), NOISY if not len(extra.blocks[extra.blocks > 0]) else TOO_FEW
    if complete and np.isfinite(values).all():
        chosen = np.isin(extra.blocks, complete)
        data = np.vstack([mask, extra.mask[chosen]]), np.vstack([values, looks[chosen]])
        block = np.r_[np.zeros(len(mask), int), extra.blocks[chosen]]
        chance = {name: settings[name] for name in ("permutations", "seed")}
        p_values, untested = test_words(*data, blocks=block, **chance).p_values, ""
    corrected = holm(p_values)
    told = (corrected < 0.05) | (np.abs(fitted["weights"]) < LEAST_WEIGHT)
    intervals = {name: np.where(told, fitted[name], np.nan) for name in ("ci_low", "ci_high")}
    return fitted | intervals | {"p_values": p_values, "p_values_holm": corrected, "untested": untested, "order": []}
