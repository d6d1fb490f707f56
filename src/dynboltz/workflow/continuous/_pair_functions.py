"""Interaction functions of pairs over the distance, to be drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from dynboltz.distributions import PointProcessModel

DISTANCES = 60
"""Of each function, from 0 to where all of them are zero."""


def pair_functions(
    model: PointProcessModel,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
) -> dict[str, Any]:
    """Variables of a dataset: values of every pair's function at equidistant distances."""
    furthest = max(space.cutoff for space in model.pair.values())
    distances = np.linspace(0.0, furthest, DISTANCES)
    names = [".".join(pair) for pair in model.pair]
    values = []
    for name in names:
        basis = model.spaces[f"nu.{name}"].evaluate(distances[:, None])
        values.append(theta[..., model.slices[f"nu.{name}"]] @ basis.T)
    dims = ("initial_condition", "time", "pair", "separation")
    return {
        "pair_function": (dims, np.stack(values, axis=2)),
        "pair": ("pair", names),
        "separation": ("separation", distances),
    }
