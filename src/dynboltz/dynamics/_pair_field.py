"""Equations of pair interaction functions in homogeneous space, by Galerkin's method."""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import checked
from dynboltz.elements import RadialSpace

from ._base import AbstractVectorField, unlimited
from ._functional_field import Equation
from ._scalar_functions import ScalarFunction


@final
@checked
class UniformEquation(eqx.Module):
    r"""Right-hand side of the interaction function of single particles, the same everywhere.

    $$\frac{d\nu_\alpha}{dt} = F(\nu) + \sum_p \int dr\, S_d r^{d-1}\, G_p(\nu, \nu_p(r), r)$$

    with the surface $S_d r^{d-1}$ of the sphere of radius $r$ in $d$ dimensions. Reactions of
    pairs within a radius at rate $\lambda$ that take away $\alpha$ are, at low density,
    $G = \lambda\, e^{-\nu_\beta - \nu_{\alpha\beta}}$ up to that radius.

    Parameters
    ----------
    local
        $F$ of the values of all species.
    integrands
        $G_p$ of each pair of species, or None where there is none.
    """

    local: ScalarFunction
    integrands: tuple[ScalarFunction | None, ...]


@final
@checked
class PairField(AbstractVectorField):
    r"""Equations of $\nu_\alpha(t)$ and $\nu_{\alpha\beta}(r, t)$ in homogeneous isotropic space.

    $$\frac{\partial \nu_p}{\partial t} = F_p^{(1)} \nabla_r^2 \nu_p
    + F_p^{(2)} \Big(\frac{\partial \nu_p}{\partial r}\Big)^2 + F_p^{(3)}, \qquad
    \nabla_r^2 = r^{1-d} \frac{\partial}{\partial r} r^{d-1} \frac{\partial}{\partial r}$$

    for each pair $p$ of species, and `UniformEquation` for each species: Ernst et al. (2019),
    eq. (15) with $K = 2$. All functions of a pair depend on $(\nu_1, \dots, \nu_S, \nu_p(r), r)$.
    Pairs that only diffuse, independently of all others, have $F^{(1)} = D_\alpha + D_\beta =
    -F^{(2)}$.

    Parameters
    ----------
    space
        Elements of the distance, the same for every pair; `None` without pairs.
    dim
        $d$, 1 to 3.
    species
        Names of the species.
    pairs
        The pairs of species that have a function.
    single
        One equation a species.
    pair
        One equation a pair.

    Raises
    ------
    ValueError
        If there is not one equation each, there are pairs but no elements, or `dim` is not 1, 2 or
        3.
    """

    space: RadialSpace | None = eqx.field(static=True)
    dim: int = eqx.field(static=True)
    species: tuple[str, ...] = eqx.field(static=True)
    pairs: tuple[tuple[str, str], ...] = eqx.field(static=True)
    single: tuple[UniformEquation, ...]
    pair: tuple[Equation, ...]
    coefficients: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        space: RadialSpace | None,
        dim: int,
        species: tuple[str, ...],
        pairs: tuple[tuple[str, str], ...],
        single: tuple[UniformEquation, ...],
        pair: tuple[Equation, ...],
    ) -> None:
        if dim not in (1, 2, 3):
            raise ValueError(f"PairField: `dim` must be 1, 2 or 3, got {dim}.")
        if len(single) != len(species) or len(pair) != len(pairs):
            raise ValueError(
                f"PairField: `single` needs one equation for each of the species {species} and "
                f"`pair` one for each of the pairs {pairs}, got {len(single)} and {len(pair)}."
            )
        if any(len(equation.integrands) != len(pairs) for equation in single):
            raise ValueError(
                "PairField: `integrands` of every equation in `single` must have one entry, a "
                f"function or None, for each of the pairs {pairs}."
            )
        if pairs and space is None:
            raise ValueError(f"PairField: the pairs {pairs} need a `space`, got None.")
        self.space, self.dim, self.species, self.pairs = space, dim, species, pairs
        self.single, self.pair = single, pair
        size = 0 if space is None else space.size
        names = [f"nu.{a}.{b}[{j}]" for (a, b), j in itertools.product(pairs, range(size))]
        self.coefficients = (*(f"nu.{name}[0]" for name in species), *names)

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time]."""
        nu = theta[: len(self.species)]
        if self.space is None:
            return jnp.stack([equation.local(nu) for equation in self.single])
        rule = _radial_rule(self.space, self.dim)
        functions = theta[len(self.species) :].reshape(len(self.pairs), -1)
        values = functions @ jnp.asarray(rule.values.T, theta.dtype)
        slopes = functions @ jnp.asarray(rule.slopes.T, theta.dtype)
        points = [self._arguments(nu, own, rule) for own in values]
        single = [self._single(equation, nu, points, rule) for equation in self.single]
        parts = [
            self._pair(equation, own, slope, rule)
            for equation, own, slope in zip(self.pair, points, slopes, strict=True)
        ]
        return jnp.concatenate([jnp.stack(single), *parts])

    def _arguments(self, nu: Array, values: Array, rule: RadialRule) -> Array:
        """Arguments [points, arguments] of all functions of a pair."""
        n_points = len(rule.distances)
        same = jnp.broadcast_to(nu, (n_points, len(nu)))
        return jnp.column_stack([same, values, jnp.asarray(rule.distances, nu.dtype)])

    def _single(
        self, equation: UniformEquation, nu: Array, points: list[Array], rule: RadialRule
    ) -> Array:
        total = equation.local(nu)
        weights = jnp.asarray(rule.weights, nu.dtype)
        for integrand, arguments in zip(equation.integrands, points, strict=True):
            if integrand is not None:
                total = total + jnp.dot(weights, jax.vmap(integrand)(arguments))
        return total

    def _pair(self, equation: Equation, arguments: Array, slopes: Array, rule: RadialRule) -> Array:
        """Right-hand side of one pair; the Laplacian is integrated by parts."""
        along = jnp.zeros_like(arguments).at[:, -2].set(slopes).at[:, -1].set(1.0)

        local, flux = jax.vmap(equation.weak)(arguments, along[:, None], slopes[:, None])
        tested = local @ jnp.asarray(rule.weighted_values, local.dtype)
        tested = tested - flux[:, 0] @ jnp.asarray(rule.weighted_slopes, local.dtype)
        return jnp.asarray(rule.mass_inverse, local.dtype) @ tested

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Infinite: the functions are defined for all values."""
        return unlimited(self)

    def stiff_operator(
        self, theta: Float[Array, "*batch coefficients"]
    ) -> Float[Array, "coefficients coefficients"]:
        r"""Linear part $D_p \nabla_r^2$ of the right-hand side, for `solve_implicit`.

        Parameters
        ----------
        theta
            Coefficients; $D_p$ is the largest $F_p^{(1)}$ there.
        """
        n_species = len(self.species)
        if self.space is None:
            return jnp.zeros((n_species, n_species), theta.dtype)
        rule = _radial_rule(self.space, self.dim)
        rows = theta.reshape(-1, theta.shape[-1])
        blocks = [jnp.zeros((n_species, n_species), theta.dtype)]
        for number, equation in enumerate(self.pair):
            first = n_species + number * self.space.size
            functions = rows[:, first : first + self.space.size]
            values = functions @ jnp.asarray(rule.values.T, theta.dtype)
            points = jax.vmap(functools.partial(self._arguments, rule=rule))(
                rows[:, :n_species], values
            )
            largest = jnp.max(jax.vmap(jax.vmap(equation.laplacian))(points))
            blocks.append(largest * jnp.asarray(rule.laplacian, theta.dtype))
        return jax.lax.stop_gradient(jax.scipy.linalg.block_diag(*blocks))


class RadialRule(NamedTuple):
    """What integrals over the distance are made of.

    Attributes
    ----------
    distances, weights
        Quadrature points and their weights, the surface of the sphere included.
    values, slopes
        Basis functions there, and their derivatives.
    weighted_values, weighted_slopes
        The same times the weights.
    mass_inverse
        Inverse mass matrix.
    laplacian
        The Laplacian as a matrix that acts on coefficients.
    """

    distances: Float64[np.ndarray, " points"]
    weights: Float64[np.ndarray, " points"]
    values: Float64[np.ndarray, "points coefficients"]
    slopes: Float64[np.ndarray, "points coefficients"]
    weighted_values: Float64[np.ndarray, "points coefficients"]
    weighted_slopes: Float64[np.ndarray, "points coefficients"]
    mass_inverse: Float64[np.ndarray, "coefficients coefficients"]
    laplacian: Float64[np.ndarray, "coefficients coefficients"]


@functools.lru_cache(maxsize=32)
def _radial_rule(space: RadialSpace, dim: int) -> RadialRule:
    points, weights = space.quadrature()
    distances = points[:, 0]
    surface = 2 * math.pi ** (dim / 2) / math.gamma(dim / 2) * distances ** (dim - 1)
    weights = weights * surface
    values, slopes = space.evaluate(points), space.evaluate(points, 1)
    weighted_values, weighted_slopes = weights[:, None] * values, weights[:, None] * slopes
    inverse = np.linalg.inv(values.T @ weighted_values)
    laplacian = -inverse @ (slopes.T @ weighted_slopes)
    return RadialRule(
        distances, weights, values, slopes, weighted_values, weighted_slopes, inverse, laplacian
    )
