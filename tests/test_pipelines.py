"""Diffusers pipelines of classes that have no code of their own here, on random weights: called plainly."""

import inspect
import json

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tiny import byte_tokenizer, dinov2_folder, picture, values

from smile import InputError, explain, load_editor, load_embedder
from smile.io.images import fit_picture
from smile.models.editors.inpaint import Inpaint
from smile.models.editors.instruct_pix2pix import InstructPix2Pix
from smile.models.editors.pipelines import PlainPipeline, find_class, map_settings

TEXTS = ["make it snow", "snow", ""]
XL = {
    "instruct-pix2pix": (diffusers.StableDiffusionXLInstructPix2PixPipeline, 8),
    "inpaint": (diffusers.StableDiffusionXLInpaintPipeline, 9),
}
EULER = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def xl_folder(folder, name):
    """A tiny SDXL folder: two text encoders, and time ids beside the pooled text."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(0)
    pipeline, channels = XL[name]
    tokenizer = byte_tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        projection_dim=16, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, initializer_factor=20.0,
    )  # fmt: skip
    small = {"norm_num_groups": 4, "layers_per_block": 1}
    pipeline(
        vae=diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(8, 8, 16, 16), **small,
        ),
        unet=diffusers.UNet2DConditionModel(
            in_channels=channels, sample_size=4, block_out_channels=(8, 16), cross_attention_dim=32, attention_head_dim=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=6 * 4 + 16, **small,
        ),
        text_encoder=CLIPTextModel(text),
        text_encoder_2=CLIPTextModelWithProjection(text),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        scheduler=diffusers.EulerDiscreteScheduler(**EULER),
    ).save_pretrained(folder)  # fmt: skip
    (folder / "editor.json").write_text(json.dumps({"steps": 2, "guidance": 3.0}))
    return folder


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
    assert editor.working_size == 32 and editor.batch_size == 1 and editor.dtype == "float32"
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
    editor = load_editor("instruct-pix2pix", weights=str(flux_folder(tmp_path)), steps=1)
    assert editor.settings == {"steps": 1, "guidance": 3.5} and editor.working_size == 1024
    capfd.readouterr()
    assert editor.lost_words("word " * 80) == [] and len(editor.lost_words("abcdef " * 100)) == 27
    assert len(editor.token_embeddings("word " * 80)) == 320
    editor.working_size = 64
    assert editor.edit(picture((64, 48)), ["make it snow"], seed=0)[0].size == (64, 48)
    assert "".join(capfd.readouterr()) == ""


def flux_folder(folder):
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel, T5TokenizerFast

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    letters = [(letter, -1.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    other = T5TokenizerFast(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *letters], model_max_length=512, extra_ids=0)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    diffusers.FluxKontextPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=diffusers.AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4, 4, 4, 4), norm_num_groups=2, layers_per_block=1, latent_channels=4, use_quant_conv=False,
            use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5, mid_block_add_attention=False,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(other), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        ),
        tokenizer_2=other,
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=1,
            joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=(4, 4, 8),
        ),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def test_a_pipeline_that_reads_no_tokens_has_no_embeddings_to_offer(folder, name, region):
    editor = load_editor(name, weights=str(folder))
    assert hasattr(editor, "token_embeddings")
    editor.pipeline.register_modules(tokenizer=None)
    assert not hasattr(editor, "token_embeddings") and editor.lost_words("word " * 200) != []  # by the second
    editor.pipeline.register_modules(tokenizer_2=None)
    assert editor.lost_words("word " * 200) == []


def test_a_whole_explanation(editor, region, tmp_path):
    embedder = load_embedder(str(dinov2_folder(tmp_path)))
    explanation = explain(
        picture((64, 64)), "make it snow", editor, embedder=embedder, design="exhaustive", noise_seeds=1, **region
    )
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
    found = find_class({"_class_name": name}, ours, "somewhere")
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
