"""What the bundled weights know, and what of a picture and an instruction, or of a prompt, they never saw.

They know Toy Road: drawn road scenes, and the words of its grammar and captions. Both are written down beside the weights
by `python -m smile.toyroad.training.known`. The distance of a picture is the bundled embedder's: a Mahalanobis distance (Lee et
al. 2018, section 2.1, with one class) from drawn scenes, of the picture's vector and of how much its patches differ.
"""

import functools
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from smile.io.images import fit_picture
from smile.models.embedders import Dinov2Embedder, load_embedder
from smile.models.protocols import Known, embed_checked
from smile.paths import MODELS

KNOWS, ASKED = "drawn road scenes", "questions about described road scenes"  # editors, and the language model
WORDS, PICTURES = MODELS / "known-words.json", MODELS / "known-pictures.npz"
SIZE = 128  # pixels of the scenes' sides
FARTHEST = 99.0  # times the threshold; beyond, numbers say nothing more
TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def judge_inputs(picture: Image.Image, words: Sequence[str], expects: str = "instruction") -> Known:
    """What the bundled weights know, how far `picture` is from that, and which of `words` they were never taught.

    expects: "instruction" or "caption", as `smile.models.registry.Entry.expects` says of the weights.
    """
    return Known(KNOWS, measure_picture(picture), find_untaught(words, expects))


def judge_prompt(words: Sequence[str]) -> Known:
    """What the bundled language model knows, and which of the prompt's `words` it was never taught."""
    return Known(ASKED, untaught=find_untaught(words, "prompt"))


def find_untaught(words: Iterable[str], expects: str = "instruction") -> tuple[int, ...]:
    """The positions, from 0, of the words that the weights were never taught; case and punctuation do not matter. `expects` is
    "prompt" of the language model.

    A unit of several words counts where one of them does. Signs that are no punctuation, such as emoji, were never taught.
    """
    known = _read_words()[expects]
    return tuple(i for i, word in enumerate(words) if _is_untaught(word, known))


def _is_untaught(word: str, known: frozenset[str]) -> bool:
    text = unicodedata.normalize("NFKC", word).casefold()
    tokens = [token.replace("’", "'") for token in TOKEN.findall(text)]
    return not known.issuperset(tokens) or any(unicodedata.category(letter)[0] == "S" for letter in text)


def measure_picture(picture: Image.Image) -> float:
    """How far the picture is from drawn road scenes, in [0, 99] to two decimals; above 1 it is unlike them: 998 of 1,000 scenes
    are nearer."""
    mean, whitening, limit = _read_pictures()
    features = describe_pictures(_load_embedder(), [fit_picture(picture.convert("RGB"), SIZE)])
    far = measure_features(features, mean, whitening)[0] / limit
    return round(min(float(far), FARTHEST), 2)


def describe_pictures(embedder: Dinov2Embedder, pictures: list[Image.Image]) -> np.ndarray:
    """(N, 2d) of each picture: its vector, and the standard deviation of its patches over their places."""
    vectors, patches = embed_checked(embedder, pictures)
    assert patches is not None, "DINOv2 has patches"
    return np.concatenate([vectors, patches.std(axis=1)], axis=1)


def measure_features(features: np.ndarray, mean: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """(N,) root mean square of the whitened features (N, f); `whitening` is (f, f)."""
    return np.sqrt((((features - mean) @ whitening) ** 2).mean(axis=1))


@functools.cache
def _load_embedder() -> Dinov2Embedder:
    return load_embedder("bundled", "cpu")  # on any machine the same


@functools.cache
def _read_words() -> dict[str, frozenset[str]]:
    return {kind: frozenset(words) for kind, words in json.loads(WORDS.read_text(encoding="utf-8")).items()}


@functools.cache
def _read_pictures() -> tuple[np.ndarray, np.ndarray, float]:
    """(mean (f,), whitening (f, f), the threshold)."""
    with np.load(PICTURES) as held:
        return held["mean"].astype(float), held["whitening"].astype(float), float(held["limit"])
