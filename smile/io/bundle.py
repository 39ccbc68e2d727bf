"""An explanation as one file, so that it can be sent, kept beside a paper, and opened again where no editor runs.

In the zip is what `Explanation.save` writes into a folder, less what can be drawn from it. It may come from anybody:
names, sizes and the headers of pictures are checked before anything is decoded, then what the numbers say
(`smile.io.schema`).
"""

import os
import re
import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

from smile.errors import InputError
from smile.explanation import Explanation
from smile.io import schema
from smile.io.atomic import write_file
from smile.io.images import MAX_PIXELS, PICTURE_ERRORS
from smile.io.safe_zip import SafeZip, UnsafeZipError, pack_zip
from smile.io.schema import need, refused

NAMES = re.compile(r"explanation\.json|input\.png|region\.png|(edits|noise)/[0-9]{3,4}\.png")
MAX_ENTRIES = 2 * schema.MAX_EDITS + 3
MAX_BYTES = 512_000_000  # of all files, uncompressed
MAX_JSON = 16_000_000  # bytes
MAX_ALL_PIXELS = 4 * MAX_PIXELS  # of all pictures: they are in memory together
PNG_HEADER = struct.Struct(">8s4x4sII")  # signature, chunk's length, its name, width, height


def write(explanation: Explanation, target) -> None:
    """Write `explanation`, also one that is not finished, as a zip into `target`, a path or a binary file.

    The same explanation makes the same bytes. Raises InputError where the path cannot be written.
    """
    data = pack_zip(files(explanation))
    if not isinstance(target, (str, os.PathLike)):
        target.write(data)
        return
    try:
        write_file(target, data)
    except OSError as error:
        raise InputError(f"The bundle cannot be written to {target} ({error.strerror}).") from error


def read(source, *, refit: bool = True) -> Explanation:
    """The explanation that `write` put into `source`, a path or a seekable binary file, or `save` into a folder.

    refit: compute the numbers again and compare; the page does without for the files that come with it, which tests
    have compared, because a page must start where arithmetic rounds another way, too.

    Raises InputError where there is none, where it is not as it was written, too large, or changed.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _from_zip(source, refit)
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, refit)
    try:
        with path.open("rb") as file:
            return _from_zip(file, refit)
    except FileNotFoundError:
        raise InputError(f"There is no explanation at {path}; give the zip file or the folder that was saved.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error


def files(explanation: Explanation) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files that hold the explanation, explanation.json first."""
    yield "explanation.json", explanation.to_json().encode("utf-8")
    yield "input.png", _png(explanation.image)
    if explanation.region is not None:
        yield "region.png", _png(explanation.region)
    for folder, pictures in (("edits", explanation.edits), ("noise", explanation.noise_edits)):
        for number, picture in enumerate(pictures):
            if picture is not None:
                yield _name(folder, number), _png(picture)


def _name(folder: str, number: int) -> str:
    return f"{folder}/{number:03}.png"


def _png(picture: Image.Image) -> bytes:
    """Its pixels and nothing else that came with it."""
    bare, data = picture.copy(), BytesIO()
    bare.info = {}
    bare.save(data, "PNG")
    return data.getvalue()


def _from_folder(folder: Path, refit: bool) -> Explanation:
    if not (folder / "explanation.json").is_file():
        raise InputError(f"There is no explanation in {folder}: explanation.json is missing.")

    def content(name):
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise refused(f"{name} cannot be read ({error.strerror})") from error

    return _assembled(content, refit)


def _from_zip(file, refit: bool) -> Explanation:
    try:
        with SafeZip(file, MAX_ENTRIES) as archive:
            for name in archive.names:
                need(NAMES.fullmatch(name), "there is a file in it that does not belong to an explanation")
            sizes = archive.select(archive.names, MAX_BYTES)
            need(sizes.get("explanation.json", 0) <= MAX_JSON, f"explanation.json has more than {MAX_JSON // 10**6} MB")
            return _assembled(archive.read, refit, set(sizes))
    except UnsafeZipError as error:
        raise refused(str(error)) from error


def _assembled(content: Callable[[str], bytes], refit: bool, names: set[str] | None = None) -> Explanation:
    """The explanation from what `content(name)` gives; with `names`, there must be no other files."""
    values = schema.decode(content("explanation.json"), refit)
    made = dict(zip(("edits", "noise"), schema.made(values), strict=True))
    named = {folder: [_name(folder, i) if ok else None for i, ok in enumerate(there)] for folder, there in made.items()}
    expected = ["explanation.json", "input.png", *["region.png"] * values["settings"]["region"]]
    expected += [name for there in named.values() for name in there if name]
    for name in sorted((names or set()) - set(expected)):
        raise refused(f"explanation.json does not know of {name}")
    album = _Album(content)
    image = album.picture("input.png")
    need(list(image.size) == values["settings"]["size"], "input.png has not the size that is written down")
    region = album.picture("region.png", "L") if values["settings"]["region"] else None
    need(region is None or region.size == image.size, "region.png has not the size of input.png")
    shades = {255} if region is None else {shade for _, shade in region.getcolors()}
    need(255 in shades <= {0, 255}, "region.png is not black and white")
    pictures = {folder: [None if name is None else album.picture(name) for name in there] for folder, there in named.items()}
    return Explanation(**values, image=image, region=region, edits=pictures["edits"], noise_edits=pictures["noise"])


class _Album:
    """Pictures whose header is checked before they are decoded, and which fit into memory together."""

    def __init__(self, content: Callable[[str], bytes]):
        self.content, self.left = content, MAX_ALL_PIXELS

    def picture(self, name: str, mode: str = "RGB") -> Image.Image:
        data = self.content(name)
        header = data[: PNG_HEADER.size].ljust(PNG_HEADER.size, b"\0")
        signature, chunk, *size = PNG_HEADER.unpack(header)
        need(signature == b"\x89PNG\r\n\x1a\n" and chunk == b"IHDR" and all(size), f"{name} is no PNG picture")
        need(size[0] * size[1] <= MAX_PIXELS, f"{name} has more than {MAX_PIXELS // 10**6} million pixels")
        self.left -= size[0] * size[1]
        need(self.left >= 0, f"its pictures have more than {MAX_ALL_PIXELS // 10**6} million pixels together")
        try:
            with Image.open(BytesIO(data), formats=["PNG"]) as opened:
                same = list(opened.size) == size and opened.mode == mode
                picture = opened.copy() if same else None
        except (*PICTURE_ERRORS, Image.DecompressionBombError) as error:
            raise refused(f"{name} is damaged") from error
        need(picture, f"{name} is not the kind of picture that an explanation holds")
        picture.info = {}
        return picture
