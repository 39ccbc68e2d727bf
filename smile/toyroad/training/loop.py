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


class Optimizers:
    """AdamW, and Muon for the matrices inside if wanted, as one optimizer."""

    def __init__(self, module: torch.nn.Module, rate: float, muon: bool):
        tables = {id(m.weight) for m in module.modules() if isinstance(m, torch.nn.Embedding)}
        inside = [p for p in module.parameters() if muon and p.ndim == 2 and id(p) not in tables]
        known = {id(p) for p in inside}
        others = [p for p in module.parameters() if id(p) not in known]
        self.parts: list = [torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.99), weight_decay=1e-3)]
        if inside:
            self.parts += [torch.optim.Muon(inside, lr=rate, weight_decay=1e-3, adjust_lr_fn="match_rms_adamw")]

    @property
    def param_groups(self) -> list[dict]:
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def state_dict(self) -> list[dict] | dict:
        states = [part.state_dict() for part in self.parts]
        return states if len(states) > 1 else states[0]

    def load_state_dict(self, states: list[dict] | dict) -> None:
        for part, state in zip(self.parts, states if isinstance(states, list) else [states], strict=True):
            part.load_state_dict(state)


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
    muon: bool = False,
) -> float:
    """Train `module` in place; returns the seconds spent over all resumed runs.

    loss: called with the step and its random generator, gives a scalar. rate: peak learning rate, reached after 2 % of
    the steps, then a cosine to zero. decay: of the exponential moving average that is left in `module` at the end.
    muon: whether matrices other than embeddings are trained by Muon (arXiv 2502.16982) in place of AdamW.
    folder: where `<stage>.pt`, the checkpoint, lives; a finished one is loaded and nothing is trained.
    """
    path = folder / f"{stage}.pt"
    optimizer = Optimizers(module, rate, muon)
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
            optimizer.zero_grad()
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
