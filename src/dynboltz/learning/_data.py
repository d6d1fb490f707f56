"""What learning needs of the trajectories."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8

from dynboltz.distributions import ClampedStatistics


class TrainingData(NamedTuple):
    """Trajectories of a set of initial conditions, as learning sees them.

    Attributes
    ----------
    times
        Times of the snapshots.
    initial
        Coefficients at the first time.
    summaries
        Summaries of the snapshots (`ClampedStatistics.summarise`), averaged over the replicas;
        `None` for models whose hidden layers are coupled with each other.
    states
        Reader of states for sampled moments: called with the number of an initial condition, time
        indices and replica indices, it returns states of shape (times, replicas, sites).
    n_replicas
        Number of replicas of an initial condition, for the reader of states.
    expect
        Called with the numbers of the initial conditions that states are read of next, so that a
        reader can begin.
    """

    times: Float64[np.ndarray, " times"]
    initial: Float64[np.ndarray, "initial_conditions coefficients"]
    summaries: Float64[np.ndarray, "initial_conditions times features"] | None
    states: Callable[[int, np.ndarray, np.ndarray], np.ndarray] | None = None
    n_replicas: int = 0
    expect: Callable[[np.ndarray], None] | None = None


def summarise(
    clamped: ClampedStatistics, states: UInt8[np.ndarray, "replicas times sites"]
) -> Float64[np.ndarray, "times features"]:
    """Summaries of trajectories from one initial condition, averaged over the replicas."""
    n_replicas, n_times, n_sites = states.shape
    flat = clamped.summarise(states.reshape(-1, n_sites))
    return flat.reshape(n_replicas, n_times, -1).mean(axis=0)
