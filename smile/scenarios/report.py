"""The report of a run: tables as CSV and JSON, and one HTML page with everything inside, plotly.js too.

It is made from the folder alone, so it can be made of an unfinished run, again, and elsewhere. What a suite says is
somebody's text, and is escaped wherever it becomes markup.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from markupsafe import Markup

from smile.errors import InputError
from smile.io.atomic import write_file
from smile.report import files
from smile.report.jinja import render
from smile.report.plots import GREY, LIMIT, STAR, pick_colour
from smile.scenarios import figures, table
from smile.scenarios.table import Results

STYLE = files.STANDALONE_STYLE + (Path(__file__).parent / "static" / "report.css").read_text(encoding="utf-8")
MAX_PICTURES = 2_500_000  # bytes of pictures; plotly.js has 5 MB
MAX_PAIRS = 60  # values in the figure of pairs
T = TypeVar("T")


class Column(NamedTuple):
    """A column of the table on how far to believe the explanations; `name` is that of `table.summarise_attributes`."""

    group: str
    name: str
    heading: str
    form: str  # how a value is written
    says: str


QUALITY = [Column(*column) for column in (
    ("", "cells", "cells", "{:.0f}", ""),
    ("", "carried_out", "edit carried out", "{:.0%}",
     "share of edits that are nearer to what was asked for than to anything else"),
    ("accuracy", "auroc", "AUROC", "{:.2f}",
     "of the absolute weights against the words that should matter; 0.5 is chance, 1 is perfect"),
    ("accuracy", "auroc_carried_out", "AUROC, carried out", "{:.2f}", "the same, of the edits that were carried out"),
    ("accuracy", "top_word", "top word matters", "{:.0%}", "share of cells whose heaviest word is one that should matter"),
    ("accuracy", "f1", "F1", "{:.2f}",
     "of the words with at least half of the largest weight against those that should matter"),
    ("consistency over pictures", "spread", "spread", "{:.2f}",
     "standard deviation of a word's weight over pictures, mean over words; 0 is best"),
    ("consistency over pictures", "same_top_word", "same top word", "{:.0%}",
     "share of pictures that agree on the heaviest word of an instruction"),
    ("consistency over pictures", "rank_correlation", "rank correlation", "{:.2f}",
     "of the words between two pictures (Spearman); words that do nothing are in random order, so it stays below 1"),
    ("stability over values", "overlap", "overlap of weights", "{:.2f}",
     "the same picture when another value is asked for (Ruzicka); 1 is best"),
    ("stability over values", "same_significant", "same words significant", "{:.2f}",
     "of the same two explanations (Jaccard); 1 is best"),
    ("stability", "inserted_overlap", "overlap, word inserted", "{:.2f}",
     "of the weights, with a word put in that says nothing (Ruzicka)"),
    ("stability", "inserted_significant", "same significant, inserted", "{:.2f}", "of the same two explanations (Jaccard)"),
    ("consistency over seeds", "seeds_spread", "spread over seeds", "{:.2f}",
     "standard deviation of a word's weight over seeds, mean over words"),
    ("consistency over seeds", "seeds_top_word", "same top word, seeds", "{:.0%}",
     "share of seeds that agree on the heaviest word"),
    ("faithfulness", "better_than_random", "better than random", "{:.0%}",
     "words left out heaviest first, and put back so, against random orders; 50 % is chance"),
    ("faithfulness", "area_between", "area between", "{:.2f}", "the curves of the two; above 0 is better than chance"),
    ("foresight", "lds", "LDS", "{:.2f}",
     "rank correlation of what the weights foretell with what is measured, on held-out prompts"),
    ("fidelity", "fidelity", "leave-one-out R²", "{:.2f}", "each edit's response predicted from the other edits; 1 is perfect"),
)]  # fmt: skip
OF_ANSWERS = {column.name: column for column in (Column(*column) for column in (
    ("", "carried_out", "answered", "{:.0%}", "share of answers that say what they should"),
    ("accuracy", "auroc_carried_out", "AUROC, answered", "{:.2f}", "the same, of the answers that say what they should"),
    ("stability over values", "overlap", "overlap of weights", "{:.2f}",
     "the same prompt with another value (Ruzicka); 1 is best"),
    ("stability over values", "same_significant", "same words named", "{:.2f}",
     "of the same two explanations (Jaccard); 1 is best"),
    ("fidelity", "fidelity", "leave-one-out R²", "{:.2f}", "each prompt's response predicted from the others; 1 is perfect"),
))}  # fmt: skip


def write_report(out) -> dict[str, Any]:
    """Write cells.csv, words.csv, summary.json and report.html into the folder of a run; {"report": path, "summary": ...}.

    Raises InputError where nothing has been run there, or it cannot be written.
    """
    out = Path(out)
    results = table.read_results(out)
    summary = table.summarise(results)
    try:
        for name, content in make_files(results, summary):
            write_file(out / name, content, durable=True)
    except OSError as error:
        raise InputError(f"The report cannot be written to {out} ({error.strerror}).") from error
    return {"report": out / "report.html", "summary": summary}


def make_files(results: Results, summary: dict) -> Iterator[tuple[str, str]]:
    """(name, content) of what is written beside the cells; `summary` is `table.summarise(results)`."""
    yield "cells.csv", table.write_cells_csv(results)
    yield "words.csv", table.write_words_csv(results)
    yield "summary.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n"
    yield "report.html", render_report(results, summary)


def render_folder(out) -> str:
    """The HTML page of what is in the folder of a run. Raises InputError where there is none, or it is damaged."""
    results = table.read_results(out)
    return render_report(results, table.summarise(results))


def render_report(results: Results, summary: dict, alone: bool = True) -> str:
    """The HTML page. Where it is not `alone`, whoever shows it loads plotly.js before, and gives the body the class dark
    where it is to be dark."""
    plan, lines = results.plan, summary["attributes"]
    quality = [OF_ANSWERS.get(column.name, column) for column in QUALITY] if plan["asks"] else QUALITY
    columns = [column for column in quality if any(line.get(column.name) is not None for line in lines)]
    shown = [number for number in range(len(plan["templates"])) if (results.known["number"] == number).any()]
    pairs = summary["coverage"]["exercised"]["of_pairs"] and len(summary["coverage"]["values"]) <= MAX_PAIRS
    page = render(
        "scenarios/templates/report.html",
        plan=plan,
        summary=summary,
        style=Markup(STYLE),
        plotly=Markup(files.PLOTLY_JS.read_text(encoding="utf-8")) if alone else None,
        star=STAR,
        facts=_list_facts(results, summary),
        boxes=[(plan["templates"][number]["text"], figures.draw_boxes(results, number)) for number in shown],
        heatmaps=[(model, figures.draw_values(plan, summary["values"], model)) for model in plan["models"]],
        coverage=_group(summary["coverage"]["values"], itemgetter("attribute")),
        pairs=figures.draw_pairs(summary["coverage"]) if pairs else None,
        quality=_group(columns, attrgetter("group")),
        attributes=_group((line for line in lines if line["cells"]), itemgetter("attribute")),
        groups=_list_cells(results),
        suite=json.dumps(plan["suite"], ensure_ascii=False, indent=1),
    )
    return str(page)


def _list_facts(results: Results, summary: dict) -> list[tuple[str, str]]:
    """(number, what it is) of what the reader wants to know first."""
    plan, cells, covered, known = results.plan, summary["cells"], summary["coverage"]["exercised"], results.known
    matter = known["top_is_relevant"].dropna()
    named = results.words[results.words["known"].astype(bool) & results.words["attribute"].notna()]
    value = named.groupby("id")["significant"].agg(any)
    facts = [
        (f"{cells['done']} of {cells['planned']}", f"cells explained{f', {n} failed' if (n := cells['failed']) else ''}"),
        (f"{covered['values']} of {covered['of_values']}", "values of the domain met"),
        (f"{covered['pairs']} of {covered['of_pairs']}", "pairs of values met"),
    ]
    shares = {
        f"of cells have a {'named' if plan['asks'] else 'significant'} value": value,
        "of cells have a top word that should matter": matter,
    }
    return facts + [(f"{sum(each) / len(each):.0%}", what) for what, each in shares.items() if len(each)]


def _list_cells(results: Results) -> Iterator[tuple[str, str, list[dict]]]:
    """(template, model, its cells as they are shown), in the order of the cells."""
    left = MAX_PICTURES
    for (template, model), rows in _group(results.cells.itertuples(), attrgetter("template", "model")):
        cells = []
        for row in rows:
            pictures = [(url, alt) for url, alt in ((row.input, "picture"), (row.edit, "edit")) if url]
            left -= sum(len(url) for url, _ in pictures)
            cell = {
                name: getattr(row, name)
                for name in ("id", "picture", "instruction", "answer", "failed", "carried_out", "beyond_noise")
            }
            cells.append(cell | {"pictures": pictures if left > 0 else [], "words": _list_words(row)})
        yield template, model, cells


def _list_words(row: Any) -> Iterator[dict]:
    for text, weight, starred in zip(row.words, row.weights, row.significant, strict=True):
        colour = pick_colour(weight, LIMIT) if row.beyond_noise else GREY
        ink = "#1c1917" if sum(colour) > 330 else "#fff"
        yield {
            "text": text,
            "weight": f"{weight:+.2f}",
            "starred": starred,
            "noise": not row.beyond_noise,
            "colour": colour,
            "ink": ink,
        }


def _group(items: Iterable[T], key: Callable[[T], Any]) -> list[tuple[Any, list[T]]]:
    """The items that follow each other and have the same key."""
    return [(name, list(group)) for name, group in groupby(items, key=key)]
