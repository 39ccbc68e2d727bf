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
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, FakeSegmenter, fake_models, picture

import app
from smile import InputError
from smile.editors.weights import BUNDLED
from smile.page import engine as page_engine
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
    for number in (1, 0):
        instruction = examples()[number].instruction
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


def test_a_visitor_goes_through_all_editors_with_the_bundled_weights(visit, real_page):
    page = visit(real_page)
    page.click("#editor label:has-text('inpaint')")
    explained(page, "add a tree", expect="inpaint needs a region")
    paint(page, (0.1, 0.6), (0.35, 0.6))
    page.wait_for_function("document.querySelector('#plan').innerText.includes('inpaint on the CPU')", timeout=120_000)
    assert "drawn road scenes, nothing else" in page.inner_text("#plan")
    explained(page, "add a tree")
    assert page.locator("#gallery .thumbnail-lg").count() == 12
    page.click("#editor label:has-text('img2img-turbo')")
    page.wait_for_selector("#region", state="detached")
    explained(page, "make it snow")
    assert "snow" in [word for word, _, marked in heatmap(page) if marked]
    page.click("#weights label:has-text('bundled-edges')")
    page.click("#advanced button", timeout=60_000)
    page.wait_for_function("document.querySelector('#setting-low input')?.placeholder === '100'")
    assert page.locator("#advanced input:visible").count() == 2
    page.fill("#setting-low input", "5000")
    explained(page, "a road in snow", expect="from 0 to 1000")
    page.fill("#setting-low input", "120")
    explained(page, "a road in snow")


def explained(page, instruction, expect=None):
    """Explain, and wait for the end, or for the sentence that says what is wrong."""
    page.fill("#instruction textarea", instruction)
    page.click("#explain")
    ended = f"document.querySelector('#progress').innerText.includes({expect!r})" if expect else FINISHED
    page.wait_for_function(ended, timeout=180_000)
    page.wait_for_function("!document.querySelector('#explain').disabled")


def paint(page, start, end):
    """A stroke with the mouse, from and to shares of the canvas's width and height."""
    page.wait_for_function("document.querySelector('#painter img')?.naturalWidth > 0")
    page.locator("#painter canvas").scroll_into_view_if_needed()
    box = page.locator("#painter canvas").bounding_box()
    (x, y), (to_x, to_y) = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in (start, end)]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=5)
    page.mouse.up()


def painted(page, share):
    """Wait until about this share of the canvas is painted."""
    page.wait_for_function(
        """share => {
            const canvas = document.querySelector("#painter canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const alpha = data.filter((_, index) => index % 4 === 3);
            return Math.abs(alpha.filter((a) => a > 127).length / alpha.length - share) < 0.02;
        }""",
        arg=share,
        timeout=30_000,
    )


@pytest.mark.parametrize("width", [390, 1440])
def test_the_region_is_painted_found_loaded_erased_and_cleared(visit, fake_page, tmp_path, width, monkeypatch):
    monkeypatch.setattr(page_engine, "_segmenter", lambda *_: FakeSegmenter())
    page = visit(fake_page, width)
    assert page.locator("#painter").count() == 0
    index, example = next((i, each) for i, each in enumerate(examples()) if each.region)
    page.click(f"#examples button >> nth={index}")
    page.wait_for_selector("#painter canvas")
    region = Image.open(example.region)
    given = sum(pixel > 127 for pixel in region.get_flattened_data()) / (region.width * region.height)
    painted(page, given)
    explained(page, "snow")
    page.click("#painter .clear")
    painted(page, 0)
    explained(page, "snow", expect="inpaint needs a region")
    paint(page, (0.0, 0.2), (1.0, 0.2))
    painted(page, 0.12)  # the brush's width at the start
    explained(page, "snow")
    assert [word for word, _, _ in heatmap(page)] == ["snow"]
    page.click("#painter .erase")
    paint(page, (0.5, 0.2), (1.0, 0.2))
    painted(page, 0.054)
    page.fill("#phrase input, #phrase textarea", "the sky")
    page.click("#find")
    painted(page, 0.5)
    page.fill("#phrase input, #phrase textarea", "the bicycle")
    page.click("#find")
    page.wait_for_function("document.querySelector('#progress').innerText.includes('the bicycle')")
    painted(page, 0.5)
    page.set_input_files("#region input[type=file]", example.region)
    painted(page, given)
    picture((60, 40)).save(tmp_path / "other.png")
    page.click("#picture button[aria-label='Remove Image'], #picture button[aria-label='Clear']")
    page.wait_for_selector("#painter .hint:visible")
    page.set_input_files("#picture input[type=file]", tmp_path / "other.png")
    page.wait_for_function("document.querySelector('#painter canvas').height === 341")
    painted(page, 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture
def page_without_network(monkeypatch):
    """The address of a page on NumPy editors whose full weights cannot be downloaded."""
    monkeypatch.setattr(page_engine, "device", lambda: "cpu")
    monkeypatch.setattr(page_engine, "speed", lambda device: 100e9)
    monkeypatch.setattr(page_engine, "here", lambda *_: False)

    def load(name, weights):
        if weights == "full":
            raise InputError("The weights could not be downloaded.")
        return fake_models(name, weights)

    page = app.build(Engine(load))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.OPTIONS)
    yield url
    page.close()


def test_full_weights_say_what_they_take_and_failing_offer_the_bundled_ones(page_without_network, visit):
    page = visit(page_without_network)
    page.click("#weights label:has-text('full')")
    takes = "about 3 hours on this CPU; downloads about 5 GB first"
    page.wait_for_function(f"document.querySelector('#plan').innerText.includes({takes!r})", timeout=60_000)
    explained(page, "make it snow", expect="could not be downloaded")
    page.click("#fall-back")
    page.wait_for_function("document.querySelector('#plan').innerText.includes('drawn road scenes')")
    page.wait_for_selector("#fall-back", state="hidden")
    explained(page, "make it snow")


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
    ends = page.eval_on_selector_all("#editor label", "all => all.map(e => e.getBoundingClientRect().right)")
    column = page.locator("#ask").bounding_box()
    assert len(ends) == 3 and max(ends) < column["x"] + column["width"]


def test_stop_keeps_what_is_there(visit):
    class SlowEditor(FakeEditor):
        batch_size = 1

        def one(self, image, text, seed):
            time.sleep(0.3)
            return super().one(image, text, seed)

    page = app.build(Engine(lambda *_: (SlowEditor(), FakeEmbedder())))
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
