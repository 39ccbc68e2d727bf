"""Answers of a language model as a subject: which words of a prompt made an answer, said and kept like any explanation."""

import json
import zipfile
from io import BytesIO

import numpy as np
import pytest
from answering import DeafModel, RuleModel, WritingModel

from smile import AnswerExplanation, InputError, explain_answer, explain_answer_stream, load
from smile.explanation import load_edits

PROMPT = "You see one red car near the river.\nThis is a rainy place.\nWhat is the color and the weather?"
SHORT = "A red car. What color?"
TWICE = "A red thing, the red car, stands here."


@pytest.fixture(scope="module")
def explained():
    return explain_answer(PROMPT, RuleModel(0.02))


def name_words(explanation):
    return {word for word, leads in zip(explanation.words, explanation.leading, strict=True) if leads}


def test_the_words_that_made_the_answer_are_found(explained):
    e = explained
    assert isinstance(e, AnswerExplanation) and not e.provisional and e.answer == "The car is red. It is wet outside."
    assert e.words == PROMPT.split() and e.settings["distance"] == "likelihood" and e.was_cut_off is False
    strongest = {e.words[j] for j in np.argsort(-np.abs(e.weights))[:4]}
    assert strongest == {"red", "car", "rainy", "weather?"}
    assert strongest <= name_words(e) and len(name_words(e)) <= 6
    assert not e.significant.any() and "No word has a star" in e.finding
    assert e.finding.startswith("“") and "made this answer" in e.finding


def test_a_word_acts_on_its_own_segment(explained):
    e = explained
    assert e.segments == ["The car is red.", "It is wet outside."] and e.maps.shape == (20, 2) == e.places.shape
    first, second = np.abs(e.maps).T
    assert {e.words[j] for j in np.argsort(-first)[:2]} == {"red", "car"}
    assert {e.words[j] for j in np.argsort(-second)[:2]} <= {"rainy", "weather?", "red", "car"}
    assert not e.places[~e.leading].any()


def test_line_breaks_of_the_prompt_are_kept():
    model = RuleModel()
    explain_answer(PROMPT, model)
    assert all(" \n" not in text and "\n " not in text for _, texts in model.asked for text in texts)
    assert any("\nThis" in text for _, texts in model.asked for text in texts[1:])


def test_a_model_that_only_writes_is_explained_by_its_answers():
    e = explain_answer(PROMPT, WritingModel())
    assert e.settings["distance"] == "cosine" and e.log_probs is None and e.trace is None
    assert {e.words[j] for j in np.argsort(-np.abs(e.weights))[:4]} == {"red", "car", "rainy", "weather?"}
    assert e.maps.shape == (20, 2) and abs(e.maps[3, 1]) < 0.1 < e.maps[3, 0]


def test_a_model_that_ignores_its_prompt_names_no_word():
    e = explain_answer(SHORT, DeafModel(), edits=16, seed=3)
    assert not e.leading.any() and "made this answer" not in e.finding


def test_the_published_procedure_runs():
    e = explain_answer(PROMPT, RuleModel(0.02), preset="paper")
    assert (e.settings["distance"], e.settings["similarity"], e.settings["design"]) == ("wasserstein", "minmax", "random")
    assert e.log_probs is None and len(e.texts) == 30


def test_what_is_said_twice_is_told_from_what_does_nothing():
    e = explain_answer(TWICE, RuleModel(0.01), edits=64)
    reds = [j for j, word in enumerate(e.words) if word == "red"]
    assert (np.abs(e.alone[reds]) < 0.05).all() and (e.weights[reds] > 0.1).all()
    assert e.alone[e.words.index("car,")] > 0.5
    assert e.leading[reds].all() and "more than once" in e.finding


def test_the_stream_ends_with_what_explain_returns():
    *some, last = explain_answer_stream(SHORT, RuleModel(0.02))
    assert all(each.provisional for each in some) and some[0].answers == [last.answer]
    assert last.to_json().split('"seconds"')[0] == explain_answer(SHORT, RuleModel(0.02)).to_json().split('"seconds"')[0]


def test_long_prompts_are_explained_by_sentences_and_then_by_the_words_of_one():
    long = "The red car stands. " + " ".join(f"Nothing of note happens in scene {i}." for i in range(9)) + " What color?"
    e = explain_answer(long, RuleModel(0.01))
    assert len(e.words) == 11 and e.words[np.argmax(e.weights)] == "The red car stands."
    inner = explain_answer(long, RuleModel(0.01), within=0)
    assert inner.words == ["The", "red", "car", "stands."] and {inner.words[j] for j in np.argsort(-inner.weights)[:2]} == {
        "red",
        "car",
    }


@pytest.mark.parametrize("model", [RuleModel(0.02), WritingModel()])
def test_a_saved_explanation_is_the_same_when_it_is_opened(model, tmp_path):
    e = explain_answer(PROMPT, model)
    e.write(tmp_path / "e.zip")
    e.save(tmp_path / "folder")
    for source in (tmp_path / "e.zip", tmp_path / "folder"):
        opened = load(source)
        assert opened.to_json() == e.to_json() and opened.finding == e.finding
    with pytest.raises(InputError, match="Ask a model"):
        load_edits(tmp_path / "e.zip")


def change(explanation, change):
    """The zip of the explanation with one thing changed."""
    values = json.loads(explanation.to_json())
    change(values)
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("explanation.json", json.dumps(values))
    return data


CHANGES = {
    "a log-probability": lambda v: v["log_probs"][3].__setitem__(0, v["log_probs"][3][0] - 0.01),
    "one of the trace": lambda v: v["trace_log_probs"][1][2].__setitem__(0, v["trace_log_probs"][1][2][0] - 0.5),
    "one left out alone": lambda v: v["alone_outcomes"][0].__setitem__(1, -3.0),
    "a positive one": lambda v: v["log_probs"][3].__setitem__(0, 0.5),
    "a weight": lambda v: v["weights"].__setitem__(0, 0.9),
    "a star": lambda v: v["p_values_holm"].__setitem__(0, 0.001),
    "a segment": lambda v: v["segment_p_values"][0].__setitem__(0, 0.0001),
    "the answer": lambda v: v["answers"].__setitem__(0, "The car is blue. It is wet outside."),
    "a token": lambda v: v["tokens"][0].__setitem__(0, "That"),
    "a text": lambda v: v["texts"].__setitem__(1, "nothing"),
    "a missing field": lambda v: v.pop("log_probs"),
    "one field too many": lambda v: v.__setitem__("more", 1),
    "no scores": lambda v: v.__setitem__("log_probs", None),
    "the prompt": lambda v: v.__setitem__("instruction", v["instruction"].replace("red", "blue")),
    "an edge": lambda v: v["trace"].append({"source": 0}),
    "the distance": lambda v: v["settings"].__setitem__("distance", "cosine"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_bundle_that_was_changed_is_refused(explained, what):
    with pytest.raises(InputError):
        load(change(explained, CHANGES[what]))
    assert load(change(explained, lambda values: None)).weights.shape == (20,)


class Broken(RuleModel):
    """Returns what no language model should."""

    def __init__(self, written=None, scored=None):
        super().__init__()
        self.written, self.scored = written, scored

    def write(self, prompts, *, seed):
        return super().write(prompts, seed=seed) if self.written is None else self.written

    def score(self, prompts, answer, *, given=None):
        return super().score(prompts, answer, given=given) if self.scored is None else self.scored


REFUSED = {
    "nothing": ("", RuleModel()),
    "no text": (3, RuleModel()),
    "punctuation": ("?! …", RuleModel()),
    "a thousand words": ("word " * 1000, RuleModel()),
    "a bell": ("ring\x07 it", RuleModel()),
    "no answer": (SHORT, RuleModel(fail=[SHORT])),
    "an empty answer": (SHORT, Broken([" "])),
    "no list": (SHORT, Broken("text")),
    "numbers": (SHORT, Broken([3])),
    "NaN": (SHORT, Broken(scored=np.full((1, 5), np.nan))),
    "above 0": (SHORT, Broken(scored=np.ones((1, 5)))),
    "one row too many": (SHORT, Broken(scored=np.zeros((2, 5)))),
    "no model": (SHORT, object()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_sentence(case):
    prompt, model = REFUSED[case]
    with pytest.raises(InputError) as error:
        explain_answer(prompt, model)
    assert str(error.value).count(". ") == 0 and str(error.value).endswith(".")


def test_prompts_without_an_answer_are_left_out():
    texts = explain_answer(SHORT, WritingModel()).texts
    e = explain_answer(SHORT, WritingModel(fail=texts[3:5]))
    assert e.failed == 2 and np.isnan(e.distances[3:5]).all() and np.isfinite(e.weights).all()


def test_several_seeds_are_blocks():
    e = explain_answer(SHORT, RuleModel(0.02), seeds=2)
    assert e.blocks.max() == 1 and len(e.tokens) == 2 and np.isnan(e.alone).all() and "2 seeds" in e.finding
    assert load(change(e, lambda values: None)).to_json() == e.to_json()
