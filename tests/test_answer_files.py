"""What is made of an explained answer: the command line, trust, the Python lines, and the page of its own in Chromium."""

import json
import re

import numpy as np
import pytest
from answering import RuleModel, WritingModel

import smile
from smile import explain_answer, load
from smile.__main__ import main
from smile.evaluation.answer_trust import measure_answer_trust, measure_lds, report_answer
from smile.report.answer_citation import write_answer_python
from smile.report.answer_payload import answer_payload, find_differences, group_answers

PROMPT = "You see one red car near the river.\nThis is a rainy place.\nWhat is the color and the weather?"
SHORT = "A red car. What color?"


@pytest.fixture(scope="module")
def explained():
    return explain_answer(PROMPT, RuleModel(0.02))


@pytest.fixture
def rules(monkeypatch):
    monkeypatch.setattr(smile, "load_language_model", lambda name, **settings: RuleModel(0.02))


def test_the_command_asks_and_writes_what_can_be_opened(rules, tmp_path, capsys):
    assert main(["ask", "--model", "rules", "--prompt", SHORT, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("The car is red.\n") and "alone" not in said.split("\n")[0]
    assert (
        load(tmp_path).to_json().split('"seconds"')[0] == explain_answer(SHORT, RuleModel(0.02)).to_json().split('"seconds"')[0]
    )
    assert {path.name for path in tmp_path.iterdir()} == {"explanation.json", "heatmap.html", "heatmap.png"}


def test_a_prompt_may_come_from_a_file_and_bad_input_is_one_line(rules, tmp_path, capsys):
    (tmp_path / "prompt.txt").write_text(SHORT, encoding="utf-8")
    assert main(["ask", "--model", "rules", "--prompt", f"@{tmp_path / 'prompt.txt'}", "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    for prompt in ("", "?", f"@{tmp_path / 'none.txt'}", "word " * 70):
        assert main(["ask", "--model", "rules", "--prompt", prompt, "--out", str(tmp_path / "out")]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_saved_answer_is_evaluated_and_exported(rules, explained, tmp_path, capsys):
    explained.write(tmp_path / "e.zip")
    arguments = ["--bundle", str(tmp_path / "e.zip"), "--relevant", "red, car, rainy, weather"]
    assert main(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "trust.json").read_text())
    names = [entry["name"] for entry in report["report"]]
    assert names == ["fidelity", "accuracy", "design health", "foresight", "drop"] and report["further_edits"] > 64
    said = capsys.readouterr().out
    assert "edit" not in said and "picture" not in said
    for name in ("e.html", "e.png", "e.json"):
        assert main(["export", str(tmp_path / "e.zip"), "--out", str(tmp_path / name)]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["answers"][0] == explained.answer


def test_weights_foretell_held_out_prompts(explained):
    *_, last = measure_answer_trust(explained, RuleModel(0.02))
    assert last.entries["foresight"].numbers["lds"] > 0.3
    drop = last.entries["drop"].numbers
    assert drop["drop"][1] > drop["random_drop"][1] and len(drop["drop"]) == 5
    with pytest.raises(smile.InputError, match="only writes"):
        next(measure_answer_trust(explained, WritingModel()))
    assert measure_lds([1.0, 0.0], [[0, 0], [1, 0], [1, 1]], np.array([0.1, 0.5, 0.6])) > 0.8
    assert measure_lds([1.0, 0.0], [[0, 0], [1, 0]], np.array([0.5, 0.5])) is None
    assert [entry.name for entry in report_answer(explained)] == ["fidelity", "design health"]


def test_answers_are_grouped_with_their_differences(explained):
    groups = group_answers(explained)
    assert groups[0]["itself"] and groups[0]["parts"] == [["same", explained.answer]]
    assert sum(len(group["rows"]) for group in groups) == len(explained.texts)
    counts = [len(group["rows"]) for group in groups[1:]]
    assert counts == sorted(counts, reverse=True)
    assert find_differences("a b c", "a x c d") == [["same", "a"], ["gone", "b"], ["new", "x"], ["same", "c"], ["new", "d"]]
    assert find_differences("a", "") == [["gone", "a"]]


def test_the_python_lines_make_the_same(explained, monkeypatch, capsys):
    for e in (explained, explain_answer(SHORT, WritingModel(), seed=3, distance="wasserstein", noise_seeds=0)):
        model = RuleModel(0.02) if e.log_probs is not None else WritingModel()
        monkeypatch.setattr(smile, "load_language_model", lambda name, model=model: model)
        names = {}
        exec(write_answer_python(e), names)
        assert names["explanation"].to_json().split('"seconds"')[0] == e.to_json().split('"seconds"')[0]


def test_the_payload_is_plain_json(explained):
    drawn = json.loads(json.dumps(answer_payload(explained), allow_nan=False))
    assert drawn["segments"] == explained.segments and len(drawn["maps"]) == len(drawn["words"]) == 20


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_of_its_own_answers_choices(explained, visit, tmp_path, theme):
    explained.write(tmp_path / "e.html")
    page = visit((tmp_path / "e.html").as_uri(), wait=".prompt .heatmaplayer", theme=theme)
    assert page.inner_text(".finding") in explained.finding
    title = page.inner_text(".prompt h2")
    page.click(".segments button:nth-child(2)")
    page.wait_for_function("title => document.querySelector('.prompt h2').textContent !== title", arg=title)
    assert "It is wet outside." in page.inner_text(".prompt h2")
    page.focus(".cells button:nth-child(4)")
    page.keyboard.press("Enter")
    assert page.get_attribute(".cells button:nth-child(4)", "aria-pressed") == "true"
    assert f"{explained.maps[3, 0]:+.2f}" in page.inner_text(".segments button:nth-child(1)").replace("−", "-")
    assert page.locator(".answers li").count() == len(group_answers(explained))
    page.click("text=Matrix")
    assert page.locator(".matrix tbody tr").count() == 20
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
def test_nothing_tells_before_the_guess_and_then_there_is_a_score(explained, visit, tmp_path):
    explained.write(tmp_path / "e.html")
    page = visit((tmp_path / "e.html").as_uri() + "?guess=1", wait=".prompt .heatmaplayer")
    words = page.locator(".cells button")
    labels = words.evaluate_all("all => all.map(each => each.ariaLabel)")
    assert labels == explained.words and "Mark them" in page.inner_text(".finding")
    assert not re.search(r"[+−-]\d\.\d\d", page.inner_text("body"))
    for hidden in (".gallery", ".paths", ".more", ".numbers", ".pin"):
        assert not page.is_visible(hidden)
    first = int(np.argmax(explained.leading))
    for word in (first, int(np.argmin(explained.leading))):
        words.nth(word).focus()
        page.keyboard.press("Enter")
    page.click(".reveal")
    score = page.inner_text(".score")
    assert f"You found 1 of the {explained.leading.sum()} words that did it." in score and "Marked, but" in score
    assert words.nth(first).get_attribute("aria-label").endswith("marked by you") and page.is_visible(".gallery")
