"""Inpaint: what is inside a region is drawn anew from the text, what is outside stays as it is.

The pipeline is diffusers' own. What is done once is done once: the picture with the region blanked out is encoded to
latents (the posterior's mode, scaled), and every text to its states. The start is pure noise (a strength of 1), so of the
inside nothing is seen. Repositories of other classes that inpaint are called plainly (`smile.editors.pipelines`).
"""

from typing import ClassVar

from PIL import Image

from smile.editors.base import DiffusionEditor
from smile.editors.pipelines import load_pipeline
from smile.errors import InputError
from smile.picture import whole_cells

FULL = "stable-diffusion-v1-5/stable-diffusion-inpainting"


class Inpaint(DiffusionEditor):
    """`settings`: steps, guidance (above 1 to have an effect)."""

    name = "inpaint"
    takes_region = True
    PIPELINE = "StableDiffusionInpaintPipeline"
    SETTINGS: ClassVar = {"steps": (1, 200), "guidance": (1, 30)}
    DEFAULTS: ClassVar = {"size": 512, "steps": 20, "guidance": 7.5}

    def __init__(self, pipeline, **common):
        super().__init__(pipeline, **common)
        channels = pipeline.unet.config.in_channels
        if channels not in (4, 9):
            raise InputError(f"{self.location} has a UNet with {channels} input channels; to inpaint it must have 9 or 4.")
        self._sees_region = channels == 9

    def prepare(self, picture, region):
        """(picture, region, region in whole cells of the latents, latents (1, 4, h/8, w/8) that the UNet is given).

        A UNet trained to inpaint (9 channels) is given the picture without the inside. Any other (4 channels) never sees
        the picture; the pipeline puts the outside's latents, with their share of noise, back after every step.
        """
        pipeline = self.pipeline
        pixels = pipeline.image_processor.preprocess(picture)
        if self._sees_region:
            inside = pipeline.mask_processor.preprocess(region)
            pixels = pixels * (inside < 0.5)
        encoded = pipeline.vae.encode(pixels.to(self.device, pipeline.vae.dtype)).latent_dist.mode()
        return picture, region, whole_cells(region, pipeline.vae_scale_factor), encoded * pipeline.vae.config.scaling_factor

    def run(self, prepared, texts, generators):
        picture, region, cells, latents = prepared
        states = self.text_states(texts)
        images = self.pipeline(
            # Latents as the image are taken as they are; the pipeline would else draw from the first generator only.
            image=latents,
            masked_image_latents=latents,
            mask_image=cells,
            height=picture.height,
            width=picture.width,
            prompt_embeds=states,
            negative_prompt_embeds=self.text_states([""]).expand_as(states),
            num_inference_steps=self.settings["steps"],
            guidance_scale=self.settings["guidance"],
            strength=1.0,
            generator=generators,
        ).images
        return [Image.composite(image, picture, region) for image in images]


def load(weights: str = "auto", device: str | None = None) -> DiffusionEditor:
    """The editor with its weights loaded. See `smile.load_editor`."""
    return load_pipeline(Inpaint, weights, device, bundled="inpaint", full=FULL)
