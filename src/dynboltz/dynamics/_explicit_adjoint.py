"""The adjoint differential equations of the paper."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from dynboltz._arguments import check_range, checked

from ._action import L2, Rule, time_weights
from ._base import AbstractVectorField
from ._integrate import check_finite, check_times
from ._parameter_gradient import parameter_gradient
from ._runge_kutta import step_sizes

AdjointMethod = Literal["euler", "heun", "trapezoid"]

_RULES: dict[AdjointMethod, Rule] = {
    "euler": "left",
    "heun": "trapezoid",
    "trapezoid": "trapezoid",
}


class ExplicitAdjoint(NamedTuple):
    r"""Solution of the adjoint system and the gradients that follow from it.

    Attributes
    ----------
    phi
        Adjoint variables $\phi_k(t)$, zero outside the window.
    d_u
        $dS/du$, summed over the batch: a PyTree like the field, with `None` in place of everything
        that is not an inexact array.
    d_theta0
        $dS/d\theta(t_0) = -\phi(t_0)$, with $t_0$ the start of the window.
    """

    phi: Float[Array, "*batch times coefficients"]
    d_u: PyTree
    d_theta0: Float[Array, "*batch coefficients"]


@checked
def explicit_adjoint(
    field: AbstractVectorField,
    theta: Float[Array | np.ndarray, "*batch times coefficients"],
    times: Float[Array | np.ndarray, " times"],
    moment_difference: Float[Array | np.ndarray, "*batch times coefficients"],
    *,
    method: AdjointMethod = "euler",
    substeps: int = 1,
    regularisation: L2 | None = None,
    window: tuple[int, int] | None = None,
) -> ExplicitAdjoint:
    r"""Solve the adjoint system backwards and integrate the sensitivity equation.

    $$\frac{d\phi}{dt} = \tilde\mu - \mu + 2 \lambda_r (\theta - \bar\theta)
    - \Big(\frac{\partial F}{\partial \theta}\Big)^T \phi, \quad \phi(t_f) = 0, \qquad
    \frac{dS}{du} = - \int dt \Big(\frac{\partial F}{\partial u}\Big)^T \phi$$

    for $p \propto e^{+\theta s}$: Ernst et al. (2019), eqs. (30), (31) and (33). Restricted to a
    window, eq. (41), the sensitivity equation keeps the minus sign of (30), which is missing in
    print; it then is the gradient of the action in the window with $\theta$ at its start held
    fixed. The integral follows the left rule for `"euler"` and the trapezoidal for the others.

    For a field made of partial differential equations by Galerkin's method this is the adjoint
    equation (12): $\phi_i = \int \varphi_i \zeta\, dx$ are the integrals of the adjoint function
    against the elements. For interaction functions, $p \propto e^{-\theta s}$, the derivative of
    the divergence is $\mu - \tilde\mu$, data minus model.

    Parameters
    ----------
    field
        The right-hand side $F$.
    theta
        Solution at all times, for one or many initial conditions.
    times
        At least two strictly increasing times [time].
    moment_difference
        $\tilde\mu - \mu$, model minus data, at all times: the derivative of the divergence with
        respect to $\theta$.
    method
        `"euler"` (order 1, the paper's choice), `"heun"` (order 2) or `"trapezoid"` (order 2,
        implicit, for stiff fields).
    substeps
        Equal steps between successive times, at least 1; $\theta$ and the moments are
        interpolated linearly.
    regularisation
        Penalty on the coefficients, none by default.
    window
        First and last index of the times to look at; all by default.

    Returns
    -------
    adjoint
        $\phi$ and the gradients.

    Raises
    ------
    ValueError
        If an argument is not as described, or not finite.
    """
    where = "explicit_adjoint"
    _check_options(method, substeps, window, len(times))
    check_times(times, where)
    check_finite(where, theta=theta, moment_difference=moment_difference)
    theta, times, source = (jnp.asarray(array) for array in (theta, times, moment_difference))
    if regularisation is not None:
        source = source + regularisation.gradient(theta)
    first, last = window or (0, len(times) - 1)
    parts = [_part(array, first, last, axis) for array, axis in ((theta, -2), (source, -2))]
    part, d_u = _solve_backwards(
        field, _part(times, first, last, 0), *parts, method=method, substeps=substeps
    )
    phi = jax.lax.dynamic_update_slice_in_dim(jnp.zeros_like(theta), part, first, axis=-2)
    return ExplicitAdjoint(phi, d_u, -part[..., 0, :])


def _check_options(
    method: str, substeps: int, window: tuple[int, int] | None, n_times: int
) -> None:
    if method not in get_args(AdjointMethod):
        raise ValueError(
            f"explicit_adjoint: `method` must be one of {get_args(AdjointMethod)}, got {method!r}."
        )
    check_range("explicit_adjoint", "substeps", substeps, least=1)
    if window is not None and not 0 <= window[0] < window[1] < n_times:
        raise ValueError(
            "explicit_adjoint: `window` must be two increasing indices of the "
            f"{n_times} times, got {window}."
        )


def _part(array: Array, first: int, last: int, axis: int) -> Array:
    """Entries from `first` to `last` inclusive, one compilation for all windows of a length."""
    return jax.lax.dynamic_slice_in_dim(array, first, last - first + 1, axis=axis % array.ndim)


@eqx.filter_jit
def _solve_backwards(
    field: AbstractVectorField,
    times: Float[Array, " times"],
    theta: Float[Array, "*batch times coefficients"],
    source: Float[Array, "*batch times coefficients"],
    *,
    method: AdjointMethod,
    substeps: int,
) -> tuple[Float[Array, "*batch times coefficients"], PyTree]:
    shape = theta.shape
    flat = [jnp.moveaxis(x.reshape(-1, *shape[-2:]), 1, 0) for x in (theta, source)]
    path, force = (_interpolate(x, substeps) for x in flat)
    sizes = step_sizes(times.astype(theta.dtype), substeps)
    phi = _all_steps_back(field, path, force, sizes, method)
    weights = time_weights(
        jnp.concatenate([jnp.zeros_like(sizes[:1]), jnp.cumsum(sizes)]), _RULES[method]
    )
    sources = -weights[:, None, None] * phi
    d_u = parameter_gradient(field, *(x.reshape(-1, shape[-1]) for x in (path, sources)))
    return jnp.moveaxis(phi[::substeps], 0, 1).reshape(shape), d_u


def _all_steps_back(
    field: AbstractVectorField,
    theta: Float[Array, "steps batch coefficients"],
    source: Float[Array, "steps batch coefficients"],
    sizes: Float[Array, " intervals"],
    method: AdjointMethod,
) -> Float[Array, "steps batch coefficients"]:
    """Adjoint variables at the ends of all steps, from zero at the last."""

    def slope(theta: Array, source: Array, phi: Array) -> Array:
        _, pullback = jax.vjp(jax.vmap(field), theta)
        return source - pullback(phi)[0]

    def solve_earlier(theta: Array, size: Array, known: Array) -> Array:
        jacobians = jax.vmap(jax.jacfwd(field))(theta)
        identity = jnp.eye(theta.shape[-1], dtype=theta.dtype)[None]
        matrices = identity - 0.5 * size * jnp.swapaxes(jacobians, -1, -2)
        return jnp.linalg.solve(matrices, known[..., None])[..., 0]

    def step_back(phi: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
        size, later_theta, later_source, theta, source = step
        last = slope(later_theta, later_source, phi)
        earlier = phi - size * last
        if method == "heun":
            earlier = phi - 0.5 * size * (last + slope(theta, source, earlier))
        elif method == "trapezoid":
            earlier = solve_earlier(theta, size, phi - 0.5 * size * (last + source))
        return earlier, earlier

    steps = (sizes, theta[1:], source[1:], theta[:-1], source[:-1])
    final = jnp.zeros_like(theta[0])
    _, phi = jax.lax.scan(step_back, final, steps, reverse=True)
    return jnp.concatenate([phi, final[None]])


def _interpolate(
    values: Float[Array, "times batch coefficients"], substeps: int
) -> Float[Array, "steps batch coefficients"]:
    """Linear interpolation to the ends of all substeps."""
    fraction = (jnp.arange(substeps, dtype=values.dtype) / substeps)[None, :, None, None]
    between = (1 - fraction) * values[:-1, None] + fraction * values[1:, None]
    return jnp.concatenate([between.reshape(-1, *values.shape[1:]), values[-1:]])
