"""What a device's memory holds: how many texts at a time, and what is left to try where one is too much.

One `Memory` for all editors that share a pipeline, so what one has learnt the others know.
"""

import torch

from smile.models.hub import is_out_of_memory

TEXTS = 8  # at a time where memory is not asked; on the CPU more gain nothing (assets/docs/tables/cost.md)
MOST = 16  # at a time on CUDA: more make nobody see an edit sooner
PER_PIXEL = 4_000  # bytes for each text at full size in half precision: twice what tests/benchmarks/cost.py counts


def is_cuda(device: str) -> bool:
    """Whether `device` is one of CUDA's."""
    return device.startswith("cuda")


def move_to_device(pipeline, device: str) -> None:
    """Move a diffusers pipeline to `device`; where CUDA has too little memory for all of it, each model moves there when
    it is its turn. Raises what torch raises where there is too little even so."""
    try:
        pipeline.to(device)
        return
    except (RuntimeError, MemoryError) as error:
        if not (is_cuda(device) and is_out_of_memory(error)):
            raise
    pipeline.to("cpu")  # what of it was there already
    torch.cuda.empty_cache()
    pipeline.enable_model_cpu_offload(device=device)


class Memory:
    """`pixels`: of the largest picture."""

    def __init__(self, pipeline, device: str, pixels: int):
        self.pipeline, self.device, self.pixels = pipeline, device, pixels
        self.batch_size: int | None = None  # not known yet
        self._left = [self._slice] + [self._offload_models, self._offload_layers] * self._can_offload

    @property
    def _can_offload(self) -> bool:
        return is_cuda(self.device) and hasattr(self.pipeline, "enable_sequential_cpu_offload")

    def choose_batch_size(self) -> int:
        """How many texts at a time."""
        if self.batch_size is None:
            self.batch_size = TEXTS
            if is_cuda(self.device):
                free, _ = torch.cuda.mem_get_info(self.device)
                self.batch_size = max(1, min(MOST, free // (PER_PIXEL * self.pixels)))
        return self.batch_size

    def reduce(self, batch: int) -> bool:
        """Take in that `batch` texts at a time were too much; False where nothing is left to try."""
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
        if hasattr(vae, "enable_slicing"):
            vae.enable_slicing()

    def _offload_models(self) -> None:
        self.batch_size = None  # there is more room now, and moving models is worth it for many texts only
        self.pipeline.enable_model_cpu_offload(device=self.device)

    def _offload_layers(self) -> None:
        self.batch_size = None
        self.pipeline.enable_sequential_cpu_offload(device=self.device)
