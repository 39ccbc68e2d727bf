"""Answers that are there already, without a browser: examples, comparisons, bundles, links, files to take away.

No model can be loaded here, so whatever works does so without one.
"""

import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from asking import handlers, named, throw
from gradio_client import Client
from PIL import Image
from tiny import FakeBackend, FakeEmbedder, picture

from smile import explain
from smile.models.editors import EDITORS
from smile.ui import downloads, texts
from smile.ui.components import painted_region
from smile.ui.examples import examples, shown
from smile.ui.parts import FIELDS


@pytest.fixture
def replays():
    return handlers(lambda *_: throw(AssertionError("a model was loaded")))[2]


def clicked(index):
    return gr.EventData(None, {"index": index})


def linked(replays, query):
    return named(replays.link(SimpleNamespace(query_params=dict(parse_qsl(query, keep_blank_values=True)))))


def first(generator):
    """The first item, and then the end of what made it."""
    item = next(generator)
    generator.close()
    return item


# Examples


def test_every_example_is_replayed_at_once_and_fills_in_everything(replays):
    for index, example in enumerate(examples()):
        now = named(replays.pick(clicked(index)))
        explanation = shown(now["shown"])
        assert now["picture"] == example.picture and Path(example.picture).is_file()
        assert now["instruction"] == now["view"]["instruction"] == explanation.instruction == example.instruction
        assert now["editor"]["value"] == explanation.settings["editor"] == example.editor or example.compare
        assert now["weights"]["value"] == explanation.settings["editor_weights"] != "auto"
        assert now["weights"]["value"] in [value for _, value in now["weights"]["choices"]]
        assert (painted_region(now["region"]["value"]) is not None) == bool(example.painted)
        assert now["region_column"]["visible"] is EDITORS[now["editor"]["value"]].needs_region
        assert (now["edits"], now["seed"]) == (explanation.settings["edits"], explanation.settings["seed"])
        assert now["progress"] == texts.said(texts.REPLAYED) and now["view"]["source"] == texts.REPLAYED
        assert now["explain"]["interactive"] and not now["stop"]["interactive"]
        assert f"assets/examples/{example.name}.png" in now["view"]["python"]
    assert {example.editor for example in examples()} >= set(EDITORS)


def test_what_is_replayed_is_finished_and_the_first_says_something():
    assert not any(explanation.provisional for example in examples() for explanation in example.explanations().values())
    assert examples()[0].explanations()[examples()[0].editor].significant.any()


def test_the_comparison_is_replayed_and_each_editor_can_be_seen_in_full(replays):
    index, example = next((i, each) for i, each in enumerate(examples()) if each.compare)
    now = named(replays.pick(clicked(index)))
    assert [editor["name"] for editor in now["comparison"]["editors"]] == list(EDITORS)
    assert now["compared"] == example.name and now["comparison"]["source"] == texts.REPLAYED
    for number, name in enumerate(EDITORS):
        full = named(replays.look(now["compared"], example.picture, clicked(number)))
        assert full["view"]["facts"].startswith(name) and full["editor"]["value"] == name
        assert full["shown"] == (example.name, name)
    assert named(replays.pick(clicked(0)))["comparison"] is None


def made(editor="instruct-pix2pix", **options):
    return explain(picture(), "make it snow", FakeBackend(editor, "bundled"), embedder=FakeEmbedder(), **options)


def test_one_editor_of_a_comparison_that_was_run_is_seen_in_full(replays):
    compared = {"instruct-pix2pix": "It cannot.", "img2img-turbo": made("img2img-turbo", seed=3)}
    now = named(replays.look(compared, None, clicked(1)))
    assert now["view"]["facts"].startswith("img2img-turbo") and now["view"]["source"] == ""
    assert now["shown"] is compared["img2img-turbo"] and now["editor"]["value"] == "img2img-turbo"
    assert named(replays.look(compared, None, clicked(0))) == {"progress": texts.problem("It cannot.")}


def test_running_it_live_begins_with_the_fields_as_they_were(replays):
    (before,) = replays.refill((examples()[1].name, examples()[1].editor))
    assert named(before, FIELDS)["instruction"] == examples()[1].instruction
    (own,) = replays.refill(made(seed=9, surrogate="ridge"))
    own = named(own, FIELDS)
    assert (own["instruction"], own["seed"], own["surrogate"]) == ("make it snow", 9, "ridge")
    assert not Path(own["picture"]).exists()
    assert [*replays.refill(None)] == []


# Bundles and other files


@pytest.mark.parametrize("editor", EDITORS)
def test_what_is_taken_away_can_be_opened_again(replays, tmp_path, editor):
    region = Image.new("L", (48, 48))
    region.paste(255, (0, 0, 48, 12))
    takes = {"region": region} if EDITORS[editor].needs_region else {}
    options = {"seed": 7, "edits": 6, "seeds": 2, "noise_seeds": 1, "reference": "input", "surrogate": "ridge"}
    explanation = made(editor, **options, **takes)
    file, said = next(taking := downloads.take("zip", explanation))
    kept = Path(file).rename(tmp_path / "kept.zip")
    taking.close()
    assert said == "" and not Path(file).parent.exists()
    now = named(next(opening := replays.open(str(kept))))
    assert Image.open(now["picture"]).size == explanation.image.size
    opening.close()
    assert not Path(now["picture"]).exists()  # by then Gradio has its own copy
    assert now["instruction"] == "make it snow" and now["editor"]["value"] == editor and now["weights"]["value"] == "bundled"
    assert {name: now[name] for name in options} == options and now["chosen"] and now["steps"] == 10
    assert (painted_region(now["region"]["value"]) is not None) == bool(takes)
    assert now["view"]["source"] == texts.OPENED and now["progress"] == texts.said(texts.OPENED)
    assert now["view"]["edits"] == named(first(replays.open(str(kept))))["view"]["edits"] and now["comparison"] is None
    assert now["shown"].weights.tolist() == explanation.weights.tolist()


def test_a_bundle_of_somebodys_own_editor_says_that_it_is_not_here(replays, tmp_path):
    explanation = explain(
        picture(), "make it snow", FakeBackend("inpaint", "bundled"), embedder=FakeEmbedder(), region=picture()
    )
    explanation.settings |= {"editor": "own", "editor_weights": "own", "editor_settings": {"steps": "many"}}
    explanation.write(tmp_path / "own.zip")
    now = named(first(replays.open(str(tmp_path / "own.zip"))))
    assert texts.ELSEWHERE in now["view"]["source"] and "editor" not in now and "steps" not in now
    assert now["instruction"] == "make it snow"


def test_a_bad_bundle_is_one_sentence_and_the_page_stays(replays, tmp_path):
    (tmp_path / "notes.zip").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../explanation.json", "{}")
    for name in ("notes", "evil", "missing"):
        (now,) = (named(step) for step in replays.open(str(tmp_path / f"{name}.zip")))
        assert set(now) == {"progress"} and 'role="alert"' in now["progress"]


@pytest.mark.parametrize("kind", ("html", "zip", "json", "png"))
def test_every_file_is_what_its_name_says(kind):
    state = (examples()[0].name, examples()[0].editor)
    file, _ = next(taking := downloads.take(kind, state))
    assert Path(file).name == f"{examples()[0].instruction.replace(' ', '-')}.{kind}"
    content = Path(file).read_bytes()
    begins = {"json": b"{", "zip": b"PK", "html": b"<!doctype html>", "png": b"\x89PNG"}
    assert content.startswith(begins[kind])
    if kind == "json":
        assert json.loads(content)["instruction"] == examples()[0].instruction
    taking.close()
    assert not Path(file).parent.exists()


def test_nothing_to_take_away_is_a_sentence():
    ((file, said),) = downloads.take("zip", None)
    assert file is None and texts.NOTHING in said


def test_names_of_files_are_short_and_plain():
    assert downloads.slug("Make it SNOW, s'il vous plaît!") == "make-it-snow-s-il-vous-plait"
    assert downloads.slug("../../etc/passwd\0") == "etc-passwd" and downloads.slug("雪を降らせて") == "explanation"
    assert len(downloads.slug("word " * 64)) <= downloads.LONGEST and len(downloads.slug("w" * 900)) == downloads.LONGEST


# Links


def test_without_a_link_the_first_example_is_what_is_shown(replays):
    assert linked(replays, "embed=1&__theme=dark") == {"shown": (examples()[0].name, examples()[0].editor)}


def test_a_link_to_an_example_replays_it(replays):
    for index, example in enumerate(examples()):
        clicks = replays.pick(clicked(index))
        assert linked(replays, f"example={example.name}") == named(clicks)
        assert linked(replays, named(clicks)["view"]["link"]) == named(clicks)
    comparison = next(example for example in examples() if example.compare)
    for name in comparison.compare:
        full = named(replays.look(comparison.name, None, clicked(comparison.compare.index(name))))
        assert linked(replays, full["view"]["link"]) == full


def test_a_link_fills_in_what_it_names_and_waits(replays):
    example = examples()[1]
    now = linked(replays, f"example={example.name}&seed=5")
    assert (now["picture"], now["seed"], now["instruction"]) == (example.picture, 5, example.instruction)
    assert now["view"] is now["shown"] is now["comparison"] is now["compared"] is None
    assert now["progress"] == texts.said(texts.LINKED) and (now["edits"], now["chosen"]) == (16, False)
    now = linked(replays, f"example={example.name}&instruction=make+it+night&editor=img2img-turbo&edits=6")
    assert (now["instruction"], now["edits"], now["chosen"]) == ("make it night", 6, True)
    assert (now["editor"]["value"], now["weights"]["value"]) == ("img2img-turbo", "auto")
    now = linked(replays, "instruction=paint+the+car+red&editor=inpaint&weights=bundled&seed=0")
    assert now["progress"] == texts.said(texts.LINKED_ALONE) and now["picture"] == examples()[0].picture
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
def test_a_bad_link_is_one_sentence_and_the_page_stays(replays, query, sentence):
    for prefix in ("", f"example={examples()[1].name}&"):
        now = linked(replays, query if query.startswith("example") else prefix + query)
        assert set(now) == {"progress", "shown"} and sentence in now["progress"] and "<script" not in now["progress"]


def test_it_works_where_no_model_can_be_loaded(broken_page):
    assert Client(broken_page, verbose=False).view_api(return_format="dict")["named_endpoints"]
