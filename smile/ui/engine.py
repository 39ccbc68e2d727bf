"""The models behind the page: loaded when they are first asked for, and used by one run at a time.

The page must answer long before torch is imported, and the first explanation must not wait for what could have been
done while the visitor was reading. So the editor that is shown first is loaded when the page is up. Loading ends with a
small edit, which also tells how long an edit takes on this machine. Bundled sets of weights are small and stay in memory;
of the full ones there is one at a time.

On ZeroGPU the GPU belongs to this app only while a function that `spaces.GPU` has wrapped runs, in a process forked from
this one. So all editing is in one such function, `edit_and_explain`, and what goes in and comes out can be pickled.
Placing a model on the GPU beforehand works in the main thread only (torch's modes, by which it is put off until the
fork, are per thread), hence `Engine.serve`. The editor that is shown first is placed before the page starts, which packs
it for quick forks; the others when they are chosen, because every set that is packed makes every fork slower. A fork
that is used again, and is older than the set it is asked for, loads that itself. Bundled sets run on the CPU of this
process there, at no cost to anybody's quota.

Edits are kept for an hour (`smile.models.cache`), known by what is in the picture and the text, so that another distance, more
edits or the trust report pay for new texts only; who does not bring the same picture and words finds nothing. A fork cannot
see what is kept here, so it is given what is known of the picture, and hands back what it makes. So a run may also take
several turns on the GPU: ZeroGPU lends it for a limited time, and each turn goes on from the edits of those before.
"""

import functools
import gc
import math
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from PIL import Image

from smile import Explanation, InputError, explain_stream, load_editor, load_embedder, load_segmenter
from smile.errors import shown
from smile.evaluation.evaluate import Measurement, count_further_edits, measure_trust
from smile.io.images import open_picture
from smile.method.units import words
from smile.models import protocols
from smile.models.cache import Cache
from smile.models.caching_editor import CachingEditor
from smile.models.editors import EDITORS
from smile.models.hub import choose_device, is_bundled
from smile.ui.estimate import FULL, ZERO_GPU_SPEED, edits_asked, speed, work

try:
    from spaces import GPU  # on a Space; elsewhere it leaves functions as they are
except ImportError:

    def GPU(duration):
        return lambda function: function


SPACE = os.environ.get("SYSTEM") == "spaces"
ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
DEFAULT = "instruct-pix2pix"  # the editor that is shown first
WARM_UP_TEXTS = ["", "snow"]
SLOW = 5.0  # seconds for a warm-up; a second one would tell nothing new
FORK, FORK_LOADS = 5, 10  # seconds that a fork of ZeroGPU may take to begin, and to load a set that is not packed
GPU_TURN = 60  # seconds, ZeroGPU's own default; more than 120 are refused to visitors without an account
GPU_RUN = 600  # seconds that the turns of one run may take together
MARGIN = 4 / 3  # of estimates
KEPT, KEPT_SECONDS = 2**28, 3600  # bytes of edits in memory, and since when they were not asked for
PAUSED = (None, {})  # the last of a turn that is to be followed by another


@dataclass(frozen=True)
class Request:
    """One run. On ZeroGPU it goes to another process, so there is nothing in it but plain values and pictures."""

    picture: Image.Image
    instruction: str
    edits: int | None = None
    seed: int = 0
    editor: str = DEFAULT
    weights: str = "auto"
    region: Image.Image | None = None
    settings: dict = field(default_factory=dict)  # the editor's
    options: dict = field(default_factory=dict)  # the method's, by explain_stream's names


class Outlook(NamedTuple):
    """What is known of an editor with some weights, loaded or not."""

    name: str
    weights: str  # which set "auto" means here
    device: str
    settings: dict  # that people may set, with the values that come with the weights
    seconds_per_edit: float | None
    gigabytes: float  # to be downloaded first
    loaded: bool


@functools.cache
def device() -> str:
    """The device that full weights run on here. Imports torch, which takes seconds."""
    return choose_device(None)


def load_models(name: str, weights: str) -> tuple:
    """(editor, embedder): the embedder is small, and one serves all bundled sets and one all full ones."""
    where = "cpu" if ZERO_GPU and is_bundled(weights) else None
    editor = load_editor(name, weights, where)
    kind = "bundled" if is_bundled(weights) else "full" if (name, weights) in FULL else "auto"
    return editor, _embedder(kind, where)


ENGINES: weakref.WeakValueDictionary = weakref.WeakValueDictionary()  # by number, because a number can go to a fork
_embedder = functools.lru_cache(maxsize=2)(load_embedder)
_segmenter = functools.lru_cache(maxsize=1)(load_segmenter)


class Engine:
    """`load(name, weights) -> (editor, embedder)` is called once for each set that is asked for; again after it failed."""

    def __init__(self, load: Callable[[str, str], tuple] = load_models):
        self._load = load
        self._shelf: dict[tuple[str, str], tuple] = {}
        self._seconds: dict[tuple[str, str], float] = {}  # measured, for one unit of work (`estimate.work`)
        self._coming: set[tuple[str, str]] = set()
        self.cache = Cache(memory_bytes=KEPT, seconds=KEPT_SECONDS)
        self._for_main = queue.SimpleQueue() if ZERO_GPU else None  # what the main thread is to load
        self._start_in_process()
        ENGINES[id(self)] = self

    def _start_in_process(self) -> None:
        self._process = os.getpid()
        self._loading = {bundled: threading.Lock() for bundled in (True, False)}  # a long download holds up its like only
        self._in_use = threading.RLock()  # held for one batch: a pipeline's scheduler cannot serve two runs at once

    # What there is

    def offered(self, name: str) -> tuple[str, ...]:
        """The sets of weights that may be chosen here: on a Space without a GPU none that would take hours."""
        if name not in EDITORS:
            raise InputError(f"There is no editor called “{shown(name)}”; there is {', '.join(EDITORS)}.")
        sets = tuple(EDITORS[name].weights)
        return tuple(each for each in sets if (name, each) not in FULL) if SPACE and device() == "cpu" else sets

    def taken(self, name: str, weights: str) -> str:
        """The set that `weights` means here; "auto" is the first full one where there is a GPU, else the first."""
        sets = self.offered(name)
        if weights == "auto":
            full = [each for each in sets if not is_bundled(each)]
            return full[0] if full and device() != "cpu" else [*sets, "auto"][0]
        if weights not in sets:
            there = ", ".join(dict.fromkeys(("auto", *sets)))
            raise InputError(f"There are no weights “{shown(weights)}” of {name} on this page; there is {there}.")
        return weights

    def ready(self, name: str = DEFAULT, weights: str = "auto") -> bool:
        """Whether `models` would answer at once."""
        if not self._shelf:  # do not import torch to tell
            return False
        with suppress(InputError):
            return (name, self.taken(name, weights)) in self._shelf
        return False

    def outlook(self, name: str, weights: str, settings: dict) -> Outlook:
        """What a run would be like, without loading anything."""
        weights = self.taken(name, weights)
        full, editor = FULL.get((name, weights)), self._shelf.get((name, weights), [None])[0]
        able = self._defaults(name, weights)
        if editor is not None:
            able = {setting: able[setting] for setting in able if setting in getattr(editor, "SETTINGS", {})}
        where = device() if editor is None else str(getattr(editor, "device", "computer"))
        download = full.gigabytes if full and editor is None and not EDITORS[name].is_downloaded(weights) else 0
        seconds = self.seconds_per_edit(name, weights, settings)
        return Outlook(name, weights, where, able, seconds, download, editor is not None)

    def seconds_per_edit(self, name: str, weights: str, settings: dict) -> float | None:
        """Measured where there has been an edit, else estimated; None where nothing is known."""
        key = name, self.taken(name, weights)
        seconds = self._seconds.get(key)
        if seconds is None and key in FULL:
            seconds = 1 / (ZERO_GPU_SPEED if ZERO_GPU else speed(device()))
        return None if seconds is None else seconds * self._work(*key, settings)

    def _work(self, name, weights, settings) -> float:
        given = {setting: value for setting, value in settings.items() if isinstance(value, (int, float)) and value > 0}
        return work(name, weights, self._defaults(name, weights) | given)

    def _defaults(self, name, weights) -> dict:
        """The settings that come with these weights."""
        editor, full = self._shelf.get((name, weights), [None])[0], FULL.get((name, weights))
        return dict(getattr(editor, "settings", full.settings if full else {}))

    # Loading

    def start(self, name: str = DEFAULT, weights: str = "auto") -> None:
        """Load in the background; whoever asks for the models meanwhile waits for them, and hears what is wrong."""

        def load():
            with suppress(InputError):
                self.models(name, weights)
            self._coming.discard((name, weights))

        self._coming.add((name, weights))
        threading.Thread(target=load, daemon=True).start()

    def coming(self, name: str, weights: str) -> bool:
        """Whether they are being loaded since `start`."""
        return (name, weights) in self._coming

    def loading(self, name: str, weights: str) -> Iterator[None]:
        """Load in the background, and yield every second until it is done, so that whoever waits may give up.

        Raises what loading raised.
        """
        raised = []

        def load():
            try:
                self.models(name, weights)
            except BaseException as error:  # raised again below, where somebody hears of it
                raised.append(error)

        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(1.0)
            if thread.is_alive():
                yield
        if raised:
            raise raised[0]

    def models(self, name: str = DEFAULT, weights: str = "auto") -> tuple:
        """(editor, embedder); loads them unless they are there. Raises InputError where that is impossible."""
        key = name, self.taken(name, weights)
        if key in self._shelf:
            return self._shelf[key]
        in_main = threading.current_thread() is threading.main_thread()
        if self._for_main is not None and not in_main and not is_bundled(key[1]):
            done: Future = Future()
            self._for_main.put((key, done))
            return done.result()
        with self._loading[is_bundled(key[1])]:
            if key not in self._shelf:
                self._put_on_shelf(key)
            return self._shelf[key]

    def serve(self) -> None:
        """Load in this thread, for ever, what other threads ask for. ZeroGPU's main thread does nothing else."""
        while True:
            key, done = self._for_main.get()
            try:
                done.set_result(self.models(*key))
            except BaseException as error:  # whoever waits for the models must hear of it, whatever it is
                done.set_exception(error)
            del done

    def _put_on_shelf(self, key) -> None:
        if not is_bundled(key[1]):
            self._drop_full()
        editor, embedder = self._load(*key)
        if not (ZERO_GPU and not is_bundled(key[1])):  # where no GPU is at hand yet
            self._seconds[key] = self._warmed_up(key, editor, embedder)
        self._shelf[key] = editor, embedder

    def _drop_full(self) -> None:
        """Free the full set that is in memory, before another one needs the room. What ZeroGPU has packed is on disk."""
        dropped = [key for key in self._shelf if not is_bundled(key[1]) and not (ZERO_GPU and key[0] == DEFAULT)]
        for key in dropped:
            del self._shelf[key]
        if dropped:
            gc.collect()
            if device() == "cuda" and not ZERO_GPU:
                import torch

                torch.cuda.empty_cache()

    def _warmed_up(self, key, editor, embedder) -> float:
        """Seconds for one unit of work. Full weights make one step, which is enough to tell."""
        settable = getattr(editor, "settings", {}) if hasattr(editor, "with_settings") else {}
        settings = {"steps": 1} if not is_bundled(key[1]) and "steps" in settable else {}
        editor = editor.with_settings(**settings) if settings else editor
        picture = Image.new("RGB", (128, 128), "grey")
        region = {"region": Image.new("L", picture.size, 255)} if getattr(editor, "takes_region", None) else {}
        for texts in (WARM_UP_TEXTS[:1], WARM_UP_TEXTS):  # the first pays for what is done once
            began = time.perf_counter()
            with self._in_use:
                editor.edit(picture, texts, seed=0, **region)
                embedder.embed([picture] * len(texts))  # not the edits, which may have been blocked
            seconds = (time.perf_counter() - began) / len(texts)
            if seconds > SLOW:
                break
        return seconds / work(*key, getattr(editor, "settings", {}))

    # Running

    def explain(self, request: Request) -> Iterator[Explanation]:
        """`explain_stream` on the models that are asked for. Closing the iterator stops after the batch in hand."""
        (name, weights), made = (request.editor, self.taken(request.editor, request.weights)), 0
        with closing(self._run(request)) as steps:
            for explanation, edits in steps:
                made += len(edits)
                if 1 < explanation.done == made:  # the first edit comes alone, and pays for what is done once
                    busy = sum(value for part, value in explanation.seconds.items() if part != "total")
                    self._seconds[name, weights] = busy / made / self._work(name, weights, request.settings)
                yield explanation

    def measure(self, request: Request, explanation: Explanation) -> Iterator[Measurement]:
        """`smile.evaluation.evaluate` on the models that made `explanation`. Stops as `explain`."""
        with closing(self._run(request, explanation)) as steps:
            for step, _ in steps:
                yield step

    def _run(self, request: Request, explanation: Explanation | None = None) -> Iterator[tuple]:
        """(explanation or measures, the edits that were made for it), see `stream`."""
        weights = self.taken(request.editor, request.weights)
        self.models(request.editor, weights)  # before the lock is taken, and before a fork
        if ZERO_GPU and not is_bundled(weights):
            return self._in_turns(request, explanation)
        return self._one_by_one(_edit_and_explain(id(self), request, explanation))

    def _one_by_one(self, stream) -> Iterator[tuple]:
        try:
            while True:
                with self._in_use:
                    step = next(stream, None)
                if step is None:
                    return
                if isinstance(step, InputError):
                    raise step
                yield step
        finally:
            stream.close()

    def _in_turns(self, request: Request, explanation: Explanation | None) -> Iterator[tuple]:
        """On ZeroGPU, as often as it takes. What a turn goes through again of an earlier one is left out."""
        group = self._group(request, explanation)
        known, done, spent = self.cache.list_held(group), 0, {}
        self._check_gpu_time(request, explanation, known)
        while True:
            seconds, before, step = min(self.gpu_seconds(request, explanation, known), GPU_TURN), len(known), None
            with closing(self._one_by_one(edit_and_explain(id(self), request, explanation, known, seconds))) as steps:
                for step, made in steps:
                    known |= made
                    for (seed, text), edit in made.items():
                        if edit is not None:
                            self.cache.store(group, seed, text, edit)
                    if step is not None and step.done >= done:
                        done, last = step.done, step
                        if explanation is None:
                            step.seconds = {part: value + spent.get(part, 0) for part, value in step.seconds.items()}
                        yield step, made
            if step is not None:
                return
            if len(known) == before:
                raise InputError(f"The GPU is lent for {seconds} seconds, too short for one edit; choose fewer steps.")
            spent = last.seconds if explanation is None else {}

    def _group(self, request: Request, explanation: Explanation | None) -> tuple[str, bool]:
        editor = self._editor(request)[0]
        if explanation is not None:
            return self.cache.identify(editor, explanation.image, explanation.region)
        return self.cache.identify(editor, *protocols.fit_inputs(editor, open_picture(request.picture), request.region))

    def _check_gpu_time(self, request: Request, explanation: Explanation | None, known) -> None:
        """Raise InputError, before any GPU is asked for, where a run would never end."""
        seconds = self.gpu_seconds(request, explanation, known)
        if seconds > GPU_RUN:
            raise InputError(
                f"This would take about {seconds / 60:.0f} minutes of the GPU, which is lent for at most {GPU_RUN // 60} "
                "to one run; ask for fewer edits, steps or seeds."
            )
        if self._texts_in(GPU_TURN, request) < 1:
            raise InputError(
                f"A single edit would take longer than the {GPU_TURN} seconds that the GPU is lent for; choose fewer steps."
            )

    def find(self, picture: Image.Image, phrase: str) -> Image.Image:
        """The region of `picture` that shows `phrase`. Raises InputError where there is nothing of the kind."""
        segmenter = _segmenter("full", "cpu" if ZERO_GPU else None)
        with self._in_use:
            return segmenter.find(picture, phrase)

    def gpu_seconds(self, request: Request, explanation: Explanation | None = None, known=frozenset()) -> int:
        """For how long a run should have ZeroGPU's GPU, with a third to spare, where some edits are `known`."""
        if explanation is None:
            asked = edits_asked(words(request.instruction), request.edits, request.seed, request.options)
            edits = len(asked - set(known))
        else:
            edits = count_further_edits(explanation, made=known)
        return math.ceil(self._begins(request) + edits * self._per_edit(request) * MARGIN)

    def _begins(self, request: Request) -> int:
        return FORK if request.editor == DEFAULT else FORK + FORK_LOADS

    def _per_edit(self, request: Request) -> float:
        return self.seconds_per_edit(request.editor, request.weights, request.settings) or 1

    def _texts_in(self, seconds: float, request: Request) -> int:
        """How many edits will be made in that time."""
        return int((seconds - self._begins(request)) / (self._per_edit(request) * MARGIN))

    def _editor(self, request: Request) -> tuple:
        """(editor with the settings that are asked for, embedder)."""
        editor, embedder = self.models(request.editor, request.weights)
        if request.settings and not hasattr(editor, "with_settings"):
            raise InputError(f"{request.editor} has no settings.")
        return editor.with_settings(**request.settings) if request.settings else editor, embedder

    def stream(
        self,
        request: Request,
        explanation: Explanation | None = None,
        known: dict | None = None,
        seconds: float | None = None,
    ) -> Iterator[tuple]:
        """Pairs of an explanation, or with `explanation` measures of it, and the edits that were made since the pair before,
        by (seed, text), in whichever process this is.

        known: the edits that need not be made; by default what this process has kept. seconds: after which there must be an
        end; the last item then is PAUSED.
        """
        began = time.monotonic()
        if os.getpid() != self._process:  # a fork: its locks may be held by threads that it does not have
            self._for_main = None
            self._start_in_process()
        editor, embedder = self._editor(request)
        editor = CachingEditor(editor, self.cache if known is None else None, known)
        texts = math.inf if seconds is None else max(1, self._texts_in(seconds, request))
        editor.batch_size = min(getattr(editor, "batch_size", protocols.BATCH), texts)
        if explanation is not None:
            steps = measure_trust(explanation, editor, embedder=embedder)
        else:
            options = {"edits": request.edits, "seed": request.seed, "region": request.region} | request.options
            steps = explain_stream(request.picture, request.instruction, editor, embedder=embedder, **options)
        slowest, last = 0.0, time.monotonic()
        for step in steps:
            made, editor.made = editor.made, {}
            yield step, made
            now = time.monotonic()
            slowest, last = max(slowest, (now - last) / len(made) if made else 0.0), now
            due = slowest * min(editor.batch_size, step.total - step.done)
            if seconds is not None and due and now - began + due > seconds:
                yield PAUSED
                return


def _edit_and_explain(engine: int, *asked) -> Iterator:
    """What runs on the GPU. An error of the visitor's comes as a value, because ZeroGPU keeps only an error's class."""
    try:
        yield from ENGINES[engine].stream(*asked)
    except InputError as error:
        yield error


edit_and_explain = GPU(duration=lambda engine, request, explanation, known, seconds: seconds)(_edit_and_explain)
