"""Weights in folders: settings beside them, shared parts, precision, and whatever can be missing or wrong."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny import dinov2_folder, instruct_pix2pix_folder, picture, values

from smile import InputError, load_editor, load_embedder
from smile.models import hub

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


def test_settings_come_from_the_folder_and_can_be_changed(editor):
    assert editor.settings == {"steps": 2, "guidance": 3.0, "image_guidance": 1.0}
    before = values(editor.edit(picture(), TEXTS, seed=0))
    editor.settings["steps"] = 3
    assert np.abs(before - values(editor.edit(picture(), TEXTS, seed=0))).max() > 0


def test_an_editor_json_that_makes_no_sense_is_one_sentence(folder, tmp_path):
    for own, match in (
        ("{", "holds no JSON object"),
        ("[]", "holds no JSON object"),
        ('{"steps": 0}', "“steps” of instruct-pix2pix must be a number from 1 to 200"),
        ('{"size": "large"}', "size in .* whole number"),
        ('{"sice": 8}', "no setting “sice”"),
        ('{"shared": "../nowhere"}', "share parts with the folder .*nowhere"),
    ):
        copied = tmp_path / str(abs(hash(own)))
        shutil.copytree(folder, copied)
        (copied / "editor.json").write_text(own)
        with pytest.raises(InputError, match=match) as caught:
            load_editor("instruct-pix2pix", weights=str(copied))
        assert "\n" not in str(caught.value)


def test_parts_that_a_folder_does_not_hold_come_from_the_one_it_shares_with(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "whole", ignore=shutil.ignore_patterns("unet"))
    for name in ("unet", "scheduler", "model_index.json"):
        place = shutil.copytree if (folder / name).is_dir() else shutil.copy
        (tmp_path / "part").mkdir(exist_ok=True)
        place(folder / name, tmp_path / "part" / name)
    own = {"size": 32, "steps": 2, "guidance": 3.0, "image_guidance": 1.0, "shared": "../whole"}
    (tmp_path / "part" / "editor.json").write_text(json.dumps(own))
    assert hub.find_shared_parts(tmp_path / "part") == tmp_path / "whole" and hub.find_shared_parts(folder) is None
    editor = load_editor("instruct-pix2pix", weights=str(tmp_path / "part"))
    assert editor.settings == {"steps": 2, "guidance": 3.0, "image_guidance": 1.0}
    expected = load_editor("instruct-pix2pix", weights=str(folder)).edit(picture(), TEXTS, seed=0)
    assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), values(expected))
    shutil.rmtree(tmp_path / "whole" / "vae")
    with pytest.raises(InputError, match="part are not complete: the folder vae is missing, in .*whole too"):
        load_editor("instruct-pix2pix", weights=str(tmp_path / "part"))


def test_what_is_computed_in(folder, editor, monkeypatch):
    assert editor.dtype == "float32"
    for native, cpu in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(hub, "has_fast_bfloat16", lambda native=native: native)
        for small in ("bundled", "bundled-edges", str(folder)):
            assert {hub.choose_dtype(device, small) for device in ("cpu", "cuda", "mps")} == {torch.float32}
        for large in ("full", "somebody/something"):
            assert hub.choose_dtype("cpu", large) == cpu
            assert hub.choose_dtype("cuda:1", large) == torch.float16
            assert hub.choose_dtype("mps", large) == torch.float32
    monkeypatch.setattr(hub, "SMALL", 1000)  # so that the folder is large
    assert hub.choose_dtype("cuda", str(folder)) == torch.float16


@pytest.mark.parametrize("native", [True, False])
def test_whether_the_cpu_multiplies_bfloat16_is_asked_of_torch_and_guarded(monkeypatch, native):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert hub.has_fast_bfloat16() is False  # a torch that cannot say
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert hub.has_fast_bfloat16() is native


def test_half_precision_edits_are_pictures(folder, monkeypatch):
    monkeypatch.setattr(hub, "SMALL", 1000)
    monkeypatch.setattr(hub, "has_fast_bfloat16", lambda: True)
    editor = load_editor("instruct-pix2pix", weights=str(folder))
    assert editor.dtype == "bfloat16" and editor.token_embeddings("ab").dtype == np.float32
    edits = values(editor.edit(picture(), TEXTS, seed=0))
    monkeypatch.undo()
    single = values(load_editor("instruct-pix2pix", weights=str(folder)).edit(picture(), TEXTS, seed=0))
    assert edits.shape == single.shape and edits.std() > 0.01


def test_loading_and_editing_print_nothing(folder, capfd):
    load_editor("instruct-pix2pix", weights=str(folder)).edit(picture(), TEXTS, seed=0)
    assert "".join(capfd.readouterr()) == ""


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
    monkeypatch.setattr(hub, "MODELS", tmp_path / "none")
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
    with pytest.raises(InputError, match="broken are not complete: the folder .* is missing"):
        load_editor("instruct-pix2pix", weights=str(broken))


@pytest.mark.parametrize("load", [lambda w: load_editor("instruct-pix2pix", w), load_embedder])
def test_no_network_is_one_sentence(load, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        load("full")
    assert "\n" not in str(caught.value)
