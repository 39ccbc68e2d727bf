"""The devices that models run on, and their memory. torch is imported only when one is asked for."""

import contextlib
import ctypes
import functools
import gc
import os
import sys
import time
from typing import Any

from smile.errors import InputError

# Read when torch is imported: what Apple's GPU cannot do is done on the CPU, instead of an error.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
ROOM = 2e9  # bytes that edits need beside the weights, at least


def choose_device(device: str | None) -> str:
    """`device` if torch knows it; CUDA, Apple's GPU (mps) or the CPU, whichever is there, if it is None. Raises InputError."""
    import torch

    if device is None:
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # what torch raises for a device it has not
        raise InputError(f"There is no device “{device}” here; use “cpu”.") from error
    return str(device)


def describe_device() -> str:
    """A sentence on what full weights run on here, and in which precision."""
    import torch

    device = choose_device(None)
    if device == "cuda":
        return f"Full weights run on {torch.cuda.get_device_name()}, in half precision."
    if device == "mps":
        return (
            "Full weights run on Apple's GPU (mps): in single precision, because half precision is known to give black "
            "pictures there, and those of transformers in bfloat16."
        )
    half = "in bfloat16" if has_fast_bfloat16() else "in single precision"
    return f"There is no GPU here: full weights run on the CPU, {half}, which takes minutes for each edit."


def measure_memory() -> float:
    """Bytes of memory that this machine has for weights, a GPU's included where it is separate."""
    import torch

    own = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else float("inf")
    return own + torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else own


def measure_gpu_memory() -> float | None:
    """Bytes that CUDA's device has for weights: what is free, and what this process would free for them; None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    return float(torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved())


def plan_placement(total: float, largest: float, free: float) -> str:
    """How weights of `total` bytes, of which the largest part has `largest`, go onto a GPU with `free` bytes: "whole",
    "model by model" (each moves there when it is its turn) or "layer by layer", which is slow."""
    if total + ROOM <= free:
        return "whole"
    return "model by model" if largest + ROOM <= free else "layer by layer"


def has_fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware: x86's AMX or AVX512-BF16."""
    import torch

    # Torch has no public name for it yet.
    asked = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return any(ask() for ask in asked if ask)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the machine itself, had no memory left. Only CUDA has an exception of its own for it."""
    import torch

    said = str(error)
    known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
    return known or "DefaultCPUAllocator" in said or "out of memory" in said or "ALLOC_FAILED" in said


def release_memory() -> None:
    """Return to the system what dropped models have left with the allocator, which on Linux can be gigabytes."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library that has no such call
            ctypes.CDLL(None).malloc_trim(0)


def empty_cuda_cache() -> None:
    """Return to CUDA what dropped models have left with torch's allocator."""
    import torch

    torch.cuda.empty_cache()


@functools.cache
def measure_speed(device: str, dtype: Any) -> float:
    """Operations per second of matrix products in `dtype` on `device`."""
    import torch

    size = 4096 if device.startswith("cuda") else 1024
    a = torch.ones(size, size, device=device, dtype=dtype)

    def time_product() -> float:
        began = time.perf_counter()
        (a @ a)[0, 0].item()  # which waits for the result
        return time.perf_counter() - began

    time_product()
    return 2 * size**3 / min(time_product() for _ in range(5))
