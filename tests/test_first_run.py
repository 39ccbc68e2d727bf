"""`smile check`: what holds for any working editor, and what is said where it does not."""

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, picture

from smile.__main__ import main
from smile.models.editors.first_run import check_editor, summarise


class Steady(FakeEditor):
    """Words change it and seeds do too."""


class Forgetful(FakeEditor):
    """Another picture each time."""

    def one(self, image, text, seed):
        return super().one(image, text, len(self.calls))


class Idle(FakeEditor):
    def one(self, image, text, seed):
        return image


class Black(FakeEditor):
    failure = "2 of the edits overflowed."

    def one(self, image, text, seed):
        return super().one(image, text, seed) if text else Image.new("RGB", image.size)


class Crowded(FakeEditor):
    """A text beside others is edited otherwise than alone."""

    def one(self, image, text, seed):
        made = np.asarray(super().one(image, text, seed), int)
        return Image.fromarray((made + 9 * (len(self.calls[-1][1]) > 1)).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "editor, failed",
    [
        (Steady, []),
        (Forgetful, ["two runs with one seed are equal", "a batch equals single texts within rounding"]),
        (Idle, ["the edit differs from the picture", "the text makes a difference"]),
        (Black, ["every text has an edit that shows something"]),
        (Crowded, ["a batch equals single texts within rounding"]),
    ],
)
def test_what_does_not_hold_is_named(editor, failed):
    made = editor()
    checks = check_editor(made, picture())
    assert [check.what for check in checks if not check.holds] == failed
    line = summarise(made, checks)
    assert "\n" not in line and ("as it should be" in line) == (not failed) and all(each in line for each in failed)
    assert editor is not Black or "2 of the edits overflowed." in line


@pytest.mark.model
def test_the_command_prints_a_report(tmp_path, capsys):
    from tiny import instruct_pix2pix_folder

    folder = instruct_pix2pix_folder(tmp_path)
    assert main(["check", "--editor", "instruct-pix2pix", "--weights", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "torch" in printed and "float32" in printed and "steps=2" in printed and "as it should be" in printed
    assert main(["check", "--editor", "photoshop"]) == 2
