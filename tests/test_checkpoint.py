"""Img2Img-Turbo's checkpoints: read, merged and saved; those that do not fit, and those that are none."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from turbo import small, tensors

from smile import InputError
from smile.models.editors import checkpoint
from smile.models.editors.checkpoint import PARTS, read_checkpoint, save_checkpoint
from smile.models.editors.img2img_turbo import load


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
def test_a_checkpoint_that_does_not_fit(sd_turbo, published, tmp_path, change, reason):
    path = tmp_path / "wrong.pkl"
    torch.save(changed(published["edges"][0].held, change), path)
    with pytest.raises(InputError, match=f"wrong.pkl is no checkpoint for this base: .*{reason}"):
        load(path, base=sd_turbo)


def test_a_module_that_is_listed_and_has_no_lora_keeps_its_weights(sd_turbo, published, tmp_path):
    def drop(held):
        for which in "AB":
            del held["state_dict_unet"][f"conv_out.lora_{which}.default.weight"]

    torch.save(changed(published["edges"][0].held, drop), tmp_path / "fewer.pkl")
    with_all, fewer = (load(path, base=sd_turbo).get_turbo().unet for path in (published["edges"][1], tmp_path / "fewer.pkl"))
    base = UNet2DConditionModel.from_pretrained(sd_turbo / "unet")
    assert torch.equal(fewer.conv_out.weight, base.conv_out.weight)
    assert not torch.equal(with_all.conv_out.weight, base.conv_out.weight)
    assert torch.equal(fewer.mid_block.resnets[0].conv1.weight, with_all.mid_block.resnets[0].conv1.weight)


TARGETS = [f"{part}_lora_target_modules" for part in PARTS]
AS_THEIRS = {
    "other entries": lambda held: held | {"alpha": 16, "notes": ["a"], "optimizer": {"step": torch.tensor(3)}},
    "targets as a set": lambda held: held | {name: set(held[name]) for name in TARGETS},
    "targets as a tuple": lambda held: (
        held | {f"{p}_lora_target_modules": tuple(held[f"{p}_lora_target_modules"]) for p in PARTS}
    ),
    "ranks as tensors": lambda held: held | {f"rank_{part}": torch.tensor(held[f"rank_{part}"]) for part in PARTS},
    "ranks as NumPy's": lambda held: held | {f"rank_{part}": np.int64(held[f"rank_{part}"]) for part in PARTS},
    "ranks as floats": lambda held: held | {f"rank_{part}": np.float64(held[f"rank_{part}"]) for part in PARTS},
}


@pytest.mark.parametrize("change", AS_THEIRS.values(), ids=AS_THEIRS)
def test_what_the_authors_loader_takes_too(published, tmp_path, change):
    torch.save(change(published["edges"][0].held), tmp_path / "other.pkl")
    found, expected = read_checkpoint(tmp_path / "other.pkl"), read_checkpoint(published["edges"][1])
    assert found.rank == expected.rank == {"unet": 3, "vae": 2}
    assert all(torch.equal(found.weights[p][key], value) for p in PARTS for key, value in expected.weights[p].items())


UNREADABLE = {
    "an entry of another kind": lambda held: held | {"path": Path("/")},
    "half a rank": lambda held: held | {"rank_unet": 2.5},
    "rank no finite number": lambda held: held | {"rank_unet": float("nan")},
    "ranks in a tensor": lambda held: held | {"rank_unet": torch.tensor([3, 3])},
    "entry missing": lambda held: {key: value for key, value in held.items() if key != "rank_vae"},
    "rank no number": lambda held: held | {"rank_unet": "3"},
    "targets no list": lambda held: held | {"unet_lora_target_modules": "to_k"},
    "targets no names": lambda held: held | {"unet_lora_target_modules": [1]},
    "weights no tensors": lambda held: held | {"state_dict_unet": {"conv_in.weight": [1.0]}},
    "weights no floats": lambda held: held | {"state_dict_unet": {"conv_in.weight": torch.zeros(2, dtype=int)}},
    "a list": lambda held: [held],
    "a tensor": lambda held: torch.zeros(2),
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_checkpoint(published, tmp_path, change):
    torch.save(change(published["edges"][0].held), tmp_path / "wrong.pkl")
    refused(tmp_path / "wrong.pkl")


def refused(path):
    with pytest.raises(InputError, match="is not an Img2Img-Turbo checkpoint") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


def test_damaged_files(published, tmp_path):
    whole = published["edges"][1].read_bytes()
    contents = {"cut": whole[: len(whole) // 2], "empty": b"", "page": b"<html>Not found</html>", "text": b"garbage" * 99}
    for name, content in contents.items():
        for suffix in checkpoint.SUFFIXES:
            (tmp_path / f"{name}{suffix}").write_bytes(content)
            refused(tmp_path / f"{name}{suffix}")


def test_a_pickle_that_would_run_code_does_not(published, tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "it-ran"), "w")

    torch.save(published["edges"][0].held | {"rank_unet": Evil()}, tmp_path / "evil.pkl")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil()))
    refused(tmp_path / "evil.pkl")
    refused(tmp_path / "plain.pkl")
    assert not (tmp_path / "it-ran").exists()


def test_safetensors_say_the_same(sd_turbo, published, tmp_path):
    for kind in published:
        held = published[kind][0].held
        path = tmp_path / f"{kind}.safetensors"
        save_checkpoint(path, unet=held["state_dict_unet"], vae=held["state_dict_vae"], rank_unet=3, rank_vae=2)
        found, expected = (tensors(small(load(file, base=sd_turbo)), ["snow"]) for file in (path, published[kind][1]))
        assert torch.equal(found, expected)


def test_whole_weights_without_lora(sd_turbo, published, tmp_path):
    vae = published["edges"][0].held["state_dict_vae"]
    skips = {key.replace("base_layer.", ""): value for key, value in vae.items() if key.endswith("base_layer.weight")}
    save_checkpoint(tmp_path / "a.safetensors", unet={}, vae=skips)
    save_checkpoint(tmp_path / "b.safetensors", unet={"conv_out.bias": torch.ones(4)}, vae=skips)
    plain, biased = (load(tmp_path / f"{name}.safetensors", base=sd_turbo).get_turbo() for name in "ab")
    assert torch.equal(plain.skips[2].weight, skips["decoder.skip_conv_3.weight"])
    assert torch.equal(biased.unet.conv_out.bias, torch.ones(4)) and not torch.equal(plain.unet.conv_out.bias, torch.ones(4))
