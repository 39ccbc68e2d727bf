"""The editor that runs elsewhere, against a server on loopback that speaks the Hub's protocol."""

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture, values

from smile import InputError, explain
from smile.models.editors.remote import RemoteEditor


class Server(BaseHTTPRequestHandler):
    asked: list
    status = 200
    takes_seed = True

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(asked["parameters"])
        status = self.status if self.takes_seed or "seed" not in asked["parameters"] else 422
        image = Image.open(io.BytesIO(base64.b64decode(asked["inputs"]))).convert("RGB")
        edit = FakeEditor().one(image, asked["parameters"]["prompt"], asked["parameters"].get("seed", 0))
        body = io.BytesIO()
        edit.resize((60, 60)).save(body, "PNG")
        if status != 200:
            body = io.BytesIO(b'{"error": "no"}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.getvalue())))
        self.end_headers()
        self.wfile.write(body.getvalue())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        handler.address = f"http://127.0.0.1:{server.server_port}"
        yield handler
        server.shutdown()


def test_it_explains(server):
    editor = RemoteEditor(server.address, working_size=48, num_inference_steps=4)
    explanation = explain(picture(), "make it snow", editor, embedder=FakeEmbedder(), seed=3)
    assert "“snow”" in explanation.finding and explanation.settings["editor"] == "remote"
    assert {asked["num_inference_steps"] for asked in server.asked} == {4} and 3 in {asked["seed"] for asked in server.asked}
    assert explanation.settings["editor_device"] == "another machine" and not explanation.failed


def test_edits_have_the_pictures_size_and_equal_texts_are_asked_once(server):
    edits = RemoteEditor(server.address).edit(picture((48, 40)), ["snow", "", "snow"], seed=0)
    assert [edit.size for edit in edits] == [(48, 40)] * 3 and len(server.asked) == 2
    assert np.array_equal(*values([edits[0], edits[2]])) and server.asked[1]["prompt"] == " "
    with pytest.raises(InputError, match="whole picture"):
        RemoteEditor(server.address).edit(picture(), ["snow"], seed=0, region=Image.new("L", (48, 48), 255))


def test_a_server_without_seeds_is_said_once(server):
    server.takes_seed = False
    with pytest.warns(UserWarning, match="takes no seed.*several seeds") as said:
        edits = RemoteEditor(server.address).edit(picture(), ["snow", "night"], seed=0)
    assert None not in edits and len(said) == 1 and ["seed" in asked for asked in server.asked] == [True, False, False]


@pytest.mark.parametrize("status, refused", [(401, True), (404, True), (503, False)])
def test_failures(server, status, refused):
    server.status = status
    editor = RemoteEditor(server.address)
    if not refused:
        assert editor.edit(picture(), ["snow"], seed=0) == [None]
        return
    with pytest.raises(InputError, match="The server does not edit") as caught:
        editor.edit(picture(), ["snow"], seed=0)
    assert "\n" not in str(caught.value)
