"""What the weights never saw, in a sentence: said before a run, in the answer's first line, and in whatever is exported; and
before it, where a check found that the numbers are not the model's."""

from collections.abc import Sequence

from smile.report.protocols import NumbersLike
from smile.report.words import describe_unspaced, isolate_words, join_names

NAMED = 4  # words in a sentence
UNLIKE = 1.0  # a distance above this is unlike what the weights know


def write_warning(e: NumbersLike) -> str:
    """That a check refuted its numbers, what of the picture and the words the weights never saw, and which unit is several
    words; "" where there is nothing to say."""
    of = e.settings
    untaught = [e.words[i] for i in of.get("untaught", ())]
    unknown = describe_unknown(of.get("knows", ""), of.get("picture_distance", 0.0), untaught, e.words)
    return " ".join(filter(None, [e.refuted, unknown]))


def describe_unknown(knows: str, distance: float, untaught: Sequence[str], words: Sequence[str]) -> str:
    """The same of plain values.

    knows: what the weights know. distance: of the picture; above 1 it is unlike that. untaught: those of all `words` that the
    weights were never taught.
    """
    unlike, never = distance > UNLIKE, f"never taught {_name_meanings(untaught)}" if untaught else ""
    said = ""
    if knows and unlike:
        said = f"These weights know {knows} only, and this picture is unlike them"
        said += f"; they were {never}." if never else "."
    elif knows and never:
        said = f"These weights were {never}; they know {knows} only."
    return isolate_words(" ".join(filter(None, [said, describe_unspaced(words)])), words)


def _name_meanings(words: Sequence[str]) -> str:
    """what “zebra” and “boat” mean"""
    distinct = list(dict.fromkeys(word.strip(".,;:?!") or word for word in words))
    names = [f"“{word}”" for word in distinct[:NAMED]]
    more = len(distinct) - NAMED
    names += [f"{more} more word{'s' if more > 1 else ''}"] if more > 0 else []
    return f"what {join_names(names)} mean{'s' if len(distinct) == 1 else ''}"
