"""The options of an explanation: names, defaults, choices and one line of help each.

The check at the door, the command line, the page, the record and the Python lines of an explanation read them here, so a
new option is one field here and the step of the method that uses it.
"""

import inspect
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from smile.errors import InputError, shown
from smile.method import design, distance, kernel, least_squares

DEFAULT_DISTANCE = "patches"  # where the embedder gives patches; "wasserstein" where it does not
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "design": "random",
        "edits": 30,
        "distance": "wasserstein",
        "similarity": "minmax",
        "locality": "wmd",
        "kernel": "paper",
        "sigma": kernel.PAPER_WIDTH,
        "surrogate": "linear",
    }
}
UNNAMED = {"similarity": "largest", "kernel": "gaussian"}  # settings that only a preset changes
LARGEST = 2**32  # counts and seeds are below


def _option(default, help: str, *, label: str = "", choices: tuple[str, ...] = (), least: int | None = None, kind=str) -> Any:
    """A field. `label`: what the page calls it; "" where it is not among the page's advanced options. `kind`: what makes a
    value of the command line's text; int where there is a `least`."""
    kind = kind if least is None else int
    return field(default=default, metadata={"help": help, "label": label, "choices": choices, "least": least, "kind": kind})


def _width(text: str) -> float | str:
    return text if text == "auto" else float(text)


@dataclass(frozen=True)
class Options:
    """What may be chosen about an explanation. None means: what suits the text and the embedder.

    Raises InputError where a value is not one that is possible; whole numbers may be NumPy's.
    """

    edits: int | None = _option(
        None, "How many edits are made; by default what the number of words needs, mostly 16 or 24.", least=2
    )
    seed: int = _option(0, "The noise of every edit, the draw of the design, and the permutations.", least=0)
    reference: str = _option(
        "edit",
        "What every edit is compared with. With the input picture, a weight says how well a word keeps it.",
        label="Compare with",
        choices=("edit", "input"),
    )
    design: str = _option(
        "balanced",
        "Balanced: each word in half of the edits, the others evenly mixed. Sparse: in four fifths. Random: as published. "
        "Exhaustive: all ways.",
        label="Which words to leave out",
        choices=design.KINDS,
    )
    distance: str | None = _option(
        None,
        "Patches: place by place. Wasserstein: all features in one heap, as published. Cosine: the angle between them.",
        label="Distance between edits",
        choices=distance.NAMES,
    )
    locality: str = _option(
        "none",
        "More, the nearer its text is to the full one: in meaning (wmd), in the number of words (words), or all alike (none).",
        label="How much an edit counts",
        choices=kernel.NAMES,
    )
    sigma: float | str = _option(
        "auto", "Width of the locality kernel, above 0, or auto: nine tenths of the edits count.", kind=_width
    )
    surrogate: str = _option(
        "linear",
        "Turns distances into weights. Linear: least squares. Ridge, bayesian: weights drawn toward zero.",
        label="Model",
        choices=least_squares.KINDS,
    )
    seeds: int = _option(
        1,
        "One explains this edit; several explain the editor on it, and take as many times as long.",
        label="Seeds",
        least=1,
    )
    noise_seeds: int = _option(
        4,
        "How often the full instruction is edited again, to see how far chance moves it; once, where that changes nothing.",
        label="Seeds for the noise floor",
        least=0,
    )
    permutations: int | None = _option(
        None, "Permutations for the p-values; by default 999, or 100 for each word where that is more.", least=1
    )
    smallest_effect: float | None = _option(
        None,
        "Edits are added in blocks until each word is significant or surely below this weight, say 0.2. Else all at once.",
        label="Stop when sure, below",
        kind=float,
    )
    preset: str | None = _option(None, "paper: the published procedure.", choices=tuple(PRESETS))
    join: tuple[str, ...] = _option(
        (), "A phrase of the instruction that counts as one word, say “red car”.", label="Joined", kind=list
    )
    hold: tuple[str, ...] = _option(
        (), "A word or phrase that stays in every edit and is not explained.", label="Always in", kind=list
    )
    alone: bool = _option(False, "Also edit with each word alone left out: one edit more for each word.", kind=bool)
    undo: bool = _option(
        True, "Look for the smallest set of words without which nothing of the edit is left; one edit confirms it.", kind=bool
    )

    def __post_init__(self):
        for name, option in OPTIONS.items():
            object.__setattr__(self, name, _checked(name, option.metadata, getattr(self, name)))
        if self.sigma != "auto" and not (_is_number(self.sigma) and 0 < float(self.sigma) < math.inf):
            raise InputError(f"sigma must be “auto” or a number above 0, not {shown(self.sigma)}.")
        if self.sigma != "auto" and self.settings()["locality"] == "none":
            raise InputError("sigma is the width of a locality kernel: choose locality “words” or “wmd” with it.")
        if self.smallest_effect is None:
            return
        if not _is_number(self.smallest_effect) or not 0 < self.smallest_effect <= 1:
            raise InputError(f"smallest_effect must be a number above 0 and at most 1, not {shown(self.smallest_effect)}.")
        if self.settings()["design"] != "balanced" or self.seeds != 1:
            raise InputError("smallest_effect needs the balanced design and one seed, because edits are added block by block.")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Options":
        """The options with these names and values. Raises InputError for a name that is none, too."""
        for name in given:
            if name not in OPTIONS:
                raise InputError(f"There is no option “{shown(name)}”; there is {', '.join(OPTIONS)}.")
        return cls(**given)

    def settings(self) -> dict[str, Any]:
        """The options by name as they will be used: with what the preset decides, which only `edits` can change."""
        decided = PRESETS[self.preset] if self.preset is not None else {}
        own = asdict(self) | {"join": list(self.join), "hold": list(self.hold)}
        return own | UNNAMED | decided | ({} if self.edits is None else {"edits": self.edits})

    def but(self, **changes) -> "Options":
        """The same with some changed."""
        return replace(self, **changes)


OPTIONS = {option.name: option for option in fields(Options)}
DEFAULTS = {name: option.default for name, option in OPTIONS.items()}


def count_permutations(words: int) -> int:
    """How many permutations so many words get by default: enough for Holm's correction to reach 0.05."""
    return max(999, 100 * words)


def takes_options(function):
    """Show the options behind **options in the function's signature and docstring, for help() and editors."""
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each) for name, each in DEFAULTS.items()]
    function.__signature__ = signature.replace(parameters=[*own, *named])
    lines = (f"    - {name} ({option.default!r}): {option.metadata['help']}" for name, option in OPTIONS.items())
    function.__doc__ = f"{inspect.cleandoc(function.__doc__)}\n\nOptions:\n\n{inspect.cleandoc(chr(10).join(lines))}\n"
    return function


def _checked(name: str, about: Mapping[str, Any], value):
    """The value, whole numbers as int. Raises InputError."""
    choices, least, kind = about["choices"], about["least"], about["kind"]
    if value is None and DEFAULTS[name] is None:
        return None
    if kind is bool and not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be True or False, not {shown(value)}.")
    if kind is list:
        if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
            raise InputError(f"{name} must be a list of phrases of the instruction, not {shown(value)}.")
        return tuple(" ".join(each.split()) for each in value)
    if choices and not (isinstance(value, str) and value in choices):
        raise InputError(f"There is no {name} “{shown(value)}”; there is {', '.join(choices)}.")
    if least is None:
        return value
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not least <= value < LARGEST:
        raise InputError(f"{name} must be a whole number of at least {least}, not {shown(value)}.")
    return int(value)


def _is_number(value) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
