"""What one visitor may cost: memory of what is opened, bundles and files at a time, and who a visitor is."""

import os
import signal
import threading
import time
from collections import OrderedDict
from types import SimpleNamespace

import gradio as gr
import pytest
from bundles import run
from hostile.pictures import png
from tiny import FakeBackend, FakeEditor, FakeEmbedder, fake_models, picture
from visitor import Visitor

from smile import Explanation, InputError
from smile.models.cache import BLOCK, ENTRY, Cache
from smile.ui import kept, machine, memory, middleware, runs, texts, validation
from smile.ui.engine import Engine, Request
from smile.ui.estimate import count_edits


def scope(*forwarded, client="198.51.100.9"):
    return {"type": "http", "headers": [(b"x-forwarded-for", each.encode()) for each in forwarded], "client": (client, 1)}


@pytest.mark.parametrize(
    ("trusted", "forwarded", "visitor"),
    [
        (0, ["203.0.113.7"], "198.51.100.9"),  # on a laptop nobody is believed
        (1, ["203.0.113.7"], "203.0.113.7"),
        (1, ["1.1.1.1, 203.0.113.7"], "203.0.113.7"),  # the first is what the visitor says
        (1, ["1.1.1.1", "203.0.113.7"], "203.0.113.7"),  # the same in two lines
        (2, ["1.1.1.1, 203.0.113.7, 10.0.0.1"], "203.0.113.7"),
        (2, ["203.0.113.7"], "198.51.100.9"),  # it did not come through both
        (1, [""], "198.51.100.9"),
        (1, [], "198.51.100.9"),
    ],
)
def test_a_visitor_is_who_the_last_trusted_proxy_says(trusted, forwarded, visitor, monkeypatch):
    monkeypatch.setattr(machine, "TRUSTED_PROXIES", trusted)
    assert middleware.find_visitor(scope(*forwarded)) == visitor


def test_uploads_of_one_visitor_have_an_end_on_a_space(serve, monkeypatch):
    monkeypatch.setattr(machine, "SPACE", True)
    monkeypatch.setattr(machine, "TRUSTED_PROXIES", 1)
    monkeypatch.setattr(middleware, "UPLOADS", 4)
    monkeypatch.setattr(middleware, "_uploads", {})
    one = Visitor(serve(fake_models))
    one.http.headers["x-forwarded-for"] = "203.0.113.7"

    def upload(held):
        return one.http.post("gradio_api/upload", files={"files": ("a.png", held)})

    statuses = [upload(png()).status_code for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2 and upload(png()).json()["error"] == texts.ENOUGH_FILES
    one.http.headers["x-forwarded-for"] = "203.0.113.8"
    monkeypatch.setattr(middleware, "UPLOADED", 2000)
    assert upload(os.urandom(1500)).status_code == 200 and upload(os.urandom(1500)).status_code == 429
    assert upload(png()).status_code == 429
    assert set(middleware._uploads) == {"203.0.113.7", "203.0.113.8"}


@pytest.mark.parametrize("size", [10, 200_000, 5_000_000], ids=["tiny", "a picture", "a photograph in many parts"])
def test_a_file_is_one_file_in_however_many_parts_it_comes(serve, monkeypatch, size):
    monkeypatch.setattr(machine, "SPACE", True)
    monkeypatch.setattr(middleware, "UPLOADS", 3)
    monkeypatch.setattr(middleware, "_uploads", {})
    one = Visitor(serve(fake_models))

    def upload(number):
        return one.http.post(
            "gradio_api/upload", files=[("files", (f"{n}.png", os.urandom(size))) for n in range(number)]
        ).status_code

    assert [upload(1), upload(2), upload(1)] == [200, 200, 429]
    middleware._uploads.clear()
    assert upload(4) == 429  # also where all come at once


def test_a_name_across_two_parts_is_counted_once():
    for cut in range(60):
        upload = middleware.Upload(0.0)
        body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for part in (body[:cut], body[cut : cut + 3], body[cut + 3 :]):
            upload.add(part)
        assert (upload.files, upload.size) == (1, len(body))


def holder(*sessions):
    return SimpleNamespace(session_data=OrderedDict((str(n), SimpleNamespace(state_data=s)) for n, s in enumerate(sessions)))


def test_the_oldest_explanations_are_forgotten_and_nothing_else():
    one = run("make snow")
    size = memory.count_bytes(one)
    pictures = [one.image, *one.edits, *one.noise_edits, *one.extra_edits]
    assert one.extra_edits and size == 3 * 48 * 48 * len({id(picture) for picture in pictures})
    assert memory.count_bytes({"a": one, "b": "sentence", "c": [one]}) == size and memory.count_bytes("x") == 0
    assert memory.count_bytes([one, run("make rain")]) > size
    held = holder({1: one, 2: "words"}, {1: {"fake": one}}, {1: one})
    memory.forget_oldest(held, 3 * size)
    assert [session.state_data[1] for session in held.session_data.values()] == [one, {"fake": one}, one]
    memory.forget_oldest(held, 2 * size)
    assert [session.state_data[1] for session in held.session_data.values()] == [None, {"fake": one}, one]
    memory.forget_oldest(held, 0)  # who was here last keeps what is shown
    assert [session.state_data[1] for session in held.session_data.values()] == [None, None, one]
    assert held.session_data["0"].state_data[2] == "words"


def test_a_run_has_so_much_memory_on_a_space_and_hears_so_before_the_first_edit(monkeypatch):
    engine, made = Engine(fake_models), []
    monkeypatch.setattr(FakeBackend, "one", lambda editor, image, text, seed: made.append(text) or image)
    request = Request(picture(), "make it snow at night", edits=24)
    engine.load(request.editor, request.weights)  # which makes edits of its own
    count, size = sum(count_edits(5, 24, {})), 3 * 48 * 48
    made.clear()
    monkeypatch.setattr(machine, "SPACE", True)
    for most in (0, 2 * size, count * size):
        with pytest.raises(InputError, match=f"{count} edits of 48 x 48 pixels.* holds {most // size - 1} here"):
            next(runs.explain_in_time(engine, request, most))
    assert not made
    *_, last = runs.explain_in_time(engine, request, (count + 1) * size)
    assert not last.provisional and memory.count_bytes(last) <= (count + 1) * size
    monkeypatch.setattr(machine, "SPACE", False)  # on a machine of one's own
    assert next(runs.explain_in_time(engine, request, 0)).done == 1


def test_all_runs_of_a_comparison_have_together_what_one_has(monkeypatch):
    monkeypatch.setattr(machine, "SPACE", True)
    asked = {"picture": picture(), "instruction": "make it snow", "edits": None, "seed": 0, "options": {}}
    told = {name: step for name, _, step in runs.explain_with_all(Engine(fake_models), asked)}
    assert all(isinstance(step, Explanation) for step in told.values())
    monkeypatch.setattr(validation, "RUN_BYTES", sum(count_edits(3, None, {})) * 3 * 48 * 48)  # enough for one
    told = {name: step for name, _, step in runs.explain_with_all(Engine(fake_models), asked)}
    assert len(told) == 3 and all("pixels" in step and "fewer edits" in step for step in told.values())


def test_the_page_forgets_them_after_requests(serve, monkeypatch):
    seen = []
    monkeypatch.setattr(memory, "forget_oldest", lambda holder, most: seen.append((holder, most)))
    made, _ = Visitor(serve(fake_models)).explained()
    assert made and seen and all(most == middleware.HELD for _, most in seen)


def test_folders_of_other_living_pages_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ours, living, dead = (tmp_path / f"smile-page-{name}" for name in ("ourspage", "lives_42", "deaddead"))
    long_ago = time.time() - middleware.KEPT - 1
    for folder in (ours, living, dead):
        folder.mkdir()
        (folder / "old.png").write_bytes(b"x")
        for path in (folder / "old.png", folder):
            os.utime(path, (long_ago, long_ago))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(living))
    middleware.sweep()  # of the other page: its folder is fresh again, although nobody brings anything
    (living / "old.png").write_bytes(b"x")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(ours))
    ours.mkdir(exist_ok=True)
    middleware.sweep()
    assert living.exists() and (living / "old.png").exists() and not dead.exists() and ours.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_page_that_is_ended_leaves_no_folder(name, tmp_path):
    """Python then does what is to be done at the end, which a signal alone would keep it from."""
    number, folder = getattr(signal, name), tmp_path / "smile-page-abcd_123"
    folder.mkdir()
    ready, tell = os.pipe()
    if not (child := os.fork()):
        status = 1
        try:
            middleware.end_at_signals()
            os.write(tell, b"x")
            signal.pause()
        except SystemExit as end:
            middleware._remove_folder(str(folder), os.getpid())
            status = end.code
        finally:
            os._exit(status)
    os.read(ready, 1)
    os.kill(child, number)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + number and not folder.exists()
    for end in (ready, tell):
        os.close(end)


def test_blocked_edits_take_room_in_memory_and_on_disk(tmp_path):
    cache = Cache(memory_bytes=10 * ENTRY)
    editor = FakeEditor()
    group = cache.identify(editor, picture(), None)
    for number in range(50):
        cache.store(group, 0, f"text {number}", None)
    assert len(cache.list_held(group)) == 10 and cache._bytes == 10 * ENTRY
    on_disk = Cache(tmp_path, memory_bytes=0, disk_bytes=20 * BLOCK)

    class Known(FakeBackend):
        revision = "1"

    group = on_disk.identify(Known("instruct-pix2pix", "bundled"), picture(), None)
    for number in range(60):
        on_disk.store(group, 0, f"text {number}", None)
    assert 5 <= len(list(tmp_path.rglob("*.edit"))) <= 20


def test_a_button_for_files_is_never_empty_in_what_the_page_sends():
    """Else the handlers behind it would open nothing, and log a traceback."""
    for value in (None, "a.zip", [], {"url": "http://x"}):
        assert middleware._find_problem(gr.UploadButton(), value) == "must be a file that was uploaded"
    assert middleware._find_problem(gr.UploadButton(), {"path": "a.zip"}) == ""


@pytest.fixture
def abandoned(serve):
    """(visitor, number, let) of a run of theirs that has begun: the connection through which it was asked for is lost. `let`
    allows so many edits."""
    held, turns = threading.Event(), threading.Semaphore(0)

    class OneByOne(FakeBackend):
        batch_size = 1

        def one(self, image, text, seed):
            if held.is_set():
                turns.acquire(timeout=60)
            return super().one(image, text, seed)

    one = Visitor(serve(lambda *named: (OneByOne(*named), FakeEmbedder())))
    one.explained(edits=2)  # which loads, and learns how fast the editor is
    held.set()
    config = one.http.get("config").json()
    values = {each["id"]: each["props"].get("value") for each in config["components"]}
    function = next(each for each in one.functions if each["api_name"] == "begin_explaining")
    asked = {"data": [values[each] for each in function["inputs"]], "fn_index": function["id"], "session_hash": "a page"}
    begun = one.post("run/predict", asked).json()["data"][-1]
    assert begun["waiting"] and begun["value"]
    joined = one.post("queue/join", {"data": [begun["value"]], "fn_index": one.index("carry_out"), "session_hash": "a page"})
    assert joined.status_code == 200
    with one.http.stream("GET", "gradio_api/queue/data?session_hash=a page") as lines:
        next(line for line in lines.iter_lines() if "process_starts" in line)
    yield one, begun["value"], turns.release
    turns.release(1000)
    one.event("follow", [begun["value"]])


def test_a_run_whose_page_is_gone_still_counts_as_its_visitors(abandoned, monkeypatch):
    one, number, let = abandoned
    monkeypatch.setattr(machine, "SPACE", True)
    monkeypatch.setitem(middleware.PER_VISITOR, "editor", 1)
    assert one.explained() == (None, texts.ENOUGH)
    let(1000)
    last = one.event("follow", [number])[-1]
    assert any("Done" in str(each) for each in last)
    assert one.explained(edits=2)[1] is None


def test_a_run_whose_page_is_gone_makes_room_for_others_and_keeps_what_it_has(abandoned, monkeypatch):
    one, number, let = abandoned
    monkeypatch.setattr(kept, "PATIENCE", -1)
    told: list = []
    waiting = threading.Thread(target=lambda: told.append(one.explained(edits=2)))
    waiting.start()
    while waiting.is_alive() and not one.http.get("gradio_api/queue/status").json()["queue_size"]:
        time.sleep(0.01)
    let(1000)
    waiting.join(60)
    assert told[0][0] and told[0][1] is None
    assert texts.ABANDONED in str(one.event("follow", [number])[-1])
