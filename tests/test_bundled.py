"""The bundled, trained models through the ordinary loaders: sizes, what the editor carries out, what the embedder sees,
and whether the explainer finds the words that matter. Small samples of what `python -m smile.toyroad.training.evaluate`
measures."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from sklearn.linear_model import RidgeClassifier

from smile import explain, load_editor, load_embedder
from smile.toyroad.cases import CASES, HELD_OUT, measure_pixel_error
from smile.toyroad.scene import VALUES, Scene, draw, random_scene
from smile.toyroad.training import evaluate

MODELS = Path(__file__).resolve().parents[1] / "assets" / "models"


@pytest.fixture(scope="module")
def editor():
    return load_editor("instruct-pix2pix", weights="bundled")


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("bundled")


@pytest.fixture(scope="module", params=CASES)
def any_editor(request):
    """(editor, its held-out cases) for each of the bundled editors."""
    return evaluate.load_trained_editor(request.param, MODELS), CASES[request.param]


def test_every_weight_file_is_safetensors_under_10_mb_and_all_are_under_80():
    files = [f for f in MODELS.rglob("*") if f.is_file()]
    weights = [f.stat().st_size for f in files if f.suffix == ".safetensors"]
    assert len(weights) >= 12 and not [f for f in files if f.suffix in (".bin", ".pt", ".pth", ".ckpt")]
    assert max(f.stat().st_size for f in files) < 10e6 and sum(f.stat().st_size for f in files) < 80e6


def test_the_editor_is_a_standard_diffusers_folder():
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(MODELS / "instruct-pix2pix")
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.unet.config.in_channels == 8
    edit = pipeline("make it night", image=draw(Scene()), num_inference_steps=4, guidance_scale=1.5,
                    image_guidance_scale=1.2, generator=torch.Generator().manual_seed(0)).images[0]  # fmt: skip
    assert edit.size == (128, 128) and np.asarray(edit).mean() < np.asarray(draw(Scene())).mean() - 20


@pytest.mark.parametrize("text", ["日本語 ünïcödé 🙂", "x" * 40, "qwertz-zuiop #@!", ""])
def test_the_tokenizer_accepts_any_text(editor, text):
    tokenizer = editor.pipeline.tokenizer
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.eos_token_id not in ids  # which is CLIP's unknown token as well
    assert bool(ids) == bool(text)


def test_unknown_words_and_neutral_words_do_next_to_nothing(editor):
    picture = draw(Scene())
    texts = ["", "zebra qwxyz", "please", "hello there", "make it night", "make it night zebra qwxyz"]
    empty, *quiet, night, night_zebra = editor.edit(picture, texts, seed=0)
    change = measure_pixel_error(empty, night)
    assert measure_pixel_error(picture, empty) < 0.25 * change
    assert max(measure_pixel_error(empty, edit) for edit in quiet) < 0.1 * change
    assert measure_pixel_error(night, night_zebra) < 0.15 * change


def test_both_guidance_scales_work(editor):
    picture = draw(Scene())

    def edit(**settings):
        return editor.with_settings(**settings).edit(picture, ["make it foggy"], seed=0)[0]

    plain, strong = edit(guidance=1.5), edit(guidance=3.0)
    faithful = edit(guidance=1.5, image_guidance=2.0)
    assert measure_pixel_error(picture, strong) > measure_pixel_error(picture, plain)  # more of what the words ask
    assert measure_pixel_error(picture, faithful) < measure_pixel_error(picture, plain)  # more of the picture


@pytest.mark.nightly
def test_an_editor_does_what_it_is_told_on_scenes_it_never_saw(any_editor):
    table = evaluate.measure_quality(*any_editor, 36)
    assert table["single"]["carried out"] >= 0.75 and table["compound"]["carried out"] >= 0.5
    assert table["neutral"]["carried out"] >= 0.66


def test_a_batch_gives_the_edits_of_single_texts_and_order_does_not_matter(any_editor):
    editor, cases = any_editor
    case = cases(1, "compound")
    texts = [case.instruction.text, "make it night", "", "add a red car"]
    together = case.edit(editor, texts, seed=3)
    single = [case.edit(editor, [text], seed=3)[0] for text in reversed(texts)][::-1]
    for a, b in zip(together, single, strict=True):
        assert np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= 1
    assert measure_pixel_error(together[0], together[2]) > 2


def test_inpainting_leaves_what_is_outside_the_region_as_it_is():
    editor, cases = evaluate.load_trained_editor("inpaint", MODELS), CASES["inpaint"]
    for number in range(4):
        case = cases(number, "single")
        edit = case.edit(editor, [case.instruction.text], seed=number)[0]
        assert np.array_equal(np.asarray(edit)[~case.region], np.asarray(case.picture)[~case.region])
        assert not np.array_equal(edit, case.picture)


def test_the_embedder_sees_weather_time_colour_and_objects(embedder):
    rng = np.random.default_rng((HELD_OUT, 99))
    scenes = [random_scene(rng) for _ in range(400)]
    vectors, patches = embedder.embed([draw(s) for s in scenes])
    assert vectors.shape == (400, 96) and patches.shape == (400, 256, 96)
    for name in VALUES:
        labels = np.array([str(getattr(s, name)) for s in scenes])
        read = RidgeClassifier(alpha=1e-2).fit(vectors[:300], labels[:300]).score(vectors[300:], labels[300:])
        assert read > 0.8, name


@pytest.mark.nightly
def test_the_explainer_finds_the_words_that_matter(any_editor, embedder):
    row = evaluate.measure_word_accuracy(*any_editor, embedder, 10, [{}])[0]
    assert row["AUROC"] >= 0.85 and row["top word"] >= 0.8


def test_the_map_of_a_word_lies_where_the_word_acts(editor):
    # The car stands in the lower middle; the sky has nothing to do with its colour.
    picture = draw(Scene(car="red"))
    e = explain(picture, "paint the car blue", editor, edits=16, seed=0, noise_seeds=0)
    maps = np.abs(e.maps[e.words.index("blue")])  # (16, 16)
    assert maps[10:, 4:12].mean() > 3 * maps[:6].mean()


def test_the_model_card_has_the_measured_tables():
    card, measured = (MODELS / "README.md").read_text(), json.loads((MODELS / "evaluation.json").read_text())
    answers = measured.pop("toyroad-language")["answers"]
    assert f"{100 * answers['whole']['all']:.1f} %" in card and f"{100 * answers['half of the words']['all']:.1f} %" in card
    assert set(measured) == set(CASES)
    for results in measured.values():
        assert {"quality", "seed noise", "words"} <= set(results)
        assert f"{100 * results['quality']['single']['carried out']:.1f} %" in card
