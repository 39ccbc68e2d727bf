"""Values given for numbers, options, settings, editors and weights."""

import math

from hostile import GOOD

NUMBERS = {
    "minus one": -1,
    "not a number": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "a half": 0.5,
    "1e308": 1e308,
    "2^63": 2**63,
    "2^32": 2**32,
    "400 digits": 10**400,
    "text": "many",
    "empty text": "",
    "text with a null": "1\0",
    "hexadecimal": "0x10",
    "Arabic digits and text": "٣ edits",
    "markup": "<script>",
    "a list": [16],
    "an object": {"a": 1},
    "true": True,
    "nested": [[[[1]]]],
}

WHOLE = "must be a whole number of at least"
OPTIONS = {
    **{
        f"{option} is {name}": ({option: value}, WHOLE)
        for option in ("seeds", "noise_seeds", "edits", "seed", "permutations")
        for name, value in NUMBERS.items()
    },
    **{
        f"{option} is {value!r:.20}": ({option: value}, "There is no")
        for option in ("design", "distance", "locality", "surrogate", "reference")
        for value in ("magic", "", "__import__('os')", 3, True, ["patches"], {"a": 1}, "x" * 5000)
    },
    **{
        f"smallest_effect is {name}": ({"smallest_effect": value}, GOOD if value == 0.5 else "above 0 and at most 1")
        for name, value in NUMBERS.items()
    },
    "a private option": ({"__class__": "x"}, "no option"),
    "an option with markup": ({"<script>": 1}, "no option"),
    "editor given again": ({"editor": "x"}, "no option"),
}
SETTINGS = {
    **{f"steps is {name}": ({"steps": value}, "") for name, value in NUMBERS.items()},
    "an unknown setting": ({"weights": 1}, ""),
    "a private setting": ({"__class__": 1}, ""),
    "self": ({"self": 1}, ""),
    "many": ({f"s{i}": 1 for i in range(1000)}, ""),
}
SHAPES = {  # JSON of another kind, and more than the page makes
    "options that are a list": ({"options": [1]}, "must be an object"),
    "options that are a text": ({"options": "seeds=3"}, ""),
    "options that are a number": ({"options": 7}, ""),
    "settings that are a list": ({"settings": [1]}, "must be an object"),
    "settings that are a text": ({"settings": "steps=3"}, ""),
    "an option that the page does not offer": ({"options": {"sigma": 1}}, "no option"),
    "all seeds at their limits": ({"options": {"seeds": 255, "noise_seeds": 255}}, "All seeds together"),
}
CHOICES = {
    f"{field} is {value!r:.24}": {field: value}
    for field in ("editor", "weights")
    for value in (
        "photoshop",
        "",
        "../../etc",
        "/etc/passwd",
        "http://evil.example/x",
        "x" * 3000,
        "x/" * 3000,
        "~nobody/x",
        ["full"],
        {"a": 1},
        3,
        "\0",
        "bundled\n",
    )
}
