"""What a suite asks: editors, or one language model, each with weights and settings."""

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import Field

from smile.errors import InputError
from smile.models.editors import EDITORS
from smile.models.language_models import LANGUAGE_MODELS, is_place
from smile.scenarios.fields import (
    LARGEST,
    Entry,
    Number,
    Text,
    check_at,
    check_choice,
    check_keys,
    check_number,
    find_repeated,
    require,
)

AUTO = "auto"
SETTINGS = {"temperature": ("number", 0, LARGEST), "max_tokens": ("whole number", 1, LARGEST)}  # of a language model


class ModelEntry(Entry):
    """An editor or a language model, as a suite names it."""

    name: Text
    weights: Text = AUTO
    settings: dict[Text, Number] = Field(default_factory=dict)


class Model(NamedTuple):
    """An editor or a language model; `label` is its name, with more where two would be called the same."""

    label: str
    name: str
    weights: str
    settings: tuple[tuple[str, float], ...]

    @property
    def takes_region(self) -> bool:
        """Whether it is an editor that needs the part of the picture that may change."""
        return self.name in EDITORS and EDITORS[self.name].needs_region


def list_editors(entries: Iterable[ModelEntry]) -> list[Model]:
    """The editors. Raises InputError where one is there twice."""
    models = [_make_model(entry) for entry in entries]
    twice = find_repeated(models)
    require(twice is None, f"The editor {twice and twice.name} is there twice with the same weights and settings.")
    names = [model.name for model in models]
    return [each if names.count(each.name) == 1 else each._replace(label=_make_long_label(each)) for each in models]


def check_editors(models: Iterable[Model]) -> None:
    """Raise InputError for an editor that there is not."""
    for order, model in enumerate(models, 1):
        check_at(f"name of editor {order}", check_choice, EDITORS, model.name)


def make_language_model(entry: ModelEntry, anywhere: bool) -> Model:
    """The language model.

    anywhere: whether it may be a folder or a repository of the Hub. Raises InputError for one that there is not, and for
    settings that it cannot have.
    """
    names = ", ".join(LANGUAGE_MODELS)
    there = entry.name in LANGUAGE_MODELS or (anywhere and is_place(entry.name))
    other = ", a folder or a repository of the Hub" if anywhere else ""
    require(there, f"The language model must be one of {names}{other}, not “{entry.name[:60]}”.")
    check_at("settings of the language model", check_keys, SETTINGS, (), entry.settings)
    for name, value in entry.settings.items():
        check_at(f"{name} of the language model", check_number, *SETTINGS[name], value)
    if not anywhere and entry.weights != AUTO:
        raise InputError(f"{entry.name} has its own weights here; take out “weights”, or run the suite on the command line.")
    return _make_model(entry)


def _make_model(entry: ModelEntry) -> Model:
    return Model(entry.name, entry.name, entry.weights, tuple(sorted(entry.settings.items())))


def _make_long_label(model: Model) -> str:
    return ", ".join([model.name, model.weights, *(f"{name} {value:g}" for name, value in model.settings)])
