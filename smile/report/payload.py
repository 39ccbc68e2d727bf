"""What the browser needs to draw an explanation: plain JSON values, texts as they are to stand there, and pictures."""

import base64
from io import BytesIO

import numpy as np
from PIL import Image

from smile.explanation import Explanation
from smile.report import citation, plots
from smile.report.finding import sentences

LONGEST = 512  # pixels of a picture's longest side; the bundle has all of them
QUALITY = 85


class Pictures:
    """Pictures as data URLs (WebP), each encoded once: a run shows the same edits again with every new one."""

    def __init__(self, longest: int = LONGEST):
        self.longest = longest
        self._known: dict[int, tuple[Image.Image, str]] = {}  # by id, which is the picture's as long as it is held here

    def url(self, picture: Image.Image | None) -> str | None:
        """The picture, no longer than `longest`; None for an edit that failed."""
        if picture is None:
            return None
        if id(picture) not in self._known:
            small = picture.copy()
            small.thumbnail((self.longest, self.longest))
            data = BytesIO()
            small.save(data, "WEBP", quality=QUALITY)
            self._known[id(picture)] = picture, f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
        return self._known[id(picture)][1]


def explanation_payload(
    explanation: Explanation,
    *,
    pictures: Pictures | None = None,
    was_stopped: bool = False,
    source: str = "",
    link: str = "",
    files: tuple[str, str] = ("input.png", "region.png"),
) -> dict:
    """What explanation.html, view.js and their like draw.

    - pictures: the same object for every step of a run.
    - was_stopped: what is provisional will stay so.
    - source: a sentence that says where this comes from if it was not run just now.
    - link: the query that restores it on the page.
    - files: what the Python lines call the picture and the region.
    """
    e, url = explanation, (pictures or Pictures()).url
    first_other = e.settings["seed"] + e.settings["seeds"]
    return {
        "instruction": e.instruction,
        "words": e.words,
        "weights": _numbers(e.weights),
        "low": _numbers(e.ci_low),
        "high": _numbers(e.ci_high),
        "significant": e.significant.tolist(),
        "columns": plots.COLUMN_NAMES,
        "rows": plots.table(e),
        "scale": plots.SCALE,
        "limit": plots.largest_weight(e),
        "finding": sentences(e)[0],
        "remarks": " ".join(sentences(e)[1:]),
        "note": _note(e, was_stopped),
        "running": e.provisional and not was_stopped,
        "reference": "input picture" if e.settings["reference"] == "input" else "full edit",
        "facts": _facts(e),
        "source": source,
        "input": url(e.image),
        "region": url(e.region),
        "edits": [
            {
                "src": url(edit),
                "mask": mask.tolist(),
                "distance": _number(distance),
                "said": _distance(distance),
                "seed": e.settings["seed"] + block,
            }
            for edit, mask, distance, block in zip(e.edits, e.mask, e.distances, e.blocks.tolist(), strict=True)
        ],
        "others": [
            {"src": url(edit), "seed": first_other + i, "distance": _number(distance), "said": _distance(distance)}
            for i, (edit, distance) in enumerate(zip(e.noise_edits, e.noise_distances, strict=False))  # from the first seed's
        ],
        "maps": None if e.maps is None else [_map(*word) for word in zip(e.maps, e.maps_p_values < 0.05, strict=True)],
        "map_limit": 1.0 if e.maps is None else float(np.abs(e.maps).max()) or 1.0,
        "python": citation.python(e, *files),
        "bibtex": citation.BIBTEX,
        "link": link,
    }


def comparison_payload(
    explanations: dict[str, Explanation | str], *, pictures: Pictures | None = None, source: str = ""
) -> dict:
    """What comparison.html draws: by the editor's name an explanation of the same instruction, as far as it is, or a
    sentence that says why there is none."""
    url = (pictures or Pictures()).url
    made = {name: e for name, e in explanations.items() if isinstance(e, Explanation)}
    some = next(iter(made.values()), None)
    return {
        "instruction": "" if some is None else some.instruction,
        "words": [] if some is None else some.words,
        "input": None if some is None else url(some.image),
        "scale": plots.SCALE,
        "limit": max((plots.largest_weight(e) for e in made.values()), default=1.0),
        "source": source,
        "editors": [
            {"name": name, "problem": e}
            if isinstance(e, str)
            else {
                "name": name,
                "weights": _numbers(e.weights),
                "significant": e.significant.tolist(),
                "rows": plots.table(e),
                "finding": sentences(e)[0],
                "facts": _facts(e),
                "edit": url(e.edits[0]),
                "note": _note(e, False),
            }
            for name, e in explanations.items()
        ],
    }


def _facts(e) -> str:
    """Which run it was, in one line."""
    of = e.settings
    texts = len(set(zip(e.blocks.tolist(), e.texts, strict=True)))
    weights = f", {of['editor_weights']} weights" if of.get("editor_weights") else ""
    last = of["seed"] + of["seeds"] - 1
    seeds = f"seed {of['seed']}" if of["seeds"] == 1 else f"seeds {of['seed']} to {last}"
    made = f"{texts} edit{'' if texts == 1 else 's'}"
    more = f", {len(e.noise_edits)} more under other seeds" if e.noise_edits else ""
    return f"{of['editor']}{weights} · {seeds} · {made}{more}"


def _note(e, was_stopped) -> str:
    """The mark on what is not final; "" on what is."""
    if not e.provisional:
        return ""
    return f"{'stopped' if was_stopped else 'provisional'}, {e.done} of {e.total} edits"


def _distance(distance: float) -> str:
    return f"distance {distance:.2f}" if np.isfinite(distance) else "blocked or failed"


def _number(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None


def _map(weights, significant) -> list[list[float | None]]:
    """A word's map (gh, gw), None where it is not significant."""
    rows = zip(weights.round(4).tolist(), significant.tolist(), strict=True)
    return [[weight if shown else None for weight, shown in zip(*row, strict=True)] for row in rows]


def _numbers(array) -> list[float | None]:
    return [_number(number) for number in array]
