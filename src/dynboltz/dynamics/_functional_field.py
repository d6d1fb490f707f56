"""Partial differential equations of single-particle interaction functions, by Galerkin's method."""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import checked
from dynboltz.elements import ElementSpace

from ._base import AbstractVectorField, unlimited
from ._scalar_functions import Conserving, ScalarFunction


@final
@checked
class Equation(eqx.Module):
    r"""Right-hand side of the equation of one species.

    $$\frac{\partial \nu}{\partial t} = F_1(\nu) \nabla^2 \nu + F_2(\nu) |\nabla \nu|^2 + F_3(\nu)$$

    With the Poisson density $\rho = e^{-\nu}$: diffusion is $F_1 = D$, $F_2 = -D$; decay at rate
    $k$ is $F_3 = k$; birth at a rate $\lambda$ per volume $F_3 = -\lambda e^\nu$; annihilation
    $\dot\rho = -\kappa \rho^2$ is $F_3 = \kappa e^{-\nu}$.

    Parameters
    ----------
    laplacian
        $F_1$ [length^2 / time].
    gradient_squared
        $F_2$ [length^2 / time].
    source
        $F_3$ [1 / time].
    """

    laplacian: ScalarFunction
    gradient_squared: ScalarFunction
    source: ScalarFunction

    def weak(
        self,
        arguments: Float[Array, " arguments"],
        slopes: Float[Array, "dim arguments"],
        own: Float[Array, " dim"],
    ) -> tuple[Float[Array, ""], Float[Array, " dim"]]:
        r"""What the equation gives at a point once the Laplacian is integrated by parts.

        Against a function $\varphi$ the right-hand side is
        $\int (\varphi\, l - \nabla \varphi \cdot f)\, dx$ with
        $l = (F_2 |\nabla \nu|^2 - \nabla F_1 \cdot \nabla \nu) + F_3$ and $f = F_1 \nabla \nu$.

        Parameters
        ----------
        arguments
            Arguments of the functions.
        slopes
            Their derivatives along each axis.
        own
            $\nabla \nu$ of the function that it is the equation of.

        Returns
        -------
        local, flux
            $l$ and $f$.
        """
        slopes = slopes.astype(arguments.dtype)
        diffusion, changes = jax.vmap(
            lambda slope: jax.jvp(self.laplacian, (arguments,), (slope,))
        )(slopes)
        local = self.gradient_squared(arguments) * jnp.dot(own, own) - jnp.dot(changes, own)
        return local + self.source(arguments), diffusion[0] * own

    @classmethod
    def conserving(
        cls, diffusion: ScalarFunction, source: ScalarFunction, *, species: int = 0
    ) -> Equation:
        """Build an equation whose transport conserves particles, see `Conserving`.

        Parameters
        ----------
        diffusion
            $F_1$.
        source
            $F_3$.
        species
            Number of the species that it is the equation of.
        """
        return cls(diffusion, Conserving(diffusion, species), source)


@final
@checked
class FunctionalField(AbstractVectorField):
    r"""Functional of Ernst et al. (2019), eq. (15), for single-particle interaction functions.

    $$\frac{\partial \nu_\alpha}{\partial t} = F_\alpha^{(1)}(\nu) \nabla^2 \nu_\alpha
    + F_\alpha^{(2)}(\nu) |\nabla \nu_\alpha|^2 + F_\alpha^{(3)}(\nu)$$

    in a box, with no flux through closed walls. The functions are expanded in finite elements,
    $\nu_\alpha(x, t) = \sum_j \theta_{\alpha j}(t) \varphi_j(x)$, and the equation holds against
    every $\varphi_i$; the Laplacian is integrated by parts.

    Parameters
    ----------
    space
        The elements, the same for every species.
    species
        Names of the species.
    equations
        One equation a species.

    Raises
    ------
    ValueError
        If there is not one equation a species.
    """

    space: ElementSpace = eqx.field(static=True)
    species: tuple[str, ...] = eqx.field(static=True)
    equations: tuple[Equation, ...]
    coefficients: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self, space: ElementSpace, species: tuple[str, ...], equations: tuple[Equation, ...]
    ) -> None:
        if not species or len(equations) != len(species):
            raise ValueError(
                f"FunctionalField: `equations` must have one entry for each of the species "
                f"{species}, got {len(equations)}."
            )
        self.space, self.species, self.equations = space, species, equations
        names = itertools.product(species, range(space.size))
        self.coefficients = tuple(f"nu.{name}[{j}]" for name, j in names)

    def __call__(self, theta: Float[Array, " coefficients"]) -> Float[Array, " coefficients"]:
        r"""Time derivative $d\theta/dt$ [1/time]."""
        rule = _rule(self.space)
        functions = theta.reshape(len(self.species), *self.space.shape)
        values = _contract(functions, rule.values)
        slopes = jnp.stack([_contract(functions, matrices) for matrices in rule.slopes])
        parts = [
            self._tested(number, values, slopes, rule) for number in range(len(self.equations))
        ]
        return jnp.concatenate([_contract(part, rule.mass_inverse).ravel() for part in parts])

    def _tested(
        self,
        number: int,
        values: Array,
        slopes: Array,
        rule: Rule,
    ) -> Array:
        """Integrals of the right-hand side of one species times every basis function.

        `values` [species, points of each axis] and `slopes` [axis, species, points of each axis].
        """
        points = values.shape[1:]
        nu = values.reshape(len(self.species), -1).T
        along = jnp.moveaxis(slopes.reshape(*slopes.shape[:2], -1), -1, 0)

        local, flux = jax.vmap(self.equations[number].weak)(nu, along, along[:, :, number])
        weights = jnp.asarray(rule.weights, values.dtype)
        total = _contract_back(weights * local.reshape(points), rule.values)
        for axis, matrices in enumerate(rule.slopes):
            part = weights * flux[:, axis].reshape(points)
            total = total - _contract_back(part, matrices)
        return total

    def limits(
        self,
    ) -> tuple[Float[np.ndarray, " coefficients"], Float[np.ndarray, " coefficients"]]:
        """Infinite: the functions are defined for all values."""
        return unlimited(self)

    def stiff_operator(
        self, theta: Float[Array, "*batch coefficients"]
    ) -> Float[Array, "coefficients coefficients"]:
        r"""Linear part $D_\alpha \nabla^2$ of the right-hand side, for `solve_implicit`.

        Parameters
        ----------
        theta
            Coefficients; $D_\alpha$ is the largest $F_\alpha^{(1)}$ there.
        """
        rule, laplacian = _rule(self.space), _laplacian(self.space)
        functions = theta.reshape(-1, len(self.species), *self.space.shape)
        values = jax.vmap(lambda f: _contract(f, rule.values))(functions)
        nu = jnp.moveaxis(values, 1, -1).reshape(-1, len(self.species))
        largest = [jnp.max(jax.vmap(e.laplacian)(nu)) for e in self.equations]
        return jax.lax.stop_gradient(
            jax.scipy.linalg.block_diag(*(d * jnp.asarray(laplacian, nu.dtype) for d in largest))
        )


class Rule(NamedTuple):
    """What integrals over the box are made of, axis by axis.

    Attributes
    ----------
    values
        Basis functions of each axis at its quadrature points.
    slopes
        The same with the derivative along one of the axes.
    weights
        Weights of all quadrature points.
    mass_inverse
        Inverse mass matrix of each axis.
    """

    values: tuple[Float64[np.ndarray, "points coefficients"], ...]
    slopes: tuple[tuple[Float64[np.ndarray, "points coefficients"], ...], ...]
    weights: Float64[np.ndarray, "*points"]
    mass_inverse: tuple[Float64[np.ndarray, "coefficients coefficients"], ...]


@functools.lru_cache(maxsize=32)
def _rule(space: ElementSpace) -> Rule:
    rules = [axis.quadrature() for axis in space.axes]
    values = tuple(a.matrix(x) for a, (x, _) in zip(space.axes, rules, strict=True))
    first = [a.matrix(x, 1) for a, (x, _) in zip(space.axes, rules, strict=True)]
    slopes = tuple(
        (*values[:number], first[number], *values[number + 1 :]) for number in range(len(values))
    )
    weights = functools.reduce(np.multiply.outer, (w for _, w in rules))
    inverses = tuple(np.linalg.inv(axis.mass()) for axis in space.axes)
    return Rule(values, slopes, np.asarray(weights), inverses)


@functools.lru_cache(maxsize=32)
def _laplacian(space: ElementSpace) -> Float64[np.ndarray, "coefficients coefficients"]:
    """The Laplacian of the elements as a matrix that acts on coefficients."""
    total = np.zeros((space.size, space.size))
    for number, axis in enumerate(space.axes):
        positions, weights = axis.quadrature()
        slopes = axis.matrix(positions, 1)
        own = -np.linalg.solve(axis.mass(), slopes.T @ (weights[:, None] * slopes))
        factors = [own if n == number else np.eye(a.size) for n, a in enumerate(space.axes)]
        total += functools.reduce(np.kron, factors)
    return total


def _contract(functions: Array, matrices: tuple[np.ndarray, ...]) -> Array:
    """Apply one matrix to each of the last axes."""
    for matrix in matrices:
        first = functions.ndim - len(matrices)
        factor = jnp.asarray(matrix, functions.dtype)
        functions = jnp.tensordot(functions, factor, axes=(first, 1))
    return functions


def _contract_back(values: Array, matrices: tuple[np.ndarray, ...]) -> Array:
    return _contract(values, tuple(matrix.T for matrix in matrices))
