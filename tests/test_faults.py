"""What breaks in the middle of a run, one fault at a time: what there is stays and says what is missing, or there is one
clear error; never a fit over what is no edit, a half-written file, or a page that cannot go on."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from asking import ask, build_edit_tab
from bundles import run, written
from PIL import Image
from tiny import FakeBackend, FakeEditor, FakeEmbedder, fake_models, picture

from smile import Explanation, InputError, explain, load
from smile.__main__ import main
from smile.ui import texts
from smile.ui.engine import Engine, Request
from smile.ui.runs import MAX_SECONDS, explain_in_time

TEXT = "make it snow at night"
SMALL = Image.new("RGB", (3, 3), "red")


class Editor(FakeEditor):
    """One whose edits are spoiled: spoil(editor, images, seed, texts) returns or raises what comes instead."""

    def __init__(self, spoil):
        super().__init__()
        self.spoil = spoil

    def edit(self, image, texts, *, seed, region=None):
        return self.spoil(self, super().edit(image, texts, seed=seed), seed, texts)


class Embedder(FakeEmbedder):
    def __init__(self, spoil):
        self.spoil, self.calls = spoil, 0

    def embed(self, images):
        self.calls += 1
        return self.spoil(self, *super().embed(images))


def raised(error, after=0):
    """Raises in the call after so many."""

    def spoil(one, result, *more):
        calls = one.calls if isinstance(one.calls, int) else len(one.calls)
        if calls > after:
            raise error
        return (result, *more) if isinstance(one, Embedder) else result

    return spoil


def some(replacement):
    """Every third of a batch of several is something else."""
    return lambda one, images, seed, texts: [
        replacement if len(texts) > 1 and i % 3 == 1 else image for i, image in enumerate(images)
    ]


def every(replacement):
    return lambda one, images, seed, texts: [replacement for _ in images]


BLACK = Image.new("RGB", (48, 48))
ALL = "full instruction failed"
EDITOR = {  # fault: (what comes of the editor, how many edits fail or a piece of the error)
    "no edit of some texts": (some(None), 5),
    "no edit of any text": (every(None), ALL),
    "no edit of the full text alone": (lambda e, images, s, t: [None] if len(t) == 1 else images, ALL),
    "black for some texts": (some(BLACK), 5),
    "black for all": (every(BLACK), ALL),
    "black for the noise seeds": (lambda e, images, s, t: [BLACK] * len(t) if s > 0 else images, 4),
    "arrays of NaN": (every(np.full((48, 48, 3), np.nan)), "must return PIL images"),
    "NaN in a picture of floats": (every(Image.fromarray(np.full((48, 48), np.nan, np.float32))), "of 8 bits"),
    "16 bits": (every(Image.new("I;16", (48, 48))), "of 8 bits"),
    "some of another size": (some(SMALL), "different sizes"),
    "noise seeds of another size": (lambda e, images, s, t: [SMALL] * len(t) if s else images, "different sizes"),
    "too few": (lambda e, images, s, t: images[:-1], "one picture for each text"),
    "too many": (lambda e, images, s, t: [*images, images[0]], "one picture for each text"),
    "nothing": (lambda *_: None, "not a NoneType"),
    "a generator": (lambda e, images, s, t: iter(images), "must return a list"),
    "paths": (every("/etc/passwd"), "must return PIL images"),
    "a picture whose file is cut": (lambda e, images, s, t: [cut() for _ in images], "damaged"),
}
EMBEDDER = {
    "vectors of NaN": (lambda e, v, p: (v * np.nan, p), "finite"),
    "patches infinite": (lambda e, v, p: (v, p + np.inf), "finite"),
    "too few vectors": (lambda e, v, p: (v[:-1], p), "must be"),
    "vectors of another shape": (lambda e, v, p: (v[:, :, None], p), "must be"),
    "patches of another shape": (lambda e, v, p: (v, p[0]), "must be"),
    "nothing of the embedder": (lambda *_: None, "must return (vectors, patches)"),
    "vectors of text": (lambda e, v, p: (np.full(v.shape, "a"), p), "numbers"),
    "vectors of another length later": (lambda e, v, p: (v if e.calls < 2 else v[:, :7], None), "same length"),
    "patches missing later": (lambda e, v, p: (v, p if e.calls < 2 else None), "same length"),
}
RAISED = {
    "an error": RuntimeError("secret detail"),
    "out of memory": MemoryError(),
    "out of GPU memory": RuntimeError("CUDA out of memory. Tried to allocate 20 MiB"),
    "a device lost": RuntimeError("CUDA error: device-side assert triggered"),
    "a timeout": TimeoutError("read timed out"),
    "the network": ConnectionError("refused"),
    "the disk": OSError(errno.ENOSPC, "No space left on device"),
    "a key": KeyError("x"),
    "recursion": RecursionError("maximum recursion depth exceeded"),
}


def cut():
    file = io.BytesIO()
    picture().save(file, "PNG")
    return Image.open(io.BytesIO(file.getvalue()[:-400]))


def check_fit(e: Explanation, failed: int):
    """What was fitted are edits, and all that are missing are said."""
    texts = dict(zip(e.texts, e.edits, strict=True))
    assert e.failed == failed == sum(edit is None for edit in (*texts.values(), *e.noise_edits))
    missing = [edit is None for edit in e.edits]
    assert np.array_equal(np.isnan(e.distances), missing) and np.array_equal(np.isnan(e.responses), missing)
    assert all(edit is None or edit.getbbox() for edit in e.edits)


@pytest.mark.parametrize("fault", EDITOR)
def test_an_editor_that_is_wrong(fault):
    spoil, outcome = EDITOR[fault]
    editor = Editor(spoil)
    if isinstance(outcome, int):
        explanation = explain(picture(), TEXT, editor, embedder=FakeEmbedder())
        check_fit(explanation, outcome)
        return
    with pytest.raises(InputError, match=outcome) as caught:
        explain(picture(), TEXT, editor, embedder=FakeEmbedder())
    assert "\n" not in str(caught.value)


def test_black_is_an_edit_of_a_black_picture():
    explanation = explain(BLACK, "snow", Editor(every(BLACK)), embedder=FakeEmbedder())
    assert explanation.failed == 0 and not explanation.significant.any()


@pytest.mark.parametrize("fault", EMBEDDER)
def test_an_embedder_that_is_wrong(fault):
    spoil, outcome = EMBEDDER[fault]
    with pytest.raises(InputError, match=outcome.replace("(", r"\(").replace(")", r"\)")):
        explain(picture(), TEXT, FakeEditor(), embedder=Embedder(spoil))


@pytest.mark.parametrize("who", ["editor", "embedder"])
@pytest.mark.parametrize("fault", RAISED)
def test_what_is_raised_in_the_middle_leaves_what_there_is(picture_file, fault, who, caplog):
    broken = threading.Event()

    def spoil(one, result, *more):
        if broken.is_set() and len(result) > 1:
            raise RAISED[fault]
        return (result, *more) if who == "embedder" else result

    class Backend(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            made = super().edit(image, texts, seed=seed)
            return spoil(self, made) if who == "editor" else made

    def load(*names):
        return Backend(*names), Embedder(spoil) if who == "embedder" else FakeEmbedder()

    answer = build_edit_tab(load).answer
    answer.engine.load()
    broken.set()
    *_, before, last = ask(answer.explain, picture_file)
    said = last["progress"]
    sentence = {MemoryError: texts.NO_MEMORY}.get(type(RAISED[fault]), texts.BROKEN)
    sentence = texts.NO_MEMORY if "memory" in str(RAISED[fault]) else sentence
    sentence = texts.GPU_LOST if "CUDA error" in str(RAISED[fault]) else sentence
    assert sentence in said and "secret" not in said and last["explain_button"]["interactive"]
    assert before["shown"].provisional and before["shown"].done == 1 and not before["shown"].fidelity
    broken.clear()
    *_, last = ask(answer.explain, picture_file)  # and the next visitor is served
    assert "Done" in last["progress"]


def test_on_the_command_line_what_there_is_is_written(tmp_path, monkeypatch, capsys):
    picture().save(tmp_path / "in.png")
    monkeypatch.setattr("smile.load_editor", lambda *_, **__: Editor(raised(RuntimeError("broken pipe"), after=2)))
    monkeypatch.setattr("smile.models.embedders._load_embedder_once", lambda weights: FakeEmbedder())
    asked = {"image": tmp_path / "in.png", "instruction": TEXT, "editor": "x", "out": tmp_path / "out"}
    assert main(["explain", *(f"--{name}={value}" for name, value in asked.items())]) == 1
    kept = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert kept["provisional"] and kept["done"] == 9 and "broken pipe" in capsys.readouterr().err


# Stop, and whoever goes away


def test_stop_after_every_batch_releases_the_editor(picture_file):
    answer = build_edit_tab(fake_models).answer
    for batches in range(8):
        going = ask(answer.explain, picture_file)
        for _ in range(batches):
            next(going, None)
        going.close()
        assert answer.engine._in_use.acquire(timeout=1)
        answer.engine._in_use.release()
    *_, last = ask(answer.explain, picture_file)
    assert "Done" in last["progress"]


def test_whoever_goes_away_leaves_the_stream_closed():
    engine, request = Engine(fake_models), Request(picture(), TEXT)
    editor, _ = engine.load()
    steps = explain_in_time(engine, request)
    next(steps)
    made = len(editor.calls)
    steps.close()
    assert len(editor.calls) == made


def test_an_editor_far_too_slow_is_stopped_by_the_clock_after_the_batch_in_hand(picture_file, monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr("smile.ui.machine.SPACE", True)
    monkeypatch.setattr("smile.ui.runs.time", SimpleNamespace(monotonic=lambda: seconds[0]))

    class Slow(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            seconds[0] += 0.6 * MAX_SECONDS
            return super().edit(image, texts, seed=seed)

    answer = build_edit_tab(lambda *names: (Slow(*names), FakeEmbedder())).answer
    answer.engine.load()
    *_, before, last = ask(answer.explain, picture_file)
    assert "longer than the page allows" in last["progress"] and last["explain_button"]["interactive"]
    assert before["shown"].provisional and before["shown"].done == 1 + 8


# Saving

SAVES = {"bundle": lambda e, to: e.write(to / "one.zip"), "folder": lambda e, to: e.save(to / "one")}


def fill_disk(monkeypatch, after: int) -> None:
    """No file more can be put in its place after so many."""
    replace, calls = os.replace, []

    def fail(*names):
        calls.append(names)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(*names)

    monkeypatch.setattr(os, "replace", fail)


@pytest.mark.parametrize(("kind", "after"), [("bundle", 0), ("folder", 0), ("folder", 1), ("folder", 5)])
def test_a_disk_that_is_full_leaves_no_half_file(tmp_path, monkeypatch, kind, after):
    explanation = run()
    fill_disk(monkeypatch, after)
    with pytest.raises((InputError, OSError), match="No space left"):
        SAVES[kind](explanation, tmp_path)
    assert not [path for path in tmp_path.rglob(".*")] and not (tmp_path / "one.zip").exists()
    assert not (tmp_path / "one" / "explanation.json").exists()


def test_a_disk_that_is_full_on_the_command_line(tmp_path, monkeypatch, capsys):
    run().save(tmp_path / "in")
    fill_disk(monkeypatch, after=0)
    assert main(["export", str(tmp_path / "in"), "--out", str(tmp_path / "out.zip")]) == 2
    assert "No space left" in capsys.readouterr().err and not (tmp_path / "out.zip").exists()


KILLED = """
import os, sys
from pathlib import Path
import smile
folder, kind, after = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
explanation, calls, replace = smile.load(folder / "in.zip"), [], os.replace
def kill(*names):
    calls.append(names)
    if len(calls) > after:
        os.kill(os.getpid(), 9)
    replace(*names)
os.replace = kill
explanation.write(folder / "one.zip") if kind == "bundle" else explanation.save(folder / "one")
"""


@pytest.mark.process
@pytest.mark.parametrize(("kind", "after"), [("bundle", 0), ("folder", 7)])
def test_a_process_that_is_killed_while_it_saves(tmp_path, kind, after):
    run().write(tmp_path / "in.zip")
    SAVES[kind](run(), tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path), kind, str(after)]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert written(load(tmp_path / ("one.zip" if kind == "bundle" else "one")))  # the one that was there


def test_files_that_somebody_removed(tmp_path):
    folder = run().save(tmp_path / "one")
    (folder / "edits" / "000.png").unlink()
    with pytest.raises(InputError, match="edits/000.png cannot be read"):
        load(folder)


def test_models_that_cannot_be_loaded_are_loaded_again(picture_file):
    fails = [MemoryError(), InputError("There is no network.")]
    answer = build_edit_tab(lambda *names: (_ for _ in ()).throw(fails.pop()) if fails else fake_models(*names)).answer
    said = [[*ask(answer.explain, picture_file)][-1]["progress"] for _ in range(3)]
    assert "no network" in said[0] and texts.NO_MEMORY in said[1] and "Done" in said[2]
