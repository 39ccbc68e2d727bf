"""The options of an explanation: the presets, and everything that can be wrong with them before a model is loaded."""

import math

import numpy as np

from smile.errors import InputError, shown
from smile.method import design as designs
from smile.method import distance as distances
from smile.method import kernel as localities
from smile.method import surrogate as surrogates

REFERENCES = ("edit", "input")
PRESETS = {
    "paper": {
        "design": "random",
        "edits": 30,
        "distance": "wasserstein",
        "similarity": "minmax",
        "locality": "wmd",
        "kernel": "paper",
        "sigma": localities.PAPER_WIDTH,
        "surrogate": "linear",
    }
}


def from_preset(preset, edits) -> dict:
    if preset is None:
        return {}
    if preset not in PRESETS:
        raise InputError(f"There is no preset “{shown(preset)}”; there is {', '.join(PRESETS)}.")
    return PRESETS[preset] | ({} if edits is None else {"edits": edits})


def check(options) -> None:
    """Everything about the options that can be wrong before any model is loaded."""
    choices = {
        "design": designs.KINDS,
        "distance": (None, *distances.NAMES),
        "reference": REFERENCES,
        "locality": localities.NAMES,
        "surrogate": surrogates.KINDS,
    }
    for name, allowed in choices.items():
        if options[name] not in allowed:
            raise InputError(f"There is no {name} “{shown(options[name])}”; there is {', '.join(filter(None, allowed))}.")
    least = {"edits": 2, "seed": 0, "seeds": 1, "noise_seeds": 0, "permutations": 1}
    for name, lowest in least.items():
        value = options[name]
        if value is None and name in ("edits", "permutations"):
            continue
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not lowest <= value < 2**32:
            raise InputError(f"{name} must be a whole number of at least {lowest}, not {shown(value)}.")
        options[name] = int(value)
    sigma = options["sigma"]
    if sigma != "auto" and not (isinstance(sigma, (int, float)) and math.isfinite(sigma) and sigma > 0):
        raise InputError(f"sigma must be “auto” or a number above 0, not {shown(sigma)}.")
    smallest = options["smallest_effect"]
    if smallest is None:
        return
    if not isinstance(smallest, (int, float)) or isinstance(smallest, bool) or not 0 < smallest <= 1:
        raise InputError(f"smallest_effect must be a number above 0 and at most 1, not {shown(smallest)}.")
    if options["design"] != "balanced" or options["seeds"] != 1:
        raise InputError("smallest_effect needs the balanced design and one seed, because edits are added block by block.")
