"""Where a field is known: what was learned, or what equations were fitted to."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from dynboltz._warnings import ExtrapolationWarning, warn
from dynboltz.dynamics import AbstractVectorField

Ranges = tuple[tuple[float, float], ...]
"""Least and greatest value of each coefficient."""
MARGIN = 0.05
"""Of a range, by which solutions may leave it: candidates are smooth."""


def ranges_of(points: Float[np.ndarray, "points coefficients"]) -> Ranges:
    """Least and greatest value of each coefficient."""
    return tuple(zip(points.min(axis=0).tolist(), points.max(axis=0).tolist(), strict=True))


def within(
    ranges: Ranges | None, theta: Float[np.ndarray, "*batch coefficients"]
) -> Bool[np.ndarray, "*batch"]:
    """Tell which points lie within ranges and a margin; all where no range is known."""
    if ranges is None:
        return np.ones(np.shape(theta)[:-1], dtype=bool)
    lower, upper = np.array(ranges).T
    margin = MARGIN * (upper - lower) + 1e-9 * np.maximum(np.abs(lower), np.abs(upper))
    return np.all((theta >= lower - margin) & (theta <= upper + margin), axis=-1)


def warn_of_unknown(
    where: str, what: str, field: AbstractVectorField, theta: Float[np.ndarray, "... coefficients"]
) -> None:
    """Warn if points lie where a field knows nothing, for fields that tell by `visited`.

    Parameters
    ----------
    where
        The public function, for the message.
    what
        What the points are, a plural.
    field
        The field.
    theta
        Points.
    """
    visited = getattr(field, "visited", None)
    if visited is None:
        return
    strange = ~np.asarray(visited(theta))
    if strange.any():
        points = theta[strange]
        low, high = points.min(axis=0), points.max(axis=0)
        shown = ", ".join(
            f"`{name}` from {a:.3g} to {b:.3g}"
            for name, a, b in zip(field.coefficients, low, high, strict=True)
        )
        warn(
            f"{where}: {strange.mean():.2%} of the {what} lie where the field has learned nothing "
            f"({shown}): it extrapolates there. Leave them out; `field.visited` tells which points "
            "are known.",
            ExtrapolationWarning,
        )
