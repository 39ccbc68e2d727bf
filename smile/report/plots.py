"""The word heatmap as a plotly figure and as a PNG, its table, and a word's map laid over the picture.

The colour scale is symmetric about zero, so the pale middle always means no weight, and significance is shown by a star and a
frame, never by colour alone. Words are somebody's text: they are escaped wherever they become markup.
"""

import html
import math
import textwrap

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw

from smile.errors import InputError
from smile.report.fonts import choose_font
from smile.report.known import write_warning
from smile.report.numbers import finite_or_none, format_interval, format_p_value, format_weight
from smile.report.protocols import ExplanationLike, NumbersLike

COLUMNS = 8  # words in one row of the heatmap
LINE = 16  # pixels of a line above it
LONGEST = 16  # characters of a word that a cell shows; the hover shows all
# Blue to orange-red: +w and -w differ by Lab 31 or more at .25, as people with the usual colour deficiencies see them. Where
# the page is dark the middle is, too, so that nothing is quiet.
SCALE = (
    (0.0, (11, 74, 140)),
    (0.25, (93, 159, 214)),
    (0.42, (211, 228, 242)),
    (0.5, (243, 241, 237)),
    (0.58, (251, 220, 203)),
    (0.75, (236, 132, 88)),
    (1.0, (160, 22, 39)),
)
DARK_SCALE = (
    (0.0, (159, 208, 255)),
    (0.25, (53, 120, 181)),
    (0.42, (40, 57, 74)),
    (0.5, (43, 41, 38)),
    (0.58, (77, 48, 39)),
    (0.75, (187, 87, 48)),
    (1.0, (255, 176, 145)),
)
LIMIT = 1.0  # of the colours, for all explanations alike, so that a small weight looks small
GREY = (226, 226, 226)  # a word whose weight is not known, or of edits that are within noise
STAR = "★"
RED_AND_BLUE = "red pulls toward the reference, blue away"
COLUMN_NAMES = ("word", "weight", "alone", "95 % interval", "p", "p (Holm)", "significant")


def plot_heatmap(explanation: NumbersLike) -> go.Figure:
    """The words of an explanation in reading order, coloured by weight, with the 95 % interval; hover gives p-values."""
    words = tabulate_words(explanation)
    rows, columns = _shape(len(words))
    z, text, hover = (np.full(rows * columns, None, dtype=object) for _ in range(3))
    for j, (word, weight, _, interval, p_value, p_value_holm, star) in enumerate(words):
        name = html.escape(_shorten(word))
        small = f'<br><span style="font-size:11px">{interval}</span>' if np.isfinite(explanation.ci_low[j]) else ""
        z[j] = finite_or_none(explanation.weights[j]) or 0.0
        text[j] = f"{f'<b>{name}</b> {star}' if star else name}<br>{weight}{small}"
        hover[j] = (
            f"<b>{html.escape(word)}</b> (word {j + 1})<br>weight {weight}<br>95 % interval {interval}<br>"
            f"p {html.escape(p_value)}, Holm {html.escape(p_value_holm)}"
        )
    within = not explanation.provisional and not explanation.beyond_noise
    scale = [[0, f"rgb{GREY}"], [1, f"rgb{GREY}"]] if within else [[at, f"rgb{colour}"] for at, colour in SCALE]
    figure = go.Figure(
        go.Heatmap(
            z=z.reshape(rows, columns),
            text=text.reshape(rows, columns),
            hovertext=hover.reshape(rows, columns),
            texttemplate="%{text}",
            textfont={"size": 15},
            hoverinfo="text",
            hoverongaps=False,
            xgap=4,
            ygap=4,
            zmin=-LIMIT,
            zmax=LIMIT,
            colorscale=scale,
            showscale=not within,
            colorbar={"title": {"text": "weight"}, "thickness": 12},
        )
    )
    for j, starred in enumerate(explanation.significant):
        row, column = divmod(j, columns)
        line = {"color": "black", "width": 3} if starred else {"color": "#bbb", "width": 1}
        figure.add_shape(type="rect", x0=column - 0.48, x1=column + 0.48, y0=row - 0.46, y1=row + 0.46, line=line)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    provisional = "provisional · " if explanation.provisional else ""
    figure.update_layout(
        height=80 + 96 * rows,
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        plot_bgcolor="white",
        title={
            "text": f"{provisional}{'grey: within noise' if within else RED_AND_BLUE} · {STAR} p &lt; 0.05 (Holm), visible",
            "font": {"size": 13},
            "x": 0.01,
        },
    )
    return figure


def draw_heatmap(explanation: NumbersLike) -> Image.Image:
    """The same drawn with Pillow, for places where no script runs: RGB, 120 pixels wide for each word of a row.

    A word whose letters no font of this machine has is named by its number, and the line above says so. What the weights never
    saw is said above, too.
    """
    words = tabulate_words(explanation)
    rows, columns = _shape(len(words))
    width, height = 120, 88
    warning = _wrap_warning(write_warning(explanation), columns * width)
    top = 34 + LINE * len(warning)
    picture = Image.new("RGB", (columns * width + 8, top + rows * height + 8), "white")
    draw = ImageDraw.Draw(picture)
    within = not explanation.provisional and not explanation.beyond_noise
    provisional, colours = "provisional; " if explanation.provisional else "", "grey: within noise" if within else RED_AND_BLUE
    drawable = [choose_font(_shorten(word[0]), 17) is not None for word in words]
    missing = "" if all(drawable) else "; no font here has the letters of the words named by number"
    note = f"{provisional}{colours}; * p < 0.05 (Holm){missing}"
    for number, line in enumerate(warning):
        draw.text((8, 8 + LINE * number), line, fill="#7a4a00", font=_font(12, line))
    draw.text((8, top - 26), note, fill="#444", font=_font(12))
    for j, (word, weight, _, interval, _, _, star) in enumerate(words):
        row, column = divmod(j, columns)
        left, up = 8 + column * width, top + row * height
        box = (left, up, left + width - 8, up + height - 8)
        colour = GREY if within else pick_colour(explanation.weights[j], LIMIT)
        draw.rectangle(box, fill=colour, outline="black" if star else "#bbb", width=3 if star else 1)
        ink = "black" if sum(colour) > 330 else "white"
        middle = (box[0] + box[2]) / 2
        label = (_shorten(word) if drawable[j] else f"word {j + 1}") + (" *" if star else "")
        draw.text((middle, up + 22), label, fill=ink, font=_fitting_font(draw, label, width - 16), anchor="mm")
        draw.text((middle, up + 44), weight, fill=ink, font=_font(14), anchor="mm")
        if np.isfinite(explanation.ci_low[j]):
            draw.text((middle, up + 64), interval, fill=ink, font=_font(11), anchor="mm")
    return picture


def draw_overlay(explanation: ExplanationLike, word: int) -> Image.Image:
    """The reference picture in grey, coloured in the places that are shown as the word's: red where it makes them lighter,
    blue where it makes them darker.

    `word` is a position from 0. Raises InputError where there is no such word or no map.
    """
    if explanation.maps is None or explanation.places is None:
        raise InputError("This explanation has no maps, because it is unfinished.")
    if not 0 <= word < len(explanation.words):
        raise InputError(f"There is no word {word}; the words are numbered 0 to {len(explanation.words) - 1}.")
    effects, limit = explanation.maps[word], np.abs(explanation.maps).max() or 1.0
    rgba = np.zeros((*effects.shape, 4), dtype=np.uint8)
    for at in np.argwhere(explanation.places[word]):
        rgba[tuple(at)] = (*pick_colour(effects[tuple(at)], limit), 170)
    base = explanation.reference.convert("L").convert("RGBA")
    layer = Image.fromarray(rgba, "RGBA").resize(base.size, Image.Resampling.NEAREST)
    return Image.alpha_composite(base, layer).convert("RGB")


def tabulate_words(explanation: NumbersLike) -> list[tuple[str, ...]]:
    """One row of texts for each word, under `COLUMN_NAMES`."""
    e = explanation
    return [
        (
            word,
            format_weight(e.weights[j]),
            format_weight(e.alone[j]) if np.isfinite(e.alone[j]) else "",
            format_interval(e.ci_low[j], e.ci_high[j]),
            format_p_value(e.p_values[j]),
            format_p_value(e.p_values_holm[j]),
            STAR if e.significant[j] else "",
        )
        for j, word in enumerate(e.words)
    ]


def pick_colour(weight: float, limit: float) -> tuple[int, ...]:
    """The RGB colour of a weight on the scale -limit to limit; an unknown one is light grey."""
    if not np.isfinite(weight):
        return GREY
    at = float(np.clip(0.5 + 0.5 * weight / limit, 0, 1))
    return tuple(round(float(np.interp(at, [s[0] for s in SCALE], [s[1][c] for s in SCALE]))) for c in range(3))


def _shape(k: int) -> tuple[int, int]:
    """Rows and columns for k words."""
    rows = math.ceil(k / COLUMNS)
    return rows, math.ceil(k / rows)


def _shorten(word: str) -> str:
    return word if len(word) <= LONGEST else word[: LONGEST - 1] + "…"


def _wrap_warning(warning: str, width: int) -> list[str]:
    """Its lines; of letters that no font here has, a sentence that says where to read it."""
    lines = textwrap.wrap(warning, width // 7)
    drawable = all(choose_font(line, 12) is not None for line in lines)
    return lines if drawable else textwrap.wrap("Some of this is strange to the weights; the finding says what.", width // 7)


def _font(size: int, text: str = ""):
    font = choose_font(text, size)
    assert font is not None, "only what can be drawn is"
    return font


def _fitting_font(draw, text: str, width: float):
    """The largest font from 17 pixels down to 9 in which `text` fits."""
    for size in range(17, 9, -1):
        if draw.textlength(text, font=_font(size, text)) <= width:
            return _font(size, text)
    return _font(9, text)
