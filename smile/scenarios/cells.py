"""The cells of a suite: every editor with every instruction on every picture, in an order that groups the editors.

On Toy Road the answer is known: which words should matter, whether an edit is what was asked for, and what the scene
becomes. On a scene that shows already what the instruction asks for there is nothing to explain, and no cell.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.scenarios.pictures import Picture, is_shown
from smile.scenarios.suite import Editor, Slot, Suite, Template
from smile.toyroad.captions import make_plain_scene
from smile.toyroad.cases import HELD_OUT, Case, carried_out
from smile.toyroad.grammar import COLOURS, Instruction, read_changes
from smile.toyroad.regions import find_zone, remove_hidden
from smile.toyroad.scene import SIZE, Scene


@dataclass(frozen=True)
class Cell:
    """One explanation to be made; `id` is its number in the suite, four digits, and `values` has attribute: value."""

    id: str
    editor: Editor
    template: Template
    values: dict[str, str]
    instruction: str
    slots: list[Slot]  # (k,)
    picture: Picture
    case: Case | None  # on Toy Road

    def find_relevant_words(self) -> list[bool] | None:
        """(k,) for each word whether it should matter; None where nobody knows.

        Raises InputError where the suite does not say, and there are too many words for Toy Road's grammar.
        """
        if self.template.relevant:
            tokens = self.template.tokens
            return [tokens[slot.token] in self.template.relevant for slot in self.slots]
        if self.case is None:
            return None
        try:
            return self.case.find_relevant_words().tolist()
        except ValueError as error:
            said = f"Toy Road cannot say which words of “{self.instruction}” matter; use fewer verbs."
            raise InputError(said) from error

    def is_carried_out(self, edit: Image.Image, seed: int) -> bool | None:
        """Whether the edit, of any size, is nearer to the ideal one than to anything it could be mistaken for; None where
        nobody knows."""
        if self.case is None:
            return None
        edit = edit.resize((SIZE, SIZE), Image.Resampling.BOX)
        return bool(carried_out(edit, self.case, np.random.default_rng((HELD_OUT, seed, 4)))[0])

    def list_meeting_values(self, suite: Suite) -> list[tuple[str, str]]:
        """The (attribute, value) pairs that meet here: what is asked for, and what the picture shows beside it."""
        asked = list(self.values.items())
        if self.case:
            after = _make_edited_scene(self.case)
            rest = [(name, value) for name, a in suite.attributes.items() for value in a.values if is_shown(after, value)]
        else:
            rest = [(name, value) for name, values in self.picture.shows.items() for value in values]
        return asked + [pair for pair in rest if pair[0] not in self.values]


def plan_cells(suite: Suite) -> tuple[list[Cell], int]:
    """The suite's cells, and how many were left out because the picture shows already what they ask for."""
    cells: list[Cell] = []
    left_out = 0
    for editor in suite.editors:
        for template in suite.templates:
            for values in suite.list_instructions(template):
                instruction, slots = template.fill_in(values)
                for picture in suite.pictures:
                    case = None
                    if picture.scene:
                        case = _make_case(picture.scene, instruction, editor)
                        if not _asks_for_all(case):
                            left_out += 1
                            continue
                    number = f"{len(cells) + 1:04}"
                    cells.append(Cell(number, editor, template, values, instruction, slots, picture, case))
    return cells, left_out


def _make_case(scene: Scene, instruction: str, editor: Editor) -> Case:
    """The question that this instruction puts to the editor.

    The region is where what is asked for is at home: an object's zone, the sky for time and weather, the ground for the
    season.
    """
    asked = Instruction(instruction, "suite")
    if editor.name == "img2img-turbo" and editor.weights.endswith("edges"):
        return Case(scene, asked, make_plain_scene(scene))
    if not editor.takes_region:
        return Case(scene, asked, scene)
    region = np.zeros((SIZE, SIZE), bool)
    for attribute in read_changes(asked.words):
        left, top, right, bottom = (round(side) for side in find_zone(scene, attribute))
        top, bottom = (bottom, SIZE) if attribute == "season" else (top, bottom)
        region[top:bottom, left:right] = True
    return Case(scene, asked, remove_hidden(scene, region), region, scene)


def _asks_for_all(case: Case) -> bool:
    """Whether all that the instruction names is something that the scene does not show, or cannot be seen to show."""
    named = set(read_changes(case.words))
    return bool(named) and set(case.find_changes(case.words)) == named


def _make_edited_scene(case: Case) -> Scene:
    """The scene as it should be after the edit; of a car whose colour is left open, the first colour."""
    changes = case.find_changes(case.words)
    if changes.get("car") == "any":
        changes = changes | {"car": COLOURS[0]}
    return replace(case.behind or case.scene, **changes)
