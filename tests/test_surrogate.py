"""The surrogate against scikit-learn, Banzhaf values and a sandwich spelled out; seeds, reasons and degenerate input."""

import warnings
from itertools import product

import numpy as np
import pytest
from scipy.stats import ttest_1samp
from sklearn.linear_model import BayesianRidge, LinearRegression, Ridge

from smile.errors import InputError
from smile.method.design import choose
from smile.method.inference import estimate, orders
from smile.method.least_squares import KINDS, solve
from smile.method.surrogate import ALL_ALIKE, ENUMERATED, SEEDS_ALIKE, TOO_FEW, fit, holm


def example(k=5, rows=16, seed=0):
    rng = np.random.default_rng(seed)
    mask = choose(k, rows, seed=seed)
    return mask, mask @ rng.normal(size=k) + rng.normal(size=len(mask)), rng.uniform(0.1, 1, len(mask))


def test_all_rows_without_locality_give_banzhaf_values():
    k = 5
    rng = np.random.default_rng(1)
    value = {subset: rng.random() for subset in product((False, True), repeat=k)}
    banzhaf = np.zeros(k)
    for j in range(k):
        for rest in product((False, True), repeat=k - 1):
            banzhaf[j] += value[(*rest[:j], True, *rest[j:])] - value[(*rest[:j], False, *rest[j:])]
    banzhaf /= 2 ** (k - 1)
    mask = choose(k, 2**k)
    response = np.array([value[tuple(row)] for row in mask.tolist()])
    assert fit(mask, response, np.ones(2**k)).weights == pytest.approx(banzhaf, abs=1e-12)


@pytest.mark.parametrize(("kind", "model"), zip(KINDS, (LinearRegression, Ridge, BayesianRidge), strict=True))
def test_weights_are_scikit_learns(kind, model):
    mask, response, weight = example()
    mean_one = len(weight) / weight.sum() if kind == "bayesian" else 1  # see below
    theirs = model().fit(mask.astype(float), response, sample_weight=mean_one * weight)
    ours = fit(mask, response, weight, kind=kind)
    assert ours.weights == pytest.approx(theirs.coef_, rel=1e-6)
    assert ours.intercept == pytest.approx(theirs.intercept_, rel=1e-6)
    assert ours.fitted == pytest.approx(theirs.predict(mask.astype(float)), rel=1e-6)


def test_bayesian_weights_are_finite_where_locality_weights_are_small_and_the_fit_exact():
    """scikit-learn takes the sum of the weights for the number of rows; with less than one per word it divides by zero."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        k = int(rng.integers(2, 8))
        mask = choose(k, min(2**k, 16), seed=int(rng.integers(99)))[: k + int(rng.integers(2, 6))]
        response, weight = 1 - 0.5 * mask @ rng.random(k), 0.3 * np.exp(-3 * rng.random(len(mask)))
        found = fit(mask, response, weight, kind="bayesian", permutations=39)
        assert np.isfinite(found.weights).all()
        assert found.weights == pytest.approx(fit(mask, response, 7 * weight, kind="bayesian", permutations=39).weights)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_intervals_are_hc3_with_a_quantile_by_permutation(penalty):
    """The textbook sandwich with the intercept as a column, against our centred one; every permutation refitted."""
    mask, response, weight = example()
    rows, k = mask.shape
    X, W = np.c_[np.ones(rows), mask], np.diag(weight)
    bread = np.linalg.inv(X.T @ W @ X + penalty * np.diag([0] + [1] * k))
    hat = X @ bread @ X.T @ W
    leave = np.eye(rows) - hat

    def estimates(y):
        omega = np.diag(((y - hat @ y) / (1 - np.diag(hat))) ** 2)
        return (bread @ X.T @ W @ y)[1:], np.sqrt(np.diag(bread @ X.T @ W @ omega @ W @ X @ bread))[1:]

    scaled = leave @ response / np.sqrt(np.diag(leave @ leave.T))
    drawn = [estimates(scaled[order]) for order in orders(np.zeros(rows, int), 99, seed=0)]
    quantile = np.sort([np.abs(beta) / error for beta, error in drawn], axis=0)[94]  # 0.95 x (99 + 1) = the 95th
    half = quantile * estimates(response)[1]
    ours = fit(mask, response, weight, kind="ridge" if penalty else "linear", permutations=99)
    assert ours.ci_high - ours.weights == pytest.approx(half)
    assert ours.weights - ours.ci_low == pytest.approx(half)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]).tolist() == [1, 1]
    mask, response, weight = example()
    found = fit(mask, response, weight)
    assert found.p_values_holm == pytest.approx(holm(found.p_values))


def test_blocks_have_their_own_intercepts():
    mask, response, weight = example()
    levels = np.array([0.0, 5.0, -2.0])
    stacked, block = np.tile(mask, (3, 1)), np.repeat([4, 7, 9], len(mask))
    found = fit(stacked, np.concatenate([response + level for level in levels]), np.tile(weight, 3), blocks=block)
    assert found.untested == SEEDS_ALIKE and (found.p_values == 1).all() and np.isnan(found.ci_low).all()
    single = fit(mask, response, weight)
    assert found.weights == pytest.approx(single.weights)
    assert found.intercepts == pytest.approx(single.intercept + levels)
    assert found.intercept == pytest.approx(single.intercept + 1)


def test_permutation_stays_within_blocks():
    block = np.array([2, 0, 2, 0, 0, 2])
    drawn = orders(block, 200, seed=0)
    assert (block[drawn] == block).all() and (np.sort(drawn, axis=1) == np.arange(6)).all()
    assert len(np.unique(drawn, axis=0)) == 36  # all 3! x 3! of them, each block on its own


def test_repeated_words_are_separate_features():
    mask = choose(4, 16)  # "very very red car": positions 0 and 1 are the same word and act differently
    found = fit(mask, mask @ [0.5, 0.0, 0.25, 0.0], np.ones(16))
    assert found.weights == pytest.approx([0.5, 0, 0.25, 0], abs=1e-12)


def test_several_seeds_are_a_t_test_of_one_fit_each():
    """The same rows under every seed, effects that differ between them: mean, standard error, S - 1 degrees of df_resid."""
    mask, _, weight = example()
    seeds, k = 4, mask.shape[1]
    responses = (np.random.default_rng(5).normal(size=(seeds, k)) + np.arange(k)) @ mask.T
    responses += 1e-3 * np.random.default_rng(6).normal(size=16)  # the same under every seed
    each = np.array([fit(mask, y, weight, permutations=1).weights for y in responses])
    found = fit(np.tile(mask, (seeds, 1)), responses.ravel(), np.tile(weight, seeds), blocks=np.repeat(range(seeds), 16))
    assert found.weights == pytest.approx(each.mean(axis=0)) and not found.untested
    interval = ttest_1samp(each, 0).confidence_interval(0.95)
    assert found.ci_low == pytest.approx(interval.low, abs=1e-3) and found.ci_high == pytest.approx(interval.high, abs=1e-3)
    unweighted = np.array([fit(mask, y, permutations=1).weights for y in responses])
    texts = fit(mask, responses.mean(axis=0)).p_values
    assert found.p_values == pytest.approx(np.maximum(texts, ttest_1samp(unweighted, 0).pvalue), abs=1e-3)


def test_seeds_need_enough_edits_each():
    mask, response, _ = example()
    blocks = np.r_[np.zeros(16, int), 1, 1]  # the second seed has just begun
    found = fit(np.vstack([mask, mask[:2]]), np.r_[response, response[:2]], blocks=blocks)
    assert found.untested == TOO_FEW and (found.p_values == 1).all() and np.isnan(found.ci_low).all()


def test_locality_and_penalty_change_the_weights_and_not_the_p_values():
    mask, response, weight = example()
    plain = fit(mask, response)
    for other in (fit(mask, response, weight), fit(mask, response, weight, kind="ridge")):
        assert (other.p_values == plain.p_values).all() and (other.weights != plain.weights).all()


@pytest.mark.parametrize(
    ("mask", "response", "says"),
    [
        (choose(2, 4), [1.0, 0.3, 0.2, 0.0], ENUMERATED),
        (choose(7, 16)[:8], np.arange(8.0) ** 2, TOO_FEW),
        (choose(3, 8), choose(3, 8)[:, 0] * 0.5 + 0.1, ENUMERATED),  # all combinations of three words
        (choose(4, 16), np.full(16, 0.3), ALL_ALIKE),
    ],
)
def test_where_a_promise_cannot_hold_there_is_a_reason_and_no_small_p(mask, response, says):
    found = fit(mask, response)
    assert found.untested == says and (found.p_values == 1).all() and (found.p_values_holm == 1).all()
    if says == ENUMERATED:  # nothing is inferred from a sample, so the weight is what it is
        assert (found.ci_low == found.weights).all() and (found.ci_high == found.weights).all()
    else:
        assert not (found.ci_low > 0).any() and not (found.ci_high < 0).any()


def test_same_seed_same_answer():
    mask, response, weight = example()
    a, b = (fit(mask, response, weight, seed=5) for _ in range(2))
    assert (a.p_values == b.p_values).all() and (a.weights == b.weights).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mask", "response", "weight"),
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
def test_degenerate_cases_do_not_crash(mask, response, weight, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit(mask, response, weight, kind=kind, permutations=49)
    assert np.isfinite(found.weights).all() and np.isfinite(found.fitted).all() and np.isfinite(found.intercept)
    assert ((found.p_values > 0) & (found.p_values <= 1)).all()
    if np.ptp(response) < 1e-12:
        assert (found.weights == 0).all() and (found.p_values == 1).all() and (found.p_values_holm == 1).all()
    if kind == "linear" and len(response) <= np.shape(mask)[1] + 1:
        enumerated = found.untested == ENUMERATED
        assert (np.isnan(found.ci_low) | enumerated).all() and (found.p_values == 1).all()


def test_a_word_that_never_varies_weighs_nothing():
    mask = np.c_[choose(4, 16), np.ones(16)]
    found = fit(mask, choose(4, 16) @ [1, 2, 3, 4] + np.arange(16) % 3)
    assert found.weights[4] == 0 and found.p_values[4] == 1


def test_leverage_one_row_takes_the_mean_of_the_others():
    mask, response, _ = example(k=4, rows=16)
    alone = np.c_[mask, np.eye(16)[:, 3]]  # the fifth word is kept in row 3 only
    model = solve(alone.astype(float), response, np.ones(16), np.zeros(16, int))
    without = solve(np.delete(mask, 3, 0).astype(float), np.delete(response, 3), np.ones(15), np.zeros(15, int))
    (ours, errors) = estimate(model, response[:, None], model.operator)
    rest = estimate(without, np.delete(response, 3)[:, None], without.operator)
    assert ours[:4] == pytest.approx(rest[0]) and errors[:4] == pytest.approx(rest[1])

    X = np.c_[np.ones(15), np.delete(mask, 3, 0)]
    bread, x = np.linalg.inv(X.T @ X), np.r_[1, mask[3]]
    terms = ((np.delete(response, 3) - without.fitted) / (1 - np.diag(X @ bread @ X.T))) ** 2
    assert errors[4, 0] == pytest.approx(np.sqrt(terms.mean() + (x @ bread @ X.T) ** 2 @ terms))  # row 3 less its prediction


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


def test_a_vanishing_penalty_is_none_where_two_words_go_together():
    rng = np.random.default_rng(3)
    mask = np.repeat(choose(4, 16), 2, axis=1)[:, :6]  # each word twice
    response = mask @ np.r_[0.4, 0, 0.1, 0, 0, 0] + 1e-12 * rng.normal(size=16)
    assert np.isfinite(fit(mask, response, np.full(16, 1e-3), kind="bayesian").weights).all()


def test_one_degree_of_freedom_has_no_interval():
    """The residuals of 9 edits of 7 words are one number, and permuted it is sometimes next to nothing."""
    mask = choose(7, 16)
    response = 1 - 0.5 * mask[:, 0] + 0.05 * np.random.default_rng(0).normal(size=16)
    assert np.isnan(fit(mask[:9], response[:9]).ci_low).all()
    assert np.ptp([fit(mask[:10], response[:10]).ci_low, fit(mask[:10], response[:10]).ci_high]) < 5
