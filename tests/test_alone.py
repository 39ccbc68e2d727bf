"""The file of its own, `smile.report.html`, in Chromium and opened from the disk: the page's instrument without a server.

What is drawn is compared with the explanation it was made from.
"""

import numpy as np
import pytest
from browsing import heatmap, tab_to
from PIL import Image
from tiny import FakeEditor, FakeEmbedder, picture

from smile import explain, explain_stream
from smile.report.html import render_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

INSTRUCTION = "make it snow at night please"
SNOW = INSTRUCTION.split().index("snow")
NASTY = '<script>document.title="run"</script> <img/src=x/onerror=document.title="run"> "quoted" $x$ %{y} </script> <b>snow</b>'
TILES = ".groups .group:not(:last-child) .edit"  # the last group are the other seeds
GROUPS = """all => all.map(group => ({
    title: group.querySelector("h3")?.textContent ?? "",
    edits: [...group.querySelectorAll(".edit")].map(edit => ({
        text: edit.querySelector(".text").textContent,
        missing: [...edit.querySelectorAll("del")].map(word => word.textContent),
        said: edit.querySelector(".distance").textContent,
        src: edit.querySelector("img")?.src,
    })),
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


def groups(page):
    return page.eval_on_selector_all(".groups .group", GROUPS)


def pressed(page, buttons=".cells button"):
    """The places of the buttons that are pressed."""
    states = page.eval_on_selector_all(buttons, "all => all.map(button => button.getAttribute('aria-pressed'))")
    assert set(states) <= {"true", "false"}
    return [place for place, state in enumerate(states) if state == "true"]


def sources(page):
    """What the before and after shows: (left, right)."""
    return [page.get_attribute(f".before .{side}", "src") for side in ("over", "under")]


def test_it_shows_the_finding_and_the_words(opened, explanation):
    page = opened(explanation)
    assert page.inner_text("h1") == f"“{INSTRUCTION}”"
    assert f"{page.inner_text('.finding')} {page.inner_text('.remarks')}" == explanation.finding
    shown = heatmap(page)
    assert [word for word, _, _ in shown] == explanation.words
    assert [marked for *_, marked in shown] == explanation.significant.tolist()
    assert "snow" in [word for word, _, marked in shown if marked]
    assert [float(weight) for _, weight, _ in shown] == explanation.weights.round(2).tolist()
    page.hover(f".cells button >> nth={SNOW}")
    assert page.inner_text(".tip").startswith(f"snow\nweight: {shown[SNOW][1]}\n95 % interval: ")


@pytest.mark.parametrize("how", ["mouse", "Enter", "Space"])
def test_a_word_that_is_chosen_splits_the_edits_and_shows_its_map(opened, explanation, how):
    page = opened(explanation)

    def choose():
        if how == "mouse":
            page.click(f".cells button >> nth={SNOW}")
        else:
            page.keyboard.press(how)

    if how != "mouse":
        tab_to(page, f".cells button:nth-child({SNOW + 1})")
    before = groups(page)
    assert pressed(page) == [] and len(before) == 2
    choose()
    assert pressed(page) == pressed(page, ".maps button") == [SNOW]
    there, without, others = groups(page)
    kept = explanation.mask[:, SNOW]
    assert there["title"] == f"With “snow” ({kept.sum()})" and len(there["edits"]) == kept.sum()
    assert without["title"] == f"Without “snow” ({(~kept).sum()})" and len(without["edits"]) == (~kept).sum()
    assert not any("snow" in edit["missing"] for edit in there["edits"])
    assert all("snow" in edit["missing"] for edit in without["edits"])
    assert others == before[-1]
    assert page.inner_text(".where .title") == "Where “snow” acts"
    assert page.inner_text(".where .what") == "in the upper part (128 of 256 places)"
    assert page.eval_on_selector_all(".where canvas", MAPS) == [explanation.places[SNOW].sum()] == [128]  # the upper half
    choose()
    assert pressed(page) == pressed(page, ".maps button") == [] and groups(page) == before
    if how != "mouse":
        assert page.evaluate("document.activeElement.matches('.cells button')")


def test_each_words_map_is_shown_small_and_chooses_the_word(opened, explanation):
    page = opened(explanation)
    assert page.locator(".maps button").all_inner_texts() == explanation.words
    assert page.eval_on_selector_all(".maps canvas", MAPS) == explanation.places.sum(axis=(1, 2)).tolist()
    page.click(f".maps button >> nth={SNOW}")
    assert pressed(page) == [SNOW] and page.inner_text(".where .title") == "Where “snow” acts"
    page.click(".maps button >> nth=0")
    assert pressed(page) == [0] and page.inner_text(".where .what") == "it changes no place evidently"
    assert page.eval_on_selector_all(".where canvas", MAPS) == [0]


def test_the_overlay_can_be_made_fainter(opened, explanation):
    page = opened(explanation)
    page.focus(".opacity input")
    for key, opacity in (("Home", "0"), ("End", "1"), ("ArrowLeft", "0.99")):
        page.keyboard.press(key)
        assert page.eval_on_selector(".where canvas", "canvas => getComputedStyle(canvas).opacity") == opacity


def test_edits_are_sorted_and_words_that_were_left_out_struck_out(opened, explanation):
    page = opened(explanation)
    run = groups(page)[0]["edits"]
    for edit, mask in zip(run, explanation.mask, strict=True):
        assert edit["text"] == INSTRUCTION
        assert edit["missing"] == [word for word, kept in zip(explanation.words, mask, strict=True) if not kept]
    assert page.eval_on_selector("del", "word => getComputedStyle(word).textDecorationLine") == "line-through"
    distances = explanation.distances
    assert [edit["said"] for edit in run] == [f"distance {distance:.2f}" for distance in distances]
    orders = {
        "distance": np.argsort(distances, kind="stable"),
        "kept": np.argsort(-explanation.mask.sum(axis=1), kind="stable"),
    }
    for name, order in orders.items():
        page.select_option(".gallery select", name)
        assert groups(page)[0]["edits"] == [run[place] for place in order] != run
    page.click(f".cells button >> nth={SNOW}")
    assert groups(page)[0]["edits"] == [run[place] for place in orders["kept"] if explanation.mask[place, SNOW]]
    page.select_option(".gallery select", "run")
    page.click(f".cells button >> nth={SNOW}")
    assert groups(page)[0]["edits"] == run


def test_an_edit_that_is_chosen_is_compared_with_the_full_one(opened, explanation):
    page = opened(explanation)
    run = [edit["src"] for edit in groups(page)[0]["edits"]]
    at_first = sources(page)
    assert at_first[0] not in run and at_first[1] == run[0]
    farthest = int(np.argmax(explanation.distances))
    page.click(f"{TILES} >> nth={farthest}")
    assert sources(page) == [run[farthest], run[0]] and run[farthest] != run[0] and pressed(page, TILES) == [farthest]
    assert page.inner_text(".before .what") == f"{INSTRUCTION} · distance {explanation.distances[farthest]:.2f}"
    assert page.locator(".before .what del").count() == (~explanation.mask[farthest]).sum()
    page.focus(".before input")
    clips = []
    for key in ("Home", "End", "ArrowLeft"):
        page.keyboard.press(key)
        clips.append(page.eval_on_selector(".before .over", "image => image.style.clipPath"))
    assert clips == ["inset(0px 100% 0px 0px)", "inset(0px 0% 0px 0px)", "inset(0px 1% 0px 0px)"]
    page.click(f"{TILES} >> nth={farthest}")
    assert sources(page) == at_first and pressed(page, TILES) == []


def test_a_failed_edit_is_shown_as_such(opened, explanation):
    failed = explanation.texts[3]
    page = opened(explained(fail=[failed]))
    tile = page.locator(f"{TILES} >> nth=3")
    assert "blocked or failed" in tile.inner_text() and tile.is_disabled() and tile.locator("img").count() == 0
    assert page.locator(f"{TILES}:disabled").count() == explanation.texts.count(failed) == 1
    page.select_option(".gallery select", "distance")
    assert page.locator(TILES).last.is_disabled()


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "forbidden"])
def test_what_is_to_be_taken_away_can_be_copied(opened, explanation, allowed):
    page = opened(explanation)
    if allowed:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        taken = "navigator.clipboard.readText()"
    else:  # as in somebody's iframe: the text is selected instead
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('forbidden')); }")
        taken = "getSelection().toString()"
    page.click(".numbers summary")
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(opened, theme):
    page = opened(explained("transform this incomprehensibilities-picture into snow at night"), width=390, theme=theme)
    boxes = page.eval_on_selector_all(
        ".textpoint text", "all => all.map(e => e.getBoundingClientRect()).map(r => [r.left, r.right, r.top])"
    )
    assert len({round(top) for *_, top in boxes}) > 4  # several rows, each a word, its weight and its interval
    for left, right, top in boxes:  # no word runs off the screen or into the next
        assert 0 <= left < right <= 390
        assert all(other[0] >= right or other[1] <= left for other in boxes if other[2] == top and other[0] != left)
    page.click(".cells button >> nth=0")
    page.click(".numbers summary")
    page.click(".share summary")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) > 384) == (theme == "light")


def test_nobodys_text_is_run(opened):
    page = opened(explained(NASTY))
    assert page.inner_text("h1") == f"“{NASTY}”" and page.title() == NASTY
    assert page.inner_text(f"{TILES} >> nth=0").startswith(NASTY)
    words = page.eval_on_selector_all(".numbers tbody th", "all => all.map(cell => cell.textContent)")
    assert words == NASTY.split()
    place = words.index("<b>snow</b>")
    page.hover(f".cells button >> nth={place}")
    assert page.inner_text(".tip").startswith("<b>snow</b>\n")
    page.click(f".cells button >> nth={place}")
    assert page.inner_text(".where .title") == "Where “<b>snow</b>” acts"
    assert "<b>snow</b>" in "".join(page.locator(".plot .textpoint text").all_text_contents())
    assert page.locator(".plot img, .gallery b, .where .title b, [src='x']").count() == 0


def test_several_seeds_are_told_apart_and_compared_with_their_own_reference(opened):
    explanation = explained("make it snow", seeds=2, seed=5, edits=8)
    page = opened(explanation)
    run = groups(page)[0]["edits"]
    assert [edit["text"] for edit in run] == [f"make it snow (seed {5 + block})" for block in explanation.blocks]
    assert explanation.blocks.tolist().index(1) == 8
    for place, reference in ((2, 0), (10, 8)):
        page.click(f"{TILES} >> nth={place}")
        assert sources(page) == [run[place]["src"], run[reference]["src"]]
    page.click(".cells button >> nth=2")
    assert len(groups(page)[0]["edits"]) == explanation.mask[:, 2].sum() == 8


def test_where_the_input_is_the_reference_an_edit_is_compared_with_it(opened):
    page = opened(explained("make it snow", reference="input", edits=8))
    input_picture = sources(page)[0]
    page.click(f"{TILES} >> nth=1")
    assert sources(page)[1] == input_picture and "input picture" in page.inner_text(".words .high")


def test_where_the_embedder_gives_no_patches_there_are_maps_all_the_same(opened):
    class Blind(FakeEmbedder):
        def embed(self, images):
            return super().embed(images)[0], None

    page = opened(explained("make it snow", embedder=Blind(), edits=8))
    page.click(".cells button >> nth=2")
    assert pressed(page) == [2] and groups(page)[0]["title"] == "With “snow” (4)"
    assert page.inner_text(".where .what") == "in the upper part (128 of 256 places)"


def test_a_run_that_was_stopped_has_no_map_and_the_rest_is_there(opened):
    stream = explain_stream(picture((96, 96)), "make it snow", FakeEditor(), embedder=FakeEmbedder(), locality="none")
    page = opened(next(each for each in stream if each.done == 8))
    assert page.locator(".where:visible, .multiples:visible").count() == 0
    page.click(".cells button >> nth=2")
    assert pressed(page) == [2] and groups(page)[0]["title"] == "With “snow” (4)"


def test_colours_run_to_one_unless_they_are_stretched(opened):
    page = opened(explained("make it snow at night"))
    fill = "[...document.querySelectorAll('.plot .shapelayer path')].map(path => path.style.fill).join()"
    ends, before = page.inner_text(".words .ends"), page.evaluate(fill)
    assert "−1.00" in ends and "+1.00" in ends and not page.is_checked(".stretch input")
    page.check(".stretch input")
    page.wait_for_function(f"before => {fill} !== before", arg=before)
    assert "1.00" not in page.inner_text(".words .ends")
    page.uncheck(".stretch input")
    page.wait_for_function(f"before => {fill} === before", arg=before)
    assert page.inner_text(".words .ends") == ends


def test_what_is_within_noise_is_grey_and_says_so(opened):
    class Trembling(FakeEditor):
        """Another seed moves the picture farther than any word does."""

        def one(self, image, text, seed):
            return Image.fromarray(np.asarray(super().one(image, text, 0)) // (1 + seed))

    trembling = explain(picture((96, 96)), INSTRUCTION, Trembling(), embedder=FakeEmbedder(), locality="none")
    page = opened(trembling)
    assert "no word changed the picture more than chance does" in page.inner_text(".finding")
    cells = "all => [...new Set(all.filter(e => e.style.fill.startsWith('rgb')).map(e => e.style.fill))]"
    assert page.eval_on_selector_all(".plot .shapelayer path", cells) == ["rgb(226, 226, 226)"]
    assert page.locator(".plot .textpoint text:has-text('within noise')").count() == len(trembling.words)
    assert page.locator(".cells button[aria-label$='within noise, not significant']").count() == len(trembling.words)
    assert page.is_visible(".words .within") and page.locator(".words :is(.ends, .interval, .stretch):visible").count() == 0
    page.click(f".cells button >> nth={SNOW}")
    assert page.inner_text(".where .what") == "it changes no place evidently"
    assert page.eval_on_selector_all(".where canvas, .maps canvas", MAPS) == [0] * (1 + len(trembling.words))
