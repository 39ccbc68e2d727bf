"""The Python lines make the same explanation again, whatever it says; the link restores it; the citation can be cited."""

import ast
import dataclasses
import json
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
from tiny import FakeBackend, FakeEditor, FakeEmbedder, picture

import smile
from smile import Explanation, explain, explain_stream, load
from smile.paths import EXAMPLES
from smile.report import citation
from smile.toyroad import examples

TEXT = "make it snow at night"


class Tokens(FakeEditor):
    """An editor with token embeddings, so that there is a word mover's distance."""

    def token_embeddings(self, text):
        return np.array([[len(word), ord(word[0])] for word in text.split()], float).reshape(-1, 2)


def run(text=TEXT, editor=None, **options):
    return explain(picture(), text, editor or Tokens(), embedder=FakeEmbedder(), **options)


def again(explanation, folder, monkeypatch, editor=None) -> Explanation:
    """What the lines make, in a folder with the explanation's bundle in it."""
    explanation.save(folder)
    monkeypatch.chdir(folder)
    names = {"editor": editor or Tokens(), "embedder": FakeEmbedder()}
    exec(citation.write_python(explanation), names)
    return names["explanation"]


def numbers(explanation):
    return dataclasses.replace(explanation, seconds={}).to_json()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"edits": 24, "seed": 7},
        {"seeds": 2, "noise_seeds": 1, "reference": "input"},
        {"design": "random", "distance": "cosine", "locality": "none", "surrogate": "ridge"},
        {"locality": "words", "permutations": 123},
        {"locality": "wmd", "sigma": 0.5},
        {"locality": "wmd"},
        {"locality": "words", "sigma": 1.0, "design": "exhaustive", "edits": 32},
        {"preset": "paper"},
        {"preset": "paper", "edits": 20, "noise_seeds": 0},
        {"region": np.full((48, 48), 255, np.uint8)},
        {"text": "snow"},
        {"text": "it's \"snow\" \\ {night} 日本 '''"},
    ],
)
def test_the_lines_make_the_same_explanation(options, tmp_path, monkeypatch, capsys):
    explanation = run(**options)
    assert numbers(again(explanation, tmp_path, monkeypatch)) == numbers(explanation)
    assert capsys.readouterr().out == f"{explanation.finding}\n"


def test_an_editor_without_token_embeddings(tmp_path, monkeypatch):
    explanation = run(editor=FakeEditor(), locality="wmd")
    assert "wmd" in citation.write_python(explanation)
    assert numbers(again(explanation, tmp_path, monkeypatch, FakeEditor())) == numbers(explanation)


def test_only_what_is_not_usual_is_said():
    usual = citation.write_python(run())
    assert not any(name in usual for name in ("sigma", "design", "locality", "permutations", "seeds", "preset", "region"))
    assert "edits=16" in usual and "seed=0" in usual
    assert "sigma=0.5" in citation.write_python(run(locality="wmd", sigma=0.5))
    whole = run(locality="wmd")
    assert "sigma" not in citation.write_python(run(locality="wmd", sigma=whole.settings["sigma"]))
    assert "sigma" not in citation.write_python(run("a a", locality="wmd"))
    assert "sigma=1.0" not in citation.write_python(run("a a a"))


def test_a_partial_explanation_gives_the_lines_of_the_whole(tmp_path, monkeypatch):
    stream = explain_stream(picture(), TEXT, Tokens(), embedder=FakeEmbedder())
    stopped = [next(stream) for _ in range(2)][-1]
    assert numbers(again(stopped, tmp_path, monkeypatch)) == numbers(run())


def test_editors_of_ours_are_loaded_and_others_are_not():
    explanation = run(editor=FakeBackend("instruct-pix2pix", "bundled"))
    lines = citation.write_python(explanation, "a b.png").splitlines()
    assert lines[:1] == ["# embedder stands for your own embedder, 'pixels', which is to be put here."]
    assert lines[1:4] == [
        "from smile import explain, load_editor",
        "",
        "editor = load_editor('instruct-pix2pix', 'bundled', steps=10)",
    ]
    assert "    'a b.png'," in lines and "    embedder=embedder," in lines
    own = citation.write_python(run()).splitlines()
    assert own[0] == "# editor stands for your own editor, 'fake', which is to be put here."
    assert "from smile import explain" in own


@pytest.mark.parametrize(
    ("editor", "embedder", "said"),
    [
        ("bundled", "bundled", None),
        ("bundled-edges", "bundled", None),
        ("full", "full", "full"),
        ("full", "bundled", "bundled"),
        ("bundled", "full", "full"),
    ],
)
def test_the_embedder_is_said_where_it_would_depend_on_the_machine(editor, embedder, said):
    explanation = run()
    explanation.settings |= {"editor": "instruct-pix2pix", "editor_weights": editor}
    explanation.settings |= {"embedder": "dinov2", "embedder_weights": embedder}
    assert (f"    embedder={said!r}," in citation.write_python(explanation)) == (said is not None)


def test_nobodys_text_becomes_code():
    explanation = run()
    nasty = 'x\'\nimport os\n\u2028\r"""#'
    explanation.instruction = nasty
    explanation.settings |= {"editor": nasty, "embedder": nasty}
    own = citation.write_python(explanation, nasty, nasty)
    explanation.settings |= {"editor": "inpaint", "editor_weights": nasty, "region": True}
    explanation.settings |= {"editor_settings": {nasty: nasty, "class": 1, "a=1, b": 2}}
    ours = citation.write_python(explanation, nasty, nasty)
    for lines, kinds in ((own, ["ImportFrom", "Assign", "Expr"]), (ours, ["ImportFrom", "Assign", "Assign", "Expr"])):
        body = ast.parse(lines).body
        assert [type(each).__name__ for each in body] == kinds
        assert body[0].module == "smile" and {name.name for name in body[0].names} <= {"explain", "load_editor"}
        calls = {call.func.id for call in ast.walk(ast.parse(lines)) if isinstance(call, ast.Call)}
        assert calls <= {"explain", "load_editor", "print", "dict"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["october-evening", "free-corner"])
def test_the_lines_of_a_bundle_make_it_again_with_the_real_editor(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    fresh = examples.explain_example(examples.EXAMPLES[name])  # on this machine, whose rounding need not be the bundle's
    saved = load(EXAMPLES / f"{name}.zip")
    assert citation.write_python(saved) == citation.write_python(fresh)
    saved.save(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(citation.write_python(saved), names)
    assert numbers(names["explanation"]) == numbers(fresh) and fresh.finding in capsys.readouterr().out


def test_query():
    explanation = run(editor=FakeBackend("img2img-turbo", "bundled-edges"), seed=3)
    asked = {"instruction": [TEXT], "editor": ["img2img-turbo"], "weights": ["bundled-edges"], "seed": ["3"]}
    assert parse_qs(citation.write_query(explanation)) == asked
    assert parse_qs(citation.write_query(explanation, "summer-day")) == {"example": ["summer-day"], **asked}
    assert parse_qs(citation.write_query(run(edits=24)))["edits"] == ["24"]
    assert "editor" not in parse_qs(citation.write_query(run()))
    nasty = "snow & rain = 100% #1 日本 +?"
    assert parse_qs(citation.write_query(run(nasty)))["instruction"] == [nasty]


def test_somebodys_own_weights_are_not_in_the_link():
    explanation = run(editor=FakeBackend("instruct-pix2pix", "/home/me/weights"))
    assert "weights" not in parse_qs(citation.write_query(explanation)) and "home" not in citation.write_query(explanation)


def test_the_citation_is_balanced_and_names_both_papers_and_the_software():
    assert citation.BIBTEX.count("@article{") == 2 and citation.BIBTEX.count("{") == citation.BIBTEX.count("}")
    assert "2412.16277" in citation.BIBTEX and "2602.01206" in citation.BIBTEX
    assert citation.BIBTEX.count("@software{") == 1 and f"version = {{{smile.__version__}}}" in citation.BIBTEX
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert readme.split("```bibtex\n")[1].split("```")[0] == citation.BIBTEX
    json.dumps(citation.BIBTEX)
