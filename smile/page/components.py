"""Components of our own: a picture field that never decodes, the examples, and the word heatmap."""

import base64
import json
from html import escape
from pathlib import Path

import gradio as gr
import plotly

from smile import Explanation
from smile.figures import COLUMN_NAMES, table
from smile.page import wording

HERE = Path(__file__).parent
PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

EMPTY_HEATMAP = """
<figure class="words">
  <div class="empty">
    <div class="sketch" aria-hidden="true"><i></i><i></i><i></i><i></i><i></i><i></i></div>
    <p>Press <b>Explain</b>. Each word of the instruction will stand here, coloured by what it did to the picture,
    and below it the edits this was computed from.</p>
  </div>
  <figcaption hidden>
    <span class="ends"><span class="low"></span><i></i><span class="high"></span></span>
    <span class="mark"><b>★</b> significant (p &lt; 0.05, Holm)</span>
    <span class="note"></span>
  </figcaption>
  <div class="plot" role="img"></div>
  <div class="tip" role="tooltip" hidden></div>
  <details hidden><summary>The numbers</summary><div class="scroll" tabindex="0"><table></table></div></details>
</figure>
"""


class Picture(gr.Image):
    """gr.Image that hands over the uploaded file as it is.

    The original decodes and converts some files before any handler runs, among them ones that are small on disk and
    huge in memory, and fails with a traceback on files that are no pictures. `smile.picture` looks at the header first.
    """

    is_template = True

    def preprocess(self, payload):
        """The path of the file, None where there is none."""
        return None if payload is None else payload.path


class WordHeatmap(gr.HTML):
    """The words of an explanation in reading order, drawn by the plotly.js that ships with plotly.

    The value is what `heatmap_value` makes; the page must serve PLOTLY_JS as a static file. The same DOM node is kept
    and updated with Plotly.react, so an update costs the browser milliseconds; heatmap.js folds the figure's grid to
    the width there is.
    """

    def __init__(self, value=None, **options):
        super().__init__(
            value,
            html_template=EMPTY_HEATMAP,
            js_on_load=(HERE / "heatmap.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            plotly_js=str(PLOTLY_JS),
            **options,
        )

    def postprocess(self, value):
        return value

    def api_info(self):
        return {"type": "object"}


def heatmap_value(explanation: Explanation, was_stopped: bool = False) -> dict:
    """The figure, the table of the same numbers, and the mark that says it is not final."""
    figure = explanation.heatmap()
    figure.update_layout(template=None, title=None)  # the page has its own type, and says in HTML what the title says
    return {
        "figure": json.loads(figure.to_json()),
        "columns": COLUMN_NAMES,
        "rows": table(explanation),
        "reference": "full edit" if explanation.settings["reference"] == "edit" else "input picture",
        "note": wording.note(explanation, was_stopped),
    }


class Examples(gr.HTML):
    """Pictures to pick from, each a button that is named by its instruction; `select` gives the index."""

    def __init__(self, samples: list[tuple[str, str]], **options):
        buttons = "".join(
            f'<button type="button" data-index="{index}" title="{escape(instruction)}" '
            f'aria-label="Example: {escape(instruction)}"><img alt="" src="{_data_url(path)}"></button>'
            for index, (path, instruction) in enumerate(samples)
        )
        super().__init__(
            f'<div class="samples"><p>Or start from one of these:</p>{buttons}</div>',
            js_on_load="""element.addEventListener("click", (event) => {
                const button = event.target.closest("button");
                if (button) trigger("select", { index: Number(button.dataset.index) });
            });""",
            apply_default_css=False,
            **options,
        )


def _data_url(path: str) -> str:
    """The picture itself, which needs no address that a proxy or an iframe could change."""
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
