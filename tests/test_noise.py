"""The noise floor and the p-value of one edit."""

import numpy as np
import pytest

from smile.method.noise_floor import edit_p_values, floor


def test_p_values_count_the_edit_itself():
    assert edit_p_values([0, 2, 2.5, 9], [1, 2, 3, 4]).tolist() == [1, 0.8, 0.6, 0.2]


def test_floor_is_the_mean_and_failed_edits_are_left_out():
    assert floor([1, 3, np.nan]) == 2
    assert floor([]) is None
    assert edit_p_values([2, np.nan], [1, 3, np.nan]) == pytest.approx([2 / 3, np.nan], nan_ok=True)
    assert edit_p_values([5], []).tolist() == [1]


def test_p_values_are_calibrated():
    rng = np.random.default_rng(0)
    found = np.array([edit_p_values(draws[:1], draws[1:])[0] for draws in rng.normal(size=(20_000, 20))])
    assert abs((found <= 0.05).mean() - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 20_000)
