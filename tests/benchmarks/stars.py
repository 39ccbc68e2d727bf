"""Stars and maps on held-out Toy Road instructions, at default settings, beside the truth:

    python tests/benchmarks/stars.py [--instructions 100] [--editors instruct-pix2pix img2img-turbo inpaint]

Prints a table, which is also written to assets/docs/tables/stars.md: of the words that matter and of the others the share
with a star, how well weights rank them, how many edits that took, and how well the places that are shown agree with those in
which ideal pictures with and without the word differ. Instructions have 3 to 9 words; an attribute and two at once take
turns. Counted are those that the editor carries out, as `smile.toyroad.cases` judges; beside them stands how many were
tried. What was measured is kept in .training/stars.jsonl, so that a run cut short goes on.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from smile import explain, load_editor
from smile.evaluation.metrics import accuracy
from smile.toyroad.cases import CASES, DRAWS, Case, carried_out
from smile.toyroad.grammar import COLOURS
from smile.toyroad.regions import compose_pictures
from smile.toyroad.scene import OPEN, draw, redraw

FIRST = 5_000_000  # of the held-out numbers here; other benchmarks' begin elsewhere
LENGTHS = range(3, 10)
DIFFERS = 8  # levels of 255, of some pixel of a place, in ideal pictures with and without a word
CELLS = 16  # by 16 places, as the explanation has
FEW = 64  # places: a truth that is a thing and not the whole picture
ROOT = Path(__file__).resolve().parents[2]
KEPT, TABLE = ROOT / ".training" / "stars.jsonl", ROOT / "assets" / "docs" / "tables" / "stars.md"
HEADING = "# Stars and maps beside the truth"
EXPLAINED = """Held-out Toy Road instructions of 3 to 9 words that the editor carries out, at default
settings. *Nothing beyond noise*: instructions of which no edit moved farther than another seed of the full instruction does;
there no word may have a star. Places: of 256, those shown beside those in which the ideal pictures with and without the word
differ by more than 8 levels."""
ADDING = ("add", "remove", "put", "place", "take", "delete", "erase", "plant", "build", "park")


def list_cases(editor: str):
    """(number, case) without end: the six attributes in turn, every third time two at once."""
    kinds, number = list(OPEN), FIRST
    while True:
        case = CASES[editor](number, "compound" if number % 3 == 2 else kinds[number // 3 % len(kinds)])
        if len(case.words) in LENGTHS and 0 < case.find_relevant_words().sum() < len(case.words):
            yield number, case
        number += 1


def find_true_places(case: Case, edit, rng) -> np.ndarray:
    """(k, 16, 16) bool: where the ideal pictures with all words, and without that one, differ. What an instruction leaves
    open, say where a tree stands, is drawn as it is nearest to the edit that was made; a car whose colour is open only once
    a word is left out has another colour."""
    change = case.find_changes(case.words)
    draws = [case.scene] + [redraw(case.scene, sorted(change), rng) for _ in range(DRAWS - 1)]
    changes = [change | {"car": colour} for colour in COLOURS] if change.get("car") == "any" else [change]
    pairs = [(scene, whole) for scene in draws for whole in changes]
    nearest, change = min(pairs, key=lambda pair: case.measure_error(edit, draw(replace(pair[0], **pair[1]))))
    other = next(colour for colour in COLOURS if colour != change.get("car")) if len(changes) == 1 else change["car"]

    def picture(words):
        changed = case.find_changes(words)
        edited = replace(nearest, **changed | ({"car": other} if changed.get("car") == "any" else {}))
        return np.asarray(draw(edited) if case.region is None else compose_pictures(case.behind, case.region, edited), int)

    whole, words = picture(case.words), case.words
    differs = np.array([np.abs(picture(words[:j] + words[j + 1 :]) - whole).max(axis=2) > DIFFERS for j in range(len(words))])
    size = differs.shape[1] // CELLS
    return differs.reshape(len(words), CELLS, size, CELLS, size).any(axis=(2, 4))


def judge(editor, number: int, case: Case) -> dict:
    """One line of the table's data."""
    e = explain(case.picture, case.instruction.text, editor, seed=number % 1000, **case.options)
    rng, matters = np.random.default_rng((9, number)), case.find_relevant_words()
    done, _ = carried_out(e.edits[0], case, rng)
    truth, found = find_true_places(case, e.edits[0], rng), []
    for j in np.flatnonzero(matters):
        if truth[j].any():
            hit = int((truth[j] & e.places[j]).sum())
            found.append([hit, int(e.places[j].sum()), int(truth[j].sum())])
    changes = any(word.strip(".,").lower() in ADDING for word in case.words)
    return {
        "done": bool(done),
        "words": len(matters),
        "edits": e.done,
        "matter": int(matters.sum()),
        "stars": int(e.significant[matters].sum()),
        "seen": int(e.visible[matters].sum()),
        "beyond noise": bool(e.moved),
        "stars seen": int(e.significant[matters & e.visible].sum()),
        "others": int((~matters).sum()),
        "false stars": int(e.significant[~matters].sum()),
        "adding": changes,
        "auroc": accuracy(e.weights, matters)["auroc"],
        "top": bool(matters[np.argmax(np.abs(e.weights))]),
        "places": found,
        "text": case.instruction.text,
    }


def summarise(rows: list[dict], tried: int) -> dict[str, str]:
    """The figures of one editor."""

    def share(part, whole, some=rows):
        total = sum(row[whole] for row in some)
        return f"{sum(row[part] for row in some) / total:.3f}" if total else "-"

    def maps(some):
        precision = [hit / shown for hit, shown, _ in some if shown]
        recall = [hit / true for hit, _, true in some]
        return f"{np.mean(precision):.2f} / {np.mean(recall):.2f} of {len(some)}" if some and precision else "-"

    places = [each for row in rows for each in row["places"]]
    return {
        "instructions (of tried)": f"{len(rows)} ({tried})",
        "words that matter with a star": share("stars", "matter"),
        "of those whose effect is visible": share("stars seen", "seen"),
        "of those where edits moved beyond noise": share("stars", "matter", [row for row in rows if row["beyond noise"]]),
        "nothing beyond noise": f"{np.mean([not row['beyond noise'] for row in rows]):.2f}",
        "of those in adding and removing": share("stars", "matter", [row for row in rows if row["adding"]]),
        "other words with a star": share("false stars", "others"),
        "mean AUROC": f"{np.mean([row['auroc'] for row in rows]):.3f}",
        "top word matters": f"{np.mean([row['top'] for row in rows]):.3f}",
        "edits, other seeds included": f"{np.mean([row['edits'] for row in rows]):.1f}",
        "places: precision / recall": maps(places),
        f"of truths of at most {FEW} places": maps([each for each in places if each[2] <= FEW]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instructions", type=int, default=100, metavar="N")
    parser.add_argument("--editors", nargs="+", default=["instruct-pix2pix", "img2img-turbo", "inpaint"], choices=list(CASES))
    args = parser.parse_args()
    KEPT.parent.mkdir(exist_ok=True)
    known = {}
    if KEPT.exists():
        known = {tuple(key): row for key, row in map(json.loads, KEPT.read_text().splitlines())}
    table: dict[str, dict] = {}
    for name in args.editors:
        editor, rows, tried = None, [], 0
        for number, case in list_cases(name):
            tried += 1
            if (name, number) not in known:
                editor = editor or load_editor(name, "bundled")
                known[name, number] = judge(editor, number, case)
                with KEPT.open("a") as file:
                    file.write(json.dumps([[name, number], known[name, number]]) + "\n")
            rows += [known[name, number]] * known[name, number]["done"]
            if len(rows) >= args.instructions:
                break
        table[name] = summarise(rows, tried)
    lines = ["| | " + " | ".join(table) + " |", "|---|" + "---|" * len(table)]
    for line in next(iter(table.values())):
        lines.append(f"| {line} | " + " | ".join(column[line] for column in table.values()) + " |")
    command = f"python tests/benchmarks/stars.py --instructions {args.instructions} --editors {' '.join(args.editors)}"
    TABLE.write_text("\n".join([HEADING, "", f"Made by `{command}`. {EXPLAINED}", "", *lines, ""]))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
