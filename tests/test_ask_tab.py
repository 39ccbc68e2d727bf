"""The tab “Ask a model” and its endpoint, on a model by rule: handlers are called as Gradio calls them."""

import html
from types import SimpleNamespace

import gradio as gr
import pytest
from answering import RuleModel
from tiny import FakeEditor, FakeEmbedder, picture

from smile import InputError, explain, explain_answer
from smile.report.answer_html import render_answer_page
from smile.ui import language_engine
from smile.ui.api import Api
from smile.ui.language_engine import LanguageEngine, Question
from smile.ui.tabs.ask import AskTab

SHORT = "A red car. What color?"


class OnThePage(RuleModel):
    """A model that calls itself like one of the page's."""

    name = "toyroad"


@pytest.fixture(scope="module")
def engine():
    return LanguageEngine(lambda name, device=None: OnThePage(0.02))


@pytest.fixture(scope="module")
def tab(engine):
    tab = AskTab(engine)
    with gr.Blocks():
        tab.build()
        tab.connect(gr.DownloadButton())
    return tab


def values(tab, **changes):
    form = {"prompt": SHORT, "model": "toyroad", "max_tokens": 40, "temperature": 0, "rows": 0, "seed": 0}
    form |= {"units": "Words", "segments": "Sentences"} | changes
    return {getattr(tab, name): value for name, value in form.items()}


def test_a_run_ends_with_the_finding_drawn(tab):
    *some, last = tab.explain(values(tab))
    assert last[tab.view]["finding"] and last[tab.view]["answer"] == "The car is red." and "Done" in last[tab.progress]
    assert (
        some[-1][tab.shown].to_json().split('"seconds"')[0]
        == explain_answer(SHORT, OnThePage(0.02)).to_json().split('"seconds"')[0]
    )
    drawn = [step[tab.view] for step in some if tab.view in step]
    assert drawn[0]["notice"] == {} and drawn[0]["value"]["note"].startswith("provisional")  # it is no old answer
    stopped = tab.stop(some[0][tab.shown])
    assert stopped[tab.view]["note"].startswith("stopped")


@pytest.mark.parametrize(
    "bad",
    [
        {"prompt": " "},
        {"prompt": "word " * 70},
        {"model": "x"},
        {"max_tokens": 9999},
        {"temperature": -1},
        {"rows": 1000},
        {"seed": -1},
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_asked(tab, bad):
    *_, last = tab.explain(values(tab, **bad))
    assert tab.view not in last and "class=" in last[tab.progress] and last[tab.button]["interactive"]


def test_what_if_asks_for_exactly_these_words_and_stays_apart(tab):
    e = explain_answer(SHORT, OnThePage(0.02))
    changes = tab.try_words(e, [], 40, 0, SimpleNamespace(mask=[True, False, True, True, True]))
    assert changes[tab.tried] == [{"mask": [True, False, True, True, True], "answer": "I do not know the colour."}]
    for mask in (None, [True], ["x"] * 5, {"a": 1}):
        assert tab.tried not in tab.try_words(e, [], 40, 0, SimpleNamespace(mask=mask))


def test_a_bundle_is_opened_and_another_one_refused(tab, tmp_path):
    e = explain_answer(SHORT, OnThePage(0.02))
    e.write(tmp_path / "e.zip")
    changes = tab.open_bundle(str(tmp_path / "e.zip"))
    assert changes[tab.prompt] == SHORT and changes[tab.view]["source"]
    (tmp_path / "f.zip").write_bytes(b"no zip")
    assert tab.view not in tab.open_bundle(str(tmp_path / "f.zip"))
    written = [path for path, _ in tab.downloads.write("zip", e)]
    assert written[0].endswith(".zip")


def test_what_was_opened_is_checked_against_the_model_on_request(tab, tmp_path):
    explain_answer(SHORT, OnThePage(0.02)).write(tmp_path / "e.zip")
    changes = tab.open_bundle(str(tmp_path / "e.zip"))
    shown = changes[tab.shown]
    assert changes[tab.check_button]["visible"] and shown.unchecked in html.unescape(changes[tab.progress])
    assert changes[tab.view]["source"] == "from a file" and changes[tab.view]["unchecked"] == shown.unchecked
    checked = tab.check(shown)
    assert "toyroad (none) measures the same" in checked[tab.progress] and not checked[tab.check_button]["visible"]
    assert "how likely" not in shown.unchecked and checked[tab.view]["unchecked"] == shown.unchecked
    shown = tab.open_bundle(str(tmp_path / "e.zip"))[tab.shown]
    shown.log_probs[2][0] -= 0.5
    checked = tab.check(shown)
    assert "and wrong: 1 of" in checked[tab.progress] and checked[tab.view]["finding"].startswith(
        "Checked against the model, and wrong"
    )
    assert "and wrong" in render_answer_page(shown) and "from a file" in render_answer_page(shown)


def test_a_check_of_what_is_not_here_or_too_much_is_one_sentence(tab, tmp_path, monkeypatch):
    e = explain_answer(SHORT, RuleModel(0.02))
    e.write(tmp_path / "e.zip")
    changes = tab.open_bundle(str(tmp_path / "e.zip"))  # of “rules”, which is no model of this page
    assert not changes[tab.check_button]["visible"] and "not on this page" in tab.check(changes[tab.shown])[tab.progress]
    explain_answer(SHORT, OnThePage(0.02)).write(tmp_path / "e.zip")
    monkeypatch.setattr(language_engine, "MAX_CHECKED", 10)
    assert "would keep others waiting" in tab.check(tab.open_bundle(str(tmp_path / "e.zip"))[tab.shown])[tab.progress]


def test_an_answer_to_something_else_is_marked_as_the_old_one(tab):
    first, *_, last = tab.explain(values(tab))
    assert tab.answered in first or tab.answered in last
    asked = first[tab.answered]
    state = {tab.answered: asked, tab.refused: None}
    assert tab.compare_inputs(values(tab) | state)["notice"] == {}
    for other in ({"prompt": "A blue car."}, {"max_tokens": 5}, {"temperature": 0.5}, {"seed": 3}, {"units": "Sentences"}):
        assert tab.compare_inputs(values(tab, **other) | state)["notice"]["kind"] == "stale"
    *_, refused = tab.explain(values(tab, prompt=" "))
    state[tab.refused] = refused[tab.refused]
    notice = tab.compare_inputs(values(tab, prompt=" ") | state)["notice"]
    assert notice["kind"] == "refused" and "empty" in notice["text"]
    accepted = tab.accept(values(tab) | {tab.answered: None})
    assert accepted[tab.answered] == asked and accepted[tab.view]["notice"] == {}


def test_the_endpoint_returns_the_numbers(engine):
    api = Api(None, engine)
    *_, last = api.ask(SHORT, options={"noise_seeds": 0, "segments": "words"})
    assert last["provisional"] is False and last["answers"][0] == "The car is red." and len(last["maps"][0]) == 4
    for bad in ({"prompt": ""}, {"prompt": SHORT, "options": [1]}, {"prompt": SHORT, "options": {"unknown": 1}}):
        with pytest.raises(gr.Error):
            list(api.ask(**bad))


def test_questions_are_checked_before_a_model_is_loaded():
    loaded = []
    engine = LanguageEngine(lambda name, device=None: loaded.append(name))
    for question in (
        Question(""),
        Question(SHORT, "nobody"),
        Question(SHORT, units="letters"),
        Question(SHORT, options={"seeds": 99}),
    ):
        with pytest.raises(InputError):
            next(engine.explain(question))
    assert not loaded


def test_the_next_finished_run_stands_beside_the_pinned_one(tab):
    *some, last = tab.explain(values(tab))
    pin, first = tab.pin, some[-1][tab.shown]
    assert pin.pin(None, first)[pin.pinned] is first and pin.show(None, first) == gr.skip()
    *others, _ = tab.explain(values(tab, seed=3, prompt="A green car. What color?"))
    assert pin.show(first, others[0][tab.shown]) == {pin.view: None}  # it is not finished
    drawn = pin.show(first, others[-1][tab.shown])[pin.view]
    assert drawn["said"][:2] == [
        "Not the same: the words; seed 0, now 3.",
        "The answers are not the same: each weight is about its own run's answer.",
    ]
    assert [each.get("answer") for each in drawn["editors"]] == ["The car is red.", "The car is green.", None]
    assert "Only in the new run: “green”." in drawn["said"]
    framed = [w for w, is_framed in zip(drawn["words"], drawn["editors"][0]["significant"], strict=True) if is_framed]
    assert framed == ["red", "car."]
    gone = pin.pin(first, first)
    assert gone[pin.pinned] is None and gone[tab.view] == gr.update(pin={"on": False})


def test_only_what_leaves_out_the_same_things_is_compared():
    e = explain_answer(SHORT, OnThePage(0.02))
    assert [each.word for each in e.compare(e)] == SHORT.split() and not any(each.differs for each in e.compare(e))
    for other in (
        explain_answer(SHORT, OnThePage(0.02), units="sentences"),
        explain(picture(), "snow", FakeEditor(), embedder=FakeEmbedder()),
    ):
        with pytest.raises(InputError, match="leave out different things"):
            e.compare(other)
