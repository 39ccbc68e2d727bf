"""Img2Img-Turbo as published, on random weights: its composition with the LoRAs unmerged, and what an editor decodes."""

import torch
from tiny import picture

SIZE = (48, 32)
UNET_TARGETS = ["to_k", "to_q", "to_v", "to_out.0", "conv", "conv1", "conv2", "conv_shortcut", "conv_out", "proj_in",
                "proj_out", "ff.net.2", "ff.net.0.proj"]  # fmt: skip
VAE_TARGETS = ["conv1", "conv2", "conv_in", "conv_shortcut", "conv", "conv_out", "skip_conv_1", "skip_conv_2",
               "skip_conv_3", "skip_conv_4", "to_k", "to_q", "to_v", "to_out.0"]  # fmt: skip


class Twin(torch.nn.Module):
    """The stochastic kind's two input convolutions."""

    def __init__(self, pretrained, current):
        super().__init__()
        self.conv_in_pretrained, self.conv_in_curr, self.share = pretrained, current, None

    def forward(self, x):
        return (1 - self.share) * self.conv_in_pretrained(x) + self.share * self.conv_in_curr(x)


class Published:
    """The published composition: adapters by peft, skips by hooks, gamma as a scale of the adapters. Random weights."""

    def __init__(self, folder, stochastic, rank_unet=3, rank_vae=2):
        from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
        from peft import LoraConfig
        from transformers import CLIPTextModel, CLIPTokenizer

        torch.manual_seed(1)
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
        self.scheduler = DDPMScheduler.from_pretrained(folder / "scheduler")
        self.scheduler.set_timesteps(1)
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", dtype=torch.float32)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", dtype=torch.float32)
        pairs = zip(self.vae.encoder.down_blocks[::-1], self.vae.decoder.up_blocks, strict=True)
        for i, (down, up) in enumerate(pairs, 1):
            skip = torch.nn.Conv2d(down.resnets[0].in_channels, up.resnets[0].in_channels, 1, bias=False)
            setattr(self.vae.decoder, f"skip_conv_{i}", skip)
        fresh = torch.nn.Conv2d(4, self.unet.config.block_out_channels[0], 3, padding=1)
        self.unet.conv_in = Twin(self.unet.conv_in, fresh) if stochastic else fresh
        unet_config = LoraConfig(r=rank_unet, init_lora_weights="gaussian", target_modules=UNET_TARGETS)
        vae_config = LoraConfig(r=rank_vae, init_lora_weights="gaussian", target_modules=VAE_TARGETS)
        self.unet.add_adapter(unet_config)
        self.vae.add_adapter(vae_config, adapter_name="vae_skip")
        for name, parameter in [*self.unet.named_parameters(), *self.vae.named_parameters()]:
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        for module in (self.unet, self.vae, self.text_encoder):
            module.eval().requires_grad_(False)
        unet, vae = self.unet.state_dict(), self.vae.state_dict()
        self.held = {
            "rank_unet": rank_unet,
            "rank_vae": rank_vae,
            "unet_lora_target_modules": UNET_TARGETS,
            "vae_lora_target_modules": VAE_TARGETS,
            "state_dict_unet": {key: value for key, value in unet.items() if "lora" in key or "conv_in" in key},
            "state_dict_vae": {key: value for key, value in vae.items() if "lora" in key or "skip" in key},
        }

    def save(self, path):
        torch.save(self.held, path)
        return path

    @torch.no_grad()
    def edit(self, control, text, gamma=None, noise=None, lora=True):
        """control: (h, w, 3) as the model takes it. Gives (3, h, w) in [0, 1]."""
        share = 1.0 if gamma is None else gamma
        for module in [*self.unet.modules(), *self.vae.modules()]:
            for name in getattr(module, "scaling", {}):
                module.set_scale(name, share if lora else 0.0)
        if gamma is not None:
            self.unet.conv_in.share = gamma
        ids = self.tokenizer(text, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        seen, hooks = [], []
        for block in self.vae.encoder.down_blocks:
            hooks.append(block.register_forward_pre_hook(lambda _, given: seen.append(given[0])))
        for i, block in enumerate(self.vae.decoder.up_blocks):
            skip = getattr(self.vae.decoder, f"skip_conv_{i + 1}")
            add = lambda _, given, skip=skip, i=i: (given[0] + skip(seen[3 - i] * share), *given[1:])  # noqa: E731
            hooks.append(block.register_forward_pre_hook(add))
        given = torch.from_numpy(control).float().permute(2, 0, 1)[None]
        x = self.vae.encode(given).latent_dist.mode() * self.vae.config.scaling_factor
        x = x if noise is None else x * gamma + noise * (1 - gamma)
        guess = self.unet(x, torch.tensor([999]), encoder_hidden_states=self.text_encoder(ids)[0]).sample
        x = self.scheduler.step(guess, torch.tensor([999]), x).prev_sample
        image = self.vae.decode(x / self.vae.config.scaling_factor).sample.clamp(-1, 1)
        for hook in hooks:
            hook.remove()
        return image[0] * 0.5 + 0.5


def small(editor):
    editor.working_size = max(SIZE)
    return editor


def tensors(editor, texts, seed=3, image=None):
    """(n, 3, h, w) in [0, 1]: what the editor decodes, before it is rounded to bytes."""
    turbo, kept = editor.get_turbo(), []
    decode = turbo.decode
    turbo.decode = lambda *given: kept.append(decode(*given)) or kept[-1]
    try:
        with torch.inference_mode():
            generators = [torch.Generator("cpu").manual_seed(seed) for _ in texts]
            editor.edit_batch(editor.prepare_picture(image or picture(SIZE), None), texts, generators)
    finally:
        del turbo.decode
    return kept[0] * 0.5 + 0.5
