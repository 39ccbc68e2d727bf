"""An editor that is asked only for edits that are not known yet: from an explanation, a cache, or earlier in the same run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from smile.models import protocols
from smile.models.cache import MISSING, Cache, Group

Key = tuple[int, str]  # (seed, text)
Batch = tuple[int, list[str]]  # (seed, texts)


class CachingEditor:
    """Any editor, for one picture and one region, asked for what is neither known nor in the cache. Whatever is not editing
    is the editor's own.

    `known`: edits by (seed, text). `served`: what was asked for beyond those. `made`: what the editor has made. `checks`: what
    it returns was checked and copied when it was made.
    """

    checks = True

    def __init__(self, editor: Any, cache: Cache | None = None, known: Mapping[Key, Image.Image | None] | None = None):
        self.editor, self.cache = editor, cache
        self.known: dict[Key, Image.Image | None] = dict(known or {})
        self.served: set[Key] = set()
        self.made: dict[Key, Image.Image | None] = {}
        self._known_at_first = frozenset(self.known)

    def edit(self, image: Any, texts: list[str], *, seed: int, region: Any = None) -> list[Image.Image | None]:
        """As in `smile.models.protocols.Editor`."""
        return next(self.edit_batches(image, [(seed, list(texts))], region=region))

    def edit_batches(self, image: Any, batches: Sequence[Batch], *, region: Any = None) -> Iterator[list[Image.Image | None]]:
        """The edits of each batch (seed, texts), as they are made.

        A batch of which nothing is known is made as it is, so that it comes out as without a cache. What is missing of
        others is put together to full batches, which cost less than many small ones.
        """
        cache = self.cache
        group = None if cache is None else cache.identify(self.editor, image, region)
        if cache is not None and group is not None:
            self._recall(cache, group, batches)
        missing = self._plan_batches(batches)
        coming = zip(missing, protocols.edit_batches(self.editor, image, missing, region), strict=True)
        for seed, texts in batches:
            while any((seed, text) not in self.known for text in texts):
                (made_seed, made_texts), edits = next(coming)
                for text, edit in zip(made_texts, edits, strict=True):
                    self.known[made_seed, text] = self.made[made_seed, text] = edit
                    if cache is not None and group is not None and (edit is not None or getattr(self.editor, "checker", None)):
                        cache.store(group, made_seed, text, edit)
            self.served |= {(seed, text) for text in texts} - self._known_at_first
            yield [self.known[seed, text] for text in texts]

    def _recall(self, cache: Cache, group: Group, batches: Sequence[Batch]) -> None:
        for key in {(seed, text) for seed, texts in batches for text in texts} - self.known.keys():
            edit = cache.find(group, *key)
            if edit is not MISSING:
                self.known[key] = edit

    def _plan_batches(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches that the editor must make, in the order in which they are needed."""
        size, planned, plan = getattr(self.editor, "batch_size", protocols.BATCH), set(self.known), []
        parts: dict[int, list[str]] = {}  # by seed, the last batch that was put together from parts
        for seed, texts in batches:
            missing = [text for text in dict.fromkeys(texts) if (seed, text) not in planned]
            planned |= {(seed, text) for text in missing}
            if missing and len(missing) == len(texts):
                plan.append((seed, missing))
                continue
            for text in missing:
                if len(parts.get(seed, [])) % size == 0:
                    parts[seed] = []
                    plan.append((seed, parts[seed]))
                parts[seed].append(text)
        return plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self.editor, name)
