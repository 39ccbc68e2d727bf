"""What the weights of today's editors want, and neither their signatures nor their files say: a row for each class of diffusers
pipelines. And which classes are no editors, which their `model_index.json` tells before anything else is downloaded."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from smile.errors import InputError

CLOSED = "FLUX non-commercial"
UPSCALES = "enlarges pictures"
# Parameters of a call that tell what a pipeline is for, when it is no editor.
OTHER_KINDS = {
    "makes a video": ("num_frames", "num_videos_per_prompt", "video", "frames"),
    "needs a second picture that controls it (ControlNet)": (
        "control_image",
        "controlnet_conditioning_scale",
        "adapter_conditioning_scale",
        "depth_map",
    ),
    UPSCALES: ("noise_level",),
}
ENLARGES = ("Upscale", "SuperResolution", "Refiner")  # in the names of classes whose call does not tell


@dataclass(frozen=True)
class Row:
    """One class of pipelines, by its published weights."""

    repository: str
    licence: str
    gigabytes: float  # to download
    largest: float  # of them, the largest part, which must fit where parts move to the GPU in turns
    settings: Mapping[str, float]  # by our names
    tokens: int  # that it reads of a text
    together: int = 1  # texts in one call
    distilled: Mapping[str, float] | None = None  # the settings of weights whose model_index.json says `is_distilled`
    repeats: bool = False  # whether several texts need as many pictures, because each draws from its generator for its own
    options: Mapping[str, Any] = field(default_factory=dict)  # what else its call is given
    region: bool = False
    note: str = ""


TURBO: Mapping[str, float] = {"steps": 4, "guidance": 1.0}
REDRAWN = {"strength": 1.0}  # inside the region everything is drawn anew, as by our own inpainting

CATALOGUE: dict[str, Row] = {
    "Flux2KleinPipeline": Row(
        "black-forest-labs/FLUX.2-klein-4B", "Apache-2.0", 16.0, 8.1, {"steps": 50, "guidance": 4.0}, 512, 8,
        distilled=TURBO,
    ),
    "FluxKontextPipeline": Row(
        "black-forest-labs/FLUX.1-Kontext-dev", CLOSED, 33.7, 23.8, {"steps": 28, "guidance": 2.5}, 512, 8,
        note="gated; draws at one megapixel",
    ),
    "QwenImageEditPlusPipeline": Row(
        "Qwen/Qwen-Image-Edit-2509", "Apache-2.0", 57.7, 40.9, {"steps": 40, "guidance": 4.0}, 512,
        note="draws from one megapixel",
    ),
    "QwenImageEditPipeline": Row("Qwen/Qwen-Image-Edit", "Apache-2.0", 57.7, 40.9, {"steps": 50, "guidance": 4.0}, 512),
    "StableDiffusionXLInstructPix2PixPipeline": Row(
        "diffusers/sdxl-instructpix2pix-768", "OpenRAIL++-M", 13.9, 10.3,
        {"steps": 30, "guidance": 3.0, "image_guidance": 1.5}, 77, 8,
    ),
    "LongCatImageEditPipeline": Row(
        "meituan-longcat/LongCat-Image-Edit", "Apache-2.0", 29.3, 16.6, {"steps": 50, "guidance": 4.5}, 512,
        note="draws at one megapixel",
    ),
    "DreamLitePipeline": Row(
        "carlofkl/DreamLite-base", "CC BY-NC 4.0", 5.3, 4.3, {"steps": 28, "guidance": 3.5, "image_guidance": 1.5}, 200,
    ),
    "FluxFillPipeline": Row(
        "black-forest-labs/FLUX.1-Fill-dev", CLOSED, 33.7, 23.8, {"steps": 50, "guidance": 30.0}, 512, 8, repeats=True,
        region=True, note="gated",
    ),
    "Flux2KleinInpaintPipeline": Row(
        "black-forest-labs/FLUX.2-klein-4B", "Apache-2.0", 16.0, 8.1, {"steps": 50, "guidance": 8.0}, 512, 8,
        distilled=TURBO, options=REDRAWN, region=True,
    ),
    "QwenImageEditInpaintPipeline": Row(
        "Qwen/Qwen-Image-Edit", "Apache-2.0", 57.7, 40.9, {"steps": 50, "guidance": 4.0}, 512, options=REDRAWN, region=True,
    ),
}  # fmt: skip
# Classes that inpaint with the weights of another one, where the editor is `inpaint`.
INPAINTS = {
    "Flux2KleinPipeline": "Flux2KleinInpaintPipeline",
    "QwenImageEditPipeline": "QwenImageEditInpaintPipeline",
}
DEFAULT = CATALOGUE["Flux2KleinPipeline"].repository


def list_catalogue() -> list[tuple[str, ...]]:
    """The catalogue as rows of texts, the first with their names."""
    rows: list[tuple[str, ...]] = [
        ("repository", "steps", "guidance", "texts", "tokens", "region", "licence", "GB", "largest part")
    ]
    for row in CATALOGUE.values():
        used = row.distilled or row.settings
        numbers = (f"{used['steps']:g}", f"{used['guidance']:g}", str(row.together), str(row.tokens))
        sizes = (f"{row.gigabytes:.0f}", f"{row.largest:.0f}")
        rows.append((row.repository, *numbers, "needed" if row.region else "", row.licence, *sizes))
    return rows


def find_class(index: Mapping[str, Any], location: str, takes_region: bool | None = None, what: str = "diffusers") -> Any:
    """The diffusers class that a `model_index.json` names. `takes_region`: whether it must inpaint, None if either will do.

    Raises InputError, in one sentence that says what it is instead, where it does not edit a picture by a text.
    """
    import diffusers

    name = index.get("_class_name")
    if takes_region and isinstance(name, str):
        name = INPAINTS.get(name, name)
    found = getattr(diffusers, name, None) if isinstance(name, str) else None
    takes: set[str] = set()
    if isinstance(found, type) and issubclass(found, diffusers.DiffusionPipeline):
        takes = set(inspect.signature(found.__call__).parameters)
    for kind, signs in OTHER_KINDS.items():
        if takes & set(signs) or (takes and kind == UPSCALES and any(sign in str(name) for sign in ENLARGES)):
            raise InputError(f"{location} holds a {name}, which {kind}, so it is no {what} editor; choose another repository.")
    if {"prompt", "image", "generator"} <= takes and takes_region in (None, "mask_image" in takes):
        return found
    wanted = {None: "a prompt and an image", True: "a prompt, an image and a mask_image"}
    raise InputError(
        f"{location} holds a {name}, so it is no {what} editor; choose a diffusers pipeline that takes "
        f"{wanted.get(takes_region, 'a prompt and an image, and no mask_image')}."
    )
