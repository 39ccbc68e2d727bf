"""The editors by name. A new editor is one new file beside this one and one line in the table.

An editor is any object with `edit(image, texts, *, seed, region=None) -> list[PIL.Image | None]`: one result for each
text, in order, all started from the noise of `seed`; None is a failed or blocked edit. It may also offer

- `token_embeddings(text) -> (n, d)` array, without special tokens, for the word mover's distance;
- `lost_words(text) -> list[str]`, the words beyond its token limit;
- `batch_size`, how many texts it likes at a time (8 if it does not say);
- `working_size`, the longest side in pixels of the pictures it works on (any, if it does not say);
- `name`, `weights`, `device`, `settings` (a dict), which are written into the explanation.
"""

from importlib import import_module

from smile.errors import InputError

EDITORS = {
    "instruct-pix2pix": "instruct_pix2pix",
}


def load_editor(name: str, weights: str = "auto", device: str | None = None):
    """The editor called `name`, ready to use.

    `weights`: "auto" (full on CUDA, else bundled), "bundled", "full", a local folder, or a Hub repository id.
    `device`: a torch device; by default CUDA where there is one, else the CPU.
    Raises InputError for an unknown name, and where the weights are missing or cannot be downloaded.
    """
    if name not in EDITORS:
        raise InputError(f"There is no editor called “{name}”; there is {', '.join(EDITORS)}.")
    return import_module(f".{EDITORS[name]}", __name__).load(weights, device)
