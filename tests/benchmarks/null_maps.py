"""Stars and places where there is nothing: `python tests/benchmarks/null_maps.py [--runs 300] [--bundled 40]`.

Editors that ignore their text, and draw anew for each: simulated ones whose noise is of many kinds, and the bundled ones with
a fixed instruction and another seed for each text. Printed, and written to assets/docs/tables/null_maps.md, is the share of
runs in which any place of any word is shown (at most .05 is promised), and in which any word has a star.
"""

import argparse
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image
from tiny import FakeEmbedder

from smile import explain, load_editor
from smile.toyroad.cases import CASES

TEXTS = ("make it snow", "turn the road to night", "please paint the small house bright red")
SIZE = 64
TABLE = Path(__file__).resolve().parents[2] / "assets" / "docs" / "tables" / "null_maps.md"
HEADING = "# Stars and places on editors that ignore their text"


def enlarge(grid) -> np.ndarray:
    return np.kron(grid, np.ones((SIZE // len(grid), SIZE // len(grid), 1)))


def blob(rng) -> np.ndarray:
    """A lit disc somewhere."""
    (row, column), at = rng.uniform(0, SIZE, 2), np.arange(SIZE)
    inside = (at[:, None] - row) ** 2 + (at - column) ** 2 < 12**2
    return 80.0 * inside[..., None]


NOISES: dict[str, Callable] = {  # (SIZE, SIZE, 1 or 3) levels of 255
    "each pixel": lambda rng: rng.normal(0, 12, (SIZE, SIZE, 3)),
    "each region": lambda rng: enlarge(rng.normal(0, 20, (4, 4, 3))),
    "heavy tails": lambda rng: enlarge(8 * rng.standard_t(2, (4, 4, 3))),
    "the light": lambda rng: rng.normal(0, 20) * np.ones((SIZE, SIZE, 1)),
    "a disc somewhere": blob,
    "now and then": lambda rng: blob(rng) * (rng.random() < 0.2),
}


class Simulated:
    """A picture and noise, which depends on the seed and, as a text is another one, on the text."""

    name = "null"

    def __init__(self, noise: str, run: int):
        self.noise, self.run = NOISES[noise], run

    def edit(self, image, texts, *, seed, region=None):
        edits = []
        for text in texts:
            rng = np.random.default_rng((self.run, seed, zlib.crc32(text.encode())))
            edits.append(Image.fromarray((np.asarray(image, float) + self.noise(rng)).clip(0, 255).astype(np.uint8)))
        return edits


class Deaf:
    """A bundled editor that is always asked the same, under a seed that depends on the text."""

    name = "deaf"

    def __init__(self, editor, text: str):
        self.editor, self.text, self.takes_region = editor, text, getattr(editor, "takes_region", False)

    def edit(self, image, texts, *, seed, **more):
        seeds = [zlib.crc32(f"{seed} {text}".encode()) for text in texts]
        return [self.editor.edit(image, [self.text], seed=each, **more)[0] for each in seeds]


def count(explanations) -> tuple[int, int, int]:
    """(runs, of these with a shown place, with a star)."""
    found = [(bool(e.places.any()), bool(e.significant.any())) for e in explanations]
    return len(found), sum(place for place, _ in found), sum(star for _, star in found)


def simulate(noise: str, text: str, runs: int):
    grey = Image.fromarray(np.random.default_rng(1).integers(100, 150, (SIZE, SIZE, 3)).astype(np.uint8))
    for run in range(runs):
        yield explain(grey, text, Simulated(noise, run), embedder=FakeEmbedder(), seed=run)


def ask_bundled(name: str, runs: int):
    editor = load_editor(name, "bundled")
    for run in range(runs):
        case = CASES[name](7_000_000 + run, "season")
        yield explain(case.picture, TEXTS[2], Deaf(editor, case.instruction.text), seed=run, embedder="bundled", **case.options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300, metavar="N", help="of each simulated editor and instruction")
    parser.add_argument("--bundled", type=int, default=40, metavar="N", help="runs of each bundled editor that is noisy")
    given = parser.parse_args()
    lines = ["| noise | words | runs | any place shown | any star |", "|---|---|---|---|---|"]

    def add(noise, text, explanations):
        runs, places, stars = count(explanations)
        lines.append(f"| {noise} | {len(text.split())} | {runs} | {places / runs:.3f} | {stars / runs:.3f} |")
        print(lines[-1], flush=True)

    for noise in NOISES if given.runs else ():
        for text in TEXTS:
            add(noise, text, simulate(noise, text, given.runs))
    for name in ("instruct-pix2pix", "inpaint") if given.bundled else ():
        add(f"another seed of {name}", TEXTS[2], ask_bundled(name, given.bundled))
    command = f"python tests/benchmarks/null_maps.py --runs {given.runs} --bundled {given.bundled}"
    explained = "Editors that draw the same for every text but for noise, at default settings; at most .05 is promised."
    TABLE.write_text("\n".join([HEADING, "", f"Made by `{command}`. {explained}", "", *lines, ""]))


if __name__ == "__main__":
    main()
