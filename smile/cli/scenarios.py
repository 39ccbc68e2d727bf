"""`smile scenarios SUITE --out DIR`, alone or under `accelerate launch`."""

import functools
from pathlib import Path

from smile.cli.terminal import Interrupted, show, show_progress
from smile.errors import InputError

HELP = "explain every cell of a suite of scenarios, and report on the domain"
SHARED = (
    "to share the cells over P processes: accelerate launch --num_processes P -m smile scenarios SUITE --out DIR; on CPUs, "
    "accelerate launch --multi_gpu --num_processes P and so on"
)


def add_command(commands) -> None:
    """Add the command to argparse's `commands`."""
    parser = commands.add_parser("scenarios", help=HELP, description=f"{HELP.capitalize()}.", epilog=SHARED)
    parser.set_defaults(command=run_scenarios)
    parser.add_argument("suite", metavar="SUITE", help="a YAML or JSON file; some are in assets/scenarios")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results; run it again there to go on")
    parser.add_argument("--report-only", action="store_true", help="report on what is there, and run nothing")
    threads = "of each process on a CPU (default 1); results depend on it in their last digits"
    parser.add_argument("--cache", metavar="DIR", help="folder in which edits are kept, so that none is made twice")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help=threads)


def run_scenarios(args) -> int:
    """Returns the exit status: 0; 128 + n for a signal."""
    from smile.scenarios import folder, report, suite

    if args.threads < 1:
        raise InputError("--threads must be at least 1.")
    chosen = suite.read_suite(args.suite)
    folder.check_folder(Path(args.out), chosen)
    if args.report_only:
        _print_summary(report.write_report(args.out))
        return 0
    from smile.scenarios.distributed import Processes

    processes = Processes(args.threads)
    if processes.is_main and processes.note:
        show_progress(processes.note)
    try:
        _explain_cells(chosen, args.out, processes, args.cache)
        processes.wait()
        if processes.is_main:
            _print_summary(report.write_report(args.out))
    except KeyboardInterrupt as interrupt:
        if processes.is_main:
            show_progress("\nStopped; the same command goes on from here, and --report-only reports on what is there.")
        return getattr(interrupt, "status", Interrupted().status)
    processes.leave()
    return 0


def _explain_cells(suite, out, processes, cache) -> None:
    """This process's share of the cells, with the progress of all on stderr."""
    from smile.scenarios import run

    load = functools.partial(run.get_loader(suite), device=processes.device)
    for progress in run.explain_cells(suite, out, load=load, share=processes.share, is_main=processes.is_main, cache=cache):
        if processes.is_main:
            show_progress(f"\r{_describe_progress(progress):<60}", end="")
    if processes.is_main:
        others = "" if progress.done == progress.total else "\nWaiting for the other processes."
        show_progress(others)


def _describe_progress(progress) -> str:
    left = "" if progress.seconds_left is None else f", {_format_duration(progress.seconds_left)} left"
    return f"{progress.done} of {progress.total} cells{left}"


def _format_duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _print_summary(report: dict) -> None:
    """Print the counts, and where the report is."""
    cells = report["summary"]["cells"]
    failed = f", {cells['failed']} failed" if cells["failed"] else ""
    show(f"{cells['done']} of {cells['planned']} cells explained{failed}")
    show(report["report"])
