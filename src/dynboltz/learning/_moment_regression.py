r"""Linear moment equations, learned from trajectories.

The master equation moves every moment linearly: $d\mu_k/dt = \sum_j M_{kj} \langle s_j \rangle$,
with the patterns $s_j$ of the sites around. On short times the patterns' means follow from a
reduced model's coefficients, so that $M$ is a linear regression with few unknowns, and the law it
finds holds for coefficients that no trajectory has visited. It is a prior for the vector field
there; the field itself stays free.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import check_positive, check_range, checked
from dynboltz._numbers import check_finite, check_precision
from dynboltz._typing import AnyArray
from dynboltz.distributions import ClampedStatistics, LatticeModel, TransferMatrix, in_batches
from dynboltz.lattices import Factor, Term

from ._natural_gradient import natural_gradient_fit
from ._settings import Method
from ._times import integral_weights, representative_times

MAX_PATTERNS = 100
_RIDGE = 1e-5
"""Of the regression, with every pattern scaled to mean square 1."""
_LEAST_VARIANCE = 1e-4
_STEPS = 15
_PULL = 1e-8
"""Strength of the prior that keeps undetermined directions of the coefficients where they are."""
_FEASIBLE = 1e-4
"""Largest error [per site] of moments that a model is said to reach."""


@checked
class MomentRegression(NamedTuple):
    """Velocities of what a model sees of the data as linear functions of pattern means.

    What it sees are the features of `ClampedStatistics.summarise`: the visible moments and, with
    hidden units, the histogram of their surroundings.

    Attributes
    ----------
    solution
        Exact solution of the model.
    extended
        Exact solution of the model with the patterns as further terms.
    matrix
        Velocity of each feature [1/time] per unit of each pattern's mean.
    """

    solution: TransferMatrix
    extended: TransferMatrix
    matrix: Float64[AnyArray, "features patterns"]

    @property
    def _axis_entries(self) -> dict[str, tuple[str, ...]]:
        return {"coefficients": self.solution.model.coefficients}

    def patterns(self, theta: Float[Array, " coefficients"]) -> Float[Array, " patterns"]:
        """Means of the patterns per site."""
        return _pattern_means(self.extended, theta)

    def velocity(
        self, theta: Float[Array, " coefficients"], step: float | Float[Array, ""] | None
    ) -> tuple[Float[Array, " coefficients"], Float[Array, ""]]:
        r"""Velocity of the coefficients, and the error with which it is reached.

        With a step, as for Euler's method, the features move by one step of the linear equations,
        and the coefficients to where the model is most likely to have them. The error is the
        largest difference of moments [per site] left between model and features; it is large
        where the features leave what a distribution can have.

        Without a step it is the limit of short ones, $\mathrm{Cov}(\langle s \rangle_{h|v})\,
        \dot\theta = d\mu/dt$ with the moments $\mu$ of the awake phase, and has no error.
        """
        if isinstance(step, float | int):
            check_positive("MomentRegression.velocity", "step", step)
        theta = theta.astype(jnp.result_type(theta, self.matrix))
        rate = jnp.dot(self.matrix, self.patterns(theta))
        features = self.solution.expected_summary(theta)
        clamped = ClampedStatistics(self.solution.model)
        if step is None:
            return _instantaneous(self.solution, clamped, theta, features, rate), jnp.zeros(())
        target = features + step * rate
        moved = natural_gradient_fit(self.solution, clamped, target, theta, _PULL, _STEPS)
        return (moved.theta - theta) / step, jnp.max(jnp.abs(moved.gradient))

    def sample_velocities(
        self,
        thetas: Float64[np.ndarray, "points coefficients"],
        step: float | None,
        largest: Float64[np.ndarray, " coefficients"],
    ) -> tuple[Float64[np.ndarray, "kept coefficients"], Float64[np.ndarray, "kept coefficients"]]:
        """Points and their velocities, without the points where the model cannot follow.

        These are the ones whose moments would leave what the model can hold, and, just before
        that, those where the velocity of a coefficient would be beyond `largest`.
        """
        if step is not None:
            check_positive("MomentRegression.sample_velocities", "step", step)
        where = "MomentRegression.sample_velocities"
        check_finite(where, "`thetas`", thetas, ("point", "coefficient"))
        if np.isnan(largest).any():
            raise ValueError(
                f"{where}: `largest` must be numbers, infinite ones for no limit, got {largest}."
            )
        matrix = jnp.asarray(self.matrix)

        def batch(rows):
            return _velocities(self.solution, self.extended, matrix, step, rows)

        velocity, error = in_batches(batch, thetas)
        follows = np.all(np.abs(velocity) <= largest, axis=1)
        kept = follows & (error < _FEASIBLE)
        return thetas[kept], velocity[kept]


@checked
def fit_moment_regression(
    solution: TransferMatrix,
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    summaries: Float64[np.ndarray, "initial_conditions times features"],
    times: Float64[np.ndarray, " times"],
    *,
    method: Method = "euler",
    substeps: int = 1,
    time_step: float | None = None,
) -> MomentRegression:
    """Learn the velocities of the features from trajectories.

    The integral of the velocities up to each time is fitted to the change of the features since
    the first time, each weighted with its inverse spread as if sites were independent, so that
    what happens in almost empty and in almost full lattices counts as well.

    Parameters
    ----------
    solution
        Exact solution of the model.
    theta
        Coefficients fitted to each snapshot.
    summaries
        Summaries of the data, see `ClampedStatistics`.
    times
        Times of the snapshots.
    method, substeps, time_step
        Integrator that the velocities are meant for, see `warm_start`.

    Raises
    ------
    ValueError
        If a coefficient or a summary is not finite, or JAX is in single precision.
    """
    where, snapshot = "fit_moment_regression", ("initial condition", "time")
    check_precision(where)
    check_finite(where, "`theta`", theta, (*snapshot, "coefficient"))
    check_finite(where, "`summaries`", summaries, (*snapshot, "feature"))
    check_finite(where, "`times`", times, ("time",))
    check_range(where, "substeps", substeps, least=1)
    known = ClampedStatistics(solution.model).n_features
    if len(times) < 2 or not len(theta) or not np.all(times[1:] > times[:-1]):
        raise ValueError(
            f"{where}: `times` must be two or more increasing times and `theta` have one initial "
            f"condition or more, got the times {times} and shape {theta.shape}."
        )
    if theta.shape[2] != len(solution.model.coefficients) or summaries.shape[2] != known:
        raise ValueError(
            f"{where}: the last axis of `theta` must have {len(solution.model.coefficients)} "
            f"coefficients and that of `summaries` {known} features, got the shapes {theta.shape} "
            f"and {summaries.shape}."
        )
    model = solution.model
    extended = TransferMatrix(model.with_terms(pattern_terms(model, solution.window)))
    flat = in_batches(functools.partial(_batch_means, extended), theta.reshape(-1, theta.shape[2]))
    patterns = flat.reshape(*theta.shape[:2], -1)
    chosen = representative_times(len(times))
    integrals = integral_weights(times, method, substeps, time_step)[chosen] @ patterns
    start = solution.batch_moments(theta[:, 0]) if model.is_visible else summaries[:, 0]
    changes = summaries[:, 1:] - start[:, None]
    rows = integrals.reshape(-1, integrals.shape[-1])
    seen = summaries[:, 1:][:, chosen].reshape(-1, summaries.shape[-1])
    weights = 1 / np.sqrt(np.maximum(seen * (1 - seen), _LEAST_VARIANCE))
    columns = zip(weights.T, changes[:, chosen].reshape(weights.shape).T, strict=True)
    matrix = [_ridge(rows * weight[:, None], change * weight) for weight, change in columns]
    return MomentRegression(solution, extended, np.array(matrix))


@checked
def pattern_terms(model: LatticeModel, window: int) -> tuple[Term, ...]:
    """Terms of all patterns of occupied sites within a window, mirror images once.

    The window is two sites wider than the one given, as far as a hop and a reaction reach beyond
    the terms of the model, or as wide as `MAX_PATTERNS` allow.
    """
    check_range("pattern_terms", "window", window, least=0)
    if model.lattice.dim != 1:
        raise ValueError(
            f"pattern_terms: `model` must be one of a chain, got a lattice of {model.lattice.dim} "
            "axes."
        )
    species = model.layers[0].species
    patterns: list[tuple[tuple[str, int], ...]] = []
    for width in range(1, min(window + 2, model.lattice.n_sites) + 1):
        wider = [p for p in _patterns(species, width) if _mirrored(p) >= p]
        if len(wider) > MAX_PATTERNS:
            break
        patterns = wider
    return tuple(
        Term(
            "pattern " + " ".join(f"{name}({place})" for name, place in pattern),
            (tuple(Factor(name, (place,)) for name, place in pattern),),
        )
        for pattern in patterns
    )


def _patterns(species: tuple[str, ...], width: int):
    for first in species:
        for rest in itertools.product((None, *species), repeat=width - 1):
            sites = enumerate((first, *rest))
            yield tuple((name, place) for place, name in sites if name is not None)


def _mirrored(pattern: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    last = pattern[-1][1]
    return tuple((name, last - place) for name, place in reversed(pattern))


def _pattern_means(extended: TransferMatrix, theta: Array) -> Array:
    n_further = len(extended.model.terms) - len(theta)
    further = jnp.zeros(n_further, theta.dtype)
    return extended.moments(jnp.concatenate([theta, further]))[len(theta) :]


@functools.partial(jax.jit, static_argnums=0)
def _batch_means(extended, thetas):
    return jax.vmap(functools.partial(_pattern_means, extended))(thetas)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _velocities(solution, extended, matrix, step, thetas):
    regression = MomentRegression(solution, extended, matrix)
    return jax.vmap(lambda theta: regression.velocity(theta, step))(thetas)


def _instantaneous(solution, clamped, theta, features, rate):
    """Velocity with which the likeliest coefficients follow the features."""
    scatter = jax.hessian(clamped.log_weight)(theta, features)
    metric = solution.fisher(theta) - scatter + _PULL * jnp.eye(len(theta), dtype=theta.dtype)
    return jnp.linalg.solve(metric, clamped.moments(theta, rate))


def _ridge(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.mean(rows**2, axis=0))
    rows = rows / scale
    normal = rows.T @ rows / len(rows) + _RIDGE * np.eye(rows.shape[1])
    return np.linalg.solve(normal, rows.T @ values / len(rows)) / scale
