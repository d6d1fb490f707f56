"""Maximum likelihood of single snapshots by damped natural-gradient steps."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
from jaxtyping import Array, Bool, Float, Int

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.distributions import AbstractSolution, ClampedStatistics

_FIRST_DAMPING = 1e-3
_LARGEST_DAMPING = 1e8
_TOLERANCE = 1e-11
"""Of the decrease of the negative log likelihood per site that a step promises."""


class SnapshotFit(NamedTuple):
    """Coefficients of one snapshot.

    Attributes
    ----------
    theta
        The coefficients.
    gradient
        Gradient of the objective that is left: moments of the model minus those of the data, per
        site, and the pull of the prior.
    """

    theta: Float[Array, " coefficients"]
    gradient: Float[Array, " coefficients"]


class _Point(NamedTuple):
    theta: Float[Array, " coefficients"]
    value: Float[Array, ""]
    gradient: Float[Array, " coefficients"]
    metric: Float[Array, "coefficients coefficients"]


class _State(NamedTuple):
    point: _Point
    damping: Float[Array, ""]
    done: Bool[Array, ""]


@checked
def natural_gradient_fit(
    solution: AbstractSolution,
    clamped: ClampedStatistics,
    summary: Float[Array, " features"],
    start: Float[Array, " coefficients"],
    prior_strength: float | Float[Array, "*each"],
    steps: int | Int[Array, ""],
    *,
    largest: float = float("inf"),
) -> SnapshotFit:
    r"""Coefficients that maximise the likelihood of one snapshot.

    Minimises $\tfrac1N \ln Z(\theta) - A(\theta) + \tfrac{\pi}{2} |\theta - \theta_0|^2$, with
    the start $\theta_0$, the mean log weight of the data $A$, all per site, and $\pi$ the strength
    of the prior. Each step solves $(G + \pi + d\,\mathrm{diag}\,G)\,\delta = -\text{gradient}$
    with the Fisher metric $G$; the damping $d$ grows until the step goes down. Pure JAX: it
    compiles and can be vectorised with `jax.vmap`.

    Parameters
    ----------
    solution
        Exact solution of the model.
    clamped
        Exact averages over its hidden units.
    summary
        The snapshot.
    start
        Coefficients to start from, the centre of the prior.
    prior_strength
        Strength of the prior, per site, of all coefficients or of each of them.
    steps
        Largest number of steps, rejected ones included.
    largest
        Largest change of a coefficient in a step. In a flat region, as at densities near 1, the
        metric asks for steps into where exact solutions lose their digits.

    Raises
    ------
    ValueError
        If the summary or the start does not fit the solution or, outside of compiled code, is not
        finite.
    """
    n_features, n = clamped.n_features, len(solution.model.coefficients)
    if summary.shape != (n_features,) or start.shape != (n,):
        raise ValueError(
            f"natural_gradient_fit: `summary` must have {n_features} features and `start` {n} "
            f"coefficients, got {summary.shape[0]} and {start.shape[0]}. For several snapshots use "
            "`jax.vmap`, or `fit_initial`."
        )
    where = "natural_gradient_fit"
    check_finite(where, "`summary`", summary, ("feature",))
    check_finite(where, "`start`", start, ("coefficient",))
    if jnp.shape(prior_strength) not in {(), (n,)}:
        raise ValueError(
            f"{where}: `prior_strength` must be a number, or {n} of them, one for each "
            f"coefficient; got shape {jnp.shape(prior_strength)}."
        )
    check_finite(where, "`prior_strength`", prior_strength)

    def point_at(theta) -> _Point:
        def model_moments(theta):
            value, moments = jax.value_and_grad(solution.free_energy)(theta)
            return moments, (value, moments)

        metric, (value, moments) = jax.jacfwd(model_moments, has_aux=True)(theta)
        weight, data_moments = jax.value_and_grad(clamped.log_weight)(theta, summary)
        away = theta - start
        value += 0.5 * jnp.sum(prior_strength * away**2) - weight
        return _Point(theta, value, moments - data_moments + prior_strength * away, metric)

    def step(state: _State) -> _State:
        old, damping = state.point, state.damping
        damped = old.metric + jnp.diag(damping * jnp.diag(old.metric) + prior_strength + 1e-14)
        change = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(damped), old.gradient)
        change /= jnp.maximum(1.0, jnp.abs(change).max() / largest)
        new = point_at(old.theta + change)
        better = new.value <= old.value
        point = jax.tree.map(lambda n, o: jnp.where(better, n, o), new, old)
        promised = -jnp.dot(old.gradient, change)
        converged = (promised < _TOLERANCE) & jnp.isfinite(old.value)
        damping = jnp.where(better, damping * 0.2, damping * 5.0)
        return _State(point, damping, converged | (damping > _LARGEST_DAMPING))

    def go_on(loop):
        count, state = loop
        return (count <= steps) & ~state.done

    # The first step goes nowhere: it evaluates the start, and so `point_at` compiles only once.
    zeros, infinity = jnp.zeros_like(start), jnp.asarray(jnp.inf, start.dtype)
    nowhere = _Point(start, infinity, zeros, jnp.eye(len(start), dtype=start.dtype))
    first = _State(nowhere, jnp.asarray(5 * _FIRST_DAMPING, start.dtype), jnp.asarray(False))
    _, last = jax.lax.while_loop(go_on, lambda loop: (loop[0] + 1, step(loop[1])), (0, first))
    return SnapshotFit(last.point.theta, last.point.gradient)
