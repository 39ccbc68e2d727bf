"""The edits of one explanation, shared over processes: dealt in whole batches, the same bytes, and nobody left waiting."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny import FakeEditor, FakeEmbedder, dinov2_folder, instruct_pix2pix_folder, picture

from smile import InputError, explain
from smile.evaluation.evaluate import measure
from smile.scenarios.distributed import Processes, Shared, _dealt, _Failure, _rounds

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --main_process_port 0".split()  # which works on CPUs
TEXT = "please make it snow at night"


class Played(Processes):
    """Three processes, played by this one; `fail`: what an editor of the second raises."""

    def __init__(self, fail=None):
        self.state, self.editors, self.fail = SimpleNamespace(num_processes=3), [FakeEditor() for _ in range(3)], fail

    def tell(self, task):
        self.task = task

    def made(self, editor, image, dealt, region):
        assert self.task == (image, dealt, region)
        made = [
            [each.edit(image, texts, seed=seed) for seed, texts in hand] for each, hand in zip(self.editors, dealt, strict=True)
        ]
        return [made[0], made[1] if self.fail is None else _Failure(self.fail), made[2]]


def explained(editor, **options):
    return explain(picture(), TEXT, editor, embedder=FakeEmbedder(), **options)


def numbers(explanation):
    return explanation.to_dict() | {"seconds": None}


def test_whole_batches_are_dealt_evenly():
    batches = [(0, "a"), (0, "b" * 8), (0, "c" * 7), (1, "a"), (2, "a"), (3, "a"), (4, "a")]
    rounds = list(_rounds(batches, 2))
    assert [batch for round_ in rounds for batch in round_] == batches
    loads = [[sum(len(round_[n][1]) for n in hand) for hand in _dealt(round_, 2)] for round_ in rounds]
    assert loads == [[8, 8], [2, 2]]
    assert not list(_rounds([], 2))


def test_three_processes_explain_and_measure_as_one():
    processes = Played()
    shared, alone = explained(Shared(FakeEditor(), processes)), explained(FakeEditor())
    assert numbers(shared) == numbers(alone)
    assert sum(len(texts) for each in processes.editors for _, texts in each.calls) == alone.done
    assert all(each.calls for each in processes.editors)
    found = [list(measure(alone, e, embedder=FakeEmbedder()))[-1] for e in (Shared(FakeEditor(), Played()), FakeEditor())]
    assert found[0].entries == found[1].entries or str(found[0]) == str(found[1])


def test_what_is_in_the_cache_is_not_shared_out(tmp_path):
    class Known(FakeEditor):
        revision = "1"

    explained(Known(), cache=tmp_path)
    processes = Played()
    explained(Shared(Known(), processes), cache=tmp_path)
    assert not any(each.calls for each in processes.editors)


def test_an_error_elsewhere_is_heard_here():
    with pytest.raises(InputError, match="does not fit"):
        explained(Shared(FakeEditor(), Played(InputError("It does not fit."))))
    with pytest.raises(RuntimeError, match="KeyError: 'x'"):
        explained(Shared(FakeEditor(), Played(KeyError("x"))))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("processes")
    picture().save(place / "in.png")
    for name, make in (("editor", instruct_pix2pix_folder), ("dino", dinov2_folder)):
        (place / name).mkdir()
        make(place / name)
    return place


def run(place, start, command, out, *more):
    asked = ["--image", place / "in.png", "--instruction", TEXT, "--editor", "instruct-pix2pix", "--weights", place / "editor"]
    asked += ["--embedder", place / "dino", "--out", place / out, "--threads", 1, *more]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [sys.executable, *start, "-m", "smile", command, *map(str, asked)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def written(place, out, name="explanation.json"):
    values = json.loads((place / out / name).read_text())
    return json.dumps(values | {"seconds": None}, ensure_ascii=False)


@pytest.mark.slow
def test_two_processes_write_what_one_writes(place):
    """Through accelerate, on real weights."""
    alone, shared = run(place, [], "explain", "alone"), run(place, LAUNCH, "explain", "shared")
    assert alone.returncode == 0 and shared.returncode == 0, shared.stderr
    assert "2 processes share the edits." in shared.stderr
    assert shared.stdout == alone.stdout and "What was found" not in shared.stderr
    assert written(place, "shared") == written(place, "alone")
    edits = sorted(path.name for path in (place / "alone" / "edits").iterdir())
    assert all((place / "alone/edits" / e).read_bytes() == (place / "shared/edits" / e).read_bytes() for e in edits) and edits


@pytest.mark.slow
def test_two_processes_evaluate_as_one(place):
    parts = ("--parts", "faithfulness")
    alone, shared = run(place, [], "evaluate", "one", *parts), run(place, LAUNCH, "evaluate", "two", *parts)
    assert shared.returncode == 0 and shared.stdout == alone.stdout, shared.stderr
    assert written(place, "one", "trust.json") == written(place, "two", "trust.json")


@pytest.mark.slow
def test_bad_input_ends_all_processes(place):
    refused = run(place, LAUNCH, "explain", "bad", "--instruction", "")
    assert refused.returncode != 0 and refused.stderr.count("smile: ") == 1, refused.stderr
    refused = run(place, LAUNCH, "explain", "bad", "--setting", "steps=0")
    assert refused.returncode != 0 and "smile: The setting “steps”" in refused.stderr
