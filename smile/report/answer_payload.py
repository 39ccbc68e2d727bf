"""What the browser needs to draw an explanation of an answer: plain JSON values, and texts as they are shown."""

from difflib import SequenceMatcher
from typing import Any

import numpy as np

from smile.report import plots
from smile.report.answer_finding import TRACED, write_answer_sentences
from smile.report.known import write_warning
from smile.report.numbers import finite_or_none, format_interval, format_weight
from smile.report.protocols import AnswerLike

FAILED = "no answer"
NUMBERS = plots.COLUMN_NAMES.index("p")  # columns of the table: no p-values, as there are no stars
SHOWN = 40  # different answers; the rest are counted


def answer_payload(
    explanation: AnswerLike, *, was_stopped: bool = False, source: str = "", python: str = "", link: str = ""
) -> dict[str, Any]:
    """What templates/answer.html and its script draw.

    - was_stopped: whether a provisional explanation will stay as it is.
    - source: a sentence that says where this comes from if it was not computed just now.
    - python, link: the Python lines that make it, and the query that fills it in on the page.
    """
    e = explanation
    finding, *remarks = write_answer_sentences(e)
    provisional = f"{'stopped' if was_stopped else 'provisional'}, {e.done} of {e.total} prompts"
    return {
        "prompt": e.instruction,
        "words": e.words,
        "weights": _list_numbers(e.weights),
        "low": _list_numbers(e.ci_low),
        "high": _list_numbers(e.ci_high),
        "leading": e.leading.tolist(),
        "scale": plots.SCALE,
        "dark_scale": plots.DARK_SCALE,
        "noise": not e.provisional and not e.beyond_noise,
        "twice": e.said_twice.tolist(),
        "hover": _write_hovers(e),
        "columns": list(plots.COLUMN_NAMES[:NUMBERS]),
        "rows": [list(row[:NUMBERS]) for row in plots.tabulate_words(e)],
        "warning": write_warning(e),
        "finding": finding,
        "remarks": remarks,
        "facts": _list_facts(e),
        "note": provisional if e.provisional else "",
        "source": source or ("from a file" if e.unchecked else ""),
        "unchecked": e.unchecked,
        "running": e.provisional and not was_stopped,
        "answer": e.answer,
        "segments": e.segments,
        "maps": None if e.maps is None or len(e.segments) != e.maps.shape[1] else e.maps.round(4).tolist(),
        "places": None if e.places is None or len(e.segments) != e.places.shape[1] else e.places.tolist(),
        "masks": e.mask.tolist(),
        "prompts": len(e.texts),
        "answers": group_answers(e)[:SHOWN],
        "different": len(group_answers(e)),
        "edges": None if e.trace is None else [_describe_edge(e, edge) for edge in e.edges],
        "traced": TRACED,
        "python": python,
        "link": link,
    }


def group_answers(explanation: AnswerLike) -> list[dict[str, Any]]:
    """The different answers, that to the full prompt first, then the most frequent: count, rows, word differences and, as an
    example of what was left out, the row that keeps most words."""
    e = explanation
    rows: dict[str, list[int]] = {}
    for row, (answer, block) in enumerate(zip(e.answers, e.blocks.tolist(), strict=True)):
        if block == 0:
            rows.setdefault(FAILED if answer is None else answer, []).append(row)
    order = sorted(rows.items(), key=lambda item: (item[0] != e.answer, -len(item[1]), item[1][0]))
    return [
        {
            "parts": find_differences(e.answer, text),
            "rows": which,
            "example": max(which, key=lambda row: int(e.mask[row].sum())),
            "itself": text == e.answer,
        }
        for text, which in order
    ]


def find_differences(answer: str, other: str) -> list[list[str]]:
    """["same" | "gone" | "new", words] in reading order: what of the answer stands in the other one, what does not, and what
    is new there."""
    one, two = answer.split(), other.split()
    parts: list[list[str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(["same", " ".join(one[a:b])])
            continue
        parts += [["gone", " ".join(one[a:b])]] if b > a else []
        parts += [["new", " ".join(two[c:d])]] if d > c else []
    return parts


def _write_hovers(e: AnswerLike) -> list[list[str]]:
    """Three lines for each word."""
    return [
        [
            f"weight {format_weight(e.weights[j])}, 95 % interval {format_interval(e.ci_low[j], e.ci_high[j])}",
            f"left out alone {_say_alone(e, j)}",
        ]
        for j in range(len(e.words))
    ]


def _say_alone(e: AnswerLike, word: int) -> str:
    return "not known" if not np.isfinite(e.alone[word]) else format_weight(e.alone[word])


def _list_facts(e: AnswerLike) -> list[str]:
    """Model, number of prompts, seeds, and how it wrote."""
    of, settings = e.settings, e.settings.get("language_model_settings") or {}
    temperature = settings.get("temperature")
    seeds = f"seed {of['seed']}" if of["seeds"] == 1 else f"{of['seeds']} seeds"
    how = [] if temperature is None else ["greedy" if not temperature else f"temperature {temperature:g}"]
    return [
        str(of["language_model"]),
        f"{len(e.texts)} prompts",
        seeds,
        *how,
        "likelihood" if e.log_probs is not None else of["distance"],
    ]


def _describe_edge(e: AnswerLike, edge) -> dict[str, Any]:
    said = f"{format_weight(edge.weight)}, 95 % interval {format_interval(edge.ci_low, edge.ci_high)}"
    return {"source": edge.source, "target": edge.target, "weight": edge.weight, "said": said}


def _list_numbers(array: np.ndarray) -> list[float | None]:
    return [finite_or_none(number) for number in array]
