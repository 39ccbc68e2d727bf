"""Numbers as tables, figures and the browser show them."""

import numpy as np

LEVEL = 0.05  # a p-value below is significant


def format_weight(weight: float) -> str:
    """ "+0.65", "0.00" where it rounds to nothing, "…" where it is not known yet."""
    if not np.isfinite(weight):
        return "…"
    return f"{weight:+.2f}" if abs(weight) >= 0.005 else "0.00"


def format_interval(low: float, high: float) -> str:
    """ "+0.40 to +0.90"."""
    return f"{format_weight(low)} to {format_weight(high)}" if np.isfinite(low) and np.isfinite(high) else "not known"


def format_p_value(p_value: float) -> str:
    """ "0.031", "<0.001"."""
    if not np.isfinite(p_value):
        return "not known"
    return f"{p_value:.3f}" if p_value >= 0.001 else "<0.001"


def finite_or_none(number: float | None) -> float | None:
    """The number as JSON has it: None for NaN and infinity."""
    return float(number) if number is not None and np.isfinite(number) else None
