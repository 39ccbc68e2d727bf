"""What units do to the parts of an answer, and what leaving out one unit alone does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smile.method import likelihood, prompts, surrogate

ENOUGH = 999  # permutations: Holm's correction is over the segments of one unit only


@dataclass(frozen=True)
class Original:
    """The answer that is explained: its text, the texts of its tokens (t,), its S segments and the segment of each token."""

    text: str
    tokens: list[str]
    segments: list[prompts.Span]
    of: np.ndarray  # (t,) int

    @classmethod
    def divide(cls, text: str, how: str, tokens: Sequence[str] | None = None, count: int = 0) -> "Original":
        """The answer in its segments (`smile.method.prompts.find_segments`). tokens: None where nothing is known of them; empty
        where only their `count` is known: the whole answer is one segment then."""
        segments = prompts.find_segments(text, how)
        if tokens:
            return cls(text, list(tokens), segments, prompts.assign_tokens(tokens, segments))
        return cls(text, [], segments if tokens is None else [(0, len(text))], np.zeros(count, int))

    @classmethod
    def of_first(cls, answers: Sequence, tokens: Sequence | None, log_probs: Sequence | None, how: str) -> "Original":
        """That of the first block: of answers (n,), and of the tokens by block and the log-probabilities (n,) where they are
        known, as an explanation holds them."""
        if tokens is None or log_probs is None:
            return cls.divide(answers[0], how)
        return cls.divide(answers[0], how, tokens[0], len(log_probs[0]))

    def share(self, answer: str | None, log_probs=None) -> np.ndarray:
        """(S,) in [0, 1] how much of each segment stays: its likelihood, from log_probs (t,) of the tokens, or the share of its
        words in another answer; NaN where there is neither."""
        if log_probs is not None:
            return likelihood.measure_segments(log_probs, self.of)
        if answer is None:
            return np.full(len(self.segments), np.nan)
        return likelihood.measure_overlap(self.text, self.segments, answer)

    def list_parts(self) -> list[str]:
        """(S,) the text of each segment, with the white space before it."""
        starts = [0, *(end for _, end in self.segments[:-1])]
        return [self.text[start:end] for start, (_, end) in zip(starts, self.segments, strict=True)]


def test_segments(mask, shares, *, permutations: int, seed: int) -> np.ndarray:
    """(k, S) p-values of each unit of mask (n, k) on each segment's share (n, S) by itself, after Holm's correction over the
    segments of the unit: they say where a unit acts that evidently acts at all. 1 for a segment that never varies."""
    count = min(permutations, ENOUGH)
    found = np.array([surrogate.fit(mask, share, permutations=count, seed=seed).p_values for share in shares.T]).T
    return np.array([surrogate.holm(row) for row in found])


def measure_alone(distances, full: float, without) -> np.ndarray:
    """(k,) how much leaving out one unit alone moves the answer, on the scale of the weights: the rise of the distance from
    that of the full prompt to those `without` (k,), as a share of the largest of all distances (n,)."""
    known = np.asarray(distances, float)
    largest = known[np.isfinite(known)].max(initial=0.0)
    return (np.asarray(without, float) - full) / (largest or 1.0)
