"""A prompt as units that can be left out, and an answer as segments.

Units are words, or sentences, or the words of one sentence; what is no unit is held, that is, in every perturbed prompt. White
space between units belongs to the prompt: line breaks stay. Segments play the part that places play in a picture.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from smile.errors import InputError, shown
from smile.method.units import MAX_WORDS, SAYING, TURNS, UNSEEN, Units, regroup

UNITS = ("auto", "words", "sentences")
SEGMENTS = ("auto", "sentences", "words", "whole")
MAX_LETTERS = 10_000
MOST_SEGMENTS = 24
WHITE = "\n\r\t"  # control characters that a prompt may hold
SHORT = {
    "mr.",
    "mrs.",
    "ms.",
    "dr.",
    "prof.",
    "st.",
    "e.g.",
    "i.e.",
    "etc.",
    "vs.",
    "no.",
    "fig.",
    "approx.",
}  # end no sentence
END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]+[”」』]*|\n+")

Span = tuple[int, int]


def split_prompt(prompt: str, how: str = "auto", within: int | None = None) -> Units:
    """The prompt in its units. `how`: "words", "sentences", or "auto": words where there are at most 64, else sentences.
    `within`: the number of a sentence, from 0; its words are the units then, and all else is held.

    Raises InputError for what is no text, empty, too long, punctuation only, or holds what cannot be seen; and for more than
    64 units.
    """
    prompt = check_prompt(prompt)
    if how not in UNITS:
        raise InputError(f"There are no units “{shown(how)}”; there is {', '.join(UNITS)}.")
    sentences = find_sentences(prompt)
    spans = [
        (start + at.start(), start + at.end(), i)
        for i, (start, end) in enumerate(sentences)
        for at in re.finditer(r"\S+", prompt[start:end])
    ]
    of = [sentence for _, _, sentence in spans]  # the sentence of each piece
    if within is not None:
        if isinstance(within, bool) or not isinstance(within, int) or not 0 <= within < len(sentences):
            raise InputError(f"There is no sentence {shown(within)}; they are numbered 0 to {len(sentences) - 1}.")
        first = of.index(within)
        owners = [i - first if sentence == within else None for i, sentence in enumerate(of)]
        _check_count(of.count(within), "words in this sentence", "shorten it")
    elif how == "words" or (how == "auto" and len(spans) <= MAX_WORDS):
        owners = list(range(len(spans)))
        _check_count(len(spans), "words", "explain its sentences instead")
    else:
        owners = list(of)
        _check_count(len(sentences), "sentences", "shorten it")
        if len(sentences) == 1:
            raise InputError(
                f"The prompt is one sentence of {len(spans)} words, and at most {MAX_WORDS} can be explained; shorten it."
            )
    gaps = [prompt[a[1] : b[0]] for a, b in pairwise(spans)]
    return Units(tuple(prompt[a:b] for a, b, _ in spans), tuple(gaps), tuple(owners))


def split_again(prompt: str, settings: Mapping[str, Any]) -> Units:
    """The prompt in the units that an explanation's settings name. Raises InputError as `split_prompt` and `regroup`."""
    units = split_prompt(prompt, settings["units"], settings["within"])
    return regroup(units, settings.get("join") or (), settings.get("hold") or ())


def check_prompt(prompt: str) -> str:
    """The prompt without the white space around it. Raises InputError for one that cannot be asked."""
    if not isinstance(prompt, str):
        raise InputError(f"The prompt must be text, not {type(prompt).__name__}.")
    if len(prompt) > MAX_LETTERS:
        raise InputError(f"The prompt has {len(prompt)} letters, but at most {MAX_LETTERS} are read; shorten it.")
    prompt = prompt.strip()
    if not prompt:
        raise InputError("The prompt is empty; write what the model should answer.")
    for letter in prompt:
        if letter in TURNS:
            raise InputError("The prompt holds invisible signs that turn the order of its letters; type it anew.")
        if unicodedata.category(letter) in ("Cc", "Cs") and letter not in WHITE:
            raise InputError("The prompt holds control characters; type it anew.")
    if any(all(unicodedata.category(letter) in UNSEEN for letter in word) for word in prompt.split()):
        raise InputError("The prompt holds a word that cannot be seen; type it anew.")
    if not any(unicodedata.category(letter)[0] in SAYING for letter in prompt):
        raise InputError("The prompt is punctuation only; write what the model should answer.")
    return prompt


def find_sentences(text: str) -> list[Span]:
    """(start, end) of the sentences, without the white space between them. A line break ends one, too."""
    cuts = [at.end() for at in END.finditer(text) if text[: at.end()].split()[-1:] and not _is_short(text, at)]
    spans = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        part = text[start:end]
        if part.strip():
            spans.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return spans


def find_segments(answer: str, how: str = "auto") -> list[Span]:
    """(start, end) of the segments of an answer, at most 24: its sentences or words. "auto": sentences where there are two or
    more, else words; “whole”: one. Where there would be more, neighbours are one."""
    if how not in SEGMENTS:
        raise InputError(f"There are no segments “{shown(how)}”; there is {', '.join(SEGMENTS)}.")
    spans = find_sentences(answer) if how != "whole" else [(0, len(answer))]
    if how == "words" or (how == "auto" and len(spans) < 2):
        spans = [at.span() for at in re.finditer(r"\S+", answer)]
    groups = np.array_split(np.arange(len(spans)), min(len(spans), MOST_SEGMENTS)) if spans else []
    return [(spans[group[0]][0], spans[group[-1]][1]) for group in groups]


def assign_tokens(tokens: Sequence[str], segments: Sequence[Span]) -> np.ndarray:
    """(t,) int: the segment of each token text, by where its first letter lies; what lies between two belongs to the first, and
    what follows the last to the last."""
    starts, at, found = [start for start, _ in segments], 0, []
    for token in tokens:
        letter = at + len(token) - len(token.lstrip())
        found.append(max(0, int(np.searchsorted(starts, letter, side="right")) - 1))
        at += len(token)
    return np.maximum.accumulate(np.array(found, int))


def _is_short(text: str, at: re.Match) -> bool:
    """Whether the full stop is that of an abbreviation, or of an initial."""
    if at.group() != ".":
        return False
    word = text[: at.end()].split()[-1].lstrip("(\"'“")
    return word.lower() in SHORT or (len(word) == 2 and word[0].isupper() and word[0] != "I")


def _check_count(count: int, what: str, do: str) -> None:
    if count > MAX_WORDS:
        raise InputError(f"There are {count} {what}, but at most {MAX_WORDS} can be explained; {do}.")
