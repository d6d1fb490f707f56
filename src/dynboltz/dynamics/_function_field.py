"""A vector field given by any JAX function."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PyTree

from dynboltz._arguments import checked

from ._base import AbstractVectorField, unlimited


@final
@checked
class FunctionField(AbstractVectorField):
    r"""Vector field $F(\theta; u)$ computed by a function of the user.

    Parameters
    ----------
    coefficients
        Names of the entries of $\theta$, in order.
    function
        Maps $\theta$ and `parameters` to $d\theta/dt$ [1/time], written with `jax.numpy`. It is
        part of the compiled code: another function means another compilation.
    parameters
        Any PyTree; its inexact arrays are the parameters $u$ that are learned.

    Raises
    ------
    ValueError
        When called, if `function` does not return one value for each coefficient.
    """

    coefficients: tuple[str, ...] = eqx.field(static=True)
    function: Callable[[Array, PyTree], Array] = eqx.field(static=True)
    parameters: PyTree = None

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time] at one point."""
        derivative = self.function(theta, self.parameters)
        if derivative.shape != (len(self.coefficients),):
            raise ValueError(
                f"FunctionField: `function` must return shape ({len(self.coefficients)},), one "
                f"value for each of {self.coefficients}, got {derivative.shape}."
            )
        return derivative

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Infinite: nothing is known about where the function is defined."""
        return unlimited(self)
