"""The editor and the embedder, which may be anybody's: found or loaded, and what they return checked.

Nothing is assumed of them beyond the two protocols (`smile.models.editors`, `smile.models.embedders`), and a result of the
wrong kind is one sentence that says so instead of a wrong number later.
"""

import functools
from collections.abc import Iterator

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.io.images import check_region, fit, fit_region, open_region
from smile.models.editors import load_editor
from smile.models.embedders import load_embedder

BATCH = 8  # texts at a time for an editor that does not say


def as_editor(editor):
    """The editor itself, or the one of that name. Raises InputError for what is neither."""
    if isinstance(editor, str):
        return load_editor(editor)
    if not callable(getattr(editor, "edit", None)):
        raise InputError("The editor must be a name or an object with edit(image, texts, *, seed, region=None).")
    return editor


def as_embedder(embedder, editor):
    """The embedder itself, the one with these weights, or by default the one that suits the editor. Raises InputError."""
    if embedder is None:  # the toy editor's pictures are seen best by the toy embedder
        embedder = "bundled" if str(getattr(editor, "weights", "")).startswith("bundled") else "auto"
    if isinstance(embedder, str):
        return _loaded_embedder(embedder)
    if not callable(getattr(embedder, "embed", None)):
        raise InputError("The embedder must be an object with embed(images) -> (vectors, patches or None).")
    return embedder


_loaded_embedder = functools.lru_cache(maxsize=1)(load_embedder)


def seen(editor, picture: Image.Image, region) -> tuple[Image.Image, Image.Image | None]:
    """Picture and region at the size that the editor works at. Raises InputError where the region does not suit."""
    check_region(editor, region)
    region = None if region is None else open_region(region, picture.size)
    size = getattr(editor, "working_size", None)
    picture = fit(picture, size) if size else picture
    return picture, None if region is None else fit_region(region, picture.size)


def edited(editor, picture, texts, seed, region) -> list[Image.Image | None]:
    """One batch of edits, checked: anybody's editor may be behind it."""
    where_ = {} if region is None else {"region": region}
    images = editor.edit(picture, list(texts), seed=seed, **where_)
    if not isinstance(images, (list, tuple)) or len(images) != len(texts):
        got = f"{len(images)}" if isinstance(images, (list, tuple)) else f"a {type(images).__name__}"
        raise InputError(f"The editor must return a list with one picture for each text: {len(texts)}, not {got}.")
    for image in images:
        if image is not None and not isinstance(image, Image.Image):
            raise InputError(f"The editor must return PIL images, or None for a failed edit, not {type(image).__name__}.")
    return [None if image is None else _edit(image, picture) for image in images]


def _edit(image: Image.Image, picture: Image.Image) -> Image.Image | None:
    """Its pixels and nothing else, None where it shows nothing: pipelines return black for what overflowed or was blocked,
    and a fit over that would be a fit over nothing."""
    if image.mode.startswith(("I", "F")):
        raise InputError(f"The editor must return pictures of 8 bits, not of mode {image.mode}.")
    try:
        image = image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise InputError("The editor returned a picture that is damaged.") from error
    image.info = {}
    return image if image.getbbox() or not picture.getbbox() else None


def edited_batches(editor, picture, batches, region) -> Iterator[list[Image.Image | None]]:
    """The edits of each batch (seed, texts), as they are made. An editor of ours that does better when it knows what will be
    asked, because it has or can share some of it, has a method for all batches."""
    if hasattr(editor, "edit_batches"):
        yield from editor.edit_batches(picture, batches, region=region)
        return
    for seed, texts in batches:
        yield edited(editor, picture, texts, seed, region)


def embedded(embedder, images):
    """Vectors (N, d) and patches (N, p, d) or None, checked: anybody's embedder may be behind them."""
    result = embedder.embed(images)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise InputError("The embedder must return (vectors, patches); patches may be None.")
    vectors, patches = np.asarray(result[0]), None if result[1] is None else np.asarray(result[1])
    for name, array, dimensions in (("vectors", vectors, 2), ("patches", patches, 3)):
        if array is not None and (array.ndim != dimensions or len(array) != len(images)):
            shape = "(N, d)" if dimensions == 2 else "(N, p, d)"
            raise InputError(f"The embedder's {name} must be {shape} with N = {len(images)}, not {array.shape}.")
        if array is not None and not (np.issubdtype(array.dtype, np.number) and np.isfinite(array).all()):
            raise InputError(f"The embedder's {name} must be finite numbers.")
    return vectors, patches


def described(editor, embedder) -> dict:
    """How editor and embedder call themselves, for the record."""
    said = {
        "editor": str(getattr(editor, "name", type(editor).__name__)),
        "embedder": str(getattr(embedder, "name", type(embedder).__name__)),
    }
    for name in ("weights", "device", "dtype"):
        said |= {f"editor_{name}": str(getattr(editor, name))} if hasattr(editor, name) else {}
        said |= {f"embedder_{name}": str(getattr(embedder, name))} if hasattr(embedder, name) else {}
    settings = dict(getattr(editor, "settings", {}))
    plain = (bool, int, float, str, type(None))  # anything else could not be written down
    return said | {"editor_settings": {str(n): v if isinstance(v, plain) else str(v) for n, v in settings.items()}}
