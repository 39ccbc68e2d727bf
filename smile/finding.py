"""The finding in one plain sentence, and no stronger than the edits it rests on.

It speaks of what happened among the edits that were made, says whether that is one seed's edit or the editor under
several seeds, and says so when nothing was found or nothing could have been found.
"""

import math

import numpy as np

SAME = 1e-9  # distances up to here are round-off
SMALL = 0.05  # of the largest distance: a weight below may be significant, and still is nothing to read out


def finding(explanation) -> str:
    """One sentence about an `Explanation`."""
    e = explanation
    if not e.provisional:
        return _sentence(e)
    if np.isnan(e.weights).any():
        return f"{e.done} of {e.total} edits are made, too few yet to say which words matter."
    return f"Provisional, after {e.done} of {e.total} edits: {_sentence(e)}"


def smallest_p(block_sizes, k: int, permutations: int) -> float:
    """The smallest Holm-corrected p-value that edits in blocks of these sizes can give for k words, approximately.

    A word is on in about half of the edits of a block, and a permutation test tells apart only the ways to split them;
    nor can it go below one over the permutations drawn. Without a residual nothing can be tested.
    """
    if sum(block_sizes) <= k + len(block_sizes):
        return 1.0
    splits = math.prod(math.comb(n, n // 2) for n in block_sizes)
    return min(1.0, k * max(1 / (permutations + 1), 2 / splits))


def _sentence(e) -> str:
    usable = np.isfinite(e.distances)
    made = f"{len(set(zip(e.blocks.tolist(), e.texts, strict=True)))} edits"
    k = len(e.words)
    if usable.sum() > 1 and e.distances_from_full[usable].max() <= SAME:
        return f"The words made no difference: all {made} are the same picture whichever words were left out."
    if np.isnan(e.weights).any():
        return f"Only {usable.sum()} of {made} succeeded, too few to say which of {k} words matter."
    found = np.flatnonzero(e.significant)
    if not len(found):
        sizes = np.bincount(e.blocks[usable]).tolist()
        if smallest_p(sizes, k, e.settings["permutations"]) >= 0.05:
            words = "one word" if k == 1 else f"{k} words"
            return f"{made} are too few for a statistically significant result with {words}; {_top(e)}{_noise(e)}."
        more = "seeds" if e.settings["edits"] >= 2**k else "edits"  # all combinations of the words have been tried
        return (
            f"{_scope(e)}, no word made a difference that can be told from chance over {made}; {_top(e)}, "
            f"and more {more} may tell{_noise(e)}."
        )
    target = "full edit" if e.settings["reference"] == "edit" else "input picture"
    small = np.abs(e.weights[found]) < SMALL
    named = found if small.all() else found[~small]
    pulls = [
        f"{_names(e, positions)} pulled the result {direction} the {target}"
        for positions, direction in (
            (named[e.weights[named] > 0], "toward"),
            (named[e.weights[named] <= 0], "away from"),
        )
        if len(positions)
    ]
    others = {0: "", 1: "; for the other word no difference could be shown"}.get(
        k - len(found), f"; for the other {k - len(found)} words no difference could be shown"
    )
    if len(named) < len(found):
        rest = len(found) - len(named)
        others = f"; {rest} more {'is' if rest == 1 else 'are'} significant but with weights below {SMALL}" + others
    return f"{_scope(e)}, over {made}, {' and '.join(pulls)}{others}{_noise(e)}."


def _scope(e) -> str:
    seeds = e.settings["seeds"]
    if seeds == 1:
        return f"In this edit (seed {e.settings['seed']})"
    return f"For this editor on this picture and instruction ({seeds} seeds)"


def _names(e, positions) -> str:
    """“night” (+0.65) and “snow” (+0.21), the largest weight first."""
    names = [f"“{e.words[j]}” ({e.weights[j]:+.2f})" for j in sorted(positions, key=lambda j: -abs(e.weights[j]))]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _top(e) -> str:
    return f"the largest weight is that of {_names(e, [int(np.argmax(np.abs(e.weights)))])}"


def _noise(e) -> str:
    """How far the edits moved from the full one, beside what another seed alone does."""
    if e.noise_floor is None:
        return ""
    if np.nanmax(e.distances_from_full) <= np.nanmax(e.noise_distances):
        return "; but no edit moved farther than another seed alone can move it"
    if e.noise_floor <= SAME:
        return "; another seed alone does not move the result"
    times = np.nanmax(e.distances_from_full) / e.noise_floor
    return f"; the farthest edit moved {times:.1f} times as far as another seed moves it on average"
