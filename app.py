"""The page: `python app.py`, or a Hugging Face Space. Layout and wiring, from top to bottom as the page reads."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr

from smile.page import wording
from smile.page.actions import EXAMPLES, VIEW, Actions, examples
from smile.page.components import PLOTLY_JS, Examples, Picture, WordHeatmap
from smile.page.engine import Engine
from smile.page.look import CSS, theme


def build(engine: Engine) -> gr.Blocks:
    """The page on these models."""
    gr.set_static_paths([EXAMPLES, PLOTLY_JS])  # the only files of this machine that are served as they are
    actions, samples = Actions(engine), examples()
    first_picture, first_instruction = samples[0]

    with gr.Blocks(title=f"SMILE: {wording.TITLE}", fill_width=True, delete_cache=(3600, 6 * 3600)) as page:
        gr.HTML(wording.header(), elem_id="header")
        with gr.Row(elem_id="main"):
            with gr.Column(elem_id="ask", min_width=320):
                picture = Picture(
                    first_picture,
                    label="Picture",
                    type="filepath",
                    sources=["upload"],
                    buttons=[],
                    height=240,
                    elem_id="picture",
                )
                example = Examples(samples, elem_id="examples")
                instruction = gr.Textbox(
                    first_instruction,
                    label="Instruction",
                    placeholder="make it snow",
                    max_lines=4,
                    elem_id="instruction",
                )
                with gr.Row():
                    edits = gr.Number(actions.edits_for(first_instruction), label="Number of edits", min_width=120)
                    seed = gr.Number(0, label="Seed", min_width=120)
                plan = gr.HTML(elem_id="plan")
                with gr.Row():
                    explain = gr.Button("Explain", variant="primary", scale=3, elem_id="explain")
                    stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
                progress = gr.HTML(elem_id="progress")
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
        numbers = gr.JSON(visible=False, label="explanation")  # what the named endpoint returns
        ask = gr.Button(visible=False)

        inputs = [picture, instruction, edits, seed]
        parts = {
            "progress": progress,
            "heatmap": heatmap,
            "finding": finding,
            "gallery": gallery,
            "shown": shown,
            "explain": explain,
            "stop": stop,
        }
        view = [parts[name] for name in VIEW]
        private = {"api_visibility": "private", "show_progress": "hidden"}
        editing = {"concurrency_id": "editor", "concurrency_limit": 1}

        example.select(actions.pick, None, [picture, instruction], queue=False, **private)
        edits.input(lambda value: value is not None, edits, chosen, queue=False, **private)
        instruction.change(actions.edits_for, [instruction, chosen], edits, queue=False, **private)
        gr.on(
            [page.load, instruction.change, edits.change],
            actions.plan,
            [instruction, edits],
            plan,
            concurrency_limit=None,
            trigger_mode="always_last",
            **private,
        )
        begun = gr.on([explain.click, instruction.submit], actions.begin, None, view, queue=False, **private)
        running = begun.then(actions.run, inputs, view, **editing, **private)
        running.then(actions.plan, [instruction, edits], plan, concurrency_limit=None, **private)
        stop.click(actions.stop, shown, view, cancels=[running], queue=False, **private)
        ask.click(actions.serve, inputs, [numbers, gallery], api_name="explain", **editing)
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
    demo.launch(prevent_thread_lock=True, **OPTIONS)
    engine.start()  # after the page answers, so that importing torch does not delay it
    demo.block_thread()
