"""What commands print and write: results into a folder first, then tables on stdout; progress on stderr."""

import tempfile
import traceback
import uuid
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from smile.cli.terminal import Interrupted, defer_signals, show, show_progress
from smile.errors import InputError, shown
from smile.explanation import AnswerExplanation, Explanation
from smile.io.own_folder import check_folder

BROKE_OFF = "smile: It broke off; what there is stays."


def print_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Print rows of texts, each column as wide as its longest text. Returns whether anybody reads it."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return show("\n".join(lines))


def print_explanation(explanation: Explanation | AnswerExplanation) -> None:
    """Print the table of the words, and the finding."""
    from smile.report.plots import COLUMN_NAMES, tabulate_words

    print_columns([COLUMN_NAMES, *tabulate_words(explanation)])
    show(f"\n{explanation.finding}")
    if explanation.order_finding:
        show(explanation.order_finding)


def follow_stream(stream: Generator[Any, None, None], what: str) -> tuple[Any, int]:
    """(last item of `stream`, exit status): progress on stderr. What there is is kept whatever ends it: a signal, which gives
    its status; bad input that shows only now (2); any other error (1), with its traceback, be it ours or an editor's.

    Items have `done` and `total`. Raises what the stream raises where there is no item yet, but for a signal: then (None,
    status).
    """
    last, status = None, 0
    try:
        for last in stream:
            show_progress(f"\r{last.done} of {last.total} {what}", end="")
    except KeyboardInterrupt as interrupt:
        status = getattr(interrupt, "status", Interrupted().status)
    except Exception as error:  # whatever it is, what was made until then is kept, and it is said
        if last is None:
            raise
        status = 2 if isinstance(error, InputError) else 1
        said = f"smile: {shown(error, 1000)}" if status == 2 else traceback.format_exc().rstrip()
        show_progress(f"\n{said}\n{BROKE_OFF}")
    finally:
        stream.close()
        show_progress("")
    return last, status


def make_folder(folder: str, overwrite: bool = False) -> None:
    """Make the folder for the results. Raises InputError where they could not be written into it."""
    check_folder(Path(folder), overwrite)


def make_parent(file: str) -> None:
    """Make the folder of a file. Raises InputError where that cannot be."""
    parent = Path(file).parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The results cannot be written to {parent} ({error.strerror}).") from error


def save_explanation(explanation: Explanation | AnswerExplanation, folder: str, overwrite: bool = False) -> None:
    """Write it into the folder, whatever signal comes. Raises InputError where that fails, as on a disk that is full; then what
    there was is still there, and this one is kept as a bundle beside the temporary files, if there it can be."""
    with defer_signals():
        try:
            explanation.save(folder, overwrite=overwrite)
        except (OSError, InputError) as error:
            why = f"{folder} cannot be written to ({error.strerror})" if isinstance(error, OSError) else str(error).rstrip(".")
            kept = Path(tempfile.gettempdir()) / f"smile-{uuid.uuid4().hex}.zip"
            with suppress(InputError):  # nor can this one
                explanation.write(kept)
                why += f"; the results are kept in {kept}"
            raise InputError(f"{why}.") from error
