"""Edits that were made once are not made again: kept in memory and, where there is a folder, on disk.

An edit is known by all that it follows from: picture, region, text, seed, the editor's name, settings and weights (what is
in their files, or their commit on the Hub), its code and libraries, and the device with its precision, because two devices
do not round alike. Within a device the size of a batch changes roundings too, by one level in a few of a million values; so
an edit from here is the one that the editor returned, in whichever batch that was, and equal questions, which are put in
equal batches, have equal answers to the last bit.

An editor of somebody's own has no identity beyond the object: its edits stay in memory, for that object, unless it has a
`revision`, a text that changes whenever its edits would. One that is changed in a way it does not say needs a new cache.
Failed edits are tried again, but not those that a safety checker blocked, because it would block them again.

Not diskcache, which pickles what it keeps, so that whoever can write to the folder can run code, and has had no release
since 2023. A file here is a checksum and a PNG (nothing for a blocked edit), is put in place whole, and may be removed at
any time by anybody; so processes and machines can share a folder.
"""

import functools
import hashlib
import io
import json
import os
import sys
import threading
import time
import uuid
import warnings
import weakref
from collections import OrderedDict
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from smile.errors import InputError
from smile.io.atomic import write_file
from smile.io.images import MAX_PIXELS
from smile.models.hub import find_shared_parts

FORMAT = "1"
MEMORY, DISK = 2**28, 2**31  # bytes
CHECKED = hashlib.sha256().digest_size  # bytes before the PNG
LARGEST = 4 * MAX_PIXELS  # bytes of a file that can be one of ours
READ_WHOLE = 2**26  # bytes of a file of weights; a larger one is known by its size and date
ABANDONED = 3600  # seconds after which an unfinished file is nobody's
LIBRARIES = ("torch", "diffusers", "transformers", "numpy", "pillow")
MISSING = object()


class Group(NamedTuple):
    """All edits of one picture, with one region, by one editor."""

    key: str  # a hash of all that they follow from
    lasting: bool  # whether it means the same in another process


class Cache:
    """Edits, the most recently used ones: `memory_bytes` of pixels and about `disk_bytes` of files. In memory they are
    forgotten after `seconds` without use. May be shared by threads, and its folder by processes.

    Raises InputError where the folder cannot be made. What goes wrong with it later is a warning, and a new edit.
    """

    def __init__(self, folder=None, *, memory_bytes: int = MEMORY, disk_bytes: int = DISK, seconds: float | None = None):
        self.folder = None if folder is None else Path(folder).expanduser()
        self.memory_bytes, self.disk_bytes, self.seconds = memory_bytes, disk_bytes, seconds
        self._held: OrderedDict[tuple, tuple] = OrderedDict()  # (group, seed, text) -> (edit, last used), oldest first
        self._bytes, self._room = 0, 0  # in memory; that may be written before the folder is measured again
        self._objects: dict[int, tuple] = {}
        self._writes = self.folder is not None
        self._lock = threading.Lock()
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"Edits cannot be kept in {folder} ({error.strerror}).") from error

    def identify(self, editor: object, picture: Image.Image, region: Image.Image | None) -> Group:
        """The group of all edits of `picture` and `region` by `editor`."""
        revision = find_revision(editor)
        known = [
            FORMAT,
            revision or self._name_object(editor),
            *(str(getattr(editor, name, "")) for name in ("name", "weights")),
        ]
        known += [dict(getattr(editor, "settings", {})), bool(getattr(editor, "checker", None)), describe_arithmetic(editor)]
        known += [None if part is None else [part.mode, part.size, _hash(part.tobytes())] for part in (picture, region)]
        return Group(_hash(json.dumps(known, default=str).encode()), revision is not None)

    def find(self, group: Group, seed: int, text: str) -> Any:
        """The edit, None for one that was blocked, or MISSING."""
        key = (group.key, seed, text)
        with self._lock:
            self._forget()
            if key in self._held:
                self._held[key] = (self._held[key][0], time.monotonic())
                self._held.move_to_end(key)
                return self._held[key][0]
        edit = self._read(key) if group.lasting and self.folder is not None else MISSING
        if edit is not MISSING:
            self._hold(key, edit)
        return edit

    def store(self, group: Group, seed: int, text: str, edit: Image.Image | None) -> None:
        """Keep an edit, or None for one that was blocked. A folder that cannot be written to is a warning, once."""
        key = (group.key, seed, text)
        self._hold(key, edit)
        if group.lasting and self._writes:
            self._write(key, edit)

    def list_held(self, group: Group) -> dict[tuple[int, str], Image.Image | None]:
        """By (seed, text), the edits of a group that are in memory."""
        with self._lock:
            self._forget()
            return {key[1:]: edit for key, (edit, _) in self._held.items() if key[0] == group.key}

    # Memory

    def _hold(self, key, edit) -> None:
        with self._lock:
            self._drop(key)
            self._held[key] = (edit, time.monotonic())
            self._bytes += _count_bytes(edit)
            self._forget()

    def _forget(self) -> None:
        oldest = -1.0 if self.seconds is None else time.monotonic() - self.seconds
        while self._held and (self._bytes > self.memory_bytes or next(iter(self._held.values()))[1] < oldest):
            self._drop(next(iter(self._held)))

    def _drop(self, key) -> None:
        edit, _ = self._held.pop(key, (None, 0))
        self._bytes -= _count_bytes(edit)

    def _name_object(self, editor) -> str:
        """A name for this object, which no other has, not even one that comes to lie at its address."""
        at = id(editor)
        if at not in self._objects:
            try:
                held = weakref.ref(editor, lambda _: self._objects.pop(at, None))
            except TypeError:
                held = editor
            self._objects[at] = (held, uuid.uuid4().hex)
        return self._objects[at][1]

    # Disk

    def _path(self, key) -> Path:
        name = _hash(json.dumps(key).encode())
        return self.folder / name[:2] / f"{name[2:]}.edit"

    def _read(self, key):
        path = self._path(key)
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
            return self._discard(path, error)
        with suppress(OSError):  # somebody else may have removed it
            os.utime(path)
        return edit

    def _discard(self, path: Path, why):
        warnings.warn(f"The edit in {path} cannot be used ({why}), and is made again.", stacklevel=2)
        with suppress(OSError):
            path.unlink()
        return MISSING

    def _write(self, key, edit) -> None:
        path, content = self._path(key), b"" if edit is None else _encode(edit)
        try:
            path.parent.mkdir(exist_ok=True)
            self._room -= CHECKED + len(content)
            if self._room < 0:
                self._make_room(CHECKED + len(content))
            write_file(path, _compute_checksum(path, content) + content)
        except OSError as error:
            warnings.warn(f"Edits can no longer be kept in {self.folder} ({error.strerror or error}).", stacklevel=2)
            self._writes = False

    def _make_room(self, needed: int) -> None:
        """Remove what was not used for longest. Others may do the same at the same time."""
        found = []
        for path in self.folder.glob("??/*"):
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        total, most = sum(size for _, size, _ in found), self.disk_bytes - self.disk_bytes // 20
        abandoned = time.time() - ABANDONED
        for used, size, path in sorted(found, key=lambda each: each[0]):
            if (path.suffix == ".part" and used < abandoned) or (path.suffix == ".edit" and total + needed > most):
                path.unlink(missing_ok=True)
                total -= size
        self._room = max(min(self.disk_bytes - total, self.disk_bytes // 20) - needed, 0)  # others write as well


def ensure_cache(cache: Any) -> Cache:
    """The cache itself, or one in that folder."""
    return cache if isinstance(cache, Cache) else Cache(cache)


# What an edit follows from, beside picture, text and seed


def find_revision(editor) -> str | None:
    """A text that changes whenever the editor's weights do; None where nobody can know."""
    if getattr(editor, "revision", None):
        return str(editor.revision)
    location, weights = getattr(editor, "location", None), getattr(editor, "weights", None)
    if location is None:
        return None
    found = _hash_place(location)
    if found is None:
        return None
    return found + (_hash_place(weights) or "" if weights and str(weights) != str(location) else "")


def _hash_place(place) -> str | None:
    """What is in a folder or a file of weights; of a repository, the commit that is on this machine; None if neither."""
    path = Path(place).expanduser()
    if path.is_dir():
        files = []
        for folder in filter(None, (path, find_shared_parts(path))):
            files += sorted([str(each.relative_to(folder)), _hash_file(each)] for each in folder.rglob("*") if each.is_file())
        return _hash(json.dumps(files).encode())
    if path.is_file():
        return _hash_file(path)
    from huggingface_hub.constants import HF_HUB_CACHE

    with suppress(OSError):
        return Path(HF_HUB_CACHE, f"models--{str(place).replace('/', '--')}", "refs", "main").read_text().strip()
    return None


def _hash_file(path: Path) -> str:
    known = path.stat()
    return _hash_content(str(path), known.st_size, known.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _hash_content(path: str, size: int, changed: int) -> str:
    return f"{size} {changed}" if size > READ_WHOLE else _hash(Path(path).read_bytes())


def describe_arithmetic(editor) -> dict:
    """What decides how an editor's results are rounded, and what its code is."""
    known = {name: str(getattr(editor, name, "")) for name in ("device", "dtype")} | _list_libraries()
    if "torch" not in sys.modules:  # an editor that needs it has imported it
        return known
    import torch  # which waits where another thread is still importing it

    if known["device"].startswith("cuda") and torch.cuda.is_available():
        return known | {"gpu": torch.cuda.get_device_name(known["device"])}
    return known | {"cpu": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads()}


@functools.cache
def _list_libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    code = [*sorted((Path(__file__).parent / "editors").glob("*.py")), Path(__file__).parents[1] / "io" / "images.py"]
    return found | {"code": _hash(b"".join(path.read_bytes() for path in code))}


# Bytes


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
    return 0 if edit is None else 3 * edit.width * edit.height
