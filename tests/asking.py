"""How the tests of the page ask its handlers, and read what they yield."""

import functools
from collections.abc import Iterator

import gradio as gr
from gradio.blocks import Block
from gradio.context import Context
from PIL import Image
from tiny import fake_models

from smile.ui.engine import Engine
from smile.ui.language_engine import LanguageEngine
from smile.ui.tabs.edit import EditTab
from smile.ui.tabs.scenarios import ScenariosTab

TEXT = "please make it snow at night"
INPUTS = {"instruction": TEXT, "edits": 24, "edits_chosen": True, "seed": 0}
INPUTS |= {"editor": "instruct-pix2pix", "weights": "auto", "region": ""}


class Step(dict):
    """What a handler returned or yielded, by the names of the components; the others stay as they are."""

    def __missing__(self, name):
        return gr.skip()


def build_edit_tab(load=fake_models) -> EditTab:
    """The first tab on an engine with these models."""
    return _build(EditTab(Engine(load)))


def build_scenarios_tab(load=fake_models) -> ScenariosTab:
    """The second tab on an engine with these models."""
    return _build(ScenariosTab(Engine(load), LanguageEngine()))


def _build(tab):
    """The tab with its components, in a page that all tests share: leaving a page of its own would make a server each time."""
    Context.root_block = Context.block = _make_page()
    try:
        tab.build()
    finally:
        Context.root_block = Context.block = None
    return tab


_make_page = functools.cache(gr.Blocks)


def ask(handler, picture, **changes) -> Iterator[Step]:
    """What one run of `Answer.explain` or `Answer.compare` yields; settings and options go by their names."""
    form = handler.__self__.form
    values = dict.fromkeys(form.fields) | {"picture": picture} | INPUTS | changes
    return (read(handler, step) for step in handler({form.fields[name]: value for name, value in values.items()}))


def read(handler, changes) -> Step:
    """What this handler returned, by the names of the components in the sections that it knows."""
    if skipped(changes):
        return Step()
    return Step({name: changes[part] for name, part in _named(handler.__self__).items() if part in changes})


def _named(section) -> dict[str, Block]:
    """The components of a section, and of those that it fills in, by name."""
    names = {}
    for name in ("form", "answer"):
        names |= _named(getattr(section, name)) if hasattr(section, name) else {}
    for name, part in vars(section).items():
        names |= part if name in ("settings", "options") else {name: part} if isinstance(part, Block) else {}
    return names


def skipped(value) -> bool:
    return value == gr.skip()


def throw(error):
    raise error


def bad_files(folder) -> dict[str, str]:
    """Files that are no pictures, or none that should be opened."""
    (folder / "notes.png").write_text("not a picture")
    Image.new("1", (13000, 13000)).save(folder / "bomb.png", optimize=True)
    Image.new("P", (13000, 13000)).save(folder / "palette.png", optimize=True)
    return {name: str(folder / f"{name}.png") for name in ("notes", "bomb", "palette")}


def region_file(folder) -> str:
    """A file that is white in the upper quarter."""
    region = Image.new("L", (48, 48))
    region.paste(255, (0, 0, 48, 12))
    region.save(folder / "region.png")
    return str(folder / "region.png")
