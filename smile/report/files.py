"""The files of the browser's side: markup in `templates/`, scripts and styles in `static/`, and plotly.js."""

from pathlib import Path

import plotly

PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_HERE = Path(__file__).parent
_SCRIPTS = {
    "explanation": ("common", "heatmap", "outcomes", "gallery", "stage", "below", "guess", "frame", "begin"),
    "comparison": ("common", "comparison"),
    "answer": ("common", "guess", "answer"),
}


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def read_script(name: str) -> str:
    """The script of that name in `_SCRIPTS`: the body of a function of `element`, `props`, `watch`, `trigger`."""
    return "\n".join(_read(f"static/{part}.js") for part in _SCRIPTS[name])


EXPLANATION = _read("templates/explanation.html")
COMPARISON = _read("templates/comparison.html")
PALETTE = _read("static/palette.css")
TRUST_STYLE = _read("static/trust.css")
STYLE = _read("static/view.css") + TRUST_STYLE
ANSWER = _read("templates/answer.html")
ANSWER_STYLE = _read("static/answer.css")
STANDALONE_STYLE = PALETTE + _read("static/alone.css")  # what Gradio's page says itself
