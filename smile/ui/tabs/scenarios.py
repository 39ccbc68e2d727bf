"""The second tab: a small suite is chosen or brought, run cell by cell, and its report shown; or a finished run is opened.

A suite that somebody brings is checked before anything is loaded, and can name neither a file nor an address: its pictures
are Toy Road's, its weights those that this page offers.
"""

import os
import shlex
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from smile import InputError, paths
from smile.evaluation.answer_trust import measure_answer_trust
from smile.io.atomic import write_file
from smile.method import design
from smile.method.units import words
from smile.models.hub import is_bundled
from smile.report.jinja import render
from smile.scenarios import archive, cells, models, report, suite, table
from smile.scenarios import run as running
from smile.ui import machine, runs, texts
from smile.ui.components import Pick, ReportView
from smile.ui.engine import Engine, Request
from smile.ui.estimate import count_edits
from smile.ui.events import AT_ONCE, OPENING, PRIVATE, Changes, run_showing, switch_buttons
from smile.ui.language_engine import LanguageEngine, Question
from smile.ui.sections.downloads import Downloads, shorten_name

SHIPPED = ("first-steps", "questions", "weather", "toyroad")  # the smallest first
DRAWN_EVERY = 2.0  # seconds: the report while a suite runs; each drawing begins at its top again
MAX_CELLS = 60
MAX_EDITS = 1800
MAX_OPENED = 400  # cells of a finished run, each of which is computed again
MAX_PERMUTATIONS = 10_000  # for each cell
WITH_TRUST = 7  # times the edits, roughly, where a suite asks for trust
MAX_PROMPTS = 4000
TRUST_PROMPTS = 119  # at most, of a cell whose suite asks for trust
LIMITS = suite.Limits(cells=500, edits=256, values=60, bytes=20_000, files=False)


class Brought(NamedTuple):
    """A suite that somebody brought, and the line that runs it elsewhere."""

    suite: suite.Suite
    command: str


class Plan(NamedTuple):
    """A suite that can be run here, and what that takes."""

    suite: suite.Suite
    cells: list[cells.Cell]
    edits: dict[models.Model, int]  # or prompts


class ScenariosTab:
    """The state `brought` holds the suite that somebody brought, and `finished` the run that is shown (`archive.Run`), in
    memory: the folder in which the cells are made goes with the run, however that ends."""

    def __init__(self, engine: Engine, language_engine: LanguageEngine):
        self.engine, self.language_engine = engine, language_engine
        self.downloads = Downloads(texts.TAKE_REPORT, "take-report", write_report)

    def build(self) -> None:
        """The layout, as it reads."""
        with gr.Row(elem_id="scenarios"):
            with gr.Column(elem_id="suites", min_width=320):
                gr.HTML(render("ui/templates/scenarios.html"), elem_id="scenarios-header")
                self.suite = Pick(SHIPPED, value=SHIPPED[0], label="Suite", elem_id="suite")
                self.bring_button = gr.UploadButton(
                    texts.OWN_SUITE, file_types=[".yaml", ".yml", ".json"], size="sm", elem_id="own-suite"
                )
                self.plan_text = gr.HTML(elem_id="suite-plan")
                with gr.Row(elem_id="run-row"):
                    self.run_button = gr.Button("Run", variant="primary", scale=3, elem_id="run-suite")
                    self.stop_button = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop-suite")
                self.status = gr.HTML(elem_id="suite-status")
                self.open_button = gr.UploadButton(texts.OPEN_RUN, file_types=[".zip"], size="sm", elem_id="open-run")
            with gr.Column(elem_id="suite-answer", min_width=320):
                self.report = ReportView(elem_id="report")
                with gr.Row(visible=False, elem_id="take-report") as self.download_row:
                    self.downloads.build()
        self.brought, self.finished = gr.State(time_to_live=3600), gr.State(time_to_live=3600)

    @property
    def outputs(self) -> list:
        """What the handlers fill."""
        texts_and_views = [self.suite, self.plan_text, self.status, self.report, self.download_row]
        return [*texts_and_views, self.run_button, self.stop_button, self.brought, self.finished]

    def connect(self, tab: gr.Tab, taken: gr.DownloadButton) -> None:
        """The events; `tab` is what one opens to see this, and files are handed over through `taken`."""
        chosen, outputs = [self.suite, self.brought], self.outputs
        tab.select(self.plan, chosen, outputs, **PRIVATE)
        self.suite.input(self.choose, self.suite, outputs, trigger_mode="always_last", **PRIVATE)
        self.bring_button.upload(self.bring, self.bring_button, outputs, **PRIVATE)
        begun = self.run_button.click(self.begin, None, outputs, **AT_ONCE)
        going = begun.then(self.run, chosen, outputs, **run_showing(self.status))
        for end in (self.stop_button.click, self.open_button.upload):
            end(None, cancels=going, **PRIVATE)
        self.stop_button.click(self.stop, self.finished, outputs, **AT_ONCE)
        self.open_button.upload(self.open_run, self.open_button, outputs, **OPENING)
        self.downloads.connect([self.finished], self.status, taken)

    # Choosing

    def plan(self, name: str | None, brought: Brought | None) -> Iterator[Changes]:
        """What the suite that is chosen would take, at once, and again when it is known how fast its editors are."""
        try:
            planned = self._plan(name, brought)
            yield self._show_plan(planned)
            slow = [] if planned.suite.asks else [each for each in planned.edits if self._estimate_seconds(each, 1) is None]
            for editor in slow:
                if is_bundled(machine.resolve_weights(editor.name, editor.weights)):
                    self.engine.load(editor.name, editor.weights)
            if slow:
                yield self._show_plan(planned)
        except InputError as error:
            yield {self.plan_text: texts.say_problem(error)}

    def choose(self, name: str | None) -> Iterator[Changes]:
        """One of the suites that come with the page."""
        for step in self.plan(name, None):
            yield step | {self.brought: None}

    def bring(self, file: str) -> Iterator[Changes]:
        """The suite in a file that somebody uploaded."""
        try:
            brought = _read_suite(Path(file))
        except InputError as error:
            yield {self.suite: None, self.brought: None, self.plan_text: texts.say_problem(error)}
            return
        yield {self.suite: None, self.brought: brought}
        yield from self.plan(None, brought)

    # Running

    def begin(self) -> Changes:
        """The click is seen at once."""
        return {self.status: texts.say_waiting(True), **self._switch_buttons(True)}

    def run(self, name: str | None, brought: Brought | None) -> Iterator[Changes]:
        """Run the suite. What an earlier one left is cleared only when this one is known to be good."""
        finished: Any = None  # the run as far as it is
        began, drawn = time.monotonic(), 0.0
        try:
            planned = self._plan(name, brought)
            seconds = self._estimate_all_seconds(planned)
            limit = runs.extend_limit(seconds)
            hidden = gr.update(visible=False)
            yield {self.status: self._say_waiting(planned), self.finished: None, self.report: None, self.download_row: hidden}
            with tempfile.TemporaryDirectory(prefix="smile-page-") as out:
                ask: Any = self._ask_language_model if planned.suite.asks else self._ask
                steps: Any = running.explain_cells(planned.suite, out, ask=ask, every_batch=True)
                with closing(steps):
                    for step in steps:
                        left = seconds if step.seconds_left is None else step.seconds_left
                        changes: Changes = {self.status: texts.say_step(step.done, step.total, "cell", left, "cells explained")}
                        if step.done > (len(finished.cells) if finished else 0):
                            changes[self.finished] = finished = archive.collect_run(out)
                            if time.monotonic() - drawn >= DRAWN_EVERY:
                                drawn = time.monotonic()
                                changes[self.report] = {"page": _draw_report(finished, alone=False)}
                            os.utime(out)  # what was not touched for hours is swept (middleware.py)
                        yield changes
                        if step.done < step.total and time.monotonic() - began > limit:
                            raise runs.TooLong(texts.TOO_LONG)
            failed = sum(cell["failed"] is not None for cell in finished.cells)
            done = texts.say_suite_done(failed, len(finished.cells), time.monotonic() - began)
            yield {self.status: done, self.finished: finished, **self._show_report(finished), **self._switch_buttons(False)}
        except runs.TooLong as error:
            yield self.stop(finished, str(error))
        except Exception as error:  # as in answer.py
            yield {self.status: texts.say_problem(runs.describe_error(error)), **self._switch_buttons(False)}

    def stop(self, finished: archive.Run | None, reason: str = "") -> Changes:
        """The report on the cells that are done."""
        if finished is None:
            return {self.status: texts.say(f"{reason} {texts.NO_CELL}".strip()), **self._switch_buttons(False)}
        said = texts.say_suite_stopped(len(finished.cells), len(finished.plan["cells"]), reason)
        return {self.status: said, **self._show_report(finished), **self._switch_buttons(False)}

    def open_run(self, file: str) -> Changes:
        """The report on a finished run that somebody uploaded; what is there stays where that is none."""
        try:
            finished = archive.read_archive(file, MAX_OPENED)
            shown = self._show_report(finished) | {self.finished: finished, self.status: texts.say(texts.RUN_OPENED)}
        except InputError as error:
            shown = {self.status: texts.say_problem(error)}
        return shown | self._switch_buttons(False)

    def _plan(self, name: str | None, brought: Brought | None) -> Plan:
        """The suite that is chosen. Raises InputError where there is none, or it is not one that is run here."""
        if brought is not None:
            chosen, command = brought
        elif name in SHIPPED:
            chosen, command = suite.read_suite(paths.SUITES / f"{name}.yaml"), _build_command(f"assets/scenarios/{name}.yaml")
        else:
            raise InputError(texts.NO_SUITE)
        for editor in () if chosen.asks else chosen.models:
            machine.resolve_weights(editor.name, editor.weights)  # raises for weights that this page does not know
        if (chosen.method["permutations"] or 0) > MAX_PERMUTATIONS:
            raise InputError(texts.TOO_MANY_PERMUTATIONS.format(MAX_PERMUTATIONS))
        planned, _ = cells.plan_cells(chosen)
        if not planned:
            raise InputError(texts.NOTHING_ASKED)
        for cell in planned if chosen.asks else ():
            _make_question(cell.model, cell.instruction, {"edits": chosen.edits, "seed": chosen.seed} | chosen.options).check()
        edits = {
            model: sum(_count_edits(chosen, cell) for cell in group)
            for model, group in groupby(planned, lambda cell: cell.model)
        }
        most, what = (MAX_PROMPTS, "prompt") if chosen.asks else (MAX_EDITS, "edit")
        if len(planned) > MAX_CELLS or sum(edits.values()) > most:
            raise InputError(texts.describe_too_large(len(planned), sum(edits.values()), MAX_CELLS, most, command, what))
        return Plan(chosen, planned, edits)

    def _estimate_seconds(self, editor: models.Model, edits: int) -> float | None:
        each = self.engine.estimate_edit_seconds(editor.name, editor.weights, dict(editor.settings))
        return None if each is None else each * edits

    def _estimate_all_seconds(self, planned: Plan) -> float | None:
        if planned.suite.asks:
            return None
        seconds = [self._estimate_seconds(editor, edits) for editor, edits in planned.edits.items()]
        return None if None in seconds else sum(each for each in seconds if each is not None)

    def _show_plan(self, planned: Plan) -> Changes:
        editors = () if planned.suite.asks else planned.edits
        download = sum(self.engine.describe_editor(e.name, e.weights, {}).gigabytes for e in editors)
        seconds, most = self._estimate_all_seconds(planned), MAX_PROMPTS if planned.suite.asks else MAX_EDITS
        return {self.plan_text: texts.describe_suite(planned, seconds, download, MAX_CELLS, most)}

    def _show_report(self, finished: archive.Run) -> Changes:
        return {self.report: {"page": _draw_report(finished, alone=False)}, self.download_row: gr.update(visible=True)}

    def _switch_buttons(self, running: bool) -> Changes:
        return switch_buttons(running, self.stop_button, self.run_button)

    def _say_waiting(self, planned: Plan) -> str:
        if planned.suite.asks:
            return texts.say_waiting(True)
        first = next(iter(planned.edits))
        ready = self.engine.is_loaded(first.name, first.weights)
        download = 0 if ready else self.engine.describe_editor(first.name, first.weights, {}).gigabytes
        return texts.say_waiting(ready, download)

    def _ask(self, choice: models.Model) -> "SharedEditor":
        return SharedEditor(self.engine, choice)

    def _ask_language_model(self, choice: models.Model) -> "SharedLanguageModel":
        return SharedLanguageModel(self.language_engine, choice)


class SharedEditor:
    """One of a suite's editors, asked through the engine, which has it once for all (`smile.scenarios.run.LoadedEditor`)."""

    def __init__(self, engine: Engine, choice: models.Model):
        self.engine, self.choice = engine, choice

    def explain(self, picture, instruction: str, options: dict[str, Any]) -> Iterator[running.Explained | None]:
        """None while the editor is loaded, then `explain_stream`."""
        method = dict(options)
        own = {name: method.pop(name) for name in ("edits", "seed", "region") if name in method}
        name, weights, settings = self.choice.name, self.choice.weights, dict(self.choice.settings)
        self.request = Request(picture, instruction, editor=name, weights=weights, settings=settings, options=method, **own)
        if not self.engine.is_loaded(name, weights):
            yield from self.engine.wait_for(name, weights)
        yield from runs.explain_in_time(self.engine, self.request)

    def measure(self, explanation: Any) -> Iterator[Any]:
        """Of what was explained last."""
        yield from runs.measure_in_time(self.engine, self.request, explanation)


class SharedLanguageModel:
    """A suite's language model, asked through the engine (`smile.scenarios.run.LoadedLanguageModel`)."""

    def __init__(self, engine: LanguageEngine, choice: models.Model):
        self.engine, self.choice = engine, choice

    def explain(self, picture, instruction: str, options: dict[str, Any]) -> Iterator[running.Explained]:
        """`explain_answer_stream`."""
        self.question = _make_question(self.choice, instruction, options)
        yield from self.engine.explain(self.question)

    def measure(self, explanation: Any) -> Iterator[Any]:
        """Of what was explained last."""
        yield from measure_answer_trust(explanation, self.engine.get(self.question))


def write_report(kind: str, finished: archive.Run | None) -> Iterator[tuple]:
    """The report on the run that is shown, or the run itself, see `Downloads`."""
    if finished is None:
        yield None, texts.say_problem(texts.NO_REPORT)
        return
    with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
        path = Path(folder) / f"{shorten_name(finished.plan['name'])}.{kind}"
        if kind == "zip":
            archive.write_archive(finished, path)
        else:
            write_file(path, _draw_report(finished, alone=True))
        yield str(path), gr.skip()


def _make_question(choice: models.Model, prompt: str, options: dict[str, Any]) -> Question:
    """What is asked in a cell, by explain_answer's options."""
    method = dict(options)
    rows, seed = method.pop("edits"), method.pop("seed")
    settings: dict[str, Any] = dict(choice.settings)
    return Question(prompt, choice.name, rows=rows, seed=seed, units="words", options=method, **settings)


def _count_edits(chosen: suite.Suite, cell: cells.Cell) -> int:
    if chosen.asks:
        k, seeds = len(words(cell.instruction)), chosen.method["seeds"]
        rows = design.planned_edits(k, chosen.edits or design.default_prompts(k)) * seeds + chosen.method["noise_seeds"]
        return rows + k + (TRUST_PROMPTS if chosen.trust else 0)  # each word is left out alone, too
    edits = count_edits(len(words(cell.instruction)), chosen.method["edits"], chosen.method)
    return sum(edits) * (WITH_TRUST if chosen.trust else 1)


def _draw_report(finished: archive.Run, alone: bool) -> str:
    results = finished.results
    return report.render_report(results, table.summarise(results), alone)


def _read_suite(path: Path) -> Brought:
    command = _build_command(path.name)
    return Brought(suite.read_suite(path, LIMITS._replace(otherwise=texts.describe_elsewhere(command))), command)


def _build_command(file: str) -> str:
    """The line that runs a suite of any size."""
    return f"python -m smile scenarios {shlex.quote(file)} --out out/{shorten_name(Path(file).stem)}"
