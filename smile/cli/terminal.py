"""The terminal, which may be narrow in letters, closed, or full: it gets what it can show, and nothing is lost by it; and the
signals that end a command, which keeps what it has."""

import codecs
import os
import signal
import sys
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

PLAIN = {"★": "*", "“": '"', "”": '"', "’": "'", "…": "...", "·": "-", "−": "-", "–": "-", "\u2068": "", "\u2069": ""}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP; `status` is what a shell calls it."""

    def __init__(self, number: int = signal.SIGINT):
        super().__init__()
        self.status = 128 + number


def prepare_terminal() -> None:
    """Let stdout and stderr write what their encoding has, and something like it for the rest."""
    codecs.register_error("smile.plain", _write_plainly)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="smile.plain")


def show(text: str = "", *, stream: TextIO | None = None, end: str = "\n") -> bool:
    """Print, at once; False where nobody reads: a closed pipe, a full disk, no terminal. Nothing else is wrong then."""
    stream = sys.stdout if stream is None else stream
    try:
        print(text, end=end, file=stream, flush=True)
    except (OSError, ValueError, UnicodeError):  # ValueError: it is closed
        _silence(stream)
        return False
    return True


def show_progress(text: str, end: str = "\n") -> None:
    """Print on stderr, if anybody reads it."""
    show(text, stream=sys.stderr, end=end)


@contextmanager
def catch_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt as Ctrl-C does, unless they are ignored, as under nohup."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in names):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def defer_signals() -> Iterator[None]:
    """What is done within is done to its end; a signal that comes meanwhile interrupts afterwards."""
    came: list[int] = []
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is _interrupt:
                before[number] = signal.signal(number, lambda which, _: came.append(which))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise Interrupted(came[0])


def _interrupt(number: int, _) -> None:
    raise Interrupted(number)


def _write_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_plain_letter(letter) for letter in letters), error.end


def _plain_letter(letter: str) -> str:
    if letter in PLAIN:
        return PLAIN[letter]
    base = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return base or "?"


def _silence(stream: TextIO) -> None:
    """Nothing more is written there, not even what is buffered when Python ends, which would change the exit status."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):  # it is no file, as in a notebook
        return
