"""What full weights cost: the numbers of operations and bytes, counted again on the published architectures."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tiny import FakeEditor, FakeEmbedder, picture
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel

from smile import explain
from smile.models.devices import measure_speed
from smile.models.editors import EDITORS
from smile.models.hub import is_bundled
from smile.ui.estimate import DECODER, FULL, SD1, SD2, UNET, count_edits, count_work, list_edits

FAMILIES = {
    "1.5": ({"cross_attention_dim": 768, "attention_head_dim": 8}, (768, 12, 12)),
    "2": (
        {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True},
        (1024, 23, 16),
    ),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    """(UNet, text encoder, VAE) of Stable Diffusion 1.5 or 2, without memory, and which of the two."""
    attention, (width, layers, heads) = FAMILIES[request.param]
    with torch.device("meta"):
        unet = UNet2DConditionModel(block_out_channels=(320, 640, 1280, 1280), **attention)
        text = CLIPTextModel(
            CLIPTextConfig(hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=heads)
        )
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
        )
    return unet, text, vae, request.param


def operations(call) -> float:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def test_operations_are_those_of_the_published_architectures(family):
    unet, text, vae, _ = family
    latents, states = torch.empty(1, 4, 64, 64, device="meta"), torch.empty(1, 77, text.config.hidden_size, device="meta")
    assert operations(lambda: unet(latents, torch.ones((), device="meta"), states)) == pytest.approx(UNET, rel=0.02)
    assert operations(lambda: vae.decode(latents)) == pytest.approx(DECODER, rel=0.02)


def test_gigabytes_are_those_of_the_published_architectures(family):
    unet, text, vae, name = family
    numbers = sum(p.numel() for part in (unet, text, vae) for p in part.parameters())
    assert 4e-9 * numbers == pytest.approx(SD1 if name == "1.5" else SD2, abs=0.1)


def test_every_full_set_has_its_numbers():
    assert set(FULL) == {(n, w) for n, entry in EDITORS.items() for w in entry.weights if not is_bundled(w)}
    assert count_work("instruct-pix2pix", "full", {"steps": 20}) == pytest.approx(20 * 3 * 0.80e12 + 2.51e12)
    assert count_work("inpaint", "full", {"steps": 5}) == pytest.approx(5 * 2 * 0.80e12 + 2.51e12)
    assert count_work("img2img-turbo", "edge_to_image", {"low": 3}) == pytest.approx(0.80e12 + 2.51e12)


def test_the_published_settings_are_the_editors_own():
    from smile.models.editors.img2img_turbo import EDGES, STOCHASTIC
    from smile.models.editors.inpaint import Inpaint
    from smile.models.editors.instruct_pix2pix import InstructPix2Pix

    own = {"instruct-pix2pix": InstructPix2Pix.DEFAULTS, "img2img-turbo": EDGES | STOCHASTIC, "inpaint": Inpaint.DEFAULTS}
    for (name, _), full in FULL.items():
        assert full.settings.items() <= own[name].items()


def test_the_speed_is_measured():
    assert 1e8 < measure_speed("cpu", torch.float32) < 1e16


def test_edits_are_counted_as_they_are_made():
    assert count_edits(5, None, {}) == (16, 5) and count_edits(6, None, {}) == (24, 5)  # four seeds, and one that confirms
    assert count_edits(6, None, {"undo": False}) == (24, 4) and count_edits(6, None, {"alone": True}) == (24, 11)
    assert count_edits(6, 24, {"seeds": 3, "noise_seeds": 0}) == (72, 3)
    assert count_edits(4, None, {}) == (16, 4)  # all combinations: what confirms is there
    assert count_edits(2, 16, {}) == (4, 10) and count_edits(1, None, {}) == (2, 10)  # under two and five further seeds
    for options in ({}, {"seeds": 2, "noise_seeds": 1}):
        made = explain(picture(), "make it snow", FakeEditor(), embedder=FakeEmbedder(), edits=6, **options)
        assert made.total <= sum(count_edits(3, 6, options)) <= made.total + options.get("seeds", 1)  # what confirms is there


def test_what_is_estimated_is_made_at_most():
    class Exact(FakeEditor):
        def one(self, image, text, seed):
            return super().one(image, text, 0)

    editor = Exact()
    made = explain(picture(), "make it snow", editor, embedder=FakeEmbedder())
    asked = list_edits("make it snow", None, 0, {})
    assert made.done == made.total == 9 < sum(count_edits(3, None, {})) == len(asked)  # another seed changes nothing
    assert {(seed, each) for seed, texts in editor.calls for each in texts} < asked


def test_the_edits_are_those_that_are_asked_for():
    for options in ({}, {"seeds": 2, "noise_seeds": 1}, {"design": "random"}, {"smallest_effect": 0.001}):
        text, edits = "please make it snow at night", None if "smallest_effect" in options else 12
        editor = FakeEditor()
        explain(picture(), text, editor, embedder=FakeEmbedder(), edits=edits, seed=3, **options)
        made = {(seed, each) for seed, texts in editor.calls for each in texts}
        asked = list_edits(text, edits, 3, options)
        assert len(made - asked) <= 2  # what confirms, under each seed
        made &= asked
        assert made == asked or ("smallest_effect" in options and made < asked)
