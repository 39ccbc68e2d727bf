"""Which words of an instruction should matter: said by whoever asks, or known beforehand.

Known are the published labels of I2EBench instructions, as the method's authors gave them (labels.json says from where),
and whatever Toy Road's grammar understands. Every other instruction waits for a person.
"""

import functools
import json
from pathlib import Path
from typing import NamedTuple

from smile.errors import InputError
from smile.toyroad.grammar import label_words, normalise


class Labels(NamedTuple):
    """For each word whether it should matter, and who says so."""

    relevant: list[bool]  # (k,)
    source: str


def known(words: list[str]) -> Labels | None:
    """The labels that come with this instruction; None where nobody has labelled it.

    An I2EBench instruction is known by its exact text. Toy Road's grammar says which words change a scene that shows
    none of it yet.
    """
    labelled = _i2ebench().get(" ".join(words))
    if labelled is not None:
        return Labels([normalise(word) in labelled for word in words], "published labels (I2EBench)")
    relevant = label_words(words)
    return None if relevant is None else Labels(relevant, "Toy Road's grammar")


def given(text: str, words: list[str]) -> Labels:
    """The labels in "snow, night" or "3, 5": words, each wherever it stands, or positions, counted from 1.

    Raises InputError for what is neither.
    """
    relevant = [False] * len(words)
    for each in filter(None, map(str.strip, text.split(","))):
        places = [i for i, word in enumerate(words) if normalise(word) == normalise(each)]
        if not places and each.isdecimal() and 1 <= int(each) <= len(words):
            places = [int(each) - 1]
        if not places:
            raise InputError(f"“{each}” is neither a word of the instruction nor a position from 1 to {len(words)}.")
        for place in places:
            relevant[place] = True
    return Labels(relevant, "given")


@functools.cache
def _i2ebench() -> dict[str, set[str]]:
    entries = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))["instructions"]
    return {each["instruction"]: {normalise(word) for word in each["relevant_words"]} for each in entries}
