"""Img2Img-Turbo's generator (Parmar et al., arXiv 2403.12036): one UNet step from the picture itself.

There is no maintained package, and it is small: SD-Turbo's parts, whose VAE encoder hands what it saw at four
resolutions to the decoder, so that the latent bottleneck costs no detail (section 3.2 there).
"""

from typing import Any

import torch
from torch import nn

TIME = 999  # the only one: SD-Turbo denoises pure noise in one step


class Turbo(nn.Module):
    """A VAE, a UNet, a DDPM scheduler with one step, and the 1 x 1 skip convolutions between the VAE's two halves."""

    def __init__(self, vae: Any, unet: Any, scheduler: Any):
        super().__init__()
        self.vae, self.unet, self.scheduler = vae, unet, scheduler
        self.skips = make_skip_convolutions(vae)
        scheduler.set_timesteps(timesteps=[TIME])

    def encode(self, control: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(n, 3, h, w) to scaled latents (n, 4, h/8, w/8), the posterior's mode, and what each encoder block was given."""
        seen: list[torch.Tensor] = []
        encoder = self.vae.encoder
        x = encoder.conv_in(control)
        for block in encoder.down_blocks:
            seen.append(x)
            x = block(x)
        x = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(encoder.mid_block(x))))
        if self.vae.quant_conv is not None:
            x = self.vae.quant_conv(x)
        return x.chunk(2, dim=1)[0] * self.vae.config.scaling_factor, seen

    def denoise(self, latents: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """One step: latents (n, 4, h/8, w/8) and text states (n, tokens, d) to the edit's scaled latents."""
        guess = self.unet(latents, TIME, encoder_hidden_states=states).sample
        # The step from 999 to 0 adds noise of variance 1e-20; a generator of its own keeps it off the global one. In
        # single precision, because SD-Turbo's step divides a small difference by 0.07.
        generator = torch.Generator("cpu").manual_seed(0)
        return self.scheduler.step(guess.float(), TIME, latents.float(), generator=generator).prev_sample.to(guess.dtype)

    def decode(self, latents: torch.Tensor, seen: list[torch.Tensor], gamma: float = 1.0) -> torch.Tensor:
        """Scaled latents (n, 4, h/8, w/8) and what the encoder saw, of n pictures or of one for all, to pixels
        (n, 3, h, w) in [-1, 1]; gamma in (0, 1] scales what the skips carry."""
        x = latents / self.vae.config.scaling_factor
        if self.vae.post_quant_conv is not None:
            x = self.vae.post_quant_conv(x)
        decoder = self.vae.decoder
        x = decoder.mid_block(decoder.conv_in(x))
        for block, skip, given in zip(decoder.up_blocks, self.skips, reversed(seen), strict=True):
            x = block(x + skip(given * gamma))
        return decoder.conv_out(decoder.conv_act(decoder.conv_norm_out(x))).clamp(-1, 1)


def make_skip_convolutions(vae: Any) -> nn.ModuleList:
    """One 1 x 1 convolution for each decoder block, from the encoder's resolution that matches it; all zero at first."""
    channels = vae.config.block_out_channels
    given = [channels[0], *channels[:-1]]  # channels that enter each encoder block
    taken = [channels[-1], *reversed(channels[1:])]  # channels that enter each decoder block
    # Without torch's own random start, which would draw from the global generator for nothing.
    skips = [nn.utils.skip_init(nn.Conv2d, a, b, 1, bias=False) for a, b in zip(reversed(given), taken, strict=True)]
    for skip in skips:
        nn.init.zeros_(skip.weight)
    return nn.ModuleList(skips)
