"""The safety checker, on weights that flag everything or nothing: who is checked, by whom, and what becomes of it."""

import json

import numpy as np
import pytest
from layouts import INPAINTING_2, INSTRUCT_PIX2PIX, TINY, in_cache, use_cache, write_pipeline, write_safety_checker
from PIL import Image
from tiny import dinov2_folder, picture

from smile import InputError, explain, load_editor, load_embedder
from smile.models.editors.safety import REPOSITORY, needs_checker

pytestmark = pytest.mark.model


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache and no network."""
    monkeypatch.delenv("SYSTEM", raising=False)
    use_cache(tmp_path / "hub", monkeypatch)
    return tmp_path / "hub"


def folder_with(folder, *, flags, layout=INSTRUCT_PIX2PIX):
    write_pipeline(folder, layout, TINY)
    (folder / "editor.json").write_text(json.dumps({"size": 32, "steps": 1, "guidance": 1.0}))
    if layout["safety_checker"]:
        write_safety_checker(folder / "safety_checker", TINY, flags=flags)
    return str(folder)


def test_on_a_public_space_and_wherever_it_is_asked_for_but_not_for_drawn_scenes(monkeypatch):
    monkeypatch.delenv("SYSTEM", raising=False)
    assert [needs_checker(safety, "full") for safety in (None, True, False)] == [False, True, False]
    monkeypatch.setenv("SYSTEM", "spaces")
    assert [needs_checker(safety, "full") for safety in (None, True, False)] == [True, True, False]
    assert not any(needs_checker(safety, kind) for safety in (None, True) for kind in ("bundled", "bundled-edges"))


@pytest.mark.parametrize("flags", [True, False])
def test_the_folders_own_checker_blocks_what_it_flags(tmp_path, hub, flags, capfd):
    editor = load_editor("instruct-pix2pix", folder_with(tmp_path / "own", flags=flags), safety=True)
    edits = editor.edit(picture(), ["make it snow", ""], seed=0)
    assert [edit is None for edit in edits] == [flags, flags]
    assert editor.with_settings(steps=2).checker is editor.checker
    assert "".join(capfd.readouterr()) == ""


def test_off_means_that_nothing_is_loaded_or_blocked(tmp_path, hub):
    for safety in (None, False):
        editor = load_editor("instruct-pix2pix", folder_with(tmp_path / str(safety), flags=True), safety=safety)
        assert editor.checker is None and editor.pipeline.safety_checker is None
        assert isinstance(editor.edit(picture(), [""], seed=0)[0], Image.Image)


def test_the_published_checker_where_the_folder_has_none(tmp_path, hub, monkeypatch):
    write_safety_checker(in_cache(hub, REPOSITORY), TINY, flags=True, alone=True)
    monkeypatch.setenv("SYSTEM", "spaces")
    weights = folder_with(tmp_path / "inpaint", flags=False, layout=INPAINTING_2)
    everything = Image.new("L", (32, 32), 255)
    assert load_editor("inpaint", weights).edit(picture((32, 32)), ["a", "b"], seed=0, region=everything) == [None, None]
    assert load_editor("instruct-pix2pix", "bundled", safety=True).checker is None


def test_never_silently_unchecked(tmp_path, hub):
    weights = folder_with(tmp_path / "inpaint", flags=False, layout=INPAINTING_2)
    with pytest.raises(InputError, match="safety checker weights CompVis.* could not be downloaded") as caught:
        load_editor("inpaint", weights, safety=True)
    assert "\n" not in str(caught.value)
    weights = folder_with(tmp_path / "damaged", flags=False)
    (tmp_path / "damaged" / "safety_checker" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="safety checker weights CompVis"):
        load_editor("instruct-pix2pix", weights, safety=True)


class FlagsSome:
    """Stands in for a checker that flags some pictures: those whose text is named."""

    def __init__(self, editor, texts):
        self.texts, run = texts, editor.edit_batch
        editor.edit_batch = lambda prepared, batch, generators: [*zip(run(prepared, batch, generators), batch, strict=True)]

    def __call__(self, edited):
        return [None if text in self.texts else image for image, text in edited]


def test_an_explanation_leaves_blocked_edits_out_and_counts_them(tmp_path, hub):
    editor = load_editor("instruct-pix2pix", folder_with(tmp_path / "own", flags=False))
    editor.checker = FlagsSome(editor, {"make it", "snow"})
    embedder = load_embedder(str(dinov2_folder(tmp_path / "dino")))
    explanation = explain(picture(), "make it snow", editor, embedder=embedder, design="exhaustive", noise_seeds=0)
    blocked = [text in ("make it", "snow") for text in explanation.texts]
    assert explanation.failed == 2 and np.isnan(explanation.distances).tolist() == blocked
    assert np.isfinite(explanation.weights).all()


def test_an_instruction_whose_own_edit_is_blocked_is_one_sentence(tmp_path, hub):
    editor = load_editor("instruct-pix2pix", folder_with(tmp_path / "own", flags=True), safety=True)
    with pytest.raises(InputError, match="failed or was blocked"):
        explain(picture(), "make it snow", editor, embedder="bundled")
