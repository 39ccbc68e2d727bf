"""Everything in hostile.py, through the page's endpoints over HTTP and through the command line: one sentence or a good
explanation, soon, and never a traceback, wherever it is printed."""

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bundles import changed, whole
from gradio_client import Client, handle_file
from hostile import BODIES, EITHER, FAIR, FORGED, GETS, GOOD, LINKS, PLACES, in_common, png
from test_bundle import PICTURES, ZIPS, rewritten
from test_schema import RECORDS
from tiny import FakeBackend, FakeEmbedder, fake_models
from visitor import GIVEN, SOON, Visitor

import app
from smile import Explanation, load_editor
from smile.__main__ import main
from smile.ui import middleware
from smile.ui.engine import Engine

ROOT = Path(__file__).resolve().parents[1]
LINES = in_common()
NAMES = [f"{line.family}: {line.name}" for line in LINES]


@pytest.fixture(scope="module")
def visitor():
    page = app.build(Engine(fake_models))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.OPTIONS)
    one = Visitor(url)
    one.fns = page.fns
    yield one
    one.http.close()
    page.close()


@pytest.fixture(autouse=True)
def no_traceback(capfd, caplog):
    """Wherever it is printed."""
    began = time.monotonic()
    yield
    printed = capfd.readouterr()
    for shown in (printed.out, printed.err, caplog.text):
        assert "Traceback" not in shown and "Error" not in shown.replace("InputError", ""), shown[-3000:]
    assert time.monotonic() - began < SOON


def check_sentence(said: str, says: str = ""):
    assert isinstance(said, str) and says in said and len(said.splitlines()) == 1 and len(said) < 1000, said
    assert said.rstrip().endswith((".", "”)")) and "Traceback" not in said and "site-packages" not in said, said
    assert all(letter.isprintable() for letter in said), said


def check_explanation(made: dict, asked: dict):
    """What may be believed: the words of the instruction, all edits made, numbers that are numbers."""
    words = (GIVEN | asked)["instruction"].split()
    assert made["words"] == words and not made["provisional"] and made["failed"] == 0
    assert len(made["weights"]) == len(words) and made["texts"][0] == " ".join(words)
    assert all(value is None or math.isfinite(value) for value in made["weights"])


def check(line, made, said):
    if line.says == GOOD:
        assert said is None, said
    if said is None:
        assert line.says in (GOOD, EITHER), "it was accepted"
        check_explanation(made, line.asked)
    else:
        check_sentence(said, "" if line.says == EITHER else line.says)


@pytest.mark.parametrize("line", LINES, ids=NAMES)
def test_through_the_page(visitor, line):
    check(line, *visitor.explained(**line.asked))


# The command line


@pytest.fixture(scope="module")
def libraries():
    """What takes seconds to import, before the clock runs."""
    import diffusers  # noqa: F401
    import transformers  # noqa: F401


@pytest.fixture
def on_numpy(libraries, monkeypatch):
    """Editors of the page on NumPy; what has other names is looked for as always."""

    def load(name, weights="auto", device=None):
        return load_editor(name, weights) if weights != "auto" or name not in GIVEN_EDITORS else FakeBackend(name, "bundled")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("smile.load_editor", load)
    monkeypatch.setattr("smile.models.embedders._load_embedder_once", lambda weights: FakeEmbedder())
    monkeypatch.setattr(Explanation, "save", save)


def save(explanation, folder):
    """The numbers alone; the page with plotly.js in it takes seconds."""
    Path(folder, "explanation.json").write_text(explanation.to_json(), encoding="utf-8")


GIVEN_EDITORS = ("instruct-pix2pix", "img2img-turbo", "inpaint")
FLAGS = ("design", "distance", "locality", "surrogate", "reference", "seeds", "noise_seeds")


def arguments(asked: dict, folder: Path) -> list[str] | None:
    """The same on the command line; None where it cannot be said there."""
    values = GIVEN | asked
    words = ["explain", f"--out={folder / 'out'}"]
    for name, flag in {"picture": "image", "region": "region"}.items():
        if values[name] is not None:
            (folder / f"{name}.png").write_bytes(values[name])
            words.append(f"--{flag}={folder / name}.png")
    for name in ("instruction", "edits", "seed", "editor", "weights"):
        if isinstance(values[name], (list, dict, bool)):
            return None
        words += [] if values[name] is None else [f"--{name}={values[name]}"]
    settings, options = values["settings"] or {}, values["options"] or {}
    if not isinstance(settings, dict) or not isinstance(options, dict):
        return None
    if any(isinstance(value, (list, dict, bool)) for value in (*settings.values(), *options.values())):
        return None
    words += [f"--setting={name}={value}" for name, value in settings.items()]
    words += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return words


def ran(words, capfd) -> tuple[int, str]:
    try:
        status = main(words)
    except SystemExit as stop:  # argparse
        status = stop.code
    return status, capfd.readouterr().err.strip()


@pytest.mark.parametrize("line", LINES, ids=NAMES)
def test_through_the_command_line(line, on_numpy, tmp_path, capfd):
    words = arguments(line.asked, tmp_path)
    if words is None or any("\0" in word for word in words) or line.name == "all at their limits":
        return  # arguments are texts without nulls; and who computes at home may compute for hours
    status, said = ran(words, capfd)
    made = None
    if status == 0:
        made = json.loads((tmp_path / "out" / "explanation.json").read_text(encoding="utf-8"))
    else:
        assert status == 2 and not (tmp_path / "out" / "explanation.json").exists()
    asked = line if line.family not in ("edits", "seed", "options", "settings", "choice") else line._replace(says=EITHER)
    if line.family in ("edits", "seed") and made:  # the command line reads what it is given as text, page and API do not
        assert str(line.asked[line.family]).strip().isdigit()
    check(asked, made, None if made else said.splitlines()[-1])


@pytest.mark.parametrize(
    "name", ["a null at the end", "markup: <script>alert(1)</script", "script: Arabic", "only punctuation 3", "65 words"]
)
def test_in_a_real_process(name, tmp_path):
    line = next(line for line in LINES if line.name == name)
    words = arguments(line.asked | {"weights": "bundled"}, tmp_path)
    if any("\0" in word for word in words):
        with pytest.raises(ValueError):
            subprocess.run([sys.executable, "-m", "smile", *words], cwd=ROOT)
        return
    if line.says == GOOD:
        words = ["export", "absent.zip", f"--out={tmp_path}/x.json"]
    done = subprocess.run([sys.executable, "-m", "smile", *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    check_sentence(done.stderr.strip())


# Bundles, to the page's own event and to `export`

BUNDLES = {f"zip: {name}": make for name, (make, _) in ZIPS.items()}
BUNDLES |= {f"record: {name}": lambda change=change: changed(whole(), change) for name, (change, _) in RECORDS.items()}
BUNDLES |= {
    f"picture: {name}": lambda file=file, make=make: rewritten(whole(), {file: make()})
    for name, (file, make, _) in PICTURES.items()
    if file != "region.png"
}
BUNDLES |= {
    "a pickle": lambda: b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.",
    "a pickle inside": lambda: rewritten(whole(), {"explanation.pkl": b"\x80\x04cos\nsystem\n(S'x'\ntR."}),
    "an instruction of control characters": lambda: changed(whole(), lambda v: v.update(instruction="make\x1b[2J")),
    "nested zips": lambda: rewritten(whole(), {"edits/000.png": whole()}),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle(visitor, name, tmp_path, capfd):
    held = BUNDLES[name]()
    answer = visitor.event("open_bundle", [visitor.uploaded(held, "explanation.zip")]).json()
    said = re.search(r'class="problem" role="alert">([^<]*)<', json.dumps(answer, ensure_ascii=False))
    said = said[1].replace("\\", "") if said else re.search("role=.alert.>([^<]*)<", str(answer))[1]
    check_sentence(said)
    (tmp_path / "in.zip").write_bytes(held)
    status, said = ran(["export", str(tmp_path / "in.zip"), "--out", str(tmp_path / "out.html")], capfd)
    assert status == 2 and not (tmp_path / "out.html").exists()
    check_sentence(said)


# What only HTTP can say


@pytest.mark.parametrize("name", LINKS)
def test_a_link(visitor, name):
    assert visitor.http.get(f"?{LINKS[name]}").status_code == 200
    index = next(i for i, fn in visitor.fns.items() if fn.api_name == "follow_link")
    body = {"data": [], "fn_index": index, "session_hash": "visitor"}
    answer = visitor.post(f"run/predict?{LINKS[name]}", body)
    assert answer.status_code == 200 and "<script>alert" not in answer.text
    assert "problem" in answer.text or name == "no UTF-8"
    values = answer.json()["data"]
    check_sentence(*re.findall(r"alert.>([^<]*)<", str(values)) or ["Fine."])


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("field", ["picture", "region"])
def test_a_forged_file(visitor, name, field, monkeypatch):
    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", lambda *_, **__: pytest.fail("fetched"))
    made, said = visitor.explained(**{field: FORGED[name], "editor": "inpaint"})
    assert made is None
    check_sentence(said)


@pytest.mark.parametrize("name", FAIR)
def test_any_value_in_any_field_of_any_function(visitor, name, monkeypatch):
    """Also of the page's own, which anybody can call."""
    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", lambda *_, **__: pytest.fail("fetched"))
    for index, fn in visitor.fns.items():
        for at in range(len(fn.inputs)):
            one = [None] * len(fn.inputs)
            one[at] = FAIR[name]
            body = {"data": one, "fn_index": index, "session_hash": "visitor"}
            for data in (one, [FAIR[name]] * len(fn.inputs), [FAIR[name]]):
                answer = visitor.post("run/predict", body | {"data": data})
                assert answer.status_code < 500, (fn.name, at, answer.text)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", BODIES)
def test_a_body(visitor, name, place):
    pick = next(i for i, fn in visitor.fns.items() if fn.api_name == "pick_example")
    answer = visitor.post(place, BODIES[name].replace(b'"fn_index": 46', b'"fn_index": %d' % pick))
    assert answer.status_code < 500
    if answer.status_code != 200:
        assert "error" in answer.text or "detail" in answer.text


@pytest.mark.parametrize("path", GETS)
def test_what_nobody_has_to_look_at(visitor, path):
    with visitor.http.stream("GET", f"/{path}") as answer:
        assert answer.status_code < 500
        if answer.status_code == 200:
            stream = "event-stream" in answer.headers["content-type"]
            held = "" if stream else answer.read().decode(errors="replace")
            assert not any(secret in held for secret in ("root:x:", "GRADIO_TEMP_DIR=", "import gradio", "<script>="))


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
        made, said = visitor.explained(picture={"path": str(path), "meta": {"_type": "gradio.FileData"}})
        assert made or check_sentence(said) is None


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


def test_there_are_more_than_five_hundred():
    lines = len(LINES) + len(BUNDLES) + len(LINKS) + 2 * len(FORGED) + len(FAIR) + len(BODIES) * len(PLACES) + len(GETS)
    assert lines >= 500 and len(set(NAMES)) == len(NAMES)
    print(f"{lines} hostile inputs: {len(LINES)} through the page and the command line, the rest through what takes them.")
    assert middleware.MAX_BODY < 10_000_000
