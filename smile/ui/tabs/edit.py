"""The first tab: which words of one instruction changed one picture."""

import gradio as gr

from smile.report.pinned import pinned_payload
from smile.ui import texts
from smile.ui.engine import Engine
from smile.ui.examples import draw_example, list_examples, open_shown
from smile.ui.sections.answer import Answer
from smile.ui.sections.downloads import Downloads
from smile.ui.sections.form import Form
from smile.ui.sections.kept_runs import KeptRuns
from smile.ui.sections.pin import Pin
from smile.ui.sections.saved_runs import SavedRuns
from smile.ui.sections.trust import Trust
from smile.ui.sections.what_if import WhatIf


class EditTab:
    """What is asked on the left, the answer on the right. It begins with the first example, replayed."""

    def __init__(self, engine: Engine):
        self.form = Form(engine)
        self.answer = Answer(engine, self.form)
        self.kept = KeptRuns(self.answer)
        self.pin = Pin(self.answer, open_shown, pinned_payload, "pinned")
        self.trust, self.what_if = Trust(self.answer), WhatIf(self.answer)
        self.saved_runs = SavedRuns(self.kept, [self.trust, self.pin])
        self.downloads = Downloads(texts.TAKE, "take", self.trust.write)

    def build(self) -> None:
        """The layout, as it reads."""
        example = list_examples()[0]
        editor, explanation = next(iter(example.explanations().items()))
        with gr.Row(elem_id="main"):
            with gr.Column(elem_id="ask", min_width=320):
                asked = self.form.describe(explanation, example.picture, example.painted)
                self.form.build(asked)
            with gr.Column(elem_id="answer", min_width=320):
                self.pin.build()
                self.answer.build(draw_example(example, editor), asked)
                self.kept.build()
                self.what_if.build()
                self.trust.build(explanation)
                with gr.Row(elem_id="take-away"):
                    self.downloads.build()
                    self.saved_runs.build()
        gr.HTML(texts.build_guide(), elem_id="guide")

    def connect(self, page: gr.Blocks, taken: gr.DownloadButton) -> None:
        """The events, in the order in which Gradio sends those of one click; files are handed over through `taken`."""
        replays = [self.form.examples.select, self.saved_runs.open_button.upload]
        self.form.connect(page)
        self.answer.connect()
        self.kept.connect()
        self.kept.leave_for(replays)
        self.trust.connect([self.answer.comparison.select, *replays])
        self.pin.connect()
        self.what_if.connect()
        self.saved_runs.connect(page)
        self.kept.forget_for(replays)
        self.downloads.connect(self.trust.inputs, self.form.progress, taken)
