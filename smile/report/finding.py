"""The finding in plain sentences, and no stronger than the edits it rests on.

The sentences say what the edits show, whether that is about one edit (one seed) or about the editor (several seeds), and
when nothing was found or nothing could have been found.
"""

import numpy as np

from smile.method.surrogate import EXACT
from smile.report.numbers import LEVEL
from smile.report.protocols import ExplanationLike

SAME = 1e-9  # distances up to here are round-off
FEW_SEEDS = 4  # below, Student's t needs 4.3 standard errors and more before any correction
HALF = 0.5  # of the variation, predicted for edits left out of the fit
SMALL = 0.05  # a smaller weight, as a share of the largest distance, may be significant but is not named


def write_finding(explanation: ExplanationLike) -> str:
    """What was found, in a sentence, and what must be known to judge it in a few more."""
    return " ".join(write_sentences(explanation))


def write_sentences(explanation: ExplanationLike) -> list[str]:
    """The finding's sentences; the first says which words changed the result, as far as the edits can show it."""
    e = explanation
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
        return [f"The words made no difference: all {edits} are the same picture whichever words were left out."]
    if np.isnan(e.weights).any():
        return [f"Only {usable.sum()} of {edits} succeeded, too few to say which of {len(e.words)} words matter."]
    remarks = (_describe_pair(e), _describe_fit(e), _describe_noise(e), _describe_stopping(e))
    return [f"{_describe_words(e, edits)}.", *filter(None, remarks)]


def _describe_words(e: ExplanationLike, edits: str) -> str:
    """Which words changed the result; without the full stop."""
    if e.untested:
        large = np.flatnonzero(np.abs(e.weights) >= SMALL) if e.untested == EXACT else np.array([], int)
        what = _describe_pull(e, large) if len(large) else _name_largest(e)
        return f"{_describe_scope(e)}, no word could be tested over {edits}, because {e.untested}; {what}"
    significant = np.flatnonzero(e.significant)
    if not len(significant):
        alone = " alone" if _describe_pair(e) else ""
        chance = f"no word{alone} made a difference that can be told from chance over {edits}"
        return f"{_describe_scope(e)}, {chance}; {_name_largest(e)}{_suggest_more(e)}"
    small = np.abs(e.weights[significant]) < SMALL
    named = significant if small.all() else significant[~small]
    rest = len(e.words) - len(significant)
    others = "" if not rest else f"; for the other {'word' if rest == 1 else f'{rest} words'} no difference could be shown"
    if len(named) < len(significant):
        more = len(significant) - len(named)
        others = f"; {more} more {'is' if more == 1 else 'are'} significant but with weights below {SMALL}" + others
    return f"{_describe_scope(e)}, over {edits}, {_describe_pull(e, named)}{others}"


def _describe_pull(e: ExplanationLike, positions: np.ndarray) -> str:
    """“night” (+0.65) and “snow” (+0.21) pulled the result toward the full edit."""
    target = "full edit" if e.settings["reference"] == "edit" else "input picture"
    positive = e.weights[positions] > 0
    return " and ".join(
        f"{_name_words(e, some)} pulled the result {direction} the {target}"
        for some, direction in ((positions[positive], "toward"), (positions[~positive], "away from"))
        if len(some)
    )


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
    return f", and more {'seeds' if e.settings['edits'] >= 2**k else 'edits'} may tell"  # 2^k: every combination was run


def _describe_pair(e: ExplanationLike) -> str:
    """Two words that act together."""
    pair = e.interaction
    if not pair or pair["p_value"] is None or pair["p_value"] >= LEVEL or abs(pair["weight"]) < SMALL:
        return ""
    first, second = (f"“{e.words[j]}”" for j in pair["pairs"][0])
    count = len(pair["pairs"]) - 1
    other = f", or {count} other pair{'s' * (count > 1)} that these edits cannot tell from it" if count else ""
    what = "act together" if pair["weight"] > 0 else "do part of each other's work"
    return f"{first} and {second} {what} ({pair['weight']:+.2f} where both are kept{other})."


def _describe_fit(e: ExplanationLike) -> str:
    """Whether single words predict too little of how the edits differ."""
    explained = e.fidelity.get("R2_weighted_leave_one_out")
    if e.untested or explained is None or not -np.inf < explained < HALF:
        return ""
    return "Single words predict less than half of how the edits differ."


def _name_words(e: ExplanationLike, positions) -> str:
    """“night” (+0.65) and “snow” (+0.21), the largest weight first."""
    names = [f"“{e.words[j]}” ({e.weights[j]:+.2f})" for j in sorted(positions, key=lambda j: -abs(e.weights[j]))]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _name_largest(e: ExplanationLike) -> str:
    return f"the largest weight is that of {_name_words(e, [int(np.argmax(np.abs(e.weights)))])}"


def _describe_stopping(e: ExplanationLike) -> str:
    """Where edits are added until every word is decided: why there are so many."""
    if not e.settings["looks"] or e.provisional:
        return ""
    effect, most, undecided = e.settings["smallest_effect"], e.settings["edits"], np.flatnonzero(e.undecided)
    if len(undecided):
        words = " and ".join(", ".join(f"“{e.words[j]}”" for j in undecided).rsplit(", ", 1))
        return (
            f"After all {most} edits it is open whether {words} {'has' if len(undecided) == 1 else 'have'} {effect:g} or more."
        )
    short = f"{len(e.texts)} of at most {most} edits were enough: each" if len(e.texts) < most else "Each"
    return f"{short} word is significant, or surely below {effect:g}."


def _describe_noise(e: ExplanationLike) -> str:
    """How far the edits moved from the full one, beside what another seed alone does."""
    if e.noise_floor is None:
        return ""
    if np.nanmax(e.distances_from_full) <= np.nanmax(e.noise_distances):
        return "But no edit moved farther than another seed alone can move it."
    if e.noise_floor <= SAME:
        return "Another seed alone does not move the result."
    times = np.nanmax(e.distances_from_full) / e.noise_floor
    return f"The farthest edit moved {times:.1f} times as far as another seed moves it on average."
