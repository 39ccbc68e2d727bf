"""What README and documentation say is so: their blocks run as they stand there, and what they name exists.

Blocks of `bash` and `python` are run, those of one page one after the other in a folder that looks like the repository and
keeps it clean. Commands in tables and sentences are only looked up: some of them take hours.
"""

import importlib.util
import io
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml

from smile.__main__ import main
from smile.models.editors import EDITORS
from smile.scenarios.suite import read_suite

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "assets" / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / ".github").glob("*.md")),
    ROOT / "assets/models/README.md",
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"`((?:smile|python|\.ci/)[^`\n]*)`")
SETTING_UP = ("python3 -m venv .venv", ".venv/bin/")  # which CI does
GROUPS = ("smile.editors", "smile.language_models")  # of entry points
LIVE = "http://127.0.0.1:7860"


def read(page):
    return (page if isinstance(page, Path) else DOCS / page).read_text(encoding="utf-8")


def blocks(page, *languages):
    """(language, text) of the page's blocks in these languages."""
    return [found for found in BLOCK.findall(read(page)) if found[0] in languages]


def commands(text):
    """The command lines of a block, split as a shell would."""
    return [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder with what the repository holds, in which `out` is a folder of this test's own."""
    for path in ROOT.iterdir():
        if path.name not in ("out", ".git"):
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def execute(page, url=LIVE):
    """Run the blocks of a page. Returns what was printed, and the names that the last Python block left."""
    said, names = io.StringIO(), {}
    with redirect_stdout(said):
        for language, text in blocks(page, "bash", "python"):
            if language == "python":
                names = {"__name__": "__main__"}
                exec(re.sub(r'load_editor\("([\w-]+)"\)', r'load_editor("\1", "bundled")', text).replace(LIVE, url), names)
                continue
            for command in commands(text):
                execute_command(command)
    return said.getvalue(), names


def execute_command(command):
    if " ".join(command).startswith(SETTING_UP):
        return
    if command[0] == "smile":
        assert main(command[1:]) == 0, command
        return
    programs = {"python": [sys.executable], "accelerate": [str(Path(sys.executable).parent / "accelerate")]}
    if command[:2] == ["accelerate", "launch"]:
        command = ["accelerate", "launch", "--main_process_port", "0", *command[2:]]  # the usual one may be another test's
    done = subprocess.run([*programs[command[0]], *command[1:]], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.slow
def test_readme(reader):
    said, names = execute(ROOT / "README.md")
    explanation = names["explanation"]
    assert explanation.finding in said and "“snow”" in explanation.finding
    assert explanation.words[3] == "snow" and explanation.significant[3]
    saved = json.loads((reader / "out/snow/explanation.json").read_text(encoding="utf-8"))
    assert saved["weights"] == pytest.approx(explanation.weights), "Python and the command line say the same"


@pytest.mark.slow
def test_guide(reader, real_page):
    said, names = execute("guide.md", real_page)
    assert names["numbers"]["finding"] in said and "“snow”" in names["numbers"]["finding"]
    assert all(each["finding"].startswith("In this edit") for each in names["editors"].values())
    assert set(names["editors"]) == set(EDITORS)
    assert json.loads((reader / "out/trust/trust.json").read_text(encoding="utf-8"))
    assert (reader / "out/snow.html").is_file() and (reader / "out/where-snow-acts.png").is_file()


@pytest.mark.slow
def test_editors(reader):
    _, names = execute("editors.md")
    runs = [command for _, text in blocks("editors.md", "bash") for command in commands(text)]
    assert [command[command.index("--editor") + 1] for command in runs] == list(EDITORS)
    for command in runs:
        folder = reader / command[command.index("--out") + 1]
        saved = json.loads((folder / "explanation.json").read_text(encoding="utf-8"))
        assert not saved["provisional"] and min(saved["p_values_holm"]) < 0.05
        assert (folder / "region.png").is_file() is ("--region" in command)
    assert names["explanation"].maps is not None and "“autumn”" in names["explanation"].finding


@pytest.mark.model
def test_ten_lines_are_an_editor(reader):
    code = next(text for _, text in blocks("editors.md", "python") if "class Darken" in text)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 10
    names = {}
    exec(code, names)
    explanation = names["explanation"]
    assert explanation.weights == pytest.approx([0, 0, 0, 1]) and "“night”" in explanation.finding


@pytest.mark.slow
def test_scenarios(reader):
    execute("scenarios.md")
    assert (reader / "out/first-steps/report.html").is_file() and (reader / "out/first-steps.zip").is_file()


@pytest.mark.slow
def test_teaching(reader):
    execute("teaching.md")
    assert "<html" in (reader / "out/explanation.html").read_text(encoding="utf-8")[:1000]


@pytest.mark.slow
def test_language_models(reader):
    said, names = execute("language_models.md")
    assert names["answer"] == "The car is red." in said
    given, missing = names["model"].score([names["prompt"], "What color is the car?"], names["answer"]).sum(axis=1)
    assert given > missing + 1


def test_every_block_that_can_be_run_is_run_above():
    run = {"README.md", "guide.md", "editors.md", "language_models.md", "scenarios.md", "teaching.md"}
    for page in PAGES:
        setting_up = all(
            " ".join(command).startswith(SETTING_UP) for _, text in blocks(page, "bash") for command in commands(text)
        )
        assert page.name in run or (setting_up and not blocks(page, "python")), page


def test_the_suites_are_suites(tmp_path):
    texts = [text for _, text in blocks("scenarios.md", "yaml")]
    for text in texts:
        (tmp_path / "suite.yaml").write_text(text, encoding="utf-8")
        assert read_suite(tmp_path / "suite.yaml").name == yaml.safe_load(text)["name"]
    assert len(texts) == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_what_is_named_exists(page):
    text = read(page)
    for command in COMMAND.findall(text):
        words = command.split()
        if words[0].startswith(".ci/"):
            assert (ROOT / words[0]).is_file(), command
        elif words[0] == "smile" or words[1:3] == ["-m", "smile"]:
            arguments = words[1:] if words[0] == "smile" else words[3:]
            with pytest.raises(SystemExit) as ended:
                main([*arguments[:1], "--help"])
            assert ended.value.code == 0, command
        elif words[1:2] == ["-m"]:
            assert importlib.util.find_spec(words[2]) is not None, command
        elif len(words) > 1:
            assert (ROOT / words[1]).is_file(), command
    for path in re.findall(r"`((?:smile|tests|assets|\.github|\.ci)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
    for name in set(re.findall(r"`(smile(?:\.\w+)+)[`(]", text)) - set(GROUPS):
        assert pkgutil.resolve_name(name) is not None
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.slow
def test_the_benchmarks_can_be_started():
    """Up to the point where they would begin to work."""
    found = {command.split()[1] for command in COMMAND.findall(read("benchmarks.md")) if command.startswith("python tests/")}
    lines = [f"runpy.run_path({str(ROOT / path)!r}, run_name='started')" for path in sorted(found)]
    modules = [command.split()[2] for command in COMMAND.findall(read("benchmarks.md")) if command.startswith("python -m")]
    lines += [f"importlib.import_module({name!r})" for name in modules]
    subprocess.run([sys.executable, "-c", "\n".join(["import importlib, runpy", *lines])], cwd=ROOT, check=True)


def test_every_set_of_weights_stands_in_the_table():
    text = read("editors.md")
    assert all(f"`{weights}`" in text for entry in EDITORS.values() for weights in entry.weights)


def test_readme_is_one_page():
    assert len(read(ROOT / "README.md").splitlines()) <= 150
    assert all(path.name in read(ROOT / "README.md") for path in DOCS.glob("*.md"))
