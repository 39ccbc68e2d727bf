"""Permutation p-values against the recipe spelled out; an editor that ignores its text is tested exactly."""

import numpy as np
import pytest
from scipy.stats import t as student

from smile.method.design import choose
from smile.method.inference import _clustered, by_text, orders, over_seeds, seed_half_widths, seed_p_values, word_p_values
from smile.method.least_squares import solve


def textbook_t(X, y):
    """|t| of every column of X, HC3, by the sandwich."""
    operator = np.linalg.inv(X.T @ X) @ X.T
    hat = X @ operator
    terms = ((y - hat @ y) / (1 - np.diag(hat))) ** 2
    return np.abs(operator @ y) / np.sqrt(operator**2 @ terms)


@pytest.mark.parametrize("effect", [0, 6])
def test_words_are_tested_against_those_that_act(effect):
    rng = np.random.default_rng(3)
    mask = choose(4, 12, seed=3).astype(float)
    X, y = np.c_[np.ones(12), mask], rng.normal(size=12) + effect * mask[:, 0]
    ours = word_p_values(mask, y[:, None], 499, seed=2)[:, 0]
    order, observed = orders(np.zeros(12, int), 499, 2), textbook_t(X, y)

    def chance(errors, word):
        return (1 + sum(textbook_t(X, errors[o])[word] >= observed[word] * (1 - 1e-9) for o in order)) / 500

    leave = np.eye(12) - X @ np.linalg.inv(X.T @ X) @ X.T
    scaled = leave @ y / np.sqrt(np.diag(leave))
    acts = np.array([chance(scaled, j + 1) <= 0.05 for j in range(4)])
    assert acts[0] == bool(effect)
    for j in range(4):
        reduced = np.c_[np.ones(12), mask[:, acts & (np.arange(4) != j)]]
        assert ours[j] == pytest.approx(chance(y - reduced @ np.linalg.lstsq(reduced, y, rcond=None)[0], j + 1))


def test_several_columns_are_each_tested_alone():
    rng = np.random.default_rng(1)
    mask = choose(5, 16, seed=1).astype(float)
    responses = rng.normal(size=(16, 8)) + np.outer(mask[:, 1], rng.integers(0, 2, 8) * 5)
    together = word_p_values(mask, responses, 99, seed=4)
    for r in range(8):
        assert together[:, r] == pytest.approx(word_p_values(mask, responses[:, r : r + 1], 99, seed=4)[:, 0])


def test_all_orders_make_the_test_exact():
    """Over all responses that an editor which ignores its text may give, p <= a happens in a share a at most."""
    mask, rng = choose(3, 6, "random", seed=1).astype(float), np.random.default_rng(0)
    p_values = word_p_values(mask, rng.standard_cauchy(size=(6, 3000)), 199, seed=0)
    for level in (0.05, 0.2, 0.5):
        assert (p_values <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 3000)


@pytest.mark.parametrize("k", [3, 4])
def test_with_all_combinations_the_full_edit_may_differ_from_the_others(k):
    """It is compared with itself, so its response is given; the others are noise of an editor that ignores its text."""
    mask, rng = choose(k, 2**k).astype(float), np.random.default_rng(0)
    for given in (1.0, 5.0, 50.0):
        p_values = word_p_values(mask, np.vstack([np.full(2000, given), rng.normal(size=(2**k - 1, 2000))]), 199, seed=0)
        assert abs((p_values <= 0.05).mean() - 0.05) < 0.015


def test_texts_that_every_seed_has():
    mask = np.array([[1, 1], [1, 0], [0, 0], [1, 1], [0, 0]])
    texts, responses = by_text(mask, np.arange(5.0), np.array([3, 3, 3, 7, 7]))
    assert texts.tolist() == [[1, 1], [0, 0]] and responses.tolist() == [[0, 3], [2, 4]]
    assert by_text(mask[:4], np.arange(4.0), np.array([0, 0, 1, 2]))[1].shape == (0, 3)


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
