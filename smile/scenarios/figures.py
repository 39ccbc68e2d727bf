"""The report's figures in plotly: weights of words over pictures, attribute by value, and what met what.

Red and blue are weights, as everywhere here; models are told apart by other colours, and by their names.
"""

from html import escape  # plotly reads some markup
from typing import Any, NamedTuple

import plotly.graph_objects as go
from markupsafe import Markup

from smile.report.plots import LIMIT, SCALE, STAR
from smile.scenarios.table import Results

INK, QUIET, LINE = "#1c1917", "#6b645c", "#e7e3dd"
COLOURS = ("#78716c", "#c2790b", "#0f766e", "#8b5cf6", "#a8a29e", "#15803d")  # on white and on near-black
EXERCISED = [[0.0, "#d5ebe6"], [1.0, "#0f766e"]]
FONT = {"family": "ui-sans-serif, system-ui, sans-serif", "size": 13, "color": INK}


class Plot(NamedTuple):
    """A figure as HTML, which is as wide as there is room, at most `most` pixels; below `least` one scrolls."""

    drawn: Markup
    least: int
    most: int = 2000


def draw_boxes(results: Results, number: int) -> Plot:
    """A box for each position of the template's words and each model: the word's weight over pictures and values."""
    words = results.words[results.words["known"].astype(bool) & (results.words["number"] == number)]
    labels = {(word.token, word.part): escape(word.label) for word in words.itertuples()}  # by position
    at = {position: i for i, position in enumerate(sorted(labels))}
    figure = go.Figure()
    for order, model in enumerate(results.plan["models"]):
        own, colour = list(words[words["model"] == model].itertuples()), COLOURS[order % len(COLOURS)]
        figure.add_box(
            x=[at[word.token, word.part] for word in own],
            y=[word.weights for word in own],
            name=escape(model),
            hovertext=[
                "<br>".join(filter(None, [f"{escape(word.words)}: {word.weights:+.2f}", escape(word.picture), escape(model)]))
                for word in own
            ],
            hoverinfo="text",
            hoveron="points",
            boxpoints="all",
            jitter=0.6,
            pointpos=0,
            marker={"color": colour, "size": 4, "opacity": 0.45},
            line={"color": colour, "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            offsetgroup=str(order),
        )
    ticks = [f"<b>{labels[each]}</b>" if labels[each].startswith("{") else labels[each] for each in at]
    figure.update_xaxes(tickvals=list(range(len(ticks))), ticktext=ticks, range=[-0.6, len(ticks) - 0.4], showgrid=False)
    figure.update_xaxes(ticklabeloverflow="allow")
    figure.update_yaxes(title={"text": "weight"}, gridcolor=LINE, zeroline=True, zerolinecolor=QUIET)
    several = len(results.plan["models"]) > 1
    drawn = _render(figure, f"words-{number}", height=300, boxmode="group", boxgap=0.35, showlegend=several)
    return Plot(drawn, 44 * len(labels))


def draw_values(plan: dict, values: list[dict], model: str) -> Plot:
    """A row for each attribute, a cell for each of its values: the mean weight of the value's word, and the share of cells in
    which it is significant. `values` are those of `table.summarise_values`."""
    attributes = plan["attributes"]
    names = [name for name in attributes if any(v["attribute"] == name and v["cells"] for v in values)]
    columns = max((len(attributes[name]["values"]) for name in names), default=1)
    cells, (found, mark) = _Cells(len(names), columns), (("named", "named") if plan["asks"] else ("significant", STAR))
    for row, name in enumerate(names):
        own = [v for v in values if v["attribute"] == name and v["model"] == model]
        for column, v in enumerate(own):
            label = escape(v["value"] if len(v["value"]) < 17 else v["value"][:16] + "…")
            if v["weight"] is None:
                cells.note(row, column, f"{label}<br><i>no cell</i>")
                continue
            hover = (
                f"{escape(name)}: <b>{escape(v['value'])}</b><br>mean weight {v['weight']:+.2f} in {v['cells']} cells"
                f"<br>{found} in {v['significant']:.0%} of them"
            )
            text = f"<b>{label}</b><br>{v['weight']:+.2f}<br>{mark} {v['significant']:.0%}"
            cells.fill(row, column, v["weight"], text, hover)
    colours = {"zmin": -LIMIT, "zmax": LIMIT, "colorscale": [[at, f"rgb{colour}"] for at, colour in SCALE]}
    figure = cells.draw(gap=4, textfont={"size": 13}, **colours)
    figure.update_xaxes(visible=False, range=[-0.5, columns - 0.5])
    ticks = {"tickvals": list(range(len(names))), "ticktext": [escape(name) for name in names]}
    figure.update_yaxes(**ticks, showgrid=False, zeroline=False, range=[len(names) - 0.5, -0.5])
    most = max(len(attribute["values"]) for attribute in attributes.values())
    return Plot(_render(figure, f"values-{plan['models'].index(model)}", height=44 + 74 * len(names)), 110 + 70 * most)


def draw_pairs(coverage: dict) -> Plot:
    """Values against those of other attributes: the number of cells in which the two came together. `coverage` is
    `table.summarise_coverage`."""
    names = [(v["attribute"], v["value"]) for v in coverage["values"]]
    rows = [name for name in names if name[0] != names[0][0]]
    columns = [name for name in names if name[0] != names[-1][0]]
    cells = _Cells(len(rows), len(columns))
    for pair in coverage["pairs"]:
        (a, b), count = (tuple(value) for value in pair["values"]), pair["cells"]
        row, column = rows.index(b), columns.index(a)
        if count:
            cells.fill(row, column, count, str(count), f"{escape(a[1])} with {escape(b[1])}<br>{count} cells")
        else:
            cells.note(row, column, "0")
    figure = cells.draw(gap=2, colorscale=EXERCISED)
    for axis, shown in (("xaxis", columns), ("yaxis", rows)):
        ticks = {"tickvals": list(range(len(shown))), "ticktext": [escape(value) for _, value in shown], "showgrid": False}
        figure.update_layout({axis: ticks | {"zeroline": False}})
    figure.update_xaxes(range=[-0.5, len(columns) - 0.5], tickangle=-45)
    figure.update_yaxes(range=[len(rows) - 0.5, -0.5])
    return Plot(_render(figure, "pairs", height=90 + 28 * len(rows)), 80 + 34 * len(names), 120 + 80 * len(names))


class _Cells:
    """A heatmap in the making: cells with a number, and cells with only a note."""

    def __init__(self, rows: int, columns: int):
        empty: tuple[Any, ...] = (None, "", "")
        self.numbers, self.texts, self.hovers = ([[each] * columns for _ in range(rows)] for each in empty)
        self.figure = go.Figure()

    def fill(self, row: int, column: int, number: float, text: str, hover: str) -> None:
        """A coloured cell."""
        self.numbers[row][column], self.texts[row][column], self.hovers[row][column] = number, text, hover

    def note(self, row: int, column: int, text: str) -> None:
        """A cell without a colour."""
        self.figure.add_annotation(x=column, y=row, text=text, showarrow=False, font={"size": 13, "color": QUIET})

    def draw(self, gap: int, **options: Any) -> go.Figure:
        """The figure, with `gap` pixels between cells."""
        return self.figure.add_heatmap(
            z=self.numbers,
            text=self.texts,
            hovertext=self.hovers,
            texttemplate="%{text}",
            hoverinfo="text",
            hoverongaps=False,
            xgap=gap,
            ygap=gap,
            showscale=False,
            **options,
        )


def _render(figure: go.Figure, name: str, **layout: Any) -> Markup:
    figure.update_layout(
        font=FONT,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 32, "t": 28, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"bgcolor": INK, "font": {"color": "#f5f3ef"}},
        dragmode=False,
        **layout,
    )
    config = {"displayModeBar": False, "responsive": True}
    return Markup(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config))
