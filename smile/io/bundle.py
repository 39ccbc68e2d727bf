"""An explanation as one file, so that it can be sent, kept beside a paper, and opened again where no editor runs.

In the zip is what `write_folder` writes into a folder, less what can be drawn from it. It may come from anybody: names,
sizes and the headers of pictures are checked before anything is decoded, then what the numbers say (`smile.io.schema`).
"""

import hashlib
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from smile.errors import InputError
from smile.io import answer_schema, schema
from smile.io.checks import compare_design, list_unchecked
from smile.io.images import MAX_PIXELS, PICTURE_ERRORS, average_all_cells
from smile.io.own_folder import RECORD, read_file, replace_files
from smile.io.safe_zip import SafeZip, UnsafeZipError, pack_zip
from smile.io.schema import make_error, require

PICTURES = ("image", "region", "edits", "noise_edits", "extra_edits")  # the fields that are no numbers
NAMES = re.compile(r"explanation\.json|input\.png|region\.png|(edits|noise|extra)/[0-9]{3,4}\.png")
MAX_ENTRIES = 3 * schema.MAX_EDITS + 3
MAX_BYTES = 512_000_000  # of all files, uncompressed
MAX_JSON = 16_000_000  # bytes
MAX_ALL_PIXELS = 4 * MAX_PIXELS  # of all pictures: they are in memory together
PNG_HEADER = struct.Struct(">8s4x4sII")  # signature, chunk's length, its name, width, height


def pack_numbers(numbers: str) -> bytes:
    """The zip of an explanation that is explanation.json alone, as that of an answer; equal numbers are equal bytes."""
    return pack_zip([("explanation.json", numbers.encode("utf-8"))])


def pack(fields: Mapping[str, Any]) -> bytes:
    """The zip of an explanation's fields, finished or not; equal fields are equal bytes."""
    return pack_zip(_make_files(fields))


def write_folder(fields: Mapping[str, Any], folder: Path, drawn: Mapping[str, bytes], overwrite: bool = False) -> None:
    """Write an explanation's fields, and what was `drawn` from them by file name, into a folder (`smile.io.own_folder`).

    Raises InputError where the folder holds what no explanation wrote, unless `overwrite`, and OSError where it cannot be
    written: then what was there stays.
    """
    replace_files(folder, dict(_make_files(fields)) | dict(drawn), overwrite)


def encode_record(fields: Mapping[str, Any]) -> str:
    """explanation.json: the numbers, and the files of the pictures with a hash of what each shows."""
    numbers = {name: value for name, value in fields.items() if name not in PICTURES}
    return schema.encode(numbers | {"files": [f"{name} {_hash(each)}" for name, each in _name_pictures(fields).items()]})


class Limits(NamedTuple):
    """Of what is opened: pixels of all pictures together, which lie in memory, and edits."""

    pixels: int = MAX_ALL_PIXELS
    edits: int = schema.MAX_EDITS


ANY = Limits()


def read(source, *, refit: bool = True, limits: Limits = ANY) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields of an explanation, pictures as PIL images, from a zip (a path or a seekable binary file) or a folder; and
    what of it was not checked (`smile.io.checks`).

    refit: compute the numbers again and compare; the page does without for the files that come with it, which tests
    have compared, because a page must start where arithmetic rounds another way, too.

    Raises InputError where there is none, where it is not as it was written, too large, or changed.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _read_zip(source, refit, limits)
    path = Path(source)
    if path.is_dir():
        return _read_folder(path, refit, limits)
    try:
        with path.open("rb") as file:
            return _read_zip(file, refit, limits)
    except FileNotFoundError:
        raise InputError(f"There is no explanation at {path}; give the zip file or the folder that was saved.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error


def _make_files(fields: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files that hold the explanation, explanation.json first."""
    yield RECORD, encode_record(fields).encode("utf-8")
    for name, picture in _name_pictures(fields).items():
        bare, data = picture.copy(), BytesIO()
        bare.info = {}  # its pixels and nothing else that came with it
        bare.save(data, "PNG")
        yield name, data.getvalue()


def _name_pictures(fields: Mapping[str, Any]) -> dict[str, Image.Image]:
    """The pictures by the names of their files."""
    pictures = {"input.png": fields["image"], "region.png": fields["region"]}
    pictures |= {_name_file("edits", number): edit for number, edit in enumerate(fields["edits"])}
    pictures |= {_name_file("noise", number): edit for number, edit in enumerate(fields["noise_edits"])}
    pictures |= {_name_file("extra", number): edit for number, edit in enumerate(fields["extra_edits"])}
    return {name: picture for name, picture in pictures.items() if picture is not None}


def _hash(picture: Image.Image) -> str:
    """Of what is seen, however it is packed."""
    return hashlib.sha256(f"{picture.mode} {picture.size} ".encode() + picture.tobytes()).hexdigest()


def _name_file(folder: str, number: int) -> str:
    return f"{folder}/{number:03}.png"


def _read_folder(folder: Path, refit: bool, limits: Limits) -> tuple[dict[str, Any], tuple[str, ...]]:
    def read_content(name: str) -> bytes:
        try:
            return read_file(folder, name)
        except OSError as error:
            if name == RECORD and isinstance(error, FileNotFoundError):
                raise InputError(f"There is no explanation in {folder}: explanation.json is missing.") from None
            raise make_error(f"{name} cannot be read ({error.strerror})") from error

    return _assemble(read_content, refit, limits)


def _read_zip(file, refit: bool, limits: Limits) -> tuple[dict[str, Any], tuple[str, ...]]:
    try:
        with SafeZip(file, MAX_ENTRIES) as archive:
            for name in archive.names:
                require(NAMES.fullmatch(name), "there is a file in it that does not belong to an explanation")
            sizes = archive.select(archive.names, MAX_BYTES)
            require(sizes.get(RECORD, 0) <= MAX_JSON, f"explanation.json has more than {MAX_JSON // 10**6} MB")
            return _assemble(archive.read, refit, limits, set(sizes))
    except UnsafeZipError as error:
        raise make_error(str(error)) from error


def _assemble(
    read_content: Callable[[str], bytes], refit: bool, limits: Limits, names: set[str] | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields from what `read_content(name)` gives, and what was not checked; with `names`, there must be no other files."""
    values = schema.decode(read_content(RECORD))
    if isinstance(values, dict) and "answers" in values:
        require(names in (None, {RECORD}), "an explanation of an answer is explanation.json alone")
        fields = answer_schema.read_fields(values, refit)
        return fields, list_unchecked(fields, True, refit)
    fields = schema.check_fields(values)
    require(len(fields["texts"]) <= limits.edits, f"it has more than {limits.edits} edits")
    listed = fields.pop("files")
    edits, noise_edits, extra_edits = (
        [_name_file(folder, number) if pictured else None for number, pictured in enumerate(which)]
        for folder, which in zip(("edits", "noise", "extra"), schema.find_pictured(fields), strict=True)
    )
    region = "region.png" if fields["settings"]["region"] else None
    for name in sorted((names or set()) - {RECORD, "input.png", region, *edits, *noise_edits, *extra_edits}):
        raise make_error(f"explanation.json does not know of {name}")
    album = _Album(read_content, limits.pixels)
    fields["image"] = album.open_png("input.png")
    require(list(fields["image"].size) == fields["settings"]["size"], "input.png has not the size that is written down")
    fields["region"] = album.open_png(region, "L")
    if fields["region"] is not None:
        require(fields["region"].size == fields["image"].size, "region.png has not the size of input.png")
        shades = {shade for _, shade in fields["region"].getcolors()}
        require(255 in shades <= {0, 255}, "region.png is not black and white")
    for field, chosen in (("edits", edits), ("noise_edits", noise_edits), ("extra_edits", extra_edits)):
        fields[field] = [album.open_png(name) for name in chosen]
    if listed:
        hashes = {name: _hash(picture) for name, picture in _name_pictures(fields).items()}
        require([f"{name} {each}" for name, each in hashes.items()] == listed, "its pictures are not those that it lists")
    if refit:
        compare_design(fields)
        cells = average_all_cells([*fields["edits"], *fields["extra_edits"]])
        schema.compare_results(fields, cells[: len(edits)], cells[len(edits) :])
    return fields, list_unchecked(fields, bool(listed), refit)


class _Album:
    """Pictures whose header is checked before they are decoded, and which fit into memory together."""

    def __init__(self, read_content: Callable[[str], bytes], most: int):
        self.read_content, self.most, self.left = read_content, most, most

    def open_png(self, name: str | None, mode: str = "RGB") -> Image.Image | None:
        """The picture in a file of this mode; None where there is no name. Raises InputError."""
        if name is None:
            return None
        data = self.read_content(name)
        header = data[: PNG_HEADER.size].ljust(PNG_HEADER.size, b"\0")
        signature, chunk, width, height = PNG_HEADER.unpack(header)
        png = signature == b"\x89PNG\r\n\x1a\n" and chunk == b"IHDR" and width and height
        require(png, f"{name} is no PNG picture")
        require(width * height <= MAX_PIXELS, f"{name} has more than {MAX_PIXELS // 10**6} million pixels")
        self.left -= width * height
        require(self.left >= 0, f"its pictures have more than {self.most // 10**6} million pixels together")
        try:
            with Image.open(BytesIO(data), formats=["PNG"]) as opened:
                same = opened.size == (width, height) and opened.mode == mode
                picture = opened.copy() if same else None
        except (*PICTURE_ERRORS, Image.DecompressionBombError) as error:
            raise make_error(f"{name} is damaged") from error
        if picture is None:
            raise make_error(f"{name} is not the kind of picture that an explanation holds")
        picture.info = {}
        return picture
