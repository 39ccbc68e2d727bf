"""What the report needs of an explanation. `smile.Explanation` has it; so may anything else."""

from typing import Protocol

import numpy as np
from PIL import Image

from smile.method.trace import Edge


class NumbersLike(Protocol):
    """What is said of any subject: k words, n outcomes; the meaning of every field is in `smile.explanation`."""

    instruction: str
    words: list[str]
    weights: np.ndarray  # (k,)
    ci_low: np.ndarray  # (k,)
    ci_high: np.ndarray  # (k,)
    p_values: np.ndarray  # (k,)
    p_values_holm: np.ndarray  # (k,)
    untested: str
    order: list[int]
    alone: np.ndarray  # (k,)
    undo: list[int]
    interaction: dict
    mask: np.ndarray  # (n, k) bool
    blocks: np.ndarray  # (n,) int
    texts: list[str]  # (n,)
    outcomes: np.ndarray  # (n,) int
    extra_mask: np.ndarray  # (m, k) bool
    extra_blocks: np.ndarray  # (m,) int
    extra_distances: np.ndarray  # (m,)
    distances: np.ndarray  # (n,)
    responses: np.ndarray  # (n,)
    locality_weights: np.ndarray  # (n,)
    distances_from_full: np.ndarray  # (n,)
    noise_distances: np.ndarray
    noise_floor: float | None
    fidelity: dict[str, float | None]
    settings: dict
    failed: int
    maps: np.ndarray | None  # (k, rows, columns) or (k, segments)
    provisional: bool
    done: int
    total: int
    refuted: str

    @property
    def unchecked(self) -> str: ...

    @property
    def moved(self) -> bool: ...

    @property
    def visible(self) -> np.ndarray: ...  # (k,) bool

    @property
    def beyond_noise(self) -> bool: ...

    @property
    def significant(self) -> np.ndarray: ...  # (k,) bool

    @property
    def places(self) -> np.ndarray | None: ...  # (k, rows, columns) or (k, segments) bool

    @property
    def undecided(self) -> np.ndarray: ...  # (k,) bool


class ExplanationLike(NumbersLike, Protocol):
    """The same with the pictures of edits."""

    image: Image.Image
    edits: list[Image.Image | None]  # (n,)
    noise_edits: list[Image.Image | None]
    extra_edits: list[Image.Image | None]  # (m,)
    region: Image.Image | None

    @property
    def reference(self) -> Image.Image: ...


class AnswerLike(NumbersLike, Protocol):
    """The same with the answers of a language model."""

    answers: list[str | None]  # (n,)
    noise_answers: list[str | None]
    log_probs: list[np.ndarray | None] | None
    segment_p_values: np.ndarray | None
    trace: list[Edge] | None

    @property
    def answer(self) -> str: ...

    @property
    def segments(self) -> list[str]: ...

    @property
    def edges(self) -> list[Edge]: ...

    @property
    def leading(self) -> np.ndarray: ...  # (k,) bool

    @property
    def said_twice(self) -> np.ndarray: ...  # (k,) bool

    @property
    def was_cut_off(self) -> bool | None: ...
