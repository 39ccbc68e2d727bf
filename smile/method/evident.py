"""Which words evidently act, and whether anything moved beyond noise: one definition for stars, sentences, colours, the
trust report and the tables of a suite."""

import numpy as np

from smile.method.inference import LEVEL
from smile.method.maps import VISIBLE
from smile.method.surrogate import ENUMERATED, LEAST_WEIGHT

LEADING, SMALL = 0.25, 0.05  # of the largest weight; of the largest distance


def find_visible(maps, words: int) -> np.ndarray:
    """(k,) bool: the word changes some place of maps (k, ...) by at least 4 levels of 255; all True where there
    are no maps (None) of the `words`."""
    return np.ones(words, bool) if maps is None else (np.abs(maps) >= VISIBLE).reshape(words, -1).any(axis=1)


def find_evident(weights, p_values_holm, untested: str, visible, moved: bool) -> np.ndarray:
    """(k,) bool, the stars. The Holm-corrected p-value is below 0.05 or, where all combinations of up to three words were
    edited, so that nothing is left to chance under this seed, the weight is at least 0.05; what the word changes can be
    seen; and the outcomes `moved` farther than another seed moves them (`noise_floor.exceeds_noise`)."""
    weights, p_values_holm = np.asarray(weights, float), np.asarray(p_values_holm, float)
    evident = np.abs(weights) >= LEAST_WEIGHT if untested == ENUMERATED else p_values_holm < LEVEL
    return evident & visible & moved


def find_leading(weights, proven, beyond_noise: bool) -> np.ndarray:
    """(k,) bool, the units of a prompt that are named, which have no stars. The weight is at least a quarter of the largest
    one, and not so small that nobody would look at it; the unit is `proven` (bool or (k,)), and something is `beyond_noise`."""
    size = np.nan_to_num(np.abs(np.asarray(weights, float)))
    return (size >= max(SMALL, LEADING * size.max(initial=0))) & proven & beyond_noise
