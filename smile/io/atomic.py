"""The one way in which a file is written: whole, or not at all."""

import os
import uuid
from contextlib import suppress
from pathlib import Path


def write_file(path: str | os.PathLike, content: bytes | str, *, durable: bool = False) -> None:
    """Write `content` (text as UTF-8, its line ends unchanged) to `path`, atomically: it is written under another name in
    the same folder, and moved over `path` in one step. Readers, and a process that is killed, see the old file or the new.

    durable: wait until the disk has it, so that it also survives a machine that loses power.

    Raises OSError where it cannot be written. Then, and after any other exception, the unfinished file is removed; after a
    kill it stays, as a hidden file (`remove_unfinished`).
    """
    path = Path(path)
    beside = path.with_name(f".smile-{uuid.uuid4().hex}.part")  # unique: threads and processes may write the same path
    try:
        with beside.open("xb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:  # also KeyboardInterrupt, which goes on
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed while they wrote left in `folder`. Nobody may be writing there."""
    for path in folder.glob(".smile-*.part"):
        path.unlink(missing_ok=True)
