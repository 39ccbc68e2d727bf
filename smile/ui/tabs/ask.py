"""The second tab: which words of a prompt made a language model's answer."""

import functools
import json
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from smile import AnswerExplanation, InputError, load
from smile.method.prompts import SEGMENTS, split_again
from smile.models.language_models import LANGUAGE_MODELS
from smile.report.answer_citation import write_answer_python
from smile.report.answer_payload import FAILED, answer_payload
from smile.report.jinja import render
from smile.report.pinned import pinned_answers
from smile.ui import texts, validation
from smile.ui.answer_examples import list_answer_examples
from smile.ui.components import AnswerView, AskBar
from smile.ui.events import (
    AT_ONCE,
    EDITING,
    OPENING,
    PRIVATE,
    Changes,
    Values,
    note_difference,
    read_index,
    run_showing,
    take_notice_away,
)
from smile.ui.language_engine import BUNDLED, LanguageEngine, Question
from smile.ui.runs import MAX_SECONDS, describe_error
from smile.ui.sections.downloads import Downloads, write_explanation
from smile.ui.sections.pin import Pin

DRAWN_EVERY = 0.5  # seconds
MOST_TRIED = 32  # answers of what if that are kept
UNITS = {"Words": "auto", "Sentences": "sentences"}
BAR = {"form": "#ask-form", "text": "#prompt textarea", "kind": "#ask-language-model input"}
BAR |= {"start": "#ask-explain", "stop": "#ask-stop"}
PARTS = {"Sentences": "auto", "Words": "words"}


class AskTab:
    """What is asked on the left, the answer on the right. It begins with the first example, replayed."""

    def __init__(self, engine: LanguageEngine):
        self.engine, self.examples = engine, list_answer_examples()
        self.pin = Pin(self, open_answer, pinned_answers, "ask-pinned")
        self.downloads = Downloads(texts.TAKE, "ask-take", functools.partial(write_explanation, read=open_answer))

    def build(self) -> None:
        """The layout, as it reads."""
        first = self.examples[0].open() if self.examples else None
        of: dict[str, Any] = {} if first is None else first.settings
        with gr.Row(elem_id="ask-model"):
            with gr.Column(elem_id="ask-form", min_width=240):
                self.bar = AskBar(BAR, elem_id="ask-model-bar")
                prompt = "" if first is None else first.instruction
                self.prompt = gr.Textbox(prompt, label="Prompt", lines=6, max_lines=12, elem_id="prompt", max_length=10_000)
                self.unknown = gr.HTML(elem_id="ask-unknown")  # what the weights never saw of the prompt
                titles = [example.title for example in self.examples]
                self.samples = gr.Radio(titles, label="Or one of these", elem_id="ask-samples", visible=bool(titles))
                self.model = gr.Dropdown(list(LANGUAGE_MODELS), value=BUNDLED, label="Model", elem_id="ask-language-model")
                with gr.Row(elem_id="ask-lengths"):
                    self.max_tokens = gr.Number(40, label="Tokens", precision=0, min_width=70)
                    self.temperature = gr.Number(0, label="Temperature", step=0.1, min_width=70)
                with gr.Row(elem_id="ask-amounts"):
                    self.rows = gr.Number(0, label="Prompts (0: auto)", precision=0, min_width=70)
                    self.seed = gr.Number(of.get("seed", 0), label="Seed", precision=0, min_width=70)
                self.units = gr.Radio(list(UNITS), value="Words", label="Leave out", elem_id="ask-units")
                self.segments = gr.Radio(list(PARTS), value="Sentences", label="Answer in", elem_id="ask-parts")
                with gr.Row(elem_id="ask-do"):
                    self.button = gr.Button("Explain", variant="primary", elem_id="ask-explain", min_width=120)
                    self.stop_button = gr.Button("Stop", interactive=False, elem_id="ask-stop", min_width=60)
                self.compare_button = gr.Button("Compare models", elem_id="ask-compare", visible=len(LANGUAGE_MODELS) > 1)
                self.progress = gr.HTML(elem_id="ask-progress")
                self.check_button = gr.Button(texts.CHECK, visible=False, size="sm", elem_id="ask-check-model")
            with gr.Column(elem_id="ask-answer", min_width=320):
                self.pin.build()
                self.view = AnswerView(self.examples[0].draw() if self.examples else None, elem_id="ask-view")
                self.comparison = gr.HTML(elem_id="ask-comparison")
                with gr.Row(elem_id="ask-take"):
                    self.downloads.build()
                    self.open_button = gr.UploadButton("Open a bundle", file_types=[".zip"], size="sm", elem_id="ask-open")
        self.shown = gr.State(self.examples[0].name if self.examples else None, time_to_live=3600)
        first_asked = self._sign({part: part.value for part in self.asked}) if self.examples else None
        self.answered = gr.State(first_asked, time_to_live=3600)  # what `view` is the answer to
        self.refused = gr.State(time_to_live=3600)  # what was refused last, and why
        self.tried = gr.State([], time_to_live=3600)

    def connect(self, taken: gr.DownloadButton) -> None:
        """The events."""
        told = {*self.asked, self.answered, self.refused}
        outputs = [self.view, self.shown, self.tried, self.progress, self.button, self.stop_button, self.comparison]
        outputs += [self.answered, self.refused, self.check_button]
        running = []
        for button, run in ((self.button, self.explain), (self.compare_button, self.compare)):
            begun = button.click(self.begin, None, outputs, **AT_ONCE)
            running.append(begun.then(run, set(self.asked), outputs, **run_showing(self.progress)))
            running[-1].then(self.compare_inputs, told, self.view, **AT_ONCE)
        changes = [part.change for part in self.asked]
        gr.on(changes, self.compare_inputs, told, self.view, trigger_mode="always_last", **AT_ONCE)
        given = [self.prompt, self.model]
        gr.on([part.change for part in given], self.say_unknown, given, self.unknown, trigger_mode="always_last", **AT_ONCE)
        replays: list[tuple] = [(self.samples.select, self.replay, None, AT_ONCE)]
        replays.append((self.open_button.upload, self.open_bundle, self.open_button, OPENING))
        self.stop_button.click(None, cancels=running, **PRIVATE)
        self.stop_button.click(self.stop, self.shown, outputs, **AT_ONCE)
        for event, replay, given, how in replays:
            event(None, cancels=running, **PRIVATE)
            shown = event(replay, given, [*outputs, self.prompt], **how)
            shown.then(self.accept, told, [self.answered, self.view], **AT_ONCE)
        checked = [self.progress, self.check_button, self.view]
        begun = self.check_button.click(self.begin_check, None, checked, **AT_ONCE)
        checking = begun.then(self.check, self.shown, checked, **run_showing(self.progress))
        checking.failure(self.offer_check, self.shown, checked, **AT_ONCE)  # it was not let in
        for end in (self.button.click, self.compare_button.click, self.samples.select, self.open_button.upload):
            end(None, cancels=checking, **PRIVATE)
        what_if = [self.shown, self.tried, self.max_tokens, self.temperature]
        self.view.edit(self.try_words, what_if, [self.view, self.tried], trigger_mode="always_last", **EDITING, **PRIVATE)
        self.pin.connect()
        self.downloads.connect([self.shown], self.progress, taken)

    @property
    def asked(self) -> list:
        """The components that an answer depends on."""
        amounts = [self.max_tokens, self.temperature, self.rows, self.seed]
        return [self.prompt, self.model, *amounts, self.units, self.segments]

    def compare_inputs(self, values: Values):
        """Say so where what is asked is not what the answer is to."""
        if values[self.answered] is None:
            return gr.skip()
        return gr.update(notice=note_difference(self._sign(values), values[self.answered], values[self.refused]) or {})

    def say_unknown(self, prompt: str, model: str):
        """What the model was never taught of what is asked."""
        return texts.say_warning(validation.find_unknown_words(prompt, model))

    def accept(self, values: Values) -> Changes:
        """What the form holds after something saved was shown is what that answers."""
        if values[self.answered] is not None:
            return gr.skip()
        return {self.answered: self._sign(values), self.view: gr.update(notice={})}

    def _sign(self, values: Values) -> str:
        """A text that is the same for the same question."""
        return json.dumps([float(v) if isinstance(v, int) else v for v in (values[part] for part in self.asked)])

    def begin(self) -> Changes:
        """The click is seen at once, whoever is before us in the queue."""
        hidden = gr.update(visible=False)
        return {self.progress: texts.say_waiting(True), self.check_button: hidden, **self._switch(running=True)}

    def read_question(self, values: Values) -> Question:
        """What the form asks. Raises InputError."""
        rows, temperature = values[self.rows], values[self.temperature]
        question = Question(
            values[self.prompt] or "",
            values[self.model],
            rows=None if not rows else validation.parse_whole("number of prompts", rows, least=2),
            seed=validation.parse_whole("seed", values[self.seed] or 0, least=0),
            temperature=float(temperature or 0),
            max_tokens=validation.parse_whole("number of tokens", values[self.max_tokens] or 40, least=1),
            units=UNITS.get(values[self.units], "auto"),
            segments=PARTS.get(values[self.segments], SEGMENTS[0]),
        )
        return question.check()

    def explain(self, values: Values) -> Iterator[Changes]:
        """Explain with the model that is chosen; what was there stays until the input is known to be good."""
        drawn, began, shown = 0.0, time.monotonic(), None
        try:
            for shown in self.engine.explain(self.read_question(values)):
                changes: Changes = {self.progress: self._say(shown), self.shown: shown}
                if shown.provisional and time.monotonic() - drawn >= DRAWN_EVERY:
                    changes |= {self.view: draw(shown) if drawn else take_notice_away(draw(shown))}
                    drawn = time.monotonic()
                begun: Changes = {self.comparison: "", self.tried: [], self.answered: self._sign(values)}
                yield changes | (begun if shown.done == 1 else {})
                if time.monotonic() - began > MAX_SECONDS:
                    yield self.stop(shown)
                    return
            seconds = texts.format_duration(time.monotonic() - began)
            yield {self.progress: texts.say(f"Done in {seconds}."), self.view: draw(shown), **self._switch(False)}
        except Exception as error:  # the last resort: `describe_error` says what the visitor hears, and logs the rest
            why = describe_error(error)
            told: Changes = {self.refused: (self._sign(values), why)} if shown is None else {}
            yield {self.progress: texts.say_problem(why), **told, **self._switch(False)}

    def compare(self, values: Values) -> Iterator[Changes]:
        """The same prompt with every model that can be had here, one after another."""
        lines: list[tuple[str, str]] = []
        try:
            question = self.read_question(values)
        except InputError as error:
            yield {self.progress: texts.say_problem(error), **self._switch(False)}
            return
        for name in LANGUAGE_MODELS:
            yield {self.progress: texts.say(f"{name} …")}
            try:
                *_, last = self.engine.explain(Question(**vars(question) | {"model": name}))
                lines.append((name, f"{last.answer} — {last.finding.split('. ')[0]}."))
            except Exception as error:  # as above: one that cannot be had is said, and the others go on
                lines.append((name, describe_error(error)))
            yield {self.comparison: render("ui/templates/terms.html", terms=dict(lines))}
        yield {self.progress: texts.say("Compared."), **self._switch(False)}

    def stop(self, shown) -> Changes:
        """What there is stays, marked as what it is."""
        e = open_answer(shown)
        there = e is not None and e.provisional
        drawn = {self.view: draw(e, was_stopped=True)} if e is not None and there else {}
        return {
            self.progress: texts.say("Stopped; what you see rests on the prompts asked so far."),
            **drawn,
            **self._switch(False),
        }

    def replay(self, event: gr.EventData) -> Changes:
        """A saved run."""
        index = read_index(event, len(self.examples))
        if index is None:
            return gr.skip()
        example = self.examples[index]
        filled = self._fill(example.draw(), example.name, example.open().instruction)
        said = "A saved run: no model was asked just now."
        return filled | {self.progress: texts.say(said), **self._switch(False)}

    def _fill(self, drawn: dict, shown, prompt: str) -> Changes:
        """Show what was explained before; the form's other fields stay as they are, see `accept`."""
        offered = isinstance(shown, AnswerExplanation) and self.engine.can_check(shown)
        filled: Changes = {self.view: drawn, self.shown: shown, self.prompt: prompt, self.answered: None}
        filled |= {self.check_button: gr.update(visible=offered, interactive=True)}
        return filled | {self.tried: [], self.comparison: ""}

    def open_bundle(self, file: str) -> Changes:
        """An explanation that somebody saved."""
        try:
            explanation = load(file, limits=validation.OPENED)
            if not isinstance(explanation, AnswerExplanation):
                raise InputError("This explanation is of an edit; open it under “Explain an edit”.")
        except Exception as error:  # as above
            return {self.progress: texts.say_problem(describe_error(error))}
        filled = self._fill(draw(explanation) or {}, explanation, explanation.instruction)
        return filled | {self.progress: texts.say_opened(f"{texts.OPENED} {explanation.unchecked}"), **self._switch(False)}

    def begin_check(self) -> Changes:
        """The click is seen at once."""
        return {self.progress: texts.say(texts.MEASURING_AGAIN), self.check_button: gr.update(interactive=False)}

    def offer_check(self, shown) -> Changes:
        """What was not checked is said again."""
        said = f"{texts.OPENED} {shown.unchecked}" if isinstance(shown, AnswerExplanation) else ""
        return {self.progress: texts.say_opened(said), self.check_button: gr.update(interactive=True)}

    def check(self, shown) -> Changes:
        """Measure again what nobody has checked of what was opened, and say what came of it."""
        try:
            if not isinstance(shown, AnswerExplanation) or not self.engine.can_check(shown):
                raise InputError(texts.NOT_TO_CHECK)
            checked = self.engine.check(shown)
        except Exception as error:  # as above
            return {self.progress: texts.say_problem(describe_error(error)), self.check_button: gr.update(interactive=True)}
        say = texts.say_opened if checked.holds else texts.say_problem
        hidden = gr.update(visible=False, interactive=True)
        return {self.progress: say(f"{checked.sentence} {shown.unchecked}"), self.check_button: hidden, self.view: draw(shown)}

    def try_words(self, shown, tried: list, max_tokens, temperature, event: gr.EventData) -> Changes:
        """What if: the answer to exactly these words. It is no part of the numbers."""
        e, mask = open_answer(shown), getattr(event, "mask", None)
        if e is None or not isinstance(mask, list) or len(mask) != len(e.words) or not all(type(each) is bool for each in mask):
            return gr.skip()
        of = e.settings
        text = split_again(e.instruction, of).perturb(np.array(mask))
        try:
            asked = Question(
                text, of["language_model"], seed=of["seed"], temperature=temperature or 0, max_tokens=max_tokens or 40
            )
            if asked.model not in LANGUAGE_MODELS:
                raise InputError(f"{asked.model} is not on this page.")
            answer = self.engine.write(asked, text) or FAILED
        except Exception as error:  # as above
            answer = describe_error(error)
        tried = [*tried, {"mask": mask, "answer": answer}][-MOST_TRIED:]
        return {self.view: gr.update(tried={"edits": tried}), self.tried: tried}

    def _say(self, shown: AnswerExplanation):
        return texts.say(f"{shown.done} of {shown.total} prompts", shown.done, shown.total)

    def _switch(self, running: bool) -> Changes:
        return {self.button: gr.update(interactive=not running), self.stop_button: gr.update(interactive=running)}


def open_answer(shown) -> AnswerExplanation | None:
    """The explanation in the state `shown`: itself, or the name of an example."""
    if isinstance(shown, str):
        return next(each.open() for each in list_answer_examples() if each.name == shown)
    return shown


def draw(explanation: AnswerExplanation | None, was_stopped: bool = False) -> dict | None:
    """What the browser draws."""
    if explanation is None:
        return None
    return answer_payload(explanation, was_stopped=was_stopped, python=write_answer_python(explanation))
