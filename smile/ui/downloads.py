"""The explanation on the page as a file of one kind or another, made when it is asked for."""

import re
import tempfile
import unicodedata
from pathlib import Path

from smile.ui import examples, texts

LONGEST = 48  # characters of a file's name


def take(kind: str, shown):
    """(file, progress) of what is shown (the state); no file where nothing is. A generator, so that the file is there
    until Gradio has it, and no longer."""
    explanation = examples.shown(shown)
    if explanation is None:
        yield None, texts.problem(texts.NOTHING)
        return
    with tempfile.TemporaryDirectory(prefix="smile-page-") as folder:
        path = Path(folder) / f"{slug(explanation.instruction)}.{kind}"
        explanation.write(path)
        yield str(path), ""


def slug(instruction: str) -> str:
    """A short name for a file, of letters and digits that every file system has."""
    plain = unicodedata.normalize("NFKD", instruction).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:LONGEST].strip("-") or "explanation"
