"""What only HTTP can say to the page: links, forged files, bodies of posts, names of files, addresses. Never a status of 500
and up, never a traceback, and nothing that is not the page's own to give."""

import os
import re
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from hostile.checks import check_sentence
from hostile.pictures import png
from hostile.requests import BODIES, FAIR, FORGED, GETS, LINKS, PLACES

pytestmark = pytest.mark.usefixtures("soon_and_without_traceback")


@pytest.fixture
def downloads(monkeypatch):
    """What the server fetches from an address meanwhile: nothing, whatever it is asked."""
    fetched = []
    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", lambda *given, **_: fetched.append(given))
    yield fetched
    assert not fetched


@pytest.mark.parametrize("name", LINKS)
def test_a_link(visitor, name):
    assert visitor.http.get(f"?{LINKS[name]}").status_code == 200
    body = {"data": [], "fn_index": visitor.index("follow_link"), "session_hash": "visitor"}
    answer = visitor.post(f"run/predict?{LINKS[name]}", body)
    assert answer.status_code == 200 and "<script>alert" not in answer.text
    assert "problem" in answer.text or name == "no UTF-8"
    values = answer.json()["data"]
    check_sentence(*re.findall(r"alert.>([^<]*)<", str(values)) or ["Fine."])


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("field", ["picture", "region"])
def test_a_forged_file(visitor, name, field, downloads):
    answer, said = visitor.explained(**{field: FORGED[name], "editor": "inpaint"})
    assert answer is None
    check_sentence(said)


@pytest.mark.parametrize("name", FAIR)
def test_any_value_in_any_field_of_any_function(visitor, name, downloads):
    """Also of the page's own, which anybody can call."""
    value = FAIR[name]
    for function in visitor.functions:
        count = len(function["inputs"])
        alone = [[None] * at + [value] + [None] * (count - at - 1) for at in range(count)]
        for data in (*alone, [value] * count, [value]):
            answer = visitor.post("run/predict", {"data": data, "fn_index": function["id"], "session_hash": "visitor"})
            assert answer.status_code < 500, (function["api_name"], data, answer.text)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", BODIES)
def test_a_body(visitor, name, place):
    answer = visitor.post(place, BODIES[name].replace(b'"fn_index": 46', b'"fn_index": %d' % visitor.index("pick_example")))
    assert answer.status_code < 500
    if answer.status_code != 200:
        assert "error" in answer.text or "detail" in answer.text


@pytest.mark.parametrize("path", GETS)
def test_what_nobody_has_to_look_at(visitor, path):
    """A stream of events that are nobody's ends by itself, and its end is waited for."""
    answer = visitor.http.get(f"/{path}")
    assert answer.status_code < 500
    if answer.status_code == 200:
        given = answer.content.decode(errors="replace")
        assert not any(secret in given for secret in ("root:x:", "GRADIO_TEMP_DIR=", "import gradio", "<script>="))


def test_an_upload_is_never_served_as_a_page(visitor):
    for name, held in {
        "x.html": b"<script>alert(1)</script>",
        "x.svg": b"<svg onload='alert(1)'/>",
        "x.png": b"<script>",
    }.items():
        answer = visitor.http.get(f"gradio_api/file={visitor.uploaded(held, name)['path']}")
        shown = answer.headers["content-type"].startswith(("text/html", "image/svg"))
        assert not shown or answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["../../x.png", "/etc/x.png", "x" * 300 + ".png", "<script>.png", "a\nb.png", "..", "con", "x\u202egnp.exe"]
)
def test_a_file_name(visitor, name):
    answer = visitor.http.post("gradio_api/upload", files={"files": (name, png())})
    assert answer.status_code < 500
    if answer.status_code == 200:
        path = Path(*answer.json())
        assert path.is_relative_to(os.environ["GRADIO_TEMP_DIR"]) and ".." not in path.parts
        answer, said = visitor.explained(picture={"path": str(path), "meta": {"_type": "gradio.FileData"}})
        assert answer or check_sentence(said) is None


def test_what_there_is_for_clients_says_the_sentence(visitor, tmp_path):
    (tmp_path / "road.png").write_bytes(png())
    client = Client(visitor.url, verbose=False)
    for change, says in (
        ({"seed": "many"}, "must be a number"),
        ({"instruction": "!"}, "punctuation"),
        ({"edits": 1.5}, "whole"),
    ):
        with pytest.raises(Exception, match=says):
            client.predict(
                **{"picture": handle_file(tmp_path / "road.png"), "instruction": "snow"} | change, api_name="/explain"
            )
