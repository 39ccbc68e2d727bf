"""Held-out questions to an editor on Toy Road, and whether what it returns is what was asked for.

`CASES` has for each bundled editor a function of (number, kind) that makes a question whose answer is known: which words
matter, and what an ideal edit looks like. Numbers are seeds that training never used. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL import Image

from smile.toyroad.captions import make_plain_scene, random_caption
from smile.toyroad.grammar import (
    COLOURS,
    Changes,
    Instruction,
    find_changes,
    find_relevant_words,
    list_candidates,
    random_instruction,
)
from smile.toyroad.regions import find_changes_inside, find_zone, remove_hidden
from smile.toyroad.scene import OPEN, SIZE, VALUES, Scene, draw, random_scene, redraw

HELD_OUT = 20_000_000  # first part of every seed here; training seeds have 0
DRAWS = 32  # of what is left open, for every candidate alike


def measure_pixel_error(a: Image.Image, b: Image.Image, region: np.ndarray | None = None) -> float:
    """Mean absolute pixel difference, 0 to 255, over all pixels or those of `region` (h, w) bool."""
    far = np.abs(np.asarray(a, float) - np.asarray(b, float)).mean(-1)
    return float(far.mean() if region is None else far[region].mean())


@dataclass(frozen=True)
class Case:
    """One held-out question to an editor: a picture and an instruction, and what an ideal editor would make of it."""

    pictured: Scene
    instruction: Instruction
    scene: Scene  # what the editor makes of the picture when the text asks for nothing
    region: np.ndarray | None = None  # (SIZE, SIZE) bool, for inpainting
    behind: Scene | None = None  # for inpainting: the scene with what the region hides

    @cached_property
    def picture(self) -> Image.Image:
        """(SIZE, SIZE) RGB; drawn when it is first asked for."""
        return draw(self.pictured)

    @property
    def words(self) -> list[str]:
        return self.instruction.words

    @property
    def options(self) -> dict[str, Image.Image]:
        """What the editor is given besides picture and texts."""
        return {} if self.region is None else {"region": Image.fromarray(self.region).convert("L")}

    def find_changes(self, words: Sequence[str]) -> Changes:
        """What these words change of `scene`."""
        return self._read_words(self.scene, words)

    def find_relevant_words(self) -> np.ndarray:
        """(k,) bool: the words that matter."""
        return np.array(find_relevant_words(self.scene, self.words, self._read_words))

    def edit(self, editor, texts: Sequence[str], seed: int) -> list[Image.Image]:
        """The editor's outcomes for the texts, on this case's picture and region."""
        return editor.edit(self.picture, texts, seed=seed, **self.options)

    def measure_error(self, a: Image.Image, b: Image.Image) -> float:
        """As `measure_pixel_error`, where the editor may change the picture."""
        return measure_pixel_error(a, b, self.region)

    def _read_words(self, scene: Scene, words: Sequence[str]) -> Changes:
        if self.region is None or self.behind is None:
            return find_changes(scene, words)
        return find_changes_inside(self.behind, self.region, words)


def make_instructed_case(number: int, kind: str | None) -> Case:
    """For editors that follow instructions; `kind` as for `random_instruction`."""
    rng = np.random.default_rng((HELD_OUT, number))
    scene = random_scene(rng)
    return Case(scene, random_instruction(scene, rng, kind), scene)


def make_captioned_case(number: int, kind: str | None) -> Case:
    """For the editor that draws edges by a caption; `kind` as for `random_caption`."""
    rng = np.random.default_rng((HELD_OUT, number))
    scene = random_scene(rng)
    return Case(scene, random_caption(scene, rng, kind), make_plain_scene(scene))


def make_inpainted_case(number: int, kind: str | None) -> Case:
    """For inpainting: the region is where the attributes of the instruction are at home; an object's own zone, and for
    the others the sky or the ground."""
    rng = np.random.default_rng((HELD_OUT, number))
    scene, regions = random_scene(rng), {}
    for attribute in OPEN:
        left, top, right, bottom = (round(v) for v in find_zone(scene, attribute))
        if attribute == "season" or (attribute in ("time", "weather") and rng.random() < 0.5):
            top, bottom = bottom, SIZE
        regions[attribute] = np.zeros((SIZE, SIZE), bool)
        regions[attribute][top:bottom, left:right] = True
    while True:
        if kind == "compound":
            asked = list(rng.choice(list(OPEN), 2, replace=False))
        else:
            asked = [kind if kind in OPEN else list(OPEN)[rng.integers(len(OPEN))]]
        region = np.any([regions[a] for a in asked], axis=0)
        visible = remove_hidden(scene, region)
        instruction = random_instruction(visible, rng, kind if kind in ("neutral", "compound") else str(asked[0]))
        change = find_changes_inside(scene, region, instruction.words)
        if kind == "neutral" or set(change) == set(asked):  # what two clauses ask for has to suit the region
            return Case(scene, instruction, visible, region, scene)


CASES: dict[str, Callable[[int, str | None], Case]] = {
    "instruct-pix2pix": make_instructed_case,
    "img2img-turbo": make_instructed_case,
    "img2img-turbo-edges": make_captioned_case,
    "inpaint": make_inpainted_case,
}


def find_nearest(edit: Image.Image, case: Case, options: list[Changes], rng: np.random.Generator) -> tuple[Changes, float]:
    """The candidate nearest to the edit, and its error: each candidate's best of DRAWS draws of what is left open.

    One of the draws is the input's own, so that a candidate that keeps an attribute can keep how it looks.
    """
    attributes = sorted({a for option in options for a in option})
    draws = [case.scene] + [redraw(case.scene, attributes, rng) for _ in range(DRAWS - 1)]
    errors = [min(case.measure_error(edit, draw(replace(d, **option))) for d in draws) for option in options]
    best = int(np.argmin(errors))
    return options[best], errors[best]


def carried_out(edit: Image.Image, case: Case, rng: np.random.Generator) -> tuple[bool, float]:
    """Whether the edit is nearer to the ideal than to anything it could be mistaken for, and the error to the nearest.

    For words that ask for nothing: whether it is nearer to the input than to any change of one attribute.
    """
    change = case.find_changes(case.words)
    if not change:
        options: list[Changes] = [{}] + [{a: v} for a, values in VALUES.items() for v in values if v != getattr(case.scene, a)]
        found, distance_ = find_nearest(edit, case, options, rng)
        return found == {}, distance_
    found, distance_ = find_nearest(edit, case, list_candidates(change), rng)
    if change.get("car") == "any" and found["car"] in COLOURS:
        found = found | {"car": "any"}
    return found == change, distance_
