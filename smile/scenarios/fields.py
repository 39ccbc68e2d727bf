"""What a suite's values may be, each with the one sentence for a value that is not.

A sentence names the key and lines up what is allowed, so that a file of a hundred lines can be put right from it alone.
"""

import math
from collections.abc import Iterable, Iterator

from smile.errors import InputError

LONGEST = 1000  # characters of a text
HUGE = 1e15


def need(condition, says: str) -> None:
    """Raise InputError with the sentence unless the condition holds."""
    if not condition:
        raise InputError(says)


def known(value, where: str, keys: Iterable[str], required: Iterable[str] = ()) -> None:
    """`value` must be a mapping of some of `keys`, all that are `required` among them."""
    need(isinstance(value, dict), f"{_big(where)} must be a mapping of {_list(keys)}, not {_said(value)}.")
    for key in value:
        need(key in list(keys), f"{_big(where)} cannot have {_said(key)}; it can have {_list(keys)}.")
    for key in required:
        need(key in value, f"{_big(where)} lacks “{key}”.")


def each(value, what: str) -> Iterator[tuple[str, object]]:
    """("picture 1", first item), ... of a list that must not be empty."""
    need(isinstance(value, list) and value, f"The {what}s must be a list with at least one in it, not {_said(value)}.")
    for number_, item in enumerate(value, 1):
        yield f"{what} {number_}", item


def listed(value, where: str, allowed: Iterable):
    """`value`, which must be one of those allowed; true is not 1 here."""
    allowed = list(allowed)
    good = any(type(value) is type(one) and value == one for one in allowed)
    need(good, f"{_big(where)} must be one of {_list(allowed)}, not {_said(value)}.")
    return value


def text(value, where: str) -> str:
    """`value` with single spaces; it must be text that can be printed, and not empty."""
    good = isinstance(value, str) and value.strip() and len(value) <= LONGEST and " ".join(value.split()).isprintable()
    hint = "; put it in quotes" if isinstance(value, (bool, int, float)) else ""
    need(good, f"{_big(where)} must be a text of 1 to {LONGEST} characters, not {_said(value)}{hint}.")
    return " ".join(value.split())


def whole(value, where: str, lowest: int, highest: int = 2**32 - 1) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
    need(good, f"{_big(where)} must be a whole number from {lowest} to {highest}, not {_said(value)}.")
    return value


def number(value, where: str, lowest: float = -math.inf, highest: float = math.inf) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and -HUGE < value < HUGE
    between = "" if math.isinf(lowest) else f" from {lowest:g} to {highest:g}"
    need(good and lowest <= value <= highest, f"{_big(where)} must be a number{between}, not {_said(value)}.")
    return value


def _list(names) -> str:
    return ", ".join(_word(name) for name in names)


def _word(value) -> str:
    return value if isinstance(value, str) else {True: "true", False: "false", None: "null"}[value]


def _said(value) -> str:
    """What somebody wrote, short and on one line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return _word(value)
    if isinstance(value, (int, float)) and not -HUGE < value < HUGE:
        return "a number of that size"
    shown = str(value)[:60]
    return f"“{shown}”" if shown.isprintable() else "something unprintable"


def _big(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
