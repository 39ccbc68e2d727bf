"""What an opened explanation says of itself beyond its numbers: how its rows were chosen and weighed, which is done again, and
what nobody checked, which is said."""

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from smile.errors import InputError
from smile.io.schema import CHANGED, agree
from smile.method import design, kernel

NUMBERS, NOTHING = "that its numbers follow from its edits", "Nothing in this file was computed again."
DISTANCES, SCORES = "how far apart they are", "how likely they are"  # what `smile.evaluation.model_check` measures again


def compare_design(fields: Mapping[str, Any]) -> None:
    """The settings say how the rows were chosen, and how much each counts: both are done again, as far as no model is needed.
    Raises InputError where the data are others."""
    settings, mask, weights = fields["settings"], fields["mask"], fields["locality_weights"]
    k, edits, seed = mask.shape[1], settings["edits"], settings["seed"]
    try:
        blocks = settings["looks"] is not None
        rows = design.in_blocks(k, edits, seed) if blocks else design.choose(k, edits, settings["design"], seed)
        described = design.describe(k, edits, settings["design"])
    except InputError as error:
        raise InputError(CHANGED) from error
    number = {row.tobytes(): index for index, row in enumerate(rows)}
    for block in range(fields["blocks"].max() + 1):
        found = [number.get(row.tobytes(), -1) for row in mask[fields["blocks"] == block]]
        if found[0] < 0 or any(a >= b for a, b in pairwise(found)):  # of an unfinished one, some rows are missing
            raise InputError(CHANGED)
    if len(rows) != edits or settings["design_description"] != described:
        raise InputError(CHANGED)
    if settings["locality"] == "wmd":
        expected, known = np.ones(len(mask)), mask.all(axis=1)  # nothing is nearer to the full text than itself
    else:
        how = (settings["locality"], settings["kernel"], settings["sigma"])
        expected, known = kernel.weigh_texts(mask, lambda: None, *how)[0], np.ones(len(mask), bool)
    if not agree(weights[known], expected[known]):
        raise InputError(CHANGED)


def list_unchecked(fields: Mapping[str, Any], listed: bool, refit: bool) -> tuple[str, ...]:
    """What is believed of a file, because nobody can know it without the models, or nobody looked.

    listed: whether the record lists hashes of the pictures. refit: whether the numbers were computed again.
    """
    what = [] if refit else [NUMBERS]
    if "answers" in fields:
        return (*what, "that these are the model's answers", DISTANCES if fields["log_probs"] is None else SCORES)
    what += [f"that {fields['settings']['editor']} made these pictures", DISTANCES]
    what += ["how much each edit counts"] if fields["settings"]["locality"] == "wmd" else []
    return (*what, *([] if listed else ["that the pictures are those of the run"]))


def describe_unchecked(claims: Collection[str]) -> str:
    """The same in a sentence; "" for nothing."""
    if NUMBERS in claims:
        return NOTHING if {DISTANCES, SCORES} & {*claims} else f"Not checked: {', '.join(claims)}."
    return f"Not checked, because that takes the models: {', '.join(claims)}." if claims else ""
