"""The page: `python app.py`, or a Hugging Face Space. Layout and wiring, from top to bottom as the page reads."""

import contextlib
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
with contextlib.suppress(ImportError):
    import spaces  # noqa: F401 - on ZeroGPU it must come before gradio and torch

import gradio as gr

from smile import InputError
from smile.editors import EDITORS
from smile.page import wording
from smile.page.actions import EXAMPLES, VIEW, Actions, examples
from smile.page.components import PLOTLY_JS, Choice, Examples, Picture, RegionPainter, WordHeatmap
from smile.page.engine import SPACE, ZERO_GPU, Engine
from smile.page.look import CSS, theme


def build(engine: Engine) -> gr.Blocks:
    """The page on these models."""
    gr.set_static_paths([EXAMPLES, PLOTLY_JS])  # the only files of this machine that are served as they are
    actions, samples = Actions(engine), examples()
    first, (choose_editor, choose_weights, show_region, *_) = samples[0], actions.choose(samples[0].editor)

    with gr.Blocks(title=f"SMILE: {wording.TITLE}", fill_width=True, delete_cache=(3600, 6 * 3600)) as page:
        gr.HTML(wording.header(), elem_id="header")
        with gr.Row(elem_id="main"):
            with gr.Column(elem_id="ask", min_width=320):
                picture = Picture(
                    first.picture,
                    label="Picture",
                    type="filepath",
                    sources=["upload"],
                    buttons=[],
                    height=240,
                    elem_id="picture",
                )
                example = Examples(samples, elem_id="examples")
                with gr.Group():
                    editor = gr.Radio(
                        list(EDITORS), value=first.editor, label="Editor", info=choose_editor["info"], elem_id="editor"
                    )
                    weights = Choice(
                        choose_weights["choices"],
                        value="auto",
                        label="Weights",
                        info=choose_weights["info"],
                        elem_id="weights",
                    )
                with gr.Column(visible=show_region["visible"], elem_id="region") as region_column:
                    region = RegionPainter(elem_id="painter")
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
                instruction = gr.Textbox(
                    first.instruction,
                    label="Instruction",
                    placeholder="make it snow",
                    max_lines=4,
                    elem_id="instruction",
                )
                with gr.Row():
                    edits = gr.Number(actions.edits_for(first.instruction), label="Number of edits", min_width=120)
                    seed = gr.Number(0, label="Seed", min_width=120)
                with gr.Accordion("Advanced", open=False, visible=False, elem_id="advanced") as advanced:
                    settings = [
                        gr.Number(None, label=label, info=info, visible=False, elem_id=f"setting-{name}")
                        for name, (label, info) in wording.SETTINGS.items()
                    ]
                plan = gr.HTML(elem_id="plan")
                with gr.Row():
                    explain = gr.Button("Explain", variant="primary", scale=3, elem_id="explain")
                    stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
                progress = gr.HTML(elem_id="progress")
                fall_back = gr.Button("Use the bundled weights", visible=False, elem_id="fall-back")
            with gr.Column(elem_id="answer", min_width=320):
                heatmap = WordHeatmap(elem_id="heatmap")
                finding = gr.HTML(elem_id="finding")
                gallery = gr.Gallery(
                    label="The edits it was computed from; words in [brackets] were left out",
                    visible=False,
                    interactive=False,
                    columns=5,
                    height="auto",
                    object_fit="contain",
                    buttons=["fullscreen"],
                    elem_id="gallery",
                )
        chosen = gr.State(False)  # whether the visitor set the number of edits, which else follows the instruction
        shown = gr.State(time_to_live=3600)  # the explanation on the page, for Stop

        # What only the named endpoint takes and returns.
        with gr.Row(visible=False):
            ask = gr.Button()
            sets = dict.fromkeys(["auto", *(each for name in EDITORS for each in engine.offered(name))])
            any_weights = gr.Dropdown(list(sets), value="auto", label="weights")
            any_region = Picture(label="region", type="filepath")
            any_phrase = gr.Textbox("", label="region phrase")
            any_settings = gr.JSON(label="settings")
            numbers = gr.JSON(label="explanation")

        parts = {
            "progress": progress,
            "heatmap": heatmap,
            "finding": finding,
            "gallery": gallery,
            "shown": shown,
            "explain": explain,
            "stop": stop,
            "fall_back": fall_back,
        }
        view = [parts[name] for name in VIEW]
        choice = [editor, weights, region_column, *settings]
        asked = [instruction, edits, editor, weights, settings[list(wording.SETTINGS).index("steps")]]
        private = {"api_visibility": "private", "show_progress": "hidden"}
        editing = {"concurrency_id": "editor", "concurrency_limit": 1}

        picture.upload(actions.canvas, picture, region, queue=False, **private)
        picture.clear(lambda: actions.canvas(None), None, region, queue=False, **private)  # which still sends the old one
        example.select(actions.pick, None, [picture, instruction, region, *choice], queue=False, **private)
        editor.input(actions.choose, editor, choice, queue=False, **private)
        editor.input(actions.canvas, picture, region, queue=False, **private)
        weights.input(actions.default_settings, None, settings, queue=False, **private)
        gr.on([find.click, phrase.submit], actions.find, [picture, phrase], [region, progress], **editing, **private)
        region_file.upload(actions.use_file, [picture, region_file], [region, progress], queue=False, **private)
        edits.input(lambda value: value is not None, edits, chosen, queue=False, **private)
        instruction.change(actions.edits_for, [instruction, chosen], edits, queue=False, **private)
        planned = [page.load, *(part.change for part in asked)]
        planning = {"concurrency_limit": None, "trigger_mode": "always_last"}
        gr.on(planned, actions.plan, asked, [plan, advanced, *settings], **planning, **private)
        begun = gr.on([explain.click, instruction.submit], actions.begin, [editor, weights], view, queue=False, **private)
        inputs = [picture, instruction, edits, seed, editor, weights]
        running = begun.then(actions.run, [*inputs, region, *settings], view, **editing, **private)
        running.then(actions.plan, asked, [plan, advanced, *settings], concurrency_limit=None, **private)
        stop.click(actions.stop, shown, view, cancels=[running], queue=False, **private)
        fall_back.click(actions.fall_back, editor, [weights, fall_back], queue=False, **private)
        given = [*inputs[:-1], any_weights, any_region, any_phrase, any_settings]
        ask.click(actions.serve, given, [numbers, gallery], api_name="explain", **editing)
    return page.queue(max_size=32)


OPTIONS = {
    "theme": theme(),
    "css": CSS,
    "footer_links": ["api"],
    "max_file_size": "20mb",
    "run_history": False,
    "enable_monitoring": False,
    "ssr_mode": False,
}

engine = Engine()
demo = build(engine)

if __name__ == "__main__":
    if SPACE:  # where nobody waits for the start, and ZeroGPU wants its models placed before the page is up
        with contextlib.suppress(InputError):  # the page will say
            engine.models()
    demo.launch(prevent_thread_lock=True, **OPTIONS)
    engine.start()  # after the page answers, so that importing torch does not delay it
    engine.serve() if ZERO_GPU else demo.block_thread()
