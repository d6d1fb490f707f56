"""A projection as a vector field again."""

from __future__ import annotations

from typing import final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import checked
from dynboltz.dynamics import AbstractVectorField, unlimited

from ._candidate import Candidate


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
    """

    coefficients: tuple[str, ...] = eqx.field(static=True)
    candidates: tuple[Candidate, ...]
    weights: Float[Array, "coefficients candidates"]

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time] at one point."""
        derivative = jnp.zeros_like(theta)
        for candidate, weights in zip(self.candidates, self.weights.T, strict=True):
            derivative = derivative + weights.astype(theta.dtype) * candidate(theta)
        return derivative

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Infinite: nothing is known about where the candidates are defined."""
        return unlimited(self)
