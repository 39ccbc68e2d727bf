"""Every combination of an instruction's words, edited under one seed. Whatever design, distance or kernel one asks for is
then a choice among these edits, so settings are compared on the same ones, and with the exact Banzhaf values.
"""

from functools import cached_property, lru_cache

import numpy as np
from benchmarks.bank import Bank, Case

from smile.method import distance as distances_
from smile.method import kernel as localities
from smile.method.design import choose
from smile.method.least_squares import solve
from smile.method.units import perturbed

DEFAULTS = {
    "distance": "patches",
    "locality": "none",
    "sigma": "auto",
    "kept": localities.KEPT,
    "surrogate": "linear",
    "reference": "edit",
}
design = lru_cache(None)(choose)


def asked(words: list[str], mask: np.ndarray, seed: int) -> list[tuple[str, int]]:
    """The edits (text, seed) of a design."""
    return [(perturbed(words, row), seed) for row in mask]


def everything(words: list[str]) -> np.ndarray:
    """(2^k, k) bool, the full instruction first."""
    return design(len(words), 2 ** len(words), "exhaustive", 0)


class Combinations:
    """What `smile.explain` would find with a choice of these edits; that it is the same is tested.

    mask: all combinations, or those that there are; the full instruction first. words: the instruction's, if not others.
    """

    def __init__(self, bank: Bank, case: Case, seed: int, words: list[str] | None = None, mask: np.ndarray | None = None):
        self.bank, self.case, self.words = bank, case, words or case.words
        self.mask = everything(self.words) if mask is None else mask
        self.vectors, self.patches = bank.embedded(case, asked(self.words, self.mask, seed))
        self.place = {row.tobytes(): i for i, row in enumerate(self.mask)}
        self._far = {}

    def design(self, edits: int, draw: int) -> np.ndarray:
        """`mask` of so many edits, or of all where there are not so many."""
        return design(len(self.words), min(edits, len(self.mask)), "balanced", draw)

    def data(self, mask, **options):
        """(responses (N,), locality weights (N,)) of some rows, by the defaults where `options` do not say otherwise."""
        options, rows = DEFAULTS | options, [self.place[row.tobytes()] for row in mask]
        far = self.far(options["distance"], options["reference"])[rows]
        return distances_.similarity(far), self._weights(mask, rows, options["locality"], options["sigma"], options["kept"])

    def weights(self, mask, **options) -> np.ndarray:
        """(k,) what the surrogate finds."""
        kind = (DEFAULTS | options)["surrogate"]
        return solve(mask.astype(float), *self.data(mask, **options), np.zeros(len(mask), int), kind).weights

    def banzhaf(self, distance: str, reference: str) -> np.ndarray:
        """(k,) exact values of the words in the response of all combinations."""
        return self.weights(self.mask, distance=distance, reference=reference, locality="none")

    def far(self, distance: str, reference: str) -> np.ndarray:
        """(2^k,) distances from the full edit or the input picture."""
        if (distance, reference) not in self._far:
            origin = (self.vectors[0], self.patches[0]) if reference == "edit" else self._input
            self._far[distance, reference] = distances_.to_reference(distance, self.vectors, self.patches, *origin)
        return self._far[distance, reference]

    @cached_property
    def _input(self):
        vectors, patches = self.bank.embedder.embed([self.case.picture])
        return vectors[0], patches[0]

    @cached_property
    def _moved(self):
        tokens = [self.bank.editor.token_embeddings(perturbed(self.words, row)) for row in self.mask]
        return localities.wmd_distance(tokens, tokens[0])

    def _weights(self, mask, rows, locality, sigma, kept):
        if locality == "none":
            return np.ones(len(mask))
        far = self._moved[rows] if locality == "wmd" else localities.words_distance(mask)
        return localities.kernel(far, localities.auto_sigma(far, kept) if sigma == "auto" else sigma)
