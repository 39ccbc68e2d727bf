"""The tour: five steps for whoever asks for it, never in somebody's page, and offered until it was seen."""

import pytest
from browsing import HEATMAP
from playwright.sync_api import expect
from test_accessibility import objections

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PARTS = ["#ask", "#view .words", "#view .gallery", "#trust-section", "#ask-model"]


def test_five_steps_with_the_keyboard_and_then_no_more(visit, fake_page):
    page = visit(fake_page, wait=HEATMAP)
    assert page.locator(".tour-panel").count() == 0  # nothing opens by itself
    page.focus("#header .tour")
    page.keyboard.press("Enter")
    for number, part in enumerate(PARTS):
        expect(page.locator(".tour-panel b")).to_contain_text(f"{number + 1} of 5: ")
        expect(page.locator(part)).to_be_in_viewport()
        expect(page.locator(f"{part}[data-tour]")).to_have_count(1)
        assert page.locator("[data-tour]").count() == 1
        if not number:
            assert not objections(page)
        page.focus(".tour-panel .next")
        page.keyboard.press("Enter")
    expect(page.locator(".tour-panel")).to_have_count(0)
    expect(page.locator("#view .words")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage).filter(name => name.includes('smile'))") == ["smile-tour-seen"]
    page.reload()
    page.wait_for_selector(HEATMAP)
    assert not page.is_visible("#header .tour")


def test_it_can_be_skipped_and_is_not_offered_in_somebodys_page(visit, fake_page):
    page = visit(fake_page, 390, "dark", wait=HEATMAP, height=844)
    page.click("#header .tour")
    page.wait_for_selector(".tour-panel")
    page.keyboard.press("Escape")
    expect(page.locator(".tour-panel")).to_have_count(0)
    assert not visit(fake_page, wait=HEATMAP, embed=1).is_visible("#header .tour")
