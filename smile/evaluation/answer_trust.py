"""How far to believe an explanation of an answer: whether the weights foretell prompts that were not in the fit, and whether
leaving out the heaviest words does most.

- LDS, the linear datamodeling score (Park et al. 2023; ContextCite, Cohen-Wang et al. 2024): Spearman's correlation between
  what the weights foretell and what is measured, over held-out prompts in which each unit is kept with probability 1/2.
- drop: how much the log-likelihood of the answer falls when the heaviest units are left out, beside random units.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from smile.errors import InputError
from smile.evaluation import report_card
from smile.evaluation.relevance import Labels
from smile.explanation import AnswerExplanation
from smile.method.likelihood import measure_likelihood
from smile.method.prompts import split_again
from smile.models import protocols
from smile.models.language_models import ensure_language_model
from smile.report.trust_html import Figure, TrustEntry

HELD_OUT = 64  # prompts
MOST_LEFT_OUT = 5  # units of the drop curve
RANDOM = 10  # choices of units beside the heaviest
LDS = 0.8  # our rule
BATCH = 16
LEAST = 1e-12  # likelihood
WORDING = (("was edited", "was asked"), ("are edited", "are asked"), ("edit", "answer"), ("the picture", "the answer"))


class Measured(NamedTuple):
    """What is measured so far."""

    done: int  # further prompts scored, of
    total: int
    entries: dict[str, TrustEntry]


def report_answer(explanation: AnswerExplanation, labels: Labels | None = None) -> list[TrustEntry]:
    """What can be said without asking the model again: fidelity, accuracy where it is known which words should matter, design
    and noise floor."""
    entries = report_card.report_explanation(explanation, None if labels is None else labels.relevant)
    if explanation.log_probs is not None:  # how likely a given answer is, no seed changes
        entries = [entry for entry in entries if entry.name != "noise floor"]
    return [_reword(entry) for entry in entries]


def measure_answer_trust(explanation: AnswerExplanation, language_model: Any) -> Generator[Measured, None, None]:
    """Score held-out prompts and those without the heaviest units; yield after each batch. Close to stop.

    Raises InputError where the explanation has no weights, the model gives no probabilities, or is not the one that made it.
    """
    e, model = explanation, ensure_language_model(language_model)
    if not np.isfinite(e.weights).all():
        raise InputError("This explanation has no weights yet, so there is nothing to measure; let it run to its end.")
    if e.log_probs is None or not callable(getattr(model, "score", None)):
        raise InputError("Only models that say how likely an answer is can be measured; this one only writes.")
    made_by, given = e.settings["language_model"], protocols.describe_language_model(model)["language_model"]
    if made_by != given:
        raise InputError(f"This explanation was made with {made_by}; measuring with {given} would say nothing about it.")
    held_out, dropped = plan_prompts(e)
    units = split_again(e.instruction, e.settings)
    texts = [units.perturb(row) for row in [*held_out, *dropped]]
    found: list[float] = []
    for start in range(0, len(texts), BATCH):
        rows = protocols.score_checked(model, texts[start : start + BATCH], e.answer)
        found += measure_likelihood(rows).tolist()
        yield Measured(len(found), len(texts), {})
    shares = np.array(found)
    entries = {"foresight": _report_lds(e, held_out, shares[: len(held_out)])}
    entries["drop"] = _report_drop(e, dropped, shares[len(held_out) :])
    yield Measured(len(texts), len(texts), entries)


def plan_prompts(e: AnswerExplanation) -> tuple[np.ndarray, np.ndarray]:
    """(held-out rows (64, k), rows of the drop (1 + n (1 + 10), k)): all units; then for each number of units left out the
    heaviest ones, and as many at random."""
    k, rng = len(e.words), np.random.default_rng([e.settings["seed"], 1])
    held_out = rng.random((HELD_OUT, k)) < 0.5
    order, rows = np.argsort(-e.weights, kind="stable"), [np.ones(k, bool)]
    for count in range(1, min(MOST_LEFT_OUT, k) + 1):
        for chosen in (order[:count], *(rng.permutation(k)[:count] for _ in range(RANDOM))):
            row = np.ones(k, bool)
            row[chosen] = False
            rows.append(row)
    return held_out, np.array(rows)


def measure_lds(weights, held_out, shares) -> float | None:
    """Spearman's correlation between foretold and measured likelihoods (n,); None where either is constant."""
    foretold = np.asarray(held_out, float) @ np.asarray(weights, float)
    return float(spearmanr(foretold, shares).statistic) if np.ptp(foretold) > 0 and np.ptp(shares) > 0 else None


def _reword(entry: TrustEntry) -> TrustEntry:
    """The entry with what an answer calls what a picture calls an edit."""

    def say(text: str) -> str:
        for one, other in WORDING:
            text = text.replace(one, other)
        return text

    figures = tuple(replace(figure, label=say(figure.label), text=say(figure.text)) for figure in entry.figures)
    return replace(entry, sentence=say(entry.sentence), detail=say(entry.detail), good=say(entry.good), figures=figures)


def _report_lds(e: AnswerExplanation, held_out, shares) -> TrustEntry:
    lds = measure_lds(e.weights, held_out, shares)
    known = e.beyond_noise
    if lds is None:
        sentence = "Other prompts make the answer as likely as this one, so there is nothing to foretell."
    elif lds >= LDS:
        sentence = "The weights foretell well how likely the answer stays for prompts that were not asked before."
    else:
        sentence = "The weights foretell only in part how likely the answer stays for prompts that were not asked before."
    holds = None if lds is None or (lds >= LDS and not known) else lds >= LDS
    figure = Figure("rank correlation (LDS)", lds, "–" if lds is None else f"{lds:.2f}", LDS, holds=holds)
    detail = f"Over {HELD_OUT} prompts in which each unit is kept by the toss of a coin."
    return TrustEntry("foresight", sentence, detail, (figure,), f"{LDS} or more, our rule", "Park et al. 2023", {"lds": lds})


def _report_drop(e: AnswerExplanation, rows, shares) -> TrustEntry:
    fall = np.log(max(shares[0], LEAST)) - np.log(np.maximum(shares[1:], LEAST)).reshape(-1, 1 + RANDOM)
    own, random = fall[:, 0], fall[:, 1:].mean(axis=1)
    at = min(3, len(own)) - 1
    better = bool(own[at] > fall[at, 1:].max())
    count = f"{at + 1} heaviest units" if at else "heaviest unit"
    if better:
        sentence = "Leaving out the heaviest words undoes the answer more than leaving out any others that were tried."
    else:
        sentence = "Leaving out other words undoes the answer as much as leaving out the heaviest."
    detail = f"Without the {count} a token is {own[at]:.2f} nat less likely, without as many random ones {random[at]:.2f}."
    holds = None if better and not e.beyond_noise else better
    figures = (
        Figure(f"drop without the {count}", float(own[at]), f"{own[at]:.2f} nat", holds=holds),
        Figure("drop without random ones", float(random[at]), f"{random[at]:.2f} nat"),
    )
    numbers = {"drop": own.tolist(), "random_drop": random.tolist()}
    return TrustEntry(
        "drop", sentence, detail, figures, f"more than each of {RANDOM} random choices", "ContextCite 2024", numbers
    )
