"""Errors of what Gauss-Newton learned from snapshots of the same simulations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float64

from dynboltz._arguments import checked
from dynboltz.dynamics import AbstractVectorField

from ._gauss_newton import LikelihoodSource, Solution


@checked
def robust_covariance(
    field: AbstractVectorField,
    initial: Float64[np.ndarray, "initial_conditions coefficients"],
    solution: Solution,
    source: LikelihoodSource,
    replicas: Iterable[Float64[np.ndarray, "replicas times coefficients"]],
    weights: Float64[np.ndarray, " times"],
) -> Float64[np.ndarray, "parameters parameters"]:
    r"""Covariance of learned parameters if snapshots of a replica depend on each other.

    The action counts snapshots as independent, but those of one simulation hold the same particles.
    With the normal matrix $H$ of the parameters $u$ and initial coefficients $\eta$ and the scores
    $y_r = \sum_n w_n J_n^T s_r(t_n)$ of the replicas $r$, the covariance is that of the sandwich

    $$H^{-1} \Big[ \sum_i R_i \widehat{\mathrm{Cov}}_r(y_r) \Big] H^{-1},$$

    of which the block of $u$ is returned.

    Parameters
    ----------
    field, initial
        What was learned.
    solution, source
        As for `gauss_newton`; the source for one set of `replicas`, all of the same size.
    replicas
        Statistics of the single replicas of one initial condition after the other.
    weights
        $w_n$ of the times.

    Raises
    ------
    ValueError
        If there are not as many sets of replicas as initial coefficients.

    References
    ----------
    White (1982), Econometrica 50, 1.
    """
    n_field = len(ravel_pytree(eqx.filter(field, eqx.is_inexact_array))[0])
    matrix, meat = np.zeros((n_field, n_field)), np.zeros((n_field, n_field))
    for eta, samples in zip(initial, replicas, strict=True):
        slopes, metric = map(
            np.asarray, _look(field, solution, source, jnp.asarray(eta), jnp.asarray(samples))
        )
        seen = weights[:, None, None] * metric
        normal = np.einsum("ptk,tkl,qtl->pq", slopes, seen, slopes)
        scores = np.einsum("ptk,t,rtk->rp", slopes, weights, samples)
        spread = len(samples) * np.atleast_2d(np.cov(scores, rowvar=False))
        coupling, own = normal[:n_field, n_field:], normal[n_field:, n_field:]
        reduce = np.hstack([np.eye(n_field), -np.linalg.solve(own, coupling.T).T])
        matrix += reduce @ normal @ reduce.T
        meat += reduce @ spread @ reduce.T
    inverse = np.linalg.pinv(matrix)
    return inverse @ meat @ inverse


@eqx.filter_jit
def _look(
    field: AbstractVectorField, solution: Solution, source: LikelihoodSource, eta: Any, data: Any
) -> tuple[Array, Array]:
    """Slopes of the solution by all parameters, those of the field first, and the metric."""
    parameters, static = eqx.partition(field, eqx.is_inexact_array)
    u, unravel = ravel_pytree(parameters)

    def path(u: Array, eta: Array) -> Array:
        return solution(eqx.combine(unravel(u), static), eta[None])[0]

    theta, push = jax.linearize(path, u, eta)
    by_u = jax.vmap(push, in_axes=(0, None))(jnp.eye(len(u)), jnp.zeros_like(eta))
    by_eta = jax.vmap(push, in_axes=(None, 0))(jnp.zeros_like(u), jnp.eye(len(eta)))
    metric = source(theta, jnp.mean(data, axis=0)).metric
    return jnp.concatenate([by_u, by_eta]), metric
