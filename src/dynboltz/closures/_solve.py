"""Solutions of closed equations up to where they become unphysical."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.integrate import LSODA

from dynboltz._arguments import checked

from ._requirements import ROUNDING, Requirements

RELATIVE_TOLERANCE = 1e-10
ABSOLUTE_TOLERANCE = 1e-12

HALVINGS = 40
"""Of the step in which a requirement breaks, to find the time when it does."""

Velocity = Callable[[Float64[np.ndarray, "batch moments"]], Float64[np.ndarray, "batch moments"]]


@final
@checked
@dataclass(frozen=True, eq=False)
class ClosurePrediction:
    """Moments that a closure predicts.

    Attributes
    ----------
    times
        Times [time].
    values
        Followed moments; NaN after the time when a solution stopped.
    stopped_at
        Time when a solution became unphysical or could not be continued; infinite where it did
        not.
    reasons
        What became unphysical; empty where nothing did.
    """

    times: Float64[np.ndarray, " times"]
    values: Float64[np.ndarray, "initial_conditions times moments"]
    stopped_at: Float64[np.ndarray, " initial_conditions"]
    reasons: tuple[str, ...]

    @property
    def message(self) -> str:
        """One line for each initial condition that stopped; empty if none did."""
        lines = (
            f"initial condition {number} stopped at time {time:.6g}: {reason}"
            for number, (time, reason) in enumerate(zip(self.stopped_at, self.reasons, strict=True))
            if reason
        )
        return "\n".join(lines)


def solve_closed(
    velocity: Velocity,
    requirements: Requirements,
    initial: Float64[np.ndarray, "initial_conditions moments"],
    times: Float64[np.ndarray, " times"],
) -> ClosurePrediction:
    """Solve from all initial conditions at once, each until it becomes unphysical.

    One stiff solver with a banded Jacobian carries all solutions, with the largest error of any
    of them in its control; when one stops, it goes on with the others.
    """
    run = _Run.start(velocity, requirements, initial, times)
    run.stop_broken(initial, lambda _: initial, times[0], times[0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        state, time = initial[run.active], float(times[0])
        while run.active.size and time < times[-1]:
            state, time = run.advance(state, time)
    return ClosurePrediction(times, run.values, run.stopped_at, tuple(run.reasons))


@final
@dataclass(eq=False)
class _Run:
    """What has been found so far, and which initial conditions go on."""

    velocity: Velocity
    requirements: Requirements
    times: Float64[np.ndarray, " times"]
    values: Float64[np.ndarray, "initial_conditions times moments"]
    stopped_at: Float64[np.ndarray, " initial_conditions"]
    reasons: list[str]
    active: Int64[np.ndarray, " active"]

    @classmethod
    def start(
        cls,
        velocity: Velocity,
        requirements: Requirements,
        initial: Float64[np.ndarray, "initial_conditions moments"],
        times: Float64[np.ndarray, " times"],
    ) -> _Run:
        n_initial, n_moments = initial.shape
        values = np.full((n_initial, len(times), n_moments), np.nan)
        values[:, 0] = initial
        stopped_at = np.full(n_initial, np.inf)
        return cls(
            velocity,
            requirements,
            times,
            values,
            stopped_at,
            [""] * n_initial,
            np.arange(n_initial),
        )

    def advance(
        self, state: Float64[np.ndarray, "active moments"], time: float
    ) -> tuple[Float64[np.ndarray, "remaining moments"], float]:
        """Go on to the end, or to the step in which a solution stops."""
        shape = state.shape
        solver = LSODA(
            lambda _, flat: self.velocity(flat.reshape(shape)).ravel(),
            time,
            state.ravel(),
            self.times[-1],
            rtol=RELATIVE_TOLERANCE,
            atol=ABSOLUTE_TOLERANCE,
            lband=shape[1] - 1,
            uband=shape[1] - 1,
        )
        while solver.status == "running":
            before, start = solver.y.reshape(shape).copy(), float(solver.t)
            solver.step()
            reached = solver.y.reshape(shape)
            if _is_stuck(solver, start) or not np.all(np.isfinite(reached)):
                return self._stop_fastest(before, start), start
            dense = None
            wanted = (self.times > start) & (self.times <= solver.t)
            if np.any(wanted):
                dense = solver.dense_output()
                at_times = dense(self.times[wanted]).T.reshape(-1, *shape)
                self.values[np.ix_(self.active, wanted)] = at_times.transpose(1, 0, 2)
            broken = self._broken(reached)
            if np.any(broken):
                dense = dense or solver.dense_output()
                course = lambda t, dense=dense: dense(t).reshape(shape)  # noqa: E731
                self.stop_broken(reached, course, start, float(solver.t))
                return reached[~broken], float(solver.t)
        return solver.y.reshape(shape), float(solver.t)

    def stop_broken(
        self,
        reached: Float64[np.ndarray, "active moments"],
        course: Callable[[float], Float64[np.ndarray, "active moments"]],
        start: float,
        end: float,
    ) -> None:
        """Stop the solutions that break a requirement between two times, when they do."""
        negative = self.requirements(reached) < -ROUNDING
        broken = np.any(negative, axis=1)
        for place in np.flatnonzero(broken):
            crossing = self._crossing(lambda t, p=place: course(t)[p], start, end)
            name = self.requirements.names[int(np.argmax(negative[place]))]
            self._stop(int(self.active[place]), crossing, f"the {name} is negative")
        self.active = self.active[~broken]

    def _broken(
        self, reached: Float64[np.ndarray, "active moments"]
    ) -> Bool[np.ndarray, " active"]:
        return np.any(self.requirements(reached) < -ROUNDING, axis=1)

    def _crossing(
        self, course: Callable[[float], Float64[np.ndarray, " moments"]], low: float, high: float
    ) -> float:
        """First time of a broken requirement, by halving."""
        for _ in range(HALVINGS if high > low else 0):
            middle = (low + high) / 2
            if self._broken(course(middle)[None])[0]:
                high = middle
            else:
                low = middle
        return high

    def _stop_fastest(
        self, state: Float64[np.ndarray, "active moments"], time: float
    ) -> Float64[np.ndarray, "remaining moments"]:
        """Stop the solution that changes fastest, where the solver cannot go on."""
        rates = np.abs(self.velocity(state)) / (1 + np.abs(state))
        fastest = int(np.argmax(np.where(np.isfinite(rates), rates, np.inf).max(axis=1)))
        self._stop(int(self.active[fastest]), time, "the moments grow without bounds")
        self.active = np.delete(self.active, fastest)
        return np.delete(state, fastest, axis=0)

    def _stop(self, number: int, time: float, reason: str) -> None:
        self.stopped_at[number] = time
        self.reasons[number] = reason
        self.values[number, self.times > time] = np.nan


def _is_stuck(solver: LSODA, start: float) -> bool:
    return solver.status == "failed" or bool(solver.t - start <= 4 * np.spacing(abs(start)))
