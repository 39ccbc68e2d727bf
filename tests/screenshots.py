"""The README's screenshots, from `python app.py` as it is: `python tests/screenshots.py` writes assets/screenshots/*.png."""

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from browsing import CHROMIUM, FLAGS, HEATMAP, choose_word, serving  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from smile.ui.examples import list_examples  # noqa: E402

FOLDER = ROOT / "assets" / "screenshots"
TUTORIAL = ROOT / "assets" / "tutorial.html"
PLANNED = "document.querySelector('#plan').textContent.includes('about')"  # the models are loaded
COLOURS = 256  # a screenshot is seen small, and a palette halves the file


def opened(browser, address, width, height, theme="light", wait=HEATMAP, **query):
    """The page in a window of that size, drawn and at rest."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}?{'&'.join(f'{name}={value}' for name, value in query.items())}")
    page.wait_for_selector(wait)
    page.wait_for_function(f"!document.querySelector('#plan') || ({PLANNED})", timeout=120_000)
    return page


def down_to(page, selector):
    """The page in a window that ends below this: what stays in view when one scrolls stands where it belongs."""
    bottom = page.eval_on_selector(selector, "element => element.getBoundingClientRect().bottom + scrollY")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": round(bottom) + 12})
    return page


def save(name, page):
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    path = FOLDER / f"{name}.png"
    palette = shot.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2)
    shot.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {shot.width} x {shot.height}, {path.stat().st_size / 1000:.0f} kB")
    page.context.close()


def choose(page, word):
    """Choose a word of the explanation."""
    names = page.eval_on_selector_all("#view .cells button", "all => all.map(e => e.getAttribute('aria-label'))")
    choose_word(page, next(number for number, name in enumerate(names) if name.startswith(f"{word}:")))
    return page


def main():
    FOLDER.mkdir(exist_ok=True)
    together = next(example.name for example in list_examples() if example.compare)
    with sync_playwright() as playwright, serving() as url:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        save("desktop", choose(opened(browser, url, 1440, 900), "sunset"))
        save("dark", choose(opened(browser, url, 1440, 900, "dark"), "autumn"))
        save("phone", opened(browser, url, 390, 1500))
        compared = opened(browser, url, 1440, 900, wait=HEATMAP.replace("#view", "#comparison"), example=together)
        save("comparison", down_to(compared, "#comparison"))
        tutorial = opened(browser, TUTORIAL.as_uri(), 1100, 1420, wait="#live", live=url.rstrip("/"))
        tutorial.frame_locator("#live").locator(HEATMAP).first.wait_for()
        save("embedded", tutorial)
        browser.close()


if __name__ == "__main__":
    main()
