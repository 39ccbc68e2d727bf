"""The published procedure (arXiv 2412.16277 and the code beside it), as its code does it and not as one would wish it.

Our own writing; what the code does is described in words here, so that the comparison in `method.py` is with the thing
itself. Where the scripts differ from each other, the likeliest one is taken and the others can be asked for.

1. Rows: unique Bernoulli(1/2), the empty one excluded. Where all 2^k - 1 are used up, they are used again.
2. Texts: kept words go through a set, so their order is lost and repeated words collapse; with fewer than two, words of
   the instruction are added at random until two were taken, which the row does not say.
3. Edits: no generator, so every edit has noise of its own, and so has the full-instruction edit they are compared with.
4. Distance: 1-D Wasserstein of mean-pooled vectors. Similarity: min-max of 1 - distance.
5. Locality: the word mover's distance is handed two strings, so it moves letters, all but "a", which word2vec does not
   hold. Its 3.6 GB are replaced by this: a letter is at 0 from itself and at 1 from any other. That correlates with
   the published run's own weights at .999 (`tests/test_published.py`). Kernel width 0.25.
6. Surrogate: OLS, or whichever of several has the best in-sample R2_w. XGBoost is left out: it is not among our packages,
   and gradient boosting is there.
7. An edit's p-value: both resamples of the bootstrap come from the two vectors' values pooled, and no 1 is added.
"""

import numpy as np

from smile.method.kernel import paper_kernel
from smile.method.least_squares import solve

LEAST_WORDS = 2
UNKNOWN = "a"  # to Google News word2vec
SIMILARITIES = {
    "distance": lambda distances: _stretched(distances),
    "1 - distance": lambda distances: _stretched(1 - distances),
    "1 / distance": lambda distances: _stretched(1 / (distances + 1e-8)),
}
SURROGATES = ("linear", "ridge", "bayesian", "forest", "boosting")


def rows(k: int, edits: int, rng: np.random.Generator) -> np.ndarray:
    """`mask` (edits, k) bool."""
    codes = np.arange(1, 2**k)
    drawn = np.concatenate([rng.permutation(codes) for _ in range(-(-edits // len(codes)))])[:edits]
    return (drawn[:, None] >> np.arange(k) & 1).astype(bool)


def text(words: list[str], kept: np.ndarray, rng: np.random.Generator) -> str:
    """The text that is edited for one row."""
    taken = [word for word, on in zip(words, kept, strict=True) if on]
    missing = min(max(LEAST_WORDS - len(taken), 0), len(words))
    taken += [words[i] for i in rng.choice(len(words), missing, replace=False)]
    return " ".join(rng.permutation(list(dict.fromkeys(taken))))


def letter_distance(one: str, other: str) -> float:
    """Word mover's distance in [0, 1] between two strings taken as lists of letters: the part of one's letters that has
    no counterpart in the other. 1 where either has none."""
    letters = [[letter for letter in string if letter.isalpha() and letter != UNKNOWN] for string in (one, other)]
    if not all(letters):
        return 1.0
    shares = [{letter: found.count(letter) / len(found) for letter in found} for found in letters]
    return sum(abs(shares[0].get(a, 0) - shares[1].get(a, 0)) for a in {*shares[0], *shares[1]}) / 2


def locality_weights(texts: list[str], full: str) -> np.ndarray:
    """(N,) square roots of exp(-d^2 / 0.25^2)."""
    return paper_kernel(np.array([letter_distance(full, one) for one in texts]))


def similarity(distances: np.ndarray, kind: str = "1 - distance") -> np.ndarray:
    """(N,) responses in [0, 1]."""
    return SIMILARITIES[kind](np.asarray(distances, float))


def fit(mask, response, weight, kind: str = "linear") -> tuple[np.ndarray, np.ndarray]:
    """(weights (k,), fitted (N,)) of one surrogate; trees have importances for weights."""
    mask = np.asarray(mask, float)
    if kind in ("linear", "ridge", "bayesian"):
        found = solve(mask, response, weight, np.zeros(len(mask), int), kind)
        return found.weights, found.fitted
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

    model = {"forest": RandomForestRegressor, "boosting": GradientBoostingRegressor}[kind](random_state=0)
    model.fit(mask, response, sample_weight=weight)
    return model.feature_importances_, model.predict(mask)


def best(mask, response, weight) -> tuple[str, np.ndarray]:
    """(kind, weights (k,)) of the surrogate that follows its own data best."""
    fits = {kind: fit(mask, response, weight, kind) for kind in SURROGATES}
    kind = max(fits, key=lambda name: -(weight @ (response - fits[name][1]) ** 2))
    return kind, fits[kind][0]


def bootstrap_p_value(one, other, rng: np.random.Generator, resamples: int = 199) -> float:
    """How often two resamples of all values are as far apart as the two vectors (d,) are."""
    size, both = len(one), np.concatenate([one, other])
    drawn = np.sort(rng.permuted(np.tile(both, (2 * resamples, 1)), axis=1)[:, :size], axis=1)
    chance = np.abs(drawn[::2] - drawn[1::2]).mean(axis=1)
    return float((chance > np.abs(np.sort(one) - np.sort(other)).mean()).mean())


def _stretched(values):
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)
