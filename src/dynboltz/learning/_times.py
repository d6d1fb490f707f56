"""Times: which ones least-squares problems look at, and integrals over them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz.dynamics import step_grid

from ._settings import Method

_EARLY = 24
_LATE = 27
_MOST_STEPS = 20_000
"""Of the integrator, from the first to the last time."""


def representative_times(n_times: int) -> Int64[np.ndarray, " chosen"]:
    """Indices of some times after the first: all early ones, then ever fewer.

    The distributions change fast at first; were all times used, the many late ones would outweigh
    the early ones.

    Parameters
    ----------
    n_times
        Number of times.

    Returns
    -------
    chosen
        Indices into the times without the first one.
    """
    late = np.geomspace(_EARLY, max(n_times - 1, _EARLY), _LATE).round().astype(int) - 1
    chosen = np.unique(np.concatenate([np.arange(_EARLY), late]))
    return chosen[chosen < n_times - 1]


def integral_weights(
    times: Float64[np.ndarray, " times"],
    method: Method,
    substeps: int,
    time_step: float | None = None,
) -> Float64[np.ndarray, "later times"]:
    r"""Weights $W_{nm}$ of the values at all times in their integral up to each later time.

    A solution of $d\theta/dt = F(\theta)$ has $\theta(t_n) = \theta(t_0) + \sum_m W_{nm}
    F(\theta(t_m))$, up to second order in the intervals. Euler's method, with substeps between
    which $F$ changes linearly, looks more at the start of an interval than at its end; the other
    methods follow the trapezoidal rule.

    Parameters
    ----------
    times
        Increasing times.
    method, substeps, time_step
        The integrator: `substeps` equal steps in each step of `step_grid`.
    """
    at_start = _of_euler(times, substeps, time_step) if method == "euler" else 0.5
    until = np.tril(np.ones((len(times) - 1, len(times) - 1))) * np.diff(times)
    weights = np.zeros((len(times) - 1, len(times)))
    weights[:, :-1] += at_start * until
    weights[:, 1:] += (1 - at_start) * until
    return weights


def time_step_of(times: Float64[np.ndarray, " times"]) -> float:
    """Step of the integrator for data at these times: the shortest interval.

    A few intervals that are far shorter than the others do not make all steps so short.
    """
    return float(max(np.min(np.diff(times)), np.ptp(times) / _MOST_STEPS))


def _of_euler(
    times: Float64[np.ndarray, " times"], substeps: int, time_step: float | None
) -> Float64[np.ndarray, " intervals"]:
    r"""Weight of the start of each interval, $\sum_k h_k (1 - t_k / L) / L$, steps at $t_k$."""
    if time_step is None:
        return np.full(len(times) - 1, (1 + 1 / substeps) / 2)
    grid, places = step_grid(times, time_step)
    sizes = np.diff(grid)
    interval = np.repeat(np.arange(len(times) - 1), np.diff(places))
    lengths = np.diff(times)[interval]
    # Mean over the substeps of a step that begins at `passed`: halfway between its first and last.
    passed = grid[:-1] - times[interval] + sizes * (1 - 1 / substeps) / 2
    return np.bincount(interval, sizes / lengths * (1 - passed / lengths), len(times) - 1)
