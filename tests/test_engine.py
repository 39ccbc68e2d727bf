"""The models behind the page: loaded once, dropped for good, never changed by a run."""

import gc
import threading
import weakref
from dataclasses import replace

import psutil
import pytest
from asking import build_edit_tab
from tiny import FakeBackend, FakeEmbedder, fake_models, picture

from smile import InputError
from smile.models.editors import EDITORS
from smile.models.hub import is_bundled
from smile.ui import machine
from smile.ui import zero_gpu as page_zero_gpu
from smile.ui.engine import Engine, Request
from smile.ui.zero_gpu import ZeroGpuEngine

ALL = [(name, weights) for name, entry in EDITORS.items() for weights in entry.weights]


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")


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
    region = picture().convert("L").point(lambda _: 255) if EDITORS[name].needs_region else None
    return Request(picture(), "snow", editor=name, weights=weights, region=region, **changes)


def finished(engine, request):
    *_, last = engine.explain(request)
    return last


def test_each_set_is_loaded_once_and_auto_is_one_of_them():
    load = Counted()
    engine = Engine(load)
    threads = [threading.Thread(target=engine.load, args=["inpaint"]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.load("inpaint", "bundled") is engine.load("inpaint", "auto")
    assert load.calls == [("inpaint", "bundled")]
    assert engine.is_loaded("inpaint") and not engine.is_loaded("inpaint", "full") and not engine.is_loaded("img2img-turbo")


def test_auto_is_the_first_full_set_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(machine, "find_device", lambda: "cuda")
    taken = {name: machine.resolve_weights(name, "auto") for name in EDITORS}
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
            list(engine.wait_for("inpaint", "full"))
    assert load.in_memory() == set()


@pytest.mark.nightly
def test_switching_ten_times_leaves_memory_where_it_was():
    engine, process, sizes = Engine(), psutil.Process(), []
    for _ in range(10):
        for name in EDITORS:
            finished(engine, ask(name, "bundled"))
        gc.collect()
        sizes.append(process.memory_info().rss)
    assert max(sizes[1:]) < 1.05 * sizes[0], sizes


def test_every_set_that_is_called_bundled_is_here():
    assert all(EDITORS[name].is_downloaded(weights) for name, weights in ALL if is_bundled(weights))


def test_settings_never_change_the_shared_editor():
    engine = Engine(fake_models)
    assert finished(engine, ask("instruct-pix2pix", settings={"steps": 50})).settings["editor_settings"] == {"steps": 50}
    assert engine.load()[0].settings == {"steps": 10}
    with pytest.raises(InputError, match="from 1 to 200"):
        finished(engine, ask("instruct-pix2pix", settings={"steps": 0}))


def test_options_reach_the_method():
    engine, options = Engine(fake_models), {"seeds": 2, "noise_seeds": 1, "reference": "input", "surrogate": "ridge"}
    explanation = finished(engine, ask("instruct-pix2pix", options=options))
    assert {name: explanation.settings[name] for name in options} == options and explanation.done == 2 * 2 + 1


def test_measured_seconds_scale_with_the_steps():
    engine = Engine(fake_models)
    assert engine.estimate_edit_seconds("inpaint", "bundled", {}) is None
    engine.load("inpaint")
    assert engine.estimate_edit_seconds("inpaint", "bundled", {"steps": 20}) == pytest.approx(
        2 * engine.estimate_edit_seconds("inpaint", "bundled", {})
    )


def test_full_weights_are_measured_on_one_step():
    steps = []

    class Recording(FakeBackend):
        def edit(self, *arguments, **options):
            steps.append(self.settings["steps"])
            return super().edit(*arguments, **options)

    engine = Engine(lambda *names: (Recording(*names), FakeEmbedder()))
    engine.load("instruct-pix2pix", "full")
    assert set(steps) == {1}
    engine.load("instruct-pix2pix", "bundled")
    assert set(steps[2:]) == {10}


def test_a_space_without_a_gpu_offers_what_it_can_run(monkeypatch):
    monkeypatch.setattr(machine, "SPACE", True)
    form = build_edit_tab().form
    for name in EDITORS:
        weights = form.describe_choice(name)["weights"]
        assert all(value == "auto" or value.startswith("bundled") for _, value in weights["choices"])
        assert "need a GPU" in weights["info"]
    with pytest.raises(InputError, match="no weights “full”"):
        form.engine.load("instruct-pix2pix", "full")


def test_a_set_that_was_dropped_between_loading_and_running_is_loaded_again():
    class Forgetful(Engine):
        def load(self, *names):
            found = super().load(*names)
            if len(load.calls) == 1:
                self._loaded.clear()
            return found

    load, done = Counted(), []
    engine = Forgetful(load)
    run = threading.Thread(target=lambda: done.append(finished(engine, ask("inpaint", "full"))), daemon=True)
    run.start()
    run.join(60)
    assert done and load.calls == [("inpaint", "full")] * 2


# What was made before


class Known(FakeBackend):
    """A backend whose edits have an identity, and that counts how often it is asked."""

    revision = "1"


def counting(kind=Engine):
    """An engine, and the texts that its editors were asked for."""
    asked = []

    class Asked(Known):
        def edit(self, image, texts, *, seed, region=None):
            asked.extend((seed, text) for text in texts)
            return super().edit(image, texts, seed=seed, region=region)

    engine = kind(lambda *names: (Asked(*names), FakeEmbedder()))
    engine.load()
    asked.clear()
    return engine, asked


def test_another_distance_and_more_edits_pay_only_for_new_texts():
    engine, asked = counting()
    request = Request(picture(), "please make it snow at night", edits=16)
    first = finished(engine, request)
    assert len(asked) == first.done
    other = finished(engine, replace(request, options={"distance": "cosine", "surrogate": "ridge"}))
    assert len(asked) == first.done and other.settings["distance"] == "cosine"
    more = finished(engine, replace(request, edits=32))
    assert len(asked) == len(set(asked)) == first.done + len(set(more.texts) - set(first.texts))
    shared = (0, "") in asked  # the one text that other words have too
    for image, text, found in ((picture().rotate(180), "please make it snow at night", 0), (picture(), "paint a car", shared)):
        before = len(asked)
        made = finished(engine, Request(image, text, edits=8))
        assert len(set(asked[before:])) == len(asked) - before == made.done - found


def test_what_was_made_before_does_not_make_edits_look_fast():
    engine, asked = counting()
    request = Request(picture(), "please make it snow at night")
    finished(engine, request)
    engine._seconds["instruct-pix2pix", "bundled"] = 7.0
    finished(engine, request)
    assert engine._seconds["instruct-pix2pix", "bundled"] == 7.0


@pytest.fixture
def zero_gpu(monkeypatch):
    """An engine as ZeroGPU has it, the turns on the GPU that were asked for, and the edits that were made in them."""
    monkeypatch.setattr(machine, "find_device", lambda: "cuda")
    turns = []

    def lent(number, request, explanation, known, seconds):
        turns.append((seconds, len(known)))
        yield from page_zero_gpu.run_turn(number, request, explanation, dict(known), seconds)

    monkeypatch.setattr(page_zero_gpu, "edit_in_fork", lent)
    engine, asked = counting(ZeroGpuEngine)
    return engine, turns, asked


def test_what_one_turn_has_made_the_next_explanation_has(zero_gpu):
    engine, turns, asked = zero_gpu
    request = Request(picture(), "please make it snow at night")
    first = finished(engine, request)
    finished(engine, replace(request, options={"distance": "cosine"}))
    assert len(asked) == first.done and [known for _, known in turns] == [0, first.done]
    assert page_zero_gpu.FORK == turns[1][0] < turns[0][0], "nothing is asked of the GPU but to embed"
    assert (
        engine.count_gpu_seconds(request, known=engine.cache.list_held(engine._group_edits(request, None)))
        == page_zero_gpu.FORK
    )


def test_a_long_run_takes_turns_and_says_the_same(zero_gpu, monkeypatch):
    engine, turns, asked = zero_gpu
    now, pace = [0.0], [3.0]

    class Slow(Known):
        def edit(self, image, texts, **how):
            now[0] += pace[0] * len(texts)
            asked.extend(texts)
            return super().edit(image, texts, **how)

    monkeypatch.setattr(page_zero_gpu.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(page_zero_gpu, "FORK", 0)
    monkeypatch.setattr(engine, "_load", lambda *names: (Slow(*names), FakeEmbedder()))
    engine._loaded.clear()
    engine._seconds.clear()
    request = Request(picture(), "please make it snow at night", edits=32)
    monkeypatch.setattr(engine, "estimate_edit_seconds", lambda *_: pace[0])
    steps = list(engine.explain(request))
    assert [known for _, known in turns] == [0, 17] and all(seconds <= page_zero_gpu.GPU_TURN for seconds, _ in turns), turns
    assert len(asked) == len(set(asked)) + 4 == steps[-1].total == steps[-1].done  # the full text under five seeds
    assert [step.done for step in steps] == sorted(step.done for step in steps) and not steps[-1].provisional
    alone = finished(Engine(lambda *names: (Known(*names), FakeEmbedder())), replace(request, weights="bundled"))
    same = ("words", "weights", "p_values", "texts", "distances", "maps")
    assert all(repr(getattr(steps[-1], name)) == repr(getattr(alone, name)) for name in same)

    turns.clear()
    pace[0] = 1.0
    measured = list(engine.measure(replace(request, seed=0), steps[-1]))
    assert len(turns) > 2 and measured[-1].done == measured[-1].total
    assert [step.done for step in measured] == sorted(step.done for step in measured)
    assert len(asked) - steps[-1].done == measured[-1].total


def test_what_would_never_end_is_refused_before_a_gpu_is_asked_for(zero_gpu):
    engine, turns, _ = zero_gpu
    text = "please make it snow at night in this picture"
    for request, said in (
        (Request(picture(), text, edits=200, settings={"steps": 150}), "minutes of the GPU, which is lent for at most 10"),
        (Request(picture(), text, options={"seeds": 20, "noise_seeds": 0}, settings={"steps": 200}), "minutes of the GPU"),
    ):
        with pytest.raises(InputError, match=said):
            list(engine.explain(request))
    engine._seconds["instruct-pix2pix", "full"] = 100.0
    with pytest.raises(InputError, match="A single edit would take longer|minutes of the GPU"):
        list(engine.explain(Request(picture(), "snow", edits=2, options={"noise_seeds": 0}, settings={"steps": 1})))
    assert not turns
