"""Suites as files: what is in them, and one sentence for everything that is wrong with them, before anything is loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from tiny import picture

from smile import InputError
from smile.scenarios import cells, suite
from smile.scenarios.pictures import is_shown
from smile.toyroad.scene import Scene

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = {"first-steps": 12, "questions": 10, "weather": 60, "toyroad": 232}  # cells
PLAIN = {
    "name": "one",
    "attributes": {"weather": ["snow", "rain"], "illumination": ["night"]},
    "templates": ["make it {weather}", {"text": "make it {weather} at {illumination}", "relevant": ["{weather}"]}],
    "pictures": [{"path": "street.png"}],
    "editors": [{"name": "instruct-pix2pix", "weights": "bundled"}],
}


@pytest.fixture
def write(tmp_path):
    """Writes a suite, the plain one with some keys changed, beside a picture; returns its path."""

    def write(changes=None, name="suite.yaml", **more):
        picture().save(tmp_path / "street.png")
        path = tmp_path / name
        values = PLAIN | (changes or {}) | more
        values = {key: value for key, value in values.items() if value != "MISSING"}
        text = json.dumps(values)
        path.write_text(text if name.endswith("json") else yaml.safe_dump(json.loads(text), sort_keys=False))  # no aliases
        return path

    return write


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_suites(name):
    read = suite.read_suite(ROOT / "assets" / "scenarios" / f"{name}.yaml")
    made, left_out = cells.plan_cells(read)
    assert len(made) == SHIPPED[name] and (left_out > 0) == (name in ("weather", "toyroad"))
    assert {cell.id for cell in made} == {f"{i + 1:04}" for i in range(len(made))}
    assert [cell.model for cell in made] == sorted((cell.model for cell in made), key=read.models.index)
    assert all(any(cell.find_relevant_words()) and len(cell.find_relevant_words()) == len(cell.slots) for cell in made)
    asked = {pair for cell in made for pair in cell.values.items()}
    assert name == "weather" or asked == {(name, value) for name, a in read.attributes.items() for value in a.values}


def test_yaml_and_json_say_the_same(write):
    one, two = suite.read_suite(write()), suite.read_suite(write(name="suite.json"))
    assert one == two and one.seed == 0 and one.edits is None and one.options == {}
    texts = [cell.instruction for cell in cells.plan_cells(one)[0]]
    assert texts == ["make it snow", "make it rain", "make it snow at night", "make it rain at night"]


def test_words_know_their_place(write):
    values = {
        "attributes": {"weather": ["heavy snow", "rain"]},
        "templates": [{"text": "make: {weather}!", "relevant": ["make:"]}],
    }
    first, second = cells.plan_cells(suite.read_suite(write(values)))[0]
    assert first.instruction == "make: heavy snow!" and first.find_relevant_words() == [True, False, False]
    assert [tuple(slot) for slot in first.slots] == [(0, 0, None), (1, 0, "weather"), (1, 1, "weather")]
    assert second.slots == first.slots[:2]


def test_toy_road_knows_what_matters_and_leaves_out_what_is_there(write):
    scenes = {"toyroad": {"weather": "snow", "time": "day", "car": None}}
    values = {"attributes": {"weather": ["snowy", "rainy"], "illumination": ["night", "daytime"], "scenery": ["house"]}}
    values["templates"] = ["make it {weather}", "make it {illumination}"]
    made, left_out = cells.plan_cells(suite.read_suite(write(values, pictures=[scenes])))
    assert [cell.instruction for cell in made] == ["make it rainy", "make it night"] and left_out == 2
    assert made[0].find_relevant_words() == [False, False, True]
    assert made[0].list_meeting_values(suite.read_suite(write(values, pictures=[scenes]))) == [
        ("weather", "rainy"), ("illumination", "daytime"), ("scenery", "house")
    ]  # fmt: skip


def test_an_editor_that_takes_a_region_gets_the_one_where_the_words_act(write):
    values = {"attributes": {"scenery": ["tree"]}, "templates": ["add a {scenery}"], "editors": ["inpaint"]}
    (cell,), _ = cells.plan_cells(suite.read_suite(write(values, pictures=[{"toyroad": {"tree": True}}])))
    region = cell.case.options["region"]
    assert region.getbbox() and region.getbbox() != (0, 0, 128, 128) and cell.find_relevant_words() == [True, False, True]


@pytest.mark.parametrize(
    ("value", "seen"),
    [("night", True), ("at nighttime", True), ("day", False), ("foggy", True), ("snow", False), ("red", True), ("tree", True),
     ("blue car", False), ("house", False), ("car", True), ("anything", False)],
)  # fmt: skip
def test_what_a_scene_shows(value, seen):
    assert is_shown(Scene(time="night", weather="fog", car="red", tree=True, house=False), value) == seen


def test_scenes_are_the_same_each_time_and_can_be_fixed_in_part(write):
    entry = {"toyroad": {"count": 5, "seed": 7, "weather": "fog", "horizon": 0.25}}
    one, two = (suite.read_suite(write(pictures=[entry])).pictures for _ in range(2))
    assert one == two and len({p.scene for p in one}) == 5
    assert all(p.scene.weather == "fog" and p.scene.horizon == 0.25 for p in one)
    assert suite.read_suite(write(pictures=[{"toyroad": {"count": 5, "seed": 8}}])).pictures != one


EDITOR = {"name": "instruct-pix2pix"}
WRONG = [
    ({"name": "MISSING"}, "A suite lacks “name”"),
    ({"name": ""}, "Name must be a text of 1 to 1000 characters, not “”"),
    ({"name": "a\u0007b"}, "not something unprintable"),
    ({"colour": 1}, "A suite cannot have “colour”; it can have name, attributes"),
    ({"seed": -1}, "Seed must be a whole number from 0"),
    ({"seed": True}, "Seed must be a whole number from 0 to 4294967295, not true"),
    ({"seed": 10**30}, "not a number of that size"),
    ({"edits": 1}, "Edits must be a whole number from 2"),
    ({"edits": 4}, "The instruction “make it snow” cannot be explained: 4 edits"),
    ({"attributes": {}}, "attributes must be a mapping with at least one"),
    ({"attributes": ["weather"]}, "attributes must be a mapping with at least one"),
    ({"attributes": {"mood": ["calm"]}}, "illumination, season, road users, scenery, not “mood”"),
    ({"attributes": {"mood": {"of": "weather"}}}, "Attribute “mood” lacks “values”"),
    ({"attributes": {"weather": []}}, "must be a list with at least one in it, not an empty list"),
    ({"attributes": {"weather": ["snow", "snow"]}}, "“snow” of attribute “weather” is there twice"),
    ({"attributes": {"weather": ["snow", False]}}, "not false; put it in quotes"),
    ({"attributes": {"we{at}her": {"of": "weather", "values": ["snow"]}}}, "must not have braces"),
    ({"templates": []}, "Templates must be a list with at least one"),
    ({"templates": ["make it snow"]}, "Template 1 has no placeholder; use {weather}, {illumination}"),
    ({"templates": ["make it {fog}"]}, "{fog} in template 1 must be one of weather, illumination, not “fog”"),
    ({"templates": ["make it {weather"]}, "A brace in template 1 has no counterpart"),
    ({"templates": ["{weather}{illumination}"]}, "two placeholders in one word"),
    ({"templates": ["{weather} now", "{weather} now"]}, "“{weather} now” is there twice"),
    ({"templates": ["{weather} " * 70]}, "70 words, but at most 64"),
    ({"templates": [{"text": "make it {weather}", "relevant": ["snow"]}]}, "must be one of make, it, {weather}, not “snow”"),
    ({"pictures": []}, "Pictures must be a list with at least one"),
    ({"pictures": ["street.png"]}, "Picture 1 must be a mapping of path, toyroad, region, shows"),
    ({"pictures": [{"region": "street.png"}]}, "picture 1 must have either path or toyroad"),
    ({"pictures": [{"path": "absent.png"}]}, "There is no picture at"),
    ({"pictures": [{"path": "text.png"}]}, "is not a picture"),
    ({"pictures": [{"path": "street.png"}] * 2}, "“street.png” is there twice"),
    ({"pictures": [{"path": "/etc/hostname"}]}, "must lie below the suite's folder"),
    ({"pictures": [{"path": "../street.png"}]}, "must lie below the suite's folder"),
    ({"pictures": [{"path": "link/secret.png"}]}, "must lie below the suite's folder"),
    ({"pictures": [{"path": "street.png", "region": "../x.png"}]}, "The region of picture 1 must lie below"),
    ({"pictures": [{"path": "street.png", "shows": {"mood": "calm"}}]}, "“mood”; it can have weather, illumination"),
    ({"pictures": [{"path": "street.png", "shows": {"weather": "hail"}}]}, "must be one of snow, rain, not “hail”"),
    ({"pictures": [{"toyroad": {"weather": "hail"}}]}, "must be one of clear, rain, snow, fog, not “hail”"),
    ({"pictures": [{"toyroad": {"tree": 1}}]}, "must be one of true, false, not “1”"),
    ({"pictures": [{"toyroad": {"horizon": 2}}]}, "must be a number from 0 to 1, not “2”"),
    ({"pictures": [{"toyroad": {"horizon": float("nan")}}]}, "must be a number from 0 to 1"),
    ({"pictures": [{"toyroad": {"count": 3}}]}, "count and seed in toyroad of picture 1 must be given together"),
    ({"pictures": [{"toyroad": {"count": 3, "seed": 1}, "shows": {}}]}, "Picture 1, which is drawn, cannot have “shows”"),
    ({"pictures": [{"toyroad": {"count": 10**6, "seed": 1}}]}, "must be a whole number from 1 to 1000"),
    ({"editors": ["photoshop"]}, "must be one of instruct-pix2pix, img2img-turbo, inpaint, not “photoshop”"),
    ({"editors": [EDITOR, EDITOR]}, "is there twice with the same weights and settings"),
    ({"editors": [EDITOR | {"settings": {"steps": "many"}}]}, "Steps of editor 1 must be a number, not “many”"),
    ({"editors": ["inpaint"]}, "inpaint needs a region"),
    ({"trust": "yes, please"}, "Trust must be one of true, false, not “yes, please”"),
    ({"options": {"speed": 3}}, "Options cannot have “speed”; it can have reference, design"),
    ({"options": {"seed": 3}}, "Options cannot have “seed”"),
    ({"options": {"design": "clever"}}, "There is no design “clever”"),
    ({"options": {"seeds": 0}}, "seeds must be a whole number of at least 1"),
    ({"options": {"preset": "secret"}}, "There is no preset “secret”"),
    ({"attributes": {"weather": [f"w{i}" for i in range(50)], "illumination": [f"i{i}" for i in range(50)], "season": [
        f"s{i}" for i in range(50)]}, "templates": ["{weather} {illumination} {season}"]}, "125000 cells, and at most 10000"),
]  # fmt: skip


@pytest.mark.parametrize("format_", ["suite.yaml", "suite.json"])
@pytest.mark.parametrize(("changes", "says"), WRONG, ids=[says[:40] for _, says in WRONG])
def test_what_is_wrong_is_said_in_one_sentence(write, tmp_path, changes, says, format_):
    (tmp_path / "away").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "away" / "secret.png")
    path = write(changes, name=format_)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "away")
    (inside / "text.png").write_text("hello")
    for name in (format_, "street.png"):
        (tmp_path / name).rename(inside / name)
    with pytest.raises(InputError) as error:
        suite.read_suite(inside / path.name)
    said = str(error.value)
    assert says in said and "\n" not in said and len(said) < 500


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nname: *b\n"
HOSTILE = [
    (BOMB, "line 2: aliases are not read"),
    ("name: &x [*x]", "aliases are not read"),
    ("name: !!python/object/apply:os.system ['touch /tmp/pwned']", "could not determine a constructor for the tag"),
    ("name: !!binary aGVsbG8=", "could not determine a constructor"),
    ("name: !!timestamp 2024-13-45", "could not determine a constructor"),
    ("name: !!int ''", "cannot be read as a suite"),
    ("name: !!int abc", "cannot be read as a suite"),
    ("name: !!bool maybe", "cannot be read as a suite"),
    ("name: 2024-13-45\n", "A suite lacks “attributes”"),
    ("name: a\nname: b\n", "line 1: “name” is there twice"),
    ("? [a, b]\n: c\n", "unhashable key"),
    ("? {a: b}\n: c\n", "unhashable key"),
    ("1: c\n", "A suite cannot have “1”"),
    ("[" * 5000, "nested too deeply"),
    ("- a\n- b\n", "holds no suite"),
    ("", "holds no suite"),
    ("name: [a\n", "cannot be read as a suite, because of line"),
    ("name: \t- a\n", "cannot be read as a suite"),
    ("a: b\n---\nc: d\n", "but found another document"),
    ("name: \x01\n", "special characters are not allowed"),
    (b"\xff\xfe\xfd", "cannot be read as a suite"),
    ("#" * 200_001, "more than 200 kB"),
]


@pytest.mark.parametrize(("content", "says"), HOSTILE, ids=[says[:30] for _, says in HOSTILE])
def test_hostile_yaml(tmp_path, content, says):
    path = tmp_path / "suite.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as error:
        suite.read_suite(path)
    assert says in str(error.value) and "\n" not in str(error.value)
    assert not Path("/tmp/pwned").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [('{"name": "a", "name": "b"}', "“name” is there twice"), ("[" * 100_000, "nested too deeply"), ("{", "cannot be read as"),
     ('{"seed": ' + "9" * 5000 + "}", "cannot be read as a suite"), ("[1]", "holds no suite")],
)  # fmt: skip
def test_hostile_json(tmp_path, content, says):
    (tmp_path / "suite.json").write_text(content)
    with pytest.raises(InputError, match=says):
        suite.read_suite(tmp_path / "suite.json")


@pytest.mark.parametrize(
    ("name", "says"), [("absent.yaml", "There is no suite at"), ("suite.txt", "ends in .yaml, .yml, .json")]
)
def test_what_is_no_suite_at_all(tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        suite.read_suite(tmp_path / name)


@pytest.mark.process
def test_reading_a_suite_loads_no_torch():
    code = "import sys; from smile.scenarios import suite; suite.read_suite(sys.argv[1]); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "assets/scenarios/weather.yaml"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert shown.stdout == "False\n", shown.stderr
