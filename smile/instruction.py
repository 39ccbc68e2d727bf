"""An instruction as a list of words, and the texts that remain when words are left out.

One feature is one *position*: a word that occurs twice is two features, and kept words stay in their original order.
Nothing is ever added to fill a text up, so the text that the editor sees and the row of `keep` always agree.
"""

from collections.abc import Iterable

from smile.errors import InputError

MAX_WORDS = 64


def words(instruction: str) -> list[str]:
    """The whitespace-separated words of an instruction, in order.

    Raises InputError unless there are 1 to 64 of them.
    """
    if not isinstance(instruction, str):
        raise InputError(f"The instruction must be text, not {type(instruction).__name__}.")
    found = instruction.split()
    if not found:
        raise InputError('The instruction is empty; write what should change, for example "make it snow".')
    if len(found) > MAX_WORDS:
        raise InputError(f"The instruction has {len(found)} words, but at most {MAX_WORDS} can be explained; shorten it.")
    return found


def perturbed(words: list[str], keep: Iterable[bool]) -> str:
    """The kept words in their original order; "" when none is kept. `keep` has one value for each word."""
    return " ".join(word for word, kept in zip(words, keep, strict=True) if kept)


def check_fits(words: list[str], editor: object) -> None:
    """Raise InputError, naming the words that would be lost, where the editor's token limit truncates the instruction.

    An editor that has such a limit offers `lost_words(text) -> list[str]`; others take any text.
    """
    lost = editor.lost_words(" ".join(words)) if hasattr(editor, "lost_words") else []
    if lost:
        raise InputError(f"The instruction is longer than this editor reads; it would lose “{' '.join(lost)}”, so shorten it.")
