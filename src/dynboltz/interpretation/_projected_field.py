"""A projection as a vector field again."""

from __future__ import annotations

from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from dynboltz._arguments import checked
from dynboltz.dynamics import AbstractVectorField, unlimited

from ._candidate import Candidate
from ._known import Ranges, within


@final
@checked
class ProjectedField(AbstractVectorField):
    r"""Right-hand sides $F_k(\theta) = \sum_j w_{kj} \phi_j(\theta)$ of candidates.

    The weights are the parameters $u$.

    Attributes
    ----------
    coefficients
        Names of the entries of $\theta$, in order.
    candidates
        The functions.
    weights
        One row for each coefficient, one column for each candidate.
    ranges
        Least and greatest value of each coefficient at the points that the weights were fitted to,
        if they are known.
    """

    coefficients: tuple[str, ...] = eqx.field(static=True)
    candidates: tuple[Candidate, ...]
    weights: Float[Array, "coefficients candidates"]
    ranges: Ranges | None = eqx.field(static=True, default=None)

    def __check_init__(self) -> None:
        if self.ranges is not None and len(self.ranges) != len(self.coefficients):
            raise ValueError(
                f"ProjectedField: `ranges` must be one pair for each of the coefficients "
                f"{', '.join(self.coefficients)}, got {len(self.ranges)}."
            )

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time] at one point."""
        derivative = jnp.zeros_like(theta)
        for candidate, weights in zip(self.candidates, self.weights.T, strict=True):
            derivative = derivative + weights.astype(theta.dtype) * candidate(theta)
        return derivative

    def visited(
        self, theta: Float[np.ndarray, "*batch coefficients"]
    ) -> Bool[np.ndarray, "*batch"]:
        """Tell which points lie within the ranges of the fit, or up to a twentieth beyond them.

        Elsewhere the equations extrapolate. All points count as known if there are no ranges.

        Parameters
        ----------
        theta
            Coefficients.
        """
        return within(self.ranges, theta)

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Infinite: nothing is known about where the candidates are defined."""
        return unlimited(self)
