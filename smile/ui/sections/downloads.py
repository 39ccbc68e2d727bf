"""Buttons that hand over what is shown as a file of one kind or another, which is made when it is asked for."""

import functools
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block

from smile.report.trust_html import TrustEntry
from smile.ui import texts
from smile.ui.events import AT_ONCE, PRIVATE
from smile.ui.examples import open_shown

LONGEST = 48  # characters of a file's name
CLICK = "(file) => file && document.querySelector('#taken').click()"


class Downloads:
    """A button for each kind of file. `write(kind, *states)` yields (file, status), the file being None where there is nothing
    to hand over; it is a generator so that the file is there until Gradio has it, and no longer."""

    def __init__(self, labels: dict[str, str], elem_id: str, write: Callable[..., Iterator[tuple]]):
        self.labels, self.elem_id, self.write = labels, elem_id, write

    def build(self) -> None:
        """The buttons."""
        self.buttons = {
            kind: gr.Button(label, size="sm", min_width=80, elem_id=f"{self.elem_id}-{kind}")
            for kind, label in self.labels.items()
        }

    def connect(self, states: list[Block], status: gr.HTML, taken: gr.DownloadButton) -> None:
        """Hand over what `states` hold through `taken`, the page's hidden button."""
        for kind, button in self.buttons.items():
            written = button.click(functools.partial(self.write, kind), states, [taken, status], **AT_ONCE)
            written.then(None, taken, None, js=CLICK, **PRIVATE)


def write_explanation(
    kind: str, shown, read: Callable = open_shown, report: Callable[[Any], Sequence[TrustEntry]] = lambda _: ()
) -> Iterator[tuple]:
    """The explanation that `read` makes of the state `shown`, with the trust report that `report` makes of that; see
    `Downloads`."""
    explanation = read(shown)
    if explanation is None:
        yield None, texts.say_problem(texts.NOTHING)
        return
    with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
        path = Path(folder) / f"{shorten_name(explanation.instruction)}.{kind}"
        explanation.write(path, report(explanation))
        yield str(path), ""


def shorten_name(text: str) -> str:
    """A short name for a file, of letters and digits that every file system has."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:LONGEST].strip("-") or "explanation"
