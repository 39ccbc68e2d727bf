"""Whatever comes in leaves as upright RGB, or is refused in one sentence."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from smile.errors import InputError
from smile.io.images import cover_cells, fit_picture, open_picture, open_region


def refused(source, match):
    with pytest.raises(InputError, match=match) as caught:
        open_picture(source)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_paths_images_and_arrays_agree(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(pixels), pixels, pixels / 255):
        opened = open_picture(source)
        assert opened.mode == "RGB" and np.array_equal(np.asarray(opened), pixels)


def test_a_turned_photograph_is_upright(tmp_path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise
    Image.fromarray(pixels).save(tmp_path / "phone.png", exif=exif)
    opened = open_picture(tmp_path / "phone.png")
    assert opened.size == (20, 40) and np.asarray(opened)[0].min() == 255 and np.asarray(opened)[-1].max() == 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_lies_on_white(mode):
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 8, 4))
    opened = np.asarray(open_picture(picture.convert(mode)))
    assert opened[0].max() == 0 and opened[-1].min() == 255


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "HSV"])
def test_other_modes(mode):
    opened = open_picture(Image.new("RGB", (8, 8), "white").convert(mode))
    assert opened.mode == "RGB" and np.asarray(opened).min() > 240


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    opened = np.asarray(open_picture(Image.fromarray(values)))
    assert opened.shape == (8, 8, 3) and 110 < opened.mean() < 145


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "cut.png").write_bytes(png_header(64, 64))
    (tmp_path / "empty.png").touch()
    refused(None, "no picture; choose one")
    refused(tmp_path / "absent.png", "There is no picture at")
    refused(tmp_path, "There is no picture at")
    refused(tmp_path / "text.png", "text.png is not a picture")
    refused(tmp_path / "empty.png", "is not a picture")
    refused(tmp_path / "cut.png", "cut.png is damaged")
    refused(42, "not int")
    refused(np.zeros((4, 4, 7), np.uint8), "is no picture")
    refused(np.zeros((4, 4, 3), int), "uint8 or floats")
    refused(np.full((4, 4, 3), 9.0), "from 0 to 1")
    refused(np.full((4, 4, 3), np.nan), "from 0 to 1")
    refused(Image.new("RGB", (900, 20)), "too narrow a strip")


@pytest.mark.parametrize("side", [13000, 40000])
def test_a_bomb_is_refused_by_its_header(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(png_header(side, side))
    refused(tmp_path / "bomb.png", "64 million pixels")


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return start + struct.pack(">I", 100) + b"IDAT" + b"x"


def test_working_size():
    assert fit_picture(Image.new("RGB", (4000, 3000)), 512).size == (512, 384)
    assert fit_picture(Image.new("RGB", (100, 63)), 128).size == (128, 80)
    assert fit_picture(Image.new("RGB", (20, 160)), 128).size == (16, 128)
    same = Image.new("RGB", (128, 64))
    assert fit_picture(same, 128) is same


def test_region():
    region = Image.new("L", (10, 5))
    region.paste(255, (0, 0, 5, 5))
    opened = open_region(region, (40, 20))
    assert opened.size == (40, 20) and opened.mode == "L" and np.asarray(opened)[:, :20].min() == 255
    assert set(np.unique(np.asarray(opened))) == {0, 255}
    with pytest.raises(InputError, match="region is empty"):
        open_region(Image.new("L", (10, 10)), (10, 10))
    faint = Image.new("L", (10, 10), 127)
    with pytest.raises(InputError, match="region is empty"):
        open_region(faint, (10, 10))


@pytest.mark.parametrize("size", [(100, 99), (99, 100), (55, 56), (4000, 3930)])
def test_a_region_may_differ_from_its_picture_by_rounding(size):
    assert open_region(Image.new("L", size, 255), (100, 100)).size == (100, 100)


@pytest.mark.parametrize("size", [(100, 97), (97, 100), (200, 100)])
def test_a_region_of_other_proportions_is_refused_and_not_stretched(size):
    with pytest.raises(InputError, match=f"region is {size[0]} by {size[1]} pixels and the picture 100 by 100"):
        open_region(Image.new("L", size, 255), (100, 100))


def test_a_thin_stroke_survives_when_the_picture_is_made_small():
    region = Image.new("L", (4000, 3000))
    region.paste(255, (1003, 100, 1005, 2900))  # two pixels wide, on none of the small picture's sampling points
    small = np.asarray(open_region(region, (128, 96)))
    assert (small[4:92].sum(axis=1) == 255).all() and small.sum() == 255 * (small > 0).sum()


def test_whole_cells():
    region = Image.new("L", (20, 12))
    region.putpixel((9, 3), 255)
    region.putpixel((19, 11), 255)
    cells = np.asarray(cover_cells(region, 8))
    expected = np.zeros((12, 20))
    expected[:8, 8:16] = expected[8:, 16:] = 255
    assert np.array_equal(cells, expected)


@pytest.mark.parametrize("turn", [1, 6, 8])
def test_a_region_on_a_turned_photograph_is_painted_on_the_upright_one(tmp_path, turn):
    photo = Image.new("RGB", (60, 40), "green")
    exif = photo.getexif()
    exif[0x0112] = turn
    photo.save(tmp_path / "photo.jpg", exif=exif)
    picture = open_picture(tmp_path / "photo.jpg")
    assert picture.size == ((60, 40) if turn == 1 else (40, 60))
    assert open_region(Image.new("L", picture.size, 255), picture.size).size == picture.size
