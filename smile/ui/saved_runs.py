"""Answers that are there already: examples, opened bundles, one editor of a comparison, what a link names.

No model is run, so all of this works while models are loaded and others wait. Each answer also fills in the fields with
which it was made. The state `shown` holds an explanation, or (example, editor); `compared` holds explanations by editor,
or an example's name.
"""

import tempfile
from pathlib import Path

import gradio as gr
from PIL import Image

from smile import Explanation, InputError, load
from smile.errors import shown
from smile.method import design as designs
from smile.method.units import words
from smile.models.editors import EDITORS
from smile.report import citation, payload
from smile.ui import examples, texts, validation
from smile.ui.actions import Actions
from smile.ui.examples import Example
from smile.ui.parts import fields, idle, view

LINK = ("example", "instruction", "editor", "weights", "seed", "edits")  # what a link may name


class Replays:
    """The page's events that show what was run before."""

    def __init__(self, actions: Actions):
        self.actions, self.engine = actions, actions.engine

    def pick(self, event: gr.EventData) -> list:
        """`FIELDS` and `VIEW` of the example that was clicked."""
        index = _index(event, examples.examples())
        return [*fields(), *view()] if index is None else self.replay(examples.examples()[index])

    def replay(self, example: Example, editor: str | None = None) -> list:
        """`FIELDS` and `VIEW` of an example; of a comparison, this editor's explanation is the one shown in full."""
        made = example.explanations()
        editor = editor or next(iter(made))
        answer = view(
            progress=texts.said(texts.REPLAYED),
            view=examples.drawn(example, editor),
            shown=(example.name, editor),
            comparison=examples.drawn_together(example),
            compared=example.name if example.compare else None,
            **idle(),
        )
        return [*fields(**self._filled(made[editor], example.picture, example.painted)), *answer]

    def look(self, compared, picture: str | None, event: gr.EventData) -> list:
        """`FIELDS` and `VIEW` of the editor that was chosen in a comparison."""
        if isinstance(compared, str):
            example = examples.named(compared)
            index = _index(event, example.explanations())
            return [*fields(), *view()] if index is None else self.replay(example, list(example.explanations())[index])
        index = _index(event, compared or ())
        if index is None:
            return [*fields(), *view()]
        name, explanation = list(compared.items())[index]
        if isinstance(explanation, str):
            return [*fields(), *view(progress=texts.problem(explanation))]
        link = citation.write_query(explanation, example=examples.name_of(picture))
        drawn = payload.explanation_payload(explanation, link=link)
        return [*fields(**self._editor(explanation)), *view(view=drawn, shown=explanation)]

    def open(self, file: str):
        """`FIELDS` and `VIEW` of the bundle in a file. A generator, so that its picture is there until Gradio has it."""
        try:
            explanation = load(file)
        except InputError as error:
            yield [*fields(), *view(progress=texts.problem(str(error)))]
            return
        of = explanation.settings
        here = of["editor"] in EDITORS and of.get("editor_weights") in self.engine.offered(of["editor"])
        said = texts.OPENED if here else f"{texts.OPENED} {texts.ELSEWHERE}"
        answer = view(
            progress=texts.said(said),
            view=payload.explanation_payload(explanation, source=said, link=citation.write_query(explanation)),
            shown=explanation,
            comparison=None,
            compared=None,
            **idle(),
        )
        with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
            yield [*fields(**self._filled(explanation, _written(explanation, folder), explanation.region)), *answer]

    def refill(self, shown):
        """`FIELDS` of what is shown, because somebody may have changed them since. A generator, as `open` is."""
        if isinstance(shown, Explanation):
            with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
                yield fields(**self._filled(shown, _written(shown, folder), shown.region))
        elif shown:
            example, editor = examples.named(shown[0]), shown[1]
            yield fields(**self._filled(example.explanations()[editor], example.picture, example.painted))

    def link(self, request: gr.Request) -> list:
        """`FIELDS` and `VIEW` of what the page's address names. What cannot be is one sentence, and the page, which begins
        with the first example, stays."""
        asked = {name: request.query_params[name] for name in LINK if name in request.query_params}
        first = examples.examples()[0]
        shown, said = (first.name, first.editor), gr.skip()
        try:
            if asked:
                return self._linked(asked)
        except InputError as error:
            said = texts.problem(str(error))
        return [*fields(), *view(progress=said, shown=shown)]

    def _linked(self, asked: dict[str, str]) -> list:
        name = asked.pop("example", None)
        example = None if name is None else examples.named(name)
        if name is not None and example is None:
            known = ", ".join(each.name for each in examples.examples())
            raise InputError(f"There is no example “{shown(name)}”; there is {known}.")
        wanted = asked | {each: validation.whole(each, asked[each], 0) for each in ("seed", "edits") if each in asked}
        for editor, explanation in example.explanations().items() if example else ():
            if wanted.items() <= _named(explanation).items():
                return self.replay(example, editor)
        base = example or examples.examples()[0]
        explanation = next(iter(base.explanations().values()))
        values, known = self._filled(explanation, base.picture, base.painted), _named(explanation)
        if wanted.get("editor", known["editor"]) != known["editor"]:
            known["weights"] = "auto"
        if "instruction" in wanted:
            known["edits"] = None
        known |= wanted
        validation.possible(known["instruction"], known["edits"])
        self.engine.taken(known["editor"], known["weights"])
        values |= {"instruction": known["instruction"], "seed": known["seed"]}
        values |= _edits(known["instruction"], known["edits"])
        if {"editor", "weights"} & wanted.keys():
            values |= self.actions.choose(known["editor"], known["weights"])
        said = texts.said(texts.LINKED if example else texts.LINKED_ALONE)
        return [*fields(**values), *view(progress=said, view=None, shown=None, comparison=None, compared=None)]

    def _filled(self, explanation: Explanation, picture: str, region: str | Image.Image | None) -> dict:
        """The fields with which this explanation was made, of which the picture is in a file."""
        of = explanation.settings
        return {
            "picture": picture,
            "region": self.actions.canvas(picture, region),
            "instruction": explanation.instruction,
            **_edits(explanation.instruction, of["edits"]),
            "seed": of["seed"],
            **self._editor(explanation),
            **{name: validation.METHOD[name] if of[name] is None else of[name] for name in texts.OPTIONS},
        }

    def _editor(self, explanation: Explanation) -> dict:
        """The fields of the editor with which this explanation was made, as far as it is one of this page's."""
        of = explanation.settings
        if of["editor"] not in EDITORS:
            return {}
        weights = of.get("editor_weights", "auto")
        chosen = self.actions.choose(of["editor"], weights)
        if chosen["weights"]["value"] == weights:
            numbers = {name: v for name, v in of["editor_settings"].items() if isinstance(v, (int, float))}
            chosen |= {name: numbers.get(name) for name in texts.SETTINGS}
        return chosen


def _index(event: gr.EventData, among) -> int | None:
    """Which of these was clicked, None for none of them: anybody can post an event."""
    said = event._data if isinstance(event._data, dict) else {}
    index = said.get("index")
    return index if isinstance(index, int) and 0 <= index < len(among) else None


def _edits(instruction: str, edits: int | None) -> dict:
    """The field with the number of edits, and whether it is another than the instruction needs."""
    usual = designs.default_edits(len(words(instruction)))
    return {"edits": edits or usual, "chosen": edits not in (None, usual)}


def _named(explanation: Explanation) -> dict:
    """What a link would name of it."""
    of = explanation.settings
    names = {"editor": of["editor"], "weights": of.get("editor_weights", "auto"), "seed": of["seed"], "edits": of["edits"]}
    return {"instruction": explanation.instruction, **names}


def _written(explanation: Explanation, folder: str) -> str:
    """The explanation's picture as a file in `folder`."""
    path = Path(folder) / "input.png"
    explanation.image.save(path)
    return str(path)
