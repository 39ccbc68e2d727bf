"""The balanced design keeps what it promises, and every size that is offered works."""

from itertools import combinations

import numpy as np
import pytest

from smile.errors import InputError
from smile.method.design import choose, default_edits, describe, hadamard, in_blocks, minimum_edits, planned_edits

SIZES = (16, 24, 32, 40, 48, 50, 64, 100)


def sides(mask):
    return 2 * mask.astype(int) - 1  # (N, k) of +1 and -1


@pytest.mark.parametrize("order", [4, 8, 12, 16, 20, 24, 28, 36, 40, 44, 48, 60, 64, 68, 76])
def test_hadamard_matrices_are_orthogonal(order):
    matrix = hadamard(order)
    assert set(np.unique(matrix)) == {-1, 1}
    assert (matrix.T @ matrix == order * np.eye(order)).all()


@pytest.mark.parametrize("k", range(2, 25))
def test_balanced_is_balanced_and_free_of_two_word_interactions(k):
    for edits in {default_edits(k), *SIZES}:
        if edits < default_edits(k):
            continue
        mask = choose(k, edits, seed=k)
        assert mask.dtype == bool and mask.shape == (min(edits, 2**k), k)
        assert mask[0].all()
        assert len(np.unique(mask, axis=0)) == len(mask)
        assert (mask.sum(axis=0) * 2 == len(mask)).all()
        signs = sides(mask)
        for a, b in combinations(range(k), 2):
            assert not (signs.T @ (signs[:, a] * signs[:, b])).any(), (k, edits, a, b)


@pytest.mark.parametrize("k", range(2, 25))
def test_default_balanced_words_are_orthogonal(k):
    signs = sides(choose(k, default_edits(k), seed=3))
    assert (signs.T @ signs == len(signs) * np.eye(k)).all()


@pytest.mark.parametrize(("k", "edits"), [(9, 16), (7, 12), (11, 16), (15, 16 + 1), (20, 24), (64, 68)])
def test_unfolded_array_when_the_folded_one_does_not_fit(k, edits):
    mask = choose(k, edits)
    signs = sides(mask)
    assert mask.shape == (edits, k) and mask[0].all()
    if edits % 4 == 0:
        assert (signs.T @ signs == edits * np.eye(k)).all() and not signs.sum(axis=0).any()
    assert "unfolded" in describe(k, edits)


def test_describe_tells_the_arrays_apart():
    assert describe(4, 16).startswith("exhaustive")
    assert describe(7, 24) == "balanced, folded: free of two-word interactions"
    assert describe(5, 16) == "balanced, half of all combinations: free of interactions of up to 3 words"
    assert describe(8, 64) == "balanced, a quarter of all combinations: free of interactions of up to 3 words"
    assert describe(6, 33) == "balanced, half of all combinations: free of interactions of up to 4 words, and 1 more rows"
    assert "odd row" in describe(7, 17)
    assert describe(9, 16) == "balanced, unfolded: ask for 24 edits to be free of two-word interactions"
    assert describe(7, 30, "random").startswith("random")


@pytest.mark.parametrize("k", range(1, 65))
@pytest.mark.parametrize("kind", ["balanced", "random"])
def test_every_offered_size_works_and_one_less_is_refused(k, kind):
    least = minimum_edits(k, kind)
    for edits in {least, least + 1, default_edits(k), default_edits(k) + 1}:
        mask = choose(k, edits, kind, seed=1)
        assert mask.shape == (min(edits, 2**k), k) and mask[0].all()
        assert len(np.unique(mask, axis=0)) == len(mask)
    with pytest.raises(InputError, match=f"at least {least}"):
        choose(k, least - 1, kind)


@pytest.mark.parametrize("kind", ["balanced", "random", "exhaustive"])
def test_all_subsets_when_they_fit(kind):
    mask = choose(3, 20, kind)
    assert len(np.unique(mask, axis=0)) == len(mask) == 8 and mask[0].all()
    assert choose(1, 2, kind).tolist() == [[True], [False]]


def test_default_edits():
    assert [default_edits(k) for k in (1, 3, 4, 5, 8, 9, 12, 13, 17, 21)] == [2, 8, 16, 16, 24, 24, 24, 32, 40, 48]


@pytest.mark.parametrize(("k", "edits", "resolution"), [(5, 16, 5), (6, 32, 6), (7, 64, 7), (8, 64, 5), (9, 128, 6)])
def test_regular_fractions_have_the_resolution_that_is_said(k, edits, resolution):
    """No product of fewer than `resolution` words is constant over the rows, so words are free of R - 2 others."""
    signs = sides(choose(k, edits, seed=1))
    assert len(np.unique(signs, axis=0)) == edits
    for size in range(1, resolution):
        assert not any(signs[:, list(some)].prod(axis=1).sum() for some in combinations(range(k), size))
    assert f"up to {resolution - 2} words" in describe(k, edits)


@pytest.mark.parametrize("k", [6, 7, 8, 9])
def test_with_24_edits_no_word_is_the_same_as_three_others(k):
    """With 16, folded, each word of seven is indistinguishable from three others' interaction."""
    for seed in range(5):
        signs = sides(choose(k, 24, seed=seed))
        shared = [abs(signs[:, list(some)].prod(axis=1).mean()) for some in combinations(range(k), 4)]
        assert max(shared) <= 1 / 3 + 1e-12


@pytest.mark.parametrize("k", [5, 6, 7])
def test_blocks_use_every_combination_once(k):
    mask = in_blocks(k, 2**k, seed=4)
    assert len(np.unique(mask, axis=0)) == len(mask) == min(2**k, planned_edits(k, 2**k, blocks=True))


def test_random_is_the_published_scheme():
    mask = choose(6, 40, "random", seed=2)
    assert mask.any(axis=1).all()
    many = np.vstack([choose(10, 60, "random", seed=s)[1:] for s in range(60)])
    assert abs(many.mean() - 0.5) < 0.02
    assert len(choose(5, 31, "random")) == 31  # every subset but the empty one


def test_same_seed_same_rows_other_seed_other_rows():
    for kind in ("balanced", "random"):
        assert (choose(7, 24, kind, seed=4) == choose(7, 24, kind, seed=4)).all()
        assert (choose(7, 24, kind, seed=4) != choose(7, 24, kind, seed=5)).any()


def test_no_global_random_state():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    choose(9, 30)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [((0, 16), "1 to 64"), ((65, 200), "1 to 64"), ((5, "many"), "whole number"), ((5.5, 16), "whole number"),
     ((5, 16, "clever"), "balanced, sparse, random, exhaustive"), ((6, 32, "exhaustive"), "at least 64"), ((20, 5000), "4096")],
)  # fmt: skip
def test_bad_input_says_what_to_do(arguments, says):
    with pytest.raises(InputError, match=says):
        choose(*arguments)
