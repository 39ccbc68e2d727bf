"""The pictures of a suite: files beside it, or Toy Road scenes that are drawn when they are needed.

A file is named by a path relative to the suite and lies below its folder, links followed. A suite may come from anybody
and its report shows its pictures, so it must not be able to reach for others on the machine that runs it.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from smile.io.images import open_picture, open_region
from smile.method.units import normalise_word
from smile.scenarios.fields import each, known, listed, need, number, text, whole
from smile.toyroad.cases import HELD_OUT
from smile.toyroad.grammar import COLOURS, OBJECTS, STATES
from smile.toyroad.scene import VALUES, Scene, draw, random_scene

MAX_SCENES = 1000
NO_FILES = "Only Toy Road's pictures are used here, and the {} is a file; a suite with files is run on the command line."
draw_once = lru_cache(maxsize=MAX_SCENES)(draw)  # a scene is in many cells; its picture is never changed
OPTIONS = {field.name: field.type for field in fields(Scene)}


@dataclass(frozen=True)
class Picture:
    """One picture: a scene or a file. `shows` has, for each attribute, those of its values that can be seen in it."""

    name: str
    shows: dict[str, tuple[str, ...]]
    scene: Scene | None = None
    path: Path | None = None
    region_path: Path | None = None

    def open(self) -> Image.Image:
        return draw_once(self.scene) if self.scene else open_picture(self.path)

    def region(self, picture: Image.Image) -> Image.Image | None:
        return open_region(self.region_path, picture.size) if self.region_path else None


def pictures(entries, folder: Path | None, attributes: dict) -> list[Picture]:
    """The pictures that a suite's entries name; `attributes` are the suite's, by name.

    Raises InputError where an entry is not as it should be, or a file is missing, no picture, or not below `folder`;
    where that is None, no file is looked for at all.
    """
    found, scenes = [], 0
    for where, entry in each(entries, "picture"):
        known(entry, where, ("path", "toyroad", "region", "shows"))
        need(("path" in entry) != ("toyroad" in entry), f"{where} must have either path or toyroad.")
        if "toyroad" in entry:
            known(entry, f"{where}, which is drawn,", ("toyroad",))
            for scene in _scenes(entry["toyroad"], f"toyroad of {where}"):
                scenes += 1
                shows = {name: tuple(v for v in a.values if is_shown(scene, v)) for name, a in attributes.items()}
                found.append(Picture(f"scene {scenes}", shows, scene=scene))
            need(scenes <= MAX_SCENES, f"There may be at most {MAX_SCENES} Toy Road scenes in a suite.")
        else:
            need(folder is not None, NO_FILES.format(where))
            found.append(_from_file(entry, where, folder, attributes))
    names = [picture.name for picture in found]
    for name in names:
        need(names.count(name) == 1, f"The picture “{name}” is there twice.")
    return found


def is_shown(scene: Scene, value: str) -> bool:
    """Whether the scene shows what `value` names: a state, a thing, or the car's colour."""
    words = [normalise_word(word) for word in value.split()]
    states = [getattr(scene, STATES[word][0]) == STATES[word][1] for word in words if word in STATES]
    things = [bool(getattr(scene, word)) for word in words if word in OBJECTS]
    colours = [scene.car == word for word in words if word in COLOURS]
    return bool(states or things or colours) and all(states + things + colours)


def _from_file(entry, where, folder, attributes) -> Picture:
    path = _below(entry["path"], f"path of {where}", folder)
    open_picture(path)
    region_path = None
    if "region" in entry:
        region_path = _below(entry["region"], f"region of {where}", folder)
        open_region(region_path, open_picture(path).size)
    shows = entry.get("shows", {})
    known(shows, f"shows of {where}", attributes)
    for name, value in shows.items():
        listed(value, f"{name} in shows of {where}", attributes[name].values)
    return Picture(entry["path"], {name: (value,) for name, value in shows.items()}, None, path, region_path)


def _below(written, where: str, folder: Path) -> Path:
    relative = Path(text(written, where))
    path = (folder / relative).resolve()
    below = not relative.is_absolute() and path.is_relative_to(folder.resolve())
    need(below, f"The {where} must lie below the suite's folder, and {written} does not.")
    return path


def _scenes(entry, where: str) -> list[Scene]:
    """One scene described by its fields, or `count` scenes drawn from `seed` with the fields that are given."""
    known(entry, where, ("count", "seed", *OPTIONS))
    need(("count" in entry) == ("seed" in entry), f"count and seed in {where} must be given together.")
    given = {name: _field(name, value, where) for name, value in entry.items() if name in OPTIONS}
    if "count" not in entry:
        return [Scene(**given)]
    count = whole(entry["count"], f"count in {where}", 1, MAX_SCENES)
    seed = whole(entry["seed"], f"seed in {where}", 0)
    return [replace(random_scene(np.random.default_rng((HELD_OUT, seed, i))), **given) for i in range(count)]


def _field(name: str, value, where: str):
    if name in VALUES:
        return listed(value, f"{name} in {where}", VALUES[name])
    if OPTIONS[name] == "bool":
        return listed(value, f"{name} in {where}", (True, False))
    return number(value, f"{name} in {where}", 0, 1)
