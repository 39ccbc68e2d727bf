"""Several processes: a suite's cells are shared, with the same bytes; one explanation runs in one process."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tiny import instruct_pix2pix_folder, picture

from smile.__main__ import main
from smile.scenarios import folder

ROOT = Path(__file__).resolve().parents[1]


def read_files(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", ["explain", "evaluate"])
def test_one_explanation_is_not_shared(tmp_path, monkeypatch, capsys, command):
    monkeypatch.setenv("WORLD_SIZE", "2")
    asked = ["--image", "absent.png", "--instruction", "make it snow", "--editor", "instruct-pix2pix"]
    assert main([command, *asked, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "smile: One explanation runs in one process; start it without accelerate launch.\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_processes_killed_and_resumed_write_what_one_writes(tmp_path):
    """Through accelerate, on real weights: byte for byte, and without a cell lost but those in hand."""
    instruct_pix2pix_folder(tmp_path / "editor")
    picture().save(tmp_path / "one.png")
    text = "name: n\nattributes: {weather: [snow, rain]}\ntemplates: ['make it {weather}', 'please make it {weather} now']\n"
    text += f"editors: [{{name: instruct-pix2pix, weights: {tmp_path / 'editor'}}}]\n"
    (tmp_path / "suite.yaml").write_text(text + "pictures: [{path: one.png}, {toyroad: {weather: fog}}]\n")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    launch = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --main_process_port 0"  # which also works on CPUs
    many = [sys.executable, *launch.split()]

    def command(start, out):
        return [*start, "-m", "smile", "scenarios", str(tmp_path / "suite.yaml"), "--out", str(tmp_path / out)]

    how = {"cwd": ROOT, "env": environment, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    alone = subprocess.run(command([sys.executable], "alone"), timeout=300, **how)
    assert alone.returncode == 0 and alone.stdout.startswith("8 of 8 cells explained"), alone.stderr

    killed = subprocess.Popen(command(many, "shared"), **how)
    deadline = time.time() + 240
    while len(folder.list_done_cells(tmp_path / "shared")) < 2 and time.time() < deadline:
        time.sleep(0.02)
    for process in [psutil.Process(killed.pid), *psutil.Process(killed.pid).children(recursive=True)]:
        process.kill()  # the launcher puts each process into a group of its own
    killed.communicate()
    kept = read_files(tmp_path / "shared")
    assert 3 <= sum(name.endswith(".json") for name in kept) < 9, "suite.json and two cells or more"
    assert all(json.loads(content) for name, content in kept.items() if name.endswith(".json"))

    shared = subprocess.run(command(many, "shared"), timeout=300, **how)
    assert shared.returncode == 0 and "2 processes share the cells." in shared.stderr, shared.stderr
    after = read_files(tmp_path / "shared")
    assert after == read_files(tmp_path / "alone")
    assert all(after[name] == content for name, content in kept.items() if name.endswith(".json"))
