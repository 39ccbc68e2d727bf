"""One thread: the tests' models are tiny, and threads that spin against other work make them ten times slower."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
