"""What an editor of the Hub would take, checked before anything but its index is downloaded."""

from types import SimpleNamespace

import pytest

from smile import InputError
from smile.models.editors import offer as offers
from smile.models.editors.offer import inspect_repository
from smile.ui import machine, validation

FILES = {
    "model_index.json": 500,
    "flux-2-klein-4b.safetensors": 7_800_000_000,  # the single file beside the folders
    "transformer/config.json": 1000,
    "transformer/diffusion_pytorch_model.safetensors": 7_750_000_000,
    "text_encoder/model-00001-of-00002.safetensors": 5_000_000_000,
    "text_encoder/model-00002-of-00002.safetensors": 3_040_000_000,
    "text_encoder/pytorch_model.bin": 8_040_000_000,
    "vae/diffusion_pytorch_model.safetensors": 168_000_000,
    "vae/diffusion_pytorch_model.fp16.safetensors": 84_000_000,
    "tokenizer/tokenizer.json": 11_000_000,
    "scheduler/scheduler_config.json": 500,
}
INDEX = {
    "_class_name": "Flux2KleinPipeline",
    "is_distilled": True,
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3ForCausalLM"],
    "tokenizer": ["transformers", "Qwen2TokenizerFast"],
    "transformer": ["diffusers", "Flux2Transformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLFlux2"],
}


@pytest.fixture
def hub(monkeypatch):
    """A Hub that answers about one repository; `gated` and `index` can be changed."""
    held = SimpleNamespace(index=dict(INDEX), gated=False, asked=[])

    class Api:
        def model_info(self, repository, **_):
            held.asked.append(repository)
            siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in FILES.items()]
            return SimpleNamespace(siblings=siblings, gated=held.gated, card_data=SimpleNamespace(license="apache-2.0"))

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr(offers, "read_index", lambda *_: held.index)
    monkeypatch.setattr(machine, "may_read", lambda _: False)
    machine.offer_repository.cache_clear()
    return held


@pytest.mark.model
def test_sizes_are_those_of_what_would_be_downloaded(hub):
    offer = inspect_repository("black-forest-labs/FLUX.2-klein-4B")
    assert offer.gigabytes == pytest.approx(7.75 + 8.04 + 0.168 + 0.011, abs=1e-3) and offer.largest == pytest.approx(8.04)
    assert (offer.kind, offer.licence, offer.gated, offer.takes_region) == ("Flux2KleinPipeline", "apache-2.0", False, False)
    assert 1e14 < offer.operations < 1e15  # four steps of four billion parameters on a megapixel


@pytest.mark.model
def test_a_video_is_refused_before_its_size_is_asked(hub):
    hub.index["_class_name"] = "WanImageToVideoPipeline"
    with pytest.raises(InputError, match="makes a video"):
        inspect_repository("a/b")
    assert not hub.asked


@pytest.mark.model
def test_a_gate_and_too_little_memory_are_said_before_a_download(hub, monkeypatch):
    monkeypatch.setattr(machine, "measure_memory", lambda: 64e9)
    assert not validation.needs_region("a/b")
    monkeypatch.setattr(machine, "measure_memory", lambda: 8e9)
    with pytest.raises(InputError, match="largest part of a/c has 8 GB, and this machine has 8 GB"):
        machine.offer_repository("a/c")
    hub.gated = "auto"
    with pytest.raises(InputError, match="accept the terms of a/d .apache-2.0."):
        machine.offer_repository("a/d")


def test_on_a_public_space_only_what_its_owner_allows(hub, monkeypatch):
    assert machine.list_weights("a/b") == ("a/b",) and machine.resolve_weights("a/b", "auto") == "a/b"
    monkeypatch.setattr(machine, "SPACE", True)
    with pytest.raises(InputError, match="does not allow the editor a/b; duplicate the Space"):
        machine.list_weights("a/b")
    monkeypatch.setenv("SMILE_EDITORS", "black-forest-labs/FLUX.2-klein-4B, a/b")
    assert machine.list_weights("a/b") == ("a/b",)
    with pytest.raises(InputError, match="a/c; there is black-forest-labs/FLUX.2-klein-4B, a/b"):
        machine.offer_repository("a/c")
    assert not hub.asked


def test_a_comparison_of_instructions_never_takes_weights_for_captions_unasked(monkeypatch):
    monkeypatch.setattr(machine, "find_device", lambda: "cuda")
    assert machine.resolve_weights("img2img-turbo", "auto") == "edge_to_image"
    assert machine.resolve_for_instruction("img2img-turbo") == "bundled"
    assert machine.resolve_for_instruction("instruct-pix2pix") == "full"
    note = machine.note_captions("instruct-pix2pix", "auto")["img2img-turbo"]
    assert note == "with the weights bundled, because edge_to_image expects a caption and not an instruction"
    chosen = machine.note_captions("img2img-turbo", "sketch_to_image_stochastic")["img2img-turbo"]
    assert "reads this as a caption of the result" in chosen
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    assert machine.note_captions("instruct-pix2pix", "auto") == {}
