"""Ways to lose a result, in one table: whatever happens, there is afterwards what was computed, or what was there before."""

import errno
import io
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import namedtuple
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from asking import ask, build_edit_tab
from bundles import run
from tiny import FakeEditor, FakeEmbedder, fake_models, picture

from smile import InputError, load
from smile.__main__ import main
from smile.io import own_folder
from smile.report import html, plots

TEXT, OLD, DONE = "make it snow at night", "make snow", 20
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks")


class World:
    """A folder, and the command that explains into it; `patch` is undone afterwards."""

    def __init__(self, folder: Path, patch):
        self.folder, self.out, self.patch = folder, folder / "out", patch
        picture().save(folder / "in.png")

    def explain(self, spoil=lambda batch: None, **more) -> int:
        """The exit status of a command whose editor calls `spoil(number of the batch)` before each."""
        batches = []

        class Editor(FakeEditor):
            def edit(self, image, texts, *, seed, region=None):
                batches.append(1)
                spoil(len(batches))
                return super().edit(image, texts, seed=seed)

        self.patch.setattr("smile.load_editor", lambda *_, **__: Editor())
        self.patch.setattr("smile.models.embedders._load_embedder_once", lambda weights: FakeEmbedder())
        asked = {"image": self.folder / "in.png", "instruction": TEXT, "editor": "x", "out": self.out} | more
        return main(["explain", *(f"--{name}={value}" for name, value in asked.items())])

    def save_old(self) -> None:
        run(OLD).save(self.out)

    @contextmanager
    def streams(self, out=None, err=None):
        """Other streams for stdout and stderr."""
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = out or sys.stdout, err or sys.stderr
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def text(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


def full():
    return open("/dev/full", "w", encoding="utf-8")


def hung_up():
    """A pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w", encoding="utf-8")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def send(number, batch=3):
    return lambda now: os.kill(os.getpid(), number) if now == batch else None


def fail(error, batch=3):
    def spoil(now):
        if now == batch:
            raise error

    return spoil


def on_replace(world, after, action):
    """Call `action` in place of moving the file whose turn is after so many, and go on if it returns."""
    replace, calls = os.replace, []

    def other(*names):
        calls.append(names)
        if len(calls) == after + 1:
            action()
        replace(*names)

    world.patch.setattr(os, "replace", other)


def killed_while_saving(after):
    """A process that dies as if the power went, having moved so many files; then its folder is read."""

    def way(world):
        world.save_old()
        if not (child := os.fork()):
            on_replace(world, after, lambda: os.kill(os.getpid(), signal.SIGKILL))
            with suppress(BaseException):
                run(TEXT).save(world.out)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL

    return way


def then_saved_again(way):
    def again(world):
        way(world)
        run(TEXT).save(world.out)
        assert load(world.out).instruction == TEXT and not list(world.out.glob(".smile*"))

    return again


def signalled_while_saving(number):
    def way(world):
        on_replace(world, 30, lambda: os.kill(os.getpid(), number))
        assert world.explain() == 128 + number

    return way


def signalled(number, status=None):
    def way(world):
        assert world.explain(send(number)) == (128 + number if status is None else status)

    return way


def signalled_twice(world):
    on_replace(world, 30, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert world.explain(send(signal.SIGINT)) in (130, 143)


def under_nohup(world):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert world.explain(send(signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def signalled_while_printing(world):
    world.patch.setattr("smile.cli.explain.print_explanation", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert world.explain() == 143


def broke_off(error, status):
    def way(world):
        assert world.explain(fail(error)) == status

    return way


def disk(after, code=errno.ENOSPC):
    """The disk is full, or fails, when so many files are in place."""

    def raise_it():
        raise OSError(code, os.strerror(code))

    def way(world):
        world.save_old()
        on_replace(world, after, raise_it)
        assert world.explain() == 2

    return way


def rescued(spoil):
    """The folder cannot be written to once the edits are made: the result is beside the temporary files, and named."""

    def way(world):
        with world.streams(err=text("utf-8")):
            status = world.explain(lambda now: spoil(world) if now == 2 else None)
            said = sys.stderr.buffer.getvalue().decode()
        assert status == 2 and "the results are kept in" in said
        world.out = next(world.folder.parent.glob("smile-*.zip"))

    return way


def fills_up(world):
    on_replace(world, 3, lambda: _raise_io(None))


def is_filled_by_somebody(world):
    (world.out / "thesis.txt").write_text("years of work")


def becomes_a_file(world):
    world.out.rmdir()
    world.out.write_text("years of work")


def full_before(world):
    world.save_old()
    world.patch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "free")(10))
    assert world.explain(fail(AssertionError("an edit was made"), batch=1)) == 2


def read_only(world):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    world.save_old()
    world.patch.setattr(own_folder, "write_file", refuse)
    assert world.explain(fail(AssertionError("an edit was made"), batch=1)) == 2


def not_synced(world):
    world.save_old()
    world.patch.setattr(os, "fsync", _raise_io)
    assert world.explain() == 2


def _raise_io(_):
    raise OSError(errno.EIO, "Input/output error")


def undrawn(place, name):
    def way(world):
        def broken(*_):
            raise RuntimeError("no such colour")

        world.patch.setattr(place, name, broken)
        with pytest.raises(RuntimeError, match="no such colour"):
            world.explain()

    return way


def seen_by(out=None, err=None, status=0):
    def way(world):
        with world.streams(out and out(), err and err()):
            assert world.explain() == status

    return way


def two_writers(start):
    """Several write the same folder at the same time."""

    def way(world):
        start([lambda words=words: run(words).save(world.out) for words in (TEXT, OLD, TEXT)])
        assert not list(world.out.glob(".smile*"))

    return way


def in_threads(actions):
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_forks(actions):
    children = []
    for action in actions:
        if not (child := os.fork()):
            try:
                action()
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def one_dies(world):
    killed_while_saving(10)(world)
    run(TEXT).save(world.out)


def over_somebodys_file(world):
    world.save_old()
    (world.out / "thesis.txt").write_text("years of work")
    assert world.explain(fail(AssertionError("an edit was made"), batch=1)) == 2
    assert (world.out / "thesis.txt").read_text() == "years of work"


def closed_tab(batches):
    def way(world):
        answer = build_edit_tab(fake_models).answer
        going, shown = ask(answer.explain, str(world.folder / "in.png"), instruction=TEXT), None
        for changes in going:
            shown = changes.get("shown") or shown
            if shown is not None and shown.done >= batches:
                break
        going.close()
        shown.save(world.out)

    return way


def named(name):
    def way(world):
        world.out = world.folder / name
        assert world.explain() == 0

    return way


WAYS = {
    "Ctrl-C during the edits": signalled(signal.SIGINT),
    "SIGTERM during the edits": signalled(signal.SIGTERM),
    "SIGHUP, the terminal was closed": signalled(signal.SIGHUP),
    "SIGHUP under nohup": under_nohup,
    "Ctrl-C while it saves": signalled_while_saving(signal.SIGINT),
    "SIGTERM while it saves": signalled_while_saving(signal.SIGTERM),
    "SIGHUP while it saves": signalled_while_saving(signal.SIGHUP),
    "Ctrl-C, and SIGTERM while it saves": signalled_twice,
    "SIGTERM while it prints": signalled_while_printing,
    **{f"kill -9 after {n} files": killed_while_saving(n) for n in (0, 5, 12, 23, 24, 25, 31, 44)},
    "kill -9, and saved again": then_saved_again(killed_while_saving(12)),
    "kill -9 half way into place, and saved again": then_saved_again(killed_while_saving(30)),
    "the editor raises": broke_off(RuntimeError("broken"), 1),
    "no memory": broke_off(MemoryError(), 1),
    "bad input that shows late": broke_off(InputError("Pictures differ."), 2),
    "the editor is interrupted": broke_off(KeyboardInterrupt(), 130),
    "the disk is full at once": disk(1),
    "the disk is full half way": disk(12),
    "the disk is full at the last file": disk(22),
    "the disk fails half way into place": disk(30, errno.EIO),
    "the disk is full before": full_before,
    "a folder that is read-only": read_only,
    "the disk does not say that it has it": not_synced,
    "the page cannot be drawn": undrawn(html, "render_page"),
    "the heatmap cannot be drawn": undrawn(plots, "draw_heatmap"),
    "a terminal of Windows": seen_by(out=lambda: text("cp1252")),
    "a terminal of ASCII": seen_by(out=lambda: text("ascii"), err=lambda: text("ascii")),
    "a terminal of Japan": seen_by(out=lambda: text("shift_jis")),
    "a pipe that was closed": seen_by(out=hung_up),
    "progress into a closed pipe": seen_by(err=hung_up),
    "a full disk at the other end": seen_by(out=full),
    "a log on a full disk": seen_by(err=full),
    "closed streams": seen_by(out=closed, err=closed),
    "the disk is full after the edits": rescued(fills_up),
    "somebody puts a file there meanwhile": rescued(is_filled_by_somebody),
    "the folder is gone meanwhile": rescued(becomes_a_file),
    "two threads write": two_writers(in_threads),
    "two processes write": two_writers(in_forks),
    "a writer dies, another comes": one_dies,
    "over somebody's file": over_somebodys_file,
    "a tab closed after the first edit": closed_tab(1),
    "a tab closed later": closed_tab(9),
    "a folder with letters of its own": named("результат ★ 結果"),
}


def test_nothing_is_lost(tmp_path, capsys):
    rows = []
    for number, (name, way) in enumerate(WAYS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", str(tmp_path))
            patch.setattr(html, "render_page", lambda *_: "<html>")  # plotly.js is four megabytes
            world = World(folder, patch)
            with suppress(SystemExit):
                way(world)
        try:
            kept = load(world.out)
            for left in tmp_path.glob("smile-*.zip"):
                left.unlink()
            finished = "whole" if not kept.provisional else f"{kept.done} of {kept.total} edits"
            rows.append((name, finished if kept.instruction == TEXT else f"the one before, {finished}"))
        except InputError as error:
            rows.append((name, f"LOST: {error}"))
    capsys.readouterr()
    with capsys.disabled():
        print()
        for row in rows:
            print(f"{row[0]:<50} {row[1]}")
    assert len(rows) >= 40 and not [row for row in rows if row[1].startswith("LOST")]
