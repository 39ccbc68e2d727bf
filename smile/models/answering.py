"""Checked calls of language models: what they return is held against the protocol before anything is computed from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from smile.errors import InputError
from smile.models.language_models import load_language_model

BATCH = 16  # prompts at a time, where the model does not say
LONGEST = 200_000  # letters of an answer
ROUND_OFF = 1e-3  # nat, above 0


def ensure_language_model(model: Any) -> Any:
    """The model itself, or the one of that name. Raises InputError where it cannot write."""
    if isinstance(model, str):
        return load_language_model(model)
    if not callable(getattr(model, "write", None)):
        raise InputError("A language model must have a method “write”; give one, or a name for load_language_model.")
    return model


def can_score(model: Any) -> bool:
    """Whether the model says how likely a given answer is."""
    return callable(getattr(model, "score", None))


def write_checked(model: Any, prompts: Sequence[str], seed: int) -> list[str | None]:
    """The answers to some prompts. Raises InputError where they are not what the protocol says."""
    answers = model.write(list(prompts), seed=seed)
    if not isinstance(answers, (list, tuple)) or len(answers) != len(prompts):
        got = f"{len(answers)}" if isinstance(answers, (list, tuple)) else f"a {type(answers).__name__}"
        raise InputError(f"The language model must return a list with one answer for each prompt: {len(prompts)}, not {got}.")
    for answer in answers:
        if answer is not None and not isinstance(answer, str):
            raise InputError(f"The language model must return texts, or None for no answer, not {type(answer).__name__}.")
        if answer is not None and len(answer) > LONGEST:
            raise InputError(f"The language model's answer has more than {LONGEST} letters; let it write less.")
    return list(answers)


def score_checked(model: Any, prompts: Sequence[str], answer: str, given: Sequence[str | None] | None = None) -> np.ndarray:
    """(N, t) log-probabilities, in nat, of the t tokens of `answer` after each of N prompts and what is given of the answer
    before. Raises InputError where they are not what the protocol says."""
    optional = {} if given is None else {"given": list(given)}
    found = np.asarray(model.score(list(prompts), answer, **optional))
    if found.ndim != 2 or len(found) != len(prompts) or not found.shape[1]:
        raise InputError(f"The language model's log-probabilities must be (N, t) with N = {len(prompts)}, not {found.shape}.")
    if not np.issubdtype(found.dtype, np.number) or np.isnan(found).any() or (found > ROUND_OFF).any():
        raise InputError("The language model's log-probabilities must be numbers of at most 0; this model cannot be explained.")
    return np.maximum(np.minimum(found.astype(float), 0.0), -1e4)


def split_checked(model: Any, answer: str, tokens: int) -> list[str]:
    """The texts of the answer's tokens; one token for all of it where the model does not say. Raises InputError where they are
    not the answer, or not as many as have log-probabilities."""
    if not callable(getattr(model, "split", None)):
        return [answer] if tokens == 1 else []
    found = list(model.split(answer))
    if "".join(found) != answer or len(found) != tokens:
        raise InputError("The texts of the answer's tokens do not make the answer; this model cannot be explained.")
    return found


def describe_language_model(model: Any) -> dict[str, Any]:
    """How the model calls itself, for the explanation's settings: plain values only."""
    said: dict[str, Any] = {"language_model": str(getattr(model, "name", type(model).__name__))}
    for name in ("weights", "device", "dtype"):
        said |= {f"language_model_{name}": str(getattr(model, name))} if hasattr(model, name) else {}
    plain = (bool, int, float, str, type(None))  # anything else could not be written down
    settings = dict(getattr(model, "settings", {}))
    return said | {"language_model_settings": {str(n): v if isinstance(v, plain) else str(v) for n, v in settings.items()}}
