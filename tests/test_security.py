"""What the page and the package must not do, whatever is asked: mask, tell, fetch, run."""

import csv
import io
import json
import logging
import os
import re
import threading
import time
from pathlib import Path

import gradio as gr
import httpx
import pandas as pd
import pytest
from asking import ask, build_edit_tab
from bundles import run
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hostile.pictures import located, png
from hostile.requests import FORGED
from PIL import Image
from tiny import FakeBackend, FakeEmbedder, fake_models
from visitor import Visitor

import app
from smile import explain
from smile.io.images import open_picture
from smile.report.html import render_page
from smile.scenarios import table
from smile.ui import machine, middleware, texts
from smile.ui.engine import Engine

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*ROOT.glob("smile/**/*.py"), ROOT / "app.py"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The page's folder for files, of this test's own."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "cache").mkdir()
    return tmp_path


# The source


def test_nothing_is_unpickled_but_tensors_and_no_code_is_fetched():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bimport (c?[pP]ickle|marshal|shelve|dill|joblib)\b|pickle\.loads?\(", text), path
        assert not re.search(r"trust_remote_code\W+True|allow_pickle=True|os\.system|shell=True", text), path
        assert not re.search(r"(?<![.\w])(eval|exec)\(", text), path
        for call in re.findall(r"torch\.load\([^\n]*", text):
            assert "weights_only=True" in call, (path, call)


def test_markup_is_made_of_escaped_texts():
    hostile = "<script>alert(1)</script> </title><img src=x onerror=alert(2)>"
    made = run(hostile)
    page = render_page(made)
    assert "<script>alert(1)" not in page and "<img src=x" not in page and "</title><img" not in page
    assert "<img" not in texts.say_problem(hostile) and "<script" not in texts.say(hostile)
    figure = made.heatmap().to_json()
    assert "<img" not in figure and "<script>" not in figure


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", " =1", '=HYPERLINK("http://evil.example")'])
def test_a_spreadsheet_computes_no_cell_of_a_table(text):
    (head, row) = csv.reader(io.StringIO(table._write_csv(pd.DataFrame([(text, -0.5, True)]), ["a", "b", text]), newline=""))
    assert head[2] == row[0] == f"'{text}" and row[1:] == ["-0.5", "yes"]


# What a visitor gets


def test_every_answer_says_what_a_browser_may_do(fake_page):
    for path in ("", "config", "gradio_api/info", "nothing", "monitoring"):
        headers = httpx.get(fake_page + path).headers
        said = headers["content-security-policy"]
        assert "default-src 'self'" in said and "object-src 'none'" in said and "http" not in said
        assert "frame-ancestors" not in said  # not even *, which does not mean pages that are opened as files
        assert headers["x-content-type-options"] == "nosniff"
        assert "x-frame-options" not in headers  # any page may embed it


def test_monitoring_and_what_else_the_page_does_not_need_is_not_there(fake_page):
    for path in (
        "monitoring",
        "monitoring/summary",
        "gradio_api/deep_link?session_hash=a",
        "gradio_api/proxy=http://127.0.0.1/",
    ):
        assert httpx.get(fake_page + path).status_code == 404


def test_its_own_functions_have_no_names_for_programs(fake_page):
    answer = Visitor(fake_page).post("call/v2/plan", {"values": "x"})
    assert answer.status_code == 404 and answer.json()["error"] == "There is no such function."


def test_nothing_but_pixels_comes_back(folder):
    (folder / "photo.jpg").write_bytes(located())
    opened = open_picture(folder / "photo.jpg")
    assert opened.info == {} and not opened.getexif()

    class Telling(FakeBackend):
        def one(self, image, text, seed):
            made = super().one(image, text, seed)
            made.info = {"comment": b"SecretComment", "icc_profile": b"SecretProfile", "exif": b"Exif\0\0SecretCamera"}
            return made

    made = explain(str(folder / "photo.jpg"), "make snow", Telling("instruct-pix2pix", "bundled"), embedder=FakeEmbedder())
    made.save(folder / "out")
    for path in (folder / "out").rglob("*"):
        assert path.is_dir() or b"Secret" not in path.read_bytes(), path
    assert "U2VjcmV0" not in render_page(made)  # "Secret" in base 64
    assert all(not edit.info for edit in made.edits)


def test_nobodys_picture_or_instruction_is_in_a_log(folder, capfd, caplog):
    caplog.set_level(logging.INFO)
    (folder / "secretname.png").write_bytes(png((48, 48)))

    class Broken(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            if len(texts) > 1:
                raise RuntimeError("broken")
            return super().edit(image, texts, seed=seed)

    for load in (fake_models, lambda *names: (Broken(*names), FakeEmbedder())):
        answer = build_edit_tab(load).answer
        answer.engine._warm_up = lambda *_: None
        [*ask(answer.explain, str(folder / "secretname.png"), instruction="secretword make it snow")]
        [*ask(answer.explain, str(folder / "secretname.png"), instruction="secretword \x00")]
    shown = "".join(capfd.readouterr()) + caplog.text
    assert "secretword" not in shown and "secretname" not in shown


def test_the_page_says_what_it_keeps_and_that_is_true(folder):
    assert f"deleted after {texts.KEPT_HOURS} hours" in texts.build_guide()
    assert middleware.KEPT + middleware.SWEPT_EVERY < 3600 * texts.KEPT_HOURS
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False" and os.environ["HF_HUB_DISABLE_TELEMETRY"] in ("1", "True")
    old, new, foreign = folder / "cache" / "a" / "old.png", folder / "cache" / "b" / "new.png", folder / "smile-page-notes"
    left = folder / "smile-page-abcd_123"
    for path in (old, new, foreign / "x", left / "x.zip"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    long_ago = time.time() - middleware.KEPT - 1
    for path in (old, old.parent, foreign / "x", foreign, left / "x.zip", left):
        os.utime(path, (long_ago, long_ago))
    middleware.sweep()
    assert not old.exists() and not left.exists() and new.exists() and (foreign / "x").exists()


def test_a_visitor_has_so_many_runs_on_a_space_and_hears_it(monkeypatch, serve):
    monkeypatch.setattr(machine, "SPACE", True)
    monkeypatch.setattr(machine, "TRUSTED_PROXIES", 1)
    let_go = threading.Event()

    class Busy(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            let_go.wait(60)
            return super().edit(image, texts, seed=seed)

    one = Visitor(serve(lambda *names: (Busy(*names), FakeEmbedder())))
    data = [one.uploaded(png()), "make it snow", None, 0, "instruct-pix2pix", "auto", None, "", None, None]
    answers = [one.post("call/explain", {"data": data}) for _ in range(middleware.PER_VISITOR["editor"] + 2)]
    one.http.headers["x-forwarded-for"] = "10.0.0.1, 203.0.113.7"
    other = one.post("call/explain", {"data": data})  # somebody else
    let_go.set()
    assert [answer.status_code for answer in answers] == [200] * middleware.PER_VISITOR["editor"] + [429] * 2
    assert answers[-1].json()["detail"] == texts.ENOUGH and other.status_code == 200


def test_the_gate_stands_also_below_another_address():
    outer = gr.mount_gradio_app(FastAPI(), app.build(Engine(fake_models)), path="/tools/smile", **app.OPTIONS)
    with TestClient(outer) as visitor:
        body = {"data": [FORGED["an address"], "snow", *[None] * 8]}
        assert visitor.post("/tools/smile/gradio_api/call/explain", json=body).status_code == 400
        assert visitor.get("/tools/smile/gradio_api/deep_link?session_hash=a").status_code == 404
        assert "content-security-policy" in visitor.get("/tools/smile/").headers


def test_the_queue_and_the_memory_of_visits_have_an_end():
    assert app.demo._queue.max_size == 32 and not app.demo.api_open


@pytest.mark.slow
def test_many_visitors_at_once_and_a_short_soak():
    from benchmarks import load

    load.Slow.seconds = 0.001
    with load.Page() as page:
        outcomes = load.together(page.url, 50)
        assert set(outcomes) <= {"result", load.FULL} and outcomes["result"] >= 32 and sum(outcomes.values()) == 50
        seconds, batch = load.freed(page)
        assert seconds < batch + 5
        figures = load.soak(page.url, 4)
        assert figures["good"] and figures["refused"] and not figures.get("accepted nonsense") and not figures["files left"]
        figures = load.mix(page, 6, visitors=6)
    bad = [name for name in figures if name.startswith(("lost", "somebody"))]
    assert not bad and not figures["files left"] and figures["opened and exported"]


# The page's own description of itself, put to the test


def test_what_the_page_says_of_itself_holds(fake_page):
    """Like schemathesis: values of the kinds that the description allows, and of others, for every endpoint it names."""
    visitor = Visitor(fake_page)
    schema = visitor.http.get("gradio_api/openapi.json").json()
    assert schema["openapi"].startswith("3.") and {"/call/explain", "/call/compare"} <= {
        re.sub("^/gradio_api", "", path).replace("/call/v2", "/call") for path in schema["paths"]
    }
    kinds = {
        "null": None,
        "number": 1.5,
        "large": 1e300,
        "text": "snow",
        "long": "x" * 3000,
        "list": [],
        "object": {},
        "true": True,
    }
    for name, value in kinds.items():
        for body in ({"data": [value] * 10}, {"data": value}, {"data": [value]}, value):
            for endpoint in ("explain", "compare"):
                for place in ("call", "call/v2"):
                    answer = visitor.post(f"{place}/{endpoint}", json.dumps(body).encode())
                    assert answer.status_code < 500, (name, body, answer.text)


def test_the_pictures_of_the_page_are_not_somebodys_photographs():
    for path in (ROOT / "assets" / "examples").glob("*.png"):
        with Image.open(path) as opened:
            assert not opened.getexif()
