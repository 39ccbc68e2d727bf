"""The page's second tab in Chromium."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import HEATMAP, shows
from small_suite import write_suite
from tiny import FakeBackend, FakeEmbedder

from smile.scenarios import archive

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RADIO = "#suite label:has-text('{}')"
TAB = "#tabs button[role=tab]:has-text('{}')"


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Whether an edit was carried out is told from two draws of what is left open, which is quicker."""
    monkeypatch.setattr("smile.toyroad.cases.DRAWS", 2)


def objections(page) -> str:
    found = Axe().run(page)
    return found.generate_report() if found.violations_count else ""


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("light", 1440), ("dark", 390), ("dark", 1440)])
def test_a_suite_is_run_in_its_tab_and_its_report_shown(visit, fake_page, theme, width, tmp_path):
    page = visit(fake_page, width, theme, wait=HEATMAP)
    assert page.locator("#scenarios").count() == 0  # it costs the first paint nothing
    page.click(TAB.format("Scenarios"))
    shows(page, "#suite-plan", "up to 228 edits; about")
    assert not objections(page)
    page.click(RADIO.format("toyroad"))
    shows(page, "#suite-plan", "python -m smile scenarios assets/scenarios/toyroad.yaml")
    page.click(RADIO.format("first-steps"))
    shows(page, "#suite-plan", "up to 228 edits; about")
    page.click("#run-suite")
    shows(page, "#suite-status", "Done: 12 cells")
    frame = page.locator("#report iframe")
    frame.scroll_into_view_if_needed()
    shown = page.frame_locator("#report iframe")
    shown.locator("#words-0 .main-svg").first.wait_for(timeout=60_000)  # plotly.js runs in it
    assert shown.locator("body.dark").count() == (theme == "dark")
    assert frame.get_attribute("sandbox") == "allow-scripts" and shown.locator("h1").inner_text().startswith("first steps")
    assert page.evaluate("document.querySelector('#report iframe').contentDocument") is None  # it is another origin
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not objections(page)
    with page.expect_download() as taken:
        page.click("#take-report-zip")
    taken.value.save_as(tmp_path / "taken.zip")
    assert len(archive.read_archive(tmp_path / "taken.zip").cells) == 12
    with page.expect_file_chooser() as chooser:
        page.click("#open-run")
    chooser.value.set_files(tmp_path / "taken.zip")
    shows(page, "#suite-status", "Opened from a file")
    page.click(TAB.format("Explain"))
    page.wait_for_selector(HEATMAP)


def test_a_suite_is_brought_stopped_and_refused(visit, serve, tmp_path):
    import time

    class Slow(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            time.sleep(0.3)
            return super().edit(image, texts, seed=seed, region=region)

    page = visit(serve(lambda *which: (Slow(*which), FakeEmbedder())), wait=HEATMAP)
    page.click(TAB.format("Scenarios"))
    page.wait_for_selector("#run-suite:not([disabled])")
    with page.expect_file_chooser() as chooser:
        page.click("#own-suite")
    chooser.value.set_files(write_suite(tmp_path, pictures=[{"path": "/etc/passwd"}]))
    shows(page, "#suite-plan", "Only Toy Road's pictures")
    page.click("#run-suite")
    shows(page, "#suite-status", "Choose a suite, or bring your own.")
    with page.expect_file_chooser() as chooser:
        page.click("#own-suite")
    chooser.value.set_files(write_suite(tmp_path, "good.yaml"))
    shows(page, "#suite-plan", "4: 2 instructions, 2 pictures")
    page.wait_for_selector("#run-suite:not([disabled])")
    page.click("#run-suite")
    shows(page, "#suite-status", "1 of 4 cells")
    page.click("#stop-suite")
    shows(page, "#suite-status", "Stopped after 1 of 4 cells")
    page.frame_locator("#report iframe").locator("text=This run is not finished").wait_for(timeout=30_000)
    page.wait_for_selector("#run-suite:not([disabled])")
    assert not objections(page)


def test_in_somebodys_page_there_are_no_tabs(visit, fake_page):
    page = visit(fake_page, 900, wait=HEATMAP, height=700, embed=1)
    assert not page.is_visible("#tabs button[role=tab]")
