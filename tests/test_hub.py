"""Downloads from a Hub on loopback: one that serves, and all the ways in which one does not, each within seconds."""

import fcntl
import io
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from layouts import INSTRUCT_PIX2PIX, TINY, write_pipeline

from smile.models.hub import silence_libraries

ROOT = Path(__file__).resolve().parents[1]
OWNERS = ("good", "gated", "stalls", "breaks")
CODE = """
import json, os, shutil, sys, time
from pathlib import Path
from smile import InputError, load_editor
import diffusers, transformers, smile.models.editors.pipelines  # what takes time and is not a download

def attempt(name, weights):
    began = time.monotonic()
    try:
        said = type(load_editor("instruct-pix2pix", weights=weights)).__name__
    except InputError as error:
        said = str(error)
    print(json.dumps([name, said, time.monotonic() - began]), flush=True)

def without(part):
    for file in Path(os.environ["HF_HOME"]).rglob(part):
        file.unlink()

attempt("good", "good/instruct")
print("SECOND", file=sys.stderr, flush=True)
attempt("again", "good/instruct")
print("THIRD", file=sys.stderr, flush=True)
without("snapshots/*/unet/*.safetensors")
attempt("a part is here", "good/instruct")
without("snapshots/*/vae/config.json")
without("snapshots/*/tokenizer/vocab.json")
attempt("smaller parts are missing", "good/instruct")
for owner in ("gated", "refused", "forbidden", "missing", "broken", "silent", "stalls", "breaks"):
    attempt(owner, f"{owner}/instruct")
without("snapshots/*/unet/*.safetensors")
import huggingface_hub.constants
huggingface_hub.constants.HF_HUB_OFFLINE = True
attempt("offline", "good/instruct")
attempt("offline and nothing is here", "timbrooks/instruct-pix2pix")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(what was said and how long it took, by name; what a terminal showed)."""
    root, home = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("home")
    write_pipeline(root / OWNERS[0] / "instruct", INSTRUCT_PIX2PIX, TINY)
    for owner in OWNERS[1:]:
        shutil.copytree(root / OWNERS[0] / "instruct", root / owner / "instruct")
    command = [sys.executable, str(ROOT / "tests" / "hub.py"), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hub:
        terminal, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 200, 0, 0))
        shown: list[bytes] = []
        reader = threading.Thread(target=read_all, args=(terminal, shown), daemon=True)
        reader.start()
        try:
            environment = os.environ | {"HF_ENDPOINT": hub.stdout.readline().strip(), "HF_HOME": str(home)}
            environment.pop("HF_HUB_OFFLINE", None)
            done = subprocess.run(
                [sys.executable, "-c", CODE], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=side, timeout=400
            )
        finally:
            hub.kill()
            os.close(side)
            reader.join(10)
    shown = b"".join(shown).decode(errors="replace")
    assert done.returncode == 0, shown
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return {name: (said, seconds) for name, said, seconds in lines}, shown


def read_all(terminal, shown):
    try:
        while block := os.read(terminal, 65536):
            shown.append(block)
    except OSError:  # the other side is closed
        pass


def test_a_repository_is_downloaded_once_and_a_terminal_shows_it_coming(run):
    said, shown = run
    assert said["good"][0] == said["again"][0] == "InstructPix2Pix"
    first, _, _ = shown.partition("SECOND")  # what follows may still be the last line of the first bar
    assert "100%|" in first and "MB" in first and "Loading" not in shown
    assert "safety_checker" not in first


def test_a_part_that_is_here_is_completed(run):
    said, _ = run
    assert said["a part is here"][0] == said["smaller parts are missing"][0] == "InstructPix2Pix"


@pytest.mark.parametrize(
    ("name", "reason", "limit"),
    [
        ("gated", "accept their terms", 5),
        ("refused", "does not let you read them", 5),
        ("forbidden", "does not let you read them", 5),
        ("missing", "none of that name", 5),
        ("broken", "answers with an error", 5),
        ("silent", "does not answer", 15),
        ("stalls", "does not answer", 15),
        ("breaks", "cannot be reached", 30),
        ("offline", "HF_HUB_OFFLINE", 5),
        ("offline and nothing is here", "HF_HUB_OFFLINE", 5),
    ],
)
def test_every_failure_is_one_sentence_within_seconds(run, name, reason, limit):
    said, seconds = run[0][name]
    assert reason in said and 'weights="bundled"' in said and "could not be downloaded" in said
    assert "\n" not in said and said.endswith(").") and said.count(". ") == 0
    assert seconds < limit


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_only_a_terminal_shows_downloads_and_everything_is_put_back(monkeypatch, terminal, wanted):
    from diffusers.utils import logging as ours
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as theirs

    def state():
        return [log.is_progress_bar_enabled() for log in (ours, theirs)], [log.get_verbosity() for log in (ours, theirs)]

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    sys.stderr.isatty = lambda: terminal
    before = state()
    (enable_progress_bars if wanted else disable_progress_bars)()
    try:
        with silence_libraries():
            assert are_progress_bars_disabled() == (not (terminal and wanted)) and state()[0] == [False, False]
        assert are_progress_bars_disabled() == (not wanted) and state() == before
    finally:
        enable_progress_bars()


def test_failures_print_nothing_else(run):
    _, shown = run
    assert "Retrying" not in shown and "resume" not in shown and "Error" not in shown
