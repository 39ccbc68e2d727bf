"""A run as one zip, and read again: what somebody sends is checked before anything is drawn from it.

In the zip is what lies in the folder of a run. Of one that is opened only the plan and the cells are read, and nothing of
it is ever written to a disk; the report is made anew. Every value must be of the right kind, and what follows from others
is computed again and compared: the plan from the suite in it, the numbers of an explanation from its edits
(`smile.io.schema`), scores from weights. What cannot be checked are the pictures and what was measured with further edits.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import numpy as np
from pydantic import Field, StrictBool

from smile.errors import InputError, shown
from smile.io import answer_schema, schema
from smile.io.atomic import write_file
from smile.io.checks import compare_design
from smile.io.safe_zip import SafeZip, UnsafeZipError, pack_zip
from smile.method.units import MAX_WORDS
from smile.scenarios import folder, report, run, table
from smile.scenarios.cells import plan_cells
from smile.scenarios.fields import (
    Entry,
    Unfit,
    check_at,
    check_keys,
    check_number,
    fits,
    parse,
    require,
)
from smile.scenarios.suite import MAX_CELLS, Limits, make_suite

CELL = re.compile(r"cells/([0-9]{4,5})\.json")
FINGERPRINT = re.compile("[0-9a-f]{64}")
PICTURE = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/]{1,200000}={0,2}")
MAX_BYTES = 64_000_000  # of the files that are read, uncompressed
MAX_ENTRIES = 2 * MAX_CELLS
NOWHERE = Path("/nowhere")  # where a suite's pictures would lie
LONGEST = 10_000  # characters of a sentence that says why a cell failed
ADVICE = "zip the folder that “python -m smile scenarios” wrote, or take it away from the page again"


class Run(NamedTuple):
    """A run, finished or not, as its folder's files hold it."""

    plan: dict
    cells: list[dict]

    @property
    def results(self) -> table.Results:
        return table.collect_results(self.plan, self.cells)


def collect_run(out) -> Run:
    """What is in the folder of a run. Raises InputError where there is none, or it is damaged."""
    return Run(folder.read_plan(Path(out)), list(folder.read_cells(Path(out))))


def write_archive(run_: Run, target) -> None:
    """Write the run with its report as a zip to the path `target`; the same run makes the same bytes."""
    write_file(target, pack_zip(_files(run_)))


def read_archive(path, most: int = MAX_CELLS) -> Run:
    """The run in a zip, of at most so many cells. Raises InputError, in one sentence, for what is not as it should be."""
    try:
        with Path(path).open("rb") as file:
            plan, cells = _read_zip(file, most)
        _check_plan(plan, most)
        _check_cells(cells, plan)
        return Run(plan, cells)
    except OSError as error:
        raise InputError(f"{Path(path).name} cannot be read ({error.strerror}).") from error
    except UnsafeZipError as error:
        why = str(error)
    except InputError as error:
        said = str(error).rstrip(".")
        why = f"something in it is not as it was written: {said[0].lower()}{said[1:]}"
    raise InputError(f"This is no run of a suite that can be opened, because {why}; {ADVICE}.")


def _files(run_: Run) -> Iterator[tuple[str, str]]:
    yield "suite.json", json.dumps(run_.plan, ensure_ascii=False, allow_nan=False) + "\n"
    for cell in run_.cells:
        yield f"cells/{cell['id']}.json", json.dumps(cell, ensure_ascii=False, allow_nan=False) + "\n"
    yield from report.make_files(run_.results, table.summarise(run_.results))


# Opening


def _require_readable(condition: Any, why: str) -> None:
    if not condition:
        raise UnsafeZipError(why)


def _read_zip(file: BinaryIO, most: int) -> tuple[dict, list[dict]]:
    """The plan and the cells as plain values. Nothing is unpacked that is too large, and no other file is looked at."""
    with SafeZip(file, MAX_ENTRIES) as archive:
        names = [name for name in archive.names if not name.startswith("__MACOSX/")]
        plans = [name for name in names if name.rpartition("/")[2] == "suite.json"]
        said = "there is more than one suite.json in it" if plans else "there is no suite.json in it"
        _require_readable(len(plans) == 1, said)
        above = plans[0].removesuffix("suite.json")
        matches = (CELL.fullmatch(name, len(above)) for name in sorted(names) if name.startswith(above))
        cells = {match.string: match[1] for match in matches if match}
        archive.select([*plans, *cells], MAX_BYTES)
        _require_readable(len(cells) <= most, f"it has {len(cells)} cells, and at most {most} are shown here")
        plan, *done = [_read_json(archive, name) for name in (*plans, *cells)]
        for (name, number), cell in zip(cells.items(), done, strict=True):
            _require_readable(cell.get("id") == number, f"{shown(name)} is of another cell")
        return plan, done


def _read_json(archive: SafeZip, name: str) -> dict:
    try:
        value = schema.parse_json(archive.read(name))
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")  # not so half of a surrogate pair, and 1e999
    except (ValueError, RecursionError) as error:
        raise UnsafeZipError(f"{shown(name)} is damaged") from error
    _require_readable(isinstance(value, dict), f"{shown(name)} holds no object")
    return value


# What was read


def _check_plan(plan: dict, most: int) -> None:
    """Everything in the plan follows from the suite in it, which is checked like any other but for its files.

    Raises InputError where it does not.
    """
    for name in ("suite", "fingerprint", "cells"):
        require(name in plan, f"suite.json lacks “{name}”.")
    require(not isinstance(plan["cells"], list) or len(plan["cells"]) <= most, f"There are more than {most} cells.")
    suite = make_suite(plan["suite"], NOWHERE, Limits(cells=min(10 * most, MAX_CELLS)), runs=False)
    fingerprint = plan["fingerprint"]
    if not any(picture.path for picture in suite.pictures):
        fingerprint = folder.compute_fingerprint(suite)
    require(FINGERPRINT.fullmatch(str(fingerprint)), "The fingerprint is none.")
    expected = folder.make_plan(suite, *plan_cells(suite), fingerprint)
    for name in {**expected, **plan}:
        same = name in plan and name in expected and _write_json(plan[name]) == _write_json(expected[name])
        require(same, f"“{shown(name)}” does not follow from the suite.")


def _write_json(value: Any) -> str:
    """Equal for what is equal in a file; true is not 1 there."""
    return json.dumps(value, sort_keys=True)


def _check_picture(value: Any) -> str:
    if not isinstance(value, str) or not PICTURE.fullmatch(value):
        raise Unfit("is no picture")
    return value


class _FailedCell(Entry):
    id: str
    failed: Annotated[str, Field(max_length=LONGEST)]


class _AnsweredCell(Entry):
    id: str
    failed: None
    relevant: Annotated[list[StrictBool], Field(max_length=MAX_WORDS)] | None
    carried_out: StrictBool | None
    scores: dict[str, Any]
    trust: dict[str, Any]
    explanation: dict[str, Any]


class _EditedCell(_AnsweredCell):
    input: Annotated[str, fits(_check_picture)]
    edit: Annotated[str, fits(_check_picture)]


def _check_cells(cells: list[dict], plan: dict) -> None:
    planned, asks = {cell["id"]: cell for cell in plan["cells"]}, plan["asks"]
    work = sum(_check_cell(cell, planned, asks) for cell in cells)
    require(work <= schema.MAX_WORK, "Its numbers would take too long to be computed again.")
    done = [cell for cell in cells if cell["failed"] is None]
    for cell in done:
        _check_numbers(cell, asks)
    require(len({tuple(cell["scores"]) for cell in done}) <= 1, "The cells do not have the same scores.")


def _check_cell(given: dict, planned: Mapping[str, dict], asks: bool) -> float:
    """What can be said of the cell without computing anything again. Returns the work that this will be."""
    place = f"cell {given['id']}"
    require(given["id"] in planned, f"The plan has no {place}.")
    require("failed" in given, f"{place} does not say whether it failed.")
    if given["failed"] is not None:
        parse(_FailedCell, given, place, place)
        return 0
    cell = parse(_AnsweredCell if asks else _EditedCell, given, place, place)
    fields = _read_explanation(given, asks, refit=False)
    instruction = planned[cell.id]["instruction"]
    require(fields["instruction"] == instruction, f"{place} explains another instruction.")
    n, k = fields["mask"].shape
    require(cell.relevant is None or len(cell.relevant) == k, f"relevant of {place} must be null or a list of {k}.")
    parts = 1 if not asks or fields["maps"] is None else 1 + fields["maps"].shape[1]  # each is tested
    return (k + 1) * (k + fields["blocks"].max() + 2) * n * (fields["settings"]["permutations"] + 1) * parts


def _read_explanation(cell: dict, asks: bool, refit: bool) -> dict:
    try:
        if asks:
            return answer_schema.read_fields(cell["explanation"], refit)
        fields = schema.check_fields(cell["explanation"])
        if refit:
            compare_design(fields)
            schema.compare_results(fields, None)  # a cell has its pictures in small only
        return fields
    except InputError as error:
        raise InputError(f"cell {cell['id']} cannot be believed. {error}") from error


def _check_numbers(cell: dict, asks: bool) -> None:
    """What follows from the cell's edits, or log-probabilities, is computed again and compared."""
    place, fields = f"cell {cell['id']}", _read_explanation(cell, asks, refit=True)
    judged = (cell["relevant"], fields["weights"], fields["fidelity"])
    own, measured = run.score_cell(*judged, {}), run.score_cell(*judged, {"": {}})  # the second with the names of all
    scores = check_at(f"scores of {place}", check_keys, measured, own, cell["scores"])
    for name, value in scores.items():
        if value is not None:
            check_at(f"{name} of {place}", check_number, "number", -math.inf, math.inf, value)
        if name in own:
            held, computed = (np.nan if each is None else each for each in (value, own[name]))
            same = np.allclose(held, computed, rtol=schema.TOLERANCE, atol=schema.TOLERANCE, equal_nan=True)
            require(same, f"{name} of {place} is not what its weights say.")
