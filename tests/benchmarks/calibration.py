"""Do p-values and intervals hold their promise? Run by hand: `python tests/benchmarks/calibration.py [--runs 2000]`.

Tables of what is promised (issue: statistics, calibrated) and what is measured on synthetic editors:

1. Words, at the level of responses: an editor that ignores its text but is noisy. Type-I error at 0.05 of single words,
   Kolmogorov-Smirnov distance of one word's p-values from uniform, chance of any false discovery after Holm; share of 95 %
   intervals that hold the weight where words act linearly, for each kind of locality.
2. The same from distances, through `smile.method.analysis`: the full edit has distance 0 from itself.
3. Words that act beside words that do not.
4. Several seeds: editors whose words act differently under every seed.
5. Pairs of words, where there are none.
6. One edit against other seeds, seeds exchanged; and beside it the published bootstrap.
7. Edits added block by block until every word is decided: what looking several times costs, and what it saves.
8. Three words that act by all, any or most of them, beside words that do not, at default edits and twice as many: chance of
   any false discovery, and the share of the three that is found.
9. Intervals of words two of which act one by one, only together, either, or one of them: share that holds the mean over all
   combinations of the other words, and how wide they are.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import kstest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from smile.method import inference
from smile.method.analysis import analyse
from smile.method.appearance import test_words
from smile.method.design import choose, default_edits, in_blocks
from smile.method.group_sequential import levels, planned, repeated_p_values, undecided
from smile.method.interaction import interaction
from smile.method.kernel import auto_sigma, kernel, words_distance
from smile.method.least_squares import solve
from smile.method.noise_floor import edit_p_values
from smile.method.surrogate import fit, holm

PAIRS = ((3, 16), (5, 16), (5, 32), (7, 16), (7, 24), (7, 48), (7, 64), (12, 24), (12, 48), (20, 40), (20, 80))
SIZES = tuple((k, times * default_edits(k)) for k in (5, 7, 12) for times in (1, 2))
NOISES = ("gaussian", "t2", "cauchy", "lognormal", "rising", "falling", "drifting")
TRUTHS = ("all", "any", "most", "inside")  # of three words; inside: the third acts only where the first two are in
RULES = {  # of two words
    "each": lambda a, b: 0.6 * a + 0.3 * b,
    "both": lambda a, b: a * b,
    "either": np.maximum,
    "one": lambda a, b: (a != b).astype(float),
}
DRIFT = 0.9  # of the autocorrelation from edit to edit
LOCALITIES = ("none", "words", "wmd")
BATCH = 200  # runs that share their permutations


def permutations(k):
    """Enough for Holm's correction over k words to find something at 0.05."""
    return max(199, 20 * k - 1)


def locality_weights(mask, name):
    """(N,) weights as in a run; "wmd" is imitated by words of unequal length: the share of the text that is missing."""
    if name == "none":
        return np.ones(len(mask))
    if name == "wmd":
        length = np.random.default_rng(mask.shape[1]).uniform(0.5, 1.5, mask.shape[1])
        t = 1.2 * (~mask @ length) / length.sum()
    else:
        t = words_distance(mask)
    return kernel(t, auto_sigma(t))


def errors(name, mask, runs, rng):
    """(N, runs) noise of an editor; "rising" and "falling" have 3 times the deviation at one end of the kept words, and
    "drifting" is autocorrelated in the order in which edits are made."""
    shape, kept = (len(mask), runs), mask.mean(axis=1)[:, None]
    lags = DRIFT ** np.abs(np.subtract.outer(np.arange(len(mask)), np.arange(len(mask))))
    return {
        "gaussian": lambda: rng.normal(size=shape),
        "t2": lambda: rng.standard_t(2, size=shape),
        "cauchy": lambda: rng.standard_cauchy(size=shape),
        "lognormal": lambda: rng.lognormal(size=shape) - np.exp(0.5),
        "rising": lambda: (0.5 + kept) * rng.normal(size=shape),
        "falling": lambda: (1.5 - kept) * rng.normal(size=shape),
        "drifting": lambda: np.linalg.cholesky(lags) @ rng.normal(size=shape),
    }[name]()


def null(mask, responses, times=1):
    """P-values (k, runs), each run with permutations of its own; with so many times as many."""
    drawn = times * permutations(mask.shape[1])
    return np.array([test_words(mask, y[:, None], permutations=drawn, seed=i).p_values for i, y in enumerate(responses.T)]).T


def covered(mask, weight, noise):
    """Share of 95 % intervals that hold the weight; least squares moves with the effects, so they can be 0."""
    model, inside = solve(mask, noise, weight, np.zeros(len(mask), int)), []
    for s in range(0, noise.shape[1], BATCH):
        half = inference.half_widths(model, noise[:, s : s + BATCH], permutations(mask.shape[1]), s)
        inside.append(np.abs(model.weights[:, s : s + BATCH]) <= half)
    return np.mean(np.hstack(inside))


def of_words(k, edits, noise, runs, seed=0):
    """{type I, KS, Holm, coverage for each locality} of one cell, from responses."""
    mask = choose(k, edits, seed=1).astype(float)
    drawn = errors(noise, mask, runs, np.random.default_rng(seed))
    p_values = null(mask, drawn)
    return {
        "type I": (p_values <= 0.05).mean(),
        "KS": kstest(p_values[seed % k], discrete_uniform(permutations(k))).statistic,
        "Holm": np.mean([(holm(p) <= 0.05).any() for p in p_values.T]),
    } | {f"in, {name}": covered(mask, locality_weights(mask > 0, name), drawn) for name in LOCALITIES}


def discrete_uniform(count):
    """Distribution function of p-values that count so many permutations with the +1."""
    return lambda p: np.floor(np.asarray(p) * (count + 1) + 1e-9) / (count + 1)


def from_editor(k, edits, noise, runs, reference="edit", seeds=1, seed=0):
    """{type I, Holm} through `smile.method.analysis`: distances are positive, the full edit's from itself is 0."""
    mask, rng = choose(k, edits, seed=1), np.random.default_rng(seed)
    weight, blocks = np.tile(locality_weights(mask, "words"), seeds), np.repeat(np.arange(seeds), len(mask))
    mask, p_values = np.tile(mask, (seeds, 1)), []
    distances = np.exp(0.3 * np.clip(errors(noise, mask, runs, rng), -9, 9))
    if reference == "edit":
        distances[np.diff(blocks, prepend=-1) > 0] = 0
    settings = {"similarity": "largest", "surrogate": "linear", "permutations": permutations(k), "looks": None}
    settings |= {"reference": reference, "undo": False}
    for run, d in enumerate(distances.T):
        results = analyse(mask, blocks, weight, d, d, np.array([]), settings | {"seed": run}, True)
        p_values.append(results["p_values"])
    return {"type I": (np.array(p_values) <= 0.05).mean(), "Holm": np.mean([(holm(p) <= 0.05).any() for p in p_values])}


def beside_words_that_act(k, edits, noise, size, runs, seed=0):
    """{type I of the words that do not act, power of those that do}: half of the words do, by up to `size`."""
    mask, rng = choose(k, edits, seed=1).astype(float), np.random.default_rng(seed)
    acts = np.arange(k) < k // 2
    effects = np.where(acts, size * np.linspace(1, 0.3, k) * (-1) ** np.arange(k), 0)
    p_values = null(mask, errors(noise, mask, runs, rng) + (mask @ effects)[:, None])
    return {"type I": (p_values[~acts] <= 0.05).mean(), "power": (p_values[acts] <= 0.05).mean()}


def beside_three_words(k, edits, truth, noise, runs, seed=0):
    """{stars of the three words that act together, chance of any star on another word}, each run with a design of its own
    and outcomes of 8 values, of which the truth moves one direction by 1."""
    acting, false = [], []
    for run in range(runs):
        mask, rng = choose(k, edits, seed=run), np.random.default_rng((seed, run))
        kept = mask[:, :3].sum(axis=1)
        both, ways = mask[:, :2].all(axis=1), rng.normal(size=(2, 8))
        parts = {"all": [kept == 3], "any": [kept > 0], "most": [kept > 1], "inside": [both, both & (kept == 3)]}[truth]
        ways = ways[: len(parts)]
        looks = np.array(parts, float).T @ (ways / np.linalg.norm(ways, axis=1, keepdims=True)) + noise * rng.normal(
            size=(len(mask), 8)
        )
        stars = holm(test_words(mask, looks, permutations=max(499, permutations(k)), seed=run).p_values) < 0.05
        acting.append(stars[:3].mean())
        false.append(stars[3:].any())
    return {"stars": np.mean(acting), "Holm": np.mean(false)}


def around_means(k, edits, rule, noise, runs, seed=0):
    """{coverage: share of 95 % intervals that hold a word's mean effect over all combinations of the others, width}, each run
    with a design of its own. The first two words act by a rule, the others do nothing."""
    every = np.array(list(product([0.0, 1.0], repeat=k)))
    true = solve(every, RULES[rule](*every[:, :2].T), np.ones(len(every)), np.zeros(len(every), int)).weights
    inside, widths = [], []
    for run in range(runs):
        mask = choose(k, edits, seed=run).astype(float)
        response = RULES[rule](*mask[:, :2].T) + noise * np.random.default_rng((seed, run)).normal(size=len(mask))
        found = fit(mask, response, permutations=permutations(k), seed=run)
        inside.append((found.ci_low <= true) & (true <= found.ci_high))
        widths.append((found.ci_high - found.ci_low).mean())
    return {"coverage": np.mean(inside), "width": np.mean(widths)}


def of_seeds(k, edits, seeds, slopes, noise, runs, seed=0):
    """{coverage, type I, Holm} where a word's effect is drawn anew under every seed, around 0 and by `slopes`."""
    mask, rng = choose(k, edits, seed=1), np.random.default_rng(seed)
    blocks, tiled = np.repeat(np.arange(seeds), len(mask)), np.tile(mask, (seeds, 1))
    inside, p_values, corrected = [], [], []
    for _ in range(runs):
        effects = slopes * rng.normal(size=(seeds, k)) + np.arange(k) / k
        response = (effects @ mask.T).ravel() + errors(noise, tiled, 1, rng)[:, 0] + 5 * rng.normal(size=seeds)[blocks]
        found = fit(tiled, response, blocks=blocks)
        inside.append((found.ci_low <= np.arange(k) / k) & (np.arange(k) / k <= found.ci_high))
        nothing = fit(tiled, response - tiled @ (np.arange(k) / k), blocks=blocks)
        p_values.append(nothing.p_values <= 0.05)
        corrected.append((nothing.p_values_holm <= 0.05).any())
    return {"coverage": np.mean(inside), "type I": np.mean(p_values), "Holm": np.mean(corrected)}


def of_pairs(k, edits, noise, runs, seeds=1, seed=0):
    """{any pair}: how often a pair is found where words act alone."""
    mask, rng = np.tile(choose(k, edits, seed=1), (seeds, 1)), np.random.default_rng(seed)
    blocks = np.repeat(np.arange(seeds), len(mask) // seeds)
    responses = errors(noise, mask, runs, rng) + mask.sum(axis=1)[:, None]
    found = [interaction(mask, y, permutations=199, seed=i, blocks=blocks).p_value for i, y in enumerate(responses.T)]
    return {"any pair": np.mean(np.array(found) <= 0.05)}


def of_edits(noise_seeds, runs, seed=0):
    """{type I} of one edit against others of the same editor: all seeds exchanged, at the level 1 / (seeds + 1)."""
    distances = np.random.default_rng(seed).lognormal(size=(runs, noise_seeds + 1))
    p_values = np.array([edit_p_values(d[:1], d[1:])[0] for d in distances])
    return {"level": 1 / (noise_seeds + 1), "type I": (p_values <= 1 / (noise_seeds + 1) + 1e-9).mean()}


def of_published_bootstrap(values, runs, resamples=199, seed=0):
    """{type I}: two embeddings (as samples of `values` numbers) of one distribution; both resamples are drawn from all
    numbers, independently of each other so that they overlap, and reaching the distance is counted without the +1.
    """
    rng, rejected = np.random.default_rng(seed), 0
    for _ in range(runs):
        both = rng.normal(size=2 * values)
        distance = np.abs(np.sort(both[:values]) - np.sort(both[values:])).mean()
        drawn = rng.permuted(np.tile(both, (2 * resamples, 1)), axis=1)[:, :values]
        drawn.sort(axis=1)
        rejected += (np.abs(drawn[::2] - drawn[1::2]).mean(axis=1) > distance).mean() <= 0.05
    return {"type I": rejected / runs}


def of_looks(k, blocks, noise, size, runs, seed=0):
    """{type I of the other words, coverage, share of the budget} where one word acts by `size` deviations (0: none does) and
    edits are added until every word is significant or within 1.5 deviations."""
    first, rng = default_edits(k), np.random.default_rng(seed)
    mask = in_blocks(k, blocks * first, seed=1).astype(float)
    looks, acts = planned(first, len(mask)), size * (np.arange(k) == 0)
    noise = errors(noise, mask, runs, rng)
    responses, p_values, going = noise + (mask @ acts)[:, None], [], np.ones(runs, bool)
    used, wrong, inside = np.zeros(runs), np.zeros((k, runs), bool), np.zeros((k, runs), bool)
    for number, (look, level) in enumerate(zip(looks, levels(looks, len(mask)), strict=True)):
        rows, now = mask[:look], responses[:look]
        p_values.append(null(rows, now, times=5))  # (k, runs); after Holm and the looks, few could not be significant
        model = solve(rows, now, np.ones(look), np.zeros(look, int))
        parts = [now[:, s : s + BATCH] for s in range(0, runs, BATCH)]
        of = [solve(rows, part, np.ones(look), np.zeros(look, int)) for part in parts]
        half = [
            inference.half_widths(m, p, 5 * permutations(k), i, level) for i, (m, p) in enumerate(zip(of, parts, strict=True))
        ]
        half, done = np.hstack(half), looks[: number + 1]
        repeated = np.array([repeated_p_values(p, done, len(mask)) for p in np.array(p_values).transpose(2, 0, 1)]).T
        corrected = np.array([holm(p) for p in repeated.T]).T
        low, high = model.weights - half, model.weights + half
        open_ = undecided(corrected, low, high, 1.5).any(axis=0) & (look < len(mask))
        ends = going & ~open_
        used[ends], wrong[:, ends] = look / len(mask), repeated[:, ends] <= 0.05
        inside[:, ends] = ((low <= acts[:, None]) & (acts[:, None] <= high))[:, ends]
        going &= open_
    return {"type I": wrong[acts == 0].mean(), "coverage": inside.mean(), "budget": used.mean()}


def table(pool, parts, title, name, function, cells):
    """Print, for each cell (a tuple of arguments), its name and {column: share}, in order; nothing of what is no part of
    `parts`, by numbers as in the docstring."""
    if parts and int(title[0]) not in parts:
        return
    print(f"\n{title}")
    for number, (cell, values) in enumerate(zip(cells, pool.map(function, *zip(*cells, strict=True)), strict=True)):
        if not number:
            print(" " * 34 + "".join(column.rjust(10) for column in values))
        print(name.format(*cell).ljust(34) + "".join(f"{value:10.3f}" for value in values.values()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="runs of each cell")
    parser.add_argument("--parts", type=int, nargs="+", metavar="N", help="of those above; by default all")
    parser.add_argument("--workers", type=int, help="processes; by default as many as there are processors")
    given, began = parser.parse_args(), time.perf_counter()
    runs = given.runs
    few = max(100, runs // 5)  # where the runs are fitted one by one
    two = ("gaussian", "lognormal")
    with ProcessPoolExecutor(given.workers) as pool:
        table(
            pool,
            given.parts,
            f"1. Words: type I .05 +- .015, KS below {1.63 / runs**0.5:.3f} (1 %), Holm <= .05, in the interval .93 to .97",
            "{} words, {} edits, {}",
            of_words,
            [(k, n, noise, runs) for k, n in PAIRS for noise in NOISES],
        )
        cells = [(k, n, e, few, r, 1) for k, n in PAIRS[::2] for e in two for r in ("edit", "input")]
        table(
            pool,
            given.parts,
            "2. From distances: type I .05 +- .015 (several seeds: at most), Holm <= .05",
            "{}, {}, {}, {} runs, {}, {} seeds",
            from_editor,
            cells + [(7, 24, e, few, "edit", s) for s in (2, 4, 8) for e in two],
        )
        table(
            pool,
            given.parts,
            "3. Beside words that act by up to 2 or 10 deviations: type I <= .065",
            "{}, {}, {}, {} deviations",
            beside_words_that_act,
            [(k, n, e, s, runs) for k, n in PAIRS[1:9:3] for e in two for s in (2, 10)],
        )
        table(
            pool,
            given.parts,
            "4. Several seeds: coverage .93 to .97, type I and Holm <= .05",
            "{}, {}, {} seeds, slopes {}, {}",
            of_seeds,
            [(5, 16, s, slopes, e, few) for s in (2, 4, 8) for slopes in (0, 0.5, 2) for e in two],
        )
        table(
            pool,
            given.parts,
            "5. Pairs: any pair <= .05",
            "{}, {}, {}, {} runs, {} seeds",
            of_pairs,
            [(k, n, e, few, s) for k, n in PAIRS[1:5] for e in (*two, "rising") for s in (1, 4)],
        )
        edits = [(4, 10 * runs), (9, 10 * runs), (19, 10 * runs)]
        table(pool, given.parts, "6. One edit, seeds exchanged: type I is the level", "{} noise seeds", of_edits, edits)
        bootstrap = [(64, few), (768, few)]
        table(pool, given.parts, "6. The published bootstrap at .05", "{} values", of_published_bootstrap, bootstrap)
        table(
            pool,
            given.parts,
            "7. Until confident: type I .05 +- .015, coverage at least .93, mean share of the budget",
            "{} words, {} blocks, {}, {} deviations",
            of_looks,
            [(k, b, e, size, runs) for k, b in ((6, 4), (7, 2), (12, 4)) for e in two for size in (0, 1, 4)],
        )
        table(
            pool,
            given.parts,
            "8. Beside three words that act together: Holm <= .065",
            "{}, {}, {} of three, noise {}",
            beside_three_words,
            [(*each, truth, noise, runs) for each in SIZES for truth in TRUTHS for noise in (0.01, 0.05, 0.1, 0.2)],
        )
        table(
            pool,
            given.parts,
            "9. Means over the other words: in the interval .93 to .98",
            "{}, {}, {}, noise {}",
            around_means,
            [(*each, rule, noise, few) for each in SIZES for rule in RULES for noise in (0.05, 0.2)],
        )
    print(f"\n{time.perf_counter() - began:.0f} seconds, {runs} runs of each cell, {few} of those fitted one by one")


if __name__ == "__main__":
    main()
