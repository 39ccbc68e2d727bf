"""Toy Road: a drawn driving scene with known parameters.

No photograph can say which words *should* matter for an edit of it; a drawn world can, because the ideal edit is
simply the scene drawn again with other parameters. A `Scene` is immutable: attributes that an instruction can set,
a layout, and the *open draws*, that is everything an instruction leaves open (how heavy the snow is, which shade of red
the car gets, where an added tree stands). `draw` is a pure function from a scene to a picture.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128  # pixels, both sides
OVERSAMPLING = 3

VALUES: dict[str, tuple[Any, ...]] = {
    "time": ("day", "night", "sunset"),
    "weather": ("clear", "rain", "snow", "fog"),
    "season": ("summer", "autumn"),
    "car": ("red", "blue", "yellow", "green", None),
    "tree": (True, False),
    "house": (True, False),
}

# Which open draws belong to an attribute: they are drawn anew when an instruction sets it.
OPEN = {
    "time": ("time_shade", "sun_x"),
    "weather": ("weather_amount", "weather_x", "weather_y"),
    "season": ("season_shade",),
    "car": ("car_shade",),
    "tree": ("tree_x", "tree_size"),
    "house": ("house_x", "house_shade"),
}


@dataclass(frozen=True)
class Scene:
    """Parameters of one scene; every float is in [0, 1] and read by `draw`."""

    time: str = "day"
    weather: str = "clear"
    season: str = "summer"
    car: str | None = "red"
    tree: bool = True
    house: bool = True
    # layout: no instruction changes these
    horizon: float = 0.5
    hills: float = 0.5
    bend: float = 0.5
    tree_right: bool = True  # the tree stands right and the house left of the road, or the other way round
    car_x: float = 0.5
    cloud_x: float = 0.5
    # open draws: what an instruction leaves open
    time_shade: float = 0.5
    sun_x: float = 0.5
    weather_amount: float = 0.5
    weather_x: float = 0.5
    weather_y: float = 0.5
    season_shade: float = 0.5
    car_shade: float = 0.5
    tree_x: float = 0.5
    tree_size: float = 0.5
    house_x: float = 0.5
    house_shade: float = 0.5


def random_scene(rng: np.random.Generator) -> Scene:
    """A scene with every attribute, layout value and open draw at random."""
    floats: dict[str, Any] = {f.name: float(rng.random()) for f in fields(Scene) if f.type == "float"}
    return Scene(
        time=VALUES["time"][rng.choice(3, p=(0.5, 0.25, 0.25))],
        weather=VALUES["weather"][rng.choice(4, p=(0.4, 0.2, 0.2, 0.2))],
        season=VALUES["season"][rng.integers(2)],
        car=VALUES["car"][rng.choice(5, p=(0.2, 0.2, 0.2, 0.2, 0.2))],
        tree=bool(rng.random() < 0.5),
        house=bool(rng.random() < 0.5),
        tree_right=bool(rng.random() < 0.5),
        **floats,
    )


def redraw(scene: Scene, attributes, rng: np.random.Generator) -> Scene:
    """The scene with the open draws of `attributes` drawn anew."""
    drawn: dict[str, Any] = {name: float(rng.random()) for a in sorted(attributes) for name in OPEN[a]}
    return replace(scene, **drawn)


def _mix(a, b, t):
    return tuple(x + (y - x) * t for x, y in zip(a, b, strict=True))


CAR_SHADES = {  # the two ends between which the open shade lies
    "red": ((240, 40, 45), (165, 15, 35)),
    "blue": ((70, 130, 250), (25, 50, 170)),
    "yellow": ((255, 225, 50), (230, 170, 10)),
    "green": ((70, 205, 90), (15, 115, 60)),
}


class _Palette:
    """The colours of one scene, after the light of its time and weather."""

    def __init__(self, s: Scene):
        amount = 0.45 + 0.55 * s.weather_amount
        grey = {"clear": 0.0, "rain": 0.75, "snow": 0.7, "fog": 0.8}[s.weather]
        if s.time == "night":
            t = s.time_shade
            self.light = _mix((0.50, 0.55, 0.80), (0.29, 0.33, 0.55), t)
            top, low = _mix((30, 40, 98), (8, 10, 38), t), _mix((72, 84, 150), (28, 34, 84), t)
            overcast = _mix((54, 60, 88), (26, 30, 52), t)
        elif s.time == "sunset":
            t = s.time_shade
            self.light = _mix((1.0, 0.80, 0.58), (0.84, 0.58, 0.68), t)
            top, low = _mix((120, 120, 190), (92, 52, 130), t), _mix((255, 186, 84), (246, 98, 96), t)
            overcast = _mix((214, 160, 112), (160, 96, 118), t)
        else:
            t = s.time_shade
            self.light = _mix((1.0, 1.0, 0.97), (0.90, 0.92, 0.94), t)
            top, low = _mix((74, 152, 236), (108, 170, 226), t), _mix((192, 228, 250), (214, 232, 240), t)
            overcast = (176, 184, 194)
        self.sky = _mix(top, overcast, grey), _mix(low, overcast, 0.85 * grey)
        if s.weather == "rain":
            self.light = tuple(c * (0.86 - 0.24 * amount) for c in self.light)
        self.amount = amount
        self.snow = 0.45 + 0.5 * amount if s.weather == "snow" else 0.0
        u = s.season_shade
        if s.season == "autumn":
            grass, leaf = _mix((196, 164, 74), (168, 116, 56), u), _mix((240, 160, 40), (200, 62, 32), u)
            hills = _mix((206, 140, 66), (166, 84, 52), u)
        else:
            grass, leaf = _mix((126, 190, 84), (86, 156, 70), u), _mix((66, 158, 70), (34, 116, 58), u)
            hills = _mix((104, 168, 104), (72, 138, 96), u)
        white = (244, 247, 252)
        self.grass = self.lit(_mix(grass, white, self.snow))
        self.grass_far = self.lit(_mix(_mix(grass, (255, 255, 235), 0.18), white, self.snow))
        self.leaf = self.lit(_mix(leaf, white, 0.55 * self.snow))
        self.leaf_top = self.lit(_mix(_mix(leaf, (255, 255, 190), 0.22), white, 0.9 * self.snow))
        self.hills = [self.lit(_mix(_mix(hills, self.sky[1], h), white, 0.8 * self.snow)) for h in (0.55, 0.2)]
        road = (92, 94, 102) if s.weather != "rain" else _mix((74, 78, 92), (52, 58, 80), amount)
        self.road = self.lit(_mix(road, white, 0.55 * self.snow))
        self.line = self.lit((250, 246, 228))

    def lit(self, colour):
        return tuple(min(255, max(0, round(c * k))) for c, k in zip(colour, self.light, strict=True))


def draw(scene: Scene) -> Image.Image:
    """Draw the scene: RGB, SIZE x SIZE, the same pixels for the same scene."""
    s, p, k = scene, _Palette(scene), OVERSAMPLING
    n = SIZE * k
    x: float  # of what is drawn, as y and the radius
    y: float
    r: float
    horizon = 52 + 12 * s.horizon

    # 1. sky
    ramp = np.clip(np.arange(n) / (horizon * k), 0, 1)[:, None, None] ** 1.2
    sky = np.asarray(p.sky[0]) * (1 - ramp) + np.asarray(p.sky[1]) * ramp  # (n, 1, 3)
    image = Image.fromarray(np.broadcast_to(sky, (n, n, 3)).round().astype(np.uint8).copy())
    pen = ImageDraw.Draw(image, "RGBA")

    def ellipse(x, y, rx, ry, colour):
        pen.ellipse([(x - rx) * k, (y - ry) * k, (x + rx) * k, (y + ry) * k], fill=tuple(colour))

    def box(x0, y0, x1, y1, colour, radius=0.0):
        pen.rounded_rectangle([x0 * k, y0 * k, x1 * k, y1 * k], radius * k, fill=tuple(colour))

    def shape(points, colour):
        pen.polygon([(x * k, y * k) for x, y in points], fill=tuple(colour))

    # 2. sun, moon, stars, clouds
    sun_x = 22 + 84 * s.sun_x
    if s.weather == "clear":
        if s.time == "day":
            for r, opacity in ((17, 50), (13, 80)):
                ellipse(sun_x, 18, r, r, (255, 250, 200, opacity))
            ellipse(sun_x, 18, 9, 9, (255, 244, 170))
        elif s.time == "sunset":
            for r, opacity in ((26, 60), (20, 80)):
                ellipse(sun_x, horizon - 10, r, r, (255, 220, 130, opacity))
            ellipse(sun_x, horizon - 10, 13, 13, (255, 236, 160))
        else:
            for x, y in ((12, 14), (34, 30), (52, 10), (70, 26), (88, 12), (104, 34), (118, 18), (24, 42), (62, 40)):
                ellipse(x, y, 1.1, 1.1, (255, 255, 235))
            ellipse(sun_x, 20, 12, 12, (220, 226, 255, 50))
            ellipse(sun_x, 20, 8, 8, (246, 244, 222))
            ellipse(sun_x - 2.5, 18, 2, 2, (214, 212, 196))
    if s.weather == "clear" and s.time != "night":
        cloud = (255, 255, 255, 215) if s.time == "day" else (255, 206, 190, 170)
        for dx, y in ((0, 32), (62, 24)):
            x = (8 + 70 * s.cloud_x + dx) % 140 - 6
            for ox, oy, rx, ry in ((-8, 2, 9, 4.5), (0, -2, 9, 6.5), (9, 1.5, 10, 5)):
                ellipse(x + ox, y + oy, rx, ry, cloud)

    # 3. hills and grass
    xs = np.linspace(0, SIZE, 65)
    for i, colour in enumerate(p.hills):
        phase = 6.28 * (s.hills + 0.37 * i)
        ridge = horizon - (13 - 6 * i) - (6 - 2 * i) * np.sin(xs / (17 + 5 * i) + phase)
        shape([*zip(xs, ridge, strict=True), (SIZE, SIZE), (0, SIZE)], colour)
    shape([(0, horizon), (SIZE, horizon), (SIZE, SIZE), (0, SIZE)], p.grass)
    shape([(0, horizon), (SIZE, horizon), (SIZE, horizon + 7), (0, horizon + 11)], p.grass_far)

    # 4. road
    far = 64 + 24 * (s.bend - 0.5)
    shape([(far - 4, horizon), (far + 4, horizon), (112, SIZE), (16, SIZE)], p.road)
    for side, near in ((-1, 19), (1, 109)):
        shape([(far + side * 3.4, horizon), (far + side * 3.0, horizon), (near - side * 1.2, SIZE),
               (near + side * 1.6, SIZE)], p.line)  # fmt: skip
    for a, b in ((0.08, 0.16), (0.28, 0.42), (0.60, 0.82)):
        ya, yb = horizon + (SIZE - horizon) * a, horizon + (SIZE - horizon) * b
        xa, xb = far + (64 - far) * a, far + (64 - far) * b
        shape([(xa - 2 * a, ya), (xa + 2 * a, ya), (xb + 2 * b, yb), (xb - 2 * b, yb)], p.line)

    shadow = (10, 14, 30, 70 if s.time != "night" else 40)
    lights: list[tuple] = []  # what shines is drawn last, over fog and darkness

    # 5. house
    side = -1 if s.tree_right else 1
    if s.house:
        x, y = 64 + side * (40 + 7 * s.house_x), horizon + 15
        wall = p.lit(_mix((250, 234, 206), (216, 178, 150), s.house_shade))
        roof = p.lit(_mix((178, 74, 58), (244, 247, 252), 0.9 * p.snow))
        ellipse(x, y + 0.5, 20, 3, shadow)
        box(x + 6, y - 33, x + 10, y - 20, p.lit((150, 90, 76)))
        box(x - 15, y - 18, x + 15, y + 1, wall)
        shape([(x - 18, y - 17), (x, y - 33), (x + 18, y - 17)], roof)
        box(x - 3.5, y - 10, x + 3.5, y + 1, p.lit((120, 72, 50)))
        for wx in (x - 10, x + 6):
            box(wx, y - 13, wx + 5, y - 7, p.lit((150, 196, 224)))
            if s.time == "night":
                lights.append((wx, y - 13, wx + 5, y - 7, (255, 222, 120)))

    # 6. tree
    if s.tree:
        x, y = 64 - side * (40 + 15 * s.tree_x), horizon + 22
        r = 0.9 + 0.3 * s.tree_size
        ellipse(x, y, 14 * r, 3, shadow)
        box(x - 2.6, y - 22, x + 2.6, y + 0.5, p.lit((112, 78, 54)))
        for ox, oy, q in ((-8, -24, 9.5), (8, -24, 9.5), (0, -35, 11), (0, -26, 11)):
            ellipse(x + ox * r, y + oy * r, q * r, q * r, p.leaf)
        for ox, oy, q in ((-5, -31, 5.5), (4, -38, 6)):
            ellipse(x + ox * r, y + oy * r, q * r, q * 0.8 * r, p.leaf_top)

    # 7. car, seen from behind
    if s.car:
        x, y = 64 + 14 * (s.car_x - 0.5), 119
        shade = _mix(*CAR_SHADES[s.car], s.car_shade)
        body, dark = p.lit(shade), p.lit(_mix(shade, (0, 0, 0), 0.32))
        ellipse(x, y + 1, 25, 4, shadow)
        for wx in (x - 17, x + 10):
            box(wx, y - 8, wx + 7, y + 2, p.lit((28, 28, 34)), 2)
        shape([(x - 15, y - 17), (x - 11, y - 32), (x + 11, y - 32), (x + 15, y - 17)], body)
        shape([(x - 11.5, y - 18), (x - 8.5, y - 29), (x + 8.5, y - 29), (x + 11.5, y - 18)], p.lit((64, 82, 104)))
        box(x - 20, y - 19, x + 20, y - 3, body, 4)
        box(x - 20, y - 7, x + 20, y - 3, dark, 1.5)
        box(x - 6, y - 12, x + 6, y - 8, p.lit((236, 236, 226)))
        glow = (255, 70, 60) if s.time == "night" else p.lit((206, 40, 44))
        for wx in (x - 18, x + 12):
            lights.append((wx, y - 15, wx + 6, y - 10.5, glow))

    # 8. fog hides what is far; rain and snow fall in front
    image = image.resize((SIZE, SIZE), Image.Resampling.BOX)
    if s.weather in ("fog", "rain"):
        veil = np.asarray(_mix(p.sky[1], (255, 255, 255), 0.25 if s.time == "day" else 0.08))
        rows = np.arange(SIZE)
        depth = np.clip(1.05 - np.maximum(0, rows - horizon) / 95, 0, 1)[:, None, None]
        density = (0.45 + 0.37 * s.weather_amount) if s.weather == "fog" else 0.25 * p.amount
        pixels = np.asarray(image, float)
        image = Image.fromarray((pixels + (veil - pixels) * density * depth).round().astype(np.uint8))
    image = image.resize((n, n), Image.Resampling.NEAREST) if (lights or s.weather in ("rain", "snow")) else image
    if image.size[0] == n:
        pen = ImageDraw.Draw(image, "RGBA")
        for x0, y0, x1, y1, colour in lights:
            box(x0, y0, x1, y1, colour, 1)
        if s.weather == "snow":
            # A sheared lattice under one random shift: a few numbers describe it, so a small VAE can keep it.
            flake = p.lit((255, 255, 255)) if s.time != "night" else (196, 202, 226)
            radius = 1.5 + 1.0 * s.weather_amount
            for x, y in _lattice(16, 16, s):
                ellipse(x, y, radius, radius, flake)
        elif s.weather == "rain":
            drop = (*_mix((206, 220, 240), (120, 132, 176), 1.0 if s.time == "night" else 0.0), 190)
            drop = tuple(round(c) for c in drop)
            length = 6 + 5 * s.weather_amount
            for x, y in _lattice(16, 16, s):
                pen.line([(x * k, y * k), ((x - length * 0.35) * k, (y + length) * k)], fill=drop, width=round(1.3 * k))
        image = image.resize((SIZE, SIZE), Image.Resampling.BOX)
    return image


def _lattice(dx, dy, s: Scene):
    for j in range(-1, SIZE // dy + 1):
        for i in range(-1, SIZE // dx + 2):
            yield (i + 0.5 * (j % 2) + s.weather_x) * dx - 2 * (j % 3), (j + s.weather_y) * dy + 3 * (i % 2)
