"""How far to believe an explanation, where that needs more edits: stability, consistency, faithfulness.

The same black box is asked again, in the same way, on the same picture, and never twice for the same edit: what the
explanation has paid for is taken from it, and what one measure has made serves the next (`smile.models.cache.Reusing`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from smile.errors import InputError
from smile.evaluation import metrics, report_card
from smile.evaluation.report_card import Trust
from smile.explain import explain_stream
from smile.explanation import Explanation
from smile.method import design as designs
from smile.method import distance as distances_
from smile.method import units as instructions
from smile.models import protocols
from smile.models.cache import Reusing, as_cache, edits_of
from smile.report import citation

PARTS = ("stability", "consistency", "faithfulness")
NEUTRAL = ("###", "please", "kindly", "now")  # the first is the published one
INSERTED = 2  # of them, each at the start, in the middle and at the end
SEEDS = 3  # repeats
LAST_SEED = 2**32
SAME = ("editor", "editor_weights", "editor_settings", "embedder", "embedder_weights")


class Measured(NamedTuple):
    """What is known so far; an entry that is not complete rests on what has been made."""

    done: int  # edits made for this, of
    total: int
    entries: dict[str, Trust]  # by part


class _Repeat(NamedTuple):
    """One further explanation: of which part it is, and how it is asked for."""

    part: str
    kind: str  # "insertions", "seeds" or "designs"
    instruction: str
    options: dict


def measure(explanation: Explanation, editor, *, embedder=None, parts=PARTS, cache=None) -> Iterator[Measured]:
    """Measure `parts` of the trust report, in the order of PARTS; yield after each batch, and at once before the first.

    - explanation: finished, or stopped but with weights.
    - editor, embedder: those with which it was made, as for `explain`.
    - cache: as for `explain`; the explanation's own edits are used but not put there, because they may be anybody's.

    Close the iterator to stop; what the last item has stays true. Raises InputError, before the first edit, where the
    explanation has no weights, or editor or embedder are not those that made it.
    """
    if not parts or not set(parts) <= set(PARTS):
        raise InputError(f"There is nothing called “{', '.join(parts)}” to measure; there is {', '.join(PARTS)}.")
    if not np.isfinite(explanation.weights).all():
        raise InputError("This explanation has no weights yet, so there is nothing to measure; let it run to its end.")
    editor = protocols.as_editor(editor)
    embedder = protocols.as_embedder(embedder, editor)
    _check_same(explanation, protocols.described(editor, embedder))
    editor = Reusing(editor, None if cache is None else as_cache(cache), edits_of(explanation))
    yield from _Measuring(explanation, editor, embedder, parts).run()


def edits_needed(explanation: Explanation, parts=PARTS, known=frozenset()) -> int:
    """How many edits `measure` will make beyond those of the explanation and those `known`, by (seed, text). Raises
    InputError as `measure` does."""
    wanted = {key for part in parts for key in _wanted(explanation, part)}
    return len(wanted - edits_of(explanation).keys() - set(known))


class _Measuring:
    def __init__(self, explanation, editor: Reusing, embedder, parts):
        self.explanation, self.editor, self.embedder, self.parts = explanation, editor, embedder, parts
        self.total = edits_needed(explanation, parts)
        self.entries: dict[str, Trust] = {}

    def run(self) -> Iterator[Measured]:
        yield self._now()
        for part in filter(self.parts.__contains__, PARTS):
            yield from self._faithfulness() if part == "faithfulness" else self._repeated(part)

    def _now(self) -> Measured:
        return Measured(len(self.editor.served), self.total, dict(self.entries))

    def _repeated(self, part) -> Iterator[Measured]:
        """A repeat that fails, say because an edit is blocked, is left out, and the others count."""
        e, made, problem = self.explanation, {}, ""
        for repeat in _repeats(e, part):
            try:
                data = {"embedder": self.embedder, "region": e.region} | repeat.options
                for step in explain_stream(e.image, repeat.instruction, self.editor, **data):
                    latest = step
                    yield self._now()
            except InputError as error:
                problem = str(error)
                continue
            made.setdefault(repeat.kind, []).append(latest)
            self.entries[part] = self._entry(part, made)
            yield self._now()
        if not made and problem:
            self.entries[part] = report_card.unknown(part, problem)
            yield self._now()

    def _entry(self, part, made) -> Trust:
        e = self.explanation
        if part == "stability":
            return report_card.stability(metrics.stability(e, made["insertions"]))
        found = {kind: metrics.consistency([e, *made[kind]]) if kind in made else None for kind in ("seeds", "designs")}
        return report_card.consistency(e.words, found)

    def _faithfulness(self) -> Iterator[Measured]:
        e, seed = self.explanation, self.explanation.settings["seed"]
        rows = metrics.faithfulness_rows(e.weights, seed=seed)
        texts = [instructions.perturbed(e.words, row) for row in rows]
        step, distances = getattr(self.editor, "batch_size", protocols.BATCH), []
        for block, start in enumerate(np.flatnonzero(np.diff(e.blocks, prepend=-1))):
            reference = e.image if e.settings["reference"] == "input" else e.edits[start]
            batches = [(seed + block, texts[first : first + step]) for first in range(0, len(texts), step)]
            for images in self.editor.edit_batches(e.image, batches, region=e.region):
                distances += self._distances(images, reference)
                yield self._now()
        responses = _responses(np.reshape(distances, (-1, len(rows))), e)
        self.entries["faithfulness"] = report_card.faithfulness(metrics.faithfulness(e.weights, lambda _: responses, seed=seed))
        yield self._now()

    def _distances(self, images, reference) -> list[float]:
        """Of each edit from the reference, NaN for a failed one."""
        made = [image for image in images if image is not None]
        vectors, patches = protocols.embedded(self.embedder, [reference, *made])
        of = (None, None) if patches is None else (patches[1:], patches[0])
        found = iter(distances_.to_reference(self.explanation.settings["distance"], vectors[1:], of[0], vectors[0], of[1]))
        return [np.nan if image is None else float(next(found)) for image in images]


def _responses(distances, e) -> np.ndarray:
    """Distances (B, n) on the explanation's own scale, mean over its blocks (n,); NaN where all failed."""
    known = e.distances[np.isfinite(e.distances)]
    least = known.min() if e.settings["similarity"] == "minmax" else 0
    responses = 1 - (distances - least) / ((known.max() - least) or 1)
    made = np.isfinite(responses)
    total = np.where(made, responses, 0).sum(axis=0)
    return np.divide(total, made.sum(axis=0), out=np.full(len(total), np.nan), where=made.any(axis=0))


def _repeats(e: Explanation, part: str) -> list[_Repeat]:
    """The further explanations that a part needs, each asked for as this one was, but for what is varied."""
    of, k = e.settings, len(e.words)
    same = {name: value for name, value in citation.options(e).items() if name != "embedder"} | {"noise_seeds": 0}
    if part == "stability":
        more = max(of["edits"], designs.default_edits(k + 1), designs.minimum_edits(k + 1, of["design"]))
        neutral = [word for word in NEUTRAL if word not in e.words][:INSERTED]
        texts = [" ".join([*e.words[:at], word, *e.words[at:]]) for word in neutral for at in dict.fromkeys((0, k // 2, k))]
        return [_Repeat(part, "insertions", text, same | {"edits": more}) for text in texts]
    others = [(of["seed"] + of["seeds"] * (number + 1)) % LAST_SEED for number in range(SEEDS)]
    repeats = [_Repeat(part, "seeds", e.instruction, same | {"seed": seed}) for seed in others]
    design = "balanced" if of["design"] == "random" else "random"
    if of["preset"] is None and of["edits"] < 2**k and of["edits"] >= designs.minimum_edits(k, design):
        repeats.append(_Repeat(part, "designs", e.instruction, same | {"design": design}))
    return repeats


def _wanted(e: Explanation, part: str) -> set[tuple[int, str]]:
    """(seed, text) of all edits that a part rests on."""
    of = e.settings
    if part == "faithfulness":
        rows = metrics.faithfulness_rows(e.weights, seed=of["seed"])
        return {(of["seed"] + b, instructions.perturbed(e.words, row)) for b in set(e.blocks.tolist()) for row in rows}
    wanted = set()
    for repeat in _repeats(e, part):
        words, given = instructions.words(repeat.instruction), {"design": of["design"]} | repeat.options
        mask = designs.choose(len(words), given["edits"], given["design"], given["seed"])
        seeds = range(given["seed"], given["seed"] + of["seeds"])
        wanted |= {(seed, instructions.perturbed(words, row)) for seed in seeds for row in mask}
    return wanted


def _check_same(e: Explanation, here: dict) -> None:
    """Raise InputError unless editor and embedder call themselves as those that made the explanation."""
    for name in SAME:
        what, was, is_ = name.replace("_", "'s "), e.settings.get(name), here.get(name)
        if was != is_:
            raise InputError(
                f"This explanation was made with the {what} {was}; measuring with {is_} would say nothing about it."
            )
