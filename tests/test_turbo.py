"""Img2Img-Turbo on random weights, against the published composition with its LoRAs unmerged; checkpoints; downloads."""

import contextlib
import gc
import json
import pickle
import re
import shutil
import threading
import time
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import picture, sd_turbo_folder

from smile import InputError, load_editor
from smile.editors import checkpoint, img2img_turbo, weights
from smile.editors.checkpoint import fetch, read_checkpoint, save_checkpoint
from smile.editors.img2img_turbo import load
from smile.editors.turbo import TIME

TEXTS = ["make it snow", "snow", "", "at night", "make it snow at night"]
SIZE = (48, 32)
UNET_TARGETS = ["to_k", "to_q", "to_v", "to_out.0", "conv", "conv1", "conv2", "conv_shortcut", "conv_out", "proj_in",
                "proj_out", "ff.net.2", "ff.net.0.proj"]  # fmt: skip
VAE_TARGETS = ["conv1", "conv2", "conv_in", "conv_shortcut", "conv", "conv_out", "skip_conv_1", "skip_conv_2",
               "skip_conv_3", "skip_conv_4", "to_k", "to_q", "to_v", "to_out.0"]  # fmt: skip


class Twin(torch.nn.Module):
    """The stochastic kind's two input convolutions."""

    def __init__(self, pretrained, current):
        super().__init__()
        self.conv_in_pretrained, self.conv_in_curr, self.share = pretrained, current, None

    def forward(self, x):
        return (1 - self.share) * self.conv_in_pretrained(x) + self.share * self.conv_in_curr(x)


class Published:
    """The published composition: adapters by peft, skips by hooks, gamma as a scale of the adapters. Random weights."""

    def __init__(self, folder, stochastic, rank_unet=3, rank_vae=2):
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
        from peft import LoraConfig
        from transformers import CLIPTextModel, CLIPTokenizer

        torch.manual_seed(1)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        self.scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
        self.scheduler.set_timesteps(1)
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", dtype=torch.float32)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", dtype=torch.float32)
        pairs = zip(self.vae.encoder.down_blocks[::-1], self.vae.decoder.up_blocks, strict=True)
        for i, (down, up) in enumerate(pairs, 1):
            skip = torch.nn.Conv2d(down.resnets[0].in_channels, up.resnets[0].in_channels, 1, bias=False)
            setattr(self.vae.decoder, f"skip_conv_{i}", skip)
        fresh = torch.nn.Conv2d(4, self.unet.config.block_out_channels[0], 3, padding=1)
        self.unet.conv_in = Twin(self.unet.conv_in, fresh) if stochastic else fresh
        unet_config = LoraConfig(r=rank_unet, init_lora_weights="gaussian", target_modules=UNET_TARGETS)
        vae_config = LoraConfig(r=rank_vae, init_lora_weights="gaussian", target_modules=VAE_TARGETS)
        self.unet.add_adapter(unet_config)
        self.vae.add_adapter(vae_config, adapter_name="vae_skip")
        for name, parameter in [*self.unet.named_parameters(), *self.vae.named_parameters()]:
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        for module in (self.unet, self.vae, self.text_encoder):
            module.eval().requires_grad_(False)
        unet, vae = self.unet.state_dict(), self.vae.state_dict()
        self.held = {
            "rank_unet": rank_unet,
            "rank_vae": rank_vae,
            "unet_lora_target_modules": UNET_TARGETS,
            "vae_lora_target_modules": VAE_TARGETS,
            "state_dict_unet": {key: value for key, value in unet.items() if "lora" in key or "conv_in" in key},
            "state_dict_vae": {key: value for key, value in vae.items() if "lora" in key or "skip" in key},
        }

    def save(self, path):
        torch.save(self.held, path)
        return path

    @torch.no_grad()
    def edit(self, control, text, gamma=None, noise=None, lora=True):
        """control: (h, w, 3) as the model takes it. Gives (3, h, w) in [0, 1]."""
        share = 1.0 if gamma is None else gamma
        for module in [*self.unet.modules(), *self.vae.modules()]:
            for name in getattr(module, "scaling", {}):
                module.set_scale(name, share if lora else 0.0)
        if gamma is not None:
            self.unet.conv_in.share = gamma
        ids = self.tokenizer(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        seen, hooks = [], []
        for block in self.vae.encoder.down_blocks:
            hooks.append(block.register_forward_pre_hook(lambda _, given: seen.append(given[0])))
        for i, block in enumerate(self.vae.decoder.up_blocks):
            skip = getattr(self.vae.decoder, f"skip_conv_{i + 1}")
            add = lambda _, given, skip=skip, i=i: (given[0] + skip(seen[3 - i] * share), *given[1:])  # noqa: E731
            hooks.append(block.register_forward_pre_hook(add))
        given = torch.from_numpy(control).float().permute(2, 0, 1)[None]
        x = self.vae.encode(given).latent_dist.mode() * self.vae.config.scaling_factor
        x = x if noise is None else x * gamma + noise * (1 - gamma)
        guess = self.unet(x, torch.tensor([999]), encoder_hidden_states=self.text_encoder(ids)[0]).sample
        x = self.scheduler.step(guess, torch.tensor([999]), x).prev_sample
        image = self.vae.decode(x / self.vae.config.scaling_factor).sample.clamp(-1, 1)
        for hook in hooks:
            hook.remove()
        return image[0] * 0.5 + 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sd_turbo_folder(tmp_path_factory.mktemp("sd-turbo"))


@pytest.fixture(scope="module")
def kinds(folder, tmp_path_factory):
    """{kind: (the published composition, its checkpoint's path)}"""
    files = tmp_path_factory.mktemp("checkpoints")
    made = {kind: Published(folder, kind == "sketch") for kind in ("edges", "sketch")}
    return {kind: (published, published.save(files / f"{kind}.pkl")) for kind, published in made.items()}


@pytest.fixture
def edges(folder, kinds):
    return small(load(kinds["edges"][1], base=folder))


@pytest.fixture
def sketch(folder, kinds):
    return small(load(str(kinds["sketch"][1]), base=str(folder)))


def small(editor):
    editor.working_size = max(SIZE)
    return editor


def values(images):
    return np.stack([np.asarray(image, float) / 255 for image in images])


def tensors(editor, texts, seed=3, image=None):
    """(n, 3, h, w) in [0, 1]: what the editor decodes, before it is rounded to bytes."""
    turbo, kept = editor.turbo(), []
    decode = turbo.decode
    turbo.decode = lambda *given: kept.append(decode(*given)) or kept[-1]
    try:
        with torch.inference_mode():
            generators = [torch.Generator("cpu").manual_seed(seed) for _ in texts]
            editor.run(editor.prepare(image or picture(SIZE), None), texts, generators)
    finally:
        del turbo.decode
    return kept[0] * 0.5 + 0.5


# The editor against the published composition.


@pytest.mark.parametrize("size", [SIZE, (128, 96), (40, 72)])
def test_edges_equal_the_published_composition(edges, kinds, size):
    drawn = cv2.Canny(np.asarray(picture(size)), 100, 200)[..., None].repeat(3, 2) / 255
    expected = torch.stack([kinds["edges"][0].edit(drawn, text) for text in TEXTS])
    found = tensors(edges, TEXTS, image=picture(size))
    assert (found - expected).abs().max() <= 1e-4
    plain = kinds["edges"][0].edit(drawn, TEXTS[0], lora=False)
    assert (plain - expected[0]).abs().max() > 0.05 and (expected[0] - expected[1]).abs().max() > 0.01


@pytest.mark.parametrize("gamma", [0.4, 0.85])
def test_sketch_equals_the_published_composition(sketch, kinds, gamma):
    sketch.settings["gamma"] = gamma
    strokes = np.asarray(picture(SIZE)) / 255 < 0.5
    noise = torch.randn((1, 4, 4, 6), generator=torch.Generator().manual_seed(3))
    expected = torch.stack([kinds["sketch"][0].edit(strokes, text, gamma, noise) for text in TEXTS])
    assert (tensors(sketch, TEXTS) - expected).abs().max() <= 1e-4
    other = kinds["sketch"][0].edit(strokes, TEXTS[0], gamma - 0.05, noise)
    assert (other - expected[0]).abs().max() > 0.005


def test_no_adapters_are_left_to_run(edges):
    assert not [name for name, _ in edges.turbo().named_parameters() if "lora" in name]


def test_the_picture_itself(folder, kinds, tmp_path):
    own = shutil.copytree(folder, tmp_path / "own")
    kinds["edges"][0].save(own / "my.pkl")
    (own / "editor.json").write_text(json.dumps({"size": 48, "control": "picture"}))
    editor = load(own)
    assert editor.settings == {} and editor.working_size == 48
    expected = kinds["edges"][0].edit(np.asarray(picture(SIZE)) / 127.5 - 1, "snow")
    assert (tensors(editor, ["snow"])[0] - expected).abs().max() <= 1e-4


def test_one_step_is_the_schedulers_only_one(edges):
    turbo = edges.turbo()
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


def test_nothing_touches_the_global_generator_or_prints(folder, kinds, capfd):
    before = torch.get_rng_state()
    editor = load(kinds["sketch"][1], base=folder)
    editor.edit(picture((32, 32)), TEXTS, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert "".join(capfd.readouterr()) == ""


def test_attention_slices_change_nothing_and_stay(sketch):
    before = tensors(sketch, TEXTS)
    sketch.pipeline.enable_attention_slicing()
    assert (tensors(sketch, TEXTS) - before).abs().max() <= 1e-4
    sketch.settings["gamma"] = 0.9
    tensors(sketch, TEXTS)
    processors = sketch.turbo().unet.attn_processors.values()
    assert all("Sliced" in type(processor).__name__ for processor in processors)


def test_out_of_memory_slices_the_attention(sketch):
    expected, run, tried = values(sketch.edit(picture(), TEXTS, seed=0)), sketch.run, []

    def tight(prepared, texts, generators):
        tried.append(len(texts))
        if len(texts) > 1 or not sketch.pipeline.sliced:
            raise torch.OutOfMemoryError("no")
        return run(prepared, texts, generators)

    sketch.run = tight
    assert np.abs(values(sketch.edit(picture(), TEXTS, seed=0)) - expected).max() < 1.5 / 255
    assert tried[:4] == [5, 2, 1, 1]


def test_weights_that_do_not_fit_into_memory(folder, kinds, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(img2img_turbo.TurboPipeline, "_build", full)
    with pytest.raises(InputError, match="do not fit into the memory of cpu"):
        load(kinds["edges"][1], base=folder)


# Settings.


def test_gamma_there_and_back_is_the_same_edit(sketch):
    before = values(sketch.edit(picture(), TEXTS, seed=0))
    other = sketch.with_settings(gamma=0.7)
    assert np.abs(values(other.edit(picture(), TEXTS, seed=0)) - before).max() > 0.01
    assert np.array_equal(values(sketch.edit(picture(), TEXTS, seed=0)), before)


def test_a_new_gamma_does_not_keep_the_old_weights(sketch):
    sketch.edit(picture(), TEXTS, seed=0)
    old, build, alive = weakref.ref(sketch.turbo()), sketch.pipeline._build, []

    def watched(gamma):
        gc.collect()
        alive.append(old())
        return build(gamma)

    sketch.pipeline._build = watched
    sketch.settings["gamma"] = 0.5
    sketch.edit(picture(), TEXTS, seed=0)
    assert alive == [None]
    assert not any(parameter.is_inference() for parameter in sketch.turbo().parameters())


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


# Checkpoints that do not fit, or are none.


def lora(held, part, which="A"):
    return next(key for key in held[f"state_dict_{part}"] if f".lora_{which}." in key and "conv" in key)


def without(part, find):
    return lambda held: held[f"state_dict_{part}"].pop(find(held))


def with_(part, key, tensor):
    return lambda held: held[f"state_dict_{part}"].update({key: tensor})


WRONG = {
    "missing A": (without("unet", lambda held: lora(held, "unet")), "has no counterpart"),
    "missing B": (without("vae", lambda held: lora(held, "vae", "B")), "has no counterpart"),
    "missing skip": (without("vae", lambda _: "decoder.skip_conv_3.base_layer.weight"), "skip_conv_3.weight is missing"),
    "extra": (with_("unet", "conv_in.scale", torch.zeros(1)), "conv_in.scale has no counterpart"),
    "extra adapter": (with_("vae", "nowhere.lora_A.vae_skip.weight", torch.zeros(2, 2)), "nowhere.* has no counterpart"),
    "shape": (with_("unet", "conv_in.weight", torch.zeros(8, 5, 3, 3)), "conv_in.weight has another shape"),
    "adapter shape": (with_("unet", "conv_out.lora_A.default.weight", torch.zeros(3, 9, 3, 3)), "has another shape"),
    "rank": (lambda held: held.update(rank_unet=4), "is not of rank 4"),
    "no rank": (lambda held: held.update(rank_vae=0), "is not of rank 0"),
    "half a twin": (with_("unet", "conv_in.conv_in_curr.weight", torch.zeros(8, 4, 3, 3)), "conv_in_curr.weight has no"),
}


def changed(held, change):
    copy = {key: dict(value) if isinstance(value, dict) else value for key, value in held.items()}
    change(copy)
    return copy


@pytest.mark.parametrize("change, reason", WRONG.values(), ids=WRONG)
def test_a_checkpoint_that_does_not_fit(folder, kinds, tmp_path, change, reason):
    path = tmp_path / "wrong.pkl"
    torch.save(changed(kinds["edges"][0].held, change), path)
    with pytest.raises(InputError, match=f"wrong.pkl is no checkpoint for this base: .*{reason}"):
        load(path, base=folder)


def test_a_module_that_is_listed_must_have_its_lora(folder, kinds, tmp_path):
    def drop(held):
        for which in "AB":
            del held["state_dict_unet"][f"conv_out.lora_{which}.default.weight"]

    torch.save(changed(kinds["edges"][0].held, drop), tmp_path / "wrong.pkl")
    with pytest.raises(InputError, match="in its unet, conv_out.lora_A is missing"):
        load(tmp_path / "wrong.pkl", base=folder)


UNREADABLE = {
    "unknown entry": lambda held: held | {"alpha": 16},
    "entry missing": lambda held: {key: value for key, value in held.items() if key != "rank_vae"},
    "rank no number": lambda held: held | {"rank_unet": "3"},
    "targets no list": lambda held: held | {"unet_lora_target_modules": "to_k"},
    "weights no tensors": lambda held: held | {"state_dict_unet": {"conv_in.weight": [1.0]}},
    "weights no floats": lambda held: held | {"state_dict_unet": {"conv_in.weight": torch.zeros(2, dtype=int)}},
    "a list": lambda held: [held],
    "a tensor": lambda held: torch.zeros(2),
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_checkpoint(kinds, tmp_path, change):
    torch.save(change(kinds["edges"][0].held), tmp_path / "wrong.pkl")
    refused(tmp_path / "wrong.pkl")


def refused(path):
    with pytest.raises(InputError, match="is not an Img2Img-Turbo checkpoint") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


def test_damaged_files(kinds, tmp_path):
    whole = kinds["edges"][1].read_bytes()
    contents = {"cut": whole[: len(whole) // 2], "empty": b"", "page": b"<html>Not found</html>", "text": b"garbage" * 99}
    for name, content in contents.items():
        for suffix in checkpoint.SUFFIXES:
            (tmp_path / f"{name}{suffix}").write_bytes(content)
            refused(tmp_path / f"{name}{suffix}")


def test_a_pickle_that_would_run_code_does_not(kinds, tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "it-ran"), "w")

    torch.save(kinds["edges"][0].held | {"rank_unet": Evil()}, tmp_path / "evil.pkl")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil()))
    refused(tmp_path / "evil.pkl")
    refused(tmp_path / "plain.pkl")
    assert not (tmp_path / "it-ran").exists()


def test_safetensors_say_the_same(folder, kinds, tmp_path):
    for kind in kinds:
        held = kinds[kind][0].held
        path = tmp_path / f"{kind}.safetensors"
        save_checkpoint(path, unet=held["state_dict_unet"], vae=held["state_dict_vae"], rank_unet=3, rank_vae=2)
        found, expected = (tensors(small(load(file, base=folder)), ["snow"]) for file in (path, kinds[kind][1]))
        assert torch.equal(found, expected)


def test_whole_weights_without_lora(folder, kinds, tmp_path):
    vae = kinds["edges"][0].held["state_dict_vae"]
    skips = {key.replace("base_layer.", ""): value for key, value in vae.items() if key.endswith("base_layer.weight")}
    save_checkpoint(tmp_path / "a.safetensors", unet={}, vae=skips)
    save_checkpoint(tmp_path / "b.safetensors", unet={"conv_out.bias": torch.ones(4)}, vae=skips)
    plain, biased = (load(tmp_path / f"{name}.safetensors", base=folder).turbo() for name in "ab")
    assert torch.equal(plain.skips[2].weight, skips["decoder.skip_conv_3.weight"])
    assert torch.equal(biased.unet.conv_out.bias, torch.ones(4)) and not torch.equal(plain.unet.conv_out.bias, torch.ones(4))


# Where weights come from.


def toy(folder, models, name, kinds, **settings):
    """A bundled folder: everything but UNet and scheduler in the folder beside it."""
    if not (models / "instruct-pix2pix").exists():
        shutil.copytree(folder, models / "instruct-pix2pix")
    for part in ("unet", "scheduler"):
        shutil.copytree(folder / part, models / name / part)
    held = kinds["edges"][0].held
    save_checkpoint(models / name / "checkpoint.safetensors", unet=held["state_dict_unet"], vae=held["state_dict_vae"],
                    rank_unet=3, rank_vae=2)  # fmt: skip
    (models / name / "editor.json").write_text(json.dumps({"shared": "../instruct-pix2pix"} | settings))


def test_bundled_weights(folder, kinds, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "BUNDLED", tmp_path)
    monkeypatch.setattr(weights, "choose_device", lambda device: "cpu")
    toy(folder, tmp_path, "img2img-turbo", kinds, size=40, control="picture")
    toy(folder, tmp_path, "img2img-turbo-edges", kinds, size=48, control="edges", low=50, high=60)
    for asked, resolved in (("auto", "bundled"), ("bundled", "bundled"), ("bundled-edges", "bundled-edges")):
        editor = load_editor("img2img-turbo", weights=asked)
        assert editor.weights == resolved and editor.name == "img2img-turbo"
        assert editor.settings == ({"low": 50, "high": 60} if asked == "bundled-edges" else {})
    assert (tensors(editor, ["snow"]) - tensors(load(str(tmp_path / "img2img-turbo-edges")), ["snow"])).abs().max() == 0
    assert editor.edit(picture(), ["snow"], seed=0)[0].size == (48, 48)
    shutil.rmtree(tmp_path / "instruct-pix2pix" / "vae")
    with pytest.raises(InputError, match="does not hold complete"):
        load("bundled")


def test_folders_that_will_not_do(folder, kinds, tmp_path):
    def refused(match, weights, **options):
        with pytest.raises(InputError, match=match) as caught:
            load(weights, **options)
        assert "\n" not in str(caught.value)

    own = shutil.copytree(folder, tmp_path / "own")
    refused("one Img2Img-Turbo checkpoint .* there are 0", own)
    kinds["edges"][0].save(own / "a.pkl")
    refused("has its own base", own, base=folder)
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
    kinds["edges"][0].save(own / "b.pkl")
    refused("there are 2", own)
    refused("no weights at", "nowhere.pkl")
    refused("no Img2Img-Turbo weights in some/repository", "some/repository")
    refused("Weights are", "")
    refused("does not hold complete", kinds["edges"][1], base=tmp_path)


# Downloads.


class Server(ThreadingHTTPServer):
    """One file. `ranges`: serves parts; `tag`: its version; `cut`: closes after so many bytes; `status`; `delay`: seconds."""

    daemon_threads = True
    content, ranges, tag, cut, status, delay = b"", True, '"1"', None, 200, 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/models/edge.pkl"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        assert self.headers["Accept-Encoding"] == "identity"
        time.sleep(server.delay)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if not server.ranges or self.headers.get("If-Range") != server.tag:
            start = 0
        total, status = len(server.content), server.status
        if start >= total > 0:
            status, start = 416, total
        elif start:
            status = 206
        self.send_response(status)
        self.send_header("Content-Length", str(total - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(server.content[start : server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    server = Server()
    server.content = np.random.default_rng(0).bytes(300_000)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def not_fetched(url, match):
    with pytest.raises(InputError, match=match) as caught:
        fetch(url)
    assert "\n" not in str(caught.value) and 'weights="bundled"' in str(caught.value)


def left(path):
    return sorted(file.suffix for file in path.parent.iterdir() if file.suffix != ".lock")


def test_download_once(server, capfd):
    path = fetch(server.url)
    assert path.read_bytes() == server.content and path.name.endswith("-edge.pkl") and left(path) == [".pkl"]
    assert "edge.pkl" in capfd.readouterr().err
    assert fetch(server.url) == path and server.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_taken_up_again(server, ranges):
    server.cut, server.ranges = 100_000, ranges
    not_fetched(server.url, "could not be downloaded")
    server.cut = None
    path = fetch(server.url)
    assert server.asked == [None, "bytes=100000-"]
    assert path.read_bytes() == server.content and left(path) == [".pkl"]


def interrupt(server):
    server.cut = 100_000
    not_fetched(server.url, "could not be downloaded")
    server.cut = None


def test_a_part_of_another_version_is_thrown_away(server):
    interrupt(server)
    server.content, server.tag = server.content[::-1], '"2"'
    assert fetch(server.url).read_bytes() == server.content


@pytest.mark.parametrize("tag", [None, 'W/"1"'])
def test_without_a_version_to_go_by_nothing_is_taken_up(server, tag):
    server.tag = tag
    interrupt(server)
    assert fetch(server.url).read_bytes() == server.content and server.asked == [None, None]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server):
    interrupt(server)
    server.content = server.content[:50_000]
    assert fetch(server.url).read_bytes() == server.content and server.asked == [None, "bytes=100000-", None]


def test_a_range_that_was_not_asked_for_is_thrown_away(server, monkeypatch):
    interrupt(server)
    send, wrong = Handler.send_header, "bytes 5-299999/300000"
    header = lambda self, name, value: send(self, name, wrong if name == "Content-Range" else value)  # noqa: E731
    monkeypatch.setattr(Handler, "send_header", header)
    assert fetch(server.url).read_bytes() == server.content and server.asked[-1] is None


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_length_that_is_not_the_announced_one(server, monkeypatch, extra):
    from huggingface_hub.utils import httpx

    @contextlib.contextmanager
    def careless(*_, **__):  # a client that does not count
        body = [b"x" * (10 + extra)]
        yield SimpleNamespace(status_code=200, headers={"Content-Length": "10"}, raise_for_status=int, iter_raw=body.copy)

    monkeypatch.setattr(httpx, "stream", careless)
    not_fetched(server.url, "10 bytes were announced")


def test_no_file_there(server):
    server.status = 404
    not_fetched(server.url, "404")
    server.status = 500
    not_fetched(server.url, "500")
    server.status = 200
    assert fetch(server.url).read_bytes() == server.content


def test_nobody_there_and_nobody_who_answers(server, monkeypatch):
    monkeypatch.setattr(checkpoint, "PATIENCE", 0.3)
    began = time.perf_counter()
    not_fetched("http://127.0.0.1:1/edge.pkl", "connect to the network")
    server.delay = 60
    not_fetched(server.url, "timed out")
    assert time.perf_counter() - began < 30


def test_offline(server, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    not_fetched(server.url, "HF_HUB_OFFLINE is set")
    assert server.asked == []


def test_two_at_a_time_download_once(server):
    server.delay = 0.2
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(server.url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and server.asked == [None] and found[0].read_bytes() == server.content


def test_published_names(server, folder, kinds, monkeypatch):
    monkeypatch.setattr(img2img_turbo, "BASE", str(folder))
    for name, kind in (("edge_to_image", "edges"), ("full", "edges"), ("sketch_to_image_stochastic", "sketch")):
        server.content = kinds[kind][1].read_bytes()
        monkeypatch.setitem(img2img_turbo.PUBLISHED, "edge_to_image" if name == "full" else name, f"{server.url}?{kind}")
        editor = load_editor("img2img-turbo", weights=name)
        assert (editor.weights, editor.control, editor.working_size) == (name, kind, 512)
    assert editor.settings == {"gamma": 0.4}
    assert (tensors(editor, ["snow"]) - tensors(load(kinds["sketch"][1], base=folder), ["snow"])).abs().max() == 0


def test_an_address(folder, kinds, monkeypatch):
    address = "https://x.org/a.pkl?download=true"
    monkeypatch.setattr(img2img_turbo, "fetch", lambda url: {address: kinds["edges"][1]}[url])
    assert load(address, base=folder).weights == address
    with pytest.raises(InputError, match="no weights at"):
        load("http://x.org/a.pkl", base=folder)  # a checkpoint must not come over an open line


def test_no_base_and_no_network_is_one_sentence(kinds, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="stabilityai/sd-turbo are not on this machine and could not be downloaded"):
        load(kinds["edges"][1])


# The real size.


@pytest.mark.full_size
def test_real_dimensions(tmp_path):
    folder = sd_turbo_folder(
        tmp_path,
        unet={"block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": [5, 10, 20, 20],
              "cross_attention_dim": 1024},
        vae={"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
        text={"vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
              "num_attention_heads": 16, "hidden_act": "gelu", "projection_dim": 512},
        half=True,
    )  # fmt: skip
    Published(folder, stochastic=False, rank_unet=8, rank_vae=4).save(folder / "edges.pkl")
    (folder / "editor.json").write_text(json.dumps({"size": 64}))
    editor = load_editor("img2img-turbo", weights=str(folder), device="cpu")
    turbo = editor.turbo()
    assert sum(parameter.numel() for parameter in turbo.unet.parameters()) == 865_910_724  # SD 2.1's
    assert [tuple(skip.weight.shape[:2]) for skip in turbo.skips] == [(512, 512), (512, 256), (512, 128), (256, 128)]
    assert editor.edit(picture((64, 64)), ["snow"], seed=0)[0].size == (64, 64)
    shutil.rmtree(tmp_path)
