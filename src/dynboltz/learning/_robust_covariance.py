"""Errors of what Gauss-Newton learned from snapshots of the same simulations."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float64

from dynboltz._arguments import checked, fitted
from dynboltz._numbers import check_finite
from dynboltz.dynamics import AbstractVectorField

from ._gauss_newton import LikelihoodSource, Solution, check_solver, check_start


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
        If there are not as many sets of replicas as initial coefficients, a number is not finite,
        or a weight is negative.

    References
    ----------
    White (1982), Econometrica 50, 1.
    """
    where = "robust_covariance"
    if isinstance(source, type):
        raise TypeError(
            f"{where}: `source` must be a source of likelihoods, got the class {source.__name__}; "
            "make one of it."
        )
    check_start(where, initial, weights)
    check_solver(where, field, initial, solution, len(weights))
    sizes: dict[str, Any] = {"times": len(weights), "coefficients": initial.shape[1]}
    annotation = Float64[np.ndarray, "_replicas times coefficients"]
    n_field = len(ravel_pytree(eqx.filter(field, eqx.is_inexact_array))[0])
    matrix, meat = np.zeros((n_field, n_field)), np.zeros((n_field, n_field))
    for number, (eta, given) in enumerate(itertools.zip_longest(initial, replicas)):
        if eta is None or given is None:
            raise ValueError(
                f"{where}: `replicas` must be one set for each of the {len(initial)} initial "
                f"coefficients, got {'more' if eta is None else number}."
            )
        samples = fitted(where, f"replicas[{number}]", given, annotation, sizes)
        check_finite(where, f"`replicas[{number}]`", samples, ("replica", "time", "coefficient"))
        if len(samples) < 2:
            raise ValueError(
                f"{where}: `replicas[{number}]` must be two or more replicas, got {len(samples)}."
            )
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
