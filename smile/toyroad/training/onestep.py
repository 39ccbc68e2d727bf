"""The toy Img2Img-Turbo's training: one UNet step from a picture, or from its edges, to the ideal edit.

First on cached latents, which is cheap; then in pixels through the VAE's decoder, where the skip convolutions learn too.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from tqdm import trange

from smile.toyroad.captions import make_plain_scene, random_caption
from smile.toyroad.grammar import make_ideal_scene
from smile.toyroad.scene import draw, random_scene
from smile.toyroad.training.data import add_fillers, same_meaning, training_words
from smile.toyroad.training.loop import half_precision, save_tensors, step_rng, train
from smile.toyroad.training.stages import edge_differences
from smile.toyroad.training.text import tokens

EXAMPLES = 4000  # in a chunk of edges


def start_from(unet, instructed, scale: float) -> None:
    """Give the 4-channel `unet` what Instruct-Pix2Pix learned: from pure noise its first step is already a guess of the
    edit from picture and text. The picture's channels were unscaled latents; here they are scaled, and the only ones."""
    known = instructed.state_dict()
    unet.load_state_dict(known | {"conv_in.weight": known["conv_in.weight"][:, 4:] / scale})


def edges(picture) -> np.ndarray:
    """(h, w, 3) float32 of 0 and 1: Canny's edges with the published thresholds."""
    return np.repeat(cv2.Canny(np.asarray(picture), 100, 200)[..., None], 3, 2).astype(np.float32) / 255


def as_control(picture) -> np.ndarray:
    """(h, w, 3) float32 in [-1, 1]: the picture itself."""
    return np.asarray(picture, np.float32) / 127.5 - 1


def edited_picture(rng) -> tuple:
    """(source scene, edited scene, text) for the editor on pictures."""
    scene = random_scene(rng)
    words = training_words(scene, rng)
    edited = make_ideal_scene(scene, words, rng)
    return scene, edited, " ".join(same_meaning(words, rng) if rng.random() < 0.5 else words)


def drawn_edges(rng) -> tuple:
    """(source scene, the scene that its edges and the text describe, text) for the editor on edges."""
    scene = random_scene(rng)
    words = random_caption(scene, rng).words
    if rng.random() < 0.5:
        kept = rng.random() if rng.random() < 0.5 else 0.5
        words = [w for w in words if rng.random() < kept]
    if rng.random() < 0.3:
        words = add_fillers(words, rng)
    return scene, make_ideal_scene(make_plain_scene(scene), words, rng), " ".join(words)


def make_edge_pairs(vae, *, chunks: int, seed: int, folder, device, examples: int = EXAMPLES) -> dict:
    """Cached as in `stages.make_pairs`: latents of edges (source) and of drawings (target), texts."""
    parts = []
    for chunk in range(chunks):
        path = folder / f"edges-{chunk}.pt"
        if not path.exists():
            rng = step_rng(seed, "edges", chunk)
            latents, texts = [], []
            for start in trange(0, examples, 40, desc=f"edges {chunk}", mininterval=5):
                pairs = [drawn_edges(rng) for _ in range(min(40, examples - start))]
                stack = np.concatenate([[edges(draw(s)) for s, _, _ in pairs],
                                        [as_control(draw(e)) for _, e, _ in pairs]])  # fmt: skip
                x = torch.from_numpy(stack).to(device).permute(0, 3, 1, 2)
                with torch.no_grad(), half_precision(device):
                    latents.append(vae.encode(x).latent_dist.mode().half().cpu().unflatten(0, (2, -1)))
                texts += [t for _, _, t in pairs]
            save_tensors({"latents": torch.cat(latents, 1), "texts": texts}, path)
        parts.append(torch.load(path, weights_only=True))
    latents = torch.cat([p["latents"] for p in parts], 1)  # (2, n, 4, 16, 16)
    n = latents.shape[1]
    return {"latents": latents.flatten(0, 1), "source": torch.arange(n), "target": torch.arange(n) + n,
            "texts": [t for p in parts for t in p["texts"]]}  # fmt: skip


def train_latents(stage: str, turbo, encoder, tokenizer, pairs, *, steps: int, seed: int, folder, device,
                  batch: int = 32) -> float:  # fmt: skip
    """The UNet alone: latents of the source to those of the ideal edit, weighted by what the edit changes."""
    scale = turbo.vae.config.scaling_factor

    def loss(step, rng):
        index = rng.integers(len(pairs["texts"]), size=batch)
        source, target = (pairs["latents"][pairs[k][index]].to(device).float() * scale for k in ("source", "target"))
        texts = [pairs["texts"][i].split() for i in index]
        texts = [" ".join(same_meaning(t, rng) if rng.random() < 0.5 else t) for t in texts]
        with torch.no_grad(), half_precision(device):
            hidden = encoder(tokens(tokenizer, texts).to(device)).last_hidden_state.float()
        changed = ((target - source).abs().mean(1, keepdim=True) > 0.25).float()
        weight = 1 + changed * (0.6 / changed.mean((1, 2, 3), keepdim=True).clamp(min=0.04))
        with half_precision(device):
            guess = turbo.denoise(source, hidden)
        far = (guess.float() - target).abs()
        return ((far + far.square()) * weight).mean()

    return train(stage, turbo.unet, loss, steps=steps, rate=6e-4, seed=seed, folder=folder, decay=0.999)


def train_pixels(stage: str, turbo, encoder, tokenizer, example, control, *, steps: int, seed: int, folder, device,
                 batch: int = 8) -> float:  # fmt: skip
    """UNet and skip convolutions through the frozen VAE. example: gives (source, ideal, text) from a generator; control:
    a drawn picture to what the editor is given, (h, w, 3) float32."""
    turbo.vae.requires_grad_(False)
    learns = torch.nn.ModuleDict({"unet": turbo.unet, "skips": turbo.skips})

    def loss(step, rng):
        scenes = [example(rng) for _ in range(batch)]
        pictures = [draw(s) for s, _, _ in scenes]
        given, source, target = (
            torch.from_numpy(np.stack(stack)).to(device).permute(0, 3, 1, 2)
            for stack in (
                [control(p) for p in pictures],
                [as_control(p) for p in pictures],
                [as_control(draw(e)) for _, e, _ in scenes],
            )
        )
        with torch.no_grad(), half_precision(device):
            hidden = encoder(tokens(tokenizer, [t for _, _, t in scenes]).to(device)).last_hidden_state.float()
            latents, seen = turbo.encode(given)
        changed = ((target - source).abs().mean(1, keepdim=True) > 0.1).float()
        weight = 1 + changed * (0.6 / changed.mean((1, 2, 3), keepdim=True).clamp(min=0.04))
        with half_precision(device):
            guess = turbo.decode(turbo.denoise(latents.float(), hidden), seen).float()
        outlines = sum((a - b).abs().mean() for a, b in zip(edge_differences(guess), edge_differences(target), strict=True))
        return ((guess - target).abs() * weight).mean() + outlines

    return train(stage, learns, loss, steps=steps, rate=2e-4, seed=seed, folder=folder, decay=0.998)
