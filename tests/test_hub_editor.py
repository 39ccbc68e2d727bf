"""Another editor of the Hub on the page: named, checked before anything is downloaded, then run as any other."""

import re
from types import SimpleNamespace

import pytest
from asking import TEXT, ask, build_edit_tab, read, throw
from test_offer import FILES, hub  # noqa: F401 - a fixture
from tiny import FakeBackend, FakeEmbedder

from smile import InputError
from smile.models.editors import EDITORS
from smile.ui import engine as page_engine
from smile.ui import machine, middleware, texts
from smile.ui.api import Api
from smile.ui.engine import Engine
from smile.ui.language_engine import LanguageEngine
from smile.ui.runs import find_chosen, is_here, repeat_request
from smile.ui.validation import METHOD

KLEIN = "black-forest-labs/FLUX.2-klein-4B"
pytestmark = pytest.mark.model


class Klein(FakeBackend):
    """What a repository is loaded as: an editor with the name of its place."""

    def __init__(self, name, weights):
        super().__init__("instruct-pix2pix", weights)
        self.name = name


@pytest.fixture
def loaded():
    return []


@pytest.fixture
def tab(hub, loaded, monkeypatch):  # noqa: F811
    monkeypatch.setattr(machine, "measure_memory", lambda: 64e9)
    monkeypatch.setattr(machine, "find_device", lambda: "cpu")
    monkeypatch.setattr(page_engine, "measure_speed", lambda *_: 100e9)
    monkeypatch.setattr(machine, "is_downloaded", lambda _: False)
    return build_edit_tab(lambda *names: loaded.append(names) or (Klein(*names), FakeEmbedder()))


def choose(tab, repository, picture=None, instruction=TEXT):
    """(what the field fills in, what is said beside it)."""
    form = tab.form
    asked = {"picture": picture, "instruction": instruction, "edits": 24, "edits_chosen": True, "method": "ours"} | METHOD
    values = {form.fields[name]: value for name, value in asked.items()}
    first, last = form.hub_editor.choose(values | {form.hub_editor.repository: repository})
    assert list(first) == [form.hub_editor.said] and "Asking the Hub" in str(first[form.hub_editor.said])
    return read(form.choose_editor, last), re.sub("<[^>]*>", "", str(last[form.hub_editor.said]))


def test_it_is_checked_then_chosen_and_nothing_is_downloaded(tab, hub, loaded, picture_file):  # noqa: F811
    now, said = choose(tab, f" {KLEIN} ", picture_file)
    assert now["editor"]["value"] == KLEIN and [value for _, value in now["editor"]["choices"]] == [*EDITORS, KLEIN]
    assert now["weights"]["value"] == "auto" and now["region_column"]["visible"] is False
    assert said == (
        "Chosen: Flux2KleinPipeline, licence apache-2.0; downloads about 16 GB before the first run; its largest part takes "
        "8 of the 64 GB of memory here; a run takes about 22 hours."
    )
    assert hub.asked == [KLEIN] and not loaded
    _, said = choose(tab, KLEIN, instruction="")  # what is asked is not possible yet
    assert "how long a run takes is not known yet" in said


def test_the_plan_says_how_it_lies_on_the_gpu_and_that_settings_change_the_time(tab, monkeypatch):
    monkeypatch.setattr(machine, "find_device", lambda: "cuda")
    said = {}
    for free in (24e9, 12e9, 8e9):
        monkeypatch.setattr(page_engine, "measure_gpu_memory", lambda free=free: free)
        outlook = tab.form.engine.describe_editor(KLEIN, "auto", {})
        said[outlook.placement] = str(texts.describe_plan(outlook, "run"))
        assert choose(tab, KLEIN)[1].count(texts.PLACEMENTS[outlook.placement]) == 1
    assert list(said) == ["whole", "model by model", "layer by layer"]
    assert f"{KLEIN} on the GPU, model by model, because" in said["model by model"]
    engine = tab.form.engine
    twice = engine.estimate_edit_seconds(KLEIN, "auto", {"steps": 8}) / engine.estimate_edit_seconds(KLEIN, "auto", {})
    assert twice == pytest.approx(2) and outlook.settings == {"steps": 4, "guidance": 1.0}
    ours = engine.describe_editor("instruct-pix2pix", "full", {}).placement
    assert ours == "whole" and engine.describe_editor("instruct-pix2pix", "bundled", {}).placement == ""
    monkeypatch.setattr(page_engine, "measure_gpu_memory", lambda: None)
    assert engine.describe_editor(KLEIN, "auto", {}).placement == ""


@pytest.mark.parametrize(
    ("name", "sentence", "change"),
    [
        ("klein", "“klein” is no repository on the Hub; write its name as owner/name", {}),
        ("", "is no repository on the Hub", {}),
        ("../../etc/passwd", "is no repository on the Hub", {}),
        ("<b>a</b>/x", "is no repository on the Hub", {}),
        ("a/video", "which makes a video, so it is no", {"index": {"_class_name": "WanImageToVideoPipeline"}}),
        ("a/text", "so it is no diffusers editor", {"index": {"_class_name": "StableDiffusionPipeline"}}),
        ("a/gated", "One must accept the terms of a/gated (apache-2.0)", {"gated": "manual"}),
        ("a/large", "The largest part of a/large has 8 GB, and this machine has 8 GB of memory", {"memory": 8e9}),
        ("a/none", "the Hub has none of that name", {"missing": True}),
        ("a/closed", "The owner of this Space does not allow the editor a/closed; there is b/c", {"space": "b/c"}),
    ],
)
def test_what_cannot_be_is_one_sentence_beside_the_field(tab, hub, loaded, monkeypatch, name, sentence, change):  # noqa: F811
    from huggingface_hub.errors import RepositoryNotFoundError
    from huggingface_hub.utils import httpx

    hub.index, hub.gated = change.get("index", hub.index), change.get("gated", False)
    monkeypatch.setattr(machine, "measure_memory", lambda: change.get("memory", 64e9))
    if "missing" in change:
        missing = RepositoryNotFoundError("404", response=httpx.Response(404, request=httpx.Request("GET", "http://x")))
        monkeypatch.setattr("huggingface_hub.HfApi", lambda: SimpleNamespace(model_info=lambda *_, **__: throw(missing)))
    if "space" in change:
        monkeypatch.setattr(machine, "SPACE", True)
        monkeypatch.setenv("SMILE_EDITORS", change["space"])
    now, said = choose(tab, name)
    assert not now and sentence in said and said.count(". ") == 0 and not loaded


def test_one_whose_work_nobody_knows(tab, hub):  # noqa: F811
    hub.index["_class_name"] = "StableDiffusionImg2ImgPipeline"
    now, said = choose(tab, "a/unknown")
    assert "how long a run takes is not known yet" in said and now["editor"]["value"] == "a/unknown"


def test_it_runs_and_is_asked_again_while_it_is_loaded(tab, loaded, picture_file):
    choose(tab, KLEIN, picture_file)
    steps, engine = [*ask(tab.answer.explain, picture_file, editor=KLEIN)], tab.form.engine
    shown, last = next(step["shown"] for step in reversed(steps) if "shown" in step), steps[-1]
    assert "Done" in last["progress"] and loaded == [(KLEIN, KLEIN)]
    assert shown.settings["editor"] == shown.settings["editor_weights"] == KLEIN
    assert repeat_request(engine, shown).editor == KLEIN and tab.form.describe_editor(shown)["editor"]["value"] == KLEIN
    with pytest.raises(InputError, match="not on this page"):  # a file may name any repository: none is downloaded for it
        repeat_request(Engine(Klein), shown)
    fine_tune = SimpleNamespace(settings={"editor": "instruct-pix2pix", "editor_weights": "a/fine-tune"})
    assert find_chosen(fine_tune) == ("a/fine-tune", "a/fine-tune") and not is_here(engine, fine_tune)
    assert "on this machine already" in choose(tab, KLEIN)[1]


def test_a_link_chooses_none(tab):
    followed = tab.saved_runs.follow_link(SimpleNamespace(query_params={"editor": KLEIN}))
    assert "choose another editor of the Hub under Advanced" in str(followed)


def test_programs_name_it_in_place_of_an_editor(tab, hub, picture_file):  # noqa: F811
    api = Api(tab.form.engine, LanguageEngine())
    api.build()
    assert middleware._find_problem(api.inputs[4], KLEIN) == ""
    *_, (explanation, _) = api.explain(picture_file, "make snow", editor=KLEIN)
    assert explanation["settings"]["editor"] == KLEIN and hub.asked == [KLEIN]


@pytest.mark.browser
@pytest.mark.slow
def test_advanced_lies_over_the_answer_and_a_refusal_stands_beside_the_field(visit, fake_page):
    page = visit(fake_page)
    page.click("#advanced button", timeout=60_000)
    page.fill("#repository :is(input, textarea)", "klein")
    page.click("#check-repository", timeout=60_000)  # Playwright refuses to click on what is covered
    page.wait_for_function("document.querySelector('#repository-said').innerText.includes('no repository')", timeout=60_000)
