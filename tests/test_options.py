"""The options have one place: what it says is what the check, the command line, the page and the lines of Python have."""

import inspect

import numpy as np
import pytest

from smile import InputError, explain, explain_stream
from smile.options import DEFAULTS, OPTIONS, PRESETS, Options, count_permutations


def test_every_option_has_help_and_a_default_that_is_possible():
    assert all(option.metadata["help"].endswith(".") for option in OPTIONS.values())
    assert Options() == Options.of(DEFAULTS)
    for name, option in OPTIONS.items():
        assert all(getattr(Options(**{name: value}), name) == value for value in option.metadata["choices"])


def test_signature_and_docstring_show_them():
    for function in (explain, explain_stream):
        parameters = inspect.signature(function).parameters
        assert {name: parameters[name].default for name in OPTIONS} == DEFAULTS
        assert all(option.metadata["help"] in function.__doc__ for option in OPTIONS.values())


def test_command_line_and_page_have_them(capsys):
    from smile.__main__ import main
    from smile.ui import texts

    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    shown = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')} " in shown for name in OPTIONS)
    assert all(
        texts.OPTIONS[name] == (OPTIONS[name].metadata["label"], OPTIONS[name].metadata["help"]) for name in texts.OPTIONS
    )


def test_a_preset_decides_and_edits_stay_ones_own():
    settings = Options(preset="paper").settings()
    assert {name: settings[name] for name in PRESETS["paper"]} == PRESETS["paper"]
    assert Options(preset="paper", edits=8).settings()["edits"] == 8
    assert Options().settings()["similarity"] == "largest"


def test_numbers_of_numpy_are_numbers():
    options = Options(
        edits=np.int64(16), seed=np.uint8(3), sigma=np.float32(0.5), locality="words", smallest_effect=np.float64(0.2)
    )
    assert type(options.edits) is int and type(options.seed) is int
    assert options.settings()["sigma"] == 0.5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"edit": 16}, "no option “edit”; there is edits, seed"),
        ({"preset": "thesis"}, "no preset “thesis”; there is paper"),
        ({"design": np.array(["balanced", "random"])}, "no design"),
        ({"design": ["balanced"]}, "no design"),
        ({"surrogate": None}, "no surrogate “None”"),
        ({"seed": None}, "seed must be a whole number"),
        ({"seed": 2**32}, "seed must be"),
        ({"edits": np.float64(16)}, "edits must be a whole number"),
        ({"sigma": True}, "sigma must be"),
        ({"sigma": 0.5}, "choose locality"),
        ({"sigma": float("inf")}, "sigma must be"),
        ({"sigma": "1"}, "sigma must be"),
        ({"smallest_effect": True}, "smallest_effect must be"),
        ({"smallest_effect": 0.2, "preset": "paper"}, "needs the balanced design"),
        ({"smallest_effect": 0.2, "seeds": 2}, "one seed"),
    ],
)
def test_bad_values_are_one_sentence(given, says):
    with pytest.raises(InputError, match=says) as caught:
        Options.of(given)
    assert "\n" not in str(caught.value)


def test_permutations_suffice_for_the_correction():
    assert count_permutations(3) == 999
    assert all(k / (count_permutations(k) + 1) < 0.05 for k in range(1, 65))
