"""The cells of a suite: every editor with every instruction on every picture, in an order that groups the editors; or every
prompt, which a language model answers.

On Toy Road the answer is known: which words should matter, whether an edit is what was asked for, and what the scene
becomes. On a scene that shows already what the instruction asks for there is nothing to explain, and no cell. The same is
known of the prompts that the bundled language model can read.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.scenarios.models import AUTO, Model
from smile.scenarios.pictures import Picture, is_shown
from smile.scenarios.suite import Slot, Suite, Template
from smile.toyroad.captions import make_plain_scene
from smile.toyroad.cases import HELD_OUT, Case, carried_out
from smile.toyroad.grammar import COLOURS, Instruction, read_changes
from smile.toyroad.questions import UNKNOWN, Prompt, read_words
from smile.toyroad.regions import find_zone, remove_hidden
from smile.toyroad.scene import SIZE, Scene

BUNDLED = "toyroad"  # the language model whose prompts can be read


@dataclass(frozen=True)
class Cell:
    """One explanation to be made; `id` is its number in the suite, four digits, and `values` has attribute: value."""

    id: str
    model: Model
    template: Template
    values: dict[str, str]
    instruction: str  # or prompt
    slots: list[Slot]  # (k,)
    picture: Picture | None  # None where a language model is asked
    case: Case | None = None  # on Toy Road
    prompt: Prompt | None = None  # of the bundled language model

    def find_relevant_words(self) -> list[bool] | None:
        """(k,) for each word whether it should matter; None where nobody knows.

        Raises InputError where the suite does not say, and there are too many words for Toy Road's grammar.
        """
        if self.template.relevant:
            tokens = self.template.tokens
            return [tokens[slot.token] in self.template.relevant for slot in self.slots]
        if self.prompt is not None:
            return self.prompt.label_words().tolist()
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

    def is_answered(self, answer: str) -> bool | None:
        """Whether the answer says what the suite expects, or else is the right one; None where nobody knows. Case and white
        space do not matter."""
        said, expected = _normalise(answer), _normalise(self.template.fill_in_answer(self.values))
        if expected:
            return expected in said
        return None if self.prompt is None else said == _normalise(self.prompt.answer)

    def list_meeting_values(self, suite: Suite) -> list[tuple[str, str]]:
        """The (attribute, value) pairs that meet here: what is asked for, and what the picture shows beside it."""
        asked = list(self.values.items())
        if self.case:
            after = _make_edited_scene(self.case)
            rest = [(name, value) for name, a in suite.attributes.items() for value in a.values if is_shown(after, value)]
        else:
            shows = self.picture.shows if self.picture else {}
            rest = [(name, value) for name, values in shows.items() for value in values]
        return asked + [pair for pair in rest if pair[0] not in self.values]


def plan_cells(suite: Suite) -> tuple[list[Cell], int]:
    """The suite's cells, and how many were left out because the picture shows already what they ask for."""
    cells: list[Cell] = []
    left_out = 0
    for model in suite.models:
        for template in suite.templates:
            for values in suite.list_instructions(template):
                instruction, slots = template.fill_in(values)
                if suite.asks:
                    prompt = _read_prompt(instruction) if (model.name, model.weights) == (BUNDLED, AUTO) else None
                    cells.append(Cell(f"{len(cells) + 1:04}", model, template, values, instruction, slots, None, prompt=prompt))
                for picture in suite.pictures:
                    case = None
                    if picture.scene:
                        case = _make_case(picture.scene, instruction, model)
                        if not _asks_for_all(case):
                            left_out += 1
                            continue
                    cells.append(Cell(f"{len(cells) + 1:04}", model, template, values, instruction, slots, picture, case))
    return cells, left_out


def _read_prompt(text: str) -> Prompt | None:
    """What the bundled language model should answer; None where it cannot know that."""
    parts = tuple(read_words(text.split()).answer_all())
    return None if UNKNOWN in parts else Prompt(text, "suite", parts, frozenset())


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())


def _make_case(scene: Scene, instruction: str, editor: Model) -> Case:
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
