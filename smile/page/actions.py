"""What happens on each event of the page. app.py says which event and which components; here is what comes out.

A run is a generator: every yield is what the components in `VIEW` show next, and closing it, as Gradio does when Stop
is pressed or the tab is closed, ends the run after the batch in hand.
"""

import json
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from PIL import Image

from smile import Explanation, InputError
from smile import design as designs
from smile.editors import EDITORS
from smile.instruction import words
from smile.page import wording
from smile.page.components import heatmap_value, painted_region, painter_picture, painter_value
from smile.page.engine import DEFAULT, NOISE_SEEDS, SPACE, Engine, Outlook, Request
from smile.page.estimate import is_bundled
from smile.picture import open_picture, open_region

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
VIEW = ("progress", "heatmap", "finding", "gallery", "shown", "explain", "stop", "fall_back")
MAX_EDITS = 256  # in one run of a page that others may be waiting for
MAX_SECONDS = 600  # on a Space; a page of one's own may take three times as long as was estimated, if that is more
HIDDEN = gr.update(visible=False)
HEATMAP_EVERY = 1.0  # seconds
THUMBNAIL = 512  # pixels, the longest side of a picture in the gallery


@dataclass(frozen=True)
class Example:
    """What one click fills in."""

    picture: str
    instruction: str
    editor: str = DEFAULT
    weights: str = "auto"
    region: str | None = None

    @property
    def title(self) -> str:
        """What the button is called."""
        return self.instruction if self.editor == DEFAULT else f"{self.instruction} ({self.editor})"


def examples() -> list[Example]:
    """The examples in assets/examples."""
    listing = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    for item in listing:
        item |= {name: str(EXAMPLES / item[name]) for name in ("picture", "region") if name in item}
    return [Example(**item) for item in listing]


class Actions:
    """The page's events, on one engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    # Choosing

    def plan(self, instruction: str, edits: float | None, editor: str, weights: str, steps: float | None = None):
        """Before a run: what will happen, on what, and which settings there are. Yields plan, Advanced, its fields.

        Said at once, and again when bundled weights are loaded. Full ones are not loaded for this: what they would take
        is estimated, unless they are coming anyway.
        """
        settings = {"steps": steps}
        try:
            if not self.engine.ready(editor, weights):
                yield self._plan(instruction, edits, None)
                if is_bundled(self.engine.taken(editor, weights)):
                    self.engine.models(editor, weights)
            outlook = self.engine.outlook(editor, weights, settings)
            yield self._plan(instruction, edits, outlook)
            if not outlook.loaded and self.engine.coming(editor, weights):
                self.engine.models(editor, weights)
                yield self._plan(instruction, edits, self.engine.outlook(editor, weights, settings))
        except InputError as error:
            yield self._plan(instruction, edits, None, wording.problem(str(error)))

    def choose(self, editor: str):
        """(editor, weights, region column, settings ...) for an editor that was chosen."""
        sets = self.engine.offered(editor)
        missing = ", ".join(wording.weights_label(each) for each in EDITORS[editor].weights if each not in sets)
        choices = [(wording.weights_label(each), each) for each in ("auto", *sets)]
        return [
            gr.update(value=editor, info=wording.EDITORS.get(editor, "")),
            gr.update(choices=choices, value="auto", info=wording.NEEDS_GPU.format(missing) if missing else ""),
            gr.update(visible=_needs_region(editor)),
            *self.default_settings(),
        ]

    def default_settings(self) -> list:
        """Empty fields: what comes with the weights."""
        return [None for _ in wording.SETTINGS]

    def pick(self, event: gr.EventData):
        """(picture, instruction, region, editor, weights, region column, settings ...) of the example that was clicked."""
        example = examples()[event.index]
        chosen = self.choose(example.editor)
        if example.weights in self.engine.offered(example.editor):
            chosen[1] |= {"value": example.weights}
        return [example.picture, example.instruction, self.canvas(example.picture, example.region), *chosen]

    def canvas(self, picture: str | None, region=None) -> dict:
        """The picture to paint a region on, with nothing painted, or with what is white in the file `region`."""
        try:
            opened = open_picture(picture) if picture else None
            painted = None if opened is None or region is None else open_region(region, opened.size)
        except InputError:  # which a run will say
            opened = painted = None
        return gr.update(picture=painter_picture(opened), value=painter_value(painted))

    def find(self, picture: str | None, phrase: str):
        """(region, progress) with what the phrase names, found in the picture."""
        try:
            opened = open_picture(picture)
            return gr.update(value=painter_value(self._found(opened, phrase))), wording.said(wording.FOUND)
        except InputError as error:
            return gr.skip(), wording.problem(str(error))

    def use_file(self, picture: str | None, file: str):
        """(region, progress) with the region in a file."""
        try:
            return gr.update(value=painter_value(open_region(file, open_picture(picture).size))), ""
        except InputError as error:
            return gr.skip(), wording.problem(str(error))

    def fall_back(self, editor: str):
        """(weights, fall-back button): the bundled weights, which need no network."""
        return next(each for each in self.engine.offered(editor) if is_bundled(each)), gr.update(visible=False)

    def edits_for(self, instruction: str, chosen: bool = False):
        """The number of edits that an instruction needs, for the field, unless the visitor chose one."""
        try:
            return gr.skip() if chosen else designs.default_edits(len(words(instruction or "")))
        except InputError:
            return gr.skip()

    # Running

    def begin(self, editor: str, weights: str):
        """The click is seen at once, whoever is before us in the queue."""
        ready = self.engine.ready(editor, weights)
        return view(progress=wording.waiting(ready), shown=None, explain=_button(False), stop=_button(True), fall_back=HIDDEN)

    def run(self, picture: str | None, instruction: str, edits, seed, editor: str, weights: str, painted: str, *settings):
        """Explain; yields `VIEW`. What an earlier run left is cleared only when the input is known to be good."""
        shown, ended = None, ""
        try:
            region = painted_region(painted) if _needs_region(editor) else None
            given = {name: value for name, value in zip(wording.SETTINGS, settings, strict=True) if value is not None}
            request = self._checked(picture, instruction, edits, seed, editor, weights, region, given)
            if not (yield from self._load(request)):
                return
            yield view(progress=wording.waiting(True), heatmap=None, finding="", gallery=_gallery([]))
            began, drawn = time.monotonic(), 0.0
            with tempfile.TemporaryDirectory(prefix="smile-") as folder:
                album = Album(folder)
                for shown in self.engine.explain(request):
                    now = time.monotonic()
                    if shown.provisional and now - began > self._allowed(request, shown.total):
                        ended = wording.TOO_LONG
                        break
                    due = now - drawn >= HEATMAP_EVERY
                    drawn = now if due else drawn
                    yield view(
                        progress=wording.progress(shown, self._seconds(request, shown.total - shown.done)),
                        heatmap=heatmap_value(shown) if due else gr.skip(),
                        finding=wording.finding(shown),
                        gallery=_gallery(album.add(shown)),
                        shown=shown,
                    )
            if ended:
                yield self.stop(shown, ended)
            else:
                yield view(progress=wording.finished(shown), heatmap=heatmap_value(shown), **_idle())
        except InputError as error:
            yield view(progress=wording.problem(str(error)), **_idle())
        except gr.Error as error:  # ZeroGPU's: no GPU free, or the visitor's quota is used up
            yield view(progress=wording.problem(str(error.message)), **_idle())
        except Exception:  # the last door: the log gets the traceback, the visitor a sentence and working buttons
            logging.exception("A run of the page failed.")
            yield view(progress=wording.problem(wording.BROKEN), **_idle())

    def _load(self, request: Request):
        """Load what the run needs; yields `VIEW` while that goes on, so that one can press Stop. Returns whether it is
        there; if not, and there are bundled weights, they are offered."""
        named = request.editor, request.weights
        ready = self.engine.ready(*named)
        download = 0 if ready else self.engine.outlook(*named, {}).gigabytes
        try:
            for _ in self.engine.loading(*named):
                yield view(progress=wording.waiting(ready, download))
            return True
        except InputError as error:
            sets, bundled = self.engine.offered(request.editor), is_bundled(self.engine.taken(*named))
            offer = gr.update(visible=not bundled and any(map(is_bundled, sets)))
            yield view(progress=wording.problem(str(error)), fall_back=offer, **_idle())
            return False

    def stop(self, shown: Explanation | None, reason: str = ""):
        """What there is stays, marked as what it is."""
        heatmap = gr.skip() if shown is None else heatmap_value(shown, was_stopped=True)
        return view(progress=wording.stopped(shown, reason), heatmap=heatmap, **_idle())

    def serve(
        self,
        picture: str | None,
        instruction: str,
        edits: float | None,
        seed: float | None,
        editor: str = DEFAULT,
        weights: str = "auto",
        region: str | None = None,
        region_phrase: str = "",
        settings: dict | None = None,
    ):
        """Explain which words of an instruction made the editor change a picture as it did.

        Yields (explanation, edits) after each batch; the last one is final. The explanation is a dict: words, weights,
        ci_low, ci_high, p_values, p_values_holm, keep, texts, distances, responses, finding, provisional, done, total,
        settings and more; unknown numbers are None. The edits are pictures with captions, in the order of `texts`, then
        the full instruction under other seeds. edits=None takes as many as the number of words needs. `region` is the
        part that may change, white on black, or `region_phrase` says what shows there; "inpaint" needs one of the two.
        `settings` are the editor's own, by name, for example {"steps": 30}.
        """
        try:
            given = self._region(picture, region, region_phrase)
            request = self._checked(picture, instruction, edits, seed, editor, weights, given, settings or {})
            self.engine.models(editor, weights)
            with tempfile.TemporaryDirectory(prefix="smile-") as folder:
                album, began = Album(folder), time.monotonic()
                for explanation in self.engine.explain(request):
                    yield explanation.to_dict(), album.add(explanation)
                    if explanation.provisional and time.monotonic() - began > self._allowed(request, explanation.total):
                        raise InputError(wording.TOO_LONG)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    # Checks and numbers

    def _checked(self, picture, instruction, edits, seed, editor, weights, region, settings) -> Request:
        """The request. Raises InputError before anything is loaded or queued behind the editor."""
        opened, k = open_picture(picture), len(words(instruction or ""))
        edits, seed = None if edits is None else _edits(edits, k), _whole("seed", seed or 0, least=0)
        self.engine.taken(editor, weights)
        if _needs_region(editor) and region is None:
            raise InputError(f"{editor} needs a region, the part of the picture that may change; paint one.")
        region = None if region is None else open_region(region, opened.size)
        if not isinstance(settings, dict):
            raise InputError('The settings must be an object with names and numbers, for example {"steps": 30}.')
        return Request(opened, instruction, edits, seed, editor, weights, region, settings)

    def _region(self, picture, file, phrase):
        """What is given as the region over the API: a file, or a phrase for what shows there."""
        if file and phrase:
            raise InputError("Give either a region or a region_phrase, not both.")
        return self._found(open_picture(picture), phrase) if phrase else file

    def _found(self, picture, phrase):
        if not (phrase or "").strip():
            raise InputError(wording.NO_PHRASE)
        return self.engine.find(picture, phrase.strip())

    def _plan(self, instruction, edits, outlook: Outlook | None, problem: str = "") -> list:
        try:
            k = len(words(instruction or ""))
            made = min(2**k, designs.default_edits(k) if edits is None else _edits(edits, k))
            said = wording.plan(outlook, wording.run(made, NOISE_SEEDS, outlook))
        except InputError as error:
            said = wording.plan(outlook, str(error))
        if outlook is None:
            return [problem or said, *(gr.skip() for _ in range(1 + len(wording.SETTINGS)))]
        values = [outlook.settings.get(name) for name in wording.SETTINGS]
        fields = [gr.update(visible=v is not None, placeholder=f"{v:g}" if v is not None else "") for v in values]
        return [said, gr.update(visible=any(v is not None for v in values)), *fields]

    def _seconds(self, request: Request, edits: int) -> float | None:
        """How long so many edits will take."""
        per_edit = self.engine.seconds_per_edit(request.editor, request.weights, request.settings)
        return None if per_edit is None else per_edit * edits

    def _allowed(self, request: Request, edits: int) -> float:
        """How long a run may take: a hung one should end, a slow one on somebody's own machine should not."""
        return MAX_SECONDS if SPACE else max(MAX_SECONDS, 3 * (self._seconds(request, edits) or 0))


class Album:
    """The edits of a run as files, each written once, for a gallery."""

    def __init__(self, folder: str):
        self.folder, self.paths = Path(folder), {}

    def add(self, explanation: Explanation) -> list[tuple[str, str]]:
        """(path, caption) of every edit so far: the design's, then the full instruction under other seeds."""
        e = explanation
        rows = zip(e.edits, e.keep, e.distances, strict=True)
        first = e.settings["seed"] + e.settings["seeds"]
        entries = [(f"edit-{i}", edit, wording.caption(e.words, keep, d)) for i, (edit, keep, d) in enumerate(rows)]
        entries += [
            (f"noise-{i}", edit, wording.noise_caption(first + i, d))
            for i, (edit, d) in enumerate(zip(e.noise_edits, e.noise_distances, strict=True))
        ]
        return [(self._path(name, edit, e.image.size), text) for name, edit, text in entries]

    def _path(self, name, edit, size):
        if name not in self.paths:
            edit = edit.copy() if edit is not None else Image.new("RGB", size, "#888")
            edit.thumbnail((THUMBNAIL, THUMBNAIL))
            self.paths[name] = str(self.folder / f"{name}.png")
            edit.save(self.paths[name])
        return self.paths[name]


def view(**changes) -> list:
    """The values of `VIEW` in order; what is not named stays as it is."""
    return [changes[name] if name in changes else gr.skip() for name in VIEW]


def _needs_region(editor) -> bool:
    return editor in EDITORS and EDITORS[editor].region


def _edits(value, k: int) -> int:
    """The number of edits for k words. Raises InputError where it is no number, too small or too large."""
    edits = _whole("number of edits", value, least=2)
    if edits > MAX_EDITS:
        raise InputError(f"{edits} edits are more than the {MAX_EDITS} that this page makes in one run.")
    designs.describe(k, edits)  # raises where the design needs more
    return edits


def _whole(name: str, value, least: int) -> int:
    try:
        if int(value) == value and least <= value < 2**32:
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"The {name} must be a whole number of at least {least}, not {value}.")


def _button(active: bool) -> dict:
    return gr.update(interactive=active)


def _idle() -> dict:
    return {"explain": _button(True), "stop": _button(False)}


def _gallery(pictures: list) -> dict:
    return gr.update(value=pictures, visible=bool(pictures))
