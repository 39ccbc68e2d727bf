"""For those who see little, or have no mouse: axe-core (4.12, it comes with axe-playwright-python) finds nothing to object
to, whatever its impact, and all can be done with the keyboard."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import FINISHED, HEATMAP, TILES, choose_word, tab_to, unfold
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain, load
from smile.evaluation.report_card import report_explanation
from smile.report.html import render_page
from smile.ui.examples import list_examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCREENS = pytest.mark.parametrize(("theme", "width"), [("light", 390), ("light", 1440), ("dark", 390), ("dark", 1440)])
LOOK = """() => {
    document.head.append(Object.assign(document.createElement("style"), { textContent: "* { transition: none !important }" }));
    document.activeElement.blur();
    const look = (element) => {
        const looks = [];
        for (let up = 0; element && up < 4; up++, element = element.parentElement) {
            const { outline, boxShadow, borderColor } = getComputedStyle(element);
            looks.push(outline, boxShadow, borderColor);
        }
        return looks.join();
    };
    const seen = new Map();
    window.reached = () => {
        const at = document.activeElement;
        if (seen.has(at)) return false;
        if (at !== document.body) seen.set(at, look(at));
        return true;
    };
    window.unseen = () => {
        document.activeElement.blur();
        const same = [...seen].filter(([at, focused]) => at.isConnected && look(at) === focused);
        return same.map(([at]) => at.outerHTML.slice(0, 200));
    };
}"""
COMPARISON = "#comparison .plot .textpoint text"


def objections(page) -> str:
    """What axe-core reports of the page as it is now; "" for nothing."""
    found = Axe().run(page)
    assert len(found.response["passes"]) > 10
    return found.generate_report() if found.violations_count else ""


def example(**like) -> str:
    """The selector of the button of the first example of that kind."""
    kinds = [{name: bool(getattr(each, name)) for name in like} for each in list_examples()]
    return f"#examples button >> nth={kinds.index(like)}"


@SCREENS
def test_axe_finds_nothing_on_the_page(visit, fake_page, theme, width):
    page = visit(fake_page, width, theme, wait=HEATMAP)
    page.wait_for_function("document.querySelector('#plan').textContent.includes('edits')")
    assert not objections(page)
    unfold(page)
    page.click(example(compare=True))
    page.wait_for_selector(COMPARISON)
    choose_word(page, 2)
    page.click("#view .views [data-view=where]")
    page.click("#view .share summary")
    page.click("#advanced button")
    page.wait_for_selector("#setting-steps input")
    assert not objections(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_while_painting_running_and_failing(visit, fake_page, theme):
    page = visit(fake_page, 1440, theme, wait=HEATMAP)
    page.click(example(region=True))
    page.wait_for_function("document.querySelector('#painter img')?.naturalWidth > 0")
    page.fill("#instruction textarea", "")
    page.click("#explain")
    page.wait_for_selector("#progress .problem")
    page.wait_for_selector("#view .finding[data-tone=refused]")
    assert not objections(page)
    page.fill("#instruction textarea", "make it snow")
    page.click("#explain")
    page.wait_for_function(FINISHED)
    assert not objections(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_somebodys_page(visit, fake_page, theme):
    assert not objections(visit(fake_page, 900, theme, wait=HEATMAP, height=700, embed=1))


@SCREENS
def test_axe_finds_nothing_in_the_file_of_its_own(visit, tmp_path, theme, width):
    editor = FakeEditor(fail=["make snow"])
    explanation = explain(picture((96, 96)), "make it snow", editor, embedder=FakeEmbedder(), locality="none")
    (tmp_path / "explanation.html").write_text(render_page(explanation, report_explanation(explanation)), encoding="utf-8")
    page = visit((tmp_path / "explanation.html").as_uri(), width, theme, wait=".plot .textpoint text")
    choose_word(page, 2)
    page.click(".share summary")
    page.click("#trust-section summary >> nth=0")
    assert page.locator(".edit .failed").count() == 1
    assert not objections(page)


def test_with_the_keyboard_alone_one_runs_chooses_a_word_and_takes_a_bundle_away(visit, fake_page, tmp_path):
    page = visit(fake_page, wait=HEATMAP)
    tab_to(page, "#instruction textarea")
    page.keyboard.press("Control+A")
    page.keyboard.type("make it snow at night")
    tab_to(page, "#explain")
    page.keyboard.press("Space")
    page.wait_for_function(FINISHED, timeout=60_000)
    tab_to(page, "#view .cells button:nth-child(3)")
    page.keyboard.press("Enter")
    assert page.locator("#view .gallery h3").first.inner_text().startswith("with “snow” · ")
    tab_to(page, "#view .views [data-view=where]")
    page.keyboard.press("Enter")
    assert page.get_attribute("#view .pict", "data-view") == "where"
    tab_to(page, "#view .what-if .switch:nth-of-type(1)")
    page.keyboard.press("Space")
    page.wait_for_selector("#view .what-if .switch:nth-of-type(1)[aria-pressed=false]")
    tab_to(page, TILES)
    page.keyboard.press("Space")
    assert page.locator(f"{TILES}[aria-pressed=true]").count() == 1
    tab_to(page, "#take-zip")
    with page.expect_download() as taken:
        page.keyboard.press("Enter")
    taken.value.save_as(tmp_path / "taken.zip")
    assert load(tmp_path / "taken.zip").words == "make it snow at night".split()


def test_enter_begins_and_wherever_tab_gets_to_is_seen(visit, fake_page):
    page = visit(fake_page, wait=HEATMAP)
    tab_to(page, "#instruction textarea")
    page.keyboard.press("Control+A")
    page.keyboard.type("make it snow")
    page.keyboard.press("Enter")
    page.wait_for_function(FINISHED, timeout=60_000)
    page.evaluate(LOOK)
    places = 0
    while page.evaluate("reached()"):
        page.keyboard.press("Tab")
        places += 1
        assert places < 200
    assert places > 50
    assert page.evaluate("unseen()") == []
