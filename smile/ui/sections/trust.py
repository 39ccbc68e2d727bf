"""How far to believe what is shown: what is known already, accuracy once words are ticked, the rest measured on request."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np

from smile import Explanation, InputError
from smile.evaluation import relevance, report_card
from smile.evaluation.evaluate import count_further_edits
from smile.report.trust_html import TrustEntry, render_trust
from smile.toyroad.grammar import label_words
from smile.ui import texts
from smile.ui.components import Ticks
from smile.ui.events import AT_ONCE, PRIVATE, Changes, get_props, run_showing, switch_buttons
from smile.ui.examples import open_shown
from smile.ui.runs import TooLong, describe_error, estimate_seconds, measure_in_time, repeat_request
from smile.ui.sections.answer import DRAWN_EVERY, Answer
from smile.ui.sections.downloads import write_explanation


class Trust:
    """The section below the answer.

    The state `measured` holds the words it is about and what was measured of them; it begins anew with another explanation.
    """

    def __init__(self, answer: Answer):
        self.answer, self.engine = answer, answer.engine

    def build(self, explanation: Explanation) -> None:
        """The components, filled with what is known of the explanation that is shown first."""
        first = self.describe(explanation, [], None)
        with gr.Column(elem_id="trust-section") as self.column:
            gr.HTML("<h2>How far to believe it</h2>")
            self.report = gr.HTML(first["report"], apply_default_css=False, elem_id="trust")
            self.relevant = Ticks(label=texts.TICKS, elem_id="relevant", **get_props(first["relevant"]))
            with gr.Row(elem_id="measure-row"):
                measure = get_props(first["measure_button"])
                self.measure_button = gr.Button(texts.MEASURE, scale=3, elem_id="measure", **measure)
                self.stop_button = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop-measuring")
            self.status = gr.HTML(first["status"], elem_id="measuring")
        self.measured = gr.State(first["measured"], time_to_live=3600)

    @property
    def inputs(self) -> list:
        """What is shown, the ticks, and what was measured of it."""
        return [self.answer.shown, self.relevant, self.measured]

    @property
    def outputs(self) -> list:
        """What the handlers fill."""
        return [*self.inputs[1:], self.column, self.report, self.status, self.measure_button, self.stop_button]

    def connect(self, others: list[Callable]) -> None:
        """Follow what is shown, and measure. `others`: the events by which something else is shown, which ends measuring."""
        form, inputs, outputs = self.answer.form, self.inputs, self.outputs
        self.answer.shown.change(self.show, inputs, outputs, trigger_mode="always_last", **AT_ONCE)
        self.relevant.input(self.tick, inputs, self.report, **AT_ONCE)
        begun = self.measure_button.click(self.begin, None, outputs, **AT_ONCE)
        measuring = begun.then(self.measure, inputs, outputs, **run_showing(self.status))
        starts = (form.explain_button.click, form.instruction.submit, form.compare_button.click)
        for end in (self.stop_button.click, *starts, *others):
            end(None, cancels=measuring, **PRIVATE)
        self.stop_button.click(self.stop, inputs, outputs, **AT_ONCE)

    def describe(self, explanation: Explanation, ticked: list[str], measured: dict | None) -> dict[str, Any]:
        """The values of the components, by name, for an explanation of which nothing was measured yet.

        `ticked` and `measured` are those of what was shown before: ticks stay as long as the words do.
        """
        words, ticks = explanation.words, {}
        if not measured or measured["words"] != words:
            known = relevance.find_labels(words, label_words)
            ticked = [] if known is None else [str(i) for i, matters in enumerate(known.relevant) if matters]
            choices = [(word, str(i)) for i, word in enumerate(words)]
            info = texts.describe_ticks(None if known is None else known.source)
            ticks = {"relevant": gr.update(choices=choices, value=ticked, info=info)}
        measured = {"words": words, "entries": {}}
        cost, possible = self._estimate_cost(explanation)
        return {
            "column": gr.update(visible=True),
            "report": _draw_report(explanation, ticked, measured),
            "measured": measured,
            "status": cost,
            "measure_button": gr.update(interactive=possible),
            "stop_button": gr.update(interactive=False),
            **ticks,
        }

    def show(self, shown, ticked: list[str], measured: dict | None) -> Changes:
        """Another explanation is shown, or more of it."""
        explanation = open_shown(shown)
        if explanation is None:
            return {self.column: gr.update(visible=False), self.measured: None}
        return {getattr(self, name): value for name, value in self.describe(explanation, ticked, measured).items()}

    def tick(self, shown, ticked: list[str], measured: dict | None):
        """The report with accuracy by the words that are ticked."""
        explanation = open_shown(shown)
        return gr.skip() if explanation is None else _draw_report(explanation, ticked, measured)

    def begin(self) -> Changes:
        """The click is seen at once."""
        return {self.status: texts.say_waiting(True), **self._switch_buttons(True)}

    def measure(self, shown, ticked: list[str], measured: dict | None) -> Iterator[Changes]:
        """Measure what needs more edits. What an interrupted run has measured stays."""
        explanation: Any = open_shown(shown)
        drawn_at = 0.0
        try:
            if explanation is None:
                raise InputError(texts.NOTHING_TO_MEASURE)
            request = repeat_request(self.engine, explanation)
            for _ in self.engine.wait_for(request.editor, request.weights):
                yield {self.status: texts.say_waiting(False)}
            began = time.monotonic()
            for step in measure_in_time(self.engine, request, explanation):
                left, measured = step.total - step.done, {"words": explanation.words, "entries": step.entries}
                each = (time.monotonic() - began) / step.done if step.done else None
                rest = estimate_seconds(self.engine, request, step.total) if each is None else each * left
                status = texts.say_step(step.done, step.total, "further edit", rest)
                changes: Changes = {self.measured: measured, self.status: status}
                if step.entries and (not left or time.monotonic() - drawn_at >= DRAWN_EVERY):
                    drawn_at = time.monotonic()
                    changes[self.report] = _draw_report(explanation, ticked, measured)
                yield changes
            status = texts.say(f"Done: {texts.format_count(step.done, 'further edit')}.")
            yield {self.report: _draw_report(explanation, ticked, measured), self.status: status, **self._switch_buttons(False)}
        except TooLong as error:
            status = texts.say_problem(error)
            yield {self.report: _draw_report(explanation, ticked, measured), self.status: status, **self._switch_buttons(False)}
        except Exception as error:  # as in answer.py
            yield {self.status: texts.say_problem(describe_error(error)), **self._switch_buttons(False)}

    def stop(self, shown, ticked: list[str], measured: dict | None) -> Changes:
        """What there is stays; what was measured in part says how much it rests on."""
        report = self.tick(shown, ticked, measured)
        return {self.report: report, self.status: texts.say(texts.MEASURED_IN_PART), **self._switch_buttons(False)}

    def write(self, kind: str, shown, ticked: list[str], measured: dict | None) -> Iterator[tuple]:
        """What is shown as a file, with this report where it is a page; see `Downloads`."""
        yield from write_explanation(kind, shown, report=lambda explanation: _list_entries(explanation, ticked, measured))

    def _switch_buttons(self, running: bool) -> Changes:
        return switch_buttons(running, self.stop_button, self.measure_button)

    def _estimate_cost(self, explanation: Explanation) -> tuple[str, bool]:
        """What measuring would take, and whether it is possible."""
        if not np.isfinite(explanation.weights).all():
            return "", False
        try:
            request = repeat_request(self.engine, explanation)
        except InputError as error:
            return texts.say(str(error)), False
        needed = count_further_edits(explanation)
        return texts.say_cost(needed, estimate_seconds(self.engine, request, needed)), True


def _list_entries(explanation: Explanation, ticked: list[str], measured: dict | None) -> list[TrustEntry]:
    """The report, with accuracy where words are ticked. Anybody can post ticks, so they are only looked up."""
    relevant = [str(i) in ticked for i in range(len(explanation.words))] if ticked else None
    entries = list(measured["entries"].values()) if measured and measured["words"] == explanation.words else []
    return [*report_card.report_explanation(explanation, relevant), *entries]


def _draw_report(explanation: Explanation, ticked: list[str], measured: dict | None) -> str:
    return render_trust(_list_entries(explanation, ticked, measured))
