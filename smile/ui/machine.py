"""The machine that the page runs on, and which sets of weights it offers there."""

import functools
import importlib.util
import logging
import os
import shutil
import sys
import threading

from smile import InputError
from smile.errors import shown
from smile.models.devices import ROOM, choose_device, measure_memory, plan_placement
from smile.models.editors import EDITORS
from smile.models.editors.offer import Offer, inspect_repository, may_read
from smile.models.hub import is_bundled, is_repository
from smile.models.registry import is_downloaded
from smile.ui import texts
from smile.ui.estimate import EMBEDDER, FULL, LARGEST

SPACE = os.environ.get("SYSTEM") == "spaces"
TRUSTED_PROXIES = int(os.environ.get("SMILE_TRUSTED_PROXIES", SPACE))  # of the last, whom a request is for is believed
ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


RESTART_AFTER = 60.0  # seconds, in which visitors may take away what they have
_restarting = threading.Event()


def restart_soon() -> None:
    """Start this program again, once, in a minute: after an error of CUDA nothing in this process can use the GPU again.

    A fork of ZeroGPU ends by itself, and where somebody else's program holds the page, it stays as it is.
    """
    if ZERO_GPU or not restarts or _restarting.is_set():
        return
    _restarting.set()
    timer = threading.Timer(RESTART_AFTER, _restart)
    timer.daemon = True
    timer.start()


restarts = False  # set by app.py, where it is the program


def _restart() -> None:
    logging.warning("The page starts again, because its GPU was lost.")
    shutil.rmtree(os.environ.pop("GRADIO_TEMP_DIR", ""), ignore_errors=True)  # the new one makes a folder of its own
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def has_mcp() -> bool:
    """Whether the endpoints can be served as tools for agents (MCP): `pip install "gradio[mcp]"`, which nothing here needs."""
    return importlib.util.find_spec("mcp") is not None


@functools.cache
def find_device() -> str:
    """The device that full weights run on here. Imports torch, which takes seconds."""
    return choose_device(None)


def list_weights(editor: str) -> tuple[str, ...]:
    """The sets of weights that may be chosen here: on a Space without a GPU none that would take hours.

    Raises InputError for an unknown editor, and for a repository that is not allowed here.
    """
    if editor not in EDITORS and is_repository(str(editor)):
        check_allowed(str(editor))
        return (str(editor),)
    if editor not in EDITORS:
        raise InputError(f"There is no editor called “{shown(editor)}”; there is {', '.join(EDITORS)}.")
    sets = tuple(EDITORS[editor].weights)
    return tuple(each for each in sets if (editor, each) not in FULL) if SPACE and find_device() == "cpu" else sets


def find_full(editor: str, weights: str) -> str | None:
    """Full weights of the same editor that read the same kind of text and can run here, in place of bundled ones."""
    try:
        bundled, sets = resolve_weights(editor, weights), list_weights(editor)
    except InputError:
        return None
    if editor not in EDITORS or not is_bundled(bundled):
        return None
    expects = EDITORS[editor].expects
    return next((each for each in sets if not is_bundled(each) and expects(each) == expects(bundled)), None)


def list_allowed() -> list[str]:
    """The repositories that the owner of a public Space allows as editors."""
    return [each.strip() for each in os.environ.get("SMILE_EDITORS", "").split(",") if each.strip()]


def check_allowed(repository: str) -> None:
    """Raise InputError where a visitor of a public Space asks for an editor that its owner does not allow: SMILE_EDITORS lists
    those, separated by commas. Elsewhere everything is allowed."""
    allowed = list_allowed()
    if SPACE and repository not in allowed:
        there = f"there is {', '.join(allowed)}" if allowed else "duplicate the Space, or run it yourself"
        raise InputError(f"The owner of this Space does not allow the editor {shown(repository)}; {there}.")


@functools.lru_cache(maxsize=64)
def offer_repository(repository: str) -> Offer:
    """What an editor of the Hub is, and what it would take, before it is downloaded. Raises InputError where it is not allowed
    on this page, is no editor's, must be unlocked first, or cannot fit into the memory of this machine."""
    check_allowed(repository)
    offer = inspect_repository(repository)
    if offer.gated and not may_read(repository):
        raise InputError(
            f"One must accept the terms of {repository} ({offer.licence}); do so on its page on the Hub, and run "
            "“hf auth login”."
        )
    room = measure_memory() / 1e9
    if offer.largest + ROOM / 1e9 > room:
        raise InputError(
            f"The largest part of {repository} has {offer.largest:.0f} GB, and this machine has {room:.0f} GB of memory; "
            "choose a smaller one."
        )
    return offer


def resolve_for_instruction(editor: str) -> str:
    """What "auto" means beside other editors that follow one instruction: never weights that expect a caption, where this
    editor has others."""
    weights = resolve_weights(editor, "auto")
    others = [each for each in list_weights(editor) if EDITORS[editor].expects(each) == "instruction"]
    return others[0] if EDITORS[editor].expects(weights) == "caption" and others else weights


def note_captions(chosen: str, weights: str) -> dict[str, str]:
    """What a comparison of instructions says of the editors that have weights for captions; `chosen` is run with `weights`."""
    notes = {}
    for name, entry in EDITORS.items():
        if entry.problem or not entry.captions:
            continue
        auto = resolve_weights(name, weights if name == chosen else "auto")
        if entry.expects(auto) == "caption":
            used = auto if name == chosen else resolve_for_instruction(name)
            notes[name] = texts.note_caption(auto, used)
    return notes


def resolve_weights(editor: str, weights: str) -> str:
    """The set that `weights` means here; "auto" is the first full one where there is CUDA, else the first.

    Raises InputError for an unknown editor or set.
    """
    sets = list_weights(editor)
    if weights == "auto":
        full = [each for each in sets if not is_bundled(each)]
        return full[0] if full and find_device() == "cuda" else [*sets, "auto"][0]
    if weights not in sets:
        there = ", ".join(dict.fromkeys(("auto", *sets)))
        raise InputError(f"There are no weights “{shown(weights)}” of {editor} on this page; there is {there}.")
    return weights


def count_download(name: str, weights: str) -> float:
    """Gigabytes that loading these weights brings first."""
    if name not in EDITORS:
        return 0 if is_downloaded(name) else offer_repository(name).gigabytes
    full = FULL.get((name, weights))
    return full.gigabytes if full and not EDITORS[name].is_downloaded(weights) else 0


def foretell_placement(name: str, weights: str, free: float) -> str:
    """How the weights will lie in so many free bytes of a GPU; "" where nobody can know."""
    if name not in EDITORS:
        offer = offer_repository(name)
        return plan_placement(offer.gigabytes * 1e9, offer.largest * 1e9, free)
    full = FULL.get((name, weights))  # in half precision, as on every GPU of this kind
    return plan_placement((full.gigabytes - EMBEDDER) * 1e9 / 2, LARGEST * 1e9 / 2, free) if full else ""
