"""Other methods that say which words of a prompt made an answer, re-implemented from their papers, for `answers.py`.

Each takes a `Task` and returns weights (k,); all of them ask the model through it, which counts what they ask.

- published: gSMILE (arXiv 2602.01206) on paper: Wasserstein distance of the answers' embeddings, word mover's locality.
- published code: as its authors' code does, the model is asked once, and the distance is between that answer and the perturbed
  prompt, which is the locality weight, too.
- ContextCite (Cohen-Wang et al. 2024): masks with keep 1/2, logit of the answer's probability, Lasso of .01.
- TokenSHAP (Horovicz & Goldshmidt 2024): one word left out at a time, then random rows; mean cosine with the word less without.
- C-LIME of MExGen (Monteiro Paes et al. 2024): at most two units left out, mean log-probability, a linear model.
- leave-one-out: the fall of the mean log-probability.
- DBSA (Rauba et al. 2025): one word at a time against the model's own randomness: answers at temperature 1, energy distance.
"""

import numpy as np

from smile import explain_answer
from smile.method import distance
from smile.method.least_squares import solve
from smile.method.prompts import split_prompt
from smile.models.text_embedders import WordEmbedder

SAMPLES = 4  # answers of DBSA for each prompt
TINY = 1e-9


class Task:
    """A prompt, its answer by the model, and a number of rows."""

    def __init__(self, prompt, model, rows, seed):
        self.prompt, self.model, self.rows, self.seed, self.asked = prompt, model, rows, seed, 0
        self.units, self.embedder = split_prompt(prompt), WordEmbedder()
        self.k = len(self.units.names)
        self.answer = model.write([prompt], seed=0)[0]

    def texts(self, mask):
        return [self.units.perturb(row) for row in mask]

    def score(self, mask, whole=False):
        """(n,) mean log-probability of the answer's tokens, or their sum."""
        self.asked += len(mask)
        size, texts = 16, self.texts(mask)
        rows = np.vstack([self.model.score(texts[at : at + size], self.answer) for at in range(0, len(texts), size)])
        return rows.sum(axis=1) if whole else rows.mean(axis=1)

    def write(self, mask):
        self.asked += len(mask)
        texts = self.texts(mask)
        return [answer or "" for at in range(0, len(texts), 16) for answer in self.model.write(texts[at : at + 16], seed=0)]

    def draw(self, count):
        return np.random.default_rng([self.seed, 5]).random((count, self.k)) < 0.5


def ours(task, **options):
    e = explain_answer(task.prompt, task.model, edits=task.rows, seed=task.seed, trace=False, **options)
    task.asked += len(e.texts) + len(e.alone)  # each word left out alone is asked beside the rows
    return e.weights


def published(task):
    return ours(task, preset="paper")


def published_code(task):
    task.asked += 1
    mask = task.draw(task.rows)
    vectors, _ = task.embedder.embed([task.answer, *task.texts(mask)])
    far = np.array([distance.wasserstein(vector, vectors[0]) for vector in vectors[1:]])
    weight = np.sqrt(np.exp(-((far / 0.25) ** 2)))
    return fit(mask, 1 - far / (far.max() or 1), weight)


def contextcite(task):
    from sklearn.linear_model import Lasso

    mask = task.draw(task.rows)
    total = np.minimum(task.score(mask, whole=True), -TINY)
    logit = total - np.log1p(-np.exp(total))
    spread = mask.std(axis=0) + TINY
    model = Lasso(alpha=0.01).fit((mask - mask.mean(axis=0)) / spread, (logit - logit.mean()) / (logit.std() + TINY))
    return model.coef_ / spread


def tokenshap(task):
    alone, extra = ~np.eye(task.k, dtype=bool), max(0, task.rows - task.k)
    mask = np.vstack([alone, task.draw(extra)])
    vectors, _ = task.embedder.embed([task.answer, *task.write(mask)])
    likeness = vectors[1:] @ vectors[0]
    return np.array([likeness[m].mean() - likeness[~m].mean() for m in mask.T])


def c_lime(task):
    alone, rng = ~np.eye(task.k, dtype=bool), np.random.default_rng([task.seed, 6])
    pairs = np.ones((max(0, task.rows - task.k - 1), task.k), bool)
    for row in pairs:
        row[rng.choice(task.k, 2, replace=False)] = False
    mask = np.vstack([np.ones((1, task.k), bool), alone, pairs])
    return fit(mask, task.score(mask), np.ones(len(mask)))


def leave_one_out(task):
    mask = np.vstack([np.ones((1, task.k), bool), ~np.eye(task.k, dtype=bool)])
    score = task.score(mask)
    return score[0] - score[1:]


def dbsa(task):
    if not hasattr(task.model, "with_settings"):
        return None
    random = task.model.with_settings(temperature=1.0)
    texts = [task.prompt, *task.texts(~np.eye(task.k, dtype=bool))]
    task.asked += SAMPLES * len(texts)
    written = [random.write(texts, seed=seed) for seed in range(SAMPLES)]
    vectors = [task.embedder.embed([answer or "" for answer in some])[0] for some in zip(*written, strict=True)]

    def energy(a, b):
        far = lambda u, v: np.linalg.norm(u[:, None] - v[None], axis=2).mean()  # noqa: E731
        return 2 * far(a, b) - far(a, a) - far(b, b)

    return np.array([energy(vectors[0], other) for other in vectors[1:]])


def fit(mask, response, weight):
    return solve(np.asarray(mask, float), response, weight, np.zeros(len(mask), int)).weights


METHODS = {
    "published": published,
    "published code": published_code,
    "TokenSHAP": tokenshap,
    "ContextCite": contextcite,
    "C-LIME": c_lime,
    "leave-one-out": leave_one_out,
    "DBSA": dbsa,
    "ours": ours,
}
