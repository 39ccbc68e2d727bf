"""The editors by name. A new editor is one new file beside this one and one line in the table.

An editor is any object with `edit(image, texts, *, seed, region=None) -> list[PIL.Image | None]`: one result for each
text, in order, all started from the noise of `seed`; None is a failed or blocked edit. It may also offer

- `token_embeddings(text) -> (n, d)` array, without special tokens, for the word mover's distance;
- `lost_words(text) -> list[str]`, the words beyond its token limit;
- `batch_size`, how many texts it likes at a time (8 if it does not say);
- `working_size`, the longest side in pixels of the pictures it works on (any, if it does not say);
- `takes_region`, True if it needs a region, False if it has no use for one (either, if it does not say);
- `name`, `weights`, `device`, `dtype`, `settings` (a dict), which are written into the explanation.
"""

from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from smile.errors import InputError, shown
from smile.models.editors.safety import load_checker, wanted
from smile.models.hub import give_back_memory


class Entry(NamedTuple):
    """What is known of an editor before it is loaded, which takes seconds."""

    module: str  # the file beside this one; it has `load(weights, device)`
    weights: tuple[str, ...]  # the sets that people choose from; "auto" and weights of their own go too
    region: bool = False  # whether it needs a region


EDITORS = {
    "instruct-pix2pix": Entry("instruct_pix2pix", ("bundled", "full")),
    "img2img-turbo": Entry("img2img_turbo", ("bundled", "bundled-edges", "edge_to_image", "sketch_to_image_stochastic")),
    "inpaint": Entry("inpaint", ("bundled", "full", "sd2-community/stable-diffusion-2-inpainting"), region=True),
}


def load_editor(name: str, weights: str = "auto", device: str | None = None, *, safety: bool | None = None, **settings):
    """The editor called `name`, ready to use.

    `weights`: "auto" (full on CUDA, else bundled), "bundled", "full", a local folder, or a Hub repository id; an editor's
    file says what else it knows.
    `device`: a torch device; by default CUDA where there is one, else the CPU.
    `safety`: whether edits that the safety checker flags are blocked; by default only on a public Space.
    `settings`: the editor's own, instead of the defaults that come with the weights, for example `steps=50`.
    Raises InputError for an unknown name or setting, and where the weights, or those of a safety checker that is wanted,
    are missing or cannot be downloaded.
    """
    if name not in EDITORS:
        raise InputError(f"There is no editor called “{shown(name)}”; there is {', '.join(EDITORS)}.")
    if "\0" in str(weights) or any(len(part) > 255 for part in Path(weights).parts):
        raise InputError(f"There are no weights at {shown(weights)}.")
    give_back_memory()  # of an editor before this one
    editor = import_module(f".{EDITORS[name].module}", __name__).load(weights, device)
    editor = editor.with_settings(**settings) if settings else editor
    if wanted(safety, editor.weights):
        editor.checker = load_checker(editor.location, editor.device)
    return editor
