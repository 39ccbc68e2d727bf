"""What the tests of bundles share: bundles of a NumPy editor's explanations, and how one is changed."""

import io
import json
import zipfile
from functools import cache

import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import Explanation, InputError, explain, explain_stream, load
from smile.io import schema

TEXT = "make it snow at night"
DAMAGED = "not an explanation that can be opened"


def run(text=TEXT, fail=(), image=None, **options):
    return explain(image or picture(), text, FakeEditor(fail), embedder=FakeEmbedder(), **options)


def written(explanation) -> bytes:
    return explanation.encode(".zip")


def read(data: bytes) -> Explanation:
    return load(io.BytesIO(data))


@cache
def whole() -> bytes:
    """16 edits that count by locality, of which the sixth failed, and 4 noise edits."""
    return written(run(fail=[run().texts[5]], locality="words"))


@cache
def regional() -> bytes:
    region = Image.new("L", picture().size)
    region.paste(255, (2, 3, 30, 40))
    return written(run(region=region))


@cache
def partial() -> bytes:
    stream = explain_stream(picture(), TEXT, FakeEditor(), embedder=FakeEmbedder(), seeds=2)
    return written([next(stream) for _ in range(3)][-1])


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


def json_of(data: bytes) -> dict:
    return json.loads(content(data, "explanation.json"))


def changed(data: bytes, change) -> bytes:
    """The zip after `change(values)`, which works on the values of explanation.json, or returns its text."""
    values = json_of(data)
    text = change(values)
    text = text if isinstance(text, (str, bytes)) else json.dumps(values)
    return rewritten(data, {"explanation.json": text})


def refuse(data: bytes, says: str):
    with pytest.raises(InputError) as caught:
        read(data)
    said = str(caught.value)
    assert says in said and "\n" not in said and said.endswith(".") and said.count(". ") == 0
    assert DAMAGED in said or said == schema.CHANGED
