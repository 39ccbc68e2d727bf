"""What happens while something is asked: choosing, planning, the region. app.py says which event and which components;
here is what comes out. Running is in runs.py, what is there already in replays.py.
"""

import gradio as gr

from smile import InputError
from smile.io.images import open_region
from smile.method import design as designs
from smile.method.units import words
from smile.models.editors import EDITORS
from smile.models.hub import is_bundled
from smile.ui import texts, validation
from smile.ui.components import painter_picture, painter_value
from smile.ui.engine import Engine, Outlook
from smile.ui.estimate import edits_made
from smile.ui.parts import HIDDEN, fields


class Actions:
    """The page's events before a run, on one engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    # Before a run

    def plan(self, instruction: str, edits: float | None, editor: str, weights: str, steps: float | None = None, *method):
        """What will happen, on what, and which settings the editor has. Yields plan and settings.

        Said at once, and again when bundled weights are loaded. Full ones are not loaded for this: what they would take
        is estimated, unless they are coming anyway.
        """
        asked = instruction, edits, dict(zip(texts.OPTIONS, method, strict=False)), editor
        settings = {"steps": steps}
        try:
            if not self.engine.ready(editor, weights):
                yield self._plan(*asked, None)
                if is_bundled(self.engine.taken(editor, weights)):
                    self.engine.models(editor, weights)
            outlook = self.engine.outlook(editor, weights, settings)
            yield self._plan(*asked, outlook)
            if not outlook.loaded and self.engine.coming(editor, weights):
                self.engine.models(editor, weights)
                yield self._plan(*asked, self.engine.outlook(editor, weights, settings))
        except InputError as error:
            yield self._plan(*asked, None, texts.problem(str(error)))

    def choose(self, editor: str, weights: str = "auto") -> dict:
        """What comes with an editor that was chosen, by the names of `FIELDS`."""
        sets = self.engine.offered(editor)
        missing = ", ".join(texts.weights_label(each) for each in EDITORS[editor].weights if each not in sets)
        choices = [(texts.weights_label(each), each) for each in dict.fromkeys(("auto", *sets))]
        value = weights if weights in sets else "auto"
        return {
            "editor": gr.update(value=editor, info=texts.EDITORS.get(editor, EDITORS[editor].problem)),
            "weights": gr.update(choices=choices, value=value, info=texts.NEEDS_GPU.format(missing) if missing else ""),
            "region_column": gr.update(visible=validation.needs_region(editor)),
            **dict.fromkeys(texts.SETTINGS),  # empty: what comes with the weights
        }

    def chosen(self, editor: str, picture: str | None) -> list:
        """`FIELDS` for an editor that was chosen."""
        return fields(**self.choose(editor), region=self.canvas(picture))

    def default_settings(self) -> list:
        """Empty fields: what comes with the weights."""
        return [None for _ in texts.SETTINGS]

    def fall_back(self, editor: str) -> list:
        """`FIELDS` for the bundled weights of this editor, which need no network, and the button that asked for them."""
        return [*fields(**self.choose(editor, next(filter(is_bundled, self.engine.offered(editor))))), HIDDEN]

    def edits_for(self, instruction: str, chosen: bool = False):
        """The number of edits that an instruction needs, for the field, unless the visitor chose one."""
        try:
            return gr.skip() if chosen else designs.default_edits(len(words(instruction or "")))
        except InputError:
            return gr.skip()

    # The region

    def canvas(self, picture: str | None, region=None) -> dict:
        """The picture to paint a region on, with nothing painted, or with what is white in the file or picture `region`."""
        try:
            opened = validation.open_file(picture) if picture else None
            painted = None if opened is None or region is None else open_region(region, opened.size)
        except InputError:  # which a run will say
            opened = painted = None
        return gr.update(picture=painter_picture(opened), value=painter_value(painted))

    def find(self, picture: str | None, phrase: str):
        """(region, progress) with what the phrase names, found in the picture."""
        try:
            found = validation.found(self.engine, validation.open_file(picture), phrase)
            return gr.update(value=painter_value(found)), texts.said(texts.FOUND)
        except InputError as error:
            return gr.skip(), texts.problem(str(error))

    def use_file(self, picture: str | None, file: str):
        """(region, progress) with the region in a file."""
        try:
            return gr.update(
                value=painter_value(open_region(validation.open_file(file), validation.open_file(picture).size))
            ), ""
        except InputError as error:
            return gr.skip(), texts.problem(str(error))

    def _plan(self, instruction, edits, method, editor, outlook: Outlook | None, problem: str = "") -> list:
        try:
            asked = validation.possible(instruction, edits, method)
            made, others = edits_made(len(words(instruction)), asked["edits"], asked["options"])
            run, possible = texts.run(made, others, outlook), True
        except InputError as error:
            run, possible = str(error), False
        if outlook is None:
            return [problem or texts.plan(None, run), *(gr.skip() for _ in texts.SETTINGS)]
        all_of_them = [outlook if name == editor else self.engine.outlook(name, "auto", {}) for name in EDITORS]
        comparison = texts.comparison(made + others, all_of_them) if possible else ""
        values = [outlook.settings.get(name) for name in texts.SETTINGS]
        shown = [gr.update(visible=v is not None, placeholder=f"{v:g}" if v is not None else "") for v in values]
        return [texts.plan(outlook, run, comparison), *shown]
