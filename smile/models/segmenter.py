"""CLIPSeg (Lüddecke and Ecker, arXiv 2112.10003): a region from a phrase, so that "the sky" need not be painted.

torch is imported only when a segmenter is loaded.
"""

from typing import Any

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.io.images import open_picture
from smile.models.devices import choose_device
from smile.models.hub import find_weights, load_pretrained, silence_libraries

FULL = "CIDAS/clipseg-rd64-refined"
# Of the sigmoid, where a pixel is inside. The published weights hesitate at the edges of things, and a region for
# inpainting had better be a little large than leave a rim: so below one half.
THRESHOLD = 0.4


def load_segmenter(weights: str = "full", device: str | None = None) -> "Segmenter":
    """The segmenter, ready to use.

    `weights`: "full" (about 600 MB), a local folder, or a Hub repository id; none are bundled.
    Raises InputError where the weights are missing, no CLIPSeg, or cannot be downloaded.
    """
    if weights in ("auto", "bundled"):
        raise InputError("No CLIPSeg weights are bundled; use the full ones, or paint the region.")
    kind, location = find_weights(weights, bundled="", full=FULL)
    device = choose_device(device)
    with silence_libraries():
        import torch
        from transformers import AutoConfig, CLIPSegForImageSegmentation, CLIPTokenizer, ViTImageProcessorPil

        source = {"location": location, "what": "CLIPSeg", "instead": "paint the region"}
        if load_pretrained(AutoConfig.from_pretrained, **source).model_type != "clipseg":
            raise InputError(f"{location} is no CLIPSeg model, so it cannot be the segmenter.")
        model = load_pretrained(CLIPSegForImageSegmentation.from_pretrained, **source, dtype=torch.float32)
        tokenizer = load_pretrained(CLIPTokenizer.from_pretrained, **source)
        processor = load_pretrained(ViTImageProcessorPil.from_pretrained, **source)
    return Segmenter(model.to(device).eval().requires_grad_(False), tokenizer, processor, kind, device)


class Segmenter:
    """`find(picture, phrase)` is the region of `picture` that `phrase` names."""

    name = "clipseg"

    def __init__(self, model: Any, tokenizer: Any, processor: Any, weights: str, device: str):
        self.model, self.tokenizer, self.processor = model, tokenizer, processor
        self.weights, self.device = weights, device

    def find(self, picture: Any, phrase: str) -> Image.Image:
        """An L image of the picture's size, 255 where the phrase is found and 0 elsewhere.

        `picture` is what `open_picture` takes. Raises InputError where nothing is found, the phrase is empty, or it is
        longer than CLIP reads.
        """
        likely = self.compute_likelihood(picture, phrase)
        inside = likely > THRESHOLD
        if not inside.any():
            raise InputError(f"Nothing was found in the picture for “{phrase.strip()}”; use other words, or paint the region.")
        return Image.fromarray(inside.astype(np.uint8) * 255)

    def compute_likelihood(self, picture: Any, phrase: str) -> np.ndarray:
        """(h, w) float32 in [0, 1] for each pixel of the picture: the sigmoid of the logits, which are made for a square
        picture and stretched bilinearly."""
        import torch

        picture = open_picture(picture)
        if not isinstance(phrase, str) or not phrase.strip():
            raise InputError('The phrase is empty; write what to look for, for example "the sky", or paint the region.')
        tokens = self.tokenizer(phrase.strip(), return_tensors="pt", verbose=False).to(self.device)
        limit = min(self.tokenizer.model_max_length, self.model.config.text_config.max_position_embeddings)
        if tokens.input_ids.shape[1] > limit:
            raise InputError("Nothing was looked for, because the phrase is too long; shorten it, or paint the region.")
        pixels = self.processor(picture, return_tensors="pt").pixel_values.to(self.device)
        with torch.inference_mode():
            logits = self.model(**tokens, pixel_values=pixels).logits.float()
            logits = logits.reshape(1, 1, *logits.shape[-2:])  # some versions leave the batch of one out
            size = picture.height, picture.width
            stretched = torch.nn.functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return stretched[0, 0].sigmoid().cpu().numpy()
