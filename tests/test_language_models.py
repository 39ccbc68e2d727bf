"""What is expected of a language model, and what is said of one that does not keep to it."""

import copy
import pickle

import numpy as np
import pytest

from smile import InputError
from smile.models.protocols import (
    Answer,
    check_prompts,
    describe_language_model,
    score_checked,
    split_checked,
    write_checked,
)


class Fake:
    name, settings = "fake", {"temperature": 0.0, "odd": (1, 2)}

    def __init__(self, said):
        self.said = said

    def write(self, prompts, *, seed):
        return self.said

    def score(self, prompts, answer, *, given=None):
        return self.said

    def split(self, answer):
        return self.said


def test_an_answer_is_a_text_that_knows_more():
    answer = Answer("It is red.", (4, 5), ended=False)
    for each in (answer, pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)):
        assert each == "It is red." and (each.ids, each.ended) == ((4, 5), False)
    assert (Answer("red").ids, Answer("red").ended) == ((), True) and type(answer[:2]) is str


def test_answers_as_the_protocol_says_pass():
    answers = [Answer("red", (1,)), None, ""]
    assert write_checked(Fake(answers), ["a", "b", ""], 0) == answers
    assert write_checked(Fake(answers), ["a", "b", ""], 0)[0].ids == (1,)


@pytest.mark.parametrize(
    "said, message",
    [
        (None, "a list with one answer for each prompt: 2, not a NoneType"),
        ("ab", "2, not a str"),
        (["one"], "2, not 1"),
        (["one", 2], "not int"),
        (["one", b"two"], "not bytes"),
        (["one", "\ud800"], "half a character"),
    ],
)
def test_answers_of_another_kind_are_refused(said, message):
    with pytest.raises(InputError, match=message):
        write_checked(Fake(said), ["a", "b"], 0)


def test_scores_as_the_protocol_says_pass():
    scores = score_checked(Fake([[-1.0, 1e-7], [-2.0, -3.0]]), ["a", "b"], "red", [None, "It is"])
    assert scores.dtype == np.float64 and scores.tolist() == [[-1.0, 0.0], [-2.0, -3.0]]
    assert score_checked(Fake(np.full((2, 1), -1, np.float32)), ["a", "b"], "red").dtype == np.float64


@pytest.mark.parametrize(
    "said, message",
    [
        (None, r"must be \(N, t\) with N = 2"),
        ([-1.0, -2.0], r"not \(2,\)"),
        ([[-1.0]], r"not \(1, 1\)"),
        ([[], []], "t > 0"),
        ([[-1.0], [-1.0, -2.0]], "as many tokens in each row"),
        ([[-1.0], [float("nan")]], "finite"),
        ([[-1.0], [-np.inf]], "finite"),
        ([[-1.0], [None]], "finite"),
        ([["a"], ["b"]], "finite"),
        ([[-1.0], [0.5]], "never above 0"),
    ],
)
def test_scores_of_another_kind_are_refused(said, message):
    with pytest.raises(InputError, match=message):
        score_checked(Fake(said), ["a", "b"], "red")


@pytest.mark.parametrize("said", [None, "red", [], ["r", None], ["r", "e"], ["red", "."]])
def test_tokens_that_are_not_the_answer_are_refused(said):
    with pytest.raises(InputError, match="language model"):
        split_checked(Fake(said), "red")
    assert split_checked(Fake(["r", "ed", ""]), "red") == ["r", "ed", ""]


@pytest.mark.parametrize("prompt, message", [(None, "not a NoneType"), (7, "not a int"), ("a \udfff", "half a character")])
def test_prompts_that_are_no_text_are_refused(prompt, message):
    with pytest.raises(InputError, match=message):
        check_prompts(Fake([]), ["fine", prompt])
    check_prompts(Fake([]), ["fine", ""])


def test_the_model_says_what_it_cannot_read():
    class Short(Fake):
        def check(self, prompts):
            raise InputError("“far” would be lost")

    with pytest.raises(InputError, match="“far” would be lost"):
        check_prompts(Short([]), ["how far"])


def test_a_model_is_described_in_plain_values():
    said = describe_language_model(Fake([]))
    assert said == {
        "language_model": "fake",
        "language_model_settings": {"temperature": 0.0, "odd": "(1, 2)"},
        "language_model_template": {},
    }
