"""The finding in plain sentences, and no stronger than the edits it rests on.

It speaks of what happened among the edits that were made, says whether that is one seed's edit or the editor under
several seeds, and says so when nothing was found or nothing could have been found.
"""

import numpy as np

from smile.method.surrogate import EXACT

SAME = 1e-9  # distances up to here are round-off
LEVEL = 0.05
FEW_SEEDS = 4  # below, Student's t needs 4.3 standard errors and more before any correction
HALF = 0.5  # of the variation, predicted for edits left out of the fit
SMALL = 0.05  # of the largest distance: a weight below may be significant, and still is nothing to read out


def finding(explanation) -> str:
    """What was found by an `Explanation`, in a sentence, and what must be known to judge it in a few more."""
    return " ".join(sentences(explanation))


def sentences(explanation) -> list[str]:
    """The finding's sentences; the first says which words did it, as far as the edits can carry."""
    e = explanation
    if not e.provisional:
        return _sentences(e)
    if np.isnan(e.weights).any():
        return [f"{e.done} of {e.total} edits are made, too few yet to say which words matter."]
    first, *more = _sentences(e)
    return [f"Provisional, after {e.done} of {e.total} edits: {first}", *more]


def _sentences(e) -> list[str]:
    usable = np.isfinite(e.distances)
    made = f"{len(set(zip(e.blocks.tolist(), e.texts, strict=True)))} edits"
    if usable.sum() > 1 and e.distances_from_full[usable].max() <= SAME:
        return [f"The words made no difference: all {made} are the same picture whichever words were left out."]
    if np.isnan(e.weights).any():
        return [f"Only {usable.sum()} of {made} succeeded, too few to say which of {len(e.words)} words matter."]
    return [f"{_main(e, made)}.", *filter(None, (_pair(e), _unexplained(e), _noise(e), _sure(e)))]


def _main(e, made: str) -> str:
    if e.untested:
        told = np.flatnonzero(np.abs(e.weights) >= SMALL) if e.untested == EXACT else []
        what = _pulls(e, told) if len(told) else _top(e)
        return f"{_scope(e)}, no word could be tested over {made}, because {e.untested}; {what}"
    found = np.flatnonzero(e.significant)
    if not len(found):
        alone = " alone" if _pair(e) else ""
        return f"{_scope(e)}, no word{alone} made a difference that can be told from chance over {made}; {_top(e)}{_more(e)}"
    small = np.abs(e.weights[found]) < SMALL
    named = found if small.all() else found[~small]
    left = len(e.words) - len(found)
    others = {0: "", 1: "; for the other word no difference could be shown"}.get(
        left, f"; for the other {left} words no difference could be shown"
    )
    if len(named) < len(found):
        more = len(found) - len(named)
        others = f"; {more} more {'is' if more == 1 else 'are'} significant but with weights below {SMALL}" + others
    return f"{_scope(e)}, over {made}, {_pulls(e, named)}{others}"


def _pulls(e, positions) -> str:
    """“night” (+0.65) and “snow” (+0.21) pulled the result toward the full edit."""
    target = "full edit" if e.settings["reference"] == "edit" else "input picture"
    return " and ".join(
        f"{_names(e, some)} pulled the result {direction} the {target}"
        for some, direction in (
            (positions[e.weights[positions] > 0], "toward"),
            (positions[e.weights[positions] <= 0], "away from"),
        )
        if len(some)
    )


def _scope(e) -> str:
    seeds = _seeds(e)
    if seeds == 1:
        return f"In this edit (seed {e.settings['seed']})"
    return f"For this editor on this picture and instruction ({seeds} seeds)"


def _seeds(e) -> int:
    """Under how many seeds there are edits."""
    return int(e.blocks.max()) + 1


def _more(e) -> str:
    """What would show more than was found."""
    k, seeds, permutations = len(e.words), _seeds(e), e.settings["permutations"]
    if seeds > 1:
        few = f"{seeds} seeds can hardly show anything" if seeds < FEW_SEEDS else ""
        return f", and {few + '; ' if few else ''}more seeds may tell"
    if k / (permutations + 1) >= LEVEL:
        return f", and {permutations} permutations are too few for {k} words"
    return f", and more {'seeds' if e.settings['edits'] >= 2**k else 'edits'} may tell"  # all combinations are there


def _pair(e) -> str:
    """Two words that do together what they do not do one by one."""
    pair = e.interaction
    if not pair or pair["p_value"] is None or pair["p_value"] >= LEVEL or abs(pair["weight"]) < SMALL:
        return ""
    first, second = (f"“{e.words[j]}”" for j in pair["pairs"][0])
    count = len(pair["pairs"]) - 1
    other = f", or {count} other pair{'s' * (count > 1)} that these edits cannot tell from it" if count else ""
    what = "act together" if pair["weight"] > 0 else "do part of each other's work"
    return f"{first} and {second} {what} ({pair['weight']:+.2f} where both are kept{other})."


def _unexplained(e) -> str:
    """Whether single words are the wrong way to tell what happened."""
    explained = e.fidelity.get("R2_weighted_leave_one_out")
    if e.untested or explained is None or not -np.inf < explained < HALF:
        return ""
    return "Single words predict less than half of how the edits differ."


def _names(e, positions) -> str:
    """“night” (+0.65) and “snow” (+0.21), the largest weight first."""
    names = [f"“{e.words[j]}” ({e.weights[j]:+.2f})" for j in sorted(positions, key=lambda j: -abs(e.weights[j]))]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _top(e) -> str:
    return f"the largest weight is that of {_names(e, [int(np.argmax(np.abs(e.weights)))])}"


def _sure(e) -> str:
    """Where edits are added until one is sure: why there are so many."""
    if not e.settings["looks"] or e.provisional:
        return ""
    effect, most, open_ = e.settings["smallest_effect"], e.settings["edits"], np.flatnonzero(e.undecided)
    if len(open_):
        words = " and ".join(", ".join(f"“{e.words[j]}”" for j in open_).rsplit(", ", 1))
        return f"After all {most} edits it is open whether {words} {'has' if len(open_) == 1 else 'have'} {effect:g} or more."
    short = f"{len(e.texts)} of at most {most} edits were enough: each" if len(e.texts) < most else "Each"
    return f"{short} word is significant, or surely below {effect:g}."


def _noise(e) -> str:
    """How far the edits moved from the full one, beside what another seed alone does."""
    if e.noise_floor is None:
        return ""
    if np.nanmax(e.distances_from_full) <= np.nanmax(e.noise_distances):
        return "But no edit moved farther than another seed alone can move it."
    if e.noise_floor <= SAME:
        return "Another seed alone does not move the result."
    times = np.nanmax(e.distances_from_full) / e.noise_floor
    return f"The farthest edit moved {times:.1f} times as far as another seed moves it on average."
