"""Some of many times, and splines between them: predictions of laws are smooth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import CubicSpline

FIRST_TIMES, LATER_TIMES = 16, 32
"""Times at which predictions with bands are computed. Coefficients and correlations change fast
until the first hops have erased those of the start, and smoothly from then on."""


def some_times(times: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, " some"]:
    """All times at first, then as many as a smooth curve needs, the last one among them."""
    stride = max(1, -(-(len(times) - FIRST_TIMES) // LATER_TIMES))
    later = np.arange(len(times) - 1, FIRST_TIMES - 1, -stride)[::-1]
    return times[np.concatenate([np.arange(min(FIRST_TIMES, len(times))), later])]


def at_all_times(
    some: Float64[np.ndarray, " some"],
    values: Float64[np.ndarray, "initial_conditions some _"],
    times: Float64[np.ndarray, " times"],
) -> Float64[np.ndarray, "initial_conditions times _"]:
    """Values at all times, by cubic splines between some."""
    return values if len(some) == len(times) else CubicSpline(some, values, axis=1)(times)
