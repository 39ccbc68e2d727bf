"""The re-implementation of the published procedure against what its authors printed, and the benchmarks' shortcut to ours
against `smile.explain`."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks import published
from benchmarks.combinations import Combinations
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain

ORACLES = Path(__file__).parent / "oracles"
RUN = json.loads((ORACLES / "snowy_published_run.json").read_text())
KEEP, WORDS = np.array(RUN["keep"], bool), RUN["words"]


def labelled():
    return json.loads((ORACLES / "i2ebench_relevant_words.json").read_text())["instructions"]


def test_surrogate_gives_the_published_coefficients():
    weights, fitted = published.fit(KEEP, np.array(RUN["response"]), np.array(RUN["locality_weight"]))
    np.testing.assert_allclose(weights, RUN["published"]["coefficients"], atol=5e-4)
    assert np.average((RUN["response"] - fitted) ** 2, weights=RUN["locality_weight"]) == pytest.approx(
        RUN["published"]["WMSE"], abs=5e-5
    )


def test_locality_is_the_published_one_of_letters():
    """The published weights follow from counting letters: not from words, and not from letters with "a"."""
    texts = [" ".join(word for word, on in zip(WORDS, row, strict=True) if on) for row in KEEP]
    theirs = np.sqrt(-0.125 * np.log(RUN["locality_weight"]))
    ours = [published.letter_distance(" ".join(WORDS), text) for text in texts]
    assert np.corrcoef(theirs, ours)[0, 1] > 0.999
    assert np.corrcoef(theirs, 1 - KEEP.mean(axis=1))[0, 1] < 0.9
    weights = published.locality_weights(texts, " ".join(WORDS))
    assert weights[KEEP.all(axis=1)] == 1
    assert np.abs(weights - RUN["locality_weight"]).max() < 0.12


def test_rows_are_unique_until_all_are_used():
    rng = np.random.default_rng(0)
    mask = published.rows(5, 62, rng)
    assert len(np.unique(mask[:31], axis=0)) == len(np.unique(mask[31:], axis=0)) == 31
    assert mask.any(axis=1).all()
    assert len(np.unique(published.rows(8, 128, rng), axis=0)) == 128


def test_texts_lose_order_and_repeats_and_gain_fillers():
    rng = np.random.default_rng(0)
    words = "make the car in the rain blue".split()
    texts = {published.text(words, np.ones(7, bool), rng) for _ in range(50)}
    assert len(texts) > 40
    assert {tuple(sorted(text.split())) for text in texts} == {tuple(sorted(set(words)))}
    none = Counter(len(published.text(words, np.zeros(7, bool), rng).split()) for _ in range(200))
    assert none[2] > none[1] and none[0] == 0
    assert published.text(["snow"], np.ones(1, bool), rng) == "snow"


@pytest.mark.parametrize("entry", labelled(), ids=lambda entry: entry["instruction"][:20])
def test_texts_are_words_of_the_instruction(entry):
    words, rng = entry["instruction"].split(), np.random.default_rng(0)
    for row in published.rows(len(words), 30, rng):
        found = published.text(words, row, rng).split()
        assert {word for word, on in zip(words, row, strict=True) if on} <= set(found) <= set(words)


def test_similarities_are_stretched():
    distances = np.array([1.0, 2.0, 5.0])
    np.testing.assert_allclose(published.similarity(distances), [1, 0.75, 0])
    np.testing.assert_allclose(published.similarity(distances, "distance"), [0, 0.25, 1])
    np.testing.assert_allclose(published.similarity(distances, "1 / distance"), [1, 0.375, 0], atol=1e-6)
    np.testing.assert_allclose(published.similarity(np.ones(3)), 1)


def test_best_surrogate_is_the_one_that_fits_its_own_data_best():
    rng = np.random.default_rng(0)
    mask, noise, weight = published.rows(5, 20, rng), rng.random(20), np.ones(20)
    kind, weights = published.best(mask, noise, weight)
    errors = {name: ((noise - published.fit(mask, noise, weight, name)[1]) ** 2).sum() for name in published.SURROGATES}
    assert errors[kind] == min(errors.values()) and kind in ("forest", "boosting")
    assert weights.shape == (5,)


def test_bootstrap_rejects_far_too_often():
    rng = np.random.default_rng(0)
    drawn = [published.bootstrap_p_value(*rng.normal(size=(2, 64)), rng, resamples=99) for _ in range(300)]
    assert 0.15 < np.mean(np.array(drawn) <= 0.05) < 0.35


class FakeBank:
    """What `Combinations` wants of a bank, on NumPy."""

    embedder = FakeEmbedder()

    def embedded(self, case, asked):
        return self.embedder.embed([FakeEditor().edit(case.picture, [text], seed=seed)[0] for text, seed in asked])


@pytest.mark.parametrize(
    "options",
    [{}, {"distance": "wasserstein", "locality": "none"}, {"distance": "cosine", "sigma": 0.5, "surrogate": "ridge"}],
)
@pytest.mark.parametrize("reference", ["edit", "input"])
def test_combinations_find_what_explain_finds(options, reference):
    words, options = "please make it snow at night".split(), {"locality": "words", "reference": reference} | options
    found = Combinations(FakeBank(), SimpleNamespace(picture=picture(), words=words), 3)
    whole = explain(
        picture(), " ".join(words), FakeEditor(), embedder=FakeEmbedder(), edits=16, seed=3, noise_seeds=0, **options
    )
    np.testing.assert_allclose(found.weights(found.design(16, 3), **options), whole.weights, atol=1e-9)
