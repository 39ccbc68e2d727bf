"""What a run costs before it is made: how many edits, what must be downloaded, and how long an edit will take.

An edit's time is the number of its multiplications and additions over the speed at which this machine multiplies
matrices. The numbers are counted on the published architectures at 512 x 512 pixels (`torch.utils.flop_counter`, on
meta tensors; tests/test_estimate.py counts them again):

    edit = steps x (evaluations per step) x UNET + DECODER

Three evaluations per step for instruct-pix2pix (text and picture, picture alone, neither), two for inpaint (text,
none), one step of one evaluation for img2img-turbo. Text encoder and embedder are below a tenth of the decoder.
"""

from typing import NamedTuple

from smile.method import design
from smile.method.units import perturbed
from smile.options import DEFAULTS

UNET = 0.80e12  # operations of one evaluation for one picture: Stable Diffusion 1.5, 2 and Turbo alike
DECODER = 2.51e12  # operations of the VAE's decoder for one picture
SD1, SD2 = 4.3, 5.2  # gigabytes of UNet, VAE and text encoder in single precision
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


def count_edits(k: int, edits: int | None, options: dict) -> tuple[int, int]:
    """How many edits a run on k words makes at most, under its own seeds and under those for the noise floor: fewer where it
    may stop when it is sure, and where another seed changes nothing. Raises InputError where there are too few for blocks."""
    options = DEFAULTS | options
    edits = design.planned_edits(k, edits, options["smallest_effect"] is not None)
    return edits * options["seeds"], options["noise_seeds"]


def list_edits(words: list[str], edits: int | None, seed: int, options: dict) -> set[tuple[int, str]]:
    """(seed, text) of the edits that such a run makes at most."""
    options, k = DEFAULTS | options, len(words)
    blocks = options["smallest_effect"] is not None
    count = design.planned_edits(k, edits, blocks)
    mask = design.in_blocks(k, count, seed) if blocks else design.choose(k, count, options["design"], seed)
    last = seed + options["seeds"]
    texts = {perturbed(words, row) for row in mask}
    noise = {(other, " ".join(words)) for other in range(last, last + options["noise_seeds"])}
    return {(block, text) for block in range(seed, last) for text in texts} | noise


def count_work(name: str, weights: str, settings: dict) -> float:
    """The work of one edit: operations where they are known, else the number of steps, which is as good for ratios."""
    full, steps = FULL.get((name, weights)), settings.get("steps", 1)
    return full.rest + full.step * steps if full else steps
