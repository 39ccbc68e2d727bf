"""Pin a run, and see the next one beside it: both heatmaps, and the difference by word."""

import gradio as gr

from smile.report.pinned import pinned_payload
from smile.ui import texts
from smile.ui.components import ComparisonView
from smile.ui.events import AT_ONCE, Changes
from smile.ui.examples import open_shown
from smile.ui.sections.answer import Answer


class Pin:
    """The view above the answer. The state `pinned` holds what `Answer.shown` held when it was pinned."""

    def __init__(self, answer: Answer):
        self.answer = answer

    def build(self) -> None:
        """The components."""
        self.view = ComparisonView(elem_id="pinned")
        self.pinned = gr.State(time_to_live=3600)

    @property
    def inputs(self) -> list:
        """What is pinned, and what is shown."""
        return [self.pinned, self.answer.shown]

    @property
    def outputs(self) -> list:
        """What the handlers fill."""
        return [self.view, self.pinned, self.answer.view, self.answer.form.progress]

    def connect(self) -> None:
        """Pin and unpin, and follow what is shown."""
        self.answer.view.like(self.pin, self.inputs, self.outputs, **AT_ONCE)
        self.answer.shown.change(self.show, self.inputs, self.outputs, trigger_mode="always_last", **AT_ONCE)

    def pin(self, pinned, shown) -> Changes:
        """Keep this run beside the next ones, or no longer."""
        if pinned is None and open_shown(shown) is None:
            return {self.answer.form.progress: texts.say_problem(texts.NOTHING_TO_PIN)}
        on = pinned is None
        said = texts.say(texts.PINNED if on else texts.UNPINNED)
        kept = {self.pinned: shown if on else None, self.answer.view: gr.update(pin={"on": on})}
        return {self.view: None, self.answer.form.progress: said, **kept}

    def show(self, pinned, shown) -> Changes:
        """Something else is shown; once it is finished, beside what is pinned."""
        if pinned is None:
            return gr.skip()
        before, now = open_shown(pinned), open_shown(shown)
        if before is None or now is None or now is before or now.provisional:
            return {self.view: None}
        return {self.view: pinned_payload(before, now)}
