"""What a run found, as tables: of its cells, words, values and attributes, and of the domain that was exercised.

Everything is computed from the files of the cells alone, so it can be made again at any time, also of an unfinished run.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from smile.evaluation import metrics
from smile.scenarios import folder
from smile.scenarios.suite import Slot

ALPHA = 0.05
FORMULAS = ("=", "+", "-", "@", "\t", "\n")  # with which one begins in a spreadsheet


@dataclass(frozen=True)
class Row:
    """One cell: what the plan says of it and, unless it `failed`, what came out. k words; NaN is what is not known."""

    id: str
    editor: str
    template: int
    values: dict[str, str]
    instruction: str
    slots: list[Slot]
    picture: str
    meets: list[tuple[str, str]]
    failed: str | None
    weights: np.ndarray  # (k,)
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    holm: np.ndarray
    relevant: list[bool] | None
    carried_out: bool | None
    scores: dict[str, float | None]  # by name (`smile.scenarios.run`)
    input: str | None  # pictures as data URLs
    edit: str | None

    @property
    def words(self) -> list[str]:
        return self.instruction.split()

    @property
    def is_known(self) -> bool:
        """Whether there is a weight for every word."""
        return self.failed is None and bool(np.isfinite(self.weights).all())

    @property
    def top(self) -> int:
        """The position of the word with the largest absolute weight."""
        return int(np.argmax(np.abs(self.weights)))

    @property
    def significant(self) -> np.ndarray:
        """(k,) bool"""
        return self.holm < ALPHA

    @property
    def top_is_relevant(self) -> bool | None:
        return bool(self.relevant[self.top]) if self.relevant and self.is_known else None

    def words_of(self, attribute: str) -> np.ndarray:
        """(k,) bool: the words that say the attribute's value."""
        return np.array([slot.attribute == attribute for slot in self.slots])


@dataclass(frozen=True)
class Results:
    """`plan` is what was to be run (`smile.scenarios.folder.write_plan`), `rows` what has been, in the order of the cells."""

    plan: dict
    rows: list[Row]

    @property
    def known(self) -> list[Row]:
        return [row for row in self.rows if row.is_known]

    def positions(self, template: int) -> dict[tuple[int, int], str]:
        """The label of each (token, part) of the template's instructions, in reading order."""
        tokens = self.plan["templates"][template]["tokens"]
        found = {slot[:2] for row in self.rows if row.template == template for slot in row.slots}
        return {(token, part): tokens[token] + (f" ({part + 1})" if part else "") for token, part in sorted(found)}


def read_results(out) -> Results:
    """What is in the folder of a run. Raises InputError where there is none, or it is damaged."""
    out = Path(out)
    return collect_results(folder.read_plan(out), folder.read_cells(out))


def collect_results(plan: dict, made: Iterable[dict]) -> Results:
    """What the files of a run hold: its plan, and its cells in their order."""
    cells = {cell["id"]: cell for cell in plan["cells"]}
    return Results(plan, [_row(cells[each["id"]], each) for each in made if each["id"] in cells])


def summarise(results: Results) -> dict:
    """All of the report's numbers, as plain values."""
    rows = results.rows
    return {
        "name": results.plan["name"],
        "cells": {
            "planned": len(results.plan["cells"]),
            "done": sum(row.failed is None for row in rows),
            "failed": sum(row.failed is not None for row in rows),
            "left_out": results.plan["left_out"],
        },
        "attributes": attributes(results),
        "values": values(results),
        "words": words(results),
        "coverage": coverage(results),
        "failures": [{"cell": row.id, "editor": row.editor, "why": row.failed} for row in rows if row.failed],
    }


def words(results: Results) -> list[dict]:
    """For each template, editor and position of a word: quartiles of its weight over pictures and values, their spread,
    and the share of cells in which it is significant."""
    found = defaultdict(list)
    for row in results.known:
        for slot, weight, significant in zip(row.slots, row.weights, row.significant, strict=True):
            found[row.template, row.editor, slot[:2]].append((weight, significant))
    return [
        {
            "template": results.plan["templates"][template]["text"],
            "editor": editor,
            "word": results.positions(template)[position],
            "cells": len(seen),
            **_quartiles([weight for weight, _ in seen]),
            "significant": float(np.mean([significant for _, significant in seen])),
        }
        for (template, editor, position), seen in sorted(found.items())
    ]


def values(results: Results) -> list[dict]:
    """For each value and editor: the mean weight of the value's words together, and the share of cells in which one of
    them is significant; None where the value was in no instruction."""
    found = defaultdict(list)
    for row in results.known:
        for attribute, value in row.values.items():
            own = row.words_of(attribute)
            found[attribute, value, row.editor].append((row.weights[own].sum(), row.significant[own].any()))
    return [
        {
            "attribute": name,
            "value": value,
            "editor": editor,
            "cells": len(found[name, value, editor]),
            "weight": _mean(weight for weight, _ in found[name, value, editor]),
            "significant": _mean(significant for _, significant in found[name, value, editor]),
        }
        for name, attribute in results.plan["attributes"].items()
        for value in attribute["values"]
        for editor in results.plan["editors"]
    ]


def attributes(results: Results) -> list[dict]:
    """For each attribute and editor, over the cells whose instruction names it, what is known of how good the
    explanations are. None where there is nothing to tell it from.

    - carried_out: share of edits nearer to what was asked for than to anything else.
    - the means of the cells' own scores: auroc, f1 and accuracy against the words that should matter; fidelity, the
      leave-one-out R2, each edit predicted from the others; and, where the suite asks for trust, of
      `smile.evaluation.metrics.stability` with words inserted, `consistency` over seeds and `faithfulness`.
    - auroc_carried_out: of the edits that were carried out.
    - top_word: share of cells whose heaviest word is one that should matter.
    - consistency, over pictures: spread, the mean standard deviation of a word's weight; same_top_word, the share of
      pictures with the most frequent heaviest word; rank_correlation of the words, Spearman's, mean over pairs.
    - stability, over values: the picture stays and another value is asked for; overlap of the absolute weights
      (Ruzicka) and of the significant positions (Jaccard), means over pairs.
    """
    found = []
    scores = list(dict.fromkeys(score for row in results.known for score in row.scores))
    for name, attribute in results.plan["attributes"].items():
        for editor in results.plan["editors"]:
            rows = [row for row in results.known if row.editor == editor and name in row.values]
            good = [row for row in rows if row.carried_out]
            found.append(
                {
                    "attribute": name,
                    "of": attribute["of"],
                    "editor": editor,
                    "cells": len(rows),
                    "carried_out": _mean(row.carried_out for row in rows),
                    **{score: _mean(row.scores[score] for row in rows) for score in scores},
                    "auroc_carried_out": _mean(row.scores["auroc"] for row in good),
                    "top_word": _mean(row.top_is_relevant for row in rows),
                    **consistency(rows),
                    **stability(rows),
                }
            )
    return found


def consistency(rows: list[Row]) -> dict[str, float | None]:
    """How alike the explanations of one instruction are over pictures; see `attributes`."""
    found = [metrics.consistency(group) for group in _groups(rows, lambda row: (row.editor, row.instruction))]
    names = {"spread": "mean_standard_deviation", "same_top_word": "top_1_frequency", "rank_correlation": "rank_correlation"}
    return {name: _mean(each[theirs] for each in found) for name, theirs in names.items()}


def stability(rows: list[Row]) -> dict[str, float | None]:
    """How alike the explanations of one picture are when another value is asked for; see `attributes`."""
    groups = _groups(rows, lambda row: (row.editor, row.template, row.picture, tuple(row.slots)))
    overlap, same = [], []
    for group in groups:
        for a, b in combinations(group, 2):
            overlap.append(_shared(np.abs(a.weights), np.abs(b.weights)))
            same.append(_shared(a.significant, b.significant))
    return {"overlap": _mean(overlap), "same_significant": _mean(same)}


def coverage(results: Results) -> dict:
    """Which values of the domain were asked for in an instruction, or met one in a picture, and which pairs of values of
    different attributes came together in a cell that was explained."""
    named = [(name, value) for name, attribute in results.plan["attributes"].items() for value in attribute["values"]]
    asked, met, pairs = Counter(), Counter(), Counter()
    for row in results.rows:
        if row.failed is None:
            asked.update(row.values.items())
            met.update(set(row.meets) - set(row.values.items()))
            pairs.update(frozenset(pair) for pair in combinations(row.meets, 2))
    possible = [(a, b) for a, b in combinations(named, 2) if a[0] != b[0]]
    return {
        "values": [
            {"attribute": name, "value": value, "asked": asked[name, value], "shown": met[name, value]} for name, value in named
        ],
        "pairs": [{"values": [list(a), list(b)], "cells": pairs[frozenset((a, b))]} for a, b in possible],
        "exercised": {
            "values": sum((asked + met)[pair] > 0 for pair in named),
            "of_values": len(named),
            "pairs": sum(pairs[frozenset(pair)] > 0 for pair in possible),
            "of_pairs": len(possible),
        },
    }


def cells_csv(results: Results) -> str:
    """One line for each cell."""
    names = list(results.plan["attributes"])
    head = [
        "cell",
        "editor",
        "picture",
        "template",
        "instruction",
        *names,
        "failed",
        "carried out",
        "top word",
        "top word matters",
    ]
    head += ["auroc", "f1", "accuracy", "leave-one-out R2", "significant words"]
    lines = []
    for row in results.rows:
        line = [row.id, row.editor, row.picture, results.plan["templates"][row.template]["text"], row.instruction]
        line += [row.values.get(name) for name in names]
        line += [row.failed, row.carried_out, row.words[row.top] if row.is_known else None, row.top_is_relevant]
        line += [row.scores.get(score) for score in ("auroc", "f1", "accuracy", "fidelity")]
        lines.append([*line, int(row.significant.sum()) if row.is_known else None])
    return _csv(head, lines)


def words_csv(results: Results) -> str:
    """One line for each cell and word."""
    head = ["cell", "editor", "picture", "template", "position", "of template", "attribute", "word", "weight", "ci low"]
    head += ["ci high", "p", "p (Holm)", "significant", "should matter"]
    lines = []
    for row in results.rows:
        labels = results.positions(row.template)
        for j, (word, slot) in enumerate(zip(row.words, row.slots, strict=True) if row.failed is None else ()):
            text = results.plan["templates"][row.template]["text"]
            numbers = [_number(each[j]) for each in (row.weights, row.low, row.high, row.p, row.holm)]
            line = [row.id, row.editor, row.picture, text, j + 1, labels[slot[:2]], slot.attribute, word, *numbers]
            lines.append([*line, bool(row.significant[j]), row.relevant[j] if row.relevant else None])
    return _csv(head, lines)


def _row(planned: dict, made: dict) -> Row:
    explanation = made.get("explanation") or {}
    k = len(planned["instruction"].split())
    arrays = [
        np.array(explanation.get(name) or [None] * k, dtype=float)
        for name in ("weights", "ci_low", "ci_high", "p_values", "p_values_holm")
    ]
    return Row(
        id=planned["id"],
        editor=planned["editor"],
        template=planned["template"],
        values=planned["values"],
        instruction=planned["instruction"],
        slots=[Slot(*slot) for slot in planned["slots"]],
        picture=planned["picture"],
        meets=[tuple(pair) for pair in planned["meets"]],
        failed=made["failed"],
        **dict(zip(("weights", "low", "high", "p", "holm"), arrays, strict=True)),
        relevant=made.get("relevant"),
        carried_out=made.get("carried_out"),
        scores=made.get("scores", {}),
        input=made.get("input"),
        edit=made.get("edit"),
    )


def _groups(rows: list[Row], key) -> list[list[Row]]:
    """The rows with equal keys, where there are at least two."""
    found = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return [group for group in found.values() if len(group) > 1]


def _shared(a, b) -> float:
    """Sum of the smaller over sum of the larger: Ruzicka for weights, Jaccard for sets; 1 where both are empty."""
    larger = np.maximum(a, b).sum()
    return float(np.minimum(a, b).sum() / larger) if larger > 0 else 1.0


def _mean(numbers: Iterable) -> float | None:
    """Of those that are known; None where none is."""
    known = [float(number) for number in numbers if number is not None]
    return float(np.mean(known)) if known else None


def _quartiles(numbers) -> dict[str, float | None]:
    low, middle, high = (float(q) for q in np.percentile(numbers, (25, 50, 75)))
    spread = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None
    return {"lower_quartile": low, "median": middle, "upper_quartile": high, "standard_deviation": spread}


def _number(value) -> float | None:
    return float(value) if np.isfinite(value) else None


def _csv(head, lines) -> str:
    """True and false as yes and no; what is not known is empty; a text that a spreadsheet would compute stays a text."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([_cell(cell) for cell in line] for line in (head, *lines))
    return file.getvalue()


def _cell(cell):
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\r", " ")  # which csv leaves as it is, and readers take for the end of a line
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULAS) else cell
