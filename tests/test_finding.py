"""The finding where single words do not say what happened."""

import pytest
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain
from smile.method.design import default_edits, telling_edits


class Together(FakeEditor):
    """Red where all, or any, of some words are there, and grey otherwise."""

    def __init__(self, words, how=all):
        super().__init__()
        self.words, self.how = words, how

    def one(self, image, text, seed):
        there = self.how(word in text.split() for word in self.words)
        return Image.new("RGB", image.size, "red" if there else "grey")


def run(text, editor, **options):
    return explain(picture(), text, editor, embedder=FakeEmbedder(), **options)


@pytest.mark.parametrize("how", [all, any])
def test_words_that_act_only_three_together(how):
    """They stay without a star at the default number of edits; the finding denies nothing and says what would tell."""
    text, editor = "please put one red car here", Together(["put", "red", "car"], how)
    found = run(text, editor)
    assert not found.significant.any()
    assert "no word alone made a difference" in found.finding
    assert "Single words and pairs do not explain how the edits differ" in found.finding
    assert f"; {telling_edits(6)} edits would tell." in found.finding and "may tell" not in found.finding
    told = run(text, editor, edits=telling_edits(6))
    assert [told.words[j] for j in range(6) if told.significant[j]] == ["put", "red", "car"]
    assert "would tell" not in told.finding


@pytest.mark.parametrize("how", [all, any])
def test_three_words_are_named_where_all_combinations_were_edited(how):
    found = run("put one red car", Together(["put", "red", "car"], how))
    assert "“put”, “red” and “car” do so in all combinations of the words." in found.finding


def test_how_many_edits_would_tell():
    assert [telling_edits(k) for k in (3, 4, 5, 6, 8, 9, 12)] == [8, 16, 32, 48, 48, 96, 96]
    assert telling_edits(64) == 4 * default_edits(64)
