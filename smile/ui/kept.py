"""Runs that do not end with the connection through which they were asked for.

A run has a number that nobody can guess, which stands in the page's address. One event of the page's queue carries it out, in
one call, and so keeps its place at the editor, and counts as its visitor's, whoever looks on; it publishes what a page should
show. Any number of pages follow it, from where it is: each is given the newest of every component, not all that was before.
"""

import secrets
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from smile.ui import machine
from smile.ui.events import Changes, Values
from smile.ui.memory import count_bytes, count_text

PATIENCE = 120  # seconds for which a run goes on that nobody follows, while others wait for the editor
LENT = 60  # the same on ZeroGPU, whoever waits: the time on the GPU is the visitor's
RUNS, OF_VISITOR = 64, 8  # how many are kept, and how many of one visitor
BYTES = 250_000_000  # of pictures and of what is drawn, in all that are kept
SECONDS = 3600  # since somebody last followed it

STORES: weakref.WeakSet = weakref.WeakSet()  # for `forget_old`

Make = Callable[[Values], Generator[Changes, None, None]]


class Run:
    """One run: `make(values)` yields what the page shows, step by step. `visitor`: who asked for it."""

    def __init__(self, make: Make, values: Values, visitor: str = ""):
        self.make, self.values, self.visitor = make, values, visitor
        self.number = secrets.token_urlsafe(16)
        self.begun = self.ended = self.stopping = False
        self.followers, self.left = 0, time.monotonic()
        self.dismissed: set[str | None] = set()  # sessions whose pages show something else by now
        self._changes: dict[Any, tuple[int, Any]] = {}  # by component, since which version
        self._version = 0
        self._counted = -1, 0  # at which version, and how many bytes it then took
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether whoever calls this is to carry it out; only once."""
        with self._lock:
            taken, self.begun = not self.begun and not self.ended, True
            return taken

    def publish(self, changes: Changes) -> None:
        """What a page should show from now on."""
        with self._lock:
            self._version += 1
            self._changes |= {part: (self._version, value) for part, value in changes.items()}

    def read(self, seen: int = 0) -> tuple[Changes, int, bool]:
        """What has changed since the version `seen`, the version now, and whether that was the last."""
        with self._lock:
            changes = {part: value for part, (version, value) in self._changes.items() if version > seen}
            return changes, self._version, self.ended

    def get(self, part: Any) -> Any:
        """What a component should show, None where nothing was said of it."""
        with self._lock:
            return self._changes.get(part, (0, None))[1]

    @property
    def is_going(self) -> bool:
        """Whether it is being carried out."""
        return self.begun and not self.ended

    def stop(self) -> bool:
        """Let it end after the batch in hand. Whether it is ended by this alone, because it has not begun."""
        with self._lock:
            self.stopping = True
            alone, self.ended = not self.begun and not self.ended, self.ended or not self.begun
            return alone

    def end(self) -> None:
        """Nothing more will be published."""
        with self._lock:
            self.begun = self.ended = True

    @contextmanager
    def followed(self) -> Iterator[None]:
        """While somebody looks on."""
        with self._lock:
            self.followers += 1
        try:
            yield
        finally:
            with self._lock:
                self.followers -= 1
                self.left = time.monotonic()

    def is_abandoned(self, awaited: bool) -> bool:
        """Whether nobody has followed it for so long that it is to end; `awaited`: others wait for the editor."""
        patience = LENT if machine.ZERO_GPU else PATIENCE
        return (awaited or machine.ZERO_GPU) and not self.followers and time.monotonic() - self.left > patience

    def count_bytes(self) -> int:
        """How much memory it takes: pictures, and the texts that hold what is drawn."""
        changes, version, _ = self.read()
        if self._counted[0] != version:
            self._counted = version, count_bytes(list(changes.values())) + count_text([self.values, changes])
        return self._counted[1]


class Kept:
    """The runs of all visitors, by number: those that wait and run, and, for a while, those that have ended."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        STORES.add(self)

    def add(self, run: Run) -> str:
        """Keep it; its number. What is too much is forgotten, the oldest first."""
        with self._lock:
            self._runs[run.number] = run
        self.forget()
        return run.number

    def find(self, number: Any) -> Run | None:
        """The run of that number, None where it is not kept any more, or never was."""
        self.forget()
        return self._runs.get(number) if isinstance(number, str) else None

    def forget(self) -> None:
        """Forget what is too old or too much, of one visitor or in all, the oldest first. What runs stays, and the
        newest, however much it is."""
        now, held, of_visitor = time.monotonic(), 0, Counter[str]()
        with self._lock:
            for run in reversed(list(self._runs.values())):
                held, of_visitor[run.visitor] = held + run.count_bytes(), of_visitor[run.visitor] + 1
                old = not run.followers and now - run.left > SECONDS
                much = held > BYTES or of_visitor[run.visitor] > OF_VISITOR or of_visitor.total() > RUNS
                if not run.is_going and (old or (much and of_visitor.total() > 1)):
                    del self._runs[run.number]


def forget_old() -> None:
    """Forget what is too old, also while nobody asks for anything."""
    for kept in list(STORES):
        kept.forget()
