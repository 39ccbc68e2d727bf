"""An explanation as one file: what is written is what is read, and what was not written so is refused in one sentence."""

import dataclasses
import io
import json
import struct
import zipfile
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import Explanation, InputError, bundle, explain, explain_stream, record
from smile.surrogate import holm

TEXT = "make it snow at night"
DAMAGED = "not an explanation that can be opened"


def run(text=TEXT, fail=(), image=None, **options):
    return explain(image or picture(), text, FakeEditor(fail), embedder=FakeEmbedder(), **options)


def written(explanation) -> bytes:
    file = io.BytesIO()
    bundle.write(explanation, file)
    return file.getvalue()


def read(data: bytes) -> Explanation:
    return bundle.read(io.BytesIO(data))


@cache
def whole() -> bytes:
    """16 edits, of which the sixth failed, and 4 noise edits."""
    return written(run(fail=[run().texts[5]]))


@cache
def regional() -> bytes:
    region = Image.new("L", picture().size)
    region.paste(255, (2, 3, 30, 40))
    return written(run(region=region))


@cache
def partial() -> bytes:
    stream = explain_stream(picture(), TEXT, FakeEditor(), embedder=FakeEmbedder(), seeds=2)
    return written([next(stream) for _ in range(3)][-1])


# What is written is what is read.


class Grey(FakeEditor):
    """Returns pictures of another size."""

    def one(self, image, text, seed):
        return super().one(image, text, seed).resize((20, 12))


VARIANTS = {
    "plain": {},
    "seeds": {"seeds": 3, "seed": 5, "noise_seeds": 1, "locality": "none"},
    "paper": {"preset": "paper"},
    "input": {"reference": "input"},
    "no noise": {"noise_seeds": 0, "surrogate": "ridge"},
    "bayesian": {"surrogate": "bayesian", "distance": "cosine"},
    "region": {"region": np.full((48, 48), 255, np.uint8)},
}


def assert_same(explanation):
    data = written(explanation)
    again = read(data)
    assert again.to_json() == explanation.to_json() and again.finding == explanation.finding
    for field in dataclasses.fields(Explanation):
        assert type(getattr(again, field.name)) is type(getattr(explanation, field.name)), field.name
    ours, theirs = ([e.image, e.region, *e.edits, *e.noise_edits] for e in (explanation, again))
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        assert one is None or (one.mode, one.size, one.tobytes()) == (other.mode, other.size, other.tobytes())
    assert written(again) == data


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_written_is_read_at_every_step_of_a_run(name):
    for explanation in explain_stream(picture(), TEXT, FakeEditor(), embedder=FakeEmbedder(), **VARIANTS[name]):
        assert_same(explanation)


@pytest.mark.parametrize(
    ("text", "fail"),
    [
        (TEXT, ["snow", "", "make it at"]),
        ("snow snow very snow", ["snow very", ""]),  # the same text in several rows is one edit
        ("snow", [""]),
        (" ".join(f"word{i}" for i in range(20)), []),
        ('<b>"snow"</b> 日本 \\ \x00 🙂', []),
    ],
)
def test_failed_edits_repeated_words_and_any_text(text, fail):
    assert_same(run(text, fail))
    assert_same(run(text, fail, seeds=2))


def test_all_but_the_full_edit_failed_and_noise_edits_too():
    class Fails(FakeEditor):
        def edit(self, image, texts, *, seed, region=None):
            return [None] * len(texts) if seed == 2 else super().edit(image, texts, seed=seed)

    assert_same(run(fail=run().texts[1:]))
    assert_same(explain(picture(), TEXT, Fails(), embedder=FakeEmbedder()))


def test_an_editor_of_ones_own_may_have_its_own_sizes_and_settings():
    editor = Grey()
    editor.name, editor.settings = 7, {"strength": 0.5, "mode": None, "sampler": object, 3: (1, 2)}
    explanation = explain(picture(), TEXT, editor, embedder=FakeEmbedder())
    assert explanation.settings["editor"] == "7" and explanation.settings["editor_settings"]["3"] == "(1, 2)"
    assert_same(explanation)


def test_the_same_explanation_makes_the_same_bytes_and_nothing_else_gets_in():
    image = picture()
    image.info |= {"comment": "secret", "icc_profile": b"secret"}
    first, second = (dataclasses.replace(run(image=image), seconds={}) for _ in range(2))
    assert written(first) == written(second) == written(read(written(first)))
    assert b"secret" not in written(first) and b"iCCP" not in written(first)
    with zipfile.ZipFile(io.BytesIO(whole())) as archive:
        names = archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names[:3] == ["explanation.json", "input.png", "edits/000.png"] and names[-1] == "noise/003.png"
    assert len(names) == 1 + 1 + 15 + 4


def test_paths_folders_and_files(tmp_path):
    explanation = read(regional())
    bundle.write(explanation, tmp_path / "one.zip")
    explanation.save(tmp_path / "folder")
    for source in (tmp_path / "one.zip", str(tmp_path / "one.zip"), tmp_path / "folder", str(tmp_path / "folder")):
        assert written(Explanation.load(source)) == written(bundle.read(source)) == regional()
    with pytest.raises(InputError, match="There is no explanation at .*absent.zip"):
        bundle.read(tmp_path / "absent.zip")
    with pytest.raises(InputError, match="cannot be written to"):
        bundle.write(explanation, tmp_path / "absent" / "one.zip")


def test_a_folder_is_checked_as_well(tmp_path):
    folder = read(whole()).save(tmp_path)
    (folder / "edits" / "002.png").write_bytes(b"hello")
    with pytest.raises(InputError, match="edits/002.png is no PNG"):
        Explanation.load(folder)
    (folder / "edits" / "002.png").unlink()
    with pytest.raises(InputError, match="edits/002.png cannot be read"):
        Explanation.load(folder)
    text = (folder / "explanation.json").read_text()
    (folder / "explanation.json").write_text(text.replace('"failed": 1', '"failed": 2'))
    with pytest.raises(InputError, match="“failed” is not the number"):
        Explanation.load(folder)


# What was not written so is refused. First the zip.


def content(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)


def rewritten(data: bytes, changes: dict, compress=None) -> bytes:
    """The zip with other contents of some files, by name; None leaves the file out, a new name adds it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        held = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if compress is None else compress) as archive:
        for name, value in (held | changes).items():
            if value is not None:
                archive.writestr(name, value)
    return file.getvalue()


def twice(data: bytes, name: str) -> bytes:
    file = io.BytesIO(data)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"another")
    return file.getvalue()


def commented(data: bytes) -> bytes:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"hello"
    return file.getvalue()


def lying(data: bytes, name: str, size: int) -> bytes:
    """Before the file and in the table of contents it is said to have another size than it has."""
    size = struct.pack("<I", size)
    first, last = data.index(name.encode()) - 8, data.rindex(name.encode()) - 22
    return data[:first] + size + data[first + 4 : last] + size + data[last + 4 :]


def flagged(data: bytes, bit: int) -> bytes:
    """A general purpose flag in the first entry of the table of contents."""
    at = data.index(b"PK\1\2") + 8
    return data[:at] + bytes([data[at] | bit]) + data[at + 1 :]


def counted(data: bytes, count: int) -> bytes:
    """Another number of entries in the end record."""
    return data[:-12] + struct.pack("<H", count) + data[-10:]


def zip64(data: bytes) -> bytes:
    """The locator of a zip64 end record before the end record, which sends a reader elsewhere."""
    return data[:-22] + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1) + data[-22:]


def many() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(9000):
            archive.writestr(f"edits/{number:03}.png", b"")
    return file.getvalue()


ZIPS = {
    "empty": (lambda: b"", "it is no zip file"),
    "text": (lambda: b"hello " * 100, "it is no zip file"),
    "a picture": (lambda: content(whole(), "input.png"), "it is no zip file"),
    "only an end record": (lambda: b"\0" * 40 + b"PK\5\6" + b"\0" * 18, "explanation.json is missing"),
    "cut": (lambda: whole()[:-100], "it is no zip file"),
    "head cut": (lambda: whole()[5000:], "is damaged"),
    "with a comment": (lambda: commented(whole()), "it is no zip file"),
    "zip64": (lambda: zip64(whole()), "it is no zip file"),
    "wrong count": (lambda: counted(whole(), 60_000), "there are too many files in it"),
    "many files": (many, "there are too many files in it"),
    "encrypted": (lambda: flagged(whole(), 0x1), "it is encrypted"),
    "bzip2": (lambda: rewritten(whole(), {}, zipfile.ZIP_BZIP2), "compressed in a way"),
    "lzma": (lambda: rewritten(whole(), {}, zipfile.ZIP_LZMA), "compressed in a way"),
    "absolute path": (lambda: rewritten(whole(), {"/etc/passwd": b"x"}), "does not belong"),
    "path upward": (lambda: rewritten(whole(), {"../edits/000.png": b"x"}), "does not belong"),
    "path upward inside": (lambda: rewritten(whole(), {"edits/../input.png": b"x"}), "does not belong"),
    "backslash": (lambda: rewritten(whole(), {"edits\\000.png": b"x"}), "does not belong"),
    "another name": (lambda: rewritten(whole(), {"heatmap.html": b"x"}), "does not belong"),
    "a folder": (lambda: rewritten(whole(), {"edits/": b""}), "does not belong"),
    "name with null": (lambda: whole().replace(b"input.png", b"input\0png"), "does not belong"),
    "other digits": (lambda: rewritten(whole(), {"edits/٠٠١.png": b"x"}), "does not belong"),
    "an edit too many": (lambda: rewritten(whole(), {"edits/099.png": b"x"}), "does not know of edits/099.png"),
    "the failed edit": (
        lambda: rewritten(whole(), {"edits/005.png": content(whole(), "input.png")}),
        "explanation.json does not know of edits/005.png",
    ),
    "a region too many": (lambda: rewritten(whole(), {"region.png": b"x"}), "does not know of region.png"),
    "no region": (lambda: rewritten(regional(), {"region.png": None}), "region.png is missing"),
    "no json": (lambda: rewritten(whole(), {"explanation.json": None}), "explanation.json is missing"),
    "no input": (lambda: rewritten(whole(), {"input.png": None}), "input.png is missing"),
    "no edit": (lambda: rewritten(whole(), {"edits/000.png": None}), "edits/000.png is missing"),
    "no noise edit": (lambda: rewritten(whole(), {"noise/003.png": None}), "noise/003.png is missing"),
    "two of a name": (lambda: twice(whole(), "edits/001.png"), "two files of the same name"),
    "too large a json": (lambda: rewritten(whole(), {"explanation.json": b" " * 16_000_001}), "has more than 16 MB"),
    "says it is smaller": (lambda: lying(whole(), "edits/001.png", 100), "edits/001.png is damaged"),
    "says it is larger": (lambda: lying(whole(), "edits/001.png", 10**6), "edits/001.png"),
    "says it is huge": (lambda: lying(whole(), "edits/001.png", 4 * 10**9), "it holds more than 512 MB"),
    "a changed byte": (lambda: whole()[:3000] + bytes([whole()[3000] ^ 1]) + whole()[3001:], "is damaged"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_that_was_not_written_so_is_refused(name):
    make, says = ZIPS[name]
    refuse(make(), says)


def refuse(data: bytes, says: str):
    with pytest.raises(InputError) as caught:
        read(data)
    said = str(caught.value)
    assert says in said and "\n" not in said and said.endswith(".") and said.count(". ") == 0
    assert DAMAGED in said or said == record.CHANGED


def test_a_bomb_is_refused_before_it_is_read(monkeypatch):
    data = rewritten(whole(), {"edits/001.png": b"\0" * 10**6})
    monkeypatch.setattr(bundle, "MAX_BYTES", 10**6)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("read"))
    refuse(data, "it holds more than 1 MB")


# The pictures.


def png(size, mode="RGB", colour=0) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def sized(data: bytes, width: int, height: int) -> bytes:
    """A PNG whose header says another size, with the right checksum."""
    head = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


def chunked(data: bytes, chunk: bytes, held: bytes) -> bytes:
    """A PNG with one chunk more after its header."""
    more = struct.pack(">I", len(held)) + chunk + held + struct.pack(">I", zlib.crc32(chunk + held))
    return data[:33] + more + data[33:]


def jpeg() -> bytes:
    file = io.BytesIO()
    picture().save(file, "JPEG")
    return file.getvalue()


SMALL = png((48, 48))
PICTURES = {
    "nothing": ("input.png", lambda: b"", "input.png is no PNG picture"),
    "text": ("edits/000.png", lambda: b"hello", "edits/000.png is no PNG picture"),
    "another format": ("edits/000.png", jpeg, "edits/000.png is no PNG picture"),
    "no header": ("edits/000.png", lambda: SMALL[:8] + SMALL[33:], "edits/000.png is no PNG picture"),
    "no width": ("edits/000.png", lambda: sized(SMALL, 0, 48), "edits/000.png is no PNG picture"),
    "cut": ("noise/001.png", lambda: SMALL[:60], "noise/001.png is damaged"),
    "no pixels": ("noise/001.png", lambda: SMALL[:33], "noise/001.png is damaged"),
    "a bomb": ("edits/003.png", lambda: sized(SMALL, 60_000, 60_000), "edits/003.png has more than 64 million pixels"),
    "a long bomb": ("edits/003.png", lambda: sized(SMALL, 2**31 - 1, 1), "edits/003.png has more than 64 million pixels"),
    "two headers": ("edits/003.png", lambda: chunked(SMALL, b"IHDR", sized(SMALL, 30_000, 30_000)[16:29]), "edits/003.png is"),
    "text bomb": (
        "edits/003.png",
        lambda: chunked(SMALL, b"zTXt", b"a\0\0" + zlib.compress(bytes(2 * 10**8))),
        "edits/003.png is damaged",
    ),
    "grey": ("edits/000.png", lambda: png((48, 48), "L"), "edits/000.png is not the kind of picture"),
    "see-through": ("edits/000.png", lambda: png((48, 48), "RGBA"), "edits/000.png is not the kind of picture"),
    "input of another size": ("input.png", lambda: png((56, 48)), "input.png has not the size that is written down"),
    "region of another size": ("region.png", lambda: png((40, 48), "L", 255), "region.png has not the size of input.png"),
    "region in colour": ("region.png", lambda: SMALL, "region.png is not the kind of picture"),
    "region with shades": ("region.png", lambda: png((48, 48), "L", 100), "region.png is not black and white"),
    "empty region": ("region.png", lambda: png((48, 48), "L", 0), "region.png is not black and white"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_was_not_written_so_is_refused(name):
    file, make, says = PICTURES[name]
    refuse(rewritten(regional() if file == "region.png" else whole(), {file: make()}), says)


def test_all_pictures_together_have_to_fit(monkeypatch):
    monkeypatch.setattr(bundle, "MAX_ALL_PIXELS", 19 * 48 * 48)  # there are 20
    refuse(whole(), "its pictures have more than")


# The numbers.


def json_of(data: bytes) -> dict:
    return json.loads(content(data, "explanation.json"))


def changed(data: bytes, change) -> bytes:
    """The zip after `change(values)`, which works on the values of explanation.json, or returns its text."""
    values = json_of(data)
    text = change(values)
    text = text if isinstance(text, (str, bytes)) else json.dumps(values)
    return rewritten(data, {"explanation.json": text})


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
    for name in ("texts", "keep", "blocks"):
        values[name].pop()


def turned(values):
    for name in ("texts", "keep"):
        values[name].reverse()


def another_word(values):
    values["instruction"] = values["instruction"].replace("night", "dusk")
    values["words"][-1] = "dusk"


def too_many_words(values):
    values["words"] = ["a"] * 65
    values["instruction"] = " ".join(values["words"])


NOISE = '"noise_distances": ['
RECORDS = {
    "no JSON": (lambda _: "{", "explanation.json is no JSON"),
    "no UTF-8": (lambda _: b"\xff\xfe{}", "explanation.json is no JSON"),
    "a list": (lambda _: "[]", "explanation.json holds no object"),
    "empty": (lambda _: "{}", "explanation.json lacks “blocks”"),
    "deep": (lambda _: "[" * 200_000, "explanation.json is"),
    "NaN": (text_of('"noise_floor": ', '"noise_floor": NaN, "noise_floor": '), "explanation.json is no JSON"),
    "infinity": (text_of('"noise_floor": ', '"noise_floor": -Infinity, "noise_floor": '), "explanation.json is no JSON"),
    "1e999": (text_of(NOISE, f"{NOISE}1e999, "), "a value in “noise_distances” is not one that is possible"),
    "a long integer": (text_of(NOISE, f"{NOISE}1{'0' * 400}, "), "a value in “noise_distances” is not one that is possible"),
    "a longer integer": (text_of(NOISE, f"{NOISE}1{'0' * 5000}, "), "explanation.json is no JSON"),
    "a field less": (drop("keep"), "explanation.json lacks “keep”"),
    "a field more": (put("author", value="me"), "a field that is not known, “author”"),
    "a strange field more": (put("a\nb", value="me"), "a field that is not known, of unprintable characters"),
    "finding no text": (put("finding", value=3), "“finding” is no sentence"),
    "instruction no text": (put("instruction", value=3), "“instruction” is no text"),
    "instruction too long": (put("instruction", value="a" * 10_001), "“instruction” is no text"),
    "half a character": (put("instruction", value="make \ud800"), "“instruction” is no text"),
    "instruction empty": (put("instruction", value=""), "“instruction” has not 1 to 64 words"),
    "too many words": (too_many_words, "“instruction” has not 1 to 64 words"),
    "other words": (put("words", 0, value="let"), "“words” are not those of the instruction"),
    "words and instruction changed": (another_word, "“texts” do not agree with “keep”"),
    "spaces": (put("instruction", value="make  it snow at night"), "one space apart"),
    "texts no list": (put("texts", value="a"), "“texts” is no list"),
    "no texts": (put("texts", value=[]), "“texts” is no list"),
    "another text": (put("texts", 3, value="rm -rf"), "“texts” do not agree with “keep”"),
    "keep of numbers": (put("keep", 3, 1, value=1), "a value in “keep” is not one that is possible"),
    "keep too short": (drop("keep", 3), "“keep” has not the right number of values"),
    "keep ragged": (drop("keep", 3, 1), "“keep” has not the right number of values"),
    "keep flat": (put("keep", value=[True] * 16), "“keep” is no list of the right depth"),
    "keep changed": (put("keep", 0, 0, value=False), "“texts” do not agree with “keep”"),
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
    "map p above one": (put("maps_p_values", 0, 0, 0, value=3), "a value in “maps_p_values” is not one that is possible"),
    "map ragged": (drop("maps", 0, 0, 0), "“maps” has not the right number of values"),
    "map empty": (put("maps", value=[[] for _ in range(5)]), "“maps” is empty"),
    "map flat": (put("maps", value=[[0.0] * 4] * 5), "“maps” is no list of the right depth"),
    "maps of two sizes": (put("maps_p_values", value=[[[1.0]]] * 5), "“maps_p_values” has not the right number of values"),
    "map without p": (put("maps_p_values", value=None), "one of “maps” and “maps_p_values” is missing"),
    "blocks negative": (put("blocks", 0, value=-1), "a value in “blocks” is not one that is possible"),
    "blocks huge": (put("blocks", 3, value=10**9), "a value in “blocks” is not one that is possible"),
    "blocks out of order": (put("blocks", 3, value=1), "“blocks” are not in order"),
    "more blocks than seeds": (put("blocks", 15, value=1), "“blocks” are not in order"),
    "no full text first": (turned, "a block does not begin with the full instruction"),
    "noise uneven": (put("noise_distances", 0, value=None), "“failed” is not the number"),
    "noise more": (lambda v: v["noise_distances"].append(0.1), "there are more noise seeds than it says"),
    "noise less": (drop("noise_distances", 0), "“done” is not the number of edits"),
    "failed": (put("failed", value=0), "“failed” is not the number"),
    "failed no count": (put("failed", value=1.0), "“failed” is no count"),
    "done": (put("done", value=19), "“done” is not the number of edits"),
    "done negative": (put("done", value=-1), "“done” is no count"),
    "total": (put("total", value=21), "“done” and “total” do not agree"),
    "provisional": (put("provisional", value=True), "“done” and “total” do not agree"),
    "provisional no truth": (put("provisional", value=0), "“provisional” is neither true nor false"),
    "the full edit failed": (put("distances", 0, value=None), "the distances do not agree on what failed"),
    "seconds negative": (put("seconds", "fit", value=-1), "“seconds” is no table"),
    "seconds of other things": (put("seconds", value={"a": 1.0}), "“seconds” is no table"),
    "fidelity no table": (put("fidelity", value=[]), "“fidelity” is no table"),
    "fidelity of texts": (put("fidelity", "L1", value="0"), "“fidelity” is no table"),
    "noise floor negative": (put("noise_floor", value=-1), "“noise_floor” is no distance"),
    "settings no object": (put("settings", value=[]), "“settings” is no object"),
    "a setting less": (drop("settings", "permutations"), "the setting “permutations” is missing"),
    "a setting too long": (put("settings", "editor", value="a" * 1001), "the setting “editor” is no plain value"),
    "a setting over two lines": (put("settings", "editor", value="a\nb"), "the setting “editor” is no plain value"),
    "a setting too deep": (put("settings", "more", value={"a": {"b": 1}}), "the setting “more” is no plain value"),
    "a setting of many": (put("settings", "more", value=[1] * 100), "the setting “more” is no plain value"),
    "too many settings": (lambda v: v["settings"].update({f"s{i}": i for i in range(99)}), "“settings” is no object"),
    "a setting without a text": (put("settings", "editor", value=3), "the setting “editor” is no text"),
    "an unknown distance": (put("settings", "distance", value="far"), "there is no distance “far”"),
    "an unknown surrogate": (put("settings", "surrogate", value="forest"), "there is no surrogate “forest”"),
    "an unknown similarity": (put("settings", "similarity", value="none"), "the setting “similarity” is not known"),
    "an unknown kernel": (put("settings", "kernel", value="box"), "the setting “kernel” is not known"),
    "an unknown preset": (put("settings", "preset", value="mine"), "the setting “preset” is not known"),
    "no permutations": (put("settings", "permutations", value=0), "permutations must be a whole number of at least 1"),
    "a seed that is none": (put("settings", "seed", value=-1), "the setting “seed” is no count"),
    "a seed that is true": (put("settings", "seed", value=True), "the setting “seed” is no count"),
    "edits that are none": (put("settings", "edits", value=2.5), "the setting “edits” is no count"),
    "fewer edits": (put("settings", "edits", value=15), "a block has not the right size"),
    "more edits": (put("settings", "edits", value=17), "“provisional” does not agree"),
    "more seeds": (put("settings", "seeds", value=2), "“provisional” does not agree"),
    "sigma automatic": (put("settings", "sigma", value="auto"), "the setting “sigma” is no width"),
    "sigma zero": (put("settings", "sigma", value=0), "sigma must be"),
    "sigma unknown": (put("settings", "sigma", value=None), "“sigma” and “locality” do not agree"),
    "size": (put("settings", "size", value=[48]), "the setting “size” is no size"),
    "another size": (put("settings", "size", value=[48, 56]), "input.png has not the size"),
    "region": (put("settings", "region", value=True), "region.png is missing"),
    "region no truth": (put("settings", "region", value="yes"), "the setting “region” is neither"),
    "a reason that is none": (put("untested", value=None), "“untested” is no text"),
    "an interaction that is none": (put("interaction", value=[]), "“interaction” is no table"),
    "half an interaction": (drop("interaction", "p_value"), "“interaction” is no table"),
    "an interaction without a reason": (put("interaction", "untested", value=1), "“interaction” gives no reason"),
    "an interaction of texts": (put("interaction", "weight", value="much"), "“interaction” holds no numbers"),
    "an interaction of one": (put("interaction", "pairs", value=[[1]]), "“interaction” has pairs that are none"),
    "an interaction of others": (put("interaction", "pairs", value=[[1, 5]]), "“interaction” has pairs that are none"),
    "an interaction without pairs": (put("interaction", "pairs", value="both"), "“interaction” has no list"),
    "an interaction without numbers": (put("interaction", "weight", value=None), "“interaction” has a pair without"),
    "editor settings": (put("settings", "editor_settings", value=[]), "the setting “editor_settings” is no object"),
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
    "a reason": put("untested", value="it was not wanted"),
    "another pair": put("interaction", "pairs", value=[[0, 1], [0, 2]]),
    "a pair's weight": by(1.01, "interaction", "weight"),
    "a pair's p-value": put("interaction", "p_value", value=0.4),
    "no pair": put("interaction", value={}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_numbers_that_do_not_follow_from_the_edits_are_refused(name):
    data = written(run(reference="input")) if name == "the similarity" else whole()
    refuse(changed(data, TAMPERED[name]), record.CHANGED)
    assert bundle.read(io.BytesIO(changed(data, TAMPERED[name])), refit=False).words  # nothing but the comparison refuses it


def test_a_partial_explanation_is_checked_as_well():
    assert read(partial()).provisional
    refuse(changed(partial(), by(1.01, "weights", 2)), record.CHANGED)
    refuse(changed(partial(), put("maps", value=[[[0.0]]] * 5)), "one of “maps”")
    refuse(changed(partial(), put("provisional", value=False)), "“done” and “total” do not agree")
    last = changed(partial(), put("total", value=json_of(partial())["done"]))
    refuse(last, "“done” and “total” do not agree")


def test_round_off_of_another_machine_is_no_change():
    assert read(changed(whole(), by(1 + 1e-9, "weights", 2))).words == TEXT.split()


def test_p_values_that_take_too_long_are_believed_where_they_agree_with_their_correction(monkeypatch):
    monkeypatch.setattr(record, "MAX_WORK", 1000)
    assert written(read(whole())) == whole()

    def consistent(values):
        values["p_values"][0] = 0.5
        values["p_values_holm"] = holm(values["p_values"]).tolist()

    assert read(changed(whole(), consistent)).p_values[0] == 0.5
    refuse(changed(whole(), put("p_values_holm", 0, value=0.01)), record.CHANGED)
    refuse(changed(whole(), by(1.01, "weights", 2)), record.CHANGED)


def test_many_permutations_are_not_drawn():
    asked = changed(whole(), put("settings", "permutations", value=2**32 - 1))
    assert read(asked).settings["permutations"] == 2**32 - 1
