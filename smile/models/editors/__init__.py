"""The editors by name. One of ours is a file beside this one and a line in the table; a package of anybody's adds its own
by an entry point (`smile.models.registry`). What an editor is, `smile.models.protocols.Editor` says."""

import os
from pathlib import Path
from typing import Any

from smile.errors import InputError, shown
from smile.models.devices import release_memory
from smile.models.editors.safety import CheckedEditor, load_checker, needs_checker
from smile.models.hub import is_repository
from smile.models.protocols import Editor
from smile.models.registry import Entry, Registry

EDITORS = Registry(
    "smile.editors",
    "editor",
    "edit",
    {
        "instruct-pix2pix": Entry(
            "smile.models.editors.instruct_pix2pix:load",
            {"bundled": "instruct-pix2pix", "full": "timbrooks/instruct-pix2pix"},
        ),
        "img2img-turbo": Entry(
            "smile.models.editors.img2img_turbo:load",
            {
                "bundled": "img2img-turbo",
                "bundled-edges": "img2img-turbo-edges",
                "edge_to_image": "stabilityai/sd-turbo",
                "sketch_to_image_stochastic": "stabilityai/sd-turbo",
            },
            captions=("bundled-edges", "edge_to_image", "sketch_to_image_stochastic"),
        ),
        "inpaint": Entry(
            "smile.models.editors.inpaint:load",
            {
                "bundled": "inpaint",
                "full": "stable-diffusion-v1-5/stable-diffusion-inpainting",
                "sd2-community/stable-diffusion-2-inpainting": "sd2-community/stable-diffusion-2-inpainting",
            },
            needs_region=True,
        ),
    },
)


def load_editor(
    name: str,
    weights: str = "auto",
    device: str | None = None,
    *,
    safety: bool | None = None,
    lora: str | None = None,
    revision: str | None = None,
    base: str | None = None,
    **settings,
) -> Editor:
    """The editor called `name`, ready to use (`smile.models.protocols.Editor`).

    `name`: one of `EDITORS`, or the local folder or Hub repository of any diffusers pipeline that edits a picture by a text,
    for example "black-forest-labs/FLUX.2-klein-4B" (`smile.models.editors.catalogue`).
    `weights`: "auto" (full on a GPU, else bundled), "bundled", "full", a local folder, a Hub repository id, or a single file in
    the older layout (.safetensors, .ckpt); an editor's file says what else it knows.
    `device`: a torch device; by default CUDA or Apple's GPU where there is one, else the CPU.
    `safety`: whether edits that the safety checker flags are blocked; by default only on a public Space.
    `lora`: a file, folder or repository with a LoRA, merged into the weights. `revision`: a branch, tag or commit of the
    repository. `base`: a folder or repository in place of the one that the weights build on (Img2Img-Turbo's SD-Turbo), or
    whose configuration a single file has.
    `settings`: the editor's own, instead of the defaults that come with the weights, for example `steps=50`.
    Raises InputError for an unknown name or setting, and where the weights, or those of a safety checker that is wanted,
    are missing or cannot be downloaded.
    """
    if "\0" in str(weights) or any(len(part) > 255 for part in Path(weights).parts):
        raise InputError(f"There are no weights at {shown(weights)}.")
    release_memory()  # of an editor before this one
    extras = {key: str(each) for key, each in (("lora", lora), ("revision", revision), ("base", base)) if each is not None}
    if name not in EDITORS and is_place(name):
        from smile.models.editors.any_pipeline import load_by_class

        if weights not in ("auto", "full", name):
            raise InputError(f"{shown(name)} is weights already; leave the weights out.")
        editor = load_by_class(str(name), device, **extras)
    else:
        editor = EDITORS.load(name, weights, device, **extras)
    if settings and not hasattr(editor, "with_settings"):
        raise InputError(f"{name} has no settings.")
    editor = editor.with_settings(**settings) if settings else editor
    if needs_checker(safety, str(getattr(editor, "weights", ""))):
        checker = load_checker(getattr(editor, "location", None), str(getattr(editor, "device", "cpu")))
        if not hasattr(editor, "checker"):
            return CheckedEditor(editor, checker)
        editor.checker = checker
    return editor


def is_place(name: Any) -> bool:
    """Whether this is a local folder, or could be a Hub repository."""
    return isinstance(name, (str, Path)) and (os.path.isdir(os.path.expanduser(name)) or is_repository(str(name)))


def ensure_editor(editor: Any) -> Editor:
    """The editor itself, or the one of that name. Raises InputError for what is neither."""
    if isinstance(editor, str):
        return load_editor(editor)
    if not callable(getattr(editor, "edit", None)):
        raise InputError("The editor must be a name or an object with edit(image, texts, *, seed, region=None).")
    return editor
