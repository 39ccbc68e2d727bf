"""Train the bundled models: `python -m smile.toyroad.training.train` writes everything under assets/models.

Interrupted, it goes on where it stopped. The model card says how long each stage took on two CPU cores. Every model is
a part that can be trained by itself, on top of the parts before it: `python -m smile.toyroad.training.train inpaint`.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import torch

from smile.io.atomic import write_file
from smile.paths import MODELS
from smile.toyroad.scene import SIZE
from smile.toyroad.training import inpainting, language, models, onestep, stages, text

PARTS = ("instruct-pix2pix", "dinov2", "inpaint", "img2img-turbo", "img2img-turbo-edges", "toyroad-language")
STEPS = {
    "vae": 4200,
    "text": 1500,
    "embedder": 2000,
    "unet": 9000,
    "inpaint": 6000,
    "turbo": 3000,
    "turbo-pixels": 1200,
    "edges": 2000,
    "edges-pixels": 800,
    "language": 2000,
}
CHUNKS = 8  # of training examples, 4,800 pairs or 4,000 holes or edges each
SHARED = {"shared": "../instruct-pix2pix"}  # the folder with the VAE, text encoder and tokenizer
# What each editor's folder says of it. Without guidance edits were nearest to the ideal ones (`python -m
# smile.toyroad.training.evaluate`): picture and text nearly determine the target, and guidance exaggerates it. It also costs
# a third.
EDITORS = {
    "instruct-pix2pix": {"size": SIZE, "steps": 10, "guidance": 1.0, "image_guidance": 1.0},
    "inpaint": SHARED | {"size": SIZE, "steps": 10, "guidance": 1.0},
    "img2img-turbo": SHARED | {"size": SIZE, "control": "picture"},
    "img2img-turbo-edges": SHARED | {"size": SIZE, "control": "edges", "low": 100, "high": 200},
}


class Training:
    """The models by name, each trained when it is first asked for (a finished one is read from its checkpoint)."""

    def __init__(self, options):
        self.options, self.device = options, torch.device(options.device)
        self.common = {"seed": options.seed, "folder": options.work, "device": self.device}
        self.record = {}

    def fresh(self, make, *arguments):
        torch.manual_seed(self.options.seed)  # this process trains and ends; nothing else draws from the global generator
        return make(*arguments).to(self.device)

    def stage(self, name: str, train, *arguments) -> None:
        steps = max(3, int(STEPS[name] * self.options.scale))
        seconds = train(*arguments, steps=steps, **self.common)
        device = torch.cuda.get_device_name() if self.device.type == "cuda" else f"{platform.machine()} CPU"
        self.record[name] = {"steps": steps, "seconds": round(seconds), "seed": self.options.seed, "device": device,
                             "torch": torch.__version__}  # fmt: skip

    def examples(self, whole: int) -> int:
        return max(8, int(whole * self.options.scale))

    def base(self):
        """(vae, text encoder, tokenizer), which all editors share."""
        vae = self.fresh(models.vae)
        self.stage("vae", stages.train_vae, vae)
        stages.scale_latents(vae, seed=self.options.seed, device=self.device)
        tokenizer = text.build_tokenizer(self.options.seed)
        encoder = self.fresh(models.text_encoder, len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
        self.stage("text", text.train_text_encoder, encoder, tokenizer)
        return vae, encoder, tokenizer

    def pairs(self, vae):
        chains = max(2, int(stages.CHAINS * self.options.scale))
        return stages.make_pairs(vae, chunks=CHUNKS, chains=chains, **self.common)

    def instruct_pix2pix(self):
        base = self.base()
        pairs = self.pairs(base[0])
        unet, scheduler = self.fresh(models.unet, 8), models.scheduler()
        self.stage("unet", stages.train_unet, unet, scheduler, *base, pairs)
        self.record["unet"] |= {"examples": len(pairs["texts"]), "scenes": len(pairs["latents"])}
        return base, unet, scheduler

    def inpaint(self):
        base, instructed, scheduler = self.instruct_pix2pix()
        unet = self.fresh(models.unet, 9)
        inpainting.start_from(unet, instructed, base[0].config.scaling_factor)
        examples = self.examples(inpainting.EXAMPLES)
        holes = inpainting.make_holes(base[0], chunks=CHUNKS, examples=examples, **self.common)
        self.stage("inpaint", inpainting.train_inpaint, unet, scheduler, *base, holes)
        self.record["inpaint"] |= {"examples": len(holes["texts"])}
        return base, unet, scheduler

    def turbo(self):
        """(base, the one-step editor on pictures with its skip convolutions still zero)."""
        base, instructed, _ = self.instruct_pix2pix()
        vae, encoder, tokenizer = base
        turbo = models.turbo(vae, self.fresh(models.unet, 4)).to(self.device)
        onestep.start_from(turbo.unet, instructed, vae.config.scaling_factor)
        pairs = self.pairs(vae)
        self.stage("turbo", onestep.train_latents, "turbo", turbo, encoder, tokenizer, pairs)
        self.record["turbo"] |= {"examples": len(pairs["texts"])}
        return base, turbo

    def turbo_on_pictures(self):
        base, turbo = self.turbo()
        _, encoder, tokenizer = base
        self.stage("turbo-pixels", onestep.train_pixels, "turbo-pixels", turbo, encoder, tokenizer,
                   onestep.edited_picture, onestep.as_control)  # fmt: skip
        return base, turbo

    def turbo_on_edges(self):
        base, turbo = self.turbo()
        vae, encoder, tokenizer = base
        examples = self.examples(onestep.EXAMPLES)
        pairs = onestep.make_edge_pairs(vae, chunks=CHUNKS, examples=examples, **self.common)
        self.stage("edges", onestep.train_latents, "edges", turbo, encoder, tokenizer, pairs)
        self.record["edges"] |= {"examples": len(pairs["texts"])}
        self.stage("edges-pixels", onestep.train_pixels, "edges-pixels", turbo, encoder, tokenizer,
                   onestep.drawn_edges, onestep.edges)  # fmt: skip
        return base, turbo

    def dinov2(self):
        embedder = self.fresh(models.embedder)
        self.stage("embedder", stages.train_embedder, embedder)
        return embedder

    def language(self):
        tokenizer = language.build_tokenizer(self.options.seed)
        model = self.fresh(language.build_model, tokenizer)
        self.stage("language", language.train_language, model, tokenizer)
        self.record["language"] |= {"examples": self.record["language"]["steps"] * language.BATCH}
        return model, tokenizer


def save(part: str, training: Training, folder: Path) -> None:
    """Train one part and write its folder."""
    if part == "dinov2":
        models.save_embedder(folder, training.dinov2(), *stages.IMAGENET)
    elif part == "toyroad-language":
        for each in training.language():
            each.save_pretrained(folder)
    elif part == "instruct-pix2pix":
        base, unet, scheduler = training.instruct_pix2pix()
        models.save_instruct_pix2pix(folder, unet, scheduler, base)
    elif part == "inpaint":
        base, unet, scheduler = training.inpaint()
        models.save_inpaint(folder, unet, scheduler, base)
    else:
        base, turbo = training.turbo_on_edges() if part == "img2img-turbo-edges" else training.turbo_on_pictures()
        models.save_turbo(folder, turbo, base)
    if part in EDITORS:
        write_file(folder / "editor.json", json.dumps(EDITORS[part], indent=1) + "\n")


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m smile.toyroad.training.train", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies steps and data, for a quick try")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="checkpoints, to resume from")
    parser.add_argument("--out", type=Path, default=MODELS)
    options = parser.parse_args(arguments)
    if set(options.parts) - set(PARTS):
        parser.error(f"the parts are {', '.join(PARTS)}")
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.out / "training.json"
    for part in options.parts or PARTS:
        training = Training(options)
        save(part, training, options.out / part)
        known = json.loads(path.read_text()) if path.exists() else {}
        write_file(path, json.dumps(known | training.record, indent=1) + "\n")
    print(f"Written to {options.out}. Measure it: python -m smile.toyroad.training.evaluate")


if __name__ == "__main__":
    main()
