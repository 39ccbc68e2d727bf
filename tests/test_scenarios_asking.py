"""Suites that ask a language model: prompts instead of pictures and editors, the same folder, tables, report and page."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from answering import RuleModel, WritingModel
from asking import build_scenarios_tab
from small_suite import read_all, zipped
from tiny import fake_models

from smile import InputError, load_language_model
from smile.scenarios import archive, cells, folder, report, run, suite
from smile.ui.language_engine import LanguageEngine
from smile.ui.tabs.scenarios import LIMITS, SharedLanguageModel

PLAIN = {
    "name": "colours",
    "attributes": {"colour": ["red", "blue"], "sky": {"of": "what is above", "values": ["clear"]}},
    "templates": [
        {
            "text": "A {colour} car waits under a {sky} sky.",
            "relevant": ["{colour}", "car"],
            "answer": "the car is {colour}.",
        }
    ],
    "language_model": {"name": "toyroad", "settings": {"max_tokens": 20}},
    "edits": 12,
    "options": {"noise_seeds": 1},
}


class SetModel(RuleModel):
    """One that takes settings."""

    def with_settings(self, **settings):
        assert settings == {"max_tokens": 20}
        return self


def write(path: Path, **changes) -> Path:
    values = {name: value for name, value in (PLAIN | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def explain(path: Path, out: Path, model=SetModel, **options) -> suite.Suite:
    read = suite.read_suite(path)
    list(run.explain_cells(read, out, load=lambda name, weights: (model(), None), **options))
    return read


def read_csv(path: Path) -> list[dict]:
    return list(csv.DictReader(path.open(encoding="utf-8")))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The folder of a finished run with its report."""
    place = tmp_path_factory.mktemp("asking")
    explain(write(place / "suite.yaml"), place / "out")
    report.write_report(place / "out")
    return place / "out"


def test_the_tables_say_what_was_found(made):
    first, second = read_csv(made / "cells.csv")
    assert (first["prompt"], second["answer"]) == ("A red car waits under a clear sky.", "The car is blue.")
    assert "picture" not in first and first["answered"] == "yes"
    assert first["top word"] in ("red", "car") and first["top word matters"] == "yes" and first["named words"] == "2"
    words = read_csv(made / "words.csv")
    assert {row["word"] for row in words if row["named"] == "yes"} == {"red", "blue", "car"}
    assert {row["word"] for row in words if row["should matter"] == "yes"} == {"red", "blue", "car"}
    summary = json.loads((made / "summary.json").read_text())
    value = summary["values"][0]
    assert (value["value"], value["cells"], value["significant"]) == ("red", 1, 1.0)
    colour, sky = summary["attributes"]
    assert colour["auroc"] == colour["carried_out"] == 1.0 and (colour["of"], sky["of"]) == ("colour", "what is above")


def test_the_report_speaks_of_prompts_and_answers(made):
    page = (made / "report.html").read_text(encoding="utf-8").rpartition("<main>")[2]
    assert "The car is red." in page and "answered as it should be" in page and "have no stars" in page
    for word in ("picture", "edit ", "edits", "carried out", "significant"):
        assert word not in page.partition("<h2>How it was made")[0].replace("plotly", ""), word


def test_a_run_is_resumed_and_shared_with_the_same_bytes(made, tmp_path):
    path = write(tmp_path / "suite.yaml")
    explain(path, tmp_path / "out", share=lambda names: names[:1])
    assert folder.list_done_cells(tmp_path / "out") == {"0001"}
    explain(path, tmp_path / "out", is_main=False)
    for cell in made.glob("cells/*.json"):
        assert (tmp_path / "out" / "cells" / cell.name).read_bytes() == cell.read_bytes()


def test_a_zip_of_it_is_opened_and_one_changed_number_is_found(made, tmp_path):
    (tmp_path / "run.zip").write_bytes(zipped(made))
    opened = archive.read_archive(tmp_path / "run.zip")
    assert report.render_report(opened.results, json.loads((made / "summary.json").read_text())).count("The car is red.") == 1

    def change(name, data):
        if not name.startswith("cells/"):
            return data
        cell = json.loads(data)
        cell["explanation"]["log_probs"][3][0] -= 0.5
        return json.dumps(cell).encode()

    (tmp_path / "changed.zip").write_bytes(zipped(made, change=change))
    with pytest.raises(InputError, match="cannot be believed"):
        archive.read_archive(tmp_path / "changed.zip")


def test_trust_is_measured_where_the_suite_asks_for_it(tmp_path):
    explain(write(tmp_path / "suite.yaml", trust=True, attributes={"colour": ["red"], "sky": ["clear"]}), tmp_path / "out")
    [cell] = folder.read_cells(tmp_path / "out")
    assert cell["scores"]["lds"] > 0.5 and set(cell["trust"]) == {"foresight", "drop"}
    (tmp_path / "run.zip").write_bytes(zipped(tmp_path / "out"))
    archive.read_archive(tmp_path / "run.zip")


def test_a_model_that_only_writes_and_one_that_fails_have_their_cells_too(tmp_path):
    path = write(tmp_path / "suite.yaml", language_model="endpoint", edits=None)
    explain(path, tmp_path / "out", WritingModel)
    assert all(cell["failed"] is None and cell["carried_out"] for cell in folder.read_cells(tmp_path / "out"))
    explain(path, tmp_path / "failed", lambda: WritingModel(fail=["A red car waits under a clear sky."]))
    one, other = folder.read_cells(tmp_path / "failed")
    assert "gave no answer" in one["failed"] and other["failed"] is None
    report.write_report(tmp_path / "failed")


def test_the_bundled_model_s_truth_is_known_where_the_suite_does_not_say(tmp_path):
    text = "It is {sky} now. A {colour} car is on the left. What color is the car?"
    path = write(tmp_path / "suite.yaml", templates=[text], attributes={"colour": ["red"], "sky": ["foggy"]}, edits=None)
    [cell], left_out = cells.plan_cells(suite.read_suite(path))
    relevant = [word for word, matters in zip(cell.instruction.split(), cell.find_relevant_words(), strict=True) if matters]
    assert left_out == 0 and relevant == ["red", "car", "color", "car?"]
    assert cell.is_answered("the car  is red.") and cell.is_answered("The car is blue.") is False
    unknown = write(tmp_path / "other.yaml", templates=["Tell me about {sky} and {colour}"], edits=None)
    assert cells.plan_cells(suite.read_suite(unknown))[0][0].find_relevant_words() is None


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"editors": ["inpaint"]}, "A suite has either editors or a language model; take out editors or language_model."),
        ({"pictures": [{"toyroad": {}}]}, "A language model is shown no pictures; take them out of the suite."),
        ({"language_model": "gpt"}, "The language model must be one of toyroad, .* or a repository of the Hub, not “gpt”."),
        ({"language_model": {"name": "toyroad", "settings": {"steps": 3}}}, "of the language model cannot have “steps”"),
        ({"language_model": {"name": "toyroad", "settings": {"max_tokens": 0}}}, "of the language model must be a whole"),
        ({"language_model": None}, "A suite lacks “pictures”"),
        ({"language_model": ["toyroad"]}, "Language_model must be a mapping of name, weights, settings, not a list"),
        ({"options": {"distance": "patches"}}, "Answers have no patches"),
        ({"options": {"reference": "input"}}, "Answers have no input picture"),
        ({"templates": [{"text": "a {colour} car", "answer": "{sky}"}]}, "{sky} in the answer of template 1 must"),
        ({"templates": ["{colour} " + "word " * 64]}, "cannot be explained: There are 65 words"),
        ({"edits": 3}, "cannot be explained: 3 edits are too few"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence_before_anything_is_loaded(tmp_path, changes, sentence):
    with pytest.raises(InputError, match=sentence.replace("{", r"\{")) as refused:
        suite.read_suite(write(tmp_path / "suite.yaml", **changes))
    assert str(refused.value).count(". ") <= 1


def test_an_answer_is_no_part_of_a_suite_of_editors_and_edits_alone_are_cached(tmp_path):
    edits = {"language_model": None, "editors": ["instruct-pix2pix"], "pictures": [{"toyroad": {}}]}
    with pytest.raises(InputError, match="Template 1 says an answer, and an editor gives none"):
        suite.read_suite(write(tmp_path / "suite.yaml", attributes={"weather": ["red"]}, **edits | {
            "templates": [{"text": "a {weather}", "answer": "{weather}"}]}))  # fmt: skip
    with pytest.raises(InputError, match="Only edits are kept in a cache"):
        explain(write(tmp_path / "suite.yaml"), tmp_path / "out", cache=str(tmp_path / "cache"))


def test_a_brought_suite_names_no_model_that_the_page_has_not(tmp_path):
    for model in ("somebody/else", str(tmp_path), {"name": "toyroad", "weights": str(tmp_path)}):
        with pytest.raises(InputError, match="must be one of toyroad|has its own weights here"):
            suite.read_suite(write(tmp_path / "suite.yaml", language_model=model), LIMITS)


# The page


@pytest.fixture
def tab():
    tab = build_scenarios_tab(fake_models)
    tab.language_engine = LanguageEngine(lambda name, device: load_language_model(name, device="cpu"))
    return tab


def test_the_page_says_what_it_takes_and_runs_it(tab, tmp_path):
    small = {"templates": ["A {colour} car is on the left. What color is the car?"], "attributes": {"colour": ["red"]}}
    brought = read_all(tab.bring, str(write(tmp_path / "suite.yaml", **small, edits=16)))
    assert "1: 1 prompt, toyroad" in brought[-1]["plan_text"] and "up to 29 prompts" in brought[-1]["plan_text"]
    steps = read_all(tab.run, None, brought[0]["brought"])
    assert "Done: 1 cell" in steps[-1]["status"]
    [cell] = steps[-1]["finished"].cells
    assert cell["failed"] is None and cell["carried_out"] is True
    assert "The car is red." in steps[-1]["report"]["page"]


def test_the_page_refuses_what_would_take_too_long(tab, tmp_path):
    for changes, why in (
        ({"edits": 300}, "at most 256 are made"),
        ({"language_model": {"name": "toyroad", "settings": {"max_tokens": 300}}}, "1 to 256 tokens"),
        ({"attributes": {"colour": [f"c{i}" for i in range(50)], "sky": ["clear"]}, "edits": 200}, "4000 prompts"),
    ):
        assert why in read_all(tab.bring, str(write(tmp_path / "suite.yaml", **changes)))[-1]["plan_text"]


def test_the_shared_model_is_the_engine_s(tab):
    shared = SharedLanguageModel(tab.language_engine, suite.Model("toyroad", "toyroad", "auto", (("max_tokens", 9),)))
    *_, last = shared.explain(None, "A red car is here. What color is the car?", {"edits": 16, "seed": 1, "noise_seeds": 0})
    assert last.settings["seed"] == 1 and last.settings["units"] == "words" and len(last.texts) == 16
