"""An explanation as one file: what is written is what is read, and what was not written so is refused in one sentence."""

import dataclasses
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from bundles import TEXT, content, read, refuse, regional, rewritten, run, whole, written
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import Explanation, InputError, explain, explain_stream, load
from smile.io import bundle

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
        ('<b>"snow"</b> 日本 \\ \u200d🙂 مرحبا', []),
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
    explanation.write(tmp_path / "one.zip")
    explanation.save(tmp_path / "folder")
    for source in (tmp_path / "one.zip", str(tmp_path / "one.zip"), tmp_path / "folder", str(tmp_path / "folder")):
        assert written(load(source)) == regional()
    with pytest.raises(InputError, match="There is no explanation at .*absent.zip"):
        load(tmp_path / "absent.zip")
    with pytest.raises(InputError, match="cannot be written to"):
        explanation.write(tmp_path / "absent" / "one.zip")
    with pytest.raises(InputError, match=r"no “.exe” file; let the name end in .html, .zip, .png, .json"):
        explanation.write(tmp_path / "one.exe")


def test_a_folder_is_checked_as_well(tmp_path):
    folder = read(whole()).save(tmp_path)
    (folder / "edits" / "002.png").write_bytes(b"hello")
    with pytest.raises(InputError, match="edits/002.png is no PNG"):
        load(folder)
    (folder / "edits" / "002.png").unlink()
    with pytest.raises(InputError, match="edits/002.png cannot be read"):
        load(folder)
    text = (folder / "explanation.json").read_text()
    (folder / "explanation.json").write_text(text.replace('"failed": 1', '"failed": 2'))
    with pytest.raises(InputError, match="“failed” is not the number"):
        load(folder)


# What was not written so is refused. First the zip.


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
        for number in range(13000):
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
    "bzip2": (lambda: rewritten(whole(), {}, zipfile.ZIP_BZIP2), "compressed in an unusual way"),
    "lzma": (lambda: rewritten(whole(), {}, zipfile.ZIP_LZMA), "compressed in an unusual way"),
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


def test_all_pictures_together_have_to_fit():
    with pytest.raises(InputError, match="its pictures have more than"):
        load(io.BytesIO(whole()), limits=bundle.Limits(pixels=19 * 48 * 48))  # there are 20
    with pytest.raises(InputError, match="it has more than 15 edits"):
        load(io.BytesIO(whole()), limits=bundle.Limits(edits=15))
