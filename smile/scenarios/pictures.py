"""The pictures of a suite: files beside it, or Toy Road scenes that are drawn when they are needed.

A file is named by a path relative to the suite and lies below its folder, links followed. A suite may come from anybody
and its report shows its pictures, so it must not be able to reach for others on the machine that runs it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import create_model

from smile.io.images import open_picture, open_region
from smile.method.units import normalise_word
from smile.scenarios.fields import (
    LARGEST,
    Entry,
    check_at,
    check_choice,
    check_keys,
    check_number,
    check_text,
    find_repeated,
    fits,
    require,
)
from smile.toyroad.cases import HELD_OUT
from smile.toyroad.grammar import COLOURS, OBJECTS, STATES
from smile.toyroad.scene import VALUES, Scene, draw, random_scene

MAX_SCENES = 1000
NO_FILES = "Only Toy Road's pictures are used here, and the {} is a file; a suite with files is run on the command line."
draw_once = lru_cache(maxsize=MAX_SCENES)(draw)  # a scene is in many cells; its picture is never changed


def _find_kind(field: Field) -> Any:
    """What a field of a scene may be set to."""
    if field.name in VALUES:
        return fits(check_choice, VALUES[field.name])
    return fits(check_choice, (True, False)) if field.type == "bool" else fits(check_number, "number", 0, 1)


_Drawn = create_model(
    "_Drawn",
    __base__=Entry,
    count=(Annotated[int, fits(check_number, "whole number", 1, MAX_SCENES)], 1),
    seed=(Annotated[int, fits(check_number, "whole number", 0, LARGEST)], 0),
    **{field.name: (Annotated[Any, _find_kind(field)], None) for field in fields(Scene)},  # type: ignore[call-overload]
)


class PictureEntry(Entry):
    """One entry of a suite's pictures: a file, or one scene or several of Toy Road."""

    path: Any = None
    toyroad: _Drawn = _Drawn()  # type: ignore[valid-type]
    region: Any = None
    shows: Any = None


@dataclass(frozen=True)
class Picture:
    """One picture: a scene or a file. `shows` has, for each attribute, those of its values that can be seen in it."""

    name: str
    shows: dict[str, tuple[str, ...]]
    scene: Scene | None = None
    path: Path | None = None
    region_path: Path | None = None

    def open(self) -> Image.Image:
        """The picture. Raises InputError where its file cannot be read any more."""
        return draw_once(self.scene) if self.scene else open_picture(self.path)

    def open_region(self, picture: Image.Image) -> Image.Image | None:
        """The region that comes with the picture, in the picture's size. Raises InputError as `open` does."""
        return open_region(self.region_path, picture.size) if self.region_path else None


def list_pictures(
    entries: Iterable[PictureEntry], values: Mapping[str, tuple[str, ...]], folder: Path | None, opens: bool
) -> list[Picture]:
    """The pictures that a suite's entries name; `values` are those of each of the suite's attributes.

    folder: where files lie; None refuses all, and none is looked for. opens: whether files must be there and be pictures.

    Raises InputError for an entry that is not right.
    """
    pictures: list[Picture] = []
    scenes = 0
    for order, entry in enumerate(entries, 1):
        place, given = f"picture {order}", entry.model_fields_set
        require(("path" in given) != ("toyroad" in given), f"{place} must have either path or toyroad.")
        if "path" in given:
            require(folder is not None, NO_FILES.format(place))
            pictures.append(_make_picture(entry, place, folder or Path(), values))
            if opens:
                pictures[-1].open_region(pictures[-1].open())
            continue
        check_at(f"{place}, which is drawn,", check_keys, ("toyroad",), (), dict.fromkeys(given))
        for scene in _list_scenes(entry.toyroad, place):
            scenes += 1
            shows = {name: tuple(value for value in some if is_shown(scene, value)) for name, some in values.items()}
            pictures.append(Picture(f"scene {scenes}", shows, scene))
        require(scenes <= MAX_SCENES, f"There may be at most {MAX_SCENES} Toy Road scenes in a suite.")
    twice = find_repeated(picture.name for picture in pictures)
    require(twice is None, f"The picture “{twice}” is there twice.")
    return pictures


def is_shown(scene: Scene, value: str) -> bool:
    """Whether the scene shows what `value` names: a state, a thing, or the car's colour."""
    words = [normalise_word(word) for word in value.split()]
    states = [getattr(scene, STATES[word][0]) == STATES[word][1] for word in words if word in STATES]
    things = [bool(getattr(scene, word)) for word in words if word in OBJECTS]
    colours = [scene.car == word for word in words if word in COLOURS]
    return bool(states or things or colours) and all(states + things + colours)


def _make_picture(entry: PictureEntry, place: str, folder: Path, values: Mapping[str, tuple[str, ...]]) -> Picture:
    given = entry.model_fields_set
    path = _resolve_below(entry.path, f"path of {place}", folder)
    region_path = _resolve_below(entry.region, f"region of {place}", folder) if "region" in given else None
    shows = check_at(f"shows of {place}", check_keys, values, (), entry.shows if "shows" in given else {})
    for name, value in shows.items():
        check_at(f"{name} in shows of {place}", check_choice, values[name], value)
    return Picture(entry.path, {name: (value,) for name, value in shows.items()}, None, path, region_path)


def _resolve_below(written: Any, place: str, folder: Path) -> Path:
    relative = Path(check_at(place, check_text, written))
    path = (folder / relative).resolve()
    below = not relative.is_absolute() and path.is_relative_to(folder.resolve())
    require(below, f"The {place} must lie below the suite's folder, and {written} does not.")
    return path


def _list_scenes(entry: Any, place: str) -> list[Scene]:
    """One scene described by its fields, or `count` scenes drawn from `seed` with the fields that are given."""
    given = entry.model_fields_set
    require(("count" in given) == ("seed" in given), f"count and seed in toyroad of {place} must be given together.")
    fixed = {name: getattr(entry, name) for name in given - {"count", "seed"}}
    if "count" not in given:
        return [Scene(**fixed)]
    drawn = (random_scene(np.random.default_rng((HELD_OUT, entry.seed, i))) for i in range(entry.count))
    return [replace(scene, **fixed) for scene in drawn]
