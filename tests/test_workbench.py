"""One screen: words, edits and picture beside each other at three sizes, nothing moves, and an old answer is marked as one."""

import pytest
from browsing import FINISHED, HEATMAP, TILES, cell, choose_word, explained, shows, unfold
from tiny import FakeBackend, FakeEmbedder

from smile.ui.examples import list_examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEVEN = "please make it snow at night again"
SHIFTS = """window.shifts = []; new PerformanceObserver(list => {
    for (const each of list.getEntries()) {
        const what = each.sources.map(({ node }) => node?.id || node?.className || node?.nodeName || "?").join(" ");
        if (!each.hadRecentInput) window.shifts.push([each.value, what]);
    }
}).observe({ type: "layout-shift", buffered: true });"""
PARTS = ("#ask", "#view .finding", "#view .words", "#view .stage", "#view .gallery")


def box(page, selector):
    """(left, top, right, bottom) in the window."""
    found = page.locator(selector).first.bounding_box()
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


def boxes(page):
    return {part: tuple(round(edge) for edge in box(page, part)) for part in PARTS}


def moved(page):
    """How far things moved by themselves, since the page was opened (cumulative layout shift)."""
    shifts = page.evaluate("window.shifts")
    return sum(value for value, _ in shifts), shifts


@pytest.fixture
def opened(visit, chromium, fake_page, monkeypatch):
    """Opens the page and notes what moves."""

    def opened(width, height, theme="light"):
        context_of = chromium.new_context

        def noted(**options):
            context = context_of(**options)
            context.add_init_script(SHIFTS)
            return context

        monkeypatch.setattr(chromium, "new_context", noted)
        return visit(fake_page, width, theme, wait=HEATMAP, height=height)

    return opened


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_words_and_edits_are_beside_each_other_in_one_screen(opened, width, height):
    page = opened(width, height)
    for instruction in (None, SEVEN):
        if instruction:
            explained(page, instruction)
            page.wait_for_selector("#view .badges li:has-text('run here')")
        places = boxes(page)
        for left, top, right, bottom in places.values():
            assert 0 <= left < right <= width and 0 <= top < bottom <= height, places
        assert places["#view .words"][2] <= places["#view .gallery"][0] and places["#ask"][2] <= places["#view .words"][0]
        assert places["#view .words"][1] == places["#view .gallery"][1]
        bottoms = page.eval_on_selector_all(TILES, "all => all.map(each => each.getBoundingClientRect().bottom)")
        assert len(bottoms) == 24 and sum(bottom <= height for bottom in bottoms) >= (24 if width == 1440 else 16)
        assert box(page, "#explain")[3] <= height and box(page, "#progress")[3] <= height
        assert page.evaluate("scrollY") == 0 and page.evaluate("document.documentElement.scrollWidth") <= width
    far, what = moved(page)
    assert far < 0.05, what


def test_on_a_phone_finding_and_heatmap_are_in_the_first_screen(opened):
    page = opened(390, 844)
    places = boxes(page)
    order = [places[part][1] for part in ("#ask", "#view .finding", "#view .words", "#view .gallery", "#view .stage")]
    assert order == sorted(order) and places["#view .words"][3] <= 844
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.eval_on_selector_all(
        "#view .bench button:not(.edit), #ask-bar button",
        """all => all.filter(each => each.offsetParent).map(each => [each.textContent, each.getBoundingClientRect()])
            .filter(([, box]) => box.width < 43.9 || box.height < 43.9).map(([text]) => text)""",
    )
    assert small == []  # fingers are wide
    page.click("#ask-bar .open")
    assert page.is_visible("#instruction textarea") and page.is_visible("#explain")
    page.fill("#instruction textarea", "make it snow")
    page.click("#ask-bar .go")
    page.wait_for_function(FINISHED, timeout=60_000)
    page.wait_for_selector("#view .cells button:nth-child(3)")
    assert not page.is_visible("#instruction textarea")


def test_choosing_moves_nothing(opened):
    page = opened(1440, 900)
    before = boxes(page)
    for act in (
        lambda: page.mouse.move(*cell(page, 4), steps=3),
        lambda: choose_word(page, 4),
        lambda: page.click("#view .views [data-view=where]"),
        lambda: page.click(f"{TILES} >> nth=5"),
        lambda: page.click("#view .what-if .switch >> nth=1"),
        lambda: choose_word(page, 4),
    ):
        act()
        assert boxes(page) == before


def test_words_that_are_switched_off_are_tried_live_and_never_counted(visit, fake_page):
    page = visit(fake_page, wait=HEATMAP)
    explained(page, SEVEN)
    page.wait_for_selector("#view .badges li:has-text('run here')")
    count = "all => all.map(each => each.getAttribute('aria-label')).sort().join()"
    edits = page.eval_on_selector_all(TILES, count)
    for number in (0, 1, 2):  # at least one of these is not among the edits
        page.click(f"#view .what-if .switch >> nth={number}")
        page.wait_for_function(
            "/^(Made just now|One of the 24)/.test(document.querySelector('#view .foot').textContent)", timeout=60_000
        )
    assert page.evaluate("document.querySelector('#view .pict .under').naturalWidth") > 0
    tried = page.inner_text("#view .foot").startswith("Made just now")
    page.click("#view .what-if .reset")
    assert page.eval_on_selector_all(TILES, count) == edits and tried


def test_another_question_makes_the_answer_an_old_one(visit, fake_page):
    page = visit(fake_page, wait=HEATMAP)
    first = list_examples()[0].instruction
    page.fill("#instruction textarea", "make it rain")
    shows(page, "#view .finding h2", "Not explained yet")
    assert "Below is the old answer" in page.inner_text("#view .figures") and first in page.inner_text("#view .figures")
    assert page.locator("#view .old[inert]").count() == 3
    page.fill("#instruction textarea", first)  # as it was
    page.wait_for_function("!document.querySelector('#view .old')", timeout=60_000)
    page.fill("#seed input", "5")
    page.wait_for_selector("#view .finding[data-tone=stale]")
    page.click("#view .back")
    page.wait_for_function("document.querySelector('#seed input').value === '0'", timeout=60_000)
    page.wait_for_function("!document.querySelector('#view .old')", timeout=60_000)


def test_while_it_runs_all_edits_have_their_places_and_captions(visit, serve):
    import threading

    begun, gate = threading.Event(), threading.Event()

    class Waiting(FakeBackend):
        batch_size = 1

        def one(self, image, text, seed):
            if text == SEVEN:
                begun.set()  # what came before was to learn how fast the editor is
            elif begun.is_set():
                gate.wait(60)
            return super().one(image, text, seed)

    page = visit(serve(lambda *named: (Waiting(*named), FakeEmbedder())), wait=HEATMAP)
    before = boxes(page)
    page.fill("#instruction textarea", SEVEN)
    page.click("#explain")
    try:
        page.wait_for_selector("#view .badges li:has-text('running')", timeout=60_000)
        assert page.locator(TILES).count() == 24 and page.locator(f"{TILES}:disabled").count() == 23
        texts = page.locator(f"{TILES} .text").all_text_contents()
        assert set(texts) == {SEVEN} and page.inner_text("#view .gallery h3") == "1 of 24 edits"
        assert page.get_attribute("#view .pict", "data-view") == "edit"
        assert boxes(page) == before
    finally:
        gate.set()
    page.wait_for_function(FINISHED, timeout=60_000)


def test_what_was_published_is_a_click_away_and_says_so(visit, fake_page):
    page = visit(fake_page, wait=HEATMAP)
    page.click("#method label:has-text('As published')")
    page.wait_for_function("document.querySelector('#edits input').value === '30'", timeout=60_000)
    unfold(page)
    page.fill("#instruction textarea", "make it snow")
    page.click("#explain")
    page.wait_for_function(FINISHED, timeout=60_000)
    page.click("#view .share summary")
    assert "preset='paper'" in page.inner_text("#view .python pre")


@pytest.mark.parametrize("width", [390, 1440])
def test_a_surprise_unfolds_over_the_form_and_teaches(visit, fake_page, width):
    page = visit(fake_page, width, wait=HEATMAP)
    unfold(page)
    first = next(each for each in list_examples() if each.surprise)
    page.click(".surprises summary")
    page.click(f".surprises button:has-text('{first.surprise}')")
    shows(page, "#view .figures", first.lesson)
    assert not page.is_visible(".surprises button")
