"""How far an edit moves when nothing was left out: the full instruction under other noise seeds."""

import numpy as np


def floor(distances):
    """The noise floor: mean of the noise distances (S,), failed ones (not finite) ignored; None without any."""
    distances = _finite(distances)
    return float(distances.mean()) if distances.size else None


def exceeds_noise(distances, noise_distances) -> bool:
    """Whether the largest of the distances (N,) exceeds all noise distances (S,); True where there are none to compare with."""
    distances, noise = _finite(distances), _finite(noise_distances)
    return not noise.size or bool(distances.max(initial=0.0) > noise.max())


def edit_p_values(distances, noise_distances):
    """Per edit (N,), in (0, 1]: (1 + #{noise >= distance}) / (S + 1), the Monte-Carlo p-value with the edit counted
    among its own references (Davison & Hinkley 1997, eq. 4.11; Phipson & Smyth 2010).

    distances (N,), noise_distances (S,); failed noise edits (not finite) are ignored, a failed edit stays nan. The
    smallest value is 1 / (S + 1): four noise seeds cannot show p < 0.2.
    """
    distances, noise = np.asarray(distances, float), _finite(noise_distances)
    reached = (noise[None, :] >= distances[:, None]).sum(axis=1)
    return np.where(np.isfinite(distances), (1 + reached) / (noise.size + 1), np.nan)


def _finite(distances):
    distances = np.asarray(distances, float).ravel()
    return distances[np.isfinite(distances)]
