"""What the browser tests share: Chromium, and what a person does on the page."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import TimeoutError as NotInTime

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
FINISHED = "document.querySelector('#progress').innerText.startsWith('Done')"
LISTEN = """() => {
    window.answered = false;
    const heard = new MutationObserver(() => { window.answered = true; heard.disconnect(); });
    heard.observe(document.querySelector("#progress"), { childList: true, subtree: true, characterData: true });
}"""
TILES = "#view .edit"
HEATMAP = "#view .plot .textpoint text"


@contextlib.contextmanager
def serving():
    """The address of `python app.py`, as a person starts it."""
    import httpx

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


@contextlib.contextmanager
def served(load):
    """The address of the page, in this process, on the models that `load(name, weights)` gives."""
    import app
    from smile.ui.engine import Engine

    page = app.build(Engine(load))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.OPTIONS)
    try:
        yield url
    finally:
        page.close()


def comes_to(page, expected, probe, *given):
    """Wait until probe(page, ...) gives this, and fail with what it gives instead."""
    for _ in range(300):
        if (found := probe(page, *given)) == expected:
            return
        page.wait_for_timeout(100)
    assert found == expected


def shows(page, selector, text):
    """Wait until this is what the page says there."""
    said = "([selector, text]) => document.querySelector(selector)?.innerText.includes(text)"
    page.wait_for_function(said, arg=[selector, text], timeout=60_000)


def explained(page, instruction, expect=None):
    """Explain, and wait for the end, or for the sentence that says what is wrong."""
    unfold(page)
    page.fill("#instruction textarea", instruction)
    page.evaluate(LISTEN)
    page.click("#explain")
    page.wait_for_function("window.answered")  # what an earlier run left there is not this one's end
    ended = f"document.querySelector('#progress').innerText.includes({expect!r})" if expect else FINISHED
    try:
        page.wait_for_function(ended, timeout=180_000)
    except NotInTime as error:
        raise AssertionError(f"The page still says: {page.inner_text('#do')}") from error
    page.wait_for_function("!document.querySelector('#explain').disabled")


def heatmap(page):
    """[(word, weight text, marked)] as the heatmap shows them: plot, buttons and table, which must agree."""
    page.wait_for_function("document.querySelector('#view .note').textContent === ''")
    page.wait_for_selector(HEATMAP)
    rows = page.eval_on_selector_all("#view .numbers tbody tr", "all => all.map(r => [...r.cells].map(c => c.textContent))")
    page.wait_for_function(f"document.querySelectorAll('#view .cells button').length === {len(rows)}")
    names = page.eval_on_selector_all("#view .cells button", "all => all.map(e => e.getAttribute('aria-label'))")
    labels = page.eval_on_selector_all(HEATMAP, "all => all.map(e => e.textContent)")
    drawn = page.evaluate(
        """() => Object.fromEntries(document.querySelector("#view .plot").data.filter(each => each.type === "heatmap")
            .flatMap(line => line.customdata[0].map((word, at) => [word, line.z[0][at]])))"""
    )
    words = [(row[0], row[1], bool(row[-1])) for row in rows]
    assert len(names) == len(drawn) == len(rows)
    assert sum(label.endswith(" ★") for label in labels) == sum(marked for *_, marked in words)
    for number, (name, (word, weight, marked), row) in enumerate(zip(names, words, rows, strict=True)):
        assert name.startswith(f"{word}: weight {weight}, 95 % interval {row[3]}, ")
        assert name.endswith("not significant") != marked  # a sign, not a colour
        assert weight.replace("-", "−") in labels
        assert not drawn[str(number)] or weight == "…" or abs(drawn[str(number)] - float(weight)) < 0.0051
    return words


def cell(page, number):
    """The middle of the cell of a word, which belongs to Plotly: the mouse goes through the button that lies over it."""
    button = page.locator(f"#view .cells button >> nth={number}")
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def choose_word(page, number):
    """Click the cell of a word."""
    page.mouse.click(*cell(page, number))


def hover_text(page, number=0):
    """What a word says under the mouse: Plotly's label."""
    page.mouse.move(0, 0)
    page.mouse.move(*cell(page, number), steps=3)
    page.wait_for_selector("#view .plot .hoverlayer text")
    return page.text_content("#view .plot .hoverlayer")


def pick_weights(page, name):
    """Choose a set of weights."""
    page.click("#weights input")
    page.click(f"#weights [role=option]:has-text('{name}') >> nth=0")


def unfold(page):
    """On a phone the form is folded into a bar."""
    if page.is_visible("#ask-bar .open") and not page.is_visible("#instruction textarea"):
        page.click("#ask-bar .open")


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


def tab_to(page, selector):
    """Press Tab until this has the focus, as somebody without a mouse does."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not get to {selector}")
