"""One resumable training loop for all the toy models.

What happens at step i depends on the seed, the stage's name and i alone, so a run that was interrupted and resumed gives
the weights of one that was not (on the same machine with the same number of threads).
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from smile.io.atomic import write_file


def step_rng(seed: int, stage: str, step: int) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(stage.encode()), step))


def half_precision(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16)


def train(
    stage: str,
    module: torch.nn.Module,
    loss: Callable[[int, np.random.Generator], torch.Tensor],
    *,
    steps: int,
    rate: float,
    seed: int,
    folder: Path,
    decay: float | None = None,
    save_every: int = 250,
) -> float:
    """Train `module` in place; returns the seconds spent over all resumed runs.

    loss: called with the step and its random generator, gives a scalar. rate: peak learning rate, reached after 2 % of
    the steps, then a cosine to zero. decay: of the exponential moving average that is left in `module` at the end.
    folder: where `<stage>.pt`, the checkpoint, lives; a finished one is loaded and nothing is trained.
    """
    path = folder / f"{stage}.pt"
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-3)
    average = {k: v.clone() for k, v in module.state_dict().items()} if decay else None
    first, spent = 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True, map_location="cpu")
        module.load_state_dict(state["module"])
        if state["step"] < steps:
            optimizer.load_state_dict(state["optimizer"])
        average, first, spent = state["average"], state["step"], state["seconds"]
    device = next(module.parameters()).device
    if average:
        average = {k: v.to(device) for k, v in average.items()}
    started, smooth = time.monotonic(), None
    module.train()
    with tqdm(total=steps, initial=first, desc=stage, mininterval=5, dynamic_ncols=True) as bar:
        for step in range(first, steps):
            warm = min(1.0, (step + 1) / (0.02 * steps))
            for group in optimizer.param_groups:
                group["lr"] = rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
            value = loss(step, step_rng(seed, stage, step))
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            if average and decay:
                rate_now = min(decay, (step + 1) / (step + 10))
                with torch.no_grad():
                    for k, v in module.state_dict().items():
                        if v.dtype.is_floating_point:
                            average[k].lerp_(v, 1 - rate_now)
            if step % 10 == 0:
                smooth = value.item() if smooth is None else 0.9 * smooth + 0.1 * value.item()
                bar.set_postfix_str(f"loss {smooth:.4f}")
            bar.update()
            if (step + 1) % save_every == 0 or step + 1 == steps:
                total = spent + time.monotonic() - started
                state = {"module": module.state_dict(), "optimizer": optimizer.state_dict(), "average": average,
                         "step": step + 1, "seconds": total}  # fmt: skip
                save_tensors(state, path)
    if average:
        module.load_state_dict(average)
    module.eval()
    return spent + time.monotonic() - started


def save_tensors(value, path: Path) -> None:
    """`torch.save`, atomically."""
    buffer = BytesIO()
    torch.save(value, buffer)
    write_file(path, buffer.getvalue())
