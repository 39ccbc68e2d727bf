"""The published repositories at their published dimensions, with random weights: downloaded from a Hub on loopback that has the
files which the real one has, loaded, and run. `python -m pytest -m full_size -s tests/test_full_size.py` takes up to 14 GB of
disk and 8 of memory at a time, and minutes for each; tests/test_layouts.py has them small.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from layouts import INPAINTING, INPAINTING_2, INSTRUCT_PIX2PIX, write_clipseg, write_dinov2, write_pipeline
from safetensors.torch import load_file
from tiny import sd_turbo_folder
from turbo import Published

ROOT = Path(__file__).resolve().parents[1]
PIPELINES = {  # kind of weights, layout, the UNet's parameters, what else lies there
    "timbrooks/instruct-pix2pix": ("instruct-pix2pix", "full", INSTRUCT_PIX2PIX, 859_532_484,
        ["instruct-pix2pix-00-22000.ckpt", "instruct-pix2pix-00-22000.safetensors", "unet/diffusion_pytorch_model.bin",
         "vae/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin", "safety_checker/pytorch_model.bin"]),
    "stable-diffusion-v1-5/stable-diffusion-inpainting": ("inpaint", "full", INPAINTING, 859_535_364,
        ["sd-v1-5-inpainting.ckpt", "unet/diffusion_pytorch_model.fp16.bin", "vae/diffusion_pytorch_model.fp16.bin",
         "text_encoder/pytorch_model.fp16.bin", "safety_checker/pytorch_model.fp16.bin"]),
    "sd2-community/stable-diffusion-2-inpainting": ("inpaint", "sd2-community/stable-diffusion-2-inpainting", INPAINTING_2,
        865_925_124, ["512-inpainting-ema.ckpt", "512-inpainting-ema.safetensors", "unet/diffusion_pytorch_model.bin",
         "vae/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin"]),
}  # fmt: skip
DINOV2 = {
    "facebook/dinov2-base": ("full", {}),
    "facebook/dinov2-small": ("facebook/dinov2-small", {"hidden_size": 384, "num_attention_heads": 6}),
}
pytestmark = [pytest.mark.full_size, pytest.mark.model, pytest.mark.process, pytest.mark.timeout(3000)]


@pytest.fixture
def try_it(tmp_path):
    """What at_full_size.py prints for the repositories in `tmp_path`/hub, none of whose `unused` files may be downloaded."""

    def run(repository: str, kind: str, name: str, weights: str, unused=()):
        root, home = tmp_path / "hub", tmp_path / "home"
        for file in unused:
            path = root / repository / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as held:
                held.truncate(2 * 10**9)
        with subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "hub.py"), str(root)], stdout=subprocess.PIPE, text=True
        ) as hub:
            try:
                environment = os.environ | {
                    "HF_ENDPOINT": hub.stdout.readline().strip(),
                    "HF_HOME": str(home),
                    "PYTHONPATH": str(ROOT),
                }
                for each in ("HF_HUB_OFFLINE", "HF_HUB_CACHE"):
                    environment.pop(each, None)
                command = [sys.executable, str(ROOT / "tests" / "at_full_size.py"), kind, name, weights]
                done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
            finally:
                hub.kill()
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        brought = [path for path in home.rglob("*") if path.is_file() and path.is_symlink()]
        assert not [path for path in brought if path.as_posix().endswith(tuple("/" + file for file in unused))]
        size = sum(path.stat().st_size for path in brought) / 1e9
        print(f"{repository}, {weights}: {len(brought)} of {count(root)} files, {size:.1f} GB, downloaded; {found}")
        return found

    return run


def count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def check_editor(found, parameters, width):
    """What holds for any working editor, and that it is the published one in size."""
    assert found["parameters"] == parameters and found["width"] == width
    assert found["size"] and found["contrast"] > 1 and found["finite"] and not found["failed"]
    assert found["apart"] <= (1 if found["dtype"] == "float32" else 24)  # levels, a text beside others and alone


@pytest.mark.parametrize("repository", PIPELINES)
def test_editors(repository, tmp_path, try_it):
    name, weights, layout, parameters, unused = PIPELINES[repository]
    folder = write_pipeline(tmp_path / "hub" / repository, layout, half=True)
    if (
        layout is INPAINTING
    ):  # it has pickles, and half precision beside them; where one part is a pickle, all are read from those
        for file in folder.glob("*/*.safetensors"):
            pickle = "pytorch_model" if file.stem == "model" else file.stem
            torch.save(load_file(file), file.with_name(f"{pickle}.bin"))
            file.rename(file.with_name(f"{file.stem}.fp16.safetensors"))
    check_editor(try_it(repository, "editor", name, weights, unused), parameters, layout["text_encoder"]["hidden_size"])


def test_turbo(tmp_path, try_it):
    folder = sd_turbo_folder(
        tmp_path / "hub" / "stabilityai" / "sd-turbo",
        unet={"block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": [5, 10, 20, 20],
              "cross_attention_dim": 1024},
        vae={"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
        text={"vocab_size": 49408, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
              "num_attention_heads": 16, "hidden_act": "gelu", "projection_dim": 512},
        half=True,
    )  # fmt: skip
    checkpoint = tmp_path / "hub" / "cmu" / "img2img-turbo" / "edge_to_image_loras.pkl"
    checkpoint.parent.mkdir(parents=True)
    Published(folder, stochastic=False, rank_unet=8, rank_vae=4).save(checkpoint)
    found = try_it("stabilityai/sd-turbo", "editor", "img2img-turbo", "full", ["sd_turbo.safetensors"])
    check_editor(found, 865_910_724, 1024)  # SD 2.1's


@pytest.mark.parametrize("repository", DINOV2)
def test_embedders(repository, tmp_path, try_it):
    weights, change = DINOV2[repository]
    write_dinov2(tmp_path / "hub" / repository, half=True, **change)
    found = try_it(repository, "embedder", "dinov2", weights, ["pytorch_model.bin"])
    width = change.get("hidden_size", 768)
    assert found["shapes"] == [[1, width], [1, 256, width]] and found["finite"]


def test_segmenter(tmp_path, try_it):
    write_clipseg(tmp_path / "hub" / "CIDAS/clipseg-rd64-refined", half=True)
    found = try_it("CIDAS/clipseg-rd64-refined", "segmenter", "clipseg", "full", ["pytorch_model.bin"])
    assert found["shape"] == [48, 64]
