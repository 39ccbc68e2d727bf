"""What is kept and shown: JSON, folder, heatmap, page, overlay; somebody's text never becomes markup."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import Explanation, InputError, explain, explain_stream, load
from smile.method.surrogate import ENUMERATED
from smile.report.finding import write_sentences
from smile.report.plots import GREY, draw_heatmap, pick_colour, tabulate_words

KEYS = (
    "words weights ci_low ci_high p_values p_values_holm mask texts distances responses locality_weights "
    "edit_p_values noise_floor fidelity settings seconds failed"
)
NASTY = '<script>alert(1)</script> "quoted" $x$ %{y} </script> snow'


def run(text="make it snow at night please", fail=(), editor=None, **options):
    return explain(picture(), text, editor or FakeEditor(fail), embedder=FakeEmbedder(), **({"locality": "none"} | options))


@pytest.fixture(scope="module")
def explanation():
    return run(edits=32)


def test_json_has_the_public_keys_and_no_nan(explanation):
    failed = run(edits=32, fail=[explanation.texts[1]])
    values = json.loads(failed.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert set(KEYS.split()) <= set(values)
    assert values["distances"][1] is None and values["responses"][1] is None
    assert values["mask"] == failed.mask.tolist() and values["words"] == failed.words
    assert values["finding"] == failed.finding and values["failed"] == 1
    assert not {"image", "edits", "noise_edits", "extra_edits", "region"} & set(values)


@pytest.mark.parametrize("fail", [(), ("snow", "")])
def test_save_and_load(tmp_path, fail):
    saved = run(fail=fail, edits=64)
    assert saved.save(tmp_path / "deep" / "out") == tmp_path / "deep" / "out"
    loaded = load(tmp_path / "deep" / "out")
    assert loaded.to_json() == saved.to_json()
    for name in ("edits", "noise_edits", "extra_edits"):
        for ours, theirs in zip(getattr(loaded, name), getattr(saved, name), strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or np.array_equal(np.asarray(ours), np.asarray(theirs))
    for field in dataclasses.fields(Explanation):
        assert type(getattr(loaded, field.name)) is type(getattr(saved, field.name)), field.name
    assert np.array_equal(loaded.reference, saved.reference) and loaded.heatmap() == saved.heatmap()


def test_the_region_is_kept_and_that_of_an_earlier_explanation_is_not(tmp_path):
    region = Image.new("L", picture().size)
    region.paste(255, (2, 3, 9, 12))
    run(region=region).save(tmp_path)
    assert np.array_equal(load(tmp_path).region, region)
    run().save(tmp_path)
    assert load(tmp_path).region is None


def test_a_partial_explanation_saves_and_shows_too(tmp_path):
    for number, partial in enumerate(
        explain_stream(picture(), "snow at night", FakeEditor(), embedder=FakeEmbedder(), seeds=2)
    ):
        partial.save(tmp_path / str(number))
        loaded = load(tmp_path / str(number))
        assert loaded.to_json() == partial.to_json() and loaded.provisional == partial.provisional
        assert len(loaded.noise_edits) == len(partial.noise_edits)
    assert "provisional" in next(explain_stream(picture(), "a b", FakeEditor(), embedder=FakeEmbedder())).to_json()


def test_saving_again_leaves_no_old_edits(tmp_path, explanation):
    explanation.save(tmp_path)
    run(edits=16).save(tmp_path)
    assert len(list((tmp_path / "edits").iterdir())) == 16


def test_load_refuses_what_is_no_explanation(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        load(tmp_path)
    for text in ("{", "[]", "{}", '{"weights": [1]}'):
        (tmp_path / "explanation.json").write_text(text)
        with pytest.raises(InputError, match="not an explanation"):
            load(tmp_path)


def test_heatmap_is_in_reading_order_on_a_symmetric_scale(explanation):
    trace = explanation.heatmap().data[0]
    assert trace.zmin == -trace.zmax and trace.zmax == 1  # for all explanations alike
    assert np.array_equal(np.array(trace.z, float).ravel(), explanation.weights)
    labels = np.array(trace.text).ravel()
    assert [word in label for word, label in zip(explanation.words, labels, strict=True)] == [True] * 6
    assert ["★" in label and "<b>" in label for label in labels] == explanation.significant.tolist()
    frames = [shape.line.width for shape in explanation.heatmap().layout.shapes]
    assert [width > 1 for width in frames] == explanation.significant.tolist()
    assert "interval" in trace.hovertext[0][0] and "Holm" in trace.hovertext[0][0]
    json.loads(explanation.heatmap().to_json())


@pytest.mark.parametrize("k", [1, 8, 9, 31, 64])
def test_heatmap_of_any_length(k):
    explanation = run(" ".join(f"word{i}" for i in range(k)))
    figure = explanation.heatmap()
    assert sum(text is not None for row in figure.data[0].text for text in row) == k
    assert draw_heatmap(explanation).width < 1000


def test_nobodys_text_becomes_markup(tmp_path):
    explanation = run(NASTY)
    figure = explanation.heatmap().to_json()
    assert "<script>" not in figure and "\\u003cscript" not in figure.lower()
    assert explanation.save(tmp_path) and load(tmp_path).words == NASTY.split()


def test_png_table_and_colours(explanation):
    png = draw_heatmap(explanation)
    assert png.mode == "RGB" and len(np.unique(np.asarray(png).reshape(-1, 3), axis=0)) > 10
    rows = tabulate_words(explanation)
    assert [row[0] for row in rows] == explanation.words and [row[6] == "★" for row in rows] == [
        bool(s) for s in explanation.significant
    ]
    assert pick_colour(0, 1) == (243, 241, 237) and pick_colour(np.nan, 1) == GREY
    assert pick_colour(1, 1)[0] > pick_colour(1, 1)[2] and pick_colour(-1, 1)[2] > pick_colour(-1, 1)[0]


def test_overlay_colours_only_significant_patches(explanation):
    over = np.asarray(explanation.overlay(2), int)
    grey = np.asarray(explanation.reference.convert("L").convert("RGB"), int)
    changed = np.abs(over - grey).max(axis=2) > 0
    assert changed[:23].mean() > 0.9 and not changed[24:].any()
    for word in (-1, 6):
        with pytest.raises(InputError, match="no word"):
            explanation.overlay(word)
    with pytest.raises(InputError, match="no maps"):
        dataclasses.replace(explanation, maps=None).overlay(0)


def test_reference(explanation):
    assert explanation.reference is explanation.edits[0]
    assert run(reference="input").reference.tobytes() == picture().tobytes()


def test_a_finding_is_a_few_sentences_and_the_first_says_which_words_it_was(explanation):
    for each in (explanation, run("snow"), run("a b c"), run(seeds=2)):
        text = each.finding
        assert "\n" not in text and text.endswith(".") and "  " not in text and ";." not in text
        assert text == " ".join(write_sentences(each)) and len(write_sentences(each)) <= 6
        assert all(sentence[0].isupper() or sentence[0] == "“" for sentence in write_sentences(each))
    first = write_sentences(explanation)[0]
    assert "over 32 edits" in first and "toward the full edit" in first and "“snow”" in first


def test_the_finding_names_what_counts_and_says_what_would_help(explanation):
    def with_(p_values_holm, **changes):
        k = len(explanation.words)
        weights = np.array([0.6, 0.01, 0.02, *[0.0] * (k - 3)])
        holm = np.array([*p_values_holm, *[1.0] * (k - 3)])
        changes = {"ci_low": weights, "ci_high": weights, "interaction": {}, "maps": np.full((k, 2, 2), 0.5)} | changes
        return dataclasses.replace(explanation, weights=weights, p_values_holm=holm, **changes).finding

    first, second, *_ = explanation.words
    found = with_([0.001, 0.002, 1.0])
    assert f"“{first}” (+0.60) and “{second}” (+0.01) pulled" in found
    assert f"In the picture, “{first}” almost everywhere (4 of 4 places), “{second}”" in found
    nothing = with_([1.0, 1.0, 1.0])
    assert "no word made a difference" in nothing and f"“{first}” (+0.60)" in nothing and "more edits may tell" in nothing
    every = explanation.settings | {"edits": 2 ** len(explanation.words)}
    assert "may tell" not in with_([1.0, 1.0, 1.0], settings=every)  # every combination is there
    unseen = with_([0.001, 0.002, 1.0], maps=np.zeros((len(explanation.words), 2, 2)))
    assert "no word changed anything that one can see" in unseen and f"“{first}”" not in unseen
    near = with_([0.001, 0.002, 1.0], noise_distances=np.array([9.0]))
    assert "another seed alone moves it as far or farther" in near and f"“{first}”" not in near
    half = np.zeros((len(explanation.words), 2, 2))
    half[0, 0, 1] = 0.5
    seen = with_([0.001, 0.002, 1.0], maps=half)  # of two small p-values, one for what nobody sees
    assert f"“{first}” in the upper right (1 of 4 places)." in seen and f"“{second}”" not in seen


def test_the_finding_says_why_nothing_could_be_tested_and_what_words_do_together(explanation):
    def with_(**changes):
        return dataclasses.replace(explanation, **changes).finding

    one, two = explanation.words[1], explanation.words[2]
    pair = {"pairs": [[1, 2], [0, 3]], "weight": 0.31, "p_value": 0.01, "untested": ""}
    aliased = "act together (+0.31 where both are kept, or 1 other pair that these edits cannot tell from it)."
    assert f"“{one}” and “{two}” {aliased}" in with_(interaction=pair)
    assert f"“{one}” and “{two}” do part of each other's work (-0.31" in with_(
        interaction=pair | {"pairs": [[1, 2]], "weight": -0.31}
    )
    for none in ({}, pair | {"p_value": 0.2}, pair | {"weight": 0.01}):
        assert "act together" not in with_(interaction=none)
    alone = with_(interaction=pair, p_values_holm=np.ones(len(explanation.words)))
    assert "act together" in alone and "no word alone made a difference" in alone
    poor = explanation.fidelity | {"R2_weighted_leave_one_out": 0.2}
    assert "Single words predict less than half" in with_(fidelity=poor)
    assert "Single words" not in with_(fidelity=poor | {"R2_weighted_leave_one_out": None})
    k = len(explanation.words)
    nothing = {"interaction": {}, "p_values_holm": np.ones(k), "untested": "the edits are too few to judge chance by"}
    assert "no word could be tested over 32 edits, because the edits are too few" in with_(**nothing)
    hardly = with_(p_values_holm=np.ones(k), blocks=np.repeat([0, 1], 16))
    assert "2 seeds can hardly show anything; more seeds may tell" in hardly
    few = with_(p_values_holm=np.ones(k), settings=explanation.settings | {"permutations": 99})
    assert "99 permutations are too few for 6 words" in few


class Together(FakeEditor):
    """Red where "remove" and "house" are both there, and nothing else."""

    def one(self, image, text, seed):
        return Image.new("RGB", image.size, "red" if {"remove", "house"} <= set(text.split()) else "grey")


def test_of_up_to_three_words_all_is_known():
    """All combinations are edited, so nothing is inferred: no interval, no test, and stars for what acts and can be seen."""

    class Exact(FakeEditor):
        def one(self, image, text, seed):
            return super().one(image, text, 0)

    for text in ("snow", "snow now", "make it snow"):
        found = run(text, editor=Exact())
        assert found.untested == ENUMERATED and (found.p_values == 1).all()
        assert [found.words[j] for j in np.flatnonzero(found.significant)] == ["snow"]
        assert (found.ci_low == found.weights).all() and "all combinations of the words were edited, “snow” (+" in found.finding
    together = run("remove the house", editor=Together())
    assert "“remove” and “house” work only together." in together.finding and together.significant.tolist() == [1, 0, 1]
    assert not run("hello").significant.any() and "made no difference" in run("hello").finding


def test_a_word_without_which_nothing_is_edited_is_said_and_the_others_are_fitted():
    class Clothed(FakeEditor):
        def edit(self, image, texts, *, seed, region=None):
            edits = super().edit(image, texts, seed=seed)
            return [edit if "clothed" in text.split() else None for edit, text in zip(edits, texts, strict=True)]

    found = run("a clothed person in deep snow", editor=Clothed(), edits=64)
    assert np.isnan(found.weights[1]) and np.isfinite(np.delete(found.weights, 1)).all()
    assert [found.words[j] for j in np.flatnonzero(found.significant)] == ["snow"]
    assert "Without “clothed” every edit failed or was blocked, so nothing can be said of it." in found.finding


def test_pictures_are_not_shared_with_the_caller():
    image = Image.new("RGB", (16, 16), "grey")
    explanation = explain(image, "snow", FakeEditor(), embedder=FakeEmbedder())
    image.paste("red", (0, 0, 16, 16))
    assert explanation.image.getpixel((0, 0)) == (128, 128, 128)


def test_an_editor_without_noise_has_exact_intervals_and_its_words_are_tested():
    found = run("snow now at once", edits=16)  # one word decides
    assert not found.untested and found.significant.tolist() == [True, False, False, False]
    assert (found.ci_low == found.weights).all() and (found.ci_high == found.weights).all()
    assert "“snow” (+1.00) pulled the result toward the full edit" in found.finding
