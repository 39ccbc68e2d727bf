"""The page without a browser: its events on NumPy editors, and its named endpoint over HTTP."""

import base64
import io
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, FakeSegmenter, fake_models, picture

import app
from smile import InputError
from smile.editors import EDITORS
from smile.page import actions as page_actions
from smile.page import engine as page_engine
from smile.page import wording
from smile.page.actions import VIEW, Actions
from smile.page.components import painted_region, painter_picture, painter_value
from smile.page.engine import Engine

TEXT = "please make it snow at night"
HOSTILE = "<script>alert(1)</script> <img/src=x/onerror=alert(1)> snow & night"


@pytest.fixture
def picture_file(tmp_path):
    picture().save(tmp_path / "road.png")
    return str(tmp_path / "road.png")


@pytest.fixture
def actions():
    return Actions(Engine(fake_models))


@pytest.fixture(scope="module")
def client(fake_page):
    return Client(fake_page, verbose=False)


INPUTS = {"instruction": TEXT, "edits": 16, "seed": 0, "editor": "instruct-pix2pix", "weights": "auto", "painted": ""}


def run(actions, picture, **changes):
    """What one run of the page yields; settings go by their names."""
    values = {"picture": picture} | INPUTS | dict.fromkeys(wording.SETTINGS) | changes
    return actions.run(*values.values())


def plan(actions, instruction=TEXT, edits=16, editor="instruct-pix2pix", weights="auto", steps=None):
    """The plan's HTML each time that it is said."""
    return (said[0] for said in actions.plan(instruction, edits, editor, weights, steps))


def views(steps):
    """Each yield of a run as a dict."""
    for step in steps:
        yield dict(zip(VIEW, step, strict=True))


def skipped(value):
    return value == gr.skip()


# A run


def test_edits_appear_as_they_are_made(actions, picture_file):
    sizes, notes = [], []
    for now in views(run(actions, picture_file)):
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
    *_, before, last = views(run(actions, picture_file))
    rows = last["heatmap"]["rows"]
    assert [row[0] for row in rows] == TEXT.split()
    assert {row[0] for row in rows if row[-1]} == {"snow", "night"}
    assert "snow" in before["finding"] and "night" in before["finding"]
    captions = [caption for _, caption in before["gallery"]["value"]]
    assert captions[0] == f"{TEXT}\ndistance 0.00"
    assert any("[snow]" in caption or "snow at]" in caption or "[snow at" in caption for caption in captions)
    assert captions[-1].startswith("all words, other seed (4)\ndistance ")


def test_the_heatmap_is_not_redrawn_more_than_once_a_second(actions, picture_file):
    drawn = [not skipped(now["heatmap"]) for now in views(run(actions, picture_file, edits=64))]
    assert len(drawn) > 10 and sum(drawn) <= 4  # cleared, first, last, and one more where the machine is slow


def test_stop_keeps_what_is_there_and_says_so(actions, picture_file):
    going = run(actions, picture_file)
    states = [dict(zip(VIEW, next(going), strict=True)) for _ in range(4)]  # cleared, 1 edit, 9, 16
    kept = Path(states[-1]["gallery"]["value"][0][0])
    assert kept.is_file()
    going.close()  # what Gradio does for cancels=
    assert not kept.exists()  # by now Gradio has its own copy, and nothing is left behind
    stopped = dict(zip(VIEW, actions.stop(states[-1]["shown"]), strict=True))
    assert stopped["heatmap"]["note"] == "stopped, 16 of 20 edits"
    assert "Stopped after 16 of 20 edits" in stopped["progress"]
    assert skipped(stopped["gallery"]) and skipped(stopped["finding"]) and stopped["explain"]["interactive"]
    assert "before the first edit" in actions.stop(None)[0]


def test_a_run_is_capped(actions, picture_file, monkeypatch):
    monkeypatch.setattr(page_actions, "MAX_SECONDS", -1)
    monkeypatch.setattr(page_actions, "SPACE", True)
    *_, last = views(run(actions, picture_file))
    assert "longer than the page allows" in last["progress"] and "Stopped after 1 of 20" in last["progress"]


def test_on_ones_own_machine_a_run_may_take_three_times_its_estimate(actions, picture_file, monkeypatch):
    monkeypatch.setattr(page_actions, "MAX_SECONDS", -1)
    monkeypatch.setattr(actions.engine, "seconds_per_edit", lambda *_: 100.0)
    *_, last = views(run(actions, picture_file))
    assert "Done: 20 edits" in last["progress"]


def test_failed_edits_are_shown_as_such(picture_file):
    actions = Actions(Engine(lambda *_: (FakeEditor(fail=[""]), FakeEmbedder())))
    *_, before, last = views(run(actions, picture_file))
    assert sum(caption.endswith("\nblocked or failed") for _, caption in before["gallery"]["value"]) == 1
    assert "1 blocked or failed" in last["progress"]


def test_what_is_typed_never_becomes_markup(actions, picture_file):
    *_, before, last = views(run(actions, picture_file, instruction=HOSTILE))
    figure = str(last["heatmap"]["figure"])
    for markup in (before["finding"], last["progress"], wording.problem(HOSTILE), figure):
        assert "<script" not in markup and "<img" not in markup
    assert before["gallery"]["value"][0][1].startswith("<script>")  # captions are shown as text, by Gradio


def test_a_bug_keeps_the_page_usable(actions, picture_file, caplog):
    def fail(*_, **__):
        raise RuntimeError("secret detail")

    actions.engine.models()[0].edit = fail
    *_, last = views(run(actions, picture_file))
    assert wording.BROKEN in last["progress"] and "secret" not in last["progress"] and last["explain"]["interactive"]
    assert "secret detail" in caplog.text


# Before a run


def test_the_plan_is_said_before_and_after_loading(picture_file):
    gate = threading.Event()

    def load(*names):
        gate.wait()
        return fake_models(*names)

    actions = Actions(Engine(load))
    actions.engine.start()
    said = plan(actions)
    assert "being loaded" in next(said)
    gate.set()
    then = next(said)
    assert "instruct-pix2pix on the CPU" in then and "16 edits, 4 more under other seeds; about" in then
    assert [*plan(actions, edits=3)][-1].count("too few") == 1
    assert "empty" in [*plan(actions, "")][-1]


def test_the_number_of_edits_follows_the_words_until_it_is_chosen(actions):
    assert actions.edits_for(TEXT) == 16 and actions.edits_for("snow") == 2 and actions.edits_for("a " * 20) == 40
    assert skipped(actions.edits_for("a " * 20, chosen=True)) and skipped(actions.edits_for(""))


def test_models_are_loaded_once_and_again_only_after_a_failure():
    results = [InputError("no weights"), (FakeEditor(), FakeEmbedder())]
    engine = Engine(lambda *_: results.pop(0) if isinstance(results[0], tuple) else throw(results.pop(0)))
    with pytest.raises(InputError, match="no weights"):
        engine.models()
    editor, _ = engine.models()
    assert engine.ready() and engine.models()[0] is editor
    assert engine.seconds_per_edit("instruct-pix2pix", "bundled", {}) > 0


def test_missing_weights_are_one_sentence(picture_file):
    actions = Actions(Engine(lambda *_: throw(InputError("The bundled weights are missing."))))
    *_, last = views(run(actions, picture_file))
    assert "The bundled weights are missing." in last["progress"] and last["explain"]["interactive"]
    assert "missing" in [*plan(actions)][-1]


@pytest.fixture
def slow_cpu(monkeypatch):
    """A machine without a GPU or full weights, at 100 billion operations per second."""
    monkeypatch.setattr(page_engine, "device", lambda: "cpu")
    monkeypatch.setattr(page_engine, "speed", lambda device: 100e9)
    monkeypatch.setattr(page_engine, "here", lambda *_: False)


def test_what_full_weights_take_is_said_before_they_are_loaded(slow_cpu):
    loaded = []
    actions = Actions(Engine(lambda *names: loaded.append(names) or fake_models(*names)))
    said = [*plan(actions, weights="full")][-1]
    assert "16 edits, 4 more under other seeds; about 3 hours on this CPU; downloads about 5 GB first" in said
    assert "about 5 hours" in [*plan(actions, weights="full", steps=40)][-1]
    assert "about 11 minutes" in [*plan(actions, editor="img2img-turbo", weights="edge_to_image")][-1]
    assert "about 2 hours" in [*plan(actions, editor="inpaint", weights="full")][-1]
    assert loaded == []
    actions.engine.models("instruct-pix2pix", "full")
    said = [*plan(actions, weights="full")][-1]
    assert "about a second" in said and "downloads" not in said and "on this CPU" not in said


def test_weights_that_cannot_be_loaded_are_one_sentence_and_the_bundled_ones_are_offered(picture_file, slow_cpu):
    def load(name, weights):
        if weights == "full":
            raise InputError("The weights could not be downloaded.")
        return fake_models(name, weights)

    actions = Actions(Engine(load))
    *_, last = views(run(actions, picture_file, weights="full"))
    assert "could not be downloaded" in last["progress"] and last["explain"]["interactive"] and last["fall_back"]["visible"]
    assert skipped(last["gallery"])  # what was there stays
    assert actions.fall_back("instruct-pix2pix") == ("bundled", gr.update(visible=False))
    *_, last = views(run(actions, picture_file, weights="bundled"))
    assert "Done" in last["progress"]
    *_, last = views(run(actions, picture_file, editor="img2img-turbo"))
    assert "Done" in last["progress"]


def test_a_long_load_can_be_stopped(picture_file, slow_cpu):
    gate = threading.Event()

    def load(*names):
        gate.wait(30)
        return fake_models(*names)

    going = run(Actions(Engine(load)), picture_file, weights="full")
    assert "Downloading about 5 GB" in next(views(going))["progress"]
    going.close()
    gate.set()


def test_the_page_is_built_without_torch():
    code = "import sys, app; assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(app.__file__).parent)


def throw(error):
    raise error


# Editors, weights, settings


def test_an_editor_brings_its_weights_its_region_and_its_description(actions):
    for name, entry in EDITORS.items():
        editor, weights, region, *settings = actions.choose(name)
        assert editor["value"] == name and editor["info"] == wording.EDITORS[name]
        assert [value for _, value in weights["choices"]] == ["auto", *entry.weights] and weights["value"] == "auto"
        assert region["visible"] is entry.region and settings == [None] * len(wording.SETTINGS)


def test_only_the_settings_that_the_editor_has_are_shown_with_what_its_weights_say(actions):
    *_, (_, advanced, *fields) = actions.plan(TEXT, 16, "img2img-turbo", "auto")
    fields = dict(zip(wording.SETTINGS, fields, strict=True))
    assert advanced["visible"] and fields["steps"]["visible"] and fields["steps"]["placeholder"] == "10"
    assert not any(fields[name]["visible"] for name in wording.SETTINGS if name != "steps")
    *_, (_, advanced, *fields) = actions.plan(TEXT, 16, "img2img-turbo", "edge_to_image")  # not loaded
    shown = {name for name, field in zip(wording.SETTINGS, fields, strict=True) if field["visible"]}
    assert shown == {"low", "high"}


def test_settings_are_for_one_run(actions, picture_file):
    *_, before, _ = views(run(actions, picture_file, steps=30))
    assert before["shown"].settings["editor_settings"] == {"steps": 30}
    *_, before, _ = views(run(actions, picture_file))
    assert before["shown"].settings["editor_settings"] == {"steps": 10}
    *_, last = views(run(actions, picture_file, steps=0))
    assert "from 1 to 200" in last["progress"] and last["explain"]["interactive"]


def test_an_example_fills_in_everything(actions):
    for index, example in enumerate(page_actions.examples()):
        picture, instruction, region, editor, weights, column, *_ = actions.pick(SimpleNamespace(index=index))
        assert (picture, instruction, editor["value"], weights["value"]) == (
            example.picture,
            example.instruction,
            example.editor,
            example.weights,
        )
        assert Path(picture).is_file() and weights["value"] in [value for _, value in weights["choices"]]
        assert (painted_region(region["value"]) is not None) == column["visible"] == (example.region is not None)
    assert {example.editor for example in page_actions.examples()} == set(EDITORS)


# The region


def painting(box, size=(512, 512)):
    """What RegionPainter sends when `box` is painted."""
    region = Image.new("L", size)
    region.paste(255, box)
    return painter_value(region)


def test_inpainting_changes_the_painted_region_only(actions, picture_file):
    *_, before, last = views(run(actions, picture_file, editor="inpaint", painted=painting((0, 0, 512, 128))))
    shown = before["shown"]
    assert "Done" in last["progress"] and shown.settings["region"] and shown.region.getbbox() == (0, 0, 48, 12)
    full, picture = np.asarray(shown.edits[0]), np.asarray(shown.image)
    assert (full[12:] == picture[12:]).all() and (full[:12] != picture[:12]).any()


def test_nothing_painted_is_one_sentence(actions, picture_file):
    for painted in ("", None, painting((0, 0, 0, 0))):
        (only,) = views(run(actions, picture_file, editor="inpaint", painted=painted))
        assert "inpaint needs a region" in only["progress"] and skipped(only["gallery"])
    *_, last = views(run(actions, picture_file, painted=painting((0, 0, 512, 128))))  # left from another editor
    assert "Done" in last["progress"]


def bomb(side):
    """A PNG of `side` squared pixels in a few kilobytes, as a data URL."""
    buffer = io.BytesIO()
    Image.new("1", (side, side)).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def test_hostile_paintings_are_one_sentence(actions, picture_file):
    jpeg = painter_picture(picture())
    for painted in ("hello", "data:image/png;base64,AAAA", jpeg, bomb(13000), bomb(600), ["list"], {"a": 1}, 7):
        (only,) = views(run(actions, picture_file, editor="inpaint", painted=painted))
        assert "painted region cannot be read" in only["progress"]


def test_another_picture_clears_the_region(actions, picture_file, tmp_path):
    shown = actions.canvas(picture_file)
    assert shown["picture"].startswith("data:image/jpeg") and shown["value"] == ""
    assert actions.canvas(None) == gr.update(picture="", value="")
    assert actions.canvas(bad_files(tmp_path)["bomb"]) == gr.update(picture="", value="")


def test_a_region_can_be_named_or_given_as_a_file(actions, picture_file, tmp_path, monkeypatch):
    monkeypatch.setattr(page_engine, "_segmenter", lambda *_: FakeSegmenter())
    region, said = actions.find(picture_file, " the sky ")
    assert painted_region(region["value"]).getbbox() == (0, 0, 48, 24) and "Found" in said
    region, said = actions.find(picture_file, "the bicycle")
    assert skipped(region) and "the bicycle" in said
    assert "Say what to look for" in actions.find(picture_file, " ")[1]
    assert "no picture" in actions.find(None, "the sky")[1]
    region, said = actions.use_file(picture_file, region_file(tmp_path))
    assert painted_region(region["value"]).getbbox() == (0, 0, 48, 12) and said == ""
    for file in bad_files(tmp_path).values():
        region, said = actions.use_file(picture_file, file)
        assert skipped(region) and ("not a picture" in said or "more than 64 million" in said)


def region_file(folder):
    """A file that is white in the upper quarter."""
    region = Image.new("L", (48, 48))
    region.paste(255, (0, 0, 48, 12))
    region.save(folder / "region.png")
    return str(folder / "region.png")


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
    only = [*views(run(actions, **values))]
    assert len(only) == 1  # nothing was cleared, nothing was run
    said = re.sub(r"<[^>]*>", "", only[0]["progress"])
    assert sentence in said and said.rstrip().endswith(".") and "Traceback" not in said
    assert skipped(only[0]["heatmap"]) and skipped(only[0]["gallery"]) and only[0]["explain"]["interactive"]
    assert not actions.engine.ready() and time.monotonic() - began < 5  # said before the models are loaded


@pytest.mark.parametrize("change, sentence", BAD, ids=[sentence for _, sentence in BAD])
def test_bad_input_over_the_api(client, picture_file, tmp_path, change, sentence):
    values = {"picture": picture_file, "instruction": TEXT, "edits": 16, "seed": 0} | change
    values["picture"] = bad_files(tmp_path).get(values["picture"], values["picture"])
    values["picture"] = values["picture"] and handle_file(values["picture"])
    with pytest.raises(Exception, match=sentence) as caught:
        client.predict(**values, api_name="/explain")
    assert "Traceback" not in str(caught.value)


def test_an_unknown_editor_or_set_is_one_sentence(actions, picture_file):
    actions.engine.models()
    for change in ({"editor": None}, {"editor": "photoshop"}, {"weights": "/etc"}, {"weights": None}, {"weights": ["full"]}):
        actions.begin(change.get("editor", "inpaint"), change.get("weights", "auto"))
        (only,) = views(run(actions, picture_file, **change))
        assert re.search("There (is no editor called|are no weights) “", only["progress"]) and only["explain"]["interactive"]
        assert all("Traceback" not in said for said in plan(actions, editor=change.get("editor", "inpaint")))


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


def test_another_editor_with_a_region_and_settings_over_the_api(client, picture_file, tmp_path, monkeypatch):
    monkeypatch.setattr(page_engine, "_segmenter", lambda *_: FakeSegmenter())
    asked = {"picture": handle_file(picture_file), "instruction": "snow", "editor": "inpaint", "edits": 2, "seed": 0}
    asked |= {"weights": "bundled", "settings": {"steps": 7}, "api_name": "/explain"}
    explanation, _ = client.predict(**asked, region=handle_file(region_file(tmp_path)))
    settings = explanation["settings"]
    assert settings["editor"] == "inpaint" and settings["editor_weights"] == "bundled" and settings["region"]
    assert settings["editor_settings"] == {"steps": 7}
    explanation, _ = client.predict(**asked, region_phrase="the sky")
    assert explanation["settings"]["region"]


BAD_CHOICES = [
    ({"editor": "inpaint"}, "inpaint needs a region"),
    ({"editor": "inpaint", "region_phrase": "the bicycle"}, "the bicycle"),
    ({"editor": "inpaint", "region_phrase": "the sky", "region": "road"}, "not both"),
    ({"editor": "inpaint", "region": "notes"}, "notes.png is not a picture"),
    ({"editor": "inpaint", "region": "bomb"}, "more than 64 million pixels"),
    ({"region": "road"}, "leave the region out"),
    ({"weights": "bundled-edges"}, "no weights “bundled-edges” of instruct-pix2pix"),
    ({"weights": "/etc"}, "not in the list"),
    ({"editor": "photoshop"}, "not in the list"),
    ({"settings": {"steps": 0}}, "from 1 to 200"),
    ({"settings": [1]}, "settings must be an object"),
]


@pytest.mark.parametrize("change, sentence", BAD_CHOICES, ids=[sentence for _, sentence in BAD_CHOICES])
def test_bad_choices_over_the_api(client, picture_file, tmp_path, monkeypatch, change, sentence):
    monkeypatch.setattr(page_engine, "_segmenter", lambda *_: FakeSegmenter())
    values = {"picture": handle_file(picture_file), "instruction": TEXT, "edits": 16, "seed": 0} | change
    if "region" in values:
        files = bad_files(tmp_path) | {"road": picture_file}
        values["region"] = handle_file(files[values["region"]])
    with pytest.raises(Exception, match=sentence) as caught:
        client.predict(**values, api_name="/explain")
    assert "Traceback" not in str(caught.value)


def test_explain_is_the_only_public_endpoint_and_has_types(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/explain"]
    parameters = {p["parameter_name"]: p["python_type"]["type"] for p in endpoints["/explain"]["parameters"]}
    asked = ["picture", "instruction", "edits", "seed", "editor", "weights", "region", "region_phrase", "settings"]
    assert list(parameters) == asked
    assert parameters["instruction"] == parameters["region_phrase"] == "str" and parameters["seed"] == "float"
    assert parameters["region"].startswith("filepath") and "'inpaint'" in parameters["editor"]
    defaults = {p["parameter_name"]: p["parameter_default"] for p in endpoints["/explain"]["parameters"]}
    assert [defaults[name] for name in asked[4:]] == ["instruct-pix2pix", "auto", None, "", None]


def test_only_what_the_page_needs_is_served(fake_page, client):
    for path in (app.__file__, "/etc/passwd", Path(app.__file__).parent / "smile" / "explain.py"):
        assert httpx.get(f"{fake_page}gradio_api/file={path}").status_code in (403, 404)
        with pytest.raises(Exception):  # noqa: B017
            client.predict({"path": str(path), "meta": {"_type": "gradio.FileData"}}, TEXT, 16, 0, api_name="/explain")
    assert httpx.get(f"{fake_page}gradio_api/file={app.PLOTLY_JS}").status_code == 200
