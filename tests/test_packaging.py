"""The package as pip installs it, used from a folder that is not the checkout."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement

import smile

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[1]
RUNS_ANYWHERE = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def execute(*command, cwd=ROOT, **variables):
    """What the command prints on stdout; it must succeed."""
    done = subprocess.run(command, cwd=cwd, env=RUNS_ANYWHERE | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_requirements(name):
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The path of the wheel that the build backend makes of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    execute(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site_packages(wheel, tmp_path_factory):
    """The folder that pip installed it into."""
    folder = tmp_path_factory.mktemp("site-packages")
    execute(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", str(folder), str(wheel))
    return folder


def test_the_wheel_holds_every_file_of_the_package_and_what_is_bundled(wheel):
    folders = ("smile", "assets/examples", "assets/models", "assets/scenarios")
    files = execute("git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", *folders).splitlines()
    expected = {re.sub("^assets/", "smile/assets/", name) for name in files if (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("smile/")}
    assert packed == expected
    assert "smile/py.typed" in packed


def test_the_metadata_say_what_requirements_txt_says(site_packages):
    (distribution,) = importlib.metadata.distributions(path=[str(site_packages)])
    given = [Requirement(line) for line in distribution.requires]
    for name, extra in (("requirements.txt", None), ("tests/requirements.txt", "tests")):
        listed = {(each.name.lower(), each.specifier) for each in read_requirements(name)}
        assert {(each.name, each.specifier) for each in given if (each.marker is not None) == (extra is not None)} == listed
    assert distribution.version == smile.__version__
    assert distribution.metadata["License-Expression"] == "Apache-2.0"


def test_whatever_is_imported_is_required_or_comes_with_what_is():
    graph = grimp.build_graph("smile", include_external_packages=True, cache_dir=None)
    optional = {"spaces"}  # there on ZeroGPU only
    imported = {name for name in graph.modules if not name.startswith("smile")} - set(sys.stdlib_module_names) - optional
    required = {each.name for each in read_requirements("requirements.txt")}
    parts = [Requirement(line) for name in required for line in importlib.metadata.requires(name) or ()]
    brought = {part.name for part in parts if part.marker is None or part.marker.evaluate({"extra": ""})}
    files = [path for name in required | brought for path in importlib.metadata.files(name) or ()]
    assert imported <= {path.parts[0].removesuffix(".py") for path in files}


def test_installed_it_finds_its_weights_and_its_examples_from_another_folder(site_packages, tmp_path):
    elsewhere = {"cwd": tmp_path, "PYTHONPATH": str(site_packages)}
    assets = execute(sys.executable, "-c", "import smile.paths; print(smile.paths.ASSETS)", **elsewhere).strip()
    assert Path(assets) == site_packages / "smile" / "assets"
    rows = [line.split() for line in execute(sys.executable, "-m", "smile", "editors", **elsewhere).splitlines()]
    assert {row[-1] for row in rows if row[1:] and row[1].startswith("bundled")} == {"yes"}
    example = site_packages / "smile" / "assets" / "examples" / "summer-day.zip"
    execute(site_packages / "bin" / "smile", "export", str(example), "--out", "out.json", **elsewhere)
    assert "snow" in json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["words"]
