"""The spine: one explanation, from picture and instruction to weights, in the order in which the method is described.

Everything a step does is in its own file; here one sees that they are done, in which order, and on which edits.
"""

import inspect
import time
from collections import deque
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.explanation import Explanation
from smile.io.images import open_picture
from smile.method import design as designs
from smile.method import distance as distances_
from smile.method import group_sequential
from smile.method import kernel as localities
from smile.method import maps as where
from smile.method import units as instructions
from smile.method.analysis import from_distances
from smile.models import protocols
from smile.models.cache import Reusing, as_cache
from smile.options import check, from_preset

DEFAULT_DISTANCE = "patches"  # where the embedder gives patches; "wasserstein" where it does not


def explain(image, instruction, editor, **options) -> Explanation:
    """The finished explanation; the last item of `explain_stream`, which has the options."""
    return deque(explain_stream(image, instruction, editor, **options), maxlen=1)[0]


def explain_stream(
    image,
    instruction: str,
    editor,
    *,
    embedder=None,
    edits: int | None = None,
    seed: int = 0,
    design: str = "balanced",
    distance: str | None = None,
    reference: str = "edit",
    locality: str = "wmd",
    sigma: float | str = "auto",
    surrogate: str = "linear",
    seeds: int = 1,
    noise_seeds: int = 4,
    permutations: int | None = None,
    smallest_effect: float | None = None,
    preset: str | None = None,
    region=None,
    cache=None,
) -> Iterator[Explanation]:
    """Explain which words of `instruction` made `editor` change `image` as it did; yield after each batch.

    The first item comes after the first edit, the one of the full instruction. All but the last are `provisional`.
    Close the iterator to stop; the item last received is a valid explanation of the edits made so far.

    - image: a path, PIL image or array (`smile.io.images.open_picture`).
    - editor: a name for `load_editor`, or any object with `edit` (see `smile.models.editors`).
    - embedder: any object with `embed(images) -> (vectors (N, d), patches (N, p, d) | None)`, or weights for
      `load_embedder`; by default DINOv2.
    - edits: rows of the design, the full instruction included; by default what the number of words needs, mostly 16.
    - seed: 0 to 2^32 - 1; the noise of every edit, the design's draw, and the permutations.
    - design: "balanced", "random" or "exhaustive" (`smile.method.design`).
    - distance: "patches", "wasserstein" or "cosine" (`smile.method.distance`).
    - reference: compare with the full-instruction "edit" or with the "input" picture.
    - locality: text distance, "wmd" (needs the editor's `token_embeddings`, else "words"), "words", or "none".
    - sigma: kernel width > 0, or "auto" (`smile.method.kernel.auto_sigma`).
    - surrogate: "linear", "ridge" or "bayesian" (`smile.method.surrogate`).
    - seeds: run the design under this many seeds, each a block with its own noise, reference and intercept.
    - noise_seeds: other seeds under which the full instruction is edited for the noise floor.
    - permutations: for the p-values; by default 999, or more where the instruction is long (100 for each word).
    - smallest_effect: add edits block by block (`smile.method.design.in_blocks`) and stop when every word is decided:
      significant, or its interval within this much of 0. `edits` is then the most that are made, by default four
      blocks. P-values and intervals hold although one has looked several times (`smile.method.group_sequential`).
    - preset: "paper" for the published procedure (30 edits unless `edits` says otherwise).
    - region: the part that may change, white on black, for editors that take one.
    - cache: a folder or a `smile.models.cache.Cache`, from which edits made before are taken, and into which new ones go.

    Raises InputError, before the first edit where possible, for anything the caller can put right, and when the edit of
    the full instruction fails, because then there is nothing to compare with.
    """
    began = time.perf_counter()
    options = {
        "edits": edits,
        "design": design,
        "distance": distance,
        "similarity": "largest",
        "locality": locality,
        "kernel": "gaussian",
        "sigma": sigma,
        "surrogate": surrogate,
    }
    options |= from_preset(preset, edits)
    options |= {"preset": preset, "seed": seed, "seeds": seeds, "reference": reference}
    options |= {"noise_seeds": noise_seeds, "permutations": permutations, "smallest_effect": smallest_effect, "looks": None}
    check(options)

    # 1. Words.
    words = instructions.words(instruction)

    # 2. Design.
    k = len(words)
    if smallest_effect is None:
        count = designs.planned_edits(k, options["edits"])
        mask = designs.choose(k, count, options["design"], seed)  # (N, k), row 0 the full instruction
    else:
        mask = designs.in_blocks(k, designs.planned_edits(k, options["edits"], blocks=True), seed)
        options["looks"] = group_sequential.planned(designs.default_edits(k), len(mask))
    texts = [instructions.perturbed(words, row) for row in mask]
    options["permutations"] = permutations or max(999, 100 * k)

    # The picture and the parts; models are loaded only now that the rest is known to be right.
    picture = open_picture(image)
    editor = protocols.as_editor(editor)
    editor = editor if cache is None else Reusing(editor, as_cache(cache))
    instructions.check_fits(words, editor)
    picture, region = protocols.seen(editor, picture, region)
    embedder = protocols.as_embedder(embedder, editor)

    # 7. Locality, which needs only the texts.
    locality_weights = _locality(options, mask, texts, editor)

    run = _Run(words, mask, texts, locality_weights, picture, region, embedder, options)
    run.settings |= protocols.described(editor, embedder) | {
        "edits": len(mask),
        "design_description": designs.describe(k, len(mask), options["design"]),
    }
    stages = _schedule(texts, options["looks"], seed, seeds, noise_seeds, getattr(editor, "batch_size", protocols.BATCH))
    run.total = sum(len(batch) for batches in stages for _, batch in batches)
    for stage, batches in enumerate(stages):
        made = protocols.edited_batches(editor, picture, batches, region)
        for number, (noise_seed, batch) in enumerate(batches):
            # 3. Edits, all of a block from the same noise. 4. Embedding.
            with run.timed("edits"):
                images = next(made)
            run.add(noise_seed, batch, images)
            # 5. to 10. Distance, noise floor, surrogate, where, trust.
            look = number == len(batches) - 1
            explanation = run.explanation(provisional=not look or stage < len(stages) - 1)
            if look and explanation.provisional and not explanation.undecided.any():
                run.total = len(run.images)
                explanation = run.explanation(provisional=False)
            explanation.seconds = run.seconds | {"total": time.perf_counter() - began}
            yield explanation
        if not explanation.provisional:
            return


explain.__signature__ = inspect.signature(explain_stream).replace(return_annotation=Explanation)


class _Run:
    """The edits made so far and what they say. An edit is known by (seed, text), so equal texts are one edit."""

    def __init__(self, words, mask, texts, locality_weights, picture, region, embedder, options):
        self.words, self.mask, self.texts, self.locality_weights = words, mask, texts, locality_weights
        self.picture, self.region, self.embedder = picture, region, embedder
        self.settings = options | {"region": region is not None, "size": list(picture.size)}
        self.images: dict[tuple[int, str], Image.Image | None] = {}
        self.embedded: dict = {}  # (seed, text) or "input" -> (vector (d,), patches (p, d) | None)
        self.measured: dict = {}  # (edit, reference) -> distance
        self.seconds = {"edits": 0.0, "embedding": 0.0, "fit": 0.0}
        self.total = 0
        if options["reference"] == "input":
            self._embed({"input": picture})

    def timed(self, what):
        return _Clock(self.seconds, what)

    def add(self, seed, texts, images):
        """Take in one batch of edits and embed those that succeeded."""
        if texts[0] == self.texts[0] and images[0] is None and seed in self._block_seeds():
            raise InputError(
                "The edit of the full instruction failed or was blocked, so there is nothing to compare with; "
                "try another seed, picture or instruction."
            )
        made = [image for image in (*self.images.values(), *images) if image is not None]
        if any(image.size != made[0].size for image in made):
            raise InputError("The editor returned pictures of different sizes, which cannot be compared place by place.")
        keys = [(seed, text) for text in texts]
        self.images |= dict(zip(keys, images, strict=True))
        self._embed({key: image for key, image in zip(keys, images, strict=True) if image is not None})

    def explanation(self, provisional: bool) -> Explanation:
        """Steps 5 to 10 on the edits made so far. Maps are made once, at the end."""
        with self.timed("fit"):
            return self._explanation(provisional)

    def _explanation(self, provisional):
        made = [
            (block, row, (seed, self.texts[row]))
            for block, seed in enumerate(self._block_seeds())
            for row in range(len(self.texts))
            if (seed, self.texts[row]) in self.images
        ]
        blocks, rows, keys = np.array([m[0] for m in made]), np.array([m[1] for m in made]), [m[2] for m in made]
        mask, weight = self.mask[rows], self.locality_weights[rows]
        full = [(self.settings["seed"] + block, self.texts[0]) for block in blocks]
        references = ["input"] * len(keys) if self.settings["reference"] == "input" else full

        # 5. Distance. 6. Noise floor: always measured from the full-instruction edit.
        distances, from_full = self._distances(keys, references), self._distances(keys, full)
        noise_keys = [(seed, self.texts[0]) for seed in self._noise_seeds() if (seed, self.texts[0]) in self.images]
        noise_distances = [self._distances(noise_keys, [origin] * len(noise_keys)) for origin in dict.fromkeys(full)]
        noise_distances = np.concatenate(noise_distances)

        # 5. Response. 6. Noise floor. 8. Surrogate, as soon as the edits tell the words apart. 10. Trust.
        measured = (distances, from_full, noise_distances)
        results = from_distances(mask, blocks, weight, *measured, self.settings, provisional)

        # 9. Where.
        maps, maps_p_values = None, None
        if results["fidelity"] and not provisional:
            usable = np.flatnonzero(np.isfinite(distances))
            patches = [self.embedded[keys[i]][1] for i in usable]
            grid = None if patches[0] is None else where.grid_of(self.embedder, len(patches[0]))
            if grid:
                origin = np.stack([self.embedded[references[i]][1] for i in usable])
                data = (mask[usable], np.stack(patches), origin, weight[usable], grid)
                maps, maps_p_values = where.word_maps(*data, seed=self.settings["seed"], blocks=blocks[usable])
        images = [self.images[key] for key in keys]
        noise_images = [self.images[key] for key in noise_keys]
        return Explanation(
            instruction=" ".join(self.words),
            words=list(self.words),
            **results,
            mask=mask,
            blocks=blocks,
            texts=[self.texts[row] for row in rows],
            distances=distances,
            locality_weights=weight,
            distances_from_full=from_full,
            noise_distances=noise_distances,
            settings=dict(self.settings),
            seconds={},
            failed=sum(image is None for image in self.images.values()),
            image=self.picture,
            region=self.region,
            edits=images,
            noise_edits=noise_images,
            maps=maps,
            maps_p_values=maps_p_values,
            provisional=provisional,
            done=len(self.images),
            total=self.total,
        )

    def _block_seeds(self):
        return range(self.settings["seed"], self.settings["seed"] + self.settings["seeds"])

    def _noise_seeds(self):
        first = self.settings["seed"] + self.settings["seeds"]
        return range(first, first + self.settings["noise_seeds"])

    def _embed(self, images: dict) -> None:
        if images:
            with self.timed("embedding"):
                vectors, patches = protocols.embedded(self.embedder, list(images.values()))
            patches = [None] * len(vectors) if patches is None else patches
            shapes = {(v.shape, p if p is None else p.shape) for v, p in [*self.embedded.values(), (vectors[0], patches[0])]}
            if len(shapes) > 1:
                raise InputError("The embedder must return vectors and patches of the same length for all pictures.")
            self.embedded |= dict(zip(images, zip(vectors, patches, strict=True), strict=True))
            self.settings["distance"] = self.settings["distance"] or ("wasserstein" if patches[0] is None else DEFAULT_DISTANCE)

    def _distances(self, keys, references) -> np.ndarray:
        """(n,) distance of each edit from its reference, NaN for a failed one. Nothing is measured twice."""
        for key, origin in dict.fromkeys(zip(keys, references, strict=True)):
            if (key, origin) not in self.measured and self.images[key] is not None:
                (vector, patches), (origin_vector, origin_patches) = self.embedded[key], self.embedded[origin]
                self.measured[key, origin] = distances_.to_reference(
                    self.settings["distance"],
                    vector[None],
                    None if patches is None else patches[None],
                    origin_vector,
                    origin_patches,
                )[0]
        return np.array([self.measured.get(pair, np.nan) for pair in zip(keys, references, strict=True)])


class _Clock:
    """Adds the time spent in a `with` block to a table."""

    def __init__(self, table, name):
        self.table, self.name = table, name

    def __enter__(self):
        self.began = time.perf_counter()

    def __exit__(self, *_):
        self.table[self.name] += time.perf_counter() - self.began


def _schedule(texts, looks, seed, seeds, noise_seeds, batch_size) -> list[list[tuple[int, list[str]]]]:
    """(noise seed, texts) of each batch up to the first look, up to the next, and so on: the full instruction alone, so that
    one sees something soon, then the rest; the other seeds in the same way; then the full instruction under the noise
    seeds. No text comes twice under a seed.
    """

    def batches(block, some):
        return [(block, some[start : start + batch_size]) for start in range(0, len(some), batch_size)]

    looks = looks or [len(texts)]
    full, *rest = dict.fromkeys(texts[: looks[0]])
    first = [batch for block in range(seed, seed + seeds) for batch in [(block, [full]), *batches(block, rest)]]
    first += [(other, [full]) for other in range(seed + seeds, seed + seeds + noise_seeds)]
    further = [dict.fromkeys(texts[start:end]) for start, end in pairwise(looks)]
    known = [set(texts[:start]) for start in looks]
    return [first, *(batches(seed, [t for t in some if t not in had]) for some, had in zip(further, known, strict=False))]


def _locality(options, mask, texts, editor) -> np.ndarray:
    """(N,) locality weights. Writes into `options` which text distance and width were really used."""
    if options["locality"] == "wmd" and not hasattr(editor, "token_embeddings"):
        options["locality"] = "words"
        options["locality_note"] = "this editor gives no token embeddings, so words are counted instead"
    if options["locality"] == "none":
        options["sigma"] = None
        return np.ones(len(mask))
    if options["locality"] == "wmd":
        tokens = {text: np.asarray(editor.token_embeddings(text)) for text in dict.fromkeys(texts)}
        distances = localities.wmd_distance([tokens[text] for text in texts], tokens[texts[0]])
    else:
        distances = localities.words_distance(mask)
    if options["sigma"] == "auto":
        options["sigma"] = localities.auto_sigma(distances)
    kernel = localities.paper_kernel if options["kernel"] == "paper" else localities.kernel
    return kernel(distances, options["sigma"])
