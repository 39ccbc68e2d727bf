"""Img2Img-Turbo on random weights, against the published composition with its LoRAs unmerged."""

import gc
import json
import shutil
import weakref

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import picture, values
from turbo import SIZE, small, tensors

from smile import InputError, load_editor
from smile.models import hub
from smile.models.editors import img2img_turbo
from smile.models.editors.checkpoint import save_checkpoint
from smile.models.editors.img2img_turbo import load
from smile.models.editors.turbo import TIME

TEXTS = ["make it snow", "snow", "", "at night", "make it snow at night"]


@pytest.fixture
def edges(sd_turbo, published):
    return small(load(published["edges"][1], base=sd_turbo))


@pytest.fixture
def sketch(sd_turbo, published):
    return small(load(str(published["sketch"][1]), base=str(sd_turbo)))


# The editor against the published composition.


@pytest.mark.parametrize("size", [SIZE, (128, 96), (40, 72)])
def test_edges_equal_the_published_composition(edges, published, size):
    drawn = cv2.Canny(np.asarray(picture(size)), 100, 200)[..., None].repeat(3, 2) / 255
    expected = torch.stack([published["edges"][0].edit(drawn, text) for text in TEXTS])
    found = tensors(edges, TEXTS, image=picture(size))
    assert (found - expected).abs().max() <= 1e-4
    plain = published["edges"][0].edit(drawn, TEXTS[0], lora=False)
    assert (plain - expected[0]).abs().max() > 0.05 and (expected[0] - expected[1]).abs().max() > 0.01


@pytest.mark.parametrize("gamma", [0.4, 0.85])
def test_sketch_equals_the_published_composition(sketch, published, gamma):
    sketch.settings["gamma"] = gamma
    strokes = np.asarray(picture(SIZE)) / 255 < 0.5
    noise = torch.randn((1, 4, 4, 6), generator=torch.Generator().manual_seed(3))
    expected = torch.stack([published["sketch"][0].edit(strokes, text, gamma, noise) for text in TEXTS])
    assert (tensors(sketch, TEXTS) - expected).abs().max() <= 1e-4
    other = published["sketch"][0].edit(strokes, TEXTS[0], gamma - 0.05, noise)
    assert (other - expected[0]).abs().max() > 0.005


def test_no_adapters_are_left_to_run(edges):
    assert not [name for name, _ in edges.get_turbo().named_parameters() if "lora" in name]


def test_the_picture_itself(sd_turbo, published, tmp_path):
    own = shutil.copytree(sd_turbo, tmp_path / "own")
    published["edges"][0].save(own / "my.pkl")
    (own / "editor.json").write_text(json.dumps({"size": 48, "control": "picture"}))
    editor = load(own)
    assert editor.settings == {} and editor.working_size == 48
    expected = published["edges"][0].edit(np.asarray(picture(SIZE)) / 127.5 - 1, "snow")
    assert (tensors(editor, ["snow"])[0] - expected).abs().max() <= 1e-4


def test_one_step_is_the_schedulers_only_one(edges):
    turbo = edges.get_turbo()
    guess, x = torch.randn(2, 1, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    alpha = turbo.scheduler.alphas_cumprod[TIME]
    turbo.unet.forward = lambda *_, **__: type("Out", (), {"sample": guess})
    assert torch.allclose(turbo.denoise(x, None), (x - (1 - alpha).sqrt() * guess) / alpha.sqrt(), atol=1e-5)


# What the base class promises.


@pytest.mark.parametrize("kind", ["edges", "sketch"])
def test_a_batch_equals_single_texts_in_any_order(kind, request):
    editor = request.getfixturevalue(kind)
    batch = tensors(editor, TEXTS)
    singles = torch.cat([tensors(editor, [text]) for text in TEXTS])
    assert (batch - singles).abs().max() <= 1e-4
    assert (batch - tensors(editor, TEXTS[::-1]).flip(0)).abs().max() <= 1e-4


@pytest.mark.parametrize("kind", ["edges", "sketch"])
def test_seeds(kind, request):
    editor = request.getfixturevalue(kind)
    first, second, other = (values(editor.edit(picture(), TEXTS, seed=seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, second)
    assert (np.abs(first - other).max() > 0.01) == (kind == "sketch")
    assert np.abs(first[0] - first[2]).max() > 0.01


def test_an_edit_is_a_picture_of_the_working_size(edges):
    images = edges.edit(picture((60, 30)), TEXTS, seed=0)
    assert [image.size for image in images] == [(48, 24)] * len(TEXTS)
    with pytest.raises(InputError, match="whole picture"):
        edges.edit(picture(), TEXTS, seed=0, region=Image.new("L", (48, 48), 255))


def test_nothing_touches_the_global_generator_or_prints(sd_turbo, published, capfd):
    before = torch.get_rng_state()
    editor = load(published["sketch"][1], base=sd_turbo)
    editor.edit(picture((32, 32)), TEXTS, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert "".join(capfd.readouterr()) == ""


def test_attention_slices_change_nothing_and_stay(sketch):
    before = tensors(sketch, TEXTS)
    sketch.pipeline.enable_attention_slicing()
    assert (tensors(sketch, TEXTS) - before).abs().max() <= 1e-4
    sketch.settings["gamma"] = 0.9
    tensors(sketch, TEXTS)
    processors = sketch.get_turbo().unet.attn_processors.values()
    assert all("Sliced" in type(processor).__name__ for processor in processors)


def test_out_of_memory_slices_the_attention(sketch):
    expected, run, tried = values(sketch.edit(picture(), TEXTS, seed=0)), sketch.edit_batch, []

    def tight(prepared, texts, generators):
        tried.append(len(texts))
        if len(texts) > 1 or not sketch.pipeline.sliced:
            raise torch.OutOfMemoryError("no")
        return run(prepared, texts, generators)

    sketch.edit_batch = tight
    assert np.abs(values(sketch.edit(picture(), TEXTS, seed=0)) - expected).max() < 1.5 / 255
    assert tried[:4] == [5, 2, 1, 1]


def test_weights_that_do_not_fit_into_memory(sd_turbo, published, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(img2img_turbo.TurboPipeline, "_build", full)
    with pytest.raises(InputError, match="do not fit into the memory of cpu"):
        load(published["edges"][1], base=sd_turbo)


# Settings.


def test_gamma_there_and_back_is_the_same_edit(sketch):
    before = values(sketch.edit(picture(), TEXTS, seed=0))
    other = sketch.with_settings(gamma=0.7)
    assert np.abs(values(other.edit(picture(), TEXTS, seed=0)) - before).max() > 0.01
    assert np.array_equal(values(sketch.edit(picture(), TEXTS, seed=0)), before)


def test_a_new_gamma_does_not_keep_the_old_weights(sketch):
    sketch.edit(picture(), TEXTS, seed=0)
    old, build, alive = weakref.ref(sketch.get_turbo()), sketch.pipeline._build, []

    def watched(gamma):
        gc.collect()
        alive.append(old())
        return build(gamma)

    sketch.pipeline._build = watched
    sketch.settings["gamma"] = 0.5
    sketch.edit(picture(), TEXTS, seed=0)
    assert alive == [None]
    assert not any(parameter.is_inference() for parameter in sketch.get_turbo().parameters())


def test_cannys_thresholds_have_an_effect(edges):
    assert edges.settings == {"low": 100, "high": 200}
    before = values(edges.edit(picture(), TEXTS[:1], seed=0))
    edges.settings |= {"low": 500, "high": 700}
    assert np.abs(values(edges.edit(picture(), TEXTS[:1], seed=0)) - before).max() > 0.01


@pytest.mark.parametrize("low, high", [(-1, 200), (100, 50), ("a", 200), (float("nan"), 200), (100, float("inf")), (True, 2)])
def test_bad_thresholds(edges, low, high):
    edges.settings |= {"low": low, "high": high}
    with pytest.raises(InputError, match="setting (low|high)"):
        edges.edit(picture(), TEXTS, seed=0)


@pytest.mark.parametrize("gamma", [0, 1.5, -1, None, float("nan")])
def test_bad_gamma(sketch, gamma):
    sketch.settings["gamma"] = gamma
    with pytest.raises(InputError, match="setting gamma"):
        sketch.edit(picture(), TEXTS, seed=0)


def test_settings_at_the_door(edges, sketch):
    assert edges.with_settings(high=300).settings == {"low": 100, "high": 300}
    with pytest.raises(InputError, match="low is above high"):
        edges.with_settings(low=300)
    for editor, name in ((edges, "gamma"), (sketch, "low")):
        with pytest.raises(InputError, match=f"no setting “{name}”"):
            editor.with_settings(**{name: 1})


# Where weights come from.


def toy(sd_turbo, models, name, published, **settings):
    """A bundled folder: everything but UNet and scheduler in the folder beside it."""
    if not (models / "instruct-pix2pix").exists():
        shutil.copytree(sd_turbo, models / "instruct-pix2pix")
    for part in ("unet", "scheduler"):
        shutil.copytree(sd_turbo / part, models / name / part)
    held = published["edges"][0].held
    save_checkpoint(models / name / "checkpoint.safetensors", unet=held["state_dict_unet"], vae=held["state_dict_vae"],
                    rank_unet=3, rank_vae=2)  # fmt: skip
    (models / name / "editor.json").write_text(json.dumps({"shared": "../instruct-pix2pix"} | settings))


def test_bundled_weights(sd_turbo, published, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "MODELS", tmp_path)
    monkeypatch.setattr(hub, "choose_device", lambda device: "cpu")
    toy(sd_turbo, tmp_path, "img2img-turbo", published, size=40, control="picture")
    toy(sd_turbo, tmp_path, "img2img-turbo-edges", published, size=48, control="edges", low=50, high=60)
    for asked, resolved in (("auto", "bundled"), ("bundled", "bundled"), ("bundled-edges", "bundled-edges")):
        editor = load_editor("img2img-turbo", weights=asked)
        assert editor.weights == resolved and editor.name == "img2img-turbo"
        assert editor.settings == ({"low": 50, "high": 60} if asked == "bundled-edges" else {})
    assert (tensors(editor, ["snow"]) - tensors(load(str(tmp_path / "img2img-turbo-edges")), ["snow"])).abs().max() == 0
    assert editor.edit(picture(), ["snow"], seed=0)[0].size == (48, 48)
    shutil.rmtree(tmp_path / "instruct-pix2pix" / "vae")
    with pytest.raises(InputError, match="does not hold complete"):
        load("bundled")


def test_folders_that_will_not_do(sd_turbo, published, tmp_path):
    def refused(match, weights, **options):
        with pytest.raises(InputError, match=match) as caught:
            load(weights, **options)
        assert "\n" not in str(caught.value)

    own = shutil.copytree(sd_turbo, tmp_path / "own")
    refused("one Img2Img-Turbo checkpoint .* there are 0", own)
    published["edges"][0].save(own / "a.pkl")
    refused("has its own base", own, base=sd_turbo)
    refused("no device “abacus”", own, device="abacus")
    for wrong, reason in {
        '{"control": "wish"}': "control one of picture, edges, sketch",
        '{"size": 0}': "size must be at least 8",
        '{"shared": "../nowhere"}': "there is none",
        '{"low": 9, "high": 8}': "low is above high",
        '{"gamma": 0.5}': "no setting “gamma”",
        "{": "no JSON object",
    }.items():
        (own / "editor.json").write_text(wrong)
        refused(reason, own)
    published["edges"][0].save(own / "b.pkl")
    refused("there are 2", own)
    refused("no weights at", "nowhere.pkl")
    refused("no Img2Img-Turbo weights in some/repository", "some/repository")
    refused("Weights are", "")
    refused("does not hold complete", published["edges"][1], base=tmp_path)


def test_an_address(sd_turbo, published, monkeypatch):
    address = "https://x.org/a.pkl?download=true"
    monkeypatch.setattr(img2img_turbo, "download_checkpoint", lambda url: {address: published["edges"][1]}[url])
    assert load(address, base=sd_turbo).weights == address
    with pytest.raises(InputError, match="no weights at"):
        load("http://x.org/a.pkl", base=sd_turbo)  # a checkpoint must not come over an open line


def test_no_base_and_no_network_is_one_sentence(published, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="stabilityai/sd-turbo are not on this machine and could not be downloaded"):
        load(published["edges"][1])
