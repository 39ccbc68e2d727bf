"""Runs outlive their page: carried out by one event, followed by any number of pages, found again by their number."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import gradio as gr
import pytest
from asking import INPUTS, Step, build_edit_tab, read, skipped
from tiny import FakeBackend, FakeEmbedder

from smile import Explanation, InputError
from smile.ui import kept as kept_store
from smile.ui import machine, texts
from smile.ui.events import take_notice_away
from smile.ui.kept import Kept, Run
from smile.ui.sections import kept_runs

SCOPE = {"type": "http", "headers": [], "client": ("198.51.100.9", 1)}
REQUEST = SimpleNamespace(request=SimpleNamespace(scope=SCOPE), session_hash="one page")
OTHER = SimpleNamespace(request=SimpleNamespace(scope=SCOPE), session_hash="another page")


def run_apart(waiting):
    """What the coroutine returns; in a thread of its own, because Playwright leaves a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, waiting).result(60)


class World:
    """A page whose editor makes one edit at a time, each when it is let."""

    def __init__(self, picture_file):
        world, self.turns, self.hold = self, threading.Semaphore(0), False

        class OneByOne(FakeBackend):
            batch_size = 1

            def one(self, image, text, seed):
                if world.hold:
                    world.turns.acquire(timeout=60)
                return super().one(image, text, seed)

        self.tab = build_edit_tab(lambda *named: (OneByOne(*named), FakeEmbedder()))
        self.runs, self.answer, self.form = self.tab.kept, self.tab.answer, self.tab.form
        self.answer.engine.load()
        self.picture, self.hold = picture_file, True

    def values(self, before="", **changes):
        asked = dict.fromkeys(self.form.fields) | {"picture": self.picture} | INPUTS | changes
        return {self.form.fields[name]: value for name, value in asked.items()} | {self.runs.number: before}

    def begin(self, before="", **changes) -> str:
        """A click on Explain: the number of its run."""
        begun = self.runs.begin_explaining(self.values(before, **changes), REQUEST)
        assert begun[self.runs.number]["waiting"]
        return begun[self.runs.number]["value"]

    def carry_out(self, number) -> threading.Thread:
        thread = threading.Thread(target=self.runs.carry_out, args=(number,), daemon=True)
        thread.start()
        return thread

    def let(self, edits=200):
        self.turns.release(edits)

    def shown(self, number, page=OTHER) -> Step:
        """All that a page that comes now is told at once."""

        async def first():
            following = self.runs.follow(number, page)
            try:
                return await anext(following)
            finally:
                await following.aclose()

        return read(self.runs.follow, run_apart(first()))

    def followed(self, number, page=OTHER) -> list[Step]:
        """What a page is told until the end."""

        async def whole():
            return [changes async for changes in self.runs.follow(number, page)]

        return [read(self.runs.follow, changes) for changes in run_apart(whole())]

    def await_edits(self, number, count):
        run = self.runs.kept.find(number)
        for _ in range(6000):
            shown = run.get(self.answer.shown)
            if isinstance(shown, Explanation) and shown.done >= count:
                return shown
            time.sleep(0.01)
        raise AssertionError(f"there are not {count} edits")


@pytest.fixture
def world(picture_file, monkeypatch):
    monkeypatch.setattr(kept_runs, "LOOKED_EVERY", 0.005)
    world = World(picture_file)
    yield world
    world.let()


def test_a_run_goes_on_when_its_page_goes_away_and_is_found_again(world):
    number = world.begin()
    going = world.carry_out(number)
    world.let(3)
    assert world.await_edits(number, 2).provisional
    first = world.shown(number)  # a page that looks, and goes away
    assert first["view"]["notice"] == {} and first["view"]["value"]["running"] and first["answered"]
    found = read(world.runs.find_again, world.runs.find_again(number))
    assert found["number"]["value"] == number and not found["number"]["waiting"]
    assert found["instruction"] == INPUTS["instruction"] and found["picture"] == world.picture
    assert found["stop_button"]["interactive"] and not found["explain_button"]["interactive"]
    world.let()
    *_, last = world.followed(number)
    going.join(60)
    assert "Done: 29 edits" in last["progress"] and last["explain_button"]["interactive"]
    again = world.shown(number)  # a page that comes when all is over
    assert "Done: 29 edits" in again["progress"] and not again["shown"].provisional
    assert again["view"]["value"]["words"] == INPUTS["instruction"].split()
    found = read(world.runs.find_again, world.runs.find_again(number))
    assert skipped(found["stop_button"]) and skipped(found["progress"]) and not found["number"]["waiting"]


def test_what_is_found_again_answers_the_form_as_it_is_filled_in(world):
    number = world.begin(seed=7, steps=30, noise_seeds=1)
    world.let()
    world.runs.carry_out(number)
    filled, form = world.runs.find_again(number), world.form
    values = {part: filled.get(part) for part in form.signed.values()} | {
        world.answer.answered: world.shown(number)["answered"]
    }
    values = {part: value["value"] if isinstance(value, dict) else value for part, value in values.items()}
    assert world.answer.settle(values)["notice"] == {}
    assert world.answer.settle(values | {form.seed: 8})["notice"]["kind"] == "stale"


def test_stop_ends_it_by_its_number_from_any_page(world):
    number = world.begin()
    going = world.carry_out(number)
    world.let(3)
    shown = world.await_edits(number, 2)
    now = read(world.runs.stop, world.runs.stop(number, world.picture, shown, None))
    assert "Stopped after" in now["progress"] and now["explain_button"]["interactive"]  # at once
    world.let(1)  # the batch in hand
    going.join(60)
    assert not going.is_alive() and world.answer.engine._in_use.acquire(timeout=1)
    world.answer.engine._in_use.release()
    *_, last = world.followed(number)
    assert "Stopped after" in last["progress"] and "stopped" in last["view"]["value"]["note"]
    assert 2 <= last["shown"].done <= 4


def test_a_run_that_waits_is_carried_out_by_the_page_that_comes_back(world):
    number = world.begin()
    assert read(world.runs.find_again, world.runs.find_again(number))["number"]["waiting"]  # its event is lost
    world.let()
    world.runs.carry_out(number)
    made = len(world.answer.engine.load()[0].calls)
    world.runs.carry_out(number)  # a second event of the same run
    assert len(world.answer.engine.load()[0].calls) == made
    assert "Done" in world.shown(number)["progress"]


def test_a_run_that_waits_is_stopped_at_once(world):
    number = world.begin()
    world.runs.stop(number, world.picture, None, None)
    calls = list(world.answer.engine.load()[0].calls)
    world.runs.carry_out(number)
    assert world.answer.engine.load()[0].calls == calls
    (last,) = world.followed(number)
    assert "before the first edit" in last["progress"] and last["explain_button"]["interactive"]


def test_a_run_that_was_not_let_in_never_begins_and_one_that_was_goes_on(world):
    refused, begun = world.begin(), world.begin()
    world.let()
    world.runs.carry_out(begun)
    said = read(world.runs.give_up, world.runs.give_up(refused, world.picture, None, None))
    assert "before the first edit" in said["progress"] and said["explain_button"]["interactive"]
    assert world.runs.kept.find(refused).ended and not world.runs.kept.find(refused).take()
    assert skipped(world.runs.give_up(begun, world.picture, None, None)) and "Done" in world.shown(begun)["progress"]
    assert skipped(world.runs.give_up("no such run", world.picture, None, None))


def test_another_run_of_the_same_page_ends_the_one_before(world):
    first = world.begin()
    going = world.carry_out(first)
    world.let(2)
    world.await_edits(first, 1)
    second = world.begin(before=first)
    world.let()
    going.join(60)
    assert "Stopped after" in world.shown(first)["progress"] and second != first
    assert world.followed(first, page=REQUEST) == []  # it shows the second
    world.runs.carry_out(second)
    assert "Done" in world.shown(second)["progress"]


@pytest.mark.parametrize(("awaited", "lent", "ends"), [(False, False, False), (True, False, True), (False, True, True)])
def test_a_run_that_nobody_follows_ends_where_others_wait(world, monkeypatch, awaited, lent, ends):
    monkeypatch.setattr(kept_store, "PATIENCE", -1 if awaited else 3600)
    monkeypatch.setattr(kept_store, "LENT", -1)
    monkeypatch.setattr(machine, "ZERO_GPU", lent)
    monkeypatch.setattr(kept_runs, "is_awaited", lambda: awaited)
    number = world.begin()
    world.let()
    world.runs.carry_out(number)
    said = world.shown(number)["progress"]
    assert (texts.ABANDONED in said and "Stopped" in said) if ends else "Done" in said


def test_a_run_that_is_followed_does_not_end_for_others(monkeypatch):
    monkeypatch.setattr(kept_store, "PATIENCE", -1)
    run = Run(iter, {})
    assert run.is_abandoned(awaited=True) and not run.is_abandoned(awaited=False)
    with run.followed():
        assert not run.is_abandoned(awaited=True)
    assert run.is_abandoned(awaited=True)


def test_nobody_waits_outside_of_a_queue():
    assert kept_runs.is_awaited() is False


@pytest.mark.parametrize("number", ["", "no-such-run", None, 7, ["x"], {"a": 1}])
def test_an_unknown_number_is_one_sentence(world, number):
    with pytest.raises(InputError, match="not kept any more"):
        world.runs.find_again(number)
    world.runs.carry_out(number)
    assert all(step == Step() for step in world.followed(number))
    assert "before the first edit" in read(world.runs.stop, world.runs.stop(number, None, None, None))["progress"]
    request = SimpleNamespace(query_params={"run": number})
    said = read(world.tab.saved_runs.follow_link, world.tab.saved_runs.follow_link(request))
    assert texts.RUN_FORGOTTEN in said["progress"] and skipped(said["view"])


def test_a_bug_frees_the_place_and_the_pages(world, caplog):
    def broken(values):
        yield {}
        raise RuntimeError("secret detail")

    number = world.runs.kept.add(Run(broken, world.values()))
    with pytest.raises(RuntimeError):
        world.runs.carry_out(number)
    assert world.runs.kept.find(number).ended and world.followed(number)


def test_the_first_drawing_is_no_old_answer_and_a_refusal_stays_one():
    assert take_notice_away({"words": []}) == gr.update(value={"words": []}, notice={})
    assert take_notice_away(None) == gr.update(value=None, notice={})
    refused = gr.update(notice={"kind": "refused", "text": "It is empty."})
    assert take_notice_away(refused) is refused


def ended(visitor="", size=0, **state):
    run = Run(iter, {}, visitor)
    run.publish({"view": "x" * size})
    run.end()
    for name, value in state.items():
        setattr(run, name, value)
    return run


def numbers(kept, runs):
    return [number for number, run in enumerate(runs) if kept.find(run.number)]


def test_what_is_kept_has_an_end(monkeypatch):
    monkeypatch.setattr(kept_store, "RUNS", 5)
    monkeypatch.setattr(kept_store, "OF_VISITOR", 3)
    monkeypatch.setattr(kept_store, "BYTES", 1000)
    kept, runs = Kept(), [ended("a") for _ in range(4)]
    for run in runs:
        kept.add(run)
    assert numbers(kept, runs) == [1, 2, 3]  # of one visitor, the oldest first
    runs += [ended("b"), ended("b"), ended("c")]
    for run in runs[4:]:
        kept.add(run)
    assert numbers(kept, runs) == [2, 3, 4, 5, 6]  # of all
    runs.append(ended("d", size=900))
    kept.add(runs[-1])
    assert numbers(kept, runs) == [3, 4, 5, 6, 7]
    runs.append(ended("e", size=5000))
    kept.add(runs[-1])
    assert numbers(kept, runs) == [8]  # more than fits, but somebody looks at it
    going = ended("f", size=5000, ended=False)
    runs += [going, ended("g")]
    for run in runs[9:]:
        kept.add(run)
    assert numbers(kept, runs) == [9, 10]  # what runs stays


def test_what_is_old_is_forgotten_unless_somebody_looks_on(monkeypatch):
    kept, runs = Kept(), [ended(), ended(), ended()]
    for run in runs:
        kept.add(run)
    monkeypatch.setattr(kept_store, "SECONDS", -1)
    with runs[1].followed():
        kept_store.forget_old()  # as the page does from time to time
        assert numbers(kept, runs) == [1]
    assert numbers(kept, runs) == []
    assert len({run.number for run in runs}) == 3 and all(len(run.number) >= 22 for run in runs)
