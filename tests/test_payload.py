"""What the browser is given: plain JSON values, formatted by Python."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain, explain_stream
from smile.report.payload import Pictures, comparison_payload, explanation_payload


def run(text="make it snow at night please", fail=(), **options):
    return explain(picture(), text, FakeEditor(fail), embedder=FakeEmbedder(), **({"locality": "none"} | options))


@pytest.fixture(scope="module")
def explanation():
    return run(edits=32)


def plain(data):
    """The same after JSON; fails for NaN."""
    return json.loads(json.dumps(data, allow_nan=False))


def test_a_value_has_the_numbers_of_the_explanation(explanation):
    shown = plain(explanation_payload(explanation))
    assert shown["weights"] == explanation.weights.tolist() and shown["low"] == explanation.ci_low.tolist()
    assert (
        shown["significant"] == explanation.significant.tolist()
        and f"{shown['finding']} {shown['remarks']}" == f"{explanation.finding} {explanation.order_finding}"
    )
    assert [edit["mask"] for edit in shown["edits"]] == explanation.mask.tolist()
    assert [edit["distance"] for edit in shown["edits"]] == explanation.distances.tolist()
    assert [other["seed"] for other in shown["others"]] == [1, 2, 3, 4]
    for word, weights in enumerate(shown["maps"]):
        known = np.array(weights, dtype=float)
        assert np.array_equal(np.isfinite(known), explanation.places[word])
        assert np.nanmax(np.abs(known - explanation.maps[word]), initial=0) < 1e-4
    snow, please = explanation.words.index("snow"), explanation.words.index("please")
    assert shown["where"][snow] == "in the upper part (128 of 256 places)" and shown["where"][please] == ""
    assert (shown["limit"], shown["noise"], shown["ratio"]) == (1, False, 1)
    assert shown["badges"] == ["run here", "32 edits", "seed 0"] and not shown["planned"]
    assert [edit["response"] for edit in shown["edits"]] == explanation.responses.tolist()
    assert shown["note"] == "" and not shown["running"] and shown["reference"] == "full edit"


def test_what_is_within_noise_is_marked_as_such():
    class Trembling(FakeEditor):
        """Another seed moves the picture farther than any word does."""

        def one(self, image, text, seed):
            return Image.fromarray(np.asarray(super().one(image, text, 0)) // (1 + seed))

    trembling = explain(picture(), "make it snow", Trembling(), embedder=FakeEmbedder(), locality="none")
    invisible = run("make it rain please today")
    for explanation, says in ((trembling, "more than chance does"), (invisible, "the same picture")):
        shown = plain(explanation_payload(explanation))
        assert shown["noise"] and not any(shown["significant"]) and says in shown["finding"]
        assert np.array(shown["maps"], float).shape == explanation.maps.shape and set(shown["where"]) == {""}
        assert not np.isfinite(np.array(shown["maps"], float)).any()
        assert comparison_payload({"one": explanation})["editors"][0]["noise"]


def test_what_is_not_known_yet_is_none():
    first, *_ = explain_stream(picture(), "make it snow", FakeEditor(), embedder=FakeEmbedder(), locality="none")
    shown = plain(explanation_payload(first))
    assert shown["weights"] == [None] * 3 and shown["maps"] is None and shown["running"]
    assert shown["note"] == "provisional, 1 of 12 edits"
    assert plain(explanation_payload(first, was_stopped=True))["note"] == "stopped, 1 of 12 edits"
    assert not explanation_payload(first, was_stopped=True)["running"]


def test_failed_edits_have_no_picture_and_say_so():
    shown = plain(explanation_payload(run(fail=["snow", ""], edits=64)))
    failed = [edit for edit in shown["edits"] if edit["src"] is None]
    assert len(failed) == 2 and {edit["said"] for edit in failed} == {"blocked or failed"}


def test_several_seeds_are_told_apart():
    shown = plain(explanation_payload(run("make it snow", seeds=2, seed=5)))
    assert sorted({edit["seed"] for edit in shown["edits"]}) == [5, 6]
    assert [other["seed"] for other in shown["others"]] == [7, 8, 9, 10]
    assert "seeds 5 to 6" in shown["facts"]


def test_a_picture_is_encoded_once_and_is_not_larger_than_asked(explanation, monkeypatch):
    pictures, saved = Pictures(20), []
    save = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda self, *args, **more: saved.append(self.size) or save(self, *args, **more))
    once, again = explanation_payload(explanation, pictures=pictures), explanation_payload(explanation, pictures=pictures)
    assert once["edits"] == again["edits"]
    assert len(saved) == 1 + len(explanation.edits) + len(explanation.noise_edits) and set(saved) == {(20, 20)}


def test_a_comparison_aligns_editors_by_word_and_says_what_is_missing(explanation):
    shown = plain(comparison_payload({"one": explanation, "two": "It could not be downloaded."}, source="Saved."))
    one, two = shown["editors"]
    assert shown["words"] == explanation.words and one["weights"] == explanation.weights.tolist()
    assert two == {"name": "two", "problem": "It could not be downloaded."} and shown["source"] == "Saved."
    assert plain(comparison_payload({"two": "No."}))["words"] == []
