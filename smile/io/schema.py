"""explanation.json: the names and kinds of its fields, checked before they are trusted.

A file that somebody sends is input like any other, and what is shown of it looks like a measurement. So every value must
be of the right kind, shape and range, and the numbers must follow from the edits: they are computed again and compared.
So must the design, from its seed and size, and the locality weights where they count words. What cannot be checked without
the models is said (`smile.io.checks.list_unchecked`).
"""

import json
import re
import sys
from collections.abc import Mapping
from functools import partial
from itertools import chain, pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, PlainValidator, ValidationError, ValidationInfo, field_validator, model_validator

from smile.errors import InputError, shown
from smile.method import units
from smile.method.analysis import analyse, number_outcomes
from smile.method.extras import Extra
from smile.method.group_sequential import MOST, undecided
from smile.method.surrogate import holm
from smile.options import LARGEST, OPTIONS, Options

MAX_TEXT = 10_000  # characters of an instruction or of a sentence
MAX_SETTING = 1_000  # characters of a setting
MAX_ITEMS = 64  # settings, and values in one; fields of a table
MAX_EDITS = 4096
MAX_SEEDS = 64
HUGE = sys.float_info.max
TOLERANCE = 1e-6  # between the numbers in a file and the same numbers computed on another machine
MAX_PERMUTATIONS = 10_000  # the default for 64 words is 6,400
MAX_WORK = 2e10  # multiplications, some seconds, for drawing chance again
LEAST_WORK = 1000  # multiplications for one row of one permutation, which also stands for the memory it takes
CHANGED = "The numbers in this bundle do not follow from its edits; it was changed or written by another version."
BELIEVED = ("ci_low", "ci_high", "p_values", "order", "undo")  # where they cannot be computed again
SECONDS = {"edits", "embedding", "fit", "total"}
DESCRIBED = [f"{model}_{what}" for model in ("editor", "embedder") for what in ("weights", "device", "dtype")]


def encode(fields: Mapping[str, Any]) -> str:
    """explanation.json: the fields in this order, one a line."""
    lines = (f"{json.dumps(name)}: {json.dumps(to_plain(value), ensure_ascii=False)}" for name, value in fields.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def to_plain(value: Any) -> Any:
    """JSON values only: arrays become lists, NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def decode(data: bytes) -> Any:
    """The values that `encode` wrote, from the bytes of explanation.json. Raises InputError for what is no JSON."""
    try:
        return parse_json(data)
    except ValueError as error:
        raise make_error("explanation.json is no JSON, or nested too deeply") from error


def check_size(values: Any) -> None:
    """Raise InputError unless it is an object of a possible number of values: a complaint for each item is too much."""
    require(isinstance(values, dict), "explanation.json holds no object")
    tables = [values, *(value for value in values.values() if isinstance(value, dict))]
    require(all(len(table) <= MAX_ITEMS for table in tables), f"a table in it has more than {MAX_ITEMS} values")


def parse_json(data: bytes) -> Any:
    """The value in JSON text. Raises ValueError for what is no JSON in UTF-8, which NaN and infinity are not, for a number
    of thousands of digits, and for too deep nesting."""

    def refuse_constant(name: str):
        raise ValueError(f"{name} is no JSON")

    try:
        return json.loads(data.decode("utf-8"), parse_constant=refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def check_fields(values: Any) -> dict[str, Any]:
    """The fields of an `Explanation` but for the pictures, from their JSON values; arrays are NumPy's, unknown is NaN.

    `finding` is left out: it is a sentence about the rest. Raises InputError where anything is missing, or of the wrong
    kind, shape or range.
    """
    check_size(values)
    try:
        record = _Record.model_validate(values)
    except ValidationError as error:
        raise translate(error) from error
    fields = {name: values[name] if isinstance(value, (dict, BaseModel)) else value for name, value in record}
    del fields["finding"]
    return fields


def find_pictured(fields: Mapping[str, Any]) -> tuple[list[bool], list[bool], list[bool]]:
    """Which edits, which under the noise seeds, and which beside the design there are pictures of; the others failed."""
    blocks = fields["blocks"].max() + 1
    first = fields["noise_distances"][: len(fields["noise_distances"]) // blocks]  # measured from each block
    some = (fields["distances"], first, fields["extra_distances"])
    edits, noise, extra = (np.isfinite(distances).tolist() for distances in some)
    return edits, noise, extra


def make_error(why: str) -> InputError:
    """The one sentence for a file that cannot be opened."""
    return InputError(f"This is not an explanation that can be opened, because {why}; save it again where it was made.")


def require(condition: Any, why: str) -> None:
    """Raise InputError, saying why the file cannot be opened, unless the condition holds."""
    if not condition:
        raise make_error(why)


def translate(error: ValidationError) -> InputError:
    """The first of pydantic's complaints as one sentence."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):  # of `require`
        return cause
    where = f"“{shown('.'.join(map(str, first['loc'])), 60)}”"
    if first["type"] == "missing":
        return make_error(f"explanation.json lacks {where}")
    if first["type"] == "extra_forbidden":
        return make_error(f"explanation.json has a field that is not known, {where}")
    return make_error(f"{where} {re.sub('^[A-Z][a-z]+ (?=should)| after validation| or instance of .*', '', first['msg'])}")


# The kinds of values


def is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_SETTING and value.isprintable()
    return value is None or (isinstance(value, (bool, int, float)) and -(2**63) <= value <= 2**63)


def _parse_array(axes: str, kinds: tuple[type, ...], low: float, high: float, value: Any, info: ValidationInfo) -> np.ndarray:
    """Nested lists of these kinds as an array; None is NaN. Axes are k words, n edits, m of anything or nothing, x edits beside
    the design, h by w places."""
    name, items, shape = info.field_name, [value], []
    sizes = {"k": len(info.data.get("words", ())), "n": len(info.data.get("texts", ()))}
    sizes |= {"x": len(info.data["extra_blocks"])} if "extra_blocks" in info.data else {}
    for axis in axes:
        require(all(type(item) is list for item in items), f"“{name}” is no list of the right depth")
        shape.append(sizes.get(axis, len(items[0]) if items else 0))
        require(shape[-1] or axis in "mx" or not items, f"“{name}” is empty")
        require(all(len(item) == shape[-1] for item in items), f"“{name}” has not the right number of values")
        items = list(chain.from_iterable(items))
    try:
        array = np.array(items if set(map(type, items)) <= set(kinds) else [np.inf], float)
    except OverflowError:  # an integer of hundreds of digits
        array = np.array([np.inf])
    known = array[~np.isnan(array)]
    require((known >= low).all() and (known <= high).all(), f"a value in “{name}” is not one that is possible")
    return array.astype(kinds[0]).reshape(shape)


def require_array(axes: str, *kinds: type, low: float = 0, high: float = 1) -> PlainValidator:
    return PlainValidator(partial(_parse_array, axes, kinds, low, high))


KNOWN, UNKNOWN = (float, int), (float, int, type(None))
Weights = Annotated[np.ndarray, require_array("k", *UNKNOWN, low=-HUGE, high=HUGE)]
WordShares = Annotated[np.ndarray, require_array("k", *UNKNOWN)]
EditShares = Annotated[np.ndarray, require_array("n", *UNKNOWN)]
Distances = Annotated[np.ndarray, require_array("n", *UNKNOWN, high=HUGE)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Count = Annotated[int, Field(ge=0, lt=LARGEST)]
Number = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TwoCounts = Annotated[list[Count], Field(min_length=2, max_length=2)]


class Strict(BaseModel, strict=True, extra="forbid"):
    """Kinds are not converted: 1 is no truth, and "1" no number."""


class _Settings(Strict, extra="allow"):
    """What is needed to run it again: all options of `smile.options`, and plain values of the subject's own."""

    edits: Count
    permutations: Annotated[int, Field(ge=1, le=MAX_PERMUTATIONS)]
    distance: str
    similarity: Literal["largest", "minmax"]
    kernel: Literal["gaussian", "paper"]
    sigma: Number | None
    looks: Annotated[list[Count], Field(min_length=1, max_length=MOST)] | None
    editor: str
    embedder: str
    design_description: str
    editor_settings: dict
    region: bool
    size: TwoCounts

    @model_validator(mode="before")
    @classmethod
    def _check_values(cls, settings: Any) -> Any:
        require(isinstance(settings, dict), "“settings” is no object")
        for name, value in settings.items():
            items = [name, *(value if isinstance(value, list) else [value])]
            items = [name, *value.keys(), *value.values()] if isinstance(value, dict) else items
            plain = len(items) <= MAX_ITEMS + 1 and all(map(is_plain, items))
            require(plain, f"the setting “{shown(name, 40)}” is no plain value")
        for name in OPTIONS:
            require(name in settings, f"explanation.json lacks “settings.{name}”")
        for name in ("locality_note", "knows", *DESCRIBED):
            require(isinstance(settings.get(name, ""), str), f"the setting “{name}” is no text")
        far = settings.get("picture_distance", 0.0)
        require(type(far) in (int, float) and far >= 0, "the setting “picture_distance” is no number from 0")
        return settings

    @model_validator(mode="after")
    def _check_options(self) -> "_Settings":
        """As at the door, and as settled as they are once the run has begun."""
        chosen = {name: getattr(self, name) for name in OPTIONS}
        adaptive, weighs = chosen["smallest_effect"] is not None, chosen["locality"] != "none"
        require((self.looks is not None) == adaptive, "the settings “looks” and “smallest_effect” do not agree")
        rising = all(a < b for a, b in pairwise([0, *(self.looks or [self.edits])]))
        require(rising and (self.looks or [self.edits])[-1] == self.edits, "“looks” are no rising counts up to “edits”")
        require((self.sigma is not None) == weighs, "the settings “sigma” and “locality” do not agree")
        try:
            Options.of(chosen | {"sigma": "auto" if self.sigma is None else self.sigma})
        except InputError as error:
            said = str(error).rstrip(".")
            raise make_error(f"of its settings, {said[0].lower()}{said[1:]}") from error
        return self


class Pair(Strict):
    """`smile.method.interaction.Interaction`, or nothing yet."""

    pairs: Annotated[list[TwoCounts], Field(max_length=units.MAX_WORDS**2)] = []
    weight: Number | None = None
    p_value: Number | None = None
    untested: Text = ""


class _Record(Strict):
    """The fields, those first whose sizes are the others'. What they mean is said in `smile.explanation.Explanation`."""

    instruction: Text
    words: Annotated[list[str], Field(max_length=units.MAX_WORDS)]
    texts: Annotated[list[str], Field(min_length=1, max_length=MAX_EDITS)]
    settings: _Settings
    mask: Annotated[np.ndarray, require_array("nk", bool)]
    blocks: Annotated[np.ndarray, require_array("n", int, high=MAX_SEEDS - 1)]
    outcomes: Annotated[np.ndarray, require_array("n", int, high=MAX_EDITS * MAX_SEEDS)]
    extra_blocks: Annotated[np.ndarray, require_array("m", int, high=2 * MAX_SEEDS)]
    extra_mask: Annotated[np.ndarray, require_array("xk", bool)]
    extra_distances: Annotated[np.ndarray, require_array("x", *UNKNOWN, high=HUGE)]
    weights: Weights
    ci_low: Weights
    ci_high: Weights
    p_values: WordShares
    p_values_holm: WordShares
    distances: Distances
    distances_from_full: Distances
    responses: EditShares
    edit_p_values: EditShares
    locality_weights: Annotated[np.ndarray, require_array("n", *KNOWN)]
    noise_distances: Annotated[np.ndarray, require_array("m", *UNKNOWN, high=HUGE)]
    noise_floor: NotNegative | None
    maps: Annotated[np.ndarray, require_array("khw", *KNOWN, low=-1)] | None
    alone: Weights
    order: Annotated[list[Count], Field(max_length=units.MAX_WORDS)]
    undo: Annotated[list[Count], Field(max_length=units.MAX_WORDS)]
    interaction: Pair
    untested: Text
    fidelity: dict[str, Number | None]
    seconds: dict[str, NotNegative | None]
    provisional: bool
    failed: Count
    done: Count
    total: Count
    finding: Text
    files: Annotated[list[str], Field(max_length=3 * MAX_EDITS + 2)] = []  # name and hash; none: the pictures are not checked

    @field_validator("instruction")
    @classmethod
    def _check_instruction(cls, text: str) -> str:
        """As at the door: what could not be asked was not explained."""
        try:
            spaced = text == " ".join(units.words(text))
        except InputError as error:
            raise make_error(f"its instruction could not be asked ({str(error).partition(';')[0]})") from error
        require(spaced, "the words of the instruction are not one space apart")
        return text

    @model_validator(mode="after")
    def _check_tables(self) -> "_Record":
        require(set(self.seconds) in (set(), SECONDS), "“seconds” has not the right parts")
        pair = self.interaction
        require(len(pair.model_fields_set) in (0, 4), "“interaction” lacks a part")
        positions = chain.from_iterable(pair.pairs)
        require(all(position < len(self.words) for position in positions), "“interaction” has pairs of other words")
        for name, chosen in (("order", self.order), ("undo", self.undo)):
            mine = len(set(chosen)) == len(chosen) and all(position < len(self.words) for position in chosen)
            require(mine, f"“{name}” has positions of other words")
        require(not pair.pairs or None not in (pair.weight, pair.p_value), "“interaction” has a pair without numbers")
        untaught = dict(self.settings).get("untaught", [])
        mine = isinstance(untaught, list) and all(type(each) is int and 0 <= each < len(self.words) for each in untaught)
        require(mine, "the setting “untaught” has positions of other words")
        return self

    @model_validator(mode="after")
    def _check_edits(self) -> "_Record":
        """Texts, blocks, failures and counts tell the same story."""
        settings = dict(self.settings)
        try:
            own = units.split_instruction(self.instruction, settings["join"], settings["hold"])
        except InputError as error:
            raise make_error(f"of its settings, {error}".rstrip(".")) from error
        require(self.words == own.names, "“words” are not those of the instruction")
        texts = [own.perturb(row) for row in self.mask.tolist()]
        require(self.texts == texts, "“texts” do not agree with “mask”")
        numbers = number_outcomes(self.blocks, self.outcomes.tolist())
        pairs = set(zip(self.blocks.tolist(), texts, numbers.tolist(), strict=True))
        counted = (numbers == self.outcomes).all() and len(pairs) == len({pair[:2] for pair in pairs})
        require(counted, "“outcomes” do not agree with “texts”")
        starts = np.flatnonzero(np.diff(self.blocks, prepend=-1))
        count, sizes = len(starts), np.diff([*starts, len(self.blocks)])
        require(count <= settings["seeds"] and self.blocks[starts].tolist() == [*range(count)], "“blocks” are not in order")
        require(self.mask[starts].all(), "a block does not begin with the full instruction")
        require((sizes[:-1] == settings["edits"]).all() and sizes[-1] <= settings["edits"], "a block has not the right size")
        require(len(self.noise_distances) % count == 0, "“noise_distances” has not the right number of values")

        pictured, noise_pictured, extra_pictured = find_pictured(dict(self))
        require(len(noise_pictured) <= min(settings["noise_seeds"], MAX_EDITS), "there are more noise seeds than it says")
        noise = np.isfinite(self.noise_distances).reshape(count, -1)
        require((noise == noise[0]).all(), "“noise_distances” do not agree on what failed")
        require(np.isfinite(self.distances_from_full).tolist() == pictured, "the distances do not agree on what failed")
        require(np.isfinite(self.distances[starts]).all(), "the edit of the full instruction failed")
        edits = dict(zip(zip(self.blocks.tolist(), texts, strict=True), pictured, strict=True))
        edits |= {(settings["seeds"] + i, texts[0]): made for i, made in enumerate(noise_pictured)}
        beside = zip(self.extra_blocks.tolist(), map(own.perturb, self.extra_mask.tolist()), strict=True)
        for key, made in zip(beside, extra_pictured, strict=True):
            require(edits.setdefault(key, made) == made, "the edits beside the design do not agree on what failed")
        require(self.failed == list(edits.values()).count(False), "“failed” is not the number of edits that failed")
        require(self.done == len(edits), "“done” is not the number of edits")
        require(self.provisional == (self.done < self.total), "“done” and “total” do not agree")
        every = (count, len(noise_pictured)) == (settings["seeds"], settings["noise_seeds"])
        judged = (self.p_values_holm, self.ci_low, self.ci_high)  # when one looked, every word may have been decided
        decided = sizes[-1] in (settings["looks"] or ()) and not undecided(*judged, settings["smallest_effect"]).any()
        ended = every and (sizes[-1] == settings["edits"] or decided)
        require(ended or self.provisional, "“provisional” does not agree with the number of edits")
        return self


def compare_results(
    fields: Mapping[str, Any], appearance: np.ndarray | None, extra_appearance: np.ndarray | None = None
) -> None:
    """Compute again what the method makes of the edits, and compare. appearance (n, rows, columns, 3) and extra_appearance
    (m, rows, columns, 3): what the edits, and those beside the design, look like (`smile.io.images.average_all_cells`);
    None where the pictures are not there: then what rests on them is believed. Raises InputError where the file says
    something else."""
    settings, (edits, words) = fields["settings"], fields["mask"].shape
    work = max(words * (words + fields["blocks"].max() + 1), LEAST_WORK) * edits * settings["permutations"]
    require(work <= MAX_WORK, "to check its numbers would take too much work (in Python, refit=False opens it unchecked)")
    names = ("mask", "blocks", "locality_weights", "distances", "distances_from_full", "noise_distances", "provisional")
    try:
        given: dict[str, Any] = {name: fields[name] for name in names}
        beside = {name: fields[f"extra_{name}"] for name in ("mask", "blocks", "distances")}
        given |= {"appearance": appearance, "outcomes": fields["outcomes"]}
        given["extra"] = Extra(**beside, appearance=extra_appearance)
        results = analyse(settings=settings, **given)
    except np.linalg.LinAlgError as error:
        raise InputError(CHANGED) from error
    if appearance is None:
        results |= {name: fields[name] for name in (*BELIEVED, "untested", "maps")}
        results["p_values_holm"] = holm(fields["p_values"])
    if settings["reference"] == "edit":
        results["distances_from_full"] = fields["distances"]
    if "answers" in fields:  # of which each unit was left out alone in another way (`smile.io.answer_schema`)
        del results["alone"]
    if not all(agree(fields[name], computed) for name, computed in results.items()):
        raise InputError(CHANGED)


def agree(held: Any, computed: Any) -> bool:
    """Whether they are the same but for rounding; None and NaN are unknown, and so is a computed infinity."""
    if isinstance(computed, dict):
        return set(held) == set(computed) and all(agree(held[name], value) for name, value in computed.items())
    if isinstance(computed, (str, list)):
        return held == computed
    held, computed = (np.array(np.nan if value is None else value, float) for value in (held, computed))
    computed[np.isinf(computed)] = np.nan
    return held.shape == computed.shape and np.allclose(held, computed, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
