"""Edits that overflowed: found where they are made, because composed pictures hide it, and tried once more in single precision.

Half precision ends at 65504 (float16) or has three digits (bfloat16); what exceeds it is infinite, then not a number, then
black. That is found in the latents and the pixels, item by item.
"""

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def find_finite(values: torch.Tensor) -> list[bool]:
    """For each item of a batch (n, ...), whether all its numbers are finite."""
    return values.flatten(1).isfinite().all(dim=1).tolist()


@contextmanager
def watch_decoder(pipeline: Any) -> Iterator[list[bool]]:
    """A `with` block whose list tells of each item that the pipeline decoded in it whether latents and pixels were finite.
    Pixels that are not are given to the pipeline as zeros, which it can turn into bytes."""
    vae, finite = getattr(pipeline, "vae", None), list[bool]()
    if vae is None or not hasattr(vae, "decode"):
        yield finite
        return
    decode, own = vae.decode, vars(vae).get("decode")

    @functools.wraps(decode)
    def watched(latents: torch.Tensor, *args: Any, **options: Any) -> Any:
        decoded = decode(latents, *args, **options)
        pixels = decoded[0] if isinstance(decoded, tuple) else decoded.sample
        both = zip(find_finite(latents), find_finite(pixels), strict=True)
        finite.extend(seen and made for seen, made in both)
        pixels.nan_to_num_()
        return decoded

    vae.decode = watched
    try:
        yield finite
    finally:
        if own is None:
            vars(vae).pop("decode", None)
        else:
            vae.decode = own


@contextmanager
def in_single_precision(modules: Iterable[torch.nn.Module]) -> Iterator[None]:
    """A `with` block in which all floating numbers of these models are float32; afterwards each is exactly what it was, because
    every half-precision number is a single-precision one too."""
    held = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
    before = [(tensor, tensor.dtype) for tensor in held if tensor.is_floating_point() and tensor.dtype != torch.float32]
    with torch.inference_mode(False):
        try:
            for tensor, _ in before:
                tensor.data = tensor.data.float()
            yield
        finally:
            for tensor, dtype in before:
                tensor.data = tensor.data.to(dtype)
