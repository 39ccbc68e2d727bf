"""Below the answer: what is known at once, what ticks say, and measuring that can be stopped."""

import gradio as gr
import numpy as np
import pytest
from asking import TEXT, ask, build_edit_tab, read, skipped
from tiny import FakeEditor, FakeEmbedder, fake_models, picture

from smile import explain
from smile.ui import machine, texts
from smile.ui import runs as page_runs
from smile.ui.examples import list_examples


@pytest.fixture
def trust():
    return build_edit_tab().trust


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """An explanation that the page's NumPy editor made."""
    file = tmp_path_factory.mktemp("road") / "road.png"
    picture().save(file)
    *_, last = (now["shown"] for now in ask(build_edit_tab().answer.explain, str(file)) if not skipped(now["shown"]))
    return last


def show(trust, *states):
    return read(trust.show, trust.show(*states))


def steps(trust, shown, ticked=("3", "5"), measured=None):
    return [read(trust.measure, step) for step in trust.measure(shown, list(ticked), measured)]


def test_what_is_known_is_there_at_once_and_known_words_are_ticked(trust, shown):
    now = show(trust, shown, [], None)
    assert now["report"].count("<article>") == 4 and "leave-one-out" in now["report"].split("</dt>")[0]
    assert now["relevant"]["value"] == ["3", "5"] and [word for word, _ in now["relevant"]["choices"]] == TEXT.split()
    assert "Toy Road" in now["relevant"]["info"] and "further edits" in now["status"]
    assert now["measure_button"]["interactive"] and now["measured"] == {"words": TEXT.split(), "entries": {}}


def test_an_example_has_a_report_too_and_nothing_shown_has_none(trust):
    for example in list_examples():
        now = show(trust, (example.name, next(iter(example.explanations()))), [], None)
        assert now["report"].count("<article>") >= 3 and now["measure_button"]["interactive"]
    gone = show(trust, None, ["1"], {"words": ["a"], "entries": {}})
    assert gone == {"column": gr.update(visible=False), "measured": None}


def test_ticks_stay_while_a_run_of_the_same_words_goes_on(trust, shown):
    before = {"words": TEXT.split(), "entries": {}}
    assert "relevant" not in show(trust, shown, ["1"], before)
    assert "relevant" in show(trust, shown, ["1"], {"words": ["other"], "entries": {}})


def test_ticks_make_accuracy(trust, shown):
    rows = [trust.tick(shown, ticked, None) for ticked in ([], ["3", "5"], ["0"], ["99", "<b>"])]
    assert ["AUROC" in each for each in rows] == [False, True, True, True]
    assert "in 100\u00a0% of the pairs" in rows[1] and "✓ good" in rows[1].split("<dt>AUROC")[1].split("<dt>F1")[0]
    assert "below" in rows[2].split("<dt>AUROC")[1].split("<dt>F1")[0] and "<b>–</b>" in rows[3]
    assert skipped(trust.tick(None, ["1"], None))


def test_measuring_shows_how_far_it_is_and_ends_with_everything(trust, shown):
    made = steps(trust, shown)
    total = made[-1]["status"].split("Done: ")[1].split(" further")[0]
    assert any(f"of {total} further edits" in now["status"] for now in made)
    assert made[-1]["report"].count("<article>") == 7 and "<svg" in made[-1]["report"]
    assert made[-1]["measure_button"]["interactive"] and not made[-1]["stop_button"]["interactive"]
    begun = read(trust.begin, trust.begin())
    assert begun["stop_button"]["interactive"] and not begun["measure_button"]["interactive"]


def test_measuring_edits_nothing_that_was_edited(shown):
    made = []
    editor, embedder = fake_models("instruct-pix2pix", "bundled")
    editor.one = lambda image, text, seed: made.append((seed, text)) or FakeEditor.one(editor, image, text, seed)
    editor.weights = shown.settings["editor_weights"]
    editor.with_settings = lambda **_: editor
    trust = build_edit_tab(lambda *_: (editor, embedder)).trust
    steps(trust, shown)
    made = [pair for pair in made[3:]]  # after the warm-up
    assert len(made) == len(set(made)) and not {(0, text) for text in shown.texts} & set(made)


def test_stop_keeps_what_was_measured(trust, shown):
    going = (read(trust.measure, step) for step in trust.measure(shown, ["3"], None))
    part = next(now["measured"] for now in going if "measured" in now and now["measured"]["entries"])
    going.close()
    now = read(trust.stop, trust.stop(shown, ["3"], part))
    assert "stability" in now["report"] and "faithfulness" not in now["report"]
    assert texts.MEASURED_IN_PART in now["status"] and now["measure_button"]["interactive"]
    assert "AUROC" in trust.tick(shown, ["3"], part) and "stability" in trust.tick(shown, ["3"], part)


def test_measuring_is_capped(trust, shown, monkeypatch):
    monkeypatch.setattr(page_runs, "MAX_SECONDS", -1)
    monkeypatch.setattr(machine, "SPACE", True)
    assert "longer than the page allows" in steps(trust, shown)[-1]["status"]


def test_what_cannot_be_measured_is_said(trust, shown, caplog):
    own = explain(picture(), "make it snow", FakeEditor(), embedder=FakeEmbedder())
    now = show(trust, own, [], None)
    assert texts.NOT_HERE in now["status"] and not now["measure_button"]["interactive"]
    assert texts.NOT_HERE in steps(trust, own, [])[-1]["status"]
    assert texts.NOTHING_TO_MEASURE in steps(trust, None)[-1]["status"]
    replayed = steps(trust, (list_examples()[0].name, list_examples()[0].editor))  # made with DINOv2, and here is another
    assert "made with the embedder dinov2" in replayed[-1]["status"]
    trust.engine.measure = lambda *_: iter([1 / 0])
    assert texts.BROKEN in steps(trust, shown)[-1]["status"]
    assert "ZeroDivisionError" not in steps(trust, shown)[-1]["status"]


def test_a_run_that_has_no_weights_yet_cannot_be_measured(trust, picture_file):
    early = next(now["shown"] for now in ask(build_edit_tab().answer.explain, picture_file) if now.get("shown"))
    assert not np.isfinite(early.weights).any()
    now = show(trust, early, [], None)
    assert now["report"].count("<article>") == 3 and not now["measure_button"]["interactive"]
