"""What follows from the distances of the edits: responses, noise floor, and the surrogate with its fidelity.

It needs no picture and no model, so whoever opens an explanation can have it computed again and compare.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from smile.method import distance as distances_
from smile.method import extras, group_sequential, maps, noise_floor
from smile.method import surrogate as surrogates
from smile.method.evident import find_evident, find_visible
from smile.method.extras import Extra
from smile.method.fidelity import fidelity
from smile.method.interaction import interaction
from smile.method.least_squares import solve

FITTED = ("weights", "ci_low", "ci_high", "p_values", "p_values_holm")


def analyse(
    mask,
    blocks,
    locality_weights,
    distances,
    distances_from_full,
    noise_distances,
    settings: dict,
    provisional: bool,
    appearance=None,
    outcomes=None,
    extra: Extra | None = None,
) -> dict:
    """Steps 5, 6, 8, 9 and 10 of the method for n edits, by the names of the fields of `Explanation`: responses (n,),
    edit_p_values (n,), noise_floor, weights, ci_low, ci_high, p_values, p_values_holm (k,), untested, order, interaction,
    fidelity, maps, alone and undo.

    mask (n, k) bool; blocks (n,) int, counted from 0; locality_weights, distances, distances_from_full (n,), NaN for a
    failed edit; noise_distances (blocks x noise seeds,). appearance (n, rows, columns, channels): what the outcomes look
    like, in shares of the full range, NaN for a failed one; None where that is not known. outcomes (n,) int: rows of the
    same number are one outcome. extra: outcomes beside the design (`smile.method.extras`). Of the settings, similarity,
    surrogate, permutations, seed, looks, undo and reference count.

    What the edits do not determine is NaN, and fidelity and interaction are empty then; `provisional` leaves a residual
    besides, and no interaction yet. At the end, a word that is in all usable edits, or in none, is left out of the fit: its
    weight is NaN, and the others are fitted.
    """
    # 5. Response.
    usable = np.isfinite(distances)
    scale = distances_.minmax if settings["similarity"] == "minmax" else distances_.similarity
    responses = np.full(len(distances), np.nan)
    responses[usable] = scale(distances[usable])

    # 6. Noise floor: always measured from the full-instruction edit.
    edit_p_values = np.full(len(distances), np.nan)
    for block, floor in enumerate(noise_distances.reshape(blocks.max() + 1, -1)):
        if len(floor):
            edit_p_values[blocks == block] = noise_floor.edit_p_values(distances_from_full[blocks == block], floor)

    # 8. Surrogate, as soon as the edits tell the words apart. 9. Where. 10. Trust.
    words = mask.shape[1]
    result: dict = dict.fromkeys(FITTED, np.full(words, np.nan))
    result |= {"untested": "", "order": [], "interaction": {}, "fidelity": {}}
    extra = extras.make_extra(words) if extra is None else extra
    varies = np.ones(words, bool) if provisional else mask[usable].any(axis=0) & ~mask[usable].all(axis=0)
    data, which = (mask[usable][:, varies], responses[usable], locality_weights[usable]), blocks[usable]
    if varies.any() and _determined(data[0], data[2], which, whole=not provisional):
        kind: str = settings["surrogate"]
        chance: dict[str, Any] = {"permutations": settings["permutations"], "seed": settings["seed"], "blocks": which}
        seen: dict[str, Any] = {
            "appearance": None if appearance is None else appearance[usable].reshape(usable.sum(), -1),
            "outcomes": None if outcomes is None else np.asarray(outcomes)[usable],
        }
        fitted = _fit(data, usable, settings["looks"], kind, chance, seen | {"rank": not provisional})
        looks = distances_from_full[usable, None] if seen["appearance"] is None else seen["appearance"]
        noisy = bool((noise_distances > extras.SAME).any())
        fitted = extras.test_enumerated(fitted, data[0], looks, extra, noisy, settings)
        position = np.flatnonzero(varies)
        result |= {name: _spread(fitted[name], varies) for name in FITTED} | {"untested": fitted["untested"]}
        result["order"] = position[fitted["order"]].tolist()
        result["fidelity"] = fidelity(*data, kind=kind, blocks=which)
        pair = {} if provisional else asdict(interaction(*data[:2], **chance))
        result["interaction"] = pair and pair | {"pairs": [position[both].tolist() for both in pair["pairs"]]}
    result["maps"] = None
    if appearance is not None and result["fidelity"] and not provisional:
        effects = solve(data[0].astype(float), seen["appearance"], np.ones(len(which)), which).weights
        result["maps"] = maps.map_effects(_spread(effects, varies, 0.0), appearance.shape[1:])
    found: list[int] = []
    if settings["undo"] and not provisional and settings["reference"] == "edit":
        stars = (result["weights"], result["p_values_holm"], result["untested"], find_visible(result["maps"], words))
        significant = find_evident(*stars, noise_floor.exceeds_noise(distances_from_full, noise_distances))
        found = extras.find_undoing(mask, blocks, distances_from_full, significant)
    return {
        "alone": extras.measure_alone(mask, blocks, responses, distances, extra),
        "undo": extras.confirm_undoing(found, mask, blocks, distances_from_full, extra),
        "responses": responses,
        "edit_p_values": edit_p_values,
        "noise_floor": noise_floor.floor(noise_distances),
        **result,
    }


def number_outcomes(blocks, readings) -> np.ndarray:
    """(n,) int: edits of the same seed and text, as the model reads it, have the same number, because they are one outcome."""
    known: dict = {}
    return np.array([known.setdefault(each, len(known)) for each in zip(np.asarray(blocks).tolist(), readings, strict=True)])


def _spread(values, varies, missing=np.nan) -> np.ndarray:
    """The values (v, ...) of the words that vary, as (k, ...) of all words."""
    found = np.full((len(varies), *np.shape(values)[1:]), missing)
    found[varies] = values
    return found


def _fit(data, usable, planned, kind: str, chance: dict[str, Any], seen: dict[str, Any]) -> dict:
    """`FITTED` and untested, of rows that one may have looked at before they were all there."""
    mask, response, weight = data
    if not planned:
        model = surrogates.fit(mask, response, weight, kind=kind, **chance, **seen)
        return {name: getattr(model, name) for name in (*FITTED, "untested", "order")}
    budget, looks = planned[-1], group_sequential.made(planned, len(usable))
    level = float(group_sequential.levels(looks, budget)[-1])
    model = surrogates.fit(mask, response, weight, kind=kind, level=level, **chance, **seen)
    p_values = []
    for look in looks[:-1]:
        count = usable[:look].sum()
        p_values.append(np.ones(len(model.weights)))
        if _determined(mask[:count], weight[:count], np.zeros(count, int), whole=True):
            parts = {name: part for name, part in seen.items() if name != "rank"}
            before: dict[str, Any] = {name: None if part is None else part[:count] for name, part in parts.items()}
            before |= chance | {"blocks": np.zeros(count, int)}
            p_values[-1] = surrogates.fit(mask[:count], response[:count], weight[:count], **before).p_values
    repeated = group_sequential.repeated_p_values([*p_values, model.p_values], looks, budget)
    fitted = {name: getattr(model, name) for name in (*FITTED, "untested", "order")}
    return fitted | {"p_values": repeated, "p_values_holm": surrogates.holm(repeated)}


def _determined(mask, weight, blocks, whole: bool) -> bool:
    """Whether these edits determine all weights and the intercepts (and, before the end, leave a residual)."""
    counted = weight > 0
    columns = np.hstack([mask[counted], blocks[counted, None] == np.unique(blocks)]).astype(float)
    enough = columns.shape[1] + (0 if whole else 1)
    return len(columns) >= enough and np.linalg.matrix_rank(columns) == columns.shape[1]
