"""What each toy model learns, one function a stage: the VAE, the embedder, the text encoder, the editor's UNet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import trange

from smile.toyroad.grammar import make_ideal_scene
from smile.toyroad.scene import VALUES, Scene, draw, random_scene
from smile.toyroad.training.data import same_meaning, training_words
from smile.toyroad.training.loop import half_precision, save_tensors, step_rng, train
from smile.toyroad.training.text import tokens

CHAINS = 480  # in a chunk of training pairs


def pixels(scenes: list[Scene], device) -> torch.Tensor:
    """The scenes drawn: (n, 3, SIZE, SIZE) in [-1, 1]."""
    stack = np.stack([np.asarray(draw(s)) for s in scenes])
    return torch.from_numpy(stack).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def edge_differences(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences of neighbouring pixels along a row and along a column."""
    return x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]


def train_vae(vae, *, steps: int, seed: int, folder, device, batch: int = 8) -> float:
    """Error of pixels and of their differences (sharp outlines), and a small KL term.

    Objects and dark scenes count more: a car is 5 % of the picture, and the colours of a night lie close together, yet
    both are what instructions are about.
    """

    def loss(step, rng):
        scenes = [random_scene(rng) for _ in range(batch)]
        x = pixels(scenes, device)
        bare = pixels([replace(s, car=None, tree=False, house=False) for s in scenes], device)
        objects = ((x - bare).abs().mean(1, keepdim=True) > 0.05).float()
        contrast = (0.5 / x.std((1, 2, 3), keepdim=True)).clamp(0.7, 4)
        noise = torch.from_numpy(rng.standard_normal((batch, 4, x.shape[2] // 8, x.shape[3] // 8), np.float32))
        with half_precision(device):
            posterior = vae.encode(x).latent_dist
            y = vae.decode(posterior.mean + posterior.std * noise.to(device)).sample.float()
        kl = posterior.kl().float().mean() / noise[0].numel()
        far = (x - y).abs()
        outlines = sum(((a - b).abs() * contrast).mean() for a, b in zip(edge_differences(x), edge_differences(y), strict=True))
        return ((far + 1.5 * far.square()) * contrast * (1 + 2 * objects)).mean() + outlines + 2e-4 * kl

    return train("vae", vae, loss, steps=steps, rate=2e-3, seed=seed, folder=folder)


@torch.no_grad()
def scale_latents(vae, *, seed: int, device) -> None:
    """Set the VAE's scaling factor so that latents have unit variance, as diffusion expects."""
    rng = np.random.default_rng((seed, 7))
    z = torch.cat([vae.encode(pixels([random_scene(rng) for _ in range(16)], device)).latent_dist.mode() for _ in range(8)])
    vae.register_to_config(scaling_factor=round(float(1 / z.std()), 5))


class _Heads(nn.Module):
    """DINOv2 with the read-outs it is trained through; only the DINOv2 inside is kept."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        width = backbone.config.hidden_size
        self.attributes = nn.ModuleDict({name: nn.Linear(2 * width, len(v)) for name, v in VALUES.items()})
        self.patch = nn.Linear(width, 3 + 3)  # mean colour; car, tree, house

    def forward(self, x):
        tokens = self.backbone(pixel_values=x).last_hidden_state
        whole = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], -1)
        return {name: head(whole) for name, head in self.attributes.items()}, self.patch(tokens[:, 1:])


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def train_embedder(backbone, *, steps: int, seed: int, folder, device, batch: int = 24) -> float:
    """Attributes from the whole picture; colour and objects from every patch. Pictures are blurred and made noisy at
    random, so that an editor's small artefacts do not count as content."""
    model = _Heads(backbone).to(device)
    mean, std = (torch.tensor(v, device=device)[None, :, None, None] for v in IMAGENET)
    patch = backbone.config.patch_size

    def loss(step, rng):
        scenes = [random_scene(rng) for _ in range(batch)]
        x = pixels(scenes, device)
        without = [pixels([replace(s, **{o: v}) for s in scenes], device) for o, v in
                   (("car", None), ("tree", False), ("house", False))]  # fmt: skip
        objects = torch.stack([F.avg_pool2d((x - w).abs().mean(1), patch) > 0.04 for w in without], -1).float()
        colour = F.avg_pool2d(x, patch).permute(0, 2, 3, 1)
        y = x
        if rng.random() < 0.5:
            y = F.interpolate(F.avg_pool2d(y, 2), scale_factor=2, mode="bilinear")
        noise = torch.from_numpy(rng.standard_normal(x.shape, np.float32)).to(device)
        y = ((y + noise * 0.08 * rng.random()) / 2 + 0.5 - mean) / std
        with half_precision(device):
            attributes, patches = model(y)
        patches = patches.float().unflatten(1, colour.shape[1:3])
        total = F.l1_loss(patches[..., :3], colour) + F.binary_cross_entropy_with_logits(patches[..., 3:], objects)
        for name, logits in attributes.items():
            target = torch.tensor([VALUES[name].index(getattr(s, name)) for s in scenes], device=device)
            total = total + 0.3 * F.cross_entropy(logits.float(), target)
        return total

    return train("embedder", model, loss, steps=steps, rate=1e-3, seed=seed, folder=folder)


def make_chunk(vae, chunk: int, *, seed: int, folder, device, chains: int = CHAINS, length: int = 10) -> dict:
    """One chunk of training pairs as latents, kept in a file: chains of scenes, each the ideal edit of the one before.

    Returns latents (m, 4, 16, 16) of the posterior's mode, source and target (n,) indices into them, texts (n).
    """
    path = folder / f"pairs-{chunk}.pt"
    if not path.exists():
        rng = step_rng(seed, "pairs", chunk)
        scenes, source, target, texts = [], [], [], []
        for _ in range(chains):
            scenes.append(random_scene(rng))
            for _ in range(length):
                words = training_words(scenes[-1], rng)
                source.append(len(scenes) - 1)
                edited = make_ideal_scene(scenes[-1], words, rng)
                if edited != scenes[-1]:
                    scenes.append(edited)
                target.append(len(scenes) - 1)
                texts.append(" ".join(words))
        with torch.no_grad(), half_precision(device):
            latents = [vae.encode(pixels(scenes[i : i + 48], device)).latent_dist.mode().half().cpu()
                       for i in trange(0, len(scenes), 48, desc=f"pairs {chunk}", mininterval=5)]  # fmt: skip
        save_tensors({"latents": torch.cat(latents), "source": torch.tensor(source), "target": torch.tensor(target),
                      "texts": texts}, path)  # fmt: skip
    return torch.load(path, weights_only=True)


def make_pairs(vae, *, chunks: int, **common) -> dict:
    """All chunks as one, see `make_chunk`."""
    parts = [make_chunk(vae, chunk, **common) for chunk in range(chunks)]
    offsets = np.cumsum([0, *(len(p["latents"]) for p in parts[:-1])])
    return {
        "latents": torch.cat([p["latents"] for p in parts]),
        "source": torch.cat([p["source"] + int(o) for p, o in zip(parts, offsets, strict=True)]),
        "target": torch.cat([p["target"] + int(o) for p, o in zip(parts, offsets, strict=True)]),
        "texts": [t for p in parts for t in p["texts"]],
    }


def train_unet(unet, scheduler, vae, encoder, tokenizer, pairs, *, steps: int, seed: int, folder, device,
               batch: int = 32) -> float:  # fmt: skip
    """Instruct-Pix2Pix training (arXiv 2211.09800, section 3.2) with v-prediction.

    The loss weighs what the edit changes: a car is 5 % of the picture and would be learned last. The picture is dropped
    in 6 % of the examples for image guidance; the empty text is the instruction to change nothing.
    """
    scale = vae.config.scaling_factor

    def loss(step, rng):
        index = rng.integers(len(pairs["texts"]), size=batch)
        source, target = (pairs["latents"][pairs[key][index]].to(device).float() for key in ("source", "target"))
        texts = [pairs["texts"][i].split() for i in index]
        texts = [" ".join(same_meaning(t, rng) if rng.random() < 0.5 else t) for t in texts]
        with torch.no_grad(), half_precision(device):
            hidden = encoder(tokens(tokenizer, texts).to(device)).last_hidden_state.float()
        changed = ((target - source).abs().mean(1, keepdim=True) * scale > 0.25).float()  # (b, 1, 16, 16)
        weight = 1 + changed * (0.6 / changed.mean((1, 2, 3), keepdim=True).clamp(min=0.04))
        seen = torch.from_numpy(rng.random((batch, 1, 1, 1)) > 0.06).to(device)
        noise = torch.from_numpy(rng.standard_normal(target.shape, np.float32)).to(device)
        # More of the early, noisy times, where the words decide what the picture becomes.
        times = torch.from_numpy(999 - np.floor(1000 * rng.random(batch) ** 1.3).astype(int)).to(device)
        noisy = scheduler.add_noise(target * scale, noise, times)
        velocity = scheduler.get_velocity(target * scale, noise, times)
        with half_precision(device):
            guess = unet(torch.cat([noisy, source * seen], 1), times, hidden).sample.float()
        return ((guess - velocity).square() * weight).mean()

    return train("unet", unet, loss, steps=steps, rate=8e-4, seed=seed, folder=folder, decay=0.999)
