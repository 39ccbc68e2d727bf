"""Theme and CSS: ink on paper, one family of system type, nothing loaded from anywhere."""

from pathlib import Path

import gradio as gr
from markupsafe import Markup

from smile.report import files
from smile.report.files import PLOTLY_JS
from smile.report.jinja import render

# Not as `css`, which Gradio repeats with a prefix before every selector and every comma: rules then outweigh one another in
# ways that nobody wrote.
CSS = files.STYLE + files.ANSWER_STYLE + (Path(__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
HEAD = render("ui/templates/head.html", css=Markup(CSS), plotly_js=str(PLOTLY_JS))
SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def build_theme() -> gr.themes.Base:
    """Neutral greys; the only saturated colours on the page are those of the heatmap and the pictures."""
    return gr.themes.Base(
        primary_hue="stone", secondary_hue="stone", neutral_hue="stone", radius_size="md", font=SANS, font_mono=MONO
    ).set(
        body_background_fill="#faf9f7",
        body_background_fill_dark="#161514",
        body_text_color_subdued="#6b645c",
        body_text_color_subdued_dark="#a8a29e",
        block_label_text_color="#6b645c",
        block_label_text_color_dark="#a8a29e",
        block_title_text_color="#57514b",
        block_title_text_color_dark="#c4beb7",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1f1e1c",
        block_border_width="1px",
        block_border_color="#e7e3dd",
        block_border_color_dark="#35322f",
        block_shadow="none",
        block_label_background_fill="#ffffff",
        block_label_background_fill_dark="#1f1e1c",
        block_label_border_width="0px",
        button_primary_background_fill="#1c1917",
        button_primary_background_fill_hover="#3a3530",
        button_primary_text_color="#ffffff",
        button_primary_background_fill_dark="#f5f3ef",
        button_primary_background_fill_hover_dark="#ffffff",
        button_primary_text_color_dark="#1c1917",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_dark="transparent",
        button_secondary_border_color="#d6d1c9",
        button_secondary_border_color_dark="#4a4641",
    )
