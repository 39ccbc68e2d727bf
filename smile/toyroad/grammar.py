"""Edit instructions for Toy Road, and what each of them means.

The meaning belongs to the *text*, not to the template it came from: `read_changes` reads any sequence of words, so the ideal
edit is known for every subset of the words of an instruction too. That is what makes the training targets for partial
instructions, and the words that should matter, exact instead of guessed.

How a text is read, word by word, case and outer punctuation ignored:
  - a word for a time, weather or season sets it ("night", "snowy", "autumn");
  - "add"/"put"/"place" and "remove"/"erase"/"delete" govern the nouns after them ("tree", "house", "car"), until another
    verb of any kind takes over; a noun that no such verb governs changes nothing;
  - a colour needs the word "car" somewhere in the text, and "car" without a colour or a governing verb does nothing;
  - every other word, known or not, does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from smile.method.units import normalise_word
from smile.toyroad.scene import OPEN, VALUES, Scene, redraw

STATES = {
    **dict.fromkeys(("night", "nighttime", "midnight"), ("time", "night")),
    **dict.fromkeys(("sunset", "dusk"), ("time", "sunset")),
    **dict.fromkeys(("day", "daytime", "daylight"), ("time", "day")),
    **dict.fromkeys(("snow", "snowy", "snowing"), ("weather", "snow")),
    **dict.fromkeys(("rain", "rainy", "raining"), ("weather", "rain")),
    **dict.fromkeys(("fog", "foggy", "misty"), ("weather", "fog")),
    **dict.fromkeys(("clear", "sunny"), ("weather", "clear")),
    **dict.fromkeys(("autumn", "autumnal"), ("season", "autumn")),
    **dict.fromkeys(("summer", "summery"), ("season", "summer")),
}
Changes = dict[str, Any]  # attribute -> value; a bool for tree and house, None for no car, "any" for one of any colour
COLOURS = ("red", "blue", "yellow", "green")
OBJECTS = ("tree", "house", "car")
ADD, REMOVE = ("add", "put", "place"), ("remove", "erase", "delete")
OTHER_VERBS = ("make", "paint", "turn", "change", "show", "let", "set", "give", "transform", "cover", "color")


def read_changes(words: Iterable[str]) -> Changes:
    """What a sequence of words asks for. A car that is added without a colour has the value "any".

    The last word for an attribute wins. Words that ask for nothing give an empty dict.
    """
    words = [normalise_word(w) for w in words]
    asked: Changes = {}
    governor = None
    colours = [w for w in words if w in COLOURS]
    for word in words:
        if word in ADD or word in REMOVE:
            governor = word
        elif word in OTHER_VERBS:
            governor = None
        elif word in STATES:
            attribute, value = STATES[word]
            asked[attribute] = value
        elif word in OBJECTS and governor in ADD:
            asked[word] = "any" if word == "car" else True
        elif word in OBJECTS and governor in REMOVE:
            asked[word] = None if word == "car" else False
    if colours and "car" in words and asked.get("car", "any") is not None:
        # "paint the car red" on an empty road paints nothing; "add a red car" adds one.
        asked["car"] = ("add " if asked.get("car") == "any" else "") + colours[-1]
    return asked


def find_changes(scene: Scene, words: Iterable[str]) -> Changes:
    """The part of `read_changes` that this scene does not show already."""
    result = {}
    for attribute, value in read_changes(words).items():
        present = getattr(scene, attribute)
        if attribute == "car" and isinstance(value, str):
            adds, colour = value.startswith("add "), value.removeprefix("add ")
            if present is None and not adds and value != "any":
                continue
            if present is not None and (colour in ("any", present)):
                continue
            result["car"] = colour
        elif present != value:
            result[attribute] = value
    return result


def make_ideal_scene(scene: Scene, words: Iterable[str], rng: np.random.Generator) -> Scene:
    """The scene after an ideal edit by these words; what they leave open is drawn from `rng`."""
    change = find_changes(scene, words)
    edited = redraw(scene, change, rng)
    for attribute, value in sorted(change.items()):
        if value == "any":
            value = COLOURS[rng.integers(len(COLOURS))]
        edited = replace(edited, **{attribute: value})
    return edited


MEANINGFUL = {*STATES, *COLOURS, *OBJECTS, *ADD, *REMOVE, *OTHER_VERBS}


def find_relevant_words(scene: Scene | None, words: Sequence[str], find: Callable = find_changes) -> list[bool]:
    """For each position, whether that word matters: some subset of the other words means something else with it.

    find: (scene, words) -> changes, where an editor reads words in its own way, as inside a region (default `find_changes`).
    Brute force over all subsets of the words that can mean anything, so exact. Raises ValueError for over 16 of those.
    """
    able = [i for i, word in enumerate(words) if normalise_word(word) in MEANINGFUL]
    if len(able) > 16:
        raise ValueError(f"{len(able)} meaningful words give 2^{len(able)} subsets; relevant() takes at most 16.")
    meaning = {
        mask: find(scene, [words[i] for i, on in zip(able, mask, strict=True) if on])
        for mask in product((False, True), repeat=len(able))
    }
    matters = [False] * len(words)
    for j, i in enumerate(able):
        with_it = {mask: (*mask[:j], True, *mask[j + 1 :]) for mask in meaning if not mask[j]}
        matters[i] = any(meaning[mask] != meaning[more] for mask, more in with_it.items())
    return matters


def label_words(words: Sequence[str]) -> list[bool] | None:
    """(k,) for each word of an instruction, whether it matters on a scene that shows nothing of what they ask for.

    None where the words ask for nothing on Toy Road, or more of them than 16 can mean something.
    """
    if not read_changes(words):
        return None
    try:
        return find_relevant_words(None, words, lambda _, kept: read_changes(kept))
    except ValueError:
        return None


def list_candidates(change: Changes) -> list[Changes]:
    """What an edit that asks for `change` could be mistaken for: every combination of values of the attributes in it.

    The first is the ideal one, unless the words leave the car's colour open: then each colour is ideal. The values that
    the scene has already are among them, so the unchanged input is.
    """
    options = []
    for attribute, value in sorted(change.items()):
        wanted = list(COLOURS) if value == "any" else [value]
        options.append([(attribute, v) for v in [*wanted, *(v for v in VALUES[attribute] if v not in wanted)]])
    return [dict(combination) for combination in product(*options)]


@dataclass(frozen=True)
class Instruction:
    """A text with its kind: "neutral", one attribute's name, or "compound"."""

    text: str
    kind: str

    @property
    def words(self) -> list[str]:
        return self.text.split()


STATE_PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "time": {
        "night": ("make it night", "turn it into night", "change the time to night", "make it a night scene",
                  "show this road at night", "set the scene at midnight", "change to nighttime", "make it look like night"),
        "sunset": ("make it sunset", "turn it into a sunset", "change the time to sunset", "show this road at sunset",
                   "make it dusk", "set the scene at dusk", "make the sky look like sunset"),
        "day": ("make it day", "turn it into day", "change the time to day", "show this road in daylight",
                "make it daytime", "set the scene in daylight"),
    },
    "weather": {
        "snow": ("make it snow", "make it snowy", "let it snow", "change the weather to snow",
                 "transform the weather to snowy", "show this road in snow", "make the weather snowy", "make it snowing"),
        "rain": ("make it rain", "make it rainy", "let it rain", "change the weather to rain",
                 "transform the weather to rainy", "show this road in rain", "make the weather rainy", "make it raining"),
        "fog": ("make it foggy", "cover the road in fog", "change the weather to fog", "transform the weather to foggy",
                "show this road in fog", "make the weather misty", "let the fog come"),
        "clear": ("make the weather clear", "make it sunny", "change the weather to sunny",
                  "transform the weather to clear", "make the sky clear"),
    },
    "season": {
        "autumn": ("make it autumn", "change the season to autumn", "turn it into autumn", "show this road in autumn",
                   "make the season look autumnal"),
        "summer": ("make it summer", "change the season to summer", "turn it into summer", "show this road in summer",
                   "make the season look summery"),
    },
}  # fmt: skip
COLOUR_PHRASES = ("paint the car {}", "make the car {}", "change the car to {}", "turn the car {}",
                  "change the color of the car to {}", "give the car a {} color", "color the car {}")  # fmt: skip
ADD_PHRASES = ("add a {}", "put a {} here", "place a {} in the scene", "add a {} to the picture", "put a {} by the road",
               "add one {}", "place a {} there")  # fmt: skip
REMOVE_PHRASES = ("remove the {}", "erase the {}", "delete the {}", "remove the {} from the picture",
                  "erase the {} from the scene", "delete the {} here")  # fmt: skip
NEUTRAL_PHRASES = ("please", "please leave the picture as it is", "just look at this image", "keep the scene", "hello there",
                   "the same picture again please", "here is the image", "now look at the road", "make it", "the car",
                   "show me the picture", "do nothing to this image", "a tree", "look at the house")  # fmt: skip
BEFORE = ("please", "now", "just", "kindly", "can you", "then please")
AFTER = ("please", "now", "in this image", "in the picture", "here", "of this scene", "for me")


def random_clause(scene: Scene, rng: np.random.Generator, kind: str) -> str:
    """One clause that changes the attribute `kind` of this scene."""

    def pick(options):
        return options[rng.integers(len(options))]

    if kind in STATE_PHRASES:
        value = pick([v for v in STATE_PHRASES[kind] if v != getattr(scene, kind)])
        return pick(STATE_PHRASES[kind][value])
    if kind == "car" and scene.car is None:
        return pick(ADD_PHRASES).format("car" if rng.random() < 0.4 else f"{pick(COLOURS)} car")
    if kind == "car" and rng.random() < 0.75:
        return pick(COLOUR_PHRASES).format(pick([c for c in COLOURS if c != scene.car]))
    return pick(REMOVE_PHRASES if getattr(scene, kind) else ADD_PHRASES).format(kind)


def random_instruction(scene: Scene, rng: np.random.Generator, kind: str | None = None) -> Instruction:
    """An instruction that fits the scene (it asks for something the scene does not show, unless it is neutral).

    kind: "neutral", "compound", "single", an attribute's name, or None for a mixture (60 % single, 30 % compound,
    10 % neutral).
    """
    if kind is None:
        kind = ("single", "compound", "neutral")[rng.choice(3, p=(0.6, 0.3, 0.1))]
    attributes = list(OPEN)
    if kind == "neutral":
        parts = [NEUTRAL_PHRASES[rng.integers(len(NEUTRAL_PHRASES))]]
    elif kind == "compound":
        a, b = rng.choice(len(attributes), 2, replace=False)
        parts = [random_clause(scene, rng, attributes[a]), "and", random_clause(scene, rng, attributes[b])]
    else:
        kind = attributes[rng.integers(len(attributes))] if kind == "single" else kind
        parts = [random_clause(scene, rng, kind)]
    if rng.random() < 0.25:
        parts.insert(0, BEFORE[rng.integers(len(BEFORE))])
    if rng.random() < 0.25:
        parts.append(AFTER[rng.integers(len(AFTER))])
    return Instruction(" ".join(parts), kind)
