"""A run as one zip, and read again: what somebody sends is checked before anything is drawn from it.

In the zip is what lies in the folder of a run. Of one that is opened only the plan and the cells are read, and nothing of
it is ever written to a disk; the report is made anew. Every value must be of the right kind, and what follows from others
is computed again and compared: instructions from their templates, the numbers of an explanation from its edits
(`smile.io.schema`), scores from weights. What cannot be checked are the pictures and what was measured with further edits.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from smile.errors import InputError, shown
from smile.io import schema
from smile.io.atomic import write_file
from smile.io.safe_zip import SafeZip, UnsafeZipError, pack_zip
from smile.scenarios import folder, report, run, source, table
from smile.scenarios.fields import each, known, listed, need, number, text, whole
from smile.scenarios.suite import MAX_CELLS, ODD, PLACEHOLDER, Limits, Template

CELL = re.compile(r"cells/([0-9]{4,5})\.json")
PICTURE = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/]{1,200000}={0,2}")
MAX_BYTES = 64_000_000  # of the files that are read, uncompressed
MAX_ENTRIES = 2 * MAX_CELLS
LONGEST = 10_000  # characters of a sentence that says why a cell failed
PLAN = ("fingerprint", "name", "description", "attributes", "templates", "pictures", "editors", "left_out", "cells", "suite")
PLANNED = ("id", "editor", "template", "values", "instruction", "slots", "picture", "meets")
MADE = ("id", "failed", "relevant", "carried_out", "scores", "trust", "input", "edit", "explanation")
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
            plan, cells = _from_zip(file, most)
    except UnsafeZipError as error:
        raise _refused(str(error)) from error
    except OSError as error:
        raise InputError(f"{Path(path).name} cannot be read ({error.strerror}).") from error
    try:
        _check_plan(plan, most)
        work = sum(_check_cell(cell, planned) for cell, planned in _pairs(cells, plan))
        need(work <= schema.MAX_WORK, "Its numbers would take too long to be computed again.")
        for cell in cells:
            _check_numbers(cell)
        names = {tuple(cell["scores"]) for cell in cells if cell["failed"] is None}
        need(len(names) <= 1, "The cells do not have the same scores.")
    except InputError as error:
        said = str(error).rstrip(".")
        raise _refused(f"something in it is not as it was written: {said[0].lower()}{said[1:]}") from error
    return Run(plan, cells)


def _files(run_: Run) -> Iterator[tuple[str, str]]:
    yield "suite.json", json.dumps(run_.plan, ensure_ascii=False, allow_nan=False) + "\n"
    for cell in run_.cells:
        yield f"cells/{cell['id']}.json", json.dumps(cell, ensure_ascii=False, allow_nan=False) + "\n"
    yield from report.make_files(run_.results, table.summarise(run_.results))


# Opening


def _refused(why: str) -> InputError:
    return InputError(f"This is no run of a suite that can be opened, because {why}; {ADVICE}.")


def _need(condition, why: str) -> None:
    if not condition:
        raise _refused(why)


def _from_zip(file, most: int) -> tuple[dict, list[dict]]:
    """The plan and the cells as plain values. Nothing is unpacked that is too large, and no other file is looked at."""
    with SafeZip(file, MAX_ENTRIES) as archive:
        there = [name for name in archive.names if not name.startswith("__MACOSX/")]
        plans = [name for name in there if name.rpartition("/")[2] == "suite.json"]
        _need(len(plans) == 1, "there is no suite.json in it" if not plans else "there is more than one suite.json in it")
        above = plans[0].removesuffix("suite.json")
        cells = sorted(name for name in there if name.startswith(above) and CELL.fullmatch(name, len(above)))
        archive.select([*plans, *cells], MAX_BYTES)
        _need(len(cells) <= most, f"it has {len(cells)} cells, and at most {most} are shown here")
        plan, *made = [_plain(archive, name) for name in (*plans, *cells)]
        for name, cell in zip(cells, made, strict=True):
            _need(cell.get("id") == CELL.fullmatch(name, len(above))[1], f"{shown(name)} is of another cell")
        return plan, made


def _plain(archive: SafeZip, name: str) -> dict:
    try:
        value = json.loads(archive.read(name).decode("utf-8"), parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        raise _refused(f"{shown(name)} is damaged") from error
    _need(isinstance(value, dict), f"{shown(name)} holds no object")
    return value


def _not_a_number(name: str):
    raise ValueError(name)


def _pairs(cells: list[dict], plan: dict) -> Iterator[tuple[dict, dict]]:
    """Each cell with what the plan says of it."""
    planned = {cell["id"]: cell for cell in plan["cells"]}
    for cell in cells:
        need(cell["id"] in planned, f"The plan has no cell {cell['id']}.")
        yield cell, planned[cell["id"]]


def _check_plan(plan: dict, most: int) -> None:
    known(plan, "suite.json", PLAN, PLAN)
    need(re.fullmatch("[0-9a-f]{64}", text(plan["fingerprint"], "fingerprint")), "The fingerprint is none.")
    text(plan["name"], "name")
    need(plan["description"] == "" or text(plan["description"], "description"), "The description is none.")
    whole(plan["left_out"], "left_out", 0)
    try:
        size = len(json.dumps(plan["suite"], indent=1))
    except RecursionError:
        size = math.inf
    need(isinstance(plan["suite"], dict) and size <= 10 * source.MAX_BYTES, "The suite is none, or too large.")
    attributes = _attributes(plan["attributes"])
    templates = [_template(entry, where, attributes) for where, entry in each(plan["templates"], "template")]
    pictures = []
    for where, entry in each(plan["pictures"], "picture"):
        known(entry, where, ("name", "shows"), ("name", "shows"))
        known(entry["shows"], f"shows of {where}", attributes)
        for name, values in entry["shows"].items():
            need(isinstance(values, list), f"{name} in {where} must be a list.")
            for value in values:
                listed(value, f"{name} in {where}", attributes[name])
        pictures.append(text(entry["name"], f"name of {where}"))
    editors = [text(entry, where) for where, entry in each(plan["editors"], "editor")]
    need(len(set(editors)) == len(editors), "An editor is there twice.")
    for i, (where, cell) in enumerate(each(plan["cells"], "cell"), 1):
        need(i <= most, f"There are more than {most} cells.")
        known(cell, where, PLANNED, PLANNED)
        need(cell["id"] == f"{i:04}", f"The id of {where} is not its number.")
        listed(cell["editor"], f"editor of {where}", editors)
        listed(cell["picture"], f"picture of {where}", pictures)
        template = templates[whole(cell["template"], f"template of {where}", 0, len(templates) - 1)]
        known(cell["values"], f"values of {where}", template.attributes, template.attributes)
        for name, value in cell["values"].items():
            listed(value, f"{name} of {where}", attributes[name])
        said, slots = template.fill_in(cell["values"])
        same = cell["instruction"] == said and cell["slots"] == [list(slot) for slot in slots]
        need(same, f"The instruction of {where} is not what its template and values say.")
        meets = cell["meets"]
        need(isinstance(meets, list) and len(meets) <= Limits().values, f"meets of {where} must be a list.")
        for pair in meets:
            need(isinstance(pair, list) and len(pair) == 2, f"meets of {where} must be pairs.")
            listed(pair[1], f"value in meets of {where}", attributes[listed(pair[0], f"attribute in {where}", attributes)])


def _attributes(entries) -> dict[str, list[str]]:
    """The values by attribute."""
    need(isinstance(entries, dict) and entries, "The attributes must be a mapping with at least one attribute in it.")
    found = {}
    for name, entry in entries.items():
        where = f"attribute “{text(name, 'the name of an attribute')}”"
        known(entry, where, ("of", "values"), ("of", "values"))
        listed(entry["of"], f"of, in {where},", ODD)
        found[name] = [text(value, what) for what, value in each(entry["values"], f"value of {where}, no.")]
        need(len(set(found[name])) == len(found[name]), f"A value of {where} is there twice.")
    need(sum(map(len, found.values())) <= Limits().values, f"There are more than {Limits().values} values.")
    return found


def _template(entry, where: str, attributes: dict) -> Template:
    known(entry, where, ("text", "tokens", "attributes"), ("text", "tokens", "attributes"))
    written = text(entry["text"], f"text of {where}")
    template = Template(written, tuple(dict.fromkeys(PLACEHOLDER.findall(written))), None)
    for name in template.attributes:
        listed(name, f"the placeholder {{{name}}} in {where}", attributes)
    same = entry["tokens"] == template.tokens and entry["attributes"] == list(template.attributes)
    need(same and template.attributes, f"The tokens and attributes of {where} are not those of its text.")
    return template


def _check_cell(cell: dict, planned: dict) -> float:
    """What can be said of the cell without computing anything again; the work that this will be."""
    where = f"cell {cell['id']}"
    need("failed" in cell, f"{where} does not say whether it failed.")
    if cell["failed"] is not None:
        known(cell, where, ("id", "failed"))
        need(isinstance(cell["failed"], str) and len(cell["failed"]) <= LONGEST, f"Why {where} failed is no text.")
        return 0
    known(cell, where, MADE, MADE)
    held = cell["explanation"]
    need(isinstance(held, dict), f"{where} has no explanation.")
    values = _explanation(cell, where, refit=False)
    need(values["instruction"] == planned["instruction"], f"{where} explains another instruction.")
    relevant, k = cell["relevant"], len(values["words"])
    flags = isinstance(relevant, list) and len(relevant) == k and all(isinstance(flag, bool) for flag in relevant)
    need(relevant is None or flags, f"relevant of {where} must be null or true or false for each word.")
    listed(cell["carried_out"], f"carried_out of {where}", (None, True, False))
    for name in ("input", "edit"):
        need(isinstance(cell[name], str) and PICTURE.fullmatch(cell[name]), f"{name} of {where} is no picture.")
    need(isinstance(cell["trust"], dict), f"trust of {where} must be a mapping.")
    n, _ = values["mask"].shape
    return (k + 1) * (k + values["blocks"].max() + 2) * n * (values["settings"]["permutations"] + 1)


def _explanation(cell: dict, where: str, refit: bool) -> dict:
    try:
        return schema.check_fields(cell["explanation"], refit=refit)
    except InputError as error:
        raise InputError(f"{where} cannot be believed. {error}") from error


def _check_numbers(cell: dict) -> None:
    """What follows from the cell's edits is computed again and compared."""
    if cell["failed"] is not None:
        return
    where = f"cell {cell['id']}"
    values = _explanation(cell, where, refit=True)
    own = run.score_cell(cell["relevant"], values["weights"], values["fidelity"], {})
    measured = run.score_cell(cell["relevant"], values["weights"], values["fidelity"], {"": {}})  # with the names of all
    known(cell["scores"], f"scores of {where}", measured, own)
    for name, value in cell["scores"].items():
        if value is not None:
            number(value, f"{name} of {where}")
        if name in own:
            pair = [np.nan if it is None else it for it in (value, own[name])]
            same = np.allclose(*pair, rtol=schema.TOLERANCE, atol=schema.TOLERANCE, equal_nan=True)
            need(same, f"{name} of {where} is not what its weights say.")
