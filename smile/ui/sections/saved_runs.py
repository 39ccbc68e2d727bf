"""Answers that are there already: examples, opened bundles, one editor of a comparison, what a link names.

No model is run, so all of this works while models are loaded and others wait. Each answer also fills in the form with the
values with which it was made.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from smile import Explanation, InputError
from smile.explanation import load_edits
from smile.models.editors import EDITORS
from smile.report import citation, payload
from smile.ui import examples, machine, texts, validation
from smile.ui.events import AT_ONCE, OPENING, PRIVATE, Changes, read_index, run_showing
from smile.ui.examples import Example
from smile.ui.runs import can_check, describe_error, find_chosen, is_here
from smile.ui.sections.answer import draw
from smile.ui.sections.form import describe_edits
from smile.ui.sections.kept_runs import KeptRuns
from smile.ui.sections.pin import Pin
from smile.ui.sections.trust import Trust

LINK = ("example", "instruction", "editor", "weights", "seed", "edits")  # what a link may name


class SavedRuns:
    """The button that opens a bundle, and the events that show what was run before."""

    def __init__(self, kept: KeptRuns, followers: list[Trust | Pin]):
        self.kept, self.answer, self.followers = kept, kept.answer, followers
        self.form, self.engine = self.answer.form, self.answer.engine

    def build(self) -> None:
        """The components."""
        self.open_button = gr.UploadButton(
            "Open a bundle", file_types=[".zip"], size="sm", min_width=110, elem_id="open-bundle"
        )

    def connect(self, page: gr.Blocks) -> None:
        """Show what is asked for, and let those who show more of it follow."""
        form, answer = self.form, self.answer
        outputs = [*form.fields.values(), *answer.outputs]
        for replayed in (
            page.load(self.follow_link, None, [*outputs, self.kept.number], **AT_ONCE),
            form.examples.select(self.pick_example, None, outputs, **AT_ONCE),
            answer.comparison.select(self.pick_editor, [answer.compared, form.picture], outputs, **AT_ONCE),
            self.open_button.upload(self.open_bundle, self.open_button, outputs, **OPENING),
        ):  # Gradio tells of a state's change only where an event was queued
            for follower in self.followers:
                replayed.then(follower.show, follower.inputs, follower.outputs, **AT_ONCE)
        filled = [*form.fields.values(), answer.answered]
        checked = [form.progress, form.check_button, answer.view]
        begun = form.check_button.click(self.begin_check, None, checked, **AT_ONCE)
        checking = begun.then(self.check, answer.shown, checked, **run_showing(form.progress))
        checking.failure(self.offer_check, answer.shown, checked, **AT_ONCE)  # it was not let in
        starts = (form.explain_button.click, form.instruction.submit, form.compare_button.click)
        for end in (*starts, form.examples.select, answer.comparison.select, self.open_button.upload):
            end(None, cancels=checking, **PRIVATE)
        answer.view.undo(self.refill, answer.shown, filled, **AT_ONCE)
        refilled = answer.view.play(self.refill, answer.shown, filled, **AT_ONCE)
        refilled.then(None, js="() => document.querySelector('#explain').click()", **PRIVATE)

    def pick_example(self, event: gr.EventData) -> Changes:
        """The example that was clicked."""
        index = read_index(event, len(examples.list_examples()))
        return gr.skip() if index is None else self.replay(examples.list_examples()[index])

    def replay(self, example: Example, editor: str | None = None) -> Changes:
        """An example; of a comparison, this editor's explanation is the one shown in full."""
        explanations = example.explanations()
        editor = editor or next(iter(explanations))
        asked = self.form.describe(explanations[editor], example.picture, example.painted)
        return {
            **self.form.fill(asked),
            **self.answer.answer_to(asked),
            **self.answer.show(
                examples.draw_example(example, editor),
                (example.name, editor),
                examples.draw_comparison(example),
                example.name if example.compare else None,
            ),
            self.form.progress: texts.say(texts.REPLAYED),
            **self.form.switch_buttons(False),
        }

    def pick_editor(self, compared, picture: str | None, event: gr.EventData) -> Changes:
        """The editor that was chosen in a comparison."""
        if isinstance(compared, str):
            example = examples.find_example(compared)
            editors = list(example.explanations())
            index = read_index(event, len(editors))
            return gr.skip() if index is None else self.replay(example, editors[index])
        steps = list((compared or {}).values())
        index = read_index(event, len(steps))
        if index is None:
            return gr.skip()
        if isinstance(steps[index], str):
            return {self.form.progress: texts.say_problem(steps[index])}
        asked = self.form.describe(steps[index], picture or "", steps[index].region)
        fields = self.form.fill(self.form.describe_editor(steps[index])) | self.answer.answer_to(asked)
        return {**fields, self.answer.view: draw(steps[index], picture), self.answer.shown: steps[index]}

    def open_bundle(self, file: str) -> Iterator[Changes]:
        """The bundle in a file. A generator, so that its picture is there until Gradio has it."""
        try:
            explanation = load_edits(file, limits=validation.OPENED)
        except InputError as error:
            yield {self.form.progress: texts.say_problem(error)}
            return
        known = is_here(self.engine, explanation)
        said = f"{texts.OPENED} {explanation.unchecked}{'' if known else f' {texts.ELSEWHERE}'}"
        answer = (
            self.answer.show(_draw(explanation, said), explanation)
            | {self.form.progress: texts.say_opened(said)}
            | self.form.switch_buttons(False)
        )
        with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
            filled, asked = self._fill(explanation, folder)
            yield filled | answer | self.answer.answer_to(asked)

    def begin_check(self) -> Changes:
        """The click is seen at once."""
        return {self.form.progress: texts.say(texts.MEASURING_AGAIN), self.form.check_button: gr.update(interactive=False)}

    def offer_check(self, shown) -> Changes:
        """What was not checked is said again."""
        said = f"{texts.OPENED} {shown.unchecked}" if isinstance(shown, Explanation) else ""
        return {self.form.progress: texts.say_opened(said), self.form.check_button: gr.update(interactive=True)}

    def check(self, shown) -> Changes:
        """Measure again what nobody has checked of what was opened, and say what came of it."""
        form = self.form
        try:
            if not isinstance(shown, Explanation) or not can_check(self.engine, shown):
                raise InputError(texts.NOT_TO_CHECK)
            if sum(map(len, (shown.distances, shown.noise_distances, shown.extra_distances))) > validation.MAX_CHECKED:
                raise InputError(texts.TOO_MUCH_TO_CHECK)
            checked = self.engine.check(shown, *find_chosen(shown))
        except Exception as error:  # as in answer.py
            return {form.progress: texts.say_problem(describe_error(error)), form.check_button: gr.update(interactive=True)}
        said, hidden = f"{checked.sentence} {shown.unchecked}", gr.update(visible=False, interactive=True)
        say = texts.say_opened if checked.holds else texts.say_problem
        return {form.progress: say(said), form.check_button: hidden, self.answer.view: _draw(shown, f"{texts.OPENED} {said}")}

    def refill(self, shown) -> Iterator[Changes]:
        """The form as it was for what is shown, because somebody may have changed it. A generator, as `open_bundle` is."""
        if isinstance(shown, Explanation):
            with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
                filled, asked = self._fill(shown, folder)
                yield filled | self.answer.answer_to(asked)
        elif shown:
            example, editor = examples.find_example(shown[0]), shown[1]
            values = self.form.describe(example.explanations()[editor], example.picture, example.painted)
            yield self.form.fill(values) | self.answer.answer_to(values)

    def follow_link(self, request: gr.Request) -> Changes:
        """What the page's address names. Of what cannot be one sentence says why, and the page stays as it begins."""
        asked = {name: request.query_params[name] for name in LINK if name in request.query_params}
        first = examples.list_examples()[0]
        stays: Changes = {self.answer.shown: (first.name, first.editor)}
        try:
            if "run" in request.query_params:
                return stays | self.kept.find_again(request.query_params["run"])
            return self._follow(asked) if asked else stays
        except InputError as error:
            return stays | {self.form.progress: texts.say_problem(error)}

    def _follow(self, asked: dict[str, Any]) -> Changes:
        example = examples.find_example(asked.pop("example")) if "example" in asked else None
        asked |= {each: validation.parse_whole(each, asked[each], 0) for each in ("seed", "edits") if each in asked}
        if example is not None:
            for editor, saved in example.explanations().items():
                if asked.items() <= _list_link_values(saved).items():
                    return self.replay(example, editor)
        base = example or examples.list_examples()[0]
        explanation = next(iter(base.explanations().values()))
        usual = _list_link_values(explanation)
        if asked.get("editor", usual["editor"]) != usual["editor"]:
            usual["weights"] = "auto"
        if "instruction" in asked:
            usual["edits"] = None
        wanted = usual | asked
        validation.check_run(wanted["instruction"], wanted["edits"])
        machine.resolve_weights(wanted["editor"], wanted["weights"])
        if wanted["editor"] not in EDITORS:  # which would ask the Hub for whoever follows the link
            raise InputError(texts.LINKED_EDITOR.format(", ".join(EDITORS)))
        values = self.form.describe(explanation, base.picture, base.painted)
        values |= {"instruction": wanted["instruction"], "seed": wanted["seed"]}
        values |= describe_edits(wanted["instruction"], wanted["edits"])
        if {"editor", "weights"} & asked.keys():
            values |= self.form.describe_choice(wanted["editor"], wanted["weights"])
        progress = texts.say(texts.LINKED if example else texts.LINKED_ALONE)
        return self.form.fill(values) | self.answer.show(None) | {self.answer.answered: None, self.form.progress: progress}

    def _fill(self, explanation: Explanation, folder: str) -> tuple[Changes, dict[str, Any]]:
        """The form as it was for this explanation, whose picture is written into `folder`; as components and by name."""
        picture = Path(folder) / "input.png"
        explanation.image.save(picture)
        asked = self.form.describe(explanation, str(picture), explanation.region)
        return self.form.fill(asked), asked


def _draw(explanation: Explanation, said: str) -> dict[str, Any]:
    """What the browser draws of what was opened; `said`: where it comes from, and what of it was not checked."""
    return payload.explanation_payload(explanation, source=said, link=citation.write_query(explanation))


def _list_link_values(explanation: Explanation) -> dict[str, Any]:
    """What a link to this explanation would name."""
    settings = explanation.settings
    values = {name: settings[name] for name in ("editor", "seed", "edits")}
    return values | {"instruction": explanation.instruction, "weights": settings.get("editor_weights", "auto")}
