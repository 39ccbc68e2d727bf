"""What may be shown in public: pictures that Stable Diffusion's safety checker flags become None, a blocked edit.

One place for all editors. On a public Space it is on, elsewhere off unless asked for; the bundled weights draw road
scenes and never need it.
"""

import os
from typing import Any

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.models.hub import is_bundled, load_pretrained, read_index, silence_libraries

REPOSITORY = "CompVis/stable-diffusion-safety-checker"
PARTS = ("safety_checker", "feature_extractor")  # folders in a diffusers repository that brings its own


def needs_checker(safety: bool | None, weights: str) -> bool:
    """Whether edits are to be checked: `safety`, or by default where this runs as a Space; never with bundled weights."""
    if is_bundled(weights):
        return False
    return os.environ.get("SYSTEM") == "spaces" if safety is None else bool(safety)


def load_checker(location: str | None, device: str | None) -> "Checker":
    """The checker that the diffusers folder or repository at `location` brings, else the published one.

    Raises InputError where neither can be loaded: what is to be checked is never shown unchecked.
    """
    what, failures = "safety checker", []
    places = [(REPOSITORY, "", "")]
    try:
        index = read_index(location, what) if location else {}
    except InputError:
        index = {}
    if location and all((index.get(part) or [None])[0] for part in PARTS):
        places.insert(0, (location, *PARTS))
    with silence_libraries():
        import torch
        from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessorPil

        for place, checker, extractor in places:
            try:
                # In single precision, whatever its configuration says: the thresholds are finer than half precision.
                model = load_pretrained(
                    StableDiffusionSafetyChecker.from_pretrained, place, what, subfolder=checker, dtype=torch.float32
                )
                processor = load_pretrained(CLIPImageProcessorPil.from_pretrained, place, what, subfolder=extractor)
                return Checker(model.to(device).eval().requires_grad_(False), processor, device)
            except InputError as error:
                failures.append(error)
    raise failures[-1]


class Checker:
    """`checker(images)` is the same list with None in place of every picture that is flagged."""

    def __init__(self, model: Any, processor: Any, device: str | None):
        self.model, self.processor, self.device = model, processor, device

    def __call__(self, images: list) -> list:
        made = [image for image in images if image is not None]
        if not made:
            return images
        pixels = self.processor(made, return_tensors="pt").pixel_values.to(self.device)
        with silence_libraries():  # it says of every flagged picture that it was blackened, which it is not
            _, flags = self.model(clip_input=pixels, images=np.zeros((len(made), 1)))
        flagged = iter(flags)
        return [None if image is None or next(flagged) else image for image in images]


class CheckedEditor:
    """An editor of somebody's own, that knows nothing of a checker, with one."""

    def __init__(self, editor: Any, checker: Checker):
        self.editor, self.checker = editor, checker

    def edit(self, image: Any, texts: list[str], *, seed: int, **region: Any) -> list[Image.Image | None]:
        """As in `smile.models.protocols.Editor`."""
        return self.checker(self.editor.edit(image, texts, seed=seed, **region))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.editor, name)
        if name == "edit_batches":
            raise AttributeError(name)  # it would go past the checker
        return found if name != "with_settings" else lambda **given: CheckedEditor(found(**given), self.checker)
