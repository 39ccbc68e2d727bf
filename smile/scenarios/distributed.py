"""Several processes, GPUs or machines on one suite or one explanation, by accelerate's own means: `accelerate launch ...
-m smile scenarios`, `explain` or `evaluate`.

On machines with GPUs `--num_processes P` is enough. On CPUs accelerate starts several processes only with `--multi_gpu`
(which needs none), and says nothing when `--cpu` makes it start one. Started alone there is one process, which shares
with nobody. Several machines need a folder that all of them see for a suite; an explanation is written by the first.
"""

import contextlib
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta

from smile.errors import InputError
from smile.models import protocols

PATIENCE = timedelta(days=30)  # that a process waits for another, which may have slower cells
ALONE = "accelerate has started one process; to start several on CPUs, launch with --multi_gpu, and without --cpu."


def is_distributed() -> bool:
    """Whether this process was started among others."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1


def limit_threads(threads: int | None) -> None:
    """On a CPU, so many; None leaves it to the libraries. Imports torch."""
    if threads is not None:
        import torch
        from threadpoolctl import threadpool_limits

        torch.set_num_threads(threads)
        threadpool_limits(threads)


class Processes:
    """This process among the others. Imports torch.

    `threads` are those of each process on a CPU. Sums come out differently in their last digits with other numbers of
    them, so it is the same whatever the number of processes is. `what` is shared.
    """

    def __init__(self, threads: int | None, what: str = "cells"):
        import torch
        from accelerate import PartialState
        from accelerate.utils import parse_flag_from_env

        cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.cuda.is_available()
        self.state, self.what = PartialState(cpu=bool(cpu), timeout=PATIENCE), what
        limit_threads(threads)

    @property
    def is_main(self) -> bool:
        return self.state.is_main_process

    @property
    def note(self) -> str:
        """What the reader should know of how the processes were started; "" where there is nothing to say."""
        if self.state.num_processes > 1:
            return f"{self.state.num_processes} processes share the {self.what}."
        asked = "ACCELERATE_MIXED_PRECISION" in os.environ and "MASTER_ADDR" in os.environ  # for several, by accelerate
        return ALONE if asked else ""

    @property
    def device(self) -> str | None:
        """ "cpu" where accelerate has no other; None lets the editors choose, which on CUDA is this process's GPU."""
        return "cpu" if self.state.device.type == "cpu" else None

    def share(self, names: list[str]) -> list[str]:
        """The names that are for this process, of the first process's list.

        They are dealt like cards, because neighbours have the same editor and take equally long.
        """
        from accelerate.utils import broadcast_object_list

        [names] = broadcast_object_list([names])
        count = self.state.num_processes
        dealt = [name for first in range(count) for name in names[first::count]]
        with self.state.split_between_processes(dealt) as mine:
            return mine

    def wait(self) -> None:
        self.state.wait_for_everyone()

    def leave(self) -> None:
        self.state.destroy_process_group()

    # One explanation: the first process asks, and all make edits.

    def tell(self, task) -> None:
        """What all are to do next; None for nothing more. In the first process only."""
        from accelerate.utils import broadcast_object_list

        broadcast_object_list([task])

    def serve(self, load: Callable) -> None:
        """Edit what the first process asks for, until there is nothing more. In the others only; `load` gives the editor."""
        from accelerate.utils import broadcast_object_list

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides, and tells
        editor = failure = None
        try:
            editor = load()
        except Exception as error:  # whatever it is, the first process hears of it, or would wait for ever
            failure = _Failure(error)
        while (task := broadcast_object_list([None])[0]) is not None:
            self.made(editor, *task, failure=failure)

    def made(self, editor, image, dealt, region, failure=None) -> list[list]:
        """What each process made of what was `dealt` to it, batches (seed, texts). Errors are values, or some would wait."""
        from accelerate.utils import gather_object

        made = failure
        if failure is None:
            try:
                mine = dealt[self.state.process_index]
                made = [protocols.edited(editor, image, texts, seed, region) for seed, texts in mine]
            except Exception as error:  # as above
                made = _Failure(error)
        return gather_object([made])


class _Failure:
    """An error on its way to the first process."""

    def __init__(self, error: Exception):
        self.sentence = str(error) if isinstance(error, InputError) else None
        self.trace = "".join(traceback.format_exception(error))


class Shared:
    """An editor that is in all processes, as the first one sees it: batches are made by several at a time.

    Batches are not cut into smaller ones, so that each comes out as it would from one process, to the last bit.
    """

    def __init__(self, editor, processes: Processes):
        self.editor, self.processes = editor, processes

    def edit(self, image, texts, *, seed, region=None) -> list:
        """As in `smile.models.editors`."""
        return next(self.edit_batches(image, [(seed, list(texts))], region=region))

    def edit_batches(self, image, batches, *, region=None) -> Iterator[list]:
        """The edits of each batch (seed, texts), in order."""
        count = self.processes.state.num_processes
        for round_ in _rounds(batches, count):
            dealt = _dealt(round_, count)
            with _uninterrupted():
                own = [[round_[number] for number in hand] for hand in dealt]
                self.processes.tell((image, own, region))
                made = self.processes.made(self.editor, image, own, region)
            for failure in (each for each in made if isinstance(each, _Failure)):
                raise InputError(failure.sentence) if failure.sentence else RuntimeError(failure.trace)
            found = {
                number: edits for hand, some in zip(dealt, made, strict=True) for number, edits in zip(hand, some, strict=True)
            }
            yield from (found[number] for number in range(len(round_)))

    def __getattr__(self, name):
        return getattr(self.editor, name)


def _rounds(batches, count: int) -> Iterator[list]:
    """The batches, as many at a time as keep `count` processes busy with a largest one each."""
    most, round_ = count * max((len(texts) for _, texts in batches), default=1), []
    for batch in batches:
        if round_ and sum(len(texts) for _, texts in round_) + len(batch[1]) > most:
            yield round_
            round_ = []
        round_.append(batch)
    if round_:
        yield round_


def _dealt(round_, count: int) -> list[list[int]]:
    """For each process the numbers of its batches, the largest dealt first, each to whoever has the least."""
    hands, texts = [[] for _ in range(count)], [0] * count
    for number in sorted(range(len(round_)), key=lambda number: -len(round_[number][1])):
        least = texts.index(min(texts))
        hands[least].append(number)
        texts[least] += len(round_[number][1])
    return hands


@contextlib.contextmanager
def _uninterrupted():
    """Ctrl-C takes effect afterwards, because a process that others wait for cannot just leave."""
    caught = []
    before = signal.signal(signal.SIGINT, lambda *_: caught.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt
