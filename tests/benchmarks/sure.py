"""What stopping when one is sure saves: `python tests/benchmarks/sure.py [--instructions 12] [--effect 0.1]`.

Held-out compound Toy Road instructions (7 to 12 words) that a bundled editor carries out, explained three times from the same
edits: with one block, until every word is decided, and with all four blocks.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import numpy as np
from benchmarks.bank import held_out

from smile import explain, load_editor
from smile.evaluation import metrics
from smile.method.design import BLOCKS, default_edits
from smile.models.cache import Cache
from smile.toyroad.cases import carried_out

EDITORS = ("instruct-pix2pix", "img2img-turbo")
COLUMNS = ("edits", "decided", "AUROC", "top-1", "others called significant")


def asked(number, case, editor, **options):
    cache = Cache()  # what one asks for, the next one has
    options |= {"embedder": "bundled", "seed": number, "cache": cache, **case.options}
    k, text = len(case.words), case.instruction.text
    for name, more in (
        ("one block", {"edits": default_edits(k)}),
        ("until sure", {"smallest_effect": options.pop("effect")}),
        ("all blocks", {"edits": min(2**k, BLOCKS * default_edits(k))}),
    ):
        yield name, explain(case.picture, text, editor, **options | more)


def measured(e, matters, effect) -> tuple:
    decided = e.significant | ((e.ci_low > -effect) & (e.ci_high < effect))
    top = matters[np.argmax(np.abs(e.weights))]
    return len(e.texts), decided.mean(), metrics.accuracy(e.weights, matters)["auroc"], top, e.significant[~matters].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instructions", type=int, default=12)
    parser.add_argument("--effect", type=float, default=0.1)
    options = parser.parse_args()
    print("| editor | edits are made | n | " + " | ".join(COLUMNS) + " |\n" + "|---" * (3 + len(COLUMNS)) + "|")
    for name in EDITORS:
        editor, rows = load_editor(name, "bundled"), {}
        for number, case in held_out(name, options.instructions, compound=True):
            matters, rng = np.asarray(case.find_relevant_words()), np.random.default_rng(number)
            for kind, e in asked(number, case, editor, effect=options.effect):
                if carried_out(e.edits[0], case, rng)[0]:
                    rows.setdefault(kind, []).append(measured(e, matters, options.effect))
        for kind, values in rows.items():
            means = np.mean(np.array(values, float), axis=0)
            print(f"| {name} | {kind} | {len(values)} | {means[0]:.1f} | " + " | ".join(f"{m:.3f}" for m in means[1:]) + " |")


if __name__ == "__main__":
    main()
