"""Where model weights come from: the toy set in this repository, the full set on the Hub, or somebody's own.

The bundled weights run everything on a CPU, offline, through exactly the code that runs the full ones, so this choice
is only ever a path.
"""

import contextlib
import logging
import re
from pathlib import Path

from smile.errors import InputError

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "models"


def resolve(weights: str, *, bundled: str, full: str) -> tuple[str, str]:
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
        if not (BUNDLED / bundled).is_dir():
            raise InputError(f"The bundled weights are missing: there is no folder {BUNDLED / bundled}.")
        return "bundled", str(BUNDLED / bundled)
    if Path(weights).expanduser().is_dir():
        return weights, str(Path(weights).expanduser())
    if re.fullmatch(r"[\w.-]+/[\w.-]+", weights) and not weights.startswith("."):
        return weights, weights
    raise InputError(f'There are no weights at “{weights}”; use "bundled", "full", a local folder or a repository id.')


def read(from_pretrained, location: str, what: str, **options):
    """`from_pretrained(location, **options)`: from the folder or the Hub's cache, and from the Hub only if need be.

    Raises InputError, in one sentence, where the weights are neither here nor to be had. Whether the Hub answers is
    asked once with a time limit, because its own client would retry for minutes.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import httpx  # whichever client the Hub uses at present
    from safetensors import SafetensorError

    local = Path(location).is_dir()
    try:
        try:
            return from_pretrained(location, local_files_only=True, **options)
        except OSError:
            if local:
                raise
            HfApi().model_info(location, timeout=10)
            return from_pretrained(location, **options)
    except (OSError, ValueError, SafetensorError, httpx.HTTPError) as error:  # ValueError: a config that is none
        if local:
            raise InputError(
                f"The folder {location} does not hold complete {what} weights that can be read."
            ) from error
        raise InputError(
            f"The {what} weights {location} are not on this machine and could not be downloaded; "
            'connect to the network or use the bundled weights (weights="bundled").'
        ) from error


def choose_device(device: str | None) -> str:
    """`device` if torch knows it, CUDA where there is one if it is None, else "cpu". Raises InputError."""
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # what torch raises for a device it has not
        raise InputError(f"There is no device “{device}” here; use “cpu”.") from error
    return str(device)


@contextlib.contextmanager
def quiet():
    """Loading without progress bars and without advice to people who did not choose the pipeline's parts."""
    import diffusers.utils.logging as ours
    import transformers.utils.logging as theirs

    bars = [(log, log.is_progress_bar_enabled()) for log in (ours, theirs)]
    levels = [(log, log.get_verbosity()) for log in (ours, theirs)]
    try:
        for log, _ in bars:
            log.disable_progress_bar()
        for log, _ in levels:
            log.set_verbosity(logging.ERROR)
        yield
    finally:
        for log, enabled in bars:
            if enabled:
                log.enable_progress_bar()
        for log, level in levels:
            log.set_verbosity(level)
