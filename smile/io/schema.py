"""explanation.json, checked before it is trusted.

A file that somebody sends is input like any other, and what is shown of it looks like a measurement. So every value must
be of the right kind, shape and range, and the numbers must follow from the edits: they are computed again and compared.
What cannot be checked without the models are the distances themselves, the locality weights and the maps.
"""

import json
import sys
from dataclasses import fields
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from smile.errors import InputError
from smile.explanation import PICTURES, Explanation
from smile.method import units as instructions
from smile.method.analysis import FITTED, analyse
from smile.method.group_sequential import MOST, undecided
from smile.method.interaction import Interaction
from smile.method.surrogate import holm
from smile.options import OPTIONS, PRESETS, Options

FIELDS = {field.name for field in fields(Explanation)} - set(PICTURES) | {"finding"}
MAX_TEXT = 10_000  # characters of an instruction or of a sentence
MAX_SETTING = 1_000  # characters of a setting
MAX_ITEMS = 64  # values in a setting
MAX_EDITS = 4096
MAX_SEEDS = 64
MAX_COUNT = 2**32
HUGE = sys.float_info.max
TOLERANCE = 1e-6  # between the numbers in a file and the same numbers computed on another machine
MAX_WORK = 2e10  # multiplications, some seconds; where drawing chance again takes more, it is believed
LEAST_WORK = 1000  # multiplications for one row of one permutation, which also stands for the memory it takes
CHANGED = "The numbers in this bundle do not follow from its edits; it was changed or written by another version."


class Numbers(NamedTuple):
    """What an array holds. One letter for each axis: k words, n edits, m noise distances, h by w patches."""

    shape: str
    lowest: float = 0.0
    highest: float = 1.0
    unknown: bool = True  # null may stand where nothing is known


ANY = {"lowest": -HUGE, "highest": HUGE}
ARRAYS = {
    "weights": Numbers("k", **ANY),
    "ci_low": Numbers("k", **ANY),
    "ci_high": Numbers("k", **ANY),
    "p_values": Numbers("k"),
    "p_values_holm": Numbers("k"),
    "distances": Numbers("n", highest=HUGE),
    "responses": Numbers("n"),
    "locality_weights": Numbers("n", unknown=False),
    "distances_from_full": Numbers("n", highest=HUGE),
    "edit_p_values": Numbers("n"),
    "noise_distances": Numbers("m", highest=HUGE),
}
MAPS = {"maps": Numbers("khw", **ANY, unknown=False), "maps_p_values": Numbers("khw", unknown=False)}
PAIR = {field.name for field in fields(Interaction)}
SECONDS = {"edits", "embedding", "fit", "total"}
COUNTS = ("edits", "seed", "seeds", "noise_seeds", "permutations")  # in the settings
TEXTS = ("design", "distance", "similarity", "locality", "kernel", "surrogate", "reference")
DESCRIBED = ("editor", "embedder", "design_description")
NOTES = ("locality_note", *(f"{of}_{what}" for of in ("editor", "embedder") for what in ("weights", "device", "dtype")))


def refused(why: str) -> InputError:
    """The one sentence for a file that cannot be opened."""
    return InputError(f"This is not an explanation that can be opened, because {why}; save it again where it was made.")


def need(condition, why: str) -> None:
    """Raise InputError, saying why the file cannot be opened, unless the condition holds."""
    if not condition:
        raise refused(why)


def decode(data: bytes, refit: bool = True) -> dict:
    """The fields of an `Explanation`, all but the pictures, from the bytes of its explanation.json.

    `finding` is left out: it is a sentence about the rest. Raises InputError where anything is missing, of the wrong
    kind, shape or range, or, with `refit`, where the numbers do not follow from the edits.
    """
    values = _parsed(data)
    need(isinstance(values, dict), "explanation.json holds no object")
    for name in sorted(FIELDS - set(values)):
        raise refused(f"explanation.json lacks “{name}”")
    for name in sorted(set(values) - FIELDS):
        raise refused(f"explanation.json has a field that is not known, {_shown(name)}")
    need(_is_text(values.pop("finding"), MAX_TEXT), "“finding” is no sentence")

    words, texts = values["words"], values["texts"]
    need(_is_text(values["instruction"], MAX_TEXT), "“instruction” is no text of a reasonable length")
    need(1 <= len(values["instruction"].split()) <= instructions.MAX_WORDS, "“instruction” has not 1 to 64 words")
    _check_instruction(values["instruction"])
    need(words == values["instruction"].split(), "“words” are not those of the instruction")
    need(values["instruction"] == " ".join(words), "the words of the instruction are not one space apart")
    need(isinstance(texts, list) and 1 <= len(texts) <= MAX_EDITS, f"“texts” is no list of 1 to {MAX_EDITS}")
    _check_settings(values["settings"])
    need(isinstance(values["provisional"], bool), "“provisional” is neither true nor false")
    for name in ("failed", "done", "total"):
        need(_is_count(values[name]), f"“{name}” is no count")
    _check_table(values["seconds"], "seconds", values["seconds"] == {} or SECONDS, lowest=0)
    _check_table(values["fidelity"], "fidelity")
    need(_is_text(values["untested"], MAX_TEXT), "“untested” is no text")
    _check_interaction(values["interaction"], len(words))
    need(values["noise_floor"] is None or _is_number(values["noise_floor"], 0, HUGE), "“noise_floor” is no distance")

    sizes = {"k": len(words), "n": len(texts)}
    values["mask"] = _array(values["mask"], "mask", "nk", sizes, lambda item: isinstance(item, bool), bool)
    values["blocks"] = _array(values["blocks"], "blocks", "n", sizes, lambda item: _is_count(item, MAX_SEEDS), int)
    for name, kind in (ARRAYS | MAPS).items():
        if name in MAPS and values[name] is None:
            continue
        values[name] = _array(
            values[name],
            name,
            kind.shape,
            sizes,
            lambda item, kind=kind: (item is None and kind.unknown) or _is_number(item, kind.lowest, kind.highest),
            float,
        )
    _check_edits(values)
    if refit:
        _check_results(values)
    return values


def made(values: dict) -> tuple[list[bool], list[bool]]:
    """Which edits, and which edits under the noise seeds, there are pictures of; the others failed."""
    blocks = values["blocks"].max() + 1
    first = values["noise_distances"][: len(values["noise_distances"]) // blocks]  # measured from each block
    return np.isfinite(values["distances"]).tolist(), np.isfinite(first).tolist()


def _parsed(data: bytes):
    def not_a_number(name):
        raise ValueError(name)

    try:
        return json.loads(data.decode("utf-8"), parse_constant=not_a_number)
    except RecursionError:
        raise refused("explanation.json is nested too deeply") from None
    except ValueError as error:  # also UnicodeDecodeError, and a number of thousands of digits
        raise refused("explanation.json is no JSON") from error


def _check_instruction(instruction: str) -> None:
    """As at the door: what could not be asked was not explained."""
    try:
        instructions.words(instruction)
    except InputError as error:
        raise refused(f"its instruction could not be asked ({str(error).partition(';')[0]})") from error


def _check_settings(settings) -> None:
    """Those that were needed to make the numbers are checked as options are, the others are plain values."""
    need(isinstance(settings, dict) and len(settings) <= MAX_ITEMS, "“settings” is no object of a reasonable size")
    for name, value in settings.items():
        items = [name, *(value if isinstance(value, list) else [value])]
        items = [name, *value.keys(), *value.values()] if isinstance(value, dict) else items
        need(len(items) <= MAX_ITEMS and all(map(_is_plain, items)), f"the setting {_shown(name)} is no plain value")
    named = {*COUNTS, *TEXTS, *DESCRIBED, "sigma", "smallest_effect", "looks", "preset", "region", "size", "editor_settings"}
    for name in sorted(named - set(settings)):
        raise refused(f"the setting “{name}” is missing")
    for name in COUNTS:
        need(_is_count(settings[name]), f"the setting “{name}” is no count")
    for name in (*TEXTS, *DESCRIBED, *(name for name in NOTES if name in settings)):
        need(isinstance(settings[name], str), f"the setting “{name}” is no text")
    need(settings["preset"] in (None, *PRESETS), "the setting “preset” is not known")
    need(settings["similarity"] in ("largest", "minmax"), "the setting “similarity” is not known")
    need(settings["kernel"] in ("gaussian", "paper"), "the setting “kernel” is not known")
    need(isinstance(settings["region"], bool), "the setting “region” is neither true nor false")
    need(isinstance(settings["editor_settings"], dict), "the setting “editor_settings” is no object")
    size = settings["size"]
    need(isinstance(size, list) and len(size) == 2 and all(map(_is_count, size)), "the setting “size” is no size")
    looks = settings["looks"]
    need((looks is None) == (settings["smallest_effect"] is None), "the settings “looks” and “smallest_effect” do not agree")
    need(looks is None or _are_looks(looks, settings["edits"]), "the setting “looks” is no list of rising counts")
    sigma = settings["sigma"]
    need((sigma is None) == (settings["locality"] == "none"), "the settings “sigma” and “locality” do not agree")
    need(sigma is None or _is_number(sigma, 0, HUGE), "the setting “sigma” is no width")
    try:
        Options.of({name: settings[name] for name in OPTIONS} | {"sigma": "auto" if sigma is None else sigma})
    except InputError as error:
        said = str(error).rstrip(".")
        raise refused(f"of its settings, {said[0].lower()}{said[1:]}") from error


def _are_looks(looks, edits) -> bool:
    counts = isinstance(looks, list) and 1 <= len(looks) <= MOST and all(map(_is_count, looks))
    return counts and all(a < b for a, b in pairwise([0, *looks])) and looks[-1] == edits


def _check_table(table, name: str, known=True, lowest=-HUGE) -> None:
    """`table` has short names for numbers, or null; with `known`, a set, just these names."""
    plain = isinstance(table, dict) and all(each is None or _is_number(each, lowest, HUGE) for each in table.values())
    need(plain and (known is True or set(table) == known), f"“{name}” is no table of the right numbers")


def _check_interaction(pair, words: int) -> None:
    """The strongest pair of words, or nothing yet."""
    need(isinstance(pair, dict) and (not pair or set(pair) == PAIR), "“interaction” is no table of the right values")
    if pair:
        numbers, positions = (pair["weight"], pair["p_value"]), pair["pairs"]
        need(all(n is None or _is_number(n, -HUGE, HUGE) for n in numbers), "“interaction” holds no numbers")
        need(_is_text(pair["untested"], MAX_TEXT), "“interaction” gives no reason")
        need(isinstance(positions, list) and len(positions) <= words**2, "“interaction” has no list of pairs")
        ordered = (isinstance(p, list) and len(p) == 2 and all(_is_count(i, words) for i in p) for p in positions)
        need(all(ordered), "“interaction” has pairs that are none")
        need(not positions or None not in numbers, "“interaction” has a pair without numbers")


def _array(value, name: str, shape: str, sizes: dict, allowed, dtype) -> np.ndarray:
    """Nested lists as an array; an axis that is not in `sizes` has the size that is found, and is put there."""
    items = [value]
    for axis in shape:
        need(all(isinstance(item, list) for item in items), f"“{name}” is no list of the right depth")
        sizes.setdefault(axis, len(items[0]))
        need(sizes[axis] or axis == "m", f"“{name}” is empty")
        need(all(len(item) == sizes[axis] for item in items), f"“{name}” has not the right number of values")
        items = [each for item in items for each in item]
    need(all(map(allowed, items)), f"a value in “{name}” is not one that is possible")
    items = [np.nan if item is None else item for item in items]
    return np.array(items, dtype).reshape([sizes[axis] for axis in shape])


def _check_edits(values: dict) -> None:
    """Texts, blocks, failures and counts tell the same story."""
    words, texts, mask, blocks, settings = (values[name] for name in ("words", "texts", "mask", "blocks", "settings"))
    need(texts == [instructions.perturbed(words, row) for row in mask.tolist()], "“texts” do not agree with “mask”")
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    count, sizes = len(starts), np.diff([*starts, len(blocks)])
    need((blocks[starts] == np.arange(count)).all() and count <= settings["seeds"], "“blocks” are not in order")
    need(mask[starts].all(), "a block does not begin with the full instruction")
    need((sizes[:-1] == settings["edits"]).all() and sizes[-1] <= settings["edits"], "a block has not the right size")
    need(len(values["noise_distances"]) % count == 0, "“noise_distances” has not the right number of values")

    pictured, noise_pictured = made(values)
    need(len(noise_pictured) <= min(settings["noise_seeds"], MAX_EDITS), "there are more noise seeds than it says")
    noise = np.isfinite(values["noise_distances"]).reshape(count, -1)
    need((noise == noise[0]).all(), "“noise_distances” do not agree on what failed")
    need((np.isfinite(values["distances_from_full"]) == pictured).all(), "the distances do not agree on what failed")
    need(np.isfinite(values["distances"][starts]).all(), "the edit of the full instruction failed")
    edits = dict(zip(zip(blocks.tolist(), texts, strict=True), pictured, strict=True))
    failed = list(edits.values()).count(False) + noise_pictured.count(False)
    need(values["failed"] == failed, "“failed” is not the number of edits that failed")
    need(values["done"] == len(edits) + len(noise_pictured), "“done” is not the number of edits")
    need(values["provisional"] == (values["done"] < values["total"]), "“done” and “total” do not agree")
    whole = (count, len(noise_pictured)) == (settings["seeds"], settings["noise_seeds"]) and _ended(values, sizes[-1])
    need(whole != values["provisional"], "“provisional” does not agree with the number of edits")


def _ended(values: dict, edits: int) -> bool:
    """Whether so many edits are all, or every word was decided when one looked."""
    settings = values["settings"]
    if edits == settings["edits"]:
        return True
    judged = [values[name] for name in ("p_values_holm", "ci_low", "ci_high")]
    return edits in (settings["looks"] or ()) and not undecided(*judged, settings["smallest_effect"]).any()


def _check_results(values: dict) -> None:
    """What the method makes of the edits is what the file says it made."""
    settings, (edits, words) = values["settings"], values["mask"].shape
    if values["settings"]["reference"] == "edit":
        _same(values["distances"], values["distances_from_full"])
    work = max(words * (words + values["blocks"].max() + 1), LEAST_WORK) * edits * settings["permutations"]
    settings = settings if work <= MAX_WORK else settings | {"permutations": 1}
    measured = [values[name] for name in ("distances", "distances_from_full", "noise_distances")]
    design = [values[name] for name in ("mask", "blocks", "locality_weights")]
    try:
        results = analyse(*design, *measured, settings, values["provisional"])
    except np.linalg.LinAlgError as error:
        raise InputError(CHANGED) from error
    if work > MAX_WORK and results["fidelity"]:
        for name in ("ci_low", "ci_high", "p_values", "interaction"):
            results[name] = values[name]
        results["p_values_holm"] = holm(values["p_values"])
    for name in ("responses", "edit_p_values", *FITTED):
        _same(values[name], results[name])
    held, pair = values["interaction"], results["interaction"]
    same = all(held.get(name) == pair.get(name) for name in ("pairs", "untested")) and set(held) == set(pair)
    if not same or values["untested"] != results["untested"]:
        raise InputError(CHANGED)
    for name in ("weight", "p_value"):
        _same(_or_nan(held.get(name)), _or_nan(pair.get(name)))
    _same(_or_nan(values["noise_floor"]), _or_nan(results["noise_floor"]))
    if set(values["fidelity"]) != set(results["fidelity"]):
        raise InputError(CHANGED)
    for name, value in results["fidelity"].items():
        _same(_or_nan(values["fidelity"][name]), _or_nan(value))
    mapped = values["maps"] is not None
    need(mapped == (values["maps_p_values"] is not None), "one of “maps” and “maps_p_values” is missing")
    need(not mapped or (results["fidelity"] and not values["provisional"]), "there are maps before there are weights")


def _same(held, computed) -> None:
    held = np.asarray(held, float)
    computed = np.asarray(computed, float)
    computed = np.where(np.isfinite(computed), computed, np.nan)  # an explanation writes infinity as unknown
    if not np.allclose(held, computed, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        raise InputError(CHANGED)


def _or_nan(value):
    return np.nan if value is None else value


def _is_number(value, lowest, highest) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= highest


def _is_count(value, below=MAX_COUNT) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < below


def _is_text(value, longest) -> bool:
    """Whether it can be written, too: JSON may hold half of a surrogate pair."""
    return isinstance(value, str) and len(value) <= longest and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_plain(value) -> bool:
    if isinstance(value, str):
        return _is_text(value, MAX_SETTING) and value.isprintable()
    return value is None or isinstance(value, bool) or _is_number(value, -(2**63), 2**63)


def _shown(name: str) -> str:
    """A name that somebody else wrote, short and on one line."""
    return f"“{name[:40]}”" if name[:40].isprintable() else "of unprintable characters"
