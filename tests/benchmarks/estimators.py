"""Estimators side by side: `python tests/benchmarks/estimators.py [--instructions 12]`.

What a word is worth can be estimated in many ways from the same black box. All of them are given the responses of held-out
Toy Road instructions of 7 and 8 words, of which every combination of words has been edited under one seed, and may look at
16, 24, 32 or 64 of these. Ours estimates the Banzhaf value (a word's mean effect over all combinations of the others), the
others Shapley's; each is held against its own exact value, and all against the words that matter.

Writes assets/docs/tables/estimators.md; edits are kept (`bank.py`), so that a run cut short goes on, and `--minutes 0`
reports on what there is. Our own short writings of the others, from their papers:

- KernelSHAP, paired: Lundberg & Lee 2017, with complements (Covert & Lee 2021).
- LeverageSHAP: Musco & Witter 2025: sizes alike, without replacement, in pairs.
- PolySHAP of order 2: Fumagalli and others 2026: pairs of words are columns, too, and are shared out between their words.
- OddSHAP: the odd part of the response, which alone the values depend on, in single words and in triples of the strongest.
- RegressionMSR: Witter and others 2025: boosted trees, their exact values, and the remainder by reuse of all samples.
- Permutations: Castro and others 2009, each followed by its reverse.
- Published, pinned: `published.py`, but all edits from the same noise, and words in their order (arXiv 2412.16277's code pins
  neither). It is held against Banzhaf's value, as ours is.
"""

import argparse
import sys
import time
from itertools import combinations
from math import comb
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import numpy as np
from benchmarks import published
from benchmarks.bank import Bank, held_out
from benchmarks.combinations import Combinations, asked, everything
from benchmarks.questions import rank
from tqdm import tqdm

from smile.evaluation.metrics import accuracy
from smile.toyroad.cases import CASES

TABLE = Path(__file__).resolve().parents[2] / "assets" / "docs" / "tables" / "estimators.md"
BUDGETS = (16, 24, 32, 64)
DRAWS = 8
LENGTHS = (7, 8)
EDITORS = ("img2img-turbo", "instruct-pix2pix", "inpaint")
STRONGEST = 4  # words whose triples OddSHAP's regression may use


class Game:
    """The responses of all combinations of k words, by the words' bits, and the exact values."""

    def __init__(self, mask: np.ndarray, response: np.ndarray):
        self.k = mask.shape[1]
        self.bits = 1 << np.arange(self.k)
        self.values = np.empty(2**self.k)
        self.values[mask @ self.bits] = response
        self.every = (np.arange(2**self.k)[:, None] >> np.arange(self.k) & 1).astype(bool)

    def __call__(self, mask: np.ndarray) -> np.ndarray:
        return self.values[mask.astype(int) @ self.bits]

    def shapley(self, values: np.ndarray | None = None) -> np.ndarray:
        """(k,) exact Shapley values of `values` (2^k,), by default of the responses."""
        values, sizes = self.values if values is None else values, self.every.sum(axis=1)
        weight = np.array([1 / (self.k * comb(self.k - 1, s)) if s < self.k else 0.0 for s in range(self.k + 1)])
        without = [np.flatnonzero(~self.every[:, j]) for j in range(self.k)]
        pairs = zip(without, self.bits, strict=True)
        return np.array([weight[sizes[rows]] @ (values[rows + bit] - values[rows]) for rows, bit in pairs])

    def banzhaf(self) -> np.ndarray:
        """(k,) exact Banzhaf values of the responses."""
        return np.array([self.values[self.every[:, j]].mean() - self.values[~self.every[:, j]].mean() for j in range(self.k)])


def kernel(k: int, size: int) -> float:
    """KernelSHAP's weight of one combination of this size."""
    return (k - 1) / (comb(k, size) * size * (k - size))


def draw_pairs(k: int, edits: int, by_size, rng) -> np.ndarray:
    """(edits - 2, k) bool: distinct combinations and their complements, sizes drawn by `by_size(size)`."""
    sizes = np.arange(1, k)
    chances = np.array([by_size(s) for s in sizes], float)
    found: dict[bytes, np.ndarray] = {}
    while len(found) < min(edits, 2**k) - 2:
        row = np.zeros(k, bool)
        row[rng.permutation(k)[: rng.choice(sizes, p=chances / chances.sum())]] = True
        found |= {row.tobytes(): row, (~row).tobytes(): ~row}
    return np.array(list(found.values()))[: edits - 2]


def regress(game: Game, mask: np.ndarray, weight: np.ndarray, terms: list[tuple[int, ...]]) -> np.ndarray:
    """(k,) Shapley values of the weighted polynomial in these terms that fits the rows, and exactly no words and all words."""
    full, empty = game.values[-1], game.values[0]
    columns = np.array([mask[:, list(term)].all(axis=1) for term in terms], float).T
    share = np.full(len(terms), 1 / len(terms))  # any split of the total: the constraint moves the rest
    basis = np.linalg.svd(np.ones((1, len(terms))))[2][1:].T  # (terms, terms - 1) directions that keep the total
    root, rest = np.sqrt(weight), game(mask) - empty - columns @ share * (full - empty)
    free = np.linalg.lstsq(root[:, None] * (columns @ basis), root * rest, rcond=1e-9)[0]
    coefficients, values = share * (full - empty) + basis @ free, np.zeros(game.k)
    for term, coefficient in zip(terms, coefficients, strict=True):
        values[list(term)] += coefficient / len(term)
    return values


def single(k: int) -> list[tuple[int, ...]]:
    return [(j,) for j in range(k)]


def by_kernel_shap(game: Game, edits: int, rng) -> np.ndarray:
    mask = draw_pairs(game.k, edits, lambda s: 1 / (s * (game.k - s)), rng)
    return regress(game, mask, np.ones(len(mask)), single(game.k))


def draw_by_leverage(game: Game, edits: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Rows, and KernelSHAP's weights over how likely their size is drawn."""
    mask = draw_pairs(game.k, edits, lambda s: 1.0, rng)
    sizes, drawn = mask.sum(axis=1), np.bincount(mask.sum(axis=1), minlength=game.k)
    return mask, np.array([kernel(game.k, s) * comb(game.k, s) / drawn[s] for s in sizes])


def by_leverage_shap(game: Game, edits: int, rng) -> np.ndarray:
    return regress(game, *draw_by_leverage(game, edits, rng), single(game.k))


def by_poly_shap(game: Game, edits: int, rng) -> np.ndarray:
    terms = single(game.k) + list(combinations(range(game.k), 2))
    return regress(game, *draw_by_leverage(game, edits, rng), terms)


def by_odd_shap(game: Game, edits: int, rng) -> np.ndarray:
    mask, weight = draw_by_leverage(game, edits, rng)
    odd, signs = (game(mask) - game(~mask)) / 2, np.where(mask, 1.0, -1.0)
    mask, odd, weight, signs = (a[mask[:, 0]] for a in (mask, odd, weight, signs))  # of each pair, one
    full, ends = (game.values[-1] - game.values[0]) / 2, 1e6 * weight.sum()
    first = np.linalg.lstsq(signs * np.sqrt(weight)[:, None], odd * np.sqrt(weight), rcond=None)[0]
    triples = list(combinations(np.argsort(-np.abs(first), kind="stable")[:STRONGEST], 3))
    terms = single(game.k) + triples[: max(0, len(mask) - game.k)]
    columns = np.vstack([np.array([signs[:, list(term)].prod(axis=1) for term in terms]).T, np.ones(len(terms))])
    root = np.sqrt(np.r_[weight, ends])
    found = np.linalg.lstsq(root[:, None] * columns, root * np.r_[odd, full], rcond=1e-12)[0]
    values = np.zeros(game.k)
    for term, coefficient in zip(terms, found, strict=True):  # of an odd product of signs, each word has an equal part
        values[list(term)] += 2 * coefficient / len(term)
    return values


def by_regression_msr(game: Game, edits: int, rng) -> np.ndarray:
    from sklearn.ensemble import GradientBoostingRegressor

    mask, _ = draw_by_leverage(game, edits, rng)
    rows = np.vstack([mask, np.zeros(game.k, bool), np.ones(game.k, bool)])
    trees = GradientBoostingRegressor(n_estimators=200, max_depth=4, random_state=0).fit(rows, game(rows))
    guessed = trees.predict(game.every)
    rest, sizes = game(rows) - guessed[rows @ game.bits], rows.sum(axis=1)
    values = game.shapley(guessed)
    for j in range(game.k):  # Shapley values as means over sizes of what is in less what is not, each size counting alike
        for inside, sign in ((rows[:, j], 1), (~rows[:, j], -1)):
            others = sizes - rows[:, j]
            means = [rest[inside & (others == s)].mean() for s in range(game.k) if (inside & (others == s)).any()]
            values[j] += sign * np.mean(means)
    return values


def by_permutations(game: Game, edits: int, rng) -> np.ndarray:
    """As many pairs of orders as the edits pay for; the last may be cut short."""
    total, count, left, order = np.zeros(game.k), np.zeros(game.k), edits - 2, np.arange(game.k)
    paths = 0
    while left > 0:
        order, paths = (rng.permutation(game.k) if paths % 2 == 0 else order[::-1]), paths + 1
        row, before = np.zeros(game.k, bool), game.values[0]
        for place, word in enumerate(order):
            if place < game.k - 1:
                left -= 1
            if left < 0:
                break
            row[word] = True
            after = game(row[None])[0]
            total[word], count[word], before = total[word] + after - before, count[word] + 1, after
    return total / np.maximum(count, 1)


def by_published(game: Game, words: list[str], edits: int, rng) -> np.ndarray:
    mask, full = published.rows(game.k, edits, rng), " ".join(words)
    texts = [" ".join(np.array(words)[row]) for row in mask]
    found, _ = published.fit(mask, published.similarity(1 - game(mask)), published.locality_weights(texts, full))
    return found * np.ptp(game(mask))  # similarity is a share of it


OTHERS = {
    "KernelSHAP, paired": by_kernel_shap,
    "LeverageSHAP": by_leverage_shap,
    "PolySHAP, order 2": by_poly_shap,
    "OddSHAP": by_odd_shap,
    "RegressionMSR": by_regression_msr,
    "permutations, antithetic": by_permutations,
}
PINNED = "published, pinned"
OURS = {"ours": "none", "ours, locality by words": "words", "ours, locality by meaning": "wmd"}


def judge(found: np.ndarray, exact: np.ndarray, matters: np.ndarray) -> tuple[float, ...]:
    """AUROC, top word, rank correlation and squared error of one explanation."""
    error = ((found - exact) ** 2).sum() / (exact**2).sum()
    return accuracy(found, matters)["auroc"], bool(matters[np.abs(found).argmax()]), rank(found, exact), error


def compare(bank: Bank, number: int, case) -> dict[tuple[str, int], list[tuple[float, ...]]]:
    """By (estimator, edits), what each draw comes to on one instruction."""
    all_of_them, matters = Combinations(bank, case, number), case.find_relevant_words()
    response, _ = all_of_them.data(all_of_them.mask)
    game, results = Game(all_of_them.mask, response), {}
    for edits in BUDGETS:
        for name, locality in OURS.items():
            masks = [all_of_them.design(edits, draw) for draw in range(DRAWS)]
            fits = [all_of_them.weights(mask, locality=locality) * _scale(all_of_them, mask) for mask in masks]
            results[name, edits] = [judge(found, game.banzhaf(), matters) for found in fits]
        pinned = [by_published(game, case.words, edits, np.random.default_rng((number, 99, draw))) for draw in range(DRAWS)]
        results[PINNED, edits] = [judge(found, game.banzhaf(), matters) for found in pinned]
        for place, (name, estimate) in enumerate(OTHERS.items()):
            drawn = [estimate(game, edits, np.random.default_rng((number, place, draw))) for draw in range(DRAWS)]
            results[name, edits] = [judge(found, game.shapley(), matters) for found in drawn]
    return results


def _scale(all_of_them: Combinations, mask: np.ndarray) -> float:
    """The largest distance of a design's edits over that of all: similarity is a share of it."""
    far = all_of_them.far("patches", "edit")
    return far[[all_of_them.place[row.tobytes()] for row in mask]].max() / far.max()


def list_cases(editor: str, count: int):
    """Held-out instructions of 7 and 8 words, half of each."""
    cases = held_out(editor, 60 * count, compound=True, longest=max(LENGTHS))
    return [case for k in LENGTHS for case in [c for c in cases if len(c[1].words) == k][: count // 2]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instructions", type=int, default=12, metavar="N", help="for each editor")
    parser.add_argument("--minutes", type=float, default=1e9, help="of editing; 0 reports on what there is")
    parser.add_argument("--editors", nargs="+", default=list(EDITORS), choices=list(CASES))
    given, began, results, counts = parser.parse_args(), time.monotonic(), {}, {}
    for editor in given.editors:
        bank = Bank(editor)
        for number, case in tqdm(list_cases(editor, given.instructions), desc=editor):
            needed = asked(case.words, everything(case.words), number)
            if not bank.has(case, needed):
                if time.monotonic() - began > 60 * given.minutes:
                    continue
                bank.make(case, needed)
            if not bank.carries_out(case, number, number):
                continue
            counts[editor] = counts.get(editor, 0) + 1
            for key, judged in compare(bank, number, case).items():
                results.setdefault(key, []).append(np.mean(judged, axis=0))
    lines = [
        "# Estimators side by side",
        "",
        f"Made by `python tests/benchmarks/estimators.py --instructions {given.instructions}`, which says what each is: "
        + ", ".join(f"{count} instructions carried out by {editor}" for editor, count in counts.items())
        + f", {DRAWS} draws each. Error: squared, over the squared exact values. Rank: Spearman's correlation with the",
        "estimator's own exact value. All columns are AUROC / top word / rank / error.",
        "",
        "| estimator | " + " | ".join(f"{edits} edits" for edits in BUDGETS) + " |",
        "|---|" + "---|" * len(BUDGETS),
    ]
    for name in (*OURS, PINNED, *OTHERS):
        means = [np.mean(results[name, edits], axis=0) for edits in BUDGETS]
        lines.append(f"| {name} | " + " | ".join(" / ".join(f"{value:.3f}" for value in mean) for mean in means) + " |")
    TABLE.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
