"""Coordinates of Boltzmann machines: densities, and the coefficients of everything but biases."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import check_range, checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz._typing import AnyArray
from dynboltz.distributions import LatticeModel, TransferMatrix, in_batches
from dynboltz.lattices import Factor, Term

from ._emulator import Emulator

LONGEST_STEP = 2.0
"""Of a bias in one step of Newton's method: from independent sites, the first may be far too long
where sites are strongly coupled."""

MOST_STEPS = 60
"""Of Newton's method. Ten are usual; a bias that steps are too short to reach is below -100."""

NARROWEST = 0.1
"""Width of a coefficient that functions resolve: where all snapshots have nearly the same one,
differences are noise of their fits, and make none between distributions."""

PRECISION = 1e-12
"""Relative error of densities at which Newton's method ends."""

ROUNDING, TRACE = 1e-14, 1e-14
"""Of heights of the function that is minimised, and added to its curvature."""


@final
@checked
class CoefficientChart(eqx.Module):
    r"""Coordinates in which laws of Boltzmann machines are learned; made by `coefficient_chart`.

    The density of each visible species takes the place of its bias, $z = (\rho, \theta')$ with
    all other coefficients $\theta'$: couplings, weights to hidden units, hidden biases. One
    follows from the other, since $\rho$ increases with the biases (Amari's mixed coordinates: the
    divergence has no cross terms between $\rho$ and $\theta'$). Densities change by reactions
    only, however fast correlations do; in the coefficients themselves the loss of correlations
    moves all biases, and errors of that motion add up as errors of densities.

    Moments are exact on chains whose hidden units are independent of each other given the visible
    ones. Elsewhere they need an `Emulator` (`emulate`); laws are learned without one.

    Attributes
    ----------
    model
        The distribution.
    terms
        Moments that are predicted.
    floor
        Density below which a species counts as absent.
    emulator
        Biases and moments as functions of the coordinates, if they are not exact.
    """

    model: LatticeModel = eqx.field(static=True)
    terms: tuple[Term, ...] = eqx.field(static=True)
    floor: Float[AnyArray, ""]
    emulator: Emulator | None = None

    @property
    def _axis_entries(self) -> dict[str, Any]:
        return {
            "moments": self.names,
            "coordinates": self.coordinates,
            "coefficients": self.model.coefficients,
            "densities": self.model.species[0],
            "compared": self.coordinates,
            "factors": len(self.coordinates) - len(self.densities),
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the moments."""
        return tuple(term.name for term in self.terms)

    @property
    def densities(self) -> tuple[int, ...]:
        """Places of the densities among the coordinates: they come first."""
        return tuple(range(len(self.model.species[0])))

    @property
    def biases(self) -> tuple[int, ...]:
        """Places of the visible biases among the coefficients, by species."""
        return _biases(self.model)

    @property
    def others(self) -> tuple[int, ...]:
        """Places of the other coefficients."""
        biases = set(self.biases)
        return tuple(i for i in range(len(self.model.terms)) if i not in biases)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates: the species, for their densities, then coefficients."""
        names = self.model.coefficients
        return (*self.model.species[0], *(names[i] for i in self.others))

    @property
    def narrowest(self) -> Float64[np.ndarray, " coordinates"]:
        """Smallest width of a feature that functions are to resolve."""
        n = len(self.densities)
        return np.where(np.arange(len(self.coordinates)) < n, 0.0, NARROWEST)

    def probabilities(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " coordinates"]:
        """What laws and data are compared in: the coordinates themselves.

        Along the uncertainty of a fit they are linear in the moments of the model, so that
        comparing either is the same.
        """
        return jnp.asarray(z)

    def compared(
        self, replicas: Sequence[Float64[np.ndarray, "_ times coordinates"]]
    ) -> tuple[Float64[np.ndarray, "starts times coordinates"], list[np.ndarray]]:
        """Coordinates of the means over replicas, and of the replicas (`fit_snapshots`)."""
        return np.array([own.mean(axis=0) for own in replicas]), list(replicas)

    def features(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " coordinates"]:
        """What the learned functions see: log densities, not below the floor, and coefficients."""
        n = len(self.densities)
        return jnp.concatenate([jnp.log(jnp.maximum(z[:n], self.floor)), z[n:]])

    def place(
        self,
        densities: Float64[np.ndarray, "*batch densities"],
        theta: Float64[np.ndarray, "*batch coefficients"],
    ) -> Float64[np.ndarray, "*batch coordinates"]:
        """Coordinates of densities and coefficients, of which the biases do not count."""
        check_finite("CoefficientChart.place", "`densities`", densities)
        check_finite("CoefficientChart.place", "`theta`", theta)
        return np.concatenate([densities, theta[..., list(self.others)]], axis=-1)

    def from_coefficients(
        self, theta: Float64[np.ndarray, "*batch coefficients"]
    ) -> Float64[np.ndarray, "*batch coordinates"]:
        """Coordinates of coefficients, on chains.

        Raises
        ------
        ValueError
            If the model has no exact solution, see `TransferMatrix`.
        """
        flat = np.asarray(theta).reshape(-1, theta.shape[-1])
        moments = TransferMatrix(self.model).batch_moments(flat)[:, list(self.biases)]
        return self.place(moments.reshape(*theta.shape[:-1], len(self.biases)), theta)

    def coefficients(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " coefficients"]:
        """All coefficients at one point.

        Raises
        ------
        ValueError
            If there is neither an emulator nor an exact solution.
        """
        z, n = jnp.asarray(z), len(self.densities)
        density = jnp.maximum(z[:n], self.floor)
        others = self._spread(z)
        if self.emulator is not None:
            biases = self.emulator.biases(jnp.concatenate([density, z[n:]]))
        else:
            biases = _solve(_solution(self.model, ()), self.biases, density, others)
        return others.at[jnp.asarray(self.biases)].set(biases)

    def moments(self, z: Float[AnyArray, " coordinates"]) -> Float[Array, " moments"]:
        """Moments per visible site at one point.

        Raises
        ------
        ValueError
            If there is neither an emulator nor an exact solution.
        """
        if self.emulator is not None:
            z, n = jnp.asarray(z), len(self.densities)
            inside = jnp.concatenate([jnp.maximum(z[:n], self.floor), z[n:]])
            return self.emulator.moments(inside)
        theta = self.coefficients(z)
        unobserved = jnp.zeros(len(self.terms), theta.dtype)
        solution = _solution(self.model, self.terms)
        return solution.moments(jnp.concatenate([theta, unobserved]))[len(theta) :]

    def batch_moments(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch moments"]:
        """The moments at many points."""
        return self._at_all(_moments, z)

    def batch_coefficients(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch coefficients"]:
        """All coefficients at many points."""
        return self._at_all(_coefficients, z)

    def batch_derivatives(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch moments coordinates"]:
        """Derivatives of the moments by the coordinates, at many points."""
        return self._at_all(_derivatives, z)

    def batch_features(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch coordinates"]:
        """The features at many points."""
        n = len(self.densities)
        logs = np.log(np.maximum(z[..., :n], float(self.floor)))
        return np.concatenate([logs, z[..., n:]], axis=-1)

    def batch_probabilities(
        self, z: Float64[np.ndarray, "*batch coordinates"]
    ) -> Float64[np.ndarray, "*batch coordinates"]:
        """What is compared, at many points."""
        return z

    def _at_all(self, function: Callable[..., Array], z: np.ndarray) -> np.ndarray:
        check_precision("CoefficientChart")
        found = in_batches(functools.partial(function, self), z.reshape(-1, z.shape[-1]))
        return found.reshape(*z.shape[:-1], *found.shape[1:])

    def _spread(self, z: Array) -> Array:
        """Coefficients with biases of zero."""
        theta = jnp.zeros(len(self.model.terms), z.dtype)
        return theta.at[jnp.asarray(self.others, int)].set(z[len(self.densities) :])


@eqx.filter_jit
def _moments(chart: CoefficientChart, z: AnyArray) -> Array:
    return jax.vmap(chart.moments)(jnp.asarray(z))


@eqx.filter_jit
def _coefficients(chart: CoefficientChart, z: AnyArray) -> Array:
    return jax.vmap(chart.coefficients)(jnp.asarray(z))


@eqx.filter_jit
def _derivatives(chart: CoefficientChart, z: AnyArray) -> Array:
    return jax.vmap(jax.jacfwd(chart.moments))(jnp.asarray(z))


@checked
def coefficient_chart(
    model: LatticeModel, terms: Sequence[Term], *, n_replicas: int = 1
) -> CoefficientChart:
    """Coordinates of the distributions of a model on a lattice.

    Parameters
    ----------
    model
        The model, with a bias for each visible species that belongs to all sites.
    terms
        Moments to predict.
    n_replicas
        Number of states that data are averages of, for the smallest density.

    Raises
    ------
    ValueError
        If a species has no bias, or there are no moments.
    """
    check_range("coefficient_chart", "n_replicas", n_replicas, 1)
    if not terms:
        raise ValueError("coefficient_chart: `terms` must hold one moment or more, got none.")
    _biases(model)
    floor = np.array(0.5 / (model.lattice.n_sites * n_replicas))
    return CoefficientChart(model, tuple(terms), floor)


@functools.lru_cache(maxsize=16)
def _biases(model: LatticeModel) -> tuple[int, ...]:
    """Places of the biases of the visible species."""
    origin = (0,) * model.lattice.dim
    products = [term.products if term.at is None else None for term in model.terms]
    places = []
    for species in model.species[0]:
        bias = ((Factor(species, origin),),)
        if bias not in products:
            raise ValueError(
                f"coefficient_chart: the model must have a bias of {species!r}, whose place its "
                f"density takes; add `b.{species}` to {', '.join(model.coefficients)}."
            )
        places.append(products.index(bias))
    return tuple(places)


@functools.lru_cache(maxsize=16)
def _solution(model: LatticeModel, terms: tuple[Term, ...]) -> TransferMatrix:
    """Solution of a model with further terms; their names must differ from its own."""
    renamed = [dataclasses.replace(term, name=f"moment {term.name}") for term in terms]
    try:
        return TransferMatrix(model.with_terms(renamed))
    except ValueError as error:
        raise ValueError(
            "CoefficientChart: the moments of this model have no exact solution; fit them to "
            f"chains with `emulate`. {error}"
        ) from error


def _solve(
    solution: TransferMatrix, places: tuple[int, ...], density: Array, theta: Array
) -> Array:
    r"""Biases at given densities and other coefficients, by Newton's method.

    $\ln Z - \rho \cdot b$ is convex in the biases, so that there is one minimum, which damped steps
    reach also where sites are strongly coupled and plain ones run away. The last step, an undamped
    one, is differentiated alone: it has the derivatives of the solution.
    """
    at = jnp.asarray(places)
    known, fixed = jax.lax.stop_gradient((density, theta))

    def densities(biases: Array, theta: Array) -> Array:
        return jax.grad(solution.free_energy)(theta.at[at].set(biases))[at]

    def change(biases: Array, density: Array, theta: Array) -> Array:
        slope = jax.lax.stop_gradient(jax.jacfwd(densities)(biases, theta))
        return jnp.linalg.solve(slope, density - densities(biases, theta))

    def height(biases: Array) -> Array:
        return solution.free_energy(fixed.at[at].set(biases)) - known @ biases

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        biases, value, slope, damping, count = state
        curvature = jax.jacfwd(jax.grad(height))(biases)
        damped = curvature + jnp.diag(damping * jnp.diag(curvature) + TRACE)
        move = -jnp.linalg.solve(damped, slope)
        move *= jnp.minimum(1.0, LONGEST_STEP / jnp.maximum(jnp.max(jnp.abs(move)), TRACE))
        new_value, new_slope = jax.value_and_grad(height)(biases + move)
        # Near the minimum, heights differ by rounding errors only.
        better = new_value <= value + ROUNDING
        return (
            jnp.where(better, biases + move, biases),
            jnp.where(better, new_value, value),
            jnp.where(better, new_slope, slope),
            jnp.where(better, damping / 10, damping * 10),
            count + 1,
        )

    def go_on(state: tuple[Array, ...]) -> Array:
        return (jnp.max(jnp.abs(state[2]) / known) > PRECISION) & (state[4] < MOST_STEPS)

    empty = jnp.maximum(1 - jnp.sum(known), PRECISION)
    first = jnp.log(known / empty)
    begun = (first, *jax.value_and_grad(height)(first), jnp.asarray(1e-3), jnp.asarray(0))
    found = jax.lax.stop_gradient(jax.lax.while_loop(go_on, step, begun)[0])
    return found + change(found, density, theta)
