"""Scenarios: a small suite is chosen or brought, run cell by cell, and its report shown; or a finished run is opened.

A suite that somebody brings is checked before anything is loaded, and can name neither a file nor an address: its pictures
are Toy Road's, its weights those that this page offers. The state `made` holds the run that is shown (`archive.Run`), in
memory: the folder in which the cells are made goes with the run, however that ends.
"""

import os
import shlex
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import gradio as gr

from smile import Explanation, InputError, paths
from smile.evaluation.evaluate import Measurement
from smile.io.atomic import write_file
from smile.method.units import words
from smile.models.hub import is_bundled
from smile.scenarios import archive, cells, report, suite, table
from smile.scenarios import run as running
from smile.ui import downloads, runs, texts
from smile.ui.engine import Engine, Request
from smile.ui.estimate import edits_made

SUITES = ("suite", "own", "suite_plan", "run_suite", "stop_suite", "suite_status", "report", "take_report", "made")
SHIPPED = ("first-steps", "weather", "toyroad")  # the smallest first
MAX_CELLS = 60
MAX_EDITS = 1500
MAX_OPENED = 400  # cells of a finished run, each of which is computed again
MAX_DRAWS = 10_000  # permutations for each cell
WITH_TRUST = 7  # times the edits, roughly, where a suite asks for trust
KINDS = ("html", "zip")
ALLOWED = suite.Limits(cells=500, edits=256, values=60, bytes=20_000, files=False)


class Brought(NamedTuple):
    """A suite that somebody brought, and the line that runs it elsewhere."""

    suite: suite.Suite
    command: str


class Plan(NamedTuple):
    """A suite that can be run here, and what that takes."""

    suite: suite.Suite
    cells: list[cells.Cell]
    edits: dict[suite.Editor, int]


class Suites:
    """The events of the page's second tab, on one engine."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def plan(self, name: str | None, own) -> Iterator[list]:
        """What the suite that is chosen would take: `SUITES`, at once, and again when it is known how fast editors are."""
        try:
            planned = self._planned(name, own)
            yield self._shown(planned)
            slow = [editor for editor in planned.edits if self._seconds(editor, 1) is None]
            for editor in slow:
                if is_bundled(self.engine.taken(editor.name, editor.weights)):
                    self.engine.models(editor.name, editor.weights)
            if slow:
                yield self._shown(planned)
        except InputError as error:
            yield suites(suite_plan=texts.problem(str(error)))

    def choose(self, name: str | None) -> Iterator[list]:
        """`SUITES` for one of the suites that come with the page."""
        for step in self.plan(name, None):
            yield [None if part == "own" else value for part, value in zip(SUITES, step, strict=True)]

    def bring(self, file: str) -> Iterator[list]:
        """`SUITES` for the suite in a file that somebody uploaded."""
        chosen = {"suite": None, "own": None}
        try:
            chosen["own"] = _read(Path(file))
        except InputError as error:
            yield suites(**chosen, suite_plan=texts.problem(str(error)))
            return
        yield suites(**chosen)
        yield from self.plan(None, chosen["own"])

    def begin(self) -> list:
        """The click is seen at once."""
        return suites(suite_status=texts.waiting(True), run_suite=_button(False), stop_suite=_button(True))

    def run(self, name: str | None, own) -> Iterator[list]:
        """Run the suite; yields `SUITES`. What an earlier one left is cleared only when this one is known to be good."""
        made, began = None, time.monotonic()
        try:
            planned = self._planned(name, own)
            seconds = self._all_seconds(planned)
            most = runs.MAX_SECONDS if runs.SPACE else max(runs.MAX_SECONDS, 3 * (seconds or 0))
            yield suites(suite_status=self._waiting(planned), made=None, report=None, take_report=gr.update(visible=False))
            with tempfile.TemporaryDirectory(prefix="smile-page-") as out:
                steps = running.explain_cells(planned.suite, out, ask=self._asked, every_batch=True)
                with closing(steps):
                    for step in steps:
                        fresh = step.done > (len(made.cells) if made else 0)
                        if fresh:
                            made = archive.collect_run(out)
                            os.utime(out)  # what was not touched for hours is swept (gate.py)
                        left = seconds if step.seconds_left is None else step.seconds_left
                        said = texts.suite_progress(step.done, step.total, left)
                        yield suites(suite_status=said, made=made if fresh else gr.skip())
                        if step.done < step.total and time.monotonic() - began > most:
                            raise runs.TooLong(texts.TOO_LONG)
            done = texts.suite_done(_failed(made), len(made.cells), time.monotonic() - began)
            yield suites(suite_status=done, made=made, **_drawn(made), **_idle())
        except runs.TooLong as error:
            yield self.stop(made, str(error))
        except Exception as error:  # as in runs.py
            yield suites(suite_status=texts.problem(runs.trouble(error)), **_idle())

    def stop(self, made, reason: str = "") -> list:
        """`SUITES` with a report on the cells that are done; `made` is what the state holds."""
        if made is None:
            return suites(suite_status=texts.said(f"{reason} {texts.NO_CELL}".strip()), **_idle())
        said = texts.suite_stopped(len(made.cells), len(made.plan["cells"]), reason)
        return suites(suite_status=said, **_drawn(made), **_idle())

    def open(self, file: str) -> list:
        """`SUITES` with the report on a finished run that somebody uploaded; what is there stays where that is none."""
        try:
            made = archive.read_archive(file, MAX_OPENED)
            drawn = _drawn(made)
        except InputError as error:
            return suites(suite_status=texts.problem(str(error)), **_idle())
        return suites(suite_status=texts.said(texts.RUN_OPENED), made=made, **drawn, **_idle())

    def _planned(self, name: str | None, own) -> Plan:
        """The suite that is chosen. Raises InputError where there is none, or it is not one that is run here."""
        if own is None and name not in SHIPPED:
            raise InputError(texts.NO_SUITE)
        chosen, command = own or Brought(
            suite.read_suite(paths.SUITES / f"{name}.yaml"), _command(f"assets/scenarios/{name}.yaml")
        )
        for editor in chosen.editors:
            self.engine.taken(editor.name, editor.weights)  # raises for weights that this page does not know
        if (chosen.method["permutations"] or 0) > MAX_DRAWS:
            raise InputError(texts.TOO_MANY_DRAWS.format(MAX_DRAWS))
        made, _ = cells.plan_cells(chosen)
        if not made:
            raise InputError(texts.NOTHING_ASKED)
        edits = {
            editor: sum(self._edits(chosen, cell) for cell in group) for editor, group in groupby(made, lambda c: c.editor)
        }
        if len(made) > MAX_CELLS or sum(edits.values()) > MAX_EDITS:
            raise InputError(texts.too_large(len(made), sum(edits.values()), MAX_CELLS, MAX_EDITS, command))
        return Plan(chosen, made, edits)

    def _edits(self, chosen: suite.Suite, cell: cells.Cell) -> int:
        made = edits_made(len(words(cell.instruction)), chosen.method["edits"], chosen.method)
        return sum(made) * (WITH_TRUST if chosen.trust else 1)

    def _seconds(self, editor: suite.Editor, edits: int) -> float | None:
        each = self.engine.seconds_per_edit(editor.name, editor.weights, dict(editor.settings))
        return None if each is None else each * edits

    def _all_seconds(self, planned: Plan) -> float | None:
        all_ = [self._seconds(editor, edits) for editor, edits in planned.edits.items()]
        return None if None in all_ else sum(all_)

    def _shown(self, planned: Plan) -> list:
        download = sum(self.engine.outlook(e.name, e.weights, {}).gigabytes for e in planned.edits)
        said = texts.suite_plan(planned, self._all_seconds(planned), download, MAX_CELLS, MAX_EDITS)
        return suites(suite_plan=said)

    def _waiting(self, planned: Plan) -> str:
        first = next(iter(planned.edits))
        ready = self.engine.ready(first.name, first.weights)
        download = 0 if ready else self.engine.outlook(first.name, first.weights, {}).gigabytes
        return texts.waiting(ready, download)

    def _asked(self, choice: suite.Editor) -> "Asked":
        return Asked(self.engine, choice)


class Asked:
    """One of a suite's editors, asked through the engine, which has it once for all (`smile.scenarios.run.LoadedEditor`)."""

    def __init__(self, engine: Engine, choice: suite.Editor):
        self.engine, self.choice, self.request = engine, choice, None

    def explain(self, picture, instruction: str, options: dict) -> Iterator[Explanation | None]:
        """None while the editor is loaded, then `explain_stream`."""
        options = dict(options)
        own = {name: options.pop(name) for name in ("edits", "seed", "region") if name in options}
        name, weights, settings = self.choice.name, self.choice.weights, dict(self.choice.settings)
        self.request = Request(picture, instruction, editor=name, weights=weights, settings=settings, options=options, **own)
        if not self.engine.ready(name, weights):
            yield from self.engine.loading(name, weights)
        yield from self.engine.explain(self.request)

    def measure(self, explanation: Explanation) -> Iterator[Measurement]:
        """Of what was explained last."""
        yield from self.engine.measure(self.request, explanation)


def report_file(kind: str, made) -> Iterator[tuple]:
    """(file, status) of the run that is shown. A generator, as in downloads.py."""
    if made is None:
        yield None, texts.problem(texts.NO_REPORT)
        return
    with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
        path = Path(folder) / f"{downloads.slug(made.plan['name'])}.{kind}"
        if kind == "zip":
            archive.write_archive(made, path)
        else:
            write_file(path, _html(made))
        yield str(path), gr.skip()


def suites(**changes) -> list:
    """The values of `SUITES` in order."""
    return [changes.get(name, gr.skip()) for name in SUITES]


def _button(active: bool) -> dict:
    return gr.update(interactive=active)


def _idle() -> dict:
    return {"run_suite": _button(True), "stop_suite": _button(False)}


def _html(made: archive.Run, alone: bool = True) -> str:
    results = made.results
    return report.render_report(results, table.summarise(results), alone)


def _drawn(made: archive.Run) -> dict:
    return {"report": {"page": _html(made, alone=False)}, "take_report": gr.update(visible=True)}


def _failed(made: archive.Run) -> int:
    return sum(cell["failed"] is not None for cell in made.cells)


def _read(path: Path) -> Brought:
    command = _command(path.name)
    return Brought(suite.read_suite(path, ALLOWED._replace(otherwise=texts.elsewhere(command))), command)


def _command(file: str) -> str:
    """The line that runs a suite of any size."""
    return f"python -m smile scenarios {shlex.quote(file)} --out out/{downloads.slug(Path(file).stem)}"
