"""The published repositories, as they lie in the Hub's cache, through the loaders themselves and offline.

Their weights are random and their dimensions small; tests/test_full_size.py has the published ones.
"""

import numpy as np
import pytest
import torch
from layouts import (
    INPAINTING,
    INPAINTING_2,
    INSTRUCT_PIX2PIX,
    TINY,
    in_cache,
    old_dinov2_name,
    old_safety_name,
    old_text_name,
    old_vae_name,
    use_cache,
    write_clipseg,
    write_dinov2,
    write_pipeline,
)
from PIL import Image
from safetensors.torch import load_file
from tiny import picture

from smile import load_editor, load_embedder, load_segmenter

PIPELINES = {
    "timbrooks/instruct-pix2pix": ("instruct-pix2pix", "full", INSTRUCT_PIX2PIX),
    "stable-diffusion-v1-5/stable-diffusion-inpainting": ("inpaint", "full", INPAINTING),
    "sd2-community/stable-diffusion-2-inpainting": (
        "inpaint", "sd2-community/stable-diffusion-2-inpainting", INPAINTING_2
    ),
}  # fmt: skip
DINOV2 = {
    "facebook/dinov2-base": ("full", {}),
    "facebook/dinov2-small": ("facebook/dinov2-small", {"hidden_size": 384, "num_attention_heads": 6}),
}


def given(name, size):
    return {"region": Image.new("L", (size, size), 255)} if name == "inpaint" else {}


def differing(module, file, old_name=str) -> list[str]:
    """Names of the weights of `module` that are not those in the file, under the names that the file has for them."""
    held = load_file(file)
    return [name for name, t in module.state_dict().items() if not torch.equal(t.cpu(), held[old_name(name)].to(t.dtype))]


@pytest.mark.parametrize("repository", PIPELINES)
def test_editors(repository, tmp_path, monkeypatch, capfd):
    name, weights, layout = PIPELINES[repository]
    use_cache(tmp_path, monkeypatch)
    folder = write_pipeline(in_cache(tmp_path, repository), layout, TINY)
    editor = load_editor(name, weights=weights, device="cpu")
    pipeline = editor.pipeline
    assert type(pipeline).__name__ == layout["class"] and type(pipeline.scheduler).__name__ == layout["scheduler"][0]
    assert editor.weights == weights and editor.working_size == 512 and editor.settings["steps"] == 20
    assert not differing(pipeline.unet, folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert not differing(pipeline.vae, folder / "vae" / "diffusion_pytorch_model.safetensors", old_vae_name)
    assert not differing(pipeline.text_encoder, folder / "text_encoder" / "model.safetensors", old_text_name)
    assert pipeline.safety_checker is None and pipeline.vae.config.scaling_factor == 0.18215

    tokens = pipeline.tokenizer("a b", padding="max_length", max_length=77).input_ids
    assert pipeline.tokenizer.convert_ids_to_tokens(tokens)[:5] == [
        "<|startoftext|>", "a</w>", "b</w>", "<|endoftext|>", layout.get("pad_token", "<|endoftext|>")
    ]  # fmt: skip
    assert len(tokens) == 77 and editor.lost_words("a " * 75) == [] and len(editor.lost_words("a " * 80)) == 5

    edits = editor.with_settings(steps=2)
    edits.working_size = 64
    edits = edits.edit(picture((64, 64)), ["make it snow", ""], seed=0, **given(name, 64))
    assert [edit.size for edit in edits] == [(64, 64)] * 2
    assert np.abs(np.asarray(edits[0], float) - np.asarray(edits[1])).max() > 0
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("repository", [r for r, (_, _, layout) in PIPELINES.items() if layout["safety_checker"]])
def test_their_own_safety_checkers(repository, tmp_path, monkeypatch):
    name, weights, layout = PIPELINES[repository]
    use_cache(tmp_path, monkeypatch)
    folder = write_pipeline(in_cache(tmp_path, repository), layout, TINY)
    checker = load_editor(name, weights=weights, device="cpu", safety=True).checker
    assert not differing(checker.model, folder / "safety_checker" / "model.safetensors", old_safety_name)
    assert checker.processor.size["shortest_edge"] == checker.processor.crop_size["height"] == 28
    given = [picture((60, 40)), None]
    assert checker(given) == given


@pytest.mark.parametrize("repository", DINOV2)
def test_embedders(repository, tmp_path, monkeypatch, capfd):
    weights, change = DINOV2[repository]
    use_cache(tmp_path, monkeypatch)
    folder = write_dinov2(in_cache(tmp_path, repository), TINY, **change)
    embedder = load_embedder(weights, device="cpu")
    assert embedder.weights == weights and embedder.size == 224
    assert not differing(embedder.model, folder / "model.safetensors", old_dinov2_name)
    vectors, patches = embedder.embed([picture((64, 64)), picture((50, 30))])
    assert vectors.shape == (2, 16) and patches.shape == (2, 256, 16)
    assert "".join(capfd.readouterr()) == ""


def test_segmenter(tmp_path, monkeypatch):
    use_cache(tmp_path, monkeypatch)
    folder = write_clipseg(in_cache(tmp_path, "CIDAS/clipseg-rd64-refined"), TINY)
    segmenter = load_segmenter("full", device="cpu")
    assert not differing(segmenter.model, folder / "model.safetensors")
