"""The named endpoints, for programs: what they take and return is documented here, and shown by Gradio's client."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
from PIL import Image

from smile import Explanation, InputError
from smile.io.images import open_region
from smile.models.editors import EDITORS
from smile.ui import machine, texts, validation
from smile.ui.components import Choice, Names, Picture
from smile.ui.engine import DEFAULT, Engine
from smile.ui.events import EDITING
from smile.ui.language_engine import BUNDLED, LanguageEngine, Question
from smile.ui.runs import explain_in_time, explain_with_all

THUMBNAIL = 512  # pixels, the longest side of a picture


class Api:
    """The endpoints, on one engine."""

    def __init__(self, engine: Engine, models: LanguageEngine):
        self.engine, self.models = engine, models

    def build(self) -> None:
        """The fields of the endpoints, which nobody sees."""
        weights = dict.fromkeys(["auto", *(each for name in EDITORS for each in machine.list_weights(name))])
        self.inputs = [
            Picture(label="picture", type="filepath"),
            gr.Textbox(label="instruction"),
            gr.Number(None, label="edits"),
            gr.Number(0, label="seed"),
            Choice(list(EDITORS), value=DEFAULT, label="editor"),  # or a repository
            gr.Dropdown(list(weights), value="auto", label="weights"),
            Picture(label="region", type="filepath"),
            gr.Textbox("", label="region phrase"),
            Names(label="settings"),
            Names(label="options"),
        ]
        self.explanation, self.explanations = Names(label="explanation"), Names(label="explanations")
        self.pictures = gr.Gallery(label="pictures")
        self.buttons = [gr.Button(), gr.Button(), gr.Button()]
        self.question = [
            gr.Textbox(label="prompt"),
            gr.Textbox(BUNDLED, label="model"),
            gr.Number(None, label="rows"),
            gr.Number(0, label="seed"),
            gr.Number(0, label="temperature"),
            gr.Number(40, label="max tokens"),
            Names(label="options"),
        ]

    def connect(self) -> None:
        """The endpoints."""
        explain, compare, ask = self.buttons
        explain.click(self.explain, self.inputs, [self.explanation, self.pictures], api_name="explain", **EDITING)
        asked = [*self.inputs[:4], self.inputs[6]]
        compare.click(self.compare, asked, [self.explanations, self.pictures], api_name="compare", **EDITING)
        ask.click(self.ask, self.question, self.explanation, api_name="ask", **EDITING)

    def explain(
        self,
        picture: str | None,
        instruction: str,
        edits: float | None = None,
        seed: float | None = 0,
        editor: str = DEFAULT,
        weights: str = "auto",
        region: str | None = None,
        region_phrase: str = "",
        settings: dict | None = None,
        options: dict | None = None,
    ) -> Iterator[tuple[dict, list]]:
        """Explain which words of an instruction made the editor change a picture as it did.

        Yields (explanation, pictures) after each batch; the last one is final, and only it has pictures. The explanation
        is a dict: words, weights, ci_low, ci_high, p_values, p_values_holm, mask, texts, distances, responses, finding,
        provisional, done, total, settings and more; unknown numbers are None. The pictures are the edits with captions,
        in the order of `texts`, then the full instruction under other seeds. edits=None takes as many as the number of
        words needs. `region` is the part that may change, white on black, or `region_phrase` says what shows there;
        "inpaint" needs one of the two. `editor` may be a repository of the Hub, too, which is checked before it is downloaded.
        `settings` are the editor's own, by name, for example {"steps": 30}; `options` are
        the method's: reference, design, distance, locality, surrogate, seeds and noise_seeds, for example {"seeds": 3};
        join and hold, lists of phrases of the instruction that count as one word, or stay in every edit; alone, whether each
        word is left out alone, too; and undo, whether the smallest set that undoes the edit is looked for.
        """
        try:
            asked = validation.check_asked(picture, instruction, edits, seed, options)
            part = self._find_region(asked["picture"], region, region_phrase)
            request = validation.build_request(self.engine, asked, editor, weights, part, settings)
            self.engine.load_in_time(editor, weights)
            for explanation in explain_in_time(self.engine, request):
                if explanation.provisional:
                    yield explanation.to_dict(), []
            with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
                yield explanation.to_dict(), _write_pictures(explanation, Path(folder))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def compare(
        self,
        picture: str | None,
        instruction: str,
        edits: float | None = None,
        seed: float | None = 0,
        region: str | None = None,
    ) -> Iterator[tuple[dict, list]]:
        """Explain the same instruction on the same picture with every editor in turn.

        Yields (explanations, pictures) after each batch; the last one is final, and only it has pictures. `explanations`
        has for each editor, by name, a dict as `explain` returns it, or {"problem": sentence} where it cannot. The
        pictures are all edits, editor by editor, with captions. `region`, white on black, is the part that "inpaint" may
        change; without one it is the whole picture.
        """
        explanations: dict[str, Explanation | str] = {}
        try:
            asked = validation.check_asked(picture, instruction, edits, seed)
            part = None if region is None else open_region(validation.open_file(region), asked["picture"].size)
            for name, _, step in explain_with_all(self.engine, asked, part):
                if step is not None:
                    explanations |= {name: step}
                    yield _list_numbers(explanations), []
            with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
                pictures = []
                for name, step in explanations.items():
                    written = _write_pictures(step, Path(folder, name)) if isinstance(step, Explanation) else []
                    pictures += [(path, f"{name}: {text}") for path, text in written]
                yield _list_numbers(explanations), pictures
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def ask(
        self,
        prompt: str,
        model: str = BUNDLED,
        rows: float | None = None,
        seed: float | None = 0,
        temperature: float | None = 0,
        max_tokens: float | None = 40,
        options: dict | None = None,
    ) -> Iterator[dict]:
        """Explain which words of a prompt made a language model's answer.

        Yields the explanation after each batch; the last one is final. It is a dict: words, weights, ci_low, ci_high,
        p_values_holm, answers (the first is the one that is explained), log_probs, tokens, maps (words x segments), alone,
        trace, finding, provisional, done, total, settings and more; unknown numbers are None. rows=None asks as many prompts
        as the number of words needs. `options` are the method's (design, distance, surrogate, seeds, noise_seeds …) and
        units, within and segments, for example {"units": "sentences"}.
        """
        try:
            if not isinstance(options or {}, dict):
                raise InputError('The options must be an object with names and values, for example {"seeds": 3}.')
            given = dict(options or {})
            own = {name: given.pop(name) for name in ("units", "within", "segments") if name in given}
            question = Question(
                prompt or "",
                model or BUNDLED,
                rows=None if rows is None else validation.parse_whole("number of prompts", rows, least=2),
                seed=validation.parse_whole("seed", seed or 0, least=0),
                temperature=float(temperature or 0),
                max_tokens=validation.parse_whole("number of tokens", 40 if max_tokens is None else max_tokens, least=1),
                options=validation.check_options(given),
                **own,
            )
            for explanation in self.models.explain(question):
                yield explanation.to_dict()
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _find_region(self, picture: Image.Image, file: str | None, phrase: str) -> Image.Image | str | None:
        """What is given as the region: a file, or a phrase for what shows there."""
        if file and phrase:
            raise InputError("Give either a region or a region_phrase, not both.")
        return validation.find_region(self.engine, picture, phrase) if phrase else file


def _list_numbers(explanations: dict[str, Explanation | str]) -> dict[str, dict]:
    return {name: {"problem": e} if isinstance(e, str) else e.to_dict() for name, e in explanations.items()}


def _write_pictures(e: Explanation, folder: Path) -> list[tuple[str, str]]:
    """(path, caption) of every edit: the design's, then the full instruction under other seeds."""
    captions = [texts.write_caption(e.words, mask, distance) for mask, distance in zip(e.mask, e.distances, strict=True)]
    first = e.settings["seed"] + e.settings["seeds"]
    distances = zip(e.noise_edits, e.noise_distances, strict=False)  # from the first seed's edit; then come the others'
    captions += [texts.write_noise_caption(first + i, distance) for i, (_, distance) in enumerate(distances)]
    edits = enumerate([*e.edits, *e.noise_edits])
    files = [_write_picture(edit, e.image.size, folder / f"{number:03}.png") for number, edit in edits]
    return list(zip(files, captions, strict=True))


def _write_picture(edit: Image.Image | None, size: tuple[int, int], path: Path) -> str:
    edit = edit.copy() if edit is not None else Image.new("RGB", size, "#888")
    edit.thumbnail((THUMBNAIL, THUMBNAIL))
    path.parent.mkdir(exist_ok=True)
    edit.save(path)
    return str(path)
