"""Maximum likelihood of single snapshots by damped natural-gradient steps."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from dynboltz.distributions import AbstractSolution, ClampedStatistics

_FIRST_DAMPING = 1e-3
_LARGEST_DAMPING = 1e8
_TOLERANCE = 1e-11
"""Of the decrease of the negative log likelihood per site that a step promises."""


class _State(NamedTuple):
    theta: Float[Array, " coefficients"]
    value: Float[Array, ""]
    damping: Float[Array, ""]
    done: Bool[Array, ""]


def natural_gradient_fit(
    solution: AbstractSolution,
    clamped: ClampedStatistics,
    summary: Float[Array, " features"],
    start: Float[Array, " coefficients"],
    prior_strength: float | Float[Array, ""],
    steps: int | Int[Array, ""],
) -> Float[Array, " coefficients"]:
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
        Strength of the prior, per site.
    steps
        Largest number of steps, rejected ones included.
    """

    def objective(theta):
        prior = 0.5 * prior_strength * jnp.sum((theta - start) ** 2)
        return solution.free_energy(theta) - clamped.log_weight(theta, summary) + prior

    def step(state: _State) -> _State:
        gradient = jax.grad(objective)(state.theta)
        metric = solution.fisher(state.theta)
        damped = metric + jnp.diag(state.damping * jnp.diag(metric) + prior_strength + 1e-14)
        change = -jnp.linalg.solve(damped, gradient)
        theta = state.theta + change
        value = objective(theta)
        better = value <= state.value
        promised = -jnp.dot(gradient, change)
        damping = jnp.where(better, state.damping * 0.2, state.damping * 5.0)
        return _State(
            jnp.where(better, theta, state.theta),
            jnp.where(better, value, state.value),
            damping,
            (promised < _TOLERANCE) | (damping > _LARGEST_DAMPING),
        )

    def go_on(loop):
        count, state = loop
        return (count < steps) & ~state.done

    damping = jnp.asarray(_FIRST_DAMPING, start.dtype)
    first = _State(start, objective(start), damping, jnp.asarray(False))
    _, last = jax.lax.while_loop(go_on, lambda loop: (loop[0] + 1, step(loop[1])), (0, first))
    return last.theta
