"""What a repository on the Hub would be as an editor, before anything but its `model_index.json` is downloaded."""

import inspect
from typing import Any, NamedTuple

from smile.errors import InputError
from smile.models.editors.catalogue import CATALOGUE, find_class
from smile.models.folders import UNUSED, VARIANT
from smile.models.hub import PATIENCE, explain_failure, read_index

TOKENS = 2 * 4096 + 512  # that a transformer reads for a picture of one megapixel: noise, picture and text


class Offer(NamedTuple):
    """What is known of it."""

    repository: str
    kind: str  # the class of its pipeline
    gigabytes: float  # to download
    largest: float  # of them, the largest part
    licence: str
    gated: bool
    takes_region: bool
    operations: float  # of one edit with these settings, roughly; 0 where nobody can know
    settings: dict[str, Any]  # by our names, as far as they are known before it is loaded


def inspect_repository(repository: str, revision: str | None = None) -> Offer:
    """Class, size, licence and gate of a repository. Raises InputError where there is none, or it is no editor's."""
    from huggingface_hub import HfApi

    index = read_index(repository, "diffusers", revision)
    pipeline_class = find_class(index, repository)
    try:
        info = HfApi().model_info(repository, revision=revision, files_metadata=True, timeout=PATIENCE)
    except Exception as error:  # the client's and the network's, which can be anything
        raise InputError(f"Nothing can be said of {repository}: {explain_failure(error)}.") from error
    parts = [name for name, entry in index.items() if isinstance(entry, list) and entry[-1] and name not in UNUSED]
    sizes = _measure_parts({each.rfilename: each.size or 0 for each in info.siblings or []}, parts)
    row, card = CATALOGUE.get(pipeline_class.__name__), getattr(info, "card_data", None)
    settings: Any = {} if row is None else (row.distilled if row.distilled and index.get("is_distilled") else row.settings)
    branches = 2 if settings.get("guidance", 0) > 1 and pipeline_class.__name__.startswith("Qwen") else 1
    half = sizes.get("transformer", 0) / 2  # parameters, of two bytes each
    return Offer(
        repository,
        pipeline_class.__name__,
        sum(sizes.values()) / 1e9,
        max(sizes.values(), default=0) / 1e9,
        str(getattr(card, "license", None) or (row.licence if row else "unknown")),
        bool(getattr(info, "gated", False)),
        "mask_image" in inspect.signature(pipeline_class.__call__).parameters,
        2 * half * TOKENS * settings.get("steps", 0) * branches,
        dict(settings),
    )


def may_read(repository: str) -> bool:
    """Whether the Hub gives the files of a gated repository to whoever is logged in here; False where it cannot be asked."""
    from huggingface_hub import auth_check

    try:
        auth_check(repository)
    except Exception:  # a refusal, or whatever the client and the network raise; the caller says that access must be asked for
        return False
    return True


def _measure_parts(files: dict[str, int], parts: list[str]) -> dict[str, int]:
    """Bytes to download for each part: one kind of file of each, as `smile.models.folders` chooses."""
    sizes = {}
    for part in parts:
        own = {name: size for name, size in files.items() if name.startswith(f"{part}/")}
        weights = {name: size for name, size in own.items() if name.endswith((".safetensors", ".bin"))}
        plain = {name: size for name, size in weights.items() if f".{VARIANT}" not in name}
        kept = plain or weights
        safe = {name: size for name, size in kept.items() if name.endswith(".safetensors")}
        sizes[part] = sum((safe or kept).values()) + sum(size for name, size in own.items() if name not in weights)
    return sizes
