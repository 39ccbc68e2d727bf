"""For lessons: a guess before the answer, and frames of one view that say how high they are."""

import re

import pytest
from browsing import HEATMAP, choose_word, comes_to
from playwright.sync_api import expect
from test_accessibility import objections
from test_tutorial import tutorial  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TELLING = r"\w ★|[+−-]0\.\d\d|autumn” and|interval \d"  # what would give it away


def said(page):
    """All that the answer says, to eyes and to screen readers."""
    return page.eval_on_selector(
        "#view", "view => [view.textContent, ...[...view.querySelectorAll('[aria-label]')].map(e => e.ariaLabel)].join(' ')"
    )


@pytest.mark.parametrize(("how", "theme"), [({}, "light"), ({"embed": "heatmap"}, "dark")])
def test_nothing_tells_before_the_guess_and_then_there_is_a_score(visit, fake_page, how, theme):
    page = visit(fake_page, 900 if how else 1440, theme, wait=HEATMAP, guess=1, **how)
    assert not re.search(TELLING, said(page)) and page.is_visible("#view .pict")
    for hidden in ("#view .gallery", "#view .below", "#trust-section", "#view .rail"):
        assert not page.is_visible(hidden)
    assert not objections(page)
    words = page.locator("#view .cells button")
    choose_word(page, 0)
    words.nth(4).focus()
    page.keyboard.press("Enter")
    assert [words.nth(at).get_attribute("aria-pressed") for at in (0, 1, 4)] == ["true", "false", "true"]
    page.focus("#view .reveal")
    page.keyboard.press("Enter")
    expect(page.locator("#view .score")).to_have_text(
        "You found 1 of the 2 words that did it. Missed: “autumn”. Marked, but nothing shows that it did something: “show”."
    )
    assert words.nth(4).get_attribute("aria-label").endswith("significant, marked by you")
    assert [word for word, _, star in heatmap_of(page) if star] == ["sunset", "autumn"]
    assert how or page.is_visible("#view .gallery")
    assert not objections(page)


def heatmap_of(page):
    page.mouse.move(1, 1)
    rows = page.eval_on_selector_all("#view .numbers tbody tr", "all => all.map(r => [...r.cells].map(c => c.textContent))")
    return [(row[0], row[1], row[-1]) for row in rows]


def test_every_frame_of_one_view_is_as_high_as_it_says(visit, fake_page, tutorial):  # noqa: F811
    page = visit(tutorial, 900, height=700, wait="#live", live=fake_page)
    for view, there, gone in (
        ("heatmap", ".board", ".gallery"),
        ("gallery", ".gallery", ".pict"),
        ("where", ".pict", ".gallery"),
    ):
        outer = page.locator(f"iframe[data-embed={view}]")
        outer.scroll_into_view_if_needed()
        frame = page.frame_locator(f"iframe[data-embed={view}]")
        frame.locator(HEATMAP).first.wait_for()
        frame.locator(f"#view {there}").wait_for()
        assert not frame.locator(f"#view {gone}").is_visible() and not frame.locator("#ask").is_visible()
        comes_to(page, True, lambda _, outer=outer: outer.evaluate("frame => Boolean(frame.style.height)"))
        comes_to(
            page, True, lambda _, frame=frame: frame.locator("html").evaluate("root => root.scrollHeight <= innerHeight + 1")
        )
        if view == "where":
            assert frame.locator("#view .tag.left").inner_text().startswith("where “")
