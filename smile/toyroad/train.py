"""Train the bundled models: `python -m smile.toyroad.train` writes everything under assets/models.

Interrupted, it goes on where it stopped. The model card says how long each stage took on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from transformers import BitImageProcessorPil

from smile.toyroad import models, stages, text
from smile.toyroad.scene import SIZE

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "models"
STEPS = {"vae": 4200, "text": 1500, "embedder": 2000, "unet": 9000}
CHUNKS = 8  # of training pairs, 4,800 each
# Without guidance edits were nearest to the ideal ones (`python -m smile.toyroad.evaluate`): picture and text nearly
# determine the target, and guidance exaggerates it. It also costs a third.
EDITOR = {"size": SIZE, "steps": 10, "guidance": 1.0, "image_guidance": 1.0}


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m smile.toyroad.train", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies steps and data, for a quick try")
    parser.add_argument("--work", type=Path, default=Path(".training"), help="checkpoints, to resume from")
    parser.add_argument("--out", type=Path, default=ASSETS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    device, steps = torch.device(options.device), {k: max(10, int(n * options.scale)) for k, n in STEPS.items()}
    common = {"seed": options.seed, "folder": options.work, "device": device}
    seconds = {}

    def initialised(make, *arguments):
        torch.manual_seed(options.seed)  # this process trains and ends; nothing else draws from the global generator
        return make(*arguments).to(device)

    vae = initialised(models.vae)
    seconds["vae"] = stages.train_vae(vae, steps=steps["vae"], **common)
    stages.scale_latents(vae, seed=options.seed, device=device)

    tokenizer = text.build_tokenizer(options.seed)
    encoder = initialised(models.text_encoder, len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    seconds["text"] = text.train_text_encoder(encoder, tokenizer, steps=steps["text"], **common)

    embedder = initialised(models.embedder)
    seconds["embedder"] = stages.train_embedder(embedder, steps=steps["embedder"], **common)

    pairs = stages.make_pairs(vae, chunks=CHUNKS, chains=max(2, int(stages.CHAINS * options.scale)), **common)
    unet, scheduler = initialised(models.unet), models.scheduler()
    seconds["unet"] = stages.train_unet(
        unet, scheduler, vae, encoder, tokenizer, pairs, steps=steps["unet"], **common
    )

    # The UNet, three quarters of all weights, is kept in half precision, in parts under 10 MB.
    pipeline = StableDiffusionInstructPix2PixPipeline(
        vae=vae.cpu(), text_encoder=encoder.cpu(), tokenizer=tokenizer, unet=unet.cpu().half(), scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(options.out / "instruct-pix2pix", max_shard_size="8MB")
    (options.out / "instruct-pix2pix" / "editor.json").write_text(json.dumps(EDITOR, indent=1) + "\n")
    embedder.cpu().save_pretrained(options.out / "dinov2")
    mean, std = (list(v) for v in stages.IMAGENET)
    BitImageProcessorPil(
        do_resize=True, size={"height": SIZE, "width": SIZE}, do_center_crop=False, do_rescale=True,
        do_normalize=True, image_mean=mean, image_std=std, resample=3, do_convert_rgb=True,
    ).save_pretrained(options.out / "dinov2")  # fmt: skip
    record = {
        "steps": steps, "seconds": {k: round(v) for k, v in seconds.items()}, "pairs": len(pairs["texts"]),
        "scenes": len(pairs["latents"]), "seed": options.seed, "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()} CPU",
        "torch": torch.__version__,
    }  # fmt: skip
    (options.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"Written to {options.out}. Measure it: python -m smile.toyroad.evaluate")


if __name__ == "__main__":
    main()
