"""The trust report: what `smile.evaluation.metrics` measured, each in one plain sentence, with figures and good values.

What counts as a good value is a convention, so every entry names its source; all numbers are there for other conventions.
Where no word of an explanation has a star, nothing of what it says is marked as good, whatever its figures are: stars come
to noise in at most one explanation of twenty, while orders and overlaps of a few words come to it often. What falls short is
marked as such in any case.
"""

from typing import Any

import numpy as np

from smile.evaluation import metrics
from smile.evaluation.relevance import Labels
from smile.report.numbers import finite_or_none
from smile.report.protocols import NumbersLike
from smile.report.trust_html import Figure, TrustEntry

R2 = 0.5  # Golbraikh & Tropsha 2002
AGREEMENT = 0.75  # Fleiss 1981, of agreement beyond chance
AUROC = 0.8  # Hosmer, Lemeshow & Sturdivant 2013
BETTER = 0.95
ROUND_OFF = 1e-9


def report_explanation(explanation: NumbersLike, relevant=None) -> list[TrustEntry]:
    """What can be said of an explanation without another edit: fidelity, accuracy, design health, noise floor.

    relevant: (k,) for each word whether it should matter; without it, or before there are weights, there is no accuracy.
    """
    entries = [report_fidelity(explanation)]
    if relevant is not None and np.isfinite(explanation.weights).all():
        entries.append(report_accuracy(explanation, relevant))
    health = metrics.design_health(explanation)
    return [*entries, report_design_health(explanation, health), report_noise_floor(explanation, health)]


def report_fidelity(explanation: NumbersLike) -> TrustEntry:
    """How well single words predict the edits."""
    values = {name: finite_or_none(value) for name, value in explanation.fidelity.items()}
    left_out, enumerated = values.get("R2_weighted_leave_one_out"), _is_enumerated(explanation)
    if not values:
        sentence = detail = "There are too few edits yet to tell how well the words foretell them."
    elif values["R2_weighted"] is None:
        sentence = detail = "All edits are alike, so there is nothing to foretell."
    elif left_out is None:
        sentence = detail = "No edit can be spared, so nobody can tell how well the words foretell it from the others."
    else:
        how = "explain nothing" if left_out <= 0 else f"explain {100 * left_out:.0f} %"
        detail = f"Each edit foretold from the others: the words, one by one, {how} of how the edits differ."
        if enumerated:
            sentence = "Every combination of the words was edited, so nothing is left to foretell."
        elif left_out >= R2:
            sentence = "What the words do, one by one, foretells well how edits turn out that are not known yet."
        elif left_out > 0:
            sentence = "What the words do, one by one, foretells only in part how an edit turns out."
        else:
            sentence = "What the words do, one by one, does not foretell how an edit turns out."
    return TrustEntry(
        "fidelity",
        sentence,
        detail,
        (
            _format_figure("leave-one-out R²", left_out, None if enumerated else R2, _has_star(explanation)),
            _format_figure("in-sample R², which flatters", values.get("R2_weighted")),
        ),
        f"{R2} or more, left out; necessary, not sufficient; no mark where all combinations are edited",
        "Golbraikh & Tropsha 2002",
        values,
    )


def report_accuracy(explanation: NumbersLike, relevant) -> TrustEntry:
    """Whether the words that should matter have the large weights. relevant: (k,) bool."""
    values = metrics.accuracy(explanation.weights, relevant)
    auroc = values["auroc"]
    if auroc is None:
        sentence = detail = "All words should matter, or none, so there is no contrast to measure."
    else:
        share = f"{100 * auroc:.0f} %"
        detail = f"Put beside a word that should not matter, one that should has the larger weight in {share} of the pairs."
        if auroc < AUROC:
            sentence = "Words that should not matter come out as strong as words that should."
        elif _has_star(explanation):
            sentence = "The words that should matter are the ones that come out strongest."
        else:
            sentence = "The words that should matter are in front, but none of them stands out from chance."
    return TrustEntry(
        "accuracy",
        sentence,
        detail,
        (
            _format_figure("AUROC", auroc, AUROC, _has_star(explanation)),
            _format_figure("F1", values["f1"]),
            _format_figure("accuracy", values["accuracy"]),
        ),
        f"AUROC of {AUROC} or more, called excellent, with a star; 0.9, called outstanding; 0.5 is chance",
        "Hosmer, Lemeshow & Sturdivant 2013, section 5.2.4",
        values | {"relevant": [bool(each) for each in relevant]},
    )


def report_design_health(explanation: NumbersLike, values: dict) -> TrustEntry:
    """What the edits can carry; `values` by `metrics.design_health`."""
    mixed = [f"“{word}”" for word, apart in zip(explanation.words, values["estimable"], strict=True) if not apart]
    apart = f"{', '.join(mixed)} cannot be told apart from other words" if mixed else "every word is told apart from the others"
    failed = f"; {values['failed']} failed or were blocked" if values["failed"] else ""
    size, edits, texts = values["effective_sample_size"], values["edits"], _count(values["texts"], "text")
    if mixed:
        sentence = f"From these edits {apart}."
    elif size < edits / 2 - ROUND_OFF:
        sentence = "Every word is told apart from the others, but only a small part of the edits counts."
    else:
        sentence = "The edits that were made tell every word apart from the others."
    return TrustEntry(
        "design health",
        sentence,
        f"{_count(edits, 'edit')} of {texts} weigh as much as {size:.1f} equal ones; {apart}{failed}.",
        (
            Figure(
                "effective sample size",
                size,
                f"{size:.1f} of {edits}",
                edits / 2,
                edits,
                holds=not mixed and size >= edits / 2 - ROUND_OFF,
            ),
            Figure("failed edits", float(values["failed"]), str(values["failed"])),
        ),
        "at least half of the edits, and every word told apart",
        "Kish 1965; half is our rule, and the automatic width keeps nine tenths",
        values,
    )


def report_noise_floor(explanation: NumbersLike, values: dict) -> TrustEntry:
    """Whether there is more than noise to explain; `values` by `metrics.design_health`."""
    times, floor, beyond = values["times_noise"], values["noise_floor"], values["beyond_noise"]
    unknown, star = beyond and floor is None, _has_star(explanation)
    if not values["moved"]:
        sentence = "Chance alone moves the picture as far as leaving words out does, so there is nothing to explain."
        detail = "No edit moved farther than another seed alone moves the result."
    elif not beyond:
        sentence = "What the words change in the picture is too little to be seen."
        detail = "No word changed any place by 4 of 255 levels."
    elif unknown:
        sentence = "Nobody has looked yet how far chance alone moves the picture."
        detail = "It is not known how far another seed alone moves the result: no noise seeds were run yet."
    elif star:
        sentence = "Leaving words out moves the picture farther than chance does."
        detail = "Another seed alone does not move the result, so all that moved is the words'."
    else:
        sentence = "Some edits lie farther away than chance alone takes them, but no single word stands out."
        detail = "Another seed alone does not move the result, and no word has a star."
    if beyond and times is not None:
        farthest = f"{values['farthest'] / values['farthest_noise']:.1f} times as far as the farthest of them"
        detail = f"The farthest edit moved {times:.1f} times as far as another seed does on average, {farthest}."
    holds = False if not beyond else True if star and not unknown else None
    return TrustEntry(
        "noise floor",
        sentence,
        detail,
        (
            Figure(
                "beyond noise", None if unknown else float(beyond), "–" if unknown else "yes" if beyond else "no", holds=holds
            ),
            Figure("farthest edit", times, "–" if times is None else f"{times:.1f} ×"),
            _format_distance("farthest other seed", values["farthest_noise"]),
            _format_distance("noise floor, the mean of other seeds", floor),
        ),
        "an edit that moved farther than every other seed moves it, and a word with a star, which can be seen to act",
        "the full edit under other seeds, as in Davison & Hinkley 1997, eq. 4.11; 4 of 255 levels, our rule",
        {name: values[name] for name in ("noise_floor", "farthest_noise", "farthest", "times_noise", "moved", "beyond_noise")},
    )


def report_stability(explanation: NumbersLike, values: dict) -> TrustEntry:
    """Whether words that say nothing change nothing; `values` by `metrics.stability`."""
    tried, agreement, star = len(values["insertions"]), values["concordance"], _has_star(explanation)
    jaccard = values["jaccard"] if values["significant"] else None
    if jaccard is None:
        sentence = "No word stands out, with or without a further word that says nothing, so no answer could change."
        stars = "no word has a star, with or without it"
    else:
        same = min(jaccard, 1 if agreement is None else agreement) >= AGREEMENT - ROUND_OFF
        sentence = f"Put in a word that says nothing, and the answer {'stays the same' if same else 'becomes another one'}."
        stars = f"the words with a star by {100 * jaccard:.0f} %"
    return TrustEntry(
        "stability",
        sentence,
        f"With a word put in that says nothing ({_count(tried, 'time')}), the weights overlap by "
        f"{100 * values['ruzicka']:.0f} %; {stars}.",
        (
            _format_figure("agreement of weights (Lin)", agreement, None if jaccard is None else AGREEMENT, star),
            _format_figure("words with a star (Jaccard)", jaccard, AGREEMENT, star),
            _format_figure("overlap of weights (Ruzicka)", values["ruzicka"]),
            _format_figure("rank correlation", values["rank_correlation"]),
        ),
        f"{AGREEMENT} or more, called excellent agreement, where a word has a star; words without may be in any order",
        "Fleiss 1981; Lin 1989; the Jaccard index as in arXiv 2412.16277",
        values,
    )


def report_consistency(explanation: NumbersLike, values: dict) -> TrustEntry:
    """Whether repeats agree. `values` has metrics.consistency's results: "seeds" under other seeds, each with its own draw of
    the design, and "designs" under another kind of design; None where there is none.
    """
    seeds, designs, words = values["seeds"], values["designs"], explanation.words
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
    detail = "; ".join(said)
    alike = {name: each and each["concordance"] for name, each in values.items()}
    some = any(each and each["significant"] for each in values.values())
    if not some:
        sentence = "No word stands out, however often one asks, so no answer could change."
    elif all(each is None or each >= AGREEMENT - ROUND_OFF for each in alike.values()):
        sentence = "Asked again in another way, the answer is the same."
    else:
        sentence = "Asked again in another way, the answer becomes another one."
    good = AGREEMENT if some else None
    return TrustEntry(
        "consistency",
        sentence,
        f"{detail[0].upper()}{detail[1:]}.",
        (
            _format_figure("agreement of weights, seeds (Lin)", alike["seeds"], good, _has_star(explanation)),
            _format_figure("agreement of weights, designs (Lin)", alike["designs"], good, _has_star(explanation)),
            _format_figure("rank correlation, seeds", seeds["rank_correlation"] if seeds else None),
            _format_figure("same heaviest word", seeds["top_1_frequency"] if seeds else None),
            _format_figure("spread of a weight", seeds["mean_standard_deviation"] if seeds else None),
            _format_figure("rank correlation, designs", designs["rank_correlation"] if designs else None),
        ),
        f"{AGREEMENT} or more, called excellent agreement, where a word has a star; a small spread",
        "Fleiss 1981; Lin 1989; repeats as in Visani et al. 2022",
        values,
    )


def report_faithfulness(explanation: NumbersLike, values: dict) -> TrustEntry:
    """Whether leaving words out does what the weights say; `values` by `metrics.faithfulness`.

    An order is good where it does better than 95 % of all orders. With few words, or few that act, many orders do the same,
    so that no order could; there it is good where none does better.
    """
    better, count, star = values["better_than_random"], values["orders"], _has_star(explanation)
    enough = min(BETTER, values["attainable"]) if values["attainable"] > 0 else None
    against = f"all {count} other orders" if len(explanation.words) <= metrics.FEW_WORDS else f"{count} random orders"
    if enough is None:
        how = "as soon as in any other order"
        sentence = "In whichever order the words are left out, the picture changes alike, so no order can be judged."
    elif better >= enough - ROUND_OFF:
        how = f"sooner than in {100 * better:.0f} % of the orders, itself and {against}"
        how += "" if better >= BETTER - ROUND_OFF else ", and none does better"
        if not star:
            sentence = "The order of the words fits the edits, but no word stands out from chance."
        elif better >= BETTER - ROUND_OFF:
            sentence = "Leaving out the strongest words first undoes the change sooner than almost any other order does."
        else:
            sentence = "Leaving out the strongest words first undoes the change as soon as any order of the words can."
    else:
        how = f"sooner than in only {100 * better:.0f} % of the orders, itself and {against}"
        sentence = "Leaving out the strongest words first undoes the change no sooner than other orders do."
    return TrustEntry(
        "faithfulness",
        sentence,
        f"Left out one after another, the heaviest first, and put back so, the words move the result {how}.",
        (
            _format_figure("better than other orders", better, enough, star),
            _format_figure("p-value of the order", values["p_value"]),
            _format_figure("area between, deletion", values["deletion"]),
            _format_figure("area between, insertion", values["insertion"]),
        ),
        f"areas above 0, and better than {100 * BETTER:.0f} % of the orders or, where so many do as well that none can be, no "
        "order better by a tenth; 50 % is chance",
        "Petsiuk, Das & Saenko 2018; random orders as in Samek et al. 2017; Phipson & Smyth 2010",
        values,
    )


def report_failure(name: str, reason: str) -> TrustEntry:
    """An entry that could not be measured; `reason` is a sentence."""
    return TrustEntry(name, f"It could not be measured: {reason}", "", (), "", "")


def build_report(
    explanation: NumbersLike, entries: list[TrustEntry], labels: Labels | None = None, further_edits: int = 0
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


def _format_figure(label: str, value: float | None, good: float | None = None, star: bool = False) -> Figure:
    """A number and its mark; without a star there is none for a good value."""
    reached = None if value is None or good is None else value >= good - ROUND_OFF
    return Figure(label, value, "–" if value is None else f"{value:.2f}", good, holds=None if reached and not star else reached)


def _format_distance(label: str, value: float | None) -> Figure:
    return Figure(label, value, "–" if value is None else f"{value:.3g}")


def _has_star(explanation: NumbersLike) -> bool:
    return bool(explanation.significant.any())


def _is_enumerated(explanation: NumbersLike) -> bool:
    """Whether all combinations of the words were edited, so that no edit is left to foretell."""
    usable = np.isfinite(explanation.distances)
    return len(np.unique(explanation.mask[usable], axis=0)) == 2.0 ** len(explanation.words)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
