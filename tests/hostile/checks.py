"""What an answer to a hostile input must be: one sentence, or an explanation that may be believed."""

import math

from hostile import EITHER, GOOD
from smile import InputError


def check_sentence(said: str, says: str = "") -> None:
    assert isinstance(said, str) and says in said and len(said.splitlines()) == 1 and len(said) < 1000, said
    assert said.rstrip().endswith((".", "”)")) and "Traceback" not in said and "site-packages" not in said, said
    assert all(letter.isprintable() for letter in said), said


def check_explanation(answer: dict, instruction: str) -> None:
    """The words of the instruction, all edits made, numbers that are numbers."""
    words = instruction.split()
    assert answer["words"] == words and not answer["provisional"] and answer["failed"] == 0
    assert len(answer["weights"]) == len(words) and answer["texts"][0] == " ".join(words)
    assert all(value is None or math.isfinite(value) for value in answer["weights"])


def call(says: str, function, *given, **options):
    """What the function returns; None where it refuses, as it should, in one sentence."""
    try:
        returned = function(*given, **options)
    except InputError as error:
        assert says != GOOD, error
        check_sentence(str(error), "" if says == EITHER else says)
        return None
    assert says in (GOOD, EITHER), "it was accepted"
    return returned
