"""Which words to leave out: the rows of `mask`.

A design is a bool array (N, k): `mask[i, j]` is True where perturbed instruction i contains word j. Row 0 is always
the full instruction. Four kinds:

- exhaustive: all 2^k subsets, taken whenever they fit.
- balanced: the two-level orthogonal array of least aliasing that fits. Where half or a quarter of all combinations fits,
  it is the regular fraction of largest resolution (Box & Hunter 1961): with resolution R, words are free of interactions
  of up to R - 2 words. Else it is made from a Hadamard matrix (Plackett & Burman 1946; Paley 1933), folded over (Box &
  Wilson 1951: the rows and their complements): a word's main effect is odd and every two-word interaction is even, so
  the first is free of the second; of the columns that are drawn, those that mix words least with interactions of three
  are taken (minimum moment aberration: Xu 2003). Every word is on in exactly half the rows. All of this holds before
  locality weights, which favour rows that keep many words.
- sparse: random rows in which each word is left out equally often, in one row of five. Where an answer rests on many words
  together, half of the words keep it in next to no row, and nothing is learned of them; this is the default for prompts.
- random: the published scheme (arXiv 2412.16277), unique Bernoulli(1/2) rows without the empty one.
"""

import operator

import numpy as np
from scipy.linalg import hadamard as sylvester

from smile.errors import InputError

KINDS = ("balanced", "sparse", "random", "exhaustive")
MAX_WORDS = 64
MAX_EDITS = 4096  # nobody waits for more, and it keeps every array here small
MAX_ORDER = 256
DEFAULT_EDITS = (16, 24)  # of up to 5 words, and of more
FEW = 5  # words of a prompt that needs no more rows than an instruction
LEFT_OUT = 0.2  # of the words, on average, in a row of the sparse design
BLOCKS = 4  # at most, where edits are added until one is sure
DRAWS = 50  # column choices tried per order until no two rows are alike


def choose(k, edits, kind="balanced", seed=0):
    """Return `mask` (N, k) bool: N = min(edits, 2^k) distinct rows, row 0 all True, the others in random order.

    k: number of words, 1 to 64. edits: how many edits may be made. The same arguments give the same rows. Raises
    InputError when a value is out of range or `edits` is fewer than `minimum_edits(k, kind)`.
    """
    k, edits = _checked(k, edits, kind)
    rng = np.random.default_rng(seed)
    if 2**k <= edits:
        rows = _rows(range(2**k), k)
    elif kind == "random":
        nonempty = [code + 1 for code in _sample(2**k - 2, edits - 1, rng)]  # neither empty nor full
        rows = _rows([2**k - 1, *nonempty], k)
    else:
        rows = (_sparse if kind == "sparse" else _balanced)(k, edits, rng)
    others = rows[~rows.all(axis=1)]
    return np.vstack([np.ones((1, k), bool), rng.permutation(others)])  # (N, k)


def in_blocks(k, edits, seed=0):
    """Return `mask` (N, k) bool, N = min(edits, 2^k), as `choose`, but in blocks of `default_edits(k)` rows, each balanced
    and free of two-word interactions by itself: one may stop after any of them. The first is what `choose` gives.
    Raises InputError as `choose`, and for fewer edits than the first block has.
    """
    first = default_edits(k)
    k, edits = _checked(k, planned_edits(k, edits, blocks=True), "balanced")
    rng = np.random.default_rng((seed, k))
    found = [choose(k, first, seed=seed)]
    while (there := sum(map(len, found))) < min(edits, 2**k):
        size = min(first, edits - there, 2**k - there)
        found.append(rng.permutation(_further(k, size, {_code(row) for block in found for row in block}, rng)))
    return np.vstack(found)


def minimum_edits(k, kind="balanced"):
    """The fewest edits with which `choose` works: enough rows to fit k weights, an intercept and some residual."""
    k = _checked_words(k)
    _checked_kind(kind)
    if kind == "exhaustive":
        return 2**k
    enough = k + 2 if kind in ("random", "sparse") else max(k + 2, _orders(k + 1)[0])
    return min(2**k, enough)


def default_edits(k):
    """All subsets of up to 4 words, 16 edits for 5, 24 for 6 to 12, and for more the smallest folded array.

    With 16 edits for 6 to 8 words, a truth in which three words act together makes other words look as if they acted: 24
    are what makes the test valid.
    """
    k = _checked_words(k)
    return min(2**k, max(DEFAULT_EDITS[k > 5], 2 * _orders(k)[0]))


def default_prompts(k):
    """How many prompts a language model is asked: of more than `FEW` words twice as many as edits are made, since a prompt has
    more words that do not matter."""
    return default_edits(k) * (1 if k <= FEW else 2)


def telling_edits(k):
    """The edits with which words that act only three together get a star, too: twice the default for 6 to 8 words, four times
    for more, all combinations of fewer."""
    return min(2**k, (2 if k <= 8 else 4) * default_edits(k))


def planned_edits(k, edits=None, blocks=False):
    """How many edits are made, or with `blocks` (`in_blocks`) at most: what is asked for, else what k words need, and no
    more than there are combinations. Raises InputError where `in_blocks` would."""
    first = default_edits(k)
    if blocks and edits is not None and edits < first:
        raise InputError(f"{edits} edits are less than the first block of {first}: ask for at least {first}.")
    return min(2**k, (BLOCKS * first if blocks else first) if edits is None else edits)


def plan_rows(k, edits, kind, seed, blocks=False):
    """`mask` (N, k) bool of `choose`, or with `blocks` of `in_blocks`; N is `planned_edits`."""
    count = planned_edits(k, edits, blocks)
    return in_blocks(k, count, seed) if blocks else choose(k, count, kind, seed)


def describe(k, edits, kind="balanced"):
    """One line for the reader: which array `choose(k, edits, kind)` uses and what it can tell apart."""
    k, edits = _checked(k, edits, kind)
    if 2**k <= edits:
        return f"exhaustive: all {2**k} combinations of the words"
    if kind == "random":
        return "random, as published: words and two-word interactions are partly mixed"
    if kind == "sparse" and _is_room(k, edits):
        return f"sparse: each word is left out in {round(LEFT_OUT * (edits - 1))} of {edits} rows"
    folded, size, resolution = 2 * _orders(k)[0], *_fraction(k, edits)
    if size:
        added = "" if edits == size else f", and {edits - size} more rows"
        share = "half" if size == 2 ** (k - 1) else "a quarter"
        return f"balanced, {share} of all combinations: free of interactions of up to {resolution - 2} words{added}"
    if edits < folded:
        return f"balanced, unfolded: ask for {folded} edits to be free of two-word interactions"
    if edits % 2:
        return "balanced, folded: free of two-word interactions but for one odd row (ask for an even number of edits)"
    return "balanced, folded: free of two-word interactions"


def hadamard(order):
    """A Hadamard matrix (order, order) of +1 and -1 with orthogonal columns, or None where we know no construction.

    Sylvester's for powers of two; Paley's two for q + 1 and 2 (q + 1) with q prime; doubling for the rest.
    """
    if order > 0 and order & (order - 1) == 0:
        return sylvester(order)
    if order % 4:
        return None
    if _is_prime(order - 1):  # Paley I, q = 3 mod 4
        return np.eye(order, dtype=int) + _conference(order - 1, sign=-1)
    q = order // 2 - 1
    if q % 4 == 1 and _is_prime(q):  # Paley II
        ones, corner = np.array([[1, 1], [1, -1]]), np.array([[1, -1], [-1, -1]])
        return np.kron(_conference(q, sign=1), ones) + np.kron(np.eye(q + 1, dtype=int), corner)
    half = hadamard(order // 2)
    return None if half is None else np.kron([[1, 1], [1, -1]], half)


def _is_room(k, edits):
    """Whether there are enough combinations to leave out few words only; else sparse rows are balanced ones."""
    return 2**k >= 4 * edits


def _sparse(k, edits, rng):
    """The full row and others in each of which a word is left out with probability `LEFT_OUT`, each word equally often but for
    rows that would come twice, which are drawn again."""
    if not _is_room(k, edits):
        return _balanced(k, edits, rng)
    column = np.arange(edits - 1) >= round(LEFT_OUT * (edits - 1))
    table = rng.permuted(np.tile(column[:, None], (1, k)), axis=0)
    found = {_code(row): row for row in table if not row.all()}
    while len(found) < edits - 1:
        row = rng.random(k) >= LEFT_OUT
        if not row.all():
            found[_code(row)] = row
    return np.vstack([np.ones((1, k), bool), *found.values()])


def _balanced(k, edits, rng):
    """An orthogonal array filled up to `edits` rows with complementary pairs."""
    rows = _array(k, edits, rng)
    used = {_code(row) for row in rows}
    full = 2**k - 1
    pairs = {min(code, full - code) for code in used}  # a pair is named by its smaller code
    wanted = min(2 ** (k - 1), len(pairs) + (edits - len(rows) + 1) // 2)
    fresh = [code for code in rng.permutation(_sample(2 ** (k - 1), wanted, rng)).tolist() if code not in pairs]
    first = rng.permuted(np.array([[code, full - code] for code in fresh], np.uint64).reshape(-1, 2), axis=1)
    spare = first.ravel().tolist()
    spare += [full - code for code in used if full - code not in used]  # only a very small unfolded array gets here
    return np.vstack([rows, _rows(spare[: edits - len(rows)], k)])


def _further(k, edits, used, rng):
    """A balanced block of rows that are not among the codes `used`."""
    full = 2**k - 1
    for _ in range(10 * DRAWS if edits == default_edits(k) else 0):
        rows = _array(k, edits, rng, draws=1) ^ rng.integers(2, size=k).astype(bool)  # not every block has the full instruction
        codes = [_code(row) for row in rows]
        if len(codes) == edits and not used & set(codes):
            return _rows(codes, k)
    pairs = {min(code, full - code) for code in used}  # there is hardly room for an array: complementary pairs
    wanted = min(2 ** (k - 1), len(pairs) + (edits + 1) // 2)
    fresh = [code for code in _sample(2 ** (k - 1), wanted, rng).tolist() if code not in pairs]
    fresh = rng.permutation(np.array(fresh, np.uint64))[: (edits + 1) // 2].tolist()
    halves = sorted(full - code for code in used if full - code not in used)  # of pairs of which one row is there
    return _rows([*(code for pair in fresh for code in (pair, full - pair)), *halves][:edits], k)


def _array(k, edits, rng, draws=DRAWS):
    """The orthogonal array of least aliasing with distinct rows: the largest that fits, a regular fraction before a folded
    Hadamard matrix (strength 3), that before an unfolded one (strength 2).

    A repeated row would be a wasted edit, so where an order has none without (few words, many edits) the next one down
    is taken and `_balanced` fills up: still balanced and free of two-word interactions, not quite orthogonal.
    """
    size, _ = _fraction(k, edits)
    if size:
        return _regular(k, size, rng)
    folded = [m for m in _orders(k) if 2 * m <= edits]
    for m in reversed(folded or [m for m in _orders(k + 1) if m <= edits]):
        matrix = hadamard(m)
        usable = matrix if folded else (matrix * matrix[:, :1])[:, 1:]  # unfolded: the constant column is the intercept
        found = {}
        for draw in range(draws):
            columns = usable[:, rng.permutation(usable.shape[1])[:k]]
            columns = columns * columns[rng.integers(m)]  # flip signs so that one row is all +1: the full instruction
            signs = np.vstack([columns, -columns]) if folded else columns
            if len(np.unique(signs, axis=0)) == len(signs):
                found[_moment(signs), draw] = signs > 0
        if found:
            return found[min(found)]
    return np.unique(signs > 0, axis=0)  # still closed under complement


def _fraction(k, edits) -> tuple[int, int]:
    """(rows, resolution) of the regular fraction to take, (0, 0) where a folded Hadamard matrix has more rows or none is
    free of two-word interactions."""
    largest = max((2 * m for m in _orders(k) if 2 * m <= edits), default=0)
    for size, resolution in ((2 ** (k - 1), k), (2 ** max(k - 2, 0), 2 * k // 3)):
        if largest <= size <= edits and resolution >= 4:
            return size, resolution
    return 0, 0


def _regular(k, size, rng):
    """Half or a quarter of all combinations, the full instruction among them. The words are dealt to three groups, alike in
    size; half: with an even number of words left out; a quarter: with an even number left out of any two groups."""
    left_out = ~_rows(range(2**k), k)
    if size == 2 ** (k - 1):
        return ~left_out[left_out.sum(axis=1) % 2 == 0]
    group = rng.permutation(np.arange(k) % 3)
    parity = np.stack([left_out[:, group == g].sum(axis=1) % 2 for g in range(3)])
    return ~left_out[(parity == parity[0]).all(axis=0)]


def _moment(signs) -> int:
    """The fourth moment of the likeness of two rows (N, k) of +1 and -1: for an array of strength 3 it rises with the sum of
    squares of the columns' products of four, by which words are mixed with interactions of three (Xu 2003)."""
    return int(((signs @ signs.T) ** 4).sum())


def _orders(least):
    """Orders of the Hadamard matrices we can build, ascending, from `least` on."""
    return [m for m in ALL_ORDERS if m >= least]


def _conference(q, sign):
    """Paley's matrix (q + 1, q + 1): quadratic residues of the prime q, bordered by ones; zero diagonal."""
    character = -np.ones(q, int)
    character[np.arange(1, q) ** 2 % q] = 1
    character[0] = 0
    matrix = np.zeros((q + 1, q + 1), int)
    matrix[0, 1:], matrix[1:, 0] = 1, sign
    matrix[1:, 1:] = character[np.subtract.outer(np.arange(q), np.arange(q)) % q]
    return matrix


def _is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))


ALL_ORDERS = [m for m in range(1, MAX_ORDER + 1) if hadamard(m) is not None]


def _sample(population, n, rng):
    """n distinct integers below `population` (up to 2^64) in exactly n steps (Floyd; Bentley, CACM 1987)."""
    chosen = {}
    for last in range(population - n, population):
        draw = int(rng.integers(0, last, endpoint=True, dtype=np.uint64))
        chosen[last if draw in chosen else draw] = True
    return np.array(list(chosen), np.uint64)


def _rows(codes, k):
    """Integers to rows: bit j says whether word j is kept."""
    return np.array([[int(code) >> j & 1 for j in range(k)] for code in codes], bool).reshape(-1, k)


def _code(row):
    return sum(1 << int(j) for j in np.flatnonzero(row))


def _checked(k, edits, kind):
    k = _checked_words(k)
    _checked_kind(kind)
    try:
        edits = operator.index(edits)
    except TypeError:
        raise InputError(f"The number of edits must be a whole number, not {edits!r}.") from None
    least = minimum_edits(k, kind)
    if edits < least:
        raise InputError(f"{edits} edits are too few for the {kind} design with {k} words: ask for at least {least}.")
    if edits > MAX_EDITS and 2**k > MAX_EDITS:
        raise InputError(f"{edits} edits are more than the {MAX_EDITS} that are supported: ask for fewer.")
    return k, edits


def _checked_words(k):
    try:
        k = operator.index(k)
    except TypeError:
        raise InputError(f"The number of words must be a whole number, not {k!r}.") from None
    if not 1 <= k <= MAX_WORDS:
        raise InputError(f"An instruction must have 1 to {MAX_WORDS} words, not {k}: shorten or complete it.")
    return k


def _checked_kind(kind):
    if kind not in KINDS:
        raise InputError(f"Unknown design {kind!r}: choose one of {', '.join(KINDS)}.")
