"""How far to believe what is shown: what is known already, accuracy once words are ticked, the rest measured on request.

The state `measured` holds the words it is about and what was measured of them; it begins anew with another explanation.
"""

import time
from collections.abc import Iterator

import gradio as gr
import numpy as np

from smile import Explanation, InputError
from smile.evaluation import relevance, report_card
from smile.evaluation.evaluate import count_further_edits
from smile.models.editors import EDITORS
from smile.report.trust_html import render_trust
from smile.toyroad.grammar import label_words
from smile.ui import examples, texts, validation
from smile.ui.engine import Engine, Request
from smile.ui.runs import DRAWN_EVERY, TooLong, allowed, seconds_for, trouble

TRUST = ("trust_section", "trust", "relevant", "measured", "measuring", "measure", "stop_measuring")
HIDDEN = gr.update(visible=False)


class Trusts:
    """The page's events below the answer, on one engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def known(self, shown, ticked, measured):
        """`TRUST` of what is shown now, for which nothing was measured yet. Ticks stay as long as the words do."""
        explanation = examples.shown(shown)
        if explanation is None:
            return trust(trust_section=HIDDEN, measured=None)
        words, ticks = explanation.words, {}
        if not measured or measured["words"] != words:
            said = relevance.find_labels(words, label_words)
            ticked = [] if said is None else [str(i) for i, matters in enumerate(said.relevant) if matters]
            choices = [(word, str(i)) for i, word in enumerate(words)]
            ticks = {"relevant": gr.update(choices=choices, value=ticked, info=texts.ticks(said and said.source))}
        measured = {"words": words, "entries": {}}
        cost, possible = self._cost(explanation)
        return trust(
            trust_section=gr.update(visible=True),
            trust=_rows(explanation, ticked, measured),
            measured=measured,
            measuring=cost,
            measure=gr.update(interactive=possible),
            stop_measuring=gr.update(interactive=False),
            **ticks,
        )

    def tick(self, shown, ticked, measured):
        """The rows with accuracy by the words that are ticked."""
        explanation = examples.shown(shown)
        return gr.skip() if explanation is None else _rows(explanation, ticked, measured)

    def begin(self):
        """The click is seen at once."""
        return trust(
            measuring=texts.waiting(True), measure=gr.update(interactive=False), stop_measuring=gr.update(interactive=True)
        )

    def measure(self, shown, ticked, measured) -> Iterator[list]:
        """Measure what needs more edits; yields `TRUST`. What an interrupted one has measured stays."""
        explanation, drawn_at, now = examples.shown(shown), 0.0, None
        try:
            if explanation is None:
                raise InputError(texts.NOTHING_TO_MEASURE)
            request = self._request(explanation)
            for _ in self.engine.loading(request.editor, request.weights):
                yield trust(measuring=texts.waiting(False))
            began = time.monotonic()
            for now in self.engine.measure(request, explanation):
                fresh = len(now.entries) and (now.done == now.total or time.monotonic() - drawn_at >= DRAWN_EVERY)
                drawn_at = time.monotonic() if fresh else drawn_at
                measured = {"words": explanation.words, "entries": now.entries}
                each = (time.monotonic() - began) / now.done if now.done else 0
                left = each * (now.total - now.done) if each else seconds_for(self.engine, request, now.total)
                yield trust(
                    trust=_rows(explanation, ticked, measured) if fresh else gr.skip(),
                    measured=measured,
                    measuring=texts.measuring(now, left),
                )
                if now.done < now.total and time.monotonic() - began > allowed(self.engine, request, now.total):
                    raise TooLong(texts.TOO_LONG)
            rows = _rows(explanation, ticked, measured)
            yield trust(trust=rows, measuring=texts.measured(now.done), **_idle())
        except TooLong as error:
            yield trust(trust=_rows(explanation, ticked, measured), measuring=texts.problem(str(error)), **_idle())
        except Exception as error:  # as in runs.py
            yield trust(measuring=texts.problem(trouble(error)), **_idle())

    def stop(self, shown, ticked, measured):
        """What there is stays; what was measured in part says how much it rests on."""
        explanation = examples.shown(shown)
        rows = gr.skip() if explanation is None else _rows(explanation, ticked, measured)
        return trust(trust=rows, measuring=texts.said(texts.MEASURED_IN_PART), **_idle())

    def _cost(self, explanation) -> tuple[str, bool]:
        """What measuring would take, and whether it is possible."""
        if not np.isfinite(explanation.weights).all():
            return "", False
        try:
            request = self._request(explanation)
        except InputError as error:
            return texts.said(str(error)), False
        needed = count_further_edits(explanation)
        return texts.cost(needed, seconds_for(self.engine, request, needed)), True

    def _request(self, e: Explanation) -> Request:
        """What would be run again. Raises InputError where its editor or its weights are not on this page."""
        of = e.settings
        if of["editor"] not in EDITORS or of.get("editor_weights") not in self.engine.offered(of["editor"]):
            raise InputError(texts.NOT_HERE)
        numbers = {name: of["editor_settings"][name] for name in texts.SETTINGS if name in of["editor_settings"]}
        region = e.region if validation.needs_region(of["editor"]) else None
        return Request(
            e.image, e.instruction, editor=of["editor"], weights=of["editor_weights"], region=region, settings=numbers
        )


def trust(**changes) -> list:
    """The values of `TRUST` in order."""
    return [changes.get(name, gr.skip()) for name in TRUST]


def _idle() -> dict:
    return {"measure": gr.update(interactive=True), "stop_measuring": gr.update(interactive=False)}


def _rows(explanation: Explanation, ticked, measured) -> str:
    """The report as markup, with accuracy where words are ticked. Anybody can post ticks, so they are only looked up."""
    relevant = [str(i) in ticked for i in range(len(explanation.words))] if ticked else None
    entries = list(measured["entries"].values()) if measured and measured["words"] == explanation.words else []
    return render_trust([*report_card.report_explanation(explanation, relevant), *entries])
