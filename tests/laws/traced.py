"""Oracle of the compiled kernels: residuals of laws and their derivatives by JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from dynboltz.laws._chart import MomentChart
from dynboltz.laws._data import ShootingData
from dynboltz.laws._law import MomentLaw
from dynboltz.laws._readout import Readout
from dynboltz.laws._trajectories import step_counts


class TracedProblem:
    """Residuals of a law and their derivatives, by horizon; twin of `ShootingProblem`."""

    def __init__(self, law: MomentLaw, data: ShootingData, longest_step: float) -> None:
        self.law = law
        self.n_starts = len(data.starts)
        self.n_residuals = data.n_residuals * self.n_starts
        self.groups = law.groups
        self.data = jax.tree.map(jnp.asarray, data)
        # One number of steps for all intervals: it is compiled in.
        self.n_steps = int(step_counts(np.diff(data.times), longest_step).max())

    def residuals(
        self, parameters: Float64[np.ndarray, " parameters"], horizon: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates after each interval, and whitened residuals of each start."""
        law = self.law.with_parameters(jnp.asarray(parameters))
        path, errors = _residuals(law, self.data, self._resets(horizon), self.n_steps)
        return np.asarray(path).swapaxes(0, 1), np.asarray(errors).swapaxes(0, 1)

    def normal(
        self, parameters: Float64[np.ndarray, " parameters"], horizon: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        r"""$J^T J$ and $J^T e$ of each start."""
        law = self.law.with_parameters(jnp.asarray(parameters))
        gram, slope = _normal_equations(law, self.data, self._resets(horizon), self.n_steps)
        yield from zip(np.array(gram), np.array(slope), strict=True)

    def _resets(self, horizon: int) -> Array:
        return jnp.arange(len(self.data.times) - 1) % horizon == 0


@eqx.filter_jit
def _residuals(
    law: MomentLaw, data: ShootingData, resets: Array, n_steps: int
) -> tuple[Array, Array]:
    """Coordinates and whitened residuals after each interval."""

    def advance(carry: tuple[Array, Array], here: tuple[Array, ...]) -> tuple:
        z, before = carry
        reset, interval, begin, seen, after, memory, whitening = here
        z, before = _restart(law, reset, z, before, begin, seen)
        z = jax.vmap(lambda one: law.step(one, interval, n_steps))(z)
        residual = jax.vmap(law.chart.probabilities)(z) - after
        error = jnp.einsum("sij,sj->si", whitening, residual - before @ memory.T)
        return (z, residual), (z, error)

    _, (path, errors) = jax.lax.scan(advance, _begin(law, data), _intervals(data, resets))
    return path, errors


@eqx.filter_jit
def _normal_equations(
    law: MomentLaw, data: ShootingData, resets: Array, n_steps: int
) -> tuple[Array, Array]:
    r"""$J^T J$ and $J^T e$ of each start.

    Along a trajectory $S_{k + 1} = (\partial z_{k + 1} / \partial z_k) S_k + \partial z_{k + 1} /
    \partial u$ carries the derivatives by the parameters $u$.
    """
    n_parameters = law.parameters.shape[0]
    by_z, by_parameters = step_derivatives(law, n_steps)
    patterns = jax.vmap(jax.jacfwd(law.chart.probabilities))

    def advance(carry: tuple[Array, ...], here: tuple[Array, ...]) -> tuple:
        z, before, derivative, slope_before, gram, slope = carry
        reset, interval, begin, seen, after, memory, whitening = here
        z, before = _restart(law, reset, z, before, begin, seen)
        keep = jnp.where(reset, 0.0, 1.0)
        derivative = jnp.einsum(
            "sij,sjp->sip", by_z(z, interval), keep * derivative
        ) + by_parameters(z, interval)
        z = jax.vmap(lambda one: law.step(one, interval, n_steps))(z)
        residual = jax.vmap(law.chart.probabilities)(z) - after
        slopes = jnp.einsum("sij,sjp->sip", patterns(z), derivative)
        innovation = slopes - keep * jnp.einsum("ij,sjp->sip", memory, slope_before)
        error = jnp.einsum("sij,sj->si", whitening, residual - before @ memory.T)
        jacobian = jnp.einsum("sij,sjp->sip", whitening, innovation)
        gram = gram + jnp.einsum("sip,siq->spq", jacobian, jacobian)
        slope = slope + jnp.einsum("sip,si->sp", jacobian, error)
        return (z, residual, derivative, slopes, gram, slope), None

    z, before = _begin(law, data)
    n_starts, n_moments = before.shape
    zero = jnp.zeros((n_starts, z.shape[1], n_parameters))
    slope = jnp.zeros((n_starts, n_moments, n_parameters))
    sums = (
        jnp.zeros((n_starts, n_parameters, n_parameters)),
        jnp.zeros((n_starts, n_parameters)),
    )
    carry, _ = jax.lax.scan(advance, (z, before, zero, slope, *sums), _intervals(data, resets))
    return carry[4], carry[5]


def step_derivatives(
    law: MomentLaw, n_steps: int
) -> tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]:
    """Derivatives of the coordinates after an interval, by those before and by the parameters.

    Both take the coordinates of several starts and the interval. One step has few coordinates and
    many parameters: the former are taken forwards, the latter backwards.
    """
    parameters = law.parameters

    def step(parameters: Array, z: Array, interval: Array) -> Array:
        return law.with_parameters(parameters).step(z, interval, n_steps)

    by_z = jax.vmap(jax.jacfwd(step, argnums=1), (None, 0, None))
    by_parameters = jax.vmap(jax.jacrev(step), (None, 0, None))
    return functools.partial(by_z, parameters), functools.partial(by_parameters, parameters)


def _begin(law: MomentLaw, data: ShootingData) -> tuple[Array, Array]:
    """Coordinates at the first time, and residuals there."""
    residual = jax.vmap(law.chart.probabilities)(data.starts) - data.probabilities[:, 0]
    return jnp.asarray(data.starts), residual


def _intervals(data: ShootingData, resets: Array) -> tuple[Array, ...]:
    """What belongs to each interval, along the first axis. The first one begins at the starts."""
    return (
        resets.at[0].set(False),
        jnp.diff(data.times),
        *(
            jnp.swapaxes(jnp.asarray(part), 0, 1)
            for part in (
                data.coordinates[:, :-1],
                data.probabilities[:, :-1],
                data.probabilities[:, 1:],
            )
        ),
        jnp.asarray(data.memory),
        jnp.swapaxes(jnp.asarray(data.whitening), 0, 1),
    )


def _restart(
    law: MomentLaw, reset: Array, z: Array, before: Array, begin: Array, seen: Array
) -> tuple[Array, Array]:
    """At the beginning of a horizon, the coordinates of the data and their residual."""
    there = jax.vmap(law.chart.probabilities)(begin) - seen
    return jnp.where(reset, begin, z), jnp.where(reset, there, before)


@eqx.filter_jit
def traced_variances(
    law: MomentLaw,
    readout: MomentChart | Readout,
    factor: Array,
    starts: Array,
    intervals: Array,
    n_steps: int,
) -> Array:
    r"""Variances of the moments if the parameters have the covariance $F F^T$.

    Columns of $F$ are carried along the trajectories as perturbations.
    """
    by_z, by_parameters = step_derivatives(law, n_steps)
    by_coordinates = jax.vmap(jax.jacfwd(readout.moments))

    def advance(carry: tuple[Array, Array], interval: Array) -> tuple:
        z, change = carry
        change = (
            jnp.einsum("sij,sjp->sip", by_z(z, interval), change)
            + by_parameters(z, interval) @ factor
        )
        z = jax.vmap(lambda one: law.step(one, interval, n_steps))(z)
        moments = jnp.einsum("sij,sjp->sip", by_coordinates(z), change)
        return (z, change), jnp.sum(moments**2, axis=2)

    change = jnp.zeros((*starts.shape, factor.shape[1]))
    _, variances = jax.lax.scan(advance, (starts, change), intervals)
    nothing = jnp.zeros((1, starts.shape[0], len(readout.names)))
    return jnp.concatenate([nothing, variances]).swapaxes(0, 1)
