"""What may be asked of the page's endpoints and on the command line alike, as changes to a good run."""

from typing import NamedTuple

from hostile.pictures import PICTURES, REGIONS
from hostile.texts import INSTRUCTIONS
from hostile.values import CHOICES, NUMBERS, OPTIONS, SETTINGS, SHAPES


class Input(NamedTuple):
    family: str
    name: str
    asked: dict  # the arguments of a run that differ from a good one's
    says: str


SHARED = [Input("picture", name, {"picture": data}, says) for name, (data, says) in PICTURES.items()]
SHARED += [Input("instruction", name, {"instruction": text}, says) for name, (text, says) in INSTRUCTIONS.items()]
SHARED += [Input("region", name, {"region": data, "editor": "inpaint"}, says) for name, (data, says) in REGIONS.items()]
SHARED += [Input("options", name, {"options": value}, says) for name, (value, says) in OPTIONS.items()]
SHARED += [Input("settings", name, {"settings": value}, says) for name, (value, says) in SETTINGS.items()]

# What each door reads in a way of its own.
OWN = [Input(field, name, {field: value}, "") for field in ("edits", "seed") for name, value in NUMBERS.items()]
OWN += [Input("edits", str(number), {"edits": number}, "") for number in (0, 1, 257, 10**6)]
OWN += [Input("choice", name, asked, "") for name, asked in CHOICES.items()]
OWN += [Input("shape", name, asked, says) for name, (asked, says) in SHAPES.items()]
OWN.append(Input("region", "none at all", {"editor": "inpaint"}, "needs a region"))
OWN.append(Input("region", "where none is wanted", {"region": REGIONS["white"][0]}, "leave the region out"))


def choose_one_of_each() -> list[Input]:
    """Of what both doors pass on to the same functions, one of each family and outcome."""
    return list({(each.family, each.says): each for each in reversed(SHARED)}.values())


def name_inputs(inputs: list[Input]) -> list[str]:
    return [f"{each.family}: {each.name}" for each in inputs]
