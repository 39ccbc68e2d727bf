"""Finding, stars, intervals, colours, places and trust marks never contradict each other, whatever the editor does.

The rules, on 500 random configurations of a simulated editor (what acts, how much noise, whether the texts of a seed share it,
what fails, how many words, seeds and edits):

 1. A star stands only where something moved beyond noise, can be seen, and was tested or is exact.
 2. Corrected p-values are no smaller than others; a weight lies in its interval.
 3. The first sentence names every word with a star, and says of no other that it acts.
 4. Nothing beyond noise: no star, no place, grey, no word is said to act; and the other way round.
 5. A place is shown only of a word with a star, and every word with a star has one.
 6. Where all is exact, nobody speaks of chance, no test is offered, and equal weights have equal stars.
 7. A word whose interval holds zero is not said to pull anywhere.
 8. Nothing of an explanation without a star is marked as good, but for the size of its design.
 9. The words whose rank is sure are the strongest, in the order of their weights; only words with a star are named.
10. Without the words of the smallest set, the very text was tried and is farther than any noise; they have stars.
11. What a word does alone is the difference of two responses; words are said to be said twice only with a star.
12. The table and the figure have the same stars.
"""

import re
import zlib

import numpy as np
import pytest

from smile.evaluation.report_card import report_explanation
from smile.explain import explain_subject
from smile.explanation import Explanation
from smile.method.extras import UNDONE
from smile.method.surrogate import ENUMERATED, LEAST_WEIGHT
from smile.method.units import split_instruction
from smile.options import Options
from smile.report.beside import describe_alone
from smile.report.finding import write_sentences
from smile.report.plots import GREY, plot_heatmap, tabulate_words

COUNT, PARTS = 500, 10
TRUTHS = {
    "nothing": lambda on: 0.0 * on[0],
    "one": lambda on: on[0],
    "sum": lambda on: on[0] + 0.5 * on[min(1, len(on) - 1)],
    "both": lambda on: on[:2].all(axis=0),
    "either": lambda on: on[:2].any(axis=0),
    "one of two": lambda on: on[0] != on[min(1, len(on) - 1)],
    "three": lambda on: on[:3].all(axis=0),
    "most": lambda on: on[:3].sum(axis=0) > min(3, len(on)) / 2,
}


class Simulated:
    """An editor of pictures of 3 x 3 places: `truth` of the words moves some of them by `size`, noise the rest."""

    batch_size, nothing_to_compare = 64, "There is nothing to compare with."

    def __init__(self, truth, size, noise, shared, fails):
        self.truth, self.size, self.noise, self.shared, self.fails = TRUTHS[truth], size, noise, shared, fails
        self.outcomes, self.seconds = {}, {"edits": 0.0, "embedding": 0.0}

    def split(self, text, settings):
        return split_instruction(text)

    def prepare(self, units, settings):
        self.words = units.names

    def run(self, batches):
        for seed, texts in batches:
            for text in texts:
                self.outcomes[seed, text] = self._edit(seed, text)
            yield seed, texts

    def _edit(self, seed, text):
        own = zlib.crc32(text.encode())
        if self.fails and text != " ".join(self.words) and own % 100 < self.fails:
            return None
        on = np.array([[word in text.split()] for word in self.words], float) > 0
        picture = np.full(9, 0.5)
        picture[:4] += self.size * float(self.truth(on)[0])
        return picture + np.random.default_rng([seed, 0 if self.shared else own]).normal(0, self.noise, 9)

    def are_same(self, one, other):
        return self.outcomes[other] is not None and np.array_equal(self.outcomes[one], self.outcomes[other])

    def _show(self, key):
        return np.full(9, np.nan) if self.outcomes[key] is None else self.outcomes[key]

    def measure_distances(self, keys, references):
        return np.array([np.abs(self._show(k) - self._show(r)).mean() for k, r in zip(keys, references, strict=True)])

    def show(self, keys):
        return np.array([self._show(key) for key in keys]).reshape(-1, 3, 3, 1)

    def read_texts(self, texts):
        return texts

    def embed_tokens(self, texts):
        return None

    def describe(self):
        return {"editor": "simulated", "embedder": "none", "distance": "mean", "region": False, "size": [3, 3]}

    def collect(self, keys, noise_keys, extra_keys):
        made = {"edits": keys, "noise_edits": noise_keys, "extra_edits": extra_keys}
        return {"image": None} | {name: [self.outcomes[k] for k in some] for name, some in made.items()}


def draw_explanation(number):
    rng = np.random.default_rng(number)
    k, seeds = int(rng.integers(1, 9)), int(rng.choice([1, 1, 1, 2, 4]))
    subject = Simulated(
        rng.choice(list(TRUTHS)), rng.choice([0.3, 0.3, 0.005]), rng.choice([0, 0.002, 0.03]), rng.random() < 0.6,
        rng.choice([0, 0, 0, 20]),
    )  # fmt: skip
    options = {"seed": int(rng.integers(100)), "seeds": seeds, "noise_seeds": int(rng.choice([0, 2, 4])), "permutations": 199}
    options |= {"locality": str(rng.choice(["words", "none"])), "alone": bool(rng.random() < 0.3)}
    if seeds == 1 and rng.random() < 0.2:
        options |= {"smallest_effect": 0.2}
    *_, last = explain_subject(subject, " ".join(f"w{i}" for i in range(k)), Options.of(options), Explanation)
    return last


def quoted(sentence):
    return set(re.findall("“([^”]*)”", sentence))


def check_rules(e):
    stars, k = e.significant, len(e.words)
    starred = {e.words[j] for j in np.flatnonzero(stars)}
    sentences, order = write_sentences(e), e.order_finding
    first = sentences[0]
    exact = e.untested == ENUMERATED
    assert not stars.any() or (e.beyond_noise and e.visible[stars].all())  # 1
    assert (np.abs(e.weights[stars]) >= LEAST_WEIGHT).all() if exact else (e.p_values_holm[stars] < 0.05).all()
    assert not e.untested or exact or not stars.any()
    known = np.isfinite(e.p_values)
    assert (e.p_values_holm[known] >= e.p_values[known]).all()  # 2
    known = np.isfinite(e.ci_low)
    assert (e.ci_low <= e.weights)[known].all() and (e.weights <= e.ci_high)[known].all()
    acting = first.partition("; for the other")[0].partition("; the largest weight")[0].partition("the largest weight")[0]
    assert quoted(acting) == starred  # 3
    within = not e.beyond_noise
    assert within == ("no word changed" in first or "made no difference:" in first) or np.isnan(e.weights).all()  # 4
    if within:
        assert not stars.any() and (e.places is None or not e.places.any()) and not order
    if e.places is not None:
        assert (e.places.any(axis=(1, 2)) == stars).all()  # 5
    if exact:
        assert "chance" not in first or within  # 6
        assert "may tell" not in first and "seeds" not in first
        size = np.abs(e.weights).round(9)
        seen = e.visible & e.moved
        assert all(len(set(stars[seen & (size == each)].tolist())) <= 1 for each in size)
    for clause in re.split(" and (?=“)|, ", first.partition(" pulled ")[0]) if " pulled " in first else ():
        for j in np.flatnonzero(stars):
            if f"“{e.words[j]}”" in clause:
                assert not e.ci_low[j] < 0 < e.ci_high[j], first  # 7
    if not stars.any():
        figures = [figure for entry in report_explanation(e) for figure in entry.figures]
        assert {figure.label for figure in figures if figure.holds is True} <= {"effective sample size"}  # 8
    size = np.abs(e.weights)
    if e.order:
        assert e.order == np.lexsort((np.arange(k), -size))[: len(e.order)].tolist()  # 9
    assert quoted(order) <= starred and bool(order) <= bool(starred)
    if e.undo:
        assert stars[e.undo].all()  # 10
        without = np.ones(k, bool)
        without[e.undo] = False
        rows, far = np.vstack([e.mask, e.extra_mask]), np.r_[e.distances_from_full, e.extra_distances]
        tried = far[(rows == without).all(axis=1)]
        tried = tried[np.isfinite(tried)]
        assert len(tried) and tried.min() >= UNDONE * np.nanmax(e.distances[e.blocks == 0]) * 0.5
    row = e.mask.sum(axis=1) == k - 1
    if row.any() and e.blocks.max() == 0:
        for i in np.flatnonzero(row & np.isfinite(e.responses)):
            assert e.alone[~e.mask[i]] == pytest.approx(e.responses[0] - e.responses[i])  # 11
    assert not e.settings["alone"] or e.failed or np.isfinite(e.alone).all()
    assert quoted(describe_alone(e)) <= starred
    assert [row[-1] == "★" for row in tabulate_words(e)] == stars.tolist()  # 12


@pytest.mark.parametrize("part", range(PARTS))
def test_the_rules_hold(part):
    for number in range(part, COUNT, PARTS):
        explanation = draw_explanation(number)
        try:
            check_rules(explanation)
        except AssertionError as error:
            raise AssertionError(f"configuration {number}: {explanation.finding}") from error
        if number % 50 == part:
            figure = plot_heatmap(explanation)
            grey = figure.data[0].colorscale[0][1] == f"rgb{GREY}" == figure.data[0].colorscale[-1][1]
            assert grey == (not explanation.beyond_noise)
            frames = [shape.line.color == "black" for shape in figure.layout.shapes]
            assert frames == explanation.significant.tolist()
