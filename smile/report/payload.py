"""What the browser needs to draw an explanation: plain JSON values, texts as they are shown, and pictures."""

import base64
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from smile.method import design
from smile.report import citation, plots
from smile.report.beside import describe_order
from smile.report.finding import write_sentences
from smile.report.headline import write_figures, write_headline
from smile.report.known import write_warning
from smile.report.numbers import finite_or_none
from smile.report.places import describe_places
from smile.report.protocols import ExplanationLike

LONGEST = 512  # pixels of a picture's longest side; the bundle has all of them
QUALITY = 85


class Pictures:
    """Pictures as data URLs (WebP), each encoded once: every item of a run's stream shows the earlier edits again."""

    def __init__(self, longest: int = LONGEST):
        self.longest = longest
        self._encoded: dict[int, tuple[Image.Image, str]] = {}  # by id, which is the picture's as long as it is held here

    def url(self, picture: Image.Image | None) -> str | None:
        """The picture, no longer than `longest`; None for an edit that failed."""
        if picture is None:
            return None
        if id(picture) not in self._encoded:
            small = picture.copy()
            small.thumbnail((self.longest, self.longest))
            data = BytesIO()
            small.save(data, "WEBP", quality=QUALITY)
            self._encoded[id(picture)] = picture, f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
        return self._encoded[id(picture)][1]


def explanation_payload(
    explanation: ExplanationLike,
    *,
    pictures: Pictures | None = None,
    was_stopped: bool = False,
    source: str = "",
    link: str = "",
    files: tuple[str, str] = ("input.png", "region.png"),
) -> dict[str, Any]:
    """What templates/explanation.html and its scripts draw.

    - pictures: the same object for every item of a stream.
    - was_stopped: whether a provisional explanation will stay as it is.
    - source: a sentence that says where this comes from if it was not computed just now.
    - link: the query that restores it on the page.
    - files: the paths of picture and region in the Python lines.
    """
    e, url = explanation, (pictures or Pictures()).url
    finding, *remarks = write_sentences(e)
    first_other = e.settings["seed"] + e.settings["seeds"]
    return {
        "kind": "edits",
        "instruction": e.instruction,
        "words": e.words,
        "weights": _list_numbers(e.weights),
        "low": _list_numbers(e.ci_low),
        "high": _list_numbers(e.ci_high),
        "significant": e.significant.tolist(),
        "columns": plots.COLUMN_NAMES,
        "rows": plots.tabulate_words(e),
        "scale": plots.SCALE,
        "dark_scale": plots.DARK_SCALE,
        "limit": plots.LIMIT,
        "noise": not e.provisional and not e.beyond_noise,
        "warning": write_warning(e),
        "lesson": "",
        "headline": write_headline(e),
        "figures": write_figures(e),
        "finding": finding,
        "remarks": " ".join(filter(None, [*remarks, describe_order(e)])),
        "order": describe_order(e),
        "alone": _list_numbers(e.alone),
        "undo": e.undo,
        "note": _mark_unfinished(e, was_stopped),
        "running": e.provisional and not was_stopped,
        "reference": "input picture" if e.settings["reference"] == "input" else "full edit",
        "facts": _describe_run(e),
        "badges": _list_badges(e, source, was_stopped),
        "source": source,
        "input": url(e.image),
        "ratio": e.image.width / e.image.height,
        "edits": [
            _describe_edit(url(edit), distance, e.settings["seed"] + block)
            | {"mask": mask.tolist(), "response": finite_or_none(response), "counts": finite_or_none(counts)}
            for edit, mask, distance, block, response, counts in zip(
                e.edits, e.mask, e.distances, e.blocks.tolist(), e.responses, e.locality_weights, strict=True
            )
        ],
        "planned": _list_planned(e) if e.provisional and not was_stopped else [],
        "others": [
            _describe_edit(url(edit), distance, first_other + i)
            for i, (edit, distance) in enumerate(zip(e.noise_edits, e.noise_distances, strict=False))  # from the first seed's
        ],
        "maps": _list_maps(e),
        "where": [""] * len(e.words) if e.places is None else [describe_places(each) for each in e.places],
        "map_limit": 1.0 if e.maps is None else float(np.abs(e.maps).max()) or 1.0,
        "python": citation.write_python(e, *files),
        "bibtex": citation.BIBTEX,
        "link": link,
    }


def comparison_payload(
    explanations: Mapping[str, ExplanationLike | str], *, pictures: Pictures | None = None, source: str = ""
) -> dict[str, Any]:
    """What templates/comparison.html draws: for each editor, by name, an explanation of the same instruction, finished or not,
    or a sentence that says why there is none."""
    url = (pictures or Pictures()).url
    first = next((e for e in explanations.values() if not isinstance(e, str)), None)
    return {
        "instruction": "" if first is None else first.instruction,
        "words": [] if first is None else first.words,
        "input": None if first is None else url(first.image),
        "warning": "" if first is None else write_warning(first),
        "scale": plots.SCALE,
        "dark_scale": plots.DARK_SCALE,
        "limit": plots.LIMIT,
        "source": source,
        "editors": [
            {"name": name, "problem": e}
            if isinstance(e, str)
            else {
                "name": name,
                "weights": _list_numbers(e.weights),
                "noise": not e.provisional and not e.beyond_noise,
                "significant": e.significant.tolist(),
                "rows": plots.tabulate_words(e),
                "finding": write_sentences(e)[0],
                "edit": url(e.edits[0]),
                "note": _mark_unfinished(e),
            }
            for name, e in explanations.items()
        ],
    }


def _describe_run(e: ExplanationLike) -> str:
    """Editor, seeds and number of edits, in one line."""
    of = e.settings
    texts = len(set(zip(e.blocks.tolist(), e.texts, strict=True)))
    weights = f", {of['editor_weights']} weights" if of.get("editor_weights") else ""
    last = of["seed"] + of["seeds"] - 1
    seeds = f"seed {of['seed']}" if of["seeds"] == 1 else f"seeds {of['seed']} to {last}"
    edits = f"{texts} edit{'' if texts == 1 else 's'}"
    more = f", {len(e.noise_edits)} more under other seeds" if e.noise_edits else ""
    return f"{of['editor']}{weights} · {seeds} · {edits}{more}"


def _list_badges(e: ExplanationLike, source: str, was_stopped: bool) -> list[str]:
    """What was run, in a word or two each; the first says where it comes from."""
    origin = (
        "saved run" if source else "stopped" if e.provisional and was_stopped else "running" if e.provisional else "run here"
    )
    of, texts = e.settings, len(set(zip(e.blocks.tolist(), e.texts, strict=True)))
    last = of["seed"] + of["seeds"] - 1
    seeds = f"seed {of['seed']}" if of["seeds"] == 1 else f"seeds {of['seed']} to {last}"
    weights = [f"{of['editor_weights'].split('/')[-1]} weights"] if of.get("editor_weights") else []
    return [origin, *weights, f"{of['edits'] if e.provisional else texts} edits", seeds]


def _list_planned(e: ExplanationLike) -> list[list[bool]]:
    """(rows still to come, k) of the first seed, in the order in which they are made."""
    of, k = e.settings, len(e.words)
    if of["looks"]:
        mask = design.in_blocks(k, of["edits"], of["seed"])
    else:
        mask = design.choose(k, of["edits"], of["design"], of["seed"])
    made = {tuple(row) for row in e.mask[e.blocks == 0].tolist()}
    return [row for row in mask.tolist() if tuple(row) not in made]


def _mark_unfinished(e: ExplanationLike, was_stopped: bool = False) -> str:
    """The mark on what is not final; "" on what is."""
    if not e.provisional:
        return ""
    return f"{'stopped' if was_stopped else 'provisional'}, {e.done} of {e.total} edits"


def _describe_edit(src: str | None, distance: float, seed: int) -> dict[str, Any]:
    said = f"distance {distance:.2f}" if np.isfinite(distance) else "blocked or failed"
    return {"src": src, "distance": finite_or_none(distance), "said": said, "seed": seed}


def _list_maps(e: ExplanationLike) -> list[list[list[float | None]]] | None:
    """(k, rows, columns), None in a place that is not shown as the word's; None where there are no maps."""
    if e.maps is None or e.places is None:
        return None
    maps = e.maps.round(4).astype(object)
    maps[~e.places] = None
    return maps.tolist()


def _list_numbers(array: np.ndarray) -> list[float | None]:
    return [finite_or_none(number) for number in array]
