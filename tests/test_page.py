"""The page without a browser: its events on a NumPy editor, and its named endpoint over HTTP."""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import gradio as gr
import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

import app
from smile import InputError
from smile.page import actions as page_actions
from smile.page import wording
from smile.page.actions import VIEW, Actions
from smile.page.engine import Engine

TEXT = "please make it snow at night"
HOSTILE = "<script>alert(1)</script> <img/src=x/onerror=alert(1)> snow & night"


@pytest.fixture
def picture_file(tmp_path):
    picture().save(tmp_path / "road.png")
    return str(tmp_path / "road.png")


@pytest.fixture
def actions():
    return Actions(Engine(lambda: (FakeEditor(), FakeEmbedder())))


@pytest.fixture(scope="module")
def client(fake_page):
    return Client(fake_page, verbose=False)


def views(steps):
    """Each yield of a run as a dict."""
    for step in steps:
        yield dict(zip(VIEW, step, strict=True))


def skipped(value):
    return value == gr.skip()


# A run


def test_edits_appear_as_they_are_made(actions, picture_file):
    sizes, notes = [], []
    for now in views(actions.run(picture_file, TEXT, 16, 0)):
        if not skipped(now["gallery"]):
            sizes.append(len(now["gallery"]["value"]))
            assert all(Path(path).is_file() for path, _ in now["gallery"]["value"])
        if now["heatmap"] and not skipped(now["heatmap"]):
            notes.append(now["heatmap"]["note"])
    assert sizes[:2] == [0, 1]  # cleared, then the edit of the full instruction alone
    assert sizes == sorted(sizes) and sizes[-1] == 20
    assert notes[0] == "provisional, 1 of 20 edits" and notes[-1] == ""
    assert "Done: 20 edits" in now["progress"]
    assert now["explain"]["interactive"] and not now["stop"]["interactive"]


def test_a_finished_run_says_which_words_it_was(actions, picture_file):
    *_, before, last = views(actions.run(picture_file, TEXT, 16, 0))
    rows = last["heatmap"]["rows"]
    assert [row[0] for row in rows] == TEXT.split()
    assert {row[0] for row in rows if row[-1]} == {"snow", "night"}
    assert "snow" in before["finding"] and "night" in before["finding"]
    captions = [caption for _, caption in before["gallery"]["value"]]
    assert captions[0] == f"{TEXT}\ndistance 0.00"
    assert any("[snow]" in caption or "snow at]" in caption or "[snow at" in caption for caption in captions)
    assert captions[-1].startswith("all words, other seed (4)\ndistance ")


def test_the_heatmap_is_not_redrawn_more_than_once_a_second(actions, picture_file):
    drawn = [not skipped(now["heatmap"]) for now in views(actions.run(picture_file, TEXT, 64, 0))]
    assert len(drawn) > 10 and sum(drawn) <= 4  # cleared, first, last, and one more where the machine is slow


def test_stop_keeps_what_is_there_and_says_so(actions, picture_file):
    run = actions.run(picture_file, TEXT, 16, 0)
    states = [dict(zip(VIEW, next(run), strict=True)) for _ in range(4)]  # cleared, 1 edit, 9, 16
    kept = Path(states[-1]["gallery"]["value"][0][0])
    assert kept.is_file()
    run.close()  # what Gradio does for cancels=
    assert not kept.exists()  # by now Gradio has its own copy, and nothing is left behind
    stopped = dict(zip(VIEW, actions.stop(states[-1]["shown"]), strict=True))
    assert stopped["heatmap"]["note"] == "stopped, 16 of 20 edits"
    assert "Stopped after 16 of 20 edits" in stopped["progress"]
    assert skipped(stopped["gallery"]) and skipped(stopped["finding"]) and stopped["explain"]["interactive"]
    assert "before the first edit" in actions.stop(None)[0]


def test_a_run_is_capped(actions, picture_file, monkeypatch):
    monkeypatch.setattr(page_actions, "MAX_SECONDS", -1)
    *_, last = views(actions.run(picture_file, TEXT, 16, 0))
    assert "longer than the page allows" in last["progress"] and "Stopped after 1 of 20" in last["progress"]


def test_failed_edits_are_shown_as_such(picture_file):
    actions = Actions(Engine(lambda: (FakeEditor(fail=[""]), FakeEmbedder())))
    *_, before, last = views(actions.run(picture_file, TEXT, 16, 0))
    assert sum(caption.endswith("\nfailed") for _, caption in before["gallery"]["value"]) == 1
    assert "1 failed" in last["progress"]


def test_what_is_typed_never_becomes_markup(actions, picture_file):
    *_, before, last = views(actions.run(picture_file, HOSTILE, 16, 0))
    figure = str(last["heatmap"]["figure"])
    for markup in (before["finding"], last["progress"], wording.problem(HOSTILE), figure):
        assert "<script" not in markup and "<img" not in markup
    assert before["gallery"]["value"][0][1].startswith("<script>")  # captions are shown as text, by Gradio


def test_a_bug_keeps_the_page_usable(actions, picture_file, caplog):
    def fail(*_, **__):
        raise RuntimeError("secret detail")

    actions.engine.models()[0].edit = fail
    *_, last = views(actions.run(picture_file, TEXT, 16, 0))
    assert wording.BROKEN in last["progress"] and "secret" not in last["progress"] and last["explain"]["interactive"]
    assert "secret detail" in caplog.text


# Before a run


def test_the_plan_is_said_before_and_after_loading(picture_file):
    gate = threading.Event()

    def load():
        gate.wait()
        return FakeEditor(), FakeEmbedder()

    actions = Actions(Engine(load))
    actions.engine.start()
    said = actions.plan(TEXT, 16)
    assert "being loaded" in next(said)
    gate.set()
    then = next(said)
    assert "fake" in then and "16 edits, 4 more under other seeds; about" in then
    assert [*actions.plan(TEXT, 3)][-1].count("too few") == 1
    assert "empty" in [*actions.plan("", 16)][-1]


def test_the_number_of_edits_follows_the_words_until_it_is_chosen(actions):
    assert actions.edits_for(TEXT) == 16 and actions.edits_for("snow") == 2 and actions.edits_for("a " * 20) == 40
    assert skipped(actions.edits_for("a " * 20, chosen=True)) and skipped(actions.edits_for(""))


def test_models_are_loaded_once_and_again_only_after_a_failure():
    results = [InputError("no weights"), (FakeEditor(), FakeEmbedder())]
    engine = Engine(lambda: results.pop(0) if isinstance(results[0], tuple) else throw(results.pop(0)))
    with pytest.raises(InputError, match="no weights"):
        engine.models()
    editor, _ = engine.models()
    assert engine.ready and engine.models()[0] is editor and engine.seconds_per_edit > 0


def test_missing_weights_are_one_sentence(picture_file):
    actions = Actions(Engine(lambda: throw(InputError("The bundled weights are missing."))))
    *_, last = views(actions.run(picture_file, TEXT, 16, 0))
    assert "The bundled weights are missing." in last["progress"] and last["explain"]["interactive"]
    assert "missing" in [*actions.plan(TEXT, 16)][-1]


def test_the_page_is_built_without_torch():
    code = "import sys, app; assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(app.__file__).parent)


def throw(error):
    raise error


# Bad input: one clear sentence in the page and over the API


def bad_files(folder):
    (folder / "notes.png").write_text("not a picture")
    Image.new("1", (13000, 13000)).save(folder / "bomb.png", optimize=True)
    Image.new("P", (13000, 13000)).save(folder / "palette.png", optimize=True)
    return {name: str(folder / f"{name}.png") for name in ("notes", "bomb", "palette")}


BAD = [
    ({"picture": None}, "There is no picture"),
    ({"picture": "notes"}, "notes.png is not a picture"),
    ({"picture": "bomb"}, "more than 64 million pixels"),
    ({"picture": "palette"}, "more than 64 million pixels"),
    ({"instruction": ""}, "instruction is empty"),
    ({"instruction": "snow " * 200}, "200 words"),
    ({"edits": 3}, "3 edits are too few"),
    ({"edits": 16.5}, "number of edits must be a whole number"),
    ({"edits": -1}, "number of edits must be a whole number"),
    ({"edits": 10**6}, "more than the 256"),
    ({"seed": -1}, "seed must be a whole number"),
    ({"seed": 0.5}, "seed must be a whole number"),
]


@pytest.mark.parametrize("change, sentence", BAD, ids=[sentence for _, sentence in BAD])
def test_bad_input_in_the_page(actions, picture_file, tmp_path, change, sentence):
    values = {"picture": picture_file, "instruction": TEXT, "edits": 16, "seed": 0} | change
    values["picture"] = bad_files(tmp_path).get(values["picture"], values["picture"])
    began = time.monotonic()
    only = [*views(actions.run(**values))]
    assert len(only) == 1  # nothing was cleared, nothing was run
    said = re.sub(r"<[^>]*>", "", only[0]["progress"])
    assert sentence in said and said.rstrip().endswith(".") and "Traceback" not in said
    assert skipped(only[0]["heatmap"]) and skipped(only[0]["gallery"]) and only[0]["explain"]["interactive"]
    assert not actions.engine.ready and time.monotonic() - began < 5  # said before the models are loaded


@pytest.mark.parametrize("change, sentence", BAD, ids=[sentence for _, sentence in BAD])
def test_bad_input_over_the_api(client, picture_file, tmp_path, change, sentence):
    values = {"picture": picture_file, "instruction": TEXT, "edits": 16, "seed": 0} | change
    values["picture"] = bad_files(tmp_path).get(values["picture"], values["picture"])
    values["picture"] = values["picture"] and handle_file(values["picture"])
    with pytest.raises(Exception, match=sentence) as caught:
        client.predict(**values, api_name="/explain")
    assert "Traceback" not in str(caught.value)


# The named endpoint


def test_explain_over_the_api(client, picture_file):
    job = client.submit(handle_file(picture_file), TEXT, edits=16, seed=0, api_name="/explain")
    explanation, edits = job.result(60)
    assert explanation["words"] == TEXT.split() and not explanation["provisional"]
    assert len(explanation["weights"]) == 6 and "snow" in explanation["finding"]
    assert len(edits) == 20 and Path(edits[0]["image"]).is_file()
    assert [partial["done"] for partial, _ in job.outputs()][:2] == [1, 9]


def test_edits_may_be_left_to_the_words(client, picture_file):
    explanation, _ = client.predict(handle_file(picture_file), "make it snow", None, 7, api_name="/explain")
    assert len(explanation["texts"]) == 8 and explanation["settings"]["seed"] == 7


def test_explain_is_the_only_public_endpoint_and_has_types(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/explain"]
    parameters = {p["parameter_name"]: p["python_type"]["type"] for p in endpoints["/explain"]["parameters"]}
    assert list(parameters) == ["picture", "instruction", "edits", "seed"]
    assert parameters["instruction"] == "str" and parameters["seed"] == "float"


def test_only_what_the_page_needs_is_served(fake_page, client):
    for path in (app.__file__, "/etc/passwd", Path(app.__file__).parent / "smile" / "explain.py"):
        assert httpx.get(f"{fake_page}gradio_api/file={path}").status_code in (403, 404)
        with pytest.raises(Exception):  # noqa: B017
            client.predict({"path": str(path), "meta": {"_type": "gradio.FileData"}}, TEXT, 16, 0, api_name="/explain")
    assert httpx.get(f"{fake_page}gradio_api/file={app.PLOTLY_JS}").status_code == 200
