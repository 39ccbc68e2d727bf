"""The diffusers editor through its real loader, on random weights: batches, noise, memory, limits, missing weights."""

import json
import shutil

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import dinov2_folder, instruct_pix2pix_folder, picture

from smile import InputError, explain, load_editor, load_embedder
from smile.models import hub
from smile.models.editors.memory import Memory, move_to_device

TEXTS = ["make it snow", "snow", "", "at night", "make it snow at night"]
MORE = [*TEXTS, *(f"please {text}" for text in TEXTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return instruct_pix2pix_folder(tmp_path_factory.mktemp("ip2p"))


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    return dinov2_folder(tmp_path_factory.mktemp("dino"))


@pytest.fixture
def editor(folder):
    return load_editor("instruct-pix2pix", weights=str(folder))


def values(images):
    return np.stack([np.asarray(image, float) / 255 for image in images])


def latents(editor, texts, seed=3):
    """What the editor decodes, as floats, so that batches are compared before rounding to bytes."""
    generators = [torch.Generator("cpu").manual_seed(seed) for _ in texts]
    kept = {}
    decode = editor.pipeline.vae.decode
    editor.pipeline.vae.decode = lambda z, **k: kept.setdefault("out", decode(z, **k))
    try:
        with torch.inference_mode():
            editor.edit_batch(editor.prepare_picture(picture((32, 32)), None), texts, generators)
    finally:
        del editor.pipeline.vae.decode
    return kept["out"][0] / 2 + 0.5


def sliced(editor):
    return {type(p).__name__ for p in editor.pipeline.unet.attn_processors.values()} == {"SlicedAttnProcessor"}


def test_an_edit_is_a_picture_of_the_working_size_and_depends_on_text_and_seed(editor):
    images = editor.edit(picture((60, 30)), TEXTS, seed=0)
    assert [image.size for image in images] == [(32, 16)] * len(TEXTS)
    assert np.abs(values(images)[0] - values(images)[2]).max() > 0.01
    assert np.abs(values(images) - values(editor.edit(picture((60, 30)), TEXTS, seed=1))).max() > 0.01
    assert editor.edit(picture(), [], seed=0) == []


SIZES = {(1040, 720): (104, 72), (333, 1000): (32, 104), (800, 100): (104, 16), (33, 57): (64, 104)}


@pytest.mark.parametrize("size", SIZES)
def test_photographs_of_any_size(editor, size):
    """Sides that are multiples of 8 and not of 64, so that the UNet's halves do not meet by themselves."""
    editor.working_size = 104
    assert [edit.size for edit in editor.edit(picture(size), TEXTS[:2], seed=0)] == [SIZES[size]] * 2


def test_a_turned_and_a_transparent_photograph_and_an_array(editor, tmp_path):
    upright = picture((32, 16))
    expected = values(editor.edit(upright, TEXTS, seed=0))
    turned = upright.rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6  # turn it clockwise to see it upright
    turned.save(tmp_path / "turned.png", exif=exif)
    clear = Image.merge("RGBA", (*upright.split(), Image.new("L", upright.size, 255)))
    clear.paste((9, 9, 9, 0), (0, 0, 8, 8))
    white = upright.copy()
    white.paste("white", (0, 0, 8, 8))
    for given in (Image.open(tmp_path / "turned.png"), tmp_path / "turned.png", np.asarray(upright)):
        assert np.array_equal(values(editor.edit(given, TEXTS, seed=0)), expected)
    assert np.array_equal(values(editor.edit(clear, TEXTS, seed=0)), values(editor.edit(white, TEXTS, seed=0)))
    with pytest.raises(InputError, match="too narrow a strip"):
        editor.edit(picture((90, 9)), TEXTS, seed=0)


def test_same_seed_same_edit(editor):
    first, second = (values(editor.edit(picture(), TEXTS, seed=5)) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_batch_equals_single_texts_in_any_order(editor):
    batch = latents(editor, TEXTS)
    singles = torch.cat([latents(editor, [text]) for text in TEXTS])
    backwards = latents(editor, TEXTS[::-1]).flip(0)
    assert (batch - singles).abs().max() <= 1e-4
    assert (batch - backwards).abs().max() <= 1e-4


SCHEDULERS = [
    "DDIMScheduler", "EulerAncestralDiscreteScheduler", "PNDMScheduler", "HeunDiscreteScheduler",
    "DPMSolverMultistepScheduler", "DDPMScheduler",
]  # fmt: skip
GUIDANCE = [(1.0, 1.0), (1.0, 1.5), (3.0, 1.0), (7.5, 1.5), (2.0, 2.0)]  # of the text, of the picture


@pytest.mark.parametrize("guidance, image_guidance", GUIDANCE)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_equals_the_pipeline_called_plainly(editor, scheduler, guidance, image_guidance):
    """Its own steps, which compute every branch for every text, before rounding to bytes."""
    pipeline, texts = editor.pipeline, ["make it snow", "snow", ""]
    pipeline.scheduler = getattr(diffusers, scheduler).from_config(pipeline.scheduler.config)
    editor = editor.with_settings(steps=4, guidance=guidance, image_guidance=image_guidance)
    ours = latents(editor, texts, seed=7)
    theirs = pipeline(
        texts,
        image=[picture((32, 32))] * 3,
        num_inference_steps=4,
        guidance_scale=guidance,
        image_guidance_scale=image_guidance,
        generator=[torch.Generator("cpu").manual_seed(7) for _ in texts],
        output_type="pt",
    ).images
    assert (ours.clamp(0, 1) - theirs).abs().max() <= 1e-4
    if guidance > 1:
        assert (theirs[0] - theirs[2]).abs().max() > 1e-3


def rows_seen(editor, texts, **given):
    """How many rows each call of the UNet had."""
    rows, forward = [], editor.pipeline.unet.forward
    editor.pipeline.unet.forward = lambda x, *a, **k: rows.append(len(x)) or forward(x, *a, **k)
    editor.edit(picture((32, 32)), texts, seed=0, **given)
    del editor.pipeline.unet.forward
    return rows


def test_what_is_the_same_for_all_texts_or_counts_nothing_is_not_computed_again(editor):
    """Two steps. A branch that counts 0 is left out; the first step without a text is one row for each branch, once."""
    for guidance, image_guidance, branches in ((1, 1, 1), (1, 1.5, 1), (3, 1, 2), (3, 1.5, 3)):
        other = editor.with_settings(guidance=guidance, image_guidance=image_guidance)
        other.memory.batch_size = 2
        first = [branches - 1, 2] if branches > 1 else [2]
        assert rows_seen(other, ["a", "b", "a", "c", "d", "b"]) == [*first, 2 * branches, 2, 2 * branches]


def test_first_steps_of_several_noises_are_not_taken_for_one(editor):
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in (0, 1, 0)]
    with torch.inference_mode():
        mixed = editor.edit_batch(editor.prepare_picture(picture((32, 32)), None), ["snow"] * 3, generators)
    each = [editor.edit(picture((32, 32)), ["snow"], seed=seed)[0] for seed in (0, 1, 0)]
    assert np.abs(values(mixed) - values(each)).max() <= 1.01 / 255


def test_no_edit_depends_on_what_was_edited_before(editor):
    """To the last bit, although the first step is remembered for one picture and noise, and texts for all."""
    expected = values(editor.edit(picture(), TEXTS, seed=0))
    for seed, texts in ((1, TEXTS), (0, TEXTS[::-1]), (0, ["else"])):
        editor.edit(picture(), texts, seed=seed)
        assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), expected)


def test_a_text_that_comes_again_is_edited_once(editor):
    texts = ["snow", "night", "snow", "", "snow", "night"]
    editor.memory.batch_size = 2
    batches = list(editor.edit_stream(picture(), texts, seed=0))
    assert [len(batch) for batch in batches] == [3, 3]
    expected = values(editor.edit(picture(), ["snow", "night", ""], seed=0))
    assert np.array_equal(values([edit for batch in batches for edit in batch]), expected[[0, 1, 0, 2, 0, 1]])


@pytest.mark.parametrize("company", [1, 3, 16])
def test_what_is_read_of_a_text_does_not_depend_on_the_texts_beside_it(folder, company):
    """Read together and once; on a device that is not the CPU always as many at a time."""
    alone, calls = load_editor("instruct-pix2pix", weights=str(folder)), []
    editor = load_editor("instruct-pix2pix", weights=str(folder))
    forward = editor.pipeline.text_encoder.forward
    editor.pipeline.text_encoder.forward = lambda ids, **k: calls.append(len(ids)) or forward(ids, **k)
    texts = [f"snow {i}" for i in range(company)]
    with torch.inference_mode():
        together = editor.encode_texts([*texts, *texts])
        assert torch.equal(together, torch.cat([alone.encode_texts([text]) for text in texts] * 2))
        assert calls == [company]
        editor._text_states.clear()
        editor.device = "cpu:0"  # not "cpu", and yet here
        assert torch.equal(editor.encode_texts([*texts, *texts]), together) and calls == [company, 16]


def test_settings_come_from_the_folder_and_can_be_changed(editor):
    assert editor.settings == {"steps": 2, "guidance": 3.0, "image_guidance": 1.0}
    before = values(editor.edit(picture(), TEXTS, seed=0))
    editor.settings["steps"] = 3
    assert np.abs(before - values(editor.edit(picture(), TEXTS, seed=0))).max() > 0


def test_an_editor_json_that_makes_no_sense_is_one_sentence(folder, tmp_path):
    for own, match in (
        ("{", "holds no JSON object"),
        ("[]", "holds no JSON object"),
        ('{"steps": 0}', "“steps” of instruct-pix2pix must be a number from 1 to 200"),
        ('{"size": "large"}', "size in .* whole number"),
        ('{"sice": 8}', "no setting “sice”"),
        ('{"shared": "../nowhere"}', "share parts with the folder .*nowhere"),
    ):
        copied = tmp_path / str(abs(hash(own)))
        shutil.copytree(folder, copied)
        (copied / "editor.json").write_text(own)
        with pytest.raises(InputError, match=match) as caught:
            load_editor("instruct-pix2pix", weights=str(copied))
        assert "\n" not in str(caught.value)


def test_parts_that_a_folder_does_not_hold_come_from_the_one_it_shares_with(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "whole", ignore=shutil.ignore_patterns("unet"))
    for name in ("unet", "scheduler", "model_index.json"):
        place = shutil.copytree if (folder / name).is_dir() else shutil.copy
        (tmp_path / "part").mkdir(exist_ok=True)
        place(folder / name, tmp_path / "part" / name)
    own = {"size": 32, "steps": 2, "guidance": 3.0, "image_guidance": 1.0, "shared": "../whole"}
    (tmp_path / "part" / "editor.json").write_text(json.dumps(own))
    assert hub.find_shared_parts(tmp_path / "part") == tmp_path / "whole" and hub.find_shared_parts(folder) is None
    editor = load_editor("instruct-pix2pix", weights=str(tmp_path / "part"))
    assert editor.settings == {"steps": 2, "guidance": 3.0, "image_guidance": 1.0}
    expected = load_editor("instruct-pix2pix", weights=str(folder)).edit(picture(), TEXTS, seed=0)
    assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), values(expected))
    shutil.rmtree(tmp_path / "whole" / "vae")
    with pytest.raises(InputError, match="whole does not hold complete instruct-pix2pix weights"):
        load_editor("instruct-pix2pix", weights=str(tmp_path / "part"))


def test_what_is_computed_in(folder, editor, monkeypatch):
    assert editor.dtype == "float32"
    for native, cpu in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(hub, "has_fast_bfloat16", lambda native=native: native)
        for small in ("bundled", "bundled-edges", str(folder)):
            assert {hub.choose_dtype(device, small) for device in ("cpu", "cuda", "mps")} == {torch.float32}
        for large in ("full", "somebody/something"):
            assert hub.choose_dtype("cpu", large) == cpu
            assert hub.choose_dtype("cuda:1", large) == torch.float16
            assert hub.choose_dtype("mps", large) == torch.float32
    monkeypatch.setattr(hub, "SMALL", 1000)  # so that the folder is large
    assert hub.choose_dtype("cuda", str(folder)) == torch.float16


@pytest.mark.parametrize("native", [True, False])
def test_whether_the_cpu_has_fast_bfloat16_is_asked_of_torch_and_guarded(monkeypatch, native):
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert hub.has_fast_bfloat16() is False  # a torch that cannot say
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    assert hub.has_fast_bfloat16() is native


def test_half_precision_edits_are_pictures(folder, monkeypatch):
    monkeypatch.setattr(hub, "SMALL", 1000)
    monkeypatch.setattr(hub, "has_fast_bfloat16", lambda: True)
    editor = load_editor("instruct-pix2pix", weights=str(folder))
    assert editor.dtype == "bfloat16" and editor.token_embeddings("ab").dtype == np.float32
    edits = values(editor.edit(picture(), TEXTS, seed=0))
    monkeypatch.undo()
    single = values(load_editor("instruct-pix2pix", weights=str(folder)).edit(picture(), TEXTS, seed=0))
    assert edits.shape == single.shape and edits.std() > 0.01


def test_loading_and_editing_print_nothing(folder, capfd):
    load_editor("instruct-pix2pix", weights=str(folder)).edit(picture(), TEXTS, seed=0)
    assert "".join(capfd.readouterr()) == ""


CPU_FULL = "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
FULL = [torch.OutOfMemoryError("no"), RuntimeError(CPU_FULL), RuntimeError("MPS backend out of memory"), MemoryError()]


@pytest.mark.parametrize("error", FULL, ids=lambda error: type(error).__name__)
def test_out_of_memory_halves_the_batch(editor, error):
    expected, run, sizes = values(editor.edit(picture(), MORE, seed=0)), editor.edit_batch, []

    def small(prepared, texts, generators):
        sizes.append(len(texts))
        if len(texts) > 3:
            raise error
        return run(prepared, texts, generators)

    editor.edit_batch = small
    assert np.abs(values(editor.edit(picture(), MORE, seed=0)) - expected).max() <= 1.01 / 255
    assert sizes[:3] == [8, 4, 2] and editor.batch_size == 2


def test_other_errors_are_not_taken_for_it(editor):
    def broken(*_):
        raise RuntimeError("shapes do not match")

    editor.edit_batch = broken
    with pytest.raises(RuntimeError, match="shapes"):
        editor.edit(picture(), TEXTS, seed=0)
    assert editor.batch_size == 8


def test_where_one_edit_does_not_fit_attention_is_sliced_for_all_who_share_the_pipeline(editor):
    expected, run, calls = values(editor.edit(picture(), TEXTS, seed=0)), editor.edit_batch, []
    other = editor.with_settings(steps=3)

    def small(prepared, texts, generators):
        calls.append(len(texts))
        if not sliced(editor):
            raise torch.OutOfMemoryError("no")
        return run(prepared, texts, generators)

    editor.edit_batch = small
    assert np.abs(values(editor.edit(picture(), TEXTS, seed=0)) - expected).max() <= 1.01 / 255
    assert calls == [5, 2, 1] + [1] * 5
    assert sliced(other) and other.batch_size == 1 and editor.pipeline.vae.use_slicing

    def never(*_):
        raise torch.OutOfMemoryError("no")

    other.edit_batch = never  # which finds the pipeline sliced, so there is nothing left to try
    with pytest.raises(InputError, match="A single edit of 32 by 32 pixels does not fit into the memory of cpu"):
        other.edit(picture(), [""], seed=0)


def test_out_of_memory_half_way_leaves_nothing_behind(editor, folder):
    """In turn: while a picture is encoded, a text is, and in the middle of the steps."""
    expected = values(load_editor("instruct-pix2pix", str(folder)).edit(picture(), MORE, seed=0))
    pipeline = editor.pipeline
    for owner, name, after in (
        (pipeline.vae, "encode", 0),
        (pipeline.text_encoder, "forward", 2),
        (pipeline.unet, "forward", 1),
    ):
        method, left = getattr(owner, name), [after]

        def fails_once(*args, method=method, left=left, **options):
            left[0] -= 1
            if left[0] == -1:
                raise torch.OutOfMemoryError("no")
            return method(*args, **options)

        setattr(owner, name, fails_once)
    assert np.abs(values(editor.edit(picture(), MORE, seed=0)) - expected).max() <= 1.01 / 255
    assert editor.batch_size == 1 and not sliced(editor)


def test_editors_that_share_a_pipeline_share_what_they_learnt_of_memory(editor):
    other = editor.with_settings(steps=3)
    editor.memory.reduce(8)
    assert other.batch_size == editor.batch_size == 4


GIB = 2**30


@pytest.mark.parametrize("free, size, expected", [(70 * GIB, 512, 16), (6 * GIB, 512, 6), (2**20, 512, 1), (4 * GIB, 1024, 1)])
def test_on_cuda_the_batch_is_what_the_free_memory_holds(folder, monkeypatch, free, size, expected):
    editor, asked = load_editor("instruct-pix2pix", weights=str(folder)), []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: asked.append(device) or (free, 80 * GIB))
    memory = Memory(editor.pipeline, "cuda:1", size**2)
    assert [memory.choose_batch_size() for _ in range(2)] == [expected] * 2 and asked == ["cuda:1"]  # once, and remembered
    assert editor.batch_size == 8  # on the CPU


def test_a_pipeline_too_large_for_cuda_goes_there_model_by_model(folder, monkeypatch):
    moved, offloaded = [], []

    def to(self, device):
        moved.append(device)
        if device == "cuda":
            raise torch.OutOfMemoryError("no")
        return self

    pipeline = load_editor("instruct-pix2pix", weights=str(folder)).pipeline
    monkeypatch.setattr(type(pipeline), "to", to)
    monkeypatch.setattr(type(pipeline), "enable_model_cpu_offload", lambda self, device: offloaded.append(device))
    move_to_device(pipeline, "cuda")
    assert moved == ["cuda", "cpu"] and offloaded == ["cuda"]
    with pytest.raises(torch.OutOfMemoryError):  # there is nowhere else to keep them
        monkeypatch.setattr(type(pipeline), "to", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("no")))
        move_to_device(pipeline, "cpu")


def test_on_cuda_models_and_then_layers_leave_the_device_before_one_gives_up(folder, monkeypatch):
    editor, tried = load_editor("instruct-pix2pix", weights=str(folder)), []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**20, 2**20))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    for name in ("enable_attention_slicing", "enable_model_cpu_offload", "enable_sequential_cpu_offload"):
        monkeypatch.setattr(type(editor.pipeline), name, lambda self, name=name, **_: tried.append(name))
    editor.memory = Memory(editor.pipeline, "cuda", 32**2)

    def never(*_):
        raise torch.OutOfMemoryError("no")

    editor.edit_batch = never
    with pytest.raises(InputError, match="does not fit"):
        editor.edit(picture(), TEXTS, seed=0)
    assert tried == ["enable_attention_slicing", "enable_model_cpu_offload", "enable_sequential_cpu_offload"]


def test_weights_that_are_only_read_when_it_is_their_turn_make_the_same_edits(editor):
    """As diffusers' sequential offload leaves them, with the CPU in the device's place."""
    from accelerate import cpu_offload

    expected, tokens = values(editor.edit(picture(), TEXTS, seed=0)), editor.token_embeddings("snow")
    for part in ("text_encoder", "unet", "vae"):
        cpu_offload(getattr(editor.pipeline, part), torch.device("cpu"), offload_buffers=True)
    editor._prepared, editor._text_states = (None, None), {}
    assert next(editor.pipeline.unet.parameters()).is_meta
    assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), expected)
    assert np.array_equal(editor.token_embeddings("snow"), tokens)


def test_closing_the_stream_stops(editor):
    run, sizes = editor.edit_batch, []
    editor.edit_batch = lambda *a: sizes.append(len(a[1])) or run(*a)
    stream = editor.edit_stream(picture(), MORE, seed=0)
    assert len(next(stream)) == 8
    stream.close()
    assert sizes == [8]


def test_the_picture_and_the_texts_are_encoded_once(editor):
    encoded, prepare = [], editor.prepare_picture
    editor.prepare_picture = lambda *a: encoded.append(1) or prepare(*a)
    for seed in range(3):
        editor.edit(picture(), TEXTS, seed=seed)
    assert len(encoded) == 1
    editor.edit(picture((50, 40)), TEXTS, seed=0)
    assert len(encoded) == 2


def test_forgetting_old_texts_never_loses_one_that_is_needed_now(editor, monkeypatch):
    expected = values(editor.edit(picture(), TEXTS, seed=0))
    monkeypatch.setattr("smile.models.editors.base.TEXTS_KEPT", len(TEXTS) + 1)
    editor.edit(picture(), ["something", "else"], seed=0)
    assert np.array_equal(values(editor.edit(picture(), TEXTS, seed=0)), expected)


def test_token_embeddings_are_rows_of_the_input_table(editor):
    table = editor.pipeline.text_encoder.get_input_embeddings().weight.numpy()
    assert editor.token_embeddings("").shape == (0, table.shape[1])
    found = editor.token_embeddings("ab")
    ids = editor.pipeline.tokenizer("ab", add_special_tokens=False).input_ids
    assert np.array_equal(found, table[ids])


def test_lost_words_are_named(editor, dino):
    assert editor.lost_words("make it snow") == []
    text = " ".join(f"word{i}x" for i in range(20))  # six or seven byte tokens each
    lost = editor.lost_words(text)
    assert lost == text.split()[-len(lost) :] and 5 < len(lost) < 15
    with pytest.raises(InputError, match="word19x"):
        explain(picture(), text, editor, embedder=load_embedder(str(dino)))


def test_a_region_is_refused(editor):
    with pytest.raises(InputError, match="whole picture"):
        editor.edit(picture(), TEXTS, seed=0, region=picture().convert("L"))


def test_a_whole_explanation(editor, dino):
    embedder = load_embedder(str(dino))
    explanation = explain(picture(), "make it snow at night", editor, embedder=embedder, edits=16)
    assert explanation.settings["locality"] == "wmd" and explanation.settings["distance"] == "patches"
    assert explanation.settings["editor_dtype"] == "float32"
    assert explanation.maps.shape == (5, 2, 2) and np.isfinite(explanation.weights).all()
    assert explanation.image.size == (32, 32)


def test_embedder(dino):
    embedder = load_embedder(str(dino))
    embedder.batch_size = 2
    images = [picture((40, 30)), picture((28, 28)), picture((28, 28)).convert("L")]
    vectors, patches = embedder.embed(images)
    assert vectors.shape == (3, 16) and patches.shape == (3, 4, 16)
    alone = embedder.embed(images[1:2])
    assert np.abs(alone[0][0] - vectors[1]).max() < 1e-4 and np.abs(alone[1][0] - patches[1]).max() < 1e-4
    inputs = embedder.processor(images[1], do_resize=False, do_center_crop=False, return_tensors="pt")
    with torch.no_grad():
        tokens = embedder.model(**inputs).last_hidden_state[0].numpy()
    assert np.abs(tokens.mean(axis=0) - vectors[1]).max() < 1e-4
    with pytest.raises(InputError, match="no picture"):
        embedder.embed([])


def test_missing_and_wrong_weights(folder, dino, tmp_path, monkeypatch):
    def refused(match, **options):
        with pytest.raises(InputError, match=match) as caught:
            load_editor(**({"name": "instruct-pix2pix"} | options))
        assert "\n" not in str(caught.value)

    refused("no editor called “photoshop”; there is instruct-pix2pix", name="photoshop")
    refused("no weights at", weights="nowhere")
    refused("no weights at", weights="./no/such/folder")
    refused("no model_index.json", weights=str(tmp_path))
    refused("no model_index.json", weights=str(dino))
    refused("no device “abacus”", weights=str(folder), device="abacus")
    other = tmp_path / "other"
    other.mkdir()
    (other / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    refused("holds a StableDiffusionPipeline", weights=str(other))
    monkeypatch.setattr(hub, "MODELS", tmp_path / "none")
    refused("bundled weights are missing", weights="bundled")
    with pytest.raises(InputError, match="bundled weights are missing"):
        load_embedder("bundled")
    with pytest.raises(InputError, match=r"no DINOv2|DINOv2 weights"):
        load_embedder(str(folder))


def test_incomplete_folder(folder, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("model_index.json", "editor.json"):
        (broken / name).write_text((folder / name).read_text())
    with pytest.raises(InputError, match="does not hold complete"):
        load_editor("instruct-pix2pix", weights=str(broken))


@pytest.mark.parametrize("load", [lambda w: load_editor("instruct-pix2pix", w), load_embedder])
def test_no_network_is_one_sentence(load, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        load("full")
    assert "\n" not in str(caught.value)
