"""What the edits of an editor follow from, beside picture, text and seed: its weights, its code and libraries, and the
device with its precision, because two devices do not round alike."""

import functools
import hashlib
import json
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from smile.models.hub import find_shared_parts

READ_WHOLE = 2**26  # bytes of a file of weights; a larger one is known by its size and date
LIBRARIES = ("torch", "diffusers", "transformers", "numpy", "pillow")


def hash_bytes(data: bytes) -> str:
    """The SHA-256 of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def find_revision(editor: Any) -> str | None:
    """A text that changes whenever the editor's weights do: its own `revision`, else what is in its files, or their commit
    on the Hub. None where nobody can know."""
    if getattr(editor, "revision", None):
        return str(editor.revision)
    location, weights = getattr(editor, "location", None), getattr(editor, "weights", None)
    revision = None if location is None else hash_place(location)
    if revision is None:
        return None
    return revision + (hash_place(weights) or "" if weights and str(weights) != str(location) else "")


def describe_arithmetic(editor: object) -> dict[str, Any]:
    """What decides how an editor's results are rounded, and what its code is."""
    known: dict[str, Any] = {name: str(getattr(editor, name, "")) for name in ("device", "dtype")} | _describe_code()
    if "torch" not in sys.modules:  # an editor that needs it has imported it
        return known
    import torch  # which waits where another thread is still importing it

    if known["device"].startswith("cuda") and torch.cuda.is_available():
        return known | {"gpu": torch.cuda.get_device_name(known["device"])}
    return known | {"cpu": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads()}


@functools.cache
def _describe_code() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    code = [*sorted((Path(__file__).parent / "editors").glob("*.py")), Path(__file__).parents[1] / "io" / "images.py"]
    return versions | {"code": hash_bytes(b"".join(path.read_bytes() for path in code))}


def hash_place(place: Any) -> str | None:
    """What is in a folder or a file of weights; of a repository, the commit that is on this machine; None if neither."""
    path = Path(place).expanduser()
    if path.is_dir():
        files = []
        for folder in filter(None, (path, find_shared_parts(path))):
            files += sorted([str(each.relative_to(folder)), _hash_file(each)] for each in folder.rglob("*") if each.is_file())
        return hash_bytes(json.dumps(files).encode())
    if path.is_file():
        return _hash_file(path)
    from huggingface_hub.constants import HF_HUB_CACHE

    with suppress(OSError):
        return Path(HF_HUB_CACHE, f"models--{str(place).replace('/', '--')}", "refs", "main").read_text().strip()
    return None


def _hash_file(path: Path) -> str:
    status = path.stat()
    return _hash_content(str(path), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _hash_content(path: str, size: int, changed: int) -> str:
    return f"{size} {changed}" if size > READ_WHOLE else hash_bytes(Path(path).read_bytes())
