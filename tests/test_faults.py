"""What breaks in the middle of a run, one fault at a time: what there is stays and says what is missing, or there is one
clear error; never a fit over what is no edit, a half-written file, or a page that cannot go on. Prints the table."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

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
from smile.ui.runs import explain_in_time

TEXT = "make it snow at night"
SMALL = Image.new("RGB", (3, 3), "red")
TABLE = []


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    width = max(len(fault) for fault, _ in TABLE)
    print("", f"{'fault':{width}}  outcome", *(f"{fault:{width}}  {outcome}" for fault, outcome in TABLE), sep="\n")


def note(fault, outcome):
    TABLE.append((fault, outcome))


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
    import io

    return Image.open(io.BytesIO(written_png()[:-400]))


def written_png():
    import io

    file = io.BytesIO()
    picture().save(file, "PNG")
    return file.getvalue()


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
        note(f"editor: {fault}", f"explained without them: failed = {outcome}")
        return
    with pytest.raises(InputError, match=outcome) as caught:
        explain(picture(), TEXT, editor, embedder=FakeEmbedder())
    assert "\n" not in str(caught.value)
    note(f"editor: {fault}", str(caught.value))


def test_black_is_an_edit_of_a_black_picture():
    explanation = explain(BLACK, "snow", Editor(every(BLACK)), embedder=FakeEmbedder())
    assert explanation.failed == 0 and not explanation.significant.any()


@pytest.mark.parametrize("fault", EMBEDDER)
def test_an_embedder_that_is_wrong(fault):
    spoil, outcome = EMBEDDER[fault]
    with pytest.raises(InputError, match=outcome.replace("(", r"\(").replace(")", r"\)")) as caught:
        explain(picture(), TEXT, FakeEditor(), embedder=Embedder(spoil))
    note(f"embedder: {fault}", str(caught.value))


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
    note(f"{who} raises: {fault}", f"1 edit stays; “{sentence[:60]}…”; the next run is done")


def test_on_the_command_line_what_there_is_is_written(tmp_path, monkeypatch, capsys):
    picture().save(tmp_path / "in.png")
    monkeypatch.setattr("smile.load_editor", lambda *_: Editor(raised(RuntimeError("broken pipe"), after=2)))
    monkeypatch.setattr("smile.models.embedders._load_embedder_once", lambda weights: FakeEmbedder())
    words = [
        "explain",
        "--image",
        str(tmp_path / "in.png"),
        "--instruction",
        TEXT,
        "--editor",
        "x",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 1
    kept = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert kept["provisional"] and kept["done"] == 9 and "broken pipe" in capsys.readouterr().err
    note("command line: the editor raises", "9 edits are written, provisional; exit status 1")


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
    note("Stop or a closed tab after every batch", "nothing more is edited; the next run is done")


def test_whoever_goes_away_leaves_the_stream_closed():
    engine, request = Engine(fake_models), Request(picture(), TEXT)
    editor, _ = engine.load()
    steps = explain_in_time(engine, request)
    next(steps)
    made = len(editor.calls)
    steps.close()
    assert len(editor.calls) == made
    note("a client that goes away in the middle", "no batch more is edited")


def test_an_editor_that_hangs_is_stopped_by_the_clock(picture_file, monkeypatch):
    monkeypatch.setattr("smile.ui.runs.MAX_SECONDS", 0.2)
    monkeypatch.setattr("smile.ui.machine.SPACE", True)

    class Slow(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            time.sleep(0.15)
            return super().edit(image, texts, seed=seed)

    answer = build_edit_tab(lambda *names: (Slow(*names), FakeEmbedder())).answer
    *_, last = ask(answer.explain, picture_file)
    assert "longer than the page allows" in last["progress"] and last["explain_button"]["interactive"]
    note("an editor far too slow", "stopped by the clock after the batch in hand; the edits stay")


# Saving

SAVES = {"bundle": lambda e, to: e.write(to / "one.zip"), "folder": lambda e, to: e.save(to / "one")}


@pytest.mark.parametrize("kind", SAVES)
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_disk_that_is_full_leaves_no_half_file(tmp_path, monkeypatch, kind, after):
    explanation, calls = run(), []
    replace = os.replace

    def full(*names):
        calls.append(names)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(*names)

    monkeypatch.setattr(os, "replace", full)
    if kind == "bundle" and after:
        SAVES[kind](explanation, tmp_path)
        return
    with pytest.raises((InputError, OSError), match="No space left"):
        SAVES[kind](explanation, tmp_path)
    assert not [path for path in tmp_path.rglob(".*")] and not (tmp_path / "one.zip").exists()
    assert not (tmp_path / "one" / "explanation.json").exists()
    note(f"disk full after {after} files of a {kind}", "one error; nothing half-written, nothing that reads as an explanation")


def test_a_disk_that_is_full_on_the_command_line(tmp_path, monkeypatch, capsys):
    run().save(tmp_path / "in")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    assert main(["export", str(tmp_path / "in"), "--out", str(tmp_path / "out.zip")]) == 2
    assert "No space left" in capsys.readouterr().err and not (tmp_path / "out.zip").exists()
    note("disk full on the command line", "one line; exit status 2; no file")


KILLED = """
import os, sys
sys.path[:0] = ["tests", "."]
from bundles import run
explanation, calls, replace = run(), [], os.replace
def killed(*names):
    calls.append(names)
    if len(calls) > {after}:
        os.kill(os.getpid(), 9)
    replace(*names)
os.replace = killed
{what}
"""


@pytest.mark.parametrize("kind", SAVES)
def test_a_process_that_is_killed_while_it_saves(tmp_path, kind):
    SAVES[kind](run(), tmp_path)
    what = "explanation.write(sys.argv[1] + '/one.zip')" if kind == "bundle" else "explanation.save(sys.argv[1] + '/one')"
    code = KILLED.format(after=0 if kind == "bundle" else 7, what=what)
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, timeout=60)
    assert done.returncode == -signal.SIGKILL
    if kind == "bundle":
        assert written(load(tmp_path / "one.zip"))  # the one that was there
    else:
        with pytest.raises(InputError, match="explanation.json is missing"):
            load(tmp_path / "one")
    note(f"killed while saving: {kind}", "the old bundle is whole" if kind == "bundle" else "the folder says that it is none")


def test_files_that_somebody_removed(tmp_path):
    folder = run().save(tmp_path / "one")
    (folder / "edits" / "000.png").unlink()
    with pytest.raises(InputError, match="edits/000.png cannot be read"):
        load(folder)
    note("a file of a saved folder removed", "one sentence that names it")


def test_models_that_cannot_be_loaded_are_loaded_again(picture_file):
    fails = [MemoryError(), InputError("There is no network.")]
    answer = build_edit_tab(lambda *names: (_ for _ in ()).throw(fails.pop()) if fails else fake_models(*names)).answer
    said = [[*ask(answer.explain, picture_file)][-1]["progress"] for _ in range(3)]
    assert "no network" in said[0] and texts.NO_MEMORY in said[1] and "Done" in said[2]
    note("loading fails, twice", "a sentence each time; the third visitor is served")


def test_there_are_thirty():
    assert len(EDITOR) + len(EMBEDDER) + 2 * len(RAISED) >= 30
