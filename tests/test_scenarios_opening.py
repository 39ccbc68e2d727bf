"""The page's second tab: finished runs that are opened again, and everything that is none."""

import html
import io
import json
import zipfile
from pathlib import Path

import pytest
from asking import build_scenarios_tab, read
from small_suite import run_suite, zipped

from smile.scenarios import archive
from smile.ui import texts
from smile.ui.tabs import scenarios


@pytest.fixture
def tab():
    return build_scenarios_tab()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run_suite(tmp_path_factory.mktemp("run"))


def opened(tab, path):
    return read(tab.open_run, tab.open_run(str(path)))


# Opening


def test_a_run_of_the_command_line_is_opened(tab, finished, tmp_path):
    for above in ("", "out/", "results/out/"):
        (tmp_path / "run.zip").write_bytes(zipped(finished, above, more=[("__MACOSX/suite.json", "x"), ("notes.txt", "x")]))
        now = opened(tab, tmp_path / "run.zip")
        assert texts.RUN_OPENED in now["status"] and "4 of 4" in now["report"]["page"]
        assert now["finished"] == archive.collect_run(finished) and now["download_row"]["visible"]


def test_what_was_taken_away_is_opened_again_and_makes_the_same_bytes(tab, finished, tmp_path):
    made = archive.collect_run(finished)
    ((file, _),) = ((Path(file).read_bytes(), said) for file, said in scenarios.write_report("zip", made))
    (tmp_path / "taken.zip").write_bytes(file)
    assert opened(tab, tmp_path / "taken.zip")["finished"] == made
    archive.write_archive(made, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == file
    assert zipfile.ZipFile(tmp_path / "taken.zip").read("report.html") == (finished / "report.html").read_bytes()
    assert [said for _, said in scenarios.write_report("zip", None)] == [texts.say_problem(texts.NO_REPORT)]


def test_a_report_that_comes_along_is_not_believed(tab, finished, tmp_path):
    evil = {"report.html": b"<script>evil()</script>", "cells.csv": b"evil", "summary.json": b"evil"}
    (tmp_path / "run.zip").write_bytes(zipped(finished, change=lambda name, data: evil.get(name, data)))
    assert "evil" not in opened(tab, tmp_path / "run.zip")["report"]["page"]


def test_part_of_a_run_is_a_run(tab, finished, tmp_path):
    (tmp_path / "run.zip").write_bytes(zipped(finished, only=lambda name: "0002" not in name))
    now = opened(tab, tmp_path / "run.zip")
    assert "3 of 4" in now["report"]["page"] and "This run is not finished" in now["report"]["page"]


def changed(finished, name, change):
    """A zip of the run in which the JSON file of that name has been changed."""

    def changing(each, data):
        if each != name:
            return data
        value = json.loads(data)
        change(value)
        return json.dumps(value)

    return zipped(finished, change=changing)


def put(*path_and_value):
    """A change that puts a value at a path."""

    def change(found):
        *path, last, value = path_and_value
        for key in path:
            found = found[key]
        found[last] = value

    return change


HTML = "<img src=x onerror=alert(1)>"
FOLLOWS = "does not follow from the suite"
CHANGED = [
    ("suite.json", put("extra", 1), f"“extra” {FOLLOWS}"),
    ("suite.json", lambda plan: plan.pop("cells"), "lacks “cells”"),
    ("suite.json", put("name", 1), f"“name” {FOLLOWS}"),
    ("suite.json", put("name", "a\u0007"), f"“name” {FOLLOWS}"),
    ("suite.json", put("fingerprint", HTML), f"“fingerprint” {FOLLOWS}"),
    ("suite.json", put("left_out", "1"), f"“left_out” {FOLLOWS}"),
    ("suite.json", put("suite", [1]), "a suite must be a mapping"),
    ("suite.json", put("attributes", "weather", "of", "magic"), f"“attributes” {FOLLOWS}"),
    ("suite.json", put("attributes", "weather", "values", ["snow"] * 2), f"“attributes” {FOLLOWS}"),
    ("suite.json", put("attributes", "weather", "values", [f"v{i}" for i in range(1001)]), f"“attributes” {FOLLOWS}"),
    ("suite.json", put("templates", 0, "tokens", ["a"]), f"“templates” {FOLLOWS}"),
    ("suite.json", put("templates", 0, "text", "make it {colour}"), f"“templates” {FOLLOWS}"),
    ("suite.json", put("pictures", 0, "shows", {"weather": ["hail"]}), f"“pictures” {FOLLOWS}"),
    ("suite.json", put("models", ["other"]), f"“models” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "id", HTML), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "template", 7), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "template", False), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "instruction", "make it rain"), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "slots", [[0, 0, None]]), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "values", {}), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "meets", [["weather", HTML]]), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 0, "meets", [["weather"]]), f"“cells” {FOLLOWS}"),
    ("suite.json", lambda plan: plan["cells"].pop(), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", 3), f"“cells” {FOLLOWS}"),
    ("suite.json", put("cells", [{}] * 401), "more than 400 cells"),
    ("suite.json", put("suite", "seed", 7), f"“fingerprint” {FOLLOWS}"),
    ("cells/0001.json", put("id", "0002"), "is of another cell"),
    ("cells/0001.json", put("failed", {"a": 1}), "cannot have"),
    ("cells/0001.json", lambda cell: cell.pop("failed"), "does not say whether it failed"),
    ("cells/0001.json", put("more", 1), "cannot have “more”"),
    ("cells/0001.json", put("relevant", [True]), "relevant of cell 0001"),
    ("cells/0001.json", put("carried_out", 1), "carried_out of cell 0001"),
    ("cells/0001.json", put("input", "https://example.com/a.webp"), "input of cell 0001 is no picture"),
    ("cells/0001.json", put("edit", "data:image/svg+xml;base64,AAAA"), "edit of cell 0001 is no picture"),
    ("cells/0001.json", put("edit", None), "edit of cell 0001 is no picture"),
    ("cells/0001.json", put("trust", []), "trust of cell 0001"),
    ("cells/0001.json", put("scores", {}), "lacks"),
    ("cells/0001.json", put("scores", "evil", 1), "cannot have “evil”"),
    ("cells/0001.json", put("scores", "auroc", 0.123), "auroc of cell 0001 is not what its weights say"),
    ("cells/0001.json", put("scores", "fidelity", "high"), "fidelity of cell 0001 must be a number"),
    ("cells/0001.json", put("scores", "area_between", 1), "the cells do not have the same scores"),
    ("cells/0001.json", put("explanation", "settings", "permutations", 2**31), "should be less than or equal to 10000"),
    ("cells/0001.json", put("explanation", None), "explanation of cell 0001 should be a valid dictionary"),
    ("cells/0001.json", put("explanation", "weights", 0, 0.9), "do not follow from its edits"),
    ("cells/0001.json", put("explanation", "words", [HTML] * 3), "not those of the instruction"),
]


@pytest.mark.parametrize(("name", "change", "says"), CHANGED)
def test_a_run_that_was_changed_is_refused_in_one_sentence(tab, finished, tmp_path, name, change, says):
    (tmp_path / "run.zip").write_bytes(changed(finished, name, change))
    now = opened(tab, tmp_path / "run.zip")
    said = now["status"]
    assert "problem" in said and HTML not in said and "finished" not in now and "report" not in now
    assert says in html.unescape(said) and "This is no run of a suite that can be opened, because" in said


def test_another_instruction_is_another_cell(finished, tmp_path, tab):
    second = json.loads((finished / "cells" / "0003.json").read_text())["explanation"]
    (tmp_path / "run.zip").write_bytes(changed(finished, "cells/0001.json", put("explanation", second)))
    assert "explains another instruction" in opened(tab, tmp_path / "run.zip")["status"]


def bomb():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("suite.json", b" " * (archive.MAX_BYTES + 1))
    return data.getvalue()


def lying(finished):
    """A file that says it is small, and is not."""
    data = zipped(finished, only=lambda name: name == "suite.json")
    size = (finished / "suite.json").stat().st_size.to_bytes(4, "little")
    return data.replace(size, (10).to_bytes(4, "little"))


ZIPS = {
    "no zip": (lambda run_: b"PK no zip", "it is no zip file"),
    "empty": (lambda run_: b"", "it is no zip file"),
    "damaged": (lambda run_: zipped(run_)[2000:], "damaged"),
    "no suite": (lambda run_: zipped(run_, only=lambda name: "cells/" in name), "there is no suite.json in it"),
    "two suites": (lambda run_: zipped(run_, more=[("other/suite.json", "{}")]), "more than one suite.json"),
    "twice": (lambda run_: zipped(run_, more=[("cells/0001.json", "{}")]), "two files of the same name"),
    "slip": (lambda run_: zipped(run_, only=lambda n: n != "suite.json", more=[("../../x/suite.json", "{}")]), "suite.json"),
    "bomb": (lambda run_: bomb(), "holds more than 64 MB"),
    "lying": (lying, "damaged"),
    "many": (lambda run_: zipped(run_, more=[(f"cells/{i}.json", "{}") for i in range(10_000, 10_400)]), "at most 400 are"),
    "odd": (lambda run_: zipped(run_, method=zipfile.ZIP_BZIP2), "compressed in an unusual way"),
    "no json": (lambda run_: zipped(run_, change=lambda name, data: b"{" if name == "suite.json" else data), "is damaged"),
    "nan": (lambda run_: zipped(run_, change=lambda n, d: b'{"id": NaN}' if "0001" in n else d), "0001.json is damaged"),
    "deep": (lambda run_: zipped(run_, change=lambda n, d: b"[" * 10**5 if "0001" in n else d), "0001.json is damaged"),
    "list": (lambda run_: zipped(run_, change=lambda n, d: b"[]" if "0001" in n else d), "holds no object"),
}


@pytest.mark.parametrize("kind", ZIPS)
def test_zips_that_are_not_opened(tab, finished, tmp_path, kind):
    make, says = ZIPS[kind]
    (tmp_path / "run.zip").write_bytes(make(finished))
    before = {path for path in tmp_path.rglob("*")}
    now = opened(tab, tmp_path / "run.zip")
    assert "problem" in now["status"] and says in now["status"] and "report" not in now
    assert {path for path in tmp_path.rglob("*")} == before  # nothing is unpacked
