"""Img2Img-Turbo's checkpoints downloaded, from a server on loopback and from none."""

import contextlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from turbo import tensors

from smile import InputError, load_editor
from smile.models.editors import checkpoint, img2img_turbo
from smile.models.editors.checkpoint import fetch
from smile.models.editors.img2img_turbo import load


class Server(ThreadingHTTPServer):
    """One file. `ranges`: serves parts; `tag`: its version; `cut`: closes after so many bytes; `status`; `delay`: seconds."""

    daemon_threads = True
    content, ranges, tag, cut, status, delay = b"", True, '"1"', None, 200, 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}/models/edge.pkl"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        assert self.headers["Accept-Encoding"] == "identity"
        time.sleep(server.delay)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if not server.ranges or self.headers.get("If-Range") != server.tag:
            start = 0
        total, status = len(server.content), server.status
        if start >= total > 0:
            status, start = 416, total
        elif start:
            status = 206
        self.send_response(status)
        self.send_header("Content-Length", str(total - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(server.content[start : server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    server = Server()
    server.content = np.random.default_rng(0).bytes(300_000)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def not_fetched(url, match):
    with pytest.raises(InputError, match=match) as caught:
        fetch(url)
    assert "\n" not in str(caught.value) and 'weights="bundled"' in str(caught.value)


def left(path):
    return sorted(file.suffix for file in path.parent.iterdir() if file.suffix != ".lock")


def test_download_once(server, capfd):
    path = fetch(server.url)
    assert path.read_bytes() == server.content and path.name.endswith("-edge.pkl") and left(path) == [".pkl"]
    assert "edge.pkl" in capfd.readouterr().err
    assert fetch(server.url) == path and server.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_taken_up_again(server, ranges):
    server.cut, server.ranges = 100_000, ranges
    not_fetched(server.url, "could not be downloaded")
    server.cut = None
    path = fetch(server.url)
    assert server.asked == [None, "bytes=100000-"]
    assert path.read_bytes() == server.content and left(path) == [".pkl"]


def interrupt(server):
    server.cut = 100_000
    not_fetched(server.url, "could not be downloaded")
    server.cut = None


def test_a_part_of_another_version_is_thrown_away(server):
    interrupt(server)
    server.content, server.tag = server.content[::-1], '"2"'
    assert fetch(server.url).read_bytes() == server.content


@pytest.mark.parametrize("tag", [None, 'W/"1"'])
def test_without_a_version_to_go_by_nothing_is_taken_up(server, tag):
    server.tag = tag
    interrupt(server)
    assert fetch(server.url).read_bytes() == server.content and server.asked == [None, None]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server):
    interrupt(server)
    server.content = server.content[:50_000]
    assert fetch(server.url).read_bytes() == server.content and server.asked == [None, "bytes=100000-", None]


def test_a_range_that_was_not_asked_for_is_thrown_away(server, monkeypatch):
    interrupt(server)
    send, wrong = Handler.send_header, "bytes 5-299999/300000"
    header = lambda self, name, value: send(self, name, wrong if name == "Content-Range" else value)  # noqa: E731
    monkeypatch.setattr(Handler, "send_header", header)
    assert fetch(server.url).read_bytes() == server.content and server.asked[-1] is None


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_length_that_is_not_the_announced_one(server, monkeypatch, extra):
    from huggingface_hub.utils import httpx

    @contextlib.contextmanager
    def careless(*_, **__):  # a client that does not count
        body = [b"x" * (10 + extra)]
        yield SimpleNamespace(status_code=200, headers={"Content-Length": "10"}, raise_for_status=int, iter_raw=body.copy)

    monkeypatch.setattr(httpx, "stream", careless)
    not_fetched(server.url, "10 bytes were announced")


def test_no_file_there(server):
    server.status = 404
    not_fetched(server.url, "404")
    server.status = 500
    not_fetched(server.url, "500")
    server.status = 200
    assert fetch(server.url).read_bytes() == server.content


def test_nobody_there_and_nobody_who_answers(server, monkeypatch):
    monkeypatch.setattr(checkpoint, "PATIENCE", 0.3)
    began = time.perf_counter()
    not_fetched("http://127.0.0.1:1/edge.pkl", "connect to the network")
    server.delay = 60
    not_fetched(server.url, "timed out")
    assert time.perf_counter() - began < 30


def test_offline(server, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    not_fetched(server.url, "HF_HUB_OFFLINE is set")
    assert server.asked == []


def test_two_at_a_time_download_once(server):
    server.delay = 0.2
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(server.url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and server.asked == [None] and found[0].read_bytes() == server.content


def test_published_names(server, sd_turbo, published, monkeypatch):
    monkeypatch.setattr(img2img_turbo, "BASE", str(sd_turbo))
    for name, kind in (("edge_to_image", "edges"), ("full", "edges"), ("sketch_to_image_stochastic", "sketch")):
        server.content = published[kind][1].read_bytes()
        monkeypatch.setitem(img2img_turbo.PUBLISHED, "edge_to_image" if name == "full" else name, f"{server.url}?{kind}")
        editor = load_editor("img2img-turbo", weights=name)
        assert (editor.weights, editor.control, editor.working_size) == (name, kind, 512)
    assert editor.settings == {"gamma": 0.4}
    assert (tensors(editor, ["snow"]) - tensors(load(published["sketch"][1], base=sd_turbo), ["snow"])).abs().max() == 0
