"""Edits that overflow in half precision: found at the source, tried again in single precision, and never taken for pictures."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import FakeEmbedder, instruct_pix2pix_folder, picture, values
from tiny_editors import klein_folder, xl_folder
from turbo import small

from smile import InputError, explain, load_editor
from smile.models.editors.img2img_turbo import load

TEXTS = ["make it snow", "snow", ""]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("editors")
    inpaint = xl_folder(root / "xl", "inpaint")
    return {"own steps": instruct_pix2pix_folder(root / "ip2p"), "plain": klein_folder(root / "klein"), "inpaint": inpaint}


@pytest.fixture(params=["own steps", "plain", "inpaint", "turbo"])
def editor(request, folders, sd_turbo, published):
    """Each kind of editor in bfloat16, as on a GPU or a CPU that multiplies it."""
    if request.param == "turbo":
        editor = small(load(published["edges"][1], base=sd_turbo))
    else:
        editor = load_editor(str(folders[request.param])).with_settings(steps=2)
        editor.working_size = 64
    for model in editor.list_models():
        model.to(torch.bfloat16)
    return editor


def region_of(editor):
    return {"region": Image.new("L", (64, 64), 255)} if editor.takes_region else {}


def overflow(editor, monkeypatch, texts=None, always=False):
    """The decoder's output is not a number: for all items, or those whose number is in `texts`, in half precision or always."""
    decoder = editor.pipeline.get_turbo(1.0).vae.decoder if editor.name == "img2img-turbo" else editor.pipeline.vae.decoder
    last = decoder.conv_out

    def broken(module, inputs, output):
        if always or output.dtype != torch.float32:
            output = output.clone()
            output[slice(None) if texts is None else texts] = float("nan")
        return output

    return last.register_forward_hook(broken)


def test_overflow_is_tried_again_in_single_precision_and_nothing_else_changes(editor, monkeypatch, recwarn):
    given = region_of(editor)
    before = values(editor.edit(picture((64, 64)), TEXTS, seed=0, **given))
    hook = overflow(editor, monkeypatch)
    edits = editor.edit(picture((64, 64)), TEXTS, seed=0, **given)
    assert None not in edits and not editor.failure and not [w for w in recwarn if "overflowed" in str(w.message)]
    assert editor.dtype == "bfloat16", "and half precision is used again"
    hook.remove()
    assert np.array_equal(values(editor.edit(picture((64, 64)), TEXTS, seed=0, **given)), before)
    for model in editor.list_models():
        model.float()
    editor._forget()
    assert np.array_equal(values(editor.edit(picture((64, 64)), TEXTS, seed=0, **given)), values(edits))


def test_what_overflows_even_so_is_a_failed_edit_with_a_sentence(editor, monkeypatch):
    overflow(editor, monkeypatch, always=True)
    with pytest.warns(UserWarning, match=r"[13] of the edits overflowed in half precision \(bfloat16\)"):
        assert editor.edit(picture((64, 64)), TEXTS, seed=0, **region_of(editor)) == [None] * 3
    with pytest.raises(InputError, match="nothing to compare with.* overflowed in half precision"), pytest.warns(UserWarning):
        explain(picture((64, 64)), "make it snow", editor, embedder=FakeEmbedder(), edits=8, **region_of(editor))


@pytest.mark.parametrize("editor", ["own steps", "plain"], indirect=True)
def test_of_a_batch_only_what_overflowed_fails(editor, monkeypatch):
    for model in editor.list_models():
        model.float()
    expected = values(editor.edit(picture((64, 64)), TEXTS, seed=0))
    overflow(editor, monkeypatch, texts=[1], always=True)
    with pytest.warns(UserWarning, match="1 of the edits overflowed in single precision"):
        edits = editor.edit(picture((64, 64)), TEXTS, seed=0)
    assert [edit is None for edit in edits] == [False, True, False]
    assert np.array_equal(values([edits[0], edits[2]]), expected[[0, 2]])


@pytest.mark.parametrize("editor", ["own steps"], indirect=True)
def test_without_memory_for_single_precision_the_edit_fails(editor, monkeypatch):
    overflow(editor, monkeypatch)
    run = editor.edit_batch

    def tight(prepared, texts, generators):
        if editor.dtype == "float32":
            raise torch.OutOfMemoryError("no")
        return run(prepared, texts, generators)

    editor.edit_batch = tight
    with pytest.warns(UserWarning, match="without room for it"):
        assert editor.edit(picture((64, 64)), TEXTS, seed=0) == [None] * 3
    assert editor.dtype == "bfloat16"
