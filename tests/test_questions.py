"""Questions about described road scenes: what words say and ask, and which of them matter."""

import numpy as np
import pytest

from smile.toyroad.questions import KINDS, UNKNOWN, Prompt, draw_clean_prompt, draw_prompt, read_words


def answer(text):
    return "\n".join(read_words(text.split()).answer_all())


@pytest.mark.parametrize(
    "text, said",
    [
        ("There is a red car here. What colour is the car?", "The car is red."),
        ("There is a red here. What colour is the car?", UNKNOWN),
        ("A red bus, a blue car. Which color is the car?", "The car is blue."),
        ("We can feel the rain. How is the weather?", "It is raining."),
        ("Anna drives the bus. Who drives the bus?", "Anna drives the bus."),
        ("Anna drives the bus. What does Anna drive?", "Anna drives the bus."),
        ("Anna the bus. What does Anna drive?", UNKNOWN),
        ("The bench stands by the tree. Where is the bench?", "The bench stands by the tree."),
        ("The bench stands by the tree. What stands by the tree?", "The bench stands by the tree."),
        ("Ben drives the van. A red van. What does Ben drive? And what colour is it?", "Ben drives the van.\nIt is red."),
        ("drives the van. A red van. What does Ben drive? And what colour is it?", f"{UNKNOWN}\n{UNKNOWN}"),
        ("It is night now. It is foggy. What time is it? How is the weather?", "It is night.\nIt is foggy."),
        ("A red car. A blue car. What colour is the car?", "The car is red."),
        ("", UNKNOWN),
        ("### 日本 …", UNKNOWN),
    ],
)
def test_what_words_say(text, said):
    assert answer(text) == said


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_of_each_kind(kind):
    rng = np.random.default_rng(3)
    for _ in range(3):
        prompt = draw_clean_prompt(rng, kind)
        assert prompt.kind == kind and 8 <= len(prompt.words) <= 60 and answer(prompt.text) == prompt.answer
        labels = prompt.label_parts()
        assert labels.shape == (len(prompt.parts), len(prompt.words)) and labels.any(axis=1).all()
        assert set(np.flatnonzero(prompt.label_words())) == prompt.essential
        assert len(prompt.parts) == (2 if kind in ("two", "chained") else 1)
        assert bool(prompt.twice) == (kind == "twice") and bool(prompt.edges) == (kind == "chained")
        everything = range(len(prompt.words))
        for i in set(everything) - prompt.essential:  # a word that does not matter
            assert "\n".join(prompt.read([j for j in everything if j != i]).answer_all()) == prompt.answer


def test_what_is_said_twice_may_be_left_out_once():
    prompt = draw_clean_prompt(np.random.default_rng(4), "twice")
    everything = set(range(len(prompt.words)))
    first, second = prompt.twice
    for statement in (first, second):
        assert prompt.find_part(sorted(everything - set(statement)), 0) == prompt.parts[0]
    assert prompt.find_part(sorted(everything - {*first, *second}), 0) == UNKNOWN


def test_a_part_follows_from_the_part_before_it():
    text = "Ben drives the van. There is a red van here. What does Ben drive? And what colour is it?"
    prompt = Prompt(text, "chained", ("Ben drives the van.", "It is red."), frozenset())
    everything = list(range(len(prompt.words)))
    assert prompt.find_part(everything, 1) == "It is red." and prompt.find_part_alone(everything) == UNKNOWN
    without = everything[3:]  # the first fact: what is given as the first part still says what it is
    assert prompt.find_part(without, 0) == UNKNOWN and prompt.find_part(without, 1) == "It is red."
    labels = prompt.label_parts()
    assert [prompt.words[i] for i in np.flatnonzero(labels[1])] == ["red", "van", "colour", "it?"]
    assert prompt.find_part(everything[:-6], 1) is None, "nobody asks for it any more"


def test_the_same_seed_draws_the_same_prompts():
    first, second = (draw_prompt(np.random.default_rng(7)) for _ in range(2))
    assert first == second and draw_prompt(np.random.default_rng(8)) != first
