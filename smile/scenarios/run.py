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
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from PIL import Image

from smile import AnswerExplanation, Explanation, explain_answer_stream, explain_stream, load_editor, load_language_model
from smile.errors import InputError
from smile.evaluation import metrics
from smile.evaluation.answer_trust import measure_answer_trust
from smile.evaluation.evaluate import measure_trust
from smile.report.payload import Pictures
from smile.scenarios import folder
from smile.scenarios.cells import Cell, plan_cells
from smile.scenarios.fields import require
from smile.scenarios.models import AUTO, Model
from smile.scenarios.suite import Suite

LONGEST = 112  # pixels of the pictures that are kept for the report


Explained = Explanation | AnswerExplanation


class Progress(NamedTuple):
    """Cells done, by all processes together, and seconds left, None before that can be said."""

    done: int
    total: int
    seconds_left: float | None


def load_models(name: str, weights: str, device: str | None = None) -> tuple:
    """(editor, embedder); explain finds the embedder that suits the editor."""
    return load_editor(name, weights, device), None


def load_language(name: str, weights: str, device: str | None = None) -> tuple:
    """(language model, embedder); explain_answer finds an embedder where one is needed."""
    return load_language_model(name, weights=None if weights == AUTO else weights, device=device), None


def get_loader(suite: Suite) -> Callable[..., tuple]:
    """What loads the suite's models: one of the two above."""
    return load_language if suite.asks else load_models


class Explainer(Protocol):
    """What explains with one of a suite's models."""

    def explain(self, picture: Image.Image | None, instruction: str, options: dict) -> Iterator[Explained | None]:
        """As `smile.explain_stream`, or `explain_answer_stream`, for which there is no picture; the last item is the
        explanation. None: the model is still being loaded."""

    def measure(self, explanation: Any) -> Iterator[Any]:
        """As `smile.evaluation.evaluate.measure_trust`, or `answer_trust.measure_answer_trust`, of what was explained last; the
        last item has everything."""


class LoadedEditor:
    """The Explainer whose editor is loaded here."""

    def __init__(self, choice: Model, load: Callable[[str, str], tuple], cache=None):
        (editor, self.embedder), self.cache = load(choice.name, choice.weights), cache
        self.editor = editor.with_settings(**dict(choice.settings)) if choice.settings else editor

    def explain(self, picture: Image.Image | None, instruction: str, options: dict) -> Iterator[Explained]:
        """As in Explainer."""
        return explain_stream(picture, instruction, self.editor, embedder=self.embedder, cache=self.cache, **options)

    def measure(self, explanation: Any) -> Iterator[Any]:
        """As in Explainer."""
        return measure_trust(explanation, self.editor, embedder=self.embedder, cache=self.cache)


class LoadedLanguageModel:
    """The Explainer whose language model is loaded here."""

    def __init__(self, choice: Model, load: Callable[[str, str], tuple]):
        model, self.embedder = load(choice.name, choice.weights)
        if choice.settings and not hasattr(model, "with_settings"):
            raise InputError(f"{choice.name} has no settings; take them out of the suite.")
        self.model = model.with_settings(**dict(choice.settings)) if choice.settings else model

    def explain(self, picture: Image.Image | None, instruction: str, options: dict) -> Iterator[Explained]:
        """As in Explainer."""
        return explain_answer_stream(instruction, self.model, embedder=self.embedder, units="words", **options)

    def measure(self, explanation: Any) -> Iterator[Any]:
        """As in Explainer."""
        return measure_answer_trust(explanation, self.model)


def explain_cells(
    suite: Suite,
    out,
    *,
    load: Callable[[str, str], tuple] | None = None,
    ask: Callable[[Model], Explainer] | None = None,
    share: Callable[[list[str]], list[str]] = list,
    is_main: bool = True,
    every_batch: bool = False,
    cache=None,
) -> Iterator[Progress]:
    """Explain the cells of `suite` that `out` does not have yet; yield before the first and after each.

    - load: gives (model, embedder or None) of a name and weights, as `get_loader` does; a model is loaded once.
    - ask: gives the Explainer of a model, where that is not to be loaded here. Raises InputError where it cannot.
    - share: of the names of the cells to be done, those that this process does; see `smile.scenarios.distributed`.
    - is_main: whether this process writes down the plan.
    - every_batch: yield after each batch of a cell's edits too, so that closing the iterator takes effect there.
    - cache: as for `explain`; of edits only.

    Raises InputError where there is nothing to do or `out` cannot be used. A cell that raises it is kept with its
    sentence, and the others go on.
    """
    require(
        cache is None or not suite.asks, "Only edits are kept in a cache; leave it out for a suite that asks a language model."
    )
    out, load = Path(out), load or get_loader(suite)
    loaded: Callable[[Model], Explainer] = functools.partial(LoadedLanguageModel, load=load)
    if not suite.asks:
        loaded = functools.partial(LoadedEditor, load=load, cache=cache)
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
    for choice, group in groupby((cell for cell in cells if cell.id in own), key=lambda cell: cell.model):
        explainer: Explainer | None = None
        try:
            explainer = (ask or loaded)(choice)
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
    explanation: Explained | None = None
    trust: dict[str, dict] = {}
    try:
        relevant = cell.find_relevant_words()
        picture = cell.picture.open() if cell.picture else None
        region = cell.picture.open_region(picture) if cell.picture and picture and cell.model.takes_region else None
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
    yield {
        "failed": None,
        "relevant": relevant,
        **_judge(cell, explanation, suite.seed),
        "scores": score_cell(relevant, explanation.weights, explanation.fidelity, trust),
        "trust": trust,
        "explanation": explanation.to_dict(),
    }


def _judge(cell: Cell, explanation: Explained, seed: int) -> dict:
    """Whether the model did what was asked; of an edit, the pictures, too."""
    if isinstance(explanation, AnswerExplanation):
        return {"carried_out": cell.is_answered(explanation.answer)}
    url = Pictures(LONGEST).url
    full = cast(Image.Image, explanation.edits[0])  # an explanation whose first edit failed is an InputError
    return {"carried_out": cell.is_carried_out(full, seed), "input": url(explanation.image), "edit": url(full)}


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
        scores["lds"] = trust.get("foresight", {}).get("lds")
        inserted, seeds = trust.get("stability", {}), trust.get("consistency", {}).get("seeds") or {}
        scores |= {"inserted_overlap": inserted.get("ruzicka"), "inserted_significant": inserted.get("jaccard")}
        scores |= {"seeds_spread": seeds.get("mean_standard_deviation"), "seeds_top_word": seeds.get("top_1_frequency")}
        scores |= {name: trust.get("faithfulness", {}).get(name) for name in ("area_between", "better_than_random")}
    return scores
