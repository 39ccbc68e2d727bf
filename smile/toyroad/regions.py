"""What inpainting means on Toy Road: regions, what they hide, and the ideal picture inside them.

An inpainting editor does not see what the region hides, so an object that lies in it is gone unless the text asks for
one. Everything else in the region (sky, hills, weather, light) goes on as around it, unless the text asks for other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from smile.toyroad.grammar import COLOURS, find_changes, read_changes
from smile.toyroad.scene import SIZE, Scene, draw, redraw

GONE: dict[str, Any] = {"car": None, "tree": False, "house": False}


def find_box(scene: Scene, thing: str) -> tuple[float, float, float, float]:
    """Where `thing` stands, or would stand: left, top, right, bottom in pixels, without its shadow."""
    x: float
    y: float
    horizon = 52 + 12 * scene.horizon
    side = -1 if scene.tree_right else 1
    if thing == "car":
        x, y = 64 + 14 * (scene.car_x - 0.5), 121
        return x - 20, y - 34, x + 20, y
    if thing == "tree":
        x, y, r = 64 - side * (40 + 15 * scene.tree_x), horizon + 22, 0.9 + 0.3 * scene.tree_size
        return x - 17 * r, y - 46 * r, min(x + 17 * r, SIZE), y
    x, y = 64 + side * (40 + 7 * scene.house_x), horizon + 15
    return x - 18, y - 33, min(x + 18, SIZE), y


def find_zone(scene: Scene, attribute: str) -> tuple[float, float, float, float]:
    """A box that holds `attribute` wherever its open draws put it: of an object all its places, else the sky."""
    if attribute in GONE:
        ends = [replace(scene, tree_x=v, house_x=v, tree_size=1.0) for v in (0.0, 1.0)]
        boxes = np.array([find_box(s, attribute) for s in ends])
        (left, top), (right, bottom) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        return max(left - 4, 0), max(top - 4, 0), min(right + 4, SIZE), min(bottom + 5, SIZE)
    return 0, 0, SIZE, 52 + 12 * scene.horizon


def measure_share_inside(scene: Scene, thing: str, region: np.ndarray) -> float:
    """The share of the thing's box that `region` (SIZE, SIZE) covers."""
    left, top, right, bottom = (round(v) for v in find_box(scene, thing))
    return float(region[max(top, 0) : bottom, max(left, 0) : right].mean())


def remove_hidden(scene: Scene, region: np.ndarray) -> Scene:
    """The scene without the objects that lie mostly inside `region`."""
    hidden = {a: gone for a, gone in GONE.items() if measure_share_inside(scene, a, region) >= 0.5}
    return replace(scene, **hidden)


def find_changes_inside(scene: Scene, region: np.ndarray, words) -> dict:
    """What `words` change inside `region`: attribute -> value, relative to `remove_hidden(scene, region)`.

    A car that the region hides cannot be painted, so a colour asks for a car. A new object needs the region's room:
    three quarters of all the places where it could stand.
    """
    visible = remove_hidden(scene, region)
    change = find_changes(visible, words)
    colour = read_changes(words).get("car")
    if visible.car is None and colour in COLOURS:
        change["car"] = colour
    for thing, gone in GONE.items():
        if thing in change and change[thing] != gone:
            left, top, right, bottom = (round(v) for v in find_zone(scene, thing))
            if region[top:bottom, left:right].mean() < 0.75:
                del change[thing]
        elif thing in change and measure_share_inside(scene, thing, region) < 0.5:
            del change[thing]  # it stands outside, where nothing may change
    return change


def make_ideal_scene_inside(scene: Scene, region: np.ndarray, words, rng: np.random.Generator) -> Scene:
    """The scene whose drawing an ideal editor puts inside `region`; what the words leave open is drawn from `rng`."""
    change = find_changes_inside(scene, region, words)
    edited = redraw(remove_hidden(scene, region), change, rng)
    for attribute, value in sorted(change.items()):
        value = COLOURS[rng.integers(len(COLOURS))] if value == "any" else value
        changed: dict[str, Any] = {attribute: value}
        edited = replace(edited, **changed)
    return edited


def compose_pictures(scene: Scene, region: np.ndarray, edited: Scene) -> np.ndarray:
    """(SIZE, SIZE, 3) uint8: `edited` inside `region`, `scene` outside."""
    return np.where(region[..., None], np.asarray(draw(edited)), np.asarray(draw(scene)))


def random_region(scene: Scene, rng: np.random.Generator, words=()) -> np.ndarray:
    """(SIZE, SIZE) bool: often where the words act, else anything somebody might paint; never empty."""
    asked = [a for a in read_changes(words)] or ["time"]
    canvas = Image.new("1", (SIZE, SIZE))
    pen = ImageDraw.Draw(canvas)
    kind = rng.choice(("zone", "any", "brush", "whole"), p=(0.6, 0.2, 0.1, 0.1))
    if kind == "whole":
        pen.rectangle([0, 0, SIZE, SIZE], fill=1)
    elif kind == "brush":
        points = rng.integers(0, SIZE, (rng.integers(2, 5), 2))
        width = int(rng.integers(16, 50))
        pen.line([tuple(p) for p in points], fill=1, width=width, joint="curve")
        for x, y in points:
            pen.ellipse([x - width // 2, y - width // 2, x + width // 2, y + width // 2], fill=1)
    else:
        if kind == "zone":
            attribute = asked[rng.integers(len(asked))]
            left, top, right, bottom = find_zone(scene, attribute)
            if attribute not in GONE and rng.random() < 0.4:  # the ground instead of the sky
                top, bottom = bottom, SIZE
        else:
            (left, right), (top, bottom) = (np.sort(rng.integers(-10, SIZE + 10, 2)) for _ in range(2))
            right, bottom = max(right, left + 16), max(bottom, top + 16)
        left, top, right, bottom = np.array([left, top, right, bottom]) + rng.uniform((-8, -8, -3, -3), (3, 3, 8, 8))
        (pen.rectangle if rng.random() < 0.7 else pen.ellipse)([left, top, right, bottom], fill=1)
    region = np.asarray(canvas)
    return region if region.any() else random_region(scene, rng, words)
