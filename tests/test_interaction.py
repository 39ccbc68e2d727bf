"""The strongest pair of words, against brute force, and what is said where pairs cannot be told apart."""

from itertools import combinations

import numpy as np
import pytest

from smile.method import inference
from smile.method.design import choose
from smile.method.interaction import NO_PAIR, NO_REMAINDER, SEEDS_ALIKE, TOO_FEW, interaction


def product(mask, i, j):
    return (mask[:, i] & mask[:, j]).astype(float)


def test_weight_share_and_p_value_by_brute_force():
    mask, rng = choose(5, 32), np.random.default_rng(0)
    X, y = np.c_[np.ones(32), mask], rng.normal(size=32) + 3 * product(mask, 1, 3)

    def left(X, y):
        return ((y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) ** 2).sum()

    def largest(y):
        return max((1 - left(np.c_[X, product(mask, i, j)], y) / left(X, y), [i, j]) for i, j in combinations(range(5), 2))

    found = interaction(mask, y, permutations=99, seed=1)
    assert found.pairs[0] == largest(y)[1] == [1, 3] and not found.untested
    assert found.weight == pytest.approx(np.linalg.lstsq(np.c_[X, product(mask, 1, 3)], y, rcond=None)[0][-1])
    leave = np.eye(32) - X @ np.linalg.inv(X.T @ X) @ X.T
    drawn = [largest((leave @ y / np.sqrt(np.diag(leave)))[o])[0] for o in inference.orders(np.zeros(32, int), 99, 1)]
    assert found.p_value == pytest.approx((1 + (np.array(drawn) >= largest(y)[0]).sum()) / 100)


def test_pairs_that_share_a_column_are_named_together_the_likelier_first():
    mask = choose(7, 16, seed=1)
    noise = np.random.default_rng(1).normal(size=16)
    found = interaction(mask, 3 * mask[:, 0] + 2 * mask[:, 1] + 4 * product(mask, 0, 1) + 0.3 * noise)
    assert len(found.pairs) == 3 and found.pairs[0] == [0, 1] and found.p_value < 0.05 and found.weight > 2
    signs = 2 * mask.astype(int) - 1
    for i, j in found.pairs:  # the folded array has one column for all three
        assert abs((signs[:, i] * signs[:, j]) @ (signs[:, 0] * signs[:, 1])) == 16


def test_all_combinations_tell_every_pair_apart():
    mask = choose(4, 16)
    noise = np.random.default_rng(2).normal(size=16)
    either = 3.0 * (mask[:, 1] | mask[:, 2]) + 0.2 * noise
    found = interaction(mask, either)
    assert found.pairs == [[1, 2]] and found.weight == pytest.approx(-3, abs=0.5) and found.p_value < 0.05


def test_several_seeds():
    mask, rng, seeds = choose(4, 16), np.random.default_rng(4), 6
    blocks, tiled = np.repeat(range(seeds), 16), np.tile(mask, (seeds, 1))
    slopes = 2 + 0.2 * rng.normal(size=seeds)
    y = slopes[blocks] * product(tiled, 0, 2) + 0.2 * rng.normal(size=16 * seeds) + blocks
    found = interaction(tiled, y, blocks=blocks)
    assert found.pairs == [[0, 2]] and found.weight == pytest.approx(2, abs=0.3) and found.p_value < 0.05
    assert interaction(tiled, slopes[blocks] * rng.normal(size=16 * seeds), blocks=blocks).p_value > 0.05
    same = np.tile(rng.normal(size=16), seeds)
    assert interaction(tiled, same, blocks=blocks).untested == SEEDS_ALIKE


@pytest.mark.parametrize(
    ("mask", "response", "says"),
    [
        (choose(1, 2), [1.0, 0.0], NO_PAIR),
        (choose(9, 16), np.arange(16.0) ** 2, TOO_FEW),
        (choose(2, 4), [1.0, 0.2, 0.3, 0.0], NO_REMAINDER),
        (choose(4, 16), choose(4, 16) @ [1.0, 2, 3, 4], NO_REMAINDER),
        (choose(4, 16), np.full(16, 0.5), NO_REMAINDER),
    ],
)
def test_reasons(mask, response, says):
    found = interaction(mask, response)
    assert found.untested == says and not found.pairs and found.weight is None and found.p_value is None
