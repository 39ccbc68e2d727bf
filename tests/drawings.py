"""Drawings that are no Toy Road scenes, to see whether that is noticed: from a child's house to another drawn road."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

SIZE = 256
Drawing = Callable[[ImageDraw.ImageDraw, np.random.Generator], None]


def _house(draw, rng):
    draw.rectangle((60, 120, 190, 220), fill="#c96", outline="black", width=3)
    draw.polygon([(50, 120), (125, 50), (200, 120)], fill="#933", outline="black")
    draw.rectangle((110, 160, 140, 220), fill="#642")
    draw.line((0, 220, 256, 220), fill="green", width=6)


def _face(draw, rng):
    draw.ellipse((40, 30, 216, 226), fill="#fd8", outline="black", width=4)
    for x in (95, 160):
        draw.ellipse((x - 12, 95, x + 12, 119), fill="black")
    draw.arc((85, 120, 170, 190), 20, 160, fill="black", width=5)


def _flower(draw, rng):
    draw.line((128, 130, 128, 250), fill="green", width=8)
    for angle in np.arange(0, 2 * np.pi, np.pi / 4):
        x, y = 128 + 45 * np.cos(angle), 100 + 45 * np.sin(angle)
        draw.ellipse((x - 24, y - 24, x + 24, y + 24), fill="#d4b")
    draw.ellipse((104, 76, 152, 124), fill="yellow")


def _person(draw, rng):
    draw.ellipse((108, 30, 148, 70), outline="black", width=4)
    for line in ((128, 70, 128, 150), (128, 90, 80, 130), (128, 90, 176, 130), (128, 150, 95, 220), (128, 150, 160, 220)):
        draw.line(line, fill="black", width=4)


def _bars(draw, rng):
    draw.line((30, 20, 30, 230, 240, 230), fill="black", width=2)
    for i, height in enumerate((60, 120, 90, 180, 150)):
        draw.rectangle((45 + 38 * i, 230 - height, 73 + 38 * i, 230), fill="#47a")


def _curve(draw, rng):
    draw.line((20, 128, 240, 128), fill="grey")
    draw.line([(x, 128 - 80 * np.sin(x / 25)) for x in range(20, 240)], fill="red", width=3)


def _text(draw, rng):
    for line in range(14):
        draw.text((16, 12 + 17 * line), "the quick brown fox jumps over the dog", fill="black")


def _board(draw, rng):
    for x in range(8):
        for y in range(8):
            draw.rectangle((32 * x, 32 * y, 32 * x + 31, 32 * y + 31), fill="black" if (x + y) % 2 else "white")


def _mountains(draw, rng):
    draw.rectangle((0, 0, 256, 256), fill="#9cf")
    for x, top, colour in ((60, 60, "#667"), (150, 30, "#778"), (220, 90, "#556")):
        draw.polygon([(x - 110, 256), (x, top), (x + 110, 256)], fill=colour)
    draw.ellipse((200, 15, 240, 55), fill="#fe6")


def _boat(draw, rng):
    draw.rectangle((0, 0, 256, 150), fill="#bdf")
    draw.rectangle((0, 150, 256, 256), fill="#15a")
    draw.polygon([(60, 140), (200, 140), (175, 185), (85, 185)], fill="#741")
    draw.polygon([(128, 30), (128, 132), (195, 132)], fill="white")


def _city(draw, rng):
    draw.rectangle((0, 0, 256, 256), fill="#124")
    for x in range(0, 256, 32):
        top = int(rng.integers(40, 160))
        draw.rectangle((x, top, x + 28, 256), fill="#333")
        for y in range(top + 8, 250, 16):
            draw.rectangle((x + 6, y, x + 12, y + 7), fill="#fd6")


def _street_from_above(draw, rng):
    draw.rectangle((0, 0, 256, 256), fill="#6a5")
    draw.rectangle((100, 0, 156, 256), fill="#555")
    draw.rectangle((0, 100, 256, 156), fill="#555")
    for at in range(0, 256, 24):
        draw.line((128, at, 128, at + 12), fill="white", width=3)


def _road_of_lines(draw, rng):
    draw.line((0, 100, 256, 100), fill="black", width=2)
    draw.line((110, 100, 20, 256), fill="black", width=3)
    draw.line((146, 100, 236, 256), fill="black", width=3)
    for at in range(105, 256, 30):
        draw.line((128, at, 128, at + 14), fill="black", width=2)


def _road_flat(draw, rng):
    """The nearest to Toy Road: sky, meadow, and a grey road that narrows."""
    draw.rectangle((0, 0, 256, 110), fill="#8cf")
    draw.rectangle((0, 110, 256, 256), fill="#5b5")
    draw.polygon([(120, 110), (136, 110), (220, 256), (36, 256)], fill="#666")


def _road_in_desert(draw, rng):
    draw.rectangle((0, 0, 256, 90), fill="#fdb")
    draw.rectangle((0, 90, 256, 256), fill="#db8")
    draw.polygon([(125, 90), (131, 90), (170, 256), (90, 256)], fill="#444")
    draw.polygon([(30, 90), (70, 40), (110, 90)], fill="#b85")


def _car_at_the_side(draw, rng):
    draw.rectangle((30, 130, 226, 190), fill="#d22")
    draw.polygon([(70, 130), (100, 90), (170, 90), (200, 130)], fill="#d22")
    for x in (80, 180):
        draw.ellipse((x - 24, 170, x + 24, 218), fill="#222")


def _rainbow(draw, rng):
    draw.rectangle((0, 0, 256, 256), fill="#def")
    for i, colour in enumerate(("red", "orange", "yellow", "green", "blue", "purple")):
        draw.arc((20 + 10 * i, 60 + 10 * i, 236 - 10 * i, 276 - 10 * i), 180, 360, fill=colour, width=10)


def _stripes(draw, rng):
    for at in range(0, 256, 16):
        draw.rectangle((at, 0, at + 7, 256), fill="#b44")


def _circles(draw, rng):
    for _ in range(40):
        x, y, r = [*rng.integers(0, 256, 2).tolist(), int(rng.integers(6, 40))]
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.integers(0, 256, 3).tolist()))


def _cat(draw, rng):
    draw.ellipse((60, 110, 200, 230), fill="#888")
    draw.ellipse((85, 50, 175, 135), fill="#888")
    for x in (90, 145):
        draw.polygon([(x, 65), (x + 12, 25), (x + 28, 58)], fill="#888")
    for x in (112, 146):
        draw.ellipse((x - 7, 82, x + 7, 96), fill="#6d4")


DRAWINGS: dict[str, Drawing] = {
    name.removeprefix("_").replace("_", " "): each
    for name, each in list(globals().items())
    if name.startswith("_") and callable(each) and getattr(each, "__module__", "") == __name__
}


def draw_all() -> dict[str, Image.Image]:
    """The drawings by name, (SIZE, SIZE) RGB, and three pictures without a drawing: one colour, noise, and a gradient."""
    pictures = {}
    for name, each in DRAWINGS.items():
        picture = Image.new("RGB", (SIZE, SIZE), "white")
        each(ImageDraw.Draw(picture), np.random.default_rng(0))
        pictures[name] = picture
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    return pictures | {
        "one colour": Image.new("RGB", (SIZE, SIZE), "#48c"),
        "noise": Image.fromarray(noise),
        "gradient": Image.linear_gradient("L").convert("RGB"),
    }
