"""A suite's file as plain values. It may come from anybody, so a file can neither run anything nor grow when it is read.

YAML's tags for objects, its aliases (a few lines of which can stand for billions) and its dates are not read, and a key
that is there twice is an error instead of a riddle.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from smile.errors import InputError
from smile.scenarios.fields import find_repeated

MAX_BYTES = 200_000
SUFFIXES = (".yaml", ".yml", ".json")
_TWICE = "“{}” is there twice"
PLAIN = ("map", "seq", "str", "int", "float", "bool", "null", "merge", "value")


def read_mapping(path: Path, most: int = MAX_BYTES) -> dict:
    """The mapping in the file of at most so many bytes, of texts, numbers, booleans, None, lists and mappings.

    Raises InputError, in one sentence, where there is no such file, it is too large, or it holds anything else.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"A suite is a file that ends in {', '.join(SUFFIXES)}, not {path.name}.")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise InputError(f"There is no suite at {path}.") from None
    except OSError as error:
        raise InputError(f"The suite {path} cannot be read ({error.strerror}).") from error
    if len(data) > most:
        needed = "which no suite needs" if most == MAX_BYTES else "which no small suite needs"
        raise InputError(f"{path.name} has more than {most // 1000} kB, {needed}; make it smaller.")
    try:
        values = _load_json(data) if path.suffix.lower() == ".json" else yaml.load(data, _Loader)
    except RecursionError:
        raise InputError(f"{path.name} is nested too deeply for a suite.") from None
    except (yaml.YAMLError, ValueError, LookupError) as error:  # what the two readers raise, also for odd numbers
        raise InputError(f"{path.name} cannot be read as a suite{_explain(error)}.") from error
    if not isinstance(values, dict):
        raise InputError(f"{path.name} holds no suite; a suite is a mapping with name, attributes, templates and so on.")
    return values


class _Loader(yaml.SafeLoader):
    """Plain values only."""

    yaml_constructors = {  # noqa: RUF012 - as in its base class
        tag: build for tag, build in yaml.SafeLoader.yaml_constructors.items() if tag is None or tag.rpartition(":")[2] in PLAIN
    }
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, "aliases are not read", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        if (twice := find_repeated(key for key in keys if isinstance(key, str))) is not None:
            raise yaml.constructor.ConstructorError(None, None, _TWICE.format(twice[:40]), node.start_mark)
        return super().construct_mapping(node, deep)


def _load_json(data: bytes) -> Any:
    def build_mapping(pairs):
        if (twice := find_repeated(key for key, _ in pairs)) is not None:
            raise ValueError(_TWICE.format(twice[:40]))
        return dict(pairs)

    return json.loads(data.decode("utf-8"), object_pairs_hook=build_mapping)


def _explain(error: Exception) -> str:
    """The reader's own words, on one line, and where it stopped."""
    mark = getattr(error, "problem_mark", None)
    said = " ".join((getattr(error, "problem", None) or str(error)).split())[:160].rstrip(".")
    return f", because of line {mark.line + 1}: {said}" if mark else f": {said}"
