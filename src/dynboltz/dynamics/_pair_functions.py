"""Entries of dictionaries for the equations of pair functions, zero beyond a distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
from jaxtyping import Array, Float

from dynboltz._arguments import checked


@final
@checked
@dataclass(frozen=True)
class ExponentialWithin:
    r"""$f = \exp(\sum_i a_i y_i)$ up to a distance, zero beyond, an entry of a dictionary.

    The arguments $y$ are those of `PairField`: the distance is the last of them.

    Parameters
    ----------
    exponents
        $a_i$, one an argument but the distance.
    radius
        The distance up to which the function is not zero; a vertex of the elements, or integrals
        are not accurate.
    """

    exponents: tuple[float, ...]
    radius: float

    def __call__(self, arguments: Float[Array, " arguments"]) -> Float[Array, ""]:
        """The value for some arguments."""
        if len(arguments) != len(self.exponents) + 1:
            raise ValueError(
                f"ExponentialWithin: `arguments` must have {len(self.exponents) + 1} entries, one "
                f"for each of the `exponents` and the distance, got {len(arguments)}."
            )
        exponents = jnp.asarray(self.exponents, arguments.dtype)
        value = jnp.exp(jnp.dot(exponents, arguments[:-1]))
        return jnp.where(arguments[-1] < self.radius, value, jnp.zeros_like(value))


@final
@checked
@dataclass(frozen=True)
class CorrelationWithin:
    r"""$f = \exp(\sum_i a_i y_i)\, (e^{-\nu_p(r)} - 1)$ up to a distance, zero beyond.

    The excess of pairs at a distance, at low density: what other particles mediate is made of it.
    The arguments $y$ are those of `PairField`, $\nu_p(r)$ the last but one of them.

    Parameters
    ----------
    exponents
        $a_i$, one an argument but the distance.
    radius
        As of `ExponentialWithin`.
    """

    exponents: tuple[float, ...]
    radius: float

    def __call__(self, arguments: Float[Array, " arguments"]) -> Float[Array, ""]:
        """The value for some arguments."""
        if len(arguments) < 2:
            raise ValueError(
                "CorrelationWithin: `arguments` must have two or more entries, the last ones the "
                f"pair function and the distance, got {len(arguments)}."
            )
        factor = ExponentialWithin(self.exponents, self.radius)(arguments)
        return factor * jnp.expm1(-arguments[-2])
