"""The toy Inpaint's training: pairs of a picture with a hole and what belongs in it, and its 9-channel UNet."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import trange

from smile.toyroad.regions import compose_pictures, make_ideal_scene_inside, random_region, remove_hidden
from smile.toyroad.scene import draw, random_scene
from smile.toyroad.training.data import same_meaning, training_words
from smile.toyroad.training.loop import half_precision, save_tensors, step_rng, train
from smile.toyroad.training.text import tokens

EXAMPLES = 4000  # in a chunk


def start_from(unet, instructed, scale: float) -> None:
    """Give the 9-channel `unet` what Instruct-Pix2Pix learned, as Stable Diffusion's inpainting started from its UNet.

    Its picture channels were unscaled latents; inpainting's are scaled, and between them stands the region's channel.
    """
    known = instructed.state_dict()
    first = known["conv_in.weight"]
    region = torch.zeros_like(first[:, :1])
    unet.load_state_dict(known | {"conv_in.weight": torch.cat([first[:, :4], region, first[:, 4:] / scale], 1)})


def make_chunk(vae, chunk: int, *, seed: int, folder, device, examples: int = EXAMPLES) -> dict:
    """One chunk of examples, kept in a file: region (n, 1, 16, 16) bool at the latents' size; latents (n, 4, 16, 16),
    posterior's mode, of the picture with a grey hole (masked), of the ideal result (target), and of the result of asking
    for nothing (empty); texts (n)."""
    path = folder / f"holes-{chunk}.pt"
    if not path.exists():
        rng = step_rng(seed, "holes", chunk)
        pictures: dict[str, list] = {"masked": [], "target": [], "empty": []}
        regions, texts = [], []
        latents: dict[str, list] = {name: [] for name in pictures}
        for i in trange(examples, desc=f"holes {chunk}", mininterval=5):
            scene = random_scene(rng)
            bare = remove_hidden(scene, np.ones((1, 1)).repeat(128, 0).repeat(128, 1))
            words = training_words(scene if rng.random() < 0.4 else bare, rng)
            region = random_region(scene, rng, words)
            pictures["masked"].append(np.where(region[..., None], 127.5, np.asarray(draw(scene))))
            pictures["target"].append(compose_pictures(scene, region, make_ideal_scene_inside(scene, region, words, rng)))
            pictures["empty"].append(compose_pictures(scene, region, remove_hidden(scene, region)))
            regions.append(region)
            texts.append(" ".join(words))
            if len(pictures["masked"]) == 40 or i + 1 == examples:
                for name, stack in pictures.items():
                    x = torch.from_numpy(np.stack(stack)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
                    with torch.no_grad(), half_precision(device):
                        latents[name].append(vae.encode(x).latent_dist.mode().half().cpu())
                    stack.clear()
        small = F.max_pool2d(torch.from_numpy(np.stack(regions))[:, None].float(), 8) > 0  # like the editor, see `cover_cells`
        save_tensors({name: torch.cat(parts) for name, parts in latents.items()} | {"region": small, "texts": texts}, path)
    return torch.load(path, weights_only=True)


def make_holes(vae, *, chunks: int, **common) -> dict:
    """All chunks as one, see `make_chunk`."""
    parts = [make_chunk(vae, chunk, **common) for chunk in range(chunks)]
    joined = {name: torch.cat([p[name] for p in parts]) for name in ("masked", "target", "empty", "region")}
    return joined | {"texts": [t for p in parts for t in p["texts"]]}


def train_inpaint(unet, scheduler, vae, encoder, tokenizer, holes, *, steps: int, seed: int, folder, device,
                  batch: int = 32) -> float:  # fmt: skip
    """Stable Diffusion's inpainting objective with v-prediction; the loss counts inside the region, and most where the
    words change what asking for nothing would give."""
    scale = vae.config.scaling_factor

    def loss(step, rng):
        index = rng.integers(len(holes["texts"]), size=batch)
        masked, target, empty = (holes[k][index].to(device).float() * scale for k in ("masked", "target", "empty"))
        region = holes["region"][index].to(device).float()
        texts = [holes["texts"][i].split() for i in index]
        texts = [" ".join(same_meaning(t, rng) if rng.random() < 0.5 else t) for t in texts]
        with torch.no_grad(), half_precision(device):
            hidden = encoder(tokens(tokenizer, texts).to(device)).last_hidden_state.float()
        changed = ((target - empty).abs().mean(1, keepdim=True) > 0.25).float() * region
        share, room = (m.mean((1, 2, 3), keepdim=True).clamp(min=0.04) for m in (changed, region))
        weight = 0.1 + region * (0.5 / room).clamp(max=4) + changed * (0.6 / share).clamp(max=8)
        noise = torch.from_numpy(rng.standard_normal(target.shape, np.float32)).to(device)
        times = torch.from_numpy(999 - np.floor(1000 * rng.random(batch) ** 1.3).astype(int)).to(device)
        noisy = scheduler.add_noise(target, noise, times)
        velocity = scheduler.get_velocity(target, noise, times)
        with half_precision(device):
            guess = unet(torch.cat([noisy, region, masked], 1), times, hidden).sample.float()
        return ((guess - velocity).square() * weight).mean()

    return train("inpaint", unet, loss, steps=steps, rate=6e-4, seed=seed, folder=folder, decay=0.999)
