"""Defaults by evidence: `python tests/benchmarks/defaults.py [--instructions 50]`.

Every setting of `smile.explain` that has a choice, one by one from the defaults, on the same edits by all bundled editors of
held-out Toy Road instructions. Writes assets/docs/tables/defaults.md; edits are kept (`bank.py`), so that a run
cut short goes on, and `--minutes 0` reports on what there is.
"""

import argparse
import sys
import time
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import numpy as np
from benchmarks.bank import Bank, held_out
from benchmarks.combinations import DEFAULTS, Combinations, asked, design, everything
from benchmarks.questions import Question, rank
from tqdm import tqdm

from smile.evaluation import metrics
from smile.method import distance as distances
from smile.method.design import default_edits
from smile.method.noise_floor import edit_p_values
from smile.toyroad.cases import CASES

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "docs" / "tables"
REACHED = 0.95
DRAWS = 4  # designs per instruction
EDITS = (8, 12, 16, 24, 32, 64)
AT = 16
CHOICES = [
    *({"distance": d, "locality": where} for d, where in product(distances.NAMES, ("wmd", "words", "none"))),
    *({"locality": "wmd", "kept": share} for share in (0.5, 0.7, 0.8, 0.95, 0.99)),
    *({"locality": "wmd", "sigma": width} for width in (0.25, 0.5, 1.0, 2.0)),
    *({"surrogate": kind} for kind in ("ridge", "bayesian")),
    {"reference": "input"},
    {"reference": "input", "distance": "cosine", "locality": "none"},
    {"reference": "input", "distance": "wasserstein"},
]
NAMED = {"sigma": "width {}", "kept": "width auto for {} of the rows", "reference": "compared with the {}"}


def label(choice: dict) -> str:
    whole = DEFAULTS | choice
    default = " (default)" if whole == DEFAULTS else ""
    return ", ".join(NAMED.get(name, "{}").format(whole[name]) for name in choice) + default


def rows_of(words, number, compound) -> np.ndarray:
    """What is edited: of compound instructions only the default design."""
    return design(len(words), default_edits(len(words)), "balanced", number) if compound else everything(words)


def make(cases, minutes: float) -> None:
    """Make the edits, one instruction by every editor after the other, until the time is over."""
    until = time.monotonic() + 60 * minutes
    for row in zip(*cases.values(), strict=True):
        for bank, number, case, compound in row:
            if time.monotonic() >= until:
                return
            bank.make(case, asked(case.words, rows_of(case.words, number, compound), number))
            bank.carries_out(case, number, number)


def measured(bank, number, case, compound) -> dict:
    """{(choice, edits): (AUROC, top-1, rank correlation with the exact values)} of one instruction, means over designs.
    Of a compound one: {(choice, 16): (AUROC, top-1)} by the default number of edits."""
    found = Combinations(bank, case, number, mask=rows_of(case.words, number, compound))
    matters, table = case.find_relevant_words(), {}
    for index, choice in enumerate(CHOICES):
        if compound:
            table[index, AT] = np.array(judged(found.weights(found.mask, **choice), matters))
            continue
        whole = DEFAULTS | choice
        exact = found.banzhaf(whole["distance"], whole["reference"])
        for edits in EDITS:
            rows = []
            for draw in range(DRAWS if edits < len(found.mask) else 1):
                weights = found.weights(found.design(edits, draw), **choice)
                rows.append((*judged(weights, matters), rank(np.nan_to_num(weights), exact)))
            table[index, edits] = np.mean(rows, axis=0)
    return table


def judged(weights, matters) -> tuple[float, bool]:
    """(AUROC, whether the top word matters); chance where there are no weights, as the bayesian surrogate leaves it."""
    weights = np.nan_to_num(weights)
    return metrics.accuracy(weights, matters)["auroc"], bool(matters[np.argmax(np.abs(weights))])


def needed(rows, index) -> str:
    """The fewest edits with a mean AUROC of .95."""
    return next((str(e) for e in EDITS if np.mean([row[index, e][0] for row in rows]) >= REACHED), "more")


def section(title, rows) -> list[str]:
    """One table. The difference from the default is taken instruction by instruction."""
    compound = rows[0][0, AT].shape == (2,)
    lines = [f"## {title}: {len(rows)} instructions", ""]
    lines += ["| setting | AUROC | top-1 | AUROC less the default's |" + " rank correlation | edits to .95 |" * (not compound)]
    lines += ["|---|---|---|---|" + "---|---|" * (not compound)]
    default = next(i for i, choice in enumerate(CHOICES) if DEFAULTS | choice == DEFAULTS)
    for index, choice in enumerate(CHOICES):
        auroc, top, *alike = np.mean([row[index, AT] for row in rows], axis=0)
        gaps = np.array([row[index, AT][0] - row[default, AT][0] for row in rows])
        error = gaps.std(ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else np.nan
        gap = "" if index == default else f"{gaps.mean():+.3f} ± {error:.3f}"
        line = f"| {label(choice)} | {auroc:.3f} | {top:.3f} | {gap} |"
        lines.append(line if compound else f"{line} {alike[0]:.2f} | {needed(rows, index)} |")
    return [*lines, ""]


def noise_seeds(bank, cases) -> list[str]:
    """How many other seeds the noise floor wants: edits without any word that matters should stand out of it, edits
    without some other word should not."""
    lines = ["## Noise seeds: `instruct-pix2pix`, share of edits that moved farther than every other seed", ""]
    lines += ["| noise seeds | lowest p | without every word that matters | without one that does not |", "|---|---|---|---|"]
    questions = [Question(bank, number, case, 128) for number, case in cases]
    questions = [q for q in questions if bank.has(q.case, q.needed) and bank.carries_out(q.case, q.number, q.number)]
    table = {}
    for q in questions:
        found = Combinations(bank, q.case, q.number)
        others = [(q.case.instruction.text, q.seeds[1]), *q.theirs.references]
        vectors, patches = bank.embedded(q.case, others)
        floor = distances.to_reference("patches", vectors, patches, found.vectors[0], found.patches[0])
        nothing = ~found.mask[:, q.matters].any(axis=1)
        harmless = found.mask[:, q.matters].all(axis=1) & (found.mask.sum(axis=1) == len(q.words) - 1)
        for count in range(1, len(floor) + 1):
            extreme = edit_p_values(found.far("patches", "edit"), floor[:count]) <= 1 / (count + 1) + 1e-9
            table.setdefault(count, []).append((extreme[nothing].mean(), extreme[harmless].mean()))
    for count, rows in table.items():
        stands_out, false = np.mean(rows, axis=0)
        lines.append(f"| {count} | {1 / (count + 1):.2f} | {stands_out:.2f} | {false:.2f} |")
    return [*lines, "", f"{len(questions)} instructions.", ""]


INTRODUCTION = f"""# Defaults by evidence

Made by `python tests/benchmarks/defaults.py`: held-out Toy Road instructions that the bundled editors carry out. Compound ones
(7 to 12 words, two attributes) are explained by the default number of edits. Of short ones (4 to 6 words, the six
attributes in turn) all combinations of words are edited, so the exact Banzhaf values are known; figures are at {AT} edits,
means over {DRAWS} designs. ± is a standard error over instructions. A line names what differs from the default: patches,
no locality, linear, compared with the full edit.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instructions", type=int, default=25, help="compound and short ones, of each of the four editors")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="to make edits for, before the report")
    options = parser.parse_args()
    banks, lines = {name: Bank(name) for name in CASES}, INTRODUCTION.splitlines()
    for compound in (True, False):
        cases = {
            name: [(bank, *one, compound) for one in held_out(name, options.instructions, compound)]
            for name, bank in banks.items()
        }
        make(cases, options.minutes)
        rows, left_out = {name: [] for name in cases}, 0
        for name, some in cases.items():
            for bank, number, case, _ in tqdm(some, desc=name, disable=None):
                if not bank.has(case, asked(case.words, rows_of(case.words, number, compound), number)):
                    continue
                if bank.carries_out(case, number, number):
                    rows[name].append(measured(bank, number, case, compound))
                else:
                    left_out += 1
        kind = "compound" if compound else "short"
        lines += ["", f"{left_out} {kind} instructions that the editor does not carry out are left out.", ""]
        lines += section(f"All bundled editors, {kind}", [row for some in rows.values() for row in some])
        for name, some in rows.items():
            lines += section(f"`{name}`, {kind}", some) if some else []
    lines += noise_seeds(banks["instruct-pix2pix"], held_out("instruct-pix2pix", 12))
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "defaults.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
