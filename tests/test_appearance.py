"""Words tested on what outcomes look like, against the recipe spelled out, and on truths of which the answer is known."""

from itertools import combinations

import numpy as np
import pytest

from smile.method.appearance import solve_effects
from smile.method.appearance import test_words as judge
from smile.method.design import choose, default_edits
from smile.method.inference import orders
from smile.method.surrogate import holm


def textbook(X, Y):
    """Of every column of X: the length of its effect on Y over the length of its HC3 errors, by the sandwich."""
    operator = np.linalg.inv(X.T @ X) @ X.T
    hat = X @ operator
    terms = ((Y - hat @ Y) / (1 - np.diag(hat))[:, None]) ** 2
    return np.sqrt(((operator @ Y) ** 2).sum(axis=1) / (operator**2 @ terms).sum(axis=1))


@pytest.mark.parametrize("effect", [0, 6])
@pytest.mark.parametrize("values", [1, 5])
def test_words_are_tested_against_those_that_act(effect, values, monkeypatch):
    monkeypatch.setattr("smile.method.appearance.PAIRS", 0)
    rng = np.random.default_rng(3)
    mask = choose(4, 12, seed=3).astype(float)
    X, Y = np.c_[np.ones(12), mask], rng.normal(size=(12, values))
    Y[:, 0] += effect * mask[:, 0]
    order, observed = orders(np.zeros(12, int), 199, 2), textbook(X, Y)

    def chance(errors, word):
        return (1 + sum(textbook(X, errors[o])[word] >= observed[word] * (1 - 1e-9) for o in order)) / 200

    leave = np.eye(12) - X @ np.linalg.inv(X.T @ X) @ X.T
    scaled = leave @ Y / np.sqrt(np.diag(leave))[:, None]
    acts = np.array([chance(scaled, j + 1) <= 0.05 for j in range(4)])
    assert acts[0] == bool(effect)
    ours = judge(mask, Y, permutations=199, seed=2)
    for j in range(4):
        reduced = np.c_[np.ones(12), mask[:, acts & (np.arange(4) != j)]]
        assert ours.p_values[j] == pytest.approx(chance(Y - reduced @ np.linalg.lstsq(reduced, Y, rcond=None)[0], j + 1))
    assert ours.effects == pytest.approx((np.linalg.inv(X.T @ X) @ X.T @ Y)[1:])


def test_turning_the_space_of_the_values_changes_nothing():
    rng = np.random.default_rng(1)
    mask, values = choose(5, 16, seed=1), rng.normal(size=(16, 6)) + 2 * choose(5, 16, seed=1)[:, :1]
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    one, other = (judge(mask, v, permutations=99) for v in (values, values @ turn + 5))
    assert one.p_values == pytest.approx(other.p_values) and one.pairs == other.pairs


def truth(name, mask):
    return {
        "one word": mask[:, 0],
        "and": mask[:, 0] & mask[:, 1],
        "or": mask[:, 0] | mask[:, 1],
        "majority": mask[:, :3].sum(axis=1) >= 2,
        "and of three": mask[:, :3].all(axis=1),
        "or of three": mask[:, :3].any(axis=1),
    }[name].astype(float)


def stars(name, k, noise, seed, edits=None, values=8):
    """(k,) bool of one simulated editor: the truth shows along one direction, noise everywhere."""
    mask, rng = choose(k, edits or default_edits(k), seed=seed), np.random.default_rng((seed, 11))
    way = rng.normal(size=(1, values))
    looks = truth(name, mask)[:, None] * way / np.linalg.norm(way) + noise * rng.normal(size=(len(mask), values))
    return holm(judge(mask, looks, permutations=499, seed=seed).p_values) < 0.05


@pytest.mark.parametrize("k", [5, 7])
@pytest.mark.parametrize(("name", "acting"), [("one word", 1), ("and", 2), ("or", 2), ("majority", 3)])
def test_words_that_act_get_a_star_and_others_none(k, name, acting):
    """Today's default before this test starred .01 to .07 of the words of an AND or OR among seven."""
    found = np.array([stars(name, k, 0.05, seed) for seed in range(20)])
    assert found[:, :acting].mean() > 0.95
    assert found[:, acting:].any(axis=1).mean() <= 0.2


@pytest.mark.parametrize("k", [5, 7])
@pytest.mark.parametrize("name", ["and of three", "or of three"])
def test_what_three_words_do_together_is_not_put_on_others(k, name):
    found = np.array([stars(name, k, 0.01, seed) for seed in range(20)])
    assert found[:, 3:].any(axis=1).mean() <= 0.2


def test_an_exact_fit_is_evidence_and_the_other_words_get_none():
    mask = choose(7, 24, seed=2)
    found = judge(mask, np.c_[mask[:, 0], 3.0 * mask[:, 2]], permutations=999, seed=0)
    assert holm(found.p_values)[[0, 2]].max() < 0.05 and (found.p_values[[1, 3, 4, 5, 6]] == 1).all()
    assert not found.pairs
    both = judge(mask, (mask[:, 0] & mask[:, 2]).astype(float)[:, None], permutations=999, seed=0)
    assert both.pairs == [(0, 2)] and holm(both.p_values)[[0, 2]].max() < 0.05


def test_nothing_that_varies_is_nothing_that_acts():
    mask = choose(5, 16)
    assert (judge(mask, np.full((16, 9), 0.3), permutations=99).p_values == 1).all()


def test_a_word_that_cannot_be_told_from_another_is_not_tested():
    mask = choose(4, 16)
    twice = np.c_[mask, mask[:, 0]]
    p_values = judge(twice, np.random.default_rng(0).normal(size=(16, 3)), permutations=99).p_values
    assert p_values[0] == p_values[4] == 1


@pytest.mark.parametrize(("k", "edits"), [(5, 16), (7, 24), (5, 32)])
def test_an_editor_that_ignores_its_text(k, edits):
    mask, found = choose(k, edits, seed=1), []
    for seed in range(150):
        looks = np.random.default_rng(seed).standard_t(3, size=(len(mask), 4))
        found.append(judge(mask, looks, permutations=199, seed=seed).p_values)
    assert abs((np.array(found) <= 0.05).mean() - 0.05) < 0.025
    assert np.mean([(holm(p) < 0.05).any() for p in found]) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_more_values_than_are_tested_are_those_that_vary_most():
    rng = np.random.default_rng(0)
    mask = choose(7, 128, seed=0)
    looks = rng.normal(size=(128, 300)) * 0.01
    looks[:, 0] += mask[:, 3]
    p_values = judge(mask, looks, permutations=199).p_values
    assert p_values[3] <= 0.01 and np.delete(p_values, 3).min() > 0.005


def test_effects_of_pairs_do_not_move_the_effects_of_words():
    mask = choose(6, 24, seed=0)
    looks = (mask[:, 0] & mask[:, 1]).astype(float)[:, None]
    assert solve_effects(mask, looks)[:2, 0] == pytest.approx([0.5, 0.5])
    assert len(list(combinations(range(6), 2))) > len(judge(mask, looks, permutations=99).pairs) > 0


def test_three_words_that_a_prompt_needs_are_found_in_a_sparse_design_too():
    """Each word is in four rows of five there, so that it is like its products with others; they must not take its effect."""
    found = []
    for seed in range(10):
        rng, mask = np.random.default_rng(seed), choose(14, 64, "sparse", seed)
        acts = mask[:, :3].all(axis=1) * 0.8 + rng.normal(0, 0.02, len(mask))
        found.append(judge(mask, acts[:, None], permutations=299, seed=seed).p_values <= 0.01)
    assert np.mean(found, axis=0)[:3].min() >= 0.8 and np.mean(found, axis=0)[3:].mean() <= 0.03
