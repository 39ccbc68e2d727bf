"""A file is written whole or not at all."""

import os
import threading

import pytest

from smile.io.atomic import remove_unfinished, write_file


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    write_file(tmp_path / "text", "雪\r\n\n", durable=True)
    write_file(str(tmp_path / "bytes"), b"\xff")
    assert (tmp_path / "text").read_bytes() == "雪\r\n\n".encode() and (tmp_path / "bytes").read_bytes() == b"\xff"
    write_file(tmp_path / "text", "")
    assert (tmp_path / "text").read_bytes() == b"" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), SystemExit(1), MemoryError()])
def test_after_any_exception_the_old_file_stays_and_nothing_else(tmp_path, monkeypatch, function, error):
    def fail(*_):
        raise error

    write_file(tmp_path / "a", "old")
    monkeypatch.setattr(os, function, fail)
    with pytest.raises(type(error)):
        write_file(tmp_path / "a", "new", durable=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "old"


def test_where_nothing_can_be_written_it_raises_oserror(tmp_path):
    with pytest.raises(OSError):
        write_file(tmp_path / "absent" / "a", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_file(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_threads_that_write_the_same_file_leave_the_whole_of_one(tmp_path):
    contents = [letter * 10**6 for letter in "abcd"]
    threads = [threading.Thread(target=write_file, args=(tmp_path / "a", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_text() in contents and len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    for name in (".smile-0.part", ".other.part", "a.part"):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".other.part", "a.part"}
