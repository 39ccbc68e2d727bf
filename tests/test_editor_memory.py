"""What the diffusers editor does where memory is short, on random weights: fewer texts at a time, slices, the CPU."""

import numpy as np
import pytest
import torch
from tiny import instruct_pix2pix_folder, picture, values

from smile import InputError, load_editor
from smile.models import devices
from smile.models.devices import plan_placement
from smile.models.editors.memory import Memory, measure_models, move_to_device
from smile.models.hub import choose_dtype, find_weights

TEXTS = ["make it snow", "snow", "", "at night", "make it snow at night"]
MORE = [*TEXTS, *(f"please {text}" for text in TEXTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return instruct_pix2pix_folder(tmp_path_factory.mktemp("ip2p"))


@pytest.fixture
def editor(folder):
    return load_editor("instruct-pix2pix", weights=str(folder))


def sliced(editor):
    return {type(p).__name__ for p in editor.pipeline.unet.attn_processors.values()} == {"SlicedAttnProcessor"}


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


@pytest.mark.parametrize(
    "free, how, called",
    [
        (80 * GIB, "whole", "to"),
        (3 * GIB, "model by model", "enable_model_cpu_offload"),
        (GIB, "layer by layer", "enable_sequential_cpu_offload"),
    ],
)
def test_on_cuda_weights_are_placed_by_what_fits(folder, monkeypatch, free, how, called):
    pipeline, asked = load_editor("instruct-pix2pix", weights=str(folder)).pipeline, []
    sizes = measure_models(pipeline)
    assert len(sizes) == 3 and 4 * sum(p.numel() for p in pipeline.unet.parameters()) in sizes
    for name in ("to", "enable_model_cpu_offload", "enable_sequential_cpu_offload"):
        monkeypatch.setattr(type(pipeline), name, lambda self, *a, name=name, **k: asked.append(name))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 80 * GIB))
    monkeypatch.setattr("smile.models.editors.memory.measure_models", lambda _: [GIB, 10 * GIB // 100, GIB])
    assert move_to_device(pipeline, "cuda") == how and asked == [called]


def test_the_placement_says_what_fits():
    assert plan_placement(16e9, 8e9, 24e9) == "whole" and plan_placement(16e9, 8e9, 12e9) == "model by model"
    assert plan_placement(16e9, 8e9, 8e9) == "layer by layer"


def test_apples_gpu_is_chosen_where_it_is_and_half_precision_is_not(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.choose_device(None) == "mps" and "mps" in devices.describe_device()
    assert choose_dtype("mps", "full") == torch.float32
    assert find_weights("auto", bundled="instruct-pix2pix", full="a/b")[0] == "bundled", "nothing is downloaded unasked"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device(None) == "cuda"


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
