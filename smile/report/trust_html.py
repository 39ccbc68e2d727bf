"""The trust report as markup: every entry with its sentence, its figures, and what would be good values.

Nothing in it moves, so a template draws it and no script.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from smile.report.jinja import render

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 220, 100, 4, 8, 24  # of a curve's drawing, in its own pixels
CURVES = {"deletion": "left out, heaviest first", "insertion": "put in, heaviest first"}
ROUND_OFF = 1e-9


@dataclass(frozen=True)
class Figure:
    """One number, as it is to be read."""

    label: str
    value: float | None  # None where it is not defined
    text: str
    good: float | None = None  # the smallest good value, where there is a convention
    most: float = 1.0  # the end of its scale, which begins at 0

    @property
    def holds(self) -> bool | None:
        """Whether it is a good value; None where nobody can say."""
        return None if self.value is None or self.good is None else self.value >= self.good - ROUND_OFF


@dataclass(frozen=True)
class TrustEntry:
    """One entry of the trust report."""

    name: str
    sentence: str
    figures: tuple[Figure, ...]  # the most important one first
    good: str  # what would be a good value
    source: str  # and who says so
    numbers: dict[str, Any] = field(default_factory=dict)  # all that was measured, as `smile.evaluation.metrics` returned it

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        figures = [asdict(figure) | {"holds": figure.holds} for figure in self.figures]
        return asdict(self) | {"figures": figures}


def render_trust(entries: list[TrustEntry]) -> str:
    """One <article> for each entry; "" for none. Texts are escaped."""
    if not entries:
        return ""
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
