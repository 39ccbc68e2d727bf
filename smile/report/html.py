"""An explanation as one HTML file for a tutorial, a paper's supplement or an e-mail: what the app's page shows, without a
server, with the trust report where one was made, and a short guide. plotly.js, pictures and numbers are in the file, so that it
loads nothing from elsewhere."""

from collections.abc import Sequence

from markupsafe import Markup

from smile.report import files
from smile.report.jinja import render
from smile.report.payload import Pictures, explanation_payload
from smile.report.protocols import ExplanationLike
from smile.report.trust_html import TrustEntry, render_trust

MAX_BYTES = 6_000_000
SIZES = (512, 384, 256, 192, 128, 96, 64, 48, 32)  # pixels of a picture's longest side; the first that fits is taken


def render_page(explanation: ExplanationLike, trust: Sequence[TrustEntry] = ()) -> str:
    """One self-contained page of at most 6 MB; pictures are shrunk until it fits, if there are many. `trust`: the entries of
    the trust report, where one was made."""
    parts = {
        "title": explanation.instruction,
        "kind": "explanation",
        "trust": render_trust(trust),
        "style": Markup(files.STANDALONE_STYLE + files.STYLE),
        "plotly": Markup(files.PLOTLY_JS.read_text(encoding="utf-8")),
        "script": Markup(files.read_script("explanation")),
    }
    for longest in SIZES:
        payload = explanation_payload(explanation, pictures=Pictures(longest), source=explanation.unchecked)
        page = render("report/templates/page.html", payload=payload, **parts)
        if len(page.encode()) <= MAX_BYTES:
            break
    return str(page)
