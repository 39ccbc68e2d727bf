"""The finding in plain sentences, and no stronger than the edits it rests on.

The sentences say what the edits show, whether that is about one edit (one seed) or about the editor (several seeds), and
when nothing was found or nothing could have been found.
"""

from itertools import combinations, product

import numpy as np

from smile.method.design import telling_edits
from smile.method.surrogate import ENUMERATED, LEAST_TEXTS, LEAST_WEIGHT
from smile.report.beside import describe_alone, describe_undo
from smile.report.known import write_warning
from smile.report.numbers import LEVEL
from smile.report.places import describe_places
from smile.report.protocols import ExplanationLike
from smile.report.words import isolate_words, join_names

SAME = 1e-9  # distances up to here are round-off
FEW_SEEDS = 4  # below, Student's t needs 4.3 standard errors and more before any correction
HALF = 0.5  # of the variation, predicted for edits left out of the fit
MOST = 0.8  # of how the responses vary, by which three words are said to decide
QUARTER = 0.25  # of what two words do: with less, neither does anything alone


def write_finding(explanation: ExplanationLike) -> str:
    """What the weights never saw; what was found, in a sentence; and what must be known to judge it in a few more."""
    return " ".join(filter(None, [write_warning(explanation), *write_sentences(explanation)]))


def write_sentences(explanation: ExplanationLike) -> list[str]:
    """The finding's sentences; the first says which words changed the result, as far as the edits can show it."""
    return [isolate_words(sentence, explanation.words) for sentence in _write_sentences(explanation)]


def _write_sentences(e: ExplanationLike) -> list[str]:
    if not e.provisional:
        return _write_all(e)
    if np.isnan(e.weights).any():
        return [f"{e.done} of {e.total} edits are made, too few yet to say which words matter."]
    first, *more = _write_all(e)
    return [f"Provisional, after {e.done} of {e.total} edits: {first}", *more]


def _write_all(e: ExplanationLike) -> list[str]:
    usable = np.isfinite(e.distances)
    edits = f"{len(set(zip(e.blocks.tolist(), e.texts, strict=True)))} edits"
    if usable.sum() > 1 and e.distances_from_full[usable].max() <= SAME:
        which = f"all {edits}" if usable.all() else f"all {usable.sum()} of {edits} that succeeded"
        return [f"The words made no difference: {which} are the same picture whichever words were left out."]
    if np.isnan(e.weights).all():
        return [f"Only {usable.sum()} of {edits} succeeded, too few to say which of {len(e.words)} words matter."]
    remarks = [
        _describe_blocked(e),
        _describe_where(e),
        describe_undo(e),
        describe_alone(e),
        _describe_pair(e),
        _describe_fit(e),
        _describe_noise(e),
        _describe_stopping(e),
        _describe_held(e),
    ]
    if not e.beyond_noise:
        return [f"{_describe_nothing(e, edits)}.", *filter(None, remarks[:1])]
    return [f"{_describe_words(e, edits)}.", *filter(None, remarks)]


def _describe_nothing(e: ExplanationLike, edits: str) -> str:
    """Why nothing that the words changed may be called a change; without the full stop."""
    scope = f"{_describe_scope(e)}, over {edits}"
    if not e.moved:
        return f"{scope}, no word changed the picture more than chance does: another seed alone moves it as far or farther"
    return f"{scope}, no word changed anything that one can see: no place differs by 4 of 255 levels with and without it"


def _describe_words(e: ExplanationLike, edits: str) -> str:
    """Which words changed the result; without the full stop."""
    if is_enumerated(e):
        seeds = len(np.unique(e.extra_blocks[e.extra_blocks > 0]))
        under = f" under {1 + seeds} seeds" if seeds else ""
        scope = f"{_describe_scope(e)}, of which all combinations of the words were edited{under}"
        if seeds and not e.significant.any():
            more = f"{2 + 2 * seeds} seeds ({(2 + 2 * seeds) * 2 ** len(e.words)} edits) may tell"
            return f"{scope}, no word can be told from what another seed does; {_name_largest(e)}, and {more}"
        return f"{scope}, {_describe_exactly(e)}"
    if e.untested:
        return f"{_describe_scope(e)}, no word could be tested over {edits}, because {e.untested}; {_name_largest(e)}"
    significant = np.flatnonzero(e.significant)
    if not len(significant):
        alone = " alone" if _describe_pair(e) or _is_unexplained(e) else ""
        chance = f"no word{alone} made a difference that can be told from chance over {edits}"
        return f"{_describe_scope(e)}, {chance}; {_name_largest(e)}{_suggest_more(e)}"
    rest = int(np.isfinite(e.weights).sum()) - len(significant)
    others = "" if not rest else f"; for the other {'word' if rest == 1 else f'{rest} words'} no difference could be shown"
    return f"{_describe_scope(e)}, over {edits}, {_describe_pull(e, significant)}{others}"


def is_enumerated(e: ExplanationLike) -> bool:
    """Whether all combinations of up to three words were edited under one seed, so that the weights are no sample."""
    one, usable = _count_seeds(e) == 1, np.isfinite(e.distances)
    every = len(np.unique(e.mask[usable], axis=0)) == 2.0 ** len(e.words) < LEAST_TEXTS
    return one and every and e.untested in ("", ENUMERATED)


def _describe_exactly(e: ExplanationLike) -> str:
    """What up to three words did, of which every combination was edited, so that there is nothing to infer."""
    named = np.flatnonzero(e.significant)
    if not len(named):
        return _name_largest(e)
    together = [pair for pair in combinations(named.tolist(), 2) if act_only_together(e, pair[0], pair[1])]
    if not together:
        return _describe_pull(e, named)
    first, second = together[0]
    rest = [j for j in named if j not in together[0]]
    also = f"; besides, {_describe_pull(e, np.array(rest))}" if rest else ""
    return f"“{e.words[first]}” and “{e.words[second]}” work only together{also}"


def act_only_together(e: ExplanationLike, first: int, second: int) -> bool:
    """Whether either word alone does at most a quarter of what both do, on average over the other words."""
    usable = np.isfinite(e.responses)
    rows = e.mask[usable][:, [first, second]]
    response = {both: e.responses[usable][(rows == both).all(axis=1)].mean() for both in product((False, True), repeat=2)}
    whole = response[True, True] - response[False, False]
    alone = max(abs(response[one] - response[False, False]) for one in ((True, False), (False, True)))
    return bool(abs(whole) > HALF * np.ptp(e.responses[usable]) and alone <= QUARTER * abs(whole))


def _describe_blocked(e: ExplanationLike) -> str:
    """Words without which there is no edit."""
    unknown = [f"“{e.words[j]}”" for j in np.flatnonzero(np.isnan(e.weights))]
    if not unknown:
        return ""
    what = "it" if len(unknown) == 1 else "them"
    return f"Without {' or '.join(unknown)} every edit failed or was blocked, so nothing can be said of {what}."


def _describe_held(e: ExplanationLike) -> str:
    """Words that were kept in every edit, because that was asked for."""
    held = [f"“{phrase}”" for phrase in e.settings["hold"]]
    return f"{join_names(held)} {'was' if len(held) == 1 else 'were'} held in every edit, as asked." if held else ""


def _describe_where(e: ExplanationLike) -> str:
    """Where the words with a star change the picture, the largest weight first."""
    if e.places is None:
        return ""
    order = sorted(np.flatnonzero(e.significant), key=lambda j: -abs(e.weights[j]))
    where = [f"“{e.words[j]}” {describe_places(e.places[j])}" for j in order]
    return f"In the picture, {', '.join(where)}." if where else ""


def _describe_pull(e: ExplanationLike, positions: np.ndarray) -> str:
    """“night” (+0.65) and “snow” (+0.21) pulled the result toward the full edit. A word may change what one sees and yet, over
    all edits, pull neither way: then its interval holds zero."""
    target = "full edit" if e.settings["reference"] == "edit" else "input picture"
    neither = ((e.ci_low <= 0) & (e.ci_high >= 0))[positions]
    positive = e.weights[positions] > 0
    ways = (
        (positive & ~neither, f"pulled the result toward the {target}"),
        (~positive & ~neither, f"pulled the result away from the {target}"),
        (neither, f"changed the result, but not surely toward or away from the {target}"),
    )
    return " and ".join(f"{_name_words(e, positions[some])} {what}" for some, what in ways if some.any())


def _describe_scope(e: ExplanationLike) -> str:
    """Whether this is about one edit or about the editor."""
    seeds = _count_seeds(e)
    if seeds == 1:
        return f"In this edit (seed {e.settings['seed']})"
    return f"For this editor on this picture and instruction ({seeds} seeds)"


def _count_seeds(e: ExplanationLike) -> int:
    return int(e.blocks.max()) + 1


def _suggest_more(e: ExplanationLike) -> str:
    """What could show more than was found."""
    k, seeds, permutations = len(e.words), _count_seeds(e), e.settings["permutations"]
    if seeds > 1:
        few = f"{seeds} seeds can hardly show anything; " if seeds < FEW_SEEDS else ""
        return f", and {few}more seeds may tell"
    if k / (permutations + 1) >= LEVEL:
        return f", and {permutations} permutations are too few for {k} words"
    return "" if e.settings["edits"] >= 2**k or _is_unexplained(e) else ", and more edits may tell"  # 2^k: all were run


def _describe_pair(e: ExplanationLike) -> str:
    """Two words that act together."""
    pair = e.interaction
    if not pair or pair["p_value"] is None or pair["p_value"] >= LEVEL or abs(pair["weight"]) < LEAST_WEIGHT:
        return ""
    first, second = (f"“{e.words[j]}”" for j in pair["pairs"][0])
    count = len(pair["pairs"]) - 1
    other = f", or {count} other pair{'s' * (count > 1)} that these edits cannot tell from it" if count else ""
    what = "act together" if pair["weight"] > 0 else "do part of each other's work"
    return f"{first} and {second} {what} ({pair['weight']:+.2f} where both are kept{other})."


def _is_unexplained(e: ExplanationLike) -> bool:
    """Whether single words predict less than half of how the edits differ."""
    explained = e.fidelity.get("R2_weighted_leave_one_out")
    return not e.untested and not is_enumerated(e) and explained is not None and -np.inf < explained < HALF


def _describe_fit(e: ExplanationLike) -> str:
    """Whether single words, or no word and no pair, predict too little of how the edits differ, and what would tell more."""
    if not _is_unexplained(e):
        return ""
    if e.significant.any() or _describe_pair(e):
        return "Single words predict less than half of how the edits differ."
    said = "Single words and pairs do not explain how the edits differ, so three words or more may act only together"
    if len(np.unique(e.mask, axis=0)) == 2.0 ** len(e.words):
        names = [f"“{e.words[j]}”" for j in _find_triple(e)]
        return f"{said}: {join_names(names)} do so in all combinations of the words." if names else f"{said}."
    more = telling_edits(len(e.words))
    return f"{said}; {more} edits would tell." if e.settings["edits"] < more else f"{said}."


def _find_triple(e: ExplanationLike) -> tuple[int, ...]:
    """The three words which, all kept or any kept, decide how far the edits move, where there are such."""
    usable = np.isfinite(e.responses)
    rows, responses = e.mask[usable], e.responses[usable] - e.responses[usable].mean()
    found = {}
    for triple in combinations(range(rows.shape[1]), 3):
        for both in (rows[:, triple].all(axis=1), rows[:, triple].any(axis=1)):
            if both.any() and not both.all():
                means = responses[both].mean(), responses[~both].mean()
                found[triple, both.tobytes()] = (np.where(both, *means) ** 2).sum()
    (best, _), explained = max(found.items(), key=lambda item: item[1], default=(((), b""), 0.0))
    return best if explained >= MOST * (responses**2).sum() else ()


def _name_words(e: ExplanationLike, positions) -> str:
    """“night” (+0.65) and “snow” (+0.21), the largest weight first."""
    names = [f"“{e.words[j]}” ({e.weights[j]:+.2f})" for j in sorted(positions, key=lambda j: -abs(e.weights[j]))]
    return join_names(names)


def _name_largest(e: ExplanationLike) -> str:
    return f"the largest weight is that of {_name_words(e, [int(np.nanargmax(np.abs(e.weights)))])}"


def _describe_stopping(e: ExplanationLike) -> str:
    """Where edits are added until every word is decided: why there are so many."""
    if not e.settings["looks"] or e.provisional or is_enumerated(e):
        return ""
    effect, most, undecided = e.settings["smallest_effect"], e.settings["edits"], np.flatnonzero(e.undecided)
    if len(undecided):
        words = join_names([f"“{e.words[j]}”" for j in undecided])
        return (
            f"After all {most} edits it is open whether {words} {'has' if len(undecided) == 1 else 'have'} {effect:g} or more."
        )
    short = f"{len(e.texts)} of at most {most} edits were enough: each" if len(e.texts) < most else "Each"
    return f"{short} word is significant, or surely below {effect:g}."


def _describe_noise(e: ExplanationLike) -> str:
    """How far the edits moved from the full one, beside what another seed alone does."""
    if e.noise_floor is None:
        unknown = "No other seed was tried, so an editor that draws new noise for every text would look the same."
        return unknown if e.untested == ENUMERATED and e.significant.any() else ""
    if e.noise_floor <= SAME:
        return "Another seed alone does not move the result."
    times = np.nanmax(e.distances_from_full) / e.noise_floor
    return f"The farthest edit moved {times:.1f} times as far as another seed moves it on average."
