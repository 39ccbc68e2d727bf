"""The two doors, the page's API over HTTP and the command line: both hand what they are given to the functions that
test_hostile_inputs.py tests, and what comes of one input of each family and outcome comes through both."""

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bundles import changed, rewritten, whole
from hostile import EITHER, GOOD
from hostile.checks import check_explanation, check_sentence
from hostile.inputs import OWN, Input, choose_one_of_each, name_inputs
from hostile.pictures import png
from tiny import FakeBackend, FakeEmbedder, fake_models
from visitor import GIVEN

from smile import Explanation, InputError, load_editor
from smile.__main__ import main
from smile.io import bundle
from smile.io.images import open_picture, open_region
from smile.method.units import words
from smile.options import Options
from smile.ui.api import Api
from smile.ui.engine import Engine
from smile.ui.language_engine import LanguageEngine

pytestmark = pytest.mark.usefixtures("soon_and_without_traceback")
CHOSEN = choose_one_of_each()


def check(line: Input, answer: dict | None, said: str | None) -> None:
    if line.says == GOOD:
        assert said is None, said
    if said is None:
        assert line.says in (GOOD, EITHER), "it was accepted"
        check_explanation(answer, (GIVEN | line.asked)["instruction"])
    else:
        check_sentence(said, "" if line.says == EITHER else line.says)


@pytest.mark.parametrize("line", CHOSEN + OWN, ids=name_inputs(CHOSEN + OWN))
def test_through_the_page(visitor, line):
    check(line, *visitor.explained(**line.asked))


# The command line

EDITORS = ("instruct-pix2pix", "img2img-turbo", "inpaint")


@pytest.fixture
def on_numpy(monkeypatch):
    """The bundled editors on NumPy; what has other names is looked for as always."""

    def load(name, weights="auto", device=None, **extras):
        return load_editor(name, weights) if name not in EDITORS or weights != "auto" else FakeBackend(name, "bundled")

    def save(explanation, folder, overwrite=False):  # the numbers alone; the page with plotly.js in it takes seconds
        Path(folder, "explanation.json").write_text(explanation.to_json(), encoding="utf-8")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("smile.load_editor", load)
    monkeypatch.setattr("smile.models.embedders._load_embedder_once", lambda weights: FakeEmbedder())
    monkeypatch.setattr(Explanation, "save", save)


def list_arguments(asked: dict, folder: Path) -> list[str] | None:
    """The same on the command line; None where it cannot be said there: arguments are texts without nulls."""
    values = GIVEN | asked
    named = {name: values[name] for name in ("instruction", "edits", "seed", "editor", "weights")}
    settings, options = values["settings"] or {}, values["options"] or {}
    if not isinstance(settings, dict) or not isinstance(options, dict):
        return None
    given = [*named.values(), *settings.values(), *options.values()]
    if any(isinstance(value, (list, dict, bool)) or "\0" in str(value) for value in given):
        return None
    arguments = ["explain", f"--out={folder / 'out'}"]
    for name, flag in {"picture": "image", "region": "region"}.items():
        if values[name] is not None:
            (folder / f"{name}.png").write_bytes(values[name])
            arguments.append(f"--{flag}={folder / name}.png")
    arguments += [f"--{name}={value}" for name, value in named.items() if value is not None]
    arguments += [f"--setting={name}={value}" for name, value in settings.items()]
    return arguments + [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]


def run(arguments: list[str], capfd) -> tuple[int, str]:
    """(exit status, what is printed to stderr)."""
    try:
        status = main(arguments)
    except SystemExit as stop:  # argparse
        status = stop.code
    return status, capfd.readouterr().err.strip()


# Weights of other names are looked for by code that imports the pipelines; who computes at home may compute for hours.
TYPED = CHOSEN + [each for each in OWN if "weights" not in each.asked and "limits" not in each.name]


@pytest.mark.parametrize("line", TYPED, ids=name_inputs(TYPED))
def test_through_the_command_line(line, on_numpy, tmp_path, capfd):
    arguments = list_arguments(line.asked, tmp_path)
    if arguments is None:
        return
    status, said = run(arguments, capfd)
    written = tmp_path / "out" / "explanation.json"
    if status == 0:
        answer, said = json.loads(written.read_text(encoding="utf-8")), None
    else:
        assert status == 2 and not written.exists()
        answer, said = None, said.splitlines()[-1]
    if line.family in ("edits", "seed") and answer:  # read as text here, and as JSON by the page
        assert str(line.asked[line.family]).strip().isdigit()
    other = line.family in ("edits", "seed", "options", "settings", "choice", "shape")  # argparse says it in its own words
    check(line._replace(says=EITHER) if other else line, answer, said)


@pytest.mark.process
def test_a_sentence_about_letters_that_no_terminal_should_get(tmp_path):
    given = "\x1b]0;owned\x07 \u202egnp.zip"
    command = [sys.executable, "-m", "smile", "export", given, "--out", str(tmp_path / "out.json")]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    check_sentence(done.stderr.removesuffix("\n"))


# Bundles, to the page's own event and to `export`

BUNDLES = {
    "no zip": lambda: b"hello",
    "a pickle inside": lambda: rewritten(whole(), {"explanation.pkl": b"\x80\x04cos\nsystem\n(S'x'\ntR."}),
    "a path upward": lambda: rewritten(whole(), {"../edits/000.png": b"x"}),
    "a record that is no JSON": lambda: rewritten(whole(), {"explanation.json": b"\xff\xfe{}"}),
    "an instruction of control characters": lambda: changed(whole(), lambda v: v.update(instruction="make\x1b[2J")),
    "weights that do not follow": lambda: changed(whole(), lambda v: v["weights"].reverse()),
    "a damaged picture": lambda: rewritten(whole(), {"noise/001.png": png((48, 48))[:60]}),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle(visitor, name, tmp_path, capfd):
    data = BUNDLES[name]()
    for opens in ("open_bundle", "open_bundle_1"):  # of the tab Explain an edit, and of Ask a model
        answer = visitor.event(opens, [visitor.uploaded(data, "explanation.zip")])
        (said,) = {*re.findall("role=.{1,2}alert.{1,2}>([^<]*)<", json.dumps(answer, ensure_ascii=False))}
        check_sentence(said.replace("\\", ""))
    (tmp_path / "in.zip").write_bytes(data)
    status, said = run(["export", str(tmp_path / "in.zip"), "--out", str(tmp_path / "out.html")], capfd)
    assert status == 2 and not (tmp_path / "out.html").exists()
    check_sentence(said)


# Both doors call what is tested


def list_functions_called(action) -> set:
    """The code of every Python function that is called meanwhile, in this thread and in those that it starts."""
    called = set()
    for profile in (threading.setprofile, sys.setprofile):
        profile(lambda frame, event, argument: called.add(frame.f_code))
    try:
        action()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return called


FUNCTIONS = {
    "picture": open_picture,
    "instruction": words,
    "region": open_region,
    "options": Options.of,
    "settings": FakeBackend.with_settings,
}


@pytest.mark.parametrize("door", ["page", "command line"])
def test_both_doors_call_the_functions_that_are_tested(door, on_numpy, tmp_path):
    asked = {"editor": "inpaint", "region": png((16, 12), "L", 255), "settings": {"steps": 3}, "options": {"seeds": 2}}
    arguments = list_arguments(asked, tmp_path)
    values = GIVEN | asked | {"picture": str(tmp_path / "picture.png"), "region": str(tmp_path / "region.png")}
    api = Api(Engine(fake_models), LanguageEngine())
    through = {"page": lambda: [*api.explain(**values)], "command line": lambda: main(arguments)}
    called = list_functions_called(through[door])
    assert [name for name, function in FUNCTIONS.items() if function.__code__ not in called] == []


@pytest.mark.parametrize("door", ["page", "command line"])
def test_both_doors_open_a_bundle_by_the_function_that_is_tested(door, tmp_path):
    from asking import build_edit_tab

    (tmp_path / "in.zip").write_bytes(b"hello")
    through = {
        "page": lambda: [*build_edit_tab().saved_runs.open_bundle(str(tmp_path / "in.zip"))],
        "command line": lambda: main(["export", str(tmp_path / "in.zip"), "--out", str(tmp_path / "out.json")]),
    }
    assert bundle.read.__code__ in list_functions_called(through[door])


def test_the_doors_ask_for_editors_by_the_function_that_is_tested(monkeypatch, tmp_path):
    def refuse(*names, **extras):
        raise InputError(f"Asked for {names[:2]}.")

    monkeypatch.setattr("smile.load_editor", refuse)
    monkeypatch.setattr("smile.ui.engine.load_editor", refuse)
    with pytest.raises(InputError, match="Asked for"):
        Engine().load("instruct-pix2pix", "bundled")
    assert main(list_arguments({}, tmp_path)) == 2
