"""An explanation as one HTML file for a tutorial, a paper's supplement or an e-mail: the page's own instrument, without a
server. Everything is inside: plotly.js, the pictures, the numbers. Nothing is loaded from anywhere."""

import html
import json
from pathlib import Path

import plotly

from smile.report import files
from smile.report.payload import Pictures, explanation_payload

PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
MAX_BYTES = 6_000_000
SIZES = (512, 384, 256, 192, 128, 96, 64, 48, 32)  # pixels of a picture's longest side, the first that fits


def render_page(explanation) -> str:
    """One self-contained page of at most 6 MB; pictures are shrunk until it fits, if there are many."""
    plot = PLOTLY_JS.read_text(encoding="utf-8")
    for longest in SIZES:
        text = _page(explanation, plot, longest)
        if len(text.encode()) <= MAX_BYTES:
            break
    return text


def _page(explanation, plot: str, longest: int) -> str:
    shown = explanation_payload(explanation, pictures=Pictures(longest))
    data = json.dumps(shown, ensure_ascii=False).replace("<", "\\u003c")  # so that no text can end the script
    script = files.script("explanation")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(explanation.instruction)}</title>
<style>{files.ALONE}{files.STYLE}</style>
</head><body>
<main><h1>“{html.escape(explanation.instruction)}”</h1>
<div id="view">{files.EXPLANATION}</div></main>
<script type="application/json" id="value">{data}</script>
<script>{plot}</script>
<script>
(() => {{
const element = document.getElementById("view");
const props = {{ value: JSON.parse(document.getElementById("value").textContent) }};
const [watch, trigger] = [() => {{}}, () => {{}}];
document.body.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);
{script}
}})();
</script>
</body></html>
"""
