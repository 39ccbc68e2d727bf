"""Any diffusers pipeline that edits a picture by a text, called as it is: the picture and the texts go in, edits come out.

It is slower than our own steps (`smile.models.editors.denoising`), because nothing is computed once for all texts.
"""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from PIL import Image

from smile.errors import InputError
from smile.io.images import cover_cells
from smile.models.editors.base import UNLIMITED, DiffusionEditor, find_lost_words, find_token_limit
from smile.models.editors.catalogue import CATALOGUE
from smile.models.editors.precision import watch_decoder
from smile.models.hub import silence_libraries

# Our names of settings, and what pipelines call them; of two, the one that has a value by default is the one in use.
ARGUMENTS = {
    "steps": ("num_inference_steps",),
    "guidance": ("guidance_scale", "true_cfg_scale"),
    "image_guidance": ("image_guidance_scale",),
}
MEGAPIXEL = 1024  # the side of a square of as many pixels as FLUX.1 Kontext draws


def map_settings(takes: Mapping[str, inspect.Parameter]) -> dict[str, str]:
    """By our names, what a call with these parameters calls the settings that it has."""
    names: dict[str, str] = {}
    for ours, theirs in ARGUMENTS.items():
        used = [name for name in theirs if name in takes and isinstance(takes[name].default, (int, float))]
        names |= {ours: used[0]} if used else {}
    return names


def read_defaults(pipeline: Any) -> dict[str, Any]:
    """The settings of the pipeline's class in the catalogue, else its own, by our names, and `size`, the pixels it was trained
    at."""
    takes = inspect.signature(pipeline.__call__).parameters
    settings = {ours: takes[name].default for ours, name in map_settings(takes).items()}
    row = CATALOGUE.get(type(pipeline).__name__)
    if row is not None:
        known = row.distilled if row.distilled and pipeline.config.get("is_distilled") else row.settings
        settings |= {name: value for name, value in known.items() if name in settings}
    settings = {ours: int(value) if ours == "steps" else float(value) for ours, value in settings.items()}
    model = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    cells = getattr(pipeline, "default_sample_size", None) or getattr(getattr(model, "config", None), "sample_size", None)
    return settings | {"size": cells * pipeline.vae_scale_factor if isinstance(cells, int) else 1024}


class PlainPipeline(DiffusionEditor):
    """Any pipeline whose call takes `prompt`, `image` and `generator`, and `mask_image` where the editor takes a region.

    `settings`: those of steps, guidance and image_guidance that the pipeline has, with the catalogue's defaults or its own.
    A pipeline that the catalogue knows to take several texts in one call is given several.
    """

    SETTINGS: ClassVar = {"steps": (1, 200), "guidance": (0, 30), "image_guidance": (0, 30)}

    def __init__(self, pipeline: Any, *, name: str, takes_region: bool, **common: Any):
        super().__init__(pipeline, **common)
        self.name, self.takes_region = name, takes_region
        self._row = CATALOGUE.get(type(pipeline).__name__)
        self.memory.most = 1 if self._row is None else self._row.together

    def prepare_picture(self, picture: Image.Image, region: Image.Image | None) -> Any:
        return picture, region

    def edit_batch(self, prepared: Any, texts: list[str], generators: list[torch.Generator]) -> list[Image.Image | None]:
        picture, region = prepared
        options = self._list_options(picture, region)
        together = self._row is not None and self._row.together > 1
        parts = [(texts, generators)] if together else [(t, g) for t, g in zip(texts, generators, strict=True)]
        edited: list[Image.Image | None] = []
        for prompt, generator in parts:
            expected = len(texts) if together else 1
            if self._row is not None and self._row.repeats:
                options |= {n: [options[n]] * expected for n in ("image", "mask_image") if not isinstance(options[n], list)}
            with silence_libraries(), watch_decoder(self.pipeline) as finite:  # some warn of sizes that they adjust
                images = getattr(self.pipeline(prompt=prompt, generator=generator, **options), "images", None)
            if not images or len(images) != expected or not all(isinstance(image, Image.Image) for image in images):
                raise InputError(f"A {type(self.pipeline).__name__} does not return a picture; choose other weights.")
            good = finite if len(finite) == expected else [True] * expected  # one whose decoder is not seen
            edited += [self._finish(image, picture, region) if g else None for image, g in zip(images, good, strict=True)]
        return edited

    def _list_options(self, picture: Image.Image, region: Image.Image | None) -> dict[str, Any]:
        """What the pipeline's call is given beside texts and noise."""
        takes = inspect.signature(self.pipeline.__call__).parameters
        options: dict[str, Any] = {"image": picture, "height": picture.height, "width": picture.width}
        if region is not None:
            options["mask_image"] = cover_cells(region, getattr(self.pipeline, "vae_scale_factor", 8))
        options |= {name: self.settings[ours] for ours, name in map_settings(takes).items()}
        if options.get("true_cfg_scale", 0) > 1:  # which has no effect without
            options["negative_prompt"] = " "
        if "max_area" in takes:  # FLUX.1 Kontext draws as many pixels whatever it is asked for
            options |= {"max_area": self.working_size**2, "_auto_resize": self.working_size >= MEGAPIXEL}
        options |= {} if self._row is None else self._row.options
        return {name: value for name, value in options.items() if name in takes}

    def _finish(self, image: Image.Image, picture: Image.Image, region: Image.Image | None) -> Image.Image:
        image = image.convert("RGB")
        image = image if image.size == picture.size else image.resize(picture.size, Image.Resampling.LANCZOS)
        return image if region is None else Image.composite(image, picture, region)

    # What it reads. Some have several text encoders, and a word is lost where all of them lose it.

    @property
    def dtype(self) -> str:
        return str(self.pipeline.dtype).removeprefix("torch.")

    @property
    def _readers(self) -> list[tuple]:
        """(tokenizer, how many tokens are read of a text) of each text encoder."""
        parts = self.pipeline.components
        pairs = [(parts.get(f"tokenizer{n}"), parts.get(f"text_encoder{n}")) for n in ("", "_2", "_3")]
        whole = self._row.tokens if self._row else read_token_limit(self.pipeline)
        return [(pair[0], min(find_token_limit(*pair), whole)) for pair in pairs if None not in pair]

    @property
    def _token_limit(self) -> int:
        return max(limit for _, limit in self._readers)

    @property
    def token_embeddings(self):
        if None in (self.pipeline.components.get("tokenizer"), self.pipeline.components.get("text_encoder")):
            raise AttributeError(f"a {type(self.pipeline).__name__} has no tokens to show")  # for hasattr
        return super().token_embeddings

    def lost_words(self, text):
        readers = [(tokenizer, limit - count_template(self.pipeline, tokenizer)) for tokenizer, limit in self._readers]
        return min((find_lost_words(text, *reader) for reader in readers), key=len, default=[])


def read_token_limit(pipeline: Any) -> int:
    """How many tokens of a text a pipeline reads, by its call; what it does not say is left to its tokenizer."""
    limit = inspect.signature(pipeline.__call__).parameters.get("max_sequence_length")
    return limit.default if limit is not None and isinstance(limit.default, int) else UNLIMITED


def count_template(pipeline: Any, tokenizer: Any) -> int:
    """How many of the tokens are not the text's: FLUX.2's pipelines put it into a chat."""
    if not type(pipeline).__name__.startswith("Flux2Klein") or not getattr(tokenizer, "chat_template", None):
        return 0
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": ""}], tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return len(tokenizer(chat, verbose=False).input_ids)
