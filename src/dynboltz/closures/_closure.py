"""Closed moment equations with the interface of a learned model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked
from dynboltz.dynamics import AbstractVectorField, FunctionField
from dynboltz.moments import AbstractMoment, MomentEquations

from ._closed_moments import ClosedMoments
from ._requirements import Requirements
from ._solve import ClosurePrediction, solve_closed

M = TypeVar("M", bound=AbstractMoment)


@checked
@dataclass(frozen=True, eq=False)
class Closure(Generic[M]):
    """Moment equations with closed right-hand sides.

    Attributes
    ----------
    kind
        Name of the closure.
    equations
        The exact equations, with what the closure closes.
    velocity
        Time derivatives of the followed moments as functions of them [1/time].
    requirements
        What must not become negative.
    """

    kind: str
    equations: MomentEquations[M]
    velocity: ClosedMoments
    requirements: Requirements

    @property
    def moments(self) -> tuple[M, ...]:
        """What the closure follows."""
        return self.equations.moments

    @property
    def names(self) -> tuple[str, ...]:
        """Text of the moments, the coefficients of the field."""
        return tuple(map(str, self.moments))

    @property
    def field(self) -> AbstractVectorField:
        """The right-hand side in JAX, for `integrate` and whatever takes a learned field."""
        return FunctionField(self.names, self.velocity.in_jax)

    def predict(
        self,
        initial: Float64[np.ndarray, "initial_conditions moments"],
        times: Float64[np.ndarray, " times"],
    ) -> ClosurePrediction:
        """Moments over time, up to where they become unphysical.

        Parameters
        ----------
        initial
            Values of the followed moments at the first time, in the order of `moments`.
        times
            One or more increasing times [time].

        Returns
        -------
        prediction
            Values, NaN after the time when a solution stopped. Nothing is raised for a solution
            that does: see `stopped_at` and `message`.

        Raises
        ------
        ValueError
            If `initial` has another number of moments or is not finite, or the times do not
            increase.
        """
        if initial.shape[1] != len(self.moments) or not np.all(np.isfinite(initial)):
            raise ValueError(
                f"Closure.predict: `initial` must hold finite values of {', '.join(self.names)} "
                f"for each initial condition, got shape {initial.shape}. "
                "`estimate_initial` makes them from states."
            )
        if not (len(times) and np.all(np.isfinite(times)) and np.all(np.diff(times) > 0)):
            raise ValueError(
                f"Closure.predict: `times` must be one or more increasing times, got {times}."
            )
        return solve_closed(self.velocity, self.requirements, initial, times)
