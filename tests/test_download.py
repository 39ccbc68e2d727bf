"""Img2Img-Turbo's checkpoints downloaded, from a server on loopback and from none."""

import hashlib
import io
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from turbo import tensors

from smile import InputError, load_editor
from smile.models.editors import img2img_turbo
from smile.models.editors.checkpoint import download_checkpoint
from smile.models.editors.img2img_turbo import load


class Server(ThreadingHTTPServer):
    """One file. `cut`: closes after so many bytes; `status`; `delay`: seconds before it answers."""

    daemon_threads = True
    content, cut, status, delay = b"", None, 200, 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = 0
        self.url = f"http://127.0.0.1:{self.server_port}/models/edge.pkl"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked += 1
        time.sleep(server.delay)
        self.send_response(server.status)
        content = server.content if server.status == 200 else b"<html>No.</html>"
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda _: time.sleep(0.05)))  # retries
    server = Server()
    server.content = np.random.default_rng(0).bytes(300_000)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def refuse(url, match):
    with pytest.raises(InputError, match=match) as caught:
        download_checkpoint(url)
    assert "\n" not in str(caught.value) and 'weights="bundled"' in str(caught.value)


def list_files(path):
    return sorted(file.name for file in path.parent.iterdir() if file.suffix not in (".lock", ".sha256"))


def test_download_once(server, capfd):
    path = download_checkpoint(server.url)
    assert path.read_bytes() == server.content and list_files(path) == [path.name]
    assert path.name.endswith("-edge.pkl") and "".join(capfd.readouterr()) == "", "only a terminal shows it coming"
    assert download_checkpoint(server.url) == path and server.asked == 1


def test_a_checksum_is_checked_when_it_is_given_and_when_the_file_is_used_again(server):
    right = hashlib.sha256(server.content).hexdigest()
    with pytest.raises(InputError, match="has not the SHA-256 that was given"):
        download_checkpoint(f"{server.url}#sha256={'0' * 64}")
    path = download_checkpoint(f"{server.url}#sha256={right.upper()}")
    assert path.with_name(f"{path.name}.sha256").read_text().strip() == right and server.asked == 2
    assert download_checkpoint(server.url) == path and server.asked == 2
    path.write_bytes(server.content[:-1] + b"x")
    with pytest.raises(InputError, match="of the first download; it was changed or is damaged"):
        download_checkpoint(server.url)


def test_a_terminal_shows_it_coming(server, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    download_checkpoint(server.url)
    assert "edge.pkl" in terminal.getvalue() and "100%" in terminal.getvalue()


@pytest.mark.parametrize("cut", [0, 100_000, 299_999])
def test_a_part_is_never_taken_for_the_whole(server, cut):
    server.cut = cut
    refuse(server.url, "could not be downloaded")
    server.cut = None
    path = download_checkpoint(server.url)
    assert path.read_bytes() == server.content and list_files(path) == [path.name]


def test_no_file_there(server):
    server.status = 404
    refuse(server.url, "404")
    server.status = 500
    refuse(server.url, "500")
    server.status = 200
    assert download_checkpoint(server.url).read_bytes() == server.content


def test_nobody_there_and_nobody_who_answers(server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    began = time.perf_counter()
    refuse("http://127.0.0.1:1/edge.pkl", "connect to the network")
    server.delay = 60
    refuse(server.url, "timed out")
    assert time.perf_counter() - began < 30


LONG = f"https://nobody/{'e' * 245}.pkl"


@pytest.mark.parametrize("url", ["https://[/edge.pkl", "https://nobody:99999/edge.pkl", "https:///edge.pkl", LONG])
def test_an_address_that_is_none(server, url):
    refuse(url, "could not be downloaded")
    with pytest.raises(InputError, match="could not be downloaded"):
        load_editor("img2img-turbo", url)


def test_a_full_disk(server, monkeypatch):
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    refuse(server.url, "No space left on device")


def test_offline(server, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refuse(server.url, "HF_HUB_OFFLINE")
    assert server.asked == 0


def test_two_at_a_time_download_once(server):
    server.delay = 0.2
    found = []
    threads = [threading.Thread(target=lambda: found.append(download_checkpoint(server.url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and server.asked == 1 and found[0].read_bytes() == server.content


def test_published_names(server, sd_turbo, published, monkeypatch):
    monkeypatch.setattr(img2img_turbo, "BASE", str(sd_turbo))
    for name, kind in (("edge_to_image", "edges"), ("full", "edges"), ("sketch_to_image_stochastic", "sketch")):
        server.content = published[kind][1].read_bytes()
        monkeypatch.setitem(img2img_turbo.PUBLISHED, "edge_to_image" if name == "full" else name, f"{server.url}?{kind}")
        editor = load_editor("img2img-turbo", weights=name)
        assert (editor.weights, editor.control, editor.working_size) == (name, kind, 512)
    assert editor.settings == {"gamma": 0.4}
    assert (tensors(editor, ["snow"]) - tensors(load(published["sketch"][1], base=sd_turbo), ["snow"])).abs().max() == 0
