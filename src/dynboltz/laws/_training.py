"""Gauss-Newton over growing horizons, with penalties set by the evidence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from ._law import MomentLaw

GROWTH = 3
"""Factor between horizons. Longer ones see slower errors, and start where shorter ones ended."""

FIRST_HORIZON = 7
"""Most records of the shortest horizon: errors of a step add up over a few of them, yet a wrong
law cannot run away."""

GAIN = 0.5
"""Gain of the log posterior below which iterations end: less than a parameter is uncertain by."""

LARGEST_WIDENING = 3.0
"""Most that bands are widened by: beyond that the law is wrong, and its validation says so."""

SMALLEST_EIGENVALUE = 1e-14
"""Of a matrix, relative to the largest one, below which it is rounding error."""

ITERATIONS = 15
"""Iterations at each horizon, and twice as many at the last one."""


class ShootingData(NamedTuple):
    """What laws are compared with, for each training start.

    Attributes
    ----------
    times
        Records [time].
    starts
        Coordinates at the first time.
    coordinates
        Coordinates of the means over the replicas, from which shorter horizons begin.
    probabilities
        Means of the probabilities of the patterns.
    memory, whitening
        `Innovations` of the means.
    """

    times: Float64[np.ndarray, " times"]
    starts: Float64[np.ndarray, "starts coordinates"]
    coordinates: Float64[np.ndarray, "starts times coordinates"]
    probabilities: Float64[np.ndarray, "starts times moments"]
    memory: Float64[np.ndarray, "intervals moments moments"]
    whitening: Float64[np.ndarray, "starts intervals moments moments"]

    @property
    def n_residuals(self) -> int:
        """Number of independent residuals of one start."""
        return self.whitening.shape[1] * self.whitening.shape[3]


class Member(NamedTuple):
    """A learned law, and how sure its parameters are.

    Attributes
    ----------
    law
        The law.
    factor
        Matrix $F$ with $F F^T$ the covariance of the parameters: Laplace's approximation, widened
        by what starts that are left out show.
    log_evidence
        Logarithm of the probability of the data, without what all members share.
    error
        Mean squared whitened residual of the whole trajectories: 1 at the noise.
    validation
        The same for each start by the law that was not shown this start, to first order.
    """

    law: MomentLaw
    factor: Float64[np.ndarray, "parameters parameters"]
    log_evidence: float
    error: float
    validation: Float64[np.ndarray, " starts"]


def horizons(n_intervals: int) -> list[int]:
    """Records of each horizon, the last one of all."""
    found = [n_intervals]
    while found[0] > FIRST_HORIZON:
        found.insert(0, -(-found[0] // GROWTH))
    return found


class Training(NamedTuple):
    """A law in training: parameters, their precisions by array, and the weight of residuals."""

    law: MomentLaw
    alpha: Float64[np.ndarray, " groups"]
    beta: float
    error: float
    log_evidence: float


def begin_training(law: MomentLaw) -> Training:
    """A law before its training."""
    return Training(law, np.ones(5), 1.0, np.inf, -np.inf)


def train_to(
    training: Training,
    data: ShootingData,
    horizon: int,
    n_steps: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Training:
    r"""Maximise the posterior of the parameters of a law, penalties and scale included.

    Whitened residuals $e$ of the trajectories have the log likelihood $-\tfrac{\beta}{2} |e|^2$,
    parameters of each array of the function independent normal priors of precision $\alpha$.
    Both are set to where the evidence of the data is largest (MacKay), with $\beta \le 1$: what
    a law cannot describe counts as additional noise. Steps are those of Levenberg and Marquardt;
    derivatives are carried along the trajectories exactly.

    Parameters
    ----------
    training
        Where to start.
    data
        The trajectories.
    horizon
        Records after which a trajectory begins again at the data.
    n_steps
        Runge-Kutta steps between two records.
    stopped
        Asked before each iteration whether to end with what there is.

    References
    ----------
    MacKay (1992), Neural Comput. 4, 415; Bock and Plitt (1984), IFAC Proc. 17, 1603 (multiple
    shooting).
    """
    problem = _Problem(training.law, data, n_steps)
    parameters = np.array(training.law.function.parameters)
    state = _State(parameters, training.alpha, training.beta)
    is_last = horizon >= len(data.times) - 1
    state, error = _climb(problem, state, horizon, ITERATIONS * (1 + is_last), stopped)
    gram, _ = problem.normal(state.parameters, horizon, np.ones(problem.n_starts))
    return Training(
        problem.with_parameters(state.parameters),
        state.alpha,
        state.beta,
        error,
        _log_evidence(problem, state, gram, error * problem.n_residuals),
    )


class _State(NamedTuple):
    """Parameters, their precisions by array, and the weight of the residuals."""

    parameters: np.ndarray
    alpha: np.ndarray
    beta: float


class _Problem:
    """Residuals of a law and their derivatives, by horizon."""

    def __init__(self, law: MomentLaw, data: ShootingData, n_steps: int) -> None:
        self.law, self.n_steps = law, n_steps
        self.n_starts = len(data.starts)
        self.n_residuals = data.n_residuals * self.n_starts
        self.groups = law.function.groups
        self.data = jax.tree.map(jnp.asarray, data)

    def with_parameters(self, parameters: np.ndarray) -> MomentLaw:
        return eqx.tree_at(lambda law: law.function.parameters, self.law, jnp.asarray(parameters))

    def resets(self, horizon: int) -> Array:
        return jnp.arange(len(self.data.times) - 1) % horizon == 0

    def residuals(self, parameters: np.ndarray, horizon: int) -> tuple[Array, Array]:
        law = self.with_parameters(parameters)
        return _residuals(law, self.data, self.resets(horizon), self.n_steps)

    def normal(
        self, parameters: np.ndarray, horizon: int, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        law = self.with_parameters(parameters)
        gram, slope = _normal_equations(
            law, self.data, self.resets(horizon), self.n_steps, jnp.asarray(weights)
        )
        return np.asarray(gram), np.asarray(slope)


def _climb(
    problem: _Problem,
    state: _State,
    horizon: int,
    iterations: int,
    stopped: Callable[[], bool],
) -> tuple[_State, float]:
    """Levenberg-Marquardt steps at one horizon; the precisions follow."""
    ones = np.ones(problem.n_starts)
    groups, damping = problem.groups, 1e-3
    error = _total(problem, state.parameters, horizon)
    for _ in range(iterations):
        if stopped():
            break
        gram, slope = problem.normal(state.parameters, horizon, ones)
        prior = state.alpha[groups]
        objective = state.beta * error + np.sum(prior * state.parameters**2)
        for _ in range(8):
            matrix = state.beta * gram + np.diag(prior)
            matrix += damping * np.diag(np.diag(matrix))
            step = np.linalg.solve(matrix, state.beta * slope + prior * state.parameters)
            parameters = state.parameters - step
            trial = _total(problem, parameters, horizon)
            improved = state.beta * trial + np.sum(prior * parameters**2)
            if improved < objective:
                break
            damping *= 5
        else:
            break
        damping = max(damping / 5, 1e-8)
        error = trial
        state = _evidence(problem, state._replace(parameters=parameters), gram, error)
        if objective - improved < 2 * GAIN:
            break
    return state, error / problem.n_residuals


def _total(problem: _Problem, parameters: np.ndarray, horizon: int) -> float:
    """Sum of squared residuals; infinite where a trajectory runs away."""
    _, errors = problem.residuals(parameters, horizon)
    total = float(jnp.sum(errors))
    return total if np.isfinite(total) else np.inf


def _evidence(problem: _Problem, state: _State, gram: np.ndarray, error: float) -> _State:
    """Precisions and weight of the residuals by MacKay's fixed point."""
    prior = state.alpha[problem.groups]
    variance = np.diag(np.linalg.inv(state.beta * gram + np.diag(prior)))
    alpha = np.empty_like(state.alpha)
    for group in range(len(alpha)):
        mine = problem.groups == group
        known = max(mine.sum() - state.alpha[group] * variance[mine].sum(), 1e-2)
        alpha[group] = np.clip(known / np.sum(state.parameters[mine] ** 2), 1e-4, 1e6)
    n_known = len(prior) - np.sum(prior * variance)
    beta = min(1.0, (problem.n_residuals - n_known) / error)
    return _State(state.parameters, alpha, float(beta))


def _log_evidence(problem: _Problem, state: _State, gram: np.ndarray, error: float) -> float:
    """Logarithm of the probability of the data, by Laplace's approximation."""
    prior = state.alpha[problem.groups]
    _, log_determinant = np.linalg.slogdet(state.beta * gram + np.diag(prior))
    return 0.5 * float(
        np.sum(np.log(prior))
        - log_determinant
        + problem.n_residuals * np.log(state.beta)
        - state.beta * error
        - np.sum(prior * state.parameters**2)
    )


def finish(training: Training, data: ShootingData, n_steps: int) -> Member:
    """Uncertainty of a trained law, and its errors at starts that are left out."""
    problem = _Problem(training.law, data, n_steps)
    parameters = np.asarray(training.law.function.parameters)
    horizon, n_starts = len(data.times) - 1, problem.n_starts
    grams, slopes = zip(
        *(problem.normal(parameters, horizon, row) for row in np.eye(n_starts)), strict=True
    )
    prior = training.alpha[problem.groups]
    hessian = training.beta * np.sum(grams, axis=0) + np.diag(prior)
    validation, expected = np.empty(n_starts), np.empty(n_starts)
    n_residuals = problem.n_residuals / n_starts
    for i in range(n_starts):
        # Newton step to the optimum without this start: its part of the slope is taken back.
        root = _root_of_inverse(hessian - training.beta * grams[i])
        moved = parameters + root @ (root.T @ (training.beta * slopes[i]))
        _, errors = problem.residuals(moved, horizon)
        validation[i] = float(errors[i]) / n_residuals
        expected[i] = np.sum(root * (grams[i] @ root)) / n_residuals
    validation = np.where(np.isfinite(validation), validation, np.inf)
    # What starts that are left out are off by, beyond the noise, calibrates the covariance: one
    # optimum of several, and a function that is not quite free enough, make Laplace's too small.
    excess = np.median(validation) - 1 / training.beta
    widening = np.clip(excess / np.median(expected), 1.0, LARGEST_WIDENING**2)
    return Member(
        training.law,
        np.sqrt(widening) * _root_of_inverse(hessian),
        training.log_evidence,
        training.error,
        validation,
    )


def _root_of_inverse(matrix: np.ndarray) -> np.ndarray:
    """Matrix $F$ with $F F^T$ the inverse of a matrix that is positive but for rounding errors."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors / np.sqrt(np.maximum(values, SMALLEST_EIGENVALUE * values[-1]))


@eqx.filter_jit
def _residuals(
    law: MomentLaw, data: ShootingData, resets: Array, n_steps: int
) -> tuple[Array, Array]:
    """Coordinates after each interval, and sums of squared residuals of each start."""

    def advance(carry: tuple[Array, Array], here: tuple[Array, ...]) -> tuple:
        z, before = carry
        reset, interval, begin, seen, after, memory, whitening = here
        z, before = _restart(law, reset, z, before, begin, seen)
        z = jax.vmap(lambda one: law.step(one, interval, n_steps))(z)
        residual = jax.vmap(law.chart.probabilities)(z) - after
        error = jnp.einsum("sij,sj->si", whitening, residual - before @ memory.T)
        return (z, residual), (z, jnp.sum(error**2, axis=1))

    _, (path, errors) = jax.lax.scan(advance, _begin(law, data), _intervals(data, resets))
    return path, jnp.sum(errors, axis=0)


@eqx.filter_jit
def _normal_equations(
    law: MomentLaw, data: ShootingData, resets: Array, n_steps: int, weights: Array
) -> tuple[Array, Array]:
    r"""Sums $J^T J$ and $J^T e$ over all starts, weighted.

    Along a trajectory $S_{k + 1} = (\partial z_{k + 1} / \partial z_k) S_k + \partial z_{k + 1} /
    \partial u$ carries the derivatives by the parameters $u$.
    """
    n_parameters = law.function.parameters.shape[0]
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
        scale = jnp.sqrt(weights)[:, None]
        error = jnp.einsum("sij,sj->si", whitening, residual - before @ memory.T) * scale
        jacobian = jnp.einsum("sij,sjp->sip", whitening, innovation) * scale[..., None]
        flat = jacobian.reshape(-1, n_parameters)
        gram = gram + flat.T @ flat
        slope = slope + flat.T @ error.reshape(-1)
        return (z, residual, derivative, slopes, gram, slope), None

    z, before = _begin(law, data)
    n_starts, n_moments = before.shape
    zero = jnp.zeros((n_starts, z.shape[1], n_parameters))
    slope = jnp.zeros((n_starts, n_moments, n_parameters))
    sums = jnp.zeros((n_parameters, n_parameters)), jnp.zeros(n_parameters)
    carry, _ = jax.lax.scan(advance, (z, before, zero, slope, *sums), _intervals(data, resets))
    return carry[4], carry[5]


def step_derivatives(
    law: MomentLaw, n_steps: int
) -> tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]:
    """Derivatives of the coordinates after an interval, by those before and by the parameters.

    Both take the coordinates of several starts and the interval. One step has few coordinates and
    many parameters: the former are taken forwards, the latter backwards.
    """
    parameters = jnp.asarray(law.function.parameters)

    def step(parameters: Array, z: Array, interval: Array) -> Array:
        new = eqx.tree_at(lambda one: one.function.parameters, law, parameters)
        return new.step(z, interval, n_steps)

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
