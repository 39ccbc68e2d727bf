"""One instruction to one editor, and what the published procedure and ours answer with so many edits."""

from typing import NamedTuple

import numpy as np
from benchmarks import published
from benchmarks.bank import LENGTHS, Bank, Case
from benchmarks.combinations import Combinations, asked, design, everything
from scipy.stats import spearmanr

from smile.evaluation import metrics
from smile.method.distance import to_reference
from smile.method.fidelity import fidelity

EDITS = (8, 16, 32, 64, 128)
DRAWS = 8  # designs, ours and theirs, per instruction: the same edits in other choices
REFERENCES = 4  # full-instruction edits that the published procedure may happen to compare with
TOKEN = "###"


class Drawn(NamedTuple):
    """What the published procedure edits: rows, their edits (text, seed), and the full instruction under other seeds."""

    mask: np.ndarray
    edits: list
    references: list


def drawn(words, number, edits, stream=1) -> Drawn:
    rng = np.random.default_rng((number, stream))
    mask = published.rows(len(words), max(EDITS), rng)
    texts = [published.text(words, row, rng) for row in mask]
    seeds = rng.integers(2**32, size=len(mask) + REFERENCES).tolist()
    full = [(" ".join(words), seed) for seed in seeds[:REFERENCES]]
    return Drawn(mask[:edits], list(zip(texts, seeds[REFERENCES:], strict=True))[:edits], full)


class Question:
    """One instruction to one editor, and what the two procedures answer."""

    def __init__(self, bank: Bank, number: int, case: Case, edits: int):
        self.bank, self.number, self.case, self.words, self.edits = bank, number, case, case.words, edits
        self.seeds = number, number + 1
        self.theirs = drawn(self.words, number, edits)
        self.marked = [*self.words, TOKEN]
        self.marked_keep = design(len(self.marked), 16, "balanced", number)
        self.marked_theirs = drawn(self.marked, number, 16, stream=2)
        self.matters = case.find_relevant_words()

    @property
    def needed(self) -> list:
        """All edits of this question."""
        ours = [one for place, seed in enumerate(self.seeds) for one in asked(self.words, self.rows(place), seed)]
        if self.edits < max(EDITS):
            return [*ours, self.without_key, *self.theirs.references, *self.theirs.edits]
        marked = asked(self.marked, self.marked_keep, self.number) + self.marked_theirs.references + self.marked_theirs.edits
        return [*ours, self.without_key, *self.theirs.references, *self.theirs.edits, *marked]

    def make(self):
        self.bank.make(self.case, self.needed)
        self.bank.carries_out(self.case, self.number, self.number)

    def look(self):
        """Read the edits and measure."""
        self.carried_out = self.bank.carries_out(self.case, self.number, self.number)
        self.ours = [Combinations(self.bank, self.case, s, mask=self.rows(place)) for place, s in enumerate(self.seeds)]
        self.vectors, _ = self.bank.embedded(self.case, self.theirs.edits)
        self.full, _ = self.bank.embedded(self.case, self.theirs.references)
        self.noise = self._noise()

    @property
    def without_key(self) -> tuple[str, int]:
        """The edit that leaves out the last word that matters."""
        key = int(np.flatnonzero(self.matters)[-1])
        return " ".join(self.words[:key] + self.words[key + 1 :]), self.number

    def _noise(self):
        text = self.case.instruction.text
        asked_ = [(text, self.number), self.without_key, (text, self.seeds[1]), *self.theirs.references]
        first, less, *rest = self.bank.pictures(self.case, asked_)
        self.between = float(np.mean([self.case.measure_error(first, other) for other in rest]))
        self.dropped = self.case.measure_error(first, less)
        return self.between / self.dropped

    # Ours. Two seeds in turn, with designs of their own.

    def designs(self, edits: int, place: int) -> list[np.ndarray]:
        """What `mask` may be under one of the two seeds. Of longer instructions not every design is edited."""
        k = len(self.words)
        if k > LENGTHS[False][1]:
            return [design(k, edits, "balanced", place)] if edits in EDITS[1:-1] else []
        edits = min(edits, 2**k)
        return [design(k, edits, "balanced", 2 * draw + place) for draw in range(DRAWS // 2 if edits < 2**k else 1)]

    def rows(self, place: int) -> np.ndarray:
        """All that is edited under one of the seeds, the full instruction first."""
        if len(self.words) <= LENGTHS[False][1]:
            return everything(self.words)
        rows = np.unique(np.vstack([mask for edits in EDITS for mask in self.designs(edits, place)]), axis=0)
        return rows[::-1]

    # Explanations by so many edits: lists of (weights, mask, responses, locality weights). Those at even places share no
    # seed with those after them.

    def by_us(self, edits):
        pairs = zip(self.designs(edits, 0), self.designs(edits, 1), strict=True)
        return [(o.weights(mask), mask, *o.data(mask)) for pair in pairs for o, mask in zip(self.ours, pair, strict=True)]

    def by_them(self, edits):
        found = []
        blocks = min(len(self.theirs.edits) // edits, DRAWS)
        for draw in range(blocks if blocks > 1 else REFERENCES * blocks):
            rows = slice(edits * (draw % blocks), edits * (draw % blocks + 1))
            origin = self.full[draw % REFERENCES]
            mask, texts = self.theirs.mask[rows], [text for text, _ in self.theirs.edits[rows]]
            found.append(self._published(self.words, mask, texts, self.vectors[rows], origin))
        return found

    def marked_by_us(self):
        """Weights (k + 1,) with a neutral token at the end."""
        return Combinations(self.bank, self.case, self.number, self.marked, self.marked_keep).weights(self.marked_keep)

    def marked_by_them(self):
        vectors, _ = self.bank.embedded(self.case, self.marked_theirs.edits)
        full, _ = self.bank.embedded(self.case, self.marked_theirs.references)
        texts = [text for text, _ in self.marked_theirs.edits]
        return self._published(self.marked, self.marked_theirs.mask, texts, vectors, full[0])[0]

    @staticmethod
    def _published(words, mask, texts, vectors, origin):
        far = to_reference("wasserstein", vectors, None, origin, None)
        response, weight = published.similarity(far), published.locality_weights(texts, " ".join(words))
        return published.fit(mask, response, weight)[0], mask, response, weight


def scores(question, found, disjoint: bool) -> dict:
    """Means over the explanations of one question by one procedure with so many edits; `disjoint`, where pairs of them share
    no seed."""
    judged = [metrics.accuracy(weights, question.matters)["auroc"] for weights, *_ in found]
    top = [bool(question.matters[np.argmax(np.abs(weights))]) for weights, *_ in found]
    result = {"AUROC": np.mean(judged), "top-1": np.mean(top)}
    if disjoint:
        pairs = [(one[0], other[0]) for one, other in zip(found[::2], found[1::2], strict=False)]
        result["rank correlation"] = np.mean([rank(*pair) for pair in pairs])
        result["spread"] = np.sqrt(np.mean([(_share(one) - _share(other)) ** 2 for one, other in pairs]) / 2)
    fits = [fidelity(mask, response, weight) for _, mask, response, weight in found[:2]]
    for key, name in (("R2_weighted", "R2"), ("R2_weighted_leave_one_out", "R2, left out")):
        known = [fit[key] for fit in fits if fit[key] is not None]
        if known:
            result[name] = np.mean(known)
    return result


def _share(weights):
    """Absolute weights that sum to 1, so that scales do not matter; signs are kept."""
    total = np.abs(weights).sum()
    return weights / total if total > 0 else weights


def rank(one, other):
    """Spearman's correlation; 0 where one explanation has nothing to rank."""
    return float(spearmanr(one, other)[0]) if np.ptp(one) > 0 and np.ptp(other) > 0 else 0.0


def stability(question) -> dict:
    """What a neutral token at the end does to 16-edit explanations: {procedure: (rank correlation, Ruzicka similarity)}."""
    pairs = {
        "ours": (question.ours[0].weights(question.ours[0].design(16, 0)), question.marked_by_us()[:-1]),
        "published": (question.by_them(16)[0][0], question.marked_by_them()[:-1]),
    }
    result = {}
    for name, (plain, marked) in pairs.items():
        a, b = np.abs(plain) / np.abs(plain).max(), np.abs(marked) / max(np.abs(marked).max(), 1e-12)
        result[name] = (rank(plain, marked), float(np.minimum(a, b).sum() / np.maximum(a, b).sum()))
    return result
