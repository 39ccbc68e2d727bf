"""Editors and embedders as people write them, and words as people write them: each kind with several members."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tiny import FakeEditor, FakeEmbedder, picture

from smile import InputError, explain
from smile.models.protocols import edit_batches, edit_checked, embed_checked
from smile.report import fonts
from smile.report.plots import draw_heatmap
from smile.report.words import describe_unspaced, isolate_words

# What an editor returns


class Clears(FakeEditor):
    """Clears the upper half for "background", by alpha, as background removers do; `convert` makes another mode of it."""

    def __init__(self, convert=lambda image: image):
        super().__init__()
        self.convert = convert

    def one(self, image, text, seed):
        made = image.convert("RGBA")
        if "background" in text.split():
            made.paste((0, 0, 0, 0), (0, 0, made.width, made.height // 2))
        return self.convert(made)


def to_palette(image):
    return image.quantize(64)


@pytest.mark.parametrize("convert", [lambda i: i, lambda i: i.convert("LA"), to_palette], ids=["RGBA", "LA", "palette"])
def test_what_is_transparent_in_an_outcome_lies_on_white(convert):
    found = explain(picture(), "remove background please", Clears(convert), embedder=FakeEmbedder())
    assert found.weights[1] == pytest.approx(1, abs=0.05) and found.significant.tolist() == [False, True, False]
    assert np.asarray(found.edits[0])[:20].min() == 255 and all(edit.mode == "RGB" for edit in found.edits)


class Buffer(FakeEditor):
    """Draws every edit into one picture."""

    def edit(self, image, texts, *, seed, region=None):
        held = np.asarray(image).copy()
        made = []
        for text in texts:
            held[:] = np.asarray(self.one(image, text, seed))
            made.append(self.hand_over(held))
        return made

    def hand_over(self, held):
        raise NotImplementedError


class OneObject(Buffer):
    kept = Image.new("RGB", (48, 48))

    def hand_over(self, held):
        self.kept.paste(Image.fromarray(held))
        return self.kept


class OneArray(Buffer):
    """Pillow shows an array of four channels where it lies."""

    def edit(self, image, texts, *, seed, region=None):
        return super().edit(image.convert("RGBX"), texts, seed=seed)

    def one(self, image, text, seed):
        made = np.full((48, 48, 4), 255, np.uint8)
        made[..., :3] = np.asarray(super().one(image.convert("RGB"), text, seed))
        return made

    def hand_over(self, held):
        return Image.frombuffer("RGBA", (48, 48), held, "raw", "RGBA", 0, 1)


class OneInput(FakeEditor):
    """Draws into the picture that it was given, and returns it."""

    def edit(self, image, texts, *, seed, region=None):
        for text in texts:
            image.paste(self.one(picture(), text, seed))
        return [image] * len(texts)


@pytest.mark.parametrize("editor", [OneObject, OneArray, OneInput])
def test_one_buffer_for_all_texts_is_noticed(editor):
    with pytest.raises(InputError, match="into one picture, so that only the last is left"):
        explain(picture(), "make snow at night", editor(), embedder=FakeEmbedder())


class Returns(FakeEditor):
    def edit(self, image, texts, *, seed, region=None):
        return [image] * len(texts)


def test_an_editor_that_changes_nothing_may_return_one_object():
    assert "made no difference" in explain(picture(), "make snow", Returns(), embedder=FakeEmbedder()).finding


class Draws(FakeEditor):
    """Draws into what it is given after it has made its edits: picture, region and texts."""

    def edit(self, image, texts, *, seed, region=None):
        made = super().edit(image, texts, seed=seed, region=region)
        ImageDraw.Draw(image).rectangle((0, 0, 47, 47), "red")
        if region is not None:
            region.paste(0, (0, 0, 48, 48))
        texts[:] = ["gone"] * len(texts)
        return made


class DrawsLater(FakeEditor):
    """Draws into the edits of the call before."""

    last = ()

    def edit(self, image, texts, *, seed, region=None):
        for old in self.last:
            old.paste("red", (0, 0, 48, 48))
        self.last = super().edit(image, texts, seed=seed, region=region)
        return list(self.last)


class DrawsInBatches(Draws):
    def edit_batches(self, image, batches, *, region=None):
        for seed, texts in batches:
            yield self.edit(image if seed else image.copy(), texts, seed=seed, region=None if region is None else region.copy())


class EmbedsAndDraws(FakeEmbedder):
    def embed(self, images):
        made = super().embed(images)
        for image in images:
            image.paste("red", (0, 0, 48, 48))
        return made


@pytest.mark.parametrize("editor", [Draws, DrawsLater, DrawsInBatches])
@pytest.mark.parametrize("region", [None, Image.new("L", (48, 48), 255)], ids=["whole", "region"])
def test_nothing_that_an_editor_or_embedder_draws_changes_what_comes_later(editor, region):
    asked = {"region": region, "noise_seeds": 1}
    expected = explain(picture(), "make snow at night", FakeEditor(), embedder=FakeEmbedder(), **asked)
    found = explain(picture(), "make snow at night", editor(), embedder=EmbedsAndDraws(), **asked)
    assert found.image == expected.image and found.edits == expected.edits and found.texts == expected.texts
    assert np.array_equal(found.weights, expected.weights)


def test_an_editors_own_batches_are_checked_as_well():
    class Short(FakeEditor):
        def edit_batches(self, image, batches, *, region=None):
            yield from ([self.one(image, text, 0) for text in texts] for _, texts in batches[:1])

    class Paths(FakeEditor):
        def edit_batches(self, image, batches, *, region=None):
            return [["/etc/passwd"] * len(texts) for _, texts in batches]

    for editor, says in ((Short(), "not a NoneType"), (Paths(), "must return PIL images")):
        with pytest.raises(InputError, match=says):
            list(edit_batches(editor, picture(), [(0, ["a"]), (0, ["b"])], None))
    assert edit_checked(FakeEditor(), picture(), ["a"], 0, None)[0].mode == "RGB"


# What an embedder returns


class Converts(FakeEmbedder):
    name = "own"

    def __init__(self, convert):
        self.convert, self.calls = convert, 0

    def embed(self, images):
        self.calls += 1
        vectors, patches = super().embed(images)
        return self.convert(vectors), self.convert(patches)


def to_tensor(kind, gradients=False):
    def convert(values):
        import torch

        return torch.tensor(values, requires_grad=gradients).to(getattr(torch, kind))

    return convert


KINDS = {
    "bytes": lambda v: (v * 255).round().astype(np.uint8),
    "whole numbers": lambda v: (v * 255).round().astype(np.int16),
    "half precision": lambda v: v.astype(np.float16),
    "lists": lambda v: v.tolist(),
    "single precision": lambda v: v.astype(np.float32),
    "tensors": to_tensor("float32"),
    "tensors with gradients": to_tensor("float64", gradients=True),
    "bfloat16": to_tensor("bfloat16"),
}


@pytest.mark.parametrize("name", KINDS)
def test_features_are_float64_whatever_they_were(name):
    images = [picture(), picture().rotate(90)]
    exact = FakeEmbedder().embed(images)
    scale = 255 if name in ("bytes", "whole numbers") else 1
    for found, expected in zip(embed_checked(Converts(KINDS[name]), images), exact, strict=True):
        assert found.dtype == np.float64 and np.abs(found / scale - expected).max() < 0.01
    expected = explain(picture(), "make snow at night", FakeEditor(), embedder=FakeEmbedder())
    found = explain(picture(), "make snow at night", FakeEditor(), embedder=Converts(KINDS[name]))
    assert np.abs(found.weights - expected.weights).max() < 0.05


REFUSED = {
    "complex": (lambda v: v + 1j, "real numbers, not complex128"),
    "complex tensors": (to_tensor("complex64"), "real numbers, not complex64"),
    "1e200": (lambda v: v * 1e200, "at most 1e+100"),
    "infinite": (lambda v: v + np.inf, "finite numbers"),
    "not a number": (lambda v: v * np.nan, "finite numbers"),
    "texts": (lambda v: v.astype(str), "real numbers"),
    "objects": (lambda v: v.astype(object), "real numbers"),
    "of unequal lengths": (lambda v: [[0.0], [0.0, 1.0]], "an array of numbers, not a list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_are_no_features_is_refused_before_the_first_edit_and_names_the_embedder(name):
    convert, says = REFUSED[name]
    editor = FakeEditor()
    with pytest.raises(InputError) as caught:
        explain(picture(), "make snow", editor, embedder=Converts(convert))
    assert says in str(caught.value) and str(caught.value).startswith("The embedder own's vectors") and not editor.calls


# Words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("让图片下雪并变成夜晚", "“让图片下雪并变成夜晚” is taken as one unit"),
        ("雪を降らせて夜にする please", "“雪を降らせて夜にする” is taken as one unit"),
        ("ทำให้หิมะตกตอนกลางคืน", "is taken as one unit"),
        ("让图片下雪 并变成夜晚", "“让图片下雪” and “并变成夜晚” are taken as one unit each"),
    ],
)
def test_a_language_without_spaces_is_said(text, said):
    found = explain(picture(), text, FakeEditor(), embedder=FakeEmbedder(), noise_seeds=0)
    assert said in found.finding and "put spaces between" in found.finding


@pytest.mark.parametrize(
    "text", ["让 图片 下雪", "make it snow", "눈이 내리게 해주세요", "Donaudampfschifffahrtsgesellschaft", "ٱلثَّلْج"]
)
def test_words_with_spaces_are_words(text):
    assert describe_unspaced(text.split()) == ""


@pytest.mark.parametrize("word", ["ثلج", "שלג", "برف", "snow-ثلج"])
def test_a_word_from_right_to_left_is_isolated(word):
    said = isolate_words(f"“{word}” (+0.62) and “night” (+0.21) pulled", [word, "night"])
    assert said == f"“\u2068{word}\u2069” (+0.62) and “night” (+0.21) pulled"
    whole = explain(picture(), f"make {word} snow", FakeEditor(), embedder=FakeEmbedder()).finding
    assert f"“{word}”" not in whole


SCRIPTS = {
    "Latin with accents": "füge Schnee auf der Straße hinzu œuvre łódź ığdır",
    "Cyrillic": "добавь снег ночью їжак",
    "Greek": "χιόνι τη νύχτα",
    "Hebrew": "הוסף שלג בלילה",
    "Arabic": "أضف الثلج ليلا",
    "Devanagari": "रात में बर्फ",
    "Chinese": "加上 雪",
    "Korean": "눈이 내리게",
    "emoji": "snow ❄ 🌨 🙂",
}
BUNDLED = ("Latin with accents", "Cyrillic", "Greek", "Hebrew")


def drawn_alike(one: str, other: str) -> bool:
    """Whether Pillow draws two letters alike, in the fonts that are chosen for them."""
    return fonts._draw_letter(fonts.choose_font(one, 20), one) == fonts._draw_letter(fonts.choose_font(other, 20), other)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("folders", [(), fonts.FOLDERS.get("linux", ())], ids=["bundled", "system"])
def test_a_heatmap_is_legible_or_says_what_it_cannot_draw(script, folders, monkeypatch):
    monkeypatch.setattr(fonts, "FOLDERS", {"linux": folders, "darwin": folders, "win32": folders})
    fonts._list_fonts.cache_clear()
    fonts._find_font.cache_clear()
    drawn = []
    write = ImageDraw.ImageDraw.text

    def note(draw, at, text, **how):
        drawn.append((text, how["font"]))
        write(draw, at, text, **how)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
    found = explain(picture(), SCRIPTS[script], FakeEditor(), embedder=FakeEmbedder(), noise_seeds=0)
    draw_heatmap(found)
    texts = {text.removesuffix(" *") for text, _ in drawn}
    missing = [word for word in found.words if word not in texts]
    assert not missing or script not in BUNDLED
    assert any("no font here has the letters" in text for text in texts) == bool(missing)
    assert all(f"word {found.words.index(word) + 1}" in texts for word in missing)
    for text, font in drawn:  # no crossed box
        none = fonts._draw_letter(font, fonts.NO_CHARACTER)
        assert all(fonts._draw_letter(font, letter) != none for letter in text if letter.isalnum())
    fonts._list_fonts.cache_clear()
    fonts._find_font.cache_clear()


def test_letters_of_the_bundled_font_differ():
    assert not any(drawn_alike(one, other) for one, other in ("üu", "ßs", "жх", "λα", "שט"))
