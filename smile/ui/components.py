"""Components of our own: a picture field that never decodes, the examples, the region to paint, what smile.report draws."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from smile import InputError
from smile.io.images import fit_region
from smile.report import files
from smile.report.files import PLOTLY_JS
from smile.report.jinja import render
from smile.ui.examples import Example

STATIC = Path(__file__).parent / "static"
CANVAS = 512  # pixels, the longest side of what is painted on


class Picture(gr.Image):
    """gr.Image that hands over the uploaded file as it is.

    The original decodes and converts some files before any handler runs, among them ones that are small on disk and
    huge in memory, and fails with a traceback on files that are no pictures. `smile.io.images` looks at the header first.
    """

    is_template = True

    def preprocess(self, payload):
        """The path of the file, None where there is none."""
        return None if payload is None else payload.path


class _Scripted(gr.HTML):
    """Markup with a script, which is run once, when the element is mounted. The script sees `props` as `props`.

    The same DOM nodes are kept and updated with every value, so that an update costs the browser milliseconds, and what
    somebody has chosen stays chosen.
    """

    def __init__(self, value: Any, markup: str, script: str, props: dict[str, Any], **options: Any):
        for name, prop in props.items():  # or gr.HTML makes events of their names, which hold the page and all loaded models
            setattr(self, name, prop)
        super().__init__(value, html_template=markup, js_on_load=script, apply_default_css=False, **props, **options)


class _View(_Scripted):
    """Something that smile.report or smile.scenarios draws. The page must serve PLOTLY_JS as a static file."""

    def __init__(self, value: dict | None, markup: str, script: str, props: dict[str, Any] | None = None, **options: Any):
        super().__init__(value, markup, script, {"plotly_js": str(PLOTLY_JS)} | (props or {}), **options)

    def postprocess(self, value):
        """The value is plain JSON already."""
        return value

    def api_info(self):
        """What a value is."""
        return {"type": "object"}


class ExplanationView(_View):
    """An explanation (`smile.report.payload`, or None for none yet).

    - notice: {"kind": "stale" or "refused", "text": a sentence} where it is not the answer to what is asked, else None.
    - tried: {"edits": [what `what_if.describe_tried` returns]}, edits made for what if.

    - pin: {"on": whether a run is pinned, with which the next is compared}.

    `like`: pin it, or unpin what is pinned; `play`: somebody wants it run live; `undo`: the form as it was for it; `edit`: the
    edit of these words made.
    """

    def __init__(
        self,
        value: dict | None = None,
        notice: dict | None = None,
        tried: dict | None = None,
        pin: dict | None = None,
        **options: Any,
    ):
        props = {"notice": notice or {}, "tried": tried or {"edits": []}, "pin": pin or {"on": False}}
        super().__init__(value, files.EXPLANATION, files.read_script("explanation"), props, **options)


class ComparisonView(_View):
    """Several editors side by side (`smile.report.payload`), or a run beside the pinned one (`smile.report.pinned`), or None.

    `select` gives the index of an editor to show in full.
    """

    def __init__(self, value: dict | None = None, **options: Any):
        super().__init__(value, files.COMPARISON, files.read_script("comparison"), **options)


class AnswerView(_View):
    """An explanation of an answer (`smile.report.answer_payload`, or None). `edit`: the answer to these words is asked for;
    `tried` holds those that were, {"edits": [{"mask", "answer"}]}; `notice`, `pin` and `like` as of `ExplanationView`."""

    def __init__(
        self,
        value: dict | None = None,
        notice: dict | None = None,
        tried: dict | None = None,
        pin: dict | None = None,
        **options: Any,
    ):
        props = {"notice": notice or {}, "tried": tried or {"edits": []}, "pin": pin or {"on": False}}
        super().__init__(value, files.ANSWER, files.read_script("answer"), props, **options)


class ReportView(_View):
    """A report ({"page": `smile.scenarios.report.render_report`, not alone}, or None) in a frame that can do nothing to
    the page, because whatever a suite says is in it."""

    def __init__(self, value: dict | None = None, **options: Any):
        markup = render("ui/templates/report.html")
        super().__init__(value, markup, _read_script("report"), **options)


class AskBar(_Scripted):
    """On a phone: picture, text and Explain in one bar, which opens the form.

    parts: the selectors of the `form`, and in it of the `text`, the `kind` (editor or model), the `picture` where there is
    one, and the buttons `start` and `stop`.
    """

    def __init__(self, parts: dict[str, str], **options: Any):
        script = _read_script("ask_bar")
        super().__init__("", render("ui/templates/ask_bar.html"), script, {"parts": parts}, **options)


class KeptRun(_Scripted):
    """The number of the run that the page shows, "" for none, which its script puts into the address.

    A new number is told by `select`, and by `play`, too, where the run is `waiting` to be carried out.
    """

    def __init__(self, value: str = "", waiting: bool = False, **options: Any):
        super().__init__(value, "<i hidden></i>", _read_script("kept_run"), {"waiting": waiting}, **options)


class PictureSources(_Scripted):
    """Buttons that bring a picture from the camera or the clipboard, and a place to drop one, all by way of #upload."""

    def __init__(self, **options: Any):
        super().__init__("", render("ui/templates/sources.html"), _read_script("sources"), {}, **options)


class Choice(gr.Dropdown):
    """gr.Dropdown whose choices change with another component's value.

    The original raises, with a traceback, where a value and its new choices cross on their way.
    """

    is_template = True

    def preprocess(self, payload):
        """The value, for whoever asked to check."""
        return payload


class Pick(gr.Radio):
    """gr.Radio whose choices change with another component's value.

    The original raises, with a traceback, where a value and its new choices cross on their way.
    """

    is_template = True

    def preprocess(self, payload):
        """The value, for whoever asked to check."""
        return payload


class Names(gr.JSON):
    """gr.JSON for values by name: the original says of any JSON that its type is {}, which is no schema for a tool (MCP)."""

    is_template = True

    def api_info(self):
        """What a value is."""
        return {"type": "object", "description": "values by name", "additionalProperties": True}


class Ticks(gr.CheckboxGroup):
    """gr.CheckboxGroup whose choices change with another component's value, as `Choice` is."""

    is_template = True

    def preprocess(self, payload):
        """The values, for whoever asked to check."""
        return [str(each) for each in payload or []]


class RegionPainter(_Scripted):
    """The picture to paint on, and the region that is painted, which is the value.

    gr.ImageEditor needs WebGL, logs warnings, and sends background, layer and composite again, several times, with every
    event that reads it (21 uploads for one click in Gradio 6.31). This sends one small PNG, the region.
    """

    def __init__(self, value: str = "", picture: str = "", **options: Any):
        markup = render("ui/templates/painter.html", longest=CANVAS)
        super().__init__(value, markup, _read_script("region"), {"picture": picture}, **options)


class Examples(_Scripted):
    """Pictures to pick from, each a button that is named by its instruction; `select` gives the index."""

    def __init__(self, examples: Sequence[Example], **options: Any):
        buttons = [
            (example.title, example.surprise, _build_data_url(Path(example.picture).read_bytes(), "png"))
            for example in examples
        ]
        value = render("ui/templates/examples.html", examples=buttons)
        super().__init__(value, "${value}", _read_script("examples"), {}, **options)


def draw_canvas(picture: Image.Image | None) -> str:
    """A picture as RegionPainter's `picture`."""
    if picture is None:
        return ""
    small = picture.copy()
    small.thumbnail((CANVAS, CANVAS))
    return _encode(small, "JPEG", quality=85)


def draw_region(region: Image.Image | None) -> str:
    """A region (L, white is inside) as RegionPainter's value."""
    if region is None:
        return ""
    scale = min(1, CANVAS / max(region.size))
    size = max(1, round(region.width * scale)), max(1, round(region.height * scale))
    white = Image.new("RGBA", size, "white")
    white.putalpha(fit_region(region, size))
    return _encode(white, "PNG")


def read_region(value) -> Image.Image | None:
    """The region (L, white is inside) in RegionPainter's value, None where nothing is painted.

    Anybody can post a value, so its size is looked at before it is decoded. Raises InputError for what is no region.
    """
    if not value:
        return None
    try:
        data = base64.b64decode(value.removeprefix("data:image/png;base64,"), validate=True)
        with Image.open(BytesIO(data), formats=["PNG"]) as opened:
            if max(opened.size) > CANVAS:
                raise ValueError(opened.size)
            region = opened.convert("RGBA").getchannel("A").point(lambda alpha: 255 * (alpha > 127))
    except (ValueError, OSError, SyntaxError, AttributeError, Image.DecompressionBombError) as error:
        raise InputError("The painted region cannot be read; paint it again.") from error
    return region if region.getbbox() else None


def _read_script(name: str) -> str:
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


def _encode(picture: Image.Image, kind: str, **options: Any) -> str:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return _build_data_url(buffer.getvalue(), kind.lower())


def _build_data_url(data: bytes, kind: str) -> str:
    """The picture itself, which needs no address that a proxy or an iframe could change."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
