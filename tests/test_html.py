"""The exported file: one page with everything in it, small whatever the pictures, in which nobody's text becomes markup."""

import re

import numpy as np
import pytest
from jinja2 import UndefinedError
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain
from smile.evaluation.report_card import report_explanation
from smile.report.html import MAX_BYTES, render_page
from smile.report.jinja import ENVIRONMENT
from smile.ui.texts import build_guide

NASTY = '<script>alert(1)</script> "quoted" $x$ %{y} </script> snow'


def run(text="make it snow at night please", **options):
    return explain(picture(), text, FakeEditor(), embedder=FakeEmbedder(), **({"locality": "none"} | options))


def test_the_file_is_one_and_small_whatever_the_pictures():
    explanation = run(edits=32)
    document = render_page(explanation)
    assert document.count("data:image/webp;base64,") == 1 + len(explanation.edits) + len(explanation.noise_edits)
    assert not re.search(r"<(script|img|link)[^>]*(src|href)=\"?https?:", document)


def test_it_says_how_to_read_it_and_how_far_to_believe_it(tmp_path):
    explanation = run()
    assert render_page(explanation).count('<section id="guide">') == 1 and "How far to believe" not in render_page(explanation)
    entries = report_explanation(explanation, [word in ("snow", "night") for word in explanation.words])
    explanation.write(tmp_path / "with.html", entries)
    document = (tmp_path / "with.html").read_text(encoding="utf-8")
    assert [document.count(f"<h3>{entry.name}</h3>") for entry in entries] == [1] * len(entries) == [1] * 4
    guide = document.partition('<section id="guide">')[2].partition("</section>")[0]
    assert 5 <= guide.count("<li>") < 10 and all(f"{item}</li>" in build_guide() for item in guide.split("</li>")[1:-1])


def test_pictures_are_shrunk_until_the_file_is_small():
    class Loud(FakeEditor):
        def one(self, image, text, seed):
            pixels = np.random.default_rng(len(text)).integers(0, 256, (512, 512, 3))
            return Image.fromarray(pixels.astype(np.uint8))

    loud = explain(picture((512, 512)), "make it snow at night", Loud(), embedder=FakeEmbedder(), locality="none")
    document = render_page(loud)
    assert len(document.encode()) <= MAX_BYTES < 6_000_001 and document.count("data:image/webp") > 16


def test_nobodys_text_becomes_markup():
    document = render_page(run(NASTY))
    assert "<script>alert" not in document and "&lt;script&gt;alert" in document
    assert document.count("</script>") == 3  # ours


def test_templates_escape_every_value_and_miss_none():
    template = ENVIRONMENT.from_string("<i title='{{ text }}'>{{ text }}</i>{{ values | tojson }}")
    markup = template.render(text="<b> & \"'", values=["</script>", "雪"])
    assert markup == "<i title='&lt;b&gt; &amp; &#34;&#39;'>&lt;b&gt; &amp; &#34;&#39;</i>" + '["\\u003c/script\\u003e", "雪"]'
    with pytest.raises(UndefinedError):
        template.render(values=[])
