"""The spine, with a NumPy editor and embedder: words, common noise, streaming, seeds, failures, own parts."""

import inspect

import numpy as np
import pytest
from PIL import Image
from tiny import DeafEditor, FakeEditor, FakeEmbedder, picture

from smile import Explanation, InputError, explain, explain_stream
from smile.method.units import perturbed, words

TEXT = "make it snow at night please"


def run(text=TEXT, editor=None, **options):
    return explain(picture(), text, editor or FakeEditor(), embedder=FakeEmbedder(), **options)


def test_words_keep_their_order_and_repeat():
    assert words(" very  very\tcold\n") == ["very", "very", "cold"]
    assert perturbed(["a", "b", "a"], [True, False, True]) == "a a"
    assert perturbed(["a", "b"], [False, False]) == ""


@pytest.mark.parametrize("text", ["", "  \n", "word " * 65, "word " * 200, None, 7])
def test_bad_instructions(text):
    with pytest.raises(InputError) as caught:
        run(text)
    assert "\n" not in str(caught.value)


def test_texts_agree_with_keep_and_repeated_words_have_their_own_weights():
    explanation = run("snow snow at night", locality="none")
    for row, text in zip(explanation.mask, explanation.texts, strict=True):
        assert text.split() == [w for w, kept in zip(explanation.words, row, strict=True) if kept]
    assert explanation.mask[0].all() and len(explanation.weights) == 4
    assert explanation.weights[0] == pytest.approx(explanation.weights[1])  # either is enough, so they share


def test_finds_the_words_that_matter():
    explanation = run(locality="none", edits=32)
    assert [explanation.words[j] for j in np.flatnonzero(explanation.significant)] == ["snow", "night"]
    assert "“snow”" in explanation.finding and "“night”" in explanation.finding and "seed 0" in explanation.finding
    assert "no difference could be shown" in explanation.finding
    assert explanation.weights[2] > 0 and explanation.failed == 0
    assert explanation.distances[0] == 0 and explanation.responses.min() == 0 and explanation.responses.max() == 1


def test_the_map_shows_where():
    explanation = run(locality="none", edits=32)
    snow, night = explanation.maps[2], explanation.maps[4]
    assert explanation.maps.shape == (6, 16, 16)
    assert snow[:8].min() > 0.2 and not snow[8:].any() and night.max() < -0.1  # redder above; less blue everywhere
    assert explanation.places[2][:8].all() and not explanation.places[2][8:].any() and explanation.places[4].all()
    assert not explanation.places[[0, 1, 3, 5]].any()
    assert "“night” almost everywhere (256 of 256 places)" in explanation.finding
    assert "“snow” in the upper part (128 of 256 places)" in explanation.finding


def test_identical_texts_are_edited_once_and_all_from_the_same_noise():
    editor = FakeEditor()
    explanation = run("snow snow snow", editor, seed=3, noise_seeds=2)
    edited = [text for seed, texts in editor.calls for text in texts if seed == 3]
    assert len(explanation.texts) == 8 and sorted(edited) == ["", "snow", "snow snow", "snow snow snow"]
    assert explanation.done == explanation.total == 6
    assert [call for call in editor.calls if call[0] != 3] == [(4, ["snow snow snow"]), (5, ["snow snow snow"])]


def test_the_full_instruction_comes_first_alone():
    editor = FakeEditor()
    stream = explain_stream(picture(), TEXT, editor, embedder=FakeEmbedder())
    first = next(stream)
    assert editor.calls == [(0, [TEXT])]
    assert first.provisional and first.texts == [TEXT] and np.isnan(first.weights).all() and first.done == 1
    assert isinstance(first, Explanation) and "1 of 28" in first.finding
    stream.close()
    assert len(editor.calls) == 1


def test_the_stream_ends_with_the_explanation():
    items = list(explain_stream(picture(), TEXT, FakeEditor(), embedder=FakeEmbedder()))
    assert [item.provisional for item in items] == [True] * (len(items) - 1) + [False]
    assert [item.done for item in items] == sorted(item.done for item in items) and items[-1].done == items[-1].total
    assert np.isfinite(items[-2].weights).all()
    assert plain(items[-1]) == plain(run())


def test_the_batch_size_is_the_editors():
    editor = FakeEditor()
    editor.batch_size = 3
    run(editor=editor)
    assert max(len(texts) for _, texts in editor.calls) == 3


def test_same_call_same_numbers_and_another_seed_other_noise():
    first, second = plain(run()), plain(run())
    assert first == second
    assert plain(run(seed=1)) != first


def test_an_editor_that_ignores_its_text():
    explanation = run(editor=DeafEditor())
    assert not explanation.significant.any() and np.abs(explanation.weights).max() < 1e-9
    assert "words made no difference" in explanation.finding
    assert "words made no difference" in run(editor=DeafEditor(), preset="paper", reference="input").finding


def test_noise_that_looks_like_an_effect_is_rarely_significant():
    class Random(FakeEditor):
        def one(self, image, text, seed):
            return super().one(image, "", abs(hash((seed, len(text), sum(map(ord, text))))))

    found = [run(editor=Random(), seed=seed).significant.any() for seed in range(20)]
    assert sum(found) <= 4
    explanation = run(editor=Random())
    assert ("anything that one can see" in explanation.finding) == (not explanation.visible.any())


def test_failed_edits_are_left_out_and_counted():
    whole = run()
    fail = whole.texts[3]
    explanation = run(editor=FakeEditor(fail=[fail]))
    assert explanation.failed == 1 and explanation.edits[3] is None and np.isnan(explanation.distances[3])
    assert np.isfinite(explanation.weights).all() and len(explanation.texts) == len(whole.texts)
    assert np.isfinite(np.delete(explanation.responses, 3)).all()


def test_a_failed_reference_is_an_error():
    with pytest.raises(InputError, match="full instruction failed"):
        run(editor=FakeEditor(fail=[TEXT]))


def test_all_others_failed():
    texts = run().texts
    explanation = run(editor=FakeEditor(fail=texts[1:]))
    assert np.isnan(explanation.weights).all() and "Only 1 of 24 edits succeeded" in explanation.finding
    assert explanation.failed == 23 and not explanation.significant.any()


def test_failed_noise_edits_are_left_out():
    class Fails(FakeEditor):
        def edit(self, image, texts, *, seed, region=None):
            return [None] * len(texts) if seed > 2 else super().edit(image, texts, seed=seed)

    explanation = run(editor=Fails())
    assert explanation.failed == 2 and np.isfinite(explanation.noise_distances).sum() == 2
    assert explanation.noise_floor == pytest.approx(np.nanmean(explanation.noise_distances))


def test_noise_floor_and_edit_p_values():
    explanation = run()
    assert len(explanation.noise_distances) == 4 and explanation.noise_floor > 0
    assert explanation.edit_p_values[0] == 1 and explanation.edit_p_values.min() == pytest.approx(1 / 5)
    assert "times as far as another seed" in explanation.finding
    without = run(noise_seeds=0, undo=False)
    assert without.noise_floor is None and np.isnan(without.edit_p_values).all() and without.total == 24


def test_several_seeds_are_blocks():
    editor = FakeEditor()
    explanation = run(editor=editor, seeds=3, seed=5, noise_seeds=1, locality="none")
    assert np.array_equal(explanation.blocks, np.repeat([0, 1, 2], 24)) and explanation.mask.shape == (72, 6)
    assert list(dict.fromkeys(seed for seed, _ in editor.calls)) == [5, 6, 7, 8]
    assert np.all(explanation.distances[[0, 24, 48]] == 0)  # each block has its own reference
    assert explanation.texts[:24] == explanation.texts[24:48]
    assert "3 seeds" in explanation.finding and explanation.significant[[2, 4]].all()
    assert np.ptp(explanation.ci_high - explanation.ci_low) < 1


def test_paper_preset():
    editor = FakeEditor()
    explanation = run(editor=editor, preset="paper")
    assert len(explanation.texts) == 30 and "" not in explanation.texts
    settings = explanation.settings
    assert (settings["design"], settings["distance"], settings["sigma"]) == ("random", "wasserstein", 0.25)
    t = 1 - np.sqrt(explanation.mask.mean(axis=1))
    assert explanation.locality_weights == pytest.approx(np.sqrt(np.exp(-(t**2) / 0.25**2)))
    assert len(run(preset="paper", edits=12).texts) == 12
    with pytest.raises(InputError, match="no preset"):
        run(preset="secret")


def test_options():
    assert run(reference="input").reference.size == picture().size
    assert run(reference="input").distances[0] > 0
    for name in ("wasserstein", "cosine", "patches"):
        assert run(distance=name).settings["distance"] == name
    assert np.all(run().locality_weights == 1) and run().settings["sigma"] is None
    assert run(locality="words", sigma=0.5).settings["sigma"] == 0.5
    settings = run(locality="wmd").settings
    assert settings["locality"] == "words" and "token embeddings" in settings["locality_note"]
    for kind in ("ridge", "bayesian"):
        assert np.isfinite(run(surrogate=kind).weights).all()
    assert run("snow").words == ["snow"] and "all combinations of the words were edited under 6 seeds" in run("snow").finding
    assert run(" ".join(f"w{i}" for i in range(30)) + " snow").settings["permutations"] == 3100


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"edits": 3}, "at least"),
        ({"edits": 0}, "at least 2"),
        ({"edits": 2.5}, "whole number"),
        ({"design": "clever"}, "no design “clever”; there is balanced"),
        ({"distance": "far"}, "no distance"),
        ({"reference": "me"}, "no reference"),
        ({"locality": "here"}, "no locality"),
        ({"surrogate": "forest"}, "no surrogate"),
        ({"seed": -1}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"seeds": 0}, "seeds must be"),
        ({"noise_seeds": -1}, "noise_seeds must be"),
        ({"permutations": 0}, "permutations must be"),
        ({"sigma": 0}, "sigma must be"),
        ({"sigma": "wide"}, "sigma must be"),
    ],
)
def test_bad_options(options, match):
    editor = FakeEditor()
    with pytest.raises(InputError, match=match) as caught:
        run(editor=editor, **options)
    assert "\n" not in str(caught.value) and not editor.calls


def test_bad_pictures_and_parts():
    for image in (None, "no/such.png", 3):
        with pytest.raises(InputError):
            explain(image, TEXT, FakeEditor(), embedder=FakeEmbedder())
    with pytest.raises(InputError, match="no editor called “nobody”"):
        explain(picture(), TEXT, "nobody")
    with pytest.raises(InputError, match="object with edit"):
        explain(picture(), TEXT, object())
    with pytest.raises(InputError, match="object with embed"):
        explain(picture(), TEXT, FakeEditor(), embedder=object())


@pytest.mark.parametrize(
    ("result", "match"),
    [
        (lambda n: [picture()] * (n + 1), "one picture for each text: 1, not 2"),
        (lambda n: None, "not a NoneType"),
        (lambda n: [np.zeros((4, 4, 3))] * n, "PIL images, or None for a failed edit, not ndarray"),
    ],
)
def test_own_editors_are_checked(result, match):
    class Own:
        def edit(self, image, texts, *, seed, region=None):
            return result(len(texts))

    with pytest.raises(InputError, match=match):
        run(editor=Own())


@pytest.mark.parametrize(
    ("result", "match"),
    [
        (lambda n: np.zeros((n, 3)), "must return .vectors, patches."),
        (lambda n: (np.zeros(3), None), "vectors must be"),
        (lambda n: (np.zeros((n, 3)), np.zeros((n, 3))), "patches must be"),
        (lambda n: (np.full((n, 3), np.nan), None), "finite"),
    ],
)
def test_own_embedders_are_checked(result, match):
    class Own:
        def embed(self, images):
            return result(len(images))

    with pytest.raises(InputError, match=match):
        explain(picture(), TEXT, FakeEditor(), embedder=Own())


def test_an_embedder_without_patches():
    class Vectors:
        def embed(self, images):
            return FakeEmbedder().embed(images)[0], None

    explanation = explain(picture(), TEXT, FakeEditor(), embedder=Vectors())
    assert explanation.settings["distance"] == "wasserstein" and explanation.maps is not None
    with pytest.raises(InputError, match="no patch tokens"):
        explain(picture(), TEXT, FakeEditor(), embedder=Vectors(), distance="patches")


def test_an_own_editor_with_token_embeddings_and_a_region():
    class Own(FakeEditor):
        regions = ()

        def edit(self, image, texts, *, seed, region=None):
            self.regions = (*self.regions, region)
            return super().edit(image, texts, seed=seed)

        def token_embeddings(self, text):
            return np.array([[len(word), ord(word[0])] for word in text.split()], float).reshape(-1, 2)

    editor = Own()
    explanation = run(editor=editor, region=np.full((10, 10), 255, np.uint8), locality="wmd")
    assert explanation.settings["locality"] == "wmd" and "locality_note" not in explanation.settings
    assert explanation.settings["region"] and all(region.size == picture().size for region in editor.regions)


def test_an_error_inside_an_own_editor_is_not_swallowed():
    class Broken(FakeEditor):
        def one(self, image, text, seed):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(editor=Broken())


def test_edits_of_another_mode_and_size():
    class Grey(FakeEditor):
        def one(self, image, text, seed):
            return super().one(image, text, seed).convert("L").resize((20, 20))

    assert {image.mode for image in run(editor=Grey()).edits} == {"RGB"}


def test_explain_shows_the_options_in_its_signature():
    assert {"edits", "seed", "seeds", "preset"} <= set(inspect.signature(explain).parameters)


def test_an_array_is_a_picture():
    image = np.asarray(Image.new("RGB", (30, 20), "grey"))
    assert explain(image, "snow", FakeEditor(), embedder=FakeEmbedder()).image.size == (30, 20)


def plain(explanation):
    return {name: value for name, value in explanation.to_dict().items() if name != "seconds"}
