"""The surrogate against scikit-learn, an independent HC3, Banzhaf values, and its own error rates."""

import warnings
from itertools import product

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.linear_model import BayesianRidge, LinearRegression, Ridge

from smile.design import choose
from smile.errors import InputError
from smile.locality import auto_sigma, kernel, words_distance
from smile.surrogate import KINDS, _permutations, fit, holm, maps


def example(k=5, rows=16, seed=0):
    rng = np.random.default_rng(seed)
    keep = choose(k, rows, seed=seed)
    return keep, keep @ rng.normal(size=k) + rng.normal(size=len(keep)), rng.uniform(0.1, 1, len(keep))


def test_all_rows_without_locality_give_banzhaf_values():
    k = 5
    rng = np.random.default_rng(1)
    value = {subset: rng.random() for subset in product((False, True), repeat=k)}
    banzhaf = np.zeros(k)
    for j in range(k):
        for rest in product((False, True), repeat=k - 1):
            banzhaf[j] += value[(*rest[:j], True, *rest[j:])] - value[(*rest[:j], False, *rest[j:])]
    banzhaf /= 2 ** (k - 1)
    keep = choose(k, 2**k)
    response = np.array([value[tuple(row)] for row in keep.tolist()])
    assert fit(keep, response, np.ones(2**k)).weights == pytest.approx(banzhaf, abs=1e-12)


@pytest.mark.parametrize(("kind", "model"), zip(KINDS, (LinearRegression, Ridge, BayesianRidge), strict=True))
def test_weights_are_scikit_learns(kind, model):
    keep, response, weight = example()
    theirs = model().fit(keep.astype(float), response, sample_weight=weight)
    ours = fit(keep, response, weight, kind=kind)
    assert ours.weights == pytest.approx(theirs.coef_, rel=1e-6)
    assert ours.intercept == pytest.approx(theirs.intercept_, rel=1e-6)
    assert ours.fitted == pytest.approx(theirs.predict(keep.astype(float)), rel=1e-6)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_intervals_are_hc3(penalty):
    """The textbook sandwich with the intercept as a column, against our centred one."""
    keep, response, weight = example()
    rows, k = keep.shape
    X, W = np.c_[np.ones(rows), keep], np.diag(weight)
    bread = np.linalg.inv(X.T @ W @ X + penalty * np.diag([0] + [1] * k))
    hat = X @ bread @ X.T @ W
    omega = np.diag(((response - hat @ response) / (1 - np.diag(hat))) ** 2)
    error = np.sqrt(np.diag(bread @ X.T @ W @ omega @ W @ X @ bread))[1:]
    half = student.ppf(0.975, rows - np.trace(hat)) * error
    ours = fit(keep, response, weight, kind="ridge" if penalty else "linear")
    assert ours.ci_high - ours.weights == pytest.approx(half)
    assert ours.weights - ours.ci_low == pytest.approx(half)


def test_p_values_are_freedman_lane_by_the_recipe():
    """The recipe spelled out for one word: reduced fit + shuffled residuals, full refit, t-like statistic."""
    keep, response, weight = example(k=4, rows=12, seed=3)
    X, root = np.c_[np.ones(12), keep], np.sqrt(weight)

    def statistic(y):
        beta = np.linalg.lstsq(root[:, None] * X, root * y, rcond=None)[0]
        return beta[2] ** 2 / (weight @ (y - X @ beta) ** 2)

    reduced = np.delete(X, 2, axis=1)
    fitted = reduced @ np.linalg.lstsq(root[:, None] * reduced, root * response, rcond=None)[0]
    rng = np.random.default_rng(0)
    chance = np.array([statistic(fitted + rng.permutation(response - fitted)) for _ in range(4000)])
    recipe = (chance >= statistic(response)).mean()
    assert fit(keep, response, weight, permutations=4000).p_values[1] == pytest.approx(recipe, abs=0.035)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]).tolist() == [1, 1]
    keep, response, weight = example()
    found = fit(keep, response, weight)
    assert found.p_values_holm == pytest.approx(holm(found.p_values))


@pytest.mark.parametrize("local", [False, True])
def test_type_one_error_is_the_nominal_one(local):
    """Six null words beside one that acts, 16 balanced rows: p <= .05 in 5 % of them within three binomial errors."""
    keep = choose(7, 16, seed=1)
    t = words_distance(keep)
    weight = kernel(t, auto_sigma(t)) if local else np.ones(16)
    rng = np.random.default_rng(7)
    runs, false, any_false, found = 500, 0, 0, 0
    for run in range(runs):
        surrogate = fit(keep, 3 * keep[:, 0] + rng.normal(size=16), weight, permutations=199, seed=run)
        false += (surrogate.p_values[1:] <= 0.05).sum()
        any_false += (surrogate.p_values_holm[1:] <= 0.05).any()
        found += surrogate.p_values[0] <= 0.05
    assert abs(false / (6 * runs) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / (6 * runs))
    assert any_false / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert found / runs > 0.9


def test_intervals_cover():
    keep, rng = choose(5, 16, seed=1), np.random.default_rng(3)
    runs, inside = 300, 0
    for _ in range(runs):
        found = fit(keep, keep @ [3, 0, 0, 1, 0] + rng.normal(size=16), None, permutations=1)
        inside += ((found.ci_low <= [3, 0, 0, 1, 0]) & (found.ci_high >= [3, 0, 0, 1, 0])).sum()
    assert 0.94 < inside / (5 * runs) < 0.995  # HC3 errs on the wide side when rows are few


def test_blocks_have_their_own_intercepts():
    keep, response, weight = example()
    levels = np.array([0.0, 5.0, -2.0])
    stacked, block = np.tile(keep, (3, 1)), np.repeat([4, 7, 9], len(keep))
    found = fit(stacked, np.concatenate([response + level for level in levels]), np.tile(weight, 3), blocks=block)
    single = fit(keep, response, weight)
    assert found.weights == pytest.approx(single.weights)
    assert found.intercepts == pytest.approx(single.intercept + levels)
    assert found.intercept == pytest.approx(single.intercept + 1)
    assert found.p_values[np.argmax(np.abs(single.weights))] <= 0.01


def test_permutation_stays_within_blocks():
    block = np.array([2, 0, 2, 0, 0, 2])
    orders = _permutations(block, 200, seed=0)
    assert (block[orders] == block).all() and (np.sort(orders, axis=1) == np.arange(6)).all()
    assert len(np.unique(orders, axis=0)) == 36  # all 3! x 3! of them, each block on its own


def test_repeated_words_are_separate_features():
    keep = choose(4, 16)  # "very very red car": positions 0 and 1 are the same word and act differently
    found = fit(keep, keep @ [0.5, 0.0, 0.25, 0.0], np.ones(16))
    assert found.weights == pytest.approx([0.5, 0, 0.25, 0], abs=1e-12)
    assert (found.p_values[[0, 2]] < 0.05).all() and (found.p_values[[1, 3]] == 1).all()


def test_same_seed_same_answer():
    keep, response, weight = example()
    a, b = (fit(keep, response, weight, seed=5) for _ in range(2))
    assert (a.p_values == b.p_values).all() and (a.weights == b.weights).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("keep", "response", "weight"),
    [
        (choose(4, 16), np.full(16, 0.3), np.ones(16)),  # an editor that ignores its text
        (choose(4, 16), 0.3 + 1e-15 * np.arange(16), np.ones(16)),
        ([[1], [0]], [1.0, 0.0], [1, 0.5]),  # one word
        ([[1]], [1.0], [1]),
        (choose(7, 16)[:8], np.arange(8.0), np.ones(8)),  # N = k + 1
        (choose(7, 16)[:5], np.arange(5.0), np.ones(5)),  # N < k
        (np.c_[choose(4, 16), np.ones(16)], np.arange(16.0), np.ones(16)),  # a word that never leaves
        (np.c_[choose(4, 16), choose(4, 16)[:, :1]], np.arange(16.0), np.ones(16)),  # two words always together
        (np.c_[choose(4, 16), np.eye(16)[:, :1]], np.arange(16.0) ** 2, np.ones(16)),  # a row of leverage 1
        (choose(4, 16), np.arange(16.0), np.r_[1, np.zeros(15)]),  # one row has all the weight
        (choose(4, 16), np.arange(16.0), np.logspace(0, -120, 16)),  # a far too narrow kernel
    ],
)
def test_degenerate_cases_do_not_crash(keep, response, weight, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit(keep, response, weight, kind=kind, permutations=49)
    assert np.isfinite(found.weights).all() and np.isfinite(found.fitted).all() and np.isfinite(found.intercept)
    assert ((found.p_values > 0) & (found.p_values <= 1)).all()
    if np.ptp(response) < 1e-12:
        assert (found.weights == 0).all() and (found.p_values == 1).all() and (found.p_values_holm == 1).all()
    if kind == "linear" and len(response) <= np.shape(keep)[1] + 1:
        assert np.isnan(found.ci_low).all() and (found.p_values == 1).all()


def test_a_word_that_never_varies_weighs_nothing():
    keep = np.c_[choose(4, 16), np.ones(16)]
    found = fit(keep, choose(4, 16) @ [1, 2, 3, 4] + np.arange(16) % 3)
    assert found.weights[4] == 0 and found.p_values[4] == 1


def test_leverage_one_row_takes_the_mean_of_the_others():
    keep, response, _ = example(k=4, rows=16)
    alone = np.c_[keep, np.eye(16)[:, 3]]  # the fifth word is kept in row 3 only
    found, without = fit(alone, response), fit(np.delete(keep, 3, 0), np.delete(response, 3))
    assert found.weights[:4] == pytest.approx(without.weights)
    assert (found.ci_high - found.ci_low)[:4] == pytest.approx(without.ci_high - without.ci_low)

    X = np.c_[np.ones(15), np.delete(keep, 3, 0)]
    bread, x = np.linalg.inv(X.T @ X), np.r_[1, keep[3]]
    terms = ((np.delete(response, 3) - without.fitted) / (1 - np.diag(X @ bread @ X.T))) ** 2
    error = np.sqrt(terms.mean() + (x @ bread @ X.T) ** 2 @ terms)  # of row 3 less its prediction
    assert found.ci_high[4] - found.weights[4] == pytest.approx(student.ppf(0.975, 10) * error)


def test_maps_are_the_same_regression_per_patch():
    keep, response, weight = example()
    patches = np.stack([response, 2 * response[::-1], np.full(16, 3.0)], axis=1)  # (N, 3)
    weights, p_values = maps(keep, patches, weight)
    assert weights.shape == p_values.shape == (5, 3)
    for v in range(2):
        assert weights[:, v] == pytest.approx(fit(keep, patches[:, v], weight).weights)
    assert (weights[:, 2] == 0).all() and (p_values[:, 2] == 1).all()
    alone = maps(keep, patches[:, :1], weight, permutations=199)[1][:, 0]
    assert alone == pytest.approx(fit(keep, patches[:, 0], weight, permutations=199).p_values)
    assert (p_values[:, 0] >= alone).all()  # more patches, more caution


def test_maps_find_the_place_and_hold_family_wise():
    keep, rng = choose(5, 16, seed=2), np.random.default_rng(4)
    runs, false, found = 150, 0, 0
    for run in range(runs):
        patches = rng.normal(size=(16, 40))
        patches[:, 7] += 9 * keep[:, 0]
        _, p_values = maps(keep, patches, permutations=99, seed=run)
        false += (p_values[1] <= 0.05).any()  # a word that acts nowhere: any of 40 patches
        found += p_values[0, 7] <= 0.05
    assert false / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert found / runs > 0.9


def test_maps_in_pieces_give_the_same_answer(monkeypatch):
    keep, _, weight = example()
    patches = np.random.default_rng(0).normal(size=(16, 6))
    whole = maps(keep, patches, weight)[1]
    monkeypatch.setattr("smile.surrogate.CHUNK", 16 * 6 * 7)
    assert (maps(keep, patches, weight)[1] == whole).all()


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ((np.ones((4, 2)), np.ones(3), np.ones(4)), {}, "as many"),
        ((np.ones((4, 2)), np.ones(4), np.ones(5)), {}, "as many"),
        ((np.ones((4, 2)), [1, 2, 3, np.nan], np.ones(4)), {}, "failed edits"),
        ((np.ones((4, 2)), np.ones(4), [1, 1, -1, 1]), {}, "widen the kernel"),
        ((np.ones((4, 2)), np.ones(4), np.zeros(4)), {}, "widen the kernel"),
        ((np.ones((4, 2)), np.ones(4), np.ones(4)), {"kind": "forest"}, "linear, ridge, bayesian"),
        ((np.ones(4), np.ones(4), np.ones(4)), {}, "one column per word"),
    ],
)
def test_bad_input_says_what_to_do(arguments, options, says):
    with pytest.raises(InputError, match=says):
        fit(*arguments, **options)
