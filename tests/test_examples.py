"""The saved examples: they open, they are what the listing says, and they show what Toy Road's grammar knows."""

import json

import numpy as np
import pytest
from PIL import Image

from smile import Explanation, load
from smile.io.images import average_all_cells
from smile.method.design import default_edits
from smile.models.editors import EDITORS
from smile.paths import EXAMPLES
from smile.toyroad import examples
from smile.toyroad.captions import make_plain_scene
from smile.toyroad.cases import measure_pixel_error
from smile.toyroad.grammar import find_changes, find_relevant_words, make_ideal_scene
from smile.toyroad.regions import compose_pictures, find_changes_inside, make_ideal_scene_inside
from smile.toyroad.scene import draw

BUNDLES = examples.EXAMPLES | examples.list_compared()
PICTURED = examples.EXAMPLES | {examples.COMPARISON: examples.COMPARED} | examples.SURPRISES


@pytest.fixture(scope="module", params=BUNDLES)
def saved(request) -> tuple[examples.Example, Explanation]:
    return BUNDLES[request.param], load(EXAMPLES / f"{request.param}.zip")


def test_the_listing_is_the_one_in_the_folder_and_so_are_the_files():
    assert json.loads((EXAMPLES / "examples.json").read_text()) == examples.describe_examples()
    expected = {"examples.json", "answers.json"} | {f"{name}.zip" for name in BUNDLES | examples.SURPRISES | examples.ANSWERS}
    assert json.loads((EXAMPLES / "answers.json").read_text()) == examples.describe_answers()
    for name, one in PICTURED.items():
        expected |= {f"{name}.png", *([f"{name}-region.png"] if one.region else [])}
    assert {path.name for path in EXAMPLES.iterdir()} == expected
    assert max((EXAMPLES / name).stat().st_size for name in expected) < 800_000


def test_there_are_examples_of_every_editor_and_one_comparison():
    editors = [one.editor for one in examples.EXAMPLES.values()]
    assert len(editors) >= 10 and editors.count("instruct-pix2pix") >= 5
    assert editors.count("img2img-turbo") >= 2 and editors.count("inpaint") >= 2
    assert "bundled-edges" in {one.weights for one in examples.EXAMPLES.values()}
    *singles, comparison = (one for one in examples.describe_examples() if "surprise" not in one)
    assert not any("compare" in one for one in singles)
    assert [name.removeprefix("first-snow-") for name in comparison["compare"]] == list(EDITORS)


def test_a_bundle_is_of_its_picture_instruction_and_editor(saved):
    example, explanation = saved
    settings = explanation.settings
    assert (explanation.instruction, settings["editor"]) == (example.instruction, example.editor)
    assert settings["editor_weights"] == example.weights and settings["embedder_weights"] == "bundled"
    assert measure_pixel_error(explanation.image, draw(example.scene)) < 1
    assert settings["seed"] == 0 and settings["edits"] == default_edits(len(explanation.words))
    assert not explanation.provisional and not explanation.failed
    assert explanation.seconds == {} and explanation.maps is not None
    takes = EDITORS[example.editor].needs_region
    assert (explanation.region is not None) == takes
    assert not takes or np.array_equal(explanation.region, examples.paint_region(example))


def test_the_files_beside_a_bundle_are_its_picture_and_region():
    for name, one in PICTURED.items():
        assert measure_pixel_error(Image.open(EXAMPLES / f"{name}.png"), draw(one.scene)) < 1
        if one.region:
            assert np.array_equal(Image.open(EXAMPLES / f"{name}-region.png"), examples.paint_region(one))


def read_by(example):
    """(the scene that the editor begins with, what words change of it)."""
    if example.editor == "inpaint":
        painted = np.asarray(examples.paint_region(example)) > 0
        return example.scene, lambda scene, words: find_changes_inside(scene, painted, words)
    return (make_plain_scene(example.scene) if example.weights == "bundled-edges" else example.scene), find_changes


def test_the_words_that_are_found_are_those_that_matter(saved):
    example, explanation = saved
    matter = find_relevant_words(read_by(example)[0], explanation.words, read_by(example)[1])
    assert explanation.significant.tolist() == matter
    assert (explanation.weights[matter] > 0.25).all()
    assert "pulled the result toward the full edit" in explanation.finding and explanation.beyond_noise


def test_no_place_is_shown_whose_pixels_are_the_same_in_all_edits(saved):
    """Nor one outside the region, in which an editor that takes one changes nothing."""
    example, explanation = saved
    seen = average_all_cells(explanation.edits)  # (n, rows, columns, 3)
    same = np.ptp(seen, axis=0).max(axis=2) == 0
    assert (
        not (explanation.places & same).any() and explanation.places.any(axis=(1, 2)).tolist() == explanation.visible.tolist()
    )
    if explanation.region is not None:
        outside = average_all_cells([explanation.region])[0].max(axis=2) == 0
        assert outside.any() and not (explanation.places & outside).any()


def test_the_full_edit_is_what_was_asked_for(saved):
    """Nearer to an ideal edit than to the picture, where either of them changes."""
    example, explanation = saved
    scene, _ = read_by(example)
    words, rng = explanation.words, np.random.default_rng(0)
    if example.editor == "inpaint":
        painted = np.asarray(examples.paint_region(example)) > 0
        drawn = (make_ideal_scene_inside(scene, painted, words, rng) for _ in range(16))
        ideals = [Image.fromarray(compose_pictures(scene, painted, each)) for each in drawn]
    else:
        ideals = [draw(make_ideal_scene(scene, words, rng)) for _ in range(16)]
    edit, before = explanation.edits[0], draw(scene)
    assert min(measure_pixel_error(edit, each) for each in ideals) < 0.75 * measure_pixel_error(edit, before)


def test_the_first_example_shows_two_words_at_work_in_two_places():
    name = next(iter(examples.EXAMPLES))
    explanation = load(EXAMPLES / f"{name}.zip")
    sunset, autumn = (np.abs(explanation.maps[explanation.words.index(word)]) for word in ("sunset", "autumn"))
    assert np.corrcoef(sunset.ravel(), autumn.ravel())[0, 1] < 0
    assert sunset[:5].mean() > 1.2 * sunset[10:].mean() and autumn[10:].mean() > 1.2 * autumn[:5].mean()


def test_the_surprises_show_what_they_teach():
    saved = {name: load(EXAMPLES / f"{name}.zip") for name in examples.SURPRISES}
    found = {name: [e.words[j] for j in np.flatnonzero(e.significant)] for name, e in saved.items()}
    assert found == {
        "not-snow": ["snow"],
        "zebra-night": ["night"],
        "night-to-day": ["night", "day"],
        "add-tree": ["add", "tree"],
    }
    assert [saved["not-snow"].words[j] for j in saved["not-snow"].settings["untaught"]] == ["not"]
    assert [saved["zebra-night"].words[j] for j in saved["zebra-night"].settings["untaught"]] == ["zebra"]
    day = saved["night-to-day"]
    assert np.asarray(day.edits[0]).mean() < 0.7 * np.asarray(day.image).mean()  # it is night, though “day” came last
    assert "only together" in saved["add-tree"].finding
    listed = [one for one in examples.describe_examples() if "surprise" in one]
    assert (
        [one["name"] for one in listed]
        == list(examples.SURPRISES)
        == [one["name"] for one in examples.describe_examples()[-4:]]
    )
    assert all(one["surprise"] and one["lesson"].endswith(".") and len(one["lesson"]) < 70 for one in listed)


@pytest.mark.slow
def test_an_example_is_made_again_byte_for_byte(tmp_path):
    for name, times in {"summer-day": 1, "open-sky": 2}.items():
        first, *_ = made = [examples.explain_example(examples.EXAMPLES[name]) for _ in range(times)]
        for number, explanation in enumerate(made):
            explanation.write(tmp_path / f"{number}.zip")
        assert (tmp_path / "0.zip").read_bytes() == (tmp_path / f"{times - 1}.zip").read_bytes()
        saved = load(EXAMPLES / f"{name}.zip")  # made on another machine, perhaps
        assert (
            saved.weights == pytest.approx(first.weights, abs=0.02) and saved.significant.tolist() == first.significant.tolist()
        )


@pytest.mark.parametrize("name", examples.ANSWERS)
def test_a_saved_answer_is_what_its_prompt_gets_and_its_numbers_follow(name):
    explanation = load(EXAMPLES / f"{name}.zip")
    assert explanation.instruction == examples.ANSWERS[name][1] and explanation.seconds == {}
    assert all(any(edge.target == part for edge in explanation.edges) for part in range(len(explanation.segments)))
