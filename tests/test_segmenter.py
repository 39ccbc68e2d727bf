"""CLIPSeg through its real loader, on random weights in the published layout; what it finds, against transformers itself."""

import json

import numpy as np
import pytest
import torch
from layouts import TINY, in_cache, use_cache, write_clipseg, write_dinov2
from PIL import Image
from tiny import picture

from smile import InputError, load_segmenter
from smile.models import segmenter as segmenters
from smile.models.segmenter import FULL, THRESHOLD, Segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_clipseg(tmp_path_factory.mktemp("clipseg"), TINY, size=32)


@pytest.fixture(scope="module")
def segmenter(folder):
    return load_segmenter(str(folder))


def directly(folder, image, phrase):
    """(h, w) as published: processor and model of transformers, sigmoid, and Pillow's bilinear stretching of the logits."""
    from transformers import CLIPSegForImageSegmentation, CLIPTokenizer

    model = CLIPSegForImageSegmentation.from_pretrained(folder).eval()
    held = json.loads((folder / "preprocessor_config.json").read_text())
    small = np.asarray(image.resize((held["size"],) * 2, Image.Resampling.BILINEAR), np.float32) / 255
    pixels = (small - np.float32(held["image_mean"])) / np.float32(held["image_std"])
    tokens = CLIPTokenizer.from_pretrained(folder)([phrase], padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**tokens, pixel_values=torch.tensor(pixels).permute(2, 0, 1)[None]).logits.reshape(1, 1, 32, 32)
    large = torch.nn.functional.interpolate(logits, size=image.size[::-1], mode="bilinear")
    return torch.sigmoid(large)[0, 0].numpy()


@pytest.mark.parametrize("size", [(32, 32), (90, 50), (33, 71)])
def test_it_says_what_transformers_says(segmenter, folder, size):
    likely = segmenter.compute_likelihood(picture(size), "the red car")
    assert likely.shape == size[::-1] and np.abs(likely - directly(folder, picture(size), "the red car")).max() < 1e-4
    assert np.ptp(likely) > 1e-4
    assert np.abs(likely - segmenter.compute_likelihood(picture(size), "a tree")).max() > 1e-6


def test_a_region_is_where_the_likelihood_exceeds_the_threshold(segmenter, monkeypatch):
    likely = segmenter.compute_likelihood(picture((90, 50)), "a tree")
    monkeypatch.setattr(segmenters, "THRESHOLD", float(np.median(likely)))
    region = segmenter.find(picture((90, 50)), " a tree ")
    assert region.mode == "L" and region.size == (90, 50)
    assert np.array_equal(np.asarray(region) == 255, likely > np.median(likely)) and set(np.unique(region)) == {0, 255}
    assert THRESHOLD == 0.4


def test_photographs_are_upright(segmenter, tmp_path):
    upright = picture((90, 50))
    turned = upright.rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(
        segmenter.compute_likelihood(tmp_path / "turned.png", "a"), segmenter.compute_likelihood(upright, "a")
    )


def test_nothing_found_and_bad_phrases_are_one_sentence(segmenter, monkeypatch):
    def refused(phrase, match):
        with pytest.raises(InputError, match=match) as caught:
            segmenter.find(picture(), phrase)
        assert "paint" in str(caught.value) and "\n" not in str(caught.value)

    refused("", "phrase is empty")
    refused("  \n", "phrase is empty")
    refused(None, "phrase is empty")
    refused("word " * 80, "too long")
    monkeypatch.setattr(segmenters, "THRESHOLD", 1.0)
    refused("a zebra", "Nothing was found in the picture for “a zebra”")
    with pytest.raises(InputError, match="no picture"):
        segmenter.find(None, "a tree")


def test_as_many_tokens_as_clip_reads_and_no_more(segmenter):
    letters = "ab" * 37 + "c"  # 75 byte tokens, and two special ones
    assert segmenter.compute_likelihood(picture(), letters).shape == (48, 48)
    with pytest.raises(InputError, match="too long"):
        segmenter.compute_likelihood(picture(), letters + "d")


def test_the_published_repository_offline(tmp_path, monkeypatch, capfd):
    use_cache(tmp_path, monkeypatch)
    write_clipseg(in_cache(tmp_path, FULL), TINY)  # with its 352 pixels
    segmenter = load_segmenter("full")
    assert isinstance(segmenter, Segmenter) and segmenter.weights == "full" and segmenter.device in ("cpu", "cuda")
    assert segmenter.processor.size["height"] == 352
    assert segmenter.compute_likelihood(picture((60, 40)), "a tree").shape == (40, 60)
    assert "".join(capfd.readouterr()) == ""


def test_missing_and_wrong_weights(folder, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no CLIPSeg model"):
        load_segmenter(str(write_dinov2(tmp_path / "dino", TINY)))
    with pytest.raises(InputError, match="no weights at"):
        load_segmenter("nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="does not hold complete CLIPSeg weights"):
        load_segmenter(str(tmp_path / "empty"))
    use_cache(tmp_path, monkeypatch)
    with pytest.raises(InputError, match=f"{FULL} are not on this machine.*, or paint the region"):
        load_segmenter("full")
    with pytest.raises(InputError, match="No CLIPSeg weights are bundled"):
        load_segmenter("bundled")
