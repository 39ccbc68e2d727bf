"""What may be shown in public: pictures that Stable Diffusion's safety checker flags become None, a blocked edit.

One place for all editors. On a public Space it is on, elsewhere off unless asked for; the bundled weights draw road
scenes and never need it.
"""

import os

import numpy as np

from smile.errors import InputError
from smile.models.hub import quiet, read, read_index

REPOSITORY = "CompVis/stable-diffusion-safety-checker"
PARTS = ("safety_checker", "feature_extractor")  # folders in a diffusers repository that brings its own


def wanted(safety: bool | None, weights: str) -> bool:
    """Whether edits are to be checked: `safety`, or by default where this runs as a Space; never with bundled weights."""
    if weights.startswith("bundled"):
        return False
    return os.environ.get("SYSTEM") == "spaces" if safety is None else bool(safety)


def load_checker(location: str | None, device: str) -> "Checker":
    """The checker that the diffusers folder or repository at `location` brings, else the published one.

    Raises InputError where neither can be loaded: what is to be checked is never shown unchecked.
    """
    what, failure = "safety checker", None
    places = [(REPOSITORY, "", "")]
    try:
        index = read_index(location, what) if location else {}
    except InputError:
        index = {}
    if all((index.get(part) or [None])[0] for part in PARTS):
        places.insert(0, (location, *PARTS))
    with quiet():
        import torch
        from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessorPil

        for place, checker, extractor in places:
            try:
                # In single precision, whatever its configuration says: the thresholds are finer than half precision.
                model = read(StableDiffusionSafetyChecker.from_pretrained, place, what, subfolder=checker, dtype=torch.float32)
                processor = read(CLIPImageProcessorPil.from_pretrained, place, what, subfolder=extractor)
                return Checker(model.to(device).eval().requires_grad_(False), processor, device)
            except InputError as error:
                failure = error
    raise failure


class Checker:
    """`checker(images)` is the same list with None in place of every picture that is flagged."""

    def __init__(self, model, processor, device: str):
        self.model, self.processor, self.device = model, processor, device

    def __call__(self, images: list) -> list:
        shown = [image for image in images if image is not None]
        if not shown:
            return images
        pixels = self.processor(shown, return_tensors="pt").pixel_values.to(self.device)
        with quiet():  # it says of every flagged picture that it was blackened, which it is not
            _, flags = self.model(clip_input=pixels, images=np.zeros((len(shown), 1)))
        flagged = iter(flags)
        return [None if image is None or next(flagged) else image for image in images]
