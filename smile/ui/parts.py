"""The parts of the page that handlers fill, by name. What a handler does not name stays as it is."""

import gradio as gr

from smile.ui import texts

FIELDS = ("picture", "instruction", "edits", "seed", "editor", "weights", "region", "region_column", "chosen")
FIELDS += (*texts.SETTINGS, *texts.OPTIONS)
VIEW = ("progress", "view", "comparison", "shown", "compared", "explain", "compare", "stop", "fall_back")
HIDDEN = gr.update(visible=False)


def fields(**changes) -> list:
    """The values of `FIELDS` in order: what is asked."""
    return [changes.get(name, gr.skip()) for name in FIELDS]


def view(**changes) -> list:
    """The values of `VIEW` in order: what the answer is, and the buttons that ask for one."""
    return [changes.get(name, gr.skip()) for name in VIEW]


def busy() -> dict:
    """The buttons while something runs."""
    return {"explain": _button(False), "compare": _button(False), "stop": _button(True), "fall_back": HIDDEN}


def idle() -> dict:
    """The buttons while nothing does."""
    return {"explain": _button(True), "compare": _button(True), "stop": _button(False)}


def _button(active: bool) -> dict:
    return gr.update(interactive=active)
