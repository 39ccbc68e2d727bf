"""The page as ZeroGPU runs it, on NumPy: `python tests/zero_gpu.py` serves it and prints its address.

`spaces` is a stand-in that does with a function what spaces 0.51 does: the arguments are pickled into a forked process,
what it yields is pickled back as it comes, and of an error only the class arrives.
"""

import multiprocessing
import os
import pickle
import sys
import threading
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def GPU(duration):
    def wrap(task):
        def wrapped(*arguments):
            assert duration(*arguments) > 0
            ours, theirs = multiprocessing.Pipe()
            payload = pickle.dumps(arguments)
            worker = multiprocessing.get_context("fork").Process(target=work, args=(task, payload, theirs), daemon=True)
            worker.start()
            try:
                while (result := pickle.loads(ours.recv_bytes())) != "end":
                    if "error" in result:
                        raise RuntimeError(f"ZeroGPU worker error: {result['error']}")
                    yield result["value"]
            finally:
                worker.terminate()

        return wrapped

    return wrap


def work(task, payload, pipe):
    try:
        for value in task(*pickle.loads(payload)):
            pipe.send_bytes(pickle.dumps({"value": value}))
        pipe.send_bytes(pickle.dumps("end"))
    except Exception as error:  # as spaces does, whatever the task raises
        pipe.send_bytes(pickle.dumps({"error": type(error).__name__}))


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    os.environ |= {"SYSTEM": "spaces", "SPACES_ZERO_GPU": "true"}
    sys.modules["spaces"] = types.ModuleType("spaces")
    sys.modules["spaces"].GPU, sys.modules["spaces"].gradio_auto_wrap = GPU, lambda function: function

    from smile.ui import machine
    from smile.ui.zero_gpu import ZeroGpuEngine

    machine.find_device = lambda: "cuda"
    from tiny import FakeBackend, FakeEmbedder

    import app

    class Backend(FakeBackend):
        """Says in its settings which thread loaded it and which process it edits in."""

        def __init__(self, *names):
            self.thread = threading.current_thread().name
            super().__init__(*names)

        @property
        def settings(self):
            return {"loaded in": self.thread, "edits in": os.getpid()}

        @settings.setter
        def settings(self, value):
            pass

    engine = ZeroGpuEngine(lambda *names: (Backend(*names), FakeEmbedder()))
    engine.load()
    _, url, _ = app.build(engine).launch(prevent_thread_lock=True, quiet=True, **app.OPTIONS)
    print(os.getpid(), url, flush=True)
    engine.serve()
