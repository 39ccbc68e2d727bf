"""What never comes back: the run's clock ends it for the visitor, and the next one is served; a GPU that is lost."""

import os
import sys
import threading

import pytest
from asking import ask, build_edit_tab
from tiny import FakeBackend, FakeEmbedder, FakeSegmenter, picture

from smile import InputError
from smile.ui import engine as page_engine
from smile.ui import machine, runs, texts
from smile.ui.engine import Engine, Request
from smile.ui.runs import TooLong, explain_in_time, measure_in_time
from smile.ui.worker import Hung, Worker

SECONDS = 2.0  # until a run is given up here


class World:
    """Models that hang in the place that is named, until the test is over; loaded anew they do not."""

    def __init__(self, place):
        self.place, self.over, self.loaded = place, threading.Event(), 0

    def hang(self, place):
        if self.place == place:
            self.over.wait(300)

    def load(self, *names):
        world, self.loaded = self, self.loaded + 1
        if self.loaded > 1:
            self.place = None

        class Hangs(FakeBackend):
            def edit(self, image, texts, *, seed, region=None):
                world.hang("the first edit" if len(texts) == 1 else "a batch")
                if seed:
                    world.hang("the noise seeds")
                return super().edit(image, texts, seed=seed, region=region)

        class Embeds(FakeEmbedder):
            def embed(self, images):
                world.hang("the embedder" if len(images) > 1 else "the embedding of the picture")
                return super().embed(images)

        return Hangs(*names), Embeds()


@pytest.fixture(params=["the first edit", "a batch", "the noise seeds", "the embedder", "the embedding of the picture"])
def world(request, monkeypatch):
    world = World(request.param)
    monkeypatch.setattr(machine, "SPACE", True)
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    monkeypatch.setattr(runs, "MAX_SECONDS", SECONDS)
    monkeypatch.setattr(Engine, "_warm_up", lambda *_: None)
    yield world
    world.over.set()


def test_the_clock_ends_it_for_the_visitor_and_the_next_one_is_served(world, picture_file):
    answer = build_edit_tab(world.load).answer
    *_, last = ask(answer.explain, picture_file)
    assert "longer than the page allows" in last["progress"] and last["explain_button"]["interactive"]
    runs.MAX_SECONDS = 600
    *_, last = ask(answer.explain, picture_file, instruction="make it snow")
    assert "Done" in last["progress"] and world.loaded == 2, "the models that hang are not used again"


def test_of_a_hung_batch_the_edits_before_stay(world, picture_file):
    if world.place != "a batch":
        pytest.skip("Nothing was made before.")
    answer, shown = build_edit_tab(world.load).answer, None
    for changes in ask(answer.explain, picture_file):
        shown = changes.get("shown") or shown
    assert shown.provisional and shown.done == 1


def test_measuring_ends_as_well():
    world = World(None)
    engine, request = Engine(world.load), Request(picture(), "make it snow")
    *_, done = engine.explain(request)
    world.place = "a batch"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "SPACE", True)
        patch.setattr(machine, "find_device", lambda: "cpu")
        patch.setattr(runs, "MAX_SECONDS", SECONDS)
        with pytest.raises(TooLong):
            list(measure_in_time(engine, request, done))
    world.over.set()
    assert list(explain_in_time(engine, request))[-1].weights.tolist() == done.weights.tolist()


def test_a_region_that_is_never_found(monkeypatch):
    over, found = threading.Event(), FakeSegmenter()

    class Hangs:
        def find(self, *_):
            over.wait(300)

    segmenters = iter([Hangs(), found])
    load = lambda *_: next(segmenters)  # noqa: E731
    load.cache_clear = lambda: None
    monkeypatch.setattr(page_engine, "_load_segmenter", load)
    monkeypatch.setattr(page_engine, "LONGEST_CALL", SECONDS)
    engine = Engine(World(None).load)
    with pytest.raises(InputError, match="not found in time"):
        engine.find_region(picture(), "the sky")
    assert engine.find_region(picture(), "the sky").getbbox() and engine.load()
    over.set()


def test_a_worker_hands_over_what_is_returned_and_raised():
    with Worker() as worker:
        assert worker.do(threading.current_thread, None) is not threading.current_thread()
        with pytest.raises(KeyError, match="x"):
            worker.do(lambda: {}["x"], 60)
        with pytest.raises(TimeoutError, match="its own"):
            worker.do(lambda: (_ for _ in ()).throw(TimeoutError("its own")), 60)
        over = threading.Event()
        with pytest.raises(Hung):
            worker.do(lambda: over.wait(300), 0)
        over.set()
        assert worker.hung


# A GPU that is lost


@pytest.mark.parametrize("said", ["CUDA error: device-side assert triggered", "CUDA error: unspecified launch failure"])
def test_the_page_starts_again_once_by_itself(said, monkeypatch, tmp_path):
    started = threading.Event()
    calls = []
    monkeypatch.setattr(machine, "restarts", True)
    monkeypatch.setattr(machine, "RESTART_AFTER", 0.0)
    monkeypatch.setattr(machine, "_restarting", threading.Event())
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "files"))
    (tmp_path / "files").mkdir()
    monkeypatch.setattr(os, "execv", lambda *command: (calls.append(command), started.set()))
    assert runs.describe_error(RuntimeError(said)) == texts.GPU_LOST == runs.describe_error(RuntimeError(said))
    assert started.wait(60) and calls == [(sys.executable, [sys.executable, *sys.orig_argv[1:]])]
    assert not (tmp_path / "files").exists() and "GRADIO_TEMP_DIR" not in os.environ


def test_where_it_is_no_program_of_its_own_nothing_is_started(monkeypatch):
    monkeypatch.setattr(machine, "_restarting", threading.Event())
    runs.describe_error(RuntimeError("CUDA error: device-side assert triggered"))
    monkeypatch.setattr(machine, "restarts", True)
    monkeypatch.setattr(machine, "ZERO_GPU", True)
    runs.describe_error(RuntimeError("CUDA error: device-side assert triggered"))
    assert not machine._restarting.is_set()


@pytest.fixture
def loads(monkeypatch):
    """Models whose first load blocks until the test is over; how many loads there were."""
    over, made = threading.Event(), []

    def load(*names):
        made.append(names)
        if len(made) == 1:
            over.wait(300)
        return FakeBackend(*names), FakeEmbedder()

    monkeypatch.setattr(page_engine, "LONGEST_LOAD", SECONDS)
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    load.over, load.made = over, made
    yield load
    over.set()


def test_loading_that_hangs_frees_the_visitor_and_the_next_one_loads_anew(loads, picture_file):
    answer = build_edit_tab(loads).answer
    *_, last = ask(answer.explain, picture_file)
    assert "Loading instruct-pix2pix did not end within 0 minutes, so it was given up" in last["progress"]
    assert last["explain_button"]["interactive"] and not last["stop_button"]["interactive"]
    page_engine.LONGEST_LOAD = 600
    *_, last = ask(answer.explain, picture_file, instruction="make it snow")
    assert "Done" in last["progress"] and len(loads.made) == 2


def test_what_was_given_up_is_dropped_when_it_comes_after_all(loads):
    engine = Engine(loads)
    with pytest.raises(InputError, match="did not end within"):
        engine.load_in_time("inpaint", "bundled")
    page_engine.LONGEST_LOAD = 600
    used = engine.load_in_time("inpaint", "bundled")
    late = engine._load_in_thread("inpaint", "bundled")
    loads.over.set()
    assert late.result(60) is used and engine.load("inpaint", "bundled") is used and len(loads.made) == 2


def test_a_download_has_more_time(loads, monkeypatch):
    engine = Engine(loads)
    monkeypatch.setattr("smile.models.registry.Entry.is_downloaded", lambda *_: False)
    assert engine._limit_loading("instruct-pix2pix", "bundled") == SECONDS
    assert engine._limit_loading("instruct-pix2pix", "full") == pytest.approx(SECONDS * (1 + 4.6))
