"""Models by name: ours, and those that an installed package of anybody's adds by an entry point.

These lines in a package's pyproject.toml add an editor to Python, the command line and the page:

    [project.entry-points."smile.editors"]
    my-editor = "my_package:MyEditor"

`MyEditor` is a class or function that returns an editor (`smile.models.protocols.Editor`). It is called with those of the
keyword arguments `weights` (a set's name, "auto", or what the user wrote) and `device` (a torch device, or None for the
model's own choice) that it takes. It may have two attributes: `weight_sets`, a tuple with the names of the sets of weights to
choose from, and `takes_region`, True if the editor needs a region. The editor gets the entry point's name as its `name` and,
unless it says one of its sets itself, what was asked for as its `weights`, so that a saved explanation tells how to load it.

A language model is added in the same way, to the group `smile.language_models`. Entry points are read once, and their
packages are imported when somebody asks for more than the name. One whose package cannot be imported stays in the list,
with the reason as its `problem`.
"""

import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from smile.errors import InputError, shown
from smile.models.folders import is_whole
from smile.models.hub import is_bundled
from smile.paths import MODELS


@dataclass(frozen=True)
class Entry:
    """What is known of a model before its weights are loaded, which takes seconds."""

    target: str  # "module:callable"; the callable takes `weights` and `device`, or one of them, or nothing
    # The sets that people choose from, each with the folder under assets/models or the Hub repository that it lies in, ""
    # where nobody knows. "auto" and weights of one's own go too.
    weights: Mapping[str, str] = field(default_factory=lambda: {"auto": ""})
    needs_region: bool = False
    captions: tuple[str, ...] = ()  # the sets that expect a description of the result and not an instruction
    problem: str = ""  # one sentence, where it cannot be used

    def load(self, weights: str, device: str | None, **extras: Any) -> Any:
        """What the callable returns. `extras`: what else is asked for, by the callable's names.

        Raises InputError where there is a `problem` or it does not take one of them, and whatever the callable raises."""
        if self.problem:
            raise InputError(self.problem)
        make = resolve_name(self.target)
        for name in extras:
            if not _takes(make, name):
                raise InputError(f"This model has no {name} to choose; leave {name} out.")
        return make(
            **{name: value for name, value in (("weights", weights), ("device", device)) if _takes(make, name)} | extras
        )

    def expects(self, weights: str) -> str:
        """What a text must be for these weights: "instruction" or "caption"."""
        return "caption" if weights in self.captions else "instruction"

    def is_downloaded(self, weights: str) -> bool | None:
        """Whether this set of weights is on this machine; None where nobody can know."""
        place = self.weights.get(weights)
        if not place:
            return None
        if is_bundled(weights):
            return (MODELS / place).is_dir()
        return is_downloaded(place)


def is_downloaded(repository: str) -> bool:
    """Whether a diffusers repository is in the Hub's cache on this machine, whole."""
    from huggingface_hub.constants import HF_HUB_CACHE

    snapshots = Path(HF_HUB_CACHE, f"models--{repository.replace('/', '--')}", "snapshots").glob("*")
    return any(is_whole(snapshot) for snapshot in snapshots)


class Registry(Mapping[str, Entry]):
    """Entries by name: `bundled`, then those of the entry points in `group` under other names.

    `kind` is what messages call such a model, `method` what it must be able to do.
    """

    def __init__(self, group: str, kind: str, method: str, bundled: dict[str, Entry]):
        self.group, self.kind, self.method, self.bundled = group, kind, method, bundled

    def __iter__(self) -> Iterator[str]:
        return iter({**self.bundled, **find_entry_points(self.group)})

    def __len__(self) -> int:
        return len({**self.bundled, **find_entry_points(self.group)})

    def __contains__(self, name: object) -> bool:
        return name in self.bundled or name in find_entry_points(self.group)

    def __getitem__(self, name: str) -> Entry:
        return self.bundled[name] if name in self.bundled else _read_entry(find_entry_points(self.group)[name])

    def load(self, name: str, weights: str, device: str | None, **extras: Any) -> Any:
        """The model called `name`, ready to use. Raises InputError where there is none, or it lacks `method`."""
        if name not in self:
            there = f"there is {', '.join(self)}" if self else f"install a package with an entry point in “{self.group}”"
            raise InputError(f"There is no {self.kind} called “{shown(name)}”; {there}.")
        model = self[name].load(weights, device, **extras)
        if not callable(getattr(model, self.method, None)):
            raise InputError(f"{name} is no {self.kind}: a {type(model).__name__} has no method “{self.method}”.")
        if name not in self.bundled:
            with suppress(AttributeError):  # somebody's object may have fixed attributes
                model.name = name
                if getattr(model, "weights", None) not in self[name].weights:
                    model.weights = str(weights)
        return model


@functools.cache
def find_entry_points(group: str) -> dict[str, EntryPoint]:
    """The entry points in `group` by name; of two with one name the first that is found."""
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        points.setdefault(point.name, point)
    return dict(sorted(points.items()))


@functools.cache
def _read_entry(point: EntryPoint) -> Entry:
    """What an entry point says of its model."""
    try:
        made = point.load()
        if not callable(made):
            raise TypeError("it is not callable")
        sets = tuple(str(each) for each in getattr(made, "weight_sets", ())) or ("auto",)
        return Entry(f"{point.module}:{point.attr}", dict.fromkeys(sets, ""), getattr(made, "takes_region", None) is True)
    except (Exception, SystemExit) as error:  # importing somebody's package can raise anything
        package = point.dist.name if point.dist else point.value
        reason = shown(error, 200).rstrip(".") or type(error).__name__
        return Entry(point.value, problem=f"{point.name} of the package {package} cannot be loaded ({reason}); reinstall it.")


def _takes(function: Any, name: str) -> bool:
    """Whether `function` can be called with the keyword argument `name`."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # it is written in C
        return False
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())
