"""Running: one editor, or all of them on the same picture and instruction.

A run of the page is a generator: every yield is what the components in `VIEW` show next, and closing it, as Gradio does
when Stop is pressed or the tab is closed, ends the run after the batch in hand.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterator

import gradio as gr
from PIL import Image

from smile import Explanation, InputError
from smile.models.editors import EDITORS
from smile.models.hub import is_bundled
from smile.report import citation, payload
from smile.ui import examples, texts, validation
from smile.ui.components import painted_region
from smile.ui.engine import SPACE, Engine, Request
from smile.ui.parts import HIDDEN, busy, idle, view

MAX_SECONDS = 600  # on a Space; a page of one's own may take three times as long as was estimated, if that is more
DRAWN_EVERY = 1.0  # seconds


class TooLong(InputError):
    """A run took longer than the page allows."""


def running(engine: Engine, request: Request) -> Iterator[Explanation]:
    """The explanation as it grows. Raises TooLong after the one that came too late, so that a hung run ends."""
    began = time.monotonic()
    for explanation in engine.explain(request):
        yield explanation
        if explanation.provisional and time.monotonic() - began > allowed(engine, request, explanation.total):
            raise TooLong(texts.TOO_LONG)


def together(engine: Engine, asked: dict, region=None, chosen=(None, "auto", None)) -> Iterator[tuple]:
    """One editor after another: (editor, its request, the explanation so far), None in place of the explanation while the
    editor is loaded, and a sentence where there is none to be had, in which case the request may be None too.

    asked: what `validation.common` returned; region: white where inpaint may change something, by default everywhere; chosen:
    an editor and the weights and settings for it, where the others get what is usual.
    """
    for name in EDITORS:
        request, (_, weights, settings) = None, chosen if name == chosen[0] else (name, "auto", None)
        part = (region or Image.new("L", asked["picture"].size, 255)) if validation.needs_region(name) else None
        try:
            request = validation.request(engine, asked, name, weights, part, settings)
            for _ in engine.loading(name, weights):
                yield name, request, None
            for explanation in running(engine, request):
                yield name, request, explanation
        except TooLong:
            continue  # what there is stays
        except Exception as error:  # the last door: `trouble` says what the visitor hears, and logs what is not theirs
            yield name, request, trouble(error)


def trouble(error: Exception) -> str:
    """What the visitor hears of an error: the log gets the traceback of one that is not theirs."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, gr.Error):  # ZeroGPU's: no GPU free, or the visitor's quota is used up
        return str(error.message)
    logging.error("A run of the page failed.", exc_info=error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return texts.NO_MEMORY
    return texts.GPU_LOST if "CUDA error" in str(error) else texts.BROKEN


class Runs:
    """The page's runs, on one engine. The number of edits counts if it was `chosen`; else it is what the instruction needs,
    and the field may not have heard yet, if somebody types fast."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def begin(self, editor: str, weights: str):
        """The click is seen at once, whoever is before us in the queue."""
        return view(progress=texts.waiting(self.engine.ready(editor, weights)), **busy())

    def explain(self, picture: str | None, instruction, edits, chosen, seed, editor: str, weights: str, painted: str, *more):
        """Explain; yields `VIEW`. What an earlier answer left is cleared only when the input is known to be good."""
        request, shown, link, pictures, drawn = None, None, _link(picture), payload.Pictures(), 0.0
        try:
            settings, options = validation.named(more)
            region = painted_region(painted) if validation.needs_region(editor) else None
            asked = validation.common(picture, instruction, edits if chosen else None, seed, options)
            request = validation.request(self.engine, asked, editor, weights, region, settings)
            for _ in self.engine.loading(editor, weights):
                yield view(progress=self._waiting(request))
            yield view(progress=texts.waiting(True), view=None, shown=None, comparison=None, compared=None)
            for shown in running(self.engine, request):
                due = time.monotonic() - drawn >= DRAWN_EVERY and shown.provisional
                drawn = time.monotonic() if due else drawn
                now = payload.explanation_payload(shown, pictures=pictures, link=link(shown)) if due else gr.skip()
                yield view(progress=texts.progress(shown, self._left(request, shown)), view=now, shown=shown)
            last = payload.explanation_payload(shown, pictures=pictures, link=link(shown))
            yield view(progress=texts.finished(shown), view=last, **idle())
        except TooLong as error:
            yield self.stop(picture, shown, None, str(error))
        except Exception as error:  # the last door: `trouble` says what the visitor hears, and logs what is not theirs
            offer = self._fall_back(request) if isinstance(error, InputError) and shown is None else HIDDEN
            yield view(progress=texts.problem(trouble(error)), fall_back=offer, **idle())

    def compare(self, picture: str | None, instruction, edits, chosen, seed, editor: str, weights: str, painted: str, *more):
        """The same through all editors; yields `VIEW`."""
        compared, pictures, began, drawn = {}, payload.Pictures(), time.monotonic(), 0.0
        try:
            settings, options = validation.named(more)
            region = painted_region(painted)
            asked = validation.common(picture, instruction, edits if chosen else None, seed, options)
            whole = {name: texts.WHOLE for name in EDITORS if validation.needs_region(name) and region is None}
            yield view(progress=texts.waiting(True), view=None, shown=None, comparison=None, compared={})
            for name, request, step in together(self.engine, asked, region, (editor, weights, settings)):
                where = texts.where(name, list(EDITORS).index(name) + 1, len(EDITORS), whole.get(name))
                if step is None:
                    yield view(progress=self._waiting(request, where))
                    continue
                compared = compared | {name: step}
                due = isinstance(step, str) or not step.provisional or time.monotonic() - drawn >= DRAWN_EVERY
                drawn = time.monotonic() if due else drawn
                yield view(
                    progress=gr.skip() if isinstance(step, str) else texts.progress(step, self._left(request, step), where),
                    comparison=payload.comparison_payload(compared, pictures=pictures) if due else gr.skip(),
                    compared=compared,
                )
            made = {name: step for name, step in compared.items() if isinstance(step, Explanation)}
            shown = made.get(editor, next(iter(made.values()), None))
            done = texts.compared(len(made), len(compared), time.monotonic() - began, whole)
            now = None if shown is None else payload.explanation_payload(shown, pictures=pictures, link=_link(picture)(shown))
            drawn = payload.comparison_payload(compared, pictures=pictures)
            yield view(progress=done, comparison=drawn, view=now, shown=shown, **idle())
        except Exception as error:  # the last door: `trouble` says what the visitor hears, and logs what is not theirs
            yield view(progress=texts.problem(trouble(error)), **idle())

    def stop(self, picture: str | None, shown, compared, reason: str = ""):
        """What there is stays, marked as what it is. `shown` and `compared` are what the page's states hold."""
        if _unfinished(compared):
            return view(progress=texts.said(texts.STOPPED), comparison=payload.comparison_payload(compared), **idle())
        if not isinstance(shown, Explanation) or not shown.provisional:
            return view(progress=texts.stopped(None, reason), **idle())
        stopped = payload.explanation_payload(shown, was_stopped=True, link=_link(picture)(shown))
        return view(progress=texts.stopped(shown, reason), view=stopped, **idle())

    def _waiting(self, request: Request, where: str = "") -> str:
        named = request.editor, request.weights
        ready = self.engine.ready(*named)
        return texts.waiting(ready, 0 if ready else self.engine.outlook(*named, {}).gigabytes, where)

    def _left(self, request: Request, shown: Explanation) -> float | None:
        return seconds_for(self.engine, request, shown.total - shown.done)

    def _fall_back(self, request: Request | None) -> dict:
        """The button that offers bundled weights, where there are some and those that were asked for are not to be had."""
        if request is None or self.engine.ready(request.editor, request.weights):
            return HIDDEN
        sets, taken = self.engine.offered(request.editor), self.engine.taken(request.editor, request.weights)
        return gr.update(visible=not is_bundled(taken) and any(map(is_bundled, sets)))


def _link(picture: str | None) -> Callable[[Explanation], str]:
    """What makes the query that restores a run on this picture."""
    return functools.partial(citation.write_query, example=examples.name_of(picture))


def _unfinished(compared) -> bool:
    """Whether this is a comparison that runs, or was stopped."""
    if not isinstance(compared, dict):
        return False
    return len(compared) < len(EDITORS) or any(isinstance(e, Explanation) and e.provisional for e in compared.values())


def seconds_for(engine: Engine, request: Request, edits: int) -> float | None:
    """How long so many edits will take."""
    per_edit = engine.seconds_per_edit(request.editor, request.weights, request.settings)
    return None if per_edit is None else per_edit * edits


def allowed(engine: Engine, request: Request, edits: int) -> float:
    """How long a run may take: a hung one should end, a slow one on somebody's own machine should not."""
    return MAX_SECONDS if SPACE else max(MAX_SECONDS, 3 * (seconds_for(engine, request, edits) or 0))
