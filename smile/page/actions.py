"""What happens on each event of the page. app.py says which event and which components; here is what comes out.

A run is a generator: every yield is what the components in `VIEW` show next, and closing it, as Gradio does when Stop
is pressed or the tab is closed, ends the run after the batch in hand.
"""

import json
import logging
import tempfile
import time
from pathlib import Path

import gradio as gr
from PIL import Image

from smile import Explanation, InputError
from smile import design as designs
from smile.instruction import words
from smile.page import wording
from smile.page.components import heatmap_value
from smile.page.engine import Engine
from smile.picture import open_picture

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
VIEW = ("progress", "heatmap", "finding", "gallery", "shown", "explain", "stop")
NOISE_SEEDS = 4  # what explain_stream does by default
MAX_EDITS = 256  # in one run of a page that others may be waiting for
MAX_SECONDS = 600
HEATMAP_EVERY = 1.0  # seconds
THUMBNAIL = 512  # pixels, the longest side of a picture in the gallery


def examples() -> list[tuple[str, str]]:
    """(picture path, instruction) of each example."""
    listing = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    return [(str(EXAMPLES / item["picture"]), item["instruction"]) for item in listing]


class Actions:
    """The page's events, on one engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def plan(self, instruction: str, edits: float | None):
        """Before a run: what will happen. Said at once, and again when the editor is loaded."""
        if not self.engine.ready:
            yield self._plan(instruction, edits, None)
        try:
            editor, _ = self.engine.models()
        except InputError as error:
            yield wording.problem(str(error))
            return
        yield self._plan(instruction, edits, editor)

    def pick(self, event: gr.EventData):
        """(picture, instruction) of the example that was clicked."""
        return examples()[event.index]

    def edits_for(self, instruction: str, chosen: bool = False):
        """The number of edits that an instruction needs, for the field, unless the visitor chose one."""
        try:
            return gr.skip() if chosen else designs.default_edits(len(words(instruction or "")))
        except InputError:
            return gr.skip()

    def begin(self):
        """The click is seen at once, whoever is before us in the queue."""
        loading = not self.engine.ready
        return view(progress=wording.waiting(loading), shown=None, explain=_button(False), stop=_button(True))

    def run(self, picture: str | None, instruction: str, edits: float | None, seed: float | None):
        """Explain; yields `VIEW`. What an earlier run left is cleared only when the input is known to be good."""
        shown, ended = None, ""
        try:
            checked = _checked(picture, instruction, edits, seed)
            yield view(progress=wording.waiting(not self.engine.ready), heatmap=None, finding="", gallery=_gallery([]))
            began, drawn = time.monotonic(), 0.0
            with tempfile.TemporaryDirectory(prefix="smile-") as folder:
                album = Album(folder)
                for shown in self.engine.explain(*checked):
                    now = time.monotonic()
                    if shown.provisional and now - began > MAX_SECONDS:
                        ended = wording.TOO_LONG
                        break
                    due = now - drawn >= HEATMAP_EVERY
                    drawn = now if due else drawn
                    yield view(
                        progress=wording.progress(shown, self._seconds_left(shown)),
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
        except Exception:  # the last door: the log gets the traceback, the visitor a sentence and working buttons
            logging.exception("A run of the page failed.")
            yield view(progress=wording.problem(wording.BROKEN), **_idle())

    def stop(self, shown: Explanation | None, reason: str = ""):
        """What there is stays, marked as what it is."""
        heatmap = gr.skip() if shown is None else heatmap_value(shown, was_stopped=True)
        return view(progress=wording.stopped(shown, reason), heatmap=heatmap, **_idle())

    def serve(self, picture: str | None, instruction: str, edits: float | None, seed: float | None):
        """Explain which words of an instruction made the editor change a picture as it did.

        Yields (explanation, edits) after each batch; the last one is final. The explanation is a dict: words, weights,
        ci_low, ci_high, p_values, p_values_holm, keep, texts, distances, responses, finding, provisional, done, total,
        settings and more; unknown numbers are None. The edits are pictures with captions, in the order of `texts`, then
        the full instruction under other seeds. edits=None takes as many as the number of words needs.
        """
        try:
            checked = _checked(picture, instruction, edits, seed)
            with tempfile.TemporaryDirectory(prefix="smile-") as folder:
                album, began = Album(folder), time.monotonic()
                for explanation in self.engine.explain(*checked):
                    yield explanation.to_dict(), album.add(explanation)
                    if time.monotonic() - began > MAX_SECONDS:
                        raise InputError(wording.TOO_LONG)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _plan(self, instruction, edits, editor) -> str:
        noise, rate = NOISE_SEEDS, self.engine.seconds_per_edit
        try:
            k = len(words(instruction or ""))
            made = min(2**k, designs.default_edits(k) if edits is None else _edits(edits, k))
        except InputError as error:
            return wording.plan(editor, str(error))
        return wording.plan(editor, wording.run(made, noise, None if rate is None else rate * (made + noise)))

    def _seconds_left(self, shown: Explanation) -> float | None:
        rate = self.engine.seconds_per_edit
        return None if rate is None else rate * (shown.total - shown.done)


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


def _checked(picture, instruction, edits, seed) -> tuple:
    """The arguments of `Engine.explain`. Raises InputError before anything is loaded or queued behind the editor."""
    opened, k = open_picture(picture), len(words(instruction or ""))
    return opened, instruction, None if edits is None else _edits(edits, k), _whole("seed", seed or 0, least=0)


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
