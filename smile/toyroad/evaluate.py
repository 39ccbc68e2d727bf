"""How good are the bundled models? `python -m smile.toyroad.evaluate` measures and writes the model card.

Everything is measured through the loaders and the pipeline that users get, on scenes from seeds that training never
used. Three questions: does the editor do what it is told, how noisy is it, and does the explainer find the words that
matter?
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from smile import distance, explain, load_editor, load_embedder, metrics
from smile.toyroad.card import write_card
from smile.toyroad.grammar import COLOURS, Instruction, candidates, effective, random_instruction, relevant
from smile.toyroad.scene import OPEN, VALUES, Scene, draw, random_scene, redraw

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "models"
HELD_OUT = 20_000_000  # first part of every seed here; training seeds have 0
DRAWS = 32  # of what is left open, for every candidate alike


def held_out(number: int, kind: str | None) -> tuple[Scene, Instruction]:
    """The held-out scene and instruction with this number."""
    rng = np.random.default_rng((HELD_OUT, number))
    scene = random_scene(rng)
    return scene, random_instruction(scene, rng, kind)


def error(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute pixel difference, 0 to 255."""
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean())


def nearest(edit: Image.Image, scene: Scene, options: list[dict], rng: np.random.Generator) -> tuple[dict, float]:
    """The candidate nearest to the edit, and its error: each candidate's best of DRAWS draws of what is left open.

    One of the draws is the input's own, so that a candidate that keeps an attribute can keep how it looks.
    """
    attributes = sorted({a for option in options for a in option})
    draws = [scene] + [redraw(scene, attributes, rng) for _ in range(DRAWS - 1)]
    errors = [min(error(edit, draw(replace(d, **option))) for d in draws) for option in options]
    best = int(np.argmin(errors))
    return options[best], errors[best]


def carried_out(edit: Image.Image, scene: Scene, words: list[str], rng: np.random.Generator) -> tuple[bool, float]:
    """Whether the edit is nearer to the ideal than to anything it could be mistaken for, and the error to the nearest.

    For words that ask for nothing: whether it is nearer to the input than to any change of one attribute.
    """
    change = effective(scene, words)
    if not change:
        options = [{}] + [{a: v} for a, values in VALUES.items() for v in values if v != getattr(scene, a)]
        found, distance_ = nearest(edit, scene, options, rng)
        return found == {}, distance_
    found, distance_ = nearest(edit, scene, candidates(scene, words), rng)
    if change.get("car") == "any" and found["car"] in COLOURS:
        found = found | {"car": "any"}
    return found == change, distance_


def quality(editor, pairs: int) -> dict:
    """Per kind of instruction: share carried out, mean error to the nearest ideal draw (0 to 255), and n."""
    rows: dict[str, list] = {}
    for i in tqdm(range(pairs), desc="quality"):
        kind = ("single", "compound", "single", "neutral", "single", "compound")[i % 6]
        scene, instruction = held_out(i, kind)
        edit = editor.edit(draw(scene), [instruction.text], seed=i)[0]
        done, distance_ = carried_out(edit, scene, instruction.words, np.random.default_rng((HELD_OUT, i, 1)))
        rows.setdefault(kind, []).append((done, distance_))
        if kind == "single":
            rows.setdefault(f"single: {instruction.kind}", []).append((done, distance_))
    return {
        kind: {"carried out": float(np.mean([r[0] for r in rows[kind]])),
               "error": float(np.mean([r[1] for r in rows[kind]])), "n": len(rows[kind])}
        for kind in sorted(rows)
    }  # fmt: skip


def seed_noise(editor, pairs: int) -> dict:
    """Mean pixel distance between two seeds of the full instruction, over the mean distance that dropping the key word
    makes under one seed: over all instructions, per attribute, and the mean of those."""
    between: dict[str, list] = {}
    dropped: dict[str, list] = {}
    for i in tqdm(range(pairs), desc="seed noise"):
        attribute = list(OPEN)[i % len(OPEN)]
        scene, instruction = held_out(1_000_000 + i, attribute)
        words = instruction.words
        key = [j for j, matters in enumerate(relevant(scene, words)) if matters][-1]
        without = " ".join(words[:key] + words[key + 1 :])
        first, less = editor.edit(draw(scene), [instruction.text, without], seed=i)
        second = editor.edit(draw(scene), [instruction.text], seed=i + 500_000)[0]
        between.setdefault(attribute, []).append(error(first, second))
        dropped.setdefault(attribute, []).append(error(first, less))
    ratios = {a: float(np.sum(between[a]) / np.sum(dropped[a])) for a in between}
    everything = sum(map(sum, between.values())) / sum(map(sum, dropped.values()))
    return {"all": float(everything)} | ratios | {"mean of the six": float(np.mean(list(ratios.values())))}


class Remembering:
    """An editor or embedder that does nothing twice, so that settings can be compared on the same edits."""

    def __init__(self, inner):
        self.inner, self.known, self.vectors = inner, {}, {}

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def edit(self, image, texts, *, seed, region=None):
        key = image.tobytes()
        new = [t for t in texts if (key, t, seed) not in self.known]
        if new:
            self.known |= {(key, t, seed): e for t, e in zip(new, self.inner.edit(image, new, seed=seed), strict=True)}
        return [self.known[key, t, seed] for t in texts]

    def embed(self, images):
        keys = [i.tobytes() for i in images]
        new = {k: i for k, i in zip(keys, images, strict=True) if k not in self.vectors}
        if new:
            vectors, patches = self.inner.embed(list(new.values()))
            self.vectors |= {k: (v, p) for k, v, p in zip(new, vectors, patches, strict=True)}
        pairs = [self.vectors[k] for k in keys]
        return np.stack([v for v, _ in pairs]), np.stack([p for _, p in pairs])


def word_accuracy(editor, embedder, wanted: int, settings: list[dict], edits: int = 16) -> list[dict]:
    """For each setting of `explain`: mean AUROC of absolute weights against the words that matter, and the share of
    instructions whose top word matters; over the first `wanted` held-out instructions of 4 to 9 words that the editor
    carries out, and over all that were tried until then."""
    scores: list[list] = [[] for _ in settings]
    number, done = 0, 0
    bar = tqdm(total=wanted, desc="words")
    while done < wanted:
        number += 1
        scene, instruction = held_out(2_000_000 + number, ("single", "compound")[number % 2])
        words = instruction.words
        if not 4 <= len(words) <= 9:
            continue
        cached, features = Remembering(editor), Remembering(embedder)
        picture = draw(scene)
        full = cached.edit(picture, [instruction.text], seed=number)[0]
        good, _ = carried_out(full, scene, words, np.random.default_rng((HELD_OUT, number, 2)))
        matters = np.array(relevant(scene, words))
        for setting, column in zip(settings, scores, strict=True):
            e = explain(picture, instruction.text, cached, embedder=features, edits=edits, seed=number, permutations=1,
                        noise_seeds=0, **setting)  # fmt: skip
            auroc = metrics.accuracy(e.weights, matters)["auroc"]
            column.append((good, auroc, bool(matters[np.argmax(np.abs(e.weights))])))
        done += good
        bar.update(int(good))
    bar.close()

    def mean(column, index, only_good):
        return float(np.mean([row[index] for row in column if row[0] or not only_good]))

    return [
        setting | {"AUROC": mean(c, 1, True), "top word": mean(c, 2, True), "n": wanted,
                   "AUROC, all": mean(c, 1, False), "top word, all": mean(c, 2, False), "n, all": len(c)}
        for setting, c in zip(settings, scores, strict=True)
    ]  # fmt: skip


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m smile.toyroad.evaluate", description=__doc__.splitlines()[0])
    parts = ("quality", "noise", "words")
    parser.add_argument("what", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument("--pairs", type=int, default=300, help="for quality and noise")
    parser.add_argument("--instructions", type=int, default=100, help="for words: how many that the editor carries out")
    parser.add_argument("--models", type=Path, default=ASSETS)
    options = parser.parse_args(arguments)
    what = options.what or parts
    if set(what) - set(parts):
        parser.error(f"the parts are {', '.join(parts)}")
    editor = load_editor("instruct-pix2pix", weights=str(options.models / "instruct-pix2pix"))
    embedder = load_embedder(str(options.models / "dinov2"))
    path = options.models / "evaluation.json"

    def keep(**measured) -> None:
        """Written as soon as it is measured: the parts take minutes."""
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | {k.replace("_", " "): v for k, v in measured.items()}, indent=1) + "\n")

    if "quality" in what:
        keep(quality=quality(editor, options.pairs))
    if "noise" in what:
        keep(seed_noise=seed_noise(editor, options.pairs))
    if "words" in what:
        table = [{"distance": d, "locality": loc} for d in distance.NAMES for loc in ("none", "words", "wmd")]
        default, *others = word_accuracy(editor, embedder, options.instructions, [{}, *table])
        keep(words=[default], settings=others)
    print(write_card(options.models))


if __name__ == "__main__":
    main()
