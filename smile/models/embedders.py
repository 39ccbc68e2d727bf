"""DINOv2: one vector for each picture, and one for each patch of it.

Distances between pixels say little about what changed. These features do, and they come in a grid, so the same edits
also tell where it changed. torch is imported only when an embedder is loaded.
"""

import functools
from typing import Any

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.models.devices import choose_device
from smile.models.hub import find_weights, is_bundled, load_pretrained, silence_libraries
from smile.models.protocols import Embedder

FULL = "facebook/dinov2-base"


def load_embedder(weights: str = "auto", device: str | None = None) -> "Dinov2Embedder":
    """The embedder, ready to use.

    `weights`: "auto" (full on CUDA, else bundled), "bundled", "full", a local folder, or a Hub repository id.
    Raises InputError where the weights are missing, no DINOv2, or cannot be downloaded.
    """
    kind, location = find_weights(weights, bundled="dinov2", full=FULL)
    device = choose_device(device)
    with silence_libraries():
        from transformers import AutoConfig, BitImageProcessorPil, Dinov2Model

        if load_pretrained(AutoConfig.from_pretrained, location, "DINOv2").model_type != "dinov2":
            raise InputError(f"{location} is no DINOv2 model, so it cannot be the embedder.")
        model = load_pretrained(Dinov2Model.from_pretrained, location, "DINOv2")
        processor = load_pretrained(BitImageProcessorPil.from_pretrained, location, "DINOv2")
    return Dinov2Embedder(model.float().to(device).eval().requires_grad_(False), processor, kind, device)


def ensure_embedder(embedder: Any, editor: object) -> Embedder:
    """The embedder itself, the one with these weights, or by default the one that suits the editor. Raises InputError."""
    if embedder is None:  # the toy editor's pictures are seen best by the toy embedder
        embedder = "bundled" if is_bundled(str(getattr(editor, "weights", ""))) else "auto"
    if isinstance(embedder, str):
        return _load_embedder_once(embedder)
    if not callable(getattr(embedder, "embed", None)):
        raise InputError("The embedder must be an object with embed(images) -> (vectors, patches or None).")
    return embedder


_load_embedder_once = functools.lru_cache(maxsize=1)(load_embedder)


class Dinov2Embedder:
    """A `smile.models.protocols.Embedder` of pictures."""

    name = "dinov2"

    def __init__(self, model: Any, processor: Any, weights: str, device: str):
        self.model, self.processor, self.weights, self.device = model, processor, weights, device
        self.batch_size = 16
        size = processor.crop_size if processor.do_center_crop else processor.size
        self.size = size["height"]  # pixels; the picture is resized whole, so that its edges are seen too

    def embed(self, items: list[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        """(vectors (N, d), patches (N, p, d)) of N pictures, float32.

        A vector is the mean of the last hidden state over all tokens, as published; the patches are the tokens of the
        picture's square grid, in reading order.
        """
        import torch

        states = []
        for start in range(0, len(items), self.batch_size):
            square = [
                image.convert("RGB").resize((self.size, self.size), Image.Resampling.BICUBIC)
                for image in items[start : start + self.batch_size]
            ]
            inputs = self.processor(square, do_resize=False, do_center_crop=False, return_tensors="pt")
            with torch.inference_mode():
                states.append(self.model(inputs.pixel_values.to(self.device)).last_hidden_state.float().cpu().numpy())
        if not states:
            raise InputError("There is no picture to embed.")
        tokens = np.concatenate(states)
        return tokens.mean(axis=1), tokens[:, 1:]
