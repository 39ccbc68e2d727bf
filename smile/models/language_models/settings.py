"""What may be set of a language model."""

from collections.abc import Mapping
from typing import Any

from smile.errors import InputError


def check_settings(
    name: str, ranges: Mapping[str, tuple[float, float]], known: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """`settings` as numbers of the kind that `known` has. Raises InputError for an unknown one, or a value out of its range."""
    for setting, value in settings.items():
        if setting not in ranges:
            raise InputError(f"{name} has no setting “{setting}”; there is {', '.join(ranges)}.")
        low, high = ranges[setting]
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise InputError(f"The setting “{setting}” of {name} must be a number from {low:g} to {high:g}.")
        if isinstance(known[setting], int) and value != int(value):
            raise InputError(f"The setting “{setting}” of {name} must be a whole number.")
    return {setting: type(known[setting])(value) for setting, value in settings.items()}
