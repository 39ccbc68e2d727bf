"""The trust report as markup: every entry with its sentence, its figures and what would be good ones.

It is drawn here and not by a script, because nothing in it moves.
"""

from html import escape

from smile.evaluation.report_card import Figure, Trust

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 220, 100, 4, 8, 24  # of a curve's drawing, in its own pixels
MARKS = {True: "✓ good", False: "below"}


def trust(entries: list[Trust]) -> str:
    """One <article> for each entry; "" for none. Texts are escaped."""
    return f'<div class="trust">{"".join(map(_entry, entries))}</div>' if entries else ""


def _entry(entry: Trust) -> str:
    figures = "".join(map(_figure, entry.figures))
    curves = _curves(entry.numbers) if entry.name == "faithfulness" and entry.figures else ""
    source = f' <span class="by">({escape(entry.source)})</span>' if entry.source else ""
    good = f'<p class="good"><b>Good:</b> {_text(entry.good)}{source}.</p>' if entry.good else ""
    return (
        f"<article><div><h3>{escape(entry.name)}</h3><p>{_text(entry.sentence)}</p>{good}</div>"
        f"<div><dl>{figures}</dl>{curves}</div></article>"
    )


def _text(text: str) -> str:
    """Escaped, and a number stays with its percent sign."""
    return escape(text).replace(" %", "\u00a0%")


def _figure(figure: Figure) -> str:
    mark = MARKS.get(figure.holds, "")
    mark = f' <span class="mark {"holds" if figure.holds else "fails"}">{mark}</span>' if mark else ""
    return f"<div><dt>{escape(figure.label)}</dt><dd><b>{escape(figure.text)}</b>{mark}{_meter(figure)}</dd></div>"


def _meter(figure: Figure) -> str:
    """A bar up to the value and a line at the smallest good one, both as shares of the scale."""
    if figure.holds is None:
        return ""
    value, good = (f"{100 * min(max(number / figure.most, 0), 1):.1f}%" for number in (figure.value, figure.good))
    return f'<span class="meter" aria-hidden="true"><i style="width:{value}"></i><u style="left:{good}"></u></span>'


def _curves(numbers: dict) -> str:
    """Deletion and insertion side by side, in the order of the weights and, dashed, in random orders."""
    said = {"deletion": "left out, heaviest first", "insertion": "put in, heaviest first"}
    return f'<div class="curves">{"".join(_curve(numbers, name, text) for name, text in said.items())}</div>'


def _curve(numbers: dict, name: str, text: str) -> str:
    own, random = numbers[f"{name}_curve"], numbers[f"random_{name}_curve"]
    lowest, highest = min(0.0, *own, *random), max(1.0, *own, *random)
    high = HEIGHT - TOP - BOTTOM

    def points(curve):
        across = [LEFT + i * (WIDTH - 2 * LEFT) / (len(curve) - 1) for i in range(len(curve))]
        down = [TOP + high * (highest - value) / (highest - lowest) for value in curve]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))

    between = f"area between {numbers[name]:.2f}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Likeness to the reference, words {text}: {between}">'
        f'<path class="floor" d="M{LEFT} {TOP + high}H{WIDTH - LEFT}"/>'
        f'<polyline class="random" points="{points(random)}"/><polyline class="own" points="{points(own)}"/>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">{text}</text></svg>'
    )
