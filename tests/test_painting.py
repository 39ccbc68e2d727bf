"""Painting the region in Chromium: with the mouse, from an example, from a file, by a phrase."""

import pytest
from browsing import HEATMAP, explained, heatmap, paint, painted, unfold
from PIL import Image
from tiny import FakeSegmenter, picture

from smile.ui import engine as page_engine
from smile.ui.examples import list_examples

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("width", [390, 1440])
def test_the_region_is_painted_found_loaded_erased_and_cleared(visit, fake_page, tmp_path, width, monkeypatch):
    monkeypatch.setattr(page_engine, "_load_segmenter", lambda *_: FakeSegmenter())
    page = visit(fake_page, width, wait=HEATMAP)
    assert page.locator("#painter").count() == 0
    unfold(page)
    index, example = next((i, each) for i, each in enumerate(list_examples()) if each.region)
    page.click(f"#examples button >> nth={index}")
    page.wait_for_selector("#painter canvas")
    region = Image.open(example.region_file)
    given = sum(pixel > 127 for pixel in region.get_flattened_data()) / (region.width * region.height)
    painted(page, given)
    explained(page, "snow")
    page.click("#painter .clear")
    painted(page, 0)
    explained(page, "snow", expect="inpaint needs a region")
    paint(page, (0.0, 0.2), (1.0, 0.2))
    painted(page, 0.12)  # the brush's width at the start
    explained(page, "snow")
    assert [word for word, _, _ in heatmap(page)] == ["snow"]
    page.click("#painter .erase")
    paint(page, (0.5, 0.2), (1.0, 0.2))
    painted(page, 0.054)
    page.fill("#phrase input, #phrase textarea", "the sky")
    page.click("#find")
    painted(page, 0.5)
    page.fill("#phrase input, #phrase textarea", "the bicycle")
    page.click("#find")
    page.wait_for_function("document.querySelector('#progress').innerText.includes('the bicycle')")
    painted(page, 0.5)
    page.set_input_files("#region input[type=file]", example.region_file)
    painted(page, given)
    picture((60, 40)).save(tmp_path / "other.png")
    page.set_input_files("#picture-sources input[type=file]", tmp_path / "other.png")
    page.wait_for_function("document.querySelector('#painter canvas').height === 341")
    painted(page, 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
