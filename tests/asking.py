"""How the tests of the page ask its handlers, and read what they yield."""

import gradio as gr
from PIL import Image
from tiny import fake_models

from smile.ui import texts
from smile.ui.actions import Actions
from smile.ui.engine import Engine
from smile.ui.parts import FIELDS, VIEW
from smile.ui.runs import Runs
from smile.ui.saved_runs import Replays

TEXT = "please make it snow at night"
INPUTS = {"instruction": TEXT, "edits": 16, "chosen": True, "seed": 0}
INPUTS |= {"editor": "instruct-pix2pix", "weights": "auto", "painted": ""}
FIELDS_AND_VIEW = (*FIELDS, *VIEW)


def handlers(load=fake_models) -> tuple[Actions, Runs, Replays]:
    """The page's handlers on one engine with these models."""
    engine = Engine(load)
    actions = Actions(engine)
    return actions, Runs(engine), Replays(actions)


def ask(handler, picture, **changes):
    """What one run of `Runs.explain` or `Runs.compare` yields, as dicts; settings and options go by their names."""
    values = {"picture": picture} | INPUTS | dict.fromkeys((*texts.SETTINGS, *texts.OPTIONS)) | changes
    return (dict(zip(VIEW, step, strict=True)) for step in handler(*values.values()))


def named(values, names=FIELDS_AND_VIEW) -> dict:
    """What a handler returned, by name; what it leaves as it is is left out."""
    return {name: value for name, value in zip(names, values, strict=True) if not skipped(value)}


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
