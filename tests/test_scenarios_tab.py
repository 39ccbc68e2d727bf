"""The page's second tab: suites that are chosen or brought, run and stopped."""

import re
import tempfile
from pathlib import Path

import pytest
from asking import build_scenarios_tab, read
from small_suite import read_all, run_suite, write_suite
from tiny import FakeBackend, FakeEmbedder, picture

from smile import InputError
from smile.scenarios import archive, report, table
from smile.ui import machine, runs, texts
from smile.ui.tabs import scenarios
from smile.ui.tabs.scenarios import SHIPPED


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Whether an edit was carried out is told from two draws of what is left open, which is quicker."""
    monkeypatch.setattr("smile.toyroad.cases.DRAWS", 2)


@pytest.fixture
def tab():
    return build_scenarios_tab()


@pytest.fixture
def write(tmp_path):
    """Writes a suite, the small one with some keys changed; returns its path."""
    return lambda *name, **changes: write_suite(tmp_path, *name, **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run_suite(tmp_path_factory.mktemp("run"))


def brought(tab, path):
    """The suite in a file, as the page's state holds it."""
    return read_all(tab.bring, path)[0]["brought"]


# What is chosen


def test_a_suite_says_what_it_takes_before_and_after_its_editor_is_loaded(tab):
    first, then = read_all(tab.plan, "first-steps", None)
    assert "12: 4 instructions, 3 pictures, instruct-pix2pix" in first["plan_text"] and "up to 228 edits" in first["plan_text"]
    assert "about" not in first["plan_text"] and "about" in then["plan_text"]
    assert "60 cells and 1800 edits" in first["plan_text"]
    assert len(read_all(tab.plan, "first-steps", None)) == 1  # it is known now


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_suites_run_here_or_say_where_they_do(tab, name):
    last = read_all(tab.choose, name)[-1]
    assert last["brought"] is None
    if name == "toyroad":
        command = "python -m smile scenarios assets/scenarios/toyroad.yaml --out out/toyroad"
        assert "232 cells" in last["plan_text"] and command in last["plan_text"]
        assert command in read_all(tab.run, name, None)[-1]["status"]
    else:
        assert "problem" not in last["plan_text"]


@pytest.mark.parametrize("name", [None, "absent", "../../tests/suite", "/etc/passwd"])
def test_what_is_no_suite_of_this_page_is_not_looked_for(tab, name):
    for handler in (tab.plan, tab.run):
        last = read_all(handler, name, None)[-1]
        assert texts.NO_SUITE in (last.get("plan_text") or last["status"])


# What is brought


def test_a_suite_of_ones_own(tab, write):
    first, *_, last = read_all(tab.bring, write())
    assert first["suite"] is None and first["brought"].suite.name == "<b>small</b>"
    assert "&lt;b&gt;small" in last["plan_text"] and "<b>" not in last["plan_text"]


BAD = [
    ({"templates": ["make it {colour}"]}, "{colour}"),
    ({"attributes": {"weather": [f"value{i}" for i in range(61)]}}, "61 values, at most 60"),
    ({"pictures": [{"toyroad": {"count": 300, "seed": 1}}]}, "The suite has 600 cells, and at most 500 are run; run it"),
    ({"pictures": [{"toyroad": {"count": 40, "seed": 1, "weather": "clear"}}]},
     "python -m smile scenarios small.yaml --out out/small"),
    ({"edits": 300}, "300 edits or seeds in a cell; at most 256"),
    ({"options": {"noise_seeds": 5000}}, "5000 edits or seeds"),
    ({"options": {"permutations": 10**9}}, "more than 10000 permutations"),
    ({"options": {"seeds": 200}}, "at most 60 cells with 1800 edits"),
    ({"trust": True, "edits": 256, "templates": ["please make it {weather} in this road scene now"]}, "1800 edits"),
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
def test_what_is_wrong_with_a_suite_is_one_sentence(tab, write, changes, says):
    path = write("small.yaml", **changes)
    last = read_all(tab.bring, path)[-1]
    said = re.sub("<[^>]*>", "", last["plan_text"])
    assert says in said and "\n" not in said


@pytest.mark.parametrize("entry", FILES)
def test_a_suite_opens_neither_a_file_nor_an_address(tab, write, entry, monkeypatch, tmp_path):
    picture().save(tmp_path / "one.png")  # even one that is there
    path = write(pictures=[entry])
    monkeypatch.setattr("smile.scenarios.pictures.open_picture", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr("smile.scenarios.pictures.open_region", lambda *_: pytest.fail("opened"))
    monkeypatch.setattr("smile.scenarios.pictures._make_picture", lambda *_: pytest.fail("looked for"))
    last = read_all(tab.bring, path)[-1]
    assert "Only Toy Road&#39;s pictures" in last["plan_text"] and last["brought"] is None


@pytest.mark.parametrize("content", ["", "[]", "a: &a [*a]", "!!python/object/apply:os.system [id]", "\x00", "{"])
@pytest.mark.parametrize("name", ["suite.yaml", "suite.json"])
def test_what_is_no_suite_at_all(tab, tmp_path, name, content):
    (tmp_path / name).write_text(content)
    (last,) = read_all(tab.bring, str(tmp_path / name))
    assert "problem" in last["plan_text"] and last["brought"] is None
    (tmp_path / "suite.txt").write_text(content)
    assert "ends in .yaml" in read_all(tab.bring, str(tmp_path / "suite.txt"))[-1]["plan_text"]


# Running


def test_a_run_ends_with_a_report_and_leaves_no_files(tab, write, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    own = brought(tab, write())
    made = read_all(tab.run, None, own)
    said = [re.sub("<[^>]*>", "", step.get("status", "")) for step in made]
    assert any("0 of 4 cells" in each for each in said) and any("3 of 4 cells" in each for each in said)
    assert said[-1].startswith("Done: 4 cells in ") and made[-1]["run_button"]["interactive"]
    assert not made[-1]["stop_button"]["interactive"] and made[-1]["download_row"]["visible"]
    page, kept = made[-1]["report"]["page"], made[-1]["finished"]
    assert "&lt;b&gt;small&lt;/b&gt;" in page and "<b>small" not in page and len(page) < 1_000_000 and len(kept.cells) == 4
    grown = [step["report"]["page"] for step in made[:-1] if (step.get("report") or {}).get("page")]
    assert grown and "This run is not finished" in grown[0]  # the report is there before the suite is through
    summary = table.summarise(kept.results)
    for pairs, of_pairs, says in (
        (0, 8, "and that is all right"),
        (0, 0, "no pairs of values to meet"),
        (3, 8, "3 of 8 pairs did"),
    ):
        summary["coverage"]["exercised"] |= {"pairs": pairs, "of_pairs": of_pairs}
        assert says in report.render_report(kept.results, summary, alone=False)
    assert not any(cell["failed"] for cell in kept.cells) and not list((tmp_path / "temporary").iterdir())
    for kind in ("html", "zip"):
        ((file, _),) = taking = list(scenarios.write_report(kind, kept))
        assert Path(file).name == f"b-small-b.{kind}" and len(taking) == 1 and not Path(file).exists()


def test_a_run_of_the_page_is_that_of_the_command_line(tab, write, finished):
    last = read_all(tab.run, None, brought(tab, write()))[-1]["finished"]
    assert last.plan == archive.collect_run(finished).plan
    for one, other in zip(last.cells, archive.collect_run(finished).cells, strict=True):
        assert one == other


def test_models_are_the_engines_and_are_loaded_once(write):
    loaded = []

    def load(name, weights):
        loaded.append((name, weights))
        return FakeBackend(name, weights), FakeEmbedder()

    tab = build_scenarios_tab(load)
    own = brought(tab, write(editors=["inpaint", {"name": "inpaint", "settings": {"steps": 3}}]))
    last = read_all(tab.run, None, own)[-1]["finished"]
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

    tab = build_scenarios_tab(lambda *which: (Counting(*which), FakeEmbedder()))
    own = brought(tab, write())
    before = set(tmp_path.iterdir())
    going = tab.run(None, own)
    kept = next(step[tab.finished] for step in going if step.get(tab.finished))
    next(going), next(going)
    count = len(made)
    going.close()
    assert len(made) == count and len(kept.cells) == 1 and set(tmp_path.iterdir()) == before
    now = read(tab.stop, tab.stop(kept))
    assert "Stopped after 1 of 4 cells" in now["status"] and "This run is not finished" in now["report"]["page"]
    assert now["run_button"]["interactive"] and not now["stop_button"]["interactive"]
    early = read(tab.stop, tab.stop(None))
    assert texts.NO_CELL in early["status"] and "report" not in early


def test_a_suite_may_ask_for_trust(tab, write):
    own = brought(tab, write(trust=True, pictures=[{"toyroad": {"weather": "clear"}}]))
    last = read_all(tab.run, None, own)[-1]["finished"]
    assert all(set(cell["trust"]) == {"stability", "consistency", "faithfulness"} for cell in last.cells)


def test_a_run_is_capped(tab, write, monkeypatch):
    monkeypatch.setattr(runs, "MAX_SECONDS", -1)
    monkeypatch.setattr(machine, "SPACE", True)
    last = read_all(tab.run, None, brought(tab, write()))[-1]
    assert "longer than the page allows" in last["status"] and last["run_button"]["interactive"]


def test_what_breaks_is_said(write, caplog):
    class Broken(FakeBackend):
        def edit(self, image, texts, *, seed, region=None):
            if texts == ["", "snow"] or texts == [""]:  # the engine's warm-up
                return super().edit(image, texts, seed=seed, region=region)
            raise ValueError("inside")

    tab = build_scenarios_tab(lambda *which: (Broken(*which), FakeEmbedder()))
    last = read_all(tab.run, None, brought(tab, write()))[-1]
    assert texts.BROKEN in last["status"] and last["run_button"]["interactive"] and "inside" in caplog.text

    def load(*_):
        raise InputError("There are no models.")

    tab = build_scenarios_tab(load)
    last = read_all(tab.run, None, brought(tab, write()))[-1]
    assert "4 failed" in last["status"] and "There are no models." in last["report"]["page"]
