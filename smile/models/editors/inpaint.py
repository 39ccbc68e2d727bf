"""Inpaint: what is inside a region is drawn anew from the text, what is outside stays as it is.

The parts are those of diffusers' pipeline, the steps are written out (`smile.models.editors.denoising`). What is done once is
done once: the picture with the region blanked out is encoded to latents (the posterior's mode, scaled), and every text to
its states. The start is pure noise (a strength of 1), so of the inside nothing is seen. Repositories of other classes
that inpaint are called plainly (`smile.models.editors.pipelines`).
"""

from typing import Any, ClassVar

import torch
from PIL import Image

from smile.errors import InputError
from smile.io.images import cover_cells
from smile.models.editors.base import DiffusionEditor
from smile.models.editors.denoising import Branches, decode, denoise, draw_noise
from smile.models.editors.pipelines import load_pipeline

FULL = "stable-diffusion-v1-5/stable-diffusion-inpainting"


class Inpaint(DiffusionEditor):
    """`settings`: steps, guidance (above 1 to have an effect)."""

    name = "inpaint"
    takes_region = True
    PIPELINE = "StableDiffusionInpaintPipeline"
    SETTINGS: ClassVar = {"steps": (1, 200), "guidance": (1, 30)}
    DEFAULTS: ClassVar = {"size": 512, "steps": 20, "guidance": 7.5}

    def __init__(self, pipeline: Any, **common: Any):
        super().__init__(pipeline, **common)
        channels = pipeline.unet.config.in_channels
        if channels not in (4, 9):
            raise InputError(f"{self.location} has a UNet with {channels} input channels; to inpaint it must have 9 or 4.")
        self._sees_region = channels == 9

    def prepare_picture(self, picture: Image.Image, region: Any) -> Any:
        """(picture, region, latents (1, 4, h/8, w/8), the region in them (1, 1, h/8, w/8), the UNet's branches).

        A UNet trained to inpaint (9 channels) is given the region and the picture without the inside. Any other (4
        channels) never sees the picture; the outside's latents, with their share of noise, are put back after every step.
        """
        pipeline, guidance, empty = self.pipeline, self.settings["guidance"], self.encode_texts([""])
        pixels = pipeline.image_processor.preprocess(picture)
        if self._sees_region:
            pixels = pixels * (pipeline.mask_processor.preprocess(region) < 0.5)
        encoded = pipeline.vae.encode(pixels.to(self.device, pipeline.vae.dtype)).latent_dist.mode()
        latents = encoded * pipeline.vae.config.scaling_factor
        cells = pipeline.mask_processor.preprocess(cover_cells(region, pipeline.vae_scale_factor))
        inside = torch.nn.functional.interpolate(cells, latents.shape[-2:]).to(latents)
        given = torch.cat([inside, latents], dim=1) if self._sees_region else latents[:, :0]
        distilled, options = pipeline.unet.config.time_cond_proj_dim, {}  # with guidance as an input and without branches
        if distilled is not None:
            scale = pipeline.get_guidance_scale_embedding(torch.tensor([guidance - 1]), embedding_dim=distilled)
            options = {"timestep_cond": scale.to(latents)}
        branches = Branches(pipeline.unet, given.expand(2 if guidance > 1 and not options else 1, -1, -1, -1), empty, **options)
        return picture, region, latents, inside, branches

    def edit_batch(self, prepared: Any, texts: list[str], generators: list[torch.Generator]) -> list[Image.Image | None]:
        picture, region, latents, inside, branches = prepared
        noise, states = draw_noise(generators, latents), self.encode_texts(texts)
        guidance, scheduler = self.settings["guidance"], self.pipeline.scheduler

        def predict(seen, time, first):
            text, *empty = branches(seen, time, states, first)
            return empty[0] + guidance * (text - empty[0]) if empty else text

        def put_back(edited, time):
            outside = latents if time is None else scheduler.add_noise(latents.expand_as(noise), noise, time[None])
            return (1 - inside) * outside + inside * edited

        settle = None if self._sees_region else put_back
        edited = denoise(self.pipeline, self.settings["steps"], noise, generators, predict, settle)
        images = decode(self.pipeline, edited)
        return [None if image is None else Image.composite(image, picture, region) for image in images]


def load(weights: str = "auto", device: str | None = None, **extras: str | None) -> DiffusionEditor:
    """The editor with its weights loaded. See `smile.load_editor`."""
    return load_pipeline(Inpaint, weights, device, bundled="inpaint", full=FULL, **extras)
