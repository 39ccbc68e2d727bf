"""How far to believe an explanation, in numbers: arrays and words in, plain values out. It knows nothing of pictures.

Of one explanation: accuracy against words that should matter, health of its design. Of several: stability under a word
that says nothing, consistency over repeats. With the black box at hand: faithfulness. The fidelity of the surrogate is part
of the method (`smile.method.fidelity`).
"""

from collections.abc import Callable, Iterable
from itertools import combinations, permutations
from typing import Any

import numpy as np
from scipy.integrate import trapezoid
from scipy.stats import rankdata, spearmanr

from smile.errors import InputError
from smile.method.kernel import effective_sample_size
from smile.method.least_squares import solve
from smile.report.protocols import NumbersLike

HALF = 0.5
DECIMALS = 9  # of weights and areas; smaller differences are rounding
FEW_WORDS = 5  # up to here all orders of the words are tried: they need no more texts than there are
LEAST_ORDERS = 41  # else at least so many, the explanation's own and 20 pairs: one order in 20 can then be told
SAME_AREA = 0.1  # of the largest area: orders that differ by less do as well


def accuracy(weights, relevant) -> dict[str, float | None]:
    """Absolute weights (k,) against the words that should matter, relevant (k,) bool.

    auroc: chance that a relevant word outweighs another, ties half (Mann-Whitney), where weights that differ by less
    than 1e-9 of the largest are equal: that is rounding; None when all words are relevant or none is. f1 and accuracy
    call a word found when its absolute weight is at least half the largest and above 0, a rule that does not look at
    the answer; finding nothing where nothing is relevant has f1 1. Raises InputError when the two do not have the same
    length.
    """
    size, relevant = np.abs(np.asarray(weights, float)), np.asarray(relevant, bool)
    if size.shape != relevant.shape or size.ndim != 1 or not size.size or not np.isfinite(size).all():
        raise InputError(f"Give one finite weight and one label per word, not {size.shape} and {relevant.shape}.")
    rank = rankdata(np.round(size / (size.max() or 1.0), 9))  # (k,)
    hits = relevant.sum()
    pairs = hits * (~relevant).sum()
    found = (size >= HALF * size.max()) & (size > 0)
    right = (found & relevant).sum()
    return {
        "auroc": float((rank[relevant].sum() - hits * (hits + 1) / 2) / pairs) if pairs else None,
        "f1": float(2 * right / (found.sum() + hits)) if found.any() or hits else 1.0,
        "accuracy": float((found == relevant).mean()),
    }


def design_health(explanation: NumbersLike) -> dict[str, Any]:
    """What the design and the edits of an explanation can carry.

    | key | meaning |
    |---|---|
    | edits, failed | rows that are in the fit; edits that failed or were blocked |
    | texts | distinct texts among these rows |
    | effective_sample_size | (sum w)^2 / sum w^2 of their locality weights w (Kish 1965), at most `edits` |
    | estimable | for each word whether these rows determine its weight on its own |
    | noise_floor | mean distance of the full edit under other seeds; None without any |
    | farthest_noise | largest distance of the full edit under other seeds; None without any |
    | farthest | largest distance of an edit from the full one |
    | times_noise | farthest / noise_floor; None where there is no floor, or it is 0 |
    | moved | `Explanation.moved`: whether an edit moved farther than every other seed, farthest > farthest_noise |
    | beyond_noise | `Explanation.beyond_noise`: whether, besides, one can see what some word changes |
    """
    e = explanation
    usable = np.isfinite(e.distances)
    mask, weight, block = e.mask[usable].astype(float), e.locality_weights[usable], e.blocks[usable]
    farthest, noise = float(e.distances_from_full[usable].max()), e.noise_distances[np.isfinite(e.noise_distances)]
    return {
        "edits": int(usable.sum()),
        "failed": int(e.failed),
        "texts": len({text for text, made in zip(e.texts, usable, strict=True) if made}),
        "effective_sample_size": effective_sample_size(weight),
        "estimable": solve(mask, np.zeros(len(mask)), weight, block).estimable.tolist(),
        "noise_floor": e.noise_floor,
        "farthest_noise": float(noise.max()) if noise.size else None,
        "farthest": farthest,
        "times_noise": farthest / e.noise_floor if e.noise_floor else None,
        "moved": e.moved,
        "beyond_noise": e.beyond_noise,
    }


def stability(explanation: NumbersLike, others: Iterable[NumbersLike]) -> dict[str, Any]:
    """How little an explanation changes when words that say nothing are put into its instruction.

    `explanation` and each of `others` has words (k,), weights (k,) and significant (k,) bool; each of `others` has the
    words of `explanation` in order, and more. Compared on the words that both have, with weights u and v:

    | key | definition |
    |---|---|
    | jaccard | significant in both / in either (Jaccard 1912); arXiv 2412.16277 reports it for an appended "###" |
    | ruzicka | sum min(abs(u), abs(v)) / sum max(abs(u), abs(v)) (Ruzicka 1958), the same for weights |
    | concordance | of u and v (`measure_concordance`), which allows for chance: 0 where they agree no more than by it |
    | rank_correlation | of u and v (Spearman 1904) |
    | insertions | the same for each of `others`, with its instruction, and `weight`, the largest absolute one inserted |
    | significant | in how many of all these explanations some word is |

    The first four are means over `others`, from 0 (the last two from -1) to 1, where what is empty in both is the same
    (`measure_overlap`); None without others, and the last two for one word, or where all weights are alike. Raises InputError
    where words or weights are missing.
    """
    some = int(np.any(explanation.significant))
    insertions = []
    for other in others:
        shared = _find_words(explanation.words, other.words)
        u, v = _check_weights(explanation.weights), _check_weights(other.weights)
        added, stars = np.delete(v, shared), np.asarray(other.significant)[shared]
        some += int(np.any(other.significant))
        insertions.append(
            {
                "instruction": " ".join(other.words),
                "weight": float(np.abs(added).max()) if added.size else None,
                "jaccard": measure_overlap(explanation.significant, stars),
                "ruzicka": measure_overlap(u, v[shared]),
                "concordance": measure_concordance(u, v[shared]),
                "rank_correlation": _spearman(u, v[shared]),
            }
        )
    names = ("jaccard", "ruzicka", "concordance", "rank_correlation")
    means = {name: _mean_of_defined(each[name] for each in insertions) for name in names}
    return means | {"insertions": insertions, "significant": some}


def consistency(explanations: Iterable[NumbersLike]) -> dict[str, Any]:
    """How alike repeats of one explanation are, under other seeds or designs. Each has words, weights and significant (k,).

    | key | definition |
    |---|---|
    | explanations | how many there are, at least 2 |
    | standard_deviation | of each word's weight (k,), with n - 1; arXiv 2412.16277 reports its square |
    | mean_standard_deviation | its mean over the words |
    | top_1 | for each word (k,) the share of explanations in which its absolute weight is the largest, the first if tied |
    | top_1_frequency | the largest of these |
    | rank_correlation | of the weights (Spearman 1904), mean over all pairs; None for one word, or weights all alike |
    | concordance | of the weights, as `stability` has it, mean over all pairs |
    | significant | in how many of them some word is |

    Raises InputError for fewer than 2, or where words differ or weights are missing.
    """
    explanations = list(explanations)
    words = [list(each.words) for each in explanations]
    if len(words) < 2 or any(each != words[0] for each in words):
        raise InputError("Consistency compares at least two explanations of the same words.")
    weights = np.array([_check_weights(each.weights) for each in explanations])
    spread = weights.std(axis=0, ddof=1)
    top = np.bincount(np.abs(weights).argmax(axis=1), minlength=len(words[0])) / len(weights)
    return {
        "explanations": len(weights),
        "standard_deviation": spread.tolist(),
        "mean_standard_deviation": float(spread.mean()),
        "top_1": top.tolist(),
        "top_1_frequency": float(top.max()),
        "rank_correlation": _mean_of_defined(_spearman(u, v) for u, v in combinations(weights, 2)),
        "concordance": _mean_of_defined(measure_concordance(u, v) for u, v in combinations(weights, 2)),
        "significant": sum(bool(np.any(each.significant)) for each in explanations),
    }


def measure_overlap(a, b) -> float:
    """Sum of the smaller over sum of the larger of the amounts a, b (k,): Ruzicka's for weights, Jaccard's for sets.

    Two empty ones overlap by 1: they are the same, so a word more in one of them is a step down from 1 as it is for any
    other two equal sets, and a mean over many pairs leaves none out. Agreeing on nothing is no merit, which is for the
    marks to heed (`smile.evaluation.report_card`).
    """
    a, b = np.abs(np.asarray(a, float)), np.abs(np.asarray(b, float))
    larger = np.maximum(a, b).sum()
    return float(np.minimum(a, b).sum() / larger) if larger > 0 else 1.0


def measure_concordance(u, v) -> float | None:
    """Lin's (1989) concordance coefficient of the weights u, v (k,): 2 cov(u, v) / (var u + var v + (mean u - mean v)^2).

    1 where they are the same, 0 where they agree no more than by chance. What all weights have in common is no agreement,
    while Ruzicka's overlap is large for any weights that are alike in size. It is the weighted kappa of amounts (Fleiss
    & Cohen 1973), for which the conventions are made. None where there is one word, or no weight differs from another.
    """
    u, v = np.asarray(u, float), np.asarray(v, float)
    unlike = u.var() + v.var() + (u.mean() - v.mean()) ** 2
    return float(2 * np.cov(u, v, bias=True)[0, 1] / unlike) if np.ptp(u) + np.ptp(v) > 0 else None


def faithfulness(weights, respond: Callable, *, seed: int = 0) -> dict[str, Any]:
    """Whether leaving words out does what their weights (k,) say it does.

    The deletion and insertion metrics of RISE (Petsiuk, Das & Saenko 2018), for words: from the full instruction they are
    left out one after another, the largest weight first; into the empty one they are put in the same order. A weight is
    signed, so this is the order in which the response should fall, and rise, fastest. It is compared with other orders
    (Samek et al. 2017), all there are for up to 5 words.

    For more words the orders come in whole classes of 2k: an order, what begins elsewhere in it and then goes round, and the
    reverse of each. One class is that of the explanation's own order, the others are drawn. A class needs k (k - 1) texts,
    half of what as many orders need that are drawn one by one. If the weights told nothing, the own order would be any of
    all these with equal chance, so that its rank is an exact p-value (Phipson & Smyth 2010).

    respond: rows mask (n, k) bool -> responses (n,), NaN for a failed edit, which is interpolated along its curve. It is
    asked once, for `faithfulness_mask`.

    | key | definition |
    |---|---|
    | deletion, insertion | area between curve and mean curve of all orders, over the share of words; > 0: better than chance |
    | area_between | the mean of the two |
    | orders | n, how many it is compared with |
    | p_value | (1 + b) / (1 + n), b orders of them with as large an `area_between`, or within a tenth of the largest |
    | better_than_random | 1 - p_value: the share of all orders, its own among them, that do worse |
    | attainable | the least such share of an order that does as well as the best one, within a tenth: 0 where all do alike |
    | deletion_curve, insertion_curve | responses (k + 1,) |
    | random_deletion_curve, random_insertion_curve | means over all orders (k + 1,) |

    Raises InputError where weights are missing.
    """
    rows = faithfulness_mask(weights, seed=seed)
    known = {row.tobytes(): response for row, response in zip(rows, np.asarray(respond(rows), float), strict=True)}
    curves = np.array([_trace_curves(order, known) for order in _draw_orders(weights, seed)])  # (1 + n, 2, k + 1)
    first, mean = curves[0], curves.mean(axis=0)
    down, up = (_measure_area(curves) - _measure_area(mean)).T  # insertion rises, deletion falls
    between = ((up - down) / 2).round(DECIMALS)
    alike = SAME_AREA * np.abs(between).max()
    worse = np.array([(between < each - alike).mean() for each in between])
    return {
        "deletion": float(-down[0]),
        "insertion": float(up[0]),
        "area_between": float(between[0]),
        "p_value": float(1 - worse[0]),
        "better_than_random": float(worse[0]),
        "attainable": float(worse[between >= between.max() - alike].min()),
        "deletion_curve": first[0].tolist(),
        "insertion_curve": first[1].tolist(),
        "random_deletion_curve": mean[0].tolist(),
        "random_insertion_curve": mean[1].tolist(),
        "orders": len(curves) - 1,
    }


def faithfulness_mask(weights, *, seed: int = 0) -> np.ndarray:
    """The distinct rows mask (n, k) bool that `faithfulness` asks for, the full one first."""
    steps = np.vstack([part for order in _draw_orders(weights, seed) for part in _list_steps(order)])
    _, first = np.unique(steps, axis=0, return_index=True)
    return steps[np.sort(first)]


def _draw_orders(weights, seed) -> np.ndarray:
    """Orders of words (1 + n, k): by weight, the largest first, then all others or those of `faithfulness`'s classes."""
    weights = _check_weights(weights)
    k, own = len(weights), np.argsort(-weights, kind="stable")
    if k <= FEW_WORDS:
        every = np.array(list(permutations(range(k))))
        return np.vstack([own, every[(every != own).any(axis=1)]])
    drawn = np.tile(np.arange(k), (-(-LEAST_ORDERS // (2 * k)) - 1, 1))
    firsts = np.vstack([own, np.random.default_rng(seed).permuted(drawn, axis=1)])
    rolled = np.vstack([np.roll(firsts, -start, axis=1) for start in range(k)])
    return np.vstack([rolled, rolled[:, ::-1]])


def _list_steps(order) -> tuple[np.ndarray, np.ndarray]:
    """Rows (k + 1, k) bool of deletion, from the full to the empty one, and of insertion, from the empty one."""
    out = np.argsort(order) < np.arange(len(order) + 1)[:, None]
    return ~out, out


def _trace_curves(order, known) -> np.ndarray:
    """Responses (2, k + 1) along deletion and insertion; the full instruction's edit never fails."""
    curves = np.array([[known[row.tobytes()] for row in steps] for steps in _list_steps(order)])
    places = np.arange(curves.shape[1])
    return np.array([np.interp(places, places[np.isfinite(c)], c[np.isfinite(c)]) for c in curves])


def _measure_area(curves) -> np.ndarray:
    """Area (...) under each curve (..., k + 1), over the share of words."""
    return trapezoid(curves, dx=1 / (curves.shape[-1] - 1))


def _find_words(words, longer) -> list[int]:
    """Where `longer` has each of `words`, in order, each as early as can be."""
    found: list[int] = []
    for word in words:
        start = found[-1] + 1 if found else 0
        if word not in list(longer)[start:]:
            raise InputError("Stability compares an instruction with the same one into which words were inserted.")
        found.append(list(longer).index(word, start))
    return found


def _check_weights(weights) -> np.ndarray:
    """The weights (k,) without what is arithmetic in them, which would make an order of words that are alike."""
    weights = np.asarray(weights, float)
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all():
        raise InputError("An explanation without weights cannot be judged; let it run to its end.")
    return weights.round(DECIMALS)


def _spearman(a, b) -> float | None:
    return float(spearmanr(a, b).statistic) if len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) > 0 else None


def _mean_of_defined(numbers: Iterable) -> float | None:
    """Of those that are known; None where none is."""
    known = [number for number in numbers if number is not None]
    return float(np.mean(known)) if known else None
