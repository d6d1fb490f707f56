"""Linearly implicit fixed steps for stiff fields, differentiable in both modes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from dynboltz._arguments import checked
from dynboltz._typing import AnyArray

from ._base import AbstractVectorField
from ._runge_kutta import check_fixed_grid

_GAMMA = 0.43586652150845900
_STAGES = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],
        [0.87173304301691801, 0.0, 0.0, 0.0],
        [0.84457060015369423, -0.11299064236484185, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
    ]
)
_COUPLINGS = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],
        [-0.87173304301691801, 0.0, 0.0, 0.0],
        [-0.90338057013044082, 0.054180672388095326, 0.0, 0.0],
        [0.24212380706095346, -1.2232505839045147, 0.54526025533510214, 0.0],
    ]
)
_WEIGHTS = np.array(
    [0.24212380706095346, -1.2232505839045147, 1.5452602553351020, 0.43586652150845900]
)


@checked
def solve_implicit(
    field: AbstractVectorField,
    theta0: Float[Array, "*batch coefficients"],
    times: Float[AnyArray, " times"],
    *,
    operator: Float[Array, "coefficients coefficients"],
    substeps: int = 1,
) -> Float[Array, "*batch times coefficients"]:
    r"""Solve $d\theta/dt = F(\theta)$ with a Rosenbrock-W method of order 3.

    The method keeps its order whatever the matrix `operator` is; it is stable for large steps if
    the matrix holds the stiff part of $\partial F / \partial \theta$ (L-stable if it is all of it).
    As the matrix is the same in all steps, one factorisation does for all of one length, and
    differentiation costs no second derivatives of $F$. Compiles and differentiates in forward and
    reverse mode; values of arrays are not checked.

    Parameters
    ----------
    field
        The right-hand side $F$.
    theta0
        Coefficients at `times[0]`, for one or many initial conditions.
    times
        Increasing times of the solution [time]. Times that are known when this is compiled, and
        equidistant, cost one factorisation; others one for each length of a step.
    operator
        Approximation of $\partial F / \partial \theta$ [1/time], see
        `FunctionalField.stiff_operator`. The solution is not differentiated with respect to it.
    substeps
        Equal steps between successive times, at least 1.

    Returns
    -------
    theta
        Coefficients at all times, the first being `theta0`.

    Raises
    ------
    ValueError
        If shapes do not fit the field, there are less than two times, or `substeps` is less than 1.

    References
    ----------
    Rang and Angermann (2005), BIT 45, 761: ROS34PW2.
    """
    check_fixed_grid("solve_implicit", times, substeps)
    if theta0.dtype.itemsize < 4:
        raise TypeError(
            f"solve_implicit: `theta0` must be of single or double precision, got {theta0.dtype}."
        )
    sizes, which = _lengths(times, theta0.dtype)
    operator = jax.lax.stop_gradient(operator).astype(theta0.dtype)
    sizes = sizes / substeps
    identity = jnp.eye(len(operator), dtype=theta0.dtype)
    inverses = jnp.linalg.inv(identity[None] - sizes[:, None, None] * _GAMMA * operator[None])
    derivatives = jax.vmap(field)

    def step(theta: Array, number: Array) -> tuple[Array, Array]:
        size, inverse = sizes[number], inverses[number]
        slopes: list[Array] = []
        for stage, couplings in zip(_STAGES, _COUPLINGS, strict=True):
            point = theta + size * _combine(stage, slopes, theta)
            coupled = size * _combine(couplings, slopes, theta) @ operator.T
            slopes.append((derivatives(point) + coupled) @ inverse.T)
        theta = theta + size * _combine(_WEIGHTS, slopes, theta)
        return theta, theta

    flat = theta0.reshape(-1, theta0.shape[-1])
    _, path = jax.lax.scan(step, flat, jnp.repeat(which, substeps))
    found = jnp.concatenate([flat[None], path[substeps - 1 :: substeps]])
    return jnp.moveaxis(found, 0, 1).reshape(*theta0.shape[:-1], len(times), theta0.shape[-1])


def _lengths(times: AnyArray, dtype: Any) -> tuple[Array, Array]:
    """Different lengths of the intervals, and which one each interval has."""
    if isinstance(times, Tracer):
        return jnp.diff(times.astype(dtype)), jnp.arange(len(times) - 1)
    intervals = np.diff(np.asarray(times, dtype=np.float64))
    # As times are rounded, so are intervals that ought to be equal.
    rounding = 1e-9 * np.max(np.abs(np.asarray(times)))
    order = np.argsort(intervals, kind="stable")
    new = np.concatenate([[True], np.diff(intervals[order]) > rounding])
    which = np.empty(len(intervals), dtype=np.int32)
    which[order] = np.cumsum(new) - 1
    firsts = [int(np.flatnonzero(which == number)[0]) for number in range(int(new.sum()))]
    return jnp.asarray(intervals[firsts], dtype), jnp.asarray(which)


def _combine(weights: np.ndarray, slopes: list[Array], like: Array) -> Array:
    total = jnp.zeros_like(like)
    for weight, slope in zip(weights, slopes, strict=False):
        if weight:
            total = total + float(weight) * slope
    return total
