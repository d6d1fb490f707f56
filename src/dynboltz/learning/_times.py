"""Times: which ones least-squares problems look at, and integrals over them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from ._settings import Method

_EARLY = 24
_LATE = 27


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
    times: Float64[np.ndarray, " times"], method: Method, substeps: int
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
    method, substeps
        The integrator.
    """
    at_start = (1 + 1 / substeps) / 2 if method == "euler" else 0.5
    until = np.tril(np.ones((len(times) - 1, len(times) - 1))) * np.diff(times)
    weights = np.zeros((len(times) - 1, len(times)))
    weights[:, :-1] += at_start * until
    weights[:, 1:] += (1 - at_start) * until
    return weights
