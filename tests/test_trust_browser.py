"""How far to believe it, in Chromium: always there, ticked, measured on request, stopped, and open to everybody."""

import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import HEATMAP, comes_to, explained
from tiny import FakeBackend, FakeEmbedder, picture

from smile import explain
from smile.evaluation.evaluate import count_further_edits

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "please make it snow at night"
ENTRIES = "#trust article"
KNOWN = ["fidelity", "accuracy", "design health", "noise floor"]
MEASURED = ["stability", "consistency", "faithfulness"]


def entries(page):
    return [name.lower() for name in page.locator(f"{ENTRIES} h3").all_inner_texts()]


def figure(page, label):
    return page.text_content(f"#trust dl > div:has(dt:text-is('{label}')) dd b")  # behind a click


def cost(page):
    """How many further edits the page announces."""
    announced = re.search(r"(\d+) further edits", page.inner_text("#measuring"))
    return announced and int(announced[1])


def announced(page):
    """The same, once it is said of the whole explanation: a busy server announces it later than the end of the run."""
    total = count_further_edits(explain(picture(), TEXT, FakeBackend("instruct-pix2pix", "bundled"), embedder=FakeEmbedder()))
    comes_to(page, total, cost)
    return total


def says(page, text):
    """Wait until the line below the button says this."""
    page.wait_for_function("text => document.querySelector('#measuring').innerText.includes(text)", arg=text, timeout=180_000)


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_what_is_known_then_ticks_then_all_of_it(visit, fake_page, theme, width):
    page = visit(fake_page, width, theme, wait=HEATMAP)
    comes_to(page, KNOWN, entries)  # of the example, at first paint
    explained(page, TEXT)
    total = announced(page)
    page.wait_for_selector("#relevant label:has-text('please')")
    page.wait_for_function("document.querySelectorAll('#relevant input:checked').length === 2")
    comes_to(page, "1.00", figure, "AUROC")
    page.click("#relevant label:has-text('make')")  # does nothing, like three others, which it is tied with
    comes_to(page, "0.83", figure, "AUROC")
    page.click("#relevant label:has-text('please')")
    page.wait_for_function("document.querySelector('#trust').innerText.includes('below')")
    page.click("#measure")
    says(page, f"Done: {total} further edits")
    comes_to(page, KNOWN + MEASURED, entries)
    assert page.locator("#trust svg polyline").count() == 4 and float(figure(page, "better than other orders")) > 0.9
    page.click("#relevant label:has-text('make')")
    page.click("#relevant label:has-text('please')")
    page.wait_for_function("!document.querySelector('#trust').innerText.includes('below')")
    assert entries(page) == KNOWN + MEASURED  # ticking does not lose what was measured
    assert not page.locator("#trust dl:visible").count()
    for summary in page.locator("#trust summary").all():
        summary.press("Enter")
    assert page.locator("#trust dl:visible").count() == 7
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("#examples button >> nth=1")
    page.wait_for_function("document.querySelectorAll('#trust article').length < 7")


def test_what_a_link_has_not_run_yet_has_no_report(visit, fake_page):
    page = visit(fake_page, instruction="make%20it%20rain")
    page.wait_for_selector("#view .nothing:visible")
    page.wait_for_selector("#trust-section", state="hidden")


def test_stop_keeps_what_was_measured_and_another_run_begins_anew(visit, serve):
    class Slow(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            time.sleep(0.1)
            return super().edit(image, texts, seed=seed, region=region)

    page = visit(serve(lambda name, weights: (Slow(name, weights), FakeEmbedder())), wait=HEATMAP)
    explained(page, TEXT)
    total = announced(page)
    page.click("#measure")
    page.wait_for_selector(f"{ENTRIES} >> text=stability", timeout=180_000)
    page.click("#stop-measuring")
    says(page, "Stopped")
    assert "stability" in entries(page) and "faithfulness" not in entries(page)
    page.wait_for_function("!document.querySelector('#measure').disabled")
    page.click("#measure")
    says(page, f" of {total} further edits")
    explained(page, "make it snow")  # which ends the measuring
    page.wait_for_function("document.querySelectorAll('#trust article').length === 4")
    page.wait_for_function("!document.querySelector('#measure').disabled")
