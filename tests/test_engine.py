"""The models behind the page: loaded once, dropped for good, never changed by a run."""

import gc
import sys
import threading
import types
import weakref

import psutil
import pytest
from tiny import FakeBackend, FakeEmbedder, fake_models, picture

from smile import InputError, load_editor
from smile.__main__ import main
from smile.editors import EDITORS, Entry
from smile.page import engine as page_engine
from smile.page.actions import Actions
from smile.page.engine import Engine, Request
from smile.page.estimate import here, is_bundled

ALL = [(name, weights) for name, entry in EDITORS.items() for weights in entry.weights]


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    monkeypatch.setattr(page_engine, "device", lambda: "cpu")


class Counted:
    """`fake_models` that knows which editors are in memory."""

    def __init__(self):
        self.calls, self.alive = [], weakref.WeakSet()

    def __call__(self, name, weights):
        self.calls.append((name, weights))
        editor, embedder = fake_models(name, weights)
        self.alive.add(editor)
        return editor, embedder

    def in_memory(self):
        gc.collect()
        return {(editor.name, editor.weights) for editor in self.alive}


def ask(name, weights="auto", **changes):
    region = picture().convert("L").point(lambda _: 255) if EDITORS[name].region else None
    return Request(picture(), "snow", editor=name, weights=weights, region=region, **changes)


def finished(engine, request):
    *_, last = engine.explain(request)
    return last


def test_each_set_is_loaded_once_and_auto_is_one_of_them():
    load = Counted()
    engine = Engine(load)
    threads = [threading.Thread(target=engine.models, args=["inpaint"]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.models("inpaint", "bundled") is engine.models("inpaint", "auto")
    assert load.calls == [("inpaint", "bundled")]
    assert engine.ready("inpaint") and not engine.ready("inpaint", "full") and not engine.ready("img2img-turbo")


def test_auto_is_the_first_full_set_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(page_engine, "device", lambda: "cuda")
    taken = {name: Engine(fake_models).taken(name, "auto") for name in EDITORS}
    assert taken == {"instruct-pix2pix": "full", "img2img-turbo": "edge_to_image", "inpaint": "full"}


def test_bundled_sets_stay_and_of_the_full_ones_there_is_one():
    load = Counted()
    engine, last_full = Engine(load), set()
    for name, weights in ALL * 2:
        finished(engine, ask(name, weights))
        last_full = last_full if is_bundled(weights) else {(name, weights)}
        assert load.in_memory() == {each for each in load.calls if is_bundled(each[1])} | last_full
    assert all(load.calls.count(each) == 1 for each in ALL if is_bundled(each[1]))


def test_the_old_full_set_is_freed_before_the_new_one_is_read():
    seen = []

    class Watching(Counted):
        def __call__(self, *names):
            seen.append(self.in_memory())
            return super().__call__(*names)

    engine = Engine(Watching())
    for name in ("instruct-pix2pix", "inpaint"):
        finished(engine, ask(name, "full"))
    assert seen == [set(), set()]


def test_a_failed_load_leaves_nothing_behind():
    load = Counted()

    def failing(name, weights):
        editor, _ = load(name, weights)
        raise InputError(f"{editor.name} cannot be loaded.")

    engine = Engine(failing)
    for _ in range(3):
        with pytest.raises(InputError, match="cannot be loaded"):
            list(engine.loading("inpaint", "full"))
    assert load.in_memory() == set()


@pytest.mark.slow
def test_switching_ten_times_leaves_memory_where_it_was():
    engine, process, sizes = Engine(), psutil.Process(), []
    for _ in range(10):
        for name in EDITORS:
            finished(engine, ask(name, "bundled"))
        gc.collect()
        sizes.append(process.memory_info().rss)
    assert max(sizes[1:]) < 1.05 * sizes[0], sizes


def test_every_set_that_is_called_bundled_is_here():
    assert all(here(name, weights) for name, weights in ALL if is_bundled(weights))


def test_settings_never_change_the_shared_editor():
    engine = Engine(fake_models)
    assert finished(engine, ask("instruct-pix2pix", settings={"steps": 50})).settings["editor_settings"] == {"steps": 50}
    assert engine.models()[0].settings == {"steps": 10}
    with pytest.raises(InputError, match="from 1 to 200"):
        finished(engine, ask("instruct-pix2pix", settings={"steps": 0}))


def test_options_reach_the_method():
    engine, options = Engine(fake_models), {"seeds": 2, "noise_seeds": 1, "reference": "input", "surrogate": "ridge"}
    explanation = finished(engine, ask("instruct-pix2pix", options=options))
    assert {name: explanation.settings[name] for name in options} == options and explanation.done == 2 * 2 + 1


def test_measured_seconds_scale_with_the_steps():
    engine = Engine(fake_models)
    assert engine.seconds_per_edit("inpaint", "bundled", {}) is None
    engine.models("inpaint")
    assert engine.seconds_per_edit("inpaint", "bundled", {"steps": 20}) == pytest.approx(
        2 * engine.seconds_per_edit("inpaint", "bundled", {})
    )


def test_full_weights_are_measured_on_one_step():
    steps = []

    class Recording(FakeBackend):
        def edit(self, *arguments, **options):
            steps.append(self.settings["steps"])
            return super().edit(*arguments, **options)

    engine = Engine(lambda *names: (Recording(*names), FakeEmbedder()))
    engine.models("instruct-pix2pix", "full")
    assert set(steps) == {1}
    engine.models("instruct-pix2pix", "bundled")
    assert set(steps[2:]) == {10}


def test_a_space_without_a_gpu_offers_what_it_can_run(monkeypatch):
    monkeypatch.setattr(page_engine, "SPACE", True)
    actions = Actions(Engine(fake_models))
    for name in EDITORS:
        weights = actions.choose(name)["weights"]
        assert all(value == "auto" or value.startswith("bundled") for _, value in weights["choices"])
        assert "need a GPU" in weights["info"]
    with pytest.raises(InputError, match="no weights “full”"):
        actions.engine.models("instruct-pix2pix", "full")


FOURTH = """
from PIL import ImageEnhance


class Darken:
    name, weights, device = "darken", "none", "cpu"

    def edit(self, image, texts, *, seed, region=None):
        return [ImageEnhance.Brightness(image).enhance(0.4 if "night" in text else 1) for text in texts]


def load(weights="auto", device=None):
    return Darken()
"""


def test_a_fourth_editor_is_one_file_and_one_line(monkeypatch, capsys, tmp_path):
    module = types.ModuleType("smile.editors.darken")
    exec(FOURTH, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(EDITORS, "darken", Entry("darken", ("none",)))

    assert load_editor("darken").name == "darken"

    picture().save(tmp_path / "in.png")
    asked = ["--image", str(tmp_path / "in.png"), "--instruction", "make it night", "--out", str(tmp_path / "out")]
    assert main(["explain", *asked, "--editor", "darken", "--embedder", "bundled"]) == 0
    assert "“night”" in capsys.readouterr().out
    assert main(["editors"]) == 0 and "darken" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    assert "darken" in capsys.readouterr().out

    import app

    page = app.build(Engine(lambda name, weights: (load_editor(name, weights), FakeEmbedder())))
    (radio,) = [block for block in page.blocks.values() if getattr(block, "elem_id", None) == "editor"]
    assert [value for _, value in radio.choices] == list(EDITORS)
    engine = Engine(lambda name, weights: (load_editor(name, weights), FakeEmbedder()))
    assert "night" in finished(engine, Request(picture(), "make it night", editor="darken")).finding
    *_, (said, *settings) = Actions(engine).plan("make it night", 8, "darken", "auto")
    assert "darken on the CPU" in said and not any(setting["visible"] for setting in settings)


def test_a_set_that_was_dropped_between_loading_and_running_is_loaded_again():
    class Forgetful(Engine):
        def models(self, *names):
            found = super().models(*names)
            if len(load.calls) == 1:
                self._shelf.clear()
            return found

    load, done = Counted(), []
    engine = Forgetful(load)
    run = threading.Thread(target=lambda: done.append(finished(engine, ask("inpaint", "full"))), daemon=True)
    run.start()
    run.join(60)
    assert done and load.calls == [("inpaint", "full")] * 2
