"""One door for every picture: whatever comes in leaves as upright RGB.

The published code turned phone photographs for the editor and not for the embedder, so distances were measured between
pictures that lay differently. Here rotation, transparency and size are settled once, before anything is computed, and
the size in the file's header is checked before a single pixel is decoded.
"""

import os
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from smile.errors import InputError, shown

MAX_PIXELS = 64_000_000  # a large phone photograph passes, a decompression bomb does not
MAX_ASPECT = 8  # longer strips leave the editors nothing to work on
MIN_SIDE = 4  # pixels; less shows nothing
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")  # others start other programs, or are hardly ever meant
PICTURE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, MemoryError, OverflowError)
MAX_STRETCH = 0.02  # how far a region's proportions may be from its picture's: rounding, and no more
MAX_PROFILE = 4_000_000  # bytes of a colour profile; those of cameras have some thousands
ANOTHER_COLOUR = 0.05  # of a region's bright pixels; what edges and compression make of one colour is less
UNEVEN = 32  # levels of 255 between the pixels of a region that is bright everywhere; compression makes less


def open_picture(source) -> Image.Image:
    """The picture in `source` as an upright RGB PIL image at its own size; transparency is laid on white, and a colour
    profile is applied, so that the pixels are those of sRGB.

    `source` is a path, a PIL image, or an array (h, w), (h, w, 3) or (h, w, 4) of uint8, uint16, bool, or of floats in [0, 1].
    Grey of 16 bits is scaled by its format's range; floats of a file are in [0, 1], or in [0, 255] where one is above 1.
    Nothing but the pixels is kept: no place, camera or comment. Raises InputError when it is none of these, cannot be
    read, has more than 64 million pixels, moves, is tiny, or is a narrow strip.
    """
    if source is None:
        raise InputError("There is no picture; choose one.")
    return _open(source, _flatten)


def open_region(source, size: tuple[int, int]) -> Image.Image:
    """The region in `source` (as for `open_picture`) of a picture of `size` (width, height), as an L image of that size that
    holds 0 and 255.

    What is bright, in white or in one other colour, is inside; what is transparent is outside. Integers of 0 and 1, whole
    or in a palette, are taken as outside and inside. Raises InputError when it cannot be read, nothing in it is bright, its
    proportions are not the picture's, or its meaning is in doubt: several bright colours, or bright everywhere and not even.
    """
    region = _open(source, _mark_inside)
    if abs(region.width * size[1] / (region.height * size[0]) - 1) > MAX_STRETCH:
        raise InputError(
            f"The region is {region.width} by {region.height} pixels and the picture {size[0]} by {size[1]}; "
            "paint it on this picture, so that their proportions agree."
        )
    return fit_region(region, size)


def lay_on_white(picture: Image.Image) -> Image.Image:
    """`picture` as RGB, what is transparent laid on white. May raise what Pillow raises for pixels that cannot be read."""
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _open(source, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """What `convert` makes of the upright picture in `source`. Raises InputError."""
    if isinstance(source, Image.Image):
        try:
            return convert(_make_upright(source))
        except InputError:
            raise
        except PICTURE_ERRORS as error:  # which Pillow raises only now, when the pixels are needed
            raise InputError("The picture is damaged or cannot be read; save it again.") from error
    if isinstance(source, np.ndarray):
        return convert(_make_upright(_convert_array(source)))
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"A picture must be a path, a PIL image or an array, not {type(source).__name__}.")
    path = Path(source)
    name = shown(path.name)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise InputError(f"There is no picture at {shown(str(source))}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs, for which our own limit is lower, and of broken EXIF
            with Image.open(path, formats=FORMATS) as opened:
                _check_size(opened)
                if opened.format != "MPO" and getattr(opened, "is_animated", False):  # phones add a preview, as MPO
                    raise InputError(f"{name} holds several pictures or moves; give a single one.")
                return convert(_make_upright(opened))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(_describe_limit(name)) from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a picture that can be read; use PNG, JPEG or WebP.") from error
    except PICTURE_ERRORS as error:  # what Pillow raises for a truncated or damaged file
        raise InputError(f"{name} is damaged or cannot be read; save it again.") from error


def fit_region(region: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`region` (L, 0 and 255) at another size. What is painted stays painted, however thin: a pixel is inside where any
    part of it is."""
    return region if region.size == size else region.resize(size, Image.Resampling.BOX).point(lambda v: 255 * (v > 0))


def cover_cells(region: Image.Image, cell: int) -> Image.Image:
    """`region` (L, 0 and 255) with every cell of `cell` by `cell` pixels that it touches wholly inside.

    Models see a region at the size of their latents, and take one pixel's word for a cell: thin strokes would be lost.
    """
    pixels = np.asarray(region)
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, -height % cell), (0, -width % cell)))
    cells = padded.reshape(padded.shape[0] // cell, cell, padded.shape[1] // cell, cell).max(axis=(1, 3))
    return Image.fromarray(cells.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width])


def average_all_cells(pictures: Sequence[Image.Image | None]) -> np.ndarray:
    """(n, rows, columns, 3) `average_cells` of pictures of one size, NaN for None; at least one is a picture."""
    cells = [None if picture is None else average_cells(picture) for picture in pictures]
    missing = np.full(next(each.shape for each in cells if each is not None), np.nan)
    return np.array([missing if each is None else each for each in cells])


def average_cells(picture: Image.Image, cells: int = 16) -> np.ndarray:
    """(rows, columns, 3) mean colour in [0, 1] of each cell of a grid of `cells` by `cells`, or as many as there are pixels."""
    pixels = np.asarray(picture.convert("RGB"))
    rows, columns = (np.linspace(0, size, min(cells, size) + 1).round().astype(int) for size in pixels.shape[:2])
    bands = (np.add.reduceat(pixels[start:end] / 255, [0]) / (end - start) for start, end in pairwise(rows))  # no copy of all
    return np.add.reduceat(np.concatenate(list(bands)), columns[:-1], axis=1) / np.diff(columns)[:, None]


def fit_picture(picture: Image.Image, longest: int, multiple: int = 8) -> Image.Image:
    """`picture` at the working size: longest side `longest` pixels, aspect kept, both sides multiples of `multiple`."""
    scale = longest / max(picture.size)
    width, height = (max(multiple, round(side * scale / multiple) * multiple) for side in picture.size)
    return picture if (width, height) == picture.size else picture.resize((width, height), Image.Resampling.LANCZOS)


def _check_size(picture: Image.Image) -> None:
    """What the header says, before a pixel is decoded."""
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(_describe_limit("The picture"))
    if min(width, height) < MIN_SIDE and max(width, height) <= MIN_SIDE * MAX_ASPECT:
        raise InputError(f"The picture is {width} by {height} pixels, too small to show anything; give a larger one.")
    if not width or not height or max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(f"The picture is {width} by {height} pixels, too narrow a strip; crop it.")


def _make_upright(picture: Image.Image) -> Image.Image:
    """A copy, checked, loaded and turned as its EXIF says; its format stays known."""
    _check_size(picture)
    picture.load()
    try:
        upright = ImageOps.exif_transpose(picture)
    except PICTURE_ERRORS:  # somebody else's EXIF; the pixels are sound
        upright = picture.copy()
    upright.format = picture.format
    return upright


def _flatten(picture: Image.Image) -> Image.Image:
    """`open_picture` on an upright picture."""
    if picture.mode.startswith(("I", "F")):
        profile = picture.info.get("icc_profile")
        picture = Image.fromarray(_read_levels(picture).round().astype(np.uint8))
        picture.info["icc_profile"] = profile
    picture = lay_on_white(_apply_profile(picture))
    picture.info = {}
    return picture


def _apply_profile(picture: Image.Image) -> Image.Image:
    """The picture in sRGB, where it brings a profile that says what its colours are; else as it is."""
    data = picture.info.get("icc_profile")
    if not isinstance(data, bytes) or not 0 < len(data) <= MAX_PROFILE:
        return picture
    alpha = picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None
    own = picture if picture.mode in ("L", "CMYK", "LAB") else picture.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        converted = ImageCms.profileToProfile(own, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (*PICTURE_ERRORS, ImageCms.PyCMSError, TypeError):  # it is none, or of another kind of picture
        return picture
    assert converted is not None, "a new picture, unless it is asked to be made in place"
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _read_levels(picture: Image.Image) -> np.ndarray:
    """(h, w) levels from 0 to 255 of a picture of 16 or 32 bits, scaled by what its format can hold. Raises InputError."""
    values = np.asarray(picture, dtype=float)
    if not np.isfinite(values).all():
        raise InputError("The picture holds values that are no numbers; save it as PNG.")
    if picture.mode == "F":
        return (values * (255 if values.max() <= 1 else 1)).clip(0, 255)
    if picture.mode == "I" and picture.format != "PNG":  # a PNG has at most 16
        raise InputError("The picture has whole numbers of 32 bits, of which nobody knows the range; save it with 8 or 16.")
    return (values / 257).clip(0, 255)


def _mark_inside(picture: Image.Image) -> Image.Image:
    """The region in an upright picture, as L, 0 outside and 255 inside. Raises InputError where its meaning is in doubt."""
    visible: Any = True
    if picture.mode.startswith(("I", "F")):
        whole = np.asarray(picture)
        bits = picture.mode != "F" and np.isin(whole, (0, 1)).all()
        pixels = (whole * 255.0 if bits else _read_levels(picture).round()).astype(np.uint8)[:, :, None]
    else:
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            visible = np.asarray(picture.getchannel("A")) > 127
        pixels = np.asarray(picture.convert("RGB"))
    levels = pixels.max(axis=2) * np.uint8(visible)  # by the brightest channel, so that pure red and blue are bright
    brightest = int(levels.max())
    if brightest == 1:  # 0 and 1, as programs write it
        levels, brightest = levels * 255, 255
    inside = levels > 127
    if not inside.any():
        raise InputError(
            f"The region is empty: its brightest pixel is {brightest} of 255; paint the part of the picture that may change "
            "white, on black."
        )
    bright = pixels[inside]  # (n, channels)
    if inside.all() and np.ptp(bright, axis=0).max() > UNEVEN:
        raise InputError("The region is bright everywhere and yet not even, so it is not clear what is meant; paint on black.")
    kinds = np.packbits(bright > bright.max(axis=1, keepdims=True) // 2, axis=1)  # which channels are on: the colour, roughly
    if (np.bincount(kinds.ravel()).max() / len(kinds)) < 1 - ANOTHER_COLOUR:
        raise InputError("The region has several bright colours, so it is not clear which is meant; paint white on black.")
    return Image.fromarray(np.uint8(inside) * np.uint8(255))


def _convert_array(values: np.ndarray) -> Image.Image:
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.size == 0 or not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))):
        raise InputError(f"An array of shape {values.shape} is no picture; use (height, width, 3).")
    if values.dtype == bool:
        values = values * np.uint8(255)
    if np.issubdtype(values.dtype, np.floating):
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise InputError("A picture given as floats must hold values from 0 to 1.")
        values = np.round(values * 255).astype(np.uint8)
    if values.dtype == np.uint16:
        values = np.round(values / 257).astype(np.uint8)
    if values.dtype != np.uint8:
        raise InputError(f"A picture given as an array must be uint8 or floats from 0 to 1, not {values.dtype}.")
    return Image.fromarray(values)


def _describe_limit(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} million pixels; make it smaller."
