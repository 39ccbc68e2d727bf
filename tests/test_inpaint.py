"""Inpaint through its real loader, on random weights: what is outside the region stays, and all that editors share."""

import json

import diffusers
import numpy as np
import pytest
import torch
from layouts import INPAINTING, TINY, write_pipeline
from PIL import Image, ImageDraw
from tiny import dinov2_folder, picture, values

from smile import InputError, explain, load_editor, load_embedder
from smile.io.images import fit_picture, fit_region

TEXTS = ["a red car", "a car", "", "red"]


def folder_with(folder, channels=9, **own):
    """A tiny inpainting folder whose UNet takes so many channels; 64 pixels, two steps."""
    write_pipeline(folder, INPAINTING | {"sizes": {"in_channels": channels}}, TINY)
    (folder / "editor.json").write_text(json.dumps({"size": 64, "steps": 2, "guidance": 3.0} | own))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return folder_with(tmp_path_factory.mktemp("inpaint"))


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return folder_with(tmp_path_factory.mktemp("four"), channels=4)


@pytest.fixture(params=["folder", "four"])
def editor(request):
    return load_editor("inpaint", weights=str(request.getfixturevalue(request.param)))


def painted(size=(64, 64), box=(20, 12, 47, 40)):
    region = Image.new("L", size)
    ImageDraw.Draw(region).rectangle([box[0], box[1], box[2] - 1, box[3] - 1], fill=255)
    return region


def decoded(editor, texts, seed=3, region=None):
    """What the editor decodes, as floats in [0, 1], so that batches are compared before rounding to bytes."""
    generators = [torch.Generator("cpu").manual_seed(seed) for _ in texts]
    kept, decode = [], editor.pipeline.vae.decode
    editor.pipeline.vae.decode = lambda z, **k: kept.append(decode(z, **k)) or kept[-1]
    try:
        with torch.inference_mode():
            editor.edit_batch(editor.prepare_picture(picture((64, 64)), region or painted()), texts, generators)
    finally:
        del editor.pipeline.vae.decode
    return kept[0][0] / 2 + 0.5


def test_outside_the_region_every_pixel_stays_and_inside_the_text_and_the_seed_decide(editor):
    given, region = picture((64, 64)), painted()
    edits = editor.edit(given, TEXTS, seed=0, region=region)
    inside = np.asarray(region) > 0
    for edit in edits:
        assert edit.size == (64, 64) and edit.mode == "RGB"
        assert np.array_equal(np.asarray(edit)[~inside], np.asarray(given)[~inside])
        assert np.abs(values([edit]) - values([given]))[0][inside].mean() > 0.02
    assert np.abs(values(edits)[0] - values(edits)[2]).max() > 0.005
    assert np.abs(values(edits) - values(editor.edit(given, TEXTS, seed=1, region=region))).max() > 0.02
    assert np.array_equal(values(edits), values(editor.edit(given, TEXTS, seed=0, region=region)))


def test_a_batch_equals_single_texts_in_any_order_and_the_global_noise_is_left_alone(editor):
    before = torch.get_rng_state()
    batch = decoded(editor, TEXTS)
    singles = torch.cat([decoded(editor, [text]) for text in TEXTS])
    backwards = decoded(editor, TEXTS[::-1]).flip(0)
    assert (batch - singles).abs().max() <= 1e-4 and (batch - backwards).abs().max() <= 1e-4
    assert (batch[0] - batch[2]).abs().max() > 0.005
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize(
    "scheduler", ["DDIMScheduler", "EulerAncestralDiscreteScheduler", "PNDMScheduler", "DPMSolverMultistepScheduler"]
)
def test_equals_the_pipeline_called_plainly(editor, scheduler, guidance):
    """Its own steps, before rounding to bytes; with a region of whole cells, and the posterior's mode for its draw."""
    pipeline, region = editor.pipeline, painted(box=(16, 8, 48, 40))
    pipeline.scheduler = getattr(diffusers, scheduler).from_config(pipeline.scheduler.config)
    editor = editor.with_settings(steps=4, guidance=guidance)
    ours = decoded(editor, TEXTS, seed=7, region=region)
    pipeline._encode_vae_image = lambda image, generator: (
        pipeline.vae.encode(image).latent_dist.mode() * pipeline.vae.config.scaling_factor
    )
    theirs = pipeline(
        TEXTS,
        image=picture((64, 64)),
        mask_image=region,
        height=64,
        width=64,
        num_inference_steps=4,
        guidance_scale=guidance,
        generator=[torch.Generator("cpu").manual_seed(7) for _ in TEXTS],
        output_type="pt",
    ).images
    assert (ours.clamp(0, 1) - theirs).abs().max() <= 1e-4
    assert (theirs[0] - theirs[2]).abs().max() > 1e-3


def test_the_first_step_without_a_text_is_computed_once(editor):
    rows, forward = [], editor.pipeline.unet.forward
    editor.pipeline.unet.forward = lambda x, *a, **k: rows.append(len(x)) or forward(x, *a, **k)
    editor.memory.batch_size = 2
    editor.edit(picture((64, 64)), TEXTS, seed=0, region=painted())
    assert rows == [1, 2, 4, 2, 4]
    rows.clear()
    editor.with_settings(guidance=1).edit(picture((64, 64)), TEXTS, seed=0, region=painted())
    assert rows == [2, 2, 2, 2]
    del editor.pipeline.unet.forward


def test_a_distilled_unet_has_guidance_as_an_input(tmp_path):
    layout = INPAINTING | {"sizes": {"in_channels": 9, "time_cond_proj_dim": 8}}
    write_pipeline(tmp_path, layout, TINY)
    editor = load_editor("inpaint", weights=str(tmp_path), steps=2)
    editor.working_size, region, seen = 64, painted(box=(16, 8, 48, 40)), []
    forward = editor.pipeline.unet.forward
    editor.pipeline.unet.forward = lambda x, *a, **k: seen.append((len(x), k["timestep_cond"])) or forward(x, *a, **k)
    editor.edit(picture((64, 64)), TEXTS, seed=0, region=region)
    assert [rows for rows, _ in seen] == [4, 4]
    scale = editor.pipeline.get_guidance_scale_embedding(torch.tensor([6.5]), embedding_dim=8)
    assert torch.equal(seen[0][1], scale)


@pytest.mark.parametrize("failing", ["vae.encode", "text_encoder.forward", "unet.forward", "vae.decode"])
def test_out_of_memory_half_way_halves_the_batch(editor, failing):
    expected = values(editor.edit(picture((64, 64)), TEXTS, seed=0, region=painted()))
    editor._prepared, editor._text_states = (None, None), {}
    part, name = failing.split(".")
    owner, left = getattr(editor.pipeline, part), [1]
    method = getattr(owner, name)

    def fails_once(*args, **options):
        if left.pop() if left else False:
            raise torch.OutOfMemoryError("no")
        return method(*args, **options)

    setattr(owner, name, fails_once)
    edits = values(editor.edit(picture((64, 64)), TEXTS, seed=0, region=painted()))
    assert editor.batch_size == 2 and np.abs(edits - expected).max() <= 1.01 / 255


@pytest.mark.parametrize("size", [(1040, 720), (333, 1000), (800, 100), (33, 57)])
def test_photographs_of_any_size(editor, size):
    editor.working_size, given = 104, picture(size)
    region = painted(size, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    edits = editor.edit(given, TEXTS[:2], seed=0, region=region)
    small = fit_picture(given, 104)
    inside = np.asarray(fit_region(region, small.size)) > 0
    assert [edit.size for edit in edits] == [small.size] * 2 and 0 < inside.mean() < 0.3
    for edit in edits:
        assert np.array_equal(np.asarray(edit)[~inside], np.asarray(small)[~inside])
        assert (np.asarray(edit) != np.asarray(small))[inside].any(axis=1).mean() > 0.9


@pytest.mark.parametrize("size", [(64, 64), (640, 640)])
def test_a_stroke_thinner_than_a_latent_pixel_is_inpainted(editor, size):
    stroke = Image.new("L", size)
    scale = size[0] // 64  # a line that no cell's first pixel lies on, and a few pixels thin at either size
    ImageDraw.Draw(stroke).line([(11 * scale, 3 * scale), (11 * scale, 60 * scale)], fill=255, width=2)
    seen, forward = [], editor.pipeline.unet.forward
    editor.pipeline.unet.forward = lambda x, *a, **k: seen.append(x) or forward(x, *a, **k)
    given = picture(size)
    edit = editor.edit(given, ["a red car"], seed=0, region=stroke)[0]
    del editor.pipeline.unet.forward
    before = np.asarray(given.resize((64, 64), Image.Resampling.LANCZOS) if size != (64, 64) else given)
    change = np.abs(np.asarray(edit, float) - before).sum(axis=2)
    assert (change[6:58, 11] > 0).mean() > 0.9 and not change[:, :10].any() and not change[:, 13:].any()
    if seen[0].shape[1] == 9:
        column = seen[0][0, 4, :, 1]  # the region as the UNet sees it: of eight cells down the stroke's column, all
        assert column.tolist() == [1.0] * 8 and seen[0][0, 4].sum() == 8


def test_the_unet_is_given_the_region_and_the_picture_without_it(folder):
    editor, given, region = load_editor("inpaint", weights=str(folder)), picture((64, 64)), painted(box=(16, 8, 48, 40))
    seen, forward = [], editor.pipeline.unet.forward
    editor.pipeline.unet.forward = lambda x, *a, **k: seen.append(x) or forward(x, *a, **k)
    editor.edit(given, ["a red car"], seed=0, region=region)
    assert torch.equal(seen[0][0, 4], torch.nn.functional.max_pool2d(torch.tensor(np.asarray(region) / 255.0)[None], 8)[0])
    other = Image.composite(Image.new("RGB", (64, 64), "red"), given, region)  # what is inside is not seen
    editor.edit(other, ["a red car"], seed=0, region=region)
    assert torch.equal(seen[0], seen[3]) and seen[0].shape == (1, 9, 8, 8)


def test_the_picture_is_encoded_once_for_each_region(folder):
    editor, encoded = load_editor("inpaint", weights=str(folder)), []
    encode = editor.pipeline.vae.encode
    editor.pipeline.vae.encode = lambda x: encoded.append(1) or encode(x)
    for seed in range(3):
        editor.edit(picture((64, 64)), TEXTS, seed=seed, region=painted())
    assert len(encoded) == 1
    editor.edit(picture((64, 64)), TEXTS, seed=0, region=painted(box=(0, 0, 9, 9)))
    assert len(encoded) == 2


def test_settings(folder, four, tmp_path):
    editor = load_editor("inpaint", weights=str(folder))
    assert editor.settings == {"steps": 2, "guidance": 3.0} and editor.working_size == 64
    assert load_editor("inpaint", weights=str(folder), steps=4, guidance=1).settings == {"steps": 4, "guidance": 1.0}
    given = {"seed": 0, "region": painted()}
    strong = editor.with_settings(guidance=20)
    assert np.abs(values(editor.edit(picture(), TEXTS, **given)) - values(strong.edit(picture(), TEXTS, **given))).max() > 0.01
    with pytest.raises(InputError, match="no setting “image_guidance”; there is steps, guidance"):
        load_editor("inpaint", weights=str(folder), image_guidance=2)


def test_without_settings_of_its_own_a_folder_has_the_full_weights_defaults(tmp_path):
    write_pipeline(tmp_path, INPAINTING, TINY)
    editor = load_editor("inpaint", weights=str(tmp_path))
    assert editor.settings == {"steps": 20, "guidance": 7.5} and editor.working_size == 512


def test_bad_input_is_one_sentence(folder, tmp_path):
    editor = load_editor("inpaint", weights=str(folder))

    def refused(match, **given):
        with pytest.raises(InputError, match=match) as caught:
            editor.edit(picture((64, 64)), TEXTS, seed=0, **given)
        assert "\n" not in str(caught.value)

    refused("needs a region")
    refused("region is empty", region=Image.new("L", (64, 64)))
    refused("proportions agree", region=painted((64, 32)))
    with pytest.raises(InputError, match="UNet with 5 input channels"):
        load_editor("inpaint", weights=str(folder_with(tmp_path, channels=5)))
    with pytest.raises(InputError, match="holds a StableDiffusionInpaintPipeline, so it is no instruct-pix2pix editor"):
        load_editor("instruct-pix2pix", weights=str(folder))


def test_a_whole_explanation(folder, tmp_path):
    editor, embedder = load_editor("inpaint", weights=str(folder)), load_embedder(str(dinov2_folder(tmp_path)))
    region = painted((48, 48))
    explanation = explain(
        picture(), "a small red car", editor, embedder=embedder, edits=12, noise_seeds=2, region=region, locality="wmd"
    )
    settings = explanation.settings
    assert settings["locality"] == "wmd" and settings["editor"] == "inpaint" and settings["editor_dtype"] == "float32"
    assert np.isfinite(explanation.weights).all() and explanation.failed == 0
