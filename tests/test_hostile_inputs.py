"""Hostile pictures, instructions, regions, options and settings, each at the one function to which page and command line hand
it (test_hostile_doors.py asserts that they do): a sound value, or one sentence."""

import pytest
from bundles import changed, refuse, rewritten, whole
from hostile import EITHER
from hostile.checks import call, check_explanation
from hostile.pictures import PICTURES, REGIONS
from hostile.texts import INSTRUCTIONS
from hostile.values import CHOICES, OPTIONS, SETTINGS
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain, load_editor
from smile.io.images import open_picture, open_region
from smile.method.units import words
from smile.options import Options

pytestmark = pytest.mark.usefixtures("soon_and_without_traceback")


@pytest.fixture
def file(tmp_path):
    """file(data): the path of a file with these bytes."""

    def write(data: bytes):
        (tmp_path / "given.png").write_bytes(data)
        return tmp_path / "given.png"

    return write


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_pixels_or_one_sentence(file, name):
    data, says = PICTURES[name]
    opened = call(says, open_picture, file(data))
    assert opened is None or (opened.mode == "RGB" and min(opened.size) > 0 and not opened.info and not opened.getexif())


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_is_one_of_the_pictures_size_or_one_sentence(file, name):
    data, says = REGIONS[name]
    region = call(says, open_region, file(data), (16, 12))
    assert region is None or (region.mode == "L" and region.size == (16, 12) and region.getbbox())


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_an_instruction_is_its_words_and_is_explained_or_one_sentence(name):
    text, says = INSTRUCTIONS[name]
    read = call(says, words, text)
    if read is not None:
        assert read == text.split()
        check_explanation(explain(picture(), text, FakeEditor(), embedder=FakeEmbedder(), noise_seeds=0).to_dict(), text)


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_possible_ones_or_one_sentence(name):
    given, says = OPTIONS[name]
    call(says, Options.of, given)


@pytest.mark.model
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_in_its_range_or_one_sentence(name):
    from smile.models.editors.base import DiffusionEditor

    editor = object.__new__(DiffusionEditor)  # without a pipeline
    editor.name, editor.settings, editor.SETTINGS = "one", {"steps": 10}, {"steps": (1, 200)}
    given, says = SETTINGS[name]
    assert call(says, editor.with_settings, **given) is None


@pytest.mark.model
@pytest.mark.parametrize("name", [name for name, asked in CHOICES.items() if isinstance(*asked.values(), str)])
def test_an_editor_or_weights_that_are_none_are_one_sentence(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = CHOICES[name]
    assert call("", load_editor, asked.get("editor", "instruct-pix2pix"), asked.get("weights", "auto")) is None


BUNDLES = {
    "a pickle": lambda: b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.",
    "a pickle inside": lambda: rewritten(whole(), {"explanation.pkl": b"\x80\x04cos\nsystem\n(S'x'\ntR."}),
    "an instruction of control characters": lambda: changed(whole(), lambda v: v.update(instruction="make\x1b[2J")),
    "a zip for a picture": lambda: rewritten(whole(), {"edits/000.png": whole()}),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_was_not_written_so_is_one_sentence(name):
    """Many more are in the tests of bundles and records."""
    refuse(BUNDLES[name](), "")


def test_each_input_has_a_name_of_its_own():
    from hostile.inputs import OWN, SHARED, choose_one_of_each, name_inputs

    names = name_inputs(SHARED + OWN)
    assert len(set(names)) == len(names)
    outcomes = {each.says for each in SHARED}
    assert outcomes == {each.says for each in choose_one_of_each()} and EITHER in outcomes
