"""What visitors type first: `python tests/benchmarks/short.py [--pictures 9] [--editors instruct-pix2pix img2img-turbo]`.

Four short instructions on Toy Road pictures that each of them changes, and three that ask for nothing there is. Printed is how
often the finding names exactly the words that matter by the pictures' grammar, and every finding that does not; for the
three, how often no word has a star and the first sentence names none. Counted are instructions that the editor carries out.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from smile import explain, load_editor
from smile.report.finding import write_sentences
from smile.toyroad.cases import Case, carried_out
from smile.toyroad.grammar import Instruction
from smile.toyroad.scene import draw, random_scene

FIRST = 6_000_000  # of the held-out numbers here; other benchmarks' begin elsewhere
ASK = ("remove the house", "add a tree", "make it snow", "make it autumn")
NOTHING = ("please consider the picture kindly", "make it a Picasso painting", "hello")


def list_scenes(count: int) -> list:
    """Scenes that all four instructions change."""
    scenes, number = [], FIRST
    while len(scenes) < count:
        scene = random_scene(np.random.default_rng(number))
        if scene.house and not scene.tree and scene.weather != "snow" and scene.season != "autumn":
            scenes.append((number, scene))
        number += 1
    return scenes


def find_named(explanation) -> set[str]:
    """The words between quotation marks in the first sentence of the finding, where it names words that did something."""
    first = write_sentences(explanation)[0]
    return set() if "no word" in first.lower() else set(re.findall("“(.+?)”", first))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=9, metavar="N")
    parser.add_argument("--editors", nargs="+", default=["instruct-pix2pix", "img2img-turbo"])
    given = parser.parse_args()
    print("| editor | named what matters | not carried out | nothing said of nothing |\n|---|---|---|---|")
    wrong = []
    for name in given.editors:
        editor, right, asked, quiet = load_editor(name, "bundled"), 0, 0, 0
        for number, scene in list_scenes(given.pictures):
            for text in ASK:
                case = Case(scene, Instruction(text, "single"), scene)
                e = explain(case.picture, text, editor, seed=number % 1000)
                if not carried_out(e.edits[0], case, np.random.default_rng((9, number)))[0]:
                    continue
                matter = {word for word, does in zip(e.words, case.find_relevant_words(), strict=True) if does}
                asked, right = asked + 1, right + (find_named(e) == matter)
                if find_named(e) != matter:
                    wrong.append(f"- {name}, picture {number}: {e.finding}")
            for text in NOTHING:
                e = explain(draw(scene), text, editor, seed=number % 1000)
                silent = not e.significant.any() and not find_named(e)
                quiet += silent
                if not silent:
                    wrong.append(f"- {name}, picture {number}: {e.finding}")
        total = given.pictures * len(ASK)
        print(
            f"| {name} | {right} of {asked} | {total - asked} of {total} | {quiet} of {given.pictures * len(NOTHING)} |",
            flush=True,
        )
    print("\nNot so:\n" + "\n".join(wrong or ["none"]))


if __name__ == "__main__":
    main()
