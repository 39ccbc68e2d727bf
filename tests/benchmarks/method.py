"""The published procedure and ours on the same editors: `python tests/benchmarks/method.py [--instructions 12]`.

Both explain the same held-out Toy Road instructions of 4 to 6 words, for which the words that matter are known, by the same
bundled editors. Everything is reported against the editor's seed noise: how far an edit moves under another seed, over
how far it moves without the key word. Writes assets/docs/tables/published.md and published.png; edits are kept (`bank.py`),
so that a run cut short goes on, and `--minutes 0` reports on what there is.
"""

import argparse
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import numpy as np
from benchmarks import published
from benchmarks.bank import Bank, held_out
from benchmarks.combinations import design
from benchmarks.paces import times_as_fast
from benchmarks.questions import DRAWS, EDITS, TOKEN, Question, scores, stability

from smile.evaluation import metrics
from smile.method.noise_floor import edit_p_values
from smile.method.surrogate import fit

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "docs" / "tables"
PROCEDURES = ("published", "ours")
REACHED = 0.95
STRATA = ((0, 0.2), (0.2, 0.4), (0.4, np.inf))  # of an instruction's own seed noise
DEFAULT = "Pix2Pix, default"
INTRODUCTION = f"""# The published procedure and ours

Made by `python tests/benchmarks/method.py`. Held-out Toy Road instructions of 4 to 6 words, the six attributes in turn, on
bundled editors; of each one knows which words matter. Published: random rows, scrambled words, noise of its own for every
edit, 1-D Wasserstein, letters' word mover's distance at width 0.25, OLS (`tests/benchmarks/published.py`). Ours: the defaults
of `smile.explain`. With 4 to 6 words there are 16 to 64 combinations, so ours never makes more than those; the published
procedure goes on with the same rows under new noise, and its reference edit is not counted. Two seeds of ours and up to
{DRAWS} draws of each procedure are averaged first; all tables are means over instructions that the editor carries out (the edit
is nearest to the ideal one), unless they say otherwise.

**Seed noise**: mean pixel distance between two seeds of the full instruction, over the distance that dropping the key word
makes. Rows by seed noise put the instructions of Pix2Pix and Inpaint at their defaults together by their own.
"""

EDITOR_TIME = """
Published over ours. Edits to .95: the fewest of 8, 16, 32, 64, 128 with a mean AUROC of .95. To equal ours: the fewest with
which the published procedure has at least the AUROC and top-1 that ours has with that many. One edit: processor seconds of an
edit with its embedding, one call for each text over all texts in one call (`tests/benchmarks/paces.py`, side by
side in this run, one thread of a CPU, the bundled weights). The last two columns are products of these.
"""


class Setting(NamedTuple):
    """An editor, and how many edits the published procedure gets of it."""

    editor: str
    label: str
    edits: int = 128
    sampler: str = "deterministic"
    settings: dict = {}  # noqa: RUF012  (never changed)
    compound: bool = False  # instructions of 7 or 8 words instead of 4 to 6


SETTINGS = (
    Setting("img2img-turbo", "Turbo, one step"),
    Setting("instruct-pix2pix", "Pix2Pix, default"),
    Setting("inpaint", "Inpaint, default"),
    Setting("instruct-pix2pix", "Pix2Pix, default, 7 and 8 words", compound=True),
    Setting("instruct-pix2pix", "Pix2Pix, ancestral", 64, "ancestral"),
    Setting("instruct-pix2pix", "Pix2Pix, guidance 3", 64, settings={"guidance": 3.0, "steps": 5}),
    Setting("instruct-pix2pix", "Pix2Pix, guidance 7.5, ancestral", 64, "ancestral", {"guidance": 7.5, "steps": 5}),
)


def type_one(runs=400, words=5, edits=16, values=96, noise_seeds=19, seed=0) -> dict:
    """How often an editor that ignores its text, but is noisy, is said to follow it, at the level .05."""
    rng, said = np.random.default_rng(seed), {"ours, words": [], "ours, edits": [], "published, edits": []}
    mask = design(words, edits, "balanced", 0)
    for run in range(runs):
        vectors = rng.normal(size=(edits + noise_seeds, values))
        far = np.abs(np.sort(vectors, axis=1) - np.sort(vectors[0])).mean(axis=1)
        response = 1 - far[:edits] / far.max()
        found = fit(mask[1:], response[1:], permutations=199, seed=run)  # the first is compared with itself
        said["ours, words"].append((found.p_values <= 0.05).mean())
        said["ours, edits"].append(edit_p_values(far[1:2], far[edits:])[0] <= 0.05)
        said["published, edits"].append(published.bootstrap_p_value(vectors[0], vectors[1], rng) <= 0.05)
    return {name: float(np.mean(values)) for name, values in said.items()}


def prepared(instructions: int) -> list[tuple[Setting, list[Question]]]:
    """The questions to every editor; settings that are alike share their edits."""
    questions = []
    for setting in SETTINGS:
        bank = Bank(setting.editor, setting.sampler, **setting.settings)
        cases = held_out(setting.editor, instructions, setting.compound, 8 if setting.compound else None)
        questions.append((setting, [Question(bank, number, case, setting.edits) for number, case in cases]))
    return questions


def make(questions, minutes: float) -> None:
    """Make the edits, one instruction to every editor after the other, until the time is over."""
    until = time.monotonic() + 60 * minutes
    for row in zip(*(asked_ for _, asked_ in questions), strict=True):
        for question in row:
            if time.monotonic() >= until:
                return
            question.make()


def measured(questions) -> list[tuple[Setting, list[Question]]]:
    """Those questions whose edits are all there, looked at."""
    found = []
    for setting, some in questions:
        some = [question for question in some if question.bank.has(question.case, question.needed)]
        for question in some:
            question.look()
            question.scores = {}
            for edits in EDITS:  # one set of theirs, compared with several references, is no pair
                if answers := question.by_them(edits):
                    question.scores["published", edits] = scores(question, answers, 2 * edits <= setting.edits)
                if answers := question.by_us(edits):
                    question.scores["ours", edits] = scores(question, answers, True)
        found.append((setting, some))
    return found


def mean(some, procedure, edits, what, middle=np.mean):
    """Over questions; nan where it was not measured."""
    values = [q.scores[procedure, edits][what] for q in some if what in q.scores.get((procedure, edits), {})]
    return float(middle(values)) if values else float("nan")


def needed(some, procedure) -> float:
    """The fewest edits with a mean AUROC of .95, inf where none of ours had it."""
    return next((edits for edits in EDITS if mean(some, procedure, edits, "AUROC") >= REACHED), float("inf"))


def equal(some) -> tuple[float, float]:
    """(ours, published): the edits with which ours reaches .95, and the fewest with which the published procedure is as
    accurate as that, by AUROC and by top-1; inf where it never is."""
    ours = needed(some, "ours")
    wanted = {what: mean(some, "ours", ours, what) - 1e-9 for what in ("AUROC", "top-1")}
    as_good = (e for e in EDITS if all(mean(some, "published", e, what) >= least for what, least in wanted.items()))
    return ours, next(as_good, float("inf"))


def time_of(setting, some) -> tuple:
    """The row of one editor: edits and what an edit costs, published over ours."""
    ours, theirs = equal(some)
    first, each, last = needed(some, "published"), times_as_fast(setting.editor, **setting.settings), setting.edits
    ratios = [f"{e / ours * each:.1f}" if e < np.inf else f"over {last / ours * each:.1f}" for e in (first, theirs)]
    counts = [f"{shown(e) if e < np.inf else f'over {last}'} / {ours:.0f}" for e in (first, theirs)]
    return setting.label, f"{noise_of(some):.2f}", *counts, f"{each:.2f}", *ratios


def noise_of(some) -> float:
    return sum(q.between for q in some) / sum(q.dropped for q in some)


def difference(some, edits_ours, edits_theirs, what) -> tuple[float, float, int]:
    """(ours less published, its standard error, n), question by question."""
    pairs = [
        (q.scores["ours", edits_ours][what], q.scores["published", edits_theirs][what])
        for q in some
        if what in q.scores["ours", edits_ours] and what in q.scores.get(("published", edits_theirs), {})
    ]
    gaps = np.array([a - b for a, b in pairs])
    if len(gaps) < 2:
        return float("nan"), float("nan"), len(gaps)
    return float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps))), len(gaps)


def groups(found):
    """(label, questions that were carried out) of each setting, then by an instruction's own noise, where there are any."""
    for setting, some in found:
        if any(q.carried_out for q in some):
            yield setting.label, [q for q in some if q.carried_out]
    defaults = [s for s in SETTINGS if s.edits == max(EDITS) and s.editor != "img2img-turbo" and not s.compound]
    diffusion = [q for setting, some in found for q in some if q.carried_out and setting in defaults]
    for low, high in STRATA:
        label = f"seed noise {low} to {high}" if high < np.inf else f"seed noise from {low}"
        if some := [q for q in diffusion if low <= q.noise < high]:
            yield label, some


def report(found, errors: dict) -> str:
    """The page in Markdown."""
    every = list(groups(found))
    some = [(setting, carried) for setting, row in found if (carried := [q for q in row if q.carried_out])]
    parts = [
        INTRODUCTION,
        "## What was to be shown\n",
        *claims(every),
        "\n## AUROC / share of instructions whose top word matters\n",
        table(
            ("editor", "seed noise", "n", "procedure", *EDITS, "edits to .95"),
            (
                (label, f"{noise_of(row):.2f}", len(row), name, *cells(row, name, "AUROC", "top-1"), shown(needed(row, name)))
                for label, row in every
                for name in PROCEDURES
            ),
        ),
        "\n## Beside each other: ours at 16 edits less the published procedure at 64 and 128\n",
        table(
            ("editor", "n", "AUROC, 64", "top-1, 64", "AUROC, 128", "top-1, 128"),
            ((label, len(row), *(gap(row, e, what) for e in (64, 128) for what in ("AUROC", "top-1"))) for label, row in every),
        ),
        "\nMean difference, instruction by instruction, ± its standard error.",
        "\n## Editor time for the same accuracy\n",
        table(
            ("editor", "seed noise", "edits to .95", "edits to equal ours", "one edit", "editor time to .95", "to equal ours"),
            (time_of(setting, row) for setting, row in some),
        ),
        EDITOR_TIME,
        "\n## Consistency: two explanations from disjoint seeds at equal edits\n",
        table(
            ("editor", "seed noise", "procedure", *EDITS[:-1]),
            (
                (label, f"{noise_of(row):.2f}", name, *cells(row, name, "rank correlation", "spread")[:-1])
                for label, row in every
                for name in PROCEDURES
            ),
        ),
        "\nSpearman's rank correlation of the weights / standard deviation of a word's share of all absolute weights.",
        "\n## Fidelity: median R² in-sample / left out\n",
        table(
            ("editor", "procedure", *EDITS),
            (
                (setting.label, name, *cells(row, name, "R2", "R2, left out", np.median))
                for setting, row in some
                for name in PROCEDURES
            ),
        ),
        f"\nAt 8 edits of 6 words, 7 coefficients meet 8 rows.\n\n## Stability: “{TOKEN}” appended, 16 edits\n",
        table(
            ("editor", "procedure", "rank correlation", "Ruzicka"),
            (
                (setting.label, name, *(f"{value:.2f}" for value in np.mean([stability(q)[name] for q in row], axis=0)))
                for setting, row in some
                for name in PROCEDURES
                if setting.edits == max(EDITS)
            ),
        ),
        "\n## Its best of five surrogates by in-sample R², Pix2Pix at its defaults: AUROC / top-1\n",
        table(("edits", "OLS", "best"), best(next(row for setting, row in some if setting.label == DEFAULT))),
        "\n## Type-I error at .05: an editor that ignores its text, 16 edits\n",
        table(("test", "rejected"), ((name, f"{share:.3f}") for name, share in errors.items())),
        "\n## Instructions that the editor does not carry out: AUROC / top-1\n",
        table(
            ("editor", "n", "published, 64", "ours, 16"),
            (
                (setting.label, len(row), cells(row, "published", "AUROC", "top-1")[3], cells(row, "ours", "AUROC", "top-1")[1])
                for setting, all_ in found
                for row in [[q for q in all_ if not q.carried_out]]
            ),
        ),
    ]
    return "\n".join(parts) + "\n"


def claims(every) -> list[str]:
    """Each claim with its verdict; where it does not hold, where."""
    named = dict(every)
    fewer = {label: needed(row, "ours") <= needed(row, "published") for label, row in every}
    accurate = {f"{DEFAULT}, as at 64, {what}": _at_least(named[DEFAULT], 64, what) for what in ("AUROC", "top-1")}
    noisy = [(label, row) for label, row in every if noise_of(row) >= 0.4 and row[0].edits == max(EDITS)]
    accurate |= {
        f"{label}, as at 128, {what}": _at_least(row, 128, what) for label, row in noisy for what in ("AUROC", "top-1")
    }
    alike = {
        f"{label}, {edits} edits": ours > theirs
        for label, row in every
        for edits in EDITS[:-1]
        for ours, theirs in [[mean(row, name, edits, "rank correlation") for name in ("ours", "published")]]
        if noise_of(row) >= 0.2 and not np.isnan(ours + theirs)
    }
    return [
        _verdict("Ours never needs more edits to reach AUROC .95", fewer),
        _verdict("Ours at 16 edits is at least as accurate as the published procedure with 4 or 8 times as many", accurate),
        _verdict("Rank correlation between disjoint seeds is higher wherever seed noise is .2 or more", alike),
    ]


def _at_least(row, edits, what):
    return mean(row, "ours", 16, what) >= mean(row, "published", edits, what)


def _verdict(claim, cases):
    failed = [name for name, holds in cases.items() if not holds]
    return f"- {claim}: " + (f"**not** for {'; '.join(failed)} (of {len(cases)})." if failed else f"holds in all {len(cases)}.")


def table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def cells(row, procedure, first, second, middle=np.mean) -> list[str]:
    """Two figures for each number of edits; empty where it was not measured."""
    pairs = [(mean(row, procedure, edits, first, middle), mean(row, procedure, edits, second, middle)) for edits in EDITS]
    return ["" if np.isnan(a) else f"{a:.2f} / {b:.2f}" for a, b in pairs]


def shown(edits) -> str:
    return f"{edits:.0f}" if edits < np.inf else "more"


def gap(row, edits, what) -> str:
    middle, error, n = difference(row, 16, edits, what)
    return f"{middle:+.3f} ± {error:.3f}" if n > 1 else ""


def best(row):
    """(edits, accuracy of OLS, of the best) of the published procedure's first explanations."""
    for edits in EDITS:
        answers = [(q, q.by_them(edits)[0]) for q in row]
        chosen = [(q, published.best(*answer[1:])[1]) for q, answer in answers]
        yield edits, _accuracy([(q, answer[0]) for q, answer in answers]), _accuracy(chosen)


def _accuracy(pairs):
    auroc = np.mean([metrics.accuracy(weights, q.matters)["auroc"] for q, weights in pairs])
    return f"{auroc:.2f} / {np.mean([q.matters[np.argmax(np.abs(weights))] for q, weights in pairs]):.2f}"


def figure(found):
    """Left: edits needed against seed noise. Right: AUROC against edits, by seed noise."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    colours = {"published": "#c2410c", "ours": "#1d4ed8"}
    chart = make_subplots(1, 2, subplot_titles=("Edits needed for AUROC .95", "AUROC, by an instruction's seed noise"))
    every, most = list(groups(found)), 2 * max(EDITS)
    strata = [(label, row) for label, row in every if label.startswith("seed noise")]
    for procedure, colour in colours.items():
        x, y = zip(*((noise_of(row), min(needed(row, procedure), most)) for _, row in every), strict=True)
        marker = {"color": colour, "size": 11, "symbol": ["triangle-up" if value == most else "circle" for value in y]}
        chart.add_scatter(x=x, y=y, mode="markers", name=procedure, marker=marker, row=1, col=1)
        for (label, row), dash in zip(strata, ("dot", "dash", "solid"), strict=False):
            line, y = {"color": colour, "dash": dash}, [mean(row, procedure, edits, "AUROC") for edits in EDITS]
            chart.add_scatter(x=EDITS, y=y, name=f"{procedure}, {label}", line=line, mode="lines+markers", row=1, col=2)
    ticks = {"tickvals": [*EDITS, most], "ticktext": [*map(str, EDITS), "more"]}
    chart.update_yaxes(type="log", title="edits", row=1, col=1, **ticks).update_xaxes(title="seed noise", row=1, col=1)
    chart.update_yaxes(title="AUROC", row=1, col=2).update_xaxes(title="edits", type="log", **ticks, row=1, col=2)
    chart.add_hline(y=REACHED, line={"color": "gray", "width": 1}, row=1, col=2)
    chart.update_layout(template="plotly_white", width=1300, height=480, font={"size": 13}, margin={"t": 50, "b": 50})
    return go.Figure(chart)


def draw(chart, path: Path) -> None:
    """A picture of a figure, taken by Chromium."""
    from browsing import CHROMIUM, FLAGS
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": chart.layout.width + 16, "height": chart.layout.height + 16})
        page.set_content(chart.to_html(include_plotlyjs=True, config={"staticPlot": True}))
        page.wait_for_selector(".main-svg .scatterlayer")
        page.wait_for_timeout(500)
        shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    shot.quantize(128).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instructions", type=int, default=12, help="of each editor")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="to make edits for, before the report")
    options = parser.parse_args()
    questions = prepared(options.instructions)
    make(questions, options.minutes)
    found = measured(questions)
    FOLDER.mkdir(parents=True, exist_ok=True)
    page = report(found, type_one())
    (FOLDER / "published.md").write_text(page)
    print(page)
    draw(figure(found), FOLDER / "published.png")


if __name__ == "__main__":
    main()
