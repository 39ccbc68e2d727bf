"""Where each word acts: what it does to how each place of the outcomes looks."""

import numpy as np

ROUND_OFF = 1e-9
VISIBLE = 4 / 255  # of the full range: a smaller change of a place is not seen, and no word is starred or drawn for it


def map_effects(effects, shape: tuple[int, ...]) -> np.ndarray:
    """Maps (k, *places) in [-1, 1] from effects (k, all places x channels) in shares of the full range.

    shape: (*places, channels), for a picture (rows, columns, channels), for an answer (segments, channels). A place's value is
    the size of the channel that the word changes most; it is above 0 where the place is lighter with the word, and below where
    it is darker.
    """
    by_place = np.asarray(effects, float).reshape(-1, *shape)  # (k, *places, channels)
    sign = np.where(by_place.sum(axis=-1) < 0, -1.0, 1.0)
    sizes = np.abs(by_place).max(axis=-1)
    return np.where(sizes > ROUND_OFF, sign * sizes, 0.0)


def find_places(maps, words) -> np.ndarray:
    """(k, *places) bool: where the words (k,) bool change a place of maps (k, *places) visibly."""
    return (np.abs(maps) >= VISIBLE) & np.asarray(words, bool).reshape(-1, *[1] * (np.ndim(maps) - 1))
