"""Which words of an instruction should matter: what is known beforehand, or what somebody says.

`relevance.json` has the labels that the method's authors gave to I2EBench instructions, and says where they come from. Toy
Road's grammar labels the instructions that it understands. Every other instruction has to be labelled by a person.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from smile.errors import InputError
from smile.method.units import normalise_word


class Labels(NamedTuple):
    """For each word whether it should matter, and who says so."""

    relevant: list[bool]  # (k,)
    source: str


def find_labels(words: list[str], grammar: Callable[[list[str]], list[bool] | None] | None = None) -> Labels | None:
    """The labels that are known of this instruction; None where there are none.

    An I2EBench instruction is known by its exact text. `grammar` labels the words of any other, or returns None
    (`smile.toyroad.grammar.label_words`).
    """
    published = _read_published().get(" ".join(words))
    if published is not None:
        return Labels([normalise_word(word) in published for word in words], "published labels (I2EBench)")
    relevant = None if grammar is None else grammar(words)
    return None if relevant is None else Labels(relevant, "Toy Road's grammar")


def parse_labels(text: str, words: list[str]) -> Labels:
    """The labels in "snow, night" or "3, 5": words, each wherever it stands, or positions, counted from 1.

    Raises InputError for what is neither.
    """
    relevant = [False] * len(words)
    for part in filter(None, map(str.strip, text.split(","))):
        places = [i for i, word in enumerate(words) if normalise_word(word) == normalise_word(part)]
        if not places and part.isdecimal() and 1 <= int(part) <= len(words):
            places = [int(part) - 1]
        if not places:
            raise InputError(f"“{part}” is neither a word of the instruction nor a position from 1 to {len(words)}.")
        for place in places:
            relevant[place] = True
    return Labels(relevant, "given")


@functools.cache
def _read_published() -> dict[str, set[str]]:
    entries = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))["instructions"]
    return {entry["instruction"]: {normalise_word(word) for word in entry["relevant_words"]} for entry in entries}
