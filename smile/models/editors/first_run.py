"""Whether an editor works here: what holds for any working editor, on one picture. For whoever has weights that were never run
by who wrote the editor."""

import platform
import resource
import sys
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from smile.models import protocols
from smile.models.identity import LIBRARIES

TEXTS = ("make it snow at night", "make it snow", "")
LEVELS = 2.0  # of 255: mean difference that rounding makes at most between a batch and a single text


class Check(NamedTuple):
    """One expectation, whether it holds, and the numbers."""

    what: str
    holds: bool
    detail: str


def check_editor(editor: Any, picture: Image.Image, region: Image.Image | None = None) -> list[Check]:
    """Edit `picture` by three texts, twice together and once alone, and compare. Raises what the editor raises."""
    size = getattr(editor, "working_size", None)
    if size:
        picture, region = protocols.fit_inputs(editor, picture, region)
    began = time.perf_counter()
    edits = protocols.edit_checked(editor, picture, TEXTS, 0, region)
    seconds = (time.perf_counter() - began) / len(TEXTS)
    made = sum(edit is not None for edit in edits)
    reason = getattr(editor, "failure", "")
    checks = [
        Check("every text has an edit that shows something", made == len(TEXTS), f"{made} of {len(TEXTS)}. {reason}".strip())
    ]
    if made < len(TEXTS):
        return checks
    again = protocols.edit_checked(editor, picture, TEXTS, 0, region)
    alone = protocols.edit_checked(editor, picture, TEXTS[:1], 0, region)
    changed = _compare(edits[0], picture.resize(edits[0].size))  # type: ignore[union-attr]
    told, repeated, batched = _compare(edits[0], edits[2]), _compare(*_both(edits, again)), _compare(edits[0], alone[0])
    return [
        *checks,
        Check("the edit differs from the picture", changed[0] > 1, _describe(changed)),
        Check("the text makes a difference", told[0] > 0, _describe(told)),
        Check("two runs with one seed are equal", repeated[1] == 0, _describe(repeated)),
        Check("a batch equals single texts within rounding", batched[0] <= LEVELS, _describe(batched)),
        Check("it took", True, f"{seconds:.1f} s for an edit"),
    ]


def _both(edits: list, again: list) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.stack([np.asarray(image) for image in images]) for images in (edits, again))  # type: ignore[return-value]


def _compare(first: Any, second: Any) -> tuple[float, float]:
    """(mean, largest) difference in levels of 255; infinite where there is nothing to compare."""
    if first is None or second is None or np.shape(first) != np.shape(second):
        return float("inf"), float("inf")
    difference = np.abs(np.asarray(first, float) - np.asarray(second, float))
    return float(difference.mean()), float(difference.max())


def _describe(difference: tuple[float, float]) -> str:
    return f"mean {difference[0]:.2f}, largest {difference[1]:.0f} of 255 levels"


def describe_run(editor: Any) -> list[tuple[str, str]]:
    """What the checks were run on, as (name, value)."""
    rows = [("python", platform.python_version()), ("system", platform.platform())]
    for name in LIBRARIES:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:
            rows.append((name, "none"))
    rows += [
        (name, str(getattr(editor, name)))
        for name in ("name", "weights", "device", "dtype", "lora")
        if getattr(editor, name, None)
    ]
    rows.append(("settings", ", ".join(f"{name}={value}" for name, value in getattr(editor, "settings", {}).items())))
    if hasattr(editor, "memory"):
        rows += [("placed", editor.memory.placement), ("texts at a time", str(editor.batch_size))]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return [*rows, ("peak memory", f"{peak / 1e9:.1f} GB")]


def summarise(editor: Any, checks: Iterable[Check]) -> str:
    """One line for a log."""
    failed = [f"{check.what} ({check.detail})" for check in checks if not check.holds]
    name = f"{getattr(editor, 'name', 'editor')} with the weights {getattr(editor, 'weights', 'of its own')}"
    return f"First run of {name}: {'as it should be' if not failed else 'not so: ' + '; '.join(failed)}."
