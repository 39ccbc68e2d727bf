"""Outcomes beside the design, on any subject: which are wanted, and what those that are made say (`smile.method.extras`)."""

from typing import Any, Protocol

import numpy as np

from smile.method import extras, schedule
from smile.method.units import Units
from smile.subjects.subject import INPUT, Key, Reference, Subject


class Found(Protocol):
    """What was found with the design; the meaning of every field is in `smile.explanation`."""

    mask: np.ndarray
    blocks: np.ndarray
    distances_from_full: np.ndarray
    untested: str

    @property
    def beyond_noise(self) -> bool: ...

    @property
    def significant(self) -> np.ndarray: ...


class Beside:
    """The outcomes beside the rows of a design, mask (N, k), with these seeds."""

    def __init__(self, subject: Subject, units: Units, mask: np.ndarray, seeds: range, settings: dict[str, Any]):
        self.subject, self.units, self.mask, self.seeds, self.settings = subject, units, mask, seeds, settings
        self.rows: list[extras.Row] = []

    def plan_batches(self, found: Found) -> list[schedule.Batch]:
        """What is to be made besides, now that it is known what the design says."""
        self.rows = extras.plan_alone(found.mask, len(self.seeds)) if self.settings["alone"] else []
        self.rows += extras.plan_replicates(self.mask, found.untested, found.beyond_noise)
        if self.settings["undo"] and self.settings["reference"] != INPUT:
            self.rows += extras.plan_undo(found.mask, found.blocks, found.distances_from_full, found.significant)
        new = [key for key in dict.fromkeys(self._list_keys()) if key not in self.subject.outcomes]
        return schedule.split_by_seed(new, self.subject.batch_size)

    def collect(self) -> tuple[extras.Extra, list[Key]]:
        """Those that are made, and their keys."""
        made = [(row, key) for row, key in zip(self.rows, self._list_keys(), strict=True) if key in self.subject.outcomes]
        if not made:
            return extras.make_extra(self.mask.shape[1]), []
        keys, blocks = [key for _, key in made], np.array([block for (block, _), _ in made])
        full, count = self.units.perturb(self.mask[0]), len(self.seeds)
        origins: list[Reference] = [(self.seeds[b if b < count else 0], full) for b in blocks]
        origins = [INPUT] * len(keys) if self.settings["reference"] == INPUT else origins
        mask = np.array([row for (_, row), _ in made])
        return extras.Extra(mask, blocks, self.subject.measure_distances(keys, origins), self.subject.show(keys)), keys

    def _list_keys(self) -> list[Key]:
        return [(self.seeds[0] + block, self.units.perturb(row)) for block, row in self.rows]
