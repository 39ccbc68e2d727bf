"""Captions for pictures that are drawn from edges alone: "a red car on a road at night".

Edges show where things are, not what light or weather there is. So a caption is read as an instruction on the plain
scene that the edges leave open: a clear summer day, and a red car where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from smile.toyroad.grammar import COLOURS, Instruction
from smile.toyroad.scene import Scene


def make_plain_scene(scene: Scene) -> Scene:
    """The scene that an empty caption asks for: the same things in the same places, everything else ordinary."""
    return replace(scene, time="day", weather="clear", season="summer", car="red" if scene.car else None)


TIMES = {"night": ("at night", "in the night", "at midnight"), "sunset": ("at sunset", "at dusk", "in a sunset")}
WEATHERS = {
    "snow": ("in snow", "when it is snowing", "in snowy weather"),
    "rain": ("in rain", "when it is raining", "in rainy weather"),
    "fog": ("in fog", "in misty weather", "in foggy weather"),
}
SEASONS = {"autumn": ("in autumn", "in autumnal colors")}
PHRASES: dict[str, Mapping[str, tuple[str, ...]]] = {"time": TIMES, "weather": WEATHERS, "season": SEASONS}
NAMED = {"neutral": 0, "single": 1, "compound": 2}  # attributes
SUBJECTS = ("a road", "the road", "a picture of a road", "a quiet road", "a country road", "this street", "a small road")
COLOURED = ("a {} car on {}", "{1} with a {0} car", "a photo of a {} car on {}", "one {} car and {}")


def random_caption(scene: Scene, rng: np.random.Generator, kind: str | None = None) -> Instruction:
    """A caption for a picture with this scene's edges.

    kind: "neutral", "compound", "single", an attribute's name (any single one where it cannot be named), or None for a
    mixture.
    """
    if kind is None:
        kind = ("single", "compound", "neutral")[rng.choice(3, p=(0.5, 0.35, 0.15))]
    able = [*PHRASES, *(["car"] if scene.car else [])]
    named = [kind] if kind in able else sorted(rng.choice(able, NAMED.get(kind, 1), replace=False))
    text = SUBJECTS[rng.integers(len(SUBJECTS))]
    if "car" in named:
        colour = [c for c in COLOURS if c != "red"][rng.integers(len(COLOURS) - 1)]
        text = COLOURED[rng.integers(len(COLOURED))].format(colour, text)
    for attribute in rng.permutation([a for a in named if a != "car"]):
        values = list(PHRASES[attribute])
        phrases = PHRASES[attribute][values[rng.integers(len(values))]]
        text += " " + phrases[rng.integers(len(phrases))]
    return Instruction(text, str(named[0]) if len(named) == 1 else kind)
