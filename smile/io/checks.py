"""What an opened explanation says of itself beyond its numbers: how its rows were chosen and weighed, which is done again, and
what nobody checked, which is said."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from smile.errors import InputError
from smile.io.schema import CHANGED, agree
from smile.method import design, kernel


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


def list_unchecked(fields: Mapping[str, Any], listed: bool, refit: bool) -> str:
    """A sentence on what was believed of a file, because nobody can know it without the models, or nobody looked.

    listed: whether the record lists hashes of the pictures. refit: whether the numbers were computed again.
    """
    if not refit:
        return "Nothing in this file was computed again."
    if "answers" in fields:
        return "Not checked, because that takes the models: that these are the model's answers, and how likely they are."
    what = [f"that {fields['settings']['editor']} made these pictures", "how far apart they are"]
    what += ["how much each edit counts"] if fields["settings"]["locality"] == "wmd" else []
    what += [] if listed else ["that the pictures are those of the run"]
    return f"Not checked, because that takes the models: {', '.join(what)}."
