"""Accuracy is scikit-learn's on absolute weights; what compares several explanations, or asks the black box again, agrees
with sums by hand and with brute force."""

import json
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, auc, f1_score, roc_auc_score
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain
from smile.errors import InputError
from smile.evaluation.metrics import accuracy, consistency, design_health, faithfulness, faithfulness_mask, stability
from smile.method.kernel import effective_sample_size


def test_accuracy_is_scikit_learns_on_absolute_weights():
    rng = np.random.default_rng(0)
    for _ in range(20):
        weights, relevant = rng.normal(size=9).round(1), rng.permutation([True] * 3 + [False] * 6)
        found, chosen = accuracy(weights, relevant), np.abs(weights) >= np.abs(weights).max() / 2
        assert found["auroc"] == pytest.approx(roc_auc_score(relevant, np.abs(weights)))
        assert found["f1"] == pytest.approx(f1_score(relevant, chosen))
        assert found["accuracy"] == pytest.approx(accuracy_score(relevant, chosen))


def test_the_sign_of_a_weight_does_not_matter():
    assert accuracy([-0.9, 0.1, 0.0], [True, False, False]) == {"auroc": 1.0, "f1": 1.0, "accuracy": 1.0}


def test_weights_that_differ_by_rounding_are_tied():
    assert accuracy([0.9, 0.1 + 2e-16, 0.1], [True, True, False])["auroc"] == 0.75
    assert accuracy([0.9, 0.1 + 1e-6, 0.1], [True, True, False])["auroc"] == 1.0


def test_accuracy_without_a_contrast():
    assert accuracy([0.5, 0.1], [True, True])["auroc"] is None
    assert accuracy([0.0, 0.0], [False, False]) == {"auroc": None, "f1": 1.0, "accuracy": 1.0}
    assert accuracy([0.0, 0.0], [True, False]) == {"auroc": 0.5, "f1": 0.0, "accuracy": 0.5}
    with pytest.raises(InputError, match="one label per word"):
        accuracy([1, 2], [True])


def said(text, weights, significant=()):
    """As much of an explanation as is compared."""
    words = text.split()
    return SimpleNamespace(words=words, weights=np.array(weights), significant=np.isin(words, significant))


def test_stability_by_hand():
    one = said("make it snow", [0.1, 0.0, 0.6], ["snow"])
    others = [
        said("### make it snow", [-0.3, 0.1, 0.0, 0.6], ["snow"]),
        said("make it snow ###", [0.0, 0.1, 0.4, 0.0], ["it", "snow"]),
    ]
    found = stability(one, others)
    first, second = found["insertions"]
    assert first == {
        "instruction": "### make it snow",
        "weight": 0.3,
        "jaccard": 1.0,
        "ruzicka": 1.0,
        "rank_correlation": pytest.approx(1),
    }
    assert second["jaccard"] == 1 / 2 and second["weight"] == 0
    assert second["ruzicka"] == pytest.approx((0 + 0 + 0.4) / (0.1 + 0.1 + 0.6))
    assert second["rank_correlation"] == pytest.approx(0.5)  # 1 - 6 (1 + 1 + 0) / (3 (9 - 1))
    assert [found[name] for name in ("jaccard", "ruzicka")] == pytest.approx([0.75, 0.75])


def test_stability_finds_repeated_words_where_they_were():
    one = said("a red a", [0.1, 0.5, 0.2])
    found = stability(one, [said("please a red a", [9, 0.1, 0.5, 0.2]), said("a please red a", [0.1, 9, 0.5, 0.2])])
    assert found["ruzicka"] == 1 and [each["weight"] for each in found["insertions"]] == [9, 9]


def test_stability_where_there_is_nothing_to_compare():
    nothing = stability(said("snow", [0.0]), [said("snow please", [1e-15, 0.0])])
    assert nothing["jaccard"] is nothing["ruzicka"] is nothing["rank_correlation"] is None
    assert stability(said("snow", [1.0]), [])["insertions"] == []
    for other in (said("make it rain please", [0, 0, 0, 0]), said("make please snow", [0, 0, 0])):
        with pytest.raises(InputError, match="were inserted"):
            stability(said("make it snow", [0, 0, 0]), [other])
    with pytest.raises(InputError, match="without weights"):
        stability(said("snow", [np.nan]), [said("snow please", [1, 0])])


def test_consistency_by_hand():
    runs = [said("a b c", weights) for weights in ([0.0, 0.1, -0.8], [0.1, 0.2, 0.5], [0.6, 0.1, 0.5])]
    found = consistency(runs)
    assert found["standard_deviation"] == pytest.approx([np.std([0, 0.1, 0.6], ddof=1), np.std([0.1, 0.2, 0.1], ddof=1),
                                                         np.std([-0.8, 0.5, 0.5], ddof=1)])  # fmt: skip
    assert found["mean_standard_deviation"] == pytest.approx(np.mean(found["standard_deviation"]))
    assert found["top_1"] == pytest.approx([1 / 3, 0, 2 / 3]) and found["top_1_frequency"] == pytest.approx(2 / 3)
    # Ranks: 2 3 1, 1 2 3, 3 1 2; 1 - 6 sum d^2 / 24 for each pair.
    assert found["rank_correlation"] == pytest.approx(np.mean([1 - 6 / 4, 1 - 6 / 4, 1 - 6 / 4]))
    assert consistency([said("a", [1.0]), said("a", [1.0])])["rank_correlation"] is None
    for few in (runs[:1], [runs[0], said("a b d", [0, 0, 0])]):
        with pytest.raises(InputError, match="at least two"):
            consistency(few)


def test_arithmetic_is_no_order():
    noise = [said("a b c", np.random.default_rng(seed).normal(0, 1e-14, 3)) for seed in range(3)]
    assert consistency(noise)["rank_correlation"] is None and consistency(noise)["top_1"] == [1, 0, 0]


def test_faithfulness_of_a_known_order():
    """A linear response: its own weights are the best order of all there are, the opposite ones the worst."""
    weights = np.array([0.1, -0.2, 0.6, 0.3])

    def respond(mask):
        return 0.2 + mask @ weights

    found = faithfulness(weights, respond)
    order = [2, 3, 0, 1]
    left = [[j for j in range(4) if j not in order[:step]] for step in range(5)]
    assert found["deletion_curve"] == pytest.approx([0.2 + weights[kept].sum() for kept in left])
    assert found["insertion_curve"] == pytest.approx([0.2 + weights[order[:step]].sum() for step in range(5)])
    assert found["random_deletion_curve"][::4] == pytest.approx([1.0, 0.2])
    share = np.linspace(0, 1, 5)
    areas = {name: auc(share, found[f"{name}_curve"]) for name in ("deletion", "insertion")}
    assert found["deletion"] == pytest.approx(auc(share, found["random_deletion_curve"]) - areas["deletion"])
    assert found["insertion"] == pytest.approx(areas["insertion"] - auc(share, found["random_insertion_curve"]))
    assert found["area_between"] == pytest.approx((found["deletion"] + found["insertion"]) / 2)
    assert found["orders"] == 10 and found["better_than_random"] == 1

    def gain(ranks):
        asked = np.argsort(-np.array(ranks))
        rows = np.array([np.isin(range(4), asked[:step]) for step in range(5)])
        return auc(share, respond(rows)) - auc(share, respond(~rows))

    all_of_them = {ranks: gain(ranks) for ranks in permutations(range(4))}
    assert max(all_of_them.values()) == pytest.approx(areas["insertion"] - areas["deletion"])
    assert np.mean(list(all_of_them.values())) == pytest.approx(0)
    assert faithfulness(-weights, respond)["area_between"] == pytest.approx(-found["area_between"])
    assert faithfulness(-weights, respond)["better_than_random"] == 0


def test_a_response_that_knows_no_words_is_as_good_in_any_order():
    found = faithfulness([0.3, 0.2, 0.1], lambda mask: np.full(len(mask), 0.7))
    assert found["area_between"] == 0 and found["better_than_random"] == 0.5
    assert faithfulness([0.3], lambda mask: mask[:, 0])["better_than_random"] == 0.5  # one word has one order


def test_faithfulness_asks_for_each_row_once_and_interpolates_failed_edits():
    asked = []

    def respond(mask):
        asked.append(mask)
        return np.where(mask.sum(axis=1) == 2, np.nan, mask.sum(axis=1) / 4)

    weights = [0.4, 0.3, 0.2, 0.1]
    found = faithfulness(weights, respond, pairs=3, seed=5)
    assert len(asked) == 1 and len(np.unique(asked[0], axis=0)) == len(asked[0]) <= 2 + 4 * 2 * 3
    assert (asked[0] == faithfulness_mask(weights, pairs=3, seed=5)).all() and asked[0][0].all()
    assert found["deletion_curve"] == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert found == faithfulness(weights, respond, pairs=3, seed=5)
    with pytest.raises(InputError, match="without weights"):
        faithfulness([0.1, np.nan], respond)


def test_health_counts_what_the_fit_rests_on():
    editor = FakeEditor(fail=["make it"])
    made = explain(picture(), "make it snow snow", editor, embedder=FakeEmbedder(), locality="words")
    found = design_health(made)
    usable = np.isfinite(made.distances)
    assert found["edits"] == 15 and found["failed"] == 1
    assert found["texts"] == len({text for text, on in zip(made.texts, usable, strict=True) if on}) < 15
    assert found["effective_sample_size"] == effective_sample_size(made.locality_weights[usable])
    assert found["estimable"] == [True] * 4
    assert found["times_noise"] == pytest.approx(np.nanmax(made.distances_from_full) / np.mean(made.noise_distances))
    without = explain(picture(), "make it snow", FakeEditor(), embedder=FakeEmbedder(), locality="none", noise_seeds=0)
    assert design_health(without)["times_noise"] is None
    assert json.dumps(design_health(without), allow_nan=False)
