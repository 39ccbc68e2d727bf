"""The editors that people use today, by their class alone, on tiny random models in their repositories' layout."""

import inspect
import json

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import FakeEmbedder, picture, values
from tiny_editors import fill_folder, klein_folder, kontext_folder, qwen_folder, xl_folder

from smile import InputError, explain, load_editor
from smile.models.editors.catalogue import CATALOGUE, DEFAULT, find_class
from smile.models.editors.instruct_pix2pix import InstructPix2Pix

MAKE = {
    "klein": klein_folder,
    "kontext": kontext_folder,
    "qwen": qwen_folder,
    "xl": lambda folder: xl_folder(folder, "instruct-pix2pix"),
    "fill": fill_folder,
}
TABLE = {
    "klein": ({"steps": 4, "guidance": 1.0}, 8),
    "kontext": ({"steps": 28, "guidance": 2.5}, 8),
    "qwen": ({"steps": 40, "guidance": 4.0}, 1),
    "xl": ({"steps": 30, "guidance": 3.0, "image_guidance": 1.5}, 8),
    "fill": ({"steps": 50, "guidance": 30.0}, 8),
}
TEXTS = ["make it snow", "snow", ""]


@pytest.fixture(scope="module", params=list(MAKE))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def editor(kind, tmp_path_factory):
    folder = MAKE[kind](tmp_path_factory.mktemp(kind))
    (folder / "editor.json").write_text(json.dumps({"size": 64}))
    with pytest.MonkeyPatch.context() as patch:
        plus = diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus
        patch.setattr(plus, "VAE_IMAGE_SIZE", 64 * 64)  # else it looks at a megapixel, whatever the picture
        patch.setattr(plus, "CONDITION_IMAGE_SIZE", 56 * 56)
        yield load_editor(str(folder))


@pytest.fixture(scope="module")
def region(kind):
    return {"region": Image.new("L", (64, 64), 255)} if kind == "fill" else {}


def decode(editor, texts, seed=3, **region):
    """What the editor decodes, as floats, so that batches are compared before rounding to bytes."""
    kept, vae = [], editor.pipeline.vae
    original = vae.decode
    vae.decode = lambda *a, **k: kept.append(original(*a, **k)) or kept[-1]
    try:
        editor.edit(picture((64, 64)), texts, seed=seed, **region)
    finally:
        del vae.decode
    return torch.cat([each[0] for each in kept]) / 2 + 0.5


def test_its_class_alone_decides(editor, kind):
    settings, together = TABLE[kind]
    assert (editor.settings, editor.batch_size) == (settings, together)
    assert editor.name == editor.weights == str(editor.location) and editor.takes_region == (kind == "fill")
    assert editor.dtype == "float32" and editor.working_size == 64


def test_a_batch_equals_single_texts_and_seeds_hold(editor, region):
    quick = editor.with_settings(steps=2)
    batch = decode(quick, TEXTS, **region)
    singles = torch.cat([decode(quick, [text], **region) for text in TEXTS])
    assert (batch - singles).abs().max() <= 1e-4
    assert torch.equal(batch, decode(quick, TEXTS, **region))
    assert (batch - decode(quick, TEXTS, seed=4, **region)).abs().max() > 0.01
    assert (batch[0] - batch[2]).abs().max() > 1e-4, "the text is read"


def test_it_explains_an_instruction_from_end_to_end(editor, region, capfd):
    quick = editor.with_settings(steps=1)
    before = torch.get_rng_state()
    explanation = explain(
        picture((64, 64)), "make it snow", quick, embedder=FakeEmbedder(), locality="wmd", noise_seeds=1, **region
    )
    assert explanation.words == ["make", "it", "snow"] and np.isfinite(explanation.weights).all() and not explanation.failed
    assert explanation.settings["locality"] == "wmd" and explanation.settings["editor"] == editor.name
    assert torch.equal(torch.get_rng_state(), before) and "".join(capfd.readouterr()) == ""


def test_words_that_the_pipeline_would_cut_off_are_named(editor, kind, region):
    limit = 77 if kind == "xl" else 512
    long = " ".join(f"{'abcdefgh' * 2}" for _ in range(limit // 16 + 4)) + " lastword"  # a token for each letter
    lost = editor.lost_words(long)
    assert lost[-1] == "lastword" and 1 <= len(lost) <= 12 and editor.lost_words("make it snow") == []
    with pytest.raises(InputError, match="lastword"):
        explain(picture((64, 64)), long, editor, embedder=FakeEmbedder(), **region)


@pytest.mark.parametrize("kind", ["klein"], indirect=True)
def test_no_two_texts_that_differ_at_their_end_are_read_alike(editor):
    """The last text that is not refused is read to its end, chat template and all."""
    word, fits = "x", []
    while not editor.lost_words(" ".join([*fits, word])):
        fits.append(word)
    tokenizer = editor.pipeline.tokenizer
    chat = [{"role": "user", "content": " ".join(fits)}]
    whole = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    assert 510 <= len(tokenizer(whole).input_ids) <= 512
    edits = values(editor.with_settings(steps=1).edit(picture((64, 64)), [" ".join(fits), " ".join([*fits[:-1], "y"])], seed=0))
    assert np.abs(edits[0] - edits[1]).max() > 0


def test_weights_that_are_not_distilled_take_their_many_steps(tmp_path):
    editor = load_editor(str(klein_folder(tmp_path, distilled=False)))
    assert editor.settings == {"steps": 50, "guidance": 4.0} and editor.working_size == 1024


def test_klein_inpaints_with_the_same_weights(tmp_path):
    folder = klein_folder(tmp_path)
    editor = load_editor("inpaint", str(folder), steps=2)
    assert type(editor.pipeline).__name__ == "Flux2KleinInpaintPipeline" and editor.settings["guidance"] == 1.0
    editor.working_size = 64
    region = Image.new("L", (64, 64))
    region.paste(255, (0, 0, 32, 64))
    edits = values(editor.edit(picture((64, 64)), TEXTS, seed=0, region=region))
    assert np.array_equal(edits[:, :, 32:], values([picture((64, 64))] * 3)[:, :, 32:])
    assert np.abs(edits - values([picture((64, 64))]))[:, :, :32].max() > 0.1


def test_the_catalogue_says_what_the_classes_take():
    assert DEFAULT == "black-forest-labs/FLUX.2-klein-4B"
    for name, row in CATALOGUE.items():
        found = find_class({"_class_name": name}, "somewhere", row.region)
        takes = inspect.signature(found.__call__).parameters
        limit = takes.get("max_sequence_length")
        assert limit is None or limit.default == row.tokens, name
        assert set(row.options) <= set(takes) and row.largest < row.gigabytes and row.licence, name


REFUSED = {
    "WanImageToVideoPipeline": "makes a video",
    "LTXConditionPipeline": "makes a video",
    "ChronoEditPipeline": "makes a video",
    "LucyEditPipeline": "makes a video",
    "StableDiffusionUpscalePipeline": "enlarges pictures",
    "StableDiffusionLatentUpscalePipeline": "enlarges pictures",
    "IFSuperResolutionPipeline": "enlarges pictures",
    "StableDiffusionControlNetPipeline": "controls it",
    "FluxControlImg2ImgPipeline": "controls it",
    "StableDiffusionXLControlNetInpaintPipeline": "controls it",
    "StableDiffusionAdapterPipeline": "controls it",
    "StableDiffusionPipeline": "takes a prompt and an image",
    "OmniGenPipeline": "takes a prompt and an image",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_editor_is_refused_by_its_index_alone(name, tmp_path, capfd):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
    for asked in ({"name": str(tmp_path)}, {"name": "instruct-pix2pix", "weights": str(tmp_path)}):
        with pytest.raises(InputError, match=f"holds a {name}.*{REFUSED[name]}") as caught:
            load_editor(**asked)
        assert "\n" not in str(caught.value)


def test_a_name_that_is_a_place_needs_no_weights_and_ours_keep_their_steps(tmp_path):
    from tiny import instruct_pix2pix_folder

    folder = instruct_pix2pix_folder(tmp_path)
    assert type(load_editor(str(folder))) is InstructPix2Pix
    with pytest.raises(InputError, match="leave the weights out"):
        load_editor(str(folder), "bundled")
    with pytest.raises(InputError, match="no editor called"):
        load_editor("nowhere/at/all")
