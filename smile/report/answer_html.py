"""An explanation of an answer as one HTML file: what the page shows, without a server and without a request elsewhere."""

from collections.abc import Sequence

from markupsafe import Markup

from smile.report import files
from smile.report.answer_citation import write_answer_python
from smile.report.answer_payload import answer_payload
from smile.report.jinja import render
from smile.report.protocols import AnswerLike
from smile.report.trust_html import TrustEntry, render_trust

TITLE = 90  # letters of the prompt in the title


def render_answer_page(explanation: AnswerLike, trust: Sequence[TrustEntry] = ()) -> str:
    """One self-contained page. `trust`: the entries of the trust report, where one was made."""
    prompt = " ".join(explanation.instruction.split())
    return str(
        render(
            "report/templates/page.html",
            title=prompt if len(prompt) <= TITLE else f"{prompt[: TITLE - 1]}…",
            kind="answer",
            trust=render_trust(trust),
            style=Markup(files.STANDALONE_STYLE + files.ANSWER_STYLE + files.TRUST_STYLE),
            plotly=Markup(files.PLOTLY_JS.read_text(encoding="utf-8")),
            script=Markup(files.read_script("answer")),
            payload=answer_payload(explanation, python=write_answer_python(explanation)),
        )
    )
