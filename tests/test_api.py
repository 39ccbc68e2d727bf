"""The named endpoints, from outside: `gradio_client` over HTTP."""

from pathlib import Path

import httpx
import pytest
from asking import TEXT, bad_files, region_file
from gradio_client import Client, handle_file
from test_runs import BAD
from tiny import FakeSegmenter

import app
from smile.models.editors import EDITORS
from smile.ui import engine as page_engine
from smile.ui import texts


@pytest.fixture(scope="module")
def client(fake_page):
    return Client(fake_page, verbose=False)


def test_explain(client, picture_file):
    job = client.submit(handle_file(picture_file), TEXT, edits=16, seed=0, api_name="/explain")
    explanation, edits = job.result(60)
    assert explanation["words"] == TEXT.split() and not explanation["provisional"]
    assert len(explanation["weights"]) == 6 and "snow" in explanation["finding"]
    assert len(edits) == 20 and Path(edits[0]["image"]).is_file()
    assert edits[0]["caption"] == f"{TEXT}\ndistance 0.00"
    assert any("[snow]" in edit["caption"] or "snow at]" in edit["caption"] or "[snow at" in edit["caption"] for edit in edits)
    assert edits[-1]["caption"].startswith("all words, other seed (4)\ndistance ")
    *partial, last = job.outputs()
    assert [each["done"] for each, _ in partial][:2] == [1, 9] and all(pictures == [] for _, pictures in partial)
    assert len(last[1]) == 20


def test_edits_may_be_left_to_the_words(client, picture_file):
    explanation, _ = client.predict(handle_file(picture_file), "make it snow", None, 7, api_name="/explain")
    assert len(explanation["texts"]) == 8 and explanation["settings"]["seed"] == 7


def test_another_editor_with_a_region_settings_and_options(client, picture_file, tmp_path, monkeypatch):
    monkeypatch.setattr(page_engine, "_load_segmenter", lambda *_: FakeSegmenter())
    asked = {"picture": handle_file(picture_file), "instruction": "snow", "editor": "inpaint", "edits": 2, "seed": 0}
    asked |= {"weights": "bundled", "settings": {"steps": 7}, "options": {"seeds": 3, "distance": "cosine"}}
    explanation, edits = client.predict(**asked, region=handle_file(region_file(tmp_path)), api_name="/explain")
    settings = explanation["settings"]
    assert settings["editor"] == "inpaint" and settings["editor_weights"] == "bundled" and settings["region"]
    assert settings["editor_settings"] == {"steps": 7} and settings["seeds"] == 3 and settings["distance"] == "cosine"
    assert len(edits) == 3 * 2 + 4
    explanation, _ = client.predict(**asked, region_phrase="the sky", api_name="/explain")
    assert explanation["settings"]["region"]


def test_compare(client, picture_file, tmp_path):
    job = client.submit(handle_file(picture_file), TEXT, edits=16, seed=3, api_name="/compare")
    explanations, edits = job.result(60)
    assert list(explanations) == list(EDITORS) and len(edits) == 3 * 20
    assert all("snow" in each["finding"] and each["settings"]["seed"] == 3 for each in explanations.values())
    assert edits[0]["caption"].startswith("instruct-pix2pix: please") and edits[-1]["caption"].startswith("inpaint: all words")
    *partial, _ = job.outputs()
    assert len(partial[0][0]) == 1 and all(pictures == [] for _, pictures in partial)
    region = handle_file(region_file(tmp_path))
    explanations, _ = client.predict(handle_file(picture_file), "make it snow", None, 0, region, api_name="/compare")
    assert [each["settings"]["region"] for each in explanations.values()] == [False, False, True]


def test_an_editor_that_cannot_has_a_problem_and_no_numbers(picture_file, broken_page):
    client = Client(broken_page, verbose=False)
    explanations, pictures = client.predict(handle_file(picture_file), TEXT, 16, 0, api_name="/compare")
    assert explanations == {name: {"problem": "There are no models."} for name in EDITORS} and pictures == []


ALIKE = [(change, sentence) for change, sentence in BAD if not set(change) & set(texts.OPTIONS)]


@pytest.mark.parametrize("endpoint", ["/explain", "/compare"])
@pytest.mark.parametrize("change, sentence", ALIKE, ids=[sentence for _, sentence in ALIKE])
def test_bad_input(client, picture_file, tmp_path, change, sentence, endpoint):
    values = {"picture": picture_file, "instruction": TEXT, "edits": 16, "seed": 0} | change
    values["picture"] = bad_files(tmp_path).get(values["picture"], values["picture"])
    values["picture"] = values["picture"] and handle_file(values["picture"])
    with pytest.raises(Exception, match=sentence) as caught:
        client.predict(**values, api_name=endpoint)
    assert "Traceback" not in str(caught.value)


BAD_CHOICES = [
    ({"editor": "inpaint"}, "inpaint needs a region"),
    ({"editor": "inpaint", "region_phrase": "the bicycle"}, "the bicycle"),
    ({"editor": "inpaint", "region_phrase": "the sky", "region": "road"}, "not both"),
    ({"editor": "inpaint", "region": "notes"}, "notes.png is not a picture"),
    ({"editor": "inpaint", "region": "bomb"}, "more than 64 million pixels"),
    ({"region": "road"}, "leave the region out"),
    ({"weights": "bundled-edges"}, "no weights “bundled-edges” of instruct-pix2pix"),
    ({"weights": "/etc"}, "not in the list"),
    ({"editor": "photoshop"}, "no editor called “photoshop”"),
    ({"settings": {"steps": 0}}, "from 1 to 200"),
    ({"settings": [1]}, "settings must be an object"),
    ({"options": [1]}, "options must be an object"),
    ({"options": {"sigma": 1}}, "no option “sigma”; there is reference, design"),
    ({"options": {"seeds": 100}}, "All seeds together are 1600 edits"),
    ({"options": {"surrogate": 3}}, "no surrogate “3”; there is linear, ridge, bayesian"),
]


@pytest.mark.parametrize("change, sentence", BAD_CHOICES, ids=[sentence for _, sentence in BAD_CHOICES])
def test_bad_choices(client, picture_file, tmp_path, monkeypatch, change, sentence):
    monkeypatch.setattr(page_engine, "_load_segmenter", lambda *_: FakeSegmenter())
    values = {"picture": handle_file(picture_file), "instruction": TEXT, "edits": 16, "seed": 0} | change
    if "region" in values:
        files = bad_files(tmp_path) | {"road": picture_file}
        values["region"] = handle_file(files[values["region"]])
    with pytest.raises(Exception, match=sentence) as caught:
        client.predict(**values, api_name="/explain")
    assert "Traceback" not in str(caught.value)


def test_a_region_that_is_none_is_one_sentence_for_all(client, picture_file, tmp_path):
    with pytest.raises(Exception, match="notes.png is not a picture"):
        region = handle_file(bad_files(tmp_path)["notes"])
        client.predict(handle_file(picture_file), TEXT, 16, 0, region, api_name="/compare")


def test_the_three_are_the_only_public_endpoints_and_have_types(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/explain", "/compare", "/ask"]
    parameters = {p["parameter_name"]: p["python_type"]["type"] for p in endpoints["/explain"]["parameters"]}
    asked = ["picture", "instruction", "edits", "seed", "editor", "weights", "region", "region_phrase", "settings", "options"]
    assert list(parameters) == asked
    assert parameters["instruction"] == parameters["region_phrase"] == "str" and parameters["seed"] == "float"
    assert parameters["region"].startswith("filepath") and "'inpaint'" in parameters["editor"]
    defaults = {p["parameter_name"]: p["parameter_default"] for p in endpoints["/explain"]["parameters"]}
    assert [defaults[name] for name in asked[2:]] == [None, 0, "instruct-pix2pix", "auto", None, "", None, None]
    compare = endpoints["/compare"]
    assert [p["parameter_name"] for p in compare["parameters"]] == ["picture", "instruction", "edits", "seed", "region"]
    assert compare["parameters"][-1]["parameter_default"] is None
    assert [r["label"] for r in compare["returns"]] == ["explanations", "pictures"]
    ask = {p["parameter_name"]: p["parameter_default"] for p in endpoints["/ask"]["parameters"] if p["parameter_has_default"]}
    assert ask == {"model": "toyroad", "rows": None, "seed": 0, "temperature": 0, "max_tokens": 40, "options": None}
    assert [r["label"] for r in endpoints["/ask"]["returns"]] == ["explanation"]


def test_only_what_the_page_needs_is_served(fake_page, client):
    for path in (app.__file__, "/etc/passwd", Path(app.__file__).parent / "smile" / "explain.py"):
        assert httpx.get(f"{fake_page}gradio_api/file={path}").status_code in (403, 404)
        with pytest.raises(Exception):  # noqa: B017
            client.predict({"path": str(path), "meta": {"_type": "gradio.FileData"}}, TEXT, 16, 0, api_name="/explain")
    assert httpx.get(f"{fake_page}gradio_api/file={app.PLOTLY_JS}").status_code == 200
