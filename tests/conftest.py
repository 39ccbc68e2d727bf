"""One thread: the tests' models are tiny, and threads that spin against other work make them ten times slower."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(scope="module")
def fake_page():
    """The address of the page on NumPy editors and a NumPy embedder."""
    from tiny import fake_models

    import app
    from smile.page.engine import Engine

    page = app.build(Engine(fake_models))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **app.OPTIONS)
    yield url
    page.close()
