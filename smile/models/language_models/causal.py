"""Causal language models of transformers, from a folder or the Hub: they write answers and score given ones.

Scoring reads prompt and answer in one pass (teacher forcing), so an answer of t tokens costs one forward pass and not t.
All rows are padded on the left, so that the answer's tokens stand at the end of each row and only their logits are made.
"""

import copy
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from typing_extensions import Self

from smile.errors import InputError, shown
from smile.models.devices import choose_device, is_out_of_memory
from smile.models.hub import choose_dtype, find_weights, is_bundled, load_pretrained, silence_libraries
from smile.models.known import judge_prompt
from smile.models.language_models import MAX_TOKENS, QWEN
from smile.models.language_models.chat import ChatFormat, find_limit
from smile.models.language_models.sampling import SamplingNoise
from smile.models.language_models.settings import check_settings
from smile.models.protocols import Answer, Known

ROWS = 64  # at most together
SHARE = 0.2  # of the model's own size, which is what the logits and activations of one pass may take
LEAST = 2**26  # bytes that they may take beside the smallest model
INSTEAD = 'ask the bundled model ("toyroad")'


def load(weights: str = "auto", device: str | None = None) -> "CausalModel":
    """The causal model in a folder or repository, ready to use; "bundled" is the toy model.

    A folder may hold a single GGUF file instead of safetensors. Code that comes with weights is never run. Raises
    InputError where the weights are missing, no causal model, too large for the device, or cannot be had.
    """
    kind, location = find_weights(weights, bundled="toyroad-language", full=QWEN)
    device = choose_device(device)
    options: dict[str, Any] = {"trust_remote_code": False}
    if gguf := _find_gguf(location):
        options["gguf_file"] = gguf
    with silence_libraries():
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        config = load_pretrained(AutoConfig.from_pretrained, location, "language model", INSTEAD, **options)
        if type(config) not in AutoModelForCausalLM._model_mapping:
            raise InputError(f"{shown(location)} holds a {config.model_type} model, which writes no text; choose a causal one.")
        tokenizer = load_pretrained(AutoTokenizer.from_pretrained, location, "language model", INSTEAD, **options)
        dtype = choose_dtype(device, kind)
        if dtype == torch.float16 and torch.cuda.is_bf16_supported(including_emulation=False):
            dtype = torch.bfloat16  # which such models are trained in; some exceed float16
        try:
            model = load_pretrained(
                AutoModelForCausalLM.from_pretrained, location, "language model", INSTEAD, dtype=dtype, **options
            ).to(device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(f"The weights {location} do not fit into the memory of {device}; {INSTEAD}.") from error
    name = "toyroad" if is_bundled(kind) else location
    return CausalModel(model.eval().requires_grad_(False), tokenizer, name=name, weights=kind, device=device, location=location)


def _find_gguf(location: str) -> str | None:
    """The name of the only GGUF file in a folder that has no configuration beside it."""
    files = sorted(path.name for path in Path(location).glob("*.gguf")) if Path(location).is_dir() else []
    if not files or (Path(location) / "config.json").is_file():
        return None
    if len(files) > 1:
        raise InputError(f"The folder {location} holds {len(files)} GGUF files; leave one in it.")
    if not _is_installed("gguf"):
        raise InputError("A GGUF file is read with the package gguf; install it (pip install gguf).")
    return files[0]


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


class CausalModel:
    """A `smile.models.protocols.LanguageModel` around a causal model and its tokenizer.

    `settings`: `temperature` (0: the likeliest token each time) and `max_tokens`, after which an answer is cut off.
    """

    SETTINGS: ClassVar[dict[str, tuple[float, float]]] = {"temperature": (0, 2), "max_tokens": (1, 4096)}

    def __init__(self, model: Any, tokenizer: Any, *, name: str, weights: str, device: str, location: str | None = None):
        from transformers import GenerationConfig

        self.model, self.tokenizer, self.name, self.weights = model, tokenizer, name, weights
        self.device, self.location = device, location
        self.settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": MAX_TOKENS}
        own = getattr(model.generation_config, "eos_token_id", None)
        ends = {*(own if isinstance(own, (list, tuple)) else [own]), tokenizer.eos_token_id} - {None}
        self.chat = ChatFormat(tokenizer, ends)
        self.limit = find_limit(model, tokenizer)
        self._pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.chat.end  # never attended to
        # Published settings often sample; ours are said at each call.
        model.generation_config = GenerationConfig(eos_token_id=sorted(ends) or None, pad_token_id=self._pad)
        self._takes = set(inspect.signature(model.forward).parameters)
        self._rows = ROWS

    @property
    def dtype(self) -> str:
        """What is computed in, for example "float32"."""
        return str(self.model.dtype).removeprefix("torch.")

    def knows(self, words: Sequence[str]) -> Known | None:
        """What bundled weights know, and which words they were never taught; None for others (`smile.models.known`)."""
        return judge_prompt(words) if is_bundled(self.weights) else None

    @property
    def batch_size(self) -> int:
        """How many prompts are answered at a time; less after it was too much for the device's memory."""
        return min(self._rows, 16 if self.device == "cpu" and not is_bundled(self.weights) else ROWS)

    def with_settings(self, /, **settings: float) -> Self:
        """The same model with other settings; the two share the weights. Raises InputError for an unknown setting, or a
        value out of its range."""
        other = copy.copy(self)
        other.settings = self.settings | check_settings(self.name, self.SETTINGS, self.settings, settings)
        return other

    def describe(self) -> dict[str, Any]:
        """What the template puts before and after a prompt, which the words of the prompt never include."""
        return {"template": self.chat.has_template, "before": self.chat.before, "after": self.chat.after}

    def read(self, prompt: str) -> tuple[int, ...]:
        """The tokens that the model reads for this prompt, those of the template included."""
        return self.chat.encode_prompt(prompt)

    def lost_words(self, prompt: str) -> list[str]:
        """The words of the prompt that do not fit into the model's context beside an answer of `max_tokens`."""
        return self.chat.find_lost_words(prompt, self.limit - self.settings["max_tokens"])

    def check(self, prompts: Sequence[str]) -> None:
        """Raise InputError where a prompt does not fit, or contains what only the template may say."""
        if self.limit - self.settings["max_tokens"] < len(self.read("")):
            raise InputError(f"{self.name} reads {self.limit} tokens; set max_tokens to less than that.")
        for prompt in prompts:
            if marks := self.chat.find_marks(prompt):
                raise InputError(
                    f"The prompt contains “{shown(marks[0])}”, which has a meaning of its own for {self.name}; take it out."
                )
            if lost := self.lost_words(prompt):
                what = f"the words from “{shown(lost[0])}” on" if len(lost) > 1 else f"the word “{shown(lost[0])}”"
                raise InputError(
                    f"The prompt is too long for {self.name}, which reads {self.limit} tokens with its answer: {what} would be "
                    "lost; shorten it, or set a shorter answer."
                )

    def write(self, prompts: list[str], *, seed: int) -> list[str | None]:
        """An `Answer` to each prompt, None where the model's numbers overflowed. Raises InputError where memory does not hold
        a single one."""
        self.check(prompts)
        different = sorted(dict.fromkeys(prompts), key=lambda prompt: (len(self.read(prompt)), prompt))
        written: dict[str, Answer | None] = {}
        while left := [prompt for prompt in different if prompt not in written]:
            batch = left[: self.batch_size]
            answers = self._try(
                lambda batch=batch: self._write_batch([self.read(prompt) for prompt in batch], seed), len(batch)
            )
            written |= {} if answers is None else dict(zip(batch, answers, strict=True))
        return [written[prompt] for prompt in prompts]

    def _write_batch(self, rows: list[tuple[int, ...]], seed: int) -> list[Answer | None]:
        ids, mask = self._pad_left(rows)
        noise = SamplingNoise(self.settings["temperature"], seed, ids.shape[1])
        written = self.model.generate(
            ids,
            attention_mask=mask,
            logits_processor=[noise],
            do_sample=False,  # the noise has drawn already
            num_beams=1,
            max_new_tokens=self.settings["max_tokens"],
            use_cache=True,
        )
        failed = noise.failed if noise.failed is not None else [False] * len(rows)
        return [None if bad else self._cut(new) for new, bad in zip(written[:, ids.shape[1] :].tolist(), failed, strict=True)]

    def _cut(self, ids: list[int]) -> Answer:
        """What was written up to the first end token."""
        ends = [i for i, token in enumerate(ids) if token in self.chat.ends]
        ids = ids[: ends[0] + 1] if ends else ids
        return Answer("".join(self.chat.split_answer(ids)), ids, ended=bool(ends))

    def split(self, answer: str) -> list[str]:
        """The texts of the answer's tokens; the end token, where it has one, is the empty text at the end."""
        ended = getattr(answer, "ended", True)
        return self.chat.split_answer(self.chat.encode_answer(answer, ended))

    def score(self, prompts: list[str], answer: str, *, given: list[str | None] | None = None) -> np.ndarray:
        """(N, t) float64 log-probabilities in nat of the answer's tokens after each prompt, and after what is `given` of the
        answer before it. Computed by log-softmax in float32. Raises InputError where there is nothing to score, it does not
        fit into the context, or memory does not hold a single row."""
        target = self.chat.encode_answer(answer, getattr(answer, "ended", given is None))
        before = [None] * len(prompts) if given is None else given
        rows = [
            (*self.read(prompt), *(self.chat.encode_given(text) if text else ()))
            for prompt, text in zip(prompts, before, strict=True)
        ]
        if not rows:
            return np.zeros((0, len(target)))
        longest = max(map(len, rows)) + len(target)
        if longest > self.limit:
            raise InputError(f"Prompt and answer have {longest} tokens, and {self.name} reads {self.limit}; shorten them.")
        different = sorted(dict.fromkeys(rows), key=lambda row: (len(row), row))
        scored: dict[tuple[int, ...], np.ndarray] = {}
        while left := [row for row in different if row not in scored]:
            batch = left[: self._choose_rows(len(left[0]) + len(target), len(target))]
            scores = self._try(lambda batch=batch: self._score_batch(batch, target), len(batch))
            scored |= {} if scores is None else dict(zip(batch, scores, strict=True))
        return np.stack([scored[row] for row in rows])

    def _score_batch(self, rows: list[tuple[int, ...]], target: list[int]) -> np.ndarray:
        count = len(target)
        ids, mask = self._pad_left([(*row, *target[:-1]) for row in rows])
        options: dict[str, Any] = {"attention_mask": mask, "use_cache": False}
        options |= {"position_ids": (mask.cumsum(1) - 1).clamp(min=0)} if "position_ids" in self._takes else {}
        options |= {"logits_to_keep": count} if "logits_to_keep" in self._takes else {}
        logits = self.model(ids, **options).logits[:, -count:].float()  # (n, t, vocabulary)
        chosen = logits.gather(2, torch.tensor(target, device=logits.device).expand(len(rows), count)[..., None])[..., 0]
        return (chosen - logits.logsumexp(2)).double().cpu().numpy()

    def _pad_left(self, rows: list[tuple[int, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
        """(ids, attention mask), each (n, length)."""
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self._pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for i, row in enumerate(rows):
            if row:
                ids[i, longest - len(row) :], mask[i, longest - len(row) :] = torch.tensor(row), 1
        return ids.to(self.device), mask.to(self.device)

    def _choose_rows(self, length: int, count: int) -> int:
        """How many rows of this length one pass may have, of which the last `count` positions have logits."""
        config = self.model.config.get_text_config()
        width = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
        room = max(LEAST, SHARE * self.model.get_memory_footprint())
        return int(max(1, min(self._rows, room / (4 * (3 * count * config.vocab_size + 4 * length * width)))))

    def _try(self, compute: Any, rows: int) -> Any:
        """What `compute` returns, None where it did not fit into memory and fewer rows are to be tried."""
        try:
            with torch.inference_mode():
                return compute()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error)
        # Outside the handler, where the failed batch's tensors are already free.
        if rows > 1:
            self._rows = rows // 2
            return None
        raise InputError(f"A single answer does not fit into the memory of {self.device}; {INSTEAD}.") from RuntimeError(
            failure
        )
