"""Running a suite: every cell kept, nothing done twice, the same bytes however it is shared and interrupted; its report."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from tiny import FakeBackend, FakeEmbedder, picture

from smile import InputError
from smile.__main__ import main
from smile.io.safe_zip import pack_zip
from smile.scenarios import archive, folder, models, report, run, suite, table

TEXT = """
name: <b>three</b> & one
description: Words with </script> in them.
attributes:
  weather: [snow, "<i>hail</i>"]
  illumination: [night, day]
  season: [summer]
templates:
  - make it {weather} please
  - {text: "make it {weather} at {illumination}", relevant: ["{weather}", "{illumination}"]}
pictures:
  - {path: one.png, shows: {season: summer}}
  - {path: two.png}
  - toyroad: {weather: fog, season: summer}
editors:
  - {name: instruct-pix2pix, weights: bundled}
  - {name: img2img-turbo, weights: bundled, settings: {steps: 3}}
options: {noise_seeds: 1}
"""
CELLS = 2 * (2 * 2 + 4 * 2 + 3)  # the grammar knows of no hail, and the scene is by day: three cells there


@pytest.fixture
def place(tmp_path):
    """A folder with the suite and its pictures."""
    (tmp_path / "suite.yaml").write_text(TEXT)
    picture().save(tmp_path / "one.png")
    picture((40, 56)).rotate(90, expand=True).save(tmp_path / "two.png")
    return tmp_path


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Whether an edit was carried out is told from two draws of what is left open, which is quicker."""
    monkeypatch.setattr("smile.toyroad.cases.DRAWS", 2)


def fake(name, weights):
    return FakeBackend(name, weights), FakeEmbedder()


def finished(place, out="out", load=fake, **how):
    """The steps of a whole run."""
    return list(run.explain_cells(suite.read_suite(place / "suite.yaml"), place / out, load=load, **how))


def files(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_every_cell_is_explained_and_kept(place):
    steps = finished(place)
    assert [step.done for step in steps] == list(range(CELLS + 1)) and steps[-1] == (CELLS, CELLS, 0.0)
    results = table.read_results(place / "out")
    assert len(results.cells) == CELLS and results.cells["failed"].isna().all()
    first = results.cells.iloc[0]
    assert first["instruction"] == "make it snow please" and first["top_word"] == "snow" and not first["significant"][0]
    kept = json.loads((place / "out" / "cells" / "0001.json").read_text())
    assert kept["explanation"]["seconds"] == {} and kept["explanation"]["settings"]["noise_seeds"] == 1
    assert kept["input"].startswith("data:image/webp") and kept["relevant"] is None and kept["carried_out"] is None
    drawn = results.cells[results.cells["picture"] == "scene 1"]
    assert set(drawn["carried_out"]) == {False} and results.cells["relevant"][2][2]
    settings = [json.loads(content)["explanation"]["settings"] for name, content in files(place / "out").items() if "/" in name]
    assert {(s["editor"], s["editor_settings"]["steps"]) for s in settings} == {("instruct-pix2pix", 10), ("img2img-turbo", 3)}


def test_what_is_there_is_not_done_again(place):
    stream = run.explain_cells(suite.read_suite(place / "suite.yaml"), place / "out", load=fake)
    for _ in range(5):
        next(stream)
    stream.close()
    before = files(place / "out")
    (place / "out" / "cells" / ".smile-0.part").write_text("half of a ce")  # of a process that was killed
    calls = []

    def load(name, weights):
        calls.append(FakeBackend(name, weights))
        return calls[-1], FakeEmbedder()

    steps = finished(place, load=load)
    assert steps[0].done == 4 and len(steps) == 1 + CELLS - 4
    assert len(calls) == 2, "each editor once"
    after = files(place / "out")
    assert all(after[name] == content for name, content in before.items())
    finished(place, "again")
    assert files(place / "again") == after


def test_processes_share_the_cells_and_write_the_same(place):
    finished(place, "alone")
    read = suite.read_suite(place / "suite.yaml")
    streams = [
        run.explain_cells(read, place / "shared", load=fake, share=lambda names, i=i: names[i::2], is_main=i == 0)
        for i in range(2)
    ]
    for stream in streams:
        next(stream)  # both have their list before either begins, as accelerate's broadcast sees to
    for stream in streams:
        list(stream)
    assert files(place / "alone") == files(place / "shared")


def test_a_cell_that_fails_is_kept_and_tried_again(place):
    class Blocked(FakeBackend):
        def edit(self, image, texts, **how):
            if "hail" in texts[0]:
                raise InputError("Hail is blocked <here>.")
            return super().edit(image, texts, **how)

    def load(name, weights):
        if name == "img2img-turbo":
            raise InputError("There are no weights.")
        return Blocked(name, weights), FakeEmbedder()

    assert finished(place, load=load)[-1].done == CELLS
    found = report.write_report(place / "out")["summary"]
    whys = [failure["why"] for failure in found["failures"]]
    assert whys.count("There are no weights.") == CELLS // 2 and whys.count("Hail is blocked <here>.") == 7
    assert found["cells"]["done"] == CELLS // 2 - 7 and found["cells"]["failed"] == CELLS // 2 + 7
    assert "Hail is blocked &lt;here&gt;." in (place / "out" / "report.html").read_text()
    assert {row["failed"] for row in csv.DictReader((place / "out" / "cells.csv").open())} == {"", *whys}
    steps = finished(place)
    assert steps[0].done == CELLS // 2 - 7 and steps[-1].done == CELLS
    finished(place, "other")
    assert table.write_cells_csv(table.read_results(place / "out")) == table.write_cells_csv(
        table.read_results(place / "other")
    )


def test_words_that_nobody_can_judge_fail_their_cell_before_it_is_edited(place):
    words = "add put place remove erase delete make paint turn change show let set give transform cover color"
    plain = f"name: n\nattributes: {{weather: [snow]}}\ntemplates: ['{words} {{weather}}', 'make it {{weather}}']\n"
    (place / "suite.yaml").write_text(plain + "editors: [instruct-pix2pix]\npictures: [{toyroad: {weather: clear}}]\n")
    made = finished(place)
    assert made[-1].done == 2
    failed = table.read_results(place / "out").cells["failed"]
    assert list(failed.isna()) == [False, True]
    assert failed[0] == f"Toy Road cannot say which words of “{words} snow” matter; use fewer verbs."


def test_another_suite_is_refused(place):
    finished(place)
    written = (place / "suite.yaml").read_text()
    (place / "suite.yaml").write_text(f"# a remark\n{written.replace('name: <b>three</b>', 'name: 3')}")
    assert len(finished(place)) == 1, "remarks, name and description change no result"
    (place / "suite.yaml").write_text(written.replace("noise_seeds: 1", "noise_seeds: 2"))
    with pytest.raises(InputError, match="has the results of another suite; choose another folder"):
        finished(place)
    (place / "suite.yaml").write_text(written)
    picture().rotate(180).save(place / "one.png")
    with pytest.raises(InputError, match="has the results of another suite"):
        finished(place)


def test_a_folder_that_cannot_be_used(place):
    (place / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        finished(place, "file")
    with pytest.raises(InputError, match="There are no results of a suite in"):
        report.render_folder(place)
    finished(place)
    (place / "out" / "cells" / "0003.json").write_text("{")
    with pytest.raises(InputError, match="0003.json cannot be read; delete it"):
        report.render_folder(place / "out")


def test_a_run_is_opened_where_its_pictures_and_editors_are_not(place, tmp_path, monkeypatch):
    finished(place)
    archive.write_archive(archive.collect_run(place / "out"), tmp_path / "run.zip")
    for name in ("one.png", "two.png"):
        (place / name).unlink()
    monkeypatch.setattr(models, "EDITORS", {})
    opened = archive.read_archive(tmp_path / "run.zip")
    assert opened == archive.collect_run(place / "out") and len(opened.cells) == CELLS
    opened.plan["fingerprint"] = "0" * 63
    archive.write_archive(opened, tmp_path / "run.zip")
    with pytest.raises(InputError, match="the fingerprint is none"):
        archive.read_archive(tmp_path / "run.zip")


@pytest.mark.parametrize("held", ['{"a": "\\ud800"}', '{"a": 1e999}', "[" * 700 + "]" * 700])
def test_what_could_not_be_written_again_is_not_opened(place, tmp_path, held):
    (place / "suite.yaml").write_text(TEXT.partition("  - {path: two")[0] + "editors: [instruct-pix2pix]\n")
    finished(place)
    run_ = archive.collect_run(place / "out")
    cells = {f"cells/{cell['id']}.json": json.dumps(cell | {"trust": "HERE"}).replace('"HERE"', held) for cell in run_.cells}
    (tmp_path / "run.zip").write_bytes(pack_zip([("suite.json", json.dumps(run_.plan)), *cells.items()]))
    with pytest.raises(InputError, match="0001.json is damaged|should be a valid dictionary"):
        archive.read_archive(tmp_path / "run.zip")


def test_where_there_is_nothing_to_explain(place):
    plain = "name: n\nattributes: {weather: [sunny]}\ntemplates: ['make it {weather}']\neditors: [inpaint]\n"
    (place / "suite.yaml").write_text(plain + "pictures: [{toyroad: {weather: clear}}]")
    with pytest.raises(InputError, match="so there is nothing to explain"):
        finished(place)


def test_the_tables_say_what_the_cells_say(place):
    finished(place)
    found = report.write_report(place / "out")["summary"]
    assert json.loads((place / "out" / "summary.json").read_text()) == found
    rows = list(csv.DictReader((place / "out" / "words.csv").open()))
    cells = list(csv.DictReader((place / "out" / "cells.csv").open()))
    assert len(cells) == CELLS and len(rows) == sum(len(cell["instruction"].split()) for cell in cells)

    snow = [float(row["weight"]) for row in rows if row["word"] == "snow" and row["model"] == "instruct-pix2pix"]
    value, hail = found["values"][0], found["values"][2]
    assert (value["attribute"], value["value"], value["model"]) == ("weather", "snow", "instruct-pix2pix")
    assert value["cells"] == len(snow) == 8 and value["weight"] == pytest.approx(np.mean(snow))
    assert hail["value"] == "<i>hail</i>" and abs(hail["weight"]) < 0.1 < value["weight"]
    weather, illumination, season = (row for row in found["attributes"] if row["model"] == "instruct-pix2pix")
    assert season["cells"] == 0 and season["auroc"] is None and season["spread"] is None
    assert weather["cells"] == 15 and illumination["cells"] == 10
    known = [float(cell["auroc"]) for cell in cells if cell["auroc"] and cell["model"] == "instruct-pix2pix"]
    assert len(known) == 11 and weather["auroc"] == pytest.approx(np.mean(known))
    assert 0 <= weather["same_top_word"] <= 1 and 0 <= weather["overlap"] <= 1 and weather["spread"] >= 0

    covered = found["coverage"]
    seen = {(value["attribute"], value["value"]): (value["asked"], value["shown"]) for value in covered["values"]}
    assert seen["season", "summer"] == (0, 18) and seen["weather", "snow"] == (16, 0)
    pairs = {tuple(tuple(value) for value in pair["values"]): pair["cells"] for pair in covered["pairs"]}
    assert (
        pairs[("weather", "snow"), ("illumination", "night")] == 6 and pairs[("illumination", "day"), ("season", "summer")] == 6
    )
    assert covered["exercised"] == {"values": 5, "of_values": 5, "pairs": 8, "of_pairs": 8}


def test_a_suite_may_ask_for_trust(place):
    text = (place / "suite.yaml").read_text().replace("  - {path: two.png}\n", "").replace('snow, "<i>hail</i>"', "snow")
    (place / "suite.yaml").write_text(text.partition("  - toyroad")[0] + "editors: [instruct-pix2pix]\ntrust: true\n")
    finished(place)
    found = report.write_report(place / "out")["summary"]["attributes"][0]
    assert found["cells"] == 3 and found["inserted_overlap"] > 0.5 and found["seeds_top_word"] == 1
    assert 0 <= found["seeds_spread"] < 0.1 and found["better_than_random"] > 0.5 and found["area_between"] > 0
    kept = json.loads((place / "out" / "cells" / "0001.json").read_text())
    assert set(kept["trust"]) == {"stability", "consistency", "faithfulness"}
    page = (place / "out" / "report.html").read_text()
    assert all(f">{heading}</th>" in page for heading in ("stability", "consistency over seeds", "faithfulness"))


def test_alike_explanations_are_consistent_and_stable():
    def row(weights, picture_, value="snow", significant=True):
        arrays = {"weights": np.array(weights, float), "significant": np.full(2, significant), "words": ["make", value]}
        return {"model": "e", "number": 0, "picture": picture_, "instruction": f"make {value}", "shape": "alike"} | arrays

    alike = pd.DataFrame([row([0, 0.8], "a"), row([0, 0.8], "b"), row([0, 0.8], "c")])
    found = table.measure_consistency(alike)
    assert found == {"spread": pytest.approx(0), "same_top_word": 1, "rank_correlation": pytest.approx(1)}
    found = table.measure_consistency(pd.DataFrame([row([0, 0.8], "a"), row([0, 0.8], "b"), row([0.8, 0], "c")]))
    assert found["same_top_word"] == pytest.approx(2 / 3) and found["rank_correlation"] == pytest.approx(-1 / 3)
    assert table.measure_consistency(alike[:1]) == dict.fromkeys(("spread", "same_top_word", "rank_correlation"))
    assert table.measure_stability(alike) == {"overlap": None, "same_significant": None}
    found = table.measure_stability(pd.DataFrame([row([0.2, 0.8], "a"), row([0.2, 0.4], "a", "rain", False)]))
    assert found == {"overlap": pytest.approx(0.6), "same_significant": 0}


def test_the_report_is_one_page_and_says_what_a_suite_says_as_text(place):
    finished(place)
    page = report.render_folder(place / "out")
    assert len(page.encode()) < 10_000_000 and page == report.render_folder(place / "out")
    assert "<b>three</b>" not in page and "<i>hail</i>" not in page and page.count("</script>") == page.count("<script")
    assert "&lt;b&gt;three&lt;/b&gt; &amp; one" in page
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=['"](?!data:|#)""", own) and "http" not in own
    for name in ("words-0", "words-1", "values-0", "values-1", "pairs"):
        assert f'id="{name}"' in page


def test_an_unfinished_run_has_a_report(place):
    stream = run.explain_cells(suite.read_suite(place / "suite.yaml"), place / "out", load=fake)
    next(stream)
    assert "This run is not finished" in report.render_folder(place / "out")
    next(stream)
    assert report.write_report(place / "out")["summary"]["cells"]["done"] == 1
    stream.close()


@pytest.mark.browser
def test_the_report_in_a_browser(place, visit):
    finished(place)
    path = report.write_report(place / "out")["report"]
    for width in (1440, 390):
        page = visit(path.as_uri(), width=width, wait="#pairs .main-svg")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#words-0 .trace.boxes").count() == 2
        assert "hail" in page.inner_text("#values-0") and "null" not in page.inner_text("main")
        places = "[...document.querySelectorAll('.scroll > div:has(.js-plotly-plot)')]"
        page.wait_for_function(f"{places}.every(p => p.querySelector('.main-svg').clientWidth <= p.clientWidth)")


# The command


def test_the_command(place, capsys, monkeypatch):
    monkeypatch.setattr(run, "load_models", lambda name, weights, device: fake(name, weights))
    asked = ["scenarios", str(place / "suite.yaml"), "--out", str(place / "out")]
    assert main(asked) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [f"{CELLS} of {CELLS} cells explained", str(place / "out" / "report.html")]
    assert shown.err.strip().split("\r")[-1].strip() == f"{CELLS} of {CELLS} cells, 0 s left"
    (place / "out" / "report.html").unlink()
    assert main([*asked, "--report-only"]) == 0 and (place / "out" / "report.html").is_file()


def test_the_command_answers_bad_input_with_one_line(place, capsys):
    assert main(["scenarios", str(place / "absent.yaml"), "--out", str(place / "out")]) == 2
    assert main(["scenarios", str(place / "suite.yaml"), "--out", str(place / "nowhere"), "--report-only"]) == 2
    assert main(["scenarios", str(place / "suite.yaml"), "--out", str(place / "out"), "--threads", "0"]) == 2
    absent, nowhere, threads = capsys.readouterr().err.splitlines()
    assert absent.startswith("smile: There is no suite at") and nowhere.startswith("smile: There are no results of a suite in")
    assert threads == "smile: --threads must be at least 1."


def test_an_interrupted_run_says_how_to_go_on(place, capsys, monkeypatch):
    class Interrupted(FakeBackend):
        def edit(self, image, texts, **how):
            if len(self.calls) == 12:
                raise KeyboardInterrupt
            return super().edit(image, texts, **how)

    monkeypatch.setattr(run, "load_models", lambda name, weights, device: (Interrupted(name, weights), FakeEmbedder()))
    assert main(["scenarios", str(place / "suite.yaml"), "--out", str(place / "out")]) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert 0 < len(folder.list_done_cells(place / "out")) < CELLS
