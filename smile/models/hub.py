"""Where model weights come from: the bundled set, the full set on the Hub, or somebody's own; and how they are loaded.

The bundled weights run everything on a CPU, offline, through exactly the code that runs the full ones, so this choice
is only ever a path.
"""

import contextlib
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from smile.errors import InputError, shown, shown_error
from smile.models.devices import choose_device, has_fast_bfloat16, is_out_of_memory
from smile.paths import MODELS

PATIENCE = 10  # seconds that the Hub has to say whether it is there
INSTEAD = 'use the bundled weights (weights="bundled")'
# transformers would ask the Hub for a converted copy of weights that are pickles, in a thread of its own.
os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
SMALL = 200e6  # bytes; weights of more are worth computing in half precision


def find_weights(weights: str | Path, *, bundled: str, full: str) -> tuple[str, str]:
    """(kind, location) of `weights`: "auto" | "bundled" | "full" | a local folder | a Hub repository id.

    `bundled` is a folder name under assets/models and `full` a repository id. Kind is "bundled", "full", or, for
    somebody's own weights, what they wrote; location is what `from_pretrained` takes. "auto" means full where there is
    a CUDA device and bundled elsewhere. Raises InputError when there is no such place.
    """
    if not isinstance(weights, (str, Path)) or not str(weights).strip():
        raise InputError('Weights are "auto", "bundled", "full", a local folder or a repository id.')
    weights = str(weights)
    if weights == "auto":
        weights = "full" if choose_device(None) == "cuda" else "bundled"
    if weights == "full":
        return "full", full
    if weights == "bundled":
        if not (MODELS / bundled).is_dir():
            raise InputError(f"The bundled weights are missing: there is no folder {MODELS / bundled}.")
        return "bundled", str(MODELS / bundled)
    folder = os.path.expanduser(weights)
    if os.path.isdir(folder):  # False, as Path.is_dir is not, for a name that no file can have
        return weights, str(Path(folder))
    if is_repository(weights):
        return weights, weights
    raise InputError(f'There are no weights at “{shown(weights)}”; use "bundled", "full", a local folder or a repository id.')


def is_repository(weights: str) -> bool:
    """Whether this could be the id of a repository on the Hub, "owner/name"."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", weights) is not None and not weights.startswith(".")


def is_bundled(weights: str) -> bool:
    """Whether these are weights that come with this package."""
    return weights.startswith("bundled")


def load_pretrained(from_pretrained: Callable, location: str, what: str, instead: str = INSTEAD, **options) -> Any:
    """`from_pretrained(location, **options)`: from the folder or the Hub's cache, and from the Hub only if need be.

    Raises InputError, in one sentence that says what to do `instead`, where the weights are neither here nor to be had.
    Whether the Hub answers, and gives files, is asked once with a time limit, because its own client would retry for
    minutes.
    """
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

    try:
        return from_pretrained(location, local_files_only=True, **options)
    except Exception as error:  # what is missing or damaged can make its reader raise anything: tokenizers a bare Exception
        if is_out_of_memory(error):
            raise
        if Path(location).is_dir():
            raise InputError(f"The folder {location} does not hold complete {what} weights that can be read.") from error
    try:
        known = HfApi().model_info(location, timeout=PATIENCE).siblings
        if known:
            get_hf_file_metadata(hf_hub_url(location, known[-1].rfilename), timeout=PATIENCE)
        return from_pretrained(location, **options)
    except InputError:  # what was downloaded is not complete
        raise
    except Exception as error:  # the client's, the network's, and the reader's again, which can be anything
        if is_out_of_memory(error):
            raise
        failure = f"are not on this machine and could not be downloaded: {explain_failure(error)}"
        raise InputError(f"The {what} weights {location} {failure}, or {instead}.") from error


def explain_failure(error: BaseException) -> str:
    """What kept the Hub's client from downloading, and what to do about it."""
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx

    login = "run “hf auth login”"
    reasons = (
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE forbids it; unset it"),
        (errors.GatedRepoError, f"one must accept their terms; do so on their page on the Hub and {login}"),
        (errors.RepositoryNotFoundError, f"the Hub has none of that name, or it is private; check the name, {login}"),
        (errors.RevisionNotFoundError, "the repository has no such revision; check its name"),
        (errors.RemoteEntryNotFoundError, "the repository lacks a file that is needed; choose another"),
        (httpx.TimeoutException, "the Hub does not answer; try again later"),
        (errors.HfHubHTTPError, "the Hub answers with an error; try again later"),
        (httpx.HTTPError, "the Hub cannot be reached; connect to the network"),
        (errors.LocalEntryNotFoundError, "the Hub cannot be reached; connect to the network"),
    )
    chain = [error]
    while before := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(before)
    status = {getattr(getattr(each, "response", None), "status_code", None) for each in chain}
    if status & {401, 403} and not any(isinstance(each, errors.RepositoryNotFoundError) for each in chain):
        return f"the Hub does not let you read them; check the name, {login}"
    for kind, reason in reasons:
        if any(isinstance(each, kind) for each in chain):
            return reason
    return f"{shown_error(error, 300)}; try again"


def read_index(location: str, what: str, revision: str | None = None) -> dict[str, Any]:
    """What the `model_index.json` of a diffusers folder or repository says, without its weights. Raises InputError where there
    is none."""
    from huggingface_hub import hf_hub_download

    path = Path(location) / "model_index.json"
    if not os.path.isdir(location):
        with silence_libraries():
            path = Path(load_pretrained(hf_hub_download, location, what, filename=path.name, revision=revision))
    return _read_json(path, f"so it is no {what} editor")


def read_settings(folder: str | Path) -> dict[str, Any]:
    """What the `editor.json` in a local folder says of the editor: its settings, `size`, `shared`; {} without one."""
    path = Path(folder) / "editor.json"
    return _read_json(path, "so the editor's settings cannot be read") if path.is_file() else {}


def find_shared_parts(folder: str | Path) -> Path | None:
    """The folder with the components that `folder` names and does not hold: `shared` in its `editor.json`, which is
    relative to it. None without one; raises InputError where there is no such folder."""
    shared = read_settings(folder).get("shared")
    if shared is None:
        return None
    place = (Path(folder) / str(shared)).resolve()
    if not place.is_dir():
        raise InputError(f"The weights in {folder} share parts with the folder {place}, and there is none; put it there.")
    return place


def _read_json(path: Path, consequence: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    except FileNotFoundError:
        raise InputError(f"The folder {path.parent} has no {path.name}, {consequence}.") from None
    except ValueError:
        pass
    raise InputError(f"The file {path} holds no JSON object, {consequence}.")


def choose_dtype(device: str, kind: str) -> Any:
    """The torch dtype that weights of `kind` (see `find_weights`) are computed in on `device`.

    Small ones, that is the bundled ones and small local folders, in float32 everywhere: they gain nothing from less, and
    their answers should not depend on the machine. Others in float16 on CUDA, and in bfloat16 on a CPU that multiplies it
    in hardware. Never by timing, which would make answers depend on what else the machine is doing.
    """
    import torch

    folder = Path(kind).expanduser()
    if is_bundled(kind) or is_small(folder):
        return torch.float32
    if device.startswith("cuda"):
        return torch.float16
    return torch.bfloat16 if device == "cpu" and has_fast_bfloat16() else torch.float32


def is_small(folder: Path) -> bool:
    """Whether the weights in a folder are too small to gain anything from half precision."""
    return folder.is_dir() and _count_bytes(folder) < SMALL


def _count_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def silence_libraries() -> Iterator[None]:
    """A `with` block without progress bars of loading, and without what diffusers, transformers and the Hub's client log, which
    is advice for whoever assembled the pipeline. In a terminal, downloads keep their bars: gigabytes should be seen coming.
    """
    import diffusers.utils.logging as ours
    import huggingface_hub.utils as hub
    import transformers.utils.logging as theirs

    bars = [(log, log.is_progress_bar_enabled()) for log in (ours, theirs)]
    levels = [(log, log.get_verbosity()) for log in (ours, theirs, hub.logging)]
    downloads = not hub.are_progress_bars_disabled()

    def switch_bars(bars: list, downloads: bool) -> None:
        with warnings.catch_warnings():  # that the environment has decided on downloads, which it may
            warnings.simplefilter("ignore")
            for log, on in bars:
                (log.enable_progress_bar if on else log.disable_progress_bar)()
            # last, because transformers' switch turns the Hub's as well
            (hub.enable_progress_bars if downloads else hub.disable_progress_bars)()

    try:
        switch_bars([(log, False) for log, _ in bars], downloads and sys.stderr.isatty())
        for log, _ in levels:
            log.set_verbosity(logging.CRITICAL)  # errors are raised as well
        yield
    finally:
        switch_bars(bars, downloads)
        for log, level in levels:
            log.set_verbosity(level)
