"""What the answer is: one explanation, or one for each editor, drawn as it grows.

A run is a generator: every yield is what the page shows next, and closing it ends the run after the batch in hand. Who carries
it out, and for how long, is in kept_runs.py.
"""

import time
from collections.abc import Generator
from typing import Any

import gradio as gr

from smile import Explanation, InputError
from smile.models.editors import EDITORS
from smile.models.hub import is_bundled
from smile.report import citation, payload
from smile.ui import machine, texts, validation
from smile.ui.components import ComparisonView, ExplanationView, read_region
from smile.ui.engine import Engine, Request
from smile.ui.events import AT_ONCE, Changes, Values, note_difference
from smile.ui.examples import find_example_name
from smile.ui.runs import TooLong, can_check, describe_error, estimate_seconds, explain_in_time, explain_with_all
from smile.ui.sections.form import Form

DRAWN_EVERY = 1.0  # seconds


class Answer:
    """The two views of the first tab, and the runs that fill them.

    The state `shown` holds an explanation, or (example, editor); `compared` holds explanations by editor, or an example's
    name.
    """

    def __init__(self, engine: Engine, form: Form):
        self.engine, self.form = engine, form

    def build(self, first: dict[str, Any], asked: dict[str, Any]) -> None:
        """The components; `first` is the payload of what is shown first, `asked` the values of the form that it answers."""
        self.comparison = ComparisonView(elem_id="comparison")
        self.view = ExplanationView(first, elem_id="view")
        self.shown, self.compared = gr.State(time_to_live=3600), gr.State(time_to_live=3600)
        self.answered = gr.State(self.form.sign(asked), time_to_live=3600)  # what `view` is the answer to
        self.refused = gr.State(time_to_live=3600)  # what was refused last, and why

    @property
    def progress(self) -> gr.HTML:
        """The place for a sentence on what goes on."""
        return self.form.progress

    @property
    def outputs(self) -> list:
        """What a run fills: the views, the progress and the buttons."""
        form, views = self.form, [self.view, self.comparison, self.shown, self.compared, self.answered, self.refused]
        buttons = [form.explain_button, form.compare_button, form.stop_button, form.fall_back_button, form.check_button]
        return [form.progress, *views, *buttons]

    def connect(self) -> None:
        """Say where what is asked is not what is answered."""
        changes = [part.change for part in self.form.signed.values() if not isinstance(part, gr.State)]
        changes.append(self.form.edits.input)  # by which one hears, just before, that their number was chosen
        gr.on(changes, self.compare_inputs, self.told, self.view, trigger_mode="always_last", **AT_ONCE)

    @property
    def told(self) -> set:
        """What decides whether what is shown is an old answer."""
        return {*self.form.signed.values(), self.answered, self.refused}

    def compare_inputs(self, values: Values):
        """Say so where what is asked is not what the answer is to."""
        if values[self.answered] is None:
            return gr.skip()
        return gr.update(notice=self._note(values) or {})

    def settle(self, values: Values):
        """After a run: its answer is no old one, unless something else was asked meanwhile."""
        note = self._note(values)
        return gr.skip() if note and values.get(self.answered) is None else gr.update(notice=note or {})

    def _note(self, values: Values) -> dict[str, str] | None:
        """The notice that what is shown is an old answer, None where it is not. What was refused stays so until it changes."""
        return note_difference(self._sign(values), values.get(self.answered), values.get(self.refused))

    def _sign(self, values: Values) -> str:
        return self.form.sign({name: values[part] for name, part in self.form.signed.items()})

    def begin(self, editor: str, weights: str) -> Changes:
        """The click is seen at once, whoever is before us in the queue."""
        form, hidden = self.form, gr.update(visible=False)
        progress = texts.say_waiting(self.engine.is_loaded(editor, weights))
        offers: Changes = {form.fall_back_button: hidden, form.check_button: hidden}
        return {form.progress: progress, **offers, **form.switch_buttons(running=True)}

    def explain(self, values: Values) -> Generator[Changes, None, None]:
        """Explain with the editor that is chosen. An earlier answer is cleared only when the input is known to be good."""
        form, pictures, drawn = self.form, payload.Pictures(), 0.0
        request: Request | None = None
        shown: Any = None  # the explanation as far as it is
        picture, editor, weights = values[form.picture], values[form.editor], values[form.weights]
        try:
            region = read_region(values[form.region]) if validation.needs_region(editor) else None
            asked = form.check(values)
            request = validation.build_request(self.engine, asked, editor, weights, region, form.read_settings(values))
            for _ in self.engine.wait_for(editor, weights):
                yield {form.progress: self._say_waiting(request)}
            answered = self._sign(values)  # what was there stays till then
            yield {form.progress: texts.say_waiting(True)}
            for shown in explain_in_time(self.engine, request):
                changes: Changes = {form.progress: self._say_progress(request, shown), self.shown: shown}
                changes |= {self.answered: answered} if shown.done == 1 else {}
                if shown.provisional and time.monotonic() - drawn >= DRAWN_EVERY:
                    changes |= {} if drawn else {self.comparison: None, self.compared: None}
                    drawn = time.monotonic()
                    changes[self.view] = draw(shown, picture, pictures=pictures)
                yield changes
            yield {
                form.progress: texts.say_finished(shown),
                self.view: draw(shown, picture, pictures=pictures),
                **form.switch_buttons(False),
            }
        except TooLong as error:
            yield self.stop(picture, shown, None, str(error))
        except Exception as error:  # the last resort: `describe_error` says what the visitor hears, and logs the rest
            offered = isinstance(error, InputError) and shown is None and self._has_bundled(request)
            offer: Changes = {form.fall_back_button: gr.update(visible=offered)}
            yield self._refuse(values, describe_error(error), shown is not None) | offer

    def _refuse(self, values: Values, sentence: str, begun: bool) -> Changes:
        """Say why there is no answer: beside the button, and in the place where the answer would stand."""
        told: Changes = {}
        if not begun:
            refused = self._sign(values), sentence
            note = self._note(values | {self.refused: refused})
            told = {self.refused: refused} | ({self.view: gr.update(notice=note)} if note else {})
        return {self.form.progress: texts.say_problem(sentence), **told, **self.form.switch_buttons(False)}

    def compare(self, values: Values) -> Generator[Changes, None, None]:
        """Explain with all editors, one after another."""
        form, pictures, began, drawn = self.form, payload.Pictures(), time.monotonic(), 0.0
        compared: dict[str, Explanation | str] = {}
        picture, editor, weights = values[form.picture], values[form.editor], values[form.weights]
        try:
            region = read_region(values[form.region])
            asked = form.check(values)
            notes = {name: texts.WHOLE for name in EDITORS if validation.needs_region(name) and region is None}
            notes |= machine.note_captions(editor, weights)
            yield {form.progress: texts.say_waiting(True)} | self.show(None) | {self.compared: {}, self.answered: None}
            chosen = editor, weights, form.read_settings(values)
            for name, request, step in explain_with_all(self.engine, asked, region, chosen):
                where = texts.describe_place(name, list(EDITORS).index(name) + 1, len(EDITORS), notes.get(name))
                if step is None:
                    yield {form.progress: self._say_waiting(request, where)}
                    continue
                compared = compared | {name: step}
                changes: Changes = {self.compared: compared}
                if not isinstance(step, str):
                    changes[form.progress] = self._say_progress(request, step, where)
                if isinstance(step, str) or not step.provisional or time.monotonic() - drawn >= DRAWN_EVERY:
                    drawn = time.monotonic()
                    changes[self.comparison] = payload.comparison_payload(compared, pictures=pictures)
                yield changes
            explained = {name: step for name, step in compared.items() if isinstance(step, Explanation)}
            shown = explained.get(editor, next(iter(explained.values()), None))
            done = texts.say_compared(len(explained), len(compared), time.monotonic() - began, notes)
            yield {
                form.progress: done,
                self.comparison: payload.comparison_payload(compared, pictures=pictures),
                self.view: None if shown is None else draw(shown, picture, pictures=pictures),
                self.shown: shown,
                self.answered: self._sign(values),
                **form.switch_buttons(False),
            }
        except Exception as error:  # as above
            yield self._refuse(values, describe_error(error), bool(compared))

    def stop(self, picture: str | None, shown, compared, reason: str = "") -> Changes:
        """What there is stays, marked as what it is. `shown` and `compared` are what the states hold."""
        form = self.form
        if _is_unfinished(compared):
            drawn = payload.comparison_payload(compared)
            return {form.progress: texts.say(texts.STOPPED), self.comparison: drawn, **form.switch_buttons(False)}
        if not isinstance(shown, Explanation) or not shown.provisional:
            return {form.progress: texts.say_stopped(None, reason), **form.switch_buttons(False)}
        drawn = draw(shown, picture, was_stopped=True)
        return {form.progress: texts.say_stopped(shown, reason), self.view: drawn, **form.switch_buttons(False)}

    def show(self, drawn: dict | None, shown=None, comparison: dict | None = None, compared=None) -> Changes:
        """Both views and both states: `drawn` and `comparison` are the payloads of what `shown` and `compared` hold."""
        offered = isinstance(shown, Explanation) and can_check(self.engine, shown)
        views = {self.view: drawn, self.shown: shown, self.comparison: comparison, self.compared: compared}
        return {**views, self.form.check_button: gr.update(visible=offered, interactive=True)}

    def answer_to(self, asked: dict[str, Any]) -> Changes:
        """What is shown answers these values of the form (`Form.describe`)."""
        return {self.answered: self.form.sign(asked)}

    def _say_waiting(self, request: Request, where: str = "") -> str:
        editor = request.editor, request.weights
        ready = self.engine.is_loaded(*editor)
        return texts.say_waiting(ready, 0 if ready else self.engine.describe_editor(*editor, {}).gigabytes, where)

    def _say_progress(self, request: Request, shown: Explanation, where: str = "") -> str:
        return texts.say_progress(shown, estimate_seconds(self.engine, request, shown.total - shown.done), where)

    def _has_bundled(self, request: Request | None) -> bool:
        """Whether there are bundled weights to offer in place of those that were asked for and are not to be had."""
        if request is None or self.engine.is_loaded(request.editor, request.weights):
            return False
        asked = machine.resolve_weights(request.editor, request.weights)
        return not is_bundled(asked) and any(map(is_bundled, machine.list_weights(request.editor)))


def draw(explanation: Explanation, picture: str | None, **how) -> dict[str, Any]:
    """The payload of an explanation with the link that restores a run on this picture."""
    link = citation.write_query(explanation, example=find_example_name(picture))
    return payload.explanation_payload(explanation, link=link, **how)


def _is_unfinished(compared) -> bool:
    """Whether this is a comparison that runs, or was stopped."""
    if not isinstance(compared, dict):
        return False
    return len(compared) < len(EDITORS) or any(isinstance(e, Explanation) and e.provisional for e in compared.values())
