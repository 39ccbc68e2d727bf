"""What if: the edit of words that somebody switched on and off, made when it is asked for. It is never part of the numbers."""

from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from smile import Explanation, InputError
from smile.method import distance
from smile.method.units import split_instruction
from smile.models.hub import is_bundled
from smile.report.numbers import finite_or_none
from smile.report.payload import Pictures
from smile.ui import machine, texts
from smile.ui.engine import Engine, Request
from smile.ui.events import EDITING, PRIVATE, Changes
from smile.ui.examples import open_shown
from smile.ui.runs import describe_error, repeat_request
from smile.ui.sections.answer import Answer

MOST = 64  # edits that are kept for one explanation


class WhatIf:
    """The event `edit` of the answer's view. The state `tried` holds what was made for the explanation that is shown."""

    def __init__(self, answer: Answer):
        self.answer, self.engine = answer, answer.engine

    def build(self) -> None:
        """The state."""
        self.tried = gr.State(time_to_live=3600)

    def connect(self) -> None:
        """Make what is asked for, after whoever asked before."""
        answer, form = self.answer, self.answer.form
        asked, filled = [answer.shown, self.tried], [answer.view, self.tried, form.progress]
        answer.view.edit(self.make, asked, filled, trigger_mode="always_last", **EDITING, **PRIVATE)

    def make(self, shown, tried: dict | None, event: gr.EventData) -> Changes:
        """The edit of the words that are on."""
        explanation = open_shown(shown)
        mask, seed = read_words(event, explanation)
        if explanation is None or mask is None or seed is None:
            return gr.skip()
        of = explanation.instruction, explanation.settings
        edits = list(tried["edits"]) if tried and tried["of"] == of else []
        known = next((each for each in edits if each["mask"] == mask and each["seed"] == seed), None)
        said = ""
        if known is None:
            try:
                edits.append(self._edit(explanation, mask, seed))
            except Exception as error:  # the last resort, as in answer.py
                said = texts.say_problem(describe_error(error))
                edits.append({"mask": mask, "seed": seed, "src": None, "distance": None, "said": ""})
        changes: Changes = {self.answer.view: gr.update(tried={"edits": edits[-MOST:]})}
        return changes | {self.tried: {"of": of, "edits": edits[-MOST:]}} | ({self.answer.form.progress: said} if said else {})

    def _edit(self, explanation: Explanation, mask: list[bool], seed: int) -> dict[str, Any]:
        """What the browser is given of one edit. It is the first of an explanation of these words, from the same noise."""
        settings = explanation.settings
        units = split_instruction(explanation.instruction, settings["join"], settings["hold"])
        request = replace(repeat_request(self.engine, explanation), instruction=units.perturb(np.array(mask)), seed=seed)
        steps = self.engine.explain(replace(request, edits=None, options={"noise_seeds": 0}))
        made = next(iter(steps))
        steps.close()  # type: ignore[attr-defined]
        far = measure_distance(self.engine, request, explanation, made.edits[0], seed)
        said = "distance not known" if far is None else f"distance {far:.2f}"
        return {"mask": mask, "seed": seed, "src": Pictures().url(made.edits[0]), "distance": far, "said": said}


def read_words(event: gr.EventData, explanation: Explanation | None) -> tuple[list[bool] | None, int | None]:
    """Which words are on, and under which seed; None for what nobody can have clicked: anybody can post an event."""
    data = event._data if isinstance(event._data, dict) else {}
    mask, seed = data.get("mask"), data.get("seed")
    if explanation is None or not isinstance(mask, list) or not isinstance(seed, int):
        return None, None
    seeds = range(explanation.settings["seed"], explanation.settings["seed"] + explanation.settings["seeds"])
    good = len(mask) == len(explanation.words) and all(isinstance(each, bool) for each in mask) and any(mask) and seed in seeds
    return (mask, seed) if good else (None, None)


def measure_distance(engine: Engine, request: Request, explanation: Explanation, edit, seed: int) -> float | None:
    """How far the edit is from the reference; None where the embedder is not in this process, or one of the edits failed."""
    if edit is None or (machine.ZERO_GPU and not is_bundled(machine.resolve_weights(request.editor, request.weights))):
        return None
    block = explanation.blocks == seed - explanation.settings["seed"]
    full = explanation.edits[int(np.flatnonzero(block)[0])]
    reference = explanation.image if explanation.settings["reference"] == "input" else full
    if reference is None:
        return None
    _, embedder = engine.load(request.editor, request.weights)
    vectors, patches = embedder.embed([reference, edit])
    clouds = (None, None) if patches is None else (patches[1:], patches[0])
    try:
        found = distance.to_reference(explanation.settings["distance"], vectors[1:], clouds[0], vectors[0], clouds[1])
    except InputError:  # a distance over patches, of an embedder that gives none
        return None
    return finite_or_none(float(found[0]))
