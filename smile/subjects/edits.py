"""Edits of one picture, as a subject: an editor makes them, an embedder says how far apart they are."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from smile.errors import InputError
from smile.io.images import average_all_cells, open_picture
from smile.method import distance, units
from smile.method.schedule import Batch
from smile.models import protocols
from smile.models.cache import ensure_cache
from smile.models.caching_editor import CachingEditor
from smile.models.editors import ensure_editor
from smile.models.embedders import ensure_embedder
from smile.options import DEFAULT_DISTANCE
from smile.subjects.subject import INPUT, Key, Reference, measure_time


class Edits:
    """What `editor` makes of `image` (see `smile.subjects.subject.Subject`). Nothing is opened or loaded before `prepare`.

    - image: a path, PIL image or array (`smile.io.images.open_picture`).
    - editor: a name for `load_editor`, or any object with `edit`.
    - embedder: any object with `embed`, or weights for `load_embedder`; by default the one that suits the editor.
    - region: the part that may change, white on black, for editors that take one.
    - cache: a folder or a `smile.models.cache.Cache` for edits made before; None for none.
    """

    def __init__(self, image, editor, *, embedder=None, region=None, cache=None):
        self._given = image, editor, embedder, region, cache
        self.outcomes: dict[Key, Image.Image | None] = {}
        self.seconds = {"edits": 0.0, "embedding": 0.0}
        self._embedded: dict[Reference, tuple] = {}  # (vector (d,), patches (p, d) or None)
        self._cells: dict[Key, np.ndarray] = {}  # (rows, columns, 3)
        self._distances: dict[tuple, float] = {}  # (outcome, reference) -> distance

    def split(self, text: str, settings: dict[str, Any]) -> units.Units:
        """The words of an instruction, joined and held as the settings say. Raises InputError."""
        return units.split_instruction(text, settings["join"], settings["hold"])

    def prepare(self, words: units.Units, settings: dict[str, Any]) -> None:
        """Open the picture, load what has to be loaded, and check that they suit each other. Raises InputError."""
        image, editor, embedder, region, cache = self._given
        picture = open_picture(image)
        editor = ensure_editor(editor)
        self.editor = editor if cache is None else CachingEditor(editor, ensure_cache(cache))
        _check_length(words.text, self.editor)
        self.picture, self.region = protocols.fit_inputs(self.editor, picture, region)
        self.embedder = ensure_embedder(embedder, self.editor)
        self._known = protocols.describe_known(protocols.ask_known(self.editor, self.picture, words.names))
        self._distance = settings["distance"]
        self._embed({INPUT: self.picture})  # before the first edit, to hear what is wrong with the embedder

    @property
    def batch_size(self) -> int:
        """The editor's own, or 8."""
        return getattr(self.editor, "batch_size", protocols.BATCH)

    @property
    def nothing_to_compare(self) -> str:
        """The sentence for when the edit of the full instruction failed."""
        reason = getattr(self.editor, "failure", "")
        return (
            "The edit of the full instruction failed or was blocked, so there is nothing to compare with; "
            f"try another seed, picture or instruction.{f' {reason}' if reason else ''}"
        )

    def run(self, batches: list[Batch]) -> Iterator[Batch]:
        """Edit and embed batch by batch. Raises InputError where edits differ in size."""
        made = protocols.edit_batches(self.editor, self.picture, batches, self.region)
        for seed, texts in batches:
            with measure_time(self.seconds, "edits"):
                images = next(made)
            known = next((edit.size for edit in self.outcomes.values() if edit is not None), None)
            if len({image.size for image in images if image is not None} | ({known} if known else set())) > 1:
                raise InputError("The editor returned pictures of different sizes, which cannot be compared place by place.")
            edits = {(seed, text): image for text, image in zip(texts, images, strict=True)}
            self.outcomes |= edits
            self._embed({key: image for key, image in edits.items() if image is not None})
            yield seed, texts

    def are_same(self, one: Key, other: Key) -> bool:
        """Whether two edits are equal in every pixel; False where one failed."""
        first, second = self.outcomes[one], self.outcomes[other]
        return first is not None and second is not None and first.tobytes() == second.tobytes()

    def measure_distances(self, keys: list[Key], references: Sequence[Reference]) -> np.ndarray:
        """(n,) distance >= 0 of each edit from its reference, NaN for a failed one. Nothing is measured twice."""
        for pair in dict.fromkeys(zip(keys, references, strict=True)):
            key, reference = pair
            if pair not in self._distances and self.outcomes[key] is not None:
                (vector, patches), (reference_vector, reference_patches) = self._embedded[key], self._embedded[reference]
                clouds = None if patches is None else patches[None]
                found = distance.to_reference(self._distance, vector[None], clouds, reference_vector, reference_patches)
                self._distances[pair] = found[0]
        return np.array([self._distances.get(pair, np.nan) for pair in zip(keys, references, strict=True)])

    def show(self, keys: list[Key]) -> np.ndarray | None:
        """(n, rows, columns, 3) mean colours in [0, 1] of the cells of each edit, NaN for a failed one."""
        new = [key for key in dict.fromkeys(keys) if key not in self._cells]
        if new:  # the edit of the full instruction comes first, so that there is a picture to know the shape by
            self._cells |= dict(zip(new, average_all_cells([self.outcomes[key] for key in keys[:1] + new])[1:], strict=True))
        return np.array([self._cells[key] for key in keys])

    def read_texts(self, texts: list[str]) -> list[str]:
        """What the editor reads of each text."""
        return protocols.read_checked(self.editor, texts)

    def embed_tokens(self, texts: list[str]) -> list[np.ndarray] | None:
        """The editor's own token embeddings of each text, where it gives them."""
        if not hasattr(self.editor, "token_embeddings"):
            return None
        tokens = {text: np.asarray(self.editor.token_embeddings(text)) for text in dict.fromkeys(texts)}
        return [tokens[text] for text in texts]

    def describe(self) -> dict[str, Any]:
        """Editor, embedder, distance, region and size, and what the editor's weights know."""
        own = {"region": self.region is not None, "size": list(self.picture.size), "distance": self._distance}
        return own | protocols.describe_models(self.editor, self.embedder) | self._known

    def collect(self, keys: list[Key], noise_keys: list[Key], extra_keys: list[Key]) -> dict[str, Any]:
        """The pictures of an `Explanation`."""
        return {
            "image": self.picture,
            "region": self.region,
            "edits": [self.outcomes[key] for key in keys],
            "noise_edits": [self.outcomes[key] for key in noise_keys],
            "extra_edits": [self.outcomes[key] for key in extra_keys],
        }

    def _embed(self, images: dict) -> None:
        if not images:
            return
        with measure_time(self.seconds, "embedding"):
            vectors, patches = protocols.embed_checked(self.embedder, list(images.values()))
        clouds = [None] * len(vectors) if patches is None else patches
        embedded = dict(zip(images, zip(vectors, clouds, strict=True), strict=True))
        shapes = {(v.shape, None if p is None else p.shape) for v, p in [*self._embedded.values(), *embedded.values()]}
        if len(shapes) > 1:
            raise InputError("The embedder must return vectors and patches of the same length for all pictures.")
        self._embedded |= embedded
        self._distance = self._distance or ("wasserstein" if patches is None else DEFAULT_DISTANCE)


def _check_length(instruction: str, editor) -> None:
    """Raise InputError, naming the words that would be lost, where the editor's token limit truncates the instruction."""
    lost = editor.lost_words(instruction) if hasattr(editor, "lost_words") else []
    if lost:
        raise InputError(f"The instruction is longer than this editor reads; it would lose “{' '.join(lost)}”, so shorten it.")
