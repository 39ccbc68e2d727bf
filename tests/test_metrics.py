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
from smile.evaluation.metrics import (
    accuracy,
    consistency,
    design_health,
    faithfulness,
    faithfulness_mask,
    measure_concordance,
    measure_overlap,
    stability,
)
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
        "concordance": pytest.approx(1),
        "rank_correlation": pytest.approx(1),
    }
    assert second["jaccard"] == 1 / 2 and second["weight"] == 0
    assert second["ruzicka"] == pytest.approx((0 + 0 + 0.4) / (0.1 + 0.1 + 0.6))
    assert second["rank_correlation"] == pytest.approx(0.5)  # 1 - 6 (1 + 1 + 0) / (3 (9 - 1))
    assert [found[name] for name in ("jaccard", "ruzicka")] == pytest.approx([0.75, 0.75])
    u, v = np.array([0.1, 0.0, 0.6]), np.array([0.0, 0.1, 0.4])
    by_hand = 2 * np.mean((u - u.mean()) * (v - v.mean())) / (u.var() + v.var() + (u.mean() - v.mean()) ** 2)
    assert second["concordance"] == pytest.approx(by_hand) and found["significant"] == 3


def test_concordance_is_agreement_beyond_chance():
    """Over all pairings of two explanations' words it is 0 on average, where Ruzicka's overlap is nearly 1."""
    u, v = np.array([0.31, 0.3, 0.28, 0.33]), np.array([0.3, 0.33, 0.29, 0.3])
    pairings = [v[list(order)] for order in permutations(range(4))]
    assert np.mean([measure_concordance(u, other) for other in pairings]) == pytest.approx(0, abs=1e-12)
    assert min(measure_overlap(u, other) for other in pairings) > 0.85
    assert measure_concordance(u, u) == pytest.approx(1) and measure_concordance(u, -u) < 0
    assert measure_concordance([1.0], [1.0]) is measure_concordance([0.2, 0.2], [0.2, 0.2]) is None


def test_two_empty_sets_are_the_same_everywhere():
    assert measure_overlap([False, False], [False, False]) == measure_overlap([0.0], [0.0]) == 1
    assert (
        measure_overlap([True, False], [False, False]) == 0
        and measure_overlap([True, True, False], [False, True, True]) == 1 / 3
    )
    nothing = stability(said("a b", [0.1, 0.2]), [said("a b c", [0.1, 0.2, 0.1]), said("a b c", [0.1, 0.2, 0.1], ["b"])])
    assert nothing["jaccard"] == 1 / 2 and nothing["ruzicka"] == nothing["significant"] == 1


def test_stability_finds_repeated_words_where_they_were():
    one = said("a red a", [0.1, 0.5, 0.2])
    found = stability(one, [said("please a red a", [9, 0.1, 0.5, 0.2]), said("a please red a", [0.1, 9, 0.5, 0.2])])
    assert found["ruzicka"] == 1 and [each["weight"] for each in found["insertions"]] == [9, 9]


def test_stability_where_there_is_nothing_to_compare():
    nothing = stability(said("snow", [0.0]), [said("snow please", [1e-15, 0.0])])
    assert nothing["jaccard"] == nothing["ruzicka"] == 1 and nothing["rank_correlation"] is None
    assert stability(said("snow", [1.0]), [])["jaccard"] is None
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
    starred = [said("a b c", weights, ["a"]) for weights in ([0.4, 9, 0], [0.2, 1, 1], [0.1, 5, 0])]
    pairs = [(starred[i].weights, starred[j].weights) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert consistency(starred)["concordance"] == pytest.approx(np.mean([measure_concordance(*pair) for pair in pairs]))
    assert consistency(starred)["significant"] == 3 and consistency(runs)["significant"] == 0
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
    assert found["orders"] == 23 and found["better_than_random"] == pytest.approx(1 - found["p_value"])

    def gain(ranks):
        asked = np.argsort(-np.array(ranks))
        rows = np.array([np.isin(range(4), asked[:step]) for step in range(5)])
        return auc(share, respond(rows)) - auc(share, respond(~rows))

    all_of_them = {ranks: gain(ranks) for ranks in permutations(range(4))}
    assert max(all_of_them.values()) == pytest.approx(areas["insertion"] - areas["deletion"])
    assert np.mean(list(all_of_them.values())) == pytest.approx(0)
    assert faithfulness(-weights, respond)["area_between"] == pytest.approx(-found["area_between"])
    assert faithfulness(-weights, respond)["better_than_random"] == 0
    best = max(all_of_them.values())
    alike = sum(each > best - 0.1 * best for each in all_of_them.values())
    assert found["p_value"] == pytest.approx(alike / 24) and found["better_than_random"] >= found["attainable"] > 0


def test_a_response_that_knows_no_words_is_as_good_in_any_order():
    found = faithfulness([0.3, 0.2, 0.1], lambda mask: np.full(len(mask), 0.7))
    assert found["area_between"] == found["better_than_random"] == found["attainable"] == 0 and found["p_value"] == 1
    alone = faithfulness([0.3], lambda mask: mask[:, 0])  # one word has one order
    assert alone["orders"] == alone["attainable"] == 0 and alone["p_value"] == 1


@pytest.mark.parametrize(
    ("words", "orders", "texts"), [(1, 0, 2), (3, 5, 8), (5, 119, 32), (6, 47, 64), (9, 53, 218), (24, 47, 554)]
)
def test_orders_are_all_there_are_or_twenty_pairs_and_cheap(words, orders, texts):
    weights = np.random.default_rng(0).random(words)
    found = faithfulness(weights, lambda mask: mask @ weights / weights.sum())
    assert found["orders"] == orders and found["better_than_random"] >= min(0.95, found["attainable"])
    assert len(faithfulness_mask(weights)) <= texts
    assert found["random_deletion_curve"] == pytest.approx(1 - np.array(found["random_insertion_curve"]))  # reverses are there


def test_chance_that_a_wrong_order_seems_better_than_95_in_100_is_at_most_5_in_100():
    """Orders that know nothing of the responses, of 6 words, where four words act and two of them together; no noise, with
    which ties would only be rarer."""

    def respond(mask):
        return mask @ np.array([0.3, 0.2, 0.15, 0.0, 0.0, 0.0]) + 0.35 * mask[:, 2] * mask[:, 3]

    rng = np.random.default_rng(0)
    p_values = np.array([faithfulness(rng.random(6), respond, seed=draw)["p_value"] for draw in range(300)])
    for level in (0.05, 0.1, 0.5):
        assert (p_values <= level).mean() <= level + 2 * np.sqrt(level * (1 - level) / 300)
    right = np.arange(8.0)
    assert faithfulness(right, lambda mask: mask @ right)["p_value"] <= 0.05


def test_faithfulness_asks_for_each_row_once_and_interpolates_failed_edits():
    asked = []

    def respond(mask):
        asked.append(mask)
        return np.where(mask.sum(axis=1) == 2, np.nan, mask.sum(axis=1) / 4)

    weights = [0.4, 0.3, 0.2, 0.1]
    found = faithfulness(weights, respond, seed=5)
    assert len(asked) == 1 and len(np.unique(asked[0], axis=0)) == len(asked[0]) == 2**4
    assert (asked[0] == faithfulness_mask(weights, seed=5)).all() and asked[0][0].all()
    assert found["deletion_curve"] == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    assert found == faithfulness(weights, respond, seed=5)
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
    assert found["farthest_noise"] == np.max(made.noise_distances) >= found["noise_floor"] == np.mean(made.noise_distances)
    assert (found["moved"], found["beyond_noise"]) == (made.moved, made.beyond_noise) == (True, True)
    without = explain(picture(), "make it snow", FakeEditor(), embedder=FakeEmbedder(), locality="none", noise_seeds=0)
    assert design_health(without)["times_noise"] is design_health(without)["farthest_noise"] is None
    assert json.dumps(design_health(without), allow_nan=False)
