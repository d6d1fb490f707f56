"""Linearly implicit fixed steps for stiff fields, differentiable in both modes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import checked

from ._base import AbstractVectorField
from ._runge_kutta import check_fixed_grid, step_sizes

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
    times: Float[Array, " times"],
    *,
    operator: Float[Array, "coefficients coefficients"],
    substeps: int = 1,
) -> Float[Array, "*batch times coefficients"]:
    r"""Solve $d\theta/dt = F(\theta)$ with a Rosenbrock-W method of order 3.

    The method keeps its order whatever the matrix `operator` is; it is stable for large steps if
    the matrix holds the stiff part of $\partial F / \partial \theta$ (L-stable if it is all of it).
    As the matrix is the same in all steps, one factorisation does for all, and differentiation
    costs no second derivatives of $F$. Compiles and differentiates in forward and reverse mode;
    values of arrays are not checked.

    Parameters
    ----------
    field
        The right-hand side $F$.
    theta0
        Coefficients at `times[0]`, for one or many initial conditions.
    times
        Increasing, equidistant times of the solution [time].
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
    times = times.astype(theta0.dtype)
    operator = jax.lax.stop_gradient(operator).astype(theta0.dtype)
    size = step_sizes(times, substeps)[0]
    identity = jnp.eye(len(operator), dtype=theta0.dtype)
    inverse = jnp.linalg.inv(identity - size * _GAMMA * operator)
    derivatives = jax.vmap(field)

    def step(theta: Array, _: None) -> tuple[Array, Array]:
        slopes: list[Array] = []
        for stage, couplings in zip(_STAGES, _COUPLINGS, strict=True):
            point = theta + size * _combine(stage, slopes, theta)
            coupled = size * _combine(couplings, slopes, theta) @ operator.T
            slopes.append((derivatives(point) + coupled) @ inverse.T)
        theta = theta + size * _combine(_WEIGHTS, slopes, theta)
        return theta, theta

    flat = theta0.reshape(-1, theta0.shape[-1])
    n_steps = substeps * (len(times) - 1)
    _, path = jax.lax.scan(step, flat, None, length=n_steps)
    found = jnp.concatenate([flat[None], path[substeps - 1 :: substeps]])
    return jnp.moveaxis(found, 0, 1).reshape(*theta0.shape[:-1], len(times), theta0.shape[-1])


def _combine(weights: np.ndarray, slopes: list[Array], like: Array) -> Array:
    total = jnp.zeros_like(like)
    for weight, slope in zip(weights, slopes, strict=False):
        if weight:
            total = total + float(weight) * slope
    return total
