"""Stand-ins for the tests: a NumPy editor and embedder, and real model folders with tiny random weights."""

import copy
import json

import numpy as np
from PIL import Image

from smile import InputError
from smile.models.editors import EDITORS
from smile.ui import texts


class FakeEditor:
    """More red in the upper half for "snow", less blue everywhere for "night", the seed's noise. Records its calls."""

    name = "fake"

    def __init__(self, fail=()):
        self.calls, self.fail = [], set(fail)

    def edit(self, image, texts, *, seed, region=None):
        self.calls.append((seed, list(texts)))
        edits = [None if text in self.fail else self.one(image, text, seed) for text in texts]
        return [edit if region is None or edit is None else Image.composite(edit, image, region) for edit in edits]

    def one(self, image, text, seed):
        pixels = np.asarray(image, float) + np.random.default_rng(seed).normal(0, 3, (*image.size[::-1], 3))
        if "snow" in text.split():
            pixels[: len(pixels) // 2, :, 0] += 95
        if "night" in text.split():
            pixels[:, :, 2] -= 60
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


class FakeBackend(FakeEditor):
    """One of the page's editors with one of its sets of weights, on NumPy."""

    device = "cpu"

    def __init__(self, name, weights):
        super().__init__()
        self.name, self.weights, self.takes_region = name, weights, EDITORS[name].needs_region
        self.SETTINGS, self.settings = {"steps": (1, 200)}, {"steps": 10}

    def with_settings(self, /, **settings):
        for name, value in settings.items():
            if name not in texts.SETTINGS:
                raise InputError("There is no such setting; there is steps.")
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 1 <= value <= 200:
                raise InputError("The setting “steps” must be a number from 1 to 200.")
        other = copy.copy(self)
        other.settings = self.settings | settings
        return other


def fake_models(name, weights):
    """(editor, embedder) for the page's engine."""
    return FakeBackend(name, weights), FakeEmbedder()


class FakeSegmenter:
    """Knows the sky, which is the upper half."""

    def find(self, picture, phrase):
        if phrase != "the sky":
            raise InputError(f"There is no {phrase} in the picture.")
        region = Image.new("L", picture.size)
        region.paste(255, (0, 0, picture.width, picture.height // 2))
        return region


class DeafEditor(FakeEditor):
    """Ignores its text."""

    def one(self, image, text, seed):
        return super().one(image, "", seed)


class FakeEmbedder:
    """16 patches of 4 x 4 pixels after shrinking to 16 x 16; the vector is their mean."""

    name = "pixels"

    def embed(self, images):
        small = np.stack([np.asarray(image.resize((16, 16), Image.Resampling.BOX), float) / 255 for image in images])
        patches = small.reshape(-1, 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(len(images), 16, 48)
        return patches.mean(axis=1), patches


def values(images):
    """(n, h, w, 3) in [0, 1] of PIL images."""
    return np.stack([np.asarray(image, float) / 255 for image in images])


def picture(size=(48, 48)):
    return Image.fromarray(np.random.default_rng(0).integers(80, 160, (size[1], size[0], 3)).astype(np.uint8))


def instruct_pix2pix_folder(folder, size=32, **settings):
    """A diffusers Instruct-Pix2Pix folder with random weights; pictures of `size` pixels, two steps."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    blocks = {"block_out_channels": (8, 16, 16), "norm_num_groups": 4, "layers_per_block": 1}
    StableDiffusionInstructPix2PixPipeline(
        vae=AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, **blocks),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=77,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                initializer_factor=20.0,
            )
        ),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            in_channels=8,
            cross_attention_dim=16,
            attention_head_dim=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            **blocks,
        ),
        scheduler=DDIMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    own = {"size": size, "steps": 2, "guidance": 3.0, "image_guidance": 1.0} | settings
    (folder / "editor.json").write_text(json.dumps(own))
    return folder


def byte_tokenizer():
    """A CLIP tokenizer without merges: every byte is a token, so any text can be read."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    entries = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={entry: i for i, entry in enumerate(entries)}, merges=[], model_max_length=77)


def dinov2_folder(folder):
    """A transformers DINOv2 folder with random weights: 28 pixels, 2 x 2 patches."""
    import torch
    from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
    Dinov2Model(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
    BitImageProcessorPil(**size).save_pretrained(folder)
    return folder


def sd_turbo_folder(folder, *, unet=None, vae=None, text=None, half=False):
    """A diffusers folder laid out as SD-Turbo's, with random weights; `unet`, `vae`, `text`: other sizes than tiny."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    small = {"norm_num_groups": 4, "layers_per_block": 1}
    text = text or {"vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
                    "num_attention_heads": 2, "initializer_factor": 20.0}  # fmt: skip
    unet = unet or {"block_out_channels": (8, 16, 16, 16), "cross_attention_dim": 16, "attention_head_dim": 4} | small
    vae = vae or {"block_out_channels": (8, 8, 16, 16)} | small
    cross = ("CrossAttn{}Block2D",) * 3
    parts = {
        "vae": AutoencoderKL(down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, **vae),
        "text_encoder": CLIPTextModel(
            CLIPTextConfig(
                max_position_embeddings=77, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, **text
            )
        ),
        "unet": UNet2DConditionModel(
            down_block_types=(*(name.format("Down") for name in cross), "DownBlock2D"),
            up_block_types=("UpBlock2D", *(name.format("Up") for name in cross)),
            use_linear_projection=True,
            **unet,
        ),
    }
    scheduler = EulerDiscreteScheduler.from_config(
        {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "trailing",
         "prediction_type": "epsilon", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        **{name: part.half() if half else part for name, part in parts.items()},
        tokenizer=tokenizer, scheduler=scheduler, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder
