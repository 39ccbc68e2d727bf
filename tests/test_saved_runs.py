"""Answers that are there already, without a browser: examples, comparisons, bundles, links, files to take away.

No model can be loaded here, so whatever works does so without one.
"""

import html
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from asking import build_edit_tab, read, throw
from gradio_client import Client
from PIL import Image
from tiny import FakeBackend, FakeEmbedder, picture

from smile import explain
from smile.models.editors import EDITORS
from smile.ui import texts
from smile.ui.components import read_region
from smile.ui.examples import list_examples, open_shown
from smile.ui.sections import downloads


@pytest.fixture
def saved_runs():
    return build_edit_tab(lambda *_: throw(AssertionError("a model was loaded"))).saved_runs


def clicked(index):
    return gr.EventData(None, {"index": index})


def pick(saved_runs, index):
    return read(saved_runs.pick_example, saved_runs.pick_example(clicked(index)))


def pick_editor(saved_runs, compared, picture, index):
    return read(saved_runs.pick_editor, saved_runs.pick_editor(compared, picture, clicked(index)))


def opened(saved_runs, file):
    return (read(saved_runs.open_bundle, step) for step in saved_runs.open_bundle(str(file)))


def linked(saved_runs, query):
    request = SimpleNamespace(query_params=dict(parse_qsl(query, keep_blank_values=True)))
    return read(saved_runs.follow_link, saved_runs.follow_link(request))


def first(generator):
    """The first item, and then the end of what made it."""
    item = next(generator)
    generator.close()
    return item


# Examples


def test_every_example_is_replayed_at_once_and_fills_in_everything(saved_runs):
    for index, example in enumerate(list_examples()):
        now = pick(saved_runs, index)
        explanation = open_shown(now["shown"])
        assert now["picture"] == example.picture and Path(example.picture).is_file()
        assert now["instruction"] == now["view"]["instruction"] == explanation.instruction == example.instruction
        assert now["editor"]["value"] == explanation.settings["editor"] == example.editor or example.compare
        assert now["weights"]["value"] == explanation.settings["editor_weights"] != "auto"
        assert now["weights"]["value"] in [value for _, value in now["weights"]["choices"]]
        assert (read_region(now["region"]["value"]) is not None) == bool(example.painted)
        assert now["region_column"]["visible"] is EDITORS[now["editor"]["value"]].needs_region
        assert (now["edits"], now["seed"]) == (explanation.settings["edits"], explanation.settings["seed"])
        assert now["progress"] == texts.say(texts.REPLAYED) and now["view"]["source"] == texts.REPLAYED
        assert now["explain_button"]["interactive"] and not now["stop_button"]["interactive"]
        assert f"assets/examples/{example.name}.png" in now["view"]["python"]
    assert {example.editor for example in list_examples()} >= set(EDITORS)


def test_what_is_replayed_is_finished_and_the_first_says_something():
    assert not any(explanation.provisional for example in list_examples() for explanation in example.explanations().values())
    assert list_examples()[0].explanations()[list_examples()[0].editor].significant.any()


def test_the_comparison_is_replayed_and_each_editor_can_be_seen_in_full(saved_runs):
    index, example = next((i, each) for i, each in enumerate(list_examples()) if each.compare)
    now = pick(saved_runs, index)
    assert [editor["name"] for editor in now["comparison"]["editors"]] == list(EDITORS)
    assert now["compared"] == example.name and now["comparison"]["source"] == texts.REPLAYED
    for number, name in enumerate(EDITORS):
        full = pick_editor(saved_runs, now["compared"], example.picture, number)
        assert full["view"]["facts"].startswith(name) and full["editor"]["value"] == name
        assert full["shown"] == (example.name, name)
    assert pick(saved_runs, 0)["comparison"] is None


def made(editor="instruct-pix2pix", **options):
    return explain(picture(), "make it snow", FakeBackend(editor, "bundled"), embedder=FakeEmbedder(), **options)


def test_one_editor_of_a_comparison_that_was_run_is_seen_in_full(saved_runs):
    compared = {"instruct-pix2pix": "It cannot.", "img2img-turbo": made("img2img-turbo", seed=3)}
    now = pick_editor(saved_runs, compared, None, 1)
    assert now["view"]["facts"].startswith("img2img-turbo") and now["view"]["source"] == ""
    assert now["shown"] is compared["img2img-turbo"] and now["editor"]["value"] == "img2img-turbo"
    assert pick_editor(saved_runs, compared, None, 0) == {"progress": texts.say_problem("It cannot.")}


def test_running_it_live_begins_with_the_fields_as_they_were(saved_runs):
    (before,) = saved_runs.refill((list_examples()[1].name, list_examples()[1].editor))
    assert read(saved_runs.refill, before)["instruction"] == list_examples()[1].instruction
    (own,) = saved_runs.refill(made(seed=9, surrogate="ridge"))
    own = read(saved_runs.refill, own)
    assert (own["instruction"], own["seed"], own["surrogate"]) == ("make it snow", 9, "ridge")
    assert not Path(own["picture"]).exists()
    assert [*saved_runs.refill(None)] == []


# Bundles and other files


@pytest.mark.parametrize("editor", EDITORS)
def test_what_is_taken_away_can_be_opened_again(saved_runs, tmp_path, editor):
    region = Image.new("L", (48, 48))
    region.paste(255, (0, 0, 48, 12))
    takes = {"region": region} if EDITORS[editor].needs_region else {}
    options = {"seed": 7, "edits": 6, "seeds": 2, "noise_seeds": 1, "reference": "input", "surrogate": "ridge"}
    explanation = made(editor, **options, **takes)
    file, said = next(taking := downloads.write_explanation("zip", explanation))
    kept = Path(file).rename(tmp_path / "kept.zip")
    taking.close()
    assert said == "" and not Path(file).parent.exists()
    now = next(opening := opened(saved_runs, kept))
    assert Image.open(now["picture"]).size == explanation.image.size
    opening.close()
    assert not Path(now["picture"]).exists()  # by then Gradio has its own copy
    assert now["instruction"] == "make it snow" and now["editor"]["value"] == editor and now["weights"]["value"] == "bundled"
    assert {name: now[name] for name in options} == options and now["edits_chosen"] and now["steps"] == 10
    assert (read_region(now["region"]["value"]) is not None) == bool(takes)
    assert now["view"]["source"].startswith(f"{texts.OPENED} Not checked")
    assert now["view"]["source"] in html.unescape(now["progress"])
    assert now["view"]["edits"] == first(opened(saved_runs, kept))["view"]["edits"] and now["comparison"] is None
    assert now["shown"].weights.tolist() == explanation.weights.tolist()


def test_a_bundle_of_somebodys_own_editor_says_that_it_is_not_here(saved_runs, tmp_path):
    explanation = explain(
        picture(),
        "make it snow",
        FakeBackend("inpaint", "bundled"),
        embedder=FakeEmbedder(),
        region=Image.new("L", (48, 48), 255),
    )
    explanation.settings |= {"editor": "own", "editor_weights": "own", "editor_settings": {"steps": "many"}}
    explanation.write(tmp_path / "own.zip")
    now = first(opened(saved_runs, tmp_path / "own.zip"))
    assert texts.ELSEWHERE in now["view"]["source"] and "editor" not in now and "steps" not in now
    assert now["instruction"] == "make it snow"


def test_a_bad_bundle_is_one_sentence_and_the_page_stays(saved_runs, tmp_path):
    (tmp_path / "notes.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../explanation.json", "{}")
    for name in ("notes", "evil", "missing"):
        (now,) = opened(saved_runs, tmp_path / f"{name}.zip")
        assert set(now) == {"progress"} and 'role="alert"' in now["progress"]


@pytest.mark.parametrize("kind", ("html", "zip", "json", "png"))
def test_every_file_is_what_its_name_says(kind):
    state = (list_examples()[0].name, list_examples()[0].editor)
    file, _ = next(taking := downloads.write_explanation(kind, state))
    assert Path(file).name == f"{list_examples()[0].instruction.replace(' ', '-')}.{kind}"
    content = Path(file).read_bytes()
    begins = {"json": b"{", "zip": b"PK", "html": b"<!doctype html>", "png": b"\x89PNG"}
    assert content.startswith(begins[kind])
    if kind == "json":
        assert json.loads(content)["instruction"] == list_examples()[0].instruction
    taking.close()
    assert not Path(file).parent.exists()


def test_nothing_to_take_away_is_a_sentence():
    ((file, said),) = downloads.write_explanation("zip", None)
    assert file is None and texts.NOTHING in said


def test_names_of_files_are_short_and_plain():
    shorten, longest = downloads.shorten_name, downloads.LONGEST
    assert shorten("Make it SNOW, s'il vous plaît!") == "make-it-snow-s-il-vous-plait"
    assert shorten("../../etc/passwd\0") == "etc-passwd" and shorten("雪を降らせて") == "explanation"
    assert len(shorten("word " * 64)) <= longest and len(shorten("w" * 900)) == longest


# Links


def test_without_a_link_the_first_example_is_what_is_shown(saved_runs):
    assert linked(saved_runs, "embed=1&__theme=dark") == {"shown": (list_examples()[0].name, list_examples()[0].editor)}


def test_a_link_to_an_example_replays_it(saved_runs):
    for index, example in enumerate(list_examples()):
        clicks = pick(saved_runs, index)
        assert linked(saved_runs, f"example={example.name}") == clicks
        assert linked(saved_runs, clicks["view"]["link"]) == clicks
    comparison = next(example for example in list_examples() if example.compare)
    for name in comparison.compare:
        full = pick_editor(saved_runs, comparison.name, None, comparison.compare.index(name))
        assert linked(saved_runs, full["view"]["link"]) == full


def test_a_link_fills_in_what_it_names_and_waits(saved_runs):
    example = list_examples()[1]
    now = linked(saved_runs, f"example={example.name}&seed=5")
    assert (now["picture"], now["seed"], now["instruction"]) == (example.picture, 5, example.instruction)
    assert now["view"] is now["shown"] is now["comparison"] is now["compared"] is None
    assert now["progress"] == texts.say(texts.LINKED) and (now["edits"], now["edits_chosen"]) == (24, False)
    now = linked(saved_runs, f"example={example.name}&instruction=make+it+night&editor=img2img-turbo&edits=6")
    assert (now["instruction"], now["edits"], now["edits_chosen"]) == ("make it night", 6, True)
    assert (now["editor"]["value"], now["weights"]["value"]) == ("img2img-turbo", "auto")
    now = linked(saved_runs, "instruction=paint+the+car+red&editor=inpaint&weights=bundled&seed=0")
    assert now["progress"] == texts.say(texts.LINKED_ALONE) and now["picture"] == list_examples()[0].picture
    assert (now["weights"]["value"], now["region_column"]["visible"], now["edits"]) == ("bundled", True, 16)


BAD_LINKS = {
    "example=nothing": "There is no example “nothing”; there is october-evening",
    "seed=-1": "seed must be a whole number",
    "seed=%3Cscript%3E": "&lt;script&gt;",
    "seed=1e999": "seed must be a whole number",
    "seed=": "seed must be a whole number",
    "edits=3": "3 edits are too few",
    "edits=1": "number of edits must be a whole number of at least 2",
    "edits=9999": "more than the 256",
    "editor=photoshop": "There is no editor called “photoshop”",
    "weights=/etc/passwd": "There are no weights “/etc/passwd”",
    "editor=inpaint&weights=bundled-edges": "There are no weights “bundled-edges” of inpaint",
    "instruction=": "instruction is empty",
    "instruction=" + "snow+" * 100: "100 words",
}


@pytest.mark.parametrize("query, sentence", BAD_LINKS.items(), ids=[query[:24] for query in BAD_LINKS])
def test_a_bad_link_is_one_sentence_and_the_page_stays(saved_runs, query, sentence):
    for prefix in ("", f"example={list_examples()[1].name}&"):
        now = linked(saved_runs, query if query.startswith("example") else prefix + query)
        assert set(now) == {"progress", "shown"} and sentence in now["progress"] and "<script" not in now["progress"]


def test_it_works_where_no_model_can_be_loaded(broken_page):
    assert Client(broken_page, verbose=False).view_api(return_format="dict")["named_endpoints"]
