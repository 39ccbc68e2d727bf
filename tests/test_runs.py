"""Running, without a browser: one editor, all of them, Stop, limits, and what is wrong said before anything runs."""

import html
import re
import threading
import time

import gradio as gr
import numpy as np
import pytest
from asking import INPUTS, TEXT, ask, bad_files, build_edit_tab, read, skipped, throw
from tiny import FakeBackend, FakeEditor, FakeEmbedder, fake_models

from smile import InputError
from smile.models.editors import EDITORS
from smile.ui import engine as page_engine
from smile.ui import machine, texts
from smile.ui import runs as page_runs
from smile.ui.components import draw_region
from smile.ui.examples import list_examples

HOSTILE = "<script>alert(1)</script> <img/src=x/onerror=alert(1)> snow & night"


@pytest.fixture
def answer():
    return build_edit_tab().answer


def released(now):
    """Whether everything can be run again, and nothing be stopped."""
    states = [now[f"{name}_button"]["interactive"] for name in ("explain", "compare", "stop")]
    return states == [True, True, False]


def stopped(answer, picture, **states):
    return read(answer.stop, answer.stop(picture, states.get("shown"), states.get("compared")))


# One editor


def test_edits_appear_as_they_are_made(answer, picture_file):
    sizes, notes = [], []
    for now in ask(answer.explain, picture_file):
        if isinstance(now["shown"], page_runs.Explanation):
            sizes.append(len(now["shown"].edits) + len(now["shown"].noise_edits))
        if now["view"] and not skipped(now["view"]):
            notes.append(now["view"]["note"])
    assert sizes[0] == 1  # the edit of the full instruction alone
    assert sizes == sorted(sizes) and sizes[-1] == 28
    assert notes[0] == "provisional, 1 of 28 edits" and notes[-1] == ""
    assert "Done: 29 edits" in now["progress"]
    assert now["explain_button"]["interactive"] and released(now) and not now["stop_button"]["interactive"]


def test_an_earlier_answer_stays_until_the_first_edit_takes_its_place(answer, picture_file):
    steps = [*ask(answer.explain, picture_file)]
    begun = next(number for number, now in enumerate(steps) if not skipped(now["shown"]))
    assert all(skipped(now[part]) for now in steps[:begun] for part in ("view", "shown", "comparison", "answered"))
    first = steps[begun]
    assert first["view"]["running"] and first["view"]["badges"][0] == "running" and len(first["view"]["edits"]) == 1
    assert len(first["view"]["planned"]) == 23  # what is still to come is known
    assert first["comparison"] is None and first["compared"] is None and first["answered"]
    assert not steps[-1]["view"]["planned"] and steps[-1]["view"]["badges"][0] == "run here"


def test_what_is_asked_is_compared_with_what_was_answered(answer, picture_file):
    *_, last = (now for now in ask(answer.explain, picture_file) if not skipped(now["answered"]))
    form = answer.form
    asked = dict.fromkeys(form.signed) | {"picture": picture_file} | {k: v for k, v in INPUTS.items() if k in form.signed}
    for change, kind in (({}, None), ({"instruction": "snow"}, "stale"), ({"seed": 1.0}, "stale"), ({"seed": 0.0}, None)):
        values = {form.signed[name]: value for name, value in (asked | change).items()}
        told = answer.compare_inputs(values | {answer.answered: last["answered"]})
        assert told["notice"].get("kind") == kind, change
        settled = answer.settle(values | {answer.answered: last["answered"]})
        assert settled["notice"].get("kind") == kind, change  # a run's own answer is no old one
    assert skipped(answer.compare_inputs(values | {answer.answered: None}))
    values |= {answer.answered: "something else", answer.refused: (answer._sign(values), "It is empty.")}
    for told in (answer.compare_inputs(values), answer.settle(values)):  # a late event does not take the refusal away
        assert told["notice"] == {"kind": "refused", "text": "It is empty."}
    assert answer.compare_inputs(values | {form.instruction: "rain"})["notice"]["kind"] == "stale"


def test_a_finished_run_says_which_words_it_was_and_where_to_find_it_again(answer, picture_file):
    *_, last = ask(answer.explain, picture_file, seed=5)
    assert last["view"]["words"] == TEXT.split() and last["view"]["source"] == ""
    assert [word for word, on in zip(TEXT.split(), last["view"]["significant"], strict=True) if on] == ["snow", "night"]
    assert "snow" in last["view"]["finding"] and "seed 5" in last["view"]["facts"]
    assert "seed=5" in last["view"]["link"] and "example" not in last["view"]["link"]
    *_, last = ask(answer.explain, list_examples()[1].picture)
    assert f"example={list_examples()[1].name}" in last["view"]["link"]


def test_the_view_is_not_redrawn_more_than_once_a_second(answer, picture_file):
    drawn = [not skipped(now["view"]) for now in ask(answer.explain, picture_file, edits=64)]
    assert len(drawn) > 10 and sum(drawn) <= 3  # first, last, and one more where the machine is slow


def test_stop_keeps_what_is_there_and_says_so(answer, picture_file):
    going = ask(answer.explain, picture_file)
    made = next(now["shown"] for now in going if isinstance(now["shown"], page_runs.Explanation) and now["shown"].done == 24)
    going.close()  # what Gradio does for cancels=
    now = stopped(answer, picture_file, shown=made)
    assert now["view"]["note"] == "stopped, 24 of 28 edits" and not now["view"]["running"]
    assert "Stopped after 24 of 28 edits" in now["progress"] and released(now)


def test_stop_while_one_waits_leaves_what_was_there(answer, picture_file):
    *_, finished = ask(answer.explain, picture_file)
    for shown in (
        None,
        ("october-evening", "instruct-pix2pix"),
        [now["shown"] for now in ask(answer.explain, picture_file)][-2],
    ):
        now = stopped(answer, picture_file, shown=shown)
        assert "before the first edit" in now["progress"] and skipped(now["view"]) and skipped(now["shown"])


def end_after_one_edit(monkeypatch):
    """A run's time is over once it is known how many edits it makes in all, which the first one says."""

    def limit(engine, request, edits):
        return 60 if edits == (request.edits or page_runs.validation.MAX_EDITS) else -1

    monkeypatch.setattr(page_runs, "limit_seconds", limit)


def test_a_run_is_capped(answer, picture_file, monkeypatch):
    end_after_one_edit(monkeypatch)
    *_, last = ask(answer.explain, picture_file)
    assert "longer than the page allows" in last["progress"] and "Stopped after 1 of 28" in last["progress"]


def test_on_ones_own_machine_a_run_may_take_three_times_its_estimate(answer, picture_file, monkeypatch):
    monkeypatch.setattr(page_runs, "MAX_SECONDS", -1)
    monkeypatch.setattr(answer.engine, "estimate_edit_seconds", lambda *_: 100.0)
    *_, last = ask(answer.explain, picture_file)
    assert "Done: 29 edits" in last["progress"]


def test_failed_edits_are_said(picture_file):
    answer = build_edit_tab(lambda *_: (FakeEditor(fail=[""]), FakeEmbedder())).answer
    *_, last = ask(answer.explain, picture_file)
    assert "1 blocked or failed" in last["progress"]
    assert [edit["said"] for edit in last["view"]["edits"]].count("blocked or failed") == 1


def test_what_is_typed_never_becomes_markup(answer, picture_file):
    *_, last = ask(answer.explain, picture_file, instruction=HOSTILE)
    for markup in (last["progress"], texts.say_problem(HOSTILE)):
        assert "<script" not in markup and "<img" not in markup


def test_a_bug_keeps_the_page_usable(answer, picture_file, caplog):
    def fail(*_, **__):
        raise RuntimeError("secret detail")

    answer.engine.load()[0].edit = fail
    *_, last = ask(answer.explain, picture_file)
    assert texts.BROKEN in last["progress"] and "secret" not in last["progress"] and released(last)
    assert "secret detail" in caplog.text


def test_a_number_of_edits_that_nobody_chose_is_what_the_instruction_needs(answer, picture_file):
    for edits, chosen, made in ((2, False, 24), (32, True, 32)):
        of = [now["shown"] for now in ask(answer.explain, picture_file, edits=edits, edits_chosen=chosen)][-2].settings
        assert of["edits"] == made


def test_settings_and_options_are_for_one_run(answer, picture_file):
    asked = {"steps": 30, "reference": "input", "surrogate": "ridge", "seeds": 2, "noise_seeds": 0, "locality": "none"}
    of = [now["shown"] for now in ask(answer.explain, picture_file, **asked)][-2].settings
    assert of["editor_settings"] == {"steps": 30} and all(of[name] == value for name, value in asked.items() if name in of)
    of = [now["shown"] for now in ask(answer.explain, picture_file)][-2].settings
    assert of["editor_settings"] == {"steps": 10} and (of["reference"], of["seeds"]) == ("edit", 1)
    *_, last = ask(answer.explain, picture_file, steps=0)
    assert "from 1 to 200" in last["progress"] and released(last)


def test_missing_weights_are_one_sentence(picture_file):
    answer = build_edit_tab(lambda *_: throw(InputError("The bundled weights are missing."))).answer
    *_, last = ask(answer.explain, picture_file)
    assert "The bundled weights are missing." in last["progress"] and released(last)
    assert not last["fall_back_button"]["visible"]


@pytest.fixture
def no_network(monkeypatch):
    """Runs on a machine without a GPU, whose full weights cannot be downloaded."""
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    monkeypatch.setattr(page_engine, "measure_speed", lambda *_: 100e9)
    monkeypatch.setattr("smile.models.registry.Entry.is_downloaded", lambda *_: False)

    def load(name, weights):
        return fake_models(name, weights) if weights != "full" else throw(InputError("They could not be downloaded."))

    return build_edit_tab(load).answer


def test_weights_that_cannot_be_loaded_are_one_sentence_and_the_bundled_ones_are_offered(no_network, picture_file):
    *_, last = ask(no_network.explain, picture_file, weights="full")
    assert "could not be downloaded" in last["progress"] and released(last) and last["fall_back_button"]["visible"]
    assert last["view"]["notice"]["kind"] == "refused" and skipped(last["shown"])  # what was there stays, as the old answer
    *_, last = ask(no_network.explain, picture_file, weights="bundled")
    assert "Done" in last["progress"]


def test_a_long_load_can_be_stopped(picture_file, no_network):
    gate = threading.Event()

    def load(*names):
        gate.wait(30)
        return fake_models(*names)

    going = ask(build_edit_tab(load).answer.explain, picture_file, weights="full")
    assert "Downloading about 5 GB" in next(going)["progress"]
    going.close()
    gate.set()


# All editors


def comparison(steps):
    """(last step, the last comparison, the last state) of a comparison that went to its end."""
    steps = [*steps]
    return steps[-1], *([now[part] for now in steps if now.get(part)][-1] for part in ("comparison", "compared"))


def test_a_comparison_goes_through_all_editors(answer, picture_file):
    last, drawn, compared = comparison(ask(answer.compare, picture_file))
    assert [editor["name"] for editor in drawn["editors"]] == list(compared) == list(EDITORS)
    assert all(not editor["note"] and editor["finding"] for editor in drawn["editors"])
    assert "Done: 3 of 3 editors explained" in last["progress"] and released(last)
    assert last["view"]["facts"].startswith("instruct-pix2pix") and last["shown"] is compared["instruct-pix2pix"]


def test_the_chosen_editor_has_the_chosen_weights_and_settings_and_the_others_what_is_usual(answer, picture_file):
    asked = {"editor": "img2img-turbo", "weights": "bundled-edges", "steps": 30, "seeds": 2, "noise_seeds": 1}
    last, _, compared = comparison(ask(answer.compare, picture_file, **asked))
    of = {name: explanation.settings for name, explanation in compared.items()}
    assert [each["editor_weights"] for each in of.values()] == ["bundled", "bundled-edges", "bundled"]
    assert {each["editor_settings"]["steps"] for each in of.values()} == {10, 30} and {
        each["seeds"] for each in of.values()
    } == {2}
    assert last["view"]["facts"].startswith("img2img-turbo")


def test_inpaint_takes_what_is_painted_or_says_that_it_takes_everything(answer, picture_file):
    steps = [*ask(answer.compare, picture_file)]
    said = [now["progress"] for now in steps if not skipped(now["progress"])]
    assert any("inpaint on the whole picture, because no region is painted (3 of 3)" in each for each in said)
    assert "inpaint on the whole picture" in said[-1]
    assert comparison(steps)[2]["inpaint"].region.getextrema() == (255, 255)
    region = np.zeros((48, 48), np.uint8)
    region[:12] = 255
    painted = draw_region(page_runs.Image.fromarray(region))
    steps = [*ask(answer.compare, picture_file, region=painted)]
    assert not any("whole picture" in str(now["progress"]) for now in steps)
    assert comparison(steps)[2]["inpaint"].region.getbbox() == (0, 0, 48, 12)


class Fussy(FakeBackend):
    """Wants at most three words; is otherwise itself."""

    def lost_words(self, text):
        return text.split()[3:]


class Blocking(FakeBackend):
    """Blocks every edit."""

    def edit(self, image, texts, *, seed, region=None):
        return [None for _ in texts]


def test_an_editor_that_cannot_has_its_sentence_and_the_others_go_on(picture_file, caplog):
    def load(name, weights):
        if name == "inpaint":
            raise InputError("The weights could not be downloaded.")
        return {"instruct-pix2pix": Fussy, "img2img-turbo": FakeBackend}[name](name, weights), FakeEmbedder()

    last, drawn, compared = comparison(ask(build_edit_tab(load).answer.compare, picture_file))
    assert [editor.get("problem", "") != "" for editor in drawn["editors"]] == [True, False, True]
    assert "night" in compared["instruct-pix2pix"] and "downloaded" in compared["inpaint"]
    assert "Done: 1 of 3 editors" in last["progress"] and last["view"]["facts"].startswith("img2img-turbo")


def test_blocked_edits_bugs_and_quotas_are_sentences_too(picture_file, caplog):
    class Broken(FakeBackend):
        def edit(self, *_, **__):
            raise RuntimeError("secret detail") if self.name == "img2img-turbo" else gr.Error("No GPU is free.")

    def load(name, weights):
        return (Blocking if name == "instruct-pix2pix" else Broken)(name, weights), FakeEmbedder()

    answer = build_edit_tab(load).answer
    answer.engine._warm_up = lambda *_: None  # which would fail as well
    last, drawn, compared = comparison(ask(answer.compare, picture_file))
    assert "blocked" in compared["instruct-pix2pix"] and compared["img2img-turbo"] == texts.BROKEN
    assert compared["inpaint"] == "No GPU is free." and "secret detail" in caplog.text
    assert "Done: 0 of 3 editors" in last["progress"] and last["view"] is None and last["shown"] is None


def test_stop_ends_the_whole_comparison_and_keeps_what_is_there(answer, picture_file):
    going = ask(answer.compare, picture_file)
    compared = next(now["compared"] for now in going if not skipped(now["compared"]) and len(now["compared"] or {}) == 2)
    going.close()
    now = stopped(answer, picture_file, compared=compared)
    assert texts.STOPPED in now["progress"] and released(now)
    assert [editor["note"] for editor in now["comparison"]["editors"]] == ["", "provisional, 1 of 28 edits"]


def test_a_capped_editor_keeps_what_it_has_and_the_next_goes_on(answer, picture_file, monkeypatch):
    end_after_one_edit(monkeypatch)
    _, drawn, _ = comparison(ask(answer.compare, picture_file))
    assert [editor["note"] for editor in drawn["editors"]] == ["provisional, 1 of 28 edits"] * 3


# Bad input: one clear sentence, before anything runs

BAD = [
    ({"picture": None}, "There is no picture"),
    ({"picture": "notes"}, "notes.png is not a picture"),
    ({"picture": "bomb"}, "more than 64 million pixels"),
    ({"picture": "palette"}, "more than 64 million pixels"),
    ({"instruction": ""}, "instruction is empty"),
    ({"instruction": "snow " * 200}, "200 words"),
    ({"edits": 3}, "3 edits are too few"),
    ({"edits": 16.5}, "number of edits must be a whole number"),
    ({"edits": -1}, "number of edits must be a whole number"),
    ({"edits": 10**6}, "more than the 256"),
    ({"seed": -1}, "seed must be a whole number"),
    ({"seed": 0.5}, "seed must be a whole number"),
    ({"seeds": 11}, "All seeds together are 264 edits"),
    ({"seeds": 0}, "seeds must be a whole number"),
    ({"noise_seeds": 10**6}, "1000001 beside them"),
    ({"noise_seeds": 0.5}, "noise_seeds must be a whole number"),
    ({"design": "exhaustive"}, "too few for the exhaustive design with 6 words"),
    ({"design": "clever"}, "There is no design “clever”"),
    ({"distance": ["patches"]}, "There is no distance"),
    ({"locality": "x" * 9}, "There is no locality"),
    ({"surrogate": "magic"}, "There is no surrogate"),
    ({"reference": ""}, "There is no reference"),
]


@pytest.mark.parametrize("handler", ["explain", "compare"])
@pytest.mark.parametrize("change, sentence", BAD, ids=[sentence for _, sentence in BAD])
def test_bad_input(answer, picture_file, tmp_path, change, sentence, handler):
    values = {"picture": picture_file} | change
    values["picture"] = bad_files(tmp_path).get(values["picture"], values["picture"])
    began = time.monotonic()
    (only,) = ask(getattr(answer, handler), **values)  # nothing was cleared, nothing was run
    said = re.sub(r"<[^>]*>", "", only["progress"])
    assert sentence in said and said.rstrip().endswith(".") and "Traceback" not in said
    assert all(skipped(only[part]) for part in ("comparison", "shown", "compared", "answered")) and released(only)
    assert only["view"] == {"__type__": "update", "notice": {"kind": "refused", "text": html.unescape(said).strip()}}
    assert not answer.engine.is_loaded() and time.monotonic() - began < 5  # said before the models are loaded


def test_a_picture_of_many_bytes_is_one_sentence(answer, picture_file, monkeypatch):
    monkeypatch.setattr("smile.ui.validation.MAX_BYTES", 1000)
    (only,) = ask(answer.explain, picture_file)
    assert "road.png has more than" in only["progress"]


def test_an_unknown_editor_or_set_is_one_sentence(answer, picture_file):
    answer.engine.load()
    for change in ({"editor": None}, {"editor": "photoshop"}, {"weights": "/etc"}, {"weights": None}, {"weights": ["full"]}):
        answer.begin(change.get("editor", "inpaint"), change.get("weights", "auto"))
        (only,) = ask(answer.explain, picture_file, **change)
        assert re.search("There (is no editor called|are no weights) “", only["progress"]) and released(only)
