"""The cells of a suite: every editor with every instruction on every picture, in an order that groups the editors.

On a Toy Road scene that shows already what the instruction asks for there is nothing to explain, and no cell.
"""

from dataclasses import dataclass

from smile.scenarios import truth
from smile.scenarios.pictures import Picture, shown
from smile.scenarios.suite import Editor, Slot, Suite, Template
from smile.toyroad.training.evaluate import Case


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

    @property
    def relevant(self) -> list[bool] | None:
        """(k,) for each word whether it should matter; None where nobody knows."""
        if self.template.relevant is not None:
            tokens = self.template.tokens
            return [tokens[slot.token] in self.template.relevant for slot in self.slots]
        return truth.relevant(self.case) if self.case else None

    def meets(self, suite: Suite) -> list[tuple[str, str]]:
        """The (attribute, value) pairs that meet here: what is asked for, and what the picture shows beside it."""
        asked = list(self.values.items())
        if self.case:
            after = truth.result(self.case)
            rest = [(a.name, value) for a in suite.attributes.values() for value in a.values if shown(after, value)]
        else:
            rest = [(name, value) for name, values in self.picture.shows.items() for value in values]
        return asked + [pair for pair in rest if pair[0] not in self.values]


def plan(suite: Suite) -> tuple[list[Cell], int]:
    """The suite's cells, and how many were left out because the picture shows already what they ask for.

    Raises InputError where nothing is left, or the words that matter cannot be told.
    """
    found, left_out = [], 0
    for editor in suite.editors:
        for template in suite.templates:
            for values in suite.instructions(template):
                instruction, slots = template.spelt(values)
                for picture in suite.pictures:
                    case = None
                    if picture.scene:
                        edges = editor.name == "img2img-turbo" and editor.weights.endswith("edges")
                        case = truth.case(picture.scene, instruction, editor.takes_region, edges)
                        if not truth.asks(case):
                            left_out += 1
                            continue
                    number = f"{len(found) + 1:04}"
                    found.append(Cell(number, editor, template, values, instruction, slots, picture, case))
    return found, left_out
