"""Words in sentences: quoted so that those of right-to-left scripts turn nothing around, and units that are no single words."""

import unicodedata
from collections.abc import Sequence

RIGHT_TO_LEFT = ("R", "AL", "AN")
ISOLATE, END_ISOLATE = "\u2068", "\u2069"  # what is between is ordered by itself (Unicode annex 9)
UNSPACED = {"CJK": 5, "HIRAGANA": 5, "KATAKANA": 5, "THAI": 13, "LAO": 13, "KHMER": 13, "MYANMAR": 13}  # letters: no one word


def is_right_to_left(text: str) -> bool:
    """Whether it holds a letter that is written from right to left."""
    return any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in text)


def isolate_words(sentence: str, words: Sequence[str]) -> str:
    """The sentence, in which each quoted word of a right-to-left script is isolated: the number after it stays whole."""
    for word in dict.fromkeys(words):
        if is_right_to_left(word):
            sentence = sentence.replace(f"“{word}”", f"“{ISOLATE}{word}{END_ISOLATE}”")
    return sentence


def join_names(names: Sequence[str], last: str = "and") -> str:
    """One or more names in a sentence: “night”, “snow” and “car”."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else names[0]


def describe_unspaced(words: Sequence[str]) -> str:
    """A sentence on units that are surely several words of a script that writes no spaces; empty where there are none."""
    long = [f"“{word}”" for word in words if _is_unspaced(word)]
    if not long:
        return ""
    one = len(long) == 1
    taken = "is taken as one unit" if one else "are taken as one unit each"
    return f"{' and '.join(long)} {taken}, because units stand between spaces; put spaces between words to tell them apart."


def _is_unspaced(word: str) -> bool:
    scripts = [unicodedata.name(letter, "").partition(" ")[0] for letter in word]
    return any(scripts.count(script) >= least for script, least in UNSPACED.items()) or (
        sum(scripts.count(script) for script in ("CJK", "HIRAGANA", "KATAKANA")) >= UNSPACED["CJK"]
    )
