"""The spine: one explanation, from a text to weights, in the ten steps in which the method is described.

What is explained is a subject (`smile.subjects`), here an editor's edits of a picture; everything a step computes is in its
own file of `smile.method`. Here one sees that the steps are done, in which order, and on which outcomes.
"""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np

from smile.errors import InputError
from smile.explanation import BaseExplanation, Explanation
from smile.method import analysis, design, group_sequential, kernel, schedule
from smile.method.units import Units
from smile.options import Options, count_permutations, takes_options
from smile.subjects.beside import Beside
from smile.subjects.edits import Edits
from smile.subjects.subject import INPUT, Key, Reference, Subject

Kind = TypeVar("Kind", bound=BaseExplanation)


@takes_options
def explain(image, instruction: str, editor, *, embedder=None, region=None, cache=None, **options) -> Explanation:
    """The finished explanation; the last item of `explain_stream`, which says what may be given and what is raised."""
    stream = explain_stream(image, instruction, editor, embedder=embedder, region=region, cache=cache, **options)
    return deque(stream, maxlen=1)[0]


@takes_options
def explain_stream(
    image, instruction: str, editor, *, embedder=None, region=None, cache=None, **options
) -> Iterator[Explanation]:
    """Explain which words of `instruction` made `editor` change `image` as it did; yield after each batch.

    The first item comes after the first edit, the one of the full instruction. All but the last are `provisional`.
    Close the iterator to stop; the item last received is a valid explanation of the edits made so far.

    - image: a path, PIL image or array (`smile.io.images.open_picture`).
    - editor: a name for `load_editor`, or any object with `edit` (`smile.models.protocols`).
    - embedder: any object with `embed`, or weights for `load_embedder`; by default DINOv2.
    - region: the part that may change, white on black, for editors that take one.
    - cache: a folder or a `smile.models.cache.Cache`, from which edits made before are taken, and into which new ones go.
    - options: those of `smile.options.Options`, listed below.

    Raises InputError, before the first edit where possible, for anything the caller can put right, and when the edit of
    the full instruction fails, because then there is nothing to compare with.
    """
    subject = Edits(image, editor, embedder=embedder, region=region, cache=cache)
    yield from explain_subject(subject, instruction, Options.of(options), Explanation)


def explain_subject(subject: Subject, text: str, options: Options, make: type[Kind]) -> Iterator[Kind]:
    """The ten steps on any subject, whose results `make` holds; yields and raises as `explain_stream`."""
    settings, began = options.settings(), time.perf_counter()

    # 1. Units.
    units = subject.split(text, settings)

    # 2. Design.
    k, adaptive = len(units.names), options.smallest_effect is not None
    mask = design.plan_rows(k, settings["edits"], settings["design"], options.seed, blocks=adaptive)
    settings |= {
        "edits": len(mask),
        "design_description": design.describe(k, len(mask), settings["design"]),
        "permutations": options.permutations or count_permutations(k),
        "looks": group_sequential.planned(design.default_edits(k), len(mask)) if adaptive else None,
    }
    subject.prepare(units, settings)  # loads the models, now that the rest is known to be right

    # 3. Outcomes, all of a block from the same noise. 4. Embedding.
    run = _Run(subject, units, mask, settings, make, began)
    stages = schedule.plan_batches(run.texts, settings["looks"], run.seeds, run.noise_seeds, subject.batch_size)
    run.total = sum(len(texts) for batches in stages for _, texts in batches)
    for stage, batches in enumerate(stages):
        for number, (seed, texts) in enumerate(subject.run(batches), start=1):
            if seed in run.seeds and texts[0] == run.texts[0] and subject.outcomes[seed, texts[0]] is None:
                raise InputError(subject.nothing_to_compare)
            settled = run.settle_noise(seed)
            look = settled or number == len(batches)
            explanation = run.explain(provisional=not look or stage < len(stages) - 1)
            if look and explanation.provisional and not explanation.undecided.any():
                explanation = run.explain(provisional=False)
            if explanation.provisional:
                yield explanation
            if settled:
                break
        if not explanation.provisional:
            break
    # Besides, never rows of the test: each word alone left out, and what confirms what was found.
    further = run.beside.plan_batches(explanation)
    run.total = len(subject.outcomes) + sum(len(texts) for _, texts in further)
    for _ in subject.run(further):
        yield run.explain(provisional=len(subject.outcomes) < run.total)
    if not further:
        yield run.explain(provisional=False) if run.beside.rows else replace(explanation, total=run.total)


class _Run(Generic[Kind]):
    """The rows of the design, and what the outcomes made so far say of them."""

    def __init__(self, subject: Subject, units: Units, mask: np.ndarray, settings: dict, make: type[Kind], began: float):
        self.subject, self.units, self.mask, self.make = subject, units, mask, make
        self.texts = [units.perturb(row) for row in mask]
        first, noise = settings["seed"], settings["seed"] + settings["seeds"]
        self.seeds, self.noise_seeds = range(first, noise), range(noise, noise + settings["noise_seeds"])
        how = (settings[name] for name in ("locality", "kernel", "sigma"))
        self.locality, used = kernel.weigh_texts(mask, lambda: subject.embed_tokens(self.texts), *how)  # (N,)
        self.readings, self.settings = subject.read_texts(self.texts), settings | used
        self.beside = Beside(subject, units, mask, self.seeds, settings)
        self.total, self.seconds, self.began = 0, 0.0, began

    def settle_noise(self, seed: int) -> bool:
        """Whether this was another seed that changed nothing, so that further ones would tell nothing: they are left out."""
        first, rest = self.noise_seeds[:1], self.noise_seeds[1:]
        if seed not in first or not rest or not self.subject.are_same((seed, self.texts[0]), (self.seeds[0], self.texts[0])):
            return False
        self.noise_seeds, self.settings["noise_seeds"], self.total = first, len(first), self.total - len(rest)
        return True

    def explain(self, provisional: bool) -> Kind:
        """Steps 5 to 10 on the outcomes made so far. Maps are made once, at the end."""
        began = time.perf_counter()
        every = [(b, row, (seed, text)) for b, seed in enumerate(self.seeds) for row, text in enumerate(self.texts)]
        made = [each for each in every if each[2] in self.subject.outcomes]
        blocks, rows = np.array([each[:2] for each in made]).T
        keys, mask = [key for _, _, key in made], self.mask[rows]
        full: list[Key] = [(self.seeds[b], self.texts[0]) for b in blocks]
        references: list[Reference] = [INPUT] * len(keys) if self.settings["reference"] == INPUT else [*full]

        # 5. Distance, from the reference and from the outcome of the full text.
        distances, from_full = (self.subject.measure_distances(keys, origin) for origin in (references, full))

        # 6. Noise floor: the full text under other seeds, always measured from the full text's outcome.
        noise_keys: list[Key] = [key for seed in self.noise_seeds if (key := (seed, self.texts[0])) in self.subject.outcomes]
        floors = (self.subject.measure_distances(noise_keys, [key] * len(noise_keys)) for key in dict.fromkeys(full))
        noise_distances = np.concatenate(list(floors))

        # 7. Locality.
        weight = self.locality[rows]

        # 8. Surrogate: responses, weights, intervals, p-values. 9. Where. 10. Trust: the surrogate's fidelity.
        texts = [self.texts[row] for row in rows]
        outcomes = analysis.number_outcomes(blocks, [self.readings[row] for row in rows])
        extra, extra_keys = self.beside.collect()
        measured: dict[str, Any] = {"mask": mask, "blocks": blocks, "locality_weights": weight, "distances": distances}
        measured |= {"distances_from_full": from_full, "noise_distances": noise_distances, "provisional": provisional}
        seen: dict[str, Any] = {"appearance": self.subject.show(keys), "outcomes": outcomes, "extra": extra}
        results = analysis.analyse(settings=self.settings, **measured, **seen)

        self.seconds += time.perf_counter() - began
        return self.make(
            instruction=self.units.text,
            words=self.units.names,
            texts=texts,
            outcomes=outcomes,
            **{f"extra_{name}": values for name, values in extra._asdict().items() if name != "appearance"},
            **(measured | results),
            settings=self.settings | self.subject.describe(),
            seconds=self.subject.seconds | {"fit": self.seconds, "total": time.perf_counter() - self.began},
            failed=sum(outcome is None for outcome in self.subject.outcomes.values()),
            done=len(self.subject.outcomes),
            total=self.total,
            **self.subject.collect(keys, noise_keys, extra_keys),
        )
