"""Where each word acts: the surrogate's regression once per part of an outcome, for example per patch of a picture."""

import numpy as np

from smile.method import surrogate


def respond_by_patch(patches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(n, p) responses in [0, 1]: 1 - cosine distance / largest of all, patch by patch.

    `patches` is (n, p, d); `reference` is (p, d) or, one for each outcome, (n, p, d).
    """
    reference = np.broadcast_to(reference, patches.shape)
    lengths = np.linalg.norm(patches, axis=2) * np.linalg.norm(reference, axis=2)
    cosine = np.einsum("npd,npd->np", patches, reference) / np.where(lengths > 0, lengths, 1)
    distances = np.where((patches == reference).all(axis=2), 0.0, np.clip(1 - cosine, 0, None))
    return 1 - distances / (distances.max() or 1.0)


def map_words(mask, responses, locality_weights, shape: tuple[int, int], *, seed: int, blocks) -> tuple[np.ndarray, np.ndarray]:
    """(weights (k, rows, columns), p-values of that shape) of k words over p = rows x columns parts.

    mask (n, k) bool; responses (n, p); locality_weights, blocks (n,). A word's p-values hold family-wise over its parts.
    """
    weights, p_values = surrogate.maps(mask, responses, locality_weights, seed=seed, blocks=blocks)
    return weights.reshape(-1, *shape), p_values.reshape(-1, *shape)
