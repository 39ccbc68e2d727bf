"""What follows from the distances of the edits: responses, noise floor, and the surrogate with its fidelity.

It needs no picture and no model, so whoever opens an explanation can have it computed again and compare.
"""

from dataclasses import asdict

import numpy as np

from smile.method import distance as distances_
from smile.method import group_sequential, noise_floor
from smile.method import surrogate as surrogates
from smile.method.fidelity import fidelity
from smile.method.interaction import interaction

FITTED = ("weights", "ci_low", "ci_high", "p_values", "p_values_holm")


def analyse(
    mask, blocks, locality_weights, distances, distances_from_full, noise_distances, settings: dict, provisional: bool
) -> dict:
    """Steps 5, 6, 8 and 10 of the method for n edits, by the names of the fields of `Explanation`: responses (n,),
    edit_p_values (n,), noise_floor, weights, ci_low, ci_high, p_values, p_values_holm (k,), untested, interaction and
    fidelity.

    mask (n, k) bool; blocks (n,) int, counted from 0; locality_weights, distances, distances_from_full (n,), NaN for a
    failed edit; noise_distances (blocks x noise seeds,). Of the settings, similarity, surrogate, permutations, seed and
    looks count. What the edits do not determine is NaN, and fidelity and interaction are empty then; `provisional`
    leaves a residual besides, and no interaction yet.
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

    # 8. Surrogate, as soon as the edits tell the words apart. 10. Trust.
    fitted, quality, pair = dict.fromkeys(FITTED, np.full(mask.shape[1], np.nan)) | {"untested": ""}, {}, {}
    data, blocks = (mask[usable], responses[usable], locality_weights[usable]), blocks[usable]
    if _determined(mask[usable], locality_weights[usable], blocks, whole=not provisional):
        kind, chance = settings["surrogate"], {name: settings[name] for name in ("permutations", "seed")} | {"blocks": blocks}
        fitted = _fit(data, usable, settings["looks"], kind, chance)
        quality = fidelity(*data, kind=kind, blocks=blocks)
        pair = {} if provisional else asdict(interaction(*data[:2], **chance))
    return {
        "responses": responses,
        "edit_p_values": edit_p_values,
        "noise_floor": noise_floor.floor(noise_distances),
        **fitted,
        "interaction": pair,
        "fidelity": quality,
    }


def _fit(data, usable, planned, kind, chance) -> dict:
    """`FITTED` and untested, of rows that one may have looked at before they were all there."""
    if not planned:
        model = surrogates.fit(*data, kind=kind, **chance)
        return {name: getattr(model, name) for name in (*FITTED, "untested")}
    budget, looks = planned[-1], group_sequential.made(planned, len(usable))
    model = surrogates.fit(*data, kind=kind, **chance, level=group_sequential.levels(looks, budget)[-1])
    p_values = []
    for look in looks[:-1]:
        then, blocks = [part[: usable[:look].sum()] for part in data], np.zeros(usable[:look].sum(), int)
        told = _determined(then[0], then[2], blocks, whole=True)
        p_values.append(surrogates.fit(*then, **chance | {"blocks": blocks}).p_values if told else np.ones(len(model.weights)))
    repeated = group_sequential.repeated_p_values([*p_values, model.p_values], looks, budget)
    fitted = {name: getattr(model, name) for name in (*FITTED, "untested")}
    return fitted | {"p_values": repeated, "p_values_holm": surrogates.holm(repeated)}


def _determined(mask, weight, blocks, whole: bool) -> bool:
    """Whether these edits determine all weights and the intercepts (and, before the end, leave a residual)."""
    counted = weight > 0
    columns = np.hstack([mask[counted], blocks[counted, None] == np.unique(blocks)]).astype(float)
    enough = columns.shape[1] + (0 if whole else 1)
    return len(columns) >= enough and np.linalg.matrix_rank(columns) == columns.shape[1]
