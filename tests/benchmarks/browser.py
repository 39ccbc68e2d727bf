"""What a visitor's browser waits for and works at. Run by hand: `python tests/benchmarks/browser.py`.

- The largest contentful paint of the finished explanation with which the page of `python app.py` begins, the server being
  warm, and when its heatmap is drawn. Every visit is a browser context of its own, so nothing is cached.
- The time from the click on a word to the paint that shows it chosen, on that page.
- The script time of twenty heatmap updates on the real page, during a run whose editor yields one edit after another, and
  of the page doing nothing for as long.

Script time is the processor's, so that it does not matter much what else is running. The seconds of the paint are those of
a clock: they hold for this machine and this moment only, and the load is printed with them. Nothing here is asserted.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browsing import CHROMIUM, FLAGS, HEATMAP, choose_word, serving  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

UPDATES = 20
INSTRUCTION = "please make it snow at night in this picture"
OBSERVE = f"""
new PerformanceObserver((list) => {{ window.paint = list.getEntries().at(-1); }})
    .observe({{ type: "largest-contentful-paint", buffered: true }});
const waiting = setInterval(() => {{
    if (!document.querySelector({HEATMAP!r})) return;
    clearInterval(waiting);
    requestAnimationFrame(() => setTimeout(() => {{ window.drawn = performance.now(); }}));
}}, 10);
"""
PAINT = """() => {
    const { startTime, size, element } = window.paint;
    const what = `${element.tagName.toLowerCase()}.${element.className} in #${element.closest(".block")?.id}`;
    return { paint: startTime, drawn: window.drawn, what: `${what}, ${size} square pixels` };
}"""

CLICKS = """() => {
    window.chosen = [];
    let clicked = null;
    addEventListener("pointerup", (event) => { clicked = event.timeStamp; }, true);
    new MutationObserver(() => {
        if (clicked === null) return;
        const began = clicked;
        clicked = null;
        requestAnimationFrame(() => setTimeout(() => window.chosen.push(performance.now() - began)));
    }).observe(document.querySelector("#view .cells"), { subtree: true, attributeFilter: ["aria-pressed"] });
}"""


def first_paint(browser, url: str, width: int, visits: int) -> None:
    """Print when the largest contentful paint was, of what, and when the heatmap was there."""
    seen = []
    for _ in range(1 + visits):  # the first makes the server warm
        context = browser.new_context(viewport={"width": width, "height": 900})
        page = context.new_page()
        page.add_init_script(OBSERVE)
        page.goto(url)
        page.wait_for_function("window.drawn")
        page.wait_for_timeout(1500)  # for a larger paint that may still come
        seen.append(page.evaluate(PAINT))
        context.close()
    del seen[0]
    for name, said in (("paint", "largest contentful paint"), ("drawn", "heatmap drawn")):
        seconds = sorted(one[name] / 1000 for one in seen)
        print(f"{width:4} px wide: {said:26}{statistics.median(seconds):5.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f})")
    for what in sorted({one["what"] for one in seen}):
        print(f"              which was {what}")


def choices(browser, url: str, clicks: int) -> None:
    """Print how long it takes from the mouse's button to the paint with another word chosen."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url)
    page.wait_for_selector(HEATMAP)
    page.wait_for_timeout(1500)  # for what the page still asks when it is opened
    page.evaluate(CLICKS)
    words = page.locator("#view .cells button").count()
    for click in range(clicks):
        choose_word(page, click % words)
        page.wait_for_function(f"window.chosen.length > {click}")
        page.wait_for_timeout(200)
    spent = sorted(page.evaluate("window.chosen"))
    print(f"choosing a word: {statistics.median(spent):.0f} ms ({spent[0]:.0f} to {spent[-1]:.0f}) of {clicks}, click to paint")
    page.close()


def updates(browser) -> None:
    """Print the script time of so many heatmap updates."""
    from tiny import FakeBackend, FakeEmbedder

    import app
    from smile.ui.engine import Engine
    from smile.ui.sections.answer import DRAWN_EVERY

    class OneByOne(FakeBackend):
        batch_size = 1

        def one(self, image, text, seed):
            time.sleep(1.05 * DRAWN_EVERY)
            return super().one(image, text, seed)

    server = app.build(Engine(lambda *which: (OneByOne(*which), FakeEmbedder())))
    _, url, _ = server.launch(prevent_thread_lock=True, quiet=True, **app.OPTIONS)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable", {"timeDomain": "threadTicks"})  # not what others do meanwhile

    def now():
        values = {each["name"]: each["value"] for each in metrics.send("Performance.getMetrics")["metrics"]}
        return [values["ScriptDuration"], values["TaskDuration"], time.perf_counter()]

    def spent(wait):
        before = now()
        wait()
        return [after - before for before, after in zip(before, now(), strict=True)]

    def drawn(count):
        page.wait_for_function(f"window.updates >= {count}", polling=500, timeout=120_000)

    try:
        page.goto(url)
        page.wait_for_selector(HEATMAP)
        page.evaluate("window.updates = 0")
        page.evaluate("document.querySelector('#view .plot').on('plotly_afterplot', () => { window.updates += 1; })")
        page.fill("#instruction textarea", INSTRUCTION)
        page.click("#explain")
        drawn(1)
        script, task, seconds = spent(lambda: drawn(1 + UPDATES))
        page.click("#stop")
        page.wait_for_timeout(3000)
        idle, idle_task, _ = spent(lambda: page.wait_for_timeout(1000 * seconds))
        print(
            f"{UPDATES} heatmap updates: {script:.2f} s of script, {task:.2f} s of the main thread in all, in {seconds:.0f} s"
        )
        print(f"nothing for as long: {idle:.2f} s of script, {idle_task:.2f} s of the main thread in all")
    finally:
        server.close(verbose=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=7)
    visits = parser.parse_args().visits
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before this began")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with serving() as url:
            for width in (1440, 390):
                first_paint(browser, url, width, visits)
            choices(browser, url, 3 * visits)
        updates(browser)
        browser.close()
