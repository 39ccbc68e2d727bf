"""An OpenAI-compatible server on this machine, and everything that such a server can do instead of answering."""

import http.server
import json
import pickle
import socket
import threading

import pytest

from smile import InputError, load_language_model
from smile.models.language_models import endpoint
from smile.models.protocols import write_checked

SECRET = "sk-do-not-tell"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["Authorization"], asked))
        status, body = self.server.reply(asked)
        if status is None:
            self.server.waiting.wait(60)
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, *_):
        pass


def completion(content, reason="stop"):
    return 200, {"choices": [{"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": content}}],
                 "created": 1, "id": "1", "model": "m", "usage": {}}  # fmt: skip


@pytest.fixture
def server(monkeypatch):
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads, made.asked, made.waiting = True, [], threading.Event()
    made.reply = lambda asked: completion(f"to {asked['messages'][-1]['content']}")
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv(endpoint.ADDRESS, f"http://127.0.0.1:{made.server_port}/v1")
    monkeypatch.setenv(endpoint.KEY, SECRET)
    monkeypatch.setenv(endpoint.MODEL, "some-model")
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_hub")
    yield made
    made.waiting.set()
    made.shutdown()
    made.server_close()


def test_it_asks_each_prompt_once_with_the_settings(server):
    model = load_language_model("endpoint", temperature=0.5, max_tokens=7)
    answers = write_checked(model, ["red", "", "red"], 3)
    assert answers == ["to red", "to ", "to red"] and all(answer.ended for answer in answers)
    assert len(server.asked) == 2 and not hasattr(model, "score")
    path, authorization, asked = server.asked[0]
    assert path == "/v1/chat/completions" and authorization == f"Bearer {SECRET}"
    said = {name: asked[name] for name in ("model", "seed", "temperature", "max_tokens")}
    assert said == {"model": "some-model", "seed": 3, "temperature": 0.5, "max_tokens": 7}
    assert load_language_model("endpoint", weights="other").weights == "other"


def test_a_cut_off_answer_and_a_refusal_are_told_apart(server):
    model = load_language_model("endpoint")
    server.reply = lambda asked: completion("It is", "length")
    assert not model.write(["a"], seed=0)[0].ended
    server.reply = lambda asked: completion(None)
    assert model.write(["a"], seed=0) == [None]


def test_the_key_is_nowhere_and_the_hub_s_token_is_not_sent(server, monkeypatch, capfd):
    model = load_language_model("endpoint")
    server.reply = lambda asked: (500, {"error": SECRET})
    with pytest.raises(InputError) as caught:
        model.write(["a"], seed=0)
    shown = repr(model) + str(model.settings) + str(caught.value) + "".join(capfd.readouterr())
    assert SECRET not in shown and "127.0.0.1" not in shown and caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    with pytest.raises(TypeError, match="holds a key"):
        pickle.dumps(model)
    monkeypatch.delenv(endpoint.KEY)
    server.reply = lambda asked: completion("red")
    load_language_model("endpoint").write(["a"], seed=0)
    assert server.asked[-1][1] == "Bearer none"


@pytest.mark.parametrize(
    "status, body, message",
    [
        (429, {"error": "slow down"}, "too many questions"),
        (401, {}, "refuses the key"),
        (404, {}, "does not know this address or model"),
        (503, b"<html>down</html>", "answers with an error .status 503."),
        (200, b"<html><body>Sign in</body></html>", "not answer as an OpenAI-compatible server does"),
        (200, b"", "not answer as an OpenAI-compatible server does"),
        (200, {"choices": []}, "not answer as an OpenAI-compatible server does"),
        (200, {"choices": [{"message": {"content": 7}, "finish_reason": "stop"}]}, "not answer as"),
        (200, [1, 2], "not answer as an OpenAI-compatible server does"),
    ],
)
def test_what_is_no_answer_is_one_sentence(server, status, body, message):
    server.reply = lambda asked: (status, body)
    with pytest.raises(InputError, match=message) as caught:
        load_language_model("endpoint").write(["a", "b"], seed=0)
    assert "\n" not in str(caught.value) and str(caught.value).count(". ") == 0


def test_one_that_does_not_answer_in_time(server):
    server.reply = lambda asked: (None, b"")
    model = endpoint.Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "none", "m", patience=0.5)
    with pytest.raises(InputError, match="does not answer in time"):
        model.write(["a"], seed=0)


def test_one_that_is_not_there(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv(endpoint.ADDRESS, f"http://127.0.0.1:{port}/v1")
    monkeypatch.setenv(endpoint.MODEL, "m")
    with pytest.raises(InputError, match="cannot be reached"):
        load_language_model("endpoint").write(["a"], seed=0)


@pytest.mark.parametrize("address", ["", "host/v1", "ftp://host", "http://"])
def test_it_needs_an_address_and_a_model(monkeypatch, address):
    monkeypatch.setenv(endpoint.ADDRESS, address)
    monkeypatch.delenv(endpoint.MODEL, raising=False)
    with pytest.raises(InputError, match=endpoint.ADDRESS):
        load_language_model("endpoint")
    monkeypatch.setenv(endpoint.ADDRESS, "http://localhost/v1")
    with pytest.raises(InputError, match=endpoint.MODEL):
        load_language_model("endpoint")
