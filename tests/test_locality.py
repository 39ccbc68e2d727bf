"""Text distances and the kernel over them."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, cosine

from smile.errors import InputError
from smile.method.kernel import auto_sigma, effective_sample_size, kernel, paper_kernel, wmd, wmd_distance, words_distance

rng = np.random.default_rng(0)


def unit(a):
    return a / np.linalg.norm(a, axis=1, keepdims=True)


def test_words_distance_is_cosine_to_all_ones():
    mask = rng.random((20, 6)) < 0.5
    mask[0], mask[1] = True, False
    found = words_distance(mask)
    assert found[0] == 0 and found[1] == 1
    assert found[2:] == pytest.approx([cosine(row, np.ones(6)) for row in mask[2:].astype(float)])


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (4, 4), (3, 7), (6, 4), (9, 10)])
def test_wmd_is_exact_transport(n, m):
    """Oracle: split every token into equal crumbs, as many on both sides; then transport is an assignment."""
    a, b = rng.normal(size=(n, 5)), rng.normal(size=(m, 5))
    crumbs = np.lcm(n, m)
    cost = cdist(np.repeat(unit(a), crumbs // n, axis=0), np.repeat(unit(b), crumbs // m, axis=0))
    assert wmd(a, b) == pytest.approx(cost[linear_sum_assignment(cost)].mean(), abs=1e-9)
    assert wmd(b, 3 * a) == pytest.approx(wmd(a, b), abs=1e-9)  # symmetric, and lengths do not matter


def test_wmd_does_not_see_order_and_counts_repeats():
    a = rng.normal(size=(5, 4))
    assert wmd(a, a[::-1]) == pytest.approx(0, abs=1e-9)
    assert wmd(a[:1], np.vstack([a[:1], a[:1], a[1:2]])) == pytest.approx(np.linalg.norm(np.subtract(*unit(a)[:2])) / 3)


def test_wmd_distance_gives_an_empty_text_the_largest():
    full = rng.normal(size=(4, 6))
    texts = [full, full[:2], np.zeros((0, 6)), full[:1], full[:2].copy()]
    found = wmd_distance(texts, full)
    assert found[0] == 0 and found[1] == found[4] == pytest.approx(wmd(full[:2], full))
    assert found[2] == found.max() == max(found[1], found[3])
    assert wmd_distance([full, np.zeros((0, 6))], full).tolist() == [0, 1]


def test_kernel_and_the_published_one():
    t = np.array([0, 0.25, 1])
    assert kernel(t, 0.25) == pytest.approx([1, np.exp(-1), np.exp(-16)])
    assert paper_kernel(t) == pytest.approx(np.sqrt(np.exp(-(t**2) / 0.25**2)))


def test_effective_sample_size():
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size([1, 0, 0]) == 1 and effective_sample_size([0, 0]) == 0


@pytest.mark.parametrize("seed", range(5))
def test_auto_sigma_is_the_smallest_width_with_nine_tenths_of_the_rows(seed):
    t = np.random.default_rng(seed).random(16) + 0.2
    t[0] = 0
    sigma = auto_sigma(t)
    assert effective_sample_size(kernel(t, sigma)) >= 14.4
    assert effective_sample_size(kernel(t, sigma * 0.999)) < 14.4


def test_auto_sigma_of_degenerate_distances():
    assert auto_sigma(np.zeros(4)) == 1
    assert kernel(0.7, auto_sigma(np.array([0, 0.7]))) == pytest.approx(0.5)  # two rows: the second must keep a say
    assert auto_sigma(np.array([0.0])) == 1
    assert np.isfinite(auto_sigma(np.array([0, 1e-9, 1, 1, 1])))


@pytest.mark.parametrize("call", [
    lambda: kernel([0, 1], 0), lambda: kernel([0, 1], np.nan), lambda: auto_sigma([]), lambda: auto_sigma([0, np.nan]),
    lambda: wmd(np.zeros((0, 3)), np.ones((2, 3))), lambda: wmd(np.ones((2, 4)), np.ones((2, 3))),
    lambda: words_distance(np.ones(3)),
])  # fmt: skip
def test_bad_input(call):
    with pytest.raises(InputError):
        call()
