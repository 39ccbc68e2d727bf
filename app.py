"""The page: `python app.py`, or a Hugging Face Space. Layout and wiring, from top to bottom as the page reads."""

import contextlib
import functools
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
with contextlib.suppress(ImportError):
    import spaces  # noqa: F401 - on ZeroGPU it must come before gradio and torch

import gradio as gr

from smile import InputError
from smile.models.editors import EDITORS
from smile.paths import EXAMPLES
from smile.report.files import PLOTLY_JS
from smile.ui import downloads, middleware, texts
from smile.ui.actions import Actions
from smile.ui.api import Api
from smile.ui.components import Choice, ComparisonView, Examples, ExplanationView, Picture, RegionPainter, ReportView, Ticks
from smile.ui.engine import DEFAULT, SPACE, ZERO_GPU, Engine
from smile.ui.examples import examples
from smile.ui.parts import FIELDS, VIEW
from smile.ui.runs import Runs
from smile.ui.saved_runs import Replays
from smile.ui.suites import SHIPPED, Suites, report_file
from smile.ui.theme import HEAD, theme
from smile.ui.trusts import TRUST, Trusts
from smile.ui.validation import METHOD


def build(engine: Engine) -> gr.Blocks:
    """The page on these models. It begins with the first example, replayed."""
    gr.set_static_paths([EXAMPLES, PLOTLY_JS])  # the only files of this machine that are served as they are
    actions, runs, api = Actions(engine), Runs(engine), Api(engine)
    replays, trusts, suites = Replays(actions), Trusts(engine), Suites(engine)
    first = dict(zip((*FIELDS, *VIEW), replays.replay(examples()[0]), strict=True))
    first |= dict(zip(TRUST, trusts.known(first["shown"], [], None), strict=True))

    with gr.Blocks(title=f"SMILE: {texts.TITLE}", fill_width=True, delete_cache=(3600, 6 * 3600)) as page:
        gr.HTML(texts.header(), elem_id="header")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(texts.TABS[0], elem_id="explain-tab"):
                with gr.Row(elem_id="main"):
                    with gr.Column(elem_id="ask", min_width=320):
                        picture = Picture(
                            first["picture"],
                            label="Picture",
                            type="filepath",
                            sources=["upload"],
                            buttons=[],
                            height=190,
                            elem_id="picture",
                        )
                        example = Examples(examples(), elem_id="examples")
                        instruction = gr.Textbox(
                            first["instruction"],
                            label="Instruction",
                            placeholder="make it snow",
                            max_lines=4,
                            elem_id="instruction",
                        )
                        with gr.Group():
                            editor = gr.Radio(list(EDITORS), label="Editor", elem_id="editor", **_set(first["editor"]))
                            weights = Choice(label="Weights", elem_id="weights", **_set(first["weights"]))
                        with gr.Column(elem_id="region", **_set(first["region_column"])) as region_column:
                            region = RegionPainter(elem_id="painter", **_set(first["region"]))
                            with gr.Row():
                                phrase = gr.Textbox(
                                    label="What the region shows",
                                    show_label=False,
                                    placeholder="or say it: the sky",
                                    max_lines=1,
                                    container=False,
                                    scale=3,
                                    min_width=120,
                                    elem_id="phrase",
                                )
                                find = gr.Button("Find", size="sm", min_width=60, elem_id="find")
                                region_file = gr.UploadButton(
                                    "From file", file_types=["image"], size="sm", min_width=84, elem_id="region-file"
                                )
                        with gr.Row():
                            edits = gr.Number(first["edits"], label="Edits", min_width=80, elem_id="edits")
                            seed = gr.Number(first["seed"], label="Seed", min_width=80, elem_id="seed")
                            random_seed = gr.Button("Random seed", size="sm", min_width=104, elem_id="random-seed")
                        with gr.Accordion("Advanced", open=False, elem_id="advanced"):
                            settings = [
                                gr.Number(first[name], label=label, info=info, visible=False, elem_id=f"setting-{name}")
                                for name, (label, info) in texts.SETTINGS.items()
                            ]
                            options = [_option(name) for name in texts.OPTIONS]
                        plan = gr.HTML(elem_id="plan")
                        with gr.Column(elem_id="do"):
                            with gr.Row():
                                explain = gr.Button("Explain", variant="primary", scale=3, elem_id="explain")
                                stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
                            compare = gr.Button("Compare all three", elem_id="compare")
                            progress = gr.HTML(first["progress"], elem_id="progress")
                            fall_back = gr.Button("Use the bundled weights", visible=False, elem_id="fall-back")
                    with gr.Column(elem_id="answer", min_width=320):
                        comparison = ComparisonView(elem_id="comparison")
                        view = ExplanationView(first["view"], elem_id="view")
                        with gr.Column(elem_id="trust-section") as trust_section:
                            gr.HTML(f"<h2>{texts.TRUST}</h2>")
                            trust = gr.HTML(first["trust"], apply_default_css=False, elem_id="trust")
                            relevant = Ticks(label=texts.TICKS, elem_id="relevant", **_set(first["relevant"]))
                            with gr.Row(elem_id="measure-row"):
                                measure = gr.Button(texts.MEASURE, scale=3, elem_id="measure", **_set(first["measure"]))
                                stop_measuring = gr.Button(
                                    "Stop", interactive=False, scale=1, min_width=80, elem_id="stop-measuring"
                                )
                            measuring = gr.HTML(first["measuring"], elem_id="measuring")
                        with gr.Row(elem_id="take-away"):
                            take = {
                                kind: gr.Button(label, size="sm", min_width=80, elem_id=f"take-{kind}")
                                for kind, label in texts.TAKE.items()
                            }
                            opened = gr.UploadButton(
                                "Open a bundle", file_types=[".zip"], size="sm", min_width=110, elem_id="open-bundle"
                            )
                gr.HTML(texts.guide(), elem_id="guide")
            with gr.Tab(texts.TABS[1], elem_id="scenarios-tab") as scenarios, gr.Row(elem_id="scenarios"):
                with gr.Column(elem_id="suites", min_width=320):
                    gr.HTML(texts.scenarios(), elem_id="scenarios-header")
                    suite = Choice(SHIPPED, value=SHIPPED[0], label="Suite", elem_id="suite")
                    own_suite = gr.UploadButton(
                        texts.OWN_SUITE, file_types=[".yaml", ".yml", ".json"], size="sm", elem_id="own-suite"
                    )
                    suite_plan = gr.HTML(elem_id="suite-plan")
                    with gr.Row(elem_id="run-row"):
                        run_suite = gr.Button("Run", variant="primary", scale=3, elem_id="run-suite")
                        stop_suite = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop-suite")
                    suite_status = gr.HTML(elem_id="suite-status")
                    opened_run = gr.UploadButton(texts.OPEN_RUN, file_types=[".zip"], size="sm", elem_id="open-run")
                with gr.Column(elem_id="suite-answer", min_width=320):
                    report = ReportView(elem_id="report")
                    with gr.Row(visible=False, elem_id="take-report") as take_report:
                        take_run = {
                            kind: gr.Button(label, size="sm", min_width=80, elem_id=f"take-report-{kind}")
                            for kind, label in texts.TAKE_REPORT.items()
                        }
        chosen = gr.State(False)  # whether the visitor set the number of edits, which else follows the instruction
        shown, compared = gr.State(time_to_live=3600), gr.State(time_to_live=3600)  # what the two views show (replays.py)
        measured = gr.State(first["measured"], time_to_live=3600)  # what was measured of it (trusts.py)
        own = gr.State(time_to_live=3600)  # the suite that somebody brought
        made = gr.State(time_to_live=3600)  # the run of a suite that is shown (suites.py)
        taken = gr.DownloadButton(visible="hidden", elem_id="taken")

        # The named endpoints, with fields of their own
        editing = {"concurrency_id": "editor", "concurrency_limit": 1}
        with gr.Row(visible=False):
            sets = dict.fromkeys(["auto", *(each for name in EDITORS for each in engine.offered(name))])
            given = [
                Picture(label="picture", type="filepath"),
                gr.Textbox(label="instruction"),
                gr.Number(None, label="edits"),
                gr.Number(0, label="seed"),
                gr.Dropdown(list(EDITORS), value=DEFAULT, label="editor"),
                gr.Dropdown(list(sets), value="auto", label="weights"),
                Picture(label="region", type="filepath"),
                gr.Textbox("", label="region phrase"),
                gr.JSON(label="settings"),
                gr.JSON(label="options"),
            ]
            numbers, all_numbers = gr.JSON(label="explanation"), gr.JSON(label="explanations")
            pictures = gr.Gallery(label="pictures")
            gr.Button().click(api.explain, given, [numbers, pictures], api_name="explain", **editing)
            gr.Button().click(api.compare, [*given[:4], given[6]], [all_numbers, pictures], api_name="compare", **editing)

        asked = [picture, instruction, edits, chosen, seed, editor, weights, region]
        fields = [picture, instruction, edits, seed, editor, weights, region, region_column, chosen, *settings, *options]
        answer = [progress, view, comparison, shown, compared, explain, compare, stop, fall_back]
        planned = [instruction, edits, editor, weights, settings[list(texts.SETTINGS).index("steps")], *options]
        private = {"api_visibility": "private", "show_progress": "hidden"}

        # What is asked
        picture.upload(actions.canvas, picture, region, queue=False, **private)
        picture.clear(lambda: actions.canvas(None), None, region, queue=False, **private)  # which still sends the old one
        editor.input(actions.chosen, [editor, picture], fields, queue=False, **private)
        weights.input(actions.default_settings, None, settings, queue=False, **private)
        gr.on([find.click, phrase.submit], actions.find, [picture, phrase], [region, progress], **editing, **private)
        region_file.upload(actions.use_file, [picture, region_file], [region, progress], queue=False, **private)
        edits.input(lambda value: value is not None, edits, chosen, queue=False, **private)
        instruction.change(actions.edits_for, [instruction, chosen], edits, queue=False, **private)
        random_seed.click(None, None, seed, js="() => Math.floor(Math.random() * 1e6)", **private)
        planning = {"concurrency_limit": None, "trigger_mode": "always_last"}
        gr.on([page.load, *(part.change for part in planned)], actions.plan, planned, [plan, *settings], **planning, **private)

        # Running
        waited = private | {"show_progress": "minimal", "show_progress_on": progress}  # which says who is before us
        begun = gr.on([explain.click, instruction.submit], runs.begin, [editor, weights], answer, queue=False, **private)
        running = begun.then(runs.explain, [*asked, *settings, *options], answer, **editing, **waited)
        begun = compare.click(runs.begin, [editor, weights], answer, queue=False, **private)
        comparing = begun.then(runs.compare, [*asked, *settings, *options], answer, **editing, **waited)
        for run in (running, comparing):
            run.then(actions.plan, planned, [plan, *settings], concurrency_limit=None, **private)
            run.failure(runs.stop, [picture, shown, compared], answer, queue=False, **private)  # it was not let in
        for end in (stop.click, example.select, opened.upload):  # before what they do, or a late edit would be drawn over it
            end(None, cancels=[running, comparing], **private)
        stop.click(runs.stop, [picture, shown, compared], answer, queue=False, **private)
        fall_back.click(actions.fall_back, editor, [*fields, fall_back], queue=False, **private)

        # How far to believe it
        believed = [trust_section, trust, relevant, measured, measuring, measure, stop_measuring]
        judged = [shown, relevant, measured]
        shown.change(trusts.known, judged, believed, queue=False, trigger_mode="always_last", **private)
        relevant.input(trusts.tick, judged, trust, queue=False, **private)
        begun = measure.click(trusts.begin, None, believed, queue=False, **private)
        proving = begun.then(trusts.measure, judged, believed, **editing, **waited | {"show_progress_on": measuring})
        others = (explain.click, instruction.submit, compare.click, comparison.select, example.select, opened.upload)
        for end in (stop_measuring.click, *others):
            end(None, cancels=proving, **private)
        stop_measuring.click(trusts.stop, judged, believed, queue=False, **private)

        # What was run before
        linked = page.load(replays.link, None, [*fields, *answer], queue=False, **private)
        picked = example.select(replays.pick, None, [*fields, *answer], queue=False, **private)
        looked = comparison.select(replays.look, [compared, picture], [*fields, *answer], queue=False, **private)
        read = opened.upload(replays.open, opened, [*fields, *answer], queue=False, **private)
        for replayed in (linked, picked, looked, read):  # Gradio tells of a state's change only where an event was queued
            replayed.then(trusts.known, judged, believed, queue=False, **private)
        refilled = view.play(replays.refill, shown, fields, queue=False, **private)
        refilled.then(None, js="() => document.querySelector('#explain').click()", **private)
        for kind, button in take.items():
            filed = button.click(functools.partial(downloads.take, kind), shown, [taken, progress], queue=False, **private)
            filed.then(None, taken, None, js="(file) => file && document.querySelector('#taken').click()", **private)

        # Scenarios
        parts = [suite, own, suite_plan, run_suite, stop_suite, suite_status, report, take_report, made]
        scenarios.select(suites.plan, [suite, own], parts, **private)
        suite.input(suites.choose, suite, parts, trigger_mode="always_last", **private)
        own_suite.upload(suites.bring, own_suite, parts, **private)
        begun = run_suite.click(suites.begin, None, parts, queue=False, **private)
        exploring = begun.then(suites.run, [suite, own], parts, **editing, **waited | {"show_progress_on": suite_status})
        for end in (stop_suite.click, opened_run.upload):
            end(None, cancels=exploring, **private)
        stop_suite.click(suites.stop, made, parts, queue=False, **private)
        opened_run.upload(suites.open, opened_run, parts, **private)
        for kind, button in take_run.items():
            filed = button.click(functools.partial(report_file, kind), made, [taken, suite_status], queue=False, **private)
            filed.then(None, taken, None, js="(file) => file && document.querySelector('#taken').click()", **private)
    return page.queue(max_size=32, api_open=False)


def _set(update: dict) -> dict:
    """The arguments with which a component begins as an update would leave it."""
    return {name: value for name, value in update.items() if name != "__type__"}


def _option(name: str) -> gr.components.Component:
    """The field of one of the method's options."""
    label, info = texts.OPTIONS[name]
    common = {"value": METHOD[name], "label": label, "info": info, "elem_id": f"option-{name}"}
    return Choice(texts.CHOICES[name], **common) if name in texts.CHOICES else gr.Number(**common)


OPTIONS = {
    "theme": theme(),
    "head": HEAD,
    "footer_links": ["api"],
    "max_file_size": "256mb",
    "run_history": False,
    "enable_monitoring": False,
    "ssr_mode": False,
    **middleware.OPTIONS,
}

engine = Engine()
demo = build(engine)

if __name__ == "__main__":
    if SPACE:  # where nobody waits for the start, and ZeroGPU wants its models placed before the page is up
        with contextlib.suppress(InputError):  # the page will say
            engine.models()
    demo.launch(prevent_thread_lock=True, state_session_capacity=middleware.SESSIONS, **OPTIONS)
    engine.start()  # after the page answers, so that importing torch does not delay it
    engine.serve() if ZERO_GPU else demo.block_thread()
