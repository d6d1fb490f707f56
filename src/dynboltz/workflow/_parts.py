"""The two parts of the initial conditions, and arrays that hold both."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

PARTS = ("train", "test")


def padded(
    parts: dict[str, np.ndarray],
) -> Float64[np.ndarray, "parts initial_conditions ..."]:
    """Join the parts; the shorter one is filled up with NaN."""
    longest = max(len(values) for values in parts.values())
    shape = next(iter(parts.values())).shape[1:]
    joined = np.full((len(parts), longest, *shape), np.nan)
    for row, values in zip(joined, parts.values(), strict=True):
        row[: len(values)] = values
    return joined


def by_part(values: np.ndarray, ends: list[int]) -> dict[str, np.ndarray]:
    """Take the parts apart again, which follow one another; `ends` are the first rows of others."""
    names: tuple[str, ...] = PARTS
    return dict(zip(names, np.split(values, ends), strict=True))
