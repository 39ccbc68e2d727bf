"""The command line: `python -m smile explain ...`, `export`, `scenarios` and `editors`. Results go to stdout and --out,
progress to stderr.

Bad input is one sentence on stderr and exit status 2. Ctrl-C keeps what has been computed.
"""

import argparse
import os
import sys
from pathlib import Path

from smile.cli import editors, evaluate, explain, language_models, scenarios
from smile.errors import InputError
from smile.scenarios import distributed

FORMATS = {".html": "one page that needs no server", ".zip": "a bundle", ".png": "the heatmap", ".json": "the numbers"}


class _Parser(argparse.ArgumentParser):
    """argparse that says what is wrong in one line, like everything else here."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 2 for bad input, 130 when interrupted."""
    args = _parser().parse_args(arguments)
    try:
        return args.command(args)
    except InputError as error:
        print(f"smile: {error}", file=sys.stderr)
        return 2


def _parser():
    parser = _Parser(prog="smile", description="Which words of an edit instruction did it?")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    explain.add(commands)
    evaluate.add(commands)
    again = commands.add_parser("export", help="write an explanation that was saved as another kind of file")
    again.set_defaults(command=_export)
    again.add_argument("bundle", metavar="BUNDLE", help="the zip file, or the folder that explain wrote")
    kinds = "; ".join(f"{suffix}: {what}" for suffix, what in FORMATS.items())
    again.add_argument("--out", required=True, metavar="FILE", help=f"what to write, by its ending ({kinds})")
    scenarios.add(commands)
    editors.add(commands)
    language_models.add(commands)
    return parser


def _export(args) -> int:
    from smile import Explanation
    from smile.io import bundle
    from smile.report.html import render_page
    from smile.report.plots import draw_heatmap

    out = Path(args.out)
    if out.suffix.lower() not in FORMATS:
        raise InputError(f"It is not clear what to write into {out}; let its name end in {', '.join(FORMATS)}.")
    explanation = Explanation.load(args.bundle)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        match out.suffix.lower():
            case ".html":
                out.write_text(render_page(explanation), encoding="utf-8")
            case ".zip":
                bundle.write(explanation, out)
            case ".png":
                draw_heatmap(explanation).save(out)
            case ".json":
                out.write_text(explanation.to_json(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"The explanation cannot be written to {out} ({error.strerror}).") from error
    return 0


if __name__ == "__main__":
    status = main()
    if distributed.is_distributed():
        # torch's CUDA build, one of several processes on CPUs, aborts now and then in what C++ does when a process ends,
        # and the launcher then reports a failure although everything is written.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
