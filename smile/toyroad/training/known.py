"""What the bundled weights know, written down beside them: `python -m smile.toyroad.training.known`.

The words are those of the instructions and captions that the editors were trained on, and of the prompts of the
language model, with the fillers that no sentence of English does without; other fillers ("elephant", "not") were shown
to them, but never with a meaning. The pictures are described by the mean and the covariance of the embedder's features
of drawn scenes; the threshold is a quantile over other scenes. `tests/benchmarks/unlike.py` measures false alarms and
misses.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from smile import load_embedder
from smile.io.atomic import write_file
from smile.models.known import PICTURES, TOKEN, WORDS, describe_pictures, measure_features
from smile.toyroad import captions, grammar, questions
from smile.toyroad.scene import draw, random_scene
from smile.toyroad.training.data import FILLERS

DRAWN, JUDGED = 3000, 2000  # scenes for the covariance, and for the threshold
SEEDS = 30_000_000, 31_000_000  # first parts of their seeds; neither training nor `smile.toyroad.cases` has these
QUANTILE = 0.998
SMALLEST = 1e-4  # of the largest variance; smaller ones are noise of the covariance
TOGETHER = 50  # scenes in memory
# Of the fillers those without a thing, a look or a negation of their own: whoever writes them asks for nothing by them.
FUNCTION = frozenset(
    """about again all also always an any are as away back be because but by could down even every from has have he his how if
    into is it its keep like look many maybe much my near now of off on only or our out over quite really same she so some soon
    still that the them there these they this those to today too under up us very way we well what when where which who with
    would yes you your image photo photograph picture scene view""".split()
)


def list_words() -> dict[str, list[str]]:
    """The words that were taught, by what the weights expect: "instruction", "caption" or, of the language model, "prompt"."""
    states = [phrase for values in grammar.STATE_PHRASES.values() for phrases in values.values() for phrase in phrases]
    clauses = [*grammar.COLOUR_PHRASES, *grammar.ADD_PHRASES, *grammar.REMOVE_PHRASES]
    around = [*grammar.NEUTRAL_PHRASES, *grammar.BEFORE, *grammar.AFTER, "and"]
    seasons = [phrase for values in captions.PHRASES.values() for phrases in values.values() for phrase in phrases]
    described = [*captions.SUBJECTS, *captions.COLOURED, *seasons]
    said = [*questions.NEUTRAL, *questions.THEN, *sum((*questions.STATEMENTS.values(), *questions.QUESTIONS.values()), ())]
    filled = [text.format(value="", whom="") for text in said] + [*questions.THINGS, *questions.COLOURS, *questions.NAMES]
    asked = [*filled, *questions.WORDS, *questions.STATES, *questions.SKIPPED, "colour color"]
    common = {*grammar.STATES, *grammar.COLOURS, *(FUNCTION & {*FILLERS})}
    return {
        "instruction": sorted(common | grammar.MEANINGFUL | _split([*states, *clauses, *around])),
        "caption": sorted(common | {"car"} | _split(described)),
        "prompt": sorted((FUNCTION & {*FILLERS}) | {*TOKEN.findall(" ".join(asked).casefold())}),
    }


def _split(phrases: Iterable[str]) -> set[str]:
    return {word for phrase in phrases for word in phrase.split() if word.isalpha()}


def describe_scenes(embedder, first: int, count: int) -> np.ndarray:
    """(count, f) features of drawn scenes with the seeds (first, 0), (first, 1), ..."""
    parts = [describe_pictures(embedder, pictures) for pictures in draw_scenes(first, count)]
    return np.concatenate(parts)


def draw_scenes(first: int, count: int) -> Iterator[list[Image.Image]]:
    """The scenes, some at a time."""
    for start in range(0, count, TOGETHER):
        numbers = range(start, min(start + TOGETHER, count))
        yield [draw(random_scene(np.random.default_rng((first, number)))) for number in numbers]


def fit_pictures(embedder) -> dict[str, np.ndarray]:
    """mean (f,), whitening (f, f) and the threshold, all float32."""
    features = describe_scenes(embedder, SEEDS[0], DRAWN)
    mean = features.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(features.T))
    whitening = axes / np.sqrt(np.maximum(variances, SMALLEST * variances.max()))
    limit = np.quantile(measure_features(describe_scenes(embedder, SEEDS[1], JUDGED), mean, whitening), QUANTILE)
    return {name: np.float32(values) for name, values in (("mean", mean), ("whitening", whitening), ("limit", limit))}


def write_words() -> dict[str, list[str]]:
    """Write the words down, and return them."""
    words = list_words()
    write_file(WORDS, json.dumps(words, indent=1) + "\n")
    return words


def main() -> None:
    words = write_words()
    fitted = fit_pictures(load_embedder("bundled", "cpu"))
    np.savez(data := io.BytesIO(), mean=fitted["mean"], whitening=fitted["whitening"], limit=fitted["limit"])
    write_file(PICTURES, data.getvalue())
    counts = ", ".join(f"{len(each)} words of {kind}s" for kind, each in words.items())
    print(f"{counts}; {DRAWN} scenes, threshold {fitted['limit']:.3f} ({QUANTILE} of {JUDGED} others)")


if __name__ == "__main__":
    main()
