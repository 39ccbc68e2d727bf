"""Drawing tokens with common noise: every row of a run sees the same noise, so two answers differ because their prompts do."""

from typing import Any

import torch

LARGEST = 2**63 - 1  # seed of a torch generator


class SamplingNoise:
    """A logits processor that turns the likeliest token into a drawn one.

    With logits l and temperature T > 0, the largest of l / T + g is distributed as softmax(l / T), where g are independent
    standard Gumbel numbers (Gumbel-max; Maddison et al., A* sampling, 2014). g follows from the seed and the position in
    the answer alone. A temperature of 0 adds nothing. `failed` says which rows had a logit that is not a number.
    """

    def __init__(self, temperature: float, seed: int, start: int):
        self.temperature, self.seed, self.start = temperature, seed, start  # start: tokens before the answer
        self.failed: list[bool] | None = None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """(n, vocabulary) logits of the next token, with noise."""
        scores = scores.float()
        bad = (scores.isnan().any(1) | (scores == torch.inf).any(1)).tolist()
        self.failed = [a or b for a, b in zip(self.failed or [False] * len(bad), bad, strict=True)]
        scores = scores.nan_to_num(nan=0.0, posinf=0.0, neginf=-torch.inf)
        if not self.temperature:
            return scores
        noise = draw_gumbel(self.seed, input_ids.shape[1] - self.start, scores.shape[1])
        return scores / self.temperature + noise.to(scores.device)


def draw_gumbel(seed: int, position: int, size: int) -> torch.Tensor:
    """(size,) standard Gumbel numbers, -log(-log(u)), in float32: the same on every device."""
    generator = torch.Generator("cpu").manual_seed((seed * 1_000_003 + position) % LARGEST)
    uniform = torch.rand(size, generator=generator, dtype=torch.float64).clamp(1e-300, 1 - 2**-53)
    return -torch.log(-torch.log(uniform)).float()
