"""How far an edit is from the reference, measured on the embedder's vectors or patch tokens.

- wasserstein: 1-D W1 between two vectors read as samples of values, as published (arXiv 2412.16277, its code calls
  SciPy's function). Blind to a permutation of the coordinates.
- patches: W1 between two clouds of patch tokens under Euclidean ground distance. Equal sizes and uniform weights, so
  an optimal plan is a permutation (Birkhoff) and the assignment problem is exact transport. Blind to where a patch is.
- cosine: 1 - cosine similarity.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance

from smile.errors import InputError

NAMES = ("wasserstein", "patches", "cosine")


def wasserstein(u, v):
    """1-D W1 between the values of u (d,) and those of v (d,); >= 0, in the units of the values."""
    return float(wasserstein_distance(_finite(u, 1), _finite(v, 1)))


def patches(U, V):
    """Exact W1 between two clouds of n patch tokens, U (n, d) and V (n, d); >= 0."""
    U, V = _finite(U, 2), _finite(V, 2)
    if U.shape != V.shape:
        raise InputError(f"Patch tokens {U.shape} and {V.shape} differ in shape: embed both images at the same size.")
    # By one matrix product, four times as fast as pair by pair. It is exact to about 1e-8 of a token's length, enough to
    # choose the pairs by; those chosen are then measured themselves.
    squares = (U * U).sum(axis=1)[:, None] + (V * V).sum(axis=1) - 2 * U @ V.T  # (n, n)
    _, chosen = linear_sum_assignment(np.sqrt(np.maximum(squares, 0)))
    return float(np.linalg.norm(U - V[chosen], axis=1).mean())


def cosine(u, v):
    """1 - cosine similarity of u (d,) and v (d,), in [0, 2]; a zero vector is 0 from another and 1 from the rest."""
    u, v = _finite(u, 1), _finite(v, 1)
    if u.shape != v.shape:
        raise InputError(f"Vectors of {u.size} and {v.size} values cannot be compared: use one embedder for both.")
    lengths = np.linalg.norm(u), np.linalg.norm(v)
    if min(lengths) == 0:
        return float(max(lengths) > 0)
    return float(np.clip(1 - (u / lengths[0]) @ (v / lengths[1]), 0, 2))


def to_reference(name, vectors, patch_tokens, reference_vector, reference_patches):
    """Distances (N,) of N edits to the reference.

    vectors (N, d), reference_vector (d,); patch_tokens (N, p, d) and reference_patches (p, d), or None where the
    embedder gives none. Raises InputError for an unknown name, missing patch tokens, or values that are not finite.
    """
    if name not in NAMES:
        raise InputError(f"Unknown distance {name!r}: choose one of {', '.join(NAMES)}.")
    if name == "patches":
        if patch_tokens is None or reference_patches is None:
            raise InputError("This embedder gives no patch tokens: choose the distance wasserstein or cosine.")
        return np.array([patches(U, reference_patches) for U in patch_tokens], float)
    measure = {"wasserstein": wasserstein, "cosine": cosine}[name]
    return np.array([measure(u, reference_vector) for u in vectors], float)


def similarity(distances):
    """Responses (N,) in [0, 1] = 1 - distance / largest distance; all ones when no edit moved."""
    distances = _distances(distances)
    largest = distances.max()
    return 1 - distances / largest if largest > 0 else np.ones_like(distances)


def minmax(distances):
    """Responses (N,) stretched to [0, 1], nearest edit 1, farthest 0 (the published scaling); all ones when equal."""
    distances = _distances(distances)
    return similarity(distances - distances.min())


def _distances(values):
    values = np.asarray(values, float)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or values.min() < 0:
        raise InputError("Distances must be a non-empty list of finite numbers >= 0: leave failed edits out first.")
    return values


def _finite(values, ndim):
    values = np.asarray(values, float)
    if values.ndim != ndim or not values.size or not np.isfinite(values).all():
        raise InputError(
            f"An embedding must be a non-empty {ndim}-D array of finite numbers, not shape {values.shape}: check the embedder."
        )
    return values
