"""How many texts a device's memory holds at a time, and what is left to try where one is too much.

One `Memory` for all editors that share a pipeline, so what one has learnt the others know.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from smile.models.devices import is_out_of_memory, plan_placement

TEXTS = 8  # at a time where memory is not asked; on the CPU more gain nothing (assets/docs/tables/cost.md)
MOST = 16  # at a time on CUDA: more make nobody see an edit sooner
PER_PIXEL = 4_000  # bytes for each text at full size in half precision: twice what tests/benchmarks/cost.py counts


def is_cuda(device: str) -> bool:
    """Whether `device` is one of CUDA's."""
    return device.startswith("cuda")


def move_to_device(pipeline: Any, device: str) -> str:
    """Move a diffusers pipeline to `device`; where CUDA has too little memory for all of it, each model, or each layer, moves
    there when it is its turn. Returns how (`plan_placement`). Raises what torch raises where there is too little even so."""
    placement = "whole"
    if is_cuda(device):
        sizes = measure_models(pipeline)
        with suppress(RuntimeError, AssertionError):  # ZeroGPU's main process has no GPU to ask
            placement = plan_placement(sum(sizes), max(sizes, default=0), torch.cuda.mem_get_info(device)[0])
    if placement == "whole":
        try:
            pipeline.to(device)
            return placement
        except (RuntimeError, MemoryError) as error:
            if not (is_cuda(device) and is_out_of_memory(error)):
                raise
        placement = "model by model"
        pipeline.to("cpu")  # what of it was there already
        torch.cuda.empty_cache()
    if placement == "model by model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
    return placement


def measure_models(pipeline: Any) -> list[int]:
    """The bytes of the weights of each of a pipeline's models."""
    models = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    return [sum(each.numel() * each.element_size() for each in (*m.parameters(), *m.buffers())) for m in models]


class Memory:
    """What `pipeline` may use on `device`; `pixels`: of the largest picture."""

    def __init__(self, pipeline: Any, device: str, pixels: int):
        self.pipeline, self.device, self.pixels = pipeline, device, pixels
        self.batch_size: int | None = None  # not known yet
        self.placement = "whole"
        self.most: int | None = None  # texts that the pipeline takes in one call, where that is known
        self._left: list[Callable[[], None]] = [self._slice]
        if is_cuda(device) and hasattr(pipeline, "enable_sequential_cpu_offload"):
            self._left += [self._offload_models, self._offload_layers]

    def choose_batch_size(self) -> int:
        """How many texts to edit at a time: what is free on CUDA, up to `MOST`, else `TEXTS`, and less after `reduce`."""
        if self.batch_size is None:
            self.batch_size = TEXTS
            if is_cuda(self.device):
                free, _ = torch.cuda.mem_get_info(self.device)
                self.batch_size = max(1, min(MOST, free // (PER_PIXEL * self.pixels)))
            self.batch_size = min(self.batch_size, self.most or MOST)
        return self.batch_size

    def reduce(self, batch: int) -> bool:
        """Use less memory, because `batch` texts at a time were too much; False where nothing is left to try."""
        if is_cuda(self.device):
            torch.cuda.empty_cache()
        if batch > 1:
            self.batch_size = batch // 2
        elif self._left:
            self._left.pop(0)()
        else:
            return False
        return True

    # What takes less memory and more time, the cheapest first.

    def _slice(self) -> None:
        self.pipeline.enable_attention_slicing()
        vae = getattr(self.pipeline, "vae", None)
        if vae is not None and hasattr(vae, "enable_slicing"):
            vae.enable_slicing()

    def _offload_models(self) -> None:
        self.batch_size = None  # there is more room now, and moving models is worth it for many texts only
        self.placement = "model by model"
        self.pipeline.enable_model_cpu_offload(device=self.device)

    def _offload_layers(self) -> None:
        self.batch_size = None
        self.placement = "layer by layer"
        self.pipeline.enable_sequential_cpu_offload(device=self.device)
