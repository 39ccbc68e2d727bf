"""Img2Img-Turbo (Parmar et al., arXiv 2403.12036): one UNet step from a picture's edges, its strokes, or itself.

The model is SD-Turbo with the authors' checkpoint merged into its weights (`smile.models.editors.checkpoint`,
`smile.models.editors.turbo`). The latents are the posterior's mode where the published code draws from it, so that a
seed stands for one edit. `gamma` says how much the input counts against noise, in checkpoints that were trained for it.
"""

import os
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from typing_extensions import Self

from smile.errors import InputError
from smile.models.devices import choose_device, is_out_of_memory
from smile.models.editors.base import DiffusionEditor
from smile.models.editors.checkpoint import SUFFIXES, download_checkpoint, merge_checkpoint, read_checkpoint
from smile.models.editors.precision import find_finite
from smile.models.editors.turbo import Turbo
from smile.models.hub import choose_dtype, find_shared_parts, find_weights, load_pretrained, read_settings, silence_libraries

BASE = "stabilityai/sd-turbo"
PUBLISHED = {
    "edge_to_image": "https://www.cs.cmu.edu/~img2img-turbo/models/edge_to_image_loras.pkl",
    "sketch_to_image_stochastic": "https://www.cs.cmu.edu/~img2img-turbo/models/sketch_to_image_stochastic_lora.pkl",
}
FULL = "edge_to_image"
CONTROLS = ("picture", "edges", "sketch")  # what the editor is given: the picture, its outlines, or its dark strokes
SIZE = 512  # what the published models were trained at
EDGES = {"low": 100, "high": 200}
STOCHASTIC = {"gamma": 0.4}


class Img2ImgTurbo(DiffusionEditor):
    """`settings`: low and high (Canny's thresholds, at least 0) for an editor of edges, gamma in (0, 1] for a stochastic
    one. A new gamma reads the weights again."""

    name = "img2img-turbo"
    SETTINGS: ClassVar = {"low": (0, 1000), "high": (0, 1000), "gamma": (0.01, 1.0)}

    def __init__(self, pipeline: "TurboPipeline", *, control: str, **common: Any):
        super().__init__(pipeline, **common)
        self.control = control
        self.expects = "instruction" if control == "picture" else "caption"

    def with_settings(self, /, **settings: float) -> Self:
        """The same editor with other settings; see `DiffusionEditor.with_settings`."""
        other = super().with_settings(**settings)
        check_settings(other.settings)
        return other

    def prepare_picture(self, picture: Image.Image, region: Image.Image | None) -> Any:
        """The latents (1, 4, h/8, w/8) of what the editor is given, and what each of the encoder's blocks was given."""
        check_settings(self.settings)
        turbo = self.get_turbo()
        given = make_control(picture, self.control, self.settings.get("low", 0), self.settings.get("high", 0))
        given = torch.from_numpy(given).permute(2, 0, 1)[None]
        return turbo.encode(given.to(self.device, turbo.vae.dtype))

    def edit_batch(self, prepared: Any, texts: list[str], generators: list[torch.Generator]) -> list[Image.Image | None]:
        latents, seen = prepared
        latents, gamma = latents.expand(len(texts), -1, -1, -1), self.settings.get("gamma")
        if gamma is not None:
            noise = torch.cat([torch.randn((1, *latents.shape[1:]), generator=generator) for generator in generators])
            latents = latents * gamma + noise.to(latents) * (1 - gamma)
        turbo = self.get_turbo()
        pixels = turbo.decode(turbo.denoise(latents, self.encode_texts(texts)), seen, gamma or 1.0)
        finite = find_finite(pixels)
        pixels = ((pixels.float().nan_to_num() * 0.5 + 0.5) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return [Image.fromarray(image) if good else None for image, good in zip(pixels, finite, strict=True)]

    def list_models(self) -> list[torch.nn.Module]:
        """The generator and the text encoder."""
        return [self.get_turbo(), self.pipeline.text_encoder]

    def get_turbo(self) -> Turbo:
        """The generator, merged for the present gamma."""
        return self.pipeline.get_turbo(self.settings.get("gamma", 1.0))


def make_control(picture: Image.Image, control: str, low: float = 0, high: float = 0) -> np.ndarray:
    """(h, w, 3) float32 of what the editor is given: "picture" in [-1, 1]; "edges" by Canny and "sketch", the dark
    half of each channel, of 0 and 1 (not -1 and 1), which is what the published models were trained on."""
    pixels = np.asarray(picture)
    if control == "edges":
        import cv2

        return np.repeat(cv2.Canny(pixels, low, high)[..., None], 3, axis=2).astype(np.float32) / 255
    if control == "sketch":
        return (pixels < 127.5).astype(np.float32)
    return pixels.astype(np.float32) / 127.5 - 1


def check_settings(settings: dict) -> None:
    """Raise InputError where a setting is not a number, or none that makes sense."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise InputError(f"The setting {name} is {value!r}; it must be a number that is at least 0.")
    if settings.get("low", 0) > settings.get("high", 0):
        raise InputError("The setting low is above high; the weaker edges' threshold must be the lower one.")
    if not 0 < settings.get("gamma", 1) <= 1:
        raise InputError(f"The setting gamma is {settings['gamma']}; it must be above 0 and at most 1.")


class TurboPipeline:
    """SD-Turbo's parts, each from the first of `homes` (folders or one repository) that has it, and a checkpoint in them.

    The generator is merged for one gamma at a time and is in memory only once.
    """

    def __init__(self, homes: list, checkpoint: Path, device: str, dtype: torch.dtype):
        self._homes, self._checkpoint, self._device, self._dtype = homes, checkpoint, device, dtype
        self._turbo: Turbo | None = None
        self._gamma: float | None = None
        self.sliced = False
        with silence_libraries():
            from transformers import CLIPTextModel, CLIPTokenizer

            self.tokenizer = self._load_part("tokenizer", CLIPTokenizer)
            encoder = self._load_part("text_encoder", CLIPTextModel, dtype=dtype)
            self.text_encoder = encoder.to(device).eval().requires_grad_(False)

    def get_turbo(self, gamma: float) -> Turbo:
        """The generator for `gamma`, merged anew from the files if it is another one than before."""
        if self._turbo is None or gamma != self._gamma:
            self._turbo = None  # frees the old weights before the new ones are read
            self._turbo, self._gamma = self._build(gamma), gamma
            if self.sliced:
                self.enable_attention_slicing()
        return self._turbo

    def enable_attention_slicing(self) -> None:
        """Compute the UNet's attention piece by piece, which is slower and takes less memory."""
        self.sliced = True
        if self._turbo is not None:
            self._turbo.unet.set_attention_slice("auto")

    @torch.inference_mode(False)  # the weights outlive the edit in whose course they may be read
    def _build(self, gamma: float) -> Turbo:
        with silence_libraries():
            from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

            vae = self._load_part("vae", AutoencoderKL, dtype=torch.float32)  # merged before anything is rounded
            unet = self._load_part("unet", UNet2DConditionModel, dtype=torch.float32)
            turbo = Turbo(vae, unet, self._load_part("scheduler", DDPMScheduler))
        skips = {f"decoder.skip_conv_{i}.weight": skip.weight for i, skip in enumerate(turbo.skips, 1)}
        checkpoint = read_checkpoint(self._checkpoint)
        merge_checkpoint(checkpoint, "unet", dict(unet.named_parameters()), gamma)
        merge_checkpoint(checkpoint, "vae", dict(vae.named_parameters()) | skips, gamma)
        turbo = turbo.to(self._device, self._dtype).to(memory_format=torch.channels_last)  # measured faster, see cost.md
        return turbo.eval().requires_grad_(False)

    def _load_part(self, name: str, loader: Any, **options: Any) -> Any:
        folders = [home for home in self._homes if os.path.isdir(os.path.join(home, name))]
        home = str((folders or self._homes)[0])
        return load_pretrained(loader.from_pretrained, home, Img2ImgTurbo.name, subfolder=name, **options)


def load(weights: str = "auto", device: str | None = None, *, base: str | Path | None = None) -> Img2ImgTurbo:
    """The editor with its weights loaded. See `smile.load_editor`.

    `weights` may also be "edge_to_image" (which is "full"), "sketch_to_image_stochastic", "bundled-edges", a checkpoint's
    path or https address, or a folder laid out as SD-Turbo's with one checkpoint in it (`*.pkl` or
    `checkpoint.safetensors`) and, if need be, an `editor.json` with size, control, low, high, gamma, and `shared`, the
    folder of the parts that are not in this one. `base`: a folder or repository in place of stabilityai/sd-turbo.
    """
    device = choose_device(device)
    kind, folder, path = _locate(weights)
    if base and folder:
        raise InputError(f"The folder {folder} has its own base; leave the base out or name a checkpoint instead.")
    homes = [folder, find_shared_parts(folder) or folder] if folder else [os.path.expanduser(base) if base else BASE]
    own = read_settings(folder) if folder else {}
    own.pop("shared", None)
    stochastic = read_checkpoint(path).stochastic
    control, size = own.pop("control", "sketch" if stochastic else "edges"), own.pop("size", SIZE)
    if control not in CONTROLS or type(size) is not int or size < 8:
        raise InputError(f"In {folder}/editor.json, size must be at least 8 and control one of {', '.join(CONTROLS)}.")
    settings = (EDGES if control == "edges" else {}) | (STOCHASTIC if stochastic else {})
    dtype = choose_dtype(device, kind)
    if dtype == torch.bfloat16:  # too coarse for SD-Turbo's step (see `Turbo.denoise`), and one step is quick anyway
        dtype = torch.float32
    common = {"weights": kind, "device": device, "settings": settings, "working_size": size, "location": str(homes[0])}
    try:
        editor = Img2ImgTurbo(TurboPipeline(homes, path, device, dtype), control=control, **common).with_settings(**own)
        editor.get_turbo()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(f"The Img2Img-Turbo weights do not fit into the memory of {device}; use the bundled ones.") from error
    return editor


def _locate(weights: str | Path) -> tuple[str, Path | None, Path]:
    """(kind, folder or None, checkpoint) of what `load` takes as `weights`. Raises InputError."""
    name = str(weights)
    if name in PUBLISHED:
        return name, None, download_checkpoint(PUBLISHED[name])
    if name.startswith("https://") and re.split("[?#]", name)[0].endswith(SUFFIXES):
        return name, None, download_checkpoint(name)
    if name.endswith(SUFFIXES) and os.path.isfile(os.path.expanduser(name)):
        return name, None, Path(name).expanduser()
    edges = name == "bundled-edges"
    kind, location = find_weights("bundled" if edges else weights, bundled="img2img-turbo" + "-edges" * edges, full=FULL)
    if kind == "full":
        return kind, None, download_checkpoint(PUBLISHED[location])
    folder = Path(location)
    if not folder.is_dir():
        raise InputError(f"There are no Img2Img-Turbo weights in {name}; use a checkpoint's path or address, or a folder.")
    found = [*folder.glob("*.pkl"), *folder.glob("checkpoint.safetensors")]
    if len(found) != 1:
        raise InputError(
            f"There must be one Img2Img-Turbo checkpoint in the folder {folder}, named *.pkl or checkpoint.safetensors, "
            f"and there are {len(found)}."
        )
    return "bundled-edges" if edges else kind, folder, found[0]
