"""The command `smile`, also `python -m smile`. Results go to stdout and --out, progress to stderr.

Bad input is one sentence on stderr and exit status 2; a bug is a traceback and 1. Ctrl-C, SIGTERM and SIGHUP keep what has
been computed, and give 130, 143 and 129.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from smile.cli import ask, check, editors, evaluate, explain, export, language_models, scenarios
from smile.cli.terminal import Interrupted, catch_signals, prepare_terminal, show_progress
from smile.errors import InputError, shown
from smile.scenarios import distributed

COMMANDS = (explain, ask, evaluate, export, scenarios, editors, language_models, check)  # in the order of --help
LONGEST = 1000  # letters of a sentence on stderr; none of them moves a terminal's cursor


class _Parser(argparse.ArgumentParser):
    """argparse that says what is wrong in one line, like everything else here."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {shown(message, LONGEST)}; see {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 when an editor broke off, 2 for bad input, 128 + n for signal n."""
    prepare_terminal()
    args = build_parser().parse_args(arguments)
    try:
        with catch_signals():
            return args.command(args)
    except InputError as error:
        show_progress(f"smile: {shown(error, LONGEST)}")
        return 2
    except KeyboardInterrupt as interrupt:  # where there was nothing yet to keep
        return getattr(interrupt, "status", Interrupted().status)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; `command` of what it parses runs the one that was asked for."""
    parser = _Parser(prog="smile", description="Which words of an edit instruction, or of a prompt, did it?")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_command(commands)
    return parser


if __name__ == "__main__":
    status = main()
    if distributed.is_distributed():
        # torch's CUDA build, one of several processes on CPUs, aborts now and then in what C++ does when a process ends,
        # and the launcher then reports a failure although everything is written.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
