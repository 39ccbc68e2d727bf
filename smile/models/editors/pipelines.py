"""Diffusers folders and repositories as editors: by our own steps where we have them for the class, else by its call.

`PlainPipeline` knows nothing of a pipeline but its signature: one text at a time goes in with the picture, and the edited
picture comes out. It is slower, because nothing is computed once for all texts.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image

from smile.errors import InputError
from smile.io.images import cover_cells
from smile.models.devices import choose_device, is_out_of_memory
from smile.models.editors.base import DiffusionEditor, find_lost_words, find_token_limit
from smile.models.editors.memory import move_to_device
from smile.models.hub import (
    choose_dtype,
    find_shared_parts,
    find_weights,
    load_pretrained,
    read_index,
    read_settings,
    silence_libraries,
)

# Our names of settings, and what pipelines call them; of two, the one that has a value by default is the one in use.
ARGUMENTS = {
    "steps": ("num_inference_steps",),
    "guidance": ("guidance_scale", "true_cfg_scale"),
    "image_guidance": ("image_guidance_scale",),
}
UNCHECKED = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def load_pipeline(ours: type[DiffusionEditor], weights: str, device: str | None, *, bundled: str, full: str) -> DiffusionEditor:
    """The editor on the pipeline in a diffusers folder or repository: `ours`, a subclass of DiffusionEditor, where the
    pipeline's class is `ours.PIPELINE`, else a `PlainPipeline` in its place.

    The settings are the editor's defaults; an `editor.json` in the folder overrides them. Pipelines come without their
    own safety checker, see `smile.models.editors.safety`. Raises InputError where the weights are missing, incomplete, of an
    unsuitable class, too large for the device, or cannot be downloaded.
    """
    kind, location = find_weights(weights, bundled=bundled, full=full)
    device = choose_device(device)
    index = read_index(location, ours.name)
    with silence_libraries():
        pipeline_class = find_class(index, ours, location)
        dtype = choose_dtype(device, kind)
        if dtype == torch.float16 and "transformer" in index:  # such models are trained in bfloat16 and exceed float16
            dtype = torch.bfloat16
        takes = inspect.signature(pipeline_class.__init__).parameters
        given: dict[str, Any] = {n: value for n, value in UNCHECKED.items() if "safety_checker" in takes and n in takes}
        given |= _load_shared(location, index, given, dtype, ours.name)
        try:
            pipeline = load_pretrained(pipeline_class.from_pretrained, location, ours.name, dtype=dtype, **given)
            for part in (getattr(pipeline, name, None) for name in ("unet", "vae")):
                if isinstance(part, torch.nn.Module):
                    part.to(memory_format=torch.channels_last)  # measured faster: assets/docs/tables/cost.md
            move_to_device(pipeline, device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(
                f"The {ours.name} weights do not fit into the memory of {device}; use the bundled weights."
            ) from error
    pipeline.set_progress_bar_config(disable=True)
    for module in pipeline.components.values():
        if isinstance(module, torch.nn.Module):
            module.eval().requires_grad_(False)
    own = read_settings(location) if Path(location).is_dir() else {}
    own.pop("shared", None)
    plain = pipeline_class.__name__ != ours.PIPELINE
    settings = read_defaults(pipeline) if plain else dict(ours.DEFAULTS)
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
    editor = PlainPipeline(ours, pipeline, **common) if plain else ours(pipeline, **common)
    return editor.with_settings(**own)


def find_class(index: dict, ours: type[DiffusionEditor], location: str) -> Any:
    """The diffusers class that `index` names. Raises InputError where it does not edit a picture as `ours` does."""
    import diffusers

    name = index.get("_class_name")
    pipeline_class = getattr(diffusers, name, None) if isinstance(name, str) else None
    if isinstance(pipeline_class, type) and issubclass(pipeline_class, diffusers.DiffusionPipeline):
        takes = inspect.signature(pipeline_class.__call__).parameters
        if {"prompt", "image", "generator"} <= set(takes) and ("mask_image" in takes) == ours.takes_region:
            return pipeline_class
    wanted = "a prompt, an image and a mask_image" if ours.takes_region else "a prompt and an image, and no mask_image"
    raise InputError(
        f"{location} holds a {name}, so it is no {ours.name} editor; choose a diffusers pipeline that takes {wanted}."
    )


def _load_shared(location: str, index: dict, given: dict, dtype: torch.dtype, what: str) -> dict[str, Any]:
    """The components that `index` names and a folder does not hold, from the folder that it shares them with."""
    folder = find_shared_parts(location) if Path(location).is_dir() else None
    parts = {}
    for name, entry in index.items() if folder else ():
        if not isinstance(entry, list) or None in entry or name in given or (Path(location) / name).is_dir():
            continue
        library, class_name = entry
        if library not in ("diffusers", "transformers"):
            raise InputError(f"The {what} weights {location} name a part of {library}, which is not known here.")
        part = getattr(import_module(library), class_name)
        options = {"dtype": dtype} if issubclass(part, torch.nn.Module) else {}
        parts[name] = load_pretrained(part.from_pretrained, str(folder), what, subfolder=name, **options)
    return parts


def map_settings(takes: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """By our names, what a call with these parameters calls the settings that it has."""
    names: dict[str, str] = {}
    for ours, theirs in ARGUMENTS.items():
        used = [name for name in theirs if name in takes and isinstance(takes[name].default, (int, float))]
        names |= {ours: used[0]} if used else {}
    return names


def read_defaults(pipeline: Any) -> dict[str, Any]:
    """The pipeline's own settings, by our names, and `size`, the pixels it was trained at."""
    takes = inspect.signature(pipeline.__call__).parameters
    settings = {ours: takes[name].default for ours, name in map_settings(takes).items()}
    settings = {ours: value if ours == "steps" else float(value) for ours, value in settings.items()}
    model = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    cells = getattr(pipeline, "default_sample_size", None) or getattr(getattr(model, "config", None), "sample_size", None)
    return settings | {"size": cells * pipeline.vae_scale_factor if isinstance(cells, int) else 1024}


class PlainPipeline(DiffusionEditor):
    """Any pipeline whose call takes `prompt`, `image` and `generator`, and `mask_image` where the editor takes a region.

    `settings`: those of steps, guidance and image_guidance that the pipeline has, with its own defaults.
    """

    SETTINGS: ClassVar = {"steps": (1, 200), "guidance": (0, 30), "image_guidance": (0, 30)}

    def __init__(self, ours: type[DiffusionEditor], pipeline: Any, **common: Any):
        super().__init__(pipeline, **common)
        self.name, self.takes_region, self.memory.batch_size = ours.name, ours.takes_region, 1

    def prepare_picture(self, picture: Image.Image, region: Image.Image | None) -> Any:
        return picture, region

    def edit_batch(self, prepared: Any, texts: list[str], generators: list[torch.Generator]) -> list[Image.Image | None]:
        picture, region = prepared
        takes = inspect.signature(self.pipeline.__call__).parameters
        options = {"image": picture, "height": picture.height, "width": picture.width}
        if region is not None:
            options["mask_image"] = cover_cells(region, getattr(self.pipeline, "vae_scale_factor", 8))
        options |= {name: self.settings[ours] for ours, name in map_settings(takes).items()}
        if "true_cfg_scale" in options:  # which has no effect without
            options["negative_prompt"] = " "
        options = {name: value for name, value in options.items() if name in takes}
        edited: list[Image.Image | None] = []
        for text, generator in zip(texts, generators, strict=True):
            with silence_libraries():  # some warn of sizes that they adjust
                images = getattr(self.pipeline(prompt=text, generator=generator, **options), "images", None)
            if not images or not isinstance(images[0], Image.Image):
                raise InputError(f"A {type(self.pipeline).__name__} does not return a picture; choose other weights.")
            image = images[0].convert("RGB")
            image = image if image.size == picture.size else image.resize(picture.size, Image.Resampling.LANCZOS)
            edited.append(image if region is None else Image.composite(image, picture, region))
        return edited

    # What it reads. Some have several text encoders, and a word is lost where all of them lose it.

    @property
    def dtype(self) -> str:
        return str(self.pipeline.dtype).removeprefix("torch.")

    @property
    def _readers(self) -> list[tuple]:
        parts = self.pipeline.components
        pairs = [(parts.get(f"tokenizer{n}"), parts.get(f"text_encoder{n}")) for n in ("", "_2", "_3")]
        return [pair for pair in pairs if None not in pair]

    @property
    def _token_limit(self) -> int:
        return max(find_token_limit(*pair) for pair in self._readers)

    @property
    def token_embeddings(self):
        if None in (self.pipeline.components.get("tokenizer"), self.pipeline.components.get("text_encoder")):
            raise AttributeError(f"a {type(self.pipeline).__name__} has no tokens to show")  # for hasattr
        return super().token_embeddings

    def lost_words(self, text):
        lost = [find_lost_words(text, tokenizer, find_token_limit(tokenizer, encoder)) for tokenizer, encoder in self._readers]
        return min(lost, key=len, default=[])
