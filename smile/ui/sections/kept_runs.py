"""The page's runs: begun, carried out, followed, stopped, and found again by whoever comes back (`smile.ui.kept`).

Two events of a run go beside each other. `carry_out` holds the place at the editor until the run ends: Gradio closes what
yields when its page goes away, and this yields nothing. `follow` shows what there is, and may be closed at any time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from typing import Any

import gradio as gr

from smile import InputError
from smile.ui import texts
from smile.ui.components import KeptRun
from smile.ui.events import AT_ONCE, FOLLOWING, PRIVATE, Changes, Values, is_awaited, run_showing, take_notice_away
from smile.ui.kept import Kept, Make, Run
from smile.ui.middleware import find_visitor
from smile.ui.sections.answer import Answer

LOOKED_EVERY = 0.1  # seconds between looks at a run that is followed
HEARD_EVERY = 2.0  # seconds after which a page that has gone away is noticed


class KeptRuns:
    """The runs of `answer`. The component `number` holds the one that the page shows."""

    def __init__(self, answer: Answer):
        self.answer, self.form, self.kept = answer, answer.form, Kept()

    def build(self) -> None:
        """The component, which shows nothing."""
        self.number = KeptRun(elem_id="kept-run", visible="hidden")

    @property
    def outputs(self) -> list:
        """What the handlers fill."""
        return [*self.answer.outputs, self.number]

    def connect(self) -> None:
        """Run and stop."""
        answer, form, number = self.answer, self.form, self.number
        asked = (set(form.fields.values()) - {form.region_column}) | {answer.answered, number}
        states = [number, form.picture, answer.shown, answer.compared]
        again: dict[str, Any] = {"trigger_mode": "multiple"}
        carried = number.play(self.carry_out, number, None, **again, **run_showing(form.progress))
        followed = number.select(self.follow, number, answer.outputs, **again, **PRIVATE, **FOLLOWING)
        self.running = [followed, carried]
        explain = [form.explain_button.click, form.instruction.submit]
        gr.on(explain, self.begin_explaining, asked, self.outputs, **AT_ONCE)
        form.compare_button.click(self.begin_comparing, asked, self.outputs, **AT_ONCE)
        followed.then(answer.settle, answer.told, answer.view, **AT_ONCE)
        followed.then(form.plan, form.planned, form.plan_outputs, concurrency_limit=None, **PRIVATE)
        for run in self.running:
            run.failure(self.give_up, states, answer.outputs, **AT_ONCE)
        form.stop_button.click(None, cancels=self.running, **PRIVATE)
        stopped = form.stop_button.click(self.stop, states, answer.outputs, **AT_ONCE)
        stopped.then(answer.settle, answer.told, answer.view, **AT_ONCE)

    def leave_for(self, others: list[Callable]) -> None:
        """Let the events by which something else is shown end the run: what it still says must not be drawn over that."""
        for event in others:
            event(None, cancels=self.running, **PRIVATE)

    def forget_for(self, others: list[Callable]) -> None:
        """After these events the page shows no run any more. To be called when what they do is connected."""
        for event in others:
            event(self.leave, self.number, self.number, **AT_ONCE)

    # From the click to the end

    def begin_explaining(self, values: Values, request: gr.Request) -> Changes:
        """The click is seen at once, whoever is before us in the queue."""
        return self._begin(self.answer.explain, values, request)

    def begin_comparing(self, values: Values, request: gr.Request) -> Changes:
        """The same for all editors."""
        return self._begin(self.answer.compare, values, request)

    def _begin(self, make: Make, values: Values, request: gr.Request) -> Changes:
        self._end(values[self.number], request.session_hash)
        number = self.kept.add(Run(make, values, find_visitor(request.request.scope)))
        begun = self.answer.begin(values[self.form.editor], values[self.form.weights])
        return begun | {self.number: gr.update(value=number, waiting=True)}

    def carry_out(self, number: str) -> None:
        """Run it to its end, unless it has ended, is carried out already, or is ended meanwhile."""
        run = self.kept.find(number)
        if run is None or not run.take():
            return
        reason = ""
        try:
            with closing(run.make(run.values)) as steps:
                for changes in steps:
                    run.publish(changes)
                    if self.form.explain_button in changes:  # its last word
                        return
                    reason = texts.ABANDONED if run.is_abandoned(is_awaited()) else ""
                    if run.stopping or reason:
                        break
            self._publish_end(run, reason)
        finally:
            run.end()
            self.kept.forget()

    async def follow(self, number: str, request: gr.Request) -> AsyncIterator[Changes]:
        """What the run's page shows, from now on until it ends, or the page shows something else."""
        run = self.kept.find(number)
        seen, told, drawn = 0, 0.0, False
        if run is None:
            yield gr.skip()
            return
        with run.followed():
            while True:
                changes, seen, ended = run.read(seen)
                if request.session_hash in run.dismissed:
                    return
                if self.answer.view in changes and not drawn:
                    changes[self.answer.view] = take_notice_away(changes[self.answer.view])
                    drawn = True
                if changes or ended or time.monotonic() - told >= HEARD_EVERY:
                    told = time.monotonic()
                    yield changes or gr.skip()
                if ended:
                    return
                await asyncio.sleep(LOOKED_EVERY)

    def stop(self, number: str, picture: str | None, shown, compared) -> Changes:
        """End the run. What there is stays, marked as what it is."""
        self._end(number)
        return self.answer.stop(picture, shown, compared)

    def give_up(self, number: str, picture: str | None, shown, compared) -> Changes:
        """One of a run's two events has failed, or was cancelled. If it was not let in, it will never begin."""
        run = self.kept.find(number)
        return gr.skip() if run is None or run.begun else self.stop(number, picture, shown, compared)

    def leave(self, number: str) -> dict:
        """End the run, which the page does not show any more."""
        self._end(number)
        return gr.update(value="", waiting=False)

    def _end(self, number: Any, session: str | None = None) -> None:
        """End the run of that number; the page of that session hears no more of it."""
        run = self.kept.find(number)
        if run is not None and session is not None:
            run.dismissed.add(session)
        if run is not None and run.stop():  # nobody else will say so
            self._publish_end(run)

    def _publish_end(self, run: Run, reason: str = "") -> None:
        picture, answer = run.values[self.form.picture], self.answer
        run.publish(answer.stop(picture, run.get(answer.shown), run.get(answer.compared), reason))

    # Found again

    def find_again(self, number: str) -> Changes:
        """The form as it was for the run of that number, which is then followed. Raises InputError where it is not kept."""
        run = self.kept.find(number)
        if run is None:
            raise InputError(texts.RUN_FORGOTTEN)
        begun = self.answer.begin(run.values[self.form.editor], run.values[self.form.weights])
        return {
            **self.form.fill(self._list_asked(run.values)),
            **({} if run.ended else begun),
            self.number: gr.update(value=number, waiting=not run.begun),
        }

    def _list_asked(self, asked: Values) -> dict[str, Any]:
        """The values of the form, by name, as they were asked."""
        form = self.form
        values = {name: asked[part] for name, part in form.fields.items() if part in asked}
        editor, weights, region, picture = (values.pop(name) for name in ("editor", "weights", "region", "picture"))
        try:
            chosen = form.describe_choice(editor, weights)
        except InputError:  # which the run says
            chosen = {}
        canvas = form.show_canvas(picture) | {"value": region}
        return chosen | values | {"picture": picture, "region": canvas}
