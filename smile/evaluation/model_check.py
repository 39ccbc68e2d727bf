"""What a file says of how far its outcomes are apart, or how likely its answer is, checked against the model that measured it.

All other numbers follow from these and from the outcomes, and are computed again whenever a file is opened (`smile.io.schema`).
These take a model, so they are measured again only when somebody asks for it.

Two machines do not round alike, so numbers count as the same that are no farther apart than rounding may bring them. A vector
that an embedder computes in float32 may be off by `ROUNDING` of its own length: 24 bits, less what is lost over some hundred
layers; on a GPU by `GPU_ROUNDING`, because its convolutions keep 11 bits (TF32). A distance between such vectors is then off by
as much of their length at most, and 1 - cosine = d by sqrt(2 d) times that. Log-probabilities may be off by `TOLERANCE` of a
nat, and as much of themselves; in half precision, which keeps 8 to 11 bits, by `HALF_TOLERANCE`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from smile.ask import score_trace
from smile.errors import InputError, shown
from smile.explanation import AnswerExplanation, Explanation
from smile.io.checks import DISTANCES, SCORES
from smile.method import distance, trace
from smile.method.prompts import split_again
from smile.method.units import Units, split_instruction
from smile.models import protocols
from smile.models.embedders import ensure_embedder
from smile.models.language_models import LANGUAGE_MODELS, ensure_language_model
from smile.models.text_embedders import WordEmbedder, ensure_text_embedder

ROUNDING, GPU_ROUNDING = 1e-4, 3e-3  # of a vector's length
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.05  # nat, and of the log-probability itself
NAMED, LETTERS = 3, 60  # outcomes in a sentence, and how much of the text of each
BATCH = 16  # outcomes in memory with their features


@dataclass(frozen=True)
class ModelCheck:
    """m numbers of a file beside those that the model measures."""

    model: str
    what: str  # "distances" or "log-probabilities"
    names: list[str]  # (m,) of which outcome
    stored: np.ndarray  # (m,)
    measured: np.ndarray  # (m,)
    tolerance: np.ndarray  # (m,) how far they may be apart

    @property
    def differs(self) -> np.ndarray:
        """(m,) bool: the file says something else than the model."""
        return ~(np.abs(self.stored - self.measured) <= self.tolerance)

    @property
    def holds(self) -> bool:
        """Whether the file says of every outcome what the model says."""
        return not self.differs.any()

    @property
    def sentence(self) -> str:
        """That all is as the model measures it, or which outcomes are not, and by how much."""
        if self.holds:
            rounded = "" if (self.stored == self.measured).all() else ", but for rounding"
            return f"Checked against the model: {self.model} measures the same {len(self.names)} {self.what}{rounded}."
        by_size = np.argsort(-np.abs(self.stored - self.measured) / self.tolerance, kind="stable")
        wrong = [i for i in by_size if self.differs[i]]
        told = [f"{self.names[i]} {self.stored[i]:.4g} instead of {self.measured[i]:.4g}" for i in wrong[:NAMED]]
        more = [f"and {len(wrong) - NAMED} more"] if len(wrong) > NAMED else []
        return (
            f"Checked against the model, and wrong: {len(wrong)} of {len(self.names)} {self.what} are not those that "
            f"{self.model} measures: {', '.join(told + more)}."
        )


class _Measured(NamedTuple):
    """One stored distance."""

    name: str
    outcome: Any  # a picture or an answer
    origin: int  # from which reference, by its position
    stored: float


def check_against_model(explanation: Explanation | AnswerExplanation, model: Any = None) -> ModelCheck:
    """Measure again what an explanation says was measured on its outcomes: the distances of edits, or of answers by embeddings,
    and the log-probabilities of an answer.

    model: the embedder, or the language model, that measured it; by default the one that the explanation names, if it comes
    with this package. What was checked is no longer said to be unchecked (`explanation.unchecked`); what is wrong is said in
    `explanation.refuted`, and with it in the finding and whatever is drawn and exported.

    Raises InputError where that model is not here, or what is given is another one.
    """
    if isinstance(explanation, Explanation):
        check = _check_edits(explanation, model)
    elif explanation.log_probs is None:
        check = _check_answers(explanation, model)
    else:
        check = _check_scores(explanation, model)
    explanation.believed = tuple(claim for claim in explanation.believed if claim not in (DISTANCES, SCORES))
    explanation.refuted = "" if check.holds else check.sentence
    return check


def _check_edits(e: Explanation, model: Any) -> ModelCheck:
    of = e.settings
    named = of["embedder"], of.get("embedder_weights")
    if model is None and named not in (("dinov2", "bundled"), ("dinov2", "full")):
        raise _make_missing(_name_model(*named))
    embedder = ensure_embedder(named[1] if model is None else model, None)
    name = _require_same(protocols.describe_models(None, embedder), of, "embedder")
    split = split_instruction(e.instruction, of["join"], of["hold"])
    references = [e.edits[start] for start in _find_starts(e)]
    rows = [*_list_edits(e), *_list_beside(e, split, e.noise_edits, e.extra_edits)]
    devices = {of.get("embedder_device", "cpu"), str(getattr(embedder, "device", "cpu"))}
    return _measure(
        embedder, of["distance"], [*references, e.image], rows, name, ROUNDING if devices == {"cpu"} else GPU_ROUNDING
    )


def _check_answers(e: AnswerExplanation, model: Any) -> ModelCheck:
    named = e.settings["embedder"]
    if model is None and named != WordEmbedder.name:
        raise _make_missing(named)
    embedder = ensure_text_embedder(model)
    name = _require_same({"embedder": getattr(embedder, "name", type(embedder).__name__)}, e.settings, "embedder")
    split = split_again(e.instruction, e.settings)
    rows = [
        _Measured(_name_row(e, text, block), answer, block, stored)
        for text, block, answer, stored in zip(e.texts, e.blocks.tolist(), e.answers, e.distances, strict=True)
    ]
    rows += _list_beside(e, split, e.noise_answers, e.extra_answers)
    if e.alone_outcomes is not None:  # on the scale of the weights: `smile.method.segments.measure_alone`
        stored = e.alone * (np.nanmax(e.distances) or 1.0) + e.distances[0]
        texts = [split.perturb(row) for row in ~np.eye(len(e.words), dtype=bool)]
        rows += [_Measured(_quote(t), a, 0, d) for t, a, d in zip(texts, e.alone_outcomes, stored, strict=True)]
    return _measure(embedder, e.settings["distance"], [e.answers[start] for start in _find_starts(e)], rows, name, ROUNDING)


def _list_edits(e: Explanation) -> Iterator[_Measured]:
    """The edits of the design, beside what they are compared with, and beside the edit of the full instruction."""
    by_input = e.settings["reference"] == "input"
    for i, (text, block, edit) in enumerate(zip(e.texts, e.blocks.tolist(), e.edits, strict=True)):
        name = _name_row(e, text, block)
        if by_input:
            yield _Measured(f"{name} from the input", edit, -1, e.distances[i])
        yield _Measured(name, edit, block, e.distances_from_full[i])


def _list_beside(
    e: Explanation | AnswerExplanation, split: Units, noise: Sequence[Any], extra: Sequence[Any]
) -> Iterator[_Measured]:
    """The outcomes under noise seeds, from the full text's of each block; and those beside the design."""
    of, blocks = e.settings, len(_find_starts(e))
    floors = e.noise_distances.reshape(blocks, -1)
    for i, outcome in enumerate(noise):
        for block in range(blocks):
            yield _Measured(f"all words under seed {of['seed'] + of['seeds'] + i}", outcome, block, floors[block, i])
    for i, (outcome, block) in enumerate(zip(extra, e.extra_blocks.tolist(), strict=True)):
        origin = -1 if of["reference"] == "input" else block if block < of["seeds"] else 0
        yield _Measured(_name_row(e, split.perturb(e.extra_mask[i]), block), outcome, origin, e.extra_distances[i])


def _measure(embedder: Any, how: str, references: list, rows: Sequence[_Measured], name: str, rounding: float) -> ModelCheck:
    """The distances of the rows, of which no more than `BATCH` outcomes are embedded at a time, from the references.
    rounding: of a vector, as a share of its length."""
    rows = [row for row in rows if row.outcome is not None]
    vectors, patches = protocols.embed_checked(embedder, references)
    measured: list[float] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        own = {id(row.outcome): row.outcome for row in batch}
        places = {key: place for place, key in enumerate(own)}
        own_vectors, own_patches = protocols.embed_checked(embedder, list(own.values()))
        for row in batch:
            at, from_ = places[id(row.outcome)], row.origin
            cloud, origin = (None, None) if own_patches is None or patches is None else (own_patches[[at]], patches[from_])
            measured += distance.to_reference(how, own_vectors[[at]], cloud, vectors[from_], origin).tolist()
    stored, found = np.array([row.stored for row in rows]), np.array(measured)
    if how == "cosine":
        tolerance = rounding * (np.sqrt(2 * found) + rounding)
    elif how == "patches" and patches is not None:
        tolerance = np.full(len(rows), rounding * np.linalg.norm(patches, axis=-1).mean())
    else:  # between values, not vectors
        tolerance = np.full(len(rows), rounding * np.sqrt((vectors**2).mean()))
    return ModelCheck(name, "distances", [row.name for row in rows], stored, found, tolerance)


def _check_scores(e: AnswerExplanation, model: Any) -> ModelCheck:
    of = e.settings
    if model is None and of["language_model"] not in LANGUAGE_MODELS:
        raise _make_missing(_name_model(of["language_model"], of.get("language_model_weights")))
    scorer = ensure_language_model(of["language_model"] if model is None else model)
    described = protocols.describe_language_model(scorer)
    name = _require_same(described, of, "language_model")
    if not callable(getattr(scorer, "score", None)):
        raise InputError(f"{name} does not say how likely an answer is, so that cannot be checked with it.")
    half = any("16" in str(each.get("language_model_dtype", "")) for each in (of, described))
    names, stored, found = list[str](), list[np.ndarray](), list[np.ndarray]()
    for text, row, scores in _score_again(e, partial(protocols.score_checked, scorer), getattr(scorer, "batch_size", BATCH)):
        if len(row) != len(scores):
            raise InputError(f"{name} splits the answer into other tokens than the file does, so that it cannot be checked.")
        names.append(text)
        stored.append(row)
        found.append(scores)
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    worst = [np.argmax(np.abs(a - b) / (1 + np.abs(b))) for a, b in zip(stored, found, strict=True)]  # token
    held, made = (np.array([row[i] for row, i in zip(rows, worst, strict=True)]) for rows in (stored, found))
    return ModelCheck(name, "rows of log-probabilities", names, held, made, tolerance * (1 + np.abs(made)))


def _score_again(
    e: AnswerExplanation, score: Callable[..., np.ndarray], batch: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, stored, measured (t,)) of every prompt whose log-probabilities are stored."""
    split, starts, tokens = split_again(e.instruction, e.settings), _find_starts(e), e.tokens or []
    answers = [
        protocols.Answer(e.answers[start] or "", ended=of[-1] == "") if of else e.answers[start]
        for start, of in zip(starts, tokens, strict=True)
    ]
    rows = [(b, text, row) for b, text, row in zip(e.blocks.tolist(), e.texts, e.log_probs or [], strict=True)]
    if e.alone_outcomes is not None:
        texts = [split.perturb(row) for row in ~np.eye(len(e.words), dtype=bool)]
        rows += [(0, text, row) for text, row in zip(texts, e.alone_outcomes, strict=True)]
    for block, answer in enumerate(answers):
        own = [(text, row) for b, text, row in rows if b == block and row is not None]
        for start in range(0, len(own), batch):
            part = own[start : start + batch]
            made = score([text for text, _ in part], answer)
            yield from ((_name_row(e, text, block), row, scores) for (text, row), scores in zip(part, made, strict=True))
    if e.trace_log_probs is not None:
        masks = trace.plan_trace(len(e.words), len(e.segments), e.settings["seed"])
        again = score_trace(score, batch, e, split, masks)
        for segment, traced, scored in zip(e.segments, e.trace_log_probs, again, strict=True):
            for number, (row, scores) in enumerate(zip(traced, scored, strict=True), start=1):
                yield f"row {number} of the trace of {_quote(segment.strip())}", row, scores


def _find_starts(e: Explanation | AnswerExplanation) -> list[int]:
    """The rows of the full text, one of each block."""
    return np.flatnonzero(np.diff(e.blocks, prepend=-1)).tolist()


def _name_row(e: Explanation | AnswerExplanation, text: str, block: int) -> str:
    """The text of an outcome, with its seed where there are several."""
    return _quote(text) + (f" under seed {e.settings['seed'] + block}" if e.settings["seeds"] > 1 or block else "")


def _quote(text: str) -> str:
    return f"“{shown(text, LETTERS)}”" if text else "no words"


def _name_model(name: str, weights: str | None) -> str:
    return shown(name if weights in (None, name) else f"{name} ({weights})", LETTERS)


def _require_same(described: dict[str, Any], of: dict[str, Any], what: str) -> str:
    """The model's name. Raises InputError unless it is the one that the explanation names."""
    here, there = (_name_model(each[what], each.get(f"{what}_weights")) for each in (described, of))
    if here != there:
        raise InputError(f"The file says that {there} measured it; {here}, which is here, would say nothing about that.")
    return here


def _make_missing(name: str) -> InputError:
    return InputError(
        f"The file says that {shown(name, LETTERS)} measured it, which does not come with this package; in Python, give it to "
        "check_against_model."
    )
