"""explanation.json of an answer: its fields, checked before they are trusted.

Everything is computed again from the log-probabilities and compared. What cannot be checked without the models are the
log-probabilities themselves and, where a model only writes, the distances between its answers.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError, model_validator

from smile.errors import InputError
from smile.io import schema
from smile.io.schema import (
    CHANGED,
    HUGE,
    KNOWN,
    MAX_EDITS,
    UNKNOWN,
    Count,
    Strict,
    Text,
    agree,
    make_error,
    require,
    require_array,
)
from smile.method import kernel, likelihood, prompts, segments, trace
from smile.method.units import MAX_WORDS, regroup
from smile.options import OPTIONS, Options

LIKELIHOOD = "likelihood"
LEAST_LOG_PROB = -1e5  # nat
MAX_PERMUTATIONS = 20_000  # with more, the trace and the segments' tests are believed: drawing them again takes minutes
Answer = Annotated[str, Field(max_length=200_000)]
Answered = Annotated[list[Answer | None], Field(max_length=MAX_EDITS)]
LogProbs = Annotated[list[float], Field(min_length=1, max_length=10_000)]
Rows = Annotated[list[LogProbs | None], Field(max_length=MAX_EDITS)]
Seconds = dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)] | None]


class _Record(Strict):
    """The fields, those first whose sizes are the others'. What they mean is said in `smile.explanation.AnswerExplanation`."""

    instruction: Annotated[str, Field(max_length=prompts.MAX_LETTERS)]
    words: Annotated[list[str], Field(min_length=1, max_length=MAX_WORDS)]
    texts: Annotated[list[str], Field(min_length=1, max_length=MAX_EDITS)]
    settings: dict
    mask: Annotated[np.ndarray, require_array("nk", bool)]
    blocks: Annotated[np.ndarray, require_array("n", int, high=schema.MAX_SEEDS - 1)]
    outcomes: Annotated[np.ndarray, require_array("n", int, high=MAX_EDITS * schema.MAX_SEEDS)]
    extra_blocks: Annotated[np.ndarray, require_array("m", int, high=2 * schema.MAX_SEEDS)]
    extra_mask: Annotated[np.ndarray, require_array("xk", bool)]
    extra_distances: Annotated[np.ndarray, require_array("x", *UNKNOWN, high=HUGE)]
    weights: schema.Weights
    ci_low: schema.Weights
    ci_high: schema.Weights
    p_values: schema.WordShares
    p_values_holm: schema.WordShares
    distances: schema.Distances
    distances_from_full: schema.Distances
    responses: schema.EditShares
    edit_p_values: schema.EditShares
    locality_weights: Annotated[np.ndarray, require_array("n", *KNOWN)]
    noise_distances: Annotated[np.ndarray, require_array("m", *UNKNOWN, high=HUGE)]
    noise_floor: schema.NotNegative | None
    maps: Annotated[np.ndarray, require_array("kw", *KNOWN, low=-1)] | None
    order: Annotated[list[Count], Field(max_length=MAX_WORDS)]
    undo: Annotated[list[Count], Field(max_length=MAX_WORDS)]
    interaction: schema.Pair
    untested: Text
    fidelity: dict[str, schema.Number | None]
    seconds: Seconds
    provisional: bool
    failed: Count
    done: Count
    total: Count
    finding: Annotated[str, Field(max_length=100_000)]
    files: Annotated[list[str], Field(max_length=0)]
    answers: Answered
    extra_answers: Answered
    noise_answers: Answered
    log_probs: Rows | None
    tokens: Annotated[list[list[Answer]], Field(max_length=schema.MAX_SEEDS)] | None
    segment_p_values: Annotated[np.ndarray, require_array("kw", *UNKNOWN)] | None
    alone: schema.Weights
    alone_outcomes: Annotated[list[LogProbs | Answer | None], Field(max_length=MAX_WORDS)] | None
    trace: Annotated[list[dict[str, float | int]], Field(max_length=4 * MAX_WORDS**2)] | None
    trace_log_probs: Annotated[list[Annotated[list[LogProbs], Field(max_length=MAX_EDITS)]], Field(max_length=MAX_WORDS)] | None

    @model_validator(mode="after")
    def _check_story(self) -> "_Record":
        """Prompt, units, mask, texts, blocks and counts tell the same story."""
        settings = self.settings
        _check_settings(settings)
        try:
            units = prompts.split_prompt(self.instruction, settings["units"], settings["within"])
            units = regroup(units, settings["join"], settings["hold"])
        except InputError as error:
            raise make_error(f"its prompt could not be asked ({str(error).partition(';')[0]})") from error
        untaught = settings.get("untaught", [])
        mine = isinstance(untaught, list) and all(type(each) is int and 0 <= each < len(self.words) for each in untaught)
        require(mine, "the setting “untaught” has positions of other words")
        require(isinstance(settings.get("knows", ""), str), "the setting “knows” is no text")
        require(units.text == self.instruction and units.names == self.words, "“words” are not those of the prompt")
        require([units.perturb(row) for row in self.mask.tolist()] == self.texts, "“texts” do not agree with “mask”")
        starts = np.flatnonzero(np.diff(self.blocks, prepend=-1))
        require(self.blocks[starts].tolist() == [*range(len(starts))], "“blocks” are not in order")
        require(self.mask[starts].all(), "a block does not begin with the full prompt")
        require(len(self.extra_answers) == len(self.extra_mask), "there is not one answer for each further prompt")
        require(len(self.answers) == len(self.texts) and self.answers[0], "there is not one answer for each prompt")
        require(len(self.noise_distances) == len(starts) * len(self.noise_answers), "“noise_distances” has not the right size")
        require(self.provisional == (self.done < self.total), "“done” and “total” do not agree")
        scored = settings["distance"] == LIKELIHOOD
        require((self.log_probs is not None) == scored == (self.tokens is not None), "it is not clear whether it has scores")
        if self.log_probs is not None and self.tokens is not None:
            require(len(self.log_probs) == len(self.texts) and len(self.tokens) == len(starts), "a score is missing")
            for block, start in enumerate(starts):
                first, tokens = self.log_probs[start], self.tokens[block]
                require(
                    first is not None and len(tokens) in (0, len(first)), "the answer's tokens do not agree with its scores"
                )
                require(not tokens or "".join(tokens) == self.answers[start], "the tokens do not make the answer")
                rows = [row for row, b in zip(self.log_probs, self.blocks.tolist(), strict=True) if b == block]
                require(all(row is None or len(row) == len(first or ()) for row in rows), "the scores have not one length")
        lists: list[list] = [self.log_probs or [], self.alone_outcomes or [], *(self.trace_log_probs or [])]
        numbers = chain.from_iterable(row for rows in lists for row in rows if isinstance(row, list))
        require(all(LEAST_LOG_PROB <= number <= 0 for number in numbers), "a log-probability is not one that is possible")
        return self


def read_fields(values: Mapping[str, Any], refit: bool) -> dict[str, Any]:
    """The fields of an `AnswerExplanation` from their JSON values. Raises InputError where anything is missing, of the wrong
    kind, or does not follow from the log-probabilities."""
    schema.check_size(values)
    try:
        record = _Record.model_validate(values)
    except ValidationError as error:
        raise schema.translate(error) from error
    fields = {name: values[name] if isinstance(values[name], dict) else value for name, value in record}
    del fields["finding"], fields["files"]
    for name in ("log_probs", "alone_outcomes"):
        if fields[name] is not None:
            fields[name] = [np.array(row, float) if isinstance(row, list) else row for row in fields[name]]
    if fields["trace_log_probs"] is not None:
        fields["trace_log_probs"] = [[np.array(row, float) for row in rows] for rows in fields["trace_log_probs"]]
    try:
        fields["trace"] = None if fields["trace"] is None else [trace.Edge(**edge) for edge in fields["trace"]]
    except TypeError as error:
        raise make_error("“trace” has other parts than an edge has") from error
    if refit:
        try:
            _compare(fields)
        except (ValueError, IndexError, TypeError) as error:  # what does not fit together was not written so
            raise InputError(CHANGED) if not isinstance(error, InputError) else error from error
    return fields


def _check_settings(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        items = [name, *(value if isinstance(value, list) else [value])]
        items = [name, *value.keys(), *value.values()] if isinstance(value, dict) else items
        require(
            len(items) <= schema.MAX_ITEMS and all(map(schema.is_plain, items)), f"the setting “{name[:40]}” is no plain value"
        )
    for name in (*OPTIONS, "units", "within", "segments", "language_model", "similarity", "kernel", "looks"):
        require(name in settings, f"explanation.json lacks “settings.{name}”")
    require(settings["similarity"] in ("largest", "minmax"), "the similarity is none that there is")
    require(settings["kernel"] in ("gaussian", "paper"), "the kernel is none that there is")
    scored = settings["distance"] == LIKELIHOOD
    chosen = {name: settings[name] for name in OPTIONS} | ({"distance": None} if scored else {})
    try:
        prompts.find_segments("", settings["segments"])
        Options.of(chosen | {"sigma": "auto" if settings["sigma"] is None else settings["sigma"]})
    except (InputError, TypeError) as error:
        raise make_error("its settings are none that there are") from error


def _compare(fields: dict[str, Any]) -> None:
    """Raise InputError unless the numbers follow from the log-probabilities."""
    settings, blocks = fields["settings"], fields["blocks"]
    answers, log_probs = fields["answers"], fields["log_probs"]
    expected: dict[str, Any] = {}
    original = segments.Original.of_first(answers, fields["tokens"], log_probs, settings["segments"])
    if log_probs is not None:
        shares = np.array([np.nan if row is None else likelihood.measure_likelihood(row) for row in log_probs])
        starts = np.flatnonzero(np.diff(blocks, prepend=-1))
        expected["distances"], expected["distances_from_full"] = likelihood.to_distances(shares, shares[starts][blocks])
        expected["noise_distances"] = np.where(np.isfinite(fields["noise_distances"]), 0.0, np.nan)
    if settings["locality"] == "words" and settings["kernel"] == "gaussian":
        expected["locality_weights"] = kernel.kernel(kernel.words_distance(fields["mask"]), settings["sigma"])
    rows = log_probs if log_probs is not None else [None] * len(answers)
    if settings["segments"] == "whole" and log_probs is not None:  # answers of several seeds have not the same tokens
        seen = shares[:, None]
    else:
        seen = np.array([original.share(answer, row) for answer, row in zip(answers, rows, strict=True)])
    _require_agreement(fields, expected)
    extra = [original.share(answer) for answer in fields["extra_answers"]] if log_probs is None else []
    schema.compare_results(fields, seen[..., None], np.array(extra)[..., None] if extra else None)
    if settings["permutations"] > MAX_PERMUTATIONS or fields["provisional"]:
        return
    usable, chance = np.isfinite(fields["distances"]), {"permutations": settings["permutations"], "seed": settings["seed"]}
    further: dict[str, Any] = {}
    if fields["segment_p_values"] is not None:
        further["segment_p_values"] = segments.test_segments(fields["mask"][usable], seen[usable], **chance)
    if fields["alone_outcomes"] is not None and log_probs is not None:
        alone = [1 - likelihood.measure_likelihood(row) for row in fields["alone_outcomes"]]
        further["alone"] = segments.measure_alone(fields["distances"], fields["distances"][0], alone)
    _require_agreement(fields, further)
    if fields["trace"] is not None:
        masks = trace.plan_trace(len(fields["words"]), len(original.segments), settings["seed"])
        edges = trace.fit_trace(masks, fields["trace_log_probs"], **chance)
        held, made = ([[*vars(edge).values()] for edge in each] for each in (fields["trace"], edges))
        if np.shape(held) != np.shape(made) or not agree(np.array(held), np.array(made)):
            raise InputError(CHANGED)


def _require_agreement(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    if not all(agree(fields[name], value) for name, value in expected.items()):
        raise InputError(CHANGED)
