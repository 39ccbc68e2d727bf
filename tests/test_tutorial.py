"""The tutorial page for teachers, and what it embeds: it is opened from another origin than the live page, as in real life."""

import functools
import http.server
import threading
from pathlib import Path

import pytest
from browsing import HEATMAP

from smile.ui.examples import list_examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ASSETS = Path(__file__).resolve().parents[1] / "assets"
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def tutorial():
    """The tutorial's address on a plain file server of its own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=ASSETS)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/tutorial.html"
        server.shutdown()


def test_both_the_live_page_and_the_file_answer(visit, fake_page, tutorial):
    page = visit(tutorial, 900, height=700, wait="#live", live=fake_page)
    findings = []
    for name, root in (("#live", "#view "), ("#static", "")):
        frame = page.frame_locator(name)
        frame.locator(".plot .textpoint text").first.wait_for()
        findings.append(frame.locator(".finding h2").inner_text())
        word = frame.locator(f"{root}.cells button[aria-label$=', significant']").first
        chosen = word.get_attribute("aria-label").partition(":")[0]
        word.press("Enter")
        assert word.get_attribute("aria-pressed") == "true"
        titles = frame.locator(f"{root}.gallery h3").all_inner_texts()
        assert titles[0].startswith(f"with “{chosen}” · ") and titles[1].startswith("without · ")
        assert frame.locator(f"{root}.tag.left").inner_text() == f"without “{chosen}”"
        assert not frame.locator("html").evaluate(f"() => {SIDEWAYS}")
    assert findings[0] == findings[1]
    assert not page.evaluate(SIDEWAYS)
    assert page.get_attribute("#full", "href") == f"{fake_page}?example={list_examples()[0].name}"


def test_the_embedded_page_fits_its_frame(visit, fake_page):
    page = visit(fake_page, 900, height=700, wait=HEATMAP, embed=1)
    bottoms = {
        name: page.locator(name).bounding_box() for name in ("#view .finding", "#view .board", "#explain", "#instruction")
    }
    assert all(box["y"] >= 0 and box["y"] + box["height"] <= 700 for box in bottoms.values()), bottoms
    assert page.locator("#view .pict").first.bounding_box()["y"] < 700
    assert not page.evaluate(SIDEWAYS)
    with page.expect_popup() as full:
        page.click("#header a.full")
    assert "embed" not in full.value.url and full.value.url.startswith(fake_page)


def test_nobody_gets_a_script_into_the_tutorial(chromium, tutorial):
    context = chromium.new_context()
    context.route("http://127.0.0.1:7860/**", lambda route: route.fulfill(body="The live page."))
    page = context.new_page()
    page.goto(f"{tutorial}?live=javascript:document.title='run'")
    page.frame_locator("#live").get_by_text("The live page.").wait_for()
    assert page.get_attribute("#full", "href").startswith("http://127.0.0.1:7860/?")
    assert page.title() == "Reading a word heatmap"
    context.close()
