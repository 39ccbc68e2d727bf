"""A small suite for the tests of the page's second tab, its finished run, and that run as a zip, as somebody makes one."""

import io
import warnings
import zipfile

import pytest
import yaml
from asking import read
from tiny import fake_models

from smile.scenarios import report, run, suite

SMALL = {
    "name": "<b>small</b>",
    "attributes": {"weather": ["snow", "rain"]},
    "templates": ["make it {weather}"],
    "pictures": [{"toyroad": {"count": 2, "seed": 1, "weather": "clear"}}],
    "editors": [{"name": "instruct-pix2pix", "weights": "bundled"}],
    "options": {"noise_seeds": 1},
}


def write_suite(folder, name="my suite.yaml", **changes) -> str:
    """A file with the small suite, some keys of it changed."""
    path = folder / name
    path.write_text(yaml.safe_dump(SMALL | changes))
    return str(path)


def run_suite(folder):
    """The folder of a run of the small suite, as the command line makes it."""
    (folder / "suite.yaml").write_text(yaml.safe_dump(SMALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smile.toyroad.cases.DRAWS", 2)
        list(run.explain_cells(suite.read_suite(folder / "suite.yaml"), folder / "out", load=fake_models))
    report.write_report(folder / "out")
    return folder / "out"


def read_all(handler, *asked) -> list:
    """All that a handler of the tab yields."""
    return [read(handler, step) for step in handler(*asked)]


def zipped(folder, above="", only=lambda name: True, change=lambda name, data: data, method=zipfile.ZIP_DEFLATED, more=()):
    """The folder as a zip, as somebody makes one."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two files of one name
        for path in sorted(folder.rglob("*.*")):
            name = path.relative_to(folder).as_posix()
            if only(name):
                made.writestr(above + name, change(name, path.read_bytes()))
        for name, content in more:
            made.writestr(name, content)
    return data.getvalue()
