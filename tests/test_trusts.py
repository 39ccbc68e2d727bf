"""Below the answer: what is known at once, what ticks say, and measuring that can be stopped."""

import numpy as np
import pytest
from asking import TEXT, ask, handlers, skipped
from tiny import FakeEditor, FakeEmbedder, fake_models, picture

from smile import explain
from smile.ui import runs as page_runs
from smile.ui import texts
from smile.ui import trusts as page_trusts
from smile.ui.engine import Engine
from smile.ui.examples import examples
from smile.ui.trusts import TRUST, Trusts


@pytest.fixture
def trusts():
    return Trusts(Engine(fake_models))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """An explanation that the page's NumPy editor made."""
    file = tmp_path_factory.mktemp("road") / "road.png"
    picture().save(file)
    *_, last = (now["shown"] for now in ask(handlers()[1].explain, str(file)) if not skipped(now["shown"]))
    return last


def named(values):
    return {name: value for name, value in zip(TRUST, values, strict=True) if not skipped(value)}


def steps(trusts, shown, ticked=("3", "5"), measured=None):
    return [named(step) for step in trusts.measure(shown, list(ticked), measured)]


def test_what_is_known_is_there_at_once_and_known_words_are_ticked(trusts, shown):
    now = named(trusts.known(shown, [], None))
    assert now["trust"].count("<article>") == 4 and "leave-one-out" in now["trust"].split("</dt>")[0]
    assert now["relevant"]["value"] == ["3", "5"] and [word for word, _ in now["relevant"]["choices"]] == TEXT.split()
    assert "Toy Road" in now["relevant"]["info"] and "further edits" in now["measuring"]
    assert now["measure"]["interactive"] and now["measured"] == {"words": TEXT.split(), "entries": {}}


def test_an_example_has_a_report_too_and_nothing_shown_has_none(trusts):
    for example in examples():
        now = named(trusts.known((example.name, next(iter(example.explanations()))), [], None))
        assert now["trust"].count("<article>") >= 3 and now["measure"]["interactive"]
    gone = named(trusts.known(None, ["1"], {"words": ["a"], "entries": {}}))
    assert gone == {"trust_section": page_trusts.HIDDEN, "measured": None}


def test_ticks_stay_while_a_run_of_the_same_words_goes_on(trusts, shown):
    before = {"words": TEXT.split(), "entries": {}}
    assert "relevant" not in named(trusts.known(shown, ["1"], before))
    assert "relevant" in named(trusts.known(shown, ["1"], {"words": ["other"], "entries": {}}))


def test_ticks_make_accuracy(trusts, shown):
    rows = [trusts.tick(shown, ticked, None) for ticked in ([], ["3", "5"], ["0"], ["99", "<b>"])]
    assert ["AUROC" in each for each in rows] == [False, True, True, True]
    assert "in 100\u00a0% of the pairs" in rows[1] and "✓ good" in rows[1].split("<dt>AUROC")[1].split("<dt>F1")[0]
    assert "below" in rows[2].split("<dt>AUROC")[1].split("<dt>F1")[0] and "<b>–</b>" in rows[3]
    assert skipped(trusts.tick(None, ["1"], None))


def test_measuring_shows_how_far_it_is_and_ends_with_everything(trusts, shown):
    made = steps(trusts, shown)
    total = made[-1]["measuring"].split("Done: ")[1].split(" further")[0]
    assert any(f"of {total} further edits" in now["measuring"] for now in made)
    assert made[-1]["trust"].count("<article>") == 7 and "<svg" in made[-1]["trust"]
    assert made[-1]["measure"]["interactive"] and not made[-1]["stop_measuring"]["interactive"]
    begun = named(trusts.begin())
    assert begun["stop_measuring"]["interactive"] and not begun["measure"]["interactive"]


def test_measuring_edits_nothing_that_was_edited(shown):
    made = []
    editor, embedder = fake_models("instruct-pix2pix", "bundled")
    editor.one = lambda image, text, seed: made.append((seed, text)) or FakeEditor.one(editor, image, text, seed)
    editor.weights = shown.settings["editor_weights"]
    editor.with_settings = lambda **_: editor
    trusts = Trusts(Engine(lambda *_: (editor, embedder)))
    steps(trusts, shown)
    made = [pair for pair in made[3:]]  # after the warm-up
    assert len(made) == len(set(made)) and not {(0, text) for text in shown.texts} & set(made)


def test_stop_keeps_what_was_measured(trusts, shown):
    going = (named(step) for step in trusts.measure(shown, ["3"], None))
    part = next(now["measured"] for now in going if "measured" in now and now["measured"]["entries"])
    going.close()
    now = named(trusts.stop(shown, ["3"], part))
    assert "stability" in now["trust"] and "faithfulness" not in now["trust"]
    assert texts.MEASURED_IN_PART in now["measuring"] and now["measure"]["interactive"]
    assert "AUROC" in trusts.tick(shown, ["3"], part) and "stability" in trusts.tick(shown, ["3"], part)


def test_measuring_is_capped(trusts, shown, monkeypatch):
    monkeypatch.setattr(page_runs, "MAX_SECONDS", -1)
    monkeypatch.setattr(page_runs, "SPACE", True)
    assert "longer than the page allows" in steps(trusts, shown)[-1]["measuring"]


def test_what_cannot_be_measured_is_said(trusts, shown, caplog):
    own = explain(picture(), "make it snow", FakeEditor(), embedder=FakeEmbedder())
    now = named(trusts.known(own, [], None))
    assert texts.NOT_HERE in now["measuring"] and not now["measure"]["interactive"]
    assert texts.NOT_HERE in steps(trusts, own, [])[-1]["measuring"]
    assert texts.NOTHING_TO_MEASURE in steps(trusts, None)[-1]["measuring"]
    replayed = steps(trusts, (examples()[0].name, examples()[0].editor))  # made with DINOv2, and here is another
    assert "made with the embedder dinov2" in replayed[-1]["measuring"]
    trusts.engine.measure = lambda *_: iter([1 / 0])
    assert texts.BROKEN in steps(trusts, shown)[-1]["measuring"]
    assert "ZeroDivisionError" not in steps(trusts, shown)[-1]["measuring"]


def test_a_run_that_has_no_weights_yet_cannot_be_measured(trusts, picture_file):
    early = next(now["shown"] for now in ask(handlers()[1].explain, picture_file) if not skipped(now["shown"]) and now["shown"])
    assert not np.isfinite(early.weights).any()
    now = named(trusts.known(early, [], None))
    assert now["trust"].count("<article>") == 3 and not now["measure"]["interactive"]
