"""What stands beside the weights: each word alone, the order, the smallest set that undoes the edit, phrases, held words, texts
read alike, and few words under further seeds."""

import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import InputError, explain, explain_stream, load
from smile.method import design
from smile.method.surrogate import NOISY, fit
from smile.method.units import split_instruction
from smile.report.beside import describe_alone

TEXT = "please make it snow at night"


class Red(FakeEditor):
    """Red where `rule(words)` says so."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def one(self, image, text, seed):
        return Image.new("RGB", image.size, "red" if self.rule(text.split()) else "grey")


def run(text=TEXT, editor=None, **options):
    return explain(picture(), text, editor or FakeEditor(), embedder=FakeEmbedder(), **options)


# Alone


def test_alone_is_made_on_request_and_free_where_the_design_has_it():
    editor = FakeEditor()
    asked, plain = run(editor=editor, alone=True), run()
    assert np.isfinite(asked.alone).all() and np.isnan(plain.alone).sum() >= 4
    assert np.array_equal(asked.weights, plain.weights) and np.array_equal(asked.p_values, plain.p_values)  # no rows of a test
    texts = {text for _, some in editor.calls for text in some}
    assert {" ".join(word for word in TEXT.split() if word != left_out) for left_out in TEXT.split()} <= texts
    assert np.abs(np.delete(asked.alone, [3, 5])).max() < 0.05 and (asked.alone[[3, 5]] > 0.3).all()
    assert asked.done == asked.total and len(asked.extra_edits) == len(asked.extra_mask) >= 5
    assert np.isfinite(run("make it snow now").alone).all()  # all combinations are there


def test_what_is_said_twice_and_what_works_only_with_others_is_said():
    twice = run("make snow winter please now", Red(lambda words: {"snow", "winter"} & set(words)), alone=True)
    assert np.allclose(twice.alone, 0) and twice.significant.tolist() == [0, 1, 1, 0, 0]
    assert "Leaving out “snow” or “winter” alone changes next to nothing: other words say the same." in twice.finding
    both = run("please add a red house", Red(lambda words: {"add", "house"} <= set(words)), alone=True)
    assert both.alone[[1, 4]] == pytest.approx(1) and "alone takes more than its weight: it works only with" in both.finding
    assert not describe_alone(run("please make snow now at once", Red(lambda words: "snow" in words), alone=True))


# The order


@pytest.mark.parametrize("truth", [(0.5, 0.48, 0.2, 0.0, 0.0, 0.0), (0.6, -0.3, 0.28, 0.1, 0.1, 0.0)])
def test_the_order_is_right_at_least_as_often_as_promised(truth):
    runs, wrong, first = 200, 0, 0
    for seed in range(runs):
        mask, rng = design.choose(6, 24, seed=seed), np.random.default_rng(seed)
        order = fit(mask, mask @ np.array(truth) + rng.normal(0, 0.15, 24), permutations=99, seed=seed, rank=True).order
        size = np.abs(truth)
        wrong += any(size[j] < np.delete(size, order[:place])[...].max() - 1e-12 for place, j in enumerate(order))
        first += bool(order)
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert truth[0] < 0.6 or first / runs > 0.8


def test_the_order_over_seeds_and_of_an_exact_editor():
    several = run(seeds=4)
    assert several.order[0] == 5 and several.order_finding.startswith("“night” is first")
    exact = run("please add a red house", Red(lambda words: {"add", "house"} <= set(words)))
    assert (exact.order == [] and "“house” may change places" in exact.order_finding) or "count alike" in exact.order_finding
    one = run("please snow now at once", Red(lambda words: "snow" in words))
    assert one.order[:1] == [1] and one.order_finding == "“snow” is first for sure."
    assert run("hello there dear little world", Red(lambda words: False)).order_finding == ""


# The smallest set


def test_the_smallest_set_that_undoes_the_edit_is_confirmed():
    editor = FakeEditor()
    found = run(editor=editor)
    assert found.undo == [3, 5] and "Without “snow” and “night” nothing of the edit is left." in found.finding
    assert "please make it at" in {text for _, some in editor.calls for text in some}
    assert run(undo=False).undo == [] and "nothing of the edit is left" not in run(undo=False).finding

    class Stubborn(FakeEditor):  # does it all the same where exactly these two are missing
        def one(self, image, text, seed):
            return super().one(image, TEXT if text == "please make it at" else text, seed)

    refuted = run(editor=Stubborn(), seed=1)
    assert refuted.undo == [] or not (refuted.mask == [1, 1, 1, 0, 1, 0]).all(axis=1).any()
    assert "nothing of the edit is left" not in refuted.finding


# Phrases and held words


def test_phrases_are_one_unit_and_held_words_stay():
    editor = FakeEditor()
    found = run(editor=editor, join=["at night"], hold=["please", "make"])
    assert (
        found.words == ["it", "snow", "at night"] and found.instruction == TEXT and found.settings["hold"] == ["please", "make"]
    )
    texts = {text for _, some in editor.calls for text in some}
    assert all(text.startswith("please make") and ("at" in text) == ("night" in text) for text in texts)
    assert found.settings["edits"] == 8 and "“please” and “make” were held in every edit, as asked." in found.finding
    data = BytesIO(found.encode(".zip"))
    assert load(data).to_json() == found.to_json()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"join": ["blue car"]}, "does not stand in the text"),
        ({"join": ["snow"]}, "join at least two"),
        ({"join": ["snow at", "at night"]}, "joined or held twice"),
        ({"hold": [TEXT]}, "Every word is held"),
        ({"hold": [" "]}, "does not stand"),
        ({"hold": "snow"}, "list of phrases"),
        ({"join": [(2, 3)]}, "list of phrases"),
        ({"alone": 1}, "alone must be True or False"),
    ],
)
def test_what_cannot_be_joined_or_held(options, match):
    editor = FakeEditor()
    with pytest.raises(InputError, match=match):
        run(editor=editor, **options)
    assert not editor.calls


def test_a_phrase_counts_wherever_it_stands():
    units = split_instruction("the red car and the red car", ["red car"], ["the"])
    assert units.names == ["red car", "and", "red car"] and units.perturb([1, 0, 0]) == "the red car the"


# Texts that are read alike


class Caseless(FakeEditor):
    def read_text(self, text):
        return text.lower()


def test_texts_that_the_editor_reads_alike_are_one_outcome():
    text = "Snow snow SNOW"
    found, plain = run(text, Caseless()), run(text)
    assert len(set(found.outcomes.tolist())) == 4 and len(set(plain.outcomes.tolist())) == 8
    assert not found.significant.any() and found.untested and "could be tested" in found.finding
    data = BytesIO(found.encode(".zip"))
    assert np.array_equal(load(data).outcomes, found.outcomes)
    editor = Caseless()
    editor.read_text = lambda text: 1
    with pytest.raises(InputError, match="read_text must return a text, not int"):
        run(text, editor)


# Few words under further seeds


class Fresh(FakeEditor):
    """New noise for every text, against the protocol; and “snow”, where it acts."""

    def __init__(self, strength, salt):
        super().__init__()
        self.strength, self.salt = strength, salt

    def one(self, image, text, seed):
        rng = np.random.default_rng([seed, self.salt, zlib.crc32(text.encode())])
        shade = 128 + rng.normal(0, 12, 3) + self.strength * ("snow" in text.split())
        return Image.new("RGB", (16, 16), tuple(shade.clip(0, 255).astype(int).tolist()))


@pytest.mark.parametrize("text", ["snow", "snow now", "make it snow"])
def test_new_noise_for_every_text_gets_no_star_and_an_effect_does(text):
    """Of 40 editors that ignore their text, at most as many have a star as three standard errors beyond one in twenty allow."""
    nothing = [run(text, Fresh(0, salt), permutations=199).significant.any() for salt in range(40)]
    assert sum(nothing) <= 6
    acts = [run(text, Fresh(90, salt), permutations=199) for salt in range(6)]
    stars = [[e.words[j] for j in np.flatnonzero(e.significant)] for e in acts]
    assert sum(each == ["snow"] for each in stars) >= 5
    assert all("under" in e.finding and e.done == e.total for e in acts if e.significant.any())


def test_before_the_further_seeds_nobody_has_a_star():
    steps = list(explain_stream(picture(), "make it snow", FakeEditor(), embedder=FakeEmbedder()))
    assert steps[-1].significant.tolist() == [0, 0, 1] and not steps[-1].untested
    assert len(steps[-1].extra_edits) == 8 and np.array_equal(np.unique(steps[-1].extra_blocks), [1])
    unknown = run("make it snow", noise_seeds=0)
    assert "an editor that draws new noise for every text would look the same" in unknown.finding
    assert NOISY in {step.untested for step in steps}
    data = BytesIO(steps[-1].encode(".zip"))
    assert load(data).to_json() == steps[-1].to_json()
