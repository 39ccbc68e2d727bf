"""explanation.json of a bundle: what was not written so, or does not follow from its edits, is refused in one sentence."""

import dataclasses
import io
import json

import pytest
from bundles import TEXT, changed, json_of, partial, read, refuse, run, whole, written

from smile import Explanation, load
from smile.io import bundle, schema


def put(*path, value):
    def change(values):
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] = value

    return change


def drop(*path):
    def change(values):
        for key in path[:-1]:
            values = values[key]
        del values[path[-1]]

    return change


def text_of(old: str, new: str):
    def change(values):
        text = json.dumps(values)
        assert old in text
        return text.replace(old, new, 1)

    return change


def one_text_less(values):
    for name in ("texts", "mask", "blocks"):
        values[name].pop()


def turned(values):
    for name in ("texts", "mask"):
        values[name].reverse()


def another_word(values):
    values["instruction"] = values["instruction"].replace("night", "dusk")
    values["words"][-1] = "dusk"


def too_many_words(values):
    values["words"] = ["a"] * 65
    values["instruction"] = " ".join(values["words"])


def looks(value):
    return lambda v: v["settings"].update(looks=value, smallest_effect=0.1)


NOISE = '"noise_distances": ['
RECORDS = {
    "no JSON": (lambda _: "{", "explanation.json is no JSON"),
    "no UTF-8": (lambda _: b"\xff\xfe{}", "explanation.json is no JSON"),
    "a list": (lambda _: "[]", "explanation.json holds no object"),
    "empty": (lambda _: "{}", "explanation.json lacks “instruction”"),
    "deep": (lambda _: "[" * 200_000, "explanation.json is"),
    "NaN": (text_of('"noise_floor": ', '"noise_floor": NaN, "noise_floor": '), "explanation.json is no JSON"),
    "infinity": (text_of('"noise_floor": ', '"noise_floor": -Infinity, "noise_floor": '), "explanation.json is no JSON"),
    "1e999": (text_of(NOISE, f"{NOISE}1e999, "), "a value in “noise_distances” is not one that is possible"),
    "a long integer": (text_of(NOISE, f"{NOISE}1{'0' * 400}, "), "a value in “noise_distances” is not one that is possible"),
    "a longer integer": (text_of(NOISE, f"{NOISE}1{'0' * 5000}, "), "explanation.json is no JSON"),
    "a field less": (drop("mask"), "explanation.json lacks “mask”"),
    "a field more": (put("author", value="me"), "a field that is not known, “author”"),
    "many fields more": (lambda v: v.update({f"f{i}": i for i in range(10**5)}), "a table in it has more than 64 values"),
    "a strange field more": (put("a\nb", value="me"), "explanation.json has a field that is not known, “a�b”"),
    "finding no text": (put("finding", value=3), "“finding” should be a valid string"),
    "instruction no text": (put("instruction", value=3), "“instruction” should be a valid string"),
    "instruction too long": (put("instruction", value="a" * 10_001), "“instruction” should have at most 10000 characters"),
    "half a character": (put("instruction", value="make \ud800"), "“instruction” should be"),
    "half a character of a sentence": (put("finding", value="\udfff"), "“finding” should be a valid string"),
    "half a character of a reason": (put("untested", value="\ud800"), "“untested” should be a valid string"),
    "instruction empty": (put("instruction", value=""), "its instruction could not be asked (The instruction is empty)"),
    "too many words": (too_many_words, "its instruction could not be asked (The instruction has 65 words"),
    "other words": (put("words", 0, value="let"), "“words” are not those of the instruction"),
    "words and instruction changed": (another_word, "“texts” do not agree with “mask”"),
    "spaces": (put("instruction", value="make  it snow at night"), "one space apart"),
    "texts no list": (put("texts", value="a"), "“texts” should be a valid list"),
    "too many texts": (put("texts", value=[1] * 10**6), "“texts” should have at most 4096 items"),
    "no texts": (put("texts", value=[]), "“texts” should have at least 1 item, not 0"),
    "another text": (put("texts", 3, value="rm -rf"), "“texts” do not agree with “mask”"),
    "mask of numbers": (put("mask", 3, 1, value=1), "a value in “mask” is not one that is possible"),
    "mask too short": (drop("mask", 3), "“mask” has not the right number of values"),
    "mask ragged": (drop("mask", 3, 1), "“mask” has not the right number of values"),
    "mask flat": (put("mask", value=[True] * 16), "“mask” is no list of the right depth"),
    "mask changed": (put("mask", 0, 0, value=False), "“texts” do not agree with “mask”"),
    "an edit less": (one_text_less, "has not the right number of values"),
    "weights too few": (drop("weights", 0), "“weights” has not the right number of values"),
    "weights of text": (put("weights", 0, value="0.5"), "a value in “weights” is not one that is possible"),
    "weights true": (put("weights", 0, value=True), "a value in “weights” is not one that is possible"),
    "weights nested": (put("weights", 0, value=[0.5]), "a value in “weights” is not one that is possible"),
    "weights null": (put("weights", value=None), "“weights” is no list of the right depth"),
    "p above one": (put("p_values", 0, value=1.01), "a value in “p_values” is not one that is possible"),
    "p below zero": (put("p_values_holm", 0, value=-0.01), "a value in “p_values_holm” is not one that is possible"),
    "response above one": (put("responses", 1, value=1.5), "a value in “responses” is not one that is possible"),
    "distance below zero": (put("distances", 1, value=-1.0), "a value in “distances” is not one that is possible"),
    "locality above one": (put("locality_weights", 1, value=2), "a value in “locality_weights” is not one that is possible"),
    "locality unknown": (put("locality_weights", 1, value=None), "a value in “locality_weights” is not one that is possible"),
    "map unknown": (put("maps", 0, 0, 0, value=None), "a value in “maps” is not one that is possible"),
    "map above one": (put("maps", 0, 0, 0, value=3), "a value in “maps” is not one that is possible"),
    "map ragged": (drop("maps", 0, 0, 0), "“maps” has not the right number of values"),
    "map empty": (put("maps", value=[[] for _ in range(5)]), "“maps” is empty"),
    "map flat": (put("maps", value=[[0.0] * 4] * 5), "“maps” is no list of the right depth"),
    "blocks negative": (put("blocks", 0, value=-1), "a value in “blocks” is not one that is possible"),
    "blocks huge": (put("blocks", 3, value=10**9), "a value in “blocks” is not one that is possible"),
    "blocks out of order": (put("blocks", 3, value=1), "“blocks” are not in order"),
    "more blocks than seeds": (put("blocks", 15, value=1), "“blocks” are not in order"),
    "no full text first": (turned, "a block does not begin with the full instruction"),
    "noise uneven": (put("noise_distances", 0, value=None), "“failed” is not the number"),
    "noise more": (lambda v: v["noise_distances"].append(0.1), "there are more noise seeds than it says"),
    "noise less": (drop("noise_distances", 0), "“done” is not the number of edits"),
    "failed": (put("failed", value=0), "“failed” is not the number"),
    "failed no count": (put("failed", value=1.0), "“failed” should be a valid integer"),
    "done": (put("done", value=19), "“done” is not the number of edits"),
    "done negative": (put("done", value=-1), "“done” should be greater than or equal to 0"),
    "total": (put("total", value=21), "“done” and “total” do not agree"),
    "provisional": (put("provisional", value=True), "“done” and “total” do not agree"),
    "provisional no truth": (put("provisional", value=0), "“provisional” should be a valid boolean"),
    "the full edit failed": (put("distances", 0, value=None), "the distances do not agree on what failed"),
    "seconds negative": (put("seconds", "fit", value=-1), "“seconds.fit” should be greater than or equal to 0"),
    "seconds of other things": (put("seconds", value={"a": 1.0}), "“seconds” has not the right parts"),
    "fidelity no table": (put("fidelity", value=[]), "“fidelity” should be a valid dictionary"),
    "fidelity of texts": (put("fidelity", "L1", value="0"), "“fidelity.L1” should be a valid number"),
    "fidelity of too many": (
        put("fidelity", value={f"f{i}": "" for i in range(10**5)}),
        "a table in it has more than 64 values",
    ),
    "noise floor negative": (put("noise_floor", value=-1), "“noise_floor” should be greater than or equal to 0"),
    "settings no object": (put("settings", value=[]), "“settings” is no object"),
    "looks alone": (put("settings", "looks", value=[16]), "“looks” and “smallest_effect” do not agree"),
    "effect alone": (put("settings", "smallest_effect", value=0.1), "“looks” and “smallest_effect” do not agree"),
    "looks that fall": (looks([16, 8, 16]), "“looks” are no rising counts up to “edits”"),
    "looks beyond the edits": (looks([16, 32]), "“looks” are no rising counts up to “edits”"),
    "looks of text": (looks("16"), "“settings.looks” should be a valid list"),
    "one more look": (looks([8, 16]), "do not follow from its edits"),
    "a setting less": (drop("settings", "permutations"), "explanation.json lacks “settings.permutations”"),
    "a setting too long": (put("settings", "editor", value="a" * 1001), "the setting “editor” is no plain value"),
    "a setting over two lines": (put("settings", "editor", value="a\nb"), "the setting “editor” is no plain value"),
    "a setting too deep": (put("settings", "more", value={"a": {"b": 1}}), "the setting “more” is no plain value"),
    "a setting of many": (put("settings", "more", value=[1] * 100), "the setting “more” is no plain value"),
    "too many settings": (
        lambda v: v["settings"].update({f"s{i}": i for i in range(99)}),
        "a table in it has more than 64 values",
    ),
    "a setting without a text": (put("settings", "editor", value=3), "“settings.editor” should be a valid string"),
    "an unknown distance": (put("settings", "distance", value="far"), "there is no distance “far”"),
    "an unknown surrogate": (put("settings", "surrogate", value="forest"), "there is no surrogate “forest”"),
    "an unknown similarity": (put("settings", "similarity", value="none"), "“settings.similarity” should be"),
    "an unknown kernel": (put("settings", "kernel", value="box"), "“settings.kernel” should be 'gaussian' or 'paper'"),
    "an unknown preset": (put("settings", "preset", value="mine"), "of its settings, there is no preset “mine”"),
    "no permutations": (put("settings", "permutations", value=0), "should be greater than or equal to 1"),
    "a seed that is none": (put("settings", "seed", value=-1), "seed must be a whole number of at least 0, not -1"),
    "a seed that is true": (put("settings", "seed", value=True), "seed must be a whole number of at least 0, not True"),
    "edits that are none": (put("settings", "edits", value=2.5), "“settings.edits” should be a valid integer"),
    "fewer edits": (put("settings", "edits", value=15), "a block has not the right size"),
    "more edits": (put("settings", "edits", value=17), "“provisional” does not agree"),
    "more seeds": (put("settings", "seeds", value=2), "“provisional” does not agree"),
    "sigma automatic": (put("settings", "sigma", value="auto"), "“settings.sigma” should be a valid number"),
    "sigma zero": (put("settings", "sigma", value=0), "sigma must be"),
    "sigma unknown": (put("settings", "sigma", value=None), "“sigma” and “locality” do not agree"),
    "size": (put("settings", "size", value=[48]), "“settings.size” should have at least 2 items, not 1"),
    "another size": (put("settings", "size", value=[48, 56]), "input.png has not the size"),
    "region": (put("settings", "region", value=True), "region.png is missing"),
    "region no truth": (put("settings", "region", value="yes"), "“settings.region” should be a valid boolean"),
    "a reason that is none": (put("untested", value=None), "“untested” should be a valid string"),
    "an interaction that is none": (put("interaction", value=[]), "“interaction” should be a valid dictionary"),
    "half an interaction": (drop("interaction", "p_value"), "“interaction” lacks a part"),
    "an interaction without a reason": (put("interaction", "untested", value=1), "“interaction.untested” should be"),
    "an interaction of texts": (put("interaction", "weight", value="much"), "“interaction.weight” should be a valid number"),
    "an interaction of one": (put("interaction", "pairs", value=[[1]]), "“interaction.pairs.0” should have at least 2 items"),
    "an interaction of others": (put("interaction", "pairs", value=[[1, 5]]), "“interaction” has pairs of other words"),
    "an interaction without pairs": (put("interaction", "pairs", value="both"), "“interaction.pairs” should be a valid list"),
    "an interaction without numbers": (put("interaction", "weight", value=None), "“interaction” has a pair without"),
    "editor settings": (put("settings", "editor_settings", value=[]), "“settings.editor_settings” should be"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_was_not_written_so_is_refused(name):
    change, says = RECORDS[name]
    refuse(changed(whole(), change), says)


def by(factor, *path):
    def change(values):
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] *= factor

    return change


def swapped(values):
    """Somebody would like another word to count."""
    for name in ("weights", "ci_low", "ci_high", "p_values", "p_values_holm"):
        values[name][1], values[name][2] = values[name][2], values[name][1]


def an_edit_moved(values):
    for name in ("distances", "distances_from_full"):
        values[name][2] *= 0.5


TAMPERED = {
    "a weight": by(1.01, "weights", 2),
    "a weight unknown": put("weights", 2, value=None),
    "an interval": by(0.9, "ci_low", 2),
    "a p-value": put("p_values", 0, value=0.001),
    "a corrected p-value": put("p_values_holm", 0, value=0.01),
    "a response": put("responses", 2, value=0.123),
    "a response of a failed edit": lambda v: v["responses"].__setitem__(v["distances"].index(None), 0.5),
    "an edit's p-value": put("edit_p_values", 2, value=1.0),
    "the noise floor": by(2, "noise_floor"),
    "no noise floor": put("noise_floor", value=None),
    "a noise distance": by(2, "noise_distances", 0),
    "a locality weight": by(0.5, "locality_weights", 2),
    "a distance": an_edit_moved,
    "one of two distances": by(0.5, "distances", 2),
    "the surrogate": put("settings", "surrogate", value="ridge"),
    "the permutations": put("settings", "permutations", value=500),
    "the similarity": put("settings", "similarity", value="minmax"),
    "fidelity": by(1.1, "fidelity", "WMSE"),
    "no fidelity": put("fidelity", value={}),
    "words swapped": swapped,
    "a place of a map": put("maps", 0, 0, 0, value=0.7),
    "no maps": put("maps", value=None),
    "a reason": put("untested", value="it was not wanted"),
    "another pair": put("interaction", "pairs", value=[[0, 1], [0, 2]]),
    "a pair's weight": by(1.01, "interaction", "weight"),
    "a pair's p-value": put("interaction", "p_value", value=0.4),
    "no pair": put("interaction", value={}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_numbers_that_do_not_follow_from_the_edits_are_refused(name):
    data = written(run(reference="input")) if name == "the similarity" else whole()
    refuse(changed(data, TAMPERED[name]), schema.CHANGED)
    assert load(io.BytesIO(changed(data, TAMPERED[name])), refit=False).words  # nothing but the comparison refuses it


def test_a_partial_explanation_is_checked_as_well():
    assert read(partial()).provisional
    refuse(changed(partial(), by(1.01, "weights", 2)), schema.CHANGED)
    refuse(changed(partial(), put("maps", value=[[[0.0]]] * 5)), schema.CHANGED)
    refuse(changed(partial(), put("provisional", value=False)), "“done” and “total” do not agree")
    last = changed(partial(), put("total", value=json_of(partial())["done"]))
    refuse(last, "“done” and “total” do not agree")


def test_round_off_of_another_machine_is_no_change():
    assert read(changed(whole(), by(1 + 1e-9, "weights", 2))).words == TEXT.split()


def test_what_takes_too_much_work_to_check_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(schema, "MAX_WORK", 1000)
    refuse(whole(), "would take too much work")
    (tmp_path / "a.zip").write_bytes(whole())
    assert load(tmp_path / "a.zip", refit=False).unchecked == "Nothing in this file was computed again."


def test_more_permutations_than_anybody_checks_are_refused():
    for many in (10_001, 2_000_000, 2**32 - 1):
        refuse(changed(whole(), put("settings", "permutations", value=many)), "should be less than or equal to 10000")


def test_the_schema_has_the_fields_of_an_explanation():
    numbers = {field.name for field in dataclasses.fields(Explanation)} - set(bundle.PICTURES)
    assert set(schema._Record.model_fields) == numbers | {"finding", "files"}
    assert list(schema.check_fields(json_of(whole()))["settings"]) == list(json_of(whole())["settings"])  # as written
