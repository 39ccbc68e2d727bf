"""What commands print and write: tables and explanations on stdout, progress on stderr, results in a folder."""

import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from smile.errors import InputError, shown
from smile.explanation import Explanation


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Print rows of texts, each column as wide as its longest text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_explanation(explanation: Explanation) -> None:
    """Print the table of the words, and the finding."""
    from smile.report.plots import COLUMN_NAMES, tabulate_words

    print_columns([COLUMN_NAMES, *tabulate_words(explanation)])
    print(f"\n{explanation.finding}")


def follow_stream(stream: Generator[Any, None, None], what: str) -> tuple[Any, int]:
    """(last item of `stream` or None, exit status): progress on stderr, and Ctrl-C keeps what there is.

    Items have `done` and `total`. Raises what the stream raises, unless it is somebody's editor that broke off later on.
    """
    last, status = None, 0
    try:
        for last in stream:
            print(f"\r{last.done} of {last.total} {what}", end="", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        status = 130
    except InputError:
        raise
    except Exception as error:  # of somebody's editor: what it made until then is kept
        if last is None:
            raise
        status = 1
        print(f"\nsmile: It broke off ({type(error).__name__}: {shown(error, 300)}); what there is stays.", file=sys.stderr)
    finally:
        stream.close()
        print(file=sys.stderr)
    return last, status


def make_folder(folder: str) -> None:
    """Make the folder for the results. Raises InputError where that cannot be."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The results cannot be written to {folder} ({error.strerror}).") from error


def save_explanation(explanation: Explanation, folder: str) -> None:
    """Write it into the folder. Raises InputError where that fails, as on a disk that is full."""
    try:
        explanation.save(folder)
    except OSError as error:
        raise InputError(f"The results cannot be written to {folder} ({error.strerror}).") from error
