"""Theme and CSS: ink on paper, one family of system type, nothing loaded from anywhere."""

from pathlib import Path

import gradio as gr
from markupsafe import Markup

from smile.report import files
from smile.report.files import PLOTLY_JS
from smile.report.jinja import render

# Not as `css`, which Gradio repeats with a prefix before every selector and every comma: rules then outweigh one another in
# ways that nobody wrote.
STYLE = files.PALETTE + files.STYLE + files.ANSWER_STYLE
CSS = STYLE + (Path(__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
HEAD = render("ui/templates/head.html", css=Markup(CSS), plotly_js=str(PLOTLY_JS))
SANS = ["-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def build_theme() -> gr.themes.Base:
    """Neutral greys; the only saturated colours on the page are those of the heatmap and the pictures. The values are the
    variables of report/static/palette.css, which follow light and dark themselves."""
    look = {
        "body_background_fill": "var(--page)",
        "body_text_color": "var(--ink)",
        "body_text_color_subdued": "var(--quiet)",
        "block_label_text_color": "var(--quiet)",
        "block_title_text_color": "var(--quiet)",
        "block_background_fill": "var(--surface)",
        "block_border_color": "var(--line)",
        "block_label_background_fill": "var(--surface)",
        "input_background_fill": "var(--surface)",
        "input_border_color": "var(--edge)",
        "input_border_color_focus": "var(--ink)",
        "border_color_primary": "var(--line)",
        "background_fill_primary": "var(--surface)",
        "background_fill_secondary": "var(--sunk)",
        "button_primary_background_fill": "var(--ink)",
        "button_primary_background_fill_hover": "var(--ink)",
        "button_primary_text_color": "var(--on)",
        "button_secondary_background_fill": "var(--surface)",
        "button_secondary_background_fill_hover": "var(--sunk)",
        "button_secondary_border_color": "var(--button)",
        "button_secondary_text_color": "var(--ink)",
    }
    return gr.themes.Base(
        primary_hue="stone", secondary_hue="stone", neutral_hue="stone", radius_size="md", font=SANS, font_mono=MONO
    ).set(
        **look,
        **{f"{name}_dark": value for name, value in look.items()},
        block_border_width="1px",
        block_shadow="none",
        block_label_border_width="0px",
        block_radius="10px",
        input_radius="8px",
        input_border_width="1px",
        button_large_radius="8px",
        button_small_radius="7px",
        button_border_width="1px",
    )
