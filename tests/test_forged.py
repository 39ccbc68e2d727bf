"""Bundles that somebody forged: each is refused in one sentence, or what nobody checked is said on the page, in the HTML and
by `export`."""

import hashlib
import html
import io
import json
import zlib

import numpy as np
import pytest
from asking import build_edit_tab, read, throw
from bundles import changed, content, json_of, rewritten, whole, written
from hostile.pictures import header_only, png
from PIL import Image
from test_schema import put
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain, load
from smile.__main__ import main
from smile.ui import texts

REFUSED, MARKED = "refused", "marked"


class Liar(FakeEmbedder):
    """Makes one word's edits look far away, and calls itself by another's name."""

    name = "dinov2"

    def embed(self, images):
        vectors, patches = super().embed(images)
        blue = np.array([np.asarray(image)[..., 2].mean() < 90 for image in images])
        return vectors + 9.0 * blue[:, None], patches + 9.0 * blue[:, None, None]


class Renamed(FakeEditor):
    name = "instruct-pix2pix"
    weights = "full"


def with_picture(name, data, hashed=False):
    """The bundle with another picture, whose hash is put right if `hashed`."""

    def forge():
        made = rewritten(whole(), {name: data})
        if not hashed:
            return made
        shown = Image.open(io.BytesIO(data))
        own = hashlib.sha256(f"{shown.mode} {shown.size} ".encode() + shown.tobytes()).hexdigest()

        def change(values):
            values["files"] = [f"{name} {own}" if line.startswith(name) else line for line in values["files"]]

        return changed(made, change)

    return forge


def swapped():
    edits = {name: content(whole(), name) for name in (f"edits/{n:03}.png" for n in (0, 1, 2, 3))}
    other = next(name for name, data in edits.items() if data != edits["edits/000.png"])
    return rewritten(whole(), {"edits/000.png": edits[other], other: edits["edits/000.png"]})


def made(editor, embedder):
    return written(explain(picture(), "make it snow at night", editor, embedder=embedder))


def in_json(*path, value):
    return lambda: changed(whole(), put(*path, value=value))


def scaled(name, factor):
    def change(values):
        values[name] = [None if value is None else value * factor for value in values[name]]

    return lambda: changed(whole(), change)


def believable_p_values(values):
    values["p_values"] = [1e-6] * len(values["words"])
    values["p_values_holm"] = [5e-6] * len(values["words"])
    values["settings"]["permutations"] = 2_000_000


def another_text(values):
    values["instruction"] = values["instruction"].replace("night", "dusk")
    values["words"][-1] = "dusk"
    values["texts"] = [text.replace("night", "dusk") for text in values["texts"]]


def heavy():
    """Pictures of 64 million pixels each in some kilobytes."""
    rows = zlib.compress(bytes(1001 * 8000), 9)
    return rewritten(whole(), {f"edits/{n:03}.png": header_only(8000, 8000, 1, 0, rows) for n in range(4)})


def many():
    """Pictures of 5 million pixels each, which are sound: 15 of them are 218 MB in memory."""
    data = png((2200, 2200), colour="red")
    return rewritten(whole(), {f"edits/{n:03}.png": data for n in range(16) if n != 5})


FORGED = {
    # numbers
    "p-values of a millionth with 2,000,000 permutations": (lambda: changed(whole(), believable_p_values), REFUSED),
    "p-values halved": (scaled("p_values", 0.5), REFUSED),
    "weights doubled": (scaled("weights", 2), REFUSED),
    "intervals narrowed": (scaled("ci_low", 0.9), REFUSED),
    "distances doubled": (scaled("distances", 2), REFUSED),
    "maps made weaker": (in_json("maps", 0, 0, 0, value=0.5), REFUSED),
    "a noise floor of nothing": (in_json("noise_floor", value=0.0), REFUSED),
    "a fidelity of one": (in_json("fidelity", "R2_weighted", value=1.0), REFUSED),
    "distances of an embedder that lies": (lambda: made(FakeEditor(), Liar()), MARKED),
    # settings
    "another seed": (in_json("settings", "seed", value=7), REFUSED),
    "another design": (in_json("settings", "design", value="random"), REFUSED),
    "a design praised": (in_json("settings", "design_description", value="exhaustive: all of them"), REFUSED),
    "another locality": (in_json("settings", "locality", value="none"), REFUSED),
    "another width": (in_json("settings", "sigma", value=0.01), REFUSED),
    "another surrogate": (in_json("settings", "surrogate", value="ridge"), REFUSED),
    "an editor with a better name": (lambda: made(Renamed(), FakeEmbedder()), MARKED),
    # pictures
    "an edit exchanged": (with_picture("edits/003.png", png((48, 48), colour="red")), REFUSED),
    "an edit exchanged, with its hash": (with_picture("edits/003.png", png((48, 48), colour="red"), hashed=True), REFUSED),
    "two edits swapped": (swapped, REFUSED),
    "another input, with its hash": (with_picture("input.png", png((48, 48), colour="red"), hashed=True), MARKED),
    "no hashes": (in_json("files", value=[]), MARKED),
    # texts
    "other words": (lambda: changed(whole(), another_text), MARKED),
    "another finding": (in_json("finding", value="Everything is significant."), MARKED),
    "a text exchanged": (in_json("texts", 2, value="make it rain"), REFUSED),
    # sizes and limits
    "pictures of 64 million pixels": (heavy, REFUSED),
    "many large pictures": (many, REFUSED),
    "edits without end": (in_json("settings", "edits", value=4096), REFUSED),
    "a million words": (in_json("words", value=["a"] * 10**6), REFUSED),
}


@pytest.fixture(scope="module")
def saved_runs():
    return build_edit_tab(lambda *_: throw(AssertionError("a model was loaded"))).saved_runs


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_bundle_is_refused_or_marked(name, tmp_path, saved_runs, capsys, monkeypatch):
    forge, outcome = FORGED[name]
    (tmp_path / "a.zip").write_bytes(forge())
    step = next(saved_runs.open_bundle(str(tmp_path / "a.zip")))
    now = read(saved_runs.open_bundle, step)
    if outcome == REFUSED:
        assert "view" not in now and "shown" not in now
        assert "not an explanation" in now["progress"] or "do not follow from its edits" in now["progress"]
        return
    monkeypatch.setattr("smile.report.html.files.PLOTLY_JS", tmp_path / "plotly.js")
    (tmp_path / "plotly.js").write_text("")
    said = load(tmp_path / "a.zip").unchecked
    assert said.startswith("Not checked") and "made these pictures" in said and "how far apart" in said
    assert said in now["view"]["source"] and said in html.unescape(now["progress"])
    assert "Everything is significant" not in json.dumps(now["view"])
    assert main(["export", str(tmp_path / "a.zip"), "--out", str(tmp_path / "a.html")]) == 0
    assert said in capsys.readouterr().err and json.dumps(said)[1:-1] in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_there_are_enough_and_what_is_whole_is_marked_as_well():
    assert len(FORGED) >= 25 and json_of(whole())["files"][0].startswith("input.png ")
    assert texts.OPENED.startswith("Opened from a file")
