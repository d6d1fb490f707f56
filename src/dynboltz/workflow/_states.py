"""States of an ensemble, as learning asks for them."""

from __future__ import annotations

import functools
from typing import final

import numpy as np
import xarray as xr
from jaxtyping import UInt8


@final
class States:
    """States of the training set, read into memory when they are first asked for."""

    def __init__(self, trajectories: xr.Dataset) -> None:
        self._trajectories = trajectories
        self._numbers = np.unique(trajectories.initial_condition.values)
        self.n_replicas = trajectories.sizes["replica"] // len(self._numbers)

    def __call__(
        self, initial_condition: int, times: np.ndarray, replicas: np.ndarray
    ) -> UInt8[np.ndarray, "times replicas sites"]:
        return self._states[initial_condition][np.ix_(times, replicas)]

    @functools.cached_property
    def _states(self) -> list[UInt8[np.ndarray, "times replicas sites"]]:
        states = self._trajectories.state.values
        flat = states.reshape(*states.shape[:2], -1)
        starts = self._trajectories.initial_condition.values
        swapped = np.swapaxes(flat, 0, 1)
        return [np.ascontiguousarray(swapped[:, starts == number]) for number in self._numbers]
