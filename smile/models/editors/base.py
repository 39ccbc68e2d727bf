"""What every diffusion editor shares: batches, common noise, running out of memory, and stopping.

A subclass says how to prepare one picture and how to edit it by one batch of texts. Everything about *many* texts is here.
All edits of one call start from the same noise: each item of a batch has a CPU generator of its own with the same seed, so
a text's edit depends neither on the batch it is in nor on the device, and two edits differ because two texts differ. A
text that comes several times is edited once.
"""

import copy
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from typing_extensions import Self

from smile.errors import InputError
from smile.io.images import open_picture
from smile.models.devices import is_out_of_memory
from smile.models.editors.memory import Memory
from smile.models.editors.precision import in_single_precision
from smile.models.hub import is_bundled
from smile.models.known import judge_inputs
from smile.models.protocols import Known, fit_inputs

TEXTS_KEPT = 512  # encoded texts in memory; 120 MB at full size
TEXTS_TOGETHER = 16  # encoded in one call
UNLIMITED = 2**20  # tokens; tokenizers without a limit say 1e30, and cannot count that far themselves


class DiffusionEditor:
    """A `smile.models.protocols.Editor` around one diffusers pipeline.

    `settings` are read at every edit. `SETTINGS` says which of them people may set, and between which values; `DEFAULTS` and
    `PIPELINE` are the settings and the diffusers class that `smile.models.editors.pipelines` loads it with.
    `location` is the folder or repository that the pipeline came from, if there is one. `checker`, where there is one,
    takes a batch of edits and returns it with None in place of what it blocks (`smile.models.editors.safety`). `failure`: why
    an edit failed, for whoever asks. `lora`: what was
    merged into the weights; `revision`: what they are known by, where a branch or a LoRA was asked for.
    """

    name: str
    takes_region = False
    PIPELINE: ClassVar[str] = ""
    SETTINGS: ClassVar[dict[str, tuple[float, float]]] = {}
    DEFAULTS: ClassVar[dict[str, Any]] = {}
    checker: Callable[[list], list] | None = None
    failure = ""
    lora: str | None = None
    revision: str | None = None
    expects = "instruction"  # or "caption"

    def __init__(
        self,
        pipeline: Any,
        *,
        weights: str,
        device: str,
        settings: dict[str, Any],
        working_size: int,
        location: str | None = None,
    ):
        self.pipeline, self.weights, self.device, self.location = pipeline, weights, device, location
        self.settings, self.working_size = settings, working_size
        self.memory = Memory(pipeline, device, working_size**2)
        self._prepared: tuple = (None, None)
        self._text_states: dict[str, torch.Tensor] = {}

    @property
    def dtype(self) -> str:
        """What is computed in, for example "float16"."""
        return str(self.pipeline.text_encoder.dtype).removeprefix("torch.")

    def knows(self, picture: Image.Image, words: Sequence[str]) -> Known | None:
        """What bundled weights know, and what of this they never saw; None for others (`smile.models.known`)."""
        return judge_inputs(picture, words, self.expects) if is_bundled(self.weights) else None

    @property
    def batch_size(self) -> int:
        """How many texts are edited at a time: what the device's memory holds, and less after it was too much."""
        return self.memory.choose_batch_size()

    def edit(self, image: Any, texts: list[str], *, seed: int, region: Any = None) -> list[Image.Image | None]:
        """One edit of `image` for each text, in order, all from the noise of `seed`; None where an edit was blocked.

        `image` and `region` are what `open_picture` and `open_region` take. Raises InputError where they do not suit the
        editor or memory does not hold a single edit.
        """
        return [edit for batch in self.edit_stream(image, texts, seed=seed, region=region) for edit in batch]

    def edit_stream(self, image: Any, texts: list[str], *, seed: int, region: Any = None) -> Iterator[list[Image.Image | None]]:
        """The same, batch by batch as the edits are made. Closing the iterator stops after the batch in hand."""
        picture, region = fit_inputs(self, open_picture(image), region)
        left, given = list(dict.fromkeys(texts)), 0
        made: dict[str, Image.Image | None] = {}
        while left:
            batch = left[: self.batch_size]
            edits = self._try_batch(picture, region, batch, seed)
            if edits is None:
                continue
            made |= dict(zip(batch, edits, strict=True))
            left = left[len(batch) :]
            ready = list(itertools.takewhile(made.__contains__, texts[given:]))
            given += len(ready)
            yield [made[text] for text in ready]

    def _try_batch(self, picture, region, batch: list[str], seed: int) -> list[Image.Image | None] | None:
        """The edits of one batch, None where they did not fit into memory and less is to be tried."""
        try:
            edits = self._edit_once(picture, region, batch, seed)
            if None in edits:
                edits = self._retry_overflowed(picture, region, batch, seed, edits)
            return self.checker(edits) if self.checker else edits
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error)
        # Outside the handler, where the failed batch's tensors are already free.
        if self.memory.reduce(len(batch)):
            return None
        raise InputError(
            f"A single edit of {picture.width} by {picture.height} pixels does not fit into the memory of {self.device}; "
            "lower the working size or use the bundled weights."
        ) from RuntimeError(failure)

    def _edit_once(self, picture, region, batch: list[str], seed: int) -> list[Image.Image | None]:
        with torch.inference_mode():
            generators = [torch.Generator("cpu").manual_seed(seed) for _ in batch]
            return self.edit_batch(self._prepare_once(picture, region), batch, generators)

    def _retry_overflowed(self, picture, region, batch: list[str], seed: int, edits: list) -> list[Image.Image | None]:
        """Those that overflowed once more, in single precision where memory allows; None, and a warning, where that does not
        help. Half precision is used again afterwards, so that no text's edit depends on the others'."""
        texts = [text for text, edit in zip(batch, edits, strict=True) if edit is None]
        again: list[Image.Image | None] = [None] * len(texts)
        models, half = self.list_models(), self.dtype
        if half != "float32" and not any(tensor.is_meta for model in models for tensor in model.parameters()):
            try:
                with in_single_precision(models):
                    self._forget()
                    again = self._edit_once(picture, region, texts, seed)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            finally:
                self._forget()
        made = dict(zip(texts, again, strict=True))
        if None in again:
            where = "single precision"
            if half != "float32":
                where = f"half precision ({half}), and again in single precision or without room for it"
            self.failure = f"{again.count(None)} of the edits overflowed in {where}; choose less guidance, or other weights."
            warnings.warn(self.failure, stacklevel=2)
        return [made[text] if edit is None else edit for text, edit in zip(batch, edits, strict=True)]

    def list_models(self) -> list[torch.nn.Module]:
        """The models of the pipeline."""
        return [part for part in self.pipeline.components.values() if isinstance(part, torch.nn.Module)]

    def _forget(self) -> None:
        """Encode picture and texts again, because they were encoded in another precision."""
        self._prepared, self._text_states = (None, None), {}

    def with_settings(self, /, **settings: float) -> Self:
        """The same editor with other settings; the two share the weights, and may be used in turns.

        Raises InputError for a setting that this editor does not have, or a value out of its range.
        """
        ranges = {name: self.SETTINGS[name] for name in self.settings if name in self.SETTINGS}
        for name, value in settings.items():
            if name not in ranges:
                known = f"there is {', '.join(ranges)}" if ranges else "there is nothing to set"
                raise InputError(f"{self.name} has no setting “{name}”; {known}.")
            low, high = ranges[name]
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                raise InputError(f"The setting “{name}” of {self.name} must be a number from {low:g} to {high:g}.")
            if isinstance(self.settings[name], int) and value != int(value):
                raise InputError(f"The setting “{name}” of {self.name} must be a whole number.")
        other = copy.copy(self)
        other.settings = self.settings | {n: type(self.settings[n])(v) for n, v in settings.items()}
        return other

    def prepare_picture(self, picture: Image.Image, region: Image.Image | None) -> Any:
        """What `edit_batch` needs of a picture, for example its latents. Subclasses say."""
        raise NotImplementedError

    def edit_batch(self, prepared: Any, texts: list[str], generators: list[torch.Generator]) -> list[Image.Image | None]:
        """One batch of edits, of which each starts from the noise of its generator; None for one that overflowed
        (`smile.models.editors.precision`). Subclasses say."""
        raise NotImplementedError

    def _prepare_once(self, picture: Image.Image, region: Image.Image | None) -> Any:
        painted = None if region is None else region.tobytes()
        key = (picture.size, picture.tobytes(), painted, tuple(self.settings.items()))
        if self._prepared[0] != key:
            self._prepared = (key, self.prepare_picture(picture, region))
        return self._prepared[1]

    # The text encoder, which all our pipelines have.

    def encode_texts(self, texts: list[str]) -> torch.Tensor:
        """(n, tokens, d) last hidden states of the text encoder; each text is encoded once.

        A text's states must not depend on the texts beside it. On the CPU they do not, to the last bit (measured
        for 1 to 16 at a time, bundled and full size, single precision). Elsewhere, the number of texts may choose how
        matrices are multiplied, so there it is always the same, and empty texts fill the gaps.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._text_states]
        if new and len(self._text_states) + len(new) > TEXTS_KEPT:
            self._text_states.clear()
            new = list(dict.fromkeys(texts))
        for start in range(0, len(new), TEXTS_TOGETHER):
            together = new[start : start + TEXTS_TOGETHER]
            gaps = 0 if self.device == "cpu" else TEXTS_TOGETHER - len(together)
            tokens = self.pipeline.tokenizer(
                together + [""] * gaps,
                padding="max_length",
                max_length=self._token_limit,
                truncation=True,
                return_tensors="pt",
            )
            states = self.pipeline.text_encoder(tokens.input_ids.to(self.device))[0]
            self._text_states |= dict(zip(together, states.split(1), strict=False))
        return torch.cat([self._text_states[text] for text in texts])

    def token_embeddings(self, text: str) -> np.ndarray:
        """(n, d) rows of the text encoder's input embedding table, without special tokens; n = 0 for the empty text."""
        ids = self.pipeline.tokenizer(text, add_special_tokens=False, truncation=True, max_length=self._token_limit)
        table = self.pipeline.text_encoder.get_input_embeddings()
        place = "cpu" if table.weight.is_meta else table.weight.device  # weights that are only read when it is their turn
        return table(torch.tensor(ids.input_ids, dtype=torch.long, device=place)).detach().float().cpu().numpy()

    def read_text(self, text: str) -> str:
        """The numbers of the tokens that the text encoders read: equal for texts that differ in what they do not read, for
        example capital letters. The text itself where there is no tokenizer."""
        tokenizers = [getattr(self.pipeline, f"tokenizer{number}", None) for number in ("", "_2", "_3")]
        read = [" ".join(map(str, one(text, verbose=False).input_ids)) for one in tokenizers if one is not None]
        return "; ".join(read) if read else text

    def lost_words(self, text: str) -> list[str]:
        """The words at the end of `text` that the tokenizer's limit cuts off, wholly or in part."""
        return find_lost_words(text, self.pipeline.tokenizer, self._token_limit)

    @property
    def _token_limit(self) -> int:
        return find_token_limit(self.pipeline.tokenizer, self.pipeline.text_encoder)


def find_token_limit(tokenizer: Any, text_encoder: Any) -> int:
    """How many tokens the two read, special ones included."""
    positions = getattr(text_encoder.config, "max_position_embeddings", None) or UNLIMITED  # T5 has none
    return min(tokenizer.model_max_length, positions, UNLIMITED)


def find_lost_words(text: str, tokenizer: Any, limit: int) -> list[str]:
    """The words at the end of `text` that `limit` tokens, special ones included, cut off, wholly or in part."""
    words = text.split()
    fits = len(words)
    while fits and len(tokenizer(" ".join(words[:fits]), verbose=False).input_ids) > limit:
        fits -= 1
    return words[fits:]
