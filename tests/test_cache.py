"""Edits are paid for once: what is asked of the editor, on which occasion, and what is done with a folder that is damaged,
full, shared or too small."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, instruct_pix2pix_folder, picture

from smile import InputError, explain, load_editor
from smile.evaluation.evaluate import count_further_edits, measure_trust
from smile.models import cache as caches
from smile.models.cache import ENTRY, MISSING, Cache, Group
from smile.models.caching_editor import CachingEditor
from smile.models.identity import find_revision

TEXT = "please make it snow at night"


class Numbered(FakeEditor):
    """An editor that says which version it is."""

    revision = "1"


def explained(editor, cache=None, **options):
    options = {"embedder": FakeEmbedder(), "noise_seeds": 2, "undo": False} | options
    return explain(picture(), TEXT, editor, cache=cache, **options)


def asked(editor) -> list:
    """(seed, text) of every edit that was asked for."""
    return [(seed, text) for seed, texts in editor.calls for text in texts]


def numbers(explanation) -> dict:
    return explanation.to_dict() | {"seconds": None}


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


# What is asked for again


def test_the_same_question_costs_nothing_and_has_the_same_answer():
    editor, cache = FakeEditor(), Cache()
    first = explained(editor, cache)
    made = len(asked(editor))
    again = explained(editor, cache)
    assert made == first.done == 26 and len(asked(editor)) == made
    assert numbers(first) == numbers(again) == numbers(explained(FakeEditor()))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first.edits, again.edits, strict=True))


@pytest.mark.parametrize(
    "changed",
    [{"distance": "cosine"}, {"surrogate": "ridge"}, {"locality": "none"}, {"reference": "input"}, {"permutations": 50}],
)
def test_another_way_to_look_at_the_same_edits_costs_nothing(changed):
    editor, cache = FakeEditor(), Cache()
    explained(editor, cache)
    before = len(asked(editor))
    assert numbers(explained(editor, cache, **changed)) == numbers(explained(FakeEditor(), **changed))
    assert len(asked(editor)) == before


def test_more_edits_pay_for_the_new_ones_in_full_batches():
    editor, cache = FakeEditor(), Cache()
    few = explained(editor, cache, edits=24)
    before = len(editor.calls)
    more = explained(editor, cache, edits=64)
    new = set(more.texts) - set(few.texts)
    assert {text for _, text in asked(editor)[few.done :]} == new and len(asked(editor)) == len(set(asked(editor)))
    sizes = [len(texts) for _, texts in editor.calls[before:]]
    assert all(size == 8 for size in sizes[:-1]) and sum(sizes) == len(new), sizes
    assert numbers(more) == numbers(explained(FakeEditor(), edits=64))


def test_measuring_pays_only_for_what_the_cache_lacks():
    editor, cache = FakeEditor(), Cache()
    explanation = explained(editor, cache)
    *_, first = measure_trust(explanation, editor, embedder=FakeEmbedder(), cache=cache)
    before = len(asked(editor))
    assert before == explanation.done + count_further_edits(explanation) and first.done == first.total
    *_, again = measure_trust(explanation, editor, embedder=FakeEmbedder(), cache=cache)
    assert len(asked(editor)) == before and again.done == again.total
    assert {part: entry.numbers for part, entry in again.entries.items()} == {p: e.numbers for p, e in first.entries.items()}


def test_edits_of_an_explanation_are_used_but_not_believed():
    """A bundle may be anybody's, and what is in it must not become other people's edits."""
    cache, forged = Cache(), explained(FakeEditor())
    list(measure_trust(forged, FakeEditor(), embedder=FakeEmbedder(), parts=("faithfulness",), cache=cache))
    editor = FakeEditor()
    explained(editor, cache)
    assert len(asked(editor)) == forged.done


def test_within_one_question_even_a_failed_edit_is_asked_for_once():
    editor = FakeEditor(fail=["no"])
    caching = CachingEditor(editor)
    first = caching.edit(picture(), ["snow", "no", "snow"], seed=1)
    again = caching.edit(picture(), ["no", "night", "snow"], seed=1)
    caching.edit(picture(), ["snow"], seed=2)
    assert editor.calls == [(1, ["snow", "no"]), (1, ["night"]), (2, ["snow"])]
    assert first[1] is again[0] is None and first[0] is first[2] is again[2]
    assert caching.name == "fake" and not hasattr(caching, "token_embeddings")


def test_a_failed_edit_is_tried_again_and_a_blocked_one_is_not(tmp_path):
    text = explained(FakeEditor()).texts[3]
    failing, blocked = Numbered(fail=[text]), Numbered(fail=[text])
    blocked.checker = True
    for editor, times in ((failing, 2), (blocked, 1)):
        for _ in range(2):
            assert explained(editor, Cache(tmp_path / str(times))).failed == 1
        assert asked(editor).count((0, text)) == times


# What an edit follows from


def test_whatever_an_edit_follows_from_tells_it_apart():
    def key(image=None, region=None, **changed):
        editor = Numbered()
        vars(editor).update(changed)
        return cache.identify(editor, image or picture(), region)

    cache, white = Cache(), Image.new("L", (48, 48), 255)
    keys = [key(), key(picture().rotate(180)), key(picture().resize((24, 96))), key(region=white)]
    keys += [key(region=white.point(lambda _: 0)), key(revision="2"), key(name="other"), key(settings={"steps": 3})]
    keys += [key(weights="full"), key(device="cuda"), key(dtype="float16"), key(checker=True)]
    assert len(set(keys)) == len(keys) and key() == keys[0] and all(elsewhere for _, elsewhere in keys)


def test_an_object_without_identity_is_known_by_itself(tmp_path):
    editor, other, cache = FakeEditor(), FakeEditor(), Cache(tmp_path)
    for each in (editor, other, editor):
        explained(each, cache)
    assert len(asked(editor)) == len(asked(other)) == 26 and not files(tmp_path)
    del other
    assert len(cache._objects) == 1


@pytest.mark.model
def test_the_revision_follows_the_weights(tmp_path):
    (tmp_path / "copy").mkdir()
    instruct_pix2pix_folder(tmp_path / "copy")
    editor = FakeEditor()
    editor.location = str(tmp_path / "copy")
    before = find_revision(editor)
    editor.location = str(shutil.copytree(tmp_path / "copy", tmp_path / "again"))
    assert find_revision(editor) == before
    (tmp_path / "again" / "editor.json").write_text(json.dumps({"size": 32}))
    assert find_revision(editor) != before
    editor.location = "nobody/nothing"
    assert find_revision(editor) is None and find_revision(FakeEditor()) is None


def test_a_repository_is_known_by_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "models--a--b" / "refs").mkdir(parents=True)
    (tmp_path / "models--a--b" / "refs" / "main").write_text("abc\n")
    editor = FakeEditor()
    editor.location = editor.weights = "a/b"
    assert find_revision(editor) == "abc"


# In memory


def test_memory_is_bounded_and_forgets(monkeypatch):
    edit, group = picture(), Group("g", False)
    cache = Cache(memory_bytes=3 * (ENTRY + 48 * 48 * 3), seconds=60)
    for text in "abc":
        cache.store(group, 0, text, edit)
    cache.find(group, 0, "a")
    cache.store(group, 0, "d", edit)
    assert set(cache.list_held(group)) == {(0, "a"), (0, "c"), (0, "d")}, "the least recently used goes"
    now = caches.time.monotonic()
    monkeypatch.setattr(caches.time, "monotonic", lambda: now + 61)
    assert cache.find(group, 0, "a") is MISSING and not cache.list_held(group) and cache._bytes == 0


# On disk


def test_another_process_finds_what_is_on_disk(tmp_path):
    first, second = Numbered(), Numbered()
    one = explained(first, str(tmp_path))
    two = explained(second, tmp_path)
    assert len(asked(first)) == 26 and not second.calls and numbers(one) == numbers(two)
    assert len(files(tmp_path)) == 26 and {path.suffix for path in files(tmp_path)} == {".edit"}
    changed = Numbered()
    changed.revision = "2"
    explained(changed, tmp_path)
    assert len(asked(changed)) == 26


@pytest.mark.parametrize(
    "damage", [lambda data: data[:40], lambda data: data[:-1] + b"?", lambda data: b"", lambda data: b"x" * 99]
)
def test_a_damaged_edit_is_made_again(tmp_path, damage):
    explained(Numbered(), tmp_path)
    hurt = files(tmp_path)[7]
    good = hurt.read_bytes()
    hurt.write_bytes(damage(good))
    editor = Numbered()
    with pytest.warns(UserWarning, match=r"cannot be used .* made again"):
        again = explained(editor, tmp_path)
    assert (
        len(asked(editor)) == 1
        and hurt.read_bytes() == good
        and numbers(again) == numbers(explained(FakeEditor())) | {"settings": again.to_dict()["settings"]}
    )


def test_an_edit_under_anothers_name_is_found_out(tmp_path):
    explained(Numbered(), tmp_path)
    one, two, *_ = files(tmp_path)
    shutil.copy(one, two)
    editor = Numbered()
    with pytest.warns(UserWarning, match="another checksum"):
        explained(editor, tmp_path)
    assert len(asked(editor)) == 1


def test_a_full_disk_is_said_once_and_nothing_else(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches.os, "replace", full)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        explanation = explained(Numbered(), tmp_path)
    assert [str(each.message) for each in said] == [f"Edits can no longer be kept in {tmp_path} (No space left on device)."]
    assert explanation.done == 26 and not files(tmp_path)


def test_a_folder_that_cannot_be_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be kept in"):
        explained(FakeEditor(), tmp_path / "file")


def test_the_folder_is_bounded_and_what_was_used_stays(tmp_path):
    group, edit = Group("g", True), picture()
    size = len(caches._encode(edit)) + caches.CHECKED
    cache = Cache(tmp_path, memory_bytes=0, disk_bytes=20 * size)
    cache.store(group, 0, "used", edit)
    unfinished = tmp_path / "ab"
    unfinished.mkdir(exist_ok=True)
    (unfinished / "x.part").write_bytes(b"x")
    os.utime(unfinished / "x.part", (1, 1))
    for number in range(60):
        for age, path in enumerate(sorted(files(tmp_path), key=lambda path: path.stat().st_mtime, reverse=True)):
            os.utime(path, (path.stat().st_mtime - 1 - age, path.stat().st_mtime - 1 - age))  # mtimes are coarse
        assert cache.find(group, 0, "used") is not MISSING
        cache.store(group, 0, str(number), edit)
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 20 * size
    assert len(files(tmp_path)) >= 17 and not (unfinished / "x.part").exists()


def _share(folder, number):
    """One of several processes on a folder that is too small for all."""
    warnings.simplefilter("error")
    cache, edits = Cache(folder, memory_bytes=0, disk_bytes=200_000), {}
    for turn in range(60):
        text = str((turn * 7 + number) % 40)
        edits[text] = Image.fromarray(np.random.default_rng(int(text)).integers(0, 255, (48, 48, 3), np.uint8))
        found = cache.find(Group("g", True), 0, text)
        assert found is MISSING or found.tobytes() == edits[text].tobytes()
        cache.store(Group("g", True), 0, text, edits[text])


def test_processes_share_a_folder(tmp_path):
    processes = [multiprocessing.get_context("fork").Process(target=_share, args=(tmp_path, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert {path.suffix for path in files(tmp_path)} == {".edit"}
    assert sum(path.stat().st_size for path in files(tmp_path)) < 1.3 * 200_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["instruct-pix2pix", "img2img-turbo", "inpaint"])
def test_bundled_weights_answer_the_same_with_and_without(name, tmp_path):
    editor, calls = load_editor(name, "bundled"), []
    run = editor.edit_batch

    def counted(prepared, texts, generators):
        calls.extend(texts)
        return run(prepared, texts, generators)

    editor.edit_batch = counted
    region = {"region": Image.new("L", (64, 64), 255)} if editor.takes_region else {}

    def written(cache, **options):
        explanation = explain(picture((64, 64)), "make it snow", editor, cache=cache, noise_seeds=1, **region, **options)
        return json.dumps(numbers(explanation))

    plain, first = written(None), written(tmp_path)
    made = len(calls)
    assert made in (2 * (8 + 1), 2 * 2 * 8)  # where another seed changes something, all texts are edited under it, too
    assert plain == first == written(tmp_path) and len(calls) == made
    ridge = written(Cache(tmp_path), surrogate="ridge", distance="cosine")
    assert len(calls) == made and ridge == written(None, surrogate="ridge", distance="cosine")


@pytest.mark.process
def test_an_editor_without_torch_while_another_thread_imports_it():
    """As on the page, which loads the bundled models while the first visitor's run begins."""
    code = """if True:
        import sys, threading
        from smile.models.identity import describe_arithmetic
        importing = threading.Thread(target=lambda: __import__("torch"))
        importing.start()
        while "torch" not in sys.modules:
            pass
        assert "threads" in describe_arithmetic(object())
        importing.join()
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
