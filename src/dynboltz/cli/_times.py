"""Times and lists of values as the command line takes them."""

from __future__ import annotations

import re

import numpy as np

OUTER_COMMA = re.compile(r",(?![^()]*\))")
"""A comma that is not one between the coordinates of an offset, as in `A(0,0) A(1,1)`."""


def parse_times(text: str, first: float) -> np.ndarray:
    """Times from text such as `0,0.5,1` or `0:2:0.1`, the first of which is that of the start."""
    try:
        if ":" in text:
            start, stop, step = map(float, text.split(":"))
            times = start + step * np.arange(int((stop - start) / step + 1.5))
            times = times[times <= stop + step / 2]
        else:
            times = np.array([float(item) for item in text.split(",")])
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(
            f"--times: write numbers as 0,0.5,1 or 0:2:0.1 (start:stop:step), got {text!r}."
        ) from None
    if times.size == 0 or not np.isclose(times[0], first) or np.any(np.diff(times) <= 0):
        raise ValueError(
            f"--times: must begin at {first:g}, the first time of the simulations, and increase, "
            f"got {text!r}."
        )
    return times
