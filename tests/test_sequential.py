"""Looking more than once: the levels against published ones and simulation, and the designs one may stop in."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm
from tiny import DeafEditor, FakeEditor, FakeEmbedder, picture

from smile import InputError, explain, explain_stream, load
from smile.method.design import choose, default_edits, in_blocks
from smile.method.group_sequential import levels, made, planned, repeated_p_values, undecided
from smile.method.surrogate import fit, holm


def test_levels_are_those_of_lan_and_demets():
    """Two-sided, .05, Pocock-type spending at five equal looks: the bounds that R's ldbounds and gsDesign print."""
    assert norm.isf(levels([1, 2, 3, 4, 5], 5) / 2) == pytest.approx([2.4380, 2.4268, 2.4102, 2.3966, 2.3860], abs=1e-3)
    assert levels([16], 16) == pytest.approx([0.05])


@pytest.mark.parametrize("looks", [[16, 32], [16, 32, 48, 64], [16, 20, 60, 64], [8, 128]])
def test_brownian_motion_crosses_as_often_as_is_spent(looks):
    rng, time = np.random.default_rng(0), np.array(looks) / looks[-1]
    motion = np.cumsum(rng.normal(size=(200_000, len(looks))) * np.sqrt(np.diff(time, prepend=0)), axis=1)
    p_values = 2 * norm.sf(np.abs(motion) / np.sqrt(time))
    assert (p_values <= levels(looks, looks[-1])).any(axis=1).mean() == pytest.approx(0.05, abs=0.002)
    some = p_values[:4000]
    repeated = repeated_p_values(some.T, looks, looks[-1])
    assert ((repeated <= 0.05) == (some <= levels(looks, looks[-1])).any(axis=1)).all()
    assert (repeated <= 0.2).mean() == pytest.approx(0.2, abs=0.02)


def test_stopping_early_leaves_level_unspent():
    assert levels([16, 32], 64) == pytest.approx(levels([16, 32, 48, 64], 64)[:2])
    assert repeated_p_values([[0.5, 0.001]], [16], 16) == pytest.approx([0.5, 0.001])
    early = repeated_p_values([[0.01]], [16], 64)[0]
    assert early > 0.01 and repeated_p_values([[0.01], [0.9]], [16, 32], 64)[0] == pytest.approx(early, rel=1e-3)


def test_looks():
    assert planned(16, 64) == [16, 32, 48, 64] and planned(16, 40) == [16, 32, 40] and planned(16, 16) == [16]
    assert made([16, 32, 64], 40) == [16, 32, 40] and made([16, 32, 64], 64) == [16, 32, 64] and made([16], 5) == [5]


def test_a_word_is_decided_by_its_p_value_or_its_interval():
    open_ = undecided([0.01, 0.5, 0.5, 0.5, np.nan], [0.2, -0.05, -0.2, np.nan, 0], [0.4, 0.05, 0.05, np.nan, 0], 0.1)
    assert open_.tolist() == [False, False, True, True, False]
    assert not undecided([1.0, 1.0], [0.3, -0.3], [0.3, -0.3], 0.1).any()  # exact, so that nothing is open


@pytest.mark.parametrize("k", [1, 3, 5, 6, 7, 9, 12, 20, 33, 64])
def test_every_block_is_balanced_and_free_of_interactions_by_itself(k):
    first = default_edits(k)
    mask = in_blocks(k, 4 * first, seed=3)
    assert len(mask) == len(np.unique(mask, axis=0)) == min(4 * first, 2**k)
    assert (mask[:first] == choose(k, first, seed=3)).all() and mask[0].all()
    assert (in_blocks(k, 2 * first, seed=3) == mask[: 2 * first]).all()  # a larger budget only adds
    for start in range(0, len(mask), first):
        block = 2 * mask[start : start + first].astype(int) - 1
        assert (block.sum(axis=0) == 0).all()
        alike = np.abs(block.T @ block - len(block) * np.eye(k)).max() / len(block)
        assert alike <= (0.5 if 6 <= k <= 8 and start else 0)  # there, so many rows are taken that no array is left
        for a, b in combinations(range(k), 2):
            assert not (block.T @ (block[:, a] * block[:, b])).any()


def test_a_budget_that_is_no_whole_block():
    mask = in_blocks(7, 40, seed=0)
    assert mask.shape == (40, 7) and (mask.mean(axis=0) == 0.5).all()
    assert len(in_blocks(5, 27)) == 27
    with pytest.raises(InputError, match="at least 24"):
        in_blocks(7, 12)


def test_peeking_costs_no_calibration_with_permutation_tests():
    """An editor that ignores its text: over four looks some word is called significant in 5 % of the runs."""
    k, budget, runs, rng = 5, 32, 300, np.random.default_rng(1)
    mask, looks, wrong, naive = in_blocks(k, budget), planned(16, budget), [], []
    for run in range(runs):
        response = rng.normal(size=budget)
        p_values = [fit(mask[:look], response[:look], permutations=199, seed=run).p_values for look in looks]
        wrong.append(repeated_p_values(p_values, looks, budget) <= 0.05)
        naive.append((np.array(p_values) <= 0.05).any(axis=0))
        assert (holm(repeated_p_values(p_values, looks, budget)) <= 0.05).any() <= wrong[-1].any()
    assert 0.03 < np.mean(wrong) < 0.07 and np.mean(naive) > np.mean(wrong) + 0.015


TEXT = "please make it snow at night in this"
OPTIONS = {"embedder": FakeEmbedder(), "locality": "none"}


def test_a_run_ends_as_soon_as_every_word_is_decided(tmp_path):
    editor = FakeEditor()
    steps = list(explain_stream(picture((64, 64)), TEXT, editor, smallest_effect=0.1, **OPTIONS))
    *earlier, last = steps
    assert last.settings["looks"] == [24, 48, 72, 96] and last.settings["edits"] == 96
    assert len(last.texts) < 96 and len(last.texts) in last.settings["looks"] and not last.undecided.any()
    assert sum(len(texts) for _, texts in editor.calls) == last.done == last.total
    assert all(e.provisional and e.total == 100 for e in earlier) and not last.provisional and last.maps is not None
    looked = [e for e in earlier if e.done in (28, 52, 76)]
    assert all(e.undecided.any() for e in looked)
    assert "of at most 96 edits were enough: each word is significant, or surely below 0.1." in last.finding
    last.write(tmp_path / "it.zip")
    assert load(tmp_path / "it.zip").to_json() == last.to_json()
    first = explain(picture((64, 64)), TEXT, FakeEditor(), **OPTIONS)  # the first block is the usual design
    assert (first.mask == last.mask[:24]).all() and first.texts == last.texts[:24]


def test_a_run_that_cannot_be_sure_makes_all_edits_and_says_of_what():
    class Rough(FakeEditor):
        """Edits that differ as if each had a seed of its own."""

        def one(self, image, text, seed):
            return super().one(image, text, sum(map(ord, text)))

    found = explain(picture((64, 64)), TEXT, Rough(), smallest_effect=0.001, edits=60, **OPTIONS)
    assert found.settings["looks"] == [24, 48, 60] and len(found.texts) == 60 and found.undecided.sum() > 1
    words = [f"“{word}”" for word, still in zip(found.words, found.undecided, strict=True) if still]
    assert f"it is open whether {', '.join(words[:-1])} and {words[-1]} have 0.001 or more." in found.finding


def test_an_editor_that_ignores_its_text_is_decided_at_once():
    found = explain(picture((64, 64)), "make it snow at night", DeafEditor(), smallest_effect=0.1, **OPTIONS)
    assert len(found.texts) == 16 and found.untested and not found.significant.any() and not found.undecided.any()


@pytest.mark.parametrize("text", ["snow", "make it snow"])
def test_of_all_combinations_nothing_is_open(text):
    found = explain(picture((64, 64)), text, FakeEditor(), smallest_effect=0.2, **OPTIONS)
    assert found.weights[-1] > 0.9 and found.significant[-1] and not found.undecided.any()
    assert "of which all combinations" in found.finding and "open whether" not in found.finding


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"smallest_effect": 0}, "above 0 and at most 1"),
        ({"smallest_effect": float("nan")}, "above 0 and at most 1"),
        ({"smallest_effect": "0.1"}, "above 0 and at most 1"),
        ({"smallest_effect": True}, "above 0 and at most 1"),
        ({"smallest_effect": 0.1, "seeds": 2}, "one seed"),
        ({"smallest_effect": 0.1, "design": "random"}, "balanced design"),
        ({"smallest_effect": 0.1, "preset": "paper"}, "balanced design"),
        ({"smallest_effect": 0.1, "edits": 12}, "ask for at least 24"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(InputError, match=match):
        explain(picture((64, 64)), TEXT, FakeEditor(), **OPTIONS | options)
