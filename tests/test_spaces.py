"""The page as Hugging Face runs it: on ZeroGPU editing happens in forks, which get nothing that cannot be pickled."""

import multiprocessing
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from tiny import FakeBackend, FakeEmbedder, fake_models, picture
from zero_gpu import GPU

from smile import InputError
from smile.ui import machine
from smile.ui import zero_gpu as page_zero_gpu
from smile.ui.engine import Request
from smile.ui.estimate import count_work
from smile.ui.zero_gpu import ZeroGpuEngine, run_turn

ROOT = Path(__file__).resolve().parents[1]
TEXT = "make it snow"


@pytest.fixture(scope="module")
def zero_gpu():
    """(process id, client) of the page on a stand-in for ZeroGPU."""
    command = [sys.executable, str(ROOT / "tests" / "zero_gpu.py")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            number, url = re.match(r"(\d+) (http://\S+)", server.stdout.readline()).groups()
            yield int(number), Client(url, verbose=False, download_files=False)
        finally:
            server.terminate()


@pytest.fixture
def picture_file(tmp_path):
    picture().save(tmp_path / "road.png")
    return handle_file(str(tmp_path / "road.png"))


def test_full_weights_edit_in_a_fork_and_are_placed_by_the_main_thread(zero_gpu, picture_file, tmp_path):
    server, client = zero_gpu
    picture().point(lambda _: 255).save(tmp_path / "region.png")
    region = handle_file(str(tmp_path / "region.png"))
    for more in ({}, {"editor": "inpaint", "region": region}, {"weights": "full", "settings": {}}):
        explanation, edits = client.predict(picture_file, TEXT, 8, 0, **more, api_name="/explain")
        settings = explanation["settings"]
        assert not explanation["provisional"] and "snow" in explanation["finding"] and len(edits) == 12
        assert settings["editor_weights"] == "full" and settings["editor_settings"]["edits in"] != server
        assert settings["editor_settings"]["loaded in"] == "MainThread"


def test_bundled_weights_cost_nobody_a_gpu(zero_gpu, picture_file):
    server, client = zero_gpu
    explanation, _ = client.predict(picture_file, TEXT, 8, 0, weights="bundled", api_name="/explain")
    assert explanation["settings"]["editor_settings"]["edits in"] == server


def test_a_comparison_gives_every_editor_its_fork(zero_gpu, picture_file):
    server, client = zero_gpu
    explanations, _ = client.predict(picture_file, TEXT, 8, 0, api_name="/compare")
    settings = [explanation["settings"] for explanation in explanations.values() if not explanation["provisional"]]
    full = [each["editor_weights"] == "full" for each in settings]
    assert full == [True, False, True]  # Turbo's full weights want captions, and this is an instruction
    assert [each["editor_settings"]["edits in"] != server for each in settings] == full


def test_what_is_wrong_is_still_said_when_it_is_found_out_in_a_fork(zero_gpu, picture_file):
    with pytest.raises(Exception, match="steps") as caught:
        zero_gpu[1].predict(picture_file, TEXT, 8, 0, settings={"steps": 0}, api_name="/explain")
    assert "ZeroGPU" not in str(caught.value)


def test_a_default_run_asks_for_at_most_thirty_seconds(monkeypatch):
    monkeypatch.setattr(machine, "find_device", lambda: "cuda")
    engine = ZeroGpuEngine(fake_models)
    for text, limits in {"make it snow at night": (20, 20, 30), "please make it snow at night": (25, 20, 30)}.items():
        for name, most in zip(("instruct-pix2pix", "img2img-turbo", "inpaint"), limits, strict=True):
            assert 5 < engine.count_gpu_seconds(Request(picture(), text, editor=name)) <= most
    more = Request(picture(), TEXT, edits=200, settings={"steps": 40})
    assert engine.count_gpu_seconds(more) < 40  # there are only eight combinations of three words, and some under other seeds
    longer = {"instruction": "please make it snow at night in this picture", "edits": 200, "settings": {"steps": 40}}
    assert engine.count_gpu_seconds(Request(picture(), **longer)) > 200
    usual, seeds, noise = (
        engine.count_gpu_seconds(Request(picture(), TEXT, options=options))
        for options in ({}, {"seeds": 5}, {"noise_seeds": 36})
    )
    assert seeds - usual > 10 and noise - usual > 10  # some 32 more edits either way


def in_fork(engine, request, answer):
    answer.send([pickle.loads(pickle.dumps(value)) for value in run_turn(id(engine), request, None, {}, 60)][-1][0])


def test_a_fork_loads_for_itself_what_it_is_too_old_to_have(monkeypatch):
    monkeypatch.setattr(machine, "find_device", lambda: "cuda")
    engine = ZeroGpuEngine(fake_models)  # nobody serves its main-thread queue
    ours, theirs = multiprocessing.Pipe()
    with engine._in_use, engine._loading[True], engine._loading[False]:  # as another thread may have them at the fork
        request = Request(picture(), TEXT)
        fork = multiprocessing.get_context("fork").Process(target=in_fork, args=(engine, request, theirs), daemon=True)
        fork.start()
        assert ours.poll(60), "the fork hangs"
        explanation = ours.recv()
    fork.join()
    assert explanation.words == TEXT.split() and not explanation.provisional and not engine.is_loaded()


def test_a_run_that_takes_longer_than_the_gpu_is_lent_goes_on_in_another_fork(monkeypatch):
    class Slow(FakeBackend):
        revision = "1"

        def edit(self, image, texts, **how):
            time.sleep(0.1 * len(texts))
            return super().edit(image, texts, **how)

    lent, seconds = [], []

    def duration(engine, request, explanation, known, turn):
        lent.append(len(known))
        seconds.append(turn)
        return turn

    monkeypatch.setattr(machine, "find_device", lambda: "cuda")
    for name, value in {"FORK": 0, "GPU_TURN": 1.5, "edit_in_fork": GPU(duration)(run_turn)}.items():
        monkeypatch.setattr(page_zero_gpu, name, value)
    engine = ZeroGpuEngine(lambda *names: (Slow(*names), FakeEmbedder()))
    engine.load()
    engine._seconds["instruct-pix2pix", "full"] = 0.1 / count_work("instruct-pix2pix", "full", {"steps": 10})
    steps = list(engine.explain(Request(picture(), "please make it snow at night")))
    assert len(lent) > 1 and lent == sorted(set(lent)) and all(turn <= 1.5 for turn in seconds), (lent, seconds)
    assert not steps[-1].provisional and steps[-1].done == steps[-1].total == 29
    assert steps[-1].seconds["edits"] > 2, "of all turns"


def test_errors_of_the_visitor_come_as_values():
    engine = ZeroGpuEngine(fake_models)
    (error,) = run_turn(id(engine), Request(picture(), "word " * 200), None, {}, 60)
    assert isinstance(error, InputError) and "200 words" in str(pickle.loads(pickle.dumps(error)))


def test_the_front_matter_is_what_a_space_needs():
    head = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    values = dict(re.findall(r"^(\w+): *(.*)$", head, re.MULTILINE))
    assert values["sdk"] == "gradio" and values["app_file"] == "app.py" and len(values["short_description"]) <= 60
    assert "models" in values and all(line.count("/") == 1 for line in re.findall(r"^  - (.*/.*)$", head, re.MULTILINE))
