"""Distances against SciPy, brute force and what they are blind to."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.spatial.distance import cosine as scipy_cosine
from scipy.stats import wasserstein_distance

from smile.errors import InputError
from smile.method.distance import cosine, minmax, patches, similarity, to_reference, wasserstein

rng = np.random.default_rng(0)


def test_wasserstein_is_scipys_and_the_sorted_difference():
    u, v = rng.normal(size=(2, 50))
    assert wasserstein(u, v) == pytest.approx(wasserstein_distance(u, v))
    assert wasserstein(u, v) == pytest.approx(np.abs(np.sort(u) - np.sort(v)).mean())
    assert wasserstein(u, rng.permutation(u)) == pytest.approx(0)


def test_patches_is_the_cheapest_of_all_assignments():
    U, V = rng.normal(size=(2, 6, 3))
    cheapest = min(np.linalg.norm(U - V[list(order)], axis=1).mean() for order in permutations(range(6)))
    assert patches(U, V) == pytest.approx(cheapest)
    assert patches(U, U[::-1]) == 0
    assert patches(U, U + np.array([3, 0, 4])) == pytest.approx(5)


def test_patches_as_exactly_as_pair_by_pair():
    """Near, far, and equal tokens, long against their distances."""
    U = rng.normal(size=(40, 30)) + 100
    for V in (U + 1e-3 * rng.normal(size=U.shape), U + rng.normal(size=U.shape), np.vstack([U[20:], U[:20] + 1e-6])):
        cost = cdist(U, V)
        assert patches(U, V) == pytest.approx(cost[linear_sum_assignment(cost)].mean(), rel=1e-9)


def test_cosine():
    u, v = rng.normal(size=(2, 9))
    assert cosine(u, v) == pytest.approx(scipy_cosine(u, v))
    assert cosine(u, 7 * u) == pytest.approx(0, abs=1e-12) and cosine(u, -u) == pytest.approx(2)
    assert cosine(0 * u, v) == 1 and cosine(0 * u, 0 * v) == 0


def test_to_reference_measures_every_edit():
    vectors, tokens = rng.normal(size=(3, 8)), rng.normal(size=(3, 4, 8))
    for name, one in (("wasserstein", wasserstein), ("cosine", cosine)):
        expected = [one(vector, vectors[1]) for vector in vectors]
        assert to_reference(name, vectors, None, vectors[1], None) == pytest.approx(expected)
    found = to_reference("patches", vectors, tokens, vectors[1], tokens[1])
    assert found == pytest.approx([patches(U, tokens[1]) for U in tokens]) and found[1] == 0


def test_similarity_and_minmax():
    assert similarity([0, 1, 4]).tolist() == [1, 0.75, 0]
    assert minmax([1, 2, 5]).tolist() == [1, 0.75, 0]
    assert similarity([0, 0]).tolist() == minmax([3, 3]).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: to_reference("l2", [[1]], None, [1], None), "wasserstein, patches, cosine"),
        (lambda: to_reference("patches", [[1]], None, [1], None), "no patch tokens"),
        (lambda: patches(np.ones((2, 3)), np.ones((4, 3))), "same size"),
        (lambda: cosine([1, 2], [1, 2, 3]), "one embedder"),
        (lambda: wasserstein([1, np.nan], [1, 2]), "finite"),
        (lambda: similarity([1, np.nan]), "failed edits"),
        (lambda: similarity([]), "non-empty"),
    ],
)
def test_bad_input_says_what_to_do(call, says):
    with pytest.raises(InputError, match=says):
        call()
