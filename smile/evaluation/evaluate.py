"""How far to believe an explanation, where that takes more edits: stability, consistency, faithfulness.

The same editor edits the same picture again, with the same options. No edit is made twice: those of the explanation are
reused, and so are those made for an earlier part (`smile.models.caching_editor`).
"""

from collections.abc import Collection, Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.evaluation import metrics, report_card
from smile.explain import explain_stream
from smile.explanation import Explanation
from smile.method import design as designs
from smile.method import units
from smile.models import protocols
from smile.models.cache import ensure_cache
from smile.models.caching_editor import CachingEditor
from smile.models.editors import ensure_editor
from smile.models.embedders import ensure_embedder
from smile.report import citation
from smile.report.trust_html import TrustEntry
from smile.subjects.edits import Edits
from smile.subjects.subject import INPUT, Key, Reference

PARTS = ("stability", "consistency", "faithfulness")
NEUTRAL = ("###", "please", "kindly", "now")  # the first is the published one
INSERTED = 2  # of them, each at the start, in the middle and at the end
SEEDS = 3  # repeats
LAST_SEED = 2**32
MODELS = ("editor", "editor_weights", "editor_lora", "editor_settings", "embedder", "embedder_weights")


class Measurement(NamedTuple):
    """What is measured so far; an entry that is not complete rests on the edits made until now."""

    done: int  # further edits made, of
    total: int
    entries: dict[str, TrustEntry]  # by part


class _Repeat(NamedTuple):
    """One further explanation."""

    kind: str  # what is varied: "insertions", "seeds" or "designs"
    instruction: str
    options: dict[str, Any]


def measure_trust(
    explanation: Explanation, editor, *, embedder=None, parts: Collection[str] = PARTS, cache=None
) -> Generator[Measurement, None, None]:
    """Measure `parts` of the trust report, in the order of PARTS; yield once before the first edit, and after each batch.

    - explanation: finished, or stopped but with weights.
    - editor, embedder: those with which it was made, as for `explain`.
    - cache: as for `explain`. The explanation's own edits are used but not put into it: they may come from anybody's file.

    Close the iterator to stop; the item last received stays valid. Raises InputError, before the first edit, where the
    explanation has no weights, or editor or embedder are not those that made it.
    """
    if not parts or not set(parts) <= set(PARTS):
        raise InputError(f"There is nothing called “{', '.join(parts)}” to measure; there is {', '.join(PARTS)}.")
    if not np.isfinite(explanation.weights).all():
        raise InputError("This explanation has no weights yet, so there is nothing to measure; let it run to its end.")
    editor = ensure_editor(editor)
    embedder = ensure_embedder(embedder, editor)
    _check_models(explanation, protocols.describe_models(editor, embedder))
    editor = CachingEditor(editor, None if cache is None else ensure_cache(cache), _collect_edits(explanation))
    yield from _Evaluation(explanation, editor, embedder, parts).measure()


def count_further_edits(
    explanation: Explanation, parts: Collection[str] = PARTS, made: Collection[tuple[int, str]] = ()
) -> int:
    """How many edits `measure_trust` makes beyond those of the explanation and those already `made`, by (seed, text)."""
    edits = {edit for part in parts for edit in _list_edits(explanation, part)}
    return len(edits - _collect_edits(explanation).keys() - set(made))


def _collect_edits(e: Explanation) -> dict[tuple[int, str], Image.Image | None]:
    """By (seed, text), the edits that an explanation has paid for."""
    first = e.settings["seed"]
    edits = {(first + b, text): edit for b, text, edit in zip(e.blocks.tolist(), e.texts, e.edits, strict=True)}
    noise, own = first + e.settings["seeds"], _split(e.instruction, e.settings)
    beside = zip(e.extra_blocks.tolist(), e.extra_mask.tolist(), e.extra_edits, strict=True)
    edits |= {(first + block, own.perturb(row)): edit for block, row, edit in beside}
    return edits | {(noise + number, e.texts[0]): edit for number, edit in enumerate(e.noise_edits)}


class _Evaluation:
    """One pass over the parts."""

    def __init__(self, explanation: Explanation, editor: CachingEditor, embedder, parts: Collection[str]):
        self.explanation, self.editor, self.embedder, self.parts = explanation, editor, embedder, parts
        self.total = count_further_edits(explanation, parts)
        self.entries: dict[str, TrustEntry] = {}

    def measure(self) -> Iterator[Measurement]:
        yield self._measurement()
        for part in filter(self.parts.__contains__, PARTS):
            yield from self._measure_faithfulness() if part == "faithfulness" else self._measure_repeats(part)

    def _measurement(self) -> Measurement:
        return Measurement(len(self.editor.served), self.total, dict(self.entries))

    def _measure_repeats(self, part: str) -> Iterator[Measurement]:
        """A repeat that fails, say because an edit is blocked, is left out, and the others count."""
        e, problem = self.explanation, ""
        repeats: dict[str, list[Explanation]] = {}  # by kind
        for repeat in _plan_repeats(e, part):
            try:
                options = {"embedder": self.embedder, "region": e.region} | repeat.options
                for step in explain_stream(e.image, repeat.instruction, self.editor, **options):
                    latest = step
                    yield self._measurement()
            except InputError as error:
                problem = str(error)
                continue
            repeats.setdefault(repeat.kind, []).append(latest)
            self.entries[part] = self._compare(part, repeats)
            yield self._measurement()
        if not repeats and problem:
            self.entries[part] = report_card.report_failure(part, problem)
            yield self._measurement()

    def _compare(self, part: str, repeats: dict[str, list[Explanation]]) -> TrustEntry:
        e = self.explanation
        if part == "stability":
            return report_card.report_stability(e, metrics.stability(e, repeats["insertions"]))
        kinds = ("seeds", "designs")
        values = {kind: metrics.consistency([e, *repeats[kind]]) if kind in repeats else None for kind in kinds}
        return report_card.report_consistency(e, values)

    def _measure_faithfulness(self) -> Iterator[Measurement]:
        e, seed = self.explanation, self.explanation.settings["seed"]
        own = _split(e.instruction, e.settings)
        texts = [own.perturb(row) for row in metrics.faithfulness_mask(e.weights, seed=seed)]
        subject = Edits(e.image, self.editor, embedder=self.embedder, region=e.region)
        subject.prepare(own, e.settings)
        seeds, size = range(seed, seed + int(e.blocks.max()) + 1), subject.batch_size
        batches = [(block, texts[start : start + size]) for block in seeds for start in range(0, len(texts), size)]
        for _ in subject.run(batches):
            yield self._measurement()
        keys: list[Key] = [(block, text) for block in seeds for text in texts]
        references: list[Reference] = [INPUT if e.settings["reference"] == INPUT else (block, texts[0]) for block, _ in keys]
        responses = _to_responses(subject.measure_distances(keys, references).reshape(len(seeds), -1), e)
        values = metrics.faithfulness(e.weights, lambda _: responses, seed=seed)
        self.entries["faithfulness"] = report_card.report_faithfulness(e, values)
        yield self._measurement()


def _to_responses(distances: np.ndarray, e: Explanation) -> np.ndarray:
    """Distances (B, n) on the explanation's own scale, mean over its blocks (n,); NaN where all failed."""
    own = e.distances[np.isfinite(e.distances)]
    least = own.min() if e.settings["similarity"] == "minmax" else 0
    responses = 1 - (distances - least) / ((own.max() - least) or 1)
    made = np.isfinite(responses)
    total = np.where(made, responses, 0).sum(axis=0)
    return np.divide(total, made.sum(axis=0), out=np.full(len(total), np.nan), where=made.any(axis=0))


def _plan_repeats(e: Explanation, part: str) -> list[_Repeat]:
    """The further explanations that a part needs, each with the options of this one but for what is varied.

    Where this one was to stop when sure, the repeats are as long as it became, so that they compare with it, and it is
    known beforehand what they cost.
    """
    of, k, left_out = e.settings, len(e.words), ("embedder", "smallest_effect")
    length = of["edits"] if of["smallest_effect"] is None else max(len(e.texts), designs.default_edits(k))
    same = {name: value for name, value in citation.list_options(e).items() if name not in left_out}
    same |= {"noise_seeds": 0, "edits": length, "alone": False, "undo": False}
    if part == "stability":
        edits = max(length, designs.default_edits(k + 1), designs.minimum_edits(k + 1, of["design"]))
        pieces = (own := _split(e.instruction, of)).pieces
        neutral = [word for word in NEUTRAL if word not in pieces][:INSERTED]
        places = dict.fromkeys((0, own.owners.index(k // 2), len(pieces)))  # where no phrase is torn
        texts = [" ".join([*pieces[:at], word, *pieces[at:]]) for word in neutral for at in places]
        return [_Repeat("insertions", text, same | {"edits": edits}) for text in texts]
    seeds = [(of["seed"] + of["seeds"] * (number + 1)) % LAST_SEED for number in range(SEEDS)]
    repeats = [_Repeat("seeds", e.instruction, same | {"seed": seed}) for seed in seeds]
    design = "balanced" if of["design"] == "random" else "random"
    if of["preset"] is None and length < 2**k and length >= designs.minimum_edits(k, design):
        repeats.append(_Repeat("designs", e.instruction, same | {"design": design}))
    return repeats


def _list_edits(e: Explanation, part: str) -> set[tuple[int, str]]:
    """(seed, text) of all edits that a part rests on."""
    of = e.settings
    if part == "faithfulness":
        mask = metrics.faithfulness_mask(e.weights, seed=of["seed"])
        own = _split(e.instruction, of)
        return {(of["seed"] + block, own.perturb(row)) for block in set(e.blocks.tolist()) for row in mask}
    edits = set()
    for repeat in _plan_repeats(e, part):
        own, options = _split(repeat.instruction, of), {"design": of["design"]} | repeat.options
        mask = designs.choose(len(own.names), options["edits"], options["design"], options["seed"])
        seeds = range(options["seed"], options["seed"] + of["seeds"])
        edits |= {(seed, own.perturb(row)) for seed in seeds for row in mask}
    return edits


def _split(instruction: str, settings: dict[str, Any]) -> units.Units:
    """The instruction in the units that the settings ask for."""
    return units.split_instruction(instruction, settings["join"], settings["hold"])


def _check_models(e: Explanation, described: dict[str, Any]) -> None:
    """Raise InputError unless editor and embedder describe themselves like those that made the explanation."""
    for name in MODELS:
        what, made_with, given = name.replace("_", "'s "), e.settings.get(name), described.get(name)
        if made_with != given:
            raise InputError(
                f"This explanation was made with the {what} {made_with}; measuring with {given} would say nothing about it."
            )
