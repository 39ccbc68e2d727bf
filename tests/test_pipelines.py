"""Diffusers pipelines of classes that have no code of their own here, on random weights: called plainly."""

import inspect
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tiny import dinov2_folder, picture, values
from tiny_editors import XL, kontext_folder, xl_folder

from smile import InputError, explain, load_editor, load_embedder
from smile.io.images import fit_picture
from smile.models.editors.catalogue import find_class
from smile.models.editors.inpaint import Inpaint
from smile.models.editors.instruct_pix2pix import InstructPix2Pix
from smile.models.editors.plain import PlainPipeline, map_settings

TEXTS = ["make it snow", "snow", ""]


@pytest.fixture(scope="module", params=list(XL))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return xl_folder(tmp_path_factory.mktemp(name), name)


@pytest.fixture(scope="module")
def editor(name, folder):
    return load_editor(name, weights=str(folder))


@pytest.fixture(scope="module")
def region(name):
    if name != "inpaint":
        return {}
    painted = Image.new("L", (64, 64))
    ImageDraw.Draw(painted).line([(19, 3), (19, 60)], fill=255, width=2)
    return {"region": painted}


def test_it_loads_by_the_same_function_and_edits(editor, name, region):
    assert isinstance(editor, PlainPipeline) and editor.name == name and editor.takes_region == (name == "inpaint")
    assert editor.working_size == 32 and editor.batch_size == (1 if region else 8) and editor.dtype == "float32"
    expected = {"steps": 2, "guidance": 3.0} | ({} if region else {"image_guidance": 1.5})
    assert editor.settings == expected
    before = torch.get_rng_state()
    edits = editor.edit(picture((64, 64)), TEXTS, seed=3, **region)
    assert torch.equal(torch.get_rng_state(), before)
    assert [edit.size for edit in edits] == [(32, 32)] * 3
    again = editor.edit(picture((64, 64)), TEXTS[::-1], seed=3, **region)[::-1]
    assert np.array_equal(values(edits), values(again))
    assert np.abs(values(edits) - values(editor.edit(picture((64, 64)), TEXTS, seed=4, **region))).max() > 0.02
    assert np.abs(values(edits)[0] - values(edits)[2]).max() > 0.005


@pytest.mark.parametrize("size", [(1040, 720), (333, 1000)])
def test_photographs_of_any_size(editor, name, size):
    editor.working_size = 104
    region = {"region": Image.new("L", size, 255)} if name == "inpaint" else {}
    try:
        edit = editor.edit(picture(size), ["snow"], seed=0, **region)[0]
    finally:
        editor.working_size = 32
    assert edit.size == fit_picture(picture(size), 104).size


def test_it_equals_the_pipeline_called_by_hand(editor, name, region):
    small = picture((32, 32))
    mine = {} if not region else {"region": Image.new("L", (32, 32), 255)}
    theirs = {} if not region else {"mask_image": mine["region"]}
    theirs |= {} if region else {"image_guidance_scale": 1.5}
    ours = editor.edit(small, ["make it snow"], seed=7, **mine)[0]
    plain = editor.pipeline(
        "make it snow", image=small, height=32, width=32, num_inference_steps=2, guidance_scale=3.0,
        generator=torch.Generator("cpu").manual_seed(7), **theirs,
    ).images[0]  # fmt: skip
    assert np.array_equal(np.asarray(ours), np.asarray(plain))


@pytest.mark.parametrize("name", ["inpaint"], indirect=True)
def test_outside_the_region_every_pixel_stays_and_a_thin_stroke_is_not_lost(editor, region):
    before = picture((64, 64)).resize((32, 32), Image.Resampling.LANCZOS)
    seen, forward = [], editor.pipeline.unet.forward
    editor.pipeline.unet.forward = lambda x, *a, **k: seen.append(x) or forward(x, *a, **k)
    edit = editor.edit(picture((64, 64)), ["a red car"], seed=0, **region)[0]
    del editor.pipeline.unet.forward
    assert seen[0][0, 4].T.tolist() == [[0.0] * 4, [1.0] * 4, [0.0] * 4, [0.0] * 4]  # the region at the latents' size
    change = np.abs(np.asarray(edit, float) - np.asarray(before)).sum(axis=2)
    assert (change[3:29, 9] > 0).mean() > 0.9 and not change[:, :9].any() and not change[:, 11:].any()


def test_what_it_reads(editor):
    table = editor.pipeline.text_encoder.get_input_embeddings().weight.numpy()
    ids = editor.pipeline.tokenizer("ab", add_special_tokens=False).input_ids
    assert np.array_equal(editor.token_embeddings("ab"), table[ids]) and editor.token_embeddings("").shape[0] == 0
    text = " ".join(f"word{i}x" for i in range(20))
    assert editor.lost_words("make it snow") == [] and editor.lost_words(text)[-1] == "word19x"


def test_a_word_is_lost_only_where_every_text_encoder_loses_it(tmp_path, capfd):
    """FLUX.1 Kontext, whose T5 reads more than its CLIP, and which makes pictures of a size of its own."""
    editor = load_editor("instruct-pix2pix", weights=str(kontext_folder(tmp_path)), steps=1)
    assert editor.settings == {"steps": 1, "guidance": 2.5} and editor.working_size == 1024
    capfd.readouterr()
    assert editor.lost_words("word " * 80) == [] and len(editor.lost_words("abcdef " * 100)) == 27
    assert len(editor.token_embeddings("word " * 80)) == 320
    editor.working_size = 64
    assert editor.edit(picture((64, 48)), ["make it snow"], seed=0)[0].size == (64, 48)
    assert "".join(capfd.readouterr()) == ""


def test_a_pipeline_that_reads_no_tokens_has_no_embeddings_to_offer(folder, name, region):
    editor = load_editor(name, weights=str(folder))
    assert hasattr(editor, "token_embeddings")
    editor.pipeline.register_modules(tokenizer=None)
    assert not hasattr(editor, "token_embeddings") and editor.lost_words("word " * 200) != []  # by the second
    editor.pipeline.register_modules(tokenizer_2=None)
    assert editor.lost_words("word " * 200) == []


def test_a_whole_explanation(editor, region, tmp_path):
    embedder = load_embedder(str(dinov2_folder(tmp_path)))
    explanation = explain(picture((64, 64)), "make it snow", editor, embedder=embedder, locality="wmd", noise_seeds=1, **region)
    assert explanation.settings["locality"] == "wmd" and np.isfinite(explanation.weights).all()


def test_a_picture_of_another_size_is_brought_back(editor, region):
    pipeline = editor.pipeline
    editor.pipeline = Larger(pipeline)
    try:
        assert editor.edit(picture((64, 64)), ["a"], seed=0, **region)[0].size == (32, 32)
    finally:
        editor.pipeline = pipeline


class Larger:
    """A pipeline that makes pictures of its own size, or none."""

    def __init__(self, pipeline, makes=True):
        self.components, self.makes = pipeline.components, makes

    def __call__(self, prompt, image, generator, mask_image=None):
        class Result:
            images = [Image.new("RGB", (50, 60))]  # noqa: RUF012

        return Result if self.makes else object()


def test_a_pipeline_that_makes_no_pictures_is_one_sentence(editor, region):
    pipeline = editor.pipeline
    editor.pipeline = Larger(pipeline, makes=False)
    try:
        with pytest.raises(InputError, match="does not return a picture"):
            editor.edit(picture((64, 64)), ["a"], seed=0, **region)
    finally:
        editor.pipeline = pipeline


@pytest.mark.parametrize(
    "name, ours, settings",
    [
        ("StableDiffusionXLInstructPix2PixPipeline", InstructPix2Pix, ["steps", "guidance", "image_guidance"]),
        ("FluxKontextPipeline", InstructPix2Pix, ["steps", "guidance"]),
        ("QwenImageEditPipeline", InstructPix2Pix, ["steps", "guidance"]),
        ("StableDiffusionXLInpaintPipeline", Inpaint, ["steps", "guidance"]),
        ("FluxFillPipeline", Inpaint, ["steps", "guidance"]),
    ],
)
def test_known_classes_suit(name, ours, settings):
    found = find_class({"_class_name": name}, "somewhere", ours.takes_region)
    names = map_settings(inspect.signature(found.__call__).parameters)
    assert list(names) == settings
    assert (names["guidance"] == "true_cfg_scale") == name.startswith("Qwen")


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "UNet2DConditionModel", "NoSuchPipeline", None, ["a", "B"], 7])
def test_a_class_that_does_not_suit_is_one_sentence(name, tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
    for editor, wanted in (("instruct-pix2pix", "and no mask_image"), ("inpaint", "and a mask_image")):
        with pytest.raises(InputError, match=f"so it is no {editor} editor.*{wanted}") as caught:
            load_editor(editor, weights=str(tmp_path))
        assert "\n" not in str(caught.value)


def test_an_inpainting_pipeline_is_not_taken_for_an_instruct_one_and_the_other_way_round(folder, name):
    other = next(other for other in XL if other != name)
    with pytest.raises(InputError, match=f"so it is no {other} editor"):
        load_editor(other, weights=str(folder))
