"""The page before a run, without a browser: what it begins with, what it says will happen, which fields there are."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import gradio as gr
import pytest
from asking import TEXT, ask, build_edit_tab, read, skipped, throw
from tiny import FakeEditor, FakeEmbedder, fake_models

import app
from smile import InputError
from smile.models.editors import EDITORS
from smile.report.citation import write_python
from smile.ui import engine as page_engine
from smile.ui import machine, texts
from smile.ui.engine import Engine
from smile.ui.examples import list_examples
from smile.ui.validation import METHOD

SOON = r"about (a second|\d+ seconds)"  # the machine may be busy


@pytest.fixture
def form():
    return build_edit_tab().form


def steps_of_plan(form, instruction=TEXT, edits=24, editor="instruct-pix2pix", weights="auto", steps=None, **method):
    """What the plan fills in, each time that it is said."""
    asked = {"instruction": instruction, "edits": edits, "editor": editor, "weights": weights, "steps": steps}
    values = {form.fields[name]: value for name, value in ({"method": "ours"} | METHOD | asked | method).items()}
    return (read(form.plan, step) for step in form.plan(values))


def plan(form, *asked, **changes):
    """What the plan says, each time that it is said."""
    return (re.sub("<[^>]*>", " ", step["plan_text"]) for step in steps_of_plan(form, *asked, **changes))


@pytest.mark.process
def test_the_page_is_built_without_torch():
    code = "import sys, app; assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(app.__file__).parent)


def test_it_begins_with_the_first_example_and_loads_nothing_for_that():
    page = app.build(Engine(lambda *_: throw(AssertionError("loaded"))))
    parts = {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}
    first = list_examples()[0]
    assert parts["view"].value["instruction"] == first.instruction == parts["instruction"].value
    assert parts["view"].value["source"] == texts.REPLAYED and texts.REPLAYED in parts["progress"].value
    assert parts["editor"].value == first.editor and parts["weights"].value == first.weights
    assert len(parts["view"].value["edits"]) == parts["edits"].value == 24


def test_everything_in_advanced_explains_itself():
    page = app.build(Engine(fake_models))
    parts = {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}
    for name in texts.OPTIONS:
        field = parts[f"option-{name}"]
        assert field.label and field.info and field.value == METHOD[name]
        assert name not in texts.CHOICES or METHOD[name] in [value for _, value in field.choices]


def test_the_guide_has_ten_points_and_claims_no_causes():
    said = texts.build_guide()
    assert said.count("<li>") == 10 and not re.search("caus|because of the word|responsible", said)


# What will happen


def test_the_plan_is_said_before_and_after_loading():
    gate = threading.Event()

    def load(*names):
        gate.wait()
        return fake_models(*names)

    form = build_edit_tab(load).form
    form.engine.start_loading()
    said = plan(form)
    assert "being loaded" in next(said)
    gate.set()
    then = next(said)
    assert "instruct-pix2pix on the CPU" in then and "24 edits, up to 5 more beside them; about" in then
    assert [*plan(form, edits=3)][-1].count("too few") == 1
    assert "empty" in [*plan(form, "")][-1]


def test_the_plan_counts_seeds_and_says_what_a_comparison_takes(form):
    assert "72 edits, up to 5 more beside them" in [*plan(form, seeds=3, noise_seeds=2)][-1]
    assert "4 edits, up to 10 more" in [*plan(form, "make snow")][-1]  # no more combinations, but those under other seeds
    said = [*plan(form)][-1]
    assert re.search(f"up to 87 edits; {SOON} and what img2img-turbo and inpaint may take", said)
    for name in ("img2img-turbo", "inpaint"):
        form.engine.load(name)
    said = [*plan(form)][-1]
    assert re.search(f"up to 87 edits; {SOON}; inpaint changes what is painted, or else everything", said)
    for wrong in (
        {"seeds": 0},
        {"seeds": 1.5},
        {"seeds": 100},
        {"noise_seeds": 10**9},
        {"design": "exhaustive"},
        {"distance": "?"},
    ):
        said = [*plan(form, **wrong)][-1]
        assert re.search("must be a whole number|at most 256|too few|There is no distance", said) and "All 3" not in said


def test_the_number_of_edits_follows_the_words_until_it_is_chosen(form):
    assert form.suggest_edits(TEXT) == 24 and form.suggest_edits("snow") == 2 and form.suggest_edits("a " * 20) == 40
    assert skipped(form.suggest_edits("a " * 20, chosen=True)) and skipped(form.suggest_edits(""))


def test_models_are_loaded_once_and_again_only_after_a_failure():
    results = [InputError("no weights"), (FakeEditor(), FakeEmbedder())]
    engine = Engine(lambda *_: results.pop(0) if isinstance(results[0], tuple) else throw(results.pop(0)))
    with pytest.raises(InputError, match="no weights"):
        engine.load()
    editor, _ = engine.load()
    assert engine.is_loaded() and engine.load()[0] is editor
    assert engine.estimate_edit_seconds("instruct-pix2pix", "bundled", {}) > 0


def test_what_full_weights_take_is_said_before_they_are_loaded(monkeypatch):
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    monkeypatch.setattr(page_engine, "measure_speed", lambda *_: 100e9)
    monkeypatch.setattr("smile.models.registry.Entry.is_downloaded", lambda *_: False)
    loaded = []
    form = build_edit_tab(lambda *names: loaded.append(names) or fake_models(*names)).form
    said = [*plan(form, weights="full")][-1]
    assert "24 edits, up to 5 more beside them; about 4 hours on this CPU; downloads about 5 GB first" in said
    assert "up to 87 edits; about 4 hours and what img2img-turbo and inpaint may take; downloads about 5 GB first" in said
    assert "about 8 hours" in [*plan(form, weights="full", steps=40)][-1]
    assert "about 16 minutes" in [*plan(form, editor="img2img-turbo", weights="edge_to_image")][-1]
    assert "about 3 hours" in [*plan(form, editor="inpaint", weights="full")][-1]
    assert loaded == []
    form.engine.load("instruct-pix2pix", "full")
    said = [*plan(form, weights="full")][-1]
    assert re.search(SOON, said) and "downloads" not in said and "on this CPU" not in said


# Editors, weights, settings


def test_an_editor_brings_its_weights_its_region_and_its_description(form, picture_file):
    for name, entry in EDITORS.items():
        now = read(form.choose_editor, form.choose_editor(name, picture_file))
        assert now["editor"]["value"] == name and now["editor"]["info"] == texts.EDITORS[name]
        assert [value for _, value in now["weights"]["choices"]] == ["auto", *entry.weights]
        assert now["weights"]["value"] == "auto" and now["region_column"]["visible"] is entry.needs_region
        assert all(now[setting] is None for setting in texts.SETTINGS)
        assert now["region"]["picture"].startswith("data:image/jpeg") and "instruction" not in now


def test_falling_back_takes_the_bundled_weights_and_their_settings(form):
    now = read(form.fall_back, form.fall_back("img2img-turbo"))
    assert now["weights"]["value"] == "bundled" and now["steps"] is None and not now["fall_back_button"]["visible"]


def test_only_the_settings_that_the_editor_has_are_shown_with_what_its_weights_say(form):
    *_, fields = steps_of_plan(form, editor="img2img-turbo")
    assert fields["steps"]["visible"] and fields["steps"]["placeholder"] == "10"
    assert not any(fields[name]["visible"] for name in texts.SETTINGS if name != "steps")
    *_, fields = steps_of_plan(form, editor="img2img-turbo", weights="edge_to_image")  # not loaded
    shown = {name for name in texts.SETTINGS if fields[name]["visible"]}
    assert shown == {"low", "high"}


def test_an_unknown_editor_or_set_is_one_sentence(form):
    for editor, weights in ((None, "auto"), ("photoshop", "auto"), ("inpaint", "/etc"), ("inpaint", ["full"])):
        said = [*plan(form, editor=editor, weights=weights)]
        assert re.search("There (is no editor called|are no weights) “", said[-1]) and gr.skip() not in said


def test_the_configuration_is_plain_json():
    """Gradio deep-copies it at every GET of / and /config, so a live object in it, such as an event that leads to the page,
    would copy every loaded model at every visit. Gradio's own default of a State is one function, which copying keeps."""

    def live(value, path=""):
        if isinstance(value, dict):
            return [found for key, item in value.items() for found in live(item, f"{path}/{key}")]
        if isinstance(value, (list, tuple)):
            return [found for number, item in enumerate(value) for found in live(item, f"{path}/{number}")]
        plain = value is None or isinstance(value, (str, int, float, bool)) or path.endswith("/delete_callback")
        return [] if plain else [(path, value)]

    assert live(app.demo.config) == []


# Words that are joined, and words that stay


def test_joined_and_held_words_are_fewer_units_and_fewer_edits(form):
    assert [form.options[name].label for name in texts.PHRASES] == ["Joined", "Always in"]
    said = [*plan(form, "please make a red car", edits=None, join="red car", hold="please")][-1]
    assert "8 edits" in said  # three units
    assert form.suggest_edits("please make a red car", False, "red car", "please") == 8
    assert skipped(form.suggest_edits("make it snow", False, "red car"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"join": "red sky"}, "“red sky” does not stand in the text, so it cannot be joined or held"),
        ({"join": "car"}, "“car” is one word; join at least two"),
        ({"join": "red car", "hold": "car"}, "“car” is joined or held twice"),
        ({"hold": "please, make, a, red, car"}, "Every word is held, so none is left to explain"),
    ],
)
def test_phrases_that_cannot_be_are_one_sentence_before_a_run(form, picture_file, words, sentence):
    assert sentence in [*plan(form, "please make a red car", edits=None, **words)][-1]
    tab = build_edit_tab(lambda *_: throw(AssertionError("loaded")))
    *_, last = ask(tab.answer.explain, picture_file, instruction="please make a red car", edits_chosen=False, **words)
    assert sentence in last["progress"]


def test_they_reach_the_explanation_and_come_back_with_it(picture_file):
    tab = build_edit_tab()
    asked = {"instruction": "please make a red car", "edits_chosen": False, "join": "red car", "hold": " please ,"}
    steps = [*ask(tab.answer.explain, picture_file, **asked)]
    shown = next(step["shown"] for step in reversed(steps) if "shown" in step)
    assert shown.words == ["make", "a", "red car"] and all(text.startswith("please") for text in shown.texts)
    values = tab.form.describe(shown, picture_file, None)
    assert (values["join"], values["hold"], values["edits"], values["edits_chosen"]) == ("red car", "please", 8, False)
    assert "join=['red car']" in write_python(shown) and "hold=['please']" in write_python(shown)
