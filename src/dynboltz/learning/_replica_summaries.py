"""Summaries of single replicas, kept for as long as a training draws replicas again and again."""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Float64

from dynboltz.distributions import ClampedStatistics

from ._data import TrainingData, read_states
from ._objective import Selection

MAX_BYTES = 1 << 28


def replica_summaries(
    clamped: ClampedStatistics | None, data: TrainingData
) -> ReplicaSummaries | None:
    """Summaries of all replicas, unless there are none or they would take more than 256 MiB."""
    if clamped is None:
        return None
    n_summaries = len(data.initial) * len(data.times) * data.n_replicas
    n_bytes = n_summaries * clamped.n_features * np.dtype(float).itemsize
    return ReplicaSummaries(clamped, data) if n_bytes <= MAX_BYTES else None


@final
class ReplicaSummaries:
    """Summaries of the replicas of each snapshot, made when it is first looked at.

    Parameters
    ----------
    clamped
        Makes the summaries.
    data
        The trajectories, with a reader of states.
    """

    def __init__(self, clamped: ClampedStatistics, data: TrainingData) -> None:
        self._clamped, self._data = clamped, data
        snapshots = len(data.initial), len(data.times)
        self._known = np.zeros(snapshots, dtype=bool)
        self._summaries = np.empty((*snapshots, data.n_replicas, clamped.n_features))

    def means(
        self, selection: Selection, replicas: np.ndarray
    ) -> Float64[np.ndarray, "snapshots features"]:
        """Means over some replicas, the same ones of all selected snapshots."""
        snapshots = np.ix_(selection.initial_conditions, selection.times)
        for i, row in zip(selection.initial_conditions, self._known[snapshots], strict=True):
            self._fill(int(i), selection.times[~row])
        chosen = np.ix_(selection.initial_conditions, selection.times, replicas)
        means = self._summaries[chosen].mean(axis=2)
        return means.reshape(-1, means.shape[-1])

    def _fill(self, initial_condition: int, times: np.ndarray) -> None:
        if not len(times):
            return
        n_replicas = self._summaries.shape[2]
        states = read_states(
            self._data, self._clamped.model, initial_condition, times, np.arange(n_replicas)
        )
        found = self._clamped.summarise(states.reshape(-1, states.shape[-1]))
        self._summaries[initial_condition, times] = found.reshape(len(times), n_replicas, -1)
        self._known[initial_condition, times] = True
