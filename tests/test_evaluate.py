"""`python -m smile evaluate`: a table, trust.json beside the explanation, and no edit of a bundle made again."""

import json

import pytest
from tiny import FakeEditor, FakeEmbedder, dinov2_folder, instruct_pix2pix_folder, picture

from smile import explain
from smile.__main__ import main

TEXT = "make snow"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a picture, tiny weights, and an explanation that they made."""
    models = tmp_path_factory.mktemp("evaluate")
    picture().save(models / "in.png")
    instruct_pix2pix_folder(models / "editor", steps=1)
    dinov2_folder(models / "dino")
    assert main(["explain", *run(models), "--out", str(models / "made")]) == 0
    assert main(["export", str(models / "made"), "--out", str(models / "made.zip")]) == 0
    explain(picture(), TEXT, FakeEditor(), embedder=FakeEmbedder()).write(models / "own.zip")
    return models


def run(models):
    named = {"image": models / "in.png", "instruction": TEXT, "editor": "instruct-pix2pix"}
    named |= {"weights": models / "editor", "embedder": models / "dino", "noise-seeds": 2}
    return [str(part) for name, value in named.items() for part in (f"--{name}", value)]


@pytest.fixture
def edited(monkeypatch):
    """(seed, text) of everything that the editor edits."""
    from smile.models.editors import instruct_pix2pix

    edited, edit = [], instruct_pix2pix.InstructPix2Pix.edit

    def recorded(self, image, texts, *, seed, region=None):
        edited.extend((seed, text) for text in texts)
        return edit(self, image, texts, seed=seed, region=region)

    monkeypatch.setattr(instruct_pix2pix.InstructPix2Pix, "edit", recorded)
    return edited


def test_it_explains_measures_and_writes_both(models, capsys, edited):
    assert main(["evaluate", *run(models), "--out", str(models / "all"), "--relevant", "2"]) == 0
    shown, report = capsys.readouterr(), json.loads((models / "all" / "trust.json").read_text())
    assert (models / "all" / "explanation.json").is_file() and len(edited) == len(set(edited)) == 6 + report["further_edits"]
    names = ["fidelity", "accuracy", "design health", "noise floor", "stability", "consistency", "faithfulness"]
    assert [entry["name"] for entry in report["report"]] == names
    assert report["relevant"] == {"relevant": [False, True], "source": "given"} and report["words"] == TEXT.split()
    assert all(f"\n{name}: {entry['sentence']}" in shown.out for name, entry in zip(names, report["report"], strict=True))
    assert shown.err.strip().endswith(f"{report['further_edits']} of {report['further_edits']} further edits")


def test_a_bundle_goes_on_where_it_was(models, capsys, edited):
    asked = ["evaluate", "--bundle", str(models / "made.zip"), "--parts", "consistency, faithfulness"]
    assert main([*asked, "--out", str(models / "one")]) == 0
    of_seed_0 = [text for seed, text in edited if seed == 0]
    assert of_seed_0 == []  # all four texts are in the bundle, and so is the full one under seeds 1 and 2
    assert (1, TEXT) not in edited and (2, TEXT) not in edited and (3, TEXT) in edited
    assert main([*asked, "--out", str(models / "two")]) == 0
    assert (models / "one" / "trust.json").read_bytes() == (models / "two" / "trust.json").read_bytes()
    assert (models / "one" / "explanation.json").read_bytes() == (models / "made" / "explanation.json").read_bytes()


def test_nothing_is_loaded_where_nothing_is_to_be_measured(models, capsys):
    assert main(["evaluate", "--bundle", str(models / "own.zip"), "--parts", "", "--out", str(models / "known")]) == 0
    report = json.loads((models / "known" / "trust.json").read_text())
    assert [entry["name"] for entry in report["report"]] == ["fidelity", "accuracy", "design health", "noise floor"]
    assert report["relevant"]["source"] == "Toy Road's grammar" and report["further_edits"] == 0


def test_an_interrupted_one_keeps_what_there_is(models, capsys, monkeypatch):
    from smile.models.editors import instruct_pix2pix

    edit, calls = instruct_pix2pix.InstructPix2Pix.edit, []

    def interrupted(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return edit(self, *arguments, **options)

    monkeypatch.setattr(instruct_pix2pix.InstructPix2Pix, "edit", interrupted)
    assert main(["evaluate", "--bundle", str(models / "made.zip"), "--out", str(models / "cut")]) == 130
    report = json.loads((models / "cut" / "trust.json").read_text())
    assert report["report"][-1]["name"] == "stability" and report["further_edits"] > 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([], "give --image, or --bundle"),
        (["--image", "IN"], "give --instruction, or --bundle"),
        (["--bundle", "absent.zip"], "no explanation at absent.zip"),
        (["--bundle", "OWN", "--image", "IN"], "leave --image out"),
        (["--bundle", "OWN", "--noise-seeds", "3"], "leave --noise-seeds out"),
        (["--bundle", "OWN", "--parts", "truth"], "nothing called “truth”"),
        (["--bundle", "OWN", "--relevant", "rain"], "“rain” is neither a word"),
        (["--bundle", "OWN", "--out", "IN"], "cannot be written"),
        (["--bundle", "OWN"], "an editor that is not here, fake"),
    ],
)
def test_bad_input_is_one_line_and_status_two(models, capsys, changes, says):
    real = {"IN": str(models / "in.png"), "OWN": str(models / "own.zip")}
    assert main(["evaluate", "--out", str(models / "none"), *(real.get(each, each) for each in changes)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and says in shown.err and len(shown.err.splitlines()) == 1
