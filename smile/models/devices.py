"""The devices that models run on, and their memory. torch is imported only when one is asked for."""

import contextlib
import ctypes
import functools
import gc
import sys
import time
from typing import Any

from smile.errors import InputError


def choose_device(device: str | None) -> str:
    """`device` if torch knows it, CUDA where there is one if it is None, else "cpu". Raises InputError."""
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # what torch raises for a device it has not
        raise InputError(f"There is no device “{device}” here; use “cpu”.") from error
    return str(device)


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
