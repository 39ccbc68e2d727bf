"""Toy Road: the scenes, the language and the known answers, and the training loop. The trained models are in
test_bundled.py."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest
import torch

from smile.method.units import normalise_word
from smile.toyroad.captions import make_plain_scene, random_caption
from smile.toyroad.cases import CASES
from smile.toyroad.grammar import (
    MEANINGFUL,
    NEUTRAL_PHRASES,
    find_changes,
    find_relevant_words,
    list_candidates,
    make_ideal_scene,
    random_instruction,
    read_changes,
)
from smile.toyroad.regions import (
    GONE,
    compose_pictures,
    find_changes_inside,
    find_zone,
    make_ideal_scene_inside,
    random_region,
    remove_hidden,
)
from smile.toyroad.scene import OPEN, SIZE, VALUES, Scene, draw, random_scene, redraw
from smile.toyroad.training.data import FILLERS, add_fillers, same_meaning, training_words
from smile.toyroad.training.loop import train
from smile.toyroad.training.text import build_tokenizer


def words_that_matter(scene, text):
    words = text.split()
    return [w for w, matters in zip(words, find_relevant_words(scene, words), strict=True) if matters]


def difference(a, b):
    return np.abs(np.asarray(draw(a), float) - np.asarray(draw(b), float)).mean()


def test_a_scene_is_drawn_the_same_twice_and_every_attribute_shows():
    rng = np.random.default_rng(0)
    for _ in range(5):
        scene = replace(random_scene(rng), weather="clear", time="day")
        assert draw(scene).size == (SIZE, SIZE)
        assert draw(scene).tobytes() == draw(scene).tobytes()
        for attribute, values in VALUES.items():
            for value in values:
                if value != getattr(scene, attribute):
                    assert difference(scene, replace(scene, **{attribute: value})) > 0.5


def test_every_open_draw_shows_where_its_attribute_is_set():
    # If nothing that an instruction leaves open showed, the trained editor would be deterministic.
    base = Scene(time="sunset", weather="snow", season="autumn")
    rng = np.random.default_rng(1)
    for attribute in OPEN:
        assert np.mean([difference(base, redraw(base, [attribute], rng)) for _ in range(4)]) > 0.2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("make it snow at night", ["snow", "night"]),
        ("Please, make it SNOWY!", ["SNOWY!"]),
        ("paint the car blue", ["car", "blue"]),
        ("add a tree to the picture", []),  # there is one
        ("remove the tree from the picture", ["remove", "tree"]),
        ("make it snow and paint the car green", ["snow", "car", "green"]),
        ("make the car red", []),  # it is
        ("hello there elephant", []),
        ("the car is a car and blue", ["car", "car", "blue"]),
    ],
)
def test_the_words_that_matter(text, expected):
    assert words_that_matter(Scene(), text) == expected


def test_a_car_can_be_added_with_and_without_a_colour():
    empty = Scene(car=None)
    assert find_changes(empty, ["paint", "the", "car", "red"]) == {}
    assert find_changes(empty, "add a red car".split()) == {"car": "red"}
    assert find_changes(empty, "add a car".split()) == {"car": "any"}
    colours = {make_ideal_scene(empty, "add a car".split(), np.random.default_rng(i)).car for i in range(40)}
    assert colours == {"red", "blue", "yellow", "green"}


def test_the_ideal_edit_changes_what_is_asked_and_draws_only_what_is_left_open():
    rng = np.random.default_rng(2)
    for _ in range(200):
        scene = random_scene(rng)
        words = random_instruction(scene, rng).words
        change, edited = find_changes(scene, words), make_ideal_scene(scene, words, rng)
        free = {name for attribute in change for name in OPEN[attribute]} | set(change)
        assert all(v == getattr(edited, n) for n, v in asdict(scene).items() if n not in free)
        assert all(getattr(edited, a) == v or v == "any" for a, v in change.items())


def test_instructions_ask_for_as_much_as_their_kind_says():
    rng = np.random.default_rng(3)
    for kind, count in (("single", 1), ("compound", 2), ("neutral", 0), ("weather", 1), ("car", 1)):
        for _ in range(200):
            scene = random_scene(rng)
            assert len(find_changes(scene, random_instruction(scene, rng, kind).words)) == count


def test_relevant_is_the_definition_by_brute_force_over_all_words():
    rng = np.random.default_rng(4)
    for _ in range(30):
        scene = random_scene(rng)
        words = random_instruction(scene, rng, "single").words
        if len(words) > 8:
            continue
        for i, claimed in enumerate(find_relevant_words(scene, words)):
            others = [j for j in range(len(words)) if j != i]
            differs = any(
                find_changes(scene, [words[j] for j in others if on[j]])
                != find_changes(scene, [words[j] for j in range(len(words)) if j == i or on[j]])
                for on in product((False, True), repeat=len(words))
            )
            assert claimed == differs


def test_fillers_mean_nothing_and_same_meaning_keeps_the_meaning():
    assert not {normalise_word(w) for w in FILLERS} & MEANINGFUL
    assert all(not find_changes(Scene(), text.split()) for text in NEUTRAL_PHRASES)
    rng = np.random.default_rng(5)
    for _ in range(500):
        words = training_words(random_scene(rng), rng)
        assert read_changes(add_fillers(words, rng)) == read_changes(same_meaning(words, rng)) == read_changes(words)


def test_candidates_hold_the_ideal_first_and_the_input():
    scene = Scene(time="day", weather="clear")
    options = list_candidates(find_changes(scene, "make it snow at night".split()))
    assert options[0] == {"time": "night", "weather": "snow"}
    assert {"time": "day", "weather": "clear"} in options
    assert len(options) == 3 * 4 and len({tuple(sorted(o.items())) for o in options}) == 12


def test_interrupted_training_gives_the_weights_of_an_uninterrupted_one(tmp_path):
    class Interrupted(Exception):
        pass

    def run(folder, stop=None):
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 2)

        def loss(step, rng):
            if step == stop:
                raise Interrupted
            return (module(torch.from_numpy(rng.standard_normal((4, 3), np.float32))) - 1).square().mean()

        folder.mkdir(exist_ok=True)
        train("toy", module, loss, steps=30, rate=1e-2, seed=0, folder=folder, decay=0.9, save_every=10)
        return torch.cat([p.detach().flatten() for p in module.parameters()])

    whole = run(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", stop=17)
    assert torch.equal(run(tmp_path / "parts"), whole)
    assert torch.equal(run(tmp_path / "parts", stop=0), whole)  # finished: loaded, not trained


def test_the_tokenizer_is_the_same_in_another_process():
    code = "from smile.toyroad.training.text import build_tokenizer; print(sorted(build_tokenizer(0).get_vocab().items()))"
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
    here = f"{sorted(build_tokenizer(0).get_vocab().items())}\n"
    assert there == here and len(here) > 10_000


@pytest.mark.slow
def test_the_training_command_writes_folders_that_the_loaders_read(tmp_path):
    out, work = tmp_path / "models", tmp_path / "work"
    options = ["--scale", "0.0005", "--work", str(work), "--out", str(out)]
    command = [sys.executable, "-m", "smile.toyroad.training.train", *options]
    done = subprocess.run([*command, "--threads", "1", "--device", "cpu"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]

    from smile import load_editor, load_embedder

    editor = load_editor("instruct-pix2pix", weights=str(out / "instruct-pix2pix"))
    edits = editor.edit(draw(Scene()), ["make it night", ""], seed=0)
    assert [e.size for e in edits] == [(SIZE, SIZE)] * 2
    vectors, patches = load_embedder(str(out / "dinov2")).embed(edits)
    assert vectors.shape == (2, 96) and patches.shape == (2, 256, 96)


def test_a_caption_asks_for_what_the_edges_leave_open():
    rng = np.random.default_rng(6)
    for kind, count in (("neutral", 0), ("single", 1), ("compound", 2)):
        for _ in range(60):
            scene = random_scene(rng)
            caption = random_caption(scene, rng, kind)
            asked = find_changes(make_plain_scene(scene), caption.words)
            assert len(asked) == count and (kind != "single" or list(asked) == [caption.kind])
    night = make_ideal_scene(make_plain_scene(Scene(time="sunset", car="blue")), "a green car on a road at night".split(), rng)
    assert (night.time, night.weather, night.car) == ("night", "clear", "green")


def zoned(scene, attribute):
    left, top, right, bottom = (round(v) for v in find_zone(scene, attribute))
    region = np.zeros((SIZE, SIZE), bool)
    region[top:bottom, left:right] = True
    return region


def test_a_region_hides_what_lies_in_it_and_the_words_bring_it_back():
    rng = np.random.default_rng(7)
    for thing, words in (("car", "paint the car blue"), ("tree", "add a tree"), ("house", "put a house here")):
        scene = Scene(car="red")
        region = zoned(scene, thing)
        assert getattr(remove_hidden(scene, region), thing) in (None, False)
        assert (
            find_changes_inside(scene, region, ["please"]) == {}
            and find_changes_inside(scene, region, ["remove", "the", thing]) == {}
        )
        assert find_changes_inside(scene, region, words.split()) == {thing: "blue" if thing == "car" else True}
        assert getattr(make_ideal_scene_inside(scene, region, words.split(), rng), thing) == (
            "blue" if thing == "car" else True
        )
    sky = zoned(Scene(tree=False), "time")
    assert find_changes_inside(Scene(tree=False), sky, "add a tree and make it night".split()) == {
        "time": "night"
    }  # no room there


def test_a_zone_holds_its_object_wherever_it_is_drawn_and_nothing_outside_the_region_changes():
    rng = np.random.default_rng(8)
    for _ in range(20):
        scene = replace(random_scene(rng), car="red", tree=True, house=True, time="day", weather="clear")
        for thing, gone in GONE.items():
            shown = redraw(scene, [thing], rng)
            drawn = np.abs(np.asarray(draw(shown), int) - np.asarray(draw(replace(shown, **{thing: gone})), int)).max(-1) > 24
            region = zoned(scene, thing)
            assert drawn[region].sum() > 0.95 * drawn.sum()
        result = compose_pictures(scene, region, make_ideal_scene_inside(scene, region, ["night"], rng))
        assert np.array_equal(result[~region], np.asarray(draw(scene))[~region])
        assert not np.array_equal(result, np.asarray(draw(scene)))


def test_random_regions_are_never_empty():
    rng = np.random.default_rng(9)
    for _ in range(200):
        scene = random_scene(rng)
        assert random_region(scene, rng, training_words(scene, rng)).any()


def test_held_out_cases_are_what_they_claim():
    for name, cases in CASES.items():
        for number in range(40):
            kind = ("single", "compound", "neutral")[number % 3]
            case = cases(number, kind)
            change = case.find_changes(case.words)
            assert len(change) == {"single": 1, "compound": 2, "neutral": 0}[kind], (name, case.instruction)
            assert case.find_relevant_words().any() == (kind != "neutral")
            if case.region is not None and kind == "single":  # what is asked for shows inside the region
                shown = replace(case.scene, **{a: "red" if v == "any" else v for a, v in change.items()})
                ideal_, empty = (compose_pictures(case.behind, case.region, s) for s in (shown, case.scene))
                assert (ideal_ != empty).any()
