"""The result: every number the method made, the pictures it made them from, and how they are shown and kept.

An explanation that is still being computed is the same object with `provisional` set and NaN where nothing is known
yet, so whatever can show, save or download a finished explanation can do so with one that was stopped.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from smile.errors import InputError, shown
from smile.io import bundle, schema
from smile.io.atomic import write_file
from smile.io.checks import describe_unchecked
from smile.io.own_folder import replace_files
from smile.method import group_sequential
from smile.method.differences import Difference, compare_weights
from smile.method.evident import SMALL, find_evident, find_leading, find_visible
from smile.method.maps import find_places
from smile.method.noise_floor import exceeds_noise
from smile.method.segments import Original
from smile.method.trace import LEVEL, Edge
from smile.report.answer_finding import write_answer_sentences
from smile.report.beside import describe_order
from smile.report.finding import write_finding
from smile.report.known import write_warning
from smile.report.trust_html import TrustEntry

FORMATS = {".html": "one page that needs no server", ".zip": "a bundle", ".png": "the heatmap", ".json": "the numbers"}
NOTHING = 0.25  # of the weight: leaving out a word that does less alone does nothing


@dataclass
class BaseExplanation:
    """What the method says of any subject: k words, n outcomes (N for each of S seeds; a partial explanation has those made so
    far).

    Shapes are (k,) for words, (n,) for outcomes. NaN stands for what is not known: a failed edit's distance, or a weight
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
    order: list[int]  # the words whose rank by size of weight is sure, the strongest first (`smile.method.ranking`)
    alone: np.ndarray  # (k,) how much leaving out this one word takes from the response; NaN where that was not made
    undo: list[int]  # the fewest words without which nothing of the edit is left, confirmed by an edit; [] if not known
    interaction: dict  # smile.method.interaction.Interaction; empty before the end
    mask: np.ndarray  # (n, k) bool: edit i has word j
    blocks: np.ndarray  # (n,) int: which of the S seeds, counted from 0
    texts: list[str]  # (n,) perturbed instructions; the first of each block is the full one
    outcomes: np.ndarray  # (n,) int: edits of one number are one outcome, because the model reads their texts alike
    extra_mask: np.ndarray  # (m, k) bool: outcomes beside the design, in no test of it (`smile.method.extras`)
    extra_blocks: np.ndarray  # (m,) int: their seeds, counted from the first
    extra_distances: np.ndarray  # (m,) from the block's reference, or the first's where the design has not the seed
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
    # (k, rows, columns) in [-1, 1] how much lighter the word makes each place (< 0: darker); or (k, segments) of an answer
    maps: np.ndarray | None
    provisional: bool  # there is more to come
    done: int  # edits made, of
    total: int  # edits to make, noise seeds included
    believed = tuple[str, ...]()  # of one from a file: what nobody checked (`smile.io.checks`)
    refuted = ""  # of one from a file: the sentence of a check against the model that found something else

    @property
    def unchecked(self) -> str:
        """Of one from a file: a sentence on what nobody checked."""
        return describe_unchecked(self.believed)

    @property
    def moved(self) -> bool:
        """Whether some edit moved farther from the full one than every other seed moves it, where other seeds are known."""
        return exceeds_noise(self.distances_from_full, self.noise_distances)

    @property
    def visible(self) -> np.ndarray:
        """(k,) bool: the word changes some place by at least 4 levels of 255; all True where there are no maps."""
        return find_visible(self.maps, len(self.words))

    @property
    def beyond_noise(self) -> bool:
        """Whether anything that the words changed may be called a change: some edit moved farther than another seed moves it,
        and some word changes what one sees. The one definition for sentences, stars, colours and the trust report."""
        return self.moved and bool(self.visible.any())

    @property
    def significant(self) -> np.ndarray:
        """(k,) bool, the stars: words that evidently act (`smile.method.evident.find_evident`)."""
        return find_evident(self.weights, self.p_values_holm, self.untested, self.visible, self.moved)

    @property
    def places(self) -> np.ndarray | None:
        """(k, rows, columns) bool: the places that are shown as the word's, where a word with a star changes what one sees."""
        return None if self.maps is None else find_places(self.maps, self.significant)

    @property
    def undecided(self) -> np.ndarray:
        """(k,) bool: neither significant, nor shown to have less than `settings["smallest_effect"]` (nothing where that is
        None). As long as there are any, edits are added, up to `settings["edits"]`."""
        smallest = self.settings["smallest_effect"] or 0.0
        return group_sequential.undecided(self.p_values_holm, self.ci_low, self.ci_high, smallest)

    @property
    def order_finding(self) -> str:
        """Which words are first for sure, with a probability of at least 95 %, and which may change places; "" if none has a
        star."""
        return describe_order(self)

    def compare(self, other: "BaseExplanation") -> list[Difference]:
        """How much each word's weight in `other` differs from this one's, with its interval (`smile.method.differences`).

        Raises InputError where one is of an edit and one of an answer, or they leave out units of different kinds.
        """
        if type(self) is not type(other) or self.settings.get("units") != other.settings.get("units"):
            raise InputError("These explanations leave out different things, so their weights cannot be compared.")
        return compare_weights(self, other)

    def heatmap(self):
        """A plotly Figure: the words in reading order, coloured by weight on a symmetric scale."""
        from smile.report.plots import plot_heatmap

        return plot_heatmap(self)

    def write(self, path, trust: Sequence[TrustEntry] = ()) -> None:
        """Write one file, of the kind that the ending of its name says (`encode`); a page holds the trust report `trust`, too.

        Raises InputError for an ending that is none of `FORMATS`, and where it cannot be written.
        """
        content = self.encode(Path(path).suffix.lower(), trust)
        try:
            write_file(path, content)
        except OSError as error:
            raise InputError(f"The explanation cannot be written to {path} ({error.strerror}).") from error

    def encode(self, ending: str, trust: Sequence[TrustEntry] = ()) -> bytes:
        """The content of a file with this ending, one of `FORMATS`; `trust`: the entries of the trust report, for a
        page. Raises InputError for another."""
        raise NotImplementedError

    def _own_fields(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("believed", "refuted")}


@dataclass
class Explanation(BaseExplanation):
    """Which words of an instruction made an editor change a picture as it did."""

    image: Image.Image  # the picture as the editor saw it
    edits: list[Image.Image | None]  # (n,) None where failed
    noise_edits: list[Image.Image | None] = field(default_factory=list)
    extra_edits: list[Image.Image | None] = field(default_factory=list)  # (m,)
    region: Image.Image | None = None  # "L", white where the editor was allowed to change the picture; None: everywhere

    @property
    def reference(self) -> Image.Image:
        """What the edits are compared with (under the first seed): the full-instruction edit, or the input picture."""
        full = self.edits[0]
        assert full is not None, "there is no explanation without the edit of the full instruction"
        return self.image if self.settings["reference"] == "input" else full

    @property
    def finding(self) -> str:
        """What was found, in one plain sentence, not more than the edits that were made can carry."""
        return write_finding(self)

    def overlay(self, word: int) -> Image.Image:
        """The reference with the map of the word at this position (from 0); patches that are not significant are left
        as they are. Raises InputError where there is no such word or no map."""
        from smile.report.plots import draw_overlay

        return draw_overlay(self, word)

    def to_dict(self) -> dict:
        """Everything but the pictures, as plain JSON values; NaN becomes None."""
        return schema.to_plain({name: value for name, value in self._fields().items() if name not in bundle.PICTURES})

    def to_json(self) -> str:
        """`to_dict()` as JSON, one line for each field, and the hashes of the pictures."""
        return bundle.encode_record(self._fields())

    def encode(self, ending: str, trust: Sequence[TrustEntry] = ()) -> bytes:
        """The content of a file with this ending, one of `FORMATS`; only a zip holds all, so that `load` can read it."""
        from smile.report.html import render_page
        from smile.report.plots import draw_heatmap

        match ending:
            case ".zip":
                return bundle.pack(self._fields())
            case ".json":
                return self.to_json().encode("utf-8")
            case ".html":
                return render_page(self, trust).encode("utf-8")
            case ".png":
                draw_heatmap(self).save(data := BytesIO(), "PNG")
                return data.getvalue()
        raise InputError(f"An explanation is no “{shown(ending)}” file; let the name end in {', '.join(FORMATS)}.")

    def save(self, folder, *, overwrite: bool = False) -> Path:
        """Write explanation.json, heatmap.html (self-contained), heatmap.png, input.png, edits/ and noise/ (PNG), and
        region.png where there is a region.

        An earlier explanation in the same folder stays until this one is whole, and is then replaced. Raises InputError
        where the folder holds anything that no explanation wrote, unless `overwrite` says that files of the same names may
        be replaced, and OSError where it cannot be written. What cannot be drawn is raised once the rest is written.
        """
        drawn: dict[str, bytes] = {}
        try:
            drawn |= {"heatmap.html": self.encode(".html"), "heatmap.png": self.encode(".png")}
        finally:
            bundle.write_folder(self._fields(), Path(folder), drawn, overwrite)
        return Path(folder)

    def _fields(self) -> dict[str, Any]:
        return self._own_fields() | {"finding": self.finding}


@dataclass
class AnswerExplanation(BaseExplanation):
    """Which units of a prompt made a language model's answer. `instruction` is the prompt, `words` are its units; maps and
    places are (k, segments): how much likelier the unit makes each segment of the answer."""

    answers: list[str | None]  # (n,) what the model wrote; None where it wrote nothing
    extra_answers: list[str | None]  # (m,) to the prompts beside the design
    noise_answers: list[str | None]  # to the full prompt under other seeds
    log_probs: list[np.ndarray | None] | None  # (n,) of (t,): of the tokens of the block's answer, in nat; None: not known
    tokens: list[list[str]] | None  # by block, the texts of the answer's tokens; empty where the model does not say
    segment_p_values: np.ndarray | None = None  # (k, segments) `smile.method.segments.test_segments`
    alone_outcomes: list | None = None  # (k,) log-probabilities, or the answers of a model that only writes
    trace: list[Edge] | None = None  # all that there might be (`smile.method.trace`), `edges` survive; None: not traced
    trace_log_probs: list[list[np.ndarray]] | None = None  # by segment, for each row of its design

    @property
    def answer(self) -> str:
        """The answer to the full prompt, which is what is explained."""
        return self.answers[0] or ""

    @property
    def original(self) -> Original:
        """The answer in its segments."""
        return Original.of_first(self.answers, self.tokens, self.log_probs, self.settings["segments"])

    @property
    def segments(self) -> list[str]:
        """The texts of the answer's segments."""
        return [self.answer[start:end] for start, end in self.original.segments]

    @property
    def edges(self) -> list[Edge]:
        """The edges of the trace that survive the correction, in reading order."""
        return [edge for edge in self.trace or [] if edge.survives]

    @property
    def was_cut_off(self) -> bool | None:
        """Whether the answer ended because the model might not write more; None where that is not known."""
        return None if not self.tokens or not self.tokens[0] else self.tokens[0][-1] != ""

    @property
    def places(self) -> np.ndarray | None:
        """(k, segments) bool: the segments that one of the leading units acts on, by its own test where there is one."""
        places = None if self.maps is None else find_places(self.maps, self.leading)
        return places if places is None or self.segment_p_values is None else places & (self.segment_p_values < LEVEL)

    @property
    def significant(self) -> np.ndarray:
        """(k,) bool, all False: no unit of a prompt has a star, because on prompts with known answers too many units that do
        nothing had one (`tests/benchmarks/answers.py kinds`)."""
        return np.zeros(len(self.words), bool)

    @property
    def leading(self) -> np.ndarray:
        """(k,) bool: the units that are named (`smile.method.evident.find_leading`); where the model only writes, Holm's
        p-value is below 0.05 besides."""
        return find_leading(self.weights, self.log_probs is not None or super().significant, self.beyond_noise)

    @property
    def said_twice(self) -> np.ndarray:
        """(k,) bool: leading units of which leaving out each alone does next to nothing."""
        return self.leading & (np.abs(self.alone) <= np.maximum(NOTHING * np.abs(self.weights), SMALL))

    @property
    def finding(self) -> str:
        """What was found, in plain sentences, not more than the answers can carry."""
        return " ".join(filter(None, [write_warning(self), *write_answer_sentences(self)]))

    def to_dict(self) -> dict:
        """Everything, as plain JSON values; NaN becomes None."""
        edges = None if self.trace is None else [asdict(edge) for edge in self.trace]
        return schema.to_plain(self._own_fields() | {"trace": edges, "finding": self.finding, "files": []})

    def to_json(self) -> str:
        """`to_dict()` as JSON, one line for each field."""
        return schema.encode(self.to_dict())

    def encode(self, ending: str, trust: Sequence[TrustEntry] = ()) -> bytes:
        """The content of a file with this ending, one of `FORMATS`. Raises InputError for another."""
        from smile.report.answer_html import render_answer_page
        from smile.report.plots import draw_heatmap

        match ending:
            case ".zip":
                return bundle.pack_numbers(self.to_json())
            case ".json":
                return self.to_json().encode("utf-8")
            case ".html":
                return render_answer_page(self, trust).encode("utf-8")
            case ".png":
                draw_heatmap(self).save(data := BytesIO(), "PNG")
                return data.getvalue()
        raise InputError(f"An explanation is no “{shown(ending)}” file; let the name end in {', '.join(FORMATS)}.")

    def save(self, folder, *, overwrite: bool = False) -> Path:
        """Write heatmap.html (self-contained), heatmap.png and explanation.json; replaces and raises as `Explanation.save`."""
        files = {"explanation.json": ".json", "heatmap.html": ".html", "heatmap.png": ".png"}
        replace_files(Path(folder), {name: self.encode(ending) for name, ending in files.items()}, overwrite)
        return Path(folder)


def load(source, *, refit: bool = True, limits: bundle.Limits = bundle.ANY) -> Explanation | AnswerExplanation:
    """The explanation that was written as a zip (a path or a seekable binary file), or saved into a folder.

    refit: compute the numbers again from the edits, or the log-probabilities of an answer, and compare. limits: of what may
    be in it. Raises InputError where there is no explanation, where it is not as it was written, or where its numbers do not
    follow from its outcomes and settings. What could not be checked is said in `unchecked`; `check_against_model` checks
    what takes a model.
    """
    fields, believed = bundle.read(source, refit=refit, limits=limits)
    explanation = AnswerExplanation(**fields) if "answers" in fields else Explanation(**fields)
    explanation.believed = believed
    return explanation


def load_edits(source, *, refit: bool = True, limits: bundle.Limits = bundle.ANY) -> Explanation:
    """As `load`, for places that show pictures. Raises InputError where the explanation is of an answer, too."""
    explanation = load(source, refit=refit, limits=limits)
    if isinstance(explanation, AnswerExplanation):
        raise InputError("This explanation is of a language model's answer; open it under “Ask a model”, or with smile export.")
    return explanation
