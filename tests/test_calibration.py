"""A fast part of `tests/benchmarks/calibration.py`: what is promised, within three Monte-Carlo errors, at fixed seeds."""

import numpy as np
import pytest
from benchmarks.calibration import (
    LOCALITIES,
    RULES,
    TRUTHS,
    around_means,
    beside_three_words,
    beside_words_that_act,
    from_editor,
    of_edits,
    of_looks,
    of_pairs,
    of_published_bootstrap,
    of_seeds,
    of_words,
)

from smile.method.design import default_edits


def nightly(*values):
    """A cell of a table that takes long, of which a neighbour is tested every time."""
    return pytest.param(*values, marks=pytest.mark.nightly)


def error(share, count):
    """Three standard errors of a share over independent runs; words of one run are counted as one, which is careful."""
    return 3 * np.sqrt(share * (1 - share) / count)


@pytest.mark.parametrize("noise", ["gaussian", "t2", "lognormal", "rising", "falling"])
@pytest.mark.parametrize(("k", "edits"), [(3, 16), (7, 24), nightly(12, 24), nightly(12, 48)])
def test_words(k, edits, noise):
    runs = 400
    found = of_words(k, edits, noise, runs)
    assert abs(found["type I"] - 0.05) < 0.015 + error(0.05, runs * k) / 2
    assert found["Holm"] < 0.05 + error(0.05, runs)
    assert found["KS"] < 1.95 / np.sqrt(runs)  # 0.1 %: there are 20 of these
    for locality in LOCALITIES:
        assert 0.93 - error(0.95, runs * k) < found[f"in, {locality}"] < 0.97 + error(0.95, runs * k)


def test_infinite_variance_widens_the_intervals_and_leaves_the_p_values_exact():
    found = of_words(7, 24, "cauchy", 400)
    assert abs(found["type I"] - 0.05) < 0.015 and all(found[f"in, {locality}"] > 0.95 for locality in LOCALITIES)


@pytest.mark.parametrize(("k", "edits"), [(5, 16), (7, 24), nightly(12, 24)])
def test_noise_that_drifts_from_edit_to_edit(k, edits):
    found = of_words(k, edits, "drifting", 400)
    assert found["type I"] < 0.065 + error(0.05, 400 * k) / 2 and found["Holm"] < 0.065 + error(0.065, 400)


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("k", [5, 7])
def test_words_beside_three_that_act_together(k, truth):
    found = beside_three_words(k, default_edits(k), truth, 0.1, 100)
    assert found["Holm"] < 0.065 + error(0.065, 100)
    assert truth not in ("most", "inside") or found["stars"] > (0.9 if k > 5 or truth == "most" else 0.7)


@pytest.mark.parametrize("rule", RULES)
def test_intervals_hold_the_mean_over_the_other_words_and_are_no_wider_for_words_that_act_together(rule):
    found, alone = around_means(7, 24, rule, 0.05, 100), around_means(7, 24, "each", 0.05, 100)
    assert 0.93 - error(0.95, 700) < found["coverage"] < 0.98
    assert found["width"] < 1.1 * alone["width"]


@pytest.mark.parametrize(("reference", "seeds"), [("edit", 1), ("input", 1), nightly("edit", 4)])
def test_from_distances(reference, seeds):
    runs = 300
    found = from_editor(7, 24, "gaussian", runs, reference, seeds)
    least = 0.0 if seeds > 1 else 0.035 - error(0.05, runs * 7)  # two tests at once are careful
    assert least < found["type I"] < 0.065 + error(0.05, runs * 7)
    assert found["Holm"] < 0.05 + error(0.05, runs)


def test_words_that_act_leave_the_others_alone():
    found = beside_words_that_act(7, 24, "gaussian", 10, 400)
    assert found["type I"] < 0.065 + error(0.05, 400 * 4) and found["power"] > 0.99


@pytest.mark.parametrize("seeds", [2, nightly(4), nightly(8)])
def test_several_seeds(seeds):
    found = of_seeds(5, 16, seeds, 1.0, "gaussian", 300)
    assert abs(found["coverage"] - 0.95) < 0.02 + error(0.95, 300 * 5) / 2
    assert found["type I"] < 0.05 + error(0.05, 300 * 5)
    assert found["Holm"] < 0.05 + error(0.05, 300)


@pytest.mark.parametrize("seeds", [1, 4])
def test_pairs(seeds):
    assert of_pairs(7, 24, "gaussian", 300, seeds)["any pair"] < 0.05 + error(0.05, 300)


def test_edits_and_the_published_bootstrap():
    assert abs(of_edits(19, 10_000, seed=1)["type I"] - 0.05) < error(0.05, 10_000)
    assert 0.18 < of_published_bootstrap(768, 100)["type I"] < 0.35  # what it promises is 0.05


@pytest.mark.parametrize("size", [0, nightly(4)])
def test_until_confident(size):
    found = of_looks(7, 4, "gaussian", size, 300)
    least = 0.0 if size else 0.035 - error(0.05, 300 * 6) / 2  # beside a word that acts, pairs with it are tested, too: careful
    assert least < found["type I"] < 0.065 + error(0.05, 300 * 6) / 2
    assert found["coverage"] > 0.95 - error(0.95, 300 * 7) and found["budget"] < 1
