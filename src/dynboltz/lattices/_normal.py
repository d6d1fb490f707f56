"""Normally distributed random numbers for compiled kernels."""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np

from dynboltz._compiled import compiled

from ._random import next_uint64, uniform

N_LAYERS = 256
TAIL = 3.6541528853610088
AREA = 0.00492867323399
"""Start of the tail, and the area of each layer, for 256 layers below exp(-x^2 / 2)."""

_LAYER = np.uint64(N_LAYERS - 1)
_UNIT = 2.0**-52


def _edges() -> np.ndarray:
    """Right ends of the layers from the lowest one, whose end makes its rectangle as large."""
    edges = [AREA * math.exp(TAIL**2 / 2), TAIL]
    while len(edges) < N_LAYERS:
        edges.append(math.sqrt(-2 * math.log(AREA / edges[-1] + math.exp(-(edges[-1] ** 2) / 2))))
    return np.array([*edges, 0.0])


EDGES = _edges()
HEIGHTS = np.exp(-(EDGES**2) / 2)


@compiled()
@no_type_check
def normal(state):
    """Draw a normally distributed float64 of mean 0 and variance 1.

    Points under the density are drawn from layers of equal area (Marsaglia and Tsang 2000, J.
    Stat. Softw. 5, 8); the layer and the place in it come from different bits of one number.
    """
    while True:
        bits = next_uint64(state)
        layer = np.int64(bits & _LAYER)
        x = (np.float64(bits >> np.uint64(11)) * _UNIT - 1.0) * EDGES[layer]
        if abs(x) < EDGES[layer + 1]:
            return x
        if layer == 0:
            return math.copysign(_beyond(state), x)
        low, high = HEIGHTS[layer], HEIGHTS[layer + 1]
        if low + uniform(state) * (high - low) < math.exp(-x * x / 2):
            return x


@compiled()
@no_type_check
def _beyond(state):
    """Draw from the tail by rejection from an exponential (Marsaglia 1964, Technometrics 6)."""
    while True:
        excess = -math.log(1.0 - uniform(state)) / TAIL
        if -2.0 * math.log(1.0 - uniform(state)) > excess * excess:
            return TAIL + excess
