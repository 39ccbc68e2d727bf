"""Distances and log-probabilities of an opened explanation are measured again on request: what somebody forged is found, in
several ways of forging each, and what is honest passes."""

import html
import io
import threading
from dataclasses import fields, replace

import numpy as np
import pytest
from answering import RuleModel, WritingModel
from asking import build_edit_tab, read
from bundles import run
from tiny import FakeBackend, FakeEmbedder, fake_models, picture

from smile import InputError, check_against_model, explain, explain_answer, load
from smile.__main__ import main
from smile.io.images import average_all_cells
from smile.method.analysis import analyse
from smile.method.extras import Extra
from smile.paths import EXAMPLES
from smile.report.html import render_page
from smile.ui import engine as page_engine
from smile.ui import texts, validation, zero_gpu

PROMPT = "You see one red car near the river.\nThis is a rainy place.\nWhat is the color and the weather?"


def opened(explanation):
    """As it is after somebody saved and somebody else opened it."""
    return load(io.BytesIO(explanation.encode(".zip")))


def refitted(e, **changes):
    """The explanation with other outcomes or distances, and with the numbers that follow from them: it can be opened."""
    e = replace(e, **changes)
    cells = average_all_cells([*e.edits, *e.extra_edits])
    extra = Extra(e.extra_mask, e.extra_blocks, e.extra_distances, cells[len(e.edits) :])
    names = (
        "mask",
        "blocks",
        "locality_weights",
        "distances",
        "distances_from_full",
        "noise_distances",
        "provisional",
        "outcomes",
    )
    given = {name: getattr(e, name) for name in names}
    return replace(e, **analyse(settings=e.settings, appearance=cells[: len(e.edits)], extra=extra, **given))


def find_ends(e):
    """The rows of the nearest edit that is none of the full instruction, and of the farthest."""
    order = [i for i in np.argsort(e.distances) if np.isfinite(e.distances[i]) and not e.mask[i].all()]
    return order[0], order[-1]


def with_distances(e, change):
    """The explanation after `change(distances)`."""
    change(distances := e.distances.copy())
    from_full = {"distances_from_full": distances} if e.settings["reference"] == "edit" else {}
    return refitted(e, distances=distances, **from_full)


def one_distance(e):
    return with_distances(e, lambda d: d.__setitem__(find_ends(e)[1], 1.2 * d[find_ends(e)[1]]))


def one_distance_by_little(e):
    near, check = find_ends(e)[0], check_against_model(opened(e), FakeEmbedder())
    return with_distances(e, lambda d: d.__setitem__(near, d[near] + 3 * check.tolerance.max()))


def all_distances(e):
    names = ("distances", "distances_from_full", "noise_distances", "extra_distances")
    return refitted(e, **{name: 2 * getattr(e, name) for name in names})


def swapped_distances(e):
    near, far = find_ends(e)
    return with_distances(e, lambda d: d.__setitem__([near, far], d[[far, near]]))


def swapped_pictures(e):
    edits, (near, far) = [*e.edits], find_ends(e)
    edits[near], edits[far] = edits[far], edits[near]
    return refitted(e, edits=edits)


def another_input(e):
    return refitted(e, image=picture((48, 48)).rotate(90)) if e.settings["reference"] == "input" else None


def noise_of_nothing(e):
    return refitted(e, noise_distances=0 * e.noise_distances)


def noise_edits_exchanged(e):
    return refitted(e, noise_edits=[e.edits[0]] * len(e.noise_edits))


def one_beside_the_design(e):
    distances = e.extra_distances.copy()
    distances[0] *= 0.5
    return refitted(e, extra_distances=distances)


FORGED = [one_distance, one_distance_by_little, all_distances, swapped_distances, swapped_pictures, another_input]
FORGED += [noise_of_nothing, noise_edits_exchanged, one_beside_the_design]


@pytest.fixture(scope="module", params=["edit", "input", "two seeds", "cosine", "a failed edit"])
def honest(request):
    options = {"edit": {}, "input": {"reference": "input"}, "two seeds": {"seeds": 2}, "cosine": {"distance": "cosine"}}
    options = options.get(request.param, {"locality": "words", "fail": [run().texts[5]]})
    return run(edits=12, **options)


def test_an_honest_one_is_the_same_to_the_last_bit(honest):
    e = opened(honest)
    assert "how far apart they are" in e.unchecked
    check = check_against_model(e, FakeEmbedder())
    assert check.holds and (check.stored == check.measured).all() and not check.differs.any() and "\n" not in check.sentence
    made = [each for each in (*e.edits, *e.noise_edits, *e.extra_edits) if each is not None]
    assert len(check.stored) >= len(made) and f"the same {len(check.stored)} distances." in check.sentence
    assert "how far apart" not in e.unchecked and "that fake made these pictures" in e.unchecked and not e.refuted


@pytest.mark.parametrize("forge", FORGED)
def test_a_forged_one_is_opened_and_found(honest, forge):
    made = None if forge is one_beside_the_design and not len(honest.extra_distances) else forge(honest)
    if made is None:
        pytest.skip("there is none in this explanation")
    e = opened(made)
    check = check_against_model(e, FakeEmbedder())
    assert not check.holds and check.differs.any() and "instead of" in check.sentence
    assert e.refuted == check.sentence and e.finding.startswith("Checked against the model, and wrong")
    few = {one_distance: 1, one_distance_by_little: 1, swapped_distances: 2, swapped_pictures: 2, one_beside_the_design: 1}
    both = 2 if honest.settings["reference"] == "input" else 1  # an edit is measured from the input and from the full edit
    assert check.differs.sum() <= both * few.get(forge, len(check.stored))
    assert opened(made).refuted == "" and "refuted" not in made.to_dict()


def test_what_was_found_is_said_with_its_edit_and_its_size():
    made = run(edits=12)
    e = opened(one_distance(made))
    sentence, far = check_against_model(e, FakeEmbedder()).sentence, find_ends(made)[1]
    assert sentence == (
        f"Checked against the model, and wrong: 1 of {len(e.texts) + 4 + len(e.extra_distances)} distances are not those that "
        f"pixels measures: “{made.texts[far]}” {1.2 * made.distances[far]:.4g} instead of {made.distances[far]:.4g}."
    )
    many = check_against_model(opened(all_distances(made)), FakeEmbedder()).sentence
    assert many.count("instead of") == 3 and " more." in many
    page = html.unescape(render_page(e))
    assert "and wrong: 1 of" in page


def test_rounding_of_another_machine_is_no_forgery():
    class Elsewhere(FakeEmbedder):
        def embed(self, images):
            vectors, patches = super().embed(images)
            noise = np.random.default_rng(0).normal(1, 1e-6, patches.shape)
            return vectors, patches * noise

    e = opened(run(edits=12))
    check = check_against_model(e, Elsewhere())
    assert check.holds and check.sentence.endswith("distances, but for rounding.")


@pytest.mark.parametrize(
    ("name", "weights"), [("dinov3", "bundled"), ("dinov2", "someone/else"), ("dinov2", None), ("pixels", None)]
)
def test_a_model_that_is_not_here_is_one_sentence_and_nothing_is_loaded(name, weights, monkeypatch):
    monkeypatch.setattr("smile.models.embedders.load_embedder", lambda *_: pytest.fail("a model was loaded"))
    e = opened(run(edits=12))
    e.settings |= {"embedder": name} | ({"embedder_weights": weights} if weights else {})
    with pytest.raises(InputError, match=f"says that {name}.* measured it, which does not come with this package") as caught:
        check_against_model(e)
    assert str(caught.value).count(". ") == 0 and "how far apart" in e.unchecked


def test_another_model_says_nothing_about_it():
    class Other(FakeEmbedder):
        weights = "mine"

    with pytest.raises(InputError, match=r"pixels measured it; pixels \(mine\), which is here"):
        check_against_model(opened(run(edits=12)), Other())


# Answers


@pytest.fixture(scope="module")
def answered():
    return explain_answer(PROMPT, RuleModel(0.02), permutations=99)


def put(values, position, number):
    values[position] = number
    return values


SCORES = {
    "one token": lambda e: put(e.log_probs[4], 1, e.log_probs[4][1] - 0.5),
    "all of one row": lambda e: np.multiply(e.log_probs[2], 2, out=e.log_probs[2]),
    "a unit left out alone": lambda e: put(e.alone_outcomes[1], 0, -3.0),
    "a row of the trace": lambda e: put(e.trace_log_probs[1][3], 0, -3.0),
    "rows swapped": lambda e: e.log_probs.__setitem__(slice(1, 3), e.log_probs[2:0:-1]),
}


def test_log_probabilities_are_scored_again(answered):
    e = opened(answered)
    assert "how likely they are" in e.unchecked
    check = check_against_model(e, RuleModel(0.02))
    assert check.holds and e.trace_log_probs is not None and "rules (none) measures the same" in check.sentence
    assert len(check.stored) == len(e.texts) + len(e.words) + sum(map(len, e.trace_log_probs))
    assert e.unchecked == "Not checked, because that takes the models: that these are the model's answers."


@pytest.mark.parametrize("forge", SCORES)
def test_forged_log_probabilities_are_found(answered, forge):
    e = opened(answered)
    SCORES[forge](e)
    check = check_against_model(e, RuleModel(0.02))
    assert not check.holds and 1 <= check.differs.sum() <= 2 and e.finding.startswith("Checked against the model, and wrong")


def test_an_answer_that_is_split_otherwise_is_one_sentence(answered):
    class Other(RuleModel):
        def score(self, prompts, answer, *, given=None):
            return super().score(prompts, answer, given=given)[:, :-1]

    with pytest.raises(InputError, match="splits the answer into other tokens"):
        check_against_model(opened(answered), Other(0.02))


def test_answers_of_a_model_that_only_writes_are_embedded_again():
    made = explain_answer(PROMPT, WritingModel())
    e = opened(made)
    assert "how far apart they are" in e.unchecked
    check = check_against_model(e)
    assert check.holds and "words measures the same" in check.sentence and "how far apart" not in e.unchecked
    e.distances[2] += 0.01
    assert not check_against_model(e).holds
    e = opened(made)
    e.alone[0] += 0.1
    assert not check_against_model(e).holds


# The bundled models


@pytest.mark.model
@pytest.mark.parametrize("editor", ["instruct-pix2pix", "img2img-turbo", "inpaint"])
def test_what_a_bundled_editor_made_passes_and_is_found_when_forged(editor):
    e = load(EXAMPLES / f"first-snow-{editor}.zip", refit=False)
    check = check_against_model(e)
    assert check.holds and "dinov2 (bundled) measures the same" in check.sentence
    near, far = np.argsort(e.distances)[[1, -1]]
    e.edits[near], e.edits[far] = e.edits[far], e.edits[near]
    e.noise_edits[0] = e.edits[0]
    check = check_against_model(e)
    assert check.differs.sum() == 2 + (e.noise_distances[0] > 0.01)  # another seed changes nothing of Turbo's


@pytest.mark.model
def test_what_the_bundled_language_model_answered_passes_and_is_found_when_forged():
    e = load(EXAMPLES / "ask-two.zip", refit=False)
    check = check_against_model(e)
    assert check.holds and "toyroad (bundled) measures the same" in check.sentence
    e.log_probs[3][0] -= 0.1
    check = check_against_model(e)
    assert check.differs.sum() == 1 and f"“{e.texts[3][:20]}" in check.sentence


# The command and the page


@pytest.mark.model
def test_the_command_checks_first_and_writes_nothing_where_it_is_wrong(tmp_path, capsys):
    bundle, out = EXAMPLES / "first-snow-inpaint.zip", tmp_path / "a.html"
    assert main(["export", str(bundle), "--check"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Checked against the model: dinov2 (bundled)") and "how far apart" not in said.err
    assert "that inpaint made these pictures" in said.err
    forged = refitted(load(bundle), noise_distances=0.5 * load(bundle).noise_distances)
    forged.save(tmp_path / "forged")  # a folder goes as well
    assert main(["export", str(tmp_path / "forged"), "--out", str(out), "--check"]) == 2 and not out.exists()
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "and wrong: 4 of 20 distances" in said and "all words under seed 1" in said
    assert main(["export", str(tmp_path / "forged"), "--out", str(out)]) == 0 and out.exists()
    assert main(["export", str(bundle)]) == 2 and "--check" in capsys.readouterr().err.splitlines()[-1]


def made(name="instruct-pix2pix"):
    return explain(picture(), "make it snow", FakeBackend(name, "bundled"), embedder=FakeEmbedder())


@pytest.fixture
def saved_runs():
    return build_edit_tab(fake_models).saved_runs


def put_before(saved_runs, explanation, folder):
    """What opening it shows."""
    explanation.write(folder / "a.zip")
    return read(saved_runs.open_bundle, next(saved_runs.open_bundle(str(folder / "a.zip"))))


def test_the_page_offers_the_check_and_says_what_came_of_it(saved_runs, tmp_path):
    shown = put_before(saved_runs, made(), tmp_path)
    assert shown["check_button"]["visible"] and "how far apart" in html.unescape(shown["progress"])
    assert not read(saved_runs.begin_check, saved_runs.begin_check())["check_button"]["interactive"]
    now = read(saved_runs.check, saved_runs.check(shown["shown"]))
    assert "pixels measures the same" in now["progress"] and "how far apart" not in now["progress"]
    assert not now["check_button"]["visible"] and not now["view"]["warning"]
    assert "how far apart" not in now["view"]["source"] and "made these pictures" in now["view"]["source"]
    again = read(saved_runs.check, saved_runs.check(shown["shown"]))  # there is nothing more to check
    assert texts.NOT_TO_CHECK in again["progress"] and "view" not in again


def test_the_page_says_what_is_wrong_in_the_place_of_the_answer(saved_runs, tmp_path):
    forged = put_before(saved_runs, one_distance(made()), tmp_path)
    now = read(saved_runs.check, saved_runs.check(forged["shown"]))
    assert "and wrong: 1 of" in now["progress"] and "problem" in now["progress"]
    assert now["view"]["warning"].startswith("Checked against the model, and wrong")
    assert "and wrong" in html.unescape(render_page(forged["shown"]))


def test_the_check_is_not_offered_where_what_measured_it_is_not_here(saved_runs, tmp_path, monkeypatch):
    assert not put_before(saved_runs, run(), tmp_path)["check_button"]["visible"]  # an editor of somebody's own
    full = explain(picture(), "make it snow", FakeBackend("instruct-pix2pix", "full"), embedder=FakeEmbedder())
    monkeypatch.setattr("smile.ui.machine.list_weights", lambda _: ["bundled", "full"])
    shown = put_before(saved_runs, full, tmp_path)  # to be downloaded first
    assert not shown["check_button"]["visible"]
    assert texts.NOT_TO_CHECK in read(saved_runs.check, saved_runs.check(shown["shown"]))["progress"]


def test_what_would_keep_others_waiting_or_hangs_is_one_sentence(saved_runs, tmp_path, monkeypatch):
    shown = put_before(saved_runs, made(), tmp_path)["shown"]
    monkeypatch.setattr(validation, "MAX_CHECKED", len(shown.distances))
    assert texts.TOO_MUCH_TO_CHECK in read(saved_runs.check, saved_runs.check(shown))["progress"]
    monkeypatch.undo()
    hung = threading.Event()

    class Hanging(FakeEmbedder):
        def embed(self, images):
            hung.wait(60)
            return super().embed(images)

    engine = saved_runs.engine
    engine.load("instruct-pix2pix", "bundled")
    monkeypatch.setattr(page_engine, "LONGEST_CALL", 0.2)
    monkeypatch.setattr(engine, "_load_measurer", lambda *_: Hanging())
    now = read(saved_runs.check, saved_runs.check(shown))
    assert "did not end in time" in now["progress"] and now["check_button"]["interactive"] and not engine.is_loaded()
    hung.set()
    monkeypatch.undo()
    assert "measures the same" in read(saved_runs.check, saved_runs.check(shown))["progress"]


def test_on_zero_gpu_full_weights_measure_on_the_cpu(monkeypatch):
    engine = zero_gpu.ZeroGpuEngine(fake_models)
    monkeypatch.setattr(zero_gpu, "load_embedder", lambda *given: given)
    assert engine._load_measurer("instruct-pix2pix", "full") == ("full", "cpu")
    assert isinstance(engine._load_measurer("instruct-pix2pix", "bundled"), FakeEmbedder)


def test_every_check_is_of_every_stored_distance():
    """A field of distances that is added some day must be checked, too."""
    e = run(edits=12)
    known = {"distances", "distances_from_full", "noise_distances", "extra_distances"}
    assert {field.name for field in fields(e) if "distance" in field.name} == known
