"""The models behind the page: loaded once, in the background, and used by one run at a time.

The page must answer long before torch is imported, and the first explanation must not wait for what could have been
done while the visitor was reading. So loading starts when the page is up and ends with a small edit, which also tells
how long an edit takes on this machine.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from PIL import Image

from smile import Explanation, explain_stream, load_editor, load_embedder

EDITOR = "instruct-pix2pix"
WARM_UP_TEXTS = ["", "snow"]


def load_models() -> tuple:
    """(editor, embedder) that the page uses: full weights where there is a GPU, else the bundled ones."""
    editor = load_editor(EDITOR)
    return editor, load_embedder(editor.weights if editor.weights in ("bundled", "full") else "auto")


class Engine:
    """`load() -> (editor, embedder)` is called once, in a thread of its own; again only after it has failed."""

    def __init__(self, load: Callable[[], tuple] = load_models):
        self._load = load
        self._loading: Future | None = None
        self._starting = threading.Lock()
        self._in_use = threading.Lock()  # held for one batch: a pipeline's scheduler cannot serve two runs at once
        self.seconds_per_edit: float | None = None

    def start(self) -> None:
        """Begin loading in the background unless that has been done."""
        with self._starting:
            if self._loading is None or (self._loading.done() and self._loading.exception()):
                self._loading = Future()
                threading.Thread(target=self._load_into, args=[self._loading], daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether `models` would answer at once."""
        return self._loading is not None and self._loading.done() and not self._loading.exception()

    def models(self) -> tuple:
        """(editor, embedder); waits until they are loaded. Raises what loading them raised."""
        self.start()
        return self._loading.result()

    def explain(self, picture: Image.Image, instruction: str, edits: int | None, seed: int) -> Iterator[Explanation]:
        """`explain_stream` on the page's models. Closing the iterator stops after the batch in hand."""
        editor, embedder = self.models()
        stream = explain_stream(picture, instruction, editor, embedder=embedder, edits=edits, seed=seed)
        try:
            while True:
                with self._in_use:
                    explanation = next(stream, None)
                if explanation is None:
                    return
                if explanation.done > 1:  # the first edit comes alone, and pays for what is done once
                    busy = sum(value for name, value in explanation.seconds.items() if name != "total")
                    self.seconds_per_edit = busy / explanation.done
                yield explanation
        finally:
            stream.close()

    def _load_into(self, future: Future) -> None:
        try:
            editor, embedder = self._load()
            picture = Image.new("RGB", (128, 128), "grey")
            for texts in (WARM_UP_TEXTS[:1], WARM_UP_TEXTS):  # the second round is timed
                began = time.perf_counter()
                with self._in_use:
                    editor.edit(picture, texts, seed=0)
                    embedder.embed([picture] * len(texts))  # not the edits, which may have been blocked
            self.seconds_per_edit = (time.perf_counter() - began) / len(WARM_UP_TEXTS)
            future.set_result((editor, embedder))
        except BaseException as error:  # whoever waits for the models must hear of it, whatever it is
            future.set_exception(error)
