"""The report of a run: tables as CSV and JSON, and one HTML page with everything inside, plotly.js too.

It is made from the folder alone, so it can be made of an unfinished run, again, and elsewhere. What a suite says is
somebody's text, and is escaped wherever it becomes markup.
"""

import html
import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from smile.errors import InputError
from smile.io.atomic import write_file
from smile.report import files
from smile.report.files import PLOTLY_JS
from smile.report.plots import STAR, pick_colour
from smile.scenarios import figures, table
from smile.scenarios.table import Results, Row

STYLE = files.STANDALONE_STYLE + (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
MAX_PICTURES = 2_500_000  # bytes of pictures; plotly.js has 5 MB
MAX_PAIRS = 60  # values in the figure of pairs
DARK = 'document.body.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);'
FOLLOW = """
const follow = new ResizeObserver((places) => {
  for (const { target } of places) Plotly.Plots.resize(target.querySelector(".js-plotly-plot"));
});
for (const place of document.querySelectorAll(".scroll > div:has(.js-plotly-plot)")) follow.observe(place);
"""  # a figure is drawn before those beside it are there, so its place is wider then
QUALITY = {  # column: (heading, what it says, how it is written)
    "cells": ("cells", None, "{:.0f}"),
    "carried_out": ("edit carried out", "share of edits that are nearer to what was asked for than to anything else", "{:.0%}"),
    "auroc": ("AUROC", "of the absolute weights against the words that should matter; 0.5 is chance, 1 is perfect", "{:.2f}"),
    "auroc_carried_out": ("AUROC, carried out", "the same, of the edits that were carried out", "{:.2f}"),
    "top_word": ("top word matters", "share of cells whose heaviest word is one that should matter", "{:.0%}"),
    "f1": ("F1", "of the words with at least half of the largest weight against those that should matter", "{:.2f}"),
    "spread": ("spread", "standard deviation of a word's weight over pictures, mean over words; 0 is best", "{:.2f}"),
    "same_top_word": ("same top word", "share of pictures that agree on the heaviest word of an instruction", "{:.0%}"),
    "rank_correlation": ("rank correlation", "of the words between two pictures (Spearman); words that do nothing are"
                         " in random order, so it stays below 1", "{:.2f}"),
    "overlap": ("overlap of weights", "the same picture when another value is asked for (Ruzicka); 1 is best", "{:.2f}"),
    "same_significant": ("same words significant", "of the same two explanations (Jaccard); 1 is best", "{:.2f}"),
    "inserted_overlap": ("overlap, word inserted", "of the weights, with a word put in that says nothing (Ruzicka)", "{:.2f}"),
    "inserted_significant": ("same significant, inserted", "of the same two explanations (Jaccard)", "{:.2f}"),
    "seeds_spread": ("spread over seeds", "standard deviation of a word's weight over seeds, mean over words", "{:.2f}"),
    "seeds_top_word": ("same top word, seeds", "share of seeds that agree on the heaviest word", "{:.0%}"),
    "better_than_random": ("better than random", "words left out heaviest first, and put back so, against random orders;"
                           " 50 % is chance", "{:.0%}"),
    "area_between": ("area between", "the curves of the two; above 0 is better than chance", "{:.2f}"),
    "fidelity": ("leave-one-out R²", "each edit's response predicted from the other edits; 1 is perfect", "{:.2f}"),
}  # fmt: skip
GROUPS = {
    "": ("cells", "carried_out"),
    "accuracy": ("auroc", "auroc_carried_out", "top_word", "f1"),
    "consistency over pictures": ("spread", "same_top_word", "rank_correlation"),
    "stability over values": ("overlap", "same_significant"),
    "stability": ("inserted_overlap", "inserted_significant"),
    "consistency over seeds": ("seeds_spread", "seeds_top_word"),
    "faithfulness": ("better_than_random", "area_between"),
    "fidelity": ("fidelity",),
}


def write_report(out) -> dict:
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
    yield "cells.csv", table.cells_csv(results)
    yield "words.csv", table.words_csv(results)
    yield "summary.json", json.dumps(summary, ensure_ascii=False, indent=1) + "\n"
    yield "report.html", render_report(results, summary)


def render_folder(out) -> str:
    """The HTML page of what is in the folder of a run. Raises InputError where there is none, or it is damaged."""
    results = table.read_results(out)
    return render_report(results, table.summarise(results))


def render_report(results: Results, summary: dict, alone: bool = True) -> str:
    """The HTML page. Where it is not `alone`, whoever shows it loads plotly.js before, and gives the body the class dark
    where it is to be dark."""
    plan = results.plan
    plotly = f"<script>{PLOTLY_JS.read_text(encoding='utf-8')}</script>" if alone else ""
    dark = f"<script>{DARK}</script>" if alone else ""
    title = html.escape(plan["name"])
    sections = [
        _head(results, summary),
        _words(results),
        _values(results, summary),
        _coverage(summary),
        _quality(results, summary),
    ]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: which words did it</title>
<style>{STYLE}</style>
{plotly}
</head><body>
{dark}
<main>
{"".join(sections)}
{_cells(results)}
{_made(plan, summary)}
</main>
<script>{FOLLOW}</script>
</body></html>
"""


def _head(results: Results, summary: dict) -> str:
    plan, cells, covered = results.plan, summary["cells"], summary["coverage"]["exercised"]
    known = results.known
    matter = [row.top_is_relevant for row in known if row.top_is_relevant is not None]
    value = [row.significant[[slot.attribute is not None for slot in row.slots]].any() for row in known]
    facts = [
        (
            f"{cells['done']} of {cells['planned']}",
            "cells explained" + (f", {cells['failed']} failed" if cells["failed"] else ""),
        ),
        (f"{covered['values']} of {covered['of_values']}", "values of the domain met"),
        (f"{covered['pairs']} of {covered['of_pairs']}", "pairs of values met"),
        *([(f"{sum(value) / len(value):.0%}", "of cells have a significant value")] if value else []),
        *([(f"{sum(matter) / len(matter):.0%}", "of cells have a top word that should matter")] if matter else []),
    ]
    listed = "".join(f"<li><b>{number}</b>{html.escape(what)}</li>" for number, what in facts)
    about = f"<p>{html.escape(plan['description'])}</p>" if plan["description"] else ""
    unfinished = cells["done"] + cells["failed"] < cells["planned"]
    note = "<p class='note'>This run is not finished; the report is about the cells that are done.</p>" if unfinished else ""
    return f"<h1>{html.escape(plan['name'])}: which words did it</h1>{about}{note}<ul class='facts'>{listed}</ul>"


def _words(results: Results) -> str:
    parts = [
        "<h2>Words</h2><p class='quiet'>The weight of each word over all pictures and values. Above zero, the word pulls the"
        " edit toward what the whole instruction asks for. Each point is one cell.</p><div class='two'>"
    ]
    for number, template in enumerate(results.plan["templates"]):
        if any(row.template == number for row in results.known):
            plot = _plot(figures.boxes(results, number), f"words-{number}", 44 * len(results.positions(number)))
            parts.append(f"<figure class='card'><h3>“{html.escape(template['text'])}”</h3>{plot}</figure>")
    return "".join(parts) + "</div>"


def _values(results: Results, summary: dict) -> str:
    parts = [
        "<h2>Attributes and values</h2><p class='quiet'>The mean weight of the word that says the value, red above zero and"
        f" blue below, and the share of cells in which it is significant ({STAR}, p &lt; 0.05 after Holm's correction).</p>"
        "<div class='two'>"
    ]
    columns = max(len(attribute["values"]) for attribute in results.plan["attributes"].values())
    for number, editor in enumerate(results.plan["editors"]):
        plot = _plot(figures.weights_by_value(results, summary["values"], editor), f"values-{number}", 110 + 70 * columns)
        parts.append(f"<figure class='card'><h3>{html.escape(editor)}</h3>{plot}</figure>")
    return "".join(parts) + "</div>"


def _coverage(summary: dict) -> str:
    coverage = summary["coverage"]
    rows = []
    for name, group in groupby(coverage["values"], key=lambda value: value["attribute"]):
        chips = "".join(
            f"<li class='{'asked' if v['asked'] else 'shown' if v['shown'] else 'never'}'>{html.escape(v['value'])}"
            f" <span class='quiet'>{_times(v)}</span></li>"
            for v in group
        )
        rows.append(f"<b>{html.escape(name)}</b><ul class='chips'>{chips}</ul>")
    covered, count = coverage["exercised"], len(coverage["values"])
    figure = ""
    if covered["of_pairs"] and count <= MAX_PAIRS:
        plot = _plot(figures.pairs(coverage), "pairs", 80 + 34 * count, 120 + 80 * count)
        figure = f"<figure class='card'><h3>Pairs of values</h3>{plot}</figure>"
    return (
        "<h2>Coverage of the domain</h2><p class='quiet'>In how many cells a value was asked for, and in how many it was"
        " there in the picture beside what was asked for. Outlined: never asked for; dashed: never met. The figure counts"
        f" the cells in which two values came together, which {covered['pairs']} of {covered['of_pairs']} pairs did.</p>"
        f"<div class='card domain'>{''.join(rows)}</div>{figure}"
    )


def _times(value: dict) -> str:
    """How often a value was met, in words."""
    said = [f"{value[how]} {word}" for how, word in (("asked", "asked"), ("shown", "there")) if value[how]]
    return ", ".join(said) or "never"


def _quality(results: Results, summary: dict) -> str:
    found = summary["attributes"]
    shown = [name for name in QUALITY if any(row.get(name) is not None for row in found)]
    groups = {group: [name for name in names if name in shown] for group, names in GROUPS.items()}
    top = "".join(f"<th colspan='{len(names)}'>{group}</th>" for group, names in groups.items() if names)
    heads = "".join(f"<th>{QUALITY[name][0]}</th>" for name in shown)
    body = []
    for _, rows in groupby((row for row in found if row["cells"]), key=lambda row: row["attribute"]):
        for number, row in enumerate(rows):
            first = f"<th>{html.escape(row['attribute'])}</th>" if number == 0 else "<th></th>"
            cells = "".join(_cell(row[name], QUALITY[name][2]) for name in shown)
            body.append(
                f"<tr class='{'first' if number == 0 else ''}'>{first}<th>{html.escape(row['editor'])}</th>{cells}</tr>"
            )
    said = "".join(f"<dt>{QUALITY[name][0]}</dt><dd>{QUALITY[name][1]}</dd>" for name in shown if QUALITY[name][1])
    return (
        "<h2>How far to believe it</h2><p class='quiet'>For each attribute and editor, over the cells whose instruction"
        " names the attribute. An explanation of an edit that was not carried out cannot find the words that should have"
        " mattered.</p>"
        f"<div class='card scroll' tabindex='0'><table><thead><tr><th class='name'></th><th></th>{top}</tr><tr>"
        f"<th class='name'>attribute</th><th class='name'>editor</th>{heads}</tr></thead><tbody>{''.join(body)}</tbody>"
        f"</table></div><dl>{said}</dl>"
    )


def _cells(results: Results) -> str:
    parts = [
        "<h2>Every cell</h2><p class='quiet'>Picture, edit, and the instruction coloured by weight: red pulls toward the"
        f" edit, blue away from it; framed words are significant ({STAR}).</p>"
    ]
    left = MAX_PICTURES
    for (number, editor), rows in groupby(results.rows, key=lambda row: (row.template, row.editor)):
        cells = []
        for row in rows:
            left -= len(row.input or "") + len(row.edit or "")
            cells.append(_shown(row, pictures=left > 0))
        text = html.escape(results.plan["templates"][number]["text"])
        many = f"{html.escape(editor)}, {len(cells)} {'cell' if len(cells) == 1 else 'cells'}"
        parts.append(f"<details><summary>“{text}”<span class='quiet'>{many}</span></summary>")
        parts.append(f"<div class='cells'>{''.join(cells)}</div></details>")
    return "".join(parts)


def _shown(row: Row, pictures: bool) -> str:
    what = f"{row.id} · {html.escape(row.picture)}"
    if row.failed:
        return (
            f"<div class='cell failed'><div class='what'>{html.escape(row.instruction)}</div>"
            f"<div class='what'>{what} · {html.escape(row.failed)}</div></div>"
        )
    limit = max(abs(row.weights[row.top]), 1e-12) if row.is_known else 1.0
    words = []
    for word, weight, starred in zip(row.words, row.weights, row.significant, strict=True):
        red, green, blue = pick_colour(weight, limit)
        ink = "#1c1917" if red + green + blue > 330 else "#fff"
        said = f"weight {weight:+.2f}{', significant' if starred else ''}"
        words.append(
            f"<span{' class=starred' if starred else ''} title='{said}'"
            f" style='background:rgb({red},{green},{blue});color:{ink}'>{html.escape(word)}</span>"
        )
    done = {True: " · carried out", False: " · not carried out", None: ""}[row.carried_out]
    urls = [(row.input, "picture"), (row.edit, "edit")] if pictures else []
    images = "".join(f"<img src='{html.escape(url)}' alt='{alt}'>" for url, alt in urls if url)
    return (
        f"<div class='cell'><div class='pair'>{images}</div><div class='words'>{''.join(words)}</div>"
        f"<div class='what'>{what}{done}</div></div>"
    )


def _made(plan: dict, summary: dict) -> str:
    failures = "".join(f"<dt>{html.escape(f['cell'])}</dt><dd>{html.escape(f['why'])}</dd>" for f in summary["failures"])
    failed = f"<h3>Cells that failed</h3><dl>{failures}</dl>" if failures else ""
    left = summary["cells"]["left_out"]
    note = f"{left} cells were left out because the picture shows already what they ask for. " if left else ""
    suite = html.escape(json.dumps(plan["suite"], ensure_ascii=False, indent=1))
    return (
        f"<h2>How it was made</h2>{failed}<p class='quiet'>{note}Attributes follow what the taxonomies of operational design"
        " domains have in common (BSI PAS 1883:2020, ISO 34503:2023). cells.csv, words.csv and summary.json hold the"
        f" numbers, cells/ each whole explanation. Fingerprint {html.escape(plan['fingerprint'][:16])}.</p>"
        f"<details><summary>The suite</summary><pre class='card scroll'>{suite}</pre></details>"
    )


def _cell(value: float | None, form: str) -> str:
    return "<td class='none'>–</td>" if value is None else f"<td>{form.format(value)}</td>"


def _plot(figure, name: str, least: int, most: int = 2000) -> str:
    """The figure as wide as there is room, at most `most` pixels, and not narrower than `least`: then one scrolls."""
    config = {"displayModeBar": False, "responsive": True}
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config)
    return f"<div class='scroll' tabindex='0'><div style='min-width:{least}px;max-width:{most}px'>{drawn}</div></div>"
