"""The model card beside the bundled weights, written from what was recorded in training and measured afterwards."""

from __future__ import annotations

import json
from pathlib import Path

TEXT = """# Bundled models: Toy Road

Small diffusion editor and embedder, trained by this project on *Toy Road*, drawn road scenes of 128 x 128 pixels. They
know nothing else: not photographs, not other objects, not other words. They exist so that the explainer runs on any
laptop, offline, through exactly the code that runs the full-size models, and so that explanations can be checked
against known answers.

| folder | what | class |
|---|---|---|
| `instruct-pix2pix` | the editor: KL VAE (f = 8, 4 channels), CLIP text encoder, byte-level BPE tokenizer, 8-channel UNet, DDIM with v-prediction and zero terminal SNR; {editor_mb:.1f} MB | `StableDiffusionInstructPix2PixPipeline` |
| `dinov2` | the embedder: 6 layers, width 96, patches of 8 pixels; {embedder_mb:.1f} MB | `Dinov2Model` |

## Training

Data: {scenes:,} scenes in chains of ideal edits, {pairs:,} (picture, text, ideal edit) examples from `smile/toyroad`. Half of
the texts have words left out at random, with the target drawn from what is left; texts also get words that mean
nothing. What a text leaves open (where an added tree stands, how heavy the rain is, which shade of red) is drawn at
random in the targets. The text encoder first learned to read the grammar; the embedder learned to tell attributes
from the whole picture and colours and objects from each patch (supervised, unlike the real DINOv2). Loss weights, learning rates and
batch sizes stand in `smile/toyroad/stages.py` and `text.py`.

Command: `python -m smile.toyroad.train` (seed {seed}, {device}, torch {torch}).

| stage | steps | minutes |
|---|---|---|
{stages}

Minutes are wall-clock on shared, noisy cores with other work beside; they say little about another machine.
{note}
## Quality

Measured by `python -m smile.toyroad.evaluate` on scenes from seeds that training never used, through the ordinary loader, at the
editor's default settings ({settings}).

**Does it do what it is told?** An edit counts as carried out when it is nearer (mean absolute pixel error; the best of 32
draws of what is left open, for every candidate alike) to the ideal edit than to any other candidate (input unchanged, every other
value of each attribute it should change, object present or absent; for compounds all combinations). A text of neutral
words counts when the edit is nearer to the input than to any scene with one attribute changed.

| instructions | n | carried out | error to the nearest candidate (of 255) |
|---|---|---|---|
{quality}

**Seed noise**: mean pixel distance between two seeds of the full instruction, over the distance that dropping the key word makes.

| {noise_head} |
|{noise_rule}|
| {noise} |

**Does the explainer find the words that matter?** Held-out instructions of 4 to 9 words, 16 edits each: mean AUROC of absolute
weights against the words that matter, and the share whose top word is one that matters. First over the instructions
that the editor carries out, then over all.

| settings | carried out: n | AUROC | top word | all: n | AUROC | top word |
|---|---|---|---|---|---|---|
{words}

## Licence

Apache-2.0, like the code. No third-party data or weights went into them.
"""


def _percent(x):
    return f"{100 * x:.1f} %"


def write_card(folder: Path) -> str:
    """Write README.md into the models' folder and return its text; what was not measured is said to be missing."""
    training = json.loads((folder / "training.json").read_text())
    results = json.loads((folder / "evaluation.json").read_text())
    missing = "| not measured |"
    quality = [f"| {kind} | {r['n']} | {_percent(r['carried out'])} | {r['error']:.1f} |"
               for kind, r in results.get("quality", {}).items()]  # fmt: skip
    noise = results.get("seed noise", {})
    words = [
        f"| {', '.join(str(r[key]) for key in ('distance', 'locality') if key in r) or 'default'} | {r['n']} "
        f"| {r['AUROC']:.3f} | {_percent(r['top word'])} | {r['n, all']} | {r['AUROC, all']:.3f} | {_percent(r['top word, all'])} |"
        for r in [*results.get("words", []), *results.get("settings", [])]
    ]

    def megabytes(name):
        return sum(f.stat().st_size for f in (folder / name).rglob("*.safetensors")) / 1e6

    text = TEXT.format(
        scenes=training["scenes"], pairs=training["pairs"], seed=training["seed"], device=training["device"],
        torch=training["torch"], note=training.get("note", ""),
        editor_mb=megabytes("instruct-pix2pix"), embedder_mb=megabytes("dinov2"),
        stages="\n".join(f"| {s} | {n} | {training['seconds'][s] / 60:.0f} |" for s, n in training["steps"].items()),
        settings=", ".join(f"{k.replace('_', ' ')} {v}" for k, v in
                           json.loads((folder / "instruct-pix2pix" / "editor.json").read_text()).items()),
        quality="\n".join(quality) or missing, words="\n".join(words) or missing,
        noise_head=" | ".join(noise) or "seed noise", noise_rule="|".join("---" for _ in noise) or "---",
        noise=" | ".join(f"{v:.2f}" for v in noise.values()) or "not measured",
    )  # fmt: skip
    (folder / "README.md").write_text(text)
    return text
