"""In which order and in which batches outcomes are made."""

from itertools import pairwise

Batch = tuple[int, list[str]]  # (seed, texts)


def split_by_seed(keys: list[tuple[int, str]], batch_size: int) -> list[Batch]:
    """The batches of these outcomes (seed, text), each of one seed."""
    texts: dict[int, list[str]] = {}
    for seed, text in keys:
        texts.setdefault(seed, []).append(text)
    return [(seed, some[i : i + batch_size]) for seed, some in texts.items() for i in range(0, len(some), batch_size)]


def plan_batches(
    texts: list[str], looks: list[int] | None, seeds: range, noise_seeds: range, batch_size: int
) -> list[list[Batch]]:
    """The batches (seed, texts) up to the first look at the results, up to the next, and so on.

    First the full text (row 0) alone, so that one sees something soon, then the rest; the other seeds in the same way; then
    the full text under the noise seeds. No text comes twice under a seed. `looks` are numbers of rows, rising, or None
    for a single look at the end.
    """

    def split(block, some):
        return [(block, some[start : start + batch_size]) for start in range(0, len(some), batch_size)]

    looks = looks or [len(texts)]
    full, *rest = dict.fromkeys(texts[: looks[0]])
    first = [batch for block in seeds for batch in [(block, [full]), *split(block, rest)]]
    first += [(other, [full]) for other in noise_seeds]
    further = [dict.fromkeys(texts[start:end]) for start, end in pairwise(looks)]
    before = [set(texts[:start]) for start in looks]
    new = ([text for text in some if text not in had] for some, had in zip(further, before, strict=False))
    return [first, *(split(seeds[0], some) for some in new)]
