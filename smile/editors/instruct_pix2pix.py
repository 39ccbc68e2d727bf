"""Instruct-Pix2Pix: the instruction-following editor that the method was first shown on.

The pipeline is diffusers' own. What is done once is done once: the picture is encoded to latents (the posterior's mode,
unscaled, as the pipeline itself does) and every text to its states.
"""

from smile.editors.base import DiffusionEditor, load_pipeline
from smile.errors import InputError

FULL = "timbrooks/instruct-pix2pix"
DEFAULTS = {"size": 512, "steps": 20, "guidance": 7.5, "image_guidance": 1.5}


class InstructPix2Pix(DiffusionEditor):
    """`settings`: steps, guidance (text, above 1 to have an effect), image_guidance (at least 1)."""

    name = "instruct-pix2pix"

    def prepare(self, picture, region):
        """(1, 4, h/8, w/8) latents of the picture."""
        if region is not None:
            raise InputError("instruct-pix2pix edits the whole picture; leave the region out.")
        pixels = self.pipeline.image_processor.preprocess(picture).to(self.device, self.pipeline.vae.dtype)
        return self.pipeline.vae.encode(pixels).latent_dist.mode()

    def run(self, prepared, texts, generators):
        states = self.text_states(texts)
        result = self.pipeline(
            image=prepared.expand(len(texts), -1, -1, -1),
            prompt_embeds=states,
            negative_prompt_embeds=self.text_states([""]).expand_as(states),
            num_inference_steps=self.settings["steps"],
            guidance_scale=self.settings["guidance"],
            image_guidance_scale=self.settings["image_guidance"],
            generator=generators,
        )
        blocked = result.nsfw_content_detected or [False] * len(texts)
        return [None if block else image for image, block in zip(result.images, blocked, strict=True)]


def load(weights: str = "auto", device: str | None = None) -> InstructPix2Pix:
    """The editor with its weights loaded. See `smile.load_editor`."""
    pipeline, kind, device, settings = load_pipeline(
        "StableDiffusionInstructPix2PixPipeline",
        weights,
        device,
        what="instruct-pix2pix",
        bundled="instruct-pix2pix",
        full=FULL,
        defaults=DEFAULTS,
    )
    size = settings.pop("size")
    return InstructPix2Pix(pipeline, weights=kind, device=device, settings=settings, working_size=size)
