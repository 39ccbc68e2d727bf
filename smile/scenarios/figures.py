"""The report's figures in plotly: weights of words over pictures, attribute by value, and what met what.

Red and blue are weights, as everywhere here; editors are told apart by other colours, and by their names.
"""

import html

import plotly.graph_objects as go

from smile.report.plots import SCALE
from smile.scenarios.table import Results

INK, QUIET, LINE = "#1c1917", "#6b645c", "#e7e3dd"
EDITORS = ("#78716c", "#c2790b", "#0f766e", "#8b5cf6", "#a8a29e", "#15803d")  # on white and on near-black
EXERCISED = [[0.0, "#d5ebe6"], [1.0, "#0f766e"]]
STAR = "★"
FONT = {"family": "ui-sans-serif, system-ui, sans-serif", "size": 13, "color": INK}


def boxes(results: Results, template: int) -> go.Figure:
    """A box for each position of the template's words and each editor: the word's weight over pictures and values."""
    positions = results.positions(template)
    at = {position: i for i, position in enumerate(positions)}
    figure = go.Figure()
    for number, editor in enumerate(results.plan["editors"]):
        rows = [row for row in results.known if row.template == template and row.editor == editor]
        points = [
            (at[slot[:2]], weight, f"{_escaped(word)}: {weight:+.2f}<br>{_escaped(row.picture)}<br>{_escaped(editor)}")
            for row in rows
            for slot, weight, word in zip(row.slots, row.weights, row.words, strict=True)
        ]
        x, y, hover = zip(*points, strict=True) if points else ((), (), ())
        colour = EDITORS[number % len(EDITORS)]
        figure.add_box(
            x=x,
            y=y,
            name=_escaped(editor),
            hovertext=hover,
            hoverinfo="text",
            hoveron="points",
            boxpoints="all",
            jitter=0.6,
            pointpos=0,
            marker={"color": colour, "size": 4, "opacity": 0.45},
            line={"color": colour, "width": 1.5},
            fillcolor="rgba(0,0,0,0)",
            offsetgroup=str(number),
        )
    labels = [f"<b>{_escaped(label)}</b>" if label.startswith("{") else _escaped(label) for label in positions.values()]
    figure.update_xaxes(tickvals=list(range(len(labels))), ticktext=labels, range=[-0.6, len(labels) - 0.4], showgrid=False)
    figure.update_xaxes(ticklabeloverflow="allow")
    figure.update_yaxes(title={"text": "weight"}, gridcolor=LINE, zeroline=True, zerolinecolor=QUIET)
    several = len(results.plan["editors"]) > 1
    return _styled(figure, height=300, boxmode="group", boxgap=0.35, showlegend=several)


def weights_by_value(results: Results, values: list[dict], editor: str) -> go.Figure:
    """A row for each attribute, a cell for each of its values: the mean weight of the value's word, and the share of
    cells in which it is significant. `values` are those of `table.values`."""
    names = [name for name in results.plan["attributes"] if any(v["attribute"] == name and v["cells"] for v in values)]
    columns = max((len(results.plan["attributes"][name]["values"]) for name in names), default=1)
    z, text, hover = ([[empty] * columns for _ in names] for empty in (None, "", ""))
    figure = go.Figure()
    for row, name in enumerate(names):
        own = [v for v in values if v["attribute"] == name and v["editor"] == editor]
        for column, v in enumerate(own):
            label = _escaped(v["value"] if len(v["value"]) < 17 else v["value"][:16] + "…")
            if v["weight"] is None:
                text_ = f"{label}<br><i>no cell</i>"
                figure.add_annotation(x=column, y=row, text=text_, showarrow=False, font={"size": 13, "color": QUIET})
                continue
            z[row][column] = v["weight"]
            text[row][column] = f"<b>{label}</b><br>{v['weight']:+.2f}<br>{STAR} {v['significant']:.0%}"
            hover[row][column] = (
                f"{_escaped(name)}: <b>{_escaped(v['value'])}</b><br>mean weight {v['weight']:+.2f} in {v['cells']} cells"
                f"<br>significant in {v['significant']:.0%} of them"
            )
    limit = max((abs(v["weight"]) for v in values if v["weight"] is not None), default=1.0) or 1.0
    figure.add_heatmap(
        z=z,
        text=text,
        hovertext=hover,
        texttemplate="%{text}",
        textfont={"size": 13},
        hoverinfo="text",
        hoverongaps=False,
        xgap=4,
        ygap=4,
        zmin=-limit,
        zmax=limit,
        colorscale=[[at, f"rgb{colour}"] for at, colour in SCALE],
        showscale=False,
    )
    figure.update_xaxes(visible=False, range=[-0.5, columns - 0.5])
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=[_escaped(name) for name in names], showgrid=False,
                        zeroline=False, range=[len(names) - 0.5, -0.5])  # fmt: skip
    return _styled(figure, height=44 + 74 * len(names))


def pairs(coverage: dict) -> go.Figure:
    """Values against those of other attributes: the number of cells in which the two came together."""
    names = [(v["attribute"], v["value"]) for v in coverage["values"]]
    rows = [name for name in names if name[0] != names[0][0]]
    columns = [name for name in names if name[0] != names[-1][0]]
    z, text, hover = ([[empty] * len(columns) for _ in rows] for empty in (None, "", ""))
    figure = go.Figure()
    for pair in coverage["pairs"]:
        (a, b), cells = (tuple(value) for value in pair["values"]), pair["cells"]
        column, row = columns.index(a), rows.index(b)
        if cells:
            z[row][column], text[row][column] = cells, str(cells)
            hover[row][column] = f"{_escaped(a[1])} with {_escaped(b[1])}<br>{cells} cells"
        else:
            figure.add_annotation(x=column, y=row, text="0", showarrow=False, font={"size": 13, "color": QUIET})
    figure.add_heatmap(
        z=z,
        text=text,
        hovertext=hover,
        texttemplate="%{text}",
        hoverinfo="text",
        hoverongaps=False,
        xgap=2,
        ygap=2,
        colorscale=EXERCISED,
        showscale=False,
    )
    for axis, shown in (("xaxis", columns), ("yaxis", rows)):
        ticks = {"tickvals": list(range(len(shown))), "ticktext": [_escaped(value) for _, value in shown], "showgrid": False}
        figure.update_layout({axis: ticks | {"zeroline": False}})
    figure.update_xaxes(range=[-0.5, len(columns) - 0.5], tickangle=-45)
    figure.update_yaxes(range=[len(rows) - 0.5, -0.5])
    return _styled(figure, height=90 + 28 * len(rows))


def _styled(figure: go.Figure, **layout) -> go.Figure:
    return figure.update_layout(
        font=FONT,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 32, "t": 28, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"bgcolor": INK, "font": {"color": "#f5f3ef"}},
        dragmode=False,
        **layout,
    )


def _escaped(text: str) -> str:
    """For plotly, which reads some markup."""
    return html.escape(text)
