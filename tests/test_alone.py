"""The file of its own, `smile.report.html`, in Chromium and opened from the disk: the page's instrument without a server.

What is drawn is compared with the explanation it was made from.
"""

import csv
import io

import numpy as np
import pytest
from browsing import cell, choose_word, heatmap, hover_text, tab_to
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain, explain_stream
from smile.report.html import render_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

INSTRUCTION = "make it snow at night please"
SNOW = INSTRUCTION.split().index("snow")
NASTY = '<script>document.title="run"</script> <img/src=x/onerror=document.title="run"> "quoted" $x$ %{y} </script> <b>snow</b>'
TILES = ".gallery .edit"
EDITS = """all => all.map(edit => ({
    text: edit.querySelector(".text").textContent,
    missing: [...edit.querySelectorAll("del")].map(word => word.textContent),
    said: edit.getAttribute("aria-label").split(", ").at(-1),
    src: edit.querySelector("img")?.src,
    column: edit.style.gridColumn,
}))"""
MAPS = """all => all.map(canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((_, index) => index % 4 === 3).reduce((painted, alpha) => painted + (alpha > 0), 0);
})"""


def explained(instruction=INSTRUCTION, fail=(), embedder=None, **options):
    options = {"locality": "none", "edits": 16} | options
    return explain(picture((96, 96)), instruction, FakeEditor(fail), embedder=embedder or FakeEmbedder(), **options)


@pytest.fixture(scope="module")
def explanation():
    return explained()


@pytest.fixture
def opened(visit, tmp_path):
    """Opens an explanation's file."""

    def opened(explanation, **how):
        file = tmp_path / "explanation.html"
        file.write_text(render_page(explanation), encoding="utf-8")
        page = visit(file.as_uri(), wait=".cells button", **how)
        page.wait_for_selector(".plot .textpoint text")
        return page

    return opened


def edits(page):
    return page.eval_on_selector_all(TILES, EDITS)


def pressed(page, buttons=".cells button"):
    """The places of the buttons that are pressed."""
    states = page.eval_on_selector_all(buttons, "all => all.map(button => button.getAttribute('aria-pressed'))")
    assert set(states) <= {"true", "false"}
    return [place for place, state in enumerate(states) if state == "true"]


def on_stage(page):
    """(the view, the edit that the stage shows)."""
    return page.get_attribute(".pict", "data-view"), page.get_attribute(".pict .under", "src")


def boxes(page):
    """Where the cards are."""
    return page.eval_on_selector_all(".card", "all => all.map(e => JSON.stringify(e.getBoundingClientRect()))")


def kept(page):
    """Which words the caption of the stage has switched on."""
    return pressed(page, ".what-if .switch")


def test_it_shows_the_finding_and_the_words(opened, explanation):
    page = opened(explanation)
    assert page.inner_text("h1") == f"“{INSTRUCTION}”"
    assert page.inner_text(".finding h2") == "“night” and “snow” changed the picture; the other four words could go."
    assert page.inner_text(".whole").startswith(explanation.finding)
    shown = heatmap(page)
    assert [word for word, _, _ in shown] == explanation.words
    assert [marked for *_, marked in shown] == explanation.significant.tolist()
    assert [float(weight) for _, weight, _ in shown] == explanation.weights.round(2).tolist()
    said = hover_text(page, SNOW)
    assert f"snow {shown[SNOW][1]}" in said and "95 % interval" in said and "for all words" in said


def test_the_heatmap_is_plotlys_own(opened, explanation):
    page = opened(explanation)
    page.evaluate(
        """() => { window.heard = []; const plot = document.querySelector(".plot");
        for (const name of ["plotly_hover", "plotly_click"])
            plot.on(name, event => window.heard.push([name, event.points[0].customdata])); }"""
    )
    page.mouse.move(*cell(page, SNOW), steps=3)
    page.wait_for_function("window.heard.length > 0")
    choose_word(page, SNOW)
    page.wait_for_function("window.heard.some(([name]) => name === 'plotly_click')")
    assert {tuple(each) for each in page.evaluate("window.heard")} == {("plotly_hover", SNOW), ("plotly_click", SNOW)}


@pytest.mark.parametrize("how", ["mouse", "Enter", "Space"])
def test_a_word_that_is_chosen_splits_the_edits_in_place(opened, explanation, how):
    page = opened(explanation)

    def choose():
        if how == "mouse":
            choose_word(page, SNOW)
        else:
            page.keyboard.press(how)

    if how != "mouse":
        tab_to(page, f".cells button:nth-child({SNOW + 1})")
    before = edits(page)
    assert pressed(page) == [] and len(before) == 16
    choose()
    assert pressed(page) == pressed(page, ".maps button") == [SNOW]
    there = explanation.mask[:, SNOW]
    heads = page.locator(".gallery h3").all_inner_texts()
    assert heads == [f"with “snow” · {there.sum()}", f"without · {(~there).sum()}, next to its nearest"]
    after = edits(page)
    assert {edit["text"] + edit["said"] for edit in after} == {edit["text"] + edit["said"] for edit in before}
    for edit in after:  # the two left columns have the word
        assert ("snow" in edit["missing"]) == (edit["column"].split(" ")[0] in ("3", "4"))
    view, src = on_stage(page)
    assert view == "without" and src in [edit["src"] for edit in after if "snow" in edit["missing"]]
    assert SNOW not in kept(page) and page.inner_text(".tag.left") == "without “snow”"
    choose()
    assert pressed(page) == pressed(page, ".maps button") == []
    assert [edit["text"] for edit in edits(page)] == [edit["text"] for edit in before]
    if how != "mouse":
        assert page.evaluate("document.activeElement.matches('.cells button')")


def test_each_words_map_is_shown_and_chooses_the_word(opened, explanation):
    page = opened(explanation)
    assert page.locator(".maps b").all_inner_texts() == explanation.words
    assert page.eval_on_selector_all(".maps canvas", MAPS) == explanation.places.sum(axis=(1, 2)).tolist()
    assert page.is_disabled(".views [data-view=where]") and page.is_disabled(".views [data-view=without]")
    page.click(f".maps button >> nth={SNOW}")
    page.click(".views [data-view=where]")
    assert pressed(page) == [SNOW] and page.inner_text(".tag.left") == "where “snow” acts"
    assert page.inner_text(".foot").startswith("It changes the picture in the upper part (128 of 256 places)")
    assert page.eval_on_selector_all(".pict canvas", MAPS) == [explanation.places[SNOW].sum()] == [128]  # the upper half
    page.click(".maps button >> nth=0")
    assert pressed(page) == [0] and page.inner_text(".foot") == "It changes no place evidently."
    assert page.eval_on_selector_all(".pict canvas", MAPS) == [0]


def test_hovering_or_focusing_a_word_previews_the_picture_without_it(opened, explanation):
    page = opened(explanation)
    before, places = on_stage(page), boxes(page)
    for go, leave in (
        (lambda: page.mouse.move(*cell(page, SNOW), steps=3), lambda: page.mouse.move(1, 1)),
        (lambda: page.focus(f".cells button >> nth={SNOW}"), lambda: page.evaluate("document.activeElement.blur()")),
    ):
        go()
        page.wait_for_function("document.querySelector('.tag.left').textContent === 'without “snow”'")
        assert SNOW not in kept(page) and pressed(page) == [] and on_stage(page)[1] != before[1]
        assert boxes(page) == places
        leave()
        page.wait_for_function("document.querySelector('.tag.left').textContent === 'input'")
        assert on_stage(page) == before


def test_words_that_were_left_out_are_struck_out_and_distances_said(opened, explanation):
    page = opened(explanation)
    run = edits(page)
    for edit, mask in zip(run, explanation.mask, strict=True):
        assert edit["text"] == INSTRUCTION
        assert edit["missing"] == [word for word, kept in zip(explanation.words, mask, strict=True) if not kept]
    assert page.eval_on_selector("del", "word => getComputedStyle(word).textDecorationLine") == "line-through"
    assert [edit["said"] for edit in run] == [f"distance {distance:.2f}" for distance in explanation.distances]
    shares = page.eval_on_selector_all(
        f"{TILES} .bar", "all => all.map(bar => parseFloat(bar.style.getPropertyValue('--share')))"
    )
    most = max(explanation.distances.max(), explanation.noise_distances.max())
    assert shares == pytest.approx((100 * explanation.distances / most).tolist(), abs=0.01)


def test_an_edit_that_is_chosen_is_shown_large_with_its_words(opened, explanation):
    page = opened(explanation)
    run = [edit["src"] for edit in edits(page)]
    assert on_stage(page) == ("both", run[0]) and page.get_attribute(".pict .over", "src") not in run
    farthest = int(np.argmax(explanation.distances))
    page.click(f"{TILES} >> nth={farthest}")
    assert on_stage(page) == ("both", run[farthest]) and pressed(page, TILES) == [farthest]
    assert kept(page) == np.flatnonzero(explanation.mask[farthest]).tolist()
    assert page.text_content(".how-far") == f"{explanation.distances[farthest]:.2f}"
    page.focus(".pict input")
    clips = []
    for key in ("Home", "End", "ArrowLeft"):
        page.keyboard.press(key)
        clips.append(page.eval_on_selector(".pict .over", "image => image.style.clipPath"))
    assert clips == ["inset(0px 100% 0px 0px)", "inset(0px 0% 0px 0px)", "inset(0px 1% 0px 0px)"]
    page.click(".what-if .reset")
    assert on_stage(page) == ("both", run[0]) and kept(page) == list(range(6)) and pressed(page, TILES) == [0]


def test_words_are_switched_off_and_on(opened, explanation):
    """Without a server the nearest edit stands in, and the page says so."""
    page = opened(explained("make it snow"))
    page.click(".what-if .switch >> nth=2")
    assert kept(page) == [0, 1] and "One of the 8 edits" in page.inner_text(".foot")
    page.click(".what-if .switch >> nth=0")
    assert kept(page) == [1] and len(pressed(page, TILES)) == 1
    page = opened(explanation)
    masks = {tuple(row) for row in explanation.mask.tolist()}
    off = next(j for j in range(6) if tuple(k != j for k in range(6)) not in masks)
    page.click(f".what-if .switch >> nth={off}")
    assert page.inner_text(".foot") == "The nearest edit there is to these words."


def test_the_rail_shows_every_edit_and_how_far_another_seed_goes(opened, explanation):
    page = opened(explanation)
    assert page.locator(".rail .ring").count() == 16 and page.locator(".rail rect.hatch").count() == 1
    said = page.get_attribute(".rail", "aria-label")
    most = max(explanation.distances.max(), explanation.noise_distances.max())
    assert (
        f"the farthest edit is {most:.2f}" in said
        and f"another seed goes up to {explanation.noise_distances.max():.2f}" in said
    )


def test_a_failed_edit_is_shown_as_such(opened, explanation):
    failed = explanation.texts[3]
    page = opened(explained(fail=[failed]))
    tile = page.locator(f"{TILES} >> nth=3")
    assert "blocked or failed" in tile.inner_text() and tile.is_disabled() and tile.locator("img").count() == 0
    assert page.locator(f"{TILES}:disabled").count() == explanation.texts.count(failed) == 1


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "forbidden"])
def test_what_is_to_be_taken_away_can_be_copied(opened, explanation, allowed):
    page = opened(explanation)
    if allowed:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        taken = "navigator.clipboard.readText()"
    else:  # as in somebody's iframe: the text is selected instead
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('forbidden')); }")
        taken = "getSelection().toString()"
    page.click(".share summary")
    pieces = {".copy-table": ["night", f"{explanation.weights[4]:+.2f}"], ".python button": ["explain(", INSTRUCTION]}
    for button, texts in (pieces | {".bibtex button": ["@article{", "SMILE"]}).items():
        page.click(button)
        page.wait_for_function(
            f"async texts => {{ const taken = await {taken}; return texts.every(t => taken.includes(t)); }}", arg=texts
        )
        assert page.inner_text(button).startswith("Copied" if allowed else "Copy") and allowed == (
            "Copied" in page.inner_text(button)
        )
    assert page.locator(".piece.link:visible, .live:visible").count() == 0  # there is no page to link to


def test_design_distances_and_responses_are_taken_as_csv(opened, explanation):
    page = opened(explanation)
    with page.expect_download() as taken:
        page.click(".take-csv")
    head, *rows = csv.reader(io.StringIO(taken.value.path().read_text()))
    assert head == ["edit", "seed", *explanation.words, "distance", "response", "locality weight"]
    numbers = np.array(rows, float)
    assert np.array_equal(numbers[:, 2:8], explanation.mask)
    assert numbers[:, 8:] == pytest.approx(np.c_[explanation.distances, explanation.responses, explanation.locality_weights])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(opened, theme):
    page = opened(explained("transform this incomprehensibilities-picture into snow at night"), width=390, theme=theme)
    boxes = page.eval_on_selector_all(
        ".textpoint text", "all => all.map(e => e.getBoundingClientRect()).map(r => [r.left, r.right, r.top])"
    )
    assert len({round(top) for *_, top in boxes}) > 4  # several lines, each a word and its weight
    for left, right, top in boxes:  # no word runs off the screen or into the next
        assert 0 <= left < right <= 390
        assert all(other[0] >= right or other[1] <= left for other in boxes if other[2] == top and other[0] != left)
    choose_word(page, 0)
    page.click(".share summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) > 384) == (theme == "light")


def test_nobodys_text_is_run(opened):
    page = opened(explained(NASTY))
    assert page.inner_text("h1") == f"“{NASTY}”" and page.title() == NASTY
    assert page.text_content(f"{TILES} >> nth=0").startswith(NASTY)
    words = page.eval_on_selector_all(".numbers tbody th", "all => all.map(cell => cell.textContent)")
    assert words == NASTY.split()
    place = words.index("<b>snow</b>")
    assert hover_text(page, place).startswith("<b>snow</b> ")
    choose_word(page, place)
    assert page.inner_text(".tag.left") == "without “<b>snow</b>”"
    assert "<b>snow</b>" in "".join(page.locator(".plot .textpoint text").all_text_contents())
    assert page.locator(".plot img, .gallery b, .tag b, [src='x']").count() == 0


def test_several_seeds_are_shown_one_at_a_time(opened):
    explanation = explained("make it snow", seeds=2, seed=5, edits=8)
    page = opened(explanation)
    sources = {}
    for seed in ("seed 5", "seed 6"):
        page.click(f".seeds button:text-is('{seed}')")
        sources[seed] = [edit["src"] for edit in edits(page)]
        assert len(sources[seed]) == 8
        page.click(f"{TILES} >> nth=2")
        assert on_stage(page)[1] == sources[seed][2]
    assert not set(sources["seed 5"]) & set(sources["seed 6"])
    page.click(".seeds button:text-is('all')")
    assert [edit["text"] for edit in edits(page)] == [f"make it snow (seed {5 + block})" for block in explanation.blocks]
    choose_word(page, 2)
    assert page.locator(".gallery h3").first.inner_text() == f"with “snow” · {explanation.mask[:, 2].sum()}"


def test_where_the_input_is_the_reference_the_page_says_so(opened):
    page = opened(explained("make it snow", reference="input", edits=8))
    assert "keeps the input" in page.inner_text(".words .high") and "from the input" in page.text_content(".gallery .head")
    assert "input" in page.text_content(".rail")


def test_where_the_embedder_gives_no_patches_there_are_maps_all_the_same(opened):
    class Blind(FakeEmbedder):
        def embed(self, images):
            return super().embed(images)[0], None

    page = opened(explained("make it snow", embedder=Blind(), edits=8))
    choose_word(page, 2)
    page.click(".views [data-view=where]")
    assert page.inner_text(".foot").startswith("It changes the picture in the upper part (128 of 256 places)")


def test_a_run_that_was_stopped_has_no_map_and_the_rest_is_there(opened):
    stream = explain_stream(picture((96, 96)), "make it snow", FakeEditor(), embedder=FakeEmbedder(), locality="none")
    page = opened(next(each for each in stream if each.done == 8))
    assert page.locator(".multiples:visible").count() == 0
    choose_word(page, 2)
    assert pressed(page) == [2] and page.locator(".gallery h3").first.inner_text() == "with “snow” · 4"
    assert page.is_disabled(".views [data-view=where]")


def test_what_is_within_noise_is_hatched_and_says_so(opened):
    class Trembling(FakeEditor):
        """Another seed moves the picture farther than any word does."""

        def one(self, image, text, seed):
            return Image.fromarray(np.asarray(super().one(image, text, 0)) // (1 + seed))

    trembling = explain(picture((96, 96)), INSTRUCTION, Trembling(), embedder=FakeEmbedder(), locality="none")
    page = opened(trembling)
    assert page.inner_text(".finding h2") == "No word changed the picture more than another seed does."
    drawn = "document.querySelector('.plot').data"
    colours = page.evaluate(f"[...new Set({drawn}.filter(d => d.type === 'heatmap').flatMap(d => d.z[0]))]")
    assert colours == [0] and page.evaluate(f"{drawn}.some(d => d.marker?.pattern?.shape === '/')")
    assert page.locator(".cells button[aria-label$='within noise, not significant']").count() == len(trembling.words)
    assert page.is_visible(".words .within") and page.locator(".words :is(.ends, .evident):visible").count() == 0
    assert not page.locator(".plot .textpoint text:has-text('★')").count()
    choose_word(page, SNOW)
    page.click(".views [data-view=where]")
    assert page.inner_text(".foot") == "It changes no place evidently."
    assert page.eval_on_selector_all(".pict canvas, .maps canvas", MAPS) == [0] * (1 + len(trembling.words))
