"""Components of our own: a picture field that never decodes, the examples, the region to paint, what smile.report draws."""

import base64
from html import escape
from io import BytesIO
from pathlib import Path

import gradio as gr
from PIL import Image

from smile import InputError
from smile.io.images import fit_region
from smile.report import files
from smile.report.files import PLOTLY_JS
from smile.ui import texts

HERE = Path(__file__).parent

REGION_PAINTER = """
<div class="stage"><img alt=""><canvas data-longest="512" aria-label="Paint the region here"></canvas></div>
<div class="tools">
  <label>Brush <input type="range" min="2" max="30" value="12"></label>
  <button type="button" class="erase" aria-pressed="false">Erase</button>
  <button type="button" class="clear">Clear</button>
</div>
<p class="hint">Choose a picture first.</p>
"""
CANVAS = 512  # pixels, the longest side of what is painted on; `data-longest` above


class Picture(gr.Image):
    """gr.Image that hands over the uploaded file as it is.

    The original decodes and converts some files before any handler runs, among them ones that are small on disk and
    huge in memory, and fails with a traceback on files that are no pictures. `smile.io.images` looks at the header first.
    """

    is_template = True

    def preprocess(self, payload):
        """The path of the file, None where there is none."""
        return None if payload is None else payload.path


class _View(gr.HTML):
    """Something that smile.report draws. The page must serve PLOTLY_JS as a static file.

    The same DOM nodes are kept and updated with every value, so that an update costs the browser milliseconds, and what
    somebody has chosen stays chosen.
    """

    is_template = True
    kind = ""

    def __init__(self, value=None, **options):
        markup = {"explanation": files.EXPLANATION, "comparison": files.COMPARISON}[self.kind]
        options |= {"html_template": markup, "js_on_load": files.read_script(self.kind), "plotly_js": str(PLOTLY_JS)}
        super().__init__(value, apply_default_css=False, **options)

    def postprocess(self, value):
        return value

    def api_info(self):
        return {"type": "object"}


class ExplanationView(_View):
    """An explanation (`smile.report.payload`, or None for none yet). `play`: somebody wants it run live."""

    kind = "explanation"


class ComparisonView(_View):
    """Several editors side by side (`smile.report.comparison`, or None). `select` gives the index of one to show in full."""

    kind = "comparison"


class ReportView(gr.HTML):
    """A report ({"page": `smile.scenarios.report.render_report`, not alone}, or None) in a frame that can do nothing to the
    page, because whatever a suite says is in it. The page must serve PLOTLY_JS as a static file."""

    is_template = True

    def __init__(self, value=None, **options):
        script = """const frame = element.querySelector("iframe");
            const draw = () => {
              const { root = "", api_prefix = "/gradio_api" } = window.gradio_config ?? {};
              const plotly = `<head><script src="${root}${api_prefix}/file=${encodeURI(props.plotly_js)}"></` + "script>";
              frame.hidden = !props.value;
              const body = document.body.classList.contains("dark") ? '<body class="dark">' : "<body>";
              if (props.value) frame.srcdoc = props.value.page.replace("<head>", () => plotly).replace("<body>", body);
            };
            watch("value", draw);
            draw();"""
        frame = '<iframe title="The report of the suite" sandbox="allow-scripts" hidden></iframe>'
        frame += f'<p class="hint">{escape(texts.REPORT)}</p>'
        options |= {"html_template": frame, "js_on_load": script, "plotly_js": str(PLOTLY_JS)}
        super().__init__(value, apply_default_css=False, **options)

    def postprocess(self, value):
        return value

    def api_info(self):
        return {"type": "object"}


class Choice(gr.Radio):
    """gr.Radio whose choices change with another component's value.

    The original raises, with a traceback, where a value and its new choices cross on their way.
    """

    is_template = True

    def preprocess(self, payload):
        """The value, for whoever asked to check."""
        return payload


class Ticks(gr.CheckboxGroup):
    """gr.CheckboxGroup whose choices change with another component's value, as `Choice` is."""

    is_template = True

    def preprocess(self, payload):
        """The values, for whoever asked to check."""
        return [str(each) for each in payload or []]


class RegionPainter(gr.HTML):
    """The picture to paint on, and the region that is painted, which is the value.

    gr.ImageEditor needs WebGL, logs warnings, and sends background, layer and composite again, several times, with every
    event that reads it (21 uploads for one click in Gradio 6.31). This sends one small PNG, the region.
    """

    def __init__(self, value="", picture="", **options):
        self.picture = picture  # or gr.HTML makes an event of the name, which holds the page and every loaded model
        super().__init__(
            value,
            html_template=REGION_PAINTER,
            js_on_load=(HERE / "static" / "region.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            picture=picture,
            **options,
        )


def painter_picture(picture: Image.Image | None) -> str:
    """A picture as RegionPainter's `picture`."""
    if picture is None:
        return ""
    small = picture.copy()
    small.thumbnail((CANVAS, CANVAS))
    return _data_url(small, "JPEG", quality=85)


def painter_value(region: Image.Image | None) -> str:
    """A region (L, white is inside) as RegionPainter's value."""
    if region is None:
        return ""
    scale = min(1, CANVAS / max(region.size))
    size = tuple(max(1, round(side * scale)) for side in region.size)
    white = Image.new("RGBA", size, "white")
    white.putalpha(fit_region(region, size))
    return _data_url(white, "PNG")


def painted_region(value) -> Image.Image | None:
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


class Examples(gr.HTML):
    """Pictures to pick from, each a button that is named by its instruction; `select` gives the index."""

    def __init__(self, samples: list, **options):
        buttons = "".join(
            f'<button type="button" data-index="{index}" title="{escape(sample.title)}" '
            f'aria-label="Example: {escape(sample.title)}"><img alt="" src="{_file_url(sample.picture)}"></button>'
            for index, sample in enumerate(samples)
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


def _file_url(path: str) -> str:
    """The picture itself, which needs no address that a proxy or an iframe could change."""
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


def _data_url(picture: Image.Image, kind: str, **options) -> str:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
