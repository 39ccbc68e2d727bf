"""Explained answers beside the truth, on held-out prompts of the toy language model, and beside other methods:

    python tests/benchmarks/answers.py kinds [--prompts 100] [--model toyroad]
    python tests/benchmarks/answers.py peers [--prompts 24] [--rows 32 64 128]
    python tests/benchmarks/answers.py null [--runs 400]

`kinds`, for each kind of prompt at the default number of rows: how well the weights rank the words that matter, how often
the strongest is one, stars on words that matter and prompts with a star on another, own-segment words above others', both
statements of what is said twice, and the trace's edges. `peers`: other methods, re-implemented from their papers, with the
same prompts and as many rows. `null`: a model that ignores its prompt and draws each answer anew. What was measured is kept in
.training/answers.jsonl, so that a run cut short goes on. Tables are printed, and written to assets/docs/tables/answers-*.md.
"""

import argparse
import hashlib
import json
import sys
import textwrap
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from benchmarks.answer_peers import METHODS, Task
from scipy.stats import spearmanr

from smile import explain_answer, load_language_model
from smile.evaluation.metrics import accuracy
from smile.method.surrogate import fit
from smile.toyroad.questions import KINDS, draw_clean_prompt, draw_prompt

KEPT = Path(__file__).resolve().parents[2] / ".training" / "answers.jsonl"
TABLES = Path(__file__).resolve().parents[2] / "assets" / "docs" / "tables"
FIRST = 7_000_000  # of the held-out numbers; training's begin elsewhere
HELD_OUT = 64


class Deaf:
    """Draws its answer anew for every prompt, whatever it says."""

    name = "deaf"

    def write(self, prompts, *, seed):
        digests = [hashlib.blake2b(f"{seed} {prompt}".encode(), digest_size=8).digest() for prompt in prompts]
        draws = [np.random.default_rng(int.from_bytes(digest, "big")) for digest in digests]
        return [" ".join(draw.choice(list("abcdefghij"), 8)) + "." for draw in draws]


def list_prompts(kind, model, most=42):
    """(number, prompt) without end, of at most so many words, that the model answers rightly: what it does otherwise has no
    known truth."""
    number = FIRST + 100_000 * KINDS.index(kind)
    while True:
        prompt = draw_clean_prompt(np.random.default_rng(number), kind)
        k, labels = len(prompt.words), prompt.label_words()
        if 0 < labels.sum() < k <= most and model.write([prompt.text], seed=0)[0] == prompt.answer:
            yield number, prompt
        number += 1


def measure_kind(kind, number, prompt, model):
    """One line of `kinds`."""
    began = time.perf_counter()
    e = explain_answer(prompt.text, model, seed=number % 2**32)
    seconds = time.perf_counter() - began
    labels, parts = prompt.label_words(), prompt.label_parts()
    size = np.abs(e.weights)
    edges = {(edge.source - len(labels), edge.target) for edge in e.edges if edge.source >= len(labels)}
    words = {(edge.source, edge.target) for edge in e.edges if edge.source < len(labels)}
    line = {
        "auroc": accuracy(e.weights, labels)["auroc"],
        "alone": accuracy(e.alone, labels)["auroc"],
        "top": bool(labels[size.argmax()]),
        "named": float(e.leading[labels].mean()),
        "others": float(e.leading[~labels].mean()),
        "rows": len(e.texts),
        "seconds": seconds,
        "right_edges": len(edges & set(prompt.edges)) == len(prompt.edges),
        "false_edges": bool(edges - set(prompt.edges)),
        "false_paths": any(not parts[target, source] for source, target in words if target < len(parts)),
    }
    if kind == "twice":
        line["both"] = all(any(e.leading[j] for j in statement) for statement in prompt.twice)
        line["said"] = bool(e.said_twice[[j for statement in prompt.twice for j in statement]].sum() >= 2)
    if kind == "two" and e.maps is not None and e.maps.shape[1] == len(parts) == 2:
        maps, own = np.abs(e.maps), [parts[s] & ~parts[1 - s] for s in (0, 1)]
        line["own"] = all(maps[own[s], s].min(initial=1) > maps[own[1 - s], s].max(initial=0) for s in (0, 1))
    line["log"] = accuracy(fit(e.mask, [row.mean() for row in e.log_probs], e.locality_weights).weights, labels)["auroc"]
    line["flat"] = accuracy(fit(e.mask, e.responses).weights, labels)["auroc"]
    return line


def measure_peers(prompt, model, rows, seed):
    """{method: {auroc, top, lds, drop, seconds}} of one prompt at this number of rows."""
    task, labels = Task(prompt.text, model, rows, seed), prompt.label_words()
    rng, found = np.random.default_rng([seed, 9]), {}
    held_out = rng.random((HELD_OUT, len(labels))) < 0.5
    truth = task.score(held_out)
    for name, method in METHODS.items():
        asked, began = task.asked, time.perf_counter()
        weights = method(task)
        if weights is None:
            continue
        top = np.argsort(-weights, kind="stable")[:3]
        without = np.ones((1, len(labels)), bool)
        without[0, top] = False
        foretold = held_out @ weights
        found[name] = {
            "auroc": accuracy(weights, labels)["auroc"],
            "top": bool(labels[np.abs(weights).argmax()]),
            "lds": float(spearmanr(foretold, truth).statistic) if np.ptp(foretold) > 0 else 0.0,
            "drop": float(task.score(np.ones((1, len(labels)), bool))[0] - task.score(without)[0]),
            "asked": task.asked - asked - 2,
            "seconds": time.perf_counter() - began,
        }
    return found


def measure_null(number):
    """P-values of one run on a model that ignores its prompt."""
    prompt = draw_prompt(np.random.default_rng(FIRST + number), "plain", (8, 14))
    e = explain_answer(prompt.text, Deaf(), seed=number, trace=False)
    return {"share": float((e.p_values < 0.05).mean()), "any": bool(e.leading.any())}


def keep(key, measure):
    """What was measured under this key, or is measured now."""
    KEPT.parent.mkdir(exist_ok=True)
    if not hasattr(keep, "known"):
        lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
        keep.known = {tuple(line["key"]): line["found"] for line in map(json.loads, lines)}
    if key not in keep.known:
        keep.known[key] = measure()
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "found": keep.known[key]}) + "\n")
    return keep.known[key]


def average(lines, name):
    values = [line[name] for line in lines if line.get(name) is not None]
    return f"{np.mean(values):.3f}" if values else "–"


def write_table(what, says, columns, rows):
    """Print the table, and write it down with the command that makes it."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (columns, *rows)]
    lines.insert(1, "|" + "---|" * len(columns))
    said = f"Printed by `python tests/benchmarks/answers.py {what}`. {' '.join(says[1].split())}"
    said = textwrap.fill(said, 128, break_on_hyphens=False, break_long_words=False)
    text = f"# {says[0]}\n\n{said}\n\n" + "\n".join(lines) + "\n"
    (TABLES / f"answers-{what.split()[0]}.md").write_text(text, encoding="utf-8")
    print(text)


FOUND = {
    "AUROC": "auroc", "of mean log-probability": "log", "of leave-one-out": "alone", "top word matters": "top",
    "words that matter, named": "named", "others, named": "others", "own words above the others'": "own",
    "both statements named": "both", "said to be said twice": "said", "true edge": "right_edges",
    "prompts with a false edge": "false_edges", "prompts with a false word of an edge": "false_paths",
    "prompts asked": "rows", "seconds": "seconds",
}  # fmt: skip
KIND_SAYS = """Held-out prompts of 11 to 42 words that the bundled language model answers rightly, default settings, one
thread of a shared CPU. AUROC is of the absolute weights against the words that matter; beside it the same with the mean
log-probability as the response, and of what leaving out each word alone does. *Named*: a weight of at least a quarter of
the largest. Own words: in prompts of two questions the smallest effect of a part's own words on it is above the largest of
the other part's words."""
PEER_SAYS = """The same prompts for each method, {} of each kind and of at most rows less two words, which regressions need;
methods re-implemented from their papers in `tests/benchmarks/answer_peers.py`, AUROC of absolute weights. LDS: Spearman's
correlation over 64 held-out prompts with half of the words (what is foretold with what is measured). Drop: of the mean
log-probability of a token without the three heaviest words. Leave-one-out takes one prompt for each word, DBSA four,
whatever the rows; ours asks each word alone beside the rows and writes all answers, which the others do not need."""
NULL_SAYS = """A model that ignores its prompt and draws each answer anew, prompts of 8 to 14 words. Type I: share of words
with an uncorrected p-value below .05. Named: runs in which any word is named."""


def run_kinds(model, args):
    rows = []
    for kind in args.kinds:
        lines = []
        for (number, prompt), _ in zip(list_prompts(kind, model), range(args.prompts), strict=False):
            lines.append(
                keep((args.model, "kinds", kind, number), lambda n=number, p=prompt, k=kind: measure_kind(k, n, p, model))
            )
        for line in () if kind == "chained" else lines:
            line["right_edges"] = None  # there is none to be found
        rows.append([kind, len(lines), *(average(lines, name) for name in FOUND.values())])
    table = np.array([["", "prompts", *FOUND], *rows], object).T.tolist()
    command = f"kinds --prompts {args.prompts}"
    write_table(command, ("Words found in prompts with a known answer", KIND_SAYS), table[0], table[1:])


def run_peers(model, args):
    rows = []
    for count in args.rows:
        found = {}
        for kind in args.kinds:
            for (number, prompt), _ in zip(list_prompts(kind, model, min(42, count - 2)), range(args.prompts), strict=False):
                key = (args.model, "peers", count, kind, number)
                for name, line in keep(key, lambda p=prompt, n=number, c=count: measure_peers(p, model, c, n)).items():
                    found.setdefault(name, []).append(line)
        for name, lines in found.items():
            rows.append(
                [
                    count,
                    name,
                    len(lines),
                    *(average(lines, each) for each in ("auroc", "top", "lds", "drop", "asked", "seconds")),
                ]
            )
    columns = ["rows", "method", "prompts", "AUROC", "top word", "LDS", "top-3 drop (nat)", "prompts asked", "seconds"]
    command = f"peers --prompts {args.prompts}"
    write_table(command, ("Beside other methods", PEER_SAYS.format(args.prompts)), columns, rows)


def run_null(args):
    lines = [keep(("deaf", "null", number), lambda n=number: measure_null(n)) for number in range(args.runs)]
    line = [len(lines), average(lines, "share"), average(lines, "any")]
    write_table(f"null --runs {args.runs}", ("Where nothing acts", NULL_SAYS), ["runs", "type I", "named"], [line])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("kinds", "peers", "null"))
    parser.add_argument("--model", default="toyroad")
    parser.add_argument("--weights")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--rows", nargs="+", type=int, default=[32, 64, 128])
    parser.add_argument("--runs", type=int, default=400)
    given = parser.parse_args()
    if given.what == "null":
        run_null(given)
    else:
        loaded = load_language_model(given.weights or given.model)
        {"kinds": run_kinds, "peers": run_peers}[given.what](loaded, given)
