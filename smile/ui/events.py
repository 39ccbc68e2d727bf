"""How the page's events are registered with Gradio: as keyword arguments of an event such as `button.click`."""

from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.context import LocalContext

from smile.ui import texts

Changes = dict[Block, Any]  # what a handler returns: new values by component; the other components stay as they are
Values = dict[Block, Any]  # what a handler is given where its inputs are a set of components

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}  # not an endpoint for programs
AT_ONCE: dict[str, Any] = PRIVATE | {"queue": False}  # answers while others wait for a model
OPENING: dict[str, Any] = PRIVATE | {"concurrency_id": "opening", "concurrency_limit": 1}  # checks what somebody brings
EDITING: dict[str, Any] = {"concurrency_id": "editor", "concurrency_limit": 1}  # one run at a time, whoever asks
FOLLOWING: dict[str, Any] = {
    "concurrency_id": "following",
    "concurrency_limit": 28,
}  # of the 40 events that Gradio has at a time


def run_showing(status: Block) -> dict[str, Any]:
    """For a run on the models; how many visitors are before this one is shown on `status`."""
    return PRIVATE | EDITING | {"show_progress": "minimal", "show_progress_on": status}


def is_awaited() -> bool:
    """Whether others wait for the editor. To be asked by an event that has it."""
    blocks = LocalContext.blocks.get(None)
    waiting = blocks._queue.event_queue_per_concurrency_id.get(EDITING["concurrency_id"]) if blocks else None
    return bool(waiting and waiting.queue)


def note_difference(asked: str, answered: str | None, refused: tuple[str, str] | None = None) -> dict[str, str] | None:
    """The notice that what is shown is an old answer, None where it is not. Given are signatures: of what is asked, of what it
    answers, and of what was refused last, with the reason."""
    if asked == answered:
        return None
    what, why = refused or (None, "")
    return {"kind": "refused", "text": why} if asked == what else {"kind": "stale", "text": texts.STALE}


def take_notice_away(drawn: Any) -> Any:
    """The first drawing of a run is no old answer, whatever was said of the one before it."""
    update = isinstance(drawn, dict) and drawn.get("__type__") == "update"
    return drawn if update else gr.update(value=drawn, notice={})


def switch_buttons(running: bool, stop: Block, *starts: Block) -> Changes:
    """The buttons that start something and the one that stops it, while something runs or nothing does."""
    return {stop: gr.update(interactive=running)} | {start: gr.update(interactive=not running) for start in starts}


def get_props(update: dict[str, Any]) -> dict[str, Any]:
    """The arguments with which a component is built as `update` (what gr.update returned) would leave it."""
    return {name: value for name, value in update.items() if name != "__type__"}


def read_index(event: gr.EventData, count: int) -> int | None:
    """Which of so many was clicked, None for none of them: anybody can post an event."""
    data = event._data if isinstance(event._data, dict) else {}
    index = data.get("index")
    return index if isinstance(index, int) and 0 <= index < count else None
