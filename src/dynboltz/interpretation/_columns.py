"""Values of the field and of all candidates where the solutions of a model go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz.distributions import in_batches
from dynboltz.dynamics import AbstractVectorField

from ._candidate import Candidate

LARGEST = 1e100
"""Values whose squares, and sums of them, are numbers."""
Points = Float64[np.ndarray, "_ coefficients"]
"""Of one trajectory, or of all one after the other."""


@final
@dataclass(frozen=True, eq=False)
class Columns:
    """Values at the points of some trajectories, one after the other.

    Attributes
    ----------
    field
        Of the field.
    candidates
        Of the candidates.
    lengths
        Number of points of each trajectory.
    """

    field: Points
    candidates: Float64[np.ndarray, "candidates points coefficients"]
    lengths: tuple[int, ...]

    def weights(self) -> Float64[np.ndarray, " points"]:
        """Weights of the points: all trajectories count alike, and their sum is 1."""
        share = 1 / np.array(self.lengths)
        return np.repeat(share, self.lengths) / len(self.lengths)


def columns(
    field: AbstractVectorField,
    trajectories: Sequence[Points],
    candidates: Sequence[Candidate],
) -> Columns:
    """Evaluate the field and all candidates.

    Raises
    ------
    ValueError
        If a value is not finite, or too large for its square to be.
    """
    points = np.concatenate([np.asarray(trajectory) for trajectory in trajectories])
    values = np.array([_candidate_values(candidate, points) for candidate in candidates])
    derivative = values_at(field, points)
    _check_finite("the field", derivative, points)
    return Columns(derivative, values, tuple(map(len, trajectories)))


def _candidate_values(candidate: Candidate, points: Points) -> Points:
    """Values without the name, so that fields which differ in numbers only compile once."""
    values = values_at(candidate.function, points)
    candidate.check_shape(values.shape[1:], points.shape[1])
    filled = np.broadcast_to(values.reshape(len(points), -1), points.shape)
    _check_finite(f"candidate {candidate.name!r}", filled, points)
    return filled


def values_at(function: Callable[[Array], Any], points: Points) -> Any:
    """Values of a field or of another function at many points."""
    return in_batches(lambda rows: _values(function, jax.numpy.asarray(rows)), points)


def root_mean_square(
    values: Float64[np.ndarray, "points ..."], weights: Float64[np.ndarray, " points"]
) -> Any:
    """Root of the weighted mean of the squares over the points."""
    return np.sqrt(np.tensordot(weights, values**2, 1))


@eqx.filter_jit
def _values(function: Callable[[Array], Any], points: Float[Array, "points coefficients"]) -> Array:
    return jax.vmap(function)(points)


def _check_finite(what: str, values: Points, points: Points) -> None:
    # The negation holds for NaN as well.
    wrong = ~(np.abs(values) < LARGEST).all(axis=1)
    if wrong.any():
        first = points[wrong.argmax()]
        size = "not finite" if not np.isfinite(values).all() else f"larger than {LARGEST:g}"
        raise ValueError(
            f"project: {what} is {size} at {wrong.sum()} of {len(points)} points, first at "
            f"theta = {np.array2string(first, precision=4)}; leave the candidate or points out."
        )
