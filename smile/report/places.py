"""Where in a picture something is, in words."""

import numpy as np

MOST = 0.75  # of the places: almost everywhere
CORNER = 1 / 3  # of the width or height: what has its middle there lies to that side


def describe_places(places: np.ndarray) -> str:
    """ "in the upper left (31 of 256 places)" for the True of places (rows, columns); "" where there are none."""
    count, (rows, columns) = int(places.sum()), places.shape
    if not count:
        return ""
    of = f"{count} of {places.size} places"
    if count >= MOST * places.size:
        return f"almost everywhere ({of})"
    row, column = np.argwhere(places).mean(axis=0)
    down, across = (row + 0.5) / rows, (column + 0.5) / columns
    vertical = "upper" if down < CORNER else "lower" if down > 1 - CORNER else ""
    side = "left" if across < CORNER else "right" if across > 1 - CORNER else ""
    if vertical and side:
        return f"in the {vertical} {side} ({of})"
    if vertical:
        return f"in the {vertical} part ({of})"
    return f"on the {side} ({of})" if side else f"in the middle ({of})"
