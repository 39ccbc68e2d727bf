"""The cells of a suite are explained one after the other, and each is kept at once.

What is there already is not done again, but for cells that failed. Several processes share what is to be done; which of
them does a cell makes no difference to its result.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from smile import explain, load_editor, metrics
from smile.errors import InputError
from smile.measure import measure
from smile.scenarios import folder, truth
from smile.scenarios.cells import Cell, plan
from smile.scenarios.suite import Suite
from smile.view import Pictures

LONGEST = 112  # pixels of the pictures that are kept for the report


class Progress(NamedTuple):
    """Cells done, by all processes together, and seconds left, None before that can be said."""

    done: int
    total: int
    seconds_left: float | None


def load_models(name: str, weights: str, device: str | None = None) -> tuple:
    """(editor, embedder); explain finds the embedder that suits the editor."""
    return load_editor(name, weights, device), None


def cells(
    suite: Suite,
    out,
    *,
    load: Callable[[str, str], tuple] = load_models,
    share: Callable[[list[str]], list[str]] = list,
    is_main: bool = True,
) -> Iterator[Progress]:
    """Explain the cells of `suite` that `out` does not have yet; yield before the first and after each.

    - load: gives (editor, embedder or None) of a name and weights; an editor is loaded once.
    - share: of the names of the cells to be done, those that this process does; see `smile.scenarios.processes`.
    - is_main: whether this process writes down the plan.

    Raises InputError where there is nothing to do or `out` cannot be used. A cell that raises it is kept with its
    sentence, and the others go on.
    """
    out = Path(out)
    all_, left_out = plan(suite)
    if not all_:
        raise InputError("Every picture shows already what the instructions ask for, so there is nothing to explain.")
    folder.check(out, suite)
    if is_main:
        folder.begin(out, suite, all_, left_out)
        folder.forget_failures(out)
    there = folder.made(out)
    wanted = set(share([cell.id for cell in all_ if cell.id not in there]))
    mine = [cell for cell in all_ if cell.id in wanted]
    began, before = time.perf_counter(), len(there)
    yield Progress(before, len(all_), None)
    for choice, group in groupby(mine, key=lambda cell: cell.editor):
        editor = embedder = problem = None
        try:
            editor, embedder = load(choice.name, choice.weights)
            editor = editor.with_settings(**dict(choice.settings)) if choice.settings else editor
        except InputError as error:
            problem = str(error)
        for cell in group:
            folder.write_cell(out, cell.id, _failed(cell, problem) if problem else _result(cell, suite, editor, embedder))
            done = len(folder.made(out))
            each = (time.perf_counter() - began) / max(done - before, 1)
            yield Progress(done, len(all_), each * (len(all_) - done))


def _result(cell: Cell, suite: Suite, editor, embedder) -> dict:
    """What is kept of a cell: plain values, the same whenever and wherever it is run."""
    try:
        picture = cell.picture.open()
        region = cell.picture.region(picture) if cell.editor.takes_region else None
        takes = cell.case.options if cell.case else {} if region is None else {"region": region}
        options = {"edits": suite.edits, "seed": suite.seed, "embedder": embedder} | suite.options | takes
        explanation = replace(explain(picture, cell.instruction, editor, **options), seconds={})
        trust = _trust(explanation, editor, embedder) if suite.trust else {}
    except InputError as error:
        return _failed(cell, str(error))
    url = Pictures(LONGEST).url
    return {
        "id": cell.id,
        "failed": None,
        "relevant": cell.relevant,
        "carried_out": truth.done(cell.case, explanation.edits[0], suite.seed) if cell.case else None,
        "scores": _scores(cell, explanation, trust),
        "trust": trust,
        "input": url(explanation.image),
        "edit": url(explanation.edits[0]),
        "explanation": explanation.to_dict(),
    }


def _trust(explanation, editor, embedder) -> dict[str, dict]:
    """What further edits tell of it, by part of the trust report; a part that could not be measured is empty."""
    return {part: entry.numbers for part, entry in deque(measure(explanation, editor, embedder=embedder), 1)[0].entries.items()}


def _scores(cell: Cell, explanation, trust: dict[str, dict]) -> dict[str, float | None]:
    """How good this one explanation is; None where nobody can tell. The summary has the means of whatever is here, and
    the report those that it has a heading for (`smile.scenarios.report.QUALITY`)."""
    known = cell.relevant is not None and np.isfinite(explanation.weights).all()
    scores = metrics.accuracy(explanation.weights, cell.relevant) if known else dict.fromkeys(("auroc", "f1", "accuracy"))
    scores["fidelity"] = explanation.fidelity.get("R2_weighted_leave_one_out")
    if trust:
        inserted, seeds = trust.get("stability", {}), trust.get("consistency", {}).get("seeds") or {}
        scores |= {"inserted_overlap": inserted.get("ruzicka"), "inserted_significant": inserted.get("jaccard")}
        scores |= {"seeds_spread": seeds.get("mean_standard_deviation"), "seeds_top_word": seeds.get("top_1_frequency")}
        scores |= {name: trust.get("faithfulness", {}).get(name) for name in ("area_between", "better_than_random")}
    return scores


def _failed(cell: Cell, sentence: str) -> dict:
    return {"id": cell.id, "failed": sentence}
