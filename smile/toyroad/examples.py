"""The examples of the page: `python -m smile.toyroad.examples` draws their pictures, explains them with the bundled
editors, and the prompts with the bundled language model, and writes all into assets/examples, so that the page can replay
them at once. With names behind it, it explains these only.

Scenes and instructions were chosen by looking at what comes out: the bundled editor carries the edit out, and the words
that matter by Toy Road's grammar are found. What a run took is left out: the same models write the same files.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import NamedTuple

from PIL import Image, ImageDraw

from smile import (
    AnswerExplanation,
    Explanation,
    explain,
    explain_answer,
    load_editor,
    load_embedder,
    load_language_model,
    paths,
)
from smile.io.atomic import write_file
from smile.models.editors import EDITORS
from smile.toyroad.regions import find_zone
from smile.toyroad.scene import SIZE, Scene, draw


class Example(NamedTuple):
    """One picture and instruction; `region` is the attribute whose zone an editor that takes a region may change."""

    scene: Scene
    instruction: str
    editor: str = "instruct-pix2pix"
    weights: str = "bundled"
    region: str = ""
    surprise: str = ""  # what its button says, if it is one of those that teach
    lesson: str = ""  # the sentence that it teaches


EXAMPLES = {
    "october-evening": Example(
        Scene(horizon=0.45, bend=0.35, sun_x=0.25, cloud_x=0.75, hills=0.6, time_shade=0.3, tree_x=0.3, tree_size=0.8),
        "show this road at sunset in autumn",
    ),
    "summer-day": Example(
        Scene(car="yellow", horizon=0.4, bend=0.3, sun_x=0.75, cloud_x=0.2, hills=0.1, time_shade=0.2),
        "please make it snow in this picture",
    ),
    "sunset-drive": Example(
        Scene(time="sunset", car="red", tree=False, season="autumn", horizon=0.5, sun_x=0.3, bend=0.8, hills=0.3),
        "please paint the car blue",
    ),
    "autumn-house": Example(
        Scene(season="autumn", car="blue", tree_right=False, horizon=0.3, sun_x=0.5, cloud_x=0.9, season_shade=0.4),
        "please remove the house",
    ),
    "winter-night": Example(
        Scene(time="night", weather="snow", car="red", horizon=0.7, weather_amount=0.4, time_shade=0.3),
        "make it a sunny day",
    ),
    "rainy-road": Example(
        Scene(weather="rain", car="green", house=False, horizon=0.5, bend=0.2, weather_amount=0.6),
        "transform the weather to sunny",
    ),
    "green-hills": Example(
        Scene(car="red", house=False, horizon=0.6, sun_x=0.6, bend=0.6, hills=0.8, tree_right=False, cloud_x=0.4),
        "change the season to autumn now",
        editor="img2img-turbo",
    ),
    "empty-road": Example(
        Scene(car=None, tree=False, horizon=0.6, bend=0.7, sun_x=0.2, cloud_x=0.7, hills=0.6),
        "please let the fog come",
        editor="img2img-turbo",
    ),
    "by-the-house": Example(
        Scene(car="red", tree=False, horizon=0.4, sun_x=0.3, bend=0.4, hills=0.4, cloud_x=0.6),
        "a blue car on a road",
        editor="img2img-turbo",
        weights="bundled-edges",
    ),
    "free-corner": Example(
        Scene(car="blue", tree=False, season="autumn", horizon=0.5, sun_x=0.4, bend=0.5, hills=0.2, cloud_x=0.1),
        "please add a tree there",
        editor="inpaint",
        region="tree",
    ),
    "open-sky": Example(
        Scene(car="green", house=False, horizon=0.6, sun_x=0.7, bend=0.3, hills=0.7, cloud_x=0.5),
        "make it look like night",
        editor="inpaint",
        region="time",
    ),
}
# What came out is not what one would expect, and one sentence says why.
SURPRISES = {
    "not-snow": Example(
        EXAMPLES["summer-day"].scene,
        "do not make it snow",
        surprise="“not” does nothing",
        lesson="It snows although you said “not”: the editor hears “snow” only.",
    ),
    "zebra-night": Example(
        Scene(car="red", horizon=0.5, bend=0.5, sun_x=0.3, cloud_x=0.7, hills=0.5, tree_right=False),
        "put a zebra here at night",
        surprise="An unknown word",
        lesson="Nobody taught this editor what a zebra is: only the night comes.",
    ),
    "night-to-day": Example(
        Scene(car="blue", horizon=0.45, bend=0.4, sun_x=0.6, cloud_x=0.3, hills=0.3),
        "change night to day",
        surprise="Order of words",
        lesson="You asked for day and got night: it hears words, not their order.",
    ),
    "add-tree": Example(
        Scene(car=None, tree=False, house=False, horizon=0.6, bend=0.7, sun_x=0.2, cloud_x=0.7, hills=0.6),
        "add a tree",
        surprise="Only together",
        lesson="Neither “add” nor “tree” does anything alone.",
    ),
}
COMPARISON = "first-snow"
COMPARED = Example(
    Scene(car="blue", horizon=0.55, bend=0.6, sun_x=0.7, cloud_x=0.3, hills=0.4, tree_right=False, tree_x=0.4, house_x=0.4),
    "make it snow at night",
    region="time",
)


ANSWERS = {  # name: title, prompt
    "ask-two": (
        "Two questions",
        "Anna drives the bus. There is a red car here. It is raining. What colour is the car? How is the weather?",
    ),
    "ask-chain": (
        "One follows from the other",
        "Anna drives the bus. Here is a small picture. There is a green bus here. Nothing moves. What does Anna drive? "
        "And what colour is it?",
    ),
}
TOKENS = 40  # of an answer, as the form has it


def list_compared() -> dict[str, Example]:
    """The comparison's picture and instruction for each editor, by the name of the bundle."""
    return {f"{COMPARISON}-{name}": COMPARED._replace(editor=name) for name in EDITORS.bundled}


def paint_region(example: Example) -> Image.Image:
    """Its region (L, 0 and 255): the zone of the attribute that it names."""
    if example.region is None:
        raise ValueError("This example has no region.")
    painted = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(painted).rectangle(find_zone(example.scene, example.region), fill=255)
    return painted


def explain_example(example: Example) -> Explanation:
    """Its explanation, otherwise with default settings, on the CPU, where every machine makes the same edits."""
    takes = {"region": paint_region(example)} if EDITORS[example.editor].needs_region else {}
    editor, embedder = load_editor(example.editor, example.weights, "cpu"), load_embedder("bundled", "cpu")
    return replace(explain(draw(example.scene), example.instruction, editor, embedder=embedder, **takes), seconds={})


def explain_prompt(prompt: str) -> AnswerExplanation:
    """The explanation of the bundled language model's answer, with default settings, on the CPU."""
    return replace(explain_answer(prompt, load_language_model("toyroad", device="cpu", max_tokens=TOKENS)), seconds={})


def describe_answers() -> list[dict]:
    """What answers.json says, in the page's order."""
    return [{"name": name, "title": title} for name, (title, _) in ANSWERS.items()]


def describe_examples() -> list[dict]:
    """What examples.json says, in the page's order."""
    lines = [
        {"name": name, "instruction": one.instruction, "editor": one.editor, "weights": one.weights, "region": bool(one.region)}
        | ({"surprise": one.surprise, "lesson": one.lesson} if one.surprise else {})
        for name, one in (EXAMPLES | SURPRISES).items()
    ]
    compared = {"name": COMPARISON, "instruction": COMPARED.instruction, "compare": list(list_compared())}
    return [*lines[: len(EXAMPLES)], compared, *lines[len(EXAMPLES) :]]


def main() -> None:
    paths.EXAMPLES.mkdir(parents=True, exist_ok=True)
    for name, example in (EXAMPLES | {COMPARISON: COMPARED} | SURPRISES).items():
        draw(example.scene).save(paths.EXAMPLES / f"{name}.png", optimize=True)
        if example.region:
            paint_region(example).save(paths.EXAMPLES / f"{name}-region.png", optimize=True)
    chosen = EXAMPLES | list_compared() | SURPRISES
    for name in sys.argv[1:] or [*chosen, *ANSWERS]:
        explanation = explain_prompt(ANSWERS[name][1]) if name in ANSWERS else explain_example(chosen[name])
        explanation.write(paths.EXAMPLES / f"{name}.zip")
        print(f"{name}: {explanation.finding}", flush=True)
    write_file(paths.EXAMPLES / "examples.json", json.dumps(describe_examples(), indent=1) + "\n")
    write_file(paths.EXAMPLES / "answers.json", json.dumps(describe_answers(), indent=1) + "\n")


if __name__ == "__main__":
    main()
