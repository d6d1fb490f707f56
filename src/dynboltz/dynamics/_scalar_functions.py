"""Ordinary functions of the interaction functions at one point, from which functionals are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dynboltz._arguments import check_memory, check_range, checked

ScalarFunction = Callable[[Float[Array, " species"]], Float[Array, ""]]
r"""$F^{(s)}(\nu)$ of the values $\nu_\alpha$ of all species at a point, a PyTree."""


@final
@checked
class Constant(eqx.Module):
    r"""$F(\nu) = c$.

    Parameters
    ----------
    value
        $c$; learned if it is an array.
    """

    value: Float[Array, ""]

    def __call__(self, nu: Float[Array, " species"]) -> Float[Array, ""]:
        """The value, whatever `nu`."""
        return self.value.astype(nu.dtype)


@final
@checked
@dataclass(frozen=True)
class Exponential:
    r"""$f(\nu) = \exp(\sum_\alpha a_\alpha \nu_\alpha)$, an entry of a dictionary.

    Parameters
    ----------
    exponents
        $a_\alpha$, one a species.
    """

    exponents: tuple[float, ...]

    def __call__(self, nu: Float[Array, " species"]) -> Float[Array, ""]:
        """The value at `nu`."""
        if len(nu) != len(self.exponents):
            raise ValueError(
                f"Exponential: `nu` must have {len(self.exponents)} entries, one for each of the "
                f"`exponents`, got {len(nu)}."
            )
        return jnp.exp(jnp.dot(jnp.asarray(self.exponents, nu.dtype), nu))


@final
@checked
class Dictionary(eqx.Module):
    r"""$F(\nu) = \sum_i c_i f_i(\nu)$ with known functions $f_i$.

    Parameters
    ----------
    functions
        The $f_i$, each of the values of all species.
    weights
        The $c_i$, which are learned.

    Raises
    ------
    ValueError
        If there is not one weight a function.
    """

    functions: tuple[Callable[[Array], Array], ...] = eqx.field(static=True)
    weights: Float[Array, " functions"]

    def __check_init__(self) -> None:
        if self.weights.shape != (len(self.functions),):
            raise ValueError(
                f"Dictionary: `weights` must have shape ({len(self.functions)},), one for each "
                f"function, got {self.weights.shape}."
            )

    def __call__(self, nu: Float[Array, " species"]) -> Float[Array, ""]:
        """The value at `nu`."""
        return jnp.dot(self.weights, jnp.stack([f(nu) for f in self.functions]))


@final
@checked
class HermiteCurve(eqx.Module):
    r"""$F(\nu) = f(\nu_\alpha)$, cubic on each element and once differentiable.

    Beyond its ends it goes on as a straight line.

    Parameters
    ----------
    lower, upper
        Ends of the elements.
    u
        Value, and slope times the length of an element, at each end of an element; learned.
    species
        $\alpha$, the number of the species that it depends on.

    Raises
    ------
    ValueError
        If the ends are not in order, or there are fewer than two vertices.
    """

    lower: float = eqx.field(static=True)
    upper: float = eqx.field(static=True)
    u: Float[Array, "vertices 2"]
    species: int = eqx.field(static=True, default=0)

    def __check_init__(self) -> None:
        check_range("HermiteCurve", "species", self.species, least=0)
        if not -math.inf < self.lower < self.upper < math.inf or len(self.u) < 2:
            raise ValueError(
                "HermiteCurve: `lower` must be below `upper` and `u` have two or more vertices, "
                f"got {self.lower}, {self.upper} and {len(self.u)}."
            )

    @classmethod
    def constant(
        cls, value: float, lower: float, upper: float, n_elements: int, *, species: int = 0
    ) -> HermiteCurve:
        """Build the curve that has one value everywhere.

        Parameters
        ----------
        value
            The value.
        lower, upper
            Ends of the elements.
        n_elements
            Their number.
        species
            Number of the species that the curve depends on.
        """
        check_range("HermiteCurve.constant", "n_elements", n_elements, least=1)
        check_memory("HermiteCurve.constant", "n_elements", n_elements, 16 * (n_elements + 1))
        u = jnp.zeros((n_elements + 1, 2)).at[:, 0].set(value)
        return cls(lower, upper, u, species)

    def __call__(self, nu: Float[Array, " species"]) -> Float[Array, ""]:
        """The value at `nu`."""
        _check_species("HermiteCurve", self.species, nu)
        last = len(self.u) - 1
        scaled = (nu[self.species] - self.lower) * (last / (self.upper - self.lower))
        inside = jnp.clip(scaled, 0, last)
        beyond = self.u[0, 1] * jnp.minimum(scaled, 0) + self.u[-1, 1] * jnp.maximum(
            scaled - last, 0
        )
        # All vertices at once: many points are quicker without looking up their elements.
        offset = inside - jnp.arange(last + 1, dtype=nu.dtype)
        distance = jnp.minimum(jnp.abs(offset), 1)
        fade = (1 - distance) ** 2
        basis = jnp.stack([fade * (1 + 2 * distance), fade * offset], axis=-1)
        return jnp.sum(basis * self.u) + beyond


@final
@checked
class Positive(eqx.Module):
    r"""$F(\nu) = \exp f(\nu) > 0$, for diffusion, which must not be negative.

    Parameters
    ----------
    logarithm
        $f$.
    """

    logarithm: ScalarFunction

    def __call__(self, nu: Float[Array, " species"]) -> Float[Array, ""]:
        """The value at `nu`."""
        return jnp.exp(self.logarithm(nu))


@final
@checked
class Conserving(eqx.Module):
    r"""$F_2 = \partial F_1 / \partial \nu_\alpha - F_1$, with which transport conserves particles.

    Then $\partial_t \nu = F_1 \nabla^2 \nu + F_2 |\nabla \nu|^2$ is
    $\partial_t \rho = \nabla \cdot (F_1 \nabla \rho)$ for $\rho = e^{-\nu}$.

    Parameters
    ----------
    diffusion
        $F_1$.
    species
        $\alpha$, the number of the species that moves.
    """

    diffusion: ScalarFunction
    species: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_range("Conserving", "species", self.species, least=0)

    def __call__(self, nu: Float[Array, " species"]) -> Float[Array, ""]:
        """The value at `nu`."""
        _check_species("Conserving", self.species, nu)
        value, gradient = jax.value_and_grad(self.diffusion)(nu)
        return gradient[self.species] - value


def _check_species(where: str, species: int, nu: Float[Array, " species"]) -> None:
    """Raise `ValueError` if there is no such species; JAX would take another one."""
    if species >= len(nu):
        raise ValueError(
            f"{where}: `nu` must have {species + 1} or more entries, since `species` is {species}; "
            f"got {len(nu)}."
        )
