"""The page in Chromium: what a visitor sees, with the bundled weights, and with a NumPy editor where that is enough."""

import io
import json
import re
import time
import zipfile

import pytest
from browsing import FINISHED, TILES, comes_to, explained, heatmap, hover_text, paint, pick_weights, shows
from tiny import FakeBackend, FakeEmbedder, fake_models, picture

import app
from smile import InputError
from smile.ui import engine as page_engine
from smile.ui.engine import Engine
from smile.ui.examples import list_examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]


MADE = "#view .edit:enabled"  # the others are still to come


def status(page, text):
    """Wait until the line below the buttons says this."""
    page.wait_for_function("text => document.querySelector('#progress').innerText.includes(text)", arg=text, timeout=60_000)


def asked(page, instruction):
    """Wait until this stands in the field."""
    field = "document.querySelector('#instruction textarea')?.value"
    page.wait_for_function(f"text => {field} === text", arg=instruction)


def test_the_first_paint_is_a_finished_explanation(visit, broken_page):
    page = visit(broken_page)  # where no model can be loaded
    first = list_examples()[0]
    assert [word for word, _, _ in heatmap(page)] == first.instruction.split()
    assert any(marked for _, _, marked in heatmap(page))
    assert page.input_value("#instruction textarea") == first.instruction
    assert page.inner_text("#view .finding h2") and page.locator(TILES).count() >= 12
    assert page.inner_text("#view .badges li >> nth=0") == "saved run" and page.is_visible("#view .live")
    for image in ("#view .pict .under", "#view .pict .over"):
        assert page.eval_on_selector(image, "image => image.naturalWidth") > 0
    for number, example in enumerate(list_examples()[1:], 1):
        if example.surprise:  # which unfold, and fold again
            page.click("#examples summary")
        page.click(f"#examples button >> nth={number}")
        shown = "#comparison h2" if example.compare else "#view .cells button[aria-label]"
        page.wait_for_selector(shown)
        page.wait_for_function(
            "text => document.querySelector('#instruction textarea')?.value === text", arg=example.instruction
        )
        if not example.compare:
            page.wait_for_function(
                "count => document.querySelectorAll('#view .cells button').length === count",
                arg=len(example.instruction.split()),
            )
            assert [word for word, _, _ in heatmap(page)] == example.instruction.split()


def test_a_visitor_runs_an_example_live_with_the_bundled_weights(visit, real_page):
    page = visit(real_page)
    page.wait_for_function("document.querySelector('#plan').textContent.includes('drawn road scenes')", timeout=120_000)
    replayed = heatmap(page)
    page.click("#view .live")
    page.wait_for_function("document.querySelector('#view .note').textContent.startsWith('provisional')", timeout=60_000)
    page.wait_for_function(FINISHED, timeout=180_000)
    assert heatmap(page) == replayed  # the saved one is what comes out, to every printed digit
    assert not page.is_visible("#view .live") and page.inner_text("#view .badges li >> nth=0") == "run here"
    word, weight, _ = replayed[0]
    assert hover_text(page).startswith(f"{word} {weight}")


def test_a_visitor_goes_through_all_editors_with_the_bundled_weights(visit, real_page):
    page = visit(real_page)
    page.click("#editor label:has-text('inpaint')")
    explained(page, "add a tree", expect="inpaint needs a region")
    paint(page, (0.1, 0.6), (0.35, 0.6))
    page.wait_for_function("document.querySelector('#plan').textContent.includes('inpaint on the CPU')", timeout=120_000)
    page.click("#plan summary")
    shows(page, "#plan", "drawn road scenes, nothing else")
    page.click("#plan summary")  # it lies over the button
    explained(page, "add a tree")
    comes_to(page, 8, lambda page: page.locator(TILES).count())
    page.click("#editor label:has-text('Turbo')")
    page.wait_for_selector("#region", state="detached")
    explained(page, "make it snow")
    assert "snow" in [word for word, _, marked in heatmap(page) if marked]
    pick_weights(page, "bundled-edges")
    page.click("#advanced button", timeout=60_000)
    page.wait_for_function("document.querySelector('#setting-low input')?.placeholder === '100'")
    page.fill("#setting-low input", "5000")
    explained(page, "a road in snow", expect="from 0 to 1000")
    page.click("#advanced button", timeout=60_000)  # a click beside it has closed it
    page.wait_for_selector("#setting-low input")
    page.fill("#setting-low input", "120")
    explained(page, "a road in snow")


def test_all_editors_are_compared_word_by_word(visit, fake_page):
    page = visit(fake_page)
    page.fill("#instruction textarea", "make it snow at night")
    page.click("#compare")
    page.wait_for_function(FINISHED, timeout=60_000)
    heads = page.locator("#comparison thead th").all_text_contents()
    assert heads == ["word", "instruct-pix2pix", "img2img-turbo", "inpaint"]
    rows = page.eval_on_selector_all("#comparison tbody tr", "all => all.map(r => [...r.cells].map(c => c.textContent))")
    assert [row[0] for row in rows] == ["make", "it", "snow", "at", "night"]
    assert all("★" in cell for row in (rows[2], rows[4]) for cell in row[1:])
    page.wait_for_function("document.querySelectorAll('#comparison .plot .textpoint text').length === 15 + 5 + 3")
    page.click("#comparison .editor:has-text('img2img-turbo') button")
    shows(page, "#view .facts", "img2img-turbo")
    assert [word for word, _, marked in heatmap(page) if marked] == ["snow", "night"]


@pytest.fixture
def page_without_network(monkeypatch, serve):
    """The address of a page on NumPy editors whose full weights cannot be downloaded."""
    monkeypatch.setattr("smile.ui.machine.find_device", lambda: "cpu")
    monkeypatch.setattr(page_engine, "measure_speed", lambda *_: 100e9)
    monkeypatch.setattr("smile.models.registry.Entry.is_downloaded", lambda *_: False)

    def load(name, weights):
        if weights == "full":
            raise InputError("The weights could not be downloaded.")
        return fake_models(name, weights)

    return serve(load)


def test_full_weights_say_what_they_take_and_failing_offer_the_bundled_ones(page_without_network, visit):
    page = visit(page_without_network)
    pick_weights(page, "full")
    takes = "/about [345] hours on this CPU; downloads about 5 GB first/"
    page.wait_for_function(f"{takes}.test(document.querySelector('#plan').innerText)", timeout=60_000)
    explained(page, "make it snow", expect="could not be downloaded")
    page.click("#fall-back")
    page.wait_for_function("document.querySelector('#plan').textContent.includes('drawn road scenes')")
    page.wait_for_selector("#fall-back", state="hidden")
    explained(page, "make it snow")


@pytest.fixture
def slow_page(serve):
    """The address of a page whose editor takes its time."""

    class SlowEditor(FakeBackend):
        batch_size = 1

        def one(self, image, text, seed):
            time.sleep(0.3)
            return super().one(image, text, seed)

    return serve(lambda *named: (SlowEditor(*named), FakeEmbedder()))


def test_stop_keeps_what_is_there(slow_page, visit):
    seen = visit(slow_page)
    seen.fill("#instruction textarea", "please make it snow in this picture")
    seen.click("#explain")
    seen.wait_for_function("document.querySelector('#view .note').textContent.startsWith('provisional')", timeout=60_000)
    made = f"document.querySelectorAll('{MADE}').length"
    seen.wait_for_function(f"{made} >= 4", timeout=60_000)
    assert seen.locator(TILES).count() == 24 and seen.inner_text("#view .gallery h3").endswith(" of 24 edits")
    cells = seen.eval_on_selector_all("#view .cells button", "all => { all[3].focus(); return all.length; }")
    before = seen.locator(MADE).count()
    seen.wait_for_function(f"{made} > {before}", timeout=60_000)
    assert cells == 7 and seen.evaluate("document.activeElement.getAttribute('aria-label').startsWith('snow')")
    seen.click("#stop")
    status(seen, "Stopped after")
    made = int(re.search(r"after (\d+) of 28", seen.inner_text("#progress"))[1])
    comes_to(seen, min(made, 24), lambda seen: seen.locator(TILES).count())
    assert 3 <= made < 28
    shows(seen, "#view .note", "stopped")
    assert seen.inner_text("#view .note") == f"stopped, {made} of 28 edits"
    with seen.expect_download() as downloaded:
        seen.click("#take-json")
    assert json.loads(downloaded.value.path().read_text())["done"] == made
    seen.click("#explain")  # and the page is as good as new
    seen.wait_for_function("/^\\d+ of 28 edits/.test(document.querySelector('#progress').innerText)")


def test_whoever_waits_sees_their_place(slow_page, visit):
    first, second, third = (visit(slow_page) for _ in range(3))
    for page in (first, second, third):
        page.click("#explain")
        page.wait_for_timeout(1000)
    third.wait_for_function(
        "/2\\s*[/|of]+\\s*2/.test(document.querySelector('#progress').parentElement.innerText)", timeout=20_000
    )
    for page in (third, second, first):
        page.evaluate("document.querySelector('#stop').click()")  # nothing, where it has ended


def test_everything_can_be_taken_away_and_a_bundle_opens_again(visit, fake_page, tmp_path):
    page = visit(fake_page)
    explained(page, "make it snow at night")
    words, files = heatmap(page), {}
    for kind in ("json", "zip", "html", "png"):
        with page.expect_download() as downloaded:
            page.click(f"#take-{kind}")
        name = downloaded.value.suggested_filename
        assert name.endswith(f".{kind}") and "snow" in name
        files[kind] = downloaded.value.path().read_bytes()
    values = json.loads(files["json"])
    assert values["words"] == [word for word, *_ in words] and b"plotly" in files["html"] and files["png"][1:4] == b"PNG"
    assert "explanation.json" in zipfile.ZipFile(io.BytesIO(files["zip"])).namelist()
    (tmp_path / "mine.zip").write_bytes(files["zip"])
    (tmp_path / "bad.zip").write_bytes(files["zip"][:-700])
    other = visit(fake_page)
    other.set_input_files("#open-bundle input[type=file], #take-away input[type=file]", tmp_path / "bad.zip")
    other.wait_for_selector("#progress .problem")
    assert len(heatmap(other)) == len(list_examples()[0].instruction.split())
    other.set_input_files("#open-bundle input[type=file], #take-away input[type=file]", tmp_path / "mine.zip")
    other.wait_for_function("document.querySelector('#instruction textarea')?.value === 'make it snow at night'")
    other.wait_for_function("document.querySelectorAll('#view .cells button').length === 5")
    shows(other, "#progress", "file")
    assert heatmap(other) == words
    other.click("#check-model")
    shows(other, "#progress", "measures the same")
    other.wait_for_selector("#check-model", state="hidden")
    assert heatmap(other) == words
    explained(other, "make it snow at night")
    assert heatmap(other) == words


def test_a_link_restores_what_it_names(visit, fake_page):
    example = list_examples()[1]
    page = visit(fake_page, example=example.name)
    asked(page, example.instruction)
    page.click("#view .share summary")
    link = page.inner_text("#view .link pre")
    assert link.startswith(fake_page.rstrip("/")) and f"example={example.name}" in link
    words = heatmap(page)
    again = visit(link.split("?")[0], **dict(pair.split("=") for pair in link.split("?")[1].split("&")))
    asked(again, example.instruction)
    comes_to(again, words, heatmap)
    changed = visit(fake_page, example=example.name, instruction="make+it+night", seed=7, editor="img2img-turbo")
    changed.wait_for_function("document.querySelector('#instruction textarea')?.value === 'make it night'")
    assert changed.input_value("#seed input") == "7"
    assert changed.is_visible("#view .nothing") and not changed.is_visible("#view .finding")
    explained(changed, "make it night")
    shows(changed, "#view .facts", "img2img-turbo")
    shows(changed, "#view .facts", "seed 7")
    bad = visit(fake_page, example="no-such")
    bad.wait_for_selector("#progress .problem")
    assert [word for word, _, _ in heatmap(bad)] == list_examples()[0].instruction.split()


def test_bad_input_is_a_sentence_and_the_page_goes_on(visit, fake_page, tmp_path):
    page = visit(fake_page)
    page.fill("#instruction textarea", "")
    page.click("#explain")
    status(page, "instruction is empty")
    assert "instruction is empty" in page.inner_text("#view .finding h2")  # what was there stays, as the old answer
    assert "Below is the old answer" in page.inner_text("#view .figures") and page.locator("#view .old[inert]").count() == 3
    page.click("#view .back")
    asked(page, list_examples()[0].instruction)
    page.wait_for_function("!document.querySelector('#view .old')")
    picture((400, 30)).save(tmp_path / "strip.png")
    kept = page.get_attribute("#picture img", "src")
    page.set_input_files("#picture-sources input[type=file]", tmp_path / "strip.png")
    status(page, "too narrow")
    assert page.get_attribute("#picture img", "src") == kept  # it was not taken, and the answer is still that to what is asked
    assert not page.locator("#view .old").count()
    page.fill("#instruction textarea", "make it snow")
    page.wait_for_selector("#view .finding[data-tone=stale]")
    page.click("#examples button >> nth=2")
    page.wait_for_function(
        "text => document.querySelector('#instruction textarea')?.value === text", arg=list_examples()[2].instruction
    )
    explained(page, "make it snow")
    assert [word for word, _, _ in heatmap(page)] == ["make", "it", "snow"]


def test_typed_markup_is_shown_and_not_run(visit, fake_page):
    page = visit(fake_page)
    explained(page, "<img/src=x/onerror=document.title='run'> <b>snow</b> & night")
    heatmap(page)
    names = page.eval_on_selector_all("#view .cells button", "all => all.map(e => e.getAttribute('aria-label')).join()")
    labels = "".join(page.locator("#view .plot .textpoint text").all_text_contents())
    assert "<b>snow</b>" in names and "<b>snow</b>" in labels and "<img/src=x" in labels
    assert page.title() != "run" and page.locator("#view .plot img, #view .finding img, #view .gallery b").count() == 0


def test_it_works_below_another_address(visit):
    """Behind a proxy, or mounted into somebody's application, everything is found below the root path."""
    import socket
    import threading

    import gradio as gr
    import uvicorn
    from fastapi import FastAPI, Response

    outer = FastAPI()
    outer.get("/favicon.ico")(lambda: Response(status_code=204))  # Chromium asks for one here
    mounted = gr.mount_gradio_app(outer, app.build(Engine(fake_models)), path="/tools/smile", **app.OPTIONS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(mounted, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    try:
        page = visit(f"http://127.0.0.1:{port}/tools/smile/")
        assert heatmap(page)
        explained(page, "make it snow")
        assert [word for word, _, marked in heatmap(page)] == ["make", "it", "snow"]
        page.wait_for_timeout(2000)  # what the page still asks after a run would find no server
    finally:
        server.should_exit = True
        thread.join(10)
