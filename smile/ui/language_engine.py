"""The language models behind the page: loaded when they are first asked for, one full one at a time, one run at a time."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from smile import AnswerExplanation, InputError, check_against_model, explain_answer_stream, load_language_model
from smile.errors import shown
from smile.evaluation.model_check import ModelCheck
from smile.io.checks import DISTANCES, SCORES
from smile.method.prompts import SEGMENTS, UNITS, split_prompt
from smile.models import protocols
from smile.models.language_models import LANGUAGE_MODELS
from smile.ui import machine, texts

BUNDLED = "toyroad"
MAX_ROWS = 256  # prompts in one run of a page that others may be waiting for
MAX_CHECKED = 2**19  # tokens that are scored again, those of the trace among them
MAX_TOKENS = 256
MAX_TEMPERATURE = 2.0


@dataclass(frozen=True)
class Question:
    """What is asked."""

    prompt: str
    model: str = BUNDLED
    rows: int | None = None
    seed: int = 0
    temperature: float = 0.0
    max_tokens: int = 64
    units: str = UNITS[0]
    within: int | None = None
    segments: str = SEGMENTS[0]
    options: dict[str, Any] = field(default_factory=dict)  # of the method, by explain_answer's names

    def check(self) -> "Question":
        """Raise InputError for what cannot be asked on a page, before a model is loaded."""
        split_prompt(self.prompt, self.units, self.within)
        if self.model not in LANGUAGE_MODELS:
            raise InputError(f"There is no language model “{shown(self.model)}”; there is {', '.join(LANGUAGE_MODELS)}.")
        if self.rows is not None and not 2 <= self.rows <= MAX_ROWS:
            raise InputError(f"The number of prompts must be from 2 to {MAX_ROWS}, not {shown(self.rows)}.")
        if not 1 <= self.max_tokens <= MAX_TOKENS:
            raise InputError(f"An answer has 1 to {MAX_TOKENS} tokens here, not {shown(self.max_tokens)}.")
        if not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise InputError(f"The temperature must be from 0 to {MAX_TEMPERATURE:g}, not {shown(self.temperature)}.")
        if self.options.get("seeds", 1) * (self.rows or MAX_ROWS // 2) > MAX_ROWS:
            raise InputError(f"All seeds together are more than {MAX_ROWS} prompts; take fewer seeds.")
        return self


class LanguageEngine:
    """`load(name, device=...)` is called for a model that is not there; models beside the bundled one take turns."""

    def __init__(self, load: Callable[..., Any] = load_language_model):
        self._load, self._loaded = load, dict[str, Any]()
        self._in_use = threading.RLock()

    def get(self, question: Question) -> Any:
        """The model with the settings that are asked for. Raises InputError where it cannot be had."""
        name = question.model
        with self._in_use:
            if name not in self._loaded:
                for other in [each for each in self._loaded if each != BUNDLED]:
                    del self._loaded[other]
                self._loaded[name] = self._load(name, device="cpu" if machine.ZERO_GPU else None)
            model = self._loaded[name]
        settings = {"temperature": question.temperature, "max_tokens": question.max_tokens}
        return model.with_settings(**settings) if hasattr(model, "with_settings") else model

    def explain(self, question: Question) -> Iterator[AnswerExplanation]:
        """`explain_answer_stream`, of which nothing is computed while another run has the models."""
        model = self.get(question.check())
        own = {"units": question.units, "within": question.within, "segments": question.segments}
        stream = explain_answer_stream(
            question.prompt, model, edits=question.rows, seed=question.seed, **own, **question.options
        )
        try:
            while True:
                with self._in_use:
                    step = next(stream, None)
                if step is None:
                    return
                yield step
        finally:
            stream.close()

    def can_check(self, explanation: AnswerExplanation) -> bool:
        """Whether something of what was opened can be checked here (`check_against_model`) without downloading anything."""
        name = explanation.settings["language_model"]
        here = explanation.log_probs is None or name == BUNDLED or name in self._loaded
        return here and bool({DISTANCES, SCORES} & {*explanation.believed})

    def check(self, explanation: AnswerExplanation) -> ModelCheck:
        """`check_against_model` with the model that the explanation names. Raises InputError as it does, and where that would
        keep others waiting."""
        if explanation.log_probs is None:
            return check_against_model(explanation)
        rows = [*explanation.log_probs, *chain(*(explanation.trace_log_probs or []))]
        if sum(0 if row is None else len(row) for row in rows) > MAX_CHECKED:
            raise InputError(texts.TOO_MUCH_TO_CHECK)
        model = self.get(Question(explanation.instruction, explanation.settings["language_model"]))
        with self._in_use:
            return check_against_model(explanation, model)

    def write(self, question: Question, prompt: str) -> str | None:
        """The answer to another prompt, with the same model and seed."""
        model = self.get(question)
        with self._in_use:
            return protocols.write_checked(model, [prompt], question.seed)[0]
