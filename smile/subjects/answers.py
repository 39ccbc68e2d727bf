"""Answers to one prompt, as a subject: a language model writes them, and says how likely the original answer still is.

Where the model says so, the outcome of a perturbed prompt is the log-probability that it gives each token of the original
answer, and the answer that it writes itself is only shown. Where it only writes, an embedder says how far answers are apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from smile.errors import InputError
from smile.method import design, distance, likelihood, prompts
from smile.method.schedule import Batch
from smile.method.segments import Original
from smile.method.units import Units, regroup
from smile.models import protocols
from smile.models.language_models import ensure_language_model
from smile.models.text_embedders import ensure_text_embedder
from smile.subjects.subject import INPUT, Key, Reference, measure_time

LIKELIHOOD = "likelihood"
BATCH = 16  # prompts at a time, where the model does not say


@dataclass(frozen=True)
class Outcome:
    """What one prompt made."""

    text: str | None  # the answer that the model wrote; None where it wrote none
    log_probs: np.ndarray | None = None  # (t,) of the tokens of the original answer, in nat


class Answers:
    """What `language_model` answers to a prompt (see `smile.subjects.subject.Subject`). Nothing is loaded before `prepare`.

    - language_model: a name for `load_language_model`, or any object with `write`, and `score` if it can.
    - embedder: any object with `embed`, “minilm”, a folder, or None for `WordEmbedder`; used where there is no `score`, or a
      distance of embeddings is asked for.
    - units, within: as `smile.method.prompts.split_prompt` takes them.
    - segments: the parts of the answer, as `smile.method.prompts.find_segments` takes them.
    """

    def __init__(self, language_model, *, embedder=None, units="auto", within=None, segments="auto"):
        self._given, self._units, self._segments = (language_model, embedder), (units, within), segments
        prompts.find_segments("", segments)  # raises for a name that is none
        self.outcomes: dict[Key, Outcome | None] = {}
        self.originals: dict[int, Original] = {}  # by seed
        self.seconds = {"answers": 0.0, "scores": 0.0, "embedding": 0.0}
        self._embedded: dict[Key, np.ndarray] = {}

    def split(self, text: str, settings: dict[str, Any]) -> Units:
        """The prompt in its units, and how many prompts are asked unless somebody says otherwise. Raises InputError."""
        units = regroup(prompts.split_prompt(text, *self._units), settings["join"], settings["hold"])
        if settings["edits"] is None and settings["smallest_effect"] is None:
            settings["edits"] = design.default_prompts(len(units.names))
        return units

    def prepare(self, units: Units, settings: dict[str, Any]) -> None:
        """Load the model and, where it is needed, the embedder. Raises InputError."""
        model, embedder = self._given
        if settings["distance"] == "patches":
            raise InputError("Answers have no patches; choose wasserstein or cosine, or leave the distance out.")
        self.model = ensure_language_model(model)
        self.scored = settings["distance"] is None and callable(getattr(self.model, "score", None))
        protocols.check_prompts(self.model, [units.text])
        known = protocols.ask_known_words(self.model, units.names)
        self._known = {} if known is None else {"knows": known.what, "untaught": list(known.untaught)}
        self.embedder = None if self.scored else ensure_text_embedder(embedder)
        self.distance = LIKELIHOOD if self.scored else settings["distance"] or "cosine"
        if settings["reference"] == INPUT:
            raise InputError("An answer is compared with the answer to the full prompt; leave the reference out.")
        settings["reference"] = INPUT if self.scored else settings["reference"]
        if self.scored and settings["seeds"] > 1:
            self._segments = "whole"  # each seed has an answer of its own
        self._rows = settings["edits"]
        self.first, self.seeds = units.text, range(settings["seed"], settings["seed"] + settings["seeds"])

    @property
    def first_seed(self) -> int:
        """The seed whose answer is explained."""
        return self.seeds[0]

    @property
    def batch_size(self) -> int:
        """The model's own, or 16, and no less than a quarter of the rows: every batch is followed by a fit."""
        return max(getattr(self.model, "batch_size", BATCH), -(-self._rows // 4))

    @property
    def nothing_to_compare(self) -> str:
        """The sentence for when the full prompt has no answer."""
        return "The model gave no answer to the full prompt, so there is nothing to explain; try another prompt or seed."

    def run(self, batches: list[Batch]) -> Iterator[Batch]:
        """Ask, score and embed batch by batch."""
        for seed, texts in batches:
            with measure_time(self.seconds, "answers"):
                written = protocols.write_checked(self.model, texts, seed)
            made = dict(zip(texts, written, strict=True))
            if seed in self.seeds and self.first in made:
                self._settle_original(seed, made[self.first])
            scores: Sequence[np.ndarray | None] = [None] * len(texts)
            if self.scored and seed in self.originals:
                scores = list(self.score(texts, self.originals[seed].text))
                self._check_tokens(seed, scores[0])
            self.outcomes |= {
                (seed, text): None if made[text] is None and scored is None else Outcome(made[text], scored)
                for text, scored in zip(texts, scores, strict=True)
            }
            if self.embedder is not None:
                self._embed({(seed, text): answer for text, answer in made.items() if answer is not None})
            yield seed, texts

    def score(self, texts: list[str], answer: str, given: Sequence[str | None] | None = None) -> np.ndarray:
        """(N, t) log-probabilities of the tokens of `answer` after each prompt (and what is given of the answer before)."""
        with measure_time(self.seconds, "scores"):
            return protocols.score_checked(self.model, texts, answer, given)

    def ask_alone(self, texts: list[str]) -> tuple[list, np.ndarray]:
        """(what the model made of each prompt under the first seed, its distance (n,)): log-probabilities, or the answers of
        one that only writes. They are no rows of the design, so that `outcomes` has none of them."""
        seed, size = self.first_seed, self.batch_size
        known = {text: outcome for text in texts if (outcome := self.outcomes.get((seed, text))) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        for batch in (new[start : start + size] for start in range(0, len(new), size)):
            if self.scored:
                known |= {
                    t: Outcome(None, row) for t, row in zip(batch, self.score(batch, self.originals[seed].text), strict=True)
                }
                continue
            with measure_time(self.seconds, "answers"):
                answers = protocols.write_checked(self.model, batch, seed)
            known |= {text: Outcome(answer) for text, answer in zip(batch, answers, strict=True)}
            self._embed({(seed, text): answer for text, answer in zip(batch, answers, strict=True) if answer is not None})
        full: Key = (seed, self.first)
        if self.scored:
            distances = [1 - float(likelihood.measure_likelihood(known[text].log_probs)) for text in texts]
        else:
            distances = [self._measure((seed, text), full) for text in texts]
        return [known[text].log_probs if self.scored else known[text].text for text in texts], np.array(distances)

    def are_same(self, one: Key, other: Key) -> bool:
        """Whether two outcomes are equal: how likely a given answer is, no seed changes."""
        first, second = self.outcomes[one], self.outcomes[other]
        return first is not None and second is not None and (self.scored or first.text == second.text)

    def measure_distances(self, keys: list[Key], references: Sequence[Reference]) -> np.ndarray:
        """(n,) distance >= 0 of each outcome from its reference, NaN for a failed one."""
        return np.array([self._measure(key, reference) for key, reference in zip(keys, references, strict=True)])

    def show(self, keys: list[Key]) -> np.ndarray | None:
        """(n, S, 1) how much of each segment of the original answer stays, in [0, 1]: its likelihood, or the share of its words
        in the answer. NaN for a failed one."""
        return np.array([self.measure_segments(key) for key in keys])[..., None]

    def measure_segments(self, key: Key) -> np.ndarray:
        """(S,) as `show`, of one outcome."""
        original, outcome = self.originals[key[0] if self.scored else self.seeds[0]], self.outcomes[key]
        return original.share(None) if outcome is None else original.share(outcome.text or "", outcome.log_probs)

    def read_texts(self, texts: list[str]) -> list[str]:
        """The prompts themselves: a language model reads every sign."""
        return texts

    def embed_tokens(self, texts: list[str]) -> list[np.ndarray] | None:
        """Token embeddings of each prompt, of the model, or of the embedder, where one gives them."""
        source = next((each for each in (self.model, self.embedder) if hasattr(each, "token_embeddings")), None)
        tokens = None if source is None else {text: np.asarray(source.token_embeddings(text)) for text in dict.fromkeys(texts)}
        return None if tokens is None else [tokens[text] for text in texts]

    def describe(self) -> dict[str, Any]:
        """Model, embedder, distance, units and segments, and what the model's weights know."""
        names = {"units": self._units[0], "within": self._units[1], "segments": self._segments, "distance": self.distance}
        embedder = None if self.embedder is None else str(getattr(self.embedder, "name", type(self.embedder).__name__))
        return names | {"embedder": embedder} | protocols.describe_language_model(self.model) | self._known

    def collect(self, keys: list[Key], noise_keys: list[Key], extra_keys: list[Key]) -> dict[str, Any]:
        """The answers of an `AnswerExplanation`."""
        outcomes = [self.outcomes[key] for key in keys]
        originals = [self.originals[seed] for seed in self.seeds if seed in self.originals]
        return {
            "answers": [None if outcome is None else outcome.text for outcome in outcomes],
            "extra_answers": [None if (outcome := self.outcomes[key]) is None else outcome.text for key in extra_keys],
            "noise_answers": [None if (outcome := self.outcomes[key]) is None else outcome.text for key in noise_keys],
            "log_probs": [None if outcome is None else outcome.log_probs for outcome in outcomes] if self.scored else None,
            "tokens": [original.tokens for original in originals] if self.scored else None,
        }

    def _settle_original(self, seed: int, answer: str | None) -> None:
        if answer is None:
            raise InputError(self.nothing_to_compare)
        if not answer.strip():
            raise InputError(
                "The model's answer to the full prompt is empty, so there is nothing to explain; try another prompt."
            )
        self.originals[seed] = Original.divide(answer, self._segments)

    def _check_tokens(self, seed: int, scores: np.ndarray | None) -> None:
        """Divide the answer into tokens and segments, once it is known how many tokens have scores."""
        original = self.originals[seed]
        if scores is None or len(original.of):
            return
        tokens = protocols.split_checked(self.model, original.text) if hasattr(self.model, "split") else []
        if tokens and len(tokens) != len(scores):
            raise InputError("The language model splits its answer into more or fewer tokens than it scores.")
        self.originals[seed] = Original.divide(original.text, self._segments, tokens, len(scores))

    def _share(self, key: Key) -> float:
        outcome = self.outcomes[key]
        log_probs = None if outcome is None else outcome.log_probs
        return np.nan if log_probs is None else float(likelihood.measure_likelihood(log_probs))

    def _measure(self, key: Key, reference: Reference) -> float:
        if self.scored and key[0] not in self.originals:  # another seed: the answer that is explained is as likely as before
            return np.nan if self.outcomes[key] is None else 0.0
        if self.scored:
            share = self._share(key)
            return 1 - share if isinstance(reference, str) else abs(share - self._share(reference))
        if key not in self._embedded or reference not in self._embedded:
            return np.nan
        one, other = self._embedded[key], self._embedded[reference]
        return (
            0.0 if np.array_equal(one, other) else float(distance.to_reference(self.distance, one[None], None, other, None)[0])
        )

    def _embed(self, answers: dict[Key, str]) -> None:
        if not answers or self.embedder is None:
            return
        with measure_time(self.seconds, "embedding"):
            vectors, _ = self.embedder.embed(list(answers.values()))
        vectors = np.asarray(vectors, float)
        if vectors.ndim != 2 or len(vectors) != len(answers) or not np.isfinite(vectors).all():
            raise InputError(f"The embedder's vectors must be finite, (N, d) with N = {len(answers)}, not {vectors.shape}.")
        self._embedded |= dict(zip(answers, vectors, strict=True))
