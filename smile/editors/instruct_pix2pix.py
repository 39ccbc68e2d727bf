"""Instruct-Pix2Pix: the instruction-following editor that the method was first shown on.

The pipeline is diffusers' own. What is done once is done once: the picture is encoded to latents (the posterior's mode,
unscaled, as the pipeline itself does) and every text to its states. Repositories of other classes that edit a picture by
an instruction are called plainly (`smile.editors.pipelines`).
"""

from typing import ClassVar

from smile.editors.base import DiffusionEditor
from smile.editors.pipelines import load_pipeline

FULL = "timbrooks/instruct-pix2pix"


class InstructPix2Pix(DiffusionEditor):
    """`settings`: steps, guidance (text, above 1 to have an effect), image_guidance (at least 1)."""

    name = "instruct-pix2pix"
    PIPELINE = "StableDiffusionInstructPix2PixPipeline"
    SETTINGS: ClassVar = {"steps": (1, 200), "guidance": (1, 30), "image_guidance": (1, 10)}
    DEFAULTS: ClassVar = {"size": 512, "steps": 20, "guidance": 7.5, "image_guidance": 1.5}

    def prepare(self, picture, region):
        """(1, 4, h/8, w/8) latents of the picture."""
        pixels = self.pipeline.image_processor.preprocess(picture).to(self.device, self.pipeline.vae.dtype)
        return self.pipeline.vae.encode(pixels).latent_dist.mode()

    def run(self, prepared, texts, generators):
        states = self.text_states(texts)
        return self.pipeline(
            image=prepared.expand(len(texts), -1, -1, -1),
            prompt_embeds=states,
            negative_prompt_embeds=self.text_states([""]).expand_as(states),
            num_inference_steps=self.settings["steps"],
            guidance_scale=self.settings["guidance"],
            image_guidance_scale=self.settings["image_guidance"],
            generator=generators,
        ).images


def load(weights: str = "auto", device: str | None = None) -> DiffusionEditor:
    """The editor with its weights loaded. See `smile.load_editor`."""
    return load_pipeline(InstructPix2Pix, weights, device, bundled="instruct-pix2pix", full=FULL)
