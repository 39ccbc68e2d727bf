"""How good are the bundled models? `python -m smile.toyroad.training.evaluate` measures and writes the model card.

Everything is measured through the loaders and the pipeline that users get, on scenes from seeds that training never
used. Three questions: does the editor do what it is told, how noisy is it, and does the explainer find the words that
matter?
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from smile import explain, load_editor, load_embedder, load_language_model
from smile.evaluation import metrics
from smile.io.atomic import write_file
from smile.method import distance
from smile.paths import MODELS
from smile.toyroad.cases import CASES, HELD_OUT, carried_out
from smile.toyroad.scene import OPEN
from smile.toyroad.training.card import LANGUAGE, write_card
from smile.toyroad.training.language import measure_answers


def load_trained_editor(name: str, folder: Path):
    """The editor whose weights are the folder `name`."""
    return load_editor(name.removesuffix("-edges"), weights=str(folder / name))


def measure_quality(editor, cases, pairs: int) -> dict:
    """Per kind of instruction: share carried out, mean error to the nearest ideal draw (0 to 255), and n."""
    rows: dict[str, list] = {}
    for i in tqdm(range(pairs), desc="quality"):
        kind = ("single", "compound", "single", "neutral", "single", "compound")[i % 6]
        case = cases(i, kind)
        edit = case.edit(editor, [case.instruction.text], seed=i)[0]
        done, distance_ = carried_out(edit, case, np.random.default_rng((HELD_OUT, i, 1)))
        rows.setdefault(kind, []).append((done, distance_))
        if kind == "single":
            rows.setdefault(f"single: {case.instruction.kind}", []).append((done, distance_))
    return {
        kind: {"carried out": float(np.mean([r[0] for r in rows[kind]])),
               "error": float(np.mean([r[1] for r in rows[kind]])), "n": len(rows[kind])}
        for kind in sorted(rows)
    }  # fmt: skip


def measure_seed_noise(editor, cases, pairs: int) -> dict:
    """Mean pixel distance between two seeds of the full instruction, over the mean distance that dropping the key word
    makes under one seed: over all instructions, per attribute, and the mean of those."""
    between: dict[str, list] = {}
    dropped: dict[str, list] = {}
    for i in tqdm(range(pairs), desc="seed noise"):
        attribute = list(OPEN)[i % len(OPEN)]
        case = cases(1_000_000 + i, attribute)
        words, text = case.words, case.instruction.text
        key = int(np.flatnonzero(case.find_relevant_words())[-1])
        without = " ".join(words[:key] + words[key + 1 :])
        first, less = case.edit(editor, [text, without], seed=i)
        second = case.edit(editor, [text], seed=i + 500_000)[0]
        between.setdefault(attribute, []).append(case.measure_error(first, second))
        dropped.setdefault(attribute, []).append(case.measure_error(first, less))
    ratios = {a: float(np.sum(between[a]) / np.sum(dropped[a])) for a in between}
    everything = sum(map(sum, between.values())) / sum(map(sum, dropped.values()))
    return {"all": float(everything)} | ratios | {"mean of the six": float(np.mean(list(ratios.values())))}


class RememberingModel:
    """An editor or embedder that does nothing twice, so that settings can be compared on the same edits."""

    def __init__(self, inner):
        self.inner, self.known, self.vectors = inner, {}, {}

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def edit(self, image, texts, *, seed, **options):
        key = image.tobytes(), *(o.tobytes() for o in options.values())
        new = [t for t in texts if (key, t, seed) not in self.known]
        if new:
            edits = self.inner.edit(image, new, seed=seed, **options)
            self.known |= {(key, t, seed): e for t, e in zip(new, edits, strict=True)}
        return [self.known[key, t, seed] for t in texts]

    def embed(self, images):
        keys = [i.tobytes() for i in images]
        new = {k: i for k, i in zip(keys, images, strict=True) if k not in self.vectors}
        if new:
            vectors, patches = self.inner.embed(list(new.values()))
            self.vectors |= {k: (v, p) for k, v, p in zip(new, vectors, patches, strict=True)}
        pairs = [self.vectors[k] for k in keys]
        return np.stack([v for v, _ in pairs]), np.stack([p for _, p in pairs])


def measure_word_accuracy(editor, cases, embedder, wanted: int, settings: list[dict], edits: int = 16) -> list[dict]:
    """For each setting of `explain`: mean AUROC of absolute weights against the words that matter, and the share of
    instructions whose top word matters; over the first `wanted` held-out instructions of 4 to 9 words that the editor
    carries out, and over all that were tried until then."""
    scores: list[list] = [[] for _ in settings]
    number, done = 0, 0
    bar = tqdm(total=wanted, desc="words")
    while done < wanted:
        number += 1
        case = cases(2_000_000 + number, ("single", "compound")[number % 2])
        matters = case.find_relevant_words()
        if not 4 <= len(case.words) <= 9 or matters.all():
            continue
        cached, features = RememberingModel(editor), RememberingModel(embedder)
        text = case.instruction.text
        full = case.edit(cached, [text], seed=number)[0]
        good, _ = carried_out(full, case, np.random.default_rng((HELD_OUT, number, 2)))
        for setting, column in zip(settings, scores, strict=True):
            e = explain(case.picture, text, cached, embedder=features, edits=edits, seed=number, permutations=1,
                        noise_seeds=0, **case.options, **setting)  # fmt: skip
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


def measure_part(part: str, name: str, folder: Path, options) -> dict:
    """What is measured in one part for the editor `name`, as it stands in evaluation.json."""
    editor = load_trained_editor(name, folder)
    if part == "quality":
        return {"quality": measure_quality(editor, CASES[name], options.pairs)}
    if part == "noise":
        return {"seed noise": measure_seed_noise(editor, CASES[name], options.pairs)}
    embedder = load_embedder(str(folder / "dinov2"))
    table = [{"distance": d, "locality": loc} for d in distance.NAMES for loc in ("none", "words", "wmd")]
    table = table if name == "instruct-pix2pix" else []
    default, *others = measure_word_accuracy(editor, CASES[name], embedder, options.instructions, [{}, *table])
    return {"words": [default], "settings": others}


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m smile.toyroad.training.evaluate", description=__doc__.splitlines()[0])
    parts = ("quality", "noise", "words", "answers")
    parser.add_argument("what", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument("--editor", action="append", choices=CASES, help="all by default")
    parser.add_argument("--pairs", type=int, default=300, help="for quality and noise")
    parser.add_argument("--instructions", type=int, default=100, help="for words: how many that the editor carries out")
    parser.add_argument("--prompts", type=int, default=500, help="for answers")
    parser.add_argument("--models", type=Path, default=MODELS)
    options = parser.parse_args(arguments)
    if set(options.what) - set(parts):
        parser.error(f"the parts are {', '.join(parts)}")
    path = options.models / "evaluation.json"

    def note(name: str, measured: dict) -> None:
        known = json.loads(path.read_text()) if path.exists() else {}  # written at once: a part takes minutes
        known[name] = known.get(name, {}) | measured
        write_file(path, json.dumps(known, indent=1) + "\n")

    what = options.what or parts
    for name in options.editor or CASES:
        for part in [part for part in what if part != "answers"]:
            note(name, measure_part(part, name, options.models, options))
    if "answers" in what:
        note(LANGUAGE, {"answers": measure_answers(load_language_model(str(options.models / LANGUAGE)), options.prompts)})
    print(write_card(options.models))


if __name__ == "__main__":
    main()
