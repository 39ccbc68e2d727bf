"""The tiers of the tests, and what many of them share: pages on NumPy models, Chromium, tiny model folders.

A test is `quick` unless it starts a browser or a process, loads a model, or takes long: it is marked so, or its file imports
torch, or it takes one of the fixtures in `STARTS`. `pytest -m quick` refuses what is not marked and should be.
"""

import contextlib
import functools
import gc
import os
import re
import shutil
import sys
import tempfile
import time

# One thread: the tests' models are tiny, and threads that spin against other work make them ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
STARTS = {"chromium": "browser", "real_page": "process", "zero_gpu": "process", "models": "model"}  # fixture: its mark
SLOWER = ("browser", "model", "process", "slow", "nightly", "full_size")
PIPELINES = ("diffusers", "transformers")  # which take five seconds to import; torch alone takes one
IMPORTS_MODELS = re.compile(rf"^(?:import|from) (?:torch|{'|'.join(PIPELINES)}|turbo)\b", re.MULTILINE)


def pytest_configure(config):
    """Each worker has its own ports and its own folder for uploads; quick tests may not load pipelines or start a process."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    os.environ["GRADIO_SERVER_PORT"] = str(7860 + 100 * int(worker.removeprefix("gw")))
    os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="smile-tests-")
    distributes = bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")
    if config.option.markexpr == "quick" and not distributes:
        sys.addaudithook(_refuse_what_is_slow)


def pytest_unconfigure(config):
    shutil.rmtree(os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)


def _refuse_what_is_slow(event, arguments):
    if event == "import" and arguments[0] in PIPELINES:
        raise RuntimeError(f"A quick test imports {arguments[0]}; mark it `model`.")
    if event == "subprocess.Popen" and arguments[0] == sys.executable:
        raise RuntimeError("A quick test starts Python in a process of its own; mark it `process`.")


def pytest_ignore_collect(collection_path, config):
    if config.option.markexpr == "quick" and collection_path.suffix == ".py" and _imports_models(collection_path):
        return True


def pytest_collection_finish():
    """What is imported by now stays: Python need not go through it again at every collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """`-n auto`: a worker for each processor, but not more than memory holds; each takes about 1.5 GB."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        for name, mark in STARTS.items():
            if name in item.fixturenames:
                item.add_marker(mark)
        if _imports_models(item.path):
            item.add_marker("model")
        if not any(item.get_closest_marker(name) for name in SLOWER):
            item.add_marker("quick")


@functools.cache
def _imports_models(path: Path) -> bool:
    return bool(IMPORTS_MODELS.search(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def fake_page():
    """The address of the page on NumPy editors and a NumPy embedder."""
    from browsing import served
    from tiny import fake_models

    with served(fake_models) as url:
        yield url


@pytest.fixture(scope="session")
def broken_page():
    """The address of the page where no model can be loaded."""
    from browsing import served

    from smile import InputError

    def load(name, weights):
        raise InputError("There are no models.")

    with served(load) as url:
        yield url


@pytest.fixture(scope="session")
def visitor(fake_page):
    """A program that posts to that page."""
    from visitor import Visitor

    one = Visitor(fake_page)
    yield one
    one.http.close()


@pytest.fixture
def soon_and_without_traceback(capfd, caplog):
    """Ten seconds of the processor at most, and no traceback, wherever it is printed: the page runs in this process."""
    began = time.process_time()
    yield
    printed = capfd.readouterr()
    for shown in (printed.out, printed.err, caplog.text):
        assert "Traceback" not in shown and "Error" not in shown.replace("InputError", ""), shown[-3000:]
    assert time.process_time() - began < 10


@pytest.fixture
def serve():
    """serve(load): the address of a page of this test's own, closed after every visit to it."""
    from browsing import served

    with contextlib.ExitStack() as pages:
        yield lambda load: pages.enter_context(served(load))


@pytest.fixture
def picture_file(tmp_path):
    """The path of a picture of 48 by 48 pixels."""
    from tiny import picture

    picture().save(tmp_path / "road.png")
    return str(tmp_path / "road.png")


@pytest.fixture(scope="session")
def sd_turbo(tmp_path_factory):
    """A folder laid out as SD-Turbo's, with tiny random weights."""
    from tiny import sd_turbo_folder

    return sd_turbo_folder(tmp_path_factory.mktemp("sd-turbo"))


@pytest.fixture(scope="session")
def published(sd_turbo, tmp_path_factory):
    """{kind of Img2Img-Turbo: (the published composition, its checkpoint's path)}"""
    from turbo import Published

    files = tmp_path_factory.mktemp("checkpoints")
    made = {kind: Published(sd_turbo, kind == "sketch") for kind in ("edges", "sketch")}
    return {kind: (composition, composition.save(files / f"{kind}.pkl")) for kind, composition in made.items()}


@pytest.fixture(scope="session")
def chromium():
    """The browser. In CI a missing Chromium is a failure."""
    from browsing import CHROMIUM, FLAGS

    if not Path(CHROMIUM).exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("Chromium is not installed (apt: chromium).")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, serve):  # serve: its pages close after the visits
    """Opens an address; afterwards nothing may have gone wrong behind the scenes: no request that leaves this machine, no
    uncaught error, no error or warning in the console."""
    contexts, troubles = [], []

    def note_request(request):
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob", "file") and address.hostname not in ("127.0.0.1", "localhost"):
            troubles.append(f"request left the machine: {request.url}")

    def note_message(message):
        harmless = (
            "Method not implemented.",
            "preloaded using link preload but not used",
        )  # Gradio's, at uploads; a slow machine
        if message.type in ("error", "warning") and not any(each in message.text for each in harmless):
            troubles.append(f"console: {message.text} ({message.location['url']})")

    def visit(url, width=1440, theme="light", wait="#explain", height=900, **query):
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)  # the machine may be busy with other things
        page.on("request", note_request)
        page.on("pageerror", lambda error: troubles.append(f"uncaught: {error}"))
        page.on("console", note_message)
        words = "&".join(f"{name}={value}" for name, value in ({"__theme": theme} | query).items())
        page.goto(url if url.startswith("file:") else f"{url}?{words}")
        page.wait_for_selector(wait)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def real_page():
    """The address of `python app.py`, as a person starts it."""
    from browsing import serving

    from smile.paths import MODELS

    if not MODELS.joinpath("instruct-pix2pix").is_dir():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("The bundled weights are not there.")
    with serving() as url:
        yield url
