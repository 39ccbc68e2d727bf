"""The spread between seeds and between texts against the textbook."""

import numpy as np
import pytest
from scipy.stats import t as student

from smile.method.design import choose
from smile.method.inference import _clustered, average_seeds, by_text, over_seeds, seed_half_widths, seed_p_values
from smile.method.least_squares import solve


def test_texts_that_every_seed_has():
    mask = np.array([[1, 1], [1, 0], [0, 0], [1, 1], [0, 0]])
    texts, responses = by_text(mask, np.arange(5.0), np.array([3, 3, 3, 7, 7]))
    assert texts.tolist() == [[1, 1], [0, 0]] and responses.tolist() == [[0, 3], [2, 4]]
    assert by_text(mask[:4], np.arange(4.0), np.array([0, 0, 1, 2]))[1].shape == (0, 3)


def test_means_over_the_seeds_that_have_a_text():
    """Another level under each seed is not a difference between texts, also where a text failed under one of them."""
    rng = np.random.default_rng(5)
    mask, worth = choose(5, 16, seed=1).astype(float), rng.normal(size=(5, 3))
    block = np.repeat([0, 1, 2], 16)
    values = np.tile(mask @ worth, (3, 1)) + np.array([0.0, 10.0, -4.0])[block][:, None]
    there = rng.random(48) > 0.2
    texts, means = average_seeds(np.tile(mask, (3, 1))[there], values[there], block[there])
    assert texts.shape == (16, 5) and set(map(tuple, texts)) == set(map(tuple, mask))
    assert means - means[0] == pytest.approx((texts - texts[0]) @ worth)


def test_over_seeds_where_texts_do_not_matter_it_is_the_jackknife_of_the_textbook():
    """Unequal blocks: leave each seed out, refit, (S - 1) / S times the sum of squares; nothing is shared by texts."""
    rng = np.random.default_rng(2)
    mask = np.vstack([choose(3, 8), choose(3, 8)[:6], choose(3, 8)]).astype(float)
    block, weight = np.repeat([0, 1, 2], [8, 6, 8]), rng.uniform(0.5, 1, 22)
    y = (mask * rng.normal(size=(3, 3))[block]).sum(axis=1)  # another slope under every seed
    whole = solve(mask, y, weight, block).weights
    left = [solve(mask[block != b], y[block != b], weight[block != b], block[block != b]).weights for b in range(3)]
    error = np.sqrt(2 / 3 * ((np.array(left) - whole) ** 2).sum(axis=0))
    weights, errors = over_seeds(mask, y, weight, block)
    assert weights == pytest.approx(whole) and (errors >= error * (1 - 1e-12)).all()
    assert seed_p_values(weights, error, 3) == pytest.approx(2 * student.sf(np.abs(whole) / error, 2))
    assert seed_half_widths(error, 3) == pytest.approx(4.302653 * error)
    assert seed_p_values(np.array([0.5]), np.array([0.0]), 3) == 1


def test_the_variance_between_texts_is_cr2_of_the_textbook():
    """Equal blocks, no locality: (I - H)^-1/2 of each text's residuals, and that of single edits is HC2."""
    rng, seeds = np.random.default_rng(4), 3
    mask = choose(4, 12, seed=2).astype(float)
    tiled, block, y = np.tile(mask, (seeds, 1)), np.repeat(range(seeds), 12), rng.normal(size=12 * seeds)
    X = np.c_[block[:, None] == np.arange(seeds), tiled].astype(float)
    bread = np.linalg.inv(X.T @ X)
    hat, operator = X @ bread @ X.T, (bread @ X.T)[seeds:]
    residual, expected = y - hat @ y, np.zeros(4)
    for text in range(12):
        rows = np.arange(seeds) * 12 + text
        values, vectors = np.linalg.eigh(np.eye(seeds) - hat[np.ix_(rows, rows)])
        expected += (operator[:, rows] @ (vectors / np.sqrt(values)) @ vectors.T @ residual[rows]) ** 2
    model = solve(tiled, y, np.ones(len(y)), block)
    assert _clustered(model, y, np.tile(np.arange(12), seeds)) == pytest.approx(expected)
    single = operator**2 @ (residual**2 / (1 - np.diag(hat)))
    assert _clustered(model, y, np.arange(len(y))) == pytest.approx(single)
    left = np.array([solve(tiled[block != b], y[block != b], np.ones(24), block[block != b]).weights for b in range(3)])
    between = 2 / 3 * ((left - model.weights) ** 2).sum(axis=0)
    assert over_seeds(tiled, y, np.ones(len(y)), block)[1] ** 2 == pytest.approx(between + np.maximum(expected - single, 0))


def test_a_seed_that_is_missing_too_much():
    mask = np.vstack([choose(3, 8), choose(3, 8)[:2]]).astype(float)
    assert over_seeds(mask, np.arange(10.0), np.ones(10), np.r_[np.zeros(8, int), 1, 1]) is None
