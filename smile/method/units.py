"""An instruction as a list of words, and the texts that remain when words are left out.

One feature is one *position*: a word that occurs twice is two features, and kept words stay in their original order.
Nothing is ever added to fill a text up, so the text that the editor sees and the row of `mask` always agree.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from smile.errors import InputError, shown

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


def split_instruction(instruction: str, join: Iterable[str] = (), hold: Iterable[str] = ()) -> Units:
    """The words of an instruction as units, one space apart, joined and held as `regroup` does. Raises InputError as it and
    `words`."""
    found = words(instruction)
    return regroup(Units(tuple(found), (" ",) * (len(found) - 1), tuple(range(len(found)))), join, hold)


def regroup(units: Units, join: Iterable[str] = (), hold: Iterable[str] = ()) -> Units:
    """The same text in fewer units.

    join: phrases of at least two pieces, each of which is one unit wherever it stands. hold: pieces or phrases that stay in
    every perturbed text, and are no units. Raises InputError for a phrase that does not stand in the text, or tears a piece,
    for one that overlaps with another or is held already, and where everything is held.
    """
    flat = [(word, piece) for piece, text in enumerate(units.pieces) for word in text.split()]
    owners, taken = [*units.owners], {piece for piece, owner in enumerate(units.owners) if owner is None}
    for phrases, held in ((join, False), (hold, True)):
        for phrase in phrases:
            for place in _find_phrase([word for word, _ in flat], phrase):
                pieces = [piece for piece in range(flat[place[0]][1], flat[place[-1]][1] + 1)]
                if sum(piece in pieces for _, piece in flat) != len(place):
                    raise InputError(f"“{shown(phrase)}” is not made of whole units; name them as they are.")
                if taken & set(pieces):
                    raise InputError(f"“{shown(phrase)}” is joined or held twice; name each word once.")
                if not held and len(pieces) < 2:
                    raise InputError(f"“{shown(phrase)}” is one word; join at least two.")
                taken |= set(pieces)
                for piece in pieces:
                    owners[piece] = None if held else owners[pieces[0]]
    kept = sorted({owner for owner in owners if owner is not None})
    if not kept:
        raise InputError("Every word is held, so none is left to explain; hold fewer.")
    return Units(units.pieces, units.gaps, tuple(None if owner is None else kept.index(owner) for owner in owners))


def _find_phrase(found: list[str], phrase: str) -> list[range]:
    """Where the words of a phrase stand, one after another. Raises InputError where they do not."""
    wanted = phrase.split()
    starts = range(len(found) - len(wanted) + 1) if wanted else ()
    places = [range(i, i + len(wanted)) for i in starts if found[i : i + len(wanted)] == wanted]
    if not places:
        raise InputError(f"“{shown(phrase)}” does not stand in the text, so it cannot be joined or held; write it alike.")
    return places
