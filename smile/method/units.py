"""An instruction as a list of words, and the texts that remain when words are left out.

One feature is one *position*: a word that occurs twice is two features, and kept words stay in their original order.
Nothing is ever added to fill a text up, so the text that the editor sees and the row of `mask` always agree.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from smile.errors import InputError

MAX_WORDS = 64
MAX_LETTERS = 1000  # several times what any editor reads
TURNS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}  # they reorder what follows them
UNSEEN = ("Cc", "Cf", "Cs", "Cn", "Zs", "Mn", "Me")  # categories of what shows nothing by itself
SAYING = ("L", "N", "S")  # of letters, digits and symbols such as emoji


def words(instruction: str) -> list[str]:
    """The whitespace-separated words of an instruction, in order.

    Raises InputError unless there are 1 to 64 of them, all of which can be seen, in the order in which they are read.
    """
    if not isinstance(instruction, str):
        raise InputError(f"The instruction must be text, not {type(instruction).__name__}.")
    if len(instruction) > MAX_LETTERS and len(instruction.split()) <= MAX_WORDS:
        raise InputError(f"The instruction has {len(instruction)} letters, but at most {MAX_LETTERS} are read; shorten it.")
    found = instruction.split()
    if not found:
        raise InputError('The instruction is empty; write what should change, for example "make it snow".')
    if len(found) > MAX_WORDS:
        raise InputError(f"The instruction has {len(found)} words, but at most {MAX_WORDS} can be explained; shorten it.")
    for letter in "".join(found):
        if letter in TURNS:
            raise InputError("The instruction holds invisible signs that turn the order of its letters; type it anew.")
        if unicodedata.category(letter) in ("Cc", "Cs"):
            raise InputError("The instruction holds control characters; type it anew.")
    if any(all(unicodedata.category(letter) in UNSEEN for letter in word) for word in found):
        raise InputError("The instruction holds a word that cannot be seen; type it anew.")
    if not any(unicodedata.category(letter)[0] in SAYING for letter in "".join(found)):
        raise InputError("The instruction is punctuation only; write what should change.")
    return found


def normalise_word(word: str) -> str:
    """The word in lower case, without the punctuation around it."""
    return word.lower().strip(".,;:!?\"'()")


def perturbed(words: list[str], mask: Iterable[bool]) -> str:
    """The kept words in their original order; "" when none is kept. `mask` has one value for each word."""
    return " ".join(word for word, kept in zip(words, mask, strict=True) if kept)


@dataclass(frozen=True)
class Units:
    """A text as pieces, each of which belongs to a unit (a feature of the method) or is held, that is, in every perturbed text.

    gaps[i] is the white space between pieces i and i + 1.
    """

    pieces: tuple[str, ...]
    gaps: tuple[str, ...]
    owners: tuple[int | None, ...]  # the unit of each piece, from 0; None: held

    @property
    def text(self) -> str:
        """The full text."""
        return self._join(range(len(self.pieces)))

    @property
    def names(self) -> list[str]:
        """(k,) what each unit is called: its pieces as they stand in the text."""
        count = 1 + max((owner for owner in self.owners if owner is not None), default=-1)
        return [self._join([i for i, owner in enumerate(self.owners) if owner == unit]) for unit in range(count)]

    def perturb(self, mask: Iterable[bool]) -> str:
        """The held pieces and those of the kept units, mask (k,), in their order. Where something between two of them is left
        out, the gap with the most line breaks stays."""
        kept = list(mask)
        return self._join([i for i, owner in enumerate(self.owners) if owner is None or kept[owner]])

    def _join(self, chosen: Iterable[int]) -> str:
        text, last = "", -1
        for i in chosen:
            text += ("" if last < 0 else max(self.gaps[last:i], key=lambda gap: gap.count("\n"))) + self.pieces[i]
            last = i
        return text


def split_instruction(instruction: str) -> Units:
    """The words of an instruction as units, one space apart. Raises InputError as `words`."""
    found = words(instruction)
    return Units(tuple(found), (" ",) * (len(found) - 1), tuple(range(len(found))))
