"""The finding about an answer in plain sentences, and no stronger than what it rests on.

The first sentence says which words made the answer; then come the numbers, where each acts, what is said more than once, the
trace, and what must be known to judge it all.
"""

from collections.abc import Iterable

import numpy as np

from smile.method.prompts import find_sentences
from smile.method.surrogate import ENUMERATED
from smile.report.numbers import format_weight
from smile.report.protocols import AnswerLike
from smile.report.words import join_names

SAME = 1e-9
HALF = 0.5
LONGEST = 48  # letters of a segment that is quoted
UNSTARRED = "No word has a star: on prompts whose answer is known, too many words that do nothing had one."
TRACED = "The trace is measured by leaving out, given what was written before; it does not show what goes on inside the model."


def write_answer_sentences(explanation: AnswerLike) -> list[str]:
    """The finding's sentences; the first says which words made the answer, as far as the prompts can show it. Before it, where
    a check refuted the numbers, stands that."""
    e = explanation
    refuted = [e.refuted] if e.refuted else []
    if not e.provisional:
        return refuted + _write_all(e)
    if np.isnan(e.weights).any():
        return [*refuted, f"{e.done} of {e.total} prompts are asked, too few yet to say which words matter."]
    first, *more = _write_all(e)
    return [*refuted, f"Provisional, after {e.done} of {e.total} prompts: {first[0].lower()}{first[1:]}", *more]


def name_source(explanation: AnswerLike, source: int) -> str:
    """What an edge of the trace comes from: a unit, or an earlier segment of the answer."""
    k = len(explanation.words)
    return quote(explanation.words[source] if source < k else explanation.segments[source - k])


def quote(text: str) -> str:
    """The text in quotation marks, cut where it is long."""
    return f"“{text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}”"


def _write_all(e: AnswerLike) -> list[str]:
    usable, noun = np.isfinite(e.distances), _name_units(e)
    if usable.sum() > 1 and e.distances_from_full[usable].max() <= SAME:
        what = "the answer stays as likely" if e.log_probs is not None else "the answer stays the same"
        return [f"The prompt's {noun}s made no difference: {what} whichever {noun}s are left out."]
    if np.isnan(e.weights).all():
        return [f"Only {usable.sum()} of {len(usable)} prompts were answered, too few to say which {noun}s matter."]
    if not e.beyond_noise:
        return [f"No {noun} changed the answer more than chance does: another seed alone changes it as much or more."]
    leading = np.flatnonzero(e.leading)
    said = [_say_first(e, leading), _say_numbers(e, leading), _say_segments(e), _say_twice(e), _say_trace(e)]
    return [each for each in [*said, _say_scope(e), UNSTARRED, _say_fit(e), _say_cut(e)] if each]


def _say_first(e: AnswerLike, leading: np.ndarray) -> str:
    """Without a number, and without a term of statistics."""
    noun = _name_units(e)
    strongest = quote(e.words[int(np.nanargmax(np.abs(e.weights)))])
    if e.untested and e.untested != ENUMERATED:
        return f"No {noun} could be tested, because {e.untested}; the strongest is {strongest}."
    if not len(leading):
        return f"No {noun} alone made much of a difference; the strongest is {strongest}."
    makers, opponents = leading[e.weights[leading] > 0], leading[e.weights[leading] < 0]
    rest = int(np.isfinite(e.weights).sum()) - len(leading)
    could = f"; the other {rest} {noun}s did less" if rest > 1 else ""
    if not len(makers):
        return f"{_list_words(e, opponents)} worked against this answer."
    against = f"; {_list_words(e, opponents)} worked against it" if len(opponents) else ""
    return f"{_list_words(e, makers)} made this answer{against}{could}."


def _say_numbers(e: AnswerLike, leading: np.ndarray) -> str:
    """The weights, the largest first."""
    if not len(leading):
        return ""
    order = leading[np.argsort(-np.abs(e.weights[leading]), kind="stable")]
    named = [f"{quote(e.words[j])} {format_weight(e.weights[j])}" for j in order]
    return f"Weights: {', '.join(named)}."


def _say_segments(e: AnswerLike) -> str:
    """Which words act on which part of the answer."""
    if e.places is None or e.maps is None or len(e.segments) < 2 or not any(" " in segment for segment in e.segments):
        return ""
    parts = []
    for number, segment in enumerate(e.segments):
        own = [j for j in np.argsort(-np.abs(e.maps[:, number]), kind="stable") if e.places[j, number]]
        if own:
            parts.append(f"{quote(segment)} rests on {_list_words(e, own)}")
    return f"In the answer, {'; '.join(parts)}." if parts else ""


def _say_twice(e: AnswerLike) -> str:
    """Words that act although leaving out each alone does nothing, and where they stand."""
    words = np.flatnonzero(e.said_twice)
    if len(words) < 2:
        return ""
    where = find_sentences(e.instruction)
    spans = _find_units(e)
    named = []
    for j in words:
        number = next((i for i, (start, end) in enumerate(where, 1) if start <= spans[j] < end), None)
        named.append(quote(e.words[j]) + (f" (sentence {number})" if number and len(where) > 1 else ""))
    return (
        f"{join_names(named)} say something that the prompt says more than once: leaving out any one of them alone changes "
        "nothing, leaving out more does."
    )


def _say_trace(e: AnswerLike) -> str:
    """The edges between segments, and the sentence that says what a trace is."""
    if e.trace is None:
        return ""
    k = len(e.words)
    between = [edge for edge in e.edges if edge.source >= k]
    said = [f"{quote(e.segments[edge.target])} follows from {name_source(e, edge.source)}" for edge in between]
    return f"{'; '.join(said)}. {TRACED}" if said else TRACED


def _say_scope(e: AnswerLike) -> str:
    seeds = int(e.blocks.max()) + 1
    texts = len(set(zip(e.blocks.tolist(), e.texts, strict=True)))
    who = f"This is about this answer (seed {e.settings['seed']})" if seeds == 1 else f"This is about the model ({seeds} seeds)"
    how = "how likely the answer stays" if e.log_probs is not None else "how far the answers are apart"
    return f"{who}, from {texts} prompts and {how}."


def _say_fit(e: AnswerLike) -> str:
    explained = e.fidelity.get("R2_weighted_leave_one_out")
    if e.untested or explained is None or not -np.inf < explained < HALF:
        return ""
    return f"Single {_name_units(e)}s predict less than half of how the answers differ."


def _say_cut(e: AnswerLike) -> str:
    return "The answer was cut off: the model might have written more." if e.was_cut_off else ""


def _name_units(e: AnswerLike) -> str:
    """What a unit is called."""
    return "sentence" if any(len(find_sentences(word)) and " " in word.strip() for word in e.words) else "word"


def _find_units(e: AnswerLike) -> list[int]:
    """Where in the prompt each unit begins."""
    found, at = [], 0
    for word in e.words:
        place = e.instruction.find(word, at)
        found.append(max(place, 0))
        at = place + len(word) if place >= 0 else at
    return found


def _list_words(e: AnswerLike, positions: Iterable[int]) -> str:
    return join_names([quote(e.words[j]) for j in positions])
