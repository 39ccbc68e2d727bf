"""The folder of a run: the suite as it was, and one file for each cell that is done.

Files are written atomically (`smile.io.atomic`), so that whatever is there is whole: a run that is killed at any moment
loses the cell in hand and nothing else. One folder holds one suite; what another one would compute is never mixed in.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smile.errors import InputError
from smile.io.atomic import remove_unfinished, write_file
from smile.scenarios.cells import Cell
from smile.scenarios.suite import Suite

NAMELESS = ("name", "description")  # of a suite, what changes no result


def compute_fingerprint(suite: Suite) -> str:
    """SHA-256 of all that determines the results: the suite but for its name and description, and its files' bytes."""
    known = hashlib.sha256(_json({name: value for name, value in suite.plain.items() if name not in NAMELESS}).encode())
    for picture in suite.pictures:
        for path in filter(None, (picture.path, picture.region_path)):
            known.update(hashlib.sha256(path.read_bytes()).digest())
    return known.hexdigest()


def make_plan(suite: Suite, cells: list[Cell], left_out: int, fingerprint: str) -> dict[str, Any]:
    """What suite.json says of a run: the suite, and all that follows from it (`smile.scenarios.cells.plan_cells`)."""
    return {
        "fingerprint": fingerprint,
        "name": suite.name,
        "description": suite.description,
        "attributes": {name: {"of": a.of, "values": a.values} for name, a in suite.attributes.items()},
        "templates": [{"text": t.text, "tokens": t.tokens, "attributes": t.attributes} for t in suite.templates],
        "pictures": [{"name": p.name, "shows": p.shows} for p in suite.pictures],
        "asks": suite.asks,
        "models": [model.label for model in suite.models],
        "left_out": left_out,
        "cells": [
            {
                "id": cell.id,
                "model": cell.model.label,
                "template": suite.templates.index(cell.template),
                "values": cell.values,
                "instruction": cell.instruction,
                "slots": cell.slots,
                "picture": cell.picture.name if cell.picture else "",
                "meets": cell.list_meeting_values(suite),
            }
            for cell in cells
        ],
        "suite": suite.plain,
    }


def check_folder(out: Path, suite: Suite) -> None:
    """Raise InputError where the folder has the results of another suite."""
    if (out / "suite.json").exists() and read_plan(out)["fingerprint"] != compute_fingerprint(suite):
        raise InputError(f"{out} has the results of another suite; choose another folder, or put the suite back as it was.")


def write_plan(out: Path, suite: Suite, cells: list[Cell], left_out: int) -> None:
    """Write down what is to be run. Raises InputError where it cannot be written, or the folder has another suite."""
    check_folder(out, suite)
    try:
        (out / "cells").mkdir(parents=True, exist_ok=True)
        for each in (out, out / "cells"):  # no other process writes yet: they wait for this one's list of cells
            remove_unfinished(each)
        _write(out / "suite.json", make_plan(suite, cells, left_out, compute_fingerprint(suite)))
    except OSError as error:
        raise InputError(f"{out} cannot be written to ({error.strerror}).") from error


def read_plan(out: Path) -> dict:
    """What `write_plan` wrote. Raises InputError where there is none."""
    if not (out / "suite.json").is_file():
        raise InputError(f"There are no results of a suite in {out}; run it first.")
    return _read(out / "suite.json")


def write_cell(out: Path, name: str, result: dict) -> None:
    _write(out / "cells" / f"{name}.json", result)


def read_cells(out: Path) -> Iterator[dict]:
    """What is there, in the order of the cells, one at a time: together they can be large."""
    for name in sorted(list_done_cells(out)):
        yield _read(out / "cells" / f"{name}.json")


def list_done_cells(out: Path) -> set[str]:
    """The cells that there are files of."""
    return {path.stem for path in (out / "cells").glob("[0-9]*.json")}


def forget_failures(out: Path) -> None:
    """Cells that failed are to be tried again: what kept them from being done may have gone."""
    for cell in read_cells(out):
        if cell["failed"]:
            (out / "cells" / f"{cell['id']}.json").unlink()


def _write(path: Path, value) -> None:
    write_file(path, _json(value) + "\n", durable=True)


def _json(value) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read; delete it and run the suite again.") from error
