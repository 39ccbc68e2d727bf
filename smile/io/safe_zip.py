"""Zip files of somebody else's, read without trusting them, and our own, written so that equal content is equal bytes."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import BinaryIO

from smile.errors import shown

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
NAME_BYTES = 200  # of an entry in the table of contents, on average, with its numbers
DIRECTORY_END = struct.Struct("<4s16x4s6xHLL2s")  # of a zip: the locator of a zip64, then the end record
ERRORS = (zipfile.BadZipFile, OSError, ValueError, EOFError, struct.error, zlib.error, NotImplementedError)


class UnsafeZipError(Exception):
    """Why a zip file is not read, as the rest of a sentence after “because”."""


class SafeZip:
    """A zip file, checked step by step, so that nothing is read before it is known to be small enough.

    Creating it reads the table of contents, `names`; `select` says which entries will be read, and how large they may be;
    `read` gives the bytes of one. Everything raises UnsafeZipError. To be used in a with statement.
    """

    def __init__(self, file: BinaryIO, max_entries: int):
        """`file` is seekable. Zip64 and a comment at the end are refused: both can hide another table of contents."""
        start = file.seek(0, os.SEEK_END) - DIRECTORY_END.size
        file.seek(max(0, start))
        end = file.read(DIRECTORY_END.size)
        locator, signature, entries, size, _, comment = DIRECTORY_END.unpack(end) if start >= 0 else (b"",) * 6
        _require(signature == b"PK\5\6" and comment == b"\0\0" and locator != b"PK\6\7", "it is no zip file, or an unusual one")
        _require(entries <= max_entries and size <= max_entries * NAME_BYTES, "there are too many files in it")
        try:
            self._archive = zipfile.ZipFile(file)
        except ERRORS as error:
            raise UnsafeZipError("the zip file is damaged") from error
        self._all = self._archive.infolist()
        self._selected: dict[str, zipfile.ZipInfo] = {}
        self.names = [entry.orig_filename for entry in self._all]  # as written: `filename` ends at the first null
        _require(len(self.names) <= max_entries, "there are too many files in it")

    def __enter__(self) -> "SafeZip":
        return self

    def __exit__(self, *_) -> None:
        self._archive.close()

    def select(self, names: Iterable[str], max_bytes: int) -> dict[str, int]:
        """The sizes of these entries in bytes, by name, as the table of contents has them: together at most `max_bytes`."""
        wanted = set(names)
        chosen = [entry for entry in self._all if entry.orig_filename in wanted]
        for entry in chosen:
            _require(not entry.flag_bits & 0x41, "it is encrypted")
            plain = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            _require(plain, "it is compressed in an unusual way")
        self._selected = {entry.orig_filename: entry for entry in chosen}
        _require(len(self._selected) == len(chosen), "there are two files of the same name in it")
        sizes = {name: entry.file_size for name, entry in self._selected.items()}
        _require(sum(sizes.values()) <= max_bytes, f"it holds more than {max_bytes // 10**6} MB")
        return sizes

    def read(self, name: str) -> bytes:
        """The content of a selected entry, which has exactly the size that it is said to have."""
        _require(name in self._selected, f"{name} is missing")
        entry = self._selected[name]
        try:
            with self._archive.open(entry) as opened:
                content = opened.read(entry.file_size + 1)
        except ERRORS as error:
            raise UnsafeZipError(f"{shown(name)} is damaged") from error
        _require(len(content) == entry.file_size, f"{shown(name)} has not the size that it is said to have")
        return content


def pack_zip(files: Iterable[tuple[str, bytes | str]]) -> bytes:
    """A zip of (name, content), text as UTF-8, in this order. PNGs are not compressed again."""
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # readable by all, wherever it is written
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return data.getvalue()


def _require(condition: bool, why: str) -> None:
    if not condition:
        raise UnsafeZipError(why)
