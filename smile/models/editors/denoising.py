"""The steps from noise to an edit that Instruct-Pix2Pix and Inpaint share, written out.

The pipelines' own `__call__` does the same for any texts and pictures. Here it is known that edits have one picture, and
mostly one noise. So what the UNet predicts without a text at the first step is the same for all of them, and is computed
once for a picture and a noise; and a branch of guidance that counts 0 is not computed at all.
"""

from collections.abc import Callable
from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor

from smile.models.editors.precision import watch_decoder


class Branches:
    """A UNet with the guidance's branches: the one with the text, and those without.

    `given` (b, c, h, w): what the UNet is given of the picture, beside the latents, in each branch; row 0 is with the text.
    `empty` (1, tokens, d): the states of the empty text, which the other branches read.
    """

    def __init__(self, unet: Any, given: torch.Tensor, empty: torch.Tensor, **options: torch.Tensor):
        self.unet, self.given, self.empty, self.options = unet, given, empty, options
        self._textless: tuple = (None, None, None)  # time, latents and predictions of the last first step

    def __call__(self, seen: torch.Tensor, time: torch.Tensor, states: torch.Tensor, first: bool) -> list[torch.Tensor]:
        """What is predicted in each branch, (n, 4, h, w) or, where it is the same for all, (1, 4, h, w), of scaled latents
        seen (n, 4, h, w) and text states (n, tokens, d)."""
        if len(self.given) == 1 or not (first and (seen == seen[:1]).all()):
            return self._predict(seen, time, [states, *[self.empty.expand_as(states)] * (len(self.given) - 1)], self.given)
        # The branches without a text in a call of their own, lest the last bits of the others depend on whether it is made.
        if time != self._textless[0] or not torch.equal(seen[:1], self._textless[1]):
            without = self._predict(seen[:1], time, [self.empty] * (len(self.given) - 1), self.given[1:])
            self._textless = time, seen[:1].clone(), without
        return [*self._predict(seen, time, [states], self.given[:1]), *self._textless[2]]

    def _predict(self, seen: torch.Tensor, time, states: list[torch.Tensor], given: torch.Tensor) -> list[torch.Tensor]:
        inputs = [torch.cat([seen, each.expand(len(seen), -1, -1, -1)], dim=1) for each in given.split(1)]
        return self.unet(torch.cat(inputs), time, torch.cat(states), **self.options, return_dict=False)[0].chunk(len(given))


def draw_noise(generators: list[torch.Generator], like: torch.Tensor) -> torch.Tensor:
    """(n, 4, h, w), one from each generator, in the type and on the device of latents (1, 4, h, w)."""
    return randn_tensor((len(generators), *like.shape[1:]), generators, like.device, like.dtype)


def denoise(
    pipeline: Any,
    steps: int,
    noise: torch.Tensor,
    generators: list[torch.Generator],
    predict: Callable[..., torch.Tensor],
    settle: Callable[..., torch.Tensor] | None = None,
) -> torch.Tensor:
    """Latents (n, 4, h, w) of the edits.

    `predict(seen, time, first)` says what the model predicts of scaled latents (n, 4, h, w), at the first step or later.
    `settle(latents, time)` is called after each step with the next one's time, None after the last.
    """
    # 1. The times, and noise of the scheduler's strength.
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(steps, device=noise.device)
    times = [*scheduler.timesteps, None]
    latents = noise * scheduler.init_noise_sigma
    options = pipeline.prepare_extra_step_kwargs(generators, 0.0)
    for i, time in enumerate(times[:-1]):
        # 2. What the model predicts.
        predicted = predict(scheduler.scale_model_input(latents, time), time, i == 0)
        # 3. One step of the scheduler.
        latents = scheduler.step(predicted, time, latents, **options, return_dict=False)[0]
        # 4. What must stay as it is.
        latents = settle(latents, times[i + 1]) if settle else latents
    return latents


def decode(pipeline: Any, latents: torch.Tensor) -> list[Any]:
    """Latents (n, 4, h, w) as PIL images, None where one overflowed."""
    with watch_decoder(pipeline) as finite:
        pixels = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor, return_dict=False)[0]
    pipeline.maybe_free_model_hooks()  # where models move to the device when it is their turn
    images = pipeline.image_processor.postprocess(pixels)
    return [image if good else None for image, good in zip(images, finite, strict=True)]
