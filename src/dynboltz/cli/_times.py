"""Times and lists of values as the command line takes them."""

from __future__ import annotations

import re

import numpy as np

OUTER_COMMA = re.compile(r",(?![^()]*\))")
"""A comma that is not one between the coordinates of an offset, as in `A(0,0) A(1,1)`."""


def named_values(option: str, text: str, example: str) -> dict[str, float]:
    """Values by name from text such as `b.A=0.1,J.A.A=0`; messages name the option."""
    found: dict[str, float] = {}
    for item in OUTER_COMMA.split(text):
        label, _, number = item.partition("=")
        label = label.strip()
        try:
            value = float(number)
        except ValueError:
            value = np.nan
        if not (label and np.isfinite(value)):
            raise ValueError(
                f"{option}: {item!r} is not NAME=NUMBER with a finite number; write for example "
                f"{example}."
            )
        if label in found:
            raise ValueError(f"{option}: {label} is given twice in {text!r}.")
        found[label] = value
    return found


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
