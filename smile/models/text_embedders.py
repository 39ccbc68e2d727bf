"""Embedders of answers: what says how far two answers are from each other where the model gives no probabilities.

The default needs no weights and no network: every word, and every pair of neighbours, has a random direction of its own, which
follows from its letters alone, and a text is the sum of its directions (random indexing: Kanerva et al. 2000; Sahlgren 2005).
Texts are near where they share words; synonyms are as far apart as any words.
"""

import hashlib
import itertools
import re
from functools import lru_cache
from typing import Any

import numpy as np

from smile.errors import InputError

LENGTH = 384  # of a vector, that of MiniLM's
WORD = re.compile(r"\w+|[^\w\s]")


class WordEmbedder:
    """Random indexing of words and pairs of neighbours; answers that are equal but for case and white space are equal."""

    name, weights = "words", "random indexing"

    def embed(self, items: list[str]) -> tuple[np.ndarray, None]:
        """Vectors (N, 384) of N texts, each of length 1 but for a text without words, which is 0; no patches."""
        vectors = np.zeros((len(items), LENGTH))
        for row, text in zip(vectors, items, strict=True):
            words = WORD.findall(text.lower())
            for part in [*words, *map(" ".join, itertools.pairwise(words))]:
                row += _direction(part)
            row /= np.linalg.norm(row) or 1.0
        return vectors, None

    def token_embeddings(self, text: str) -> np.ndarray:
        """(n, 384) one direction for each word, for the word mover's distance of the published preset."""
        return np.array([_direction(word) for word in WORD.findall(text.lower())]).reshape(-1, LENGTH)


class SentenceEmbedder:
    """A sentence transformer: the mean of the last layer's token vectors (Reimers & Gurevych 2019), of length 1.

    weights: a repository of the Hub, by default MiniLM's, or a folder. Raises InputError where they cannot be had.
    """

    name = "minilm"

    def __init__(self, weights: str = "sentence-transformers/all-MiniLM-L6-v2", device: str | None = None):
        from transformers import AutoModel, AutoTokenizer

        try:
            self.tokenizer, self.model = AutoTokenizer.from_pretrained(weights), AutoModel.from_pretrained(weights).eval()
        except (OSError, ValueError) as error:
            raise InputError(f"The text embedder {weights} cannot be loaded; leave it out, or give a folder.") from error
        self.weights, self.device = weights, device or "cpu"
        self.model.to(self.device)

    def embed(self, items: list[str]) -> tuple[np.ndarray, None]:
        """Vectors (N, d) of N texts; no patches."""
        import torch

        tokens = self.tokenizer(items, padding=True, truncation=True, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            states = self.model(**tokens).last_hidden_state.float()  # (N, t, d)
        mask = tokens["attention_mask"][..., None]
        means = (states * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(means, dim=1).cpu().numpy(), None


def ensure_text_embedder(embedder: Any) -> Any:
    """An object with `embed`, the default for None and “words”, or a sentence transformer by repository or folder."""
    if embedder is None or embedder == "words":
        return WordEmbedder()
    if isinstance(embedder, str):
        return SentenceEmbedder() if embedder == "minilm" else SentenceEmbedder(embedder)
    if not callable(getattr(embedder, "embed", None)):
        raise InputError("The embedder has no method “embed”; leave it out, or give words, minilm or a folder.")
    return embedder


@lru_cache(maxsize=20_000)
def _direction(part: str) -> np.ndarray:
    """(384,) a direction that follows from the letters alone."""
    seed = int.from_bytes(hashlib.blake2b(part.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).normal(0, LENGTH**-0.5, LENGTH)
