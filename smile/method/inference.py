"""What chance alone would do: permutation within one seed, and the spread between several seeds.

One statistic serves throughout: Student's t of a word's weight on the HC3 standard error (MacKinnon & White 1985), in
which a row's variance is its squared leave-one-out residual e^2 / (1 - h)^2. Because it allows every row its own
variance, its permutation distribution is right in large samples where the noise depends on the words kept, too, and it
is exact for an editor that ignores its text (DiCiccio & Romano 2017).

Intervals are about the weights, so they are weighted by locality; p-values ask whether a word does anything, and count
every edit alike. That also keeps them right although the full edit is its own reference, so that its response is given
and not measured: in all combinations and in regular fractions of them, every row plays the same part up to signs, and one
row that differs from the others does not disturb their exchange. With locality weights it would: it has the largest.
"""

import numpy as np
from scipy.stats import t as student

from smile.method.least_squares import ROUND_OFF, Solution, solve

LEVEL = 0.05
CHUNK = 250_000  # permuted values held at a time: 2 MB, which a processor has at hand; with 32 MB the maps take twice as long


def half_widths(model: Solution, responses, permutations, seed, level=LEVEL, beside: Solution | None = None):
    """Half widths (k, R) of 1 - level intervals around the weights of each column of responses (N, R): |t|'s quantile
    times its standard error, the quantile from permuted residuals of the model itself (ter Braak 1992), each scaled to
    equal variance. `beside`: a model of more columns, say pairs of words that act together, whose residuals are taken
    instead: what these columns explain is no noise. NaN where there are too few permutations for the level (20 for .05),
    or below two residual degrees of freedom: of one, t has no scale.
    """
    rest = model if beside is None or beside.df_resid < 2 else beside
    errors, block = equalised(rest, responses), model.member.argmax(axis=1)
    rank = int(np.ceil((1 - level) * (permutations + 1) - ROUND_OFF)) - 1
    if rest.df_resid < 2 or rank >= permutations:
        return np.full((len(model.operator), responses.shape[1]), np.nan)
    drawn = [_drawn_t(rest, chunk, model.operator) for chunk in permuted(errors, orders(block, permutations, seed))]
    quantile = np.partition(np.concatenate(drawn, axis=1), rank, axis=1)[:, rank]  # (k, R)
    return np.where(errors.any(axis=0), quantile * estimate(rest, responses, model.operator)[1], 0.0)


def over_seeds(mask, response, weight, block, kind="linear"):
    """(weights (k,), standard errors (k,)) of the editor, from blocks (N,) of one seed each.

    Two things vary: what another seed would do, and, under every seed alike, what the words do not explain of a text.
    So the error is clustered both ways (Cameron, Gelbach & Miller 2011): the variance between seeds (each left out in
    turn: CV3, MacKinnon, Nielsen & Webb 2023), and that between texts as far as it exceeds that between single edits
    (both CR2, unbiased where errors are alike: Bell & McCaffrey 2002). Errors are 0 where every seed makes the same
    edits; None where the rest does not tell the words apart when one seed is left out.
    """
    model, seeds, between = solve(mask, response, weight, block, kind), np.unique(block), 0.0
    for one in seeds:
        rest = block != one
        data = mask[rest], response[rest], weight[rest], block[rest]
        if not solve(*data).estimable.all():
            return None
        between = between + (solve(*data, kind).weights - model.weights) ** 2
    between = (len(seeds) - 1) / len(seeds) * between
    if np.sqrt(between).max() <= ROUND_OFF * np.abs(response).max():
        return model.weights, np.zeros_like(between)
    text = np.unique(mask, axis=0, return_inverse=True)[1].ravel()
    shared = _clustered(model, response, text) - _clustered(model, response, np.arange(len(mask)))
    return model.weights, np.sqrt(between + np.maximum(shared, 0))


def _clustered(model, response, cluster):
    """(k,) CR2 variance of the weights where errors within a cluster (N,) go together: for each cluster its part of the
    weights times the change when it is left out. What one cluster alone determines does not count."""
    residual, variance = model.residual(response[:, None])[:, 0], 0.0
    order, sizes = np.argsort(cluster, kind="stable"), np.bincount(cluster)
    for size in np.unique(sizes):
        rows = order[np.repeat(sizes == size, sizes)].reshape(-1, size)  # (G, size): clusters of one size at a time
        operator, own = model.operator[:, rows].transpose(1, 0, 2), residual[rows][:, :, None]  # (G, k, size), (G, size, 1)
        hat = model.centred[rows] @ operator + model.member[rows] @ model.share[rows].transpose(0, 2, 1)
        left_out = np.linalg.pinv(np.eye(size) - hat, rcond=1e-8) @ own
        variance = variance + ((operator @ own) * (operator @ left_out)).sum(axis=(0, 2))
    return variance


def average_seeds(mask, values, block):
    """(texts (N, k), means (N, q)) of values (n, q) over the seeds that have the text, each seed's level taken out first, so
    that a text that failed under one seed is judged by the others. Texts in the order in which they come first."""
    model = solve(mask, values, np.ones(len(mask)), block)
    level = model.member @ model.intercepts.reshape(model.member.shape[1], -1)
    texts, first, which = np.unique(mask, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    member = (which.ravel()[:, None] == order).astype(float)  # (n, N)
    return texts[order], member.T @ (values - level) / member.sum(axis=0)[:, None]


def by_text(mask, response, block):
    """(mask (N, k), responses (N, S)) of the texts that all S seeds have, from one row for each text and seed."""
    tables = [dict(zip(map(tuple, mask[block == b]), response[block == b], strict=True)) for b in np.unique(block)]
    shared = [row for row in tables[0] if all(row in table for table in tables)]
    responses = np.array([[table[row] for table in tables] for row in shared])
    return np.array(shared).reshape(-1, mask.shape[1]), responses.reshape(-1, len(tables))


def seed_p_values(weights, errors, seeds: int):
    """Two-sided p-values (k,) of Student's t on seeds - 1 degrees of freedom; 1 where the error is 0."""
    t = np.divide(np.abs(weights), errors, out=np.zeros_like(errors), where=errors > 0)
    return 2 * student.sf(t, seeds - 1)


def seed_half_widths(errors, seeds: int):
    """(k,) half widths of 95 % intervals from standard errors over so many seeds."""
    return errors * student.isf(LEVEL / 2, seeds - 1)


def orders(block, count, seed):
    """Row orders (count, N): uniform within each block, blocks stay in place."""
    rng = np.random.default_rng(seed)
    drawn = np.tile(np.arange(len(block)), (count, 1))
    for b in np.unique(block):
        rows = np.flatnonzero(block == b)
        drawn[:, rows] = rng.permuted(drawn[:, rows], axis=1)
    return drawn


def equalised(model: Solution, values):
    """Residuals of values (N, R), scaled to equal variance (Davison & Hinkley 1997, section 6.3); exactly 0 in a column
    that the model explains, and in a row that determines a weight alone."""
    residual, scale = model.residual(values), model.noise_scale()[:, None]
    informative = scale > np.sqrt(ROUND_OFF)
    return np.where(informative & ~_negligible(residual, values), residual / np.where(informative, scale, 1), 0)


def exact(model: Solution, values) -> bool:
    """Whether the model explains values (N, R) to the last bit, so that there is no chance to compare with."""
    return not equalised(model, values).any()


def permuted(errors, order):
    """Errors (N, R) in each order, as chunks (N, c, R) that fit into memory."""
    step = max(1, CHUNK // errors.size)
    for start in range(0, len(order), step):
        yield errors[order[start : start + step].T]


def _drawn_t(model, chunk, operator):
    """|t| (k, c, R) of permuted errors (N, c, R); 0 for a column of zeros."""
    weights, errors = estimate(model, chunk.reshape(len(chunk), -1), operator)
    least = np.maximum(ROUND_OFF * np.abs(weights), np.finfo(float).tiny)  # an exact fit is a large number, not 1 / 0
    return (np.abs(weights) / np.maximum(errors, least)).reshape(-1, *chunk.shape[1:])


def _negligible(residual, values):
    """(R,) bool: what is left of a column is round-off."""
    return np.abs(residual).max(axis=0) <= ROUND_OFF * np.abs(values).max(axis=0)


def estimate(model, values, operator):
    """Weights and HC3 standard errors, both (k, c), of each column of values (N, c), by the rows of an operator (k, N) and
    the model's residuals. A row that alone determines a weight has no residual; the mean of the other rows' terms stands
    in for it."""
    slack = 1 - model.leverage
    informative = slack > ROUND_OFF
    terms = (model.residual(values) / np.where(informative, slack, 1)[:, None]) ** 2
    if not informative.all():
        terms[~informative] = terms[informative].mean(axis=0) if informative.any() else np.nan
    return operator @ values, np.sqrt(operator**2 @ terms)
