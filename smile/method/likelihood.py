"""How likely an answer stays when words of its prompt are left out, as a whole and segment by segment.

The likelihood of a text is the geometric mean of the probabilities of its tokens, exp(mean log p): 1 where the model is sure of
every token, and comparable between texts of any length. Where a model gives no probabilities, the share of an answer's words
that are still there in another answer stands in for it.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np


def measure_likelihood(log_probs) -> np.ndarray:
    """(...) in [0, 1]: geometric mean probability of the tokens of log_probs (..., t), in nat, each <= 0."""
    return np.exp(np.minimum(np.asarray(log_probs, float).mean(axis=-1), 0.0))


def measure_segments(log_probs, of) -> np.ndarray:
    """(S,) likelihood of each segment from log_probs (t,) and the segment `of` (t,) of each token; 1 for one without tokens."""
    log_probs, of = np.asarray(log_probs, float), np.asarray(of)
    counts = np.bincount(of)
    return np.exp(np.minimum(np.bincount(of, weights=log_probs) / np.maximum(counts, 1), 0.0))


def measure_overlap(answer: str, segments: Sequence[tuple[int, int]], other: str) -> np.ndarray:
    """(S,) in [0, 1]: the share of each segment's words, (start, end) of `answer`, that stand in `other` in the same order
    (Ratcliff & Obershelp's matching, by words, without case)."""
    pieces = [answer[start:end].lower().split() for start, end in segments]
    words = [word for piece in pieces for word in piece]
    kept = np.zeros(len(words))
    for block in SequenceMatcher(None, words, other.lower().split(), autojunk=False).get_matching_blocks():
        kept[block.a : block.a + block.size] = 1
    ends = np.cumsum([len(piece) for piece in pieces])[:-1]
    return np.array([part.mean() if len(part) else 1.0 for part in np.split(kept, ends)])


def to_distances(likelihoods, full) -> tuple[np.ndarray, np.ndarray]:
    """(distances, distances from the full text's) of likelihoods (n,) and those of their full texts (n,): 1 - p, how far the
    prompt is from surely making the answer, and |p - p of the full text|."""
    likelihoods = np.asarray(likelihoods, float)
    return 1 - likelihoods, np.abs(likelihoods - np.asarray(full, float))
