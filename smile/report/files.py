"""The markup, script and style of the browser's side, which lie beside this file."""

from pathlib import Path

_HERE = Path(__file__).parent / "static"
_PARTS = {
    "explanation": ("common", "heatmap", "where", "gallery", "explanation"),
    "comparison": ("common", "comparison"),
}


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def script(name: str) -> str:
    """The script of "explanation" or "comparison": the body of a function of `element`, `props`, `watch`, `trigger`."""
    return "\n".join(_read(f"{part}.js") for part in _PARTS[name])


EXPLANATION = _read("explanation.html")
COMPARISON = _read("comparison.html")
STYLE = _read("view.css") + _read("trust.css")
ALONE = _read("alone.css")  # what the page's own style says elsewhere
