"""The README's Python lines and commands run as they stand there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from smile.__main__ import main
from smile.models.editors import EDITORS

README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_five_lines(monkeypatch, capsys):
    monkeypatch.chdir(README.parent)
    code, *_ = blocks("python")
    names = {}
    exec(code.replace('"instruct-pix2pix")', '"instruct-pix2pix", weights="bundled")'), names)
    assert "“snow”" in capsys.readouterr().out
    explanation = names["explanation"]
    assert explanation.words[3] == "snow" and explanation.significant.tolist().count(True) >= 1
    assert explanation.overlay(3).size == explanation.image.size


def test_the_ten_lines_of_an_editor_of_ones_own(monkeypatch, capsys):
    monkeypatch.chdir(README.parent)
    *_, code = blocks("python")
    assert sum(bool(line) for line in code.splitlines()) <= 10
    names = {}
    exec(code, names)
    assert "“night”" in capsys.readouterr().out
    explanation = names["explanation"]
    assert explanation.weights == pytest.approx([0, 0, 0, 1]) and explanation.untested in explanation.finding  # no noise


@pytest.mark.slow
def test_the_lines_from_outside(real_page):
    _, code, _ = blocks("python")
    lines = [sys.executable, "-c", code.replace("http://127.0.0.1:7860", real_page)]
    said = subprocess.run(lines, cwd=README.parent, check=True, capture_output=True, text=True).stdout
    assert "“snow”" in said and all(f"'{name}': 'In this edit" in said for name in EDITORS)


COMMANDS = [
    shlex.split(line)
    for block in blocks("bash")
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("python -m smile explain")
]


@pytest.mark.slow
@pytest.mark.parametrize("editor", EDITORS)
def test_the_command_of_each_editor(editor, monkeypatch, tmp_path):
    monkeypatch.chdir(README.parent)
    (command,) = [command for command in COMMANDS if command[command.index("--editor") + 1] == editor]
    command[command.index("--out") + 1] = str(tmp_path / "out")
    assert main(command[3:]) == 0
    explanation = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert not explanation["provisional"] and min(explanation["p_values_holm"]) < 0.05
    assert (tmp_path / "out" / "region.png").is_file() is EDITORS[editor].needs_region


def test_every_set_of_weights_stands_in_the_table():
    text = README.read_text(encoding="utf-8")
    assert all(f"`{weights}`" in text for entry in EDITORS.values() for weights in entry.weights)
