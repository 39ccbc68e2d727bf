"""Pin a run, and see the next one beside it: both heatmaps, and the difference by word."""

from collections.abc import Callable
from typing import Any, Protocol

import gradio as gr

from smile.ui import texts
from smile.ui.components import ComparisonView
from smile.ui.events import AT_ONCE, Changes


class Shows(Protocol):
    """Whatever shows runs: the view, the state of what is shown, and the place for a sentence."""

    view: Any
    shown: Any

    @property
    def progress(self) -> Any: ...


class Pin:
    """The view above the answer. The state `pinned` holds what `answer.shown` held when it was pinned.

    open_shown: the explanation in such a state, or None. draw: the payload of two explanations. name: the view's id.
    """

    def __init__(self, answer: Shows, open_shown: Callable[[Any], Any], draw: Callable[[Any, Any], dict], name: str):
        self.answer, self.open_shown, self.draw, self.name = answer, open_shown, draw, name

    def build(self) -> None:
        """The components."""
        self.view = ComparisonView(elem_id=self.name)
        self.pinned = gr.State(time_to_live=3600)

    @property
    def inputs(self) -> list:
        """What is pinned, and what is shown."""
        return [self.pinned, self.answer.shown]

    @property
    def outputs(self) -> list:
        """What the handlers fill."""
        return [self.view, self.pinned, self.answer.view, self.answer.progress]

    def connect(self) -> None:
        """Pin and unpin, and follow what is shown."""
        self.answer.view.like(self.pin, self.inputs, self.outputs, **AT_ONCE)
        self.answer.shown.change(self.show, self.inputs, self.outputs, trigger_mode="always_last", **AT_ONCE)

    def pin(self, pinned, shown) -> Changes:
        """Keep this run beside the next ones, or no longer."""
        if pinned is None and self.open_shown(shown) is None:
            return {self.answer.progress: texts.say_problem(texts.NOTHING_TO_PIN)}
        on = pinned is None
        said = texts.say(texts.PINNED if on else texts.UNPINNED)
        kept = {self.pinned: shown if on else None, self.answer.view: gr.update(pin={"on": on})}
        return {self.view: None, self.answer.progress: said, **kept}

    def show(self, pinned, shown) -> Changes:
        """Something else is shown; once it is finished, beside what is pinned."""
        if pinned is None:
            return gr.skip()
        before, now = self.open_shown(pinned), self.open_shown(shown)
        if before is None or now is None or now is before or now.provisional:
            return {self.view: None}
        return {self.view: self.draw(before, now)}
