"""What Toy Road knows of a cell: whether the instruction asks for anything there, which words should matter, whether the
edit is what was asked for, and what the scene becomes.
"""

from dataclasses import replace

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.scenarios.pictures import drawn
from smile.toyroad.captions import plain
from smile.toyroad.grammar import COLOURS, Instruction, changes
from smile.toyroad.regions import seen, zone
from smile.toyroad.scene import SIZE, Scene
from smile.toyroad.training.evaluate import HELD_OUT, Case, carried_out


def case(scene: Scene, instruction: str, takes_region: bool, draws_edges: bool) -> Case:
    """The question that this instruction puts to an editor of this kind.

    The region is where what is asked for is at home: an object's zone, the sky for time and weather, the ground for the
    season.
    """
    asked = Instruction(instruction, "suite")
    if draws_edges:
        return Case(drawn(scene), asked, plain(scene))
    if not takes_region:
        return Case(drawn(scene), asked, scene)
    region = np.zeros((SIZE, SIZE), bool)
    for attribute in changes(asked.words):
        left, top, right, bottom = (round(side) for side in zone(scene, attribute))
        top, bottom = (bottom, SIZE) if attribute == "season" else (top, bottom)
        region[top:bottom, left:right] = True
    return Case(drawn(scene), asked, seen(scene, region), region, scene)


def asks(case: Case) -> bool:
    """Whether all that the instruction names is something that the scene does not show, or cannot be seen to show."""
    named = set(changes(case.words))
    return bool(named) and set(case.change(case.words)) == named


def relevant(case: Case) -> list[bool]:
    """(k,) for each word whether it should matter. Raises InputError where there are too many for the grammar."""
    try:
        return case.relevant().tolist()
    except ValueError as error:
        raise InputError(f"Toy Road cannot say which words of “{case.instruction.text}” matter; use fewer verbs.") from error


def done(case: Case, edit: Image.Image, seed: int) -> bool:
    """Whether the edit, of whatever size, is nearer to the ideal one than to anything that it could be mistaken for."""
    edit = edit.resize((SIZE, SIZE), Image.Resampling.BOX)
    return bool(carried_out(edit, case, np.random.default_rng((HELD_OUT, seed, 4)))[0])


def result(case: Case) -> Scene:
    """The scene as it should be after the edit; of a car whose colour is left open, the first colour."""
    change = case.change(case.words)
    if change.get("car") == "any":
        change = change | {"car": COLOURS[0]}
    return replace(case.behind or case.scene, **change)
