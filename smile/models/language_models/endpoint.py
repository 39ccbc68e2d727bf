"""A language model behind an OpenAI-compatible address, by huggingface_hub's client: it writes, and cannot score.

The address, the key and the model's name there come from the environment (`ADDRESS`, `KEY`, `MODEL`). Address and key are
never stored, shown or logged, in messages neither; whoever asks sends the prompts to that address.
"""

import copy
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from typing_extensions import Self

from smile.errors import InputError, shown
from smile.models.language_models import MAX_TOKENS
from smile.models.language_models.settings import check_settings
from smile.models.protocols import Answer

ADDRESS, KEY, MODEL = "SMILE_ENDPOINT_URL", "SMILE_ENDPOINT_KEY", "SMILE_ENDPOINT_MODEL"
PATIENCE = 120  # seconds for one answer
TOGETHER = 4  # requests at a time
NO_KEY = "none"  # a client without a key would send the token of the Hub


def load(weights: str = "auto") -> "Endpoint":
    """The endpoint that the environment names; `weights`: the model's name there, "auto" for what `MODEL` says. Raises
    InputError where there is no address, or none that can be one."""
    address = os.environ.get(ADDRESS, "").strip()
    if not re.match(r"https?://[^\s/]+", address):
        raise InputError(f"Set {ADDRESS} to the address of an OpenAI-compatible server, such as https://host/v1.")
    name = os.environ.get(MODEL, "").strip() if weights == "auto" else weights
    if not name:
        raise InputError(f"Set {MODEL} to the name that the endpoint has for its model.")
    return Endpoint(address, os.environ.get(KEY, "").strip() or NO_KEY, name)


class Endpoint:
    """A `smile.models.protocols.LanguageModel` that only writes. Its `weights` are the model's name at the endpoint."""

    name = "endpoint"
    device = "elsewhere"
    batch_size = TOGETHER
    SETTINGS: ClassVar[dict[str, tuple[float, float]]] = {"temperature": (0, 2), "max_tokens": (1, 4096)}

    def __init__(self, address: str, key: str, model: str, patience: float = PATIENCE):
        from huggingface_hub import InferenceClient

        self.weights = model
        self._client = InferenceClient(base_url=address, api_key=key, timeout=patience)
        self.settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": MAX_TOKENS}

    def with_settings(self, /, **settings: float) -> Self:
        """The same endpoint with other settings. Raises InputError as a model of our own does."""
        other = copy.copy(self)
        other.settings = self.settings | check_settings(self.name, self.SETTINGS, self.settings, settings)
        return other

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("An endpoint is not stored: it holds a key.")

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def write(self, prompts: list[str], *, seed: int) -> list[str | None]:
        """An `Answer` to each prompt, None where the endpoint wrote nothing, as when it refuses. Prompts that are the same
        are asked once. Raises InputError where it cannot be reached or does not answer as its kind does."""
        different = list(dict.fromkeys(prompts))
        with ThreadPoolExecutor(TOGETHER) as pool:
            answers = dict(zip(different, pool.map(lambda prompt: self._ask(prompt, seed), different), strict=True))
        return [answers[prompt] for prompt in prompts]

    def _ask(self, prompt: str, seed: int) -> Answer | None:
        try:
            reply = self._client.chat_completion(
                [{"role": "user", "content": prompt}], model=self.weights, seed=seed % 2**31, **self.settings
            )
            choice = reply.choices[0]
            content, reason = choice.message.content, choice.finish_reason
        except Exception as error:  # the client's, the network's, and those of a reply that is no reply
            raise InputError(_explain(error)) from None  # a chain would show address and key
        if content is not None and not isinstance(content, str):
            raise InputError(_explain(TypeError()))
        return None if content is None else Answer(content, ended=reason != "length")


def _explain(error: Exception) -> str:
    """What kept the endpoint from answering, and what to do; without its address."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"The endpoint refuses the key (status {status}); check {KEY}."
    if status == 404:
        return f"The endpoint does not know this address or model (status 404); check {ADDRESS} and {MODEL}."
    if status == 429:
        return "The endpoint has had too many questions (status 429); wait, or ask with fewer rows."
    if status is not None:
        return f"The endpoint answers with an error (status {status}); try again later, or ask another model."
    kinds = {each.__name__ for each in type(error).__mro__}
    if kinds & {"TimeoutError", "InferenceTimeoutError", "TimeoutException"}:
        return "The endpoint does not answer in time; try again later, or ask for shorter answers."
    if "TransportError" in kinds or isinstance(error, OSError):
        return f"The endpoint cannot be reached; check {ADDRESS} and the network."
    return f"The endpoint does not answer as an OpenAI-compatible server does ({shown(type(error).__name__)}); check {ADDRESS}."
