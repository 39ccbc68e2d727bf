"""Another editor of the Hub: named in Advanced, checked before anything of it is downloaded, and then one more to choose."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import gradio as gr

from smile import InputError
from smile.errors import shown
from smile.models.editors.catalogue import DEFAULT
from smile.models.hub import is_repository
from smile.ui import machine, texts, validation
from smile.ui.estimate import count_edits
from smile.ui.events import OPENING, Changes, Values

if TYPE_CHECKING:
    from smile.ui.sections.form import Form


class HubEditor:
    """The field for a repository's name, and what is said of it beside the field."""

    def __init__(self, form: "Form"):
        self.form = form

    def build(self) -> None:
        """The components. On a public Space whose owner allows none, nobody sees them."""
        allowed = machine.list_allowed()
        with gr.Column(visible=not machine.SPACE or bool(allowed), elem_id="hub-editor"):
            with gr.Row():
                self.repository = gr.Textbox(
                    label="Another editor of the Hub",
                    info=texts.HUB_EDITORS.format(", ".join(allowed)) if machine.SPACE else texts.HUB_EDITOR,
                    placeholder=(allowed or [DEFAULT])[0],
                    max_lines=1,
                    scale=3,
                    elem_id="repository",
                )
                self.check_button = gr.Button("Check", size="sm", min_width=64, elem_id="check-repository")
            self.said = gr.HTML(elem_id="repository-said")

    def connect(self) -> None:
        """What is named is checked when somebody asks for it, and never while it is typed."""
        form = self.form
        asked = {self.repository, form.picture, form.instruction, form.edits, form.edits_chosen, form.method}
        asked |= {*form.options.values()}
        filled = [*form.fields.values(), self.said]
        gr.on([self.check_button.click, self.repository.submit], self.choose, asked, filled, **OPENING)

    def choose(self, values: Values) -> Iterator[Changes]:
        """Choose the editor that is named, or say in a sentence why it cannot be. Nothing of it is downloaded for that."""
        form, repository = self.form, str(values[self.repository] or "").strip()
        yield {self.said: texts.say(texts.CHECKING)}
        try:
            if not is_repository(repository):
                raise InputError(texts.NO_REPOSITORY.format(shown(repository), DEFAULT))
            offer = machine.offer_repository(repository)
            outlook = form.engine.describe_editor(repository, repository, {})
            chosen = form.choose_editor(repository, values[form.picture])
        except InputError as error:
            yield {self.said: texts.say_problem(error)}
            return
        edits = self._count_edits(values)
        each = outlook.seconds_per_edit
        seconds = None if edits is None or each is None else edits * each
        room = machine.measure_memory() / 1e9
        yield chosen | {self.said: texts.describe_offer(offer, room, seconds, outlook.gigabytes, outlook.placement)}

    def _count_edits(self, values: Values) -> int | None:
        """How many edits the run that is asked for makes; None where what is asked is not possible, which a run will say."""
        form = self.form
        try:
            edits = values[form.edits] if values[form.edits_chosen] else None
            asked = validation.check_run(values[form.instruction], edits, form.read_options(values))
            k = validation.count_words(asked["instruction"], *(asked["options"].get(name, ()) for name in texts.PHRASES))
            return sum(count_edits(k, asked["edits"], asked["options"]))
        except InputError:
            return None
