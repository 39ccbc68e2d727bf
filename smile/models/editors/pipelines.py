"""Diffusers folders, repositories and single files as editors: by our own steps where we have them for the class, else by its
call (`smile.models.editors.plain`)."""

import inspect
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from smile.errors import InputError, shown, shown_error
from smile.models.devices import choose_device, is_out_of_memory
from smile.models.editors.base import DiffusionEditor
from smile.models.editors.catalogue import find_class
from smile.models.editors.memory import move_to_device
from smile.models.editors.pictures import load_processor
from smile.models.editors.plain import PlainPipeline, read_defaults
from smile.models.folders import fetch_pipeline, load_parts
from smile.models.hub import choose_dtype, find_weights, is_bundled, is_small, read_index, read_settings, silence_libraries
from smile.models.identity import hash_place

UNCHECKED = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
SINGLE = (".safetensors", ".ckpt")  # files that hold a whole pipeline


class Extras(NamedTuple):
    """What somebody may ask for beside weights and device."""

    lora: str | None = None  # a file, folder or repository with updates to the weights
    revision: str | None = None  # a branch, tag or commit of the repository
    base: str | None = None  # for a single file: the folder or repository whose configuration it has


def load_pipeline(
    ours: type[DiffusionEditor], weights: str, device: str | None, *, bundled: str, full: str, **extras: str | None
) -> DiffusionEditor:
    """The editor on the pipeline in a diffusers folder, repository or single file: `ours`, a subclass of DiffusionEditor, where
    the pipeline's class is `ours.PIPELINE`, else a `PlainPipeline` in its place.

    The settings are the editor's defaults; an `editor.json` beside the weights overrides them. Pipelines come without their
    own safety checker, see `smile.models.editors.safety`. Raises InputError where the weights are missing, incomplete, of an
    unsuitable class, too large for the device, or cannot be downloaded.
    """
    device = choose_device(device)
    if str(weights).endswith(SINGLE) and os.path.isfile(os.path.expanduser(weights)):
        return _load_file(ours, Path(weights).expanduser(), device, Extras(**extras), full)
    kind, location = find_weights(weights, bundled=bundled, full=full)
    index = read_index(location, ours.name, extras.get("revision"))
    pipeline_class = find_class(index, location, ours.takes_region, ours.name)
    own = ours if pipeline_class.__name__ == ours.PIPELINE else None
    name = {"name": ours.name, "takes_region": ours.takes_region}
    return load_place(location, kind, device, index, pipeline_class, own, name, Extras(**extras))


def load_place(
    location: str,
    kind: str,
    device: str,
    index: Mapping[str, Any],
    pipeline_class: Any,
    ours: type[DiffusionEditor] | None,
    named: dict[str, Any],
    extras: Extras,
) -> DiffusionEditor:
    """The editor on the pipeline of that class in a folder or repository. `named`: the name of a `PlainPipeline` and whether it
    takes a region, where it is not `ours`."""
    what = named["name"]
    with silence_libraries():
        half = choose_dtype(device, kind) == torch.float16 and "transformer" not in index
        takes = inspect.signature(pipeline_class.__init__).parameters
        given: dict[str, Any] = {n: value for n, value in UNCHECKED.items() if "safety_checker" in takes and n in takes}
        wanted = {name: entry for name, entry in index.items() if name not in given}
        download = partial(_download, pipeline_class, location, extras.revision, given)
        folder, variant = fetch_pipeline(location, what, download, wanted, half)
        dtype = choose_dtype(device, kind if is_bundled(kind) else str(folder))  # small ones alike, wherever they come from
        # Such models are trained in bfloat16 and exceed float16; Apple's GPU has no memory for them in single precision.
        if "transformer" in index and (dtype == torch.float16 or (device.startswith("mps") and not is_small(folder))):
            dtype = torch.bfloat16
        try:
            processors = load_processor(folder, index)
            given |= dict.fromkeys(processors)
            given |= load_parts(folder, index, given, what, dtype, variant)
            pipeline = _assemble(pipeline_class, folder, what, given)
            for name, processor in processors.items():  # afterwards, because the loader insists on transformers' own kind
                setattr(pipeline, name, processor)
            merged = _add_lora(pipeline, extras.lora, what) if extras.lora else ""
            placement = _place(pipeline, device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(f"The {what} weights do not fit into the memory of {device}; use the bundled weights.") from error
    editor = _make_editor(pipeline, ours, named, read_settings(folder), kind, device, location)
    editor.memory.placement = placement
    if extras.lora or extras.revision:
        editor.revision = f"{hash_place(location) if Path(location).is_dir() else folder.name} {merged}"
        editor.lora = extras.lora
    return editor


def _download(pipeline_class: Any, location: str, revision: str | None, given: dict, *, variant, local_files_only: bool) -> str:
    """The folder in the Hub's cache, with the files that the class needs and, if there is one, our `editor.json`."""
    from huggingface_hub import errors, hf_hub_download

    common: dict[str, Any] = {"revision": revision, "local_files_only": local_files_only}
    folder = pipeline_class.download(location, variant=variant, **common, **given)
    with suppress(errors.EntryNotFoundError):  # here it is, or there is none
        hf_hub_download(location, "editor.json", **common)
    return folder


def _assemble(pipeline_class: Any, folder: Path, what: str, given: dict[str, Any]) -> Any:
    """The pipeline with the parts that are given; its tokenizers and its scheduler are read from the folder."""
    try:
        return pipeline_class.from_pretrained(str(folder), local_files_only=True, **given)
    except Exception as error:  # what is missing or damaged can make its reader raise anything
        if is_out_of_memory(error):
            raise
        said = shown_error(error)
        raise InputError(f"The folder {folder} does not hold complete {what} weights that can be read ({said}).") from error


def _place(pipeline: Any, device: str) -> str:
    """Move the pipeline to the device. Returns how."""
    for part in (getattr(pipeline, name, None) for name in ("unet", "vae")):
        if isinstance(part, torch.nn.Module) and not any(each.ndim == 5 for each in part.parameters()):
            part.to(memory_format=torch.channels_last)  # measured faster: assets/docs/tables/cost.md
    placement = move_to_device(pipeline, device)
    pipeline.set_progress_bar_config(disable=True)
    for module in pipeline.components.values():
        if isinstance(module, torch.nn.Module):
            module.eval().requires_grad_(False)
    return placement


def _make_editor(
    pipeline: Any, ours: Any, named: dict[str, Any], own: dict[str, Any], kind: str, device: str, location: str
) -> DiffusionEditor:
    own.pop("shared", None)
    settings = read_defaults(pipeline) if ours is None else dict(ours.DEFAULTS)
    size = own.pop("size", settings["size"])
    if type(size) is not int or size < 8:
        raise InputError(f"The size in {location}/editor.json must be a whole number of at least 8 pixels.")
    del settings["size"]
    common: dict[str, Any] = {
        "weights": kind,
        "device": device,
        "settings": settings,
        "working_size": size,
        "location": location,
    }
    editor = PlainPipeline(pipeline, **named, **common) if ours is None else ours(pipeline, **common)
    return editor.with_settings(**own)


def _add_lora(pipeline: Any, lora: str, what: str) -> str:
    """Merge the LoRA into the pipeline's weights. Returns what it is known by."""
    path = os.path.expanduser(lora)
    there = os.path.exists(path)
    if not hasattr(pipeline, "load_lora_weights"):
        raise InputError(f"A {type(pipeline).__name__} takes no LoRA; leave lora out.")
    if Path(path).suffix and not there and lora.count("/") != 1:
        raise InputError(f"There is no LoRA at “{shown(lora)}”; give a .safetensors file, a folder or a repository.")
    try:
        pipeline.load_lora_weights(path if there else lora)
        if not any(pipeline.get_list_adapters().values()):
            raise ValueError("none of its names are this model's")
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
    except Exception as error:  # what is damaged, or of another model, can make its reader raise anything
        if is_out_of_memory(error):
            raise
        raise InputError(f"The LoRA {shown(lora)} does not fit {what}, or cannot be read ({shown_error(error)}).") from error
    return f"lora {hash_place(lora)}"


def _load_file(ours: type[DiffusionEditor], path: Path, device: str, extras: Extras, full: str) -> DiffusionEditor:
    """The editor on a whole pipeline in one file, as diffusers reads it for this class, with the configuration of the base or
    else of the `full` repository."""
    import diffusers

    pipeline_class = getattr(diffusers, ours.PIPELINE)
    base = os.path.expanduser(extras.base or full)
    config = base if os.path.isdir(base) else extras.base or full
    read_index(config, ours.name)  # which says in a sentence, and soon, where there is none
    dtype = choose_dtype(device, str(path))
    with silence_libraries():
        try:
            pipeline = pipeline_class.from_single_file(str(path), torch_dtype=dtype, config=config, **UNCHECKED)
        except Exception as error:  # what is damaged, or of another model, can make its reader raise anything
            if is_out_of_memory(error):
                raise
            raise InputError(
                f"The file {path} cannot be read as {ours.name} ({shown_error(error)}); give the folder or repository "
                "whose configuration it has as base, or a folder in diffusers' layout."
            ) from error
        if extras.lora:
            _add_lora(pipeline, extras.lora, ours.name)
        placement = _place(pipeline, device)
    editor = _make_editor(pipeline, ours, {"name": ours.name}, {}, str(path), device, str(path))
    editor.memory.placement = placement
    return editor
