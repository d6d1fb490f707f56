"""Steps of one length between any times, the same in training and in prediction."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from dynboltz._arguments import check_memory, check_positive, checked
from dynboltz._numbers import check_finite

_REMAINDER = 1e-3
"""Of a step: what is left over is added to the last one, as times are stored with rounding."""


class StepGrid(NamedTuple):
    """Times between which an integrator takes steps, and where the wanted times are among them.

    Attributes
    ----------
    times
        Times of the integrator.
    places
        Indices of the wanted times.
    """

    times: Float64[np.ndarray, " grid"]
    places: Int64[np.ndarray, " times"]


@checked
def step_grid(times: Float64[np.ndarray, " times"], time_step: float | None) -> StepGrid:
    """Steps of a given length between successive times, the last one before each shortened.

    A field that was learned with Euler's method holds for the step that it was learned with.
    Whoever integrates it between other times, or learns from times that are not equidistant, takes
    these steps and picks the wanted times from the solution.

    Parameters
    ----------
    times
        Increasing times [time].
    time_step
        Length of a step [time]; by default one step between successive times.
    """
    times = np.asarray(times, dtype=np.float64)
    check_finite("step_grid", "`times`", times)
    if not len(times) or np.any(np.diff(times) <= 0):
        raise ValueError(f"step_grid: `times` must increase, at least one, got {times}.")
    if time_step is not None:
        check_positive("step_grid", "time_step", time_step)
        n_steps = min((times[-1] - times[0]) / time_step, 2.0**60)
        check_memory("step_grid", "time_step", time_step, 32 * int(n_steps))
    if time_step is None:
        return StepGrid(times, np.arange(len(times)))
    parts, places = [times[:1]], [0]
    for start, stop in itertools.pairwise(times):
        n_steps = max(1, int(np.ceil((stop - start) / time_step - _REMAINDER)))
        parts.append(np.append(start + time_step * np.arange(1, n_steps), stop))
        places.append(places[-1] + n_steps)
    return StepGrid(np.concatenate(parts), np.array(places))
