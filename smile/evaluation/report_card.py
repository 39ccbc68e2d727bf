"""The trust report: what `smile.evaluation.metrics` measured, each in one plain sentence, with figures and good values.

What a good value is, is a convention; so it has a source, and the numbers are there for those who have another one.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

from smile.evaluation import metrics

R2 = 0.5  # Golbraikh & Tropsha 2002
AGREEMENT = 0.75  # Fleiss 1981
STRONG = 0.7  # Dancey & Reidy 2007
AUROC = 0.8  # Hosmer, Lemeshow & Sturdivant 2013
BETTER = 0.95
ROUND_OFF = 1e-9


@dataclass(frozen=True)
class Figure:
    """One number, as it is to be read."""

    label: str
    value: float | None  # None where it is not defined
    text: str
    good: float | None = None  # the smallest good value, where there is a convention
    most: float = 1.0  # the end of its scale, which begins at 0

    @property
    def holds(self) -> bool | None:
        """Whether it is a good value; None where nobody can say."""
        return None if self.value is None or self.good is None else self.value >= self.good - ROUND_OFF


@dataclass(frozen=True)
class Trust:
    """One entry of the report."""

    name: str
    sentence: str
    figures: tuple[Figure, ...]  # the one to look at first
    good: str  # what would be a good value
    source: str  # and who says so
    numbers: dict = field(default_factory=dict)  # all that was measured, as `smile.evaluation.metrics` returned it

    def to_dict(self) -> dict:
        """Plain JSON values."""
        figures = [asdict(figure) | {"holds": figure.holds} for figure in self.figures]
        return asdict(self) | {"figures": figures}


def known(explanation, relevant=None) -> list[Trust]:
    """What can be said of an `Explanation` without another edit: fidelity, accuracy, design health, noise floor.

    relevant: (k,) for each word whether it should matter; without it, or before there are weights, there is no accuracy.
    """
    judged = [fidelity(explanation)]
    if relevant is not None and np.isfinite(explanation.weights).all():
        judged.append(accuracy(explanation, relevant))
    found = metrics.health(explanation)
    return [*judged, design_health(explanation, found), noise_floor(found)]


def fidelity(explanation) -> Trust:
    """How well single words foretell the edits."""
    found = {name: _finite(value) for name, value in explanation.fidelity.items()}
    left_out = found.get("R2_weighted_leave_one_out")
    if not found:
        sentence = "There are too few edits yet to tell how well the weights foretell them."
    elif found["R2_weighted"] is None:
        sentence = "All edits are alike, so there is nothing to foretell."
    elif left_out is None:
        sentence = "No edit can be left out of the fit, so nobody can tell how well the weights foretell it."
    elif left_out <= 0:
        sentence = "Each edit foretold from the others: the words, one by one, explain nothing of how the edits differ."
    else:
        share = f"{100 * left_out:.0f} %"
        sentence = f"Each edit foretold from the others: the words, one by one, explain {share} of how the edits differ."
    return Trust(
        "fidelity",
        sentence,
        (
            _figure("leave-one-out R²", left_out, R2),
            _figure("in-sample R², which flatters", found.get("R2_weighted")),
        ),
        f"{R2} or more, left out; necessary, not sufficient",
        "Golbraikh & Tropsha 2002",
        found,
    )


def accuracy(explanation, relevant) -> Trust:
    """Whether the words that should matter have the large weights. relevant: (k,) bool."""
    found = metrics.accuracy(explanation.weights, relevant)
    if found["auroc"] is None:
        sentence = "All words should matter, or none, so there is no contrast to measure."
    else:
        share = f"{100 * found['auroc']:.0f} %"
        sentence = f"Put beside a word that should not matter, one that should has the larger weight in {share} of the pairs."
    return Trust(
        "accuracy",
        sentence,
        (_figure("AUROC", found["auroc"], AUROC), _figure("F1", found["f1"]), _figure("accuracy", found["accuracy"])),
        f"AUROC of {AUROC} or more, called excellent; 0.9, called outstanding; 0.5 is chance",
        "Hosmer, Lemeshow & Sturdivant 2013, section 5.2.4",
        found | {"relevant": [bool(each) for each in relevant]},
    )


def design_health(explanation, found: dict) -> Trust:
    """What the edits can carry; `found` by `metrics.health`."""
    mixed = [f"“{word}”" for word, apart in zip(explanation.words, found["estimable"], strict=True) if not apart]
    apart = f"{', '.join(mixed)} cannot be told apart from other words" if mixed else "every word is told apart from the others"
    failed = f"; {found['failed']} failed or were blocked" if found["failed"] else ""
    size, edits = found["effective_sample_size"], found["edits"]
    return Trust(
        "design health",
        f"{_count(edits, 'edit')} of {_count(found['texts'], 'text')} weigh as much as {size:.1f} equal ones; {apart}{failed}.",
        (
            Figure("effective sample size", size, f"{size:.1f} of {edits}", edits / 2, edits),
            Figure("failed edits", float(found["failed"]), str(found["failed"])),
        ),
        "at least half of the edits, and every word told apart",
        "Kish 1965; half is our rule, and the automatic width keeps nine tenths",
        found,
    )


def noise_floor(found: dict) -> Trust:
    """Whether there is more than noise to explain; `found` by `metrics.health`."""
    times, floor = found["times_noise"], found["noise_floor"]
    if floor is None:
        sentence = "It is not known how far another seed alone moves the result: no noise seeds were run yet."
    elif times is None:
        sentence = "Another seed alone does not move the result, so all that moved is the words'."
    else:
        sentence = f"The farthest edit moved {times:.1f} times as far as another seed alone moves the result on average."
    return Trust(
        "noise floor",
        sentence,
        (
            Figure("farthest edit", times, "–" if times is None else f"{times:.1f} ×", 1.0, max(times or 0, 2.0)),
            Figure("noise floor", floor, "–" if floor is None else f"{floor:.3g}"),
        ),
        "more than 1; the further above, the more there is to explain",
        "the full edit under other seeds, as in Davison & Hinkley 1997, eq. 4.11",
        {name: found[name] for name in ("noise_floor", "farthest", "times_noise")},
    )


def stability(found: dict) -> Trust:
    """Whether words that say nothing change nothing; `found` by `metrics.stability`."""
    tried = len(found["insertions"])
    said = [f"the weights overlap by {100 * found['ruzicka']:.0f} %"] if found["ruzicka"] is not None else []
    if found["jaccard"] is None:
        said.append("no word is significant, with or without it")
    else:
        said.append(f"the significant words by {100 * found['jaccard']:.0f} %")
    return Trust(
        "stability",
        f"With a word put in that says nothing ({_count(tried, 'time')}), {', '.join(said)}.",
        (
            _figure("overlap of weights (Ruzicka)", found["ruzicka"], AGREEMENT),
            _figure("of significant words (Jaccard)", found["jaccard"], AGREEMENT),
            _figure("rank correlation", found["rank_correlation"], STRONG),
        ),
        f"{AGREEMENT} or more, called excellent agreement; of ranks {STRONG} or more, called strong",
        "Fleiss 1981; Dancey & Reidy 2007; the Jaccard index as in arXiv 2412.16277",
        found,
    )


def consistency(words: list[str], found: dict) -> Trust:
    """Whether repeats agree. `found` has metrics.consistency's results: "seeds" under other seeds, each with its own draw of
    the design, and "designs" under another kind of design; None where there is none.
    """
    seeds, designs = found["seeds"], found["designs"]
    said = []
    if seeds:
        top = words[int(np.argmax(seeds["top_1"]))]
        times = round(seeds["top_1_frequency"] * seeds["explanations"])
        said.append(
            f"repeated under other seeds, “{top}” is the heaviest word in {times} of {seeds['explanations']} explanations, and "
            f"a weight differs by {seeds['mean_standard_deviation']:.2f} on average"
        )
    if designs:
        said.append(f"with words left out in another way a weight differs by {designs['mean_standard_deviation']:.2f}")
    sentence = "; ".join(said)
    return Trust(
        "consistency",
        f"{sentence[0].upper()}{sentence[1:]}.",
        (
            _figure("rank correlation, seeds", seeds["rank_correlation"] if seeds else None, STRONG),
            _figure("same heaviest word", seeds["top_1_frequency"] if seeds else None),
            _figure("spread of a weight", seeds["mean_standard_deviation"] if seeds else None),
            _figure("rank correlation, designs", designs["rank_correlation"] if designs else None, STRONG),
        ),
        f"ranks that correlate by {STRONG} or more (among words that do nothing they are chance); a small spread",
        "Dancey & Reidy 2007; repeats as in Visani et al. 2022",
        found,
    )


def faithfulness(found: dict) -> Trust:
    """Whether leaving words out does what the weights say; `found` by `metrics.faithfulness`."""
    gain, better = found["area_between"], found["better_than_random"]
    if better >= 1 / 2 and gain > 0:
        sentence = f"sooner than in {100 * better:.0f} % of {found['orders']} random orders"
    else:
        sentence = f"no sooner than in random orders (sooner than in {100 * better:.0f} % of {found['orders']})"
    return Trust(
        "faithfulness",
        f"Left out one after another, the heaviest first, and put back so, the words move the result {sentence}.",
        (
            _figure("better than random orders", better, BETTER),
            _figure("area between, deletion", found["deletion"]),
            _figure("area between, insertion", found["insertion"]),
        ),
        f"areas above 0, and better than {100 * BETTER:.0f} % of random orders; 50 % is chance",
        "Petsiuk, Das & Saenko 2018; random orders as in Samek et al. 2017",
        found,
    )


def unknown(name: str, why: str) -> Trust:
    """An entry that could not be measured; `why` is a sentence."""
    return Trust(name, f"It could not be measured: {why}", (), "", "")


def report(explanation, entries: list[Trust], labels=None, further_edits: int = 0) -> dict:
    """What trust.json holds, plain values: the entries, and on what they rest.

    labels: `smile.evaluation.relevance.Labels` behind the accuracy; further_edits: made beyond those of the explanation.
    """
    return {
        "instruction": explanation.instruction,
        "words": explanation.words,
        "relevant": None if labels is None else labels._asdict(),
        "further_edits": further_edits,
        "report": [entry.to_dict() for entry in entries],
    }


def _figure(label: str, value: float | None, good: float | None = None) -> Figure:
    return Figure(label, value, "–" if value is None else f"{value:.2f}", good)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
