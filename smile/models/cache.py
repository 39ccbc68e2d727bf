"""Edits that were made once are not made again: kept in memory and, where there is a folder, on disk.

An edit is known by all that it follows from: picture, region, text, seed, the editor's name, settings and weights, and its
arithmetic (`smile.models.identity`). Within a device the size of a batch changes roundings too, by one level in a few of a
million values; so an edit from here is the one that the editor returned, in whichever batch that was, and equal questions,
which are put in equal batches, have equal answers to the last bit.

An editor of somebody's own has no identity beyond the object: its edits stay in memory, for that object, unless it has a
`revision`, a text that changes whenever its edits would. One that is changed in a way it does not say needs a new cache.
Failed edits are tried again, but not those that a safety checker blocked, because it would block them again.

Not diskcache, which pickles what it keeps, so that whoever can write to the folder can run code, and has had no release
since 2023. A file here is a checksum and a PNG (nothing for a blocked edit), is put in place whole, and may be removed at
any time by anybody; so processes and machines can share a folder.
"""

import hashlib
import io
import json
import os
import threading
import time
import uuid
import warnings
import weakref
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from smile.errors import InputError
from smile.io.atomic import write_file
from smile.io.images import MAX_PIXELS
from smile.models.identity import describe_arithmetic, find_revision, hash_bytes

FORMAT = "1"
MEMORY, DISK = 2**28, 2**31  # bytes
CHECKED = hashlib.sha256().digest_size  # bytes before the PNG
LARGEST = 4 * MAX_PIXELS  # bytes of a file that can be one of ours
ABANDONED = 3600  # seconds after which an unfinished file is nobody's
ENTRY = 1000  # bytes that an entry takes beside its pixels, roughly: its key, and that it is there
BLOCK = 4096  # bytes; a file takes at least so much of a disk
MISSING = object()

Key = tuple[str, int, str]  # (group's key, seed, text)


class Group(NamedTuple):
    """All edits of one picture, with one region, by one editor."""

    key: str  # a hash of all that they follow from
    lasting: bool  # whether it means the same in another process


class Cache:
    """Edits, the most recently used ones: `memory_bytes` of pixels and, in `folder`, about `disk_bytes` of files. In memory
    they are forgotten after `seconds` without use. May be shared by threads, and its folder by processes.

    Raises InputError where the folder cannot be made. What goes wrong with it later is a warning, and a new edit.
    """

    def __init__(
        self,
        folder: str | os.PathLike | None = None,
        *,
        memory_bytes: int = MEMORY,
        disk_bytes: int = DISK,
        seconds: float | None = None,
    ):
        self.memory_bytes, self.seconds = memory_bytes, seconds
        self._held: OrderedDict[Key, tuple[Image.Image | None, float]] = OrderedDict()  # (edit, last used), oldest first
        self._bytes = 0
        self._objects: dict[int, tuple] = {}
        self._lock = threading.Lock()
        self._folder = None if folder is None else _Folder(Path(folder).expanduser(), disk_bytes)

    def identify(self, editor: object, picture: Image.Image, region: Image.Image | None) -> Group:
        """The group of all edits of `picture` and `region` by `editor`."""
        revision = find_revision(editor)
        parts = [None if part is None else [part.mode, part.size, hash_bytes(part.tobytes())] for part in (picture, region)]
        known = [
            FORMAT,
            revision or self._name_object(editor),
            *(str(getattr(editor, name, "")) for name in ("name", "weights")),
            dict(getattr(editor, "settings", {})),
            bool(getattr(editor, "checker", None)),
            describe_arithmetic(editor),
            *parts,
        ]
        return Group(hash_bytes(json.dumps(known, default=str).encode()), revision is not None)

    def find(self, group: Group, seed: int, text: str) -> Any:
        """The edit, None for one that was blocked, or MISSING."""
        key = (group.key, seed, text)
        with self._lock:
            self._forget()
            if key in self._held:
                self._held[key] = (self._held[key][0], time.monotonic())
                self._held.move_to_end(key)
                return self._held[key][0]
        edit: Any = self._folder.read(key) if group.lasting and self._folder else MISSING
        if edit is not MISSING:
            self._hold(key, edit)
        return edit

    def store(self, group: Group, seed: int, text: str, edit: Image.Image | None) -> None:
        """Keep an edit, or None for one that was blocked. A folder that cannot be written to is a warning, once."""
        key = (group.key, seed, text)
        self._hold(key, edit)
        if group.lasting and self._folder:
            self._folder.write(key, edit)

    def list_held(self, group: Group) -> dict[tuple[int, str], Image.Image | None]:
        """By (seed, text), the edits of a group that are in memory."""
        with self._lock:
            self._forget()
            return {key[1:]: edit for key, (edit, _) in self._held.items() if key[0] == group.key}

    def _hold(self, key: Key, edit: Image.Image | None) -> None:
        with self._lock:
            self._drop(key)
            self._held[key] = (edit, time.monotonic())
            self._bytes += _count_bytes(edit)
            self._forget()

    def _forget(self) -> None:
        oldest = -1.0 if self.seconds is None else time.monotonic() - self.seconds
        while self._held and (self._bytes > self.memory_bytes or next(iter(self._held.values()))[1] < oldest):
            self._drop(next(iter(self._held)))

    def _drop(self, key: Key) -> None:
        if key in self._held:
            self._bytes -= _count_bytes(self._held.pop(key)[0])

    def _name_object(self, editor: object) -> str:
        """A name for this object, which no other has, not even one that comes to lie at its address."""
        address = id(editor)
        if address not in self._objects:
            held: object = editor
            with suppress(TypeError):  # of what cannot be referred to weakly
                held = weakref.ref(editor, lambda _: self._objects.pop(address, None))
            self._objects[address] = (held, uuid.uuid4().hex)
        return self._objects[address][1]


def ensure_cache(cache: Any) -> Cache:
    """The cache itself, or one in that folder. Raises InputError where that folder cannot be made."""
    return cache if isinstance(cache, Cache) else Cache(cache)


class _Folder:
    """Edits on disk, about `most` bytes of them. Of what cannot be written there is one warning, and nothing more is."""

    def __init__(self, path: Path, most: int):
        self.path, self.most = path, most
        self._room = 0  # bytes that may be written before the folder is measured again
        self._writes = True
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Edits cannot be kept in {path} ({error.strerror}).") from error

    def read(self, key: Key) -> Any:
        """The edit, None for one that was blocked, or MISSING, with a warning where there is something that is no edit."""
        path = self._locate(key)
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError("too large")
            data = path.read_bytes()
            if data[:CHECKED] != _compute_checksum(path, data[CHECKED:]):
                raise ValueError("another checksum")
            edit = None if len(data) == CHECKED else _decode(data[CHECKED:])
        except FileNotFoundError:
            return MISSING
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # the last three are Pillow's
            warnings.warn(f"The edit in {path} cannot be used ({error}), and is made again.", stacklevel=2)
            with suppress(OSError):
                path.unlink()
            return MISSING
        with suppress(OSError):  # somebody else may have removed it
            os.utime(path)
        return edit

    def write(self, key: Key, edit: Image.Image | None) -> None:
        """Keep an edit."""
        if not self._writes:
            return
        path, content = self._locate(key), b"" if edit is None else _encode(edit)
        try:
            path.parent.mkdir(exist_ok=True)
            needed = max(BLOCK, CHECKED + len(content))
            self._room -= needed
            if self._room < 0:
                self._make_room(needed)
            write_file(path, _compute_checksum(path, content) + content)
        except OSError as error:
            warnings.warn(f"Edits can no longer be kept in {self.path} ({error.strerror or error}).", stacklevel=2)
            self._writes = False

    def _locate(self, key: Key) -> Path:
        name = hash_bytes(json.dumps(key).encode())
        return self.path / name[:2] / f"{name[2:]}.edit"

    def _make_room(self, needed: int) -> None:
        """Remove what was not used for longest. Others may do the same at the same time."""
        files = []
        for path in self.path.glob("??/*"):
            with suppress(FileNotFoundError):
                files.append((path.stat().st_mtime, max(BLOCK, path.stat().st_size), path))
        total, most = sum(size for _, size, _ in files), self.most - self.most // 20
        abandoned = time.time() - ABANDONED
        for used, size, path in sorted(files, key=lambda each: each[0]):
            if (path.suffix == ".part" and used < abandoned) or (path.suffix == ".edit" and total + needed > most):
                path.unlink(missing_ok=True)
                total -= size
        self._room = max(min(self.most - total, self.most // 20) - needed, 0)  # others write as well


def _compute_checksum(path: Path, content: bytes) -> bytes:
    """Of the content and of the name, so that a file under another's name is found out."""
    return hashlib.sha256(f"{path.parent.name}{path.stem}".encode() + content).digest()


def _encode(edit: Image.Image) -> bytes:
    file = io.BytesIO()
    edit.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _decode(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError("too large")
        return picture.convert("RGB")


def _count_bytes(edit: Image.Image | None) -> int:
    return ENTRY + (0 if edit is None else 3 * edit.width * edit.height)
