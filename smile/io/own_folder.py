"""A folder of files that are replaced together: whoever reads it, whenever its writer dies, finds the old ones or the new.

The new files are written into a hidden folder within, which is then renamed: from that moment they count. They are moved to
their places one by one, explanation.json last; until they are there, `read_file` looks for them in both. Whoever writes next
goes on where somebody was killed. Only what an explanation wrote is ever replaced or removed.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, gettempdir

from smile.errors import InputError
from smile.io.atomic import write_file

RECORD = "explanation.json"
PAGE = "heatmap.html"
TRUST = "trust.json"
DRAWN = (PAGE, "heatmap.png", TRUST)  # beside the files that explanation.json lists
COMMITTED = ".smile-new"  # the whole of the new files, on their way to their places
LEAST_FREE = 20_000_000  # bytes; an explanation of small pictures takes some more than plotly.js
LONGEST_WAIT = 600  # seconds for another process that writes the same folder


def check_folder(folder: Path, overwrite: bool = False) -> None:
    """Make the folder, and raise InputError where an explanation cannot be written into it: it holds something that no
    explanation wrote (unless `overwrite`), is read-only, or has no space left. Hidden files are nobody's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / f".smile-{uuid.uuid4().hex}.try", "")
        for path in folder.glob(".smile-*.try"):
            path.unlink(missing_ok=True)
        if shutil.disk_usage(folder).free < LEAST_FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise InputError(f"The results cannot be written to {folder} ({error.strerror}).") from error
    foreign = [] if overwrite else _list_foreign(folder)
    if foreign:
        raise InputError(
            f"{folder} holds files that no explanation wrote, among them {foreign[0]}; choose another folder, or say that "
            "files of the same names may be replaced (--overwrite; in Python overwrite=True)."
        )


def replace_files(folder: Path, files: Mapping[str, bytes], overwrite: bool = False) -> None:
    """Write `files` by name, explanation.json among them, in place of what an earlier explanation wrote there.

    Raises InputError as `check_folder`, and OSError where they cannot be written: then the old ones stay.
    """
    with _lock(folder):
        if folder.is_dir():
            _finish(folder)
        check_folder(folder, overwrite)
        # Removed again when anything ends this early; once it is renamed there is nothing left to remove.
        with TemporaryDirectory(dir=folder, prefix=".smile-", suffix=".part", ignore_cleanup_errors=True) as new:
            for name, content in files.items():
                path = Path(new, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_file(path, content, durable=name == RECORD)
            os.replace(new, folder / COMMITTED)
        _finish(folder)


def read_file(folder: Path, name: str) -> bytes:
    """The file of this name, which is on its way to its place, or there. Raises OSError."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return (folder / COMMITTED / name).read_bytes()
    return (folder / name).read_bytes()


def list_own(folder: Path) -> set[str]:
    """The files that an explanation wrote here, as its explanation.json lists them."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        lines = record["files"]
        names = {line.partition(" ")[0] for line in lines}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # none, or none of ours
        return set()
    safe = {name for name in names if ".." not in PurePosixPath(name).parts and not PurePosixPath(name).is_absolute()}
    return {RECORD, *DRAWN, *safe}


def _list_foreign(folder: Path) -> list[str]:
    own = list_own(folder)
    own |= {str(parent) for name in own for parent in PurePosixPath(name).parents}
    there = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in there if name not in own and not name.startswith(".") and "/." not in name)


def _finish(folder: Path) -> None:
    """Move what is committed to its place, and remove what is no longer wanted. May be interrupted and called again."""
    for path in folder.glob(".smile-*.part"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    coming = folder / COMMITTED
    if not (coming / RECORD).is_file():
        shutil.rmtree(coming, ignore_errors=True)
        return
    names = {path.relative_to(coming).as_posix() for path in coming.rglob("*") if path.is_file()}
    before = list_own(folder)
    for name in {*(before - list_own(coming)), *(before & {TRUST})}:  # how far to believe the one before is no longer true
        (folder / name).unlink(missing_ok=True)
    for name in (*sorted(names - {RECORD}), RECORD):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(coming / name, folder / name)
    shutil.rmtree(coming, ignore_errors=True)
    for name in ("edits", "noise", "extra"):
        with suppress(OSError):  # something is in it
            (folder / name).rmdir()


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One writer at a time, of this machine's. The lock lies with the temporary files, so that nothing is left here."""
    from filelock import FileLock

    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]
    user = getattr(os, "getuid", lambda: 0)()
    with FileLock(Path(gettempdir()) / f"smile-{user}-{name}.lock", timeout=LONGEST_WAIT):
        yield
