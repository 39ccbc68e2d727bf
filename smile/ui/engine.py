"""The models behind the page: loaded when they are first asked for, and used by one run at a time.

The page must answer long before torch is imported, and the first explanation must not wait for what could have been
done while the visitor was reading. So the editor that is shown first is loaded when the page is up. Loading ends with a
small edit, which also tells how long an edit takes on this machine. Bundled sets of weights are small and stay in memory;
of the full ones there is one at a time.

What does not come back in time is abandoned (`smile.ui.worker`): the models in use are forgotten with it, so that the next run,
which loads them anew, need not wait.

Edits are kept for an hour (`smile.models.cache`), known by what is in the picture and the text, so that another distance,
more edits or the trust report pay for new texts only; who does not bring the same picture and words finds nothing.

What is different on ZeroGPU is in zero_gpu.py.
"""

import functools
import gc
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from smile import Explanation, InputError, explain_stream, load_editor, load_embedder, load_segmenter
from smile.evaluation.evaluate import Measurement, measure_trust
from smile.evaluation.model_check import ModelCheck, check_against_model
from smile.models import protocols
from smile.models.cache import Cache
from smile.models.caching_editor import CachingEditor
from smile.models.devices import empty_cuda_cache, measure_gpu_memory, measure_speed
from smile.models.editors import EDITORS
from smile.models.editors.first_run import check_editor, summarise
from smile.models.hub import choose_dtype, is_bundled
from smile.paths import EXAMPLES
from smile.ui import machine
from smile.ui.estimate import FULL, Outlook, count_work
from smile.ui.worker import Hung, Worker

DEFAULT = "instruct-pix2pix"  # the editor that is shown first
WARM_UP_TEXTS = ["", "snow"]
SLOW = 5.0  # seconds for a warm-up; a second one would tell nothing new
LONGEST_CALL = 600  # seconds that finding a region, or a check, may take
LONGEST_LOAD = 600  # seconds that loading may take, and as much for each gigabyte that is downloaded first
KEPT, KEPT_SECONDS = 2**28, 3600  # bytes of edits in memory, and since when they were not asked for

Key = tuple[str, str]  # an editor and one of its sets of weights, never "auto"
Models = tuple[Any, Any]  # an editor and the embedder of its edits
Steps = Generator[Any, None, None]  # see `Engine.stream`
Clock = Callable[[], float | None]  # seconds that are left


def unlimited() -> None:
    """No limit, as a `Clock`."""


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
    settings: dict[str, Any] = field(default_factory=dict)  # the editor's
    options: dict[str, Any] = field(default_factory=dict)  # the method's, by explain_stream's names


def load_models(name: str, weights: str, where: str | None = None) -> Models:
    """(editor, embedder) on the device `where`; one embedder serves all bundled sets and another one all full ones."""
    kind = "bundled" if is_bundled(weights) else "full" if (name, weights) in FULL else "auto"
    return load_editor(name, weights, where), _load_embedder(kind, where)


_load_embedder = functools.lru_cache(maxsize=2)(load_embedder)
_load_segmenter = functools.lru_cache(maxsize=1)(load_segmenter)


class Engine:
    """`load(name, weights) -> (editor, embedder)` is called once for each set that is asked for; again after it failed."""

    segmenter_device: str | None = None  # the fastest there is

    def __init__(self, load: Callable[[str, str], Models] = load_models):
        self._load = load
        self._loaded: dict[Key, Models] = {}
        self._seconds: dict[Key, float] = {}  # measured, for one unit of work (`estimate.count_work`)
        self._coming: set[Key] = set()
        self.cache = Cache(memory_bytes=KEPT, seconds=KEPT_SECONDS)
        self._make_locks()

    def _make_locks(self) -> None:
        self._loading = {bundled: threading.Lock() for bundled in (True, False)}  # a long download holds up its like only
        self._in_use = threading.RLock()  # held for one batch: a pipeline's scheduler cannot serve two runs at once

    # What there is

    def is_loaded(self, name: str = DEFAULT, weights: str = "auto") -> bool:
        """Whether `load` would answer at once."""
        if not self._loaded:  # do not import torch to tell
            return False
        with suppress(InputError):
            return (name, machine.resolve_weights(name, weights)) in self._loaded
        return False

    def describe_editor(self, name: str, weights: str, settings: dict[str, Any]) -> Outlook:
        """What a run would be like, without loading anything. Raises InputError as `machine.offer_repository`."""
        weights = machine.resolve_weights(name, weights)
        editor = self._get_editor(name, weights)
        defaults = self._list_defaults(name, weights)
        if editor is not None:
            defaults = {each: value for each, value in defaults.items() if each in getattr(editor, "SETTINGS", {})}
        where = machine.find_device() if editor is None else str(getattr(editor, "device", "computer"))
        download = machine.count_download(name, weights) if editor is None else 0
        seconds = self.estimate_edit_seconds(name, weights, settings)
        placement = self._find_placement(name, weights) if where.startswith("cuda") and not is_bundled(weights) else ""
        return Outlook(name, weights, where, defaults, seconds, download, editor is not None, placement)

    def _find_placement(self, name: str, weights: str) -> str:
        """How the weights lie on the GPU, or will; "" where nobody can know."""
        memory, free = getattr(self._get_editor(name, weights), "memory", None), self._get_gpu_memory()
        if memory is not None:
            return memory.placement
        return "" if free is None else machine.foretell_placement(name, weights, free)

    def _get_gpu_memory(self) -> float | None:
        return measure_gpu_memory()

    def estimate_edit_seconds(self, name: str, weights: str, settings: dict[str, Any]) -> float | None:
        """Measured where there has been an edit, else estimated; None where nothing is known."""
        key = name, machine.resolve_weights(name, weights)
        seconds = self._seconds.get(key)
        if seconds is None and key in FULL:
            seconds = 1 / self._get_speed()
        if seconds is None and name not in EDITORS and (offer := machine.offer_repository(name)).operations:
            seconds = offer.operations / count_work(*key, offer.settings) / self._get_speed()
        return None if seconds is None else seconds * self._count_work(*key, settings)

    def _get_speed(self) -> float:
        """Operations per second with full weights."""
        device = machine.find_device()
        return measure_speed(device, choose_dtype(device, "full"))

    def _count_work(self, name: str, weights: str, settings: dict[str, Any]) -> float:
        given = {each: value for each, value in settings.items() if isinstance(value, (int, float)) and value > 0}
        return count_work(name, weights, self._list_defaults(name, weights) | given)

    def _list_defaults(self, name: str, weights: str) -> dict[str, Any]:
        """The settings that come with these weights."""
        editor, full = self._get_editor(name, weights), FULL.get((name, weights))
        if editor is not None:
            return dict(getattr(editor, "settings", {}))
        if name not in EDITORS:
            return dict(machine.offer_repository(name).settings)
        return dict(full.settings if full else {})

    def _get_editor(self, name: str, weights: str) -> Any:
        """The editor if it is in memory, else None."""
        return self._loaded.get((name, weights), (None, None))[0]

    # Loading

    def start_loading(self, name: str = DEFAULT, weights: str = "auto") -> None:
        """Load in the background; whoever asks for the models meanwhile waits for them, and hears what is wrong."""
        self._coming.add((name, weights))
        self._load_in_thread(name, weights).add_done_callback(lambda _: self._coming.discard((name, weights)))

    def is_coming(self, name: str, weights: str) -> bool:
        """Whether they are being loaded since `start_loading`."""
        return (name, weights) in self._coming

    def wait_for(self, name: str, weights: str) -> Iterator[None]:
        """Load in the background, and yield every second until it is done, so that whoever waits may give up.

        Raises what loading raised.
        """
        loading, began = self._load_in_thread(name, weights), time.monotonic()
        while not wait([loading], min(1.0, LONGEST_LOAD)).done:
            spent = time.monotonic() - began
            if spent >= LONGEST_LOAD and spent >= self._limit_loading(name, weights):
                self._abandon_loading(name, weights)
            yield
        loading.result()

    def load_in_time(self, name: str, weights: str) -> Models:
        """`load`, for whoever waits with a clock and cannot give up meanwhile. Raises InputError when it is over."""
        if not self.is_loaded(name, weights):
            for _ in self.wait_for(name, weights):
                pass
        return self.load(name, weights)

    def _limit_loading(self, name: str, weights: str) -> float:
        """Seconds that loading may take: `LONGEST_LOAD`, and as much for each gigabyte that must be downloaded."""
        weights = machine.resolve_weights(name, weights)
        return LONGEST_LOAD * (1 + machine.count_download(name, weights))

    def _abandon_loading(self, name: str, weights: str) -> None:
        """Free whoever waits for a load that hangs, and the next one, who begins anew. Raises InputError."""
        self._loading = {bundled: threading.Lock() for bundled in (True, False)}
        _load_embedder.cache_clear()
        raise InputError(
            f"Loading {name} did not end within {self._limit_loading(name, weights) / 60:.0f} minutes, so it was given up; "
            "try again, or take the bundled weights."
        )

    def _load_in_thread(self, name: str, weights: str) -> Future:
        def load() -> None:
            try:
                future.set_result(self.load(name, weights))
            except BaseException as error:  # whoever waits for the models must hear of it, whatever it is
                future.set_exception(error)

        future: Future = Future()
        threading.Thread(target=load, daemon=True).start()
        return future

    def load(self, name: str = DEFAULT, weights: str = "auto") -> Models:
        """(editor, embedder); loads them unless they are there. Raises InputError where that is impossible."""
        key = name, machine.resolve_weights(name, weights)
        return self._loaded.get(key) or self._load_once(key)

    def _load_once(self, key: Key) -> Models:
        lock = self._loading[is_bundled(key[1])]
        with lock:
            if lock is not self._loading[is_bundled(key[1])]:  # it was given up while we waited
                return self._load_once(key)
            if key not in self._loaded:
                if not is_bundled(key[1]):
                    self._drop_full()
                models = self._load(*key)
                self._warm_up(key, *models)
                if lock is not self._loading[is_bundled(key[1])]:  # whoever comes now loads anew, and shares nothing with this
                    return models
                self._loaded[key] = models
            return self._loaded[key]

    def _drop_full(self) -> None:
        """Free the full set that is in memory, before another one needs the room."""
        dropped = [key for key in self._loaded if not self._stays(key)]
        for key in dropped:
            del self._loaded[key]
        if dropped:
            gc.collect()
            self._empty_gpu()

    def _stays(self, key: Key) -> bool:
        return is_bundled(key[1])

    def _empty_gpu(self) -> None:
        if machine.find_device() == "cuda":
            empty_cuda_cache()

    def _warm_up(self, key: Key, editor: Any, embedder: Any) -> None:
        """Measure the seconds for one unit of work. Full weights make one step, which is enough to tell."""
        settable = getattr(editor, "settings", {}) if hasattr(editor, "with_settings") else {}
        settings = {"steps": 1} if not is_bundled(key[1]) and "steps" in settable else {}
        editor = editor.with_settings(**settings) if settings else editor
        picture = Image.new("RGB", (128, 128), "grey")
        region = {"region": Image.new("L", picture.size, 255)} if getattr(editor, "takes_region", None) else {}
        for texts in (WARM_UP_TEXTS[:1], WARM_UP_TEXTS):  # the first pays for what is done once
            began = time.perf_counter()
            with self._hold_models():
                editor.edit(picture, texts, seed=0, **region)
                embedder.embed([picture] * len(texts))  # not the edits, which may have been blocked
            seconds = (time.perf_counter() - began) / len(texts)
            if seconds > SLOW:
                break
        self._seconds[key] = seconds / count_work(*key, getattr(editor, "settings", {}))

    def describe_first_run(self) -> str:
        """A line for the log: whether the editor that is shown first does what any working editor does."""
        editor = self.load()[0]
        with self._in_use, Image.open(EXAMPLES / "summer-day.png") as picture:
            return summarise(editor, check_editor(editor, picture.convert("RGB")))

    # Running

    def explain(self, request: Request, left: Clock = unlimited) -> Iterator[Explanation]:
        """`explain_stream` on the models that are asked for. Closing the iterator stops after the batch in hand.

        left: how many seconds there still are, None for no limit. Raises `smile.ui.worker.Hung` when they are over.
        """
        name, weights, edited = request.editor, machine.resolve_weights(request.editor, request.weights), 0
        with closing(self._run(request, left=left)) as steps:
            for explanation, edits in steps:
                edited += len(edits)
                if 1 < explanation.done == edited:  # the first edit comes alone, and pays for what is done once
                    busy = sum(value for part, value in explanation.seconds.items() if part != "total")
                    self._seconds[name, weights] = busy / edited / self._count_work(name, weights, request.settings)
                yield explanation

    def measure(self, request: Request, explanation: Explanation, left: Clock = unlimited) -> Iterator[Measurement]:
        """`smile.evaluation.evaluate` on the models that made `explanation`. Stops, and raises, as `explain`."""
        with closing(self._run(request, explanation, left)) as steps:
            for step, _ in steps:
                yield step

    def find_region(self, picture: Image.Image, phrase: str) -> Image.Image:
        """The region of `picture` that shows `phrase`. Raises InputError where there is nothing of the kind."""
        segmenter = _load_segmenter("full", self.segmenter_device)
        late = "The region was not found in time; paint it, or try again."
        return self._compute(lambda: segmenter.find(picture, phrase), lambda: _load_segmenter.cache_clear(), late)

    def check(self, explanation: Explanation, name: str, weights: str) -> ModelCheck:
        """`check_against_model` with the embedder that goes with an editor. Raises InputError as it does."""
        embedder, late = self._load_measurer(name, weights), "The check did not end in time; try it in Python."
        return self._compute(lambda: check_against_model(explanation, embedder), lambda: self._forget(name, weights), late)

    def _load_measurer(self, name: str, weights: str) -> Any:
        return self.load_in_time(name, weights)[1]

    def _compute(self, action: Callable[[], Any], forget: Callable[[], None], late: str) -> Any:
        """What `action` returns while nobody else computes. Raises InputError(late) when it hangs; then `forget` is called."""

        def act() -> Any:
            with self._hold_models():
                return action()

        with Worker() as worker:
            try:
                return worker.do(act, LONGEST_CALL)
            except Hung:
                forget()
                self._in_use = threading.RLock()
                raise InputError(late) from None

    def _run(self, request: Request, explanation: Explanation | None = None, left: Clock = unlimited) -> Steps:
        """`stream`, of which nothing is computed while another run has the models."""
        self.load_in_time(request.editor, request.weights)  # before the lock is taken
        return self._step_locked(self.stream(request, explanation), request, left)

    def _step_locked(self, steps: Steps, request: Request, left: Clock) -> Steps:
        def take_step() -> Any:
            with self._hold_models():
                return next(steps, None)

        with Worker() as worker:
            try:
                while (step := worker.do(take_step, left())) is not None:
                    yield step
            except Hung:
                self._forget(request.editor, machine.resolve_weights(request.editor, request.weights))
                raise
            finally:
                if not worker.hung:  # a generator that runs cannot be closed
                    worker.do(steps.close, None)

    def _forget(self, name: str, weights: str) -> None:
        """Let go of models that something abandoned is using, so that nobody else waits for it or shares them."""
        self._loaded.pop((name, weights), None)
        _load_embedder.cache_clear()
        self._in_use = threading.RLock()

    @contextmanager
    def _hold_models(self) -> Iterator[None]:
        """Compute while nobody else does. Whoever waits for something that is abandoned meanwhile waits no longer."""
        while not (lock := self._in_use).acquire(timeout=1.0) or lock is not self._in_use:
            with suppress(RuntimeError):  # not acquired
                lock.release()
        try:
            yield
        finally:
            lock.release()

    def _apply_settings(self, request: Request) -> Models:
        """(editor with the settings that are asked for, embedder)."""
        editor, embedder = self.load(request.editor, request.weights)
        if request.settings and not hasattr(editor, "with_settings"):
            raise InputError(f"{request.editor} has no settings.")
        return editor.with_settings(**request.settings) if request.settings else editor, embedder

    def stream(
        self,
        request: Request,
        explanation: Explanation | None = None,
        known: dict | None = None,
        batch_size: float = math.inf,
    ) -> Steps:
        """Pairs of an explanation, or with `explanation` measures of it, and the edits that were made since the pair before,
        by (seed, text). `known` are the edits that need not be made; by default what this process has kept."""
        asked, embedder = self._apply_settings(request)
        editor: Any = CachingEditor(asked, self.cache if known is None else None, known)
        editor.batch_size = min(getattr(editor, "batch_size", protocols.BATCH), batch_size)
        if explanation is not None:
            steps: Iterator = measure_trust(explanation, editor, embedder=embedder)
        else:
            options = {"edits": request.edits, "seed": request.seed, "region": request.region} | request.options
            steps = explain_stream(request.picture, request.instruction, editor, embedder=embedder, **options)
        for step in steps:
            edits, editor.made = editor.made, {}
            yield step, edits
