"""Fidelity reproduces the authors' printed run; left out is what a refit without the row predicts."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score

from smile.method.design import choose
from smile.method.fidelity import fidelity
from smile.method.kernel import effective_sample_size
from smile.method.surrogate import fit

RUN = json.loads((Path(__file__).parent / "oracles/snowy_published_run.json").read_text())
ARRAYS = np.array(RUN["keep"], bool), np.array(RUN["response"]), np.array(RUN["locality_weight"])


@pytest.mark.parametrize("key", [key for key in RUN["published"] if key != "coefficients"])
def test_the_published_run_to_every_printed_digit(key):
    assert f"{fidelity(*ARRAYS)[key]:.4f}" == f"{RUN['published'][key]:.4f}"


def test_the_published_coefficients_to_every_printed_digit():
    printed = RUN["published"]["coefficients"]
    assert [f"{w:.3f}" for w in fit(*ARRAYS).weights] == [f"{w:.3f}" for w in printed]


@pytest.mark.parametrize(("kind", "model"), [("linear", LinearRegression), ("ridge", Ridge)])
def test_leave_one_out_refits_without_each_row(kind, model):
    mask, response, weight = ARRAYS
    X, left_out = mask.astype(float), np.zeros(len(mask))
    for i in range(len(mask)):
        rest = np.arange(len(mask)) != i
        left_out[i] = model().fit(X[rest], response[rest], sample_weight=weight[rest]).predict(X[i : i + 1])[0]
    expected = r2_score(response, left_out, sample_weight=weight)
    assert fidelity(*ARRAYS, kind=kind)["R2_weighted_leave_one_out"] == pytest.approx(expected)


def test_leave_one_out_sees_through_noise():
    """Seven words and ten rows of pure noise: in-sample R2 flatters, leave-one-out does not."""
    rng = np.random.default_rng(0)
    runs = [fidelity(choose(7, 10, "random", seed=s), rng.random(10), np.ones(10)) for s in range(40)]
    assert np.median([run["R2_weighted"] for run in runs]) > 0.7
    assert np.median([run["R2_weighted_leave_one_out"] for run in runs]) < 0


def test_effective_sample_size_is_kishs():
    assert fidelity(*ARRAYS)["effective_sample_size"] == effective_sample_size(ARRAYS[2])


def test_blocks_are_not_counted_as_skill():
    rng = np.random.default_rng(0)
    mask, block = np.tile(choose(4, 16), (3, 1)), np.repeat([0, 1, 2], 16)
    noise = rng.normal(size=48)
    found = fidelity(mask, noise + 100 * block, np.ones(48), blocks=block)
    assert found["R2_weighted"] == pytest.approx(fidelity(mask, noise, np.ones(48), blocks=block)["R2_weighted"])
    assert found["R2_weighted"] < 0.4
    adjusted = 1 - (1 - found["R2_weighted"]) * (48 - 3) / (48 - 4 - 3)
    assert found["R2_weighted_adjusted"] == pytest.approx(adjusted)
    assert fidelity(mask[:32], noise[:32], np.ones(32), blocks=block[:32])["R2_weighted_adjusted"] == pytest.approx(
        1 - (1 - fidelity(mask[:32], noise[:32], np.ones(32), blocks=block[:32])["R2_weighted"]) * 30 / (30 - 4)
    )


def test_degenerate_runs_are_none_not_nan():
    constant = fidelity(choose(4, 16), np.full(16, 0.1), np.ones(16))
    assert constant["R2_weighted"] is constant["R2_weighted_leave_one_out"] is None and constant["WMSE"] < 1e-20
    short = fidelity([[1], [0]], [1.0, 0.0], [1, 1])
    assert short["R2_weighted"] == pytest.approx(1) and short["R2_weighted_adjusted"] is None
    for found in (constant, short, fidelity(choose(7, 16)[:6], np.arange(6.0), np.ones(6))):
        assert json.dumps(found, allow_nan=False)
