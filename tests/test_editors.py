"""The diffusers editor through its real loader, on random weights: batches, noise, memory, limits, missing weights."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import dinov2_folder, instruct_pix2pix_folder, picture

from smile import InputError, explain, load_editor, load_embedder
from smile.editors import weights

TEXTS = ["make it snow", "snow", "", "at night", "make it snow at night"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return instruct_pix2pix_folder(tmp_path_factory.mktemp("ip2p"))


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    return dinov2_folder(tmp_path_factory.mktemp("dino"))


@pytest.fixture
def editor(folder):
    return load_editor("instruct-pix2pix", weights=str(folder))


def values(images):
    return np.stack([np.asarray(image, float) / 255 for image in images])


def latents(editor, texts, seed=3):
    """What the editor decodes, as floats, so that batches are compared before rounding to bytes."""
    generators = [torch.Generator("cpu").manual_seed(seed) for _ in texts]
    kept = {}
    decode = editor.pipeline.vae.decode
    editor.pipeline.vae.decode = lambda z, **k: kept.setdefault("out", decode(z, **k))
    try:
        with torch.inference_mode():
            editor.run(editor.prepare(picture((32, 32)), None), texts, generators)
    finally:
        del editor.pipeline.vae.decode
    return kept["out"][0] / 2 + 0.5


def test_an_edit_is_a_picture_of_the_working_size_and_depends_on_text_and_seed(editor):
    images = editor.edit(picture((60, 30)), TEXTS, seed=0)
    assert [image.size for image in images] == [(32, 16)] * len(TEXTS)
    assert np.abs(values(images)[0] - values(images)[2]).max() > 0.01
    assert np.abs(values(images) - values(editor.edit(picture((60, 30)), TEXTS, seed=1))).max() > 0.01
    assert editor.edit(picture(), [], seed=0) == []


def test_same_seed_same_edit(editor):
    first, second = (values(editor.edit(picture(), TEXTS, seed=5)) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_batch_equals_single_texts_in_any_order(editor):
    batch = latents(editor, TEXTS)
    singles = torch.cat([latents(editor, [text]) for text in TEXTS])
    backwards = latents(editor, TEXTS[::-1]).flip(0)
    assert (batch - singles).abs().max() <= 1e-4
    assert (batch - backwards).abs().max() <= 1e-4


def test_equals_the_pipeline_called_plainly(editor):
    ours = values(editor.edit(picture((32, 32)), ["make it snow"], seed=7))[0]
    plain = editor.pipeline(
        "make it snow",
        image=picture((32, 32)),
        num_inference_steps=2,
        guidance_scale=3.0,
        image_guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(7),
    ).images[0]
    assert np.abs(ours - values([plain])[0]).max() <= 1 / 255


def test_settings_come_from_the_folder_and_can_be_changed(editor):
    assert editor.settings == {"steps": 2, "guidance": 3.0, "image_guidance": 1.0}
    before = values(editor.edit(picture(), TEXTS, seed=0))
    editor.settings["steps"] = 3
    assert np.abs(before - values(editor.edit(picture(), TEXTS, seed=0))).max() > 0


def test_loading_and_editing_print_nothing(folder, capfd):
    load_editor("instruct-pix2pix", weights=str(folder)).edit(picture(), TEXTS, seed=0)
    assert "".join(capfd.readouterr()) == ""


def test_out_of_memory_halves_the_batch(editor):
    expected, run, sizes = values(editor.edit(picture(), TEXTS * 2, seed=0)), editor.run, []

    def small(prepared, texts, generators):
        sizes.append(len(texts))
        if len(texts) > 3:
            raise torch.OutOfMemoryError("no")
        return run(prepared, texts, generators)

    editor.run = small
    assert np.abs(values(editor.edit(picture(), TEXTS * 2, seed=0)) - expected).max() <= 1 / 255
    assert sizes[:3] == [8, 4, 2] and editor.batch_size == 2


def test_not_even_one_edit_fits(editor):
    def never(*_):
        raise torch.OutOfMemoryError("no")

    editor.run = never
    with pytest.raises(InputError, match="does not fit into the memory"):
        editor.edit(picture(), TEXTS, seed=0)


def test_closing_the_stream_stops(editor):
    run, sizes = editor.run, []
    editor.run = lambda *a: sizes.append(len(a[1])) or run(*a)
    stream = editor.edit_stream(picture(), TEXTS * 4, seed=0)
    assert len(next(stream)) == 8
    stream.close()
    assert sizes == [8]


def test_the_picture_and_the_texts_are_encoded_once(editor):
    encoded, prepare = [], editor.prepare
    editor.prepare = lambda *a: encoded.append(1) or prepare(*a)
    for seed in range(3):
        editor.edit(picture(), TEXTS, seed=seed)
    assert len(encoded) == 1
    editor.edit(picture((50, 40)), TEXTS, seed=0)
    assert len(encoded) == 2


def test_forgetting_old_texts_never_loses_one_that_is_needed_now(editor, monkeypatch):
    expected = values(editor.edit(picture(), TEXTS, seed=0))
    monkeypatch.setattr("smile.editors.base.TEXTS_KEPT", len(TEXTS) + 1)
    editor.edit(picture(), ["something", "else"], seed=0)
    assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), expected)


def test_blocked_edits_are_none(editor):
    class Checker(torch.nn.Module):
        def forward(self, images, clip_input):
            return images, [True] + [False] * (len(images) - 1)

    editor.pipeline.run_safety_checker = lambda images, device, dtype: Checker()(images, None)
    images = editor.edit(picture(), TEXTS[:3], seed=0)
    assert images[0] is None and all(isinstance(image, Image.Image) for image in images[1:])


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
    explanation = explain(picture(), "make it snow at night", editor, embedder=embedder, edits=16)
    assert explanation.settings["locality"] == "wmd" and explanation.settings["distance"] == "patches"
    assert explanation.maps.shape == (5, 2, 2) and np.isfinite(explanation.weights).all()
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


def test_missing_and_wrong_weights(folder, dino, tmp_path, monkeypatch):
    def refused(match, **options):
        with pytest.raises(InputError, match=match) as caught:
            load_editor(**({"name": "instruct-pix2pix"} | options))
        assert "\n" not in str(caught.value)

    refused("no editor called “photoshop”; there is instruct-pix2pix", name="photoshop")
    refused("no weights at", weights="nowhere")
    refused("no weights at", weights="./no/such/folder")
    refused("no model_index.json", weights=str(tmp_path))
    refused("no model_index.json", weights=str(dino))
    refused("no device “abacus”", weights=str(folder), device="abacus")
    other = tmp_path / "other"
    other.mkdir()
    (other / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    refused("holds a StableDiffusionPipeline", weights=str(other))
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "none")
    refused("bundled weights are missing", weights="bundled")
    with pytest.raises(InputError, match="bundled weights are missing"):
        load_embedder("bundled")
    with pytest.raises(InputError, match=r"no DINOv2|DINOv2 weights"):
        load_embedder(str(folder))


def test_incomplete_folder(folder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("model_index.json", "editor.json"):
        (broken / name).write_text((folder / name).read_text())
    with pytest.raises(InputError, match="does not hold complete"):
        load_editor("instruct-pix2pix", weights=str(broken))


@pytest.mark.parametrize("load", [lambda w: load_editor("instruct-pix2pix", w), load_embedder])
def test_no_network_is_one_sentence(load, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        load("full")
    assert "\n" not in str(caught.value)
