"""The page in Chromium: what a visitor sees, with the bundled weights, and with a NumPy editor where that is enough.

Any request that leaves this machine, and any console error or warning, fails the test. In CI a missing Chromium is a failure.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tiny import FakeEditor, FakeEmbedder, picture

import app
from smile.editors.weights import BUNDLED
from smile.page.actions import examples
from smile.page.engine import Engine

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(app.__file__).parent
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
FINISHED = "document.querySelector('#progress').innerText.startsWith('Done')"


@pytest.fixture(scope="module")
def chromium():
    if not Path(CHROMIUM).exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("Chromium is not installed (apt: chromium).")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens an address; afterwards nothing may have gone wrong behind the scenes."""
    contexts, troubles = [], []

    def note_request(request):
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname not in ("127.0.0.1", "localhost"):
            troubles.append(f"request left the machine: {request.url}")

    def note_message(message):
        if message.type in ("error", "warning") and message.text != "Method not implemented.":  # Gradio's, at uploads
            troubles.append(f"console: {message.text}")

    def visit(url, width=1440, theme="light"):
        context = chromium.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.on("request", note_request)
        page.on("pageerror", lambda error: troubles.append(f"uncaught: {error}"))
        page.on("console", note_message)
        page.goto(f"{url}?__theme={theme}")
        page.wait_for_selector("#explain")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="module")
def real_page():
    """`python app.py`, as a person starts it."""
    if not BUNDLED.joinpath("instruct-pix2pix").is_dir():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("The bundled weights are not there.")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    server = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}/"
    try:
        httpx.Client(transport=httpx.HTTPTransport(retries=8)).get(url, timeout=60)  # waits 0.5, 1, 2 ... s
        yield url
    finally:
        server.terminate()
        server.wait(20)


def heatmap(page):
    """[(word, weight text, marked)] as the heatmap shows them, from its plot and its table, which must agree."""
    page.wait_for_function("document.querySelectorAll('#heatmap .plot .textpoint text').length > 0")
    page.wait_for_function("document.querySelector('#heatmap .note').textContent === ''")
    labels = page.eval_on_selector_all("#heatmap .plot .textpoint text", "all => all.map(e => e.textContent)")
    frames = page.evaluate("document.querySelector('#heatmap .plot').layout.shapes.map(s => s.line.width)")
    rows = page.eval_on_selector_all("#heatmap tr", "all => all.slice(1).map(r => [...r.cells].map(c => c.textContent))")
    words = [(row[0], row[1], bool(row[-1])) for row in rows]
    assert len(labels) == len(rows)
    for label, frame, (word, weight, marked) in zip(labels, frames, words, strict=True):
        assert label.startswith(word) and weight in label
        assert ("★" in label) == marked == (frame > 1)  # the mark is a sign and a frame, not a colour
    return words


def test_a_visitor_explains_an_example_with_the_bundled_weights(visit, real_page):
    from playwright.sync_api import expect

    page = visit(real_page)
    page.wait_for_function("document.querySelector('#plan').innerText.includes('drawn road scenes')", timeout=120_000)
    (_, first), (_, second), *_ = examples()
    for number, instruction in ((1, second), (0, first)):
        page.click(f"#examples button >> nth={number}")
        expect(page.locator("#instruction textarea")).to_have_value(instruction)
    page.click("#explain")
    page.wait_for_selector("#gallery .thumbnail-lg img", timeout=60_000)
    page.wait_for_function(FINISHED, timeout=180_000)
    words = heatmap(page)
    assert [word for word, _, _ in words] == instruction.split() and "snow" in instruction
    assert "snow" in [word for word, _, marked in words if marked]
    assert "“snow”" in page.inner_text("#finding")
    assert page.locator("#gallery .thumbnail-lg").count() == 20
    word, weight, _ = words[0]
    assert hover_text(page).startswith(f"{word}\nweight: {weight}\n95 % interval: ")


def hover_text(page):
    """What the first word says under the mouse."""
    page.hover("#heatmap .plot .nsewdrag", position={"x": 30, "y": 30})
    page.wait_for_selector("#heatmap .tip:visible")
    return page.inner_text("#heatmap .tip")


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_every_screen(visit, fake_page, width, theme):
    page = visit(fake_page, width, theme)
    page.fill("#instruction textarea", "please transform the whole picture into snow at night")
    page.wait_for_function("document.querySelector('#plan').innerText.includes('24 edits')")
    page.click("#explain")
    page.wait_for_function(FINISHED, timeout=60_000)
    assert [word for word, _, marked in heatmap(page) if marked] == ["snow", "night"]
    assert re.match(r"please\nweight: .*\n95 % interval: .*\np: .*\np \(Holm\): ", hover_text(page))
    boxes = page.eval_on_selector_all(
        "#heatmap .textpoint text", "all => all.map(e => e.getBoundingClientRect()).map(r => [r.left, r.right, r.top])"
    )
    for left, right, top in boxes:  # no word runs off the page or into the next
        assert 0 <= left < right <= width
        assert all(other[0] >= right or other[1] <= left for other in boxes if other[2] == top and other[0] != left)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_stop_keeps_what_is_there(visit):
    class SlowEditor(FakeEditor):
        batch_size = 1

        def one(self, image, text, seed):
            time.sleep(0.3)
            return super().one(image, text, seed)

    page = app.build(Engine(lambda: (SlowEditor(), FakeEmbedder())))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.OPTIONS)
    try:
        seen = visit(url)
        seen.click("#explain")
        seen.wait_for_function("document.querySelectorAll('#gallery .thumbnail-lg').length >= 3", timeout=60_000)
        seen.click("#stop")
        seen.wait_for_function("document.querySelector('#progress').innerText.startsWith('Stopped after')")
        made = int(re.search(r"after (\d+) of 20", seen.inner_text("#progress"))[1])
        seen.wait_for_timeout(1500)
        assert 3 <= made < 20 and seen.locator("#gallery .thumbnail-lg").count() in (made, made + 1)
        assert f"stopped, {made} of 20 edits" in seen.inner_text("#heatmap")
        seen.click("#explain")  # and the page is as good as new
        seen.wait_for_function("/^\\d+ of 20 edits/.test(document.querySelector('#progress').innerText)")
    finally:
        page.close()


def test_bad_input_is_a_sentence_and_the_page_goes_on(visit, fake_page, tmp_path):
    page = visit(fake_page)
    page.fill("#instruction textarea", "")
    page.click("#explain")
    page.wait_for_function("document.querySelector('#progress').innerText.includes('instruction is empty')")
    picture((400, 30)).save(tmp_path / "strip.png")
    page.fill("#instruction textarea", "make it snow")
    page.click("#picture button[aria-label='Remove Image'], #picture button[aria-label='Clear']")
    page.set_input_files("#picture input[type=file]", tmp_path / "strip.png")
    page.wait_for_selector("#picture img")
    page.click("#explain")
    page.wait_for_function("document.querySelector('#progress').innerText.includes('too narrow')")
    page.click("#examples button >> nth=2")
    page.wait_for_function("document.querySelector('#instruction textarea').value.includes('house')")
    page.fill("#instruction textarea", "make it snow")
    page.click("#explain")
    page.wait_for_function(FINISHED, timeout=60_000)
    assert [word for word, _, _ in heatmap(page)] == ["make", "it", "snow"]


def test_typed_markup_is_shown_and_not_run(visit, fake_page):
    page = visit(fake_page)
    page.fill("#instruction textarea", "<img/src=x/onerror=document.title='run'> <b>snow</b> & night")
    page.click("#explain")
    page.wait_for_function(FINISHED, timeout=60_000)
    page.wait_for_function("document.querySelectorAll('#heatmap .plot .textpoint text').length > 0")
    labels = "".join(page.locator("#heatmap .plot .textpoint text").all_text_contents())
    assert "<b>snow</b>" in labels and "<img/src=x" in labels
    assert page.title() != "run" and page.locator("#heatmap .plot img, #finding img, #gallery b").count() == 0
