"""The trust report: what `smile.evaluation.metrics` measured, each in one plain sentence, with figures and good values.

What counts as a good value is a convention, so every entry names its source; all numbers are there for other conventions.
"""

from typing import Any

import numpy as np

from smile.evaluation import metrics
from smile.evaluation.relevance import Labels
from smile.report.numbers import finite_or_none
from smile.report.protocols import ExplanationLike
from smile.report.trust_html import Figure, TrustEntry

R2 = 0.5  # Golbraikh & Tropsha 2002
AGREEMENT = 0.75  # Fleiss 1981
STRONG = 0.7  # Dancey & Reidy 2007
AUROC = 0.8  # Hosmer, Lemeshow & Sturdivant 2013
BETTER = 0.95


def report_explanation(explanation: ExplanationLike, relevant=None) -> list[TrustEntry]:
    """What can be said of an explanation without another edit: fidelity, accuracy, design health, noise floor.

    relevant: (k,) for each word whether it should matter; without it, or before there are weights, there is no accuracy.
    """
    entries = [report_fidelity(explanation)]
    if relevant is not None and np.isfinite(explanation.weights).all():
        entries.append(report_accuracy(explanation, relevant))
    health = metrics.design_health(explanation)
    return [*entries, report_design_health(explanation, health), report_noise_floor(health)]


def report_fidelity(explanation: ExplanationLike) -> TrustEntry:
    """How well single words predict the edits."""
    values = {name: finite_or_none(value) for name, value in explanation.fidelity.items()}
    left_out = values.get("R2_weighted_leave_one_out")
    if not values:
        sentence = "There are too few edits yet to tell how well the weights foretell them."
    elif values["R2_weighted"] is None:
        sentence = "All edits are alike, so there is nothing to foretell."
    elif left_out is None:
        sentence = "No edit can be left out of the fit, so nobody can tell how well the weights foretell it."
    elif left_out <= 0:
        sentence = "Each edit foretold from the others: the words, one by one, explain nothing of how the edits differ."
    else:
        share = f"{100 * left_out:.0f} %"
        sentence = f"Each edit foretold from the others: the words, one by one, explain {share} of how the edits differ."
    return TrustEntry(
        "fidelity",
        sentence,
        (
            _format_figure("leave-one-out R²", left_out, R2),
            _format_figure("in-sample R², which flatters", values.get("R2_weighted")),
        ),
        f"{R2} or more, left out; necessary, not sufficient",
        "Golbraikh & Tropsha 2002",
        values,
    )


def report_accuracy(explanation: ExplanationLike, relevant) -> TrustEntry:
    """Whether the words that should matter have the large weights. relevant: (k,) bool."""
    values = metrics.accuracy(explanation.weights, relevant)
    if values["auroc"] is None:
        sentence = "All words should matter, or none, so there is no contrast to measure."
    else:
        share = f"{100 * values['auroc']:.0f} %"
        sentence = f"Put beside a word that should not matter, one that should has the larger weight in {share} of the pairs."
    return TrustEntry(
        "accuracy",
        sentence,
        (
            _format_figure("AUROC", values["auroc"], AUROC),
            _format_figure("F1", values["f1"]),
            _format_figure("accuracy", values["accuracy"]),
        ),
        f"AUROC of {AUROC} or more, called excellent; 0.9, called outstanding; 0.5 is chance",
        "Hosmer, Lemeshow & Sturdivant 2013, section 5.2.4",
        values | {"relevant": [bool(each) for each in relevant]},
    )


def report_design_health(explanation: ExplanationLike, values: dict) -> TrustEntry:
    """What the edits can carry; `values` by `metrics.design_health`."""
    mixed = [f"“{word}”" for word, apart in zip(explanation.words, values["estimable"], strict=True) if not apart]
    apart = f"{', '.join(mixed)} cannot be told apart from other words" if mixed else "every word is told apart from the others"
    failed = f"; {values['failed']} failed or were blocked" if values["failed"] else ""
    size, edits, texts = values["effective_sample_size"], values["edits"], _count(values["texts"], "text")
    return TrustEntry(
        "design health",
        f"{_count(edits, 'edit')} of {texts} weigh as much as {size:.1f} equal ones; {apart}{failed}.",
        (
            Figure("effective sample size", size, f"{size:.1f} of {edits}", edits / 2, edits),
            Figure("failed edits", float(values["failed"]), str(values["failed"])),
        ),
        "at least half of the edits, and every word told apart",
        "Kish 1965; half is our rule, and the automatic width keeps nine tenths",
        values,
    )


def report_noise_floor(values: dict) -> TrustEntry:
    """Whether there is more than noise to explain; `values` by `metrics.design_health`."""
    times, floor, beyond = values["times_noise"], values["noise_floor"], values["beyond_noise"]
    if not values["moved"]:
        sentence = "No edit moved farther than another seed alone moves the result."
    elif not beyond:
        sentence = "No word changed anything that one can see."
    elif floor is None:
        sentence = "It is not known how far another seed alone moves the result: no noise seeds were run yet."
    elif times is None:
        sentence = "Another seed alone does not move the result, so all that moved is the words'."
    else:
        sentence = f"The farthest edit moved {times:.1f} times as far as another seed alone moves the result on average."
    unknown = beyond and floor is None
    return TrustEntry(
        "noise floor",
        sentence,
        (
            Figure("beyond noise", None if unknown else float(beyond), "–" if unknown else "yes" if beyond else "no", 1.0),
            Figure("farthest edit", times, "–" if times is None else f"{times:.1f} ×"),
            Figure("noise floor", floor, "–" if floor is None else f"{floor:.3g}"),
        ),
        "an edit that moved farther than every other seed moves it, and a word that can be seen to act",
        "the full edit under other seeds, as in Davison & Hinkley 1997, eq. 4.11; 4 of 255 levels, our rule",
        {name: values[name] for name in ("noise_floor", "farthest", "times_noise", "moved", "beyond_noise")},
    )


def report_stability(values: dict) -> TrustEntry:
    """Whether words that say nothing change nothing; `values` by `metrics.stability`."""
    tried = len(values["insertions"])
    said = [f"the weights overlap by {100 * values['ruzicka']:.0f} %"] if values["ruzicka"] is not None else []
    if values["jaccard"] is None:
        said.append("no word is significant, with or without it")
    else:
        said.append(f"the significant words by {100 * values['jaccard']:.0f} %")
    return TrustEntry(
        "stability",
        f"With a word put in that says nothing ({_count(tried, 'time')}), {', '.join(said)}.",
        (
            _format_figure("overlap of weights (Ruzicka)", values["ruzicka"], AGREEMENT),
            _format_figure("of significant words (Jaccard)", values["jaccard"], AGREEMENT),
            _format_figure("rank correlation", values["rank_correlation"], STRONG),
        ),
        f"{AGREEMENT} or more, called excellent agreement; of ranks {STRONG} or more, called strong",
        "Fleiss 1981; Dancey & Reidy 2007; the Jaccard index as in arXiv 2412.16277",
        values,
    )


def report_consistency(words: list[str], values: dict) -> TrustEntry:
    """Whether repeats agree. `values` has metrics.consistency's results: "seeds" under other seeds, each with its own draw of
    the design, and "designs" under another kind of design; None where there is none.
    """
    seeds, designs = values["seeds"], values["designs"]
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
    return TrustEntry(
        "consistency",
        f"{sentence[0].upper()}{sentence[1:]}.",
        (
            _format_figure("rank correlation, seeds", seeds["rank_correlation"] if seeds else None, STRONG),
            _format_figure("same heaviest word", seeds["top_1_frequency"] if seeds else None),
            _format_figure("spread of a weight", seeds["mean_standard_deviation"] if seeds else None),
            _format_figure("rank correlation, designs", designs["rank_correlation"] if designs else None, STRONG),
        ),
        f"ranks that correlate by {STRONG} or more (among words that do nothing they are chance); a small spread",
        "Dancey & Reidy 2007; repeats as in Visani et al. 2022",
        values,
    )


def report_faithfulness(values: dict) -> TrustEntry:
    """Whether leaving words out does what the weights say; `values` by `metrics.faithfulness`."""
    gain, better = values["area_between"], values["better_than_random"]
    if better >= 1 / 2 and gain > 0:
        sentence = f"sooner than in {100 * better:.0f} % of {values['orders']} random orders"
    else:
        sentence = f"no sooner than in random orders (sooner than in {100 * better:.0f} % of {values['orders']})"
    return TrustEntry(
        "faithfulness",
        f"Left out one after another, the heaviest first, and put back so, the words move the result {sentence}.",
        (
            _format_figure("better than random orders", better, BETTER),
            _format_figure("area between, deletion", values["deletion"]),
            _format_figure("area between, insertion", values["insertion"]),
        ),
        f"areas above 0, and better than {100 * BETTER:.0f} % of random orders; 50 % is chance",
        "Petsiuk, Das & Saenko 2018; random orders as in Samek et al. 2017",
        values,
    )


def report_failure(name: str, reason: str) -> TrustEntry:
    """An entry that could not be measured; `reason` is a sentence."""
    return TrustEntry(name, f"It could not be measured: {reason}", (), "", "")


def build_report(
    explanation: ExplanationLike, entries: list[TrustEntry], labels: Labels | None = None, further_edits: int = 0
) -> dict[str, Any]:
    """What trust.json holds, plain values: the entries, and what they rest on.

    labels: those behind the accuracy; further_edits: how many were made beyond those of the explanation.
    """
    return {
        "instruction": explanation.instruction,
        "words": explanation.words,
        "relevant": None if labels is None else labels._asdict(),
        "further_edits": further_edits,
        "report": [entry.to_dict() for entry in entries],
    }


def _format_figure(label: str, value: float | None, good: float | None = None) -> Figure:
    return Figure(label, value, "–" if value is None else f"{value:.2f}", good)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
