"""A page that goes away in the middle of a run: whoever comes back by its address sees the run, to its end."""

import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from browsing import FINISHED, HEATMAP, shows
from tiny import FakeBackend, FakeEmbedder

from smile.ui import texts
from smile.ui.examples import list_examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "please make it snow at night again"
WATCH = """() => {
    const line = document.querySelector("#view .finding h2");
    window.said = [line.textContent];
    const heard = new MutationObserver(() => window.said.push(line.textContent));
    heard.observe(line, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture
def held(serve):
    """The address of a page whose editor, from the first whole instruction on, makes an edit each time that one is let."""
    begun, turns = threading.Event(), threading.Semaphore(0)

    class Held(FakeBackend):
        batch_size = 1

        def one(self, image, text, seed):
            if text == TEXT:
                begun.set()  # what came before was to learn how fast the editor is
            if begun.is_set():
                turns.acquire(timeout=120)
            return super().one(image, text, seed)

    yield serve(lambda *named: (Held(*named), FakeEmbedder())), turns.release
    turns.release(1000)


def parameters(page):
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def run_and_go_away(visit, held):
    """Begin a run, see some of it, and close the page; the parameters of its address."""
    url, let = held
    page = visit(url, wait=HEATMAP)
    page.fill("#instruction textarea", TEXT)
    page.click("#explain")
    let(3)
    shows(page, "#view .note", "provisional")
    found = parameters(page)
    assert len(found.pop("run")) >= 22 and found == {"__theme": "light"}
    found = parameters(page)
    page.close()
    return url, let, found


def test_whoever_comes_back_sees_the_run_to_its_end(visit, held):
    url, let, address = run_and_go_away(visit, held)
    again = visit(url, run=address["run"], wait=HEATMAP)
    shows(again, "#view .note", "provisional")
    assert again.input_value("#instruction textarea") == TEXT and again.is_enabled("#stop") and again.is_disabled("#explain")
    again.evaluate(WATCH)
    let(1000)
    again.wait_for_function(FINISHED, timeout=60_000)
    again.wait_for_selector("#view .badges li:has-text('run here')")
    later = visit(url, run=address["run"], wait=HEATMAP)  # when all is over
    later.wait_for_selector("#view .badges li:has-text('run here')")
    line = later.inner_text("#view .finding h2")
    assert "“snow”" in line and line == again.inner_text("#view .finding h2")
    later.wait_for_function(FINISHED, timeout=60_000)
    assert later.is_enabled("#explain") and later.is_disabled("#stop") and later.locator("#view .old").count() == 0
    assert texts.STALE not in again.evaluate("window.said")
    later.click("#examples button >> nth=1")  # which is no run
    later.wait_for_function("!new URL(location.href).searchParams.has('run')", timeout=60_000)
    assert parameters(later) == {"__theme": "light"}


def test_whoever_comes_back_can_stop_it_and_run_another(visit, held):
    url, let, address = run_and_go_away(visit, held)
    again = visit(url, run=address["run"], wait=HEATMAP)
    shows(again, "#view .note", "provisional")
    again.click("#stop")
    shows(again, "#progress", "Stopped after")
    let(1000)  # the batch in hand
    again.wait_for_function("!document.querySelector('#explain').disabled", timeout=60_000)
    again.click("#explain")
    again.wait_for_function(FINISHED, timeout=60_000)
    assert parameters(again)["run"] != address["run"]
    stopped = visit(url, run=address["run"], wait=HEATMAP)
    shows(stopped, "#view .note", "stopped")
    shows(stopped, "#progress", "Stopped after")


def test_the_answer_of_a_run_is_never_called_an_old_one(visit, held):
    url, let = held
    page = visit(url, wait=HEATMAP)
    page.fill("#instruction textarea", TEXT)
    shows(page, "#view .finding h2", texts.STALE)
    page.click("#explain")
    let(3)
    shows(page, "#view .note", "provisional")
    page.evaluate(WATCH)
    let(1000)
    page.wait_for_function(FINISHED, timeout=60_000)
    page.wait_for_selector("#view .badges li:has-text('run here')")
    page.wait_for_function("!document.querySelector('#explain').disabled")
    said = page.evaluate("window.said")
    assert texts.STALE not in said and "“snow”" in said[-1]


def test_a_run_that_is_not_kept_is_one_sentence(visit, fake_page):
    page = visit(fake_page, run="no-such-run", wait=HEATMAP)
    page.wait_for_selector("#progress .problem")
    assert page.inner_text("#progress") == texts.RUN_FORGOTTEN
    assert page.input_value("#instruction textarea") == list_examples()[0].instruction
    assert page.is_enabled("#explain") and page.locator("#view .old").count() == 0
