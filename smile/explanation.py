"""The result: every number the method made, the pictures it made them from, and how they are shown and kept.

An explanation that is still being computed is the same object with `provisional` set and NaN where nothing is known
yet, so whatever can show, save or download a finished explanation can do so with one that was stopped.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from smile.io.atomic import write_file
from smile.method import group_sequential
from smile.report.finding import write_finding

PICTURES = ("image", "edits", "noise_edits", "region")


@dataclass
class Explanation:
    """k words, n edits (N for each of S seeds; a partial explanation has those made so far).

    Shapes are (k,) for words, (n,) for edits. NaN stands for what is not known: a failed edit's distance, or a weight
    before there are enough edits.
    """

    instruction: str
    words: list[str]
    weights: np.ndarray  # > 0: the word pulls the result toward the reference
    ci_low: np.ndarray  # 95 % interval: of this edit, or with several seeds of this editor
    ci_high: np.ndarray
    p_values: np.ndarray  # one word at a time
    p_values_holm: np.ndarray  # corrected for k words; significance is read here only
    untested: str  # why no word could be told from chance; empty where the words were tested
    interaction: dict  # smile.method.interaction.Interaction; empty before the end
    mask: np.ndarray  # (n, k) bool: edit i has word j
    blocks: np.ndarray  # (n,) int: which of the S seeds, counted from 0
    texts: list[str]  # (n,) perturbed instructions; the first of each block is the full one
    distances: np.ndarray  # (n,) from the block's reference
    responses: np.ndarray  # (n,) in [0, 1]; 1 is the reference
    locality_weights: np.ndarray  # (n,) in [0, 1]
    distances_from_full: np.ndarray  # (n,) from the block's full-instruction edit; the same unless the reference is input
    edit_p_values: np.ndarray  # (n,) is the edit farther from the full one than another seed alone moves it?
    noise_distances: np.ndarray  # full-instruction edits under other seeds, from the full-instruction edit
    noise_floor: float | None  # how far an edit moves when nothing is left out, on average; None without noise seeds
    fidelity: dict[str, float | None]  # smile.method.fidelity; empty before there are weights
    settings: dict  # everything needed to run it again
    seconds: dict[str, float]  # the only part that differs between two equal runs
    failed: int  # edits that failed or were blocked; they are not in the fit
    image: Image.Image  # the picture as the editor saw it
    edits: list[Image.Image | None]  # (n,) None where failed
    noise_edits: list[Image.Image | None] = field(default_factory=list)
    region: Image.Image | None = None  # "L", white where the editor was allowed to change the picture; None: everywhere
    maps: np.ndarray | None = None  # (k, gh, gw) the word's weight for each patch of the picture
    maps_p_values: np.ndarray | None = None
    provisional: bool = False  # there is more to come
    done: int = 0  # edits made, of
    total: int = 0  # edits to make, noise seeds included

    @property
    def reference(self) -> Image.Image:
        """What the edits are compared with (under the first seed): the full-instruction edit, or the input picture."""
        return self.image if self.settings["reference"] == "input" else self.edits[0]

    @property
    def significant(self) -> np.ndarray:
        """(k,) bool: Holm-corrected p-value below 0.05."""
        return self.p_values_holm < 0.05

    @property
    def undecided(self) -> np.ndarray:
        """(k,) bool: neither significant, nor shown to have less than `settings["smallest_effect"]` (nothing where that is
        None). As long as there are any, edits are added, up to `settings["edits"]`."""
        smallest = self.settings["smallest_effect"] or 0.0
        return group_sequential.undecided(self.p_values_holm, self.ci_low, self.ci_high, smallest)

    @property
    def finding(self) -> str:
        """What was found, in one plain sentence, not more than the edits that were made can carry."""
        return write_finding(self)

    def heatmap(self):
        """A plotly Figure: the words in reading order, coloured by weight on a symmetric scale."""
        from smile.report.plots import plot_heatmap

        return plot_heatmap(self)

    def overlay(self, word: int) -> Image.Image:
        """The reference with the map of the word at this position (from 0); patches that are not significant are left
        as they are. Raises InputError where there is no such word or no map."""
        from smile.report.plots import draw_overlay

        return draw_overlay(self, word)

    def to_dict(self) -> dict:
        """Everything but the pictures, as plain JSON values; NaN becomes None."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in PICTURES]
        return {name: _plain(getattr(self, name)) for name in names} | {"finding": self.finding}

    def to_json(self) -> str:
        """`to_dict()` as JSON, one line for each field."""
        lines = (f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in self.to_dict().items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def save(self, folder) -> Path:
        """Write explanation.json, heatmap.html (self-contained), heatmap.png, input.png, edits/ and noise/ (PNG), and
        region.png where there is a region.

        Files of an earlier explanation in the same folder are replaced. Each file is whole, and explanation.json, without
        which nothing reads the folder, comes last. Raises OSError where it cannot be written.
        """
        from smile.io.bundle import files
        from smile.report.html import render_page
        from smile.report.plots import draw_heatmap

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "explanation.json").unlink(missing_ok=True)
        for name in ("edits", "noise"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for old in (folder / name).glob("[0-9]*.png"):
                old.unlink()
        (folder / "region.png").unlink(missing_ok=True)
        numbers, *pictures = files(self)
        drawn = BytesIO()
        draw_heatmap(self).save(drawn, "PNG")
        for name, content in (
            *pictures,
            ("heatmap.html", render_page(self).encode("utf-8")),
            ("heatmap.png", drawn.getvalue()),
            numbers,
        ):
            write_file(folder / name, content)
        return folder

    @classmethod
    def load(cls, path) -> "Explanation":
        """The explanation that `save` wrote into a folder, or `smile.io.bundle.write` into a zip file.

        Raises InputError where there is none, or where it was changed.
        """
        from smile.io.bundle import read

        return read(path)


def _plain(value):
    """JSON values only: arrays become lists, NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
