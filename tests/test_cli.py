"""The command line: results, one line and status 2 for bad input, the same JSON in any process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, FakeSegmenter, dinov2_folder, instruct_pix2pix_folder, picture

from smile import explain, load
from smile.__main__ import main
from smile.models.editors import EDITORS

ROOT = Path(__file__).resolve().parent.parent
TEXT = "make it snow at night"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a picture and tiny weights, and the arguments that use them."""
    models = tmp_path_factory.mktemp("cli")
    picture().save(models / "in.png")
    picture().point(lambda _: 255).save(models / "white.png")
    picture((96, 48)).point(lambda _: 255).save(models / "wide.png")
    (models / "text.png").write_text("hello")
    (models / "editor").mkdir()
    instruct_pix2pix_folder(models / "editor")
    dinov2_folder(models / "dino")
    return models


def command(models, out="out", **changes):
    options = {
        "image": models / "in.png",
        "instruction": TEXT,
        "editor": "instruct-pix2pix",
        "weights": models / "editor",
        "embedder": models / "dino",
        "out": models / out,
    } | changes
    return ["explain", *(str(part) for name, value in options.items() for part in (f"--{name}", value))]


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "smile", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.process
def test_another_process_writes_the_same_explanation(models, capsys):
    assert main(command(models, "here", edits=16, seed=3)) == 0
    done = python(*command(models, "there", edits=16, seed=3), PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    here, there = ((models / out / "explanation.json").read_text().splitlines() for out in ("here", "there"))
    assert [line for line in here if line[:9] != '"seconds"'] == [line for line in there if line[:9] != '"seconds"']
    assert done.stderr.strip().splitlines()[-1].endswith("20 of 20 edits")
    lines = done.stdout.splitlines()
    assert lines[0].split("  ")[0] == "word" and [line.split()[0] for line in lines[1:6]] == TEXT.split()
    assert lines[-1] == json.loads("\n".join(there))["finding"] and "Traceback" not in done.stderr


@pytest.mark.nightly
def test_threads_change_what_rounding_changes(models):
    """One level of 255 in an edit, and from there the numbers."""
    bundled = {"weights": "bundled", "embedder": "bundled", "editor": "img2img-turbo", "edits": 12}
    scene = ROOT / "assets" / "examples" / "green-hills.png"
    asked = bundled | {"image": scene, "instruction": "change the season to autumn"}
    found, edits = [], []
    for threads in (1, 2):
        out = models / f"threads-{threads}"
        done = python(*command(models, out, threads=threads, **asked), OMP_NUM_THREADS=str(threads))
        assert done.returncode == 0, done.stderr
        found.append(json.loads((out / "explanation.json").read_text()))
        edits.append([np.asarray(Image.open(path), int) for path in sorted((out / "edits").iterdir())])
    assert len(edits[0]) == 12 and np.abs(np.subtract(*edits)).max() <= 1
    for name, most in (("weights", 1e-3), ("ci_low", 2e-3), ("distances", 1e-2), ("p_values", 0.02)):
        assert np.abs(np.subtract(*(one[name] for one in found))).max() <= most


def test_it_writes_the_files(models, capsys):
    assert main(command(models, preset="paper", edits=10)) == 0
    names = {path.name for path in (models / "out").iterdir()}
    assert names == {"explanation.json", "heatmap.html", "heatmap.png", "input.png", "edits", "noise"}
    assert len(list((models / "out" / "edits").iterdir())) == 10
    assert json.loads((models / "out" / "explanation.json").read_text())["settings"]["preset"] == "paper"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": "absent.png"}, "no picture at"),
        ({"image": "TEXT.png"}, "is not a picture"),
        ({"instruction": ""}, "instruction is empty"),
        ({"instruction": "word " * 200}, "200 words"),
        ({"edits": 3}, "at least"),
        ({"edits": "many"}, "invalid int"),
        ({"editor": "photoshop"}, "no editor called"),
        ({"weights": "nowhere"}, "no weights at"),
        ({"design": "clever"}, "no design"),
        ({"preset": "secret"}, "no preset"),
        ({"region": "absent.png"}, "no picture at"),
        ({"region": "TEXT.png"}, "is not a picture"),
        ({"region": "WIDE.png"}, "proportions"),
        ({"region": "WHITE.png"}, "leave the region out"),
        ({"region-phrase": "the sky"}, "leave the region out"),
        ({"region": "WHITE.png", "region-phrase": "the sky"}, "not allowed with"),
        ({"editor": "inpaint"}, "give --region or --region-phrase"),
        ({"editor": "img2img-turbo"}, "checkpoint in the folder"),
        ({"setting": "steps"}, "not NAME=VALUE"),
        ({"setting": "steps=many"}, "not NAME=VALUE"),
        ({"setting": "steps=0"}, "from 1 to 200"),
        ({"setting": "steps=nan"}, "from 1 to 200"),
        ({"setting": "speed=3"}, "no setting “speed”"),
        ({"setting": "weights=3"}, "no setting “weights”"),
        ({"out": "FILE"}, "cannot be written"),
        ({"speed": 3}, "unrecognized"),
    ],
)
def test_bad_input_is_one_line_and_status_two(models, capsys, changes, says):
    real = {"TEXT.png": models / "text.png", "FILE": models / "text.png"}
    real |= {"WHITE.png": models / "white.png", "WIDE.png": models / "wide.png"}
    changes = {name: real.get(value, value) if isinstance(value, str) else value for name, value in changes.items()}
    try:
        status = main(command(models, **changes))
    except SystemExit as stop:  # argparse
        status = stop.code
    shown = capsys.readouterr()
    assert status == 2 and shown.out == ""
    assert says in shown.err and len(shown.err.strip().splitlines()) == 1


@pytest.mark.process
def test_a_missing_region_is_said_before_anything_is_loaded(tmp_path):
    code = "import sys; from smile.__main__ import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    asked = ["explain", "--editor", "inpaint", "--image", "assets/examples/summer-day.png", "--instruction", "snow"]
    command = [sys.executable, "-c", code, *asked, "--out", str(tmp_path)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert shown.stdout == "False\n" and "needs a region" in shown.stderr


def test_settings_are_used_and_written_down(models):
    assert main([*command(models, "set", edits=16, setting="steps=3"), "--setting", "guidance=2.5"]) == 0
    settings = json.loads((models / "set" / "explanation.json").read_text())["settings"]["editor_settings"]
    assert settings["steps"] == 3 and settings["guidance"] == 2.5


@pytest.mark.slow
def test_a_region_can_be_a_file_or_a_phrase_and_is_saved(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("smile.load_segmenter", lambda **_: FakeSegmenter())
    picture, region = (f"{ROOT}/assets/examples/open-sky{kind}.png" for kind in ("", "-region"))
    asked = ["explain", "--editor", "inpaint", "--weights", "bundled", "--image", picture, "--instruction", "night"]
    for name, more in {"file": ["--region", region], "phrase": ["--region-phrase", "the sky"]}.items():
        assert main([*asked, *more, "--edits", "2", "--out", str(tmp_path / name)]) == 0
    regions = [np.asarray(Image.open(tmp_path / name / "region.png")) > 0 for name in ("file", "phrase")]
    assert (regions[0] & regions[1]).sum() > 0.5 * (regions[0] | regions[1]).sum()


def test_editors_lists_what_there_is_and_what_is_here(capsys):
    assert main(["editors"]) == 0
    named, known = capsys.readouterr().out.split("\n\n")[:2]
    head, *rows = named.splitlines()
    assert head.split() == ["editor", "weights", "for", "region", "here"]
    assert [row.split()[1] for row in rows if "captions" in row] == list(EDITORS["img2img-turbo"].captions)
    assert "FLUX.2-klein-4B" in known and "never run" in known
    assert [tuple(row.split()[:2]) for row in rows] == [(n, w) for n, entry in EDITORS.items() for w in entry.weights]
    assert all(row.endswith(" yes") for row in rows if row.split()[1].startswith("bundled"))
    assert all("needed" in row for row in rows if row.startswith("inpaint"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with an explanation in it."""
    run = explain(picture(), TEXT, FakeEditor(), embedder=FakeEmbedder())
    return run.save(tmp_path_factory.mktemp("saved"))


def test_export_writes_every_kind_of_file_from_a_folder_and_from_a_zip(saved, tmp_path, capsys):
    assert main(["export", str(saved), "--out", str(tmp_path / "made" / "one.zip")]) == 0
    assert main(["export", str(tmp_path / "made" / "one.zip"), "--out", str(tmp_path / "two.ZIP")]) == 0
    assert (tmp_path / "made" / "one.zip").read_bytes() == (tmp_path / "two.ZIP").read_bytes()
    for kind in ("html", "png", "json"):
        assert main(["export", str(tmp_path / "two.ZIP"), "--out", str(tmp_path / f"out.{kind}")]) == 0
    assert (tmp_path / "out.json").read_bytes() == (saved / "explanation.json").read_bytes()
    unchecked = load(saved).unchecked
    assert unchecked in (tmp_path / "out.html").read_text(encoding="utf-8") and unchecked in capsys.readouterr().err
    assert np.array_equal(Image.open(tmp_path / "out.png"), Image.open(saved / "heatmap.png"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("source", "out", "says"),
    [
        ("SAVED", "out.pdf", "not clear what to write into"),
        ("SAVED", "out", "let its name end in .html, .zip, .png, .json"),
        ("SAVED", "SAVED/input.png/out.json", "cannot be written to"),
        ("SAVED", "SAVED/input.png/out.zip", "cannot be written to"),
        ("absent.zip", "out.json", "no explanation at absent.zip"),
        ("SAVED/edits", "out.json", "explanation.json is missing"),
        ("SAVED/input.png", "out.json", "no zip file, or an unusual one"),
    ],
)
def test_export_answers_bad_input_with_one_line(saved, tmp_path, monkeypatch, capsys, source, out, says):
    monkeypatch.chdir(tmp_path)
    assert main(["export", source.replace("SAVED", str(saved)), "--out", out.replace("SAVED", str(saved))]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and says in shown.err and len(shown.err.splitlines()) == 1


@pytest.mark.process
def test_bad_input_in_a_real_process(tmp_path):
    done = python("explain", "--image", "absent.png", "--instruction", "x", "--editor", "e", "--out", str(tmp_path))
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "smile: There is no picture at absent.png.\n"


@pytest.mark.process
def test_help_and_import_load_no_torch():
    assert "explain" in python("--help").stdout
    code = "import sys, smile, smile.__main__ as m; m.build_parser(); print('torch' in sys.modules, 'gradio' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert shown.stdout.split() == ["False", "False"], shown.stderr


def test_an_interrupted_run_keeps_what_there_is(models, capsys, monkeypatch):
    from smile.models.editors import instruct_pix2pix

    run, calls = instruct_pix2pix.InstructPix2Pix.edit_batch, []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(self, *arguments)

    monkeypatch.setattr(instruct_pix2pix.InstructPix2Pix, "edit_batch", interrupted)
    assert main(command(models, "stopped", edits=16)) == 130
    kept = json.loads((models / "stopped" / "explanation.json").read_text())
    assert kept["provisional"] and kept["done"] == 9 and len(kept["texts"]) == 9


def test_a_cache_makes_no_edit_twice(models, monkeypatch):
    asked = []

    class Known(FakeEditor):
        revision = "1"

        def edit(self, image, texts, **how):
            asked.extend(texts)
            return super().edit(image, texts, **how)

    monkeypatch.setattr("smile.load_editor", lambda *_, **__: Known())
    assert main(command(models, "first", cache=models / "edits")) == 0
    made = len(asked)
    assert main(command(models, "second", cache=models / "edits", distance="cosine", surrogate="ridge")) == 0
    assert made == 16 + 4 and len(asked) == made
    measured = command(models, "third", cache=models / "edits", parts="faithfulness")
    assert main(["evaluate", *measured[1:]]) == 0
    after = len(asked)
    assert main(["evaluate", *measured[1:]]) == 0 and made < after == len(asked)


def test_no_threads_are_bad_input(models, capsys):
    assert main(command(models, threads=0)) == 2
    assert capsys.readouterr().err == "smile: --threads must be at least 1.\n"
