"""The cells of a suite are explained one after the other, and each is kept at once.

What is there already is not done again, but for cells that failed. Several processes share what is to be done; which of
them does a cell makes no difference to its result.
"""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import numpy as np
from PIL import Image

from smile import Explanation, explain_stream, load_editor
from smile.errors import InputError
from smile.evaluation import metrics
from smile.evaluation.evaluate import Measurement, measure_trust
from smile.report.payload import Pictures
from smile.scenarios import folder
from smile.scenarios.cells import Cell, plan_cells
from smile.scenarios.fields import require
from smile.scenarios.suite import Editor, Suite

LONGEST = 112  # pixels of the pictures that are kept for the report


class Progress(NamedTuple):
    """Cells done, by all processes together, and seconds left, None before that can be said."""

    done: int
    total: int
    seconds_left: float | None


def load_models(name: str, weights: str, device: str | None = None) -> tuple:
    """(editor, embedder); explain finds the embedder that suits the editor."""
    return load_editor(name, weights, device), None


class Explainer(Protocol):
    """What explains with one of a suite's editors."""

    def explain(self, picture: Image.Image, instruction: str, options: dict) -> Iterator[Explanation | None]:
        """As `smile.explain_stream`; the last item is the explanation. None: the editor is still being loaded."""

    def measure(self, explanation: Explanation) -> Iterator[Measurement]:
        """As `smile.evaluation.evaluate.measure_trust`, of what was explained last; the last item has everything."""


class LoadedEditor:
    """The Explainer whose editor is loaded here."""

    def __init__(self, choice: Editor, load: Callable[[str, str], tuple], cache=None):
        (editor, self.embedder), self.cache = load(choice.name, choice.weights), cache
        self.editor = editor.with_settings(**dict(choice.settings)) if choice.settings else editor

    def explain(self, picture: Image.Image, instruction: str, options: dict) -> Iterator[Explanation]:
        """As in Explainer."""
        return explain_stream(picture, instruction, self.editor, embedder=self.embedder, cache=self.cache, **options)

    def measure(self, explanation: Explanation) -> Iterator[Measurement]:
        """As in Explainer."""
        return measure_trust(explanation, self.editor, embedder=self.embedder, cache=self.cache)


def explain_cells(
    suite: Suite,
    out,
    *,
    load: Callable[[str, str], tuple] = load_models,
    ask: Callable[[Editor], Explainer] | None = None,
    share: Callable[[list[str]], list[str]] = list,
    is_main: bool = True,
    every_batch: bool = False,
    cache=None,
) -> Iterator[Progress]:
    """Explain the cells of `suite` that `out` does not have yet; yield before the first and after each.

    - load: gives (editor, embedder or None) of a name and weights; an editor is loaded once.
    - ask: gives the Explainer of an editor, where that is not to be loaded here. Raises InputError where it cannot.
    - share: of the names of the cells to be done, those that this process does; see `smile.scenarios.distributed`.
    - is_main: whether this process writes down the plan.
    - every_batch: yield after each batch of a cell's edits too, so that closing the iterator takes effect there.
    - cache: as for `explain`.

    Raises InputError where there is nothing to do or `out` cannot be used. A cell that raises it is kept with its
    sentence, and the others go on.
    """
    out, ask = Path(out), ask or functools.partial(LoadedEditor, load=load, cache=cache)
    cells, left_out = plan_cells(suite)
    require(cells, "Every picture shows already what the instructions ask for, so there is nothing to explain.")
    folder.check_folder(out, suite)
    if is_main:
        folder.write_plan(out, suite, cells, left_out)
        folder.forget_failures(out)
    there = folder.list_done_cells(out)
    own = set(share([cell.id for cell in cells if cell.id not in there]))
    began, before = time.perf_counter(), len(there)
    progress = Progress(before, len(cells), None)
    yield progress
    for choice, group in groupby((cell for cell in cells if cell.id in own), key=lambda cell: cell.editor):
        explainer: Explainer | None = None
        try:
            explainer = ask(choice)
        except InputError as error:
            failed = {"failed": str(error)}
        for cell in group:
            result: dict | None = None
            for result in _explain_cell(cell, suite, explainer) if explainer else [failed]:
                if result is None and every_batch:
                    yield progress
            folder.write_cell(out, cell.id, {"id": cell.id} | (result or {}))
            done = len(folder.list_done_cells(out))
            each = (time.perf_counter() - began) / max(done - before, 1)
            progress = Progress(done, len(cells), each * (len(cells) - done))
            yield progress


def _explain_cell(cell: Cell, suite: Suite, explainer: Explainer) -> Iterator[dict | None]:
    """None after each batch, at last what is kept of the cell: plain values, the same whenever and wherever it is run."""
    explanation: Explanation | None = None
    trust: dict[str, dict] = {}
    try:
        relevant = cell.find_relevant_words()
        picture = cell.picture.open()
        region = cell.picture.open_region(picture) if cell.editor.takes_region else None
        takes: dict = cell.case.options if cell.case else {} if region is None else {"region": region}
        options = {"edits": suite.edits, "seed": suite.seed} | suite.options | takes
        for step in explainer.explain(picture, cell.instruction, options):
            explanation = step
            yield None
        assert explanation is not None
        explanation = replace(explanation, seconds={})
        for measured in explainer.measure(explanation) if suite.trust else ():
            yield None
            trust = {part: entry.numbers for part, entry in measured.entries.items()}  # empty where it cannot be measured
    except InputError as error:
        yield {"failed": str(error)}
        return
    url = Pictures(LONGEST).url
    full = cast(Image.Image, explanation.edits[0])  # an explanation whose first edit failed is an InputError
    yield {
        "failed": None,
        "relevant": relevant,
        "carried_out": cell.is_carried_out(full, suite.seed),
        "scores": score_cell(relevant, explanation.weights, explanation.fidelity, trust),
        "trust": trust,
        "input": url(explanation.image),
        "edit": url(full),
        "explanation": explanation.to_dict(),
    }


def score_cell(
    relevant: list[bool] | None, weights: np.ndarray, fidelity: dict, trust: dict[str, dict]
) -> dict[str, float | None]:
    """How good one explanation is; None where nobody can tell. The summary has the means of whatever is here, and the
    report those that it has a heading for (`smile.scenarios.report.QUALITY`).

    relevant: for each word whether it should matter, or None; weights, fidelity: the explanation's; trust: what further
    edits told of it, by part of the trust report."""
    scores: dict[str, float | None] = dict.fromkeys(("auroc", "f1", "accuracy"))
    if relevant is not None and np.isfinite(weights).all():
        scores = metrics.accuracy(weights, relevant)
    scores["fidelity"] = fidelity.get("R2_weighted_leave_one_out")
    if trust:
        inserted, seeds = trust.get("stability", {}), trust.get("consistency", {}).get("seeds") or {}
        scores |= {"inserted_overlap": inserted.get("ruzicka"), "inserted_significant": inserted.get("jaccard")}
        scores |= {"seeds_spread": seeds.get("mean_standard_deviation"), "seeds_top_word": seeds.get("top_1_frequency")}
        scores |= {name: trust.get("faithfulness", {}).get(name) for name in ("area_between", "better_than_random")}
    return scores
