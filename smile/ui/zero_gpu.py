"""The engine on ZeroGPU, where the GPU belongs to this app only while a function that `spaces.GPU` has wrapped runs, in a
process forked from this one.

All editing with full weights is in one such function, `edit_in_fork`, and what goes in and comes out can be pickled. Bundled
weights run on the CPU of this process, at no cost to anybody's quota.

Placing a model on the GPU beforehand works in the main thread only (torch's modes, by which it is put off until the fork,
are per thread), hence `ZeroGpuEngine.serve`. The editor that is shown first is placed before the page starts, which packs it
for quick forks; the others when they are chosen, because every set that is packed makes every fork slower. A fork that is
used again, and is older than the set it is asked for, loads that itself.

A fork cannot see which edits are kept here, so it is given what is known of the picture, and hands back what it makes. So a
run may also take several turns on the GPU: ZeroGPU lends it for a limited time, and each turn goes on from the edits of those
before. A fork that hangs, or whose GPU is lost, is ended by ZeroGPU when its time is over, and the next one is a new process;
this one waits no longer than the run's own clock allows.
"""

import math
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from typing import Any

from smile import Explanation, InputError, load_embedder
from smile.evaluation.evaluate import count_further_edits
from smile.io.images import open_picture
from smile.models import protocols
from smile.models.cache import Group
from smile.models.hub import is_bundled
from smile.ui import machine
from smile.ui.engine import DEFAULT, Clock, Engine, Key, Models, Request, Steps, load_models, unlimited
from smile.ui.estimate import ZERO_GPU_SPEED, list_edits

try:
    from spaces import GPU  # on a Space; elsewhere it leaves functions as they are
except ImportError:

    def GPU(duration):
        return lambda function: function


FORK, FORK_LOADS = 5, 10  # seconds that a fork may take to begin, and to load a set that is not packed
GPU_TURN = 60  # seconds, ZeroGPU's own default; more than 120 are refused to visitors without an account
GPU_RUN = 600  # seconds that the turns of one run may take together
MARGIN = 4 / 3  # of estimates
PAUSED: tuple = (None, {})  # the last of a turn that is to be followed by another
ENGINES: weakref.WeakValueDictionary = weakref.WeakValueDictionary()  # by number, because a number can go to a fork


def place_models(name: str, weights: str) -> Models:
    """`load_models`, of which ZeroGPU places full weights itself."""
    return load_models(name, weights, "cpu" if is_bundled(weights) else None)


class ZeroGpuEngine(Engine):
    """An engine whose full weights edit in forks."""

    segmenter_device = "cpu"

    def __init__(self, load: Callable[[str, str], Models] = place_models):
        super().__init__(load)
        self._for_main_thread: queue.SimpleQueue | None = queue.SimpleQueue()
        self._process = os.getpid()
        ENGINES[id(self)] = self

    # Loading

    def _load_once(self, key: Key) -> Models:
        if is_bundled(key[1]) or self._for_main_thread is None or threading.current_thread() is threading.main_thread():
            return super()._load_once(key)
        done: Future = Future()
        self._for_main_thread.put((key, done))
        return done.result()

    def serve(self) -> None:
        """Load in this thread, for ever, what other threads ask for. The main thread does nothing else."""
        while self._for_main_thread is not None:
            key, done = self._for_main_thread.get()
            try:
                done.set_result(self.load(*key))
            except BaseException as error:  # whoever waits for the models must hear of it, whatever it is
                done.set_exception(error)
            del done

    def _stays(self, key: Key) -> bool:
        """The editor that is shown first is packed on disk."""
        return super()._stays(key) or key[0] == DEFAULT

    def _empty_gpu(self) -> None:
        """No GPU is at hand here."""

    def _warm_up(self, key: Key, editor: Any, embedder: Any) -> None:
        if is_bundled(key[1]):
            super()._warm_up(key, editor, embedder)

    def _get_gpu_memory(self) -> None:
        """No GPU is at hand here; what ZeroGPU lends has room for all of it, or the fork makes room."""

    def _get_speed(self) -> float:
        return ZERO_GPU_SPEED

    def adopt_process(self) -> None:
        """In a fork: its locks may be held by threads that it does not have, and nobody serves."""
        if os.getpid() != self._process:
            self._for_main_thread, self._process = None, os.getpid()
            self._make_locks()

    def describe_first_run(self) -> str:
        """Only of bundled weights: no GPU is at hand here."""
        known = is_bundled(machine.resolve_weights(DEFAULT, "auto"))
        return super().describe_first_run() if known else "First run: not made, because a GPU is lent to visitors' runs only."

    # Running

    def _run(self, request: Request, explanation: Explanation | None = None, left: Clock = unlimited) -> Steps:
        weights = machine.resolve_weights(request.editor, request.weights)
        if is_bundled(weights):
            return super()._run(request, explanation, left)
        self.load(request.editor, weights)  # before a fork
        return self._run_in_turns(request, explanation, left)

    def _run_in_turns(self, request: Request, explanation: Explanation | None, left: Clock) -> Steps:
        """As many turns as it takes. The steps of a turn that repeat those of an earlier one are left out."""
        group = self._group_edits(request, explanation)
        known, done = self.cache.list_held(group), 0
        spent: dict[str, float] = {}
        self._check_gpu_time(request, explanation, known)
        while True:
            seconds, before, step = min(self.count_gpu_seconds(request, explanation, known), GPU_TURN), len(known), None
            turn = edit_in_fork(id(self), request, explanation, known, seconds)
            with closing(self._step_locked(turn, request, left)) as steps:
                for item in steps:
                    if isinstance(item, InputError):
                        raise item
                    step, edits = item
                    known |= edits
                    for (seed, text), edit in edits.items():
                        if edit is not None:
                            self.cache.store(group, seed, text, edit)
                    if step is not None and step.done >= done:
                        done, last = step.done, step
                        if explanation is None:
                            step.seconds = {part: value + spent.get(part, 0) for part, value in step.seconds.items()}
                        yield step, edits
            if step is not None:
                return
            if len(known) == before:
                raise InputError(f"The GPU is lent for {seconds} seconds, too short for one edit; choose fewer steps.")
            spent = last.seconds if explanation is None else {}

    def _load_measurer(self, name: str, weights: str) -> Any:
        """Full weights on the CPU: there is a GPU in forks only, and to measure again needs none."""
        return super()._load_measurer(name, weights) if is_bundled(weights) else load_embedder("full", "cpu")

    def _group_edits(self, request: Request, explanation: Explanation | None) -> Group:
        """Under which key the cache has the edits of this picture."""
        editor = self._apply_settings(request)[0]
        if explanation is not None:
            return self.cache.identify(editor, explanation.image, explanation.region)
        return self.cache.identify(editor, *protocols.fit_inputs(editor, open_picture(request.picture), request.region))

    def _check_gpu_time(self, request: Request, explanation: Explanation | None, known: dict) -> None:
        """Raise InputError, before any GPU is asked for, where a run would never end."""
        seconds = self.count_gpu_seconds(request, explanation, known)
        if seconds > GPU_RUN:
            raise InputError(
                f"This would take about {seconds / 60:.0f} minutes of the GPU, which is lent for at most {GPU_RUN // 60} "
                "to one run; ask for fewer edits, steps or seeds."
            )
        if self._count_texts(GPU_TURN, request) < 1:
            raise InputError(
                f"A single edit would take longer than the {GPU_TURN} seconds that the GPU is lent for; choose fewer steps."
            )

    def count_gpu_seconds(self, request: Request, explanation: Explanation | None = None, known=frozenset()) -> int:
        """For how long a run should have the GPU, with a third to spare, where some edits are `known`."""
        if explanation is None:
            asked = list_edits(request.instruction, request.edits, request.seed, request.options)
            edits = len(asked - set(known))
        else:
            edits = count_further_edits(explanation, made=known)
        return math.ceil(_count_begin_seconds(request) + edits * self._estimate_edit(request) * MARGIN)

    def _estimate_edit(self, request: Request) -> float:
        return self.estimate_edit_seconds(request.editor, request.weights, request.settings) or 1

    def _count_texts(self, seconds: float, request: Request) -> int:
        """How many edits will be made in that time."""
        return int((seconds - _count_begin_seconds(request)) / (self._estimate_edit(request) * MARGIN))

    def run_turn(self, request: Request, explanation: Explanation | None, known: dict, seconds: float) -> Steps:
        """`stream` in a fork, where there must be an end after `seconds`; if that comes too early, the last item is PAUSED."""
        began = last = time.monotonic()
        self.adopt_process()
        batch_size, slowest = max(1, self._count_texts(seconds, request)), 0.0
        batch_size = min(getattr(self._apply_settings(request)[0], "batch_size", protocols.BATCH), batch_size)
        for step, edits in self.stream(request, explanation, known, batch_size):
            yield step, edits
            now = time.monotonic()
            slowest, last = max(slowest, (now - last) / len(edits) if edits else 0.0), now
            due = slowest * min(batch_size, step.total - step.done)
            if due and now - began + due > seconds:
                yield PAUSED
                return


def _count_begin_seconds(request: Request) -> int:
    return FORK if request.editor == DEFAULT else FORK + FORK_LOADS


def run_turn(number: int, request: Request, explanation: Explanation | None, known: dict, seconds: float) -> Steps:
    """What runs on the GPU. An error of the visitor's comes as a value, because ZeroGPU keeps only an error's class."""
    try:
        yield from ENGINES[number].run_turn(request, explanation, known, seconds)
    except InputError as error:
        yield error


edit_in_fork = GPU(duration=lambda number, request, explanation, known, seconds: seconds)(run_turn)
