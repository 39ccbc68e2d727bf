"""The seam between the spine and what is explained: the ten steps on a subject that is neither picture nor model."""

import numpy as np
import pytest

from smile import InputError
from smile.explain import explain_subject
from smile.explanation import Explanation
from smile.method.units import split_instruction
from smile.options import Options

WORTH = {"snow": 3.0, "night": 1.0}


class Sentences:
    """The outcome of a text is how often each of its words counts; "snow" counts 3 times, "night" once, the rest nothing."""

    batch_size = 5
    nothing_to_compare = "There is nothing to compare with."

    def __init__(self, fail=()):
        self.outcomes, self.seconds, self.fail, self.asked = {}, {"edits": 0.0, "embedding": 0.0}, set(fail), []

    def split(self, text, settings):
        return split_instruction(text)

    def prepare(self, units, settings):
        self.units = units

    def run(self, batches):
        for seed, texts in batches:
            self.asked.append((seed, texts))
            rng = np.random.default_rng(seed)
            made = [np.array([WORTH.get(word, 0.0) for word in text.split()]) + rng.normal(0, 0.01) for text in texts]
            self.outcomes |= {(seed, t): None if t in self.fail else m for t, m in zip(texts, made, strict=True)}
            yield seed, texts

    def measure_distances(self, keys, references):
        outcomes, pairs = self.outcomes, zip(keys, references, strict=True)
        return np.array([np.nan if outcomes[k] is None else abs(outcomes[k].sum() - outcomes[r].sum()) for k, r in pairs])

    def are_same(self, one, other):
        return bool((self.outcomes[one] == self.outcomes[other]).all())

    def show(self, keys):
        """Two parts: what snow does, and what night does."""
        return np.array([[["snow" in text, "night" in text]] for _, text in keys], float)[..., None]

    def read_texts(self, texts):
        return texts

    def embed_tokens(self, texts):
        return None

    def describe(self):
        return {"editor": "sentences", "embedder": "none", "distance": "sum", "region": False, "size": [0, 0]}

    def collect(self, keys, noise_keys, extra_keys):
        made = {"edits": keys, "noise_edits": noise_keys, "extra_edits": extra_keys}
        return {"image": None, "region": None} | {name: [self.outcomes[k] for k in some] for name, some in made.items()}


def run(text="make it snow at night", fail=(), **options):
    subject = Sentences(fail)
    return subject, list(explain_subject(subject, text, Options.of(options), Explanation))


def test_the_steps_run_on_any_subject():
    subject, steps = run(edits=32, locality="wmd")
    last = steps[-1]
    assert not last.provisional and all(step.provisional for step in steps[:-1])
    assert np.argsort(-np.abs(last.weights))[:2].tolist() == [2, 4]
    assert last.maps.shape == (5, 1, 2)
    assert last.maps[2, 0, 0] == pytest.approx(1) and last.maps[4, 0, 1] == pytest.approx(1)
    assert np.flatnonzero(last.significant).tolist() == [2, 4] and last.places.sum() == 2
    assert abs(last.maps[[0, 1, 3]]).max() < 1e-9
    assert last.settings["locality"] == "words" and last.settings["editor"] == "sentences"
    assert set(last.seconds) == {"edits", "embedding", "fit", "total"}


def test_the_full_text_comes_first_and_no_text_twice():
    subject, _ = run("snow snow night", seeds=2, noise_seeds=1)
    assert subject.asked[0] == (0, ["snow snow night"])
    asked = [(seed, text) for seed, texts in subject.asked for text in texts]
    assert len(asked) == len(set(asked)) and max(len(texts) for _, texts in subject.asked) <= 5
    assert [text for seed, text in asked if seed == 2] == ["snow snow night"]


def test_without_the_outcome_of_the_full_text_there_is_nothing_to_compare_with():
    with pytest.raises(InputError, match="nothing to compare"):
        run("snow", fail=["snow"])


def test_options_are_checked_before_a_subject_is_asked():
    subject = Sentences()
    with pytest.raises(InputError, match="at least"):
        next(explain_subject(subject, "make it snow at night", Options(edits=3), Explanation))
    with pytest.raises(InputError, match="empty"):
        next(explain_subject(subject, " ", Options(), Explanation))
    assert not subject.asked and not hasattr(subject, "units")
