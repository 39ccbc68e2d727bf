"""One door for every picture: whatever comes in leaves as upright RGB.

The published code turned phone photographs for the editor and not for the embedder, so distances were measured between
pictures that lay differently. Here rotation, transparency and size are settled once, before anything is computed, and
the size in the file's header is checked before a single pixel is decoded.
"""

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from smile.errors import InputError

MAX_PIXELS = 64_000_000  # a large phone photograph passes, a decompression bomb does not
MAX_ASPECT = 8  # longer strips leave the editors nothing to work on


def open_picture(source) -> Image.Image:
    """The picture in `source` as an upright RGB PIL image at its own size; transparency is laid on white.

    `source` is a path, a PIL image, or an array (h, w), (h, w, 3) or (h, w, 4) of uint8 or of floats in [0, 1].
    Raises InputError when it is none of these, cannot be read, has more than 64 million pixels, or is a narrow strip.
    """
    if source is None:
        raise InputError("There is no picture; choose one.")
    if isinstance(source, Image.Image):
        return _upright_rgb(source)
    if isinstance(source, np.ndarray):
        return _upright_rgb(_from_array(source))
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"A picture must be a path, a PIL image or an array, not {type(source).__name__}.")
    path = Path(source)
    if not path.is_file():
        raise InputError(f"There is no picture at {path}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we refuse by our own, lower limit
            with Image.open(path) as opened:
                return _upright_rgb(opened)
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(path.name)) from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path.name} is not a picture that can be read; use PNG, JPEG or WebP.") from error
    except (OSError, SyntaxError) as error:  # what Pillow raises for a truncated or damaged file
        raise InputError(f"{path.name} is damaged or cannot be read ({error}).") from error


def open_region(source, size: tuple[int, int]) -> Image.Image:
    """The region in `source` (as for `open_picture`; white is inside) as an L image of `size` (width, height).

    Raises InputError when it cannot be read or nothing in it is white.
    """
    region = open_picture(source).convert("L").resize(size, Image.Resampling.NEAREST).point(lambda v: 255 * (v > 127))
    if not region.getbbox():
        raise InputError("The region is empty; paint the part of the picture that may change.")
    return region


def fit(picture: Image.Image, longest: int, multiple: int = 8) -> Image.Image:
    """`picture` at the working size: longest side `longest` pixels, aspect kept, both sides multiples of `multiple`."""
    scale = longest / max(picture.size)
    size = tuple(max(multiple, round(side * scale / multiple) * multiple) for side in picture.size)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def _upright_rgb(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(_too_large("The picture"))
    if not width or not height or max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(f"The picture is {width} by {height} pixels, too narrow a strip; crop it.")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):  # 16-bit greyscale, which Pillow would clip instead of scale
        values = np.asarray(picture, dtype=float)
        picture = Image.fromarray((values * (255 / max(values.max(), 255.0))).clip(0, 255).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _from_array(values: np.ndarray) -> Image.Image:
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.size == 0 or not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))):
        raise InputError(f"An array of shape {values.shape} is no picture; use (height, width, 3).")
    if np.issubdtype(values.dtype, np.floating):
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise InputError("A picture given as floats must hold values from 0 to 1.")
        values = np.round(values * 255).astype(np.uint8)
    if values.dtype != np.uint8:
        raise InputError(f"A picture given as an array must be uint8 or floats from 0 to 1, not {values.dtype}.")
    return Image.fromarray(values)


def _too_large(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS // 10**6} million pixels; make it smaller."
