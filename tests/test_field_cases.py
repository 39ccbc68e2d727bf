"""Pictures and regions as people have them: what tools write and mean, each kind with several members."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from smile import InputError
from smile.io.images import open_picture, open_region

SIZE = (40, 20)  # width, height; a quarter of it, at the upper left, is (20, 10)


def box(mode, outside, inside) -> Image.Image:
    """A picture whose upper left quarter is `inside`."""
    picture = Image.new(mode, SIZE, outside)
    picture.paste(inside, (0, 0, 20, 10))
    return picture


def saved(picture, tmp_path, kind="PNG", **options):
    path = tmp_path / f"a.{kind.lower()}"
    picture.save(path, kind, **options)
    return path


def palette(*colours) -> Image.Image:
    """Indices 0 outside and 1 inside, which mean these colours."""
    picture = box("P", 0, 1)
    picture.putpalette([level for colour in colours for level in colour])
    return picture


def array(outside, inside, kind) -> np.ndarray:
    values = np.full(SIZE[::-1], outside, kind)
    values[:10, :20] = inside
    return values


CLEAR, LAYER = (
    (0, 0, 0, 0),
    {
        "a white box on a transparent layer": box("RGBA", (0, 0, 0, 0), (255, 255, 255, 255)),
        "transparent white outside": box("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)),
        "a red stroke on a transparent layer": box("RGBA", (0, 0, 0, 0), (230, 20, 20, 255)),
        "grey with alpha": box("LA", (0, 0), (255, 255)),
        "half transparent": box("RGBA", (0, 0, 0, 90), (255, 255, 255, 200)),
        "white on opaque black": box("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)),
        "a palette with a transparent colour": palette((255, 255, 255), (255, 255, 255)),
    },
)
LAYER["a palette with a transparent colour"].info["transparency"] = 0
ENCODED = {
    "0 and 1": box("L", 0, 1),
    "0 and 255": box("L", 0, 255),
    "one bit": box("1", 0, 1),
    "palette of black and white": palette((0, 0, 0), (255, 255, 255)),
    "palette of black and maroon": palette((0, 0, 0), (128, 0, 0)),
    "palette of 0 and 1": palette((0, 0, 0), (1, 1, 1)),
    "pure red on black": box("RGB", "black", "#f00"),
    "pure blue on black": box("RGB", "black", "#00f"),
    "16 bits": Image.fromarray(array(0, 65535, np.uint16)),
    "16 bits, 0 and 1": Image.fromarray(array(0, 1, np.uint16)),
    "16 bits, 0 and 255": Image.fromarray(array(0, 255, np.uint16)),
    "floats": Image.fromarray(array(0, 1, np.float32)),
    "whole numbers, 0 and 1": Image.fromarray(array(0, 1, np.int32)),
}
ARRAYS = {"bool": array(False, True, bool), "bytes": array(0, 1, np.uint8), "floats": array(0.0, 1.0, float)}


@pytest.mark.parametrize("name", [*LAYER, *ENCODED])
def test_a_region_is_what_is_bright_and_seen(name, tmp_path):
    picture = (LAYER | ENCODED)[name]
    sources = (
        [picture] if picture.mode == "I" else [picture, saved(picture, tmp_path, "TIFF" if picture.mode == "F" else "PNG")]
    )
    for source in sources:
        region = open_region(source, SIZE)
        assert region.getbbox() == (0, 0, 20, 10) and np.asarray(region).mean() == 255 / 4


@pytest.mark.parametrize("name", ARRAYS)
def test_a_region_as_an_array(name):
    assert open_region(ARRAYS[name], SIZE).getbbox() == (0, 0, 20, 10)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_region_that_was_compressed(kind, tmp_path):
    for colour in ("white", "red"):
        region = open_region(saved(box("RGB", "black", colour), tmp_path, kind, quality=70), SIZE)
        assert abs(np.asarray(region).mean() - 255 / 4) < 255 / 20


def strokes(background, *colours):
    picture = Image.new("RGB", SIZE, background)
    for number, colour in enumerate(colours):
        ImageDraw.Draw(picture).line((2, 3 + 6 * number, 30, 3 + 6 * number), colour, 3)
    return picture


DOUBTED = {
    "black strokes on a transparent layer": (box("RGBA", CLEAR, (0, 0, 0, 255)), "brightest pixel is 0 of 255"),
    "a layer on which nothing is painted": (Image.new("RGBA", SIZE, CLEAR), "brightest pixel is 0 of 255"),
    "dark grey on black": (box("L", 0, 100), "brightest pixel is 100 of 255"),
    "classes 0 to 20": (box("L", 0, 20), "brightest pixel is 20 of 255"),
    "red strokes on white": (strokes("white", "red"), "bright everywhere and yet not even"),
    "white on light grey": (box("L", 180, 255), "bright everywhere and yet not even"),
    "strokes of two colours": (strokes("black", "red", "lime"), "several bright colours"),
    "white and red on black": (strokes("black", "white", "red"), "several bright colours"),
}


@pytest.mark.parametrize("name", DOUBTED)
def test_a_region_whose_meaning_is_in_doubt_is_refused_and_never_turned_around(name):
    picture, says = DOUBTED[name]
    with pytest.raises(InputError, match=says) as caught:
        open_region(picture, SIZE)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


# Pictures


LEVELS = {  # what is in it: the level of 255 that it is
    "16 bits, all 8192": (Image.fromarray(np.full((8, 8), 8192, np.uint16)), 32),
    "16 bits, all 255": (Image.fromarray(np.full((8, 8), 255, np.uint16)), 1),
    "16 bits, all 65535": (Image.fromarray(np.full((8, 8), 65535, np.uint16)), 255),
    "floats, all a quarter": (Image.fromarray(np.full((8, 8), 0.25, np.float32)), 64),
    "floats, all 64": (Image.fromarray(np.full((8, 8), 64, np.float32)), 64),
    "bytes, all 64": (Image.new("L", (8, 8), 64), 64),
}


@pytest.mark.parametrize("name", LEVELS)
def test_the_range_is_the_formats_and_not_the_contents(name, tmp_path):
    picture, level = LEVELS[name]
    for source in (picture, saved(picture, tmp_path, "TIFF")):
        assert np.asarray(open_picture(source)).tolist() == np.full((8, 8, 3), level).tolist()
    with pytest.raises(InputError, match="32 bits, of which nobody knows the range"):
        open_picture(Image.fromarray(np.full((8, 8), 8192, np.int32)))


def test_an_array_of_16_bits_is_scaled_too():
    assert np.asarray(open_picture(np.full((8, 8, 3), 8192, np.uint16))).max() == 32


def profile(gamma=2.2, red=(0.68, 0.32), green=(0.265, 0.69), blue=(0.15, 0.06)) -> bytes:
    """A profile of a screen with these primaries (x, y) and white D65, Display P3's unless others are given."""
    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(256 * gamma).to_bytes(2, "big") + bytes(2)
    primaries = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (red, green, blue)]).T
    d65, d50 = np.array([0.95047, 1, 1.08883]), np.array([0.96422, 1, 0.82521])
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])  # Bradford
    adapted = np.linalg.inv(cone) @ np.diag((cone @ d50) / (cone @ d65)) @ cone
    columns = (adapted @ (primaries * np.linalg.solve(primaries, d65))).T

    def xyz(values):
        return b"XYZ " + bytes(4) + b"".join(round(65536 * value).to_bytes(4, "big", signed=True) for value in values)

    text = b"text" + bytes(4) + b"a test\0\0"
    described = b"desc" + bytes(4) + (7).to_bytes(4, "big") + b"a test\0" + bytes(12 + 67 + 2)
    tags = {b"desc": described, b"cprt": text, b"wtpt": xyz(d50)}
    tags |= {name: xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    at, table, held = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + (at + len(held)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        held += value
    header = bytearray(128)
    header[8:12], header[12:24], header[36:40] = (2 << 24).to_bytes(4, "big"), b"mntrRGB XYZ ", b"acsp"
    header[68:80] = xyz(d50)[8:]
    header[:4] = (at + len(held)).to_bytes(4, "big")
    return bytes(header) + len(tags).to_bytes(4, "big") + table + held


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ADOBE = profile(563 / 256, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))


@pytest.mark.parametrize(
    ("held", "colour", "expected"),
    [
        (profile(), (200, 60, 60), (219, 37, 49)),  # near Display P3
        (ADOBE, (200, 60, 60), (233, 58, 59)),
        (SRGB, (200, 60, 60), (200, 60, 60)),
        (b"no profile", (200, 60, 60), (200, 60, 60)),
        (profile()[:300], (200, 60, 60), (200, 60, 60)),
    ],
    ids=["wide", "Adobe RGB", "sRGB", "none", "cut"],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_colour_profile_is_applied(held, colour, expected, kind, tmp_path):
    exactly = {"lossless": True} if kind == "WEBP" else {}
    path = saved(Image.new("RGB", (8, 8), colour), tmp_path, kind, icc_profile=held, **exactly)
    opened = np.asarray(open_picture(path), int)
    assert np.abs(opened - expected).max() <= 2 and (opened == opened[0, 0]).all()


def test_a_profile_keeps_transparency_and_changes_no_region(tmp_path):
    layer = box("RGBA", (200, 60, 60, 0), (200, 60, 60, 255))
    opened = np.asarray(open_picture(saved(layer, tmp_path, icc_profile=profile())), int)
    assert opened[-1, -1].tolist() == [255, 255, 255] and np.abs(opened[0, 0] - (219, 37, 49)).max() <= 2
    assert open_region(saved(layer, tmp_path, icc_profile=profile()), SIZE).getbbox() == (0, 0, 20, 10)


def test_a_grey_picture_and_one_for_print_with_the_wrong_profile_are_read(tmp_path):
    for mode in ("L", "CMYK"):
        assert open_picture(saved(Image.new(mode, (8, 8), 0), tmp_path, "JPEG", icc_profile=profile())).mode == "RGB"
    file = io.BytesIO()
    Image.new("L", (8, 8), 90).save(file, "PNG", icc_profile=profile())
    assert np.asarray(open_picture(Image.open(file))).tolist() == np.full((8, 8, 3), 90).tolist()
