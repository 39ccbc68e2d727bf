"""A run beside the one that was pinned: words matched, differences with their own intervals, and what the page says of them."""

from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from asking import ask, build_edit_tab, skipped
from scipy.stats import norm
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain
from smile.method.differences import SMALLEST, compare_weights, match_words
from smile.report.pinned import pinned_payload


def run(text="make it snow at night", **options):
    return explain(picture(), text, FakeEditor(), embedder=FakeEmbedder(), **({"locality": "none"} | options))


def numbers(words, weights, half):
    weights, half = np.array(weights), np.array(half)
    return SimpleNamespace(words=words.split(), weights=weights, ci_low=weights - half, ci_high=weights + half)


@pytest.mark.parametrize(
    ("first", "second", "pairs"),
    [
        ("a b", "a b", [(0, 0), (1, 1)]),
        ("make it snow", "please make it rain", [(None, 0), (0, 1), (1, 2), (2, None), (None, 3)]),
        ("snow and snow", "snow", [(0, 0), (1, None), (2, None)]),
        ("a", "b", [(0, None), (None, 0)]),
    ],
)
def test_words_are_matched_by_text_and_order(first, second, pairs):
    assert match_words(first.split(), second.split()) == pairs


def test_a_difference_has_the_interval_of_two_independent_estimates():
    first, second = numbers("a b c", [0.1, 0.5, 0.2], [0.3, 0.03, 0.0]), numbers("a b c", [0.4, 0.1, 0.24], [0.4, 0.04, 0.0])
    a, b, c = compare_weights(first, second)
    assert (a.value, a.low, a.high) == pytest.approx((0.3, 0.3 - 0.5, 0.3 + 0.5)) and not a.differs
    assert (b.value, b.low, b.high) == pytest.approx((-0.4, -0.45, -0.35)) and b.differs
    assert c.low == c.high == pytest.approx(0.04) and SMALLEST > 0.04 and not c.differs  # sure, and too small to look at
    back = compare_weights(second, first)[1]
    assert (back.value, back.low, back.high) == pytest.approx((-b.value, -b.high, -b.low))


def test_equal_words_seldom_differ_whatever_their_number():
    rng, false = np.random.default_rng(0), 0
    for _ in range(400):
        one, two = (numbers("a b c d e f g h", rng.normal(0, 1, 8), np.full(8, norm.isf(0.025))) for _ in range(2))
        false += any(each.differs for each in compare_weights(one, two))
    assert false <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)


def test_the_page_says_what_is_not_the_same_and_which_words_differ():
    drawn = pinned_payload(run("make it snow at night"), run("please make it snow at night", seed=3))
    assert drawn["words"] == "please make it snow at night".split()
    pinned, now, difference = drawn["editors"]
    assert (pinned["name"], now["name"], difference["name"]) == ("pinned", "now", "difference")
    assert pinned["weights"][0] is difference["weights"][0] is None and now["weights"][0] is not None
    assert difference["weights"][1:] == pytest.approx(np.subtract(now["weights"][1:], pinned["weights"][1:]))
    assert drawn["said"][0] == "Not the same: the words; seed 0, now 3; number of edits 16, now 24."
    assert "Only in the new run: “please”." in drawn["said"]
    same = pinned_payload(run(), run())
    assert same["said"][0] == "The same question twice." and "Of the words in both, none differs" in same["said"][1]
    assert not any(same["editors"][2]["significant"])
    one, other = run(), run("make it snow")
    assert [each.value for each in one.compare(other)[:3]] == pytest.approx(list(other.weights - one.weights[:3]))


def test_weights_against_another_reference_are_not_subtracted():
    drawn = pinned_payload(run(), run(reference="input"))
    assert len(drawn["editors"]) == 2 and "cannot be subtracted" in drawn["said"][1]


def test_the_next_finished_run_stands_beside_the_pinned_one(picture_file):
    tab = build_edit_tab()
    pin = tab.pin

    steps = [now["shown"] for now in ask(tab.answer.explain, picture_file) if not skipped(now["shown"])]
    pinned = pin.pin(None, steps[-1])[pin.pinned]
    assert pinned is steps[-1] and skipped(pin.show(None, steps[-1]))
    again = [now["shown"] for now in ask(tab.answer.explain, picture_file, seed=5) if not skipped(now["shown"])]
    assert pin.show(pinned, again[0]) == pin.show(pinned, steps[-1]) == {pin.view: None}
    drawn = pin.show(pinned, again[-1])[pin.view]
    assert drawn["said"][0] == "Not the same: seed 0, now 5."
    gone = pin.pin(pinned, again[-1])
    assert gone[pin.pinned] is None and gone[tab.answer.view] == gr.update(pin={"on": False})
    assert "nothing to pin" in pin.pin(None, None)[tab.answer.form.progress]
