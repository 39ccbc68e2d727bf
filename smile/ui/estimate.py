"""What a run costs before it is made: how many edits, what must be downloaded, and how long an edit will take.

An edit's time is the number of its multiplications and additions over the speed at which this machine multiplies
matrices. The numbers are counted on the published architectures at 512 x 512 pixels (`torch.utils.flop_counter`, on
meta tensors; tests/test_estimate.py counts them again):

    edit = steps x (evaluations per step) x UNET + DECODER

Three evaluations per step for instruct-pix2pix (text and picture, picture alone, neither), two for inpaint (text,
none), one step of one evaluation for img2img-turbo. Text encoder and embedder are below a tenth of the decoder.
"""

from typing import NamedTuple

import numpy as np

from smile.method import design
from smile.method.extras import REPLICATES
from smile.method.units import split_instruction
from smile.options import DEFAULTS

UNET = 0.80e12  # operations of one evaluation for one picture: Stable Diffusion 1.5, 2 and Turbo alike
DECODER = 2.51e12  # operations of the VAE's decoder for one picture
SD1, SD2 = 4.3, 5.2  # gigabytes of UNet, VAE and text encoder in single precision
LARGEST = 3.5  # of them the UNet
EMBEDDER = 0.3
ZERO_GPU_SPEED = 100e12  # operations per second; assumed, because ZeroGPU lends its GPU to runs only


class Full(NamedTuple):
    """What is published of a set of full weights."""

    gigabytes: float
    settings: dict  # the editor's defaults with these weights
    step: float = 0  # operations of one edit for each step
    rest: float = DECODER  # and once


FULL = {
    ("instruct-pix2pix", "full"): Full(
        SD1 + EMBEDDER,
        {"steps": 20, "guidance": 7.5, "image_guidance": 1.5},
        step=3 * UNET,
    ),
    ("img2img-turbo", "edge_to_image"): Full(SD2 + EMBEDDER, {"low": 100, "high": 200}, rest=UNET + DECODER),
    ("img2img-turbo", "sketch_to_image_stochastic"): Full(SD2 + EMBEDDER, {"gamma": 0.4}, rest=UNET + DECODER),
    ("inpaint", "full"): Full(SD1 + EMBEDDER, {"steps": 20, "guidance": 7.5}, step=2 * UNET),
    ("inpaint", "sd2-community/stable-diffusion-2-inpainting"): Full(
        SD2 + EMBEDDER, {"steps": 20, "guidance": 7.5}, step=2 * UNET
    ),
}


class Outlook(NamedTuple):
    """What is known of an editor with some weights, loaded or not."""

    name: str
    weights: str  # which set "auto" means here
    device: str
    settings: dict  # that people may set, with the values that come with the weights
    seconds_per_edit: float | None
    gigabytes: float  # to be downloaded first
    loaded: bool
    placement: str = ""  # how its weights lie on a GPU (`smile.models.devices.plan_placement`); "" where there is none


def count_edits(k: int, edits: int | None, options: dict) -> tuple[int, int]:
    """How many edits a run on k words makes at most: those of the design, and others (the noise floor, each word alone left
    out, the one that confirms what undoes the change, and up to three words under further seeds). Fewer where it may stop
    when it is sure, where another seed changes nothing, and where the design has them. Raises InputError where there are too
    few for blocks."""
    options = DEFAULTS | options
    edits = design.planned_edits(k, edits, options["smallest_effect"] is not None)
    seeds, others = options["seeds"], options["noise_seeds"]
    if edits == 2**k:  # the design has every text
        again = REPLICATES.get(k, 0) if others and seeds == 1 else 0
        return edits * seeds, others + again * edits - min(again, others)
    return edits * seeds, others + seeds * (options["alone"] * k + (options["undo"] and options["reference"] == "edit"))


def list_edits(instruction: str, edits: int | None, seed: int, options: dict) -> set[tuple[int, str]]:
    """(seed, text) of the edits that such a run makes at most, but for the one that confirms what undoes the change."""
    options = DEFAULTS | options
    units = split_instruction(instruction, options["join"], options["hold"])
    k, last = len(units.names), seed + options["seeds"]
    mask = design.plan_rows(k, edits, options["design"], seed, blocks=options["smallest_effect"] is not None)
    again = REPLICATES.get(k, 0) if len(mask) == 2**k and options["noise_seeds"] and options["seeds"] == 1 else 0
    alone = ~np.eye(k, dtype=bool) if options["alone"] else mask[:0]
    texts = {units.perturb(row) for row in [*mask, *alone]}
    noise = {(other, units.text) for other in range(last, last + options["noise_seeds"])}
    return {(block, text) for block in range(seed, last + again) for text in texts} | noise


def count_work(name: str, weights: str, settings: dict) -> float:
    """The work of one edit: operations where they are known, else the number of steps, which is as good for ratios."""
    full, steps = FULL.get((name, weights)), settings.get("steps", 1)
    return full.rest + full.step * steps if full else steps
