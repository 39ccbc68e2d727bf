"""The diffusers editor through its real loader, on random weights: edits, batches, noise, texts and their limits."""

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import dinov2_folder, instruct_pix2pix_folder, picture, values

from smile import InputError, explain, load_editor, load_embedder

TEXTS = ["make it snow", "snow", "", "at night", "make it snow at night"]
MORE = [*TEXTS, *(f"please {text}" for text in TEXTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return instruct_pix2pix_folder(tmp_path_factory.mktemp("ip2p"))


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    return dinov2_folder(tmp_path_factory.mktemp("dino"))


@pytest.fixture
def editor(folder):
    return load_editor("instruct-pix2pix", weights=str(folder))


def latents(editor, texts, seed=3):
    """What the editor decodes, as floats, so that batches are compared before rounding to bytes."""
    generators = [torch.Generator("cpu").manual_seed(seed) for _ in texts]
    kept = {}
    decode = editor.pipeline.vae.decode
    editor.pipeline.vae.decode = lambda z, **k: kept.setdefault("out", decode(z, **k))
    try:
        with torch.inference_mode():
            editor.edit_batch(editor.prepare_picture(picture((32, 32)), None), texts, generators)
    finally:
        del editor.pipeline.vae.decode
    return kept["out"][0] / 2 + 0.5


def test_an_edit_is_a_picture_of_the_working_size_and_depends_on_text_and_seed(editor):
    images = editor.edit(picture((60, 30)), TEXTS, seed=0)
    assert [image.size for image in images] == [(32, 16)] * len(TEXTS)
    assert np.abs(values(images)[0] - values(images)[2]).max() > 0.01
    assert np.abs(values(images) - values(editor.edit(picture((60, 30)), TEXTS, seed=1))).max() > 0.01
    assert editor.edit(picture(), [], seed=0) == []


SIZES = {(1040, 720): (104, 72), (333, 1000): (32, 104), (800, 100): (104, 16), (33, 57): (64, 104)}


@pytest.mark.parametrize("size", SIZES)
def test_photographs_of_any_size(editor, size):
    """Sides that are multiples of 8 and not of 64, so that the UNet's halves do not meet by themselves."""
    editor.working_size = 104
    assert [edit.size for edit in editor.edit(picture(size), TEXTS[:2], seed=0)] == [SIZES[size]] * 2


def test_a_turned_and_a_transparent_photograph_and_an_array(editor, tmp_path):
    upright = picture((32, 16))
    expected = values(editor.edit(upright, TEXTS, seed=0))
    turned = upright.rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6  # turn it clockwise to see it upright
    turned.save(tmp_path / "turned.png", exif=exif)
    clear = Image.merge("RGBA", (*upright.split(), Image.new("L", upright.size, 255)))
    clear.paste((9, 9, 9, 0), (0, 0, 8, 8))
    white = upright.copy()
    white.paste("white", (0, 0, 8, 8))
    for given in (Image.open(tmp_path / "turned.png"), tmp_path / "turned.png", np.asarray(upright)):
        assert np.array_equal(values(editor.edit(given, TEXTS, seed=0)), expected)
    assert np.array_equal(values(editor.edit(clear, TEXTS, seed=0)), values(editor.edit(white, TEXTS, seed=0)))
    with pytest.raises(InputError, match="too narrow a strip"):
        editor.edit(picture((90, 9)), TEXTS, seed=0)


def test_same_seed_same_edit(editor):
    first, second = (values(editor.edit(picture(), TEXTS, seed=5)) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_batch_equals_single_texts_in_any_order(editor):
    batch = latents(editor, TEXTS)
    singles = torch.cat([latents(editor, [text]) for text in TEXTS])
    backwards = latents(editor, TEXTS[::-1]).flip(0)
    assert (batch - singles).abs().max() <= 1e-4
    assert (batch - backwards).abs().max() <= 1e-4


SCHEDULERS = [
    "DDIMScheduler", "EulerAncestralDiscreteScheduler", "PNDMScheduler", "HeunDiscreteScheduler",
    "DPMSolverMultistepScheduler", "DDPMScheduler",
]  # fmt: skip
GUIDANCE = [(1.0, 1.0), (1.0, 1.5), (3.0, 1.0), (7.5, 1.5), (2.0, 2.0)]  # of the text, of the picture


@pytest.mark.parametrize("guidance, image_guidance", GUIDANCE)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_equals_the_pipeline_called_plainly(editor, scheduler, guidance, image_guidance):
    """Its own steps, which compute every branch for every text, before rounding to bytes."""
    pipeline, texts = editor.pipeline, ["make it snow", "snow", ""]
    pipeline.scheduler = getattr(diffusers, scheduler).from_config(pipeline.scheduler.config)
    editor = editor.with_settings(steps=4, guidance=guidance, image_guidance=image_guidance)
    ours = latents(editor, texts, seed=7)
    theirs = pipeline(
        texts,
        image=[picture((32, 32))] * 3,
        num_inference_steps=4,
        guidance_scale=guidance,
        image_guidance_scale=image_guidance,
        generator=[torch.Generator("cpu").manual_seed(7) for _ in texts],
        output_type="pt",
    ).images
    assert (ours.clamp(0, 1) - theirs).abs().max() <= 1e-4
    if guidance > 1:
        assert (theirs[0] - theirs[2]).abs().max() > 1e-3


def rows_seen(editor, texts, **given):
    """How many rows each call of the UNet had."""
    rows, forward = [], editor.pipeline.unet.forward
    editor.pipeline.unet.forward = lambda x, *a, **k: rows.append(len(x)) or forward(x, *a, **k)
    editor.edit(picture((32, 32)), texts, seed=0, **given)
    del editor.pipeline.unet.forward
    return rows


def test_what_is_the_same_for_all_texts_or_counts_nothing_is_not_computed_again(editor):
    """Two steps. A branch that counts 0 is left out; the first step without a text is one row for each branch, once."""
    for guidance, image_guidance, branches in ((1, 1, 1), (1, 1.5, 1), (3, 1, 2), (3, 1.5, 3)):
        other = editor.with_settings(guidance=guidance, image_guidance=image_guidance)
        other.memory.batch_size = 2
        first = [branches - 1, 2] if branches > 1 else [2]
        assert rows_seen(other, ["a", "b", "a", "c", "d", "b"]) == [*first, 2 * branches, 2, 2 * branches]


def test_first_steps_of_several_noises_are_not_taken_for_one(editor):
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in (0, 1, 0)]
    with torch.inference_mode():
        mixed = editor.edit_batch(editor.prepare_picture(picture((32, 32)), None), ["snow"] * 3, generators)
    each = [editor.edit(picture((32, 32)), ["snow"], seed=seed)[0] for seed in (0, 1, 0)]
    assert np.abs(values(mixed) - values(each)).max() <= 1.01 / 255


def test_no_edit_depends_on_what_was_edited_before(editor):
    """To the last bit, although the first step is remembered for one picture and noise, and texts for all."""
    expected = values(editor.edit(picture(), TEXTS, seed=0))
    for seed, texts in ((1, TEXTS), (0, TEXTS[::-1]), (0, ["else"])):
        editor.edit(picture(), texts, seed=seed)
        assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), expected)


def test_a_text_that_comes_again_is_edited_once(editor):
    texts = ["snow", "night", "snow", "", "snow", "night"]
    editor.memory.batch_size = 2
    batches = list(editor.edit_stream(picture(), texts, seed=0))
    assert [len(batch) for batch in batches] == [3, 3]
    expected = values(editor.edit(picture(), ["snow", "night", ""], seed=0))
    assert np.array_equal(values([edit for batch in batches for edit in batch]), expected[[0, 1, 0, 2, 0, 1]])


@pytest.mark.parametrize("company", [1, 3, 16])
def test_what_is_read_of_a_text_does_not_depend_on_the_texts_beside_it(folder, company):
    """Read together and once; on a device that is not the CPU always as many at a time."""
    alone, calls = load_editor("instruct-pix2pix", weights=str(folder)), []
    editor = load_editor("instruct-pix2pix", weights=str(folder))
    forward = editor.pipeline.text_encoder.forward
    editor.pipeline.text_encoder.forward = lambda ids, **k: calls.append(len(ids)) or forward(ids, **k)
    texts = [f"snow {i}" for i in range(company)]
    with torch.inference_mode():
        together = editor.encode_texts([*texts, *texts])
        assert torch.equal(together, torch.cat([alone.encode_texts([text]) for text in texts] * 2))
        assert calls == [company]
        editor._text_states.clear()
        editor.device = "cpu:0"  # not "cpu", and yet here
        assert torch.equal(editor.encode_texts([*texts, *texts]), together) and calls == [company, 16]


def test_closing_the_stream_stops(editor):
    run, sizes = editor.edit_batch, []
    editor.edit_batch = lambda *a: sizes.append(len(a[1])) or run(*a)
    stream = editor.edit_stream(picture(), MORE, seed=0)
    assert len(next(stream)) == 8
    stream.close()
    assert sizes == [8]


def test_the_picture_and_the_texts_are_encoded_once(editor):
    encoded, prepare = [], editor.prepare_picture
    editor.prepare_picture = lambda *a: encoded.append(1) or prepare(*a)
    for seed in range(3):
        editor.edit(picture(), TEXTS, seed=seed)
    assert len(encoded) == 1
    editor.edit(picture((50, 40)), TEXTS, seed=0)
    assert len(encoded) == 2


def test_forgetting_old_texts_never_loses_one_that_is_needed_now(editor, monkeypatch):
    expected = values(editor.edit(picture(), TEXTS, seed=0))
    monkeypatch.setattr("smile.models.editors.base.TEXTS_KEPT", len(TEXTS) + 1)
    editor.edit(picture(), ["something", "else"], seed=0)
    assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), expected)


def test_token_embeddings_are_rows_of_the_input_table(editor):
    table = editor.pipeline.text_encoder.get_input_embeddings().weight.numpy()
    assert editor.token_embeddings("").shape == (0, table.shape[1])
    found = editor.token_embeddings("ab")
    ids = editor.pipeline.tokenizer("ab", add_special_tokens=False).input_ids
    assert np.array_equal(found, table[ids])


def test_lost_words_are_named(editor, dino):
    assert editor.lost_words("make it snow") == []
    text = " ".join(f"word{i}x" for i in range(20))  # six or seven byte tokens each
    lost = editor.lost_words(text)
    assert lost == text.split()[-len(lost) :] and 5 < len(lost) < 15
    with pytest.raises(InputError, match="word19x"):
        explain(picture(), text, editor, embedder=load_embedder(str(dino)))


def test_a_region_is_refused(editor):
    with pytest.raises(InputError, match="whole picture"):
        editor.edit(picture(), TEXTS, seed=0, region=picture().convert("L"))


def test_a_whole_explanation(editor, dino):
    embedder = load_embedder(str(dino))
    explanation = explain(picture(), "make it snow at night", editor, embedder=embedder, edits=16, locality="wmd")
    assert explanation.settings["locality"] == "wmd" and explanation.settings["distance"] == "patches"
    assert explanation.settings["editor_dtype"] == "float32"
    assert explanation.maps.shape == (5, 16, 16) and np.isfinite(explanation.weights).all()
    assert explanation.image.size == (32, 32)


def test_embedder(dino):
    embedder = load_embedder(str(dino))
    embedder.batch_size = 2
    images = [picture((40, 30)), picture((28, 28)), picture((28, 28)).convert("L")]
    vectors, patches = embedder.embed(images)
    assert vectors.shape == (3, 16) and patches.shape == (3, 4, 16)
    alone = embedder.embed(images[1:2])
    assert np.abs(alone[0][0] - vectors[1]).max() < 1e-4 and np.abs(alone[1][0] - patches[1]).max() < 1e-4
    inputs = embedder.processor(images[1], do_resize=False, do_center_crop=False, return_tensors="pt")
    with torch.no_grad():
        tokens = embedder.model(**inputs).last_hidden_state[0].numpy()
    assert np.abs(tokens.mean(axis=0) - vectors[1]).max() < 1e-4
    with pytest.raises(InputError, match="no picture"):
        embedder.embed([])
