"""The trust report: sentences that fit their figures, labels from where they come, and no edit paid for twice."""

import json
import pickle
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import DeafEditor, FakeEditor, FakeEmbedder, picture

from smile import InputError, explain
from smile.evaluation import metrics, relevance, report_card
from smile.evaluation.evaluate import PARTS, count_further_edits, measure_trust
from smile.report.trust_html import render_trust
from smile.toyroad.grammar import label_words

TEXT = "please make it snow at night"
ORACLE = json.loads((Path(__file__).parent / "oracles/i2ebench_relevant_words.json").read_text())["instructions"]


def explained(editor, text=TEXT, **options):
    return explain(picture(), text, editor, **{"embedder": FakeEmbedder(), "noise_seeds": 2} | options)


def measured(explanation, editor, **options):
    return list(measure_trust(explanation, editor, embedder=FakeEmbedder(), **options))


# What is known without another edit


def test_the_published_labels_are_known_by_exact_text():
    for each in ORACLE:
        words = each["instruction"].split()
        found = relevance.find_labels(words)
        named = [word.strip(".") for word, matters in zip(words, found.relevant, strict=True) if matters]
        assert named == each["relevant_words"] and "I2EBench" in found.source


def test_toy_roads_grammar_knows_its_own_instructions():
    assert label_words(TEXT.split()) == [False, False, False, True, False, True]
    assert label_words("remove the tree".split()) == [True, False, True]
    found = relevance.find_labels("Make it SNOWY!".split(), label_words)
    assert found.relevant == [False, False, True] and "Toy Road" in found.source
    assert label_words(["car", "red"] * 9) is None  # too many for the grammar
    assert relevance.find_labels("sharpen the cat".split(), label_words) is None


def test_labels_are_given_as_words_or_positions():
    words = "add 3 red cars, red!".split()
    assert relevance.parse_labels("red", words).relevant == [False, False, True, False, True]
    assert relevance.parse_labels(" cars , 1", words).relevant == [True, False, False, True, False]
    assert relevance.parse_labels("3", words).relevant == [False, True, False, False, False]  # a word before a position
    assert not any(relevance.parse_labels("", words).relevant)
    for wrong in ("blue", "0", "6", "red; cars"):
        with pytest.raises(InputError, match="neither a word"):
            relevance.parse_labels(wrong, words)


def test_what_is_known_says_what_its_figures_say():
    e = explained(FakeEditor())
    fidelity, accuracy, health, noise = report_card.report_explanation(e, label_words(e.words))
    assert fidelity.figures[0].value == e.fidelity["R2_weighted_leave_one_out"]
    assert f"{100 * fidelity.figures[0].value:.0f} %" in fidelity.detail and fidelity.holds
    assert accuracy.figures[0].value == 1 and "100 %" in accuracy.detail
    assert health.numbers == metrics.design_health(e) and "every word is told apart" in health.detail
    assert noise.figures[0].text == "yes" and noise.holds and noise.figures[2].value == np.max(e.noise_distances)
    assert noise.figures[1].value == pytest.approx(np.nanmax(e.distances_from_full) / np.mean(e.noise_distances))
    assert [entry.name for entry in report_card.report_explanation(e)] == ["fidelity", "design health", "noise floor"]
    for entry in report_card.report_explanation(e, [True] * 6):
        assert entry.good and entry.source and json.dumps(entry.to_dict(), allow_nan=False)
        assert all(text.endswith(".") and text.count(". ") == 0 for text in (entry.sentence, entry.detail))


TERMS = (
    r"\d|%|R²|AUROC|Jaccard|Ruzicka|correlat|signific|p-value|seed|sampl|random|fidelity|weight|distance|estima|median|mean "
)


def test_every_entry_begins_with_a_sentence_for_everybody():
    for editor in (FakeEditor(), DeafEditor(), NoisyEditor(0)):
        for text in ("snow", "make it snow", TEXT):
            e = explained(editor, text)
            known = report_card.report_explanation(e, [True, *[False] * (len(e.words) - 1)])
            for entry in [*known, *measured(e, editor)[-1].entries.values()]:
                assert not re.search(TERMS, entry.sentence), entry.sentence
                assert entry.sentence.endswith(".") and entry.detail.endswith(".")


def test_noise_is_not_called_a_good_fit():
    e = explained(FakeEditor())
    for left_out, holds, says in ((-0.3, False, "explain nothing"), (0.4, False, "40 %"), (-np.inf, None, "nobody can tell")):
        found = report_card.report_fidelity(replace(e, fidelity=e.fidelity | {"R2_weighted_leave_one_out": left_out}))
        assert found.figures[0].holds is found.holds is holds and says in found.detail
        assert json.dumps(found.to_dict(), allow_nan=False)


def test_noise_is_marked_as_such_by_the_finding_s_own_definition():
    """The farthest edit moved farther than other seeds on average, and not farther than each: no star, no mark."""
    e = explained(FakeEditor())
    farthest = np.nanmax(e.distances_from_full)
    for noise, moved in (((0.5, 1.0), False), ((0.2, 1.2), False), ((0.5, 0.9), True), ((0.0, 0.0), True)):
        changed = replace(e, noise_distances=farthest * np.array(noise), noise_floor=farthest * np.mean(noise))
        *_, entry = report_card.report_explanation(changed)
        assert entry.figures[0].holds is changed.beyond_noise is moved is bool(changed.significant.any())
        assert ("No edit moved farther" in entry.detail) is ("more than chance does" in changed.finding) is not moved
    unseen = replace(e, maps=e.maps / 100)
    *_, entry = report_card.report_explanation(unseen)
    assert not entry.figures[0].holds and "too little to be seen" in entry.sentence
    assert "that one can see" in unseen.finding and not unseen.significant.any()


def test_every_state_of_an_explanation_has_a_report():
    from smile import explain_stream

    options = {"embedder": FakeEmbedder(), "noise_seeds": 1, "locality": "none"}
    for e in explain_stream(picture(), "make it snow", FakeEditor(fail=["snow"]), **options):
        report = {entry.name: entry for entry in report_card.report_explanation(e, [False, False, True])}
        assert ("accuracy" in report) == bool(np.isfinite(e.weights).all())
        assert json.dumps([entry.to_dict() for entry in report.values()], allow_nan=False)
    assert "1 failed or were blocked" in report["design health"].detail
    alike = report_card.report_explanation(explained(DeafEditor(), "make it snow", noise_seeds=0))
    assert "nothing to foretell" in alike[0].sentence and "too little to be seen" in alike[-1].sentence
    unknown = report_card.report_explanation(explained(FakeEditor(), "make it snow", noise_seeds=0))
    assert "not known how far" in unknown[-1].detail and unknown[-1].holds is None


def test_the_markup_escapes_what_somebody_typed():
    e = explained(FakeEditor(), "<img/src=x> snow & night", noise_seeds=0)
    entries = [*report_card.report_explanation(e, [False, True, False, True]), *measured(e, FakeEditor())[-1].entries.values()]
    markup = render_trust(entries)
    assert "<img" not in markup and markup.count("<article>") == len(entries) == 7
    assert markup.count("<svg") == 2 and "✓ good" in markup and render_trust([]) == ""
    for entry, article in zip(entries, markup.split("<article>")[1:], strict=True):
        first, folded = article.split("<details>")
        assert f">{entry.name}<" in first and "<dl>" not in first and entry.sentence[:20] in first  # a click away:
        assert f'<summary>Figures and source<span class="unseen"> of {entry.name}</span></summary>' in folded
        assert "<dl>" in folded and "Good:" in folded and "<svg" not in first and folded.count("</details>") == 1
    failure = render_trust([report_card.report_failure("stability", "There is nothing.")])
    assert "could not be measured" in failure and "<details>" not in failure and "mark" not in failure


# Marks


class NoisyEditor(FakeEditor):
    """Another picture for every text and every seed, by chance."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def one(self, image, text, seed):
        rng = np.random.default_rng((self.number, zlib.crc32(text.encode()), seed))
        cells = rng.normal(0, 30, (4, 4, 3)).repeat(12, axis=0).repeat(12, axis=1)
        return Image.fromarray((np.asarray(image, float) + cells).clip(0, 255).astype(np.uint8))


class PairEditor(FakeEditor):
    """Reddens the picture where "remove" and "house" are both there."""

    def one(self, image, text, seed):
        pair = {"remove", "house"} <= set(text.split())
        return super().one(image, "snow" if pair else "", seed)


def test_noise_gets_no_good_mark():
    """Marks of what an explanation says, in 20 of noise; whether its design is healthy is another matter."""
    good = dict.fromkeys(("fidelity", "accuracy", "noise floor", "faithfulness"), 0)
    for number in range(20):
        editor = NoisyEditor(number)
        e = explained(editor, "make it snow now", permutations=199)
        entries = report_card.report_explanation(e, np.arange(4) == number % 4)
        entries += measured(e, editor, parts=("faithfulness",))[-1].entries.values()
        for entry in entries:
            marks = [figure.holds for figure in entry.figures]
            good[entry.name] = good.get(entry.name, 0) + (True in marks)
            assert entry.holds is not True or entry.name == "design health" or e.significant.any()
    assert good.pop("design health") == 20 and max(good.values()) <= 2


def test_noise_is_neither_stable_nor_consistent():
    for number, text in enumerate(("make it snow now", "make it snow", "make it snow now please")):
        editor = NoisyEditor(number)
        entries = measured(explained(editor, text, permutations=199), editor, parts=("stability", "consistency"))[-1].entries
        assert not any(figure.holds for entry in entries.values() for figure in entry.figures)


@pytest.mark.parametrize(
    ("text", "editor"),
    [
        ("make it snow", FakeEditor()),
        ("snow at night", FakeEditor()),
        ("make it snow now", FakeEditor()),
        ("remove the house", PairEditor()),
        ("please remove the house now", PairEditor()),
        (TEXT, FakeEditor()),
    ],
)
def test_a_right_explanation_is_good_however_short(text, editor):
    e = explained(editor, text)
    entries = report_card.report_explanation(e, [word in ("snow", "night", "remove", "house") for word in e.words])
    entries += measured(e, editor)[-1].entries.values()
    marks = {entry.name: entry.holds for entry in entries}
    single = marks.pop("fidelity")  # two words that act only together are not foretold one by one
    assert single is not False or isinstance(editor, PairEditor)
    assert marks == dict.fromkeys(marks, True) and len(marks) == 6, {entry.name: entry.detail for entry in entries}


def test_a_wrong_explanation_of_few_words_is_not_faithful():
    e = explained(FakeEditor(), "make it snow now")
    wrong = replace(e, weights=-e.weights)
    entry = measured(wrong, FakeEditor(), parts=("faithfulness",))[-1].entries["faithfulness"]
    assert entry.holds is False and "no sooner" in entry.sentence


def test_95_in_100_is_said_only_of_orders_that_are_enough():
    for text, words in (("snow", 1), ("make snow", 2), ("make it snow", 3), (TEXT, 6)):
        e = explained(FakeEditor(), text)
        entry = measured(e, FakeEditor(), parts=("faithfulness",))[-1].entries["faithfulness"]
        count = entry.numbers["orders"]
        assert count == {1: 0, 2: 1, 3: 5, 6: 47}[words] and entry.numbers["better_than_random"] <= count / (count + 1)
        assert entry.holds is (None if words == 1 else True)


def test_without_a_star_nothing_is_beyond_noise_for_sure():
    e = explained(FakeEditor())
    hardly = replace(e, p_values_holm=np.ones(6))
    assert hardly.beyond_noise and report_card.report_explanation(hardly)[-1].holds is None


# What needs further edits


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seeds": 2, "seed": 7},
        {"preset": "paper", "edits": 12},
        {"reference": "input", "locality": "none"},
        {"text": "make it snow", "locality": "words", "sigma": 0.7},
        {"text": "snow"},
        {"smallest_effect": 0.3},
        {"smallest_effect": 0.02, "text": "make it snow at"},
        {"smallest_effect": 0.001, "edits": 40, "text": "please make snow now then"},
        {"text": "please make it snow at night in this picture"},
    ],
)
def test_no_text_is_edited_twice_under_a_seed(options):
    editor = FakeEditor()
    e = explained(editor, **options)
    expected = count_further_edits(e)
    steps = measured(e, editor)
    asked = [(seed, text) for seed, texts in editor.calls for text in texts]
    assert len(asked) == len(set(asked)) == e.done + expected
    assert [steps[0].done, steps[-1].done] == [0, expected] and {step.total for step in steps} == {expected}
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert list(steps[-1].entries) == list(PARTS)
    assert json.dumps([entry.to_dict() for entry in steps[-1].entries.values()], allow_nan=False)


def test_a_known_editor_is_stable_consistent_and_faithful():
    editor = FakeEditor()
    entries = measured(explained(editor), editor)[-1].entries
    stability, consistency, faithfulness = (entries[part].numbers for part in PARTS)
    assert stability["jaccard"] == 1 and stability["ruzicka"] > 0.9 and len(stability["insertions"]) == 6
    texts = [each["instruction"] for each in stability["insertions"]]
    assert texts[0] == f"### {TEXT}" and texts[2] == f"{TEXT} ###"
    assert texts[3] == f"kindly {TEXT}"  # "please" is there already
    assert consistency["seeds"]["explanations"] == 4 and consistency["designs"]["explanations"] == 2
    assert consistency["seeds"]["top_1_frequency"] == 1 and consistency["seeds"]["mean_standard_deviation"] < 0.05
    assert faithfulness["better_than_random"] >= faithfulness["attainable"] > 0.9 and faithfulness["area_between"] > 0.2
    order = np.argsort(-explained(FakeEditor()).weights)
    assert {TEXT.split()[i] for i in order[:2]} == {"snow", "night"}
    curve = faithfulness["deletion_curve"]
    assert curve[0] == pytest.approx(1) and curve[2] == pytest.approx(curve[-1], abs=0.05)  # both gone, all gone


def test_an_editor_that_ignores_its_text_is_faithful_to_nothing():
    editor = DeafEditor()
    entries = measured(explained(editor), editor)[-1].entries
    assert entries["faithfulness"].numbers["area_between"] == pytest.approx(0, abs=1e-6)
    assert "no order can be judged" in entries["faithfulness"].sentence and entries["faithfulness"].holds is None
    assert "no word has a star" in entries["stability"].detail and entries["stability"].holds is None


def test_measuring_again_gives_the_same_bits():
    e = explained(FakeEditor())
    first, second = (measured(e, FakeEditor())[-1] for _ in range(2))
    assert first == second


def test_a_step_can_come_from_another_process():
    editor = FakeEditor()
    step = measured(explained(editor, "make snow"), editor)[-1]
    assert pickle.loads(pickle.dumps(step)) == step


def test_stopping_keeps_what_was_measured_so_far():
    editor = FakeEditor()
    going = measure_trust(explained(editor), editor, embedder=FakeEmbedder())
    step = next(step for step in going if step.entries and len(step.entries["stability"].numbers["insertions"]) == 2)
    going.close()
    assert "2 times" in step.entries["stability"].detail and step.done < step.total


def test_some_parts_only_and_in_their_order():
    editor = FakeEditor()
    e = explained(editor)
    assert list(measured(e, editor, parts=("faithfulness", "stability"))[-1].entries) == ["stability", "faithfulness"]
    assert count_further_edits(e, ("faithfulness",)) < count_further_edits(e)


def test_blocked_edits_are_lived_with():
    editor = FakeEditor(fail=["", "### make it snow", "make ### it snow", "please make it snow"])
    entries = measured(explained(editor, "make it snow"), editor)[-1].entries
    assert len(entries["stability"].numbers["insertions"]) == 3
    assert np.isfinite(entries["faithfulness"].numbers["deletion_curve"]).all()
    editor.fail |= {f"make it snow {word}" for word in ("###", "please")} | {"make please it snow"}
    blocked = measured(explained(editor, "make it snow"), editor, parts=("stability",))[-1].entries["stability"]
    assert (
        blocked.figures == ()
        and blocked.detail == ""
        and "could not be measured: The edit of the full instruction" in blocked.sentence
    )


def test_what_cannot_be_measured_is_one_sentence_before_the_first_edit():
    from smile import explain_stream

    editor = FakeEditor()
    early = next(explain_stream(picture(), TEXT, editor, embedder=FakeEmbedder()))
    e, calls = explained(editor), len(editor.calls)
    other = FakeEditor()
    other.name = "another"
    for explanation, by, parts, says in (
        (early, editor, PARTS, "no weights yet"),
        (e, other, PARTS, "made with the editor fake; measuring with another"),
        (e, editor, ("honesty",), "nothing called “honesty”"),
        (e, editor, (), "to measure"),
    ):
        with pytest.raises(InputError, match=says):
            measured(explanation, by, parts=parts)
    assert len(editor.calls) == calls and not other.calls
