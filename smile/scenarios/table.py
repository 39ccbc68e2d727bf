"""What a run found, as tables: of its cells, words, values and attributes, and of the domain that was exercised.

Everything is computed from the files of the cells alone, so it can be made again at any time, also of an unfinished run.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smile.evaluation import metrics
from smile.method.evident import find_evident, find_leading, find_visible
from smile.method.noise_floor import exceeds_noise
from smile.scenarios import folder

FORMULAS = ("=", "+", "-", "@", "\t", "\n")  # with which one begins in a spreadsheet
NUMBERS = {"weights": "weights", "low": "ci_low", "high": "ci_high", "p": "p_values", "holm": "p_values_holm"}
LISTS = ["words", "position", "token", "part", "label", "attribute", "value", "significant", "relevant", *NUMBERS]
COLUMNS = ["id", "model", "number", "template", "picture", "instruction", "values", "meets", "shape", "failed", "known",
           "carried_out", "beyond_noise", "top", "top_word", "top_is_relevant", "count", "input", "edit", "answer",
           *LISTS]  # fmt: skip
ASKED = {"id": "cell", "model": "model", "picture": "picture", "template": "template"}  # column: its heading in a CSV
FOUND = {"failed": "failed", "carried_out": "carried out", "top_word": "top word", "top_is_relevant": "top word matters",
         "auroc": "auroc", "f1": "f1", "accuracy": "accuracy", "fidelity": "leave-one-out R2",
         "count": "significant words"}  # fmt: skip
OF_ANSWERS = {"carried_out": "answered", "count": "named words", "significant": "named"}  # other headings
OF_WORD = {"position": "position", "label": "of template", "attribute": "attribute", "words": "word", "weights": "weight",
           "low": "ci low", "high": "ci high", "p": "p", "holm": "p (Holm)", "significant": "significant",
           "relevant": "should matter"}  # fmt: skip


@dataclass(frozen=True)
class Results:
    """What a run found.

    plan: what was to be run (`smile.scenarios.folder.make_plan`).
    cells: a row for each cell that was run, in their order: what the plan says of it and what came out, None where that is
    not known. In the columns LISTS are lists or arrays (k,) over the words. `number` is the template's, `shape` is equal
    where words come from the same places of it, `known` is whether each word has a weight, `top` is the position of the
    largest absolute weight, `count` is how many words are significant; words of a prompt, which have no stars, are so where
    they are named (`smile.method.evident.find_leading`); scores have their own names (`run.score_cell`).
    """

    plan: dict
    cells: pd.DataFrame

    @property
    def known(self) -> pd.DataFrame:
        """The cells in which each word has a weight."""
        return self.cells[self.cells["known"].astype(bool)]

    @cached_property
    def words(self) -> pd.DataFrame:
        """A row for each word of the cells that did not fail."""
        return self.cells[self.cells["failed"].isna()].explode(LISTS)


def read_results(out) -> Results:
    """What is in the folder of a run. Raises InputError where there is none, or it is damaged."""
    return collect_results(folder.read_plan(Path(out)), folder.read_cells(Path(out)))


def collect_results(plan: dict, done: Iterable[dict]) -> Results:
    """What the files of a run hold: its plan, and its cells in their order."""
    planned = {cell["id"]: cell for cell in plan["cells"]}
    rows = [_make_row(plan, planned[cell["id"]], cell) for cell in done if cell["id"] in planned]
    scores = dict.fromkeys(("auroc", "f1", "accuracy", "fidelity", *(name for row in rows for name in row)))
    columns = [*COLUMNS, *(name for name in scores if name not in COLUMNS)]
    return Results(plan, pd.DataFrame(rows, columns=columns, dtype=object))


def summarise(results: Results) -> dict[str, Any]:
    """All of the report's numbers, as plain values."""
    failed = results.cells[results.cells["failed"].notna()]
    return {
        "name": results.plan["name"],
        "cells": {
            "planned": len(results.plan["cells"]),
            "done": len(results.cells) - len(failed),
            "failed": len(failed),
            "left_out": results.plan["left_out"],
        },
        "attributes": summarise_attributes(results),
        "values": summarise_values(results),
        "words": summarise_words(results),
        "coverage": summarise_coverage(results),
        "failures": [{"cell": row.id, "model": row.model, "why": row.failed} for row in failed.itertuples() if row.failed],
    }


def summarise_words(results: Results) -> list[dict[str, Any]]:
    """For each template, model and position of a word: quartiles of its weight over pictures and values, their spread,
    and the share of cells in which it is significant."""
    words = results.words[results.words["known"].astype(bool)]
    lines = []
    for (_, model, _, _), group in words.groupby(["number", "model", "token", "part"]):
        weights = group["weights"].to_numpy(float)
        low, median, high = np.percentile(weights, (25, 50, 75)).tolist()
        first = group.iloc[0]
        line = {"template": first["template"], "model": model, "word": first["label"], "cells": len(group)}
        line |= {"lower_quartile": low, "median": median, "upper_quartile": high}
        line |= {"standard_deviation": float(np.std(weights, ddof=1)) if len(weights) > 1 else None}
        lines.append(line | {"significant": _mean(group["significant"])})
    return lines


def summarise_values(results: Results) -> list[dict[str, Any]]:
    """For each value and model: the mean weight of the value's words together, and the share of cells in which one of
    them is significant; None where the value was in no instruction."""
    words = results.words[results.words["known"].astype(bool) & results.words["attribute"].notna()]
    weights, significant = defaultdict(list), defaultdict(list)
    for (*key, _), group in words.groupby(["attribute", "value", "model", "id"], sort=False):
        weights[tuple(key)].append(group["weights"].to_numpy(float).sum())
        significant[tuple(key)].append(any(group["significant"]))
    lines = []
    for name, attribute in results.plan["attributes"].items():
        for key in product([name], attribute["values"], results.plan["models"]):
            line = dict(zip(("attribute", "value", "model"), key, strict=True)) | {"cells": len(weights[key])}
            lines.append(line | {"weight": _mean(weights[key]), "significant": _mean(significant[key])})
    return lines


def summarise_attributes(results: Results) -> list[dict[str, Any]]:
    """For each attribute and model, over the cells whose instruction names it, what is known of how good the
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
    known = results.known
    scores = [name for name in known.columns if name not in COLUMNS] if len(known) else []
    lines = []
    for name, attribute in results.plan["attributes"].items():
        for model in results.plan["models"]:
            cells = known.loc[[cell.model == model and name in cell.values for cell in known.itertuples()]]
            good = cells.loc[[carried_out is True for carried_out in cells["carried_out"]]]
            line = {"attribute": name, "of": attribute["of"], "model": model, "cells": len(cells)}
            line |= {"carried_out": _mean(cells["carried_out"])} | {score: _mean(cells[score]) for score in scores}
            line |= {"auroc_carried_out": _mean(good["auroc"]), "top_word": _mean(cells["top_is_relevant"])}
            lines.append(line | measure_consistency(cells) | measure_stability(cells))
    return lines


def measure_consistency(cells: pd.DataFrame) -> dict[str, float | None]:
    """How alike the explanations of one instruction are over pictures; see `summarise_attributes`."""
    found = [metrics.consistency(group) for group in _group(cells, ["model", "instruction"])]
    names = {"spread": "mean_standard_deviation", "same_top_word": "top_1_frequency", "rank_correlation": "rank_correlation"}
    return {name: _mean(each[theirs] for each in found) for name, theirs in names.items()}


def measure_stability(cells: pd.DataFrame) -> dict[str, float | None]:
    """How alike the explanations of one picture are when another value is asked for; see `summarise_attributes`."""
    groups = _group(cells, ["model", "number", "picture", "shape"])
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    return {
        "overlap": _mean(metrics.measure_overlap(a.weights, b.weights) for a, b in pairs),
        "same_significant": _mean(metrics.measure_overlap(a.significant, b.significant) for a, b in pairs),
    }


def summarise_coverage(results: Results) -> dict[str, Any]:
    """Which values of the domain were asked for in an instruction, or met one in a picture, and which pairs of values of
    different attributes came together in a cell that was explained."""
    asked, met, pairs = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[frozenset]()
    for values, meets in results.cells.loc[results.cells["failed"].isna(), ["values", "meets"]].itertuples(index=False):
        asked.update(values.items())
        met.update(set(meets) - set(values.items()))
        pairs.update(frozenset(pair) for pair in combinations(meets, 2))
    named = [(name, value) for name, attribute in results.plan["attributes"].items() for value in attribute["values"]]
    possible = [(a, b) for a, b in combinations(named, 2) if a[0] != b[0]]
    return {
        "values": [{"attribute": v[0], "value": v[1], "asked": asked[v], "shown": met[v]} for v in named],
        "pairs": [{"values": [list(a), list(b)], "cells": pairs[frozenset((a, b))]} for a, b in possible],
        "exercised": {
            "values": sum((asked + met)[value] > 0 for value in named),
            "of_values": len(named),
            "pairs": sum(pairs[frozenset(pair)] > 0 for pair in possible),
            "of_pairs": len(possible),
        },
    }


def write_cells_csv(results: Results) -> str:
    """cells.csv: one line for each cell."""
    names, cells = list(results.plan["attributes"]), results.cells
    values = pd.DataFrame([[each.get(name) for name in names] for each in cells["values"]], cells.index, names, object)
    asked, found = _choose_headings(results, ASKED), _choose_headings(results, FOUND)
    text = "prompt" if results.plan["asks"] else "instruction"
    found |= {"answer": "answer"} if results.plan["asks"] else {}
    table = pd.concat([cells[[*asked, "instruction"]], values, cells[[*found]]], axis=1)
    return _write_csv(table, [*asked.values(), text, *names, *found.values()])


def write_words_csv(results: Results) -> str:
    """words.csv: one line for each cell and word."""
    columns = _choose_headings(results, ASKED | OF_WORD)
    return _write_csv(results.words[[*columns]], [*columns.values()])


def _choose_headings(results: Results, columns: dict[str, str]) -> dict[str, str]:
    """The columns with their headings; answers have no pictures, and words of a prompt no stars."""
    if not results.plan["asks"]:
        return columns
    return {name: OF_ANSWERS.get(name, heading) for name, heading in columns.items() if name != "picture"}


def _make_row(plan: dict, planned: dict, done: dict) -> dict[str, Any]:
    """A row of `Results.cells`."""
    template, words, slots = plan["templates"][planned["template"]], planned["instruction"].split(), planned["slots"]
    explanation, relevant = done.get("explanation") or {}, done.get("relevant")
    numbers = {name: np.array(explanation.get(of) or [None] * len(words), float) for name, of in NUMBERS.items()}
    known = done["failed"] is None and bool(np.isfinite(numbers["weights"]).all())
    top, moves = int(np.argmax(np.abs(numbers["weights"]))), ("distances_from_full", "noise_distances")
    moved = exceeds_noise(*(np.array(explanation.get(name) or [], float) for name in moves))
    visible = find_visible(explanation.get("maps"), len(words))
    significant = find_evident(numbers["weights"], numbers["holm"], explanation.get("untested", ""), visible, moved)
    if plan["asks"]:
        proven = explanation.get("log_probs") is not None or significant
        significant = find_leading(numbers["weights"], proven, moved and bool(visible.any()))
    return {
        **{name: planned[name] for name in ("id", "model", "picture", "instruction", "values")},
        **{name: done.get(name) for name in ("failed", "carried_out", "input", "edit")},
        "answer": next(iter(explanation.get("answers", [])), None),
        **done.get("scores", {}),
        **numbers,
        "number": planned["template"],
        "template": template["text"],
        "meets": [tuple(pair) for pair in planned["meets"]],
        "shape": str(slots),
        "known": known,
        "top": top,
        "top_word": words[top] if known else None,
        "top_is_relevant": relevant[top] if relevant and known else None,
        "count": int(significant.sum()) if known else None,
        "words": words,
        "position": list(range(1, len(words) + 1)),
        "token": [token for token, _, _ in slots],
        "part": [part for _, part, _ in slots],
        "label": [template["tokens"][token] + (f" ({part + 1})" if part else "") for token, part, _ in slots],
        "attribute": [attribute for _, _, attribute in slots],
        "value": [planned["values"].get(attribute) for _, _, attribute in slots],
        "significant": significant,
        "beyond_noise": moved and bool(visible.any()),
        "relevant": relevant or [None] * len(words),
    }


def _group(cells: pd.DataFrame, columns: list[str]) -> list[list[Any]]:
    """The cells that are equal in these columns, where there are at least two."""
    groups = [list(group.itertuples()) for _, group in cells.groupby(columns, sort=False)]
    return [group for group in groups if len(group) > 1]


def _mean(numbers: Iterable) -> float | None:
    """Of those that are known; None where none is."""
    known = [float(number) for number in numbers if number is not None]
    return float(np.mean(known)) if known else None


def _write_csv(table: pd.DataFrame, heading: list[str]) -> str:
    """True and false as yes and no; what is not known is empty; a text that a spreadsheet would compute stays a text."""
    lines = [[_write_field(value) for value in row] for row in table.to_numpy(object)]
    named = pd.DataFrame(lines, columns=[_write_field(name) for name in heading], dtype=object)
    return named.to_csv(index=False, lineterminator="\n")


def _write_field(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    value = value.replace("\r", " ")  # which to_csv leaves as it is, and readers take for the end of a line
    return f"'{value}" if value.lstrip(" ").startswith(FORMULAS) else value
