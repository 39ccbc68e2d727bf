"""Which words of a prompt made a language model's answer: the spine on an answer, and what only answers have beside it."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from smile.explain import explain_subject
from smile.explanation import AnswerExplanation
from smile.method import segments as parts
from smile.method import trace as traces
from smile.method.prompts import find_sentences, split_prompt
from smile.method.units import Units, regroup
from smile.options import Options, takes_options
from smile.subjects.answers import Answers

MOST_TRACED = 8  # segments


@takes_options
def explain_answer(
    prompt: str, language_model, *, embedder=None, units="auto", within=None, segments="auto", trace=True, **options
) -> AnswerExplanation:
    """The finished explanation; the last item of `explain_answer_stream`, which says what may be given and what is raised."""
    own: dict[str, Any] = {"embedder": embedder, "units": units, "within": within, "segments": segments, "trace": trace}
    return deque(explain_answer_stream(prompt, language_model, **own, **options), maxlen=1)[0]


@takes_options
def explain_answer_stream(
    prompt: str, language_model, *, embedder=None, units="auto", within=None, segments="auto", trace=True, **options
) -> Iterator[AnswerExplanation]:
    """Explain which units of `prompt` made the answer of `language_model`; yield after each batch.

    All items but the last are `provisional`. Close the iterator to stop; the item last received is a valid explanation of the
    answers made so far.

    - language_model: a name for `load_language_model`, or any object with `write` and, if it can, `score`
      (`smile.models.protocols.LanguageModel`). With `score` the response is the likelihood of the original answer, without it
      the distance between embeddings of the answers.
    - embedder: for models that only write: “words” (default, no weights), “minilm”, a folder, or any object with `embed`.
    - units: “words”, “sentences”, or “auto”: words up to 64 of them, else sentences. within: the number of a sentence, from 0;
      its words are the units then, and the rest of the prompt is always there.
    - segments: the parts of the answer: “sentences”, “words”, or “auto”.
    - trace: whether to trace what each sentence rests on, earlier sentences among it; needs `score`.
    - options: those of `smile.options.Options`, listed below; the design is “sparse” unless another one is given.

    Raises InputError, before the model is asked where possible, for anything the caller can put right.
    """
    subject = Answers(language_model, embedder=embedder, units=units, within=within, segments=segments)
    for explanation in explain_subject(subject, prompt, Options.of(fill_options(options)), AnswerExplanation):
        yield explanation if explanation.provisional else complete(subject, explanation, trace)


def fill_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options with the design of prompts, where neither they nor what else they say choose one."""
    chosen = any(options.get(name) is not None for name in ("preset", "smallest_effect"))
    return options if chosen else {"design": "sparse"} | options


def complete(subject: Answers, e: AnswerExplanation, traced: bool) -> AnswerExplanation:
    """The explanation with what is measured beside the ten steps: the segments' tests, units left out alone, and the trace."""
    if len(subject.seeds) > 1:
        return e
    usable = np.isfinite(e.distances)
    chance: dict[str, Any] = {"permutations": e.settings["permutations"], "seed": e.settings["seed"]}
    found: dict[str, Any] = {}
    if e.maps is not None and not e.untested:
        shares = np.array([subject.measure_segments((subject.first_seed, text)) for text in e.texts])
        found["segment_p_values"] = parts.test_segments(e.mask[usable], shares[usable], **chance)
    split = regroup(
        split_prompt(e.instruction, e.settings["units"], e.settings["within"]), e.settings["join"], e.settings["hold"]
    )
    alone = [split.perturb(row) for row in ~np.eye(len(e.words), dtype=bool)]
    outcomes, distances = subject.ask_alone(alone)
    found |= {"alone": parts.measure_alone(e.distances, e.distances[0], distances), "alone_outcomes": outcomes}
    sentences = len(find_sentences(e.answer)) > 1 and e.settings["segments"] != "words"
    if traced and subject.scored and sentences and 2 <= len(e.segments) <= MOST_TRACED and len(e.words) + len(e.segments) <= 65:
        rows = traces.plan_trace(len(e.words), len(e.segments), e.settings["seed"])
        log_probs = score_trace(subject.score, subject.batch_size, e, split, rows)
        found |= {"trace": traces.fit_trace(rows, log_probs, **chance), "trace_log_probs": log_probs}
    return replace(e, **found, seconds=e.seconds | subject.seconds)


def score_trace(
    score: Callable[..., np.ndarray], batch_size: int, e: AnswerExplanation, split: Units, masks: list[np.ndarray]
) -> list[list[np.ndarray]]:
    """For each segment and row of its mask (`smile.method.trace.plan_trace`) the log-probabilities of its tokens, by
    `score(texts, answer, given)`. Where nothing is given before a segment, the answer begins
    with it, so it is scored without the white space before it. A line break before it is given in each row: that there is an
    earlier line is then no news, which would be taken for an effect of what that line says."""
    pieces, k, found = e.original.list_parts(), len(e.words), []
    for piece, mask, given in zip(pieces, masks, traces.list_given(masks, len(pieces), pieces), strict=True):
        space = piece[: len(piece) - len(piece.lstrip())]
        if "\n" in space:
            piece, given = piece.lstrip(), [(before or "") + space for before in given]
        texts, rows = [split.perturb(row[:k]) for row in mask], np.array([before is not None for before in given])
        scores: list[np.ndarray] = [np.zeros(0)] * len(mask)
        for has, answer in ((True, piece), (False, piece.lstrip())):
            for at in np.array_split(np.flatnonzero(rows == has), -(-(rows == has).sum() // batch_size) or 1):
                if len(at):
                    made = score([texts[i] for i in at], answer, [given[i] for i in at])
                    for i, row in zip(at, made, strict=True):
                        scores[i] = row
        found.append(scores)
    return found
