"""Where in the picture each word acts: the surrogate's regression once per patch.

The editor stays a black box. What is compared is the embedder's token of one patch with the token of the same patch of
the reference, so a word's map is where leaving it out changes the result.
"""

import math

import numpy as np

from smile.method import surrogate


def grid_of(embedder, patch_count: int) -> tuple[int, int] | None:
    """(rows, columns) of the embedder's patches: its own `grid`, else a square, else None: no map can be drawn."""
    side = math.isqrt(patch_count)
    grid = tuple(getattr(embedder, "grid", (side, side)))
    return grid if grid[0] * grid[1] == patch_count else None


def responses(patches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(n, p) responses in [0, 1]: 1 - cosine distance / largest of all, patch by patch.

    `patches` is (n, p, d); `reference` is (p, d) or, one for each edit, (n, p, d).
    """
    reference = np.broadcast_to(reference, patches.shape)
    lengths = np.linalg.norm(patches, axis=2) * np.linalg.norm(reference, axis=2)
    cosine = np.einsum("npd,npd->np", patches, reference) / np.where(lengths > 0, lengths, 1)
    distances = np.where((patches == reference).all(axis=2), 0.0, np.clip(1 - cosine, 0, None))
    return 1 - distances / (distances.max() or 1.0)


def word_maps(mask, patches, reference, locality_weights, grid, *, seed, blocks):
    """(weights (k, gh, gw), p-values (k, gh, gw)); a word's p-values hold family-wise over its patches."""
    weights, p_values = surrogate.maps(
        mask,
        responses(patches, reference),
        locality_weights,
        seed=seed,
        blocks=blocks,
    )
    shape = (mask.shape[1], *grid)
    return weights.reshape(shape), p_values.reshape(shape)
