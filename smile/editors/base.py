"""What every diffusion editor shares: batches, common noise, running out of memory, and stopping.

A subclass says how to prepare one picture and how to edit it under one batch of texts. Everything about *many* texts is
here. All edits of one call start from the same noise: each batch item gets its own CPU generator with the same seed, so
a text's edit depends neither on the batch it is in nor on the device, and two edits differ because two texts differ.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from smile.editors.weights import choose_device, quiet, read, resolve
from smile.errors import InputError
from smile.picture import fit

TEXTS_KEPT = 512  # text states in memory; 120 MB at full size


class DiffusionEditor:
    """An editor around one diffusers pipeline (see `smile.editors` for the protocol).

    `settings` are read at every edit, so they may be changed between edits.
    """

    name: str

    def __init__(self, pipeline, *, weights: str, device: str, settings: dict, working_size: int):
        self.pipeline, self.weights, self.device = pipeline, weights, device
        self.settings, self.working_size = settings, working_size
        self.batch_size = 8
        self._prepared: tuple = (None, None)
        self._text_states: dict[str, torch.Tensor] = {}

    def edit(self, image: Image.Image, texts: list[str], *, seed: int, region=None) -> list[Image.Image | None]:
        """One edit of `image` for each text, in order, all from the noise of `seed`; None where an edit was blocked.

        Raises InputError where the region does not suit the editor or memory does not hold a single edit.
        """
        return [edited for batch in self.edit_stream(image, texts, seed=seed, region=region) for edited in batch]

    def edit_stream(self, image: Image.Image, texts: list[str], *, seed: int, region=None) -> Iterator[list]:
        """The same, batch by batch as the edits are made. Closing the iterator stops after the batch in hand."""
        picture = fit(image.convert("RGB"), self.working_size)
        done = 0
        while done < len(texts):
            batch = texts[done : done + self.batch_size]
            try:
                with torch.inference_mode():
                    generators = [torch.Generator("cpu").manual_seed(seed) for _ in batch]
                    edited = self.run(self._prepare_once(picture, region), batch, generators)
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise InputError(
                        f"A single edit of {picture.width} by {picture.height} pixels does not fit into the memory of "
                        f"{self.device}; lower the working size or use the bundled weights."
                    ) from error
                self.batch_size = len(batch) // 2
                edited = None
            if edited is None:  # outside the handler, where the failed batch's tensors are already free
                torch.cuda.empty_cache()
                continue
            done += len(batch)
            yield edited

    def prepare(self, picture: Image.Image, region):
        """What `run` needs of a picture, for example its latents. Subclasses say."""
        raise NotImplementedError

    def run(self, prepared, texts: list[str], generators: list) -> list[Image.Image | None]:
        """One batch of edits. Subclasses say."""
        raise NotImplementedError

    def _prepare_once(self, picture, region):
        key = (picture.size, picture.tobytes(), None if region is None else region.tobytes())
        if self._prepared[0] != key:
            self._prepared = (key, self.prepare(picture, region))
        return self._prepared[1]

    # The text encoder, which all our pipelines have.

    def text_states(self, texts: list[str]) -> torch.Tensor:
        """(n, tokens, d) last hidden states. Each text is encoded once and alone, so batches cannot change it."""
        new = [text for text in dict.fromkeys(texts) if text not in self._text_states]
        if new and len(self._text_states) + len(new) > TEXTS_KEPT:
            self._text_states.clear()
            new = list(dict.fromkeys(texts))
        for text in new:
            tokens = self.pipeline.tokenizer(
                text, padding="max_length", max_length=self._token_limit, truncation=True, return_tensors="pt"
            )
            self._text_states[text] = self.pipeline.text_encoder(tokens.input_ids.to(self.device))[0]
        return torch.cat([self._text_states[text] for text in texts])

    def token_embeddings(self, text: str) -> np.ndarray:
        """(n, d) rows of the text encoder's input embedding table, without special tokens; n = 0 for the empty text."""
        ids = self.pipeline.tokenizer(text, add_special_tokens=False, truncation=True, max_length=self._token_limit)
        table = self.pipeline.text_encoder.get_input_embeddings().weight
        return table[torch.tensor(ids.input_ids, dtype=torch.long, device=table.device)].detach().float().cpu().numpy()

    def lost_words(self, text: str) -> list[str]:
        """The words at the end of `text` that the tokenizer's limit cuts off, wholly or in part."""
        words = text.split()
        fits = len(words)
        while fits and len(self.pipeline.tokenizer(" ".join(words[:fits])).input_ids) > self._token_limit:
            fits -= 1
        return words[fits:]

    @property
    def _token_limit(self) -> int:
        positions = self.pipeline.text_encoder.config.max_position_embeddings
        return min(self.pipeline.tokenizer.model_max_length, positions)


def load_pipeline(class_name: str, weights: str, device: str | None, *, what: str, bundled: str, full: str, defaults):
    """(pipeline, weights kind, device, settings) of a diffusers folder or repository, silent and ready to run.

    `defaults` are the settings for the full weights; an `editor.json` in the folder overrides them.
    Raises InputError where the weights are missing, incomplete, of another class, or cannot be downloaded.
    """
    kind, location = resolve(weights, bundled=bundled, full=full)
    device = choose_device(device)
    # The toy weights are so small that half precision saves nothing.
    dtype = torch.float16 if device.startswith("cuda") and kind != "bundled" else torch.float32
    check_folder(location, class_name, what)
    with quiet():
        import diffusers

        pipeline_class = getattr(diffusers, class_name)
        pipeline = read(pipeline_class.from_pretrained, location, what, dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    for module in pipeline.components.values():
        if isinstance(module, torch.nn.Module):
            module.eval().requires_grad_(False)
    own = Path(location) / "editor.json"
    settings = defaults | (json.loads(own.read_text()) if own.is_file() else {})
    return pipeline.to(device), kind, device, settings


def check_folder(location: str, class_name: str, what: str) -> None:
    """Raise InputError where `location` is a local folder that is not a diffusers folder of this class."""
    folder = Path(location)
    if not folder.is_dir():
        return
    index = folder / "model_index.json"
    found = json.loads(index.read_text()).get("_class_name") if index.is_file() else None
    if found != class_name:
        holds = f"holds a {found}" if found else "has no model_index.json"
        raise InputError(f"The folder {location} {holds}, so it is no {what} editor.")
