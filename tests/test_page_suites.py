"""The page's second tab: suites that are chosen or brought, run and stopped, and runs that are opened again."""

import io
import json
import re
import tempfile
import warnings
import zipfile
from pathlib import Path

import pytest
import yaml
from asking import skipped
from axe_playwright_python.sync_playwright import Axe
from browsing import HEATMAP, shows
from tiny import FakeBackend, FakeEmbedder, fake_models, picture

from smile import InputError
from smile.scenarios import archive, report, run, suite
from smile.ui import suites as page_suites
from smile.ui import texts
from smile.ui.engine import Engine
from smile.ui.suites import SHIPPED, SUITES, Suites

SMALL = {
    "name": "<b>small</b>",
    "attributes": {"weather": ["snow", "rain"]},
    "templates": ["make it {weather}"],
    "pictures": [{"toyroad": {"count": 2, "seed": 1, "weather": "clear"}}],
    "editors": [{"name": "instruct-pix2pix", "weights": "bundled"}],
    "options": {"noise_seeds": 1},
}
RADIO = "#suite label:has-text('{}')"
TAB = "#tabs button[role=tab]:has-text('{}')"


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Whether an edit was carried out is told from two draws of what is left open, which is quicker."""
    monkeypatch.setattr("smile.toyroad.cases.DRAWS", 2)


@pytest.fixture
def suites():
    return Suites(Engine(fake_models))


@pytest.fixture
def write(tmp_path):
    """Writes a suite, the small one with some keys changed; returns its path."""

    def write(name="my suite.yaml", **changes):
        path = tmp_path / name
        path.write_text(yaml.safe_dump(SMALL | changes))
        return str(path)

    return write


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of the small suite, as the command line makes it."""
    place = tmp_path_factory.mktemp("run")
    (place / "suite.yaml").write_text(yaml.safe_dump(SMALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smile.toyroad.cases.DRAWS", 2)
        list(run.explain_cells(suite.read_suite(place / "suite.yaml"), place / "out", load=fake_models))
    report.write_report(place / "out")
    return place / "out"


def named(values):
    return {name: value for name, value in zip(SUITES, values, strict=True) if not skipped(value)}


def steps(stream):
    return [named(step) for step in stream]


def brought(suites, path):
    """The suite in a file, as the page's state holds it."""
    return steps(suites.bring(path))[0]["own"]


def zipped(folder, above="", only=lambda name: True, change=lambda name, data: data, method=zipfile.ZIP_DEFLATED, more=()):
    """The folder as a zip, as somebody makes one."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two files of one name
        for path in sorted(folder.rglob("*.*")):
            name = path.relative_to(folder).as_posix()
            if only(name):
                made.writestr(above + name, change(name, path.read_bytes()))
        for name, content in more:
            made.writestr(name, content)
    return data.getvalue()


# What is chosen


def test_a_suite_says_what_it_takes_before_and_after_its_editor_is_loaded(suites):
    first, then = steps(suites.plan("first-steps", None))
    assert "12: 4 instructions, 3 pictures, instruct-pix2pix" in first["suite_plan"] and "216 edits" in first["suite_plan"]
    assert "about" not in first["suite_plan"] and "about" in then["suite_plan"]
    assert "60 cells and 1500 edits" in first["suite_plan"]
    assert len(steps(suites.plan("first-steps", None))) == 1  # it is known now


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_suites_run_here_or_say_where_they_do(suites, name):
    last = steps(suites.choose(name))[-1]
    assert last["own"] is None
    if name == "toyroad":
        command = "python -m smile scenarios assets/scenarios/toyroad.yaml --out out/toyroad"
        assert "232 cells" in last["suite_plan"] and command in last["suite_plan"]
        assert command in steps(suites.run(name, None))[-1]["suite_status"]
    else:
        assert "problem" not in last["suite_plan"]


@pytest.mark.parametrize("name", [None, "absent", "../../tests/suite", "/etc/passwd"])
def test_what_is_no_suite_of_this_page_is_not_looked_for(suites, name):
    for stream in (suites.plan(name, None), suites.run(name, None)):
        last = steps(stream)[-1]
        assert texts.NO_SUITE in (last.get("suite_plan") or last["suite_status"])


# What is brought


def test_a_suite_of_ones_own(suites, write):
    first, *_, last = steps(suites.bring(write()))
    assert first["suite"] is None and first["own"].suite.name == "<b>small</b>"
    assert "&lt;b&gt;small" in last["suite_plan"] and "<b>" not in last["suite_plan"]


BAD = [
    ({"templates": ["make it {colour}"]}, "{colour}"),
    ({"attributes": {"weather": [f"value{i}" for i in range(61)]}}, "61 values, at most 60"),
    ({"pictures": [{"toyroad": {"count": 300, "seed": 1}}]}, "The suite has 600 cells, and at most 500 are run; run it"),
    ({"pictures": [{"toyroad": {"count": 40, "seed": 1, "weather": "clear"}}]},
     "python -m smile scenarios small.yaml --out out/small"),
    ({"edits": 300}, "300 edits or seeds in a cell; at most 256"),
    ({"options": {"noise_seeds": 5000}}, "5000 edits or seeds"),
    ({"options": {"permutations": 10**9}}, "more than 10000 permutations"),
    ({"options": {"seeds": 200}}, "at most 60 cells with 1500 edits"),
    ({"trust": True, "edits": 256, "templates": ["please make it {weather} in this road scene now"]}, "1500 edits"),
    ({"description": "x" * 999, "templates": ["make it {weather} " + "a" * 900, *(f"{i} {{weather}}" for i in range(6000))]},
     "more than 20 kB, which no small suite needs"),
    ({"editors": [{"name": "instruct-pix2pix", "weights": "/etc"}]}, "There are no weights “/etc” of instruct-pix2pix"),
    ({"editors": [{"name": "instruct-pix2pix", "weights": "somebody/else"}]}, "no weights “somebody/else”"),
    ({"editors": ["sora"]}, "Name of editor 1 must be one of"),
    ({"options": {"embedder": "/etc"}}, "Options cannot have “embedder”"),
    ({"pictures": [{"toyroad": {"weather": "snow"}}], "attributes": {"weather": ["snow"]}}, "nothing to explain"),
]  # fmt: skip
FILES = [
    {"path": "one.png"},
    {"path": "/etc/passwd"},
    {"path": "../../../etc/passwd"},
    {"path": "https://example.com/one.png"},
    {"path": "one.png", "region": "/etc/shadow"},
    {"path": ["one.png"]},
]


@pytest.mark.parametrize(("changes", "says"), BAD)
def test_what_is_wrong_with_a_suite_is_one_sentence(suites, write, changes, says):
    path = write("small.yaml", **changes)
    last = steps(suites.bring(path))[-1]
    said = re.sub("<[^>]*>", "", last["suite_plan"])
    assert says in said and "\n" not in said


@pytest.mark.parametrize("entry", FILES)
def test_a_suite_opens_neither_a_file_nor_an_address(suites, write, entry, monkeypatch, tmp_path):
    picture().save(tmp_path / "one.png")  # even one that is there
    path = write(pictures=[entry])
    monkeypatch.setattr("smile.scenarios.pictures.open_picture", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr("smile.scenarios.pictures.open_region", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr("smile.scenarios.pictures._resolve_below", lambda *_: pytest.fail("looked for"))
    last = steps(suites.bring(path))[-1]
    assert "Only Toy Road&#x27;s pictures" in last["suite_plan"] and last["own"] is None


@pytest.mark.parametrize("content", ["", "[]", "a: &a [*a]", "!!python/object/apply:os.system [id]", "\x00", "{"])
@pytest.mark.parametrize("name", ["suite.yaml", "suite.json"])
def test_what_is_no_suite_at_all(suites, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    (last,) = steps(suites.bring(str(tmp_path / name)))
    assert "problem" in last["suite_plan"] and last["own"] is None
    (tmp_path / "suite.txt").write_text(content)
    assert "ends in .yaml" in steps(suites.bring(str(tmp_path / "suite.txt")))[-1]["suite_plan"]


# Running


def test_a_run_ends_with_a_report_and_leaves_no_files(suites, write, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    own = brought(suites, write())
    made = steps(suites.run(None, own))
    said = [re.sub("<[^>]*>", "", step.get("suite_status", "")) for step in made]
    assert any("0 of 4 cells" in each for each in said) and any("3 of 4 cells" in each for each in said)
    assert said[-1].startswith("Done: 4 cells in ") and made[-1]["run_suite"]["interactive"]
    assert not made[-1]["stop_suite"]["interactive"] and made[-1]["take_report"]["visible"]
    page, kept = made[-1]["report"]["page"], made[-1]["made"]
    assert "&lt;b&gt;small&lt;/b&gt;" in page and "<b>small" not in page and len(page) < 1_000_000 and len(kept.cells) == 4
    assert not any(cell["failed"] for cell in kept.cells) and not list((tmp_path / "temporary").iterdir())
    for kind in ("html", "zip"):
        ((file, _),) = taking = list(page_suites.report_file(kind, kept))
        assert Path(file).name == f"b-small-b.{kind}" and len(taking) == 1 and not Path(file).exists()


def test_a_run_of_the_page_is_that_of_the_command_line(suites, write, finished):
    last = steps(suites.run(None, brought(suites, write())))[-1]["made"]
    assert last.plan == archive.collect_run(finished).plan
    for one, other in zip(last.cells, archive.collect_run(finished).cells, strict=True):
        assert one == other


def test_models_are_the_engines_and_are_loaded_once(write):
    loaded = []

    def load(name, weights):
        loaded.append((name, weights))
        return FakeBackend(name, weights), FakeEmbedder()

    suites = Suites(Engine(load))
    own = brought(suites, write(editors=["inpaint", {"name": "inpaint", "settings": {"steps": 3}}]))
    last = steps(suites.run(None, own))[-1]["made"]
    steps_ = {cell["explanation"]["settings"]["editor_settings"]["steps"] for cell in last.cells}
    assert loaded == [("inpaint", "bundled")] and steps_ == {3, 10} and len(last.cells) == 8


def test_stop_takes_effect_within_a_cell_and_keeps_what_there_is(write, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = []

    class Counting(FakeBackend):
        batch_size = 1

        def one(self, image, text, seed):
            made.append(text)
            return super().one(image, text, seed)

    suites = Suites(Engine(lambda *which: (Counting(*which), FakeEmbedder())))
    own = brought(suites, write())
    before = set(tmp_path.iterdir())
    going = suites.run(None, own)
    kept = next(step["made"] for step in map(named, going) if step.get("made"))
    next(going), next(going)
    count = len(made)
    going.close()
    assert len(made) == count and len(kept.cells) == 1 and set(tmp_path.iterdir()) == before
    now = named(suites.stop(kept))
    assert "Stopped after 1 of 4 cells" in now["suite_status"] and "This run is not finished" in now["report"]["page"]
    assert now["run_suite"]["interactive"] and not now["stop_suite"]["interactive"]
    early = named(suites.stop(None))
    assert texts.NO_CELL in early["suite_status"] and "report" not in early


def test_a_suite_may_ask_for_trust(suites, write):
    own = brought(suites, write(trust=True, pictures=[{"toyroad": {"weather": "clear"}}]))
    last = steps(suites.run(None, own))[-1]["made"]
    assert all(set(cell["trust"]) == {"stability", "consistency", "faithfulness"} for cell in last.cells)


def test_a_run_is_capped(suites, write, monkeypatch):
    monkeypatch.setattr(page_suites.runs, "MAX_SECONDS", -1)
    monkeypatch.setattr(page_suites.runs, "SPACE", True)
    last = steps(suites.run(None, brought(suites, write())))[-1]
    assert "longer than the page allows" in last["suite_status"] and last["run_suite"]["interactive"]


def test_what_breaks_is_said(write, caplog):
    class Broken(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            if texts == ["", "snow"] or texts == [""]:  # the engine's warm-up
                return super().edit(image, texts, seed=seed, region=region)
            raise ValueError("inside")

    suites = Suites(Engine(lambda *which: (Broken(*which), FakeEmbedder())))
    last = steps(suites.run(None, brought(suites, write())))[-1]
    assert texts.BROKEN in last["suite_status"] and last["run_suite"]["interactive"] and "inside" in caplog.text

    def load(*_):
        raise InputError("There are no models.")

    suites = Suites(Engine(load))
    last = steps(suites.run(None, brought(suites, write())))[-1]
    assert "4 failed" in last["suite_status"] and "There are no models." in last["report"]["page"]


# Opening


def test_a_run_of_the_command_line_is_opened(suites, finished, tmp_path):
    for above in ("", "out/", "results/out/"):
        (tmp_path / "run.zip").write_bytes(zipped(finished, above, more=[("__MACOSX/suite.json", "x"), ("notes.txt", "x")]))
        now = named(suites.open(str(tmp_path / "run.zip")))
        assert texts.RUN_OPENED in now["suite_status"] and "4 of 4" in now["report"]["page"]
        assert now["made"] == archive.collect_run(finished) and now["take_report"]["visible"]


def test_what_was_taken_away_is_opened_again_and_makes_the_same_bytes(suites, finished, tmp_path):
    made = archive.collect_run(finished)
    ((file, _),) = ((Path(file).read_bytes(), said) for file, said in page_suites.report_file("zip", made))
    (tmp_path / "taken.zip").write_bytes(file)
    assert named(suites.open(str(tmp_path / "taken.zip")))["made"] == made
    archive.write_archive(made, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == file
    assert zipfile.ZipFile(tmp_path / "taken.zip").read("report.html") == (finished / "report.html").read_bytes()
    assert [said for _, said in page_suites.report_file("zip", None)] == [texts.problem(texts.NO_REPORT)]


def test_a_report_that_comes_along_is_not_believed(suites, finished, tmp_path):
    evil = {"report.html": b"<script>evil()</script>", "cells.csv": b"evil", "summary.json": b"evil"}
    (tmp_path / "run.zip").write_bytes(zipped(finished, change=lambda name, data: evil.get(name, data)))
    assert "evil" not in named(suites.open(str(tmp_path / "run.zip")))["report"]["page"]


def test_part_of_a_run_is_a_run(suites, finished, tmp_path):
    (tmp_path / "run.zip").write_bytes(zipped(finished, only=lambda name: "0002" not in name))
    now = named(suites.open(str(tmp_path / "run.zip")))
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
    ("suite.json", put("editors", ["other"]), f"“editors” {FOLLOWS}"),
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
    ("cells/0001.json", put("explanation", "settings", "permutations", 2**31), "too long to be computed again"),
    ("cells/0001.json", put("explanation", None), "explanation of cell 0001 should be a valid dictionary"),
    ("cells/0001.json", put("explanation", "weights", 0, 0.9), "do not follow from its edits"),
    ("cells/0001.json", put("explanation", "words", [HTML] * 3), "not those of the instruction"),
]


@pytest.mark.parametrize(("name", "change", "says"), CHANGED)
def test_a_run_that_was_changed_is_refused_in_one_sentence(suites, finished, tmp_path, name, change, says):
    (tmp_path / "run.zip").write_bytes(changed(finished, name, change))
    now = named(suites.open(str(tmp_path / "run.zip")))
    said = now["suite_status"]
    assert "problem" in said and HTML not in said and "made" not in now and "report" not in now
    assert says in said.replace("&#x27;", "'") and "This is no run of a suite that can be opened, because" in said


def test_another_instruction_is_another_cell(finished, tmp_path, suites):
    second = json.loads((finished / "cells" / "0003.json").read_text())["explanation"]
    (tmp_path / "run.zip").write_bytes(changed(finished, "cells/0001.json", put("explanation", second)))
    assert "explains another instruction" in named(suites.open(str(tmp_path / "run.zip")))["suite_status"]


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
def test_zips_that_are_not_opened(suites, finished, tmp_path, kind):
    make, says = ZIPS[kind]
    (tmp_path / "run.zip").write_bytes(make(finished))
    before = {path for path in tmp_path.rglob("*")}
    now = named(suites.open(str(tmp_path / "run.zip")))
    assert "problem" in now["suite_status"] and says in now["suite_status"] and "report" not in now
    assert {path for path in tmp_path.rglob("*")} == before  # nothing is unpacked


# In the browser


def objections(page) -> str:
    found = Axe().run(page)
    return found.generate_report() if found.violations_count else ""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("light", 1440), ("dark", 390), ("dark", 1440)])
def test_a_suite_is_run_in_its_tab_and_its_report_shown(visit, fake_page, theme, width, tmp_path):
    page = visit(fake_page, width, theme, wait=HEATMAP)
    assert page.locator("#scenarios").count() == 0  # it costs the first paint nothing
    page.click(TAB.format("Scenarios"))
    shows(page, "#suite-plan", "216 edits; about")
    assert not objections(page)
    page.click(RADIO.format("toyroad"))
    shows(page, "#suite-plan", "python -m smile scenarios assets/scenarios/toyroad.yaml")
    page.click(RADIO.format("first-steps"))
    shows(page, "#suite-plan", "216 edits; about")
    page.click("#run-suite")
    shows(page, "#suite-status", "Done: 12 cells")
    frame = page.locator("#report iframe")
    frame.scroll_into_view_if_needed()
    shown = page.frame_locator("#report iframe")
    shown.locator("#words-0 .main-svg").first.wait_for(timeout=60_000)  # plotly.js runs in it
    assert shown.locator("body.dark").count() == (theme == "dark")
    assert frame.get_attribute("sandbox") == "allow-scripts" and shown.locator("h1").inner_text().startswith("first steps")
    assert page.evaluate("document.querySelector('#report iframe').contentDocument") is None  # it is another origin
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not objections(page)
    with page.expect_download() as taken:
        page.click("#take-report-zip")
    taken.value.save_as(tmp_path / "taken.zip")
    assert len(archive.read_archive(tmp_path / "taken.zip").cells) == 12
    with page.expect_file_chooser() as chooser:
        page.click("#open-run")
    chooser.value.set_files(tmp_path / "taken.zip")
    shows(page, "#suite-status", "Opened from a file")
    page.click(TAB.format("Explain"))
    page.wait_for_selector(HEATMAP)


@pytest.mark.browser
@pytest.mark.slow
def test_a_suite_is_brought_stopped_and_refused(visit, serve, write):
    import time

    class Slow(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            time.sleep(0.3)
            return super().edit(image, texts, seed=seed, region=region)

    page = visit(serve(lambda *which: (Slow(*which), FakeEmbedder())), wait=HEATMAP)
    page.click(TAB.format("Scenarios"))
    page.wait_for_selector("#run-suite:not([disabled])")
    with page.expect_file_chooser() as chooser:
        page.click("#own-suite")
    chooser.value.set_files(write(pictures=[{"path": "/etc/passwd"}]))
    shows(page, "#suite-plan", "Only Toy Road's pictures")
    page.click("#run-suite")
    shows(page, "#suite-status", "Choose a suite, or bring your own.")
    with page.expect_file_chooser() as chooser:
        page.click("#own-suite")
    chooser.value.set_files(write("good.yaml"))
    shows(page, "#suite-plan", "4: 2 instructions, 2 pictures")
    page.wait_for_selector("#run-suite:not([disabled])")
    page.click("#run-suite")
    shows(page, "#suite-status", "1 of 4 cells")
    page.click("#stop-suite")
    shows(page, "#suite-status", "Stopped after 1 of 4 cells")
    page.frame_locator("#report iframe").locator("text=This run is not finished").wait_for(timeout=30_000)
    page.wait_for_selector("#run-suite:not([disabled])")
    assert not objections(page)


@pytest.mark.browser
@pytest.mark.slow
def test_in_somebodys_page_there_are_no_tabs(visit, fake_page):
    page = visit(fake_page, 900, wait=HEATMAP, height=700, embed=1)
    assert not page.is_visible("#tabs button[role=tab]")
