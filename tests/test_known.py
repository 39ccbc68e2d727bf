"""What the bundled weights never saw is noticed, and said wherever an answer goes."""

import io
import json
from pathlib import Path

import gradio
import numpy as np
import pytest
from answering import RuleModel
from drawings import draw_all
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import InputError, explain, explain_answer, load, load_editor, load_language_model
from smile.__main__ import main
from smile.io.answer_schema import read_fields
from smile.io.images import open_picture
from smile.models.known import KNOWS, PICTURES, WORDS, find_untaught, measure_picture
from smile.models.protocols import Known
from smile.report.answer_payload import answer_payload
from smile.report.known import describe_unknown, write_warning
from smile.report.payload import comparison_payload, explanation_payload
from smile.toyroad.grammar import MEANINGFUL, random_instruction
from smile.toyroad.questions import draw_prompt
from smile.toyroad.scene import draw, random_scene
from smile.toyroad.training import known
from smile.ui import machine, texts, validation

pytestmark = pytest.mark.model

PHOTOGRAPHS = sorted((Path(gradio.__file__).parent / "media_assets" / "images").glob("*.jp*g"))
DRAWINGS = draw_all()
SCENES = [random_scene(np.random.default_rng((32_000_000, number))) for number in range(40)]


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_a_photograph_is_unlike_drawn_roads(path):
    assert measure_picture(open_picture(path)) > 1


@pytest.mark.parametrize("name", DRAWINGS)
def test_another_drawing_is_unlike_drawn_roads(name):
    assert measure_picture(DRAWINGS[name]) > 1


def test_drawn_roads_are_known_at_any_size_and_as_any_file():
    def compress(image: Image.Image) -> Image.Image:
        image.save(data := io.BytesIO(), "JPEG", quality=80)
        return Image.open(data)

    pictures = [draw(scene) for scene in SCENES]
    large = [each.resize((500, 500), Image.Resampling.LANCZOS) for each in pictures]
    for each in (pictures, large, list(map(compress, pictures))):
        far = [measure_picture(one) for one in each]
        assert sum(distance > 1 for distance in far) <= 1 and min(far) > 0.2


@pytest.mark.parametrize(
    "text", ["make it a zebra", "make it a ZEBRA!", "make it a “Zebra”,", "make it a zebra-house", "make it a zébra"]
)
def test_an_unknown_word_is_found_however_it_is_written(text):
    assert find_untaught(text.split()) == (3,)


@pytest.mark.parametrize(
    "text", ["Make it SNOW, please!", "“paint” the car (blue).", "ADD A TREE — there", "let it snow; and make my car red"]
)
def test_known_words_are_known_however_they_are_written(text):
    assert find_untaught(text.split()) == ()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["do", "not", "make", "it", "snow"], (1,)),  # shown in training, never with a meaning
        (["add", "an", "elephant"], (2,)),
        (["snow", "❄"], (1,)),
        (["下雪", "snow"], (0,)),
        (["make it snow", "purple car"], (1,)),  # units of several words
        (["don't", "snow"], (0,)),
        (["42", "snow"], (0,)),
    ],
)
def test_which_words_were_never_taught(words, found):
    assert find_untaught(words) == found


def test_captions_have_words_of_their_own():
    assert find_untaught("a red car on a quiet road in snow".split(), "caption") == ()
    assert find_untaught("remove the house".split(), "caption") == (0, 2) and find_untaught("remove the house".split()) == ()


def test_the_list_of_words_is_what_the_grammar_says():
    assert json.loads(WORDS.read_text()) == known.list_words()
    rng = np.random.default_rng(0)
    texts = [random_instruction(random_scene(rng), rng).words for _ in range(300)]
    assert all(find_untaught(words) == () for words in texts) and find_untaught(sorted(MEANINGFUL)) == ()
    assert PICTURES.stat().st_size < 200_000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((KNOWS, 2.0, []), "These weights know drawn road scenes only, and this picture is unlike them."),
        ((KNOWS, 1.0, []), ""),
        ((KNOWS, 0.5, ["zebra"]), "These weights were never taught what “zebra” means; they know drawn road scenes only."),
        ((KNOWS, 3.0, ["a1", "b2"]), "These weights know drawn road scenes only, and this picture is unlike them; they "
         "were never taught what “a1” and “b2” mean."),
        ((KNOWS, 0.5, ["zebra"] * 3), "These weights were never taught what “zebra” means; they know drawn road scenes only."),
        ((KNOWS, 0.5, list("abcdef")), "These weights were never taught what “a”, “b”, “c”, “d” and 2 more words mean; they "
         "know drawn road scenes only."),
        (("", 9.0, []), ""),
    ],
)  # fmt: skip
def test_what_is_said(asked, said):
    assert describe_unknown(*asked, ["snow"]) == said


@pytest.fixture(scope="module")
def strange():
    """A photograph and an instruction with two words that nobody taught, explained with bundled weights."""
    editor = load_editor("img2img-turbo", "bundled", "cpu")
    return explain(PHOTOGRAPHS[0], "make the cheetah 跳跃奔跑的动物 snow", editor, edits=8, noise_seeds=0)


def test_every_export_says_what_the_weights_never_saw(strange, tmp_path):
    said = write_warning(strange)
    assert said.startswith("These weights know drawn road scenes only, and this picture is unlike them; they were never taught")
    assert "“cheetah”" in said and "one unit" in said
    assert strange.finding.startswith(said) and json.loads(strange.to_json())["finding"].startswith(said)
    assert strange.settings["untaught"] == [2, 3] and strange.settings["picture_distance"] > 1
    assert explanation_payload(strange)["warning"] == comparison_payload({"x": strange})["warning"] == said
    strange.save(tmp_path / "out")
    assert "this picture is unlike them" in (tmp_path / "out" / "heatmap.html").read_text()
    plain = explain(draw(SCENES[0]), "make the car snow", FakeEditor(), embedder=FakeEmbedder(), edits=8)
    with Image.open(tmp_path / "out" / "heatmap.png") as image:
        assert image.height > Image.open(io.BytesIO(plain.encode(".png"))).height  # there are lines above it
    assert write_warning(load(tmp_path / "out")) == said


def test_the_command_line_says_it(tmp_path, capsys):
    draw(SCENES[0]).save(tmp_path / "in.png")
    run = ["explain", "--image", str(tmp_path / "in.png"), "--instruction", "paint a zebra", "--out", str(tmp_path / "out")]
    assert main([*run, "--editor", "img2img-turbo", "--weights", "bundled", "--edits", "8", "--noise-seeds", "0"]) == 0
    assert "These weights were never taught what “zebra” means" in capsys.readouterr().out


@pytest.mark.parametrize("value", [[5], [-1], ["snow"], 3, [True]])
def test_positions_of_no_word_are_refused_in_a_file(strange, tmp_path, value):
    strange.save(tmp_path / "out")
    path = tmp_path / "out" / "explanation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": strange.settings | {"untaught": value}}))
    with pytest.raises(InputError, match="untaught"):
        load(tmp_path / "out")


class Knowing(FakeEditor):
    """Somebody's editor that says what it knows."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def knows(self, picture, words):
        return self.said(picture, words)


def test_an_editor_of_ones_own_may_say_what_it_knows():
    editor = Knowing(lambda picture, words: Known("faces", 1.5, (words.index("snow"),)))
    explanation = explain(picture(), "make it snow", editor, embedder=FakeEmbedder(), edits=8)
    assert write_warning(explanation) == (
        "These weights know faces only, and this picture is unlike them; they were never taught what “snow” means."
    )
    for silent in (FakeEditor(), Knowing(lambda *_: None), Knowing(lambda *_: Known("faces", 0.2))):
        assert write_warning(explain(picture(), "make it snow", silent, embedder=FakeEmbedder(), edits=8)) == ""


@pytest.mark.parametrize(
    "said", [True, ("faces",), Known("faces", -1.0), Known("faces", 1.0, (7,)), Known("a\nb"), Known("faces", np.nan)]
)
def test_nonsense_of_an_editor_is_refused(said):
    with pytest.raises(InputError, match="knows must return"):
        explain(picture(), "make it snow", Knowing(lambda *_: said), embedder=FakeEmbedder(), edits=8)


def test_weights_of_ones_own_and_full_ones_get_no_warning():
    editor = load_editor("img2img-turbo", "bundled", "cpu")
    assert editor.knows(draw(SCENES[0]), ["zebra"]).untaught == (0,)
    editor.weights = "edge_to_image"
    assert editor.knows(draw(SCENES[0]), ["zebra"]) is None


def test_the_page_says_it_before_a_run(tmp_path):
    road = tmp_path / "road.png"
    draw(SCENES[0]).save(road)
    ask = validation.find_unknown
    assert ask(str(road), "make it snow", "instruct-pix2pix", "bundled") == ""
    assert "this picture is unlike them" in ask(str(PHOTOGRAPHS[0]), "make it snow", "instruct-pix2pix", "bundled")
    assert "“zebra”" in ask(str(road), "add a zebra", "inpaint", "bundled")
    assert "“remove”" in ask(str(road), "remove the car", "img2img-turbo", "bundled-edges")
    assert ask(str(PHOTOGRAPHS[0]), "add a zebra", "instruct-pix2pix", "full") == ""
    assert "one unit" in ask(str(road), "让图片中的道路下雪", "instruct-pix2pix", "full")
    for given, text, weights in ((None, "", "bundled"), ("gone.png", "snow", "bundled"), (str(road), "snow", "nobody's")):
        assert ask(given, text, "instruct-pix2pix", weights) == ""
    assert "&lt;b&gt;" in texts.say_warning("<b>") and texts.say_warning("") == ""


def test_full_weights_are_offered_where_they_can_run(monkeypatch):
    assert machine.find_full("instruct-pix2pix", "bundled") == "full" and machine.find_full("instruct-pix2pix", "full") is None
    assert machine.find_full("img2img-turbo", "bundled") is None  # its full weights expect a caption
    assert machine.find_full("img2img-turbo", "bundled-edges") == "edge_to_image"
    assert machine.find_full("nobody's", "bundled") is None
    monkeypatch.setattr(machine, "SPACE", True)
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    assert machine.find_full("instruct-pix2pix", "bundled") is None


# Prompts


def test_the_language_model_was_taught_every_word_of_its_prompts():
    for number in range(300):
        prompt = draw_prompt(np.random.default_rng((33_000_000, number)))
        assert not find_untaught(prompt.words, "prompt"), prompt.text
    assert find_untaught("What is the capital of France? A zebra.".split(), "prompt") == (3, 5, 7)


def test_what_a_prompt_s_model_never_saw_is_said_wherever_its_answer_goes(tmp_path):
    model = load_language_model("toyroad", device="cpu")
    e = explain_answer("A zebra is red. What color is the zebra?", model, edits=16, trace=False)
    sentence = "These weights were never taught what “zebra” means; they know questions about described road scenes only."
    assert e.finding.startswith(sentence) and answer_payload(e)["warning"] == sentence
    e.write(tmp_path / "e.zip")
    assert load(tmp_path / "e.zip").finding == e.finding
    assert "never taught what" in e.encode(".html").decode()
    assert validation.find_unknown_words(e.instruction, "toyroad") == sentence
    assert validation.find_unknown_words("A red car. What color?", "toyroad") == ""
    assert validation.find_unknown_words("A zebra", "somebody/else") == ""
    changed = json.loads(e.to_json())
    changed["settings"]["untaught"] = [99]
    with pytest.raises(InputError, match="positions of other words"):
        read_fields(changed, refit=False)


def test_a_language_model_of_one_s_own_may_say_what_it_knows():
    class Knowing(RuleModel):
        said: object = Known("colours of cars", untaught=(0,))

        def knows(self, words):
            return self.said

    e = explain_answer("Hello. A red car. What color?", Knowing(), trace=False)
    assert e.finding.startswith("These weights were never taught what “Hello” means; they know colours of cars only.")
    for Knowing.said in ("cars", Known("cars", untaught=(99,)), Known("cars", -1.0)):
        with pytest.raises(InputError, match="The language model's knows must return"):
            explain_answer("A red car. What color?", Knowing())
