"""Several processes, GPUs or machines on one suite, by accelerate's own means: `accelerate launch ... -m smile scenarios`.

On machines with GPUs `--num_processes P` is enough. On CPUs accelerate starts several processes only with `--multi_gpu`
(which needs none), and says nothing when `--cpu` makes it start one. Started alone there is one process, which shares
with nobody. Several machines need a folder that all of them see. One explanation runs in one process.
"""

import os
from datetime import timedelta

from smile.models.devices import choose_device
from smile.models.threads import limit_threads

PATIENCE = timedelta(days=30)  # that a process waits for another, which may have slower cells
ALONE = "accelerate has started one process; to start several on CPUs, launch with --multi_gpu, and without --cpu."


def is_distributed() -> bool:
    """Whether this process was started among others."""
    return int(os.environ.get("WORLD_SIZE", 1)) > 1


class Processes:
    """This process among the others. Imports torch.

    threads: of each process on a CPU, the same whatever the number of processes is, because results depend on it.
    """

    def __init__(self, threads: int):
        from accelerate import PartialState
        from accelerate.utils import parse_flag_from_env

        cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or choose_device(None) == "cpu"
        self.state = PartialState(cpu=bool(cpu), timeout=PATIENCE)
        limit_threads(threads)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that speaks and writes for all."""
        return self.state.is_main_process

    @property
    def note(self) -> str:
        """What the reader should know of how the processes were started; "" where there is nothing to say."""
        if self.state.num_processes > 1:
            return f"{self.state.num_processes} processes share the cells."
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
        with self.state.split_between_processes(dealt) as own:
            return own

    def wait(self) -> None:
        """Until all processes are here."""
        self.state.wait_for_everyone()

    def leave(self) -> None:
        """End the processes' connection. Called once, by each, when nothing is left to do."""
        self.state.destroy_process_group()
