"""Instruct-Pix2Pix: the instruction-following editor that the method was first shown on.

The parts are those of diffusers' pipeline, the steps are written out (`smile.models.editors.denoising`). What is done once is
done once: the picture is encoded to latents (the posterior's mode, unscaled, as the pipeline itself does) and every text
to its states. Repositories of other classes that edit a picture by
an instruction are called plainly (`smile.models.editors.pipelines`).
"""

from typing import Any, ClassVar

import torch
from PIL import Image

from smile.models.editors.base import DiffusionEditor
from smile.models.editors.denoising import Branches, decode, denoise, draw_noise
from smile.models.editors.pipelines import load_pipeline

FULL = "timbrooks/instruct-pix2pix"


class InstructPix2Pix(DiffusionEditor):
    """`settings`: steps, guidance (text, above 1 to have an effect), image_guidance (at least 1)."""

    name = "instruct-pix2pix"
    PIPELINE = "StableDiffusionInstructPix2PixPipeline"
    SETTINGS: ClassVar = {"steps": (1, 200), "guidance": (1, 30), "image_guidance": (1, 10)}
    DEFAULTS: ClassVar = {"size": 512, "steps": 20, "guidance": 7.5, "image_guidance": 1.5}

    def prepare_picture(self, picture: Image.Image, region: Image.Image | None) -> Any:
        """(latents (1, 4, h/8, w/8) of the picture, the UNet's branches): with text and picture, with the picture, with
        neither; of the last two, as many as count."""
        empty = self.encode_texts([""])
        pixels = self.pipeline.image_processor.preprocess(picture).to(self.device, self.pipeline.vae.dtype)
        latents = self.pipeline.vae.encode(pixels).latent_dist.mode()
        count = 1 if self.settings["guidance"] <= 1 else 2 if self.settings["image_guidance"] == 1 else 3
        given = torch.cat([latents, latents, torch.zeros_like(latents)][:count])
        return latents, Branches(self.pipeline.unet, given, empty)

    def edit_batch(self, prepared: Any, texts: list[str], generators: list[torch.Generator]) -> list[Image.Image | None]:
        latents, branches = prepared
        states = self.encode_texts(texts)
        guidance, image_guidance = self.settings["guidance"], self.settings["image_guidance"]

        def predict(seen, time, first):
            text, *others = branches(seen, time, states, first)
            guided = others[0] + guidance * (text - others[0]) if others else text
            return guided + (image_guidance - 1) * (others[0] - others[1]) if len(others) > 1 else guided

        noise = draw_noise(generators, latents)
        return decode(self.pipeline, denoise(self.pipeline, self.settings["steps"], noise, generators, predict))


def load(weights: str = "auto", device: str | None = None, **extras: str | None) -> DiffusionEditor:
    """The editor with its weights loaded. See `smile.load_editor`."""
    return load_pipeline(InstructPix2Pix, weights, device, bundled="instruct-pix2pix", full=FULL, **extras)
