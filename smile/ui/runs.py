"""Running for the page and the API: within a time limit, with one editor or with all of them, and errors as sentences."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from smile import Explanation, InputError
from smile.evaluation.evaluate import Measurement, count_further_edits
from smile.io.checks import DISTANCES
from smile.models.editors import EDITORS
from smile.models.hub import is_repository
from smile.models.protocols import fit_inputs
from smile.ui import machine, texts, validation
from smile.ui.engine import Engine, Request
from smile.ui.estimate import count_edits
from smile.ui.worker import Hung

MAX_SECONDS = 600  # on a Space; a page of one's own may take three times as long as was estimated, if that is more


class TooLong(InputError):
    """A run took longer than the page allows."""


def explain_in_time(engine: Engine, request: Request, most: int = validation.RUN_BYTES) -> Iterator[Explanation]:
    """The explanation as it grows. Raises TooLong after the one that came too late, and when one does not come at all; and
    InputError where its pictures would take more than `most` bytes of a Space's memory."""
    check_room(engine, request, most)
    clock = RunClock(engine, request, request.edits or validation.MAX_EDITS)
    try:
        for explanation in engine.explain(request, clock.count_left):
            yield explanation
            clock.edits = explanation.total
            if explanation.provisional and clock.count_left() <= 0:
                raise TooLong(texts.TOO_LONG)
    except Hung:
        raise TooLong(texts.TOO_LONG) from None


def check_room(engine: Engine, request: Request, most: int) -> None:
    """Raise InputError, before the first edit, where a run on a Space would make more pictures than fit into `most` bytes."""
    if not machine.SPACE:
        return
    picture, _ = fit_inputs(engine.load_in_time(request.editor, request.weights)[0], request.picture, request.region)
    options = request.options
    k = validation.count_words(request.instruction, options.get("join", ()), options.get("hold", ()))
    made, fit = sum(count_edits(k, request.edits, options)), most // (3 * picture.width * picture.height) - 1
    if made > fit:
        raise InputError(
            f"These would be {made} edits of {picture.width} x {picture.height} pixels, those beside the design among them, "
            f"and the memory for one run holds {fit} here; ask for fewer edits or seeds."
        )


def measure_in_time(engine: Engine, request: Request, explanation: Explanation) -> Iterator[Measurement]:
    """What is measured as it grows. Raises TooLong as `explain_in_time`."""
    clock = RunClock(engine, request, count_further_edits(explanation))
    try:
        for step in engine.measure(request, explanation, clock.count_left):
            yield step
            if step.done < step.total and not clock.count_left():
                raise TooLong(texts.TOO_LONG)
    except Hung:
        raise TooLong(texts.TOO_LONG) from None


class RunClock:
    """How much time a run still has, by how many edits it makes."""

    def __init__(self, engine: Engine, request: Request, edits: int):
        self.engine, self.request, self.edits = engine, request, edits
        self.began = time.monotonic()

    def count_left(self) -> float:
        """Seconds; at least 0."""
        return max(0.0, self.began + limit_seconds(self.engine, self.request, self.edits) - time.monotonic())


def explain_with_all(
    engine: Engine, asked: dict[str, Any], region: Image.Image | None = None, chosen: tuple = (None, "auto", None)
) -> Iterator[tuple[str, Any, Explanation | str | None]]:
    """One editor after another: (editor, its request, the explanation so far).

    In place of the explanation there is None while the editor is loaded, and a sentence where the editor cannot explain
    this; the request is None where even that could not be made.

    asked: what `validation.check_asked` returned. region: white where inpaint may change something, by default everywhere.
    chosen: an editor with its weights and settings; the others run with the defaults.
    """
    for name in EDITORS:
        request: Any = None
        part = (region or Image.new("L", asked["picture"].size, 255)) if validation.needs_region(name) else None
        try:
            _, weights, settings = chosen if name == chosen[0] else (name, machine.resolve_for_instruction(name), None)
            request = validation.build_request(engine, asked, name, weights, part, settings)
            for _ in engine.wait_for(name, weights):
                yield name, request, None
            for explanation in explain_in_time(engine, request, validation.RUN_BYTES // len(EDITORS)):
                yield name, request, explanation
        except TooLong:
            continue  # what there is stays
        except Exception as error:  # the last resort: `describe_error` says what the visitor hears, and logs the rest
            yield name, request, describe_error(error)


def find_chosen(explanation: Explanation) -> tuple[str, str]:
    """(editor, weights) by which this page knows what made it: a repository of the Hub is an editor by itself."""
    editor, weights = explanation.settings["editor"], str(explanation.settings.get("editor_weights", "auto"))
    own = editor in EDITORS and (weights in EDITORS[editor].weights or not is_repository(weights))
    return (editor, weights) if own else (weights if is_repository(weights) else editor, weights)


def is_here(engine: Engine, explanation: Explanation) -> bool:
    """Whether what made it is on this page. An editor of the Hub is where it is loaded: a file may name any repository, and
    none is downloaded for that."""
    editor, weights = find_chosen(explanation)
    if editor in EDITORS:
        return weights in machine.list_weights(editor)
    return engine.is_loaded(editor, weights)


def can_check(engine: Engine, explanation: Explanation) -> bool:
    """Whether something of what was opened can be checked here (`check_against_model`) without downloading anything."""
    editor, weights = find_chosen(explanation)
    here = is_here(engine, explanation) and (engine.is_loaded(editor, weights) or not machine.count_download(editor, weights))
    return here and DISTANCES in explanation.believed


def repeat_request(engine: Engine, explanation: Explanation) -> Request:
    """What would be run again. Raises InputError where its editor or its weights are not on this page."""
    if not is_here(engine, explanation):
        raise InputError(texts.NOT_HERE)
    (editor, weights), given = find_chosen(explanation), explanation.settings["editor_settings"]
    numbers = {name: given[name] for name in texts.SETTINGS if name in given}
    region = explanation.region if validation.needs_region(editor) else None
    return Request(explanation.image, explanation.instruction, editor=editor, weights=weights, region=region, settings=numbers)


def describe_error(error: Exception) -> str:
    """What the visitor hears of an error; the traceback of one that is not theirs goes to the log."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, gr.Error):  # ZeroGPU's: no GPU free, or the visitor's quota is used up
        return str(error.message)
    logging.error("A run of the page failed.", exc_info=error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return texts.NO_MEMORY
    if "CUDA error" not in str(error):
        return texts.BROKEN
    machine.restart_soon()
    return texts.GPU_LOST


def estimate_seconds(engine: Engine, request: Request, edits: int) -> float | None:
    """How long so many edits will take; None where nothing is known."""
    per_edit = engine.estimate_edit_seconds(request.editor, request.weights, request.settings)
    return None if per_edit is None else per_edit * edits


def limit_seconds(engine: Engine, request: Request, edits: int) -> float:
    """How long a run may take: a hung one should end, a slow one on somebody's own machine should not."""
    return extend_limit(estimate_seconds(engine, request, edits))


def extend_limit(estimate: float | None) -> float:
    """The time limit in seconds of a run that is estimated to take `estimate` seconds."""
    return MAX_SECONDS if machine.SPACE else max(MAX_SECONDS, 3 * (estimate or 0))
