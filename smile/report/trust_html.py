"""The trust report as markup: every entry with a plain sentence, and behind a click what was measured, by which figures, and
what would be good values.

Nothing in it moves but what <details> folds, so a template draws it and no script.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from markupsafe import Markup

from smile.report.jinja import render

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 220, 100, 4, 8, 24  # of a curve's drawing, in its own pixels
CURVES = {"deletion": "left out, heaviest first", "insertion": "put in, heaviest first"}


@dataclass(frozen=True)
class Figure:
    """One number, as it is to be read."""

    label: str
    value: float | None  # None where it is not defined
    text: str
    good: float | None = None  # the smallest good value, where there is a convention
    most: float = 1.0  # the end of its scale, which begins at 0
    holds: bool | None = None  # whether it is a good value; None where nobody can say


@dataclass(frozen=True)
class TrustEntry:
    """One entry of the trust report."""

    name: str
    sentence: str  # for everybody: without a number, and without a term of statistics
    detail: str  # the same in numbers; may be empty
    figures: tuple[Figure, ...]  # the most important one first
    good: str  # what would be a good value
    source: str  # and who says so
    numbers: dict[str, Any] = field(default_factory=dict)  # all that was measured, as `smile.evaluation.metrics` returned it

    @property
    def holds(self) -> bool | None:
        """Whether all figures that have a mark are good; None without any."""
        marks = [figure.holds for figure in self.figures if figure.holds is not None]
        return all(marks) if marks else None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def render_trust(entries: Sequence[TrustEntry]) -> Markup:
    """One <article> for each entry; "" for none. Texts are escaped."""
    if not entries:
        return Markup("")
    drawn = [(entry, [(figure, _place(figure)) for figure in entry.figures], _draw_curves(entry)) for entry in entries]
    return render("report/templates/trust.html", entries=drawn, width=WIDTH, height=HEIGHT, left=LEFT, floor=HEIGHT - BOTTOM)


def _place(figure: Figure) -> tuple[str, str] | None:
    """Where the value and the smallest good one lie on the figure's scale, in percent; None without a convention."""
    if figure.value is None or figure.good is None:
        return None
    value, good = (f"{100 * min(max(number / figure.most, 0), 1):.1f}%" for number in (figure.value, figure.good))
    return value, good


def _draw_curves(entry: TrustEntry) -> list[dict[str, str]]:
    """Deletion and insertion: label, area, and points in the order of the weights and in random orders."""
    if entry.name != "faithfulness" or not entry.figures:
        return []
    curves = []
    for name, label in CURVES.items():
        own, random = entry.numbers[f"{name}_curve"], entry.numbers[f"random_{name}_curve"]
        span = min(0.0, *own, *random), max(1.0, *own, *random)
        area = f"{entry.numbers[name]:.2f}"
        curves.append({"label": label, "area": area, "own": _points(own, *span), "random": _points(random, *span)})
    return curves


def _points(curve: list[float], lowest: float, highest: float) -> str:
    """The points of an SVG polyline."""
    wide, high, steps = WIDTH - 2 * LEFT, HEIGHT - TOP - BOTTOM, len(curve) - 1
    down = [TOP + high * (highest - value) / (highest - lowest) for value in curve]
    return " ".join(f"{LEFT + i * wide / steps:.1f},{y:.1f}" for i, y in enumerate(down))
