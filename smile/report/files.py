"""The files of the browser's side: markup, scripts and styles in `static/`, and where plotly.js is."""

from pathlib import Path

import plotly

PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_STATIC = Path(__file__).parent / "static"
_SCRIPTS = {
    "explanation": ("common", "heatmap", "where", "gallery", "explanation"),
    "comparison": ("common", "comparison"),
}


def _read(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")


def read_script(name: str) -> str:
    """The script of "explanation" or "comparison": the body of a function of `element`, `props`, `watch`, `trigger`."""
    return "\n".join(_read(f"{part}.js") for part in _SCRIPTS[name])


EXPLANATION = _read("explanation.html")
COMPARISON = _read("comparison.html")
STYLE = _read("view.css") + _read("trust.css")
STANDALONE_STYLE = _read("alone.css")  # what Gradio's page says itself
