"""A thread that computes for somebody who waits with a clock, and that can be abandoned when it does not come back.

Python cannot end a thread. One that hangs keeps what it holds, and its result is dropped if it ever comes; so whoever abandons
it must let go of the models that it was using. It is a daemon, so that it keeps no page from ending.
"""

import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any


class Hung(Exception):
    """What was computed did not come back in time."""


class Worker:
    """Does one thing after another, in one thread. To be used in a with statement."""

    def __init__(self):
        self._tasks: queue.SimpleQueue = queue.SimpleQueue()
        self.hung = False
        threading.Thread(target=self._work, daemon=True).start()

    def do(self, action: Callable[[], Any], seconds: float | None) -> Any:
        """What `action` returns or raises, in the caller's context. Raises Hung after so many seconds, if any are given; then
        the worker does nothing more."""
        future: Future = Future()
        self._tasks.put((contextvars.copy_context(), action, future))
        try:
            return future.result(seconds)
        except NotYet:
            if future.done():  # the action itself timed out
                return future.result()
            self.hung = True
            raise Hung from None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            context, action, future = task
            try:
                future.set_result(context.run(action))
            except BaseException as error:  # whoever waits hears of it, whatever it is
                future.set_exception(error)
            del task, action, future
