"""The seam between the method and the models: what the spine (`smile.explain`) asks of whatever is explained.

The spine knows texts, seeds and arrays. A subject makes one outcome for each text and seed, for example an edit of a
picture, keeps it, and says how far outcomes are from each other.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from smile.method.schedule import Batch
from smile.method.units import Units

Key = tuple[int, str]  # (seed, text): equal texts under one seed are one outcome
Reference = Key | str
INPUT = "input"  # the reference that is no outcome: what the model was given


class Subject(Protocol):
    """What is explained, with the outcomes made so far."""

    outcomes: dict[Key, Any]  # None for one that failed or was blocked
    seconds: dict[str, float]  # spent so far, by what they were spent on

    @property
    def batch_size(self) -> int:
        """How many texts the model likes at a time."""

    @property
    def nothing_to_compare(self) -> str:
        """The sentence for when the outcome of the full text failed."""

    def split(self, text: str, settings: dict[str, Any]) -> Units:
        """The text in its units. Raises InputError for a text that cannot be explained."""

    def prepare(self, units: Units, settings: dict[str, Any]) -> None:
        """Load the models and check what is given against them. Called once, before `run`; settings that only the models can
        decide are put into `settings`.

        Raises InputError for what the caller can put right, for example a text that the model would truncate.
        """

    def run(self, batches: list[Batch]) -> Iterator[Batch]:
        """Make the outcomes of each batch (seed, texts), keep them in `outcomes`, and yield the batch."""

    def are_same(self, one: Key, other: Key) -> bool:
        """Whether two outcomes are equal bit for bit."""

    def measure_distances(self, keys: list[Key], references: Sequence[Reference]) -> np.ndarray:
        """(n,) distance >= 0 of each outcome from its reference (a key, or INPUT); NaN for a failed one."""

    def show(self, keys: list[Key]) -> np.ndarray | None:
        """What the outcomes look like, for the tests and maps: (n, rows, columns, channels) of the parts of each outcome, in
        shares of the full range, NaN for a failed one. None where there is nothing of the kind."""

    def read_texts(self, texts: list[str]) -> list[str]:
        """What the model reads of each text: texts that it reads alike are one observation."""

    def embed_tokens(self, texts: list[str]) -> list[np.ndarray] | None:
        """Each text's token embeddings (tokens, d), for the word mover's distance; None where the model gives none."""

    def describe(self) -> dict[str, Any]:
        """Model, embedder and their settings, for the record. Plain JSON values."""

    def collect(self, keys: list[Key], noise_keys: list[Key], extra_keys: list[Key]) -> dict[str, Any]:
        """The fields of an `Explanation` that hold outcomes: of the design, of the noise floor, and of further texts."""


@contextmanager
def measure_time(seconds: dict[str, float], what: str) -> Iterator[None]:
    """Add to seconds[what] what the block takes."""
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[what] += time.perf_counter() - began
