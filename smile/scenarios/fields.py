"""The kinds of values in the files of a suite and of its run, as pydantic types, and the one sentence for what does not fit.

A sentence names the place and lines up what is allowed, so that a file of a hundred lines can be put right from it alone.
"""

import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, PlainValidator, ValidationError, model_validator

from smile.errors import InputError

LONGEST = 1000  # characters of a text
HUGE = 1e15
LARGEST = 2**32 - 1  # of whole numbers
T = TypeVar("T")
M = TypeVar("M", bound="Entry")


class Unfit(ValueError):
    """What is wrong with a value, as the rest of a sentence that begins with its place."""


class Entry(BaseModel):
    """A mapping with these keys and no others."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, given: Any) -> Any:
        required = (name for name, field in cls.model_fields.items() if field.is_required())
        return check_keys(cls.model_fields, required, given)


def parse(model: type[M], given: Any, whole: str, part_of: str = "") -> M:
    """What `given`, plain values from a file, says. `whole`: what it is called; `part_of`: how its fields' places end.

    Raises InputError for the first value that does not fit.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        cause = first.get("ctx", {}).get("error") or re.sub(r"^\w+ should", "should", first["msg"])
        if isinstance(cause, InputError):  # a whole sentence
            raise cause from None
        raise InputError(_say(_describe_place(first["loc"], whole, part_of), cause)) from None


def check_at(place: str, check: Callable[..., T], *arguments: Any) -> T:
    """What `check` returns of something that could not be checked when it was parsed, as it depends on the rest.

    Raises InputError, with the place, where the check raises Unfit.
    """
    try:
        return check(*arguments)
    except Unfit as unfit:
        raise InputError(_say(place, unfit)) from None


def require(condition: Any, sentence: str) -> None:
    """Raise InputError with the sentence unless the condition holds."""
    if not condition:
        raise InputError(sentence)


def find_repeated(items: Iterable[T]) -> T | None:
    """The first item that comes a second time; None where none does."""
    seen: set[T] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


# Checks, which return the value or raise Unfit


def check_keys(keys: Iterable[str], required: Iterable[str], value: Any) -> Any:
    """A mapping of some of `keys`, all that are `required` among them."""
    keys = list(keys)
    if not isinstance(value, dict):
        raise Unfit(f"must be a mapping of {', '.join(keys)}, not {_show(value)}")
    for key in value:
        if key not in keys:
            raise Unfit(f"cannot have {_show(key)}; it can have {', '.join(keys)}")
    for key in required:
        if key not in value:
            raise Unfit(f"lacks “{key}”")
    return value


def check_choice(allowed: Iterable, value: Any) -> Any:
    """One of those allowed; true is not 1 here."""
    allowed = list(allowed)
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise Unfit(f"must be one of {', '.join(map(_write, allowed))}, not {_show(value)}")
    return value


def check_text(value: Any) -> str:
    """With single spaces; a text that can be printed, and not empty."""
    good = isinstance(value, str) and value.strip() and len(value) <= LONGEST and " ".join(value.split()).isprintable()
    if not good:
        hint = "; put it in quotes" if isinstance(value, (bool, int, float)) else ""
        raise Unfit(f"must be a text of 1 to {LONGEST} characters, not {_show(value)}{hint}")
    return " ".join(value.split())


def check_number(kind: str, lowest: float, highest: float, value: Any) -> Any:
    """A "number", or a "whole number", in this range and below 1e15."""
    possible = int if kind == "whole number" else (int, float)
    good = isinstance(value, possible) and not isinstance(value, bool) and -HUGE < value < HUGE
    if not good or not lowest <= value <= highest:
        between = "" if math.isinf(lowest) else f" from {lowest:g} to {highest:.10g}"
        raise Unfit(f"must be a {kind}{between}, not {_show(value)}")
    return value


def _check_list(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        raise Unfit(f"must be a list with at least one in it, not {_show(value)}")
    return value


def fits(check: Callable, *arguments: Any) -> PlainValidator:
    """The values that `check(*arguments, value)` returns."""
    return PlainValidator(partial(check, *arguments))


def shorthand(kind: type, key: str) -> BeforeValidator:
    """A value of this kind stands for a mapping of only this key to it."""
    return BeforeValidator(lambda given: {key: given} if isinstance(given, kind) else given)


Text = Annotated[str, fits(check_text)]
Number = Annotated[float, fits(check_number, "number", -math.inf, math.inf)]
Several = Annotated[tuple[T, ...], FailFast(), BeforeValidator(_check_list)]  # a list that is not empty


# Sentences


def _say(place: str, predicate: Any) -> str:
    return f"{place[0].upper()}{place[1:]} {predicate}."


def _describe_place(place: tuple[int | str, ...], whole: str, part_of: str) -> str:
    """“name of editor 1” for ("editors", 0, "name")."""
    if not place:
        return whole
    *above, last = place
    if above == ["attributes"]:
        return f"attribute “{last}”"
    if isinstance(last, int):
        last = f"{str(above.pop()).removesuffix('s')} {last + 1}"
    elif last == "[key]":  # pydantic's sign for the key before it
        above, last = above[:-1], "a name"
    elif last == "of":
        last = "“of”"
    if above and above[-1] == "settings":
        above.pop()
    outer = _describe_place(tuple(above), part_of, part_of)
    return f"{last} of {outer}" if outer else str(last)


def _write(value: Any) -> str:
    return value if isinstance(value, str) else {True: "true", False: "false", None: "null"}[value]


def _show(value: Any) -> str:
    """What somebody wrote, short and on one line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return _write(value)
    if isinstance(value, (int, float)) and not -HUGE < value < HUGE:
        return "a number of that size"
    text = str(value)[:60]
    return f"“{text}”" if text.isprintable() else "something unprintable"
