"""What one visitor may cost: memory of what is opened, bundles and files at a time, and who a visitor is."""

import os
import signal
import time
from collections import OrderedDict
from types import SimpleNamespace

import gradio as gr
import pytest
from bundles import run
from hostile.pictures import png
from tiny import FakeBackend, FakeEditor, fake_models, picture
from visitor import Visitor

from smile.models.cache import BLOCK, ENTRY, Cache
from smile.ui import machine, memory, middleware, texts


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
    assert size == 3 * 48 * 48 * (1 + len(one.edits) + len(one.noise_edits))
    assert memory.count_bytes({"a": one, "b": "sentence", "c": [one]}) == 2 * size and memory.count_bytes("x") == 0
    held = holder({1: one, 2: "words"}, {1: {"fake": one}}, {1: one})
    memory.forget_oldest(held, 3 * size)
    assert [session.state_data[1] for session in held.session_data.values()] == [one, {"fake": one}, one]
    memory.forget_oldest(held, 2 * size)
    assert [session.state_data[1] for session in held.session_data.values()] == [None, {"fake": one}, one]
    memory.forget_oldest(held, 0)  # who was here last keeps what is shown
    assert [session.state_data[1] for session in held.session_data.values()] == [None, None, one]
    assert held.session_data["0"].state_data[2] == "words"


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
