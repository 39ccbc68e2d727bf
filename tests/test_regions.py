"""The region on the page, without a browser: painted, named, from a file, and everything that is no region."""

import base64
import io

import gradio as gr
import numpy as np
import pytest
from asking import ask, bad_files, build_edit_tab, read, region_file, skipped
from PIL import Image
from tiny import FakeSegmenter, picture

from smile.ui import engine as page_engine
from smile.ui.components import draw_canvas, draw_region, read_region


@pytest.fixture
def form():
    return build_edit_tab().form


@pytest.fixture
def answer():
    return build_edit_tab().answer


def painting(box, size=(512, 512)):
    """What RegionPainter sends when `box` is painted."""
    region = Image.new("L", size)
    region.paste(255, box)
    return draw_region(region)


def test_inpainting_changes_the_read_region_only(answer, picture_file):
    *_, before, last = ask(answer.explain, picture_file, editor="inpaint", region=painting((0, 0, 512, 128)))
    shown = before["shown"]
    assert "Done" in last["progress"] and shown.settings["region"] and shown.region.getbbox() == (0, 0, 48, 12)
    full, picture = np.asarray(shown.edits[0]), np.asarray(shown.image)
    assert (full[12:] == picture[12:]).all() and (full[:12] != picture[:12]).any()


def test_nothing_painted_is_one_sentence(answer, picture_file):
    for painted in ("", None, painting((0, 0, 0, 0))):
        (only,) = ask(answer.explain, picture_file, editor="inpaint", region=painted)
        assert "inpaint needs a region" in only["progress"] and only["view"]["notice"]["kind"] == "refused"
    *_, last = ask(answer.explain, picture_file, region=painting((0, 0, 512, 128)))  # left from another editor
    assert "Done" in last["progress"]


def bomb(side):
    """A PNG of `side` squared pixels in a few kilobytes, as a data URL."""
    buffer = io.BytesIO()
    Image.new("1", (side, side)).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def test_hostile_paintings_are_one_sentence(answer, picture_file):
    jpeg = draw_canvas(picture())
    for painted in ("hello", "data:image/png;base64,AAAA", jpeg, bomb(13000), bomb(600), ["list"], {"a": 1}, 7):
        for handler in (answer.explain, answer.compare):
            (only,) = ask(handler, picture_file, editor="inpaint", region=painted)
            assert "painted region cannot be read" in only["progress"]


def test_another_picture_clears_the_region(form, picture_file, tmp_path):
    shown = form.show_canvas(picture_file)
    assert shown["picture"].startswith("data:image/jpeg") and shown["value"] == ""
    assert form.show_canvas(None) == gr.update(picture="", value="")
    assert form.show_canvas(bad_files(tmp_path)["bomb"]) == gr.update(picture="", value="")


def test_a_region_can_be_named_or_given_as_a_file(form, picture_file, tmp_path, monkeypatch):
    monkeypatch.setattr(page_engine, "_load_segmenter", lambda *_: FakeSegmenter())

    def ask_for(handler, *asked):
        now = read(handler, handler(*asked))
        return now["region"], now["progress"]

    region, said = ask_for(form.find_region, picture_file, " the sky ")
    assert read_region(region["value"]).getbbox() == (0, 0, 48, 24) and "Found" in said
    region, said = ask_for(form.find_region, picture_file, "the bicycle")
    assert skipped(region) and "the bicycle" in said
    assert "Say what to look for" in ask_for(form.find_region, picture_file, " ")[1]
    assert "no picture" in ask_for(form.find_region, None, "the sky")[1]
    region, said = ask_for(form.use_region_file, picture_file, region_file(tmp_path))
    assert read_region(region["value"]).getbbox() == (0, 0, 48, 12) and said == ""
    for file in bad_files(tmp_path).values():
        region, said = ask_for(form.use_region_file, picture_file, file)
        assert skipped(region) and ("not a picture" in said or "more than 64 million" in said)
