"""Editors and language models of packages that somebody installed, found by their entry points."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from asking import ask, build_edit_tab, read
from tiny import FakeEmbedder, picture

import app
from smile import InputError, explain, load, load_editor, load_language_model
from smile.__main__ import main
from smile.models import registry
from smile.models.editors import EDITORS, safety
from smile.models.editors.safety import CheckedEditor
from smile.paths import MODELS
from smile.ui import machine, texts
from smile.ui.engine import Engine

DARKEN = """\
from PIL import ImageEnhance

class Darken:
    def edit(self, image, texts, *, seed, region=None):
        return [ImageEnhance.Brightness(image).enhance(0.4 if "night" in text else 1) for text in texts]
"""
CHOICES = """\
import copy

class Choices:
    weight_sets, takes_region = ("small", "large"), True

    def __init__(self, device=None, weights="auto"):
        self.device, self.weights, self.settings = device or "cpu", weights, {"steps": 2}

    def with_settings(self, **settings):
        other = copy.copy(self)
        other.settings = settings
        return other

    def edit(self, image, texts, *, seed, region=None):
        return [image.copy() for _ in texts]

def nothing():
    return object()
"""
EDITOR_LINES = """\
[smile.editors]
broken = smile_broken:Editor
choices = smile_choices:Choices
darken = smile_darken:Darken
inpaint = smile_darken:Darken
lost = smile_choices:no_such_name
nothing = smile_choices:nothing [extra]
wrong 100% = no such module
"""
MODEL_LINES = """\
[smile.language_models]
parrot = smile_parrot:Parrot
"""
PARROT = "class Parrot:\n    def write(self, prompts, *, seed):\n        return list(prompts)\n"
BROKEN = "raise ImportError('no module named abacus')\n"


def install(folder):
    """A package with editors and a language model, as pip leaves it in `folder`."""
    described = folder / "smile_pets-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: smile-pets\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(EDITOR_LINES + MODEL_LINES)
    for name, code in {"darken": DARKEN, "choices": CHOICES, "parrot": PARROT, "broken": BROKEN}.items():
        (folder / f"smile_{name}.py").write_text(code)
    return folder


def forget():
    registry.find_entry_points.cache_clear()
    registry._read_entry.cache_clear()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(install(tmp_path / "site")))
    forget()
    yield tmp_path / "site"
    forget()
    for name in [name for name in sys.modules if name.startswith("smile_")]:
        del sys.modules[name]


def test_in_python(installed):
    added = ["broken", "choices", "darken", "lost", "nothing", "wrong 100%"]
    assert list(EDITORS) == ["instruct-pix2pix", "img2img-turbo", "inpaint", *added]
    assert len(EDITORS) == 9 and "darken" in EDITORS and "photoshop" not in EDITORS
    assert not {"smile_darken", "smile_choices", "smile_broken"} & set(sys.modules), "a list of names imports nothing"
    explanation = explain(picture(), "make it night", "darken", embedder=FakeEmbedder())
    assert explanation.settings["editor"] == "darken" and explanation.settings["editor_weights"] == "auto"
    assert "“night”" in explanation.finding
    assert EDITORS["inpaint"].needs_region and "bundled" in EDITORS["inpaint"].weights, "nobody takes the place of ours"


@pytest.mark.process
@pytest.mark.slow
def test_on_the_command_line(installed, tmp_path):
    picture().save(tmp_path / "in.png")
    environment = os.environ | {"PYTHONPATH": str(installed)}

    def smile(*arguments):
        command = [sys.executable, "-m", "smile", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    listed = smile("editors")
    rows = [row.split() for row in listed.stdout.splitlines()]
    assert ["darken", "auto", "unknown"] in rows and ["choices", "large", "needed", "unknown"] in rows
    assert ["inpaint", "bundled", "needed", "yes"] in rows, "a broken one does not break the others"
    problem = "broken of the package smile-pets cannot be loaded (no module named abacus); reinstall it."
    assert problem in listed.stdout.splitlines() and listed.stdout.count("lost of the package smile-pets cannot be loaded") == 1
    assert (listed.returncode, listed.stderr) == (0, "") and not any(row[:2] == ["broken", "auto"] for row in rows)
    asked = ["explain", "--image", str(tmp_path / "in.png"), "--instruction", "make it night", "--embedder", "bundled"]
    done = smile(*asked, "--editor", "darken", "--out", str(tmp_path / "out"))
    assert done.returncode == 0 and "“night”" in done.stdout, done.stderr
    assert json.loads((tmp_path / "out" / "explanation.json").read_text())["settings"]["editor"] == "darken"


def test_what_the_command_line_refuses(installed, tmp_path, capsys):
    picture().save(tmp_path / "in.png")
    asked = ["explain", "--image", str(tmp_path / "in.png"), "--instruction", "night", "--out", str(tmp_path / "out")]
    for more, said in (
        (["--editor", "broken"], "no module named abacus"),
        (["--editor", "choices"], "choices needs a region"),
        (["--editor", "darken", "--setting", "steps=3"], "darken has no settings"),
        (["--editor", "darkens"], "no editor called “darkens”; there is instruct-pix2pix, img2img-turbo, inpaint, broken"),
    ):
        assert main([*asked, *more]) == 2 and said in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        main(["explain", "--help"])
    assert left.value.code == 0 and "darken, lost, nothing, wrong 100%" in " ".join(capsys.readouterr().out.split())


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.skipif(not (MODELS / "dinov2").is_dir(), reason="The bundled weights are not there.")
def test_a_saved_explanation_is_measured(installed, tmp_path):
    explain(picture(), "make it night", "darken", embedder="bundled").save(tmp_path / "saved")
    asked = ["evaluate", "--bundle", str(tmp_path / "saved"), "--parts", "faithfulness", "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    assert load(tmp_path / "saved").settings["editor"] == "darken"


def test_on_the_page(installed, monkeypatch, picture_file):
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")

    def load(name, weights):
        return load_editor(name, weights), FakeEmbedder()

    blocks = app.build(Engine(load)).blocks.values()
    (radio,) = [block for block in blocks if getattr(block, "elem_id", None) == "editor"]
    assert [value for _, value in radio.choices] == list(EDITORS)

    tab = build_edit_tab(load)
    form = tab.form
    now = read(form.choose_editor, form.choose_editor("darken", None))
    assert [value for _, value in now["weights"]["choices"]] == ["auto"] and not now["region_column"]["visible"]
    now = read(form.choose_editor, form.choose_editor("choices", None))
    assert [value for _, value in now["weights"]["choices"]] == ["auto", "small", "large"] and now["region_column"]["visible"]
    asked = {"instruction": "make it night", "edits": 8, "editor": "darken", "weights": "auto"}
    *_, last = form.plan({part: asked.get(name) for name, part in form.fields.items()})
    now = read(form.plan, last)
    assert "darken on the CPU" in now["plan_text"] and not any(now[name]["visible"] for name in form.settings)
    *_, last = ask(tab.answer.explain, picture_file, instruction="make it night", editor="darken", edits=8)
    assert "“night”" in last["view"]["finding"] and "editor=darken&weights=auto" in last["view"]["link"]
    request = SimpleNamespace(query_params={"editor": "darken", "weights": "auto"})
    linked = read(tab.saved_runs.follow_link, tab.saved_runs.follow_link(request))
    assert linked["editor"]["value"] == "darken"


def test_a_broken_one_is_a_sentence_on_the_page(installed, monkeypatch, picture_file):
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    tab = build_edit_tab(lambda name, weights: (load_editor(name, weights), FakeEmbedder()))
    problem = EDITORS["broken"].problem
    assert tab.form.describe_choice("broken")["editor"]["info"] == problem
    *_, last = ask(tab.answer.explain, picture_file, editor="broken")
    assert problem in last["progress"]
    monkeypatch.setattr(EDITORS, "bundled", {})
    *_, last = ask(tab.answer.compare, picture_file, editor="darken")
    compared = {editor["name"]: editor for editor in last["comparison"]["editors"]}
    assert compared["broken"]["problem"] == problem and not compared["darken"].get("problem")


def test_weights_device_and_settings_reach_it(installed):
    editor = load_editor("choices", "large", "cpu:0", steps=9)
    assert (editor.name, editor.weights, editor.device, editor.settings) == ("choices", "large", "cpu:0", {"steps": 9})
    with pytest.raises(InputError, match="darken has no settings"):
        load_editor("darken", steps=9)
    with pytest.raises(InputError, match="nothing is no editor: a object has no method “edit”"):
        load_editor("nothing")


def test_a_public_space_checks_its_edits_too(installed, monkeypatch):
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setattr("smile.models.editors.load_checker", lambda *_: lambda images: [None, *images[1:]])
    editor = load_editor("choices")
    assert isinstance(editor, CheckedEditor) and safety.needs_checker(None, "auto")
    for each in (editor, editor.with_settings(steps=1)):
        assert [edit is None for edit in each.edit(picture(), ["a", "b"], seed=0)] == [True, False]
    assert editor.with_settings(steps=1).settings == {"steps": 1} and not hasattr(load_editor("darken"), "with_settings")


def test_a_language_model(installed, capsys):
    assert load_language_model("parrot").write(["Hello?"], seed=0) == ["Hello?"]
    assert main(["language-models"]) == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    assert ["parrot", "auto", "unknown"] in rows and rows[1][:2] == ["toyroad", "bundled"]


def test_a_language_model_that_nobody_has():
    forget()
    with pytest.raises(InputError, match="no language model called “parrot”; there is toyroad, Qwen/Qwen3-0.6B"):
        load_language_model("parrot")


def test_what_is_downloaded_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert not EDITORS["inpaint"].is_downloaded("full") and EDITORS["instruct-pix2pix"].is_downloaded("bundled")
    assert EDITORS["inpaint"].is_downloaded("somebody/own") is None
    folder = tmp_path / "models--stable-diffusion-v1-5--stable-diffusion-inpainting" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"unet": ["diffusers", "UNet2DConditionModel"]}))
    assert not EDITORS["inpaint"].is_downloaded("full"), "its index alone is not the model"
    (folder / "unet").mkdir()
    (folder / "unet" / "config.json").write_text("{}")
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    assert EDITORS["inpaint"].is_downloaded("full")


@pytest.mark.model
def test_the_table_says_where_the_editors_find_their_weights():
    from smile.models.editors import img2img_turbo, inpaint, instruct_pix2pix

    assert EDITORS["instruct-pix2pix"].weights["full"] == instruct_pix2pix.FULL
    assert EDITORS["inpaint"].weights["full"] == inpaint.FULL
    turbo = dict(EDITORS["img2img-turbo"].weights)
    assert {turbo.pop(name) for name in img2img_turbo.PUBLISHED} == {img2img_turbo.BASE}
    assert all(name.startswith("bundled") for name in turbo) and texts.EDITORS.keys() == EDITORS.bundled.keys()
