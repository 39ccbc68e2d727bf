"""The language models by name, and any other causal model by its folder or its repository on the Hub. Packages add theirs as
`smile.models.registry` says. What a language model is, `smile.models.protocols.LanguageModel` says."""

import os
import re
from pathlib import Path
from typing import Any

from smile.errors import InputError, shown
from smile.models.devices import choose_device, release_memory
from smile.models.protocols import LanguageModel
from smile.models.registry import Entry, Registry

MAX_TOKENS = 128  # of an answer, unless somebody says otherwise
CAUSAL = "smile.models.language_models.causal:load"
QWEN, SMOLLM = "Qwen/Qwen3-0.6B", "HuggingFaceTB/SmolLM2-360M-Instruct"

LANGUAGE_MODELS = Registry(
    "smile.language_models",
    "language model",
    "write",
    {
        "toyroad": Entry(CAUSAL, {"bundled": "toyroad-language"}),
        QWEN: Entry(CAUSAL, {QWEN: QWEN}),
        SMOLLM: Entry(CAUSAL, {SMOLLM: SMOLLM}),
        "endpoint": Entry("smile.models.language_models.endpoint:load"),
    },
)


def load_language_model(
    name: str,
    *,
    weights: str | None = None,
    device: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> LanguageModel:
    """The language model called `name`, ready to use (`smile.models.protocols.LanguageModel`).

    `name`: "toyroad" (bundled), a Hub repository or a local folder with a causal model of transformers, "endpoint" (an
    OpenAI-compatible server, see `smile.models.language_models.endpoint`), or what an installed package adds.
    `weights`: other weights for a name of the table: a folder or a repository. `device`: a torch device; by default CUDA
    where there is one, else the CPU.
    `temperature`: 0 writes the likeliest token each time, above that tokens are drawn; by default the model's own
    setting, 0. `max_tokens`: after how many tokens an answer is cut off (`MAX_TOKENS`).
    Raises InputError where there is no such model, setting or value, or its weights are missing or cannot be had.
    """
    if not isinstance(name, str) or not name.strip():
        raise InputError("Give the language model's name, a folder, or a repository id.")
    if "\0" in name or any(len(part) > 255 for part in Path(name).parts):
        raise InputError(f"There is no language model at {shown(name)}.")
    release_memory()  # of a model before this one
    if name not in LANGUAGE_MODELS and is_place(name):
        model = Entry(CAUSAL).load(weights or name, device)
    else:
        sets = LANGUAGE_MODELS[name].weights if name in LANGUAGE_MODELS else {"auto": ""}
        model = LANGUAGE_MODELS.load(name, weights or next(iter(sets)), device)
    settings = {"temperature": temperature, "max_tokens": max_tokens}
    settings = {setting: value for setting, value in settings.items() if value is not None}
    if settings and not hasattr(model, "with_settings"):
        raise InputError(f"{name} has no settings.")
    return model.with_settings(**settings) if settings else model


def choose_language_model() -> str:
    """The name of the model that is asked unless somebody says otherwise: the larger one where there is a GPU."""
    return QWEN if choose_device(None) == "cuda" else "toyroad"


def ensure_language_model(model: Any) -> LanguageModel:
    """The language model itself, or the one of that name. Raises InputError for what is neither."""
    if isinstance(model, str):
        return load_language_model(model)
    if not callable(getattr(model, "write", None)):
        raise InputError("The language model must be a name or an object with write(prompts, *, seed).")
    return model


def is_place(name: str) -> bool:
    """Whether this is a folder, or may be a repository on the Hub."""
    return os.path.isdir(os.path.expanduser(name)) or bool(re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name))
