"""The model card beside the bundled weights, written from what was recorded in training and measured afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from smile.io.atomic import write_file

LANGUAGE = "toyroad-language"
FOLDERS = ("instruct-pix2pix", "inpaint", "img2img-turbo", "img2img-turbo-edges", "dinov2", LANGUAGE)
TEXT = """# Bundled models: Toy Road

Small editors, an embedder and a language model, trained by this project on *Toy Road*: drawn road scenes of 128 x 128 pixels, and
road scenes described in words. They know nothing else: not photographs, not other objects, not other words. They exist so that the explainer runs on any
laptop, offline, through exactly the code that runs the full-size models, and so that explanations can be checked
against known answers.

| folder | what | loaded as | MB |
|---|---|---|---|
| `instruct-pix2pix` | follows instructions: KL VAE (f = 8, 4 channels), CLIP text encoder, byte-level BPE tokenizer, 8-channel UNet, DDIM with v-prediction and zero terminal SNR | `StableDiffusionInstructPix2PixPipeline` | {instruct-pix2pix} |
| `inpaint` | follows instructions inside a region: 9-channel UNet, same scheduler; the rest is shared with `instruct-pix2pix` | `StableDiffusionInpaintPipeline` | {inpaint} |
| `img2img-turbo` | follows instructions in one step: 4-channel UNet run once at t = 999, four skip convolutions; the rest is shared | `smile.models.editors.turbo.Turbo` | {img2img-turbo} |
| `img2img-turbo-edges` | draws the picture's Canny edges anew by a caption, in one step: as `img2img-turbo` | `smile.models.editors.turbo.Turbo` | {img2img-turbo-edges} |
| `dinov2` | the embedder: 6 layers, width 96, patches of 8 pixels | `Dinov2Model` | {dinov2} |
| `toyroad-language` | answers questions about a described road scene: 4 layers, width 128, byte-level BPE tokenizer of 560 tokens with a chat template | `LlamaForCausalLM` | {toyroad-language} |

All together {all} MB.

## What the words mean

- **Instructions** (`instruct-pix2pix`, `img2img-turbo`): time (day, sunset, night), weather (clear, rain, snow, fog), season
  (summer, autumn), the car's colour, and adding or removing a car, a tree or a house. `smile/toyroad/grammar.py` reads any text.
- **Captions** (`img2img-turbo-edges`): "a blue car on a road at night". Edges do not show light, weather or colour; what the
  caption leaves unsaid is a clear summer day and a red car.
- **Inside a region** (`inpaint`): instructions again, but what the region hides is not seen: an object that lies mostly in it is gone
  unless the text asks for one ("add a tree", "paint the car blue"); sky, hills and light go on as around it.
- **Prompts** (`toyroad-language`): statements and one or two questions about colours of things, weather, time, season, who drives
  what, and what stands by what. `smile/toyroad/questions.py` reads any text, so the right answer is known whichever words are left
  out; what cannot be read is answered by "I do not know." Training and measurements have one fact of each kind in a prompt; where
  colours, drivers or places of several things are told, the model often takes the wrong one.

## Training

{examples}. Half of the texts have words left out at random, with the target drawn from what is left; texts also get
words that mean nothing. What a text leaves open (where an added tree stands, how heavy the rain is, which shade of
red) is drawn at random in the targets. The text encoder first learned to read the grammar; the embedder learned to tell attributes
from the whole picture and colours and objects from each patch (supervised, unlike the real DINOv2). Inpaint and Turbo start from the
Instruct-Pix2Pix UNet. Turbo has no LoRA; its UNet learns whole, first on latents, then with the skip convolutions in pixels. Loss
weights, learning rates and batch sizes stand in `smile/toyroad`. The language model learned from fresh prompts only: two thirds with
words left out (each with a probability from 0 to 0.8, or one or two that matter), some with the first part of the answer given as
the whole prompt's answer has it, some with nothing given before the last part, so that answers to prompts with words left out,
and parts of answers with earlier parts left out, are in distribution (`smile/toyroad/training/language.py`).

Command: `python -m smile.toyroad.training.train`.

| stage | steps | minutes | seed | on |
|---|---|---|---|---|
{stages}

Minutes are wall-clock on shared, noisy cores with other work beside; they say little about another machine.
{note}
## Quality

Measured by `python -m smile.toyroad.training.evaluate` on scenes from seeds that training never used, through the ordinary loader, at the
default settings.

**Does it do what it is told?** An edit counts as carried out when it is nearer (mean absolute pixel error; the best of 32
draws of what is left open, for every candidate alike) to the ideal edit than to any other candidate (input unchanged, every other
value of each attribute it should change, object present or absent; for compounds all combinations). A text of neutral
words counts when the edit is nearer to what an empty text should give than to any scene with one attribute changed. For `inpaint` only
the pixels inside the region count; the region is where the attribute is at home (all the places of the object; the sky or the ground).

{quality}

**Seed noise**: mean pixel distance between two seeds of the full instruction, over the distance that dropping the key word makes.

{noise}

**Does the explainer find the words that matter?** Held-out instructions of 4 to 9 words, 16 edits each: mean AUROC of absolute
weights against the words that matter, and the share whose top word is one that matters. First over the instructions
that the editor carries out, then over all.

| editor | settings | carried out: n | AUROC | top word | all: n | AUROC | top word |
|---|---|---|---|---|---|---|---|
{words}

**Does the language model answer right?** Share of {n} held-out prompts whose answer is exactly the right one.

{answers}

## What was never run

No published weights were run: they could not be downloaded where this was made. Their layouts were built with random weights, at small
sizes and at the real dimensions, and loaded and run through the same loader on a CPU (`tests/test_layouts.py`, `tests/test_turbo.py`).
No GPU was at hand: CUDA and float16 were never run.

## Licence

Apache-2.0, like the code. No third-party data or weights went into them.
"""


def _percent(x):
    return f"{100 * x:.1f} %"


def _quality(results: dict) -> str:
    """One column for each editor, one row for each kind of instruction."""
    measured = {name: r["quality"] for name, r in results.items() if "quality" in r}
    kinds = list(dict.fromkeys(kind for table in measured.values() for kind in table))
    rows = [["instructions", *(f"`{name}`" for name in measured)], ["---"] * (len(measured) + 1)]
    for kind in sorted(kinds):
        cells = [f"{_percent(t[kind]['carried out'])} of {t[kind]['n']} (error {t[kind]['error']:.1f})" if kind in t else ""
                 for t in measured.values()]  # fmt: skip
        rows.append([kind, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _noise(results: dict) -> str:
    measured = {name: r["seed noise"] for name, r in results.items() if "seed noise" in r}
    kinds = list(dict.fromkeys(kind for table in measured.values() for kind in table))
    rows = [["editor", *kinds], ["---"] * (len(kinds) + 1)]
    rows += [[f"`{n}`", *(f"{t[k]:.2f}" if k in t else "" for k in kinds)] for n, t in measured.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _words(results: dict) -> str:
    return "\n".join(
        f"| `{name}` | {', '.join(str(r[key]) for key in ('distance', 'locality') if key in r) or 'default'} | {r['n']} "
        f"| {r['AUROC']:.3f} | {_percent(r['top word'])} | {r['n, all']} | {r['AUROC, all']:.3f} | {_percent(r['top word, all'])} |"
        for name, result in results.items()
        for r in [*result.get("words", []), *result.get("settings", [])]
    )


def _answers(results: dict) -> str:
    measured = {name: table for name, table in results.get(LANGUAGE, {}).get("answers", {}).items() if name != "n"}
    kinds = list(dict.fromkeys(kind for table in measured.values() for kind in table))
    rows = [["prompts", *kinds], ["---"] * (len(kinds) + 1)]
    rows += [[name, *(_percent(table[kind]) for kind in kinds)] for name, table in measured.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_card(folder: Path) -> str:
    """Write README.md into the models' folder and return its text."""
    training = json.loads((folder / "training.json").read_text())
    results = json.loads((folder / "evaluation.json").read_text())
    sizes = {name: sum(f.stat().st_size for f in (folder / name).rglob("*.safetensors")) / 1e6 for name in FOLDERS}
    stages = [
        f"| {name} | {r['steps']} | {r['seconds'] / 60:.0f} | {r['seed']} | {r['device']}, torch {r['torch']} |"
        for name, r in training.items()
    ]
    examples = [f"{r['examples']:,} for {name}" for name, r in training.items() if "examples" in r]
    text = TEXT.format_map(
        {name: f"{size:.1f}" for name, size in sizes.items()}
        | {"all": f"{sum(sizes.values()):.1f}", "stages": "\n".join(stages), "examples": "Examples: " + ", ".join(examples)}
        | {"note": "".join(r.get("note", "") for r in training.values())}
        | {"quality": _quality(results), "noise": _noise(results), "words": _words(results), "answers": _answers(results)}
        | {"n": results.get(LANGUAGE, {}).get("answers", {}).get("n", 0)}
    )
    write_file(folder / "README.md", text)
    return text
