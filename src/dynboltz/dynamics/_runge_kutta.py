"""Explicit Runge-Kutta methods with fixed steps, and their exact reverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import check_memory, check_range, checked

from ._base import AbstractVectorField
from ._parameter_gradient import parameter_gradient

FixedMethod = Literal["euler", "heun", "rk4"]


@final
@dataclass(frozen=True)
class Tableau:
    r"""Butcher tableau: stage $i$ is at $\theta + h \sum_{j<i} a_{ij} k_j$."""

    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]


TABLEAUS: dict[FixedMethod, Tableau] = {
    "euler": Tableau(((),), (1.0,)),
    "heun": Tableau(((), (1.0,)), (0.5, 0.5)),
    "rk4": Tableau(((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}


@checked
def solve_fixed(
    field: AbstractVectorField,
    theta0: Float[Array, "*batch coefficients"],
    times: Float[Array, " times"],
    *,
    method: FixedMethod = "euler",
    substeps: int = 1,
) -> Float[Array, "*batch times coefficients"]:
    r"""Solve $d\theta/dt = F(\theta)$ with fixed explicit steps; compiles and differentiates.

    Values of arrays are not checked, see `integrate`. Reverse-mode differentiation with respect to
    `field` and `theta0` is that of the discrete steps, exact up to rounding. It stores one value of
    $\theta$ for each step and adds up the gradient of the field once at the end, over the whole
    batch; a batch passed here therefore costs less than `jax.vmap` over this function.
    Differentiation with respect to `times`, and forward mode, raise.

    Parameters
    ----------
    field
        The right-hand side $F$.
    theta0
        Coefficients at `times[0]`, for one or many initial conditions.
    times
        Increasing times of the solution [time].
    method
        `"euler"` (order 1, the paper's choice), `"heun"` (order 2) or `"rk4"` (order 4).
    substeps
        Equal steps between successive times, at least 1.

    Returns
    -------
    theta
        Coefficients at all times, the first being `theta0`.

    Raises
    ------
    ValueError
        If shapes do not fit the field, there is no time, or `substeps` is less than 1.
    """
    check_fixed_grid("solve_fixed", times, substeps, fewest=1)
    flat = theta0.reshape(-1, theta0.shape[-1])
    times = times.astype(theta0.dtype)
    theta = _solve((field, flat), times=times, tableau=TABLEAUS[method], substeps=substeps)
    return jnp.moveaxis(theta, 0, 1).reshape(*theta0.shape[:-1], len(times), theta0.shape[-1])


def check_fixed_grid(
    where: str, times: Array | np.ndarray, substeps: int = 1, *, fewest: int = 2
) -> None:
    """Raise `ValueError` if times are too few or there are no substeps; values may be traced."""
    check_range(where, "substeps", substeps, least=1)
    check_memory(where, "substeps", substeps, 8 * substeps * len(times))
    if len(times) < fewest:
        raise ValueError(f"{where}: `times` must hold {fewest} or more times, got {len(times)}.")


def step_sizes(times: Float[Array, " times"], substeps: int) -> Float[Array, " steps"]:
    """Sizes of all steps [time], `substeps` of them between successive times."""
    return jnp.repeat(jnp.diff(times) / substeps, substeps)


@eqx.filter_custom_vjp
def _solve(
    field_and_start: tuple[AbstractVectorField, Float[Array, "batch coefficients"]],
    *,
    times: Float[Array, " times"],
    tableau: Tableau,
    substeps: int,
) -> Float[Array, "times batch coefficients"]:
    return _all_steps(*field_and_start, times, tableau, substeps)[::substeps]


@_solve.def_fwd
def _solve_forward(
    perturbed: Any,
    field_and_start: tuple[AbstractVectorField, Float[Array, "batch coefficients"]],
    *,
    times: Float[Array, " times"],
    tableau: Tableau,
    substeps: int,
) -> tuple[Float[Array, "times batch coefficients"], Float[Array, "steps batch coefficients"]]:
    del perturbed
    path = _all_steps(*field_and_start, times, tableau, substeps)
    return path[::substeps], path[:-1]


@_solve.def_bwd
def _solve_backward(
    path: Float[Array, "steps batch coefficients"],
    cotangents: Float[Array, "times batch coefficients"],
    perturbed: Any,
    field_and_start: tuple[AbstractVectorField, Float[Array, "batch coefficients"]],
    *,
    times: Float[Array, " times"],
    tableau: Tableau,
    substeps: int,
) -> tuple[AbstractVectorField, Float[Array, "batch coefficients"]]:
    field, _ = field_and_start
    incoming = jnp.zeros_like(path).at[::substeps].set(cotangents[:-1])

    def step_back(later: Array, step: tuple[Array, Array, Array]) -> tuple[Array, tuple]:
        theta, size, here = step
        earlier, points, sources = _reverse_step(field, tableau, theta, size, later)
        return earlier + here, (points, sources)

    steps = (path, step_sizes(times, substeps), incoming)
    start, (points, sources) = jax.lax.scan(step_back, cotangents[-1], steps, reverse=True)
    if not any(jax.tree.leaves(perturbed[0])) or path.size == 0:
        return jax.tree.map(lambda _: None, eqx.filter(field, eqx.is_inexact_array)), start
    n_coefficients = points.shape[-1]
    points, sources = (x.reshape(-1, n_coefficients) for x in (points, sources))
    return parameter_gradient(field, points, sources), start


def _all_steps(
    field: AbstractVectorField,
    theta0: Float[Array, "batch coefficients"],
    times: Float[Array, " times"],
    tableau: Tableau,
    substeps: int,
) -> Float[Array, "steps batch coefficients"]:
    """Solution at the start and after each step."""

    def advance(theta: Array, size: Array) -> tuple[Array, Array]:
        theta = _step(field, tableau, theta, size)
        return theta, theta

    _, path = jax.lax.scan(advance, theta0, step_sizes(times, substeps))
    return jnp.concatenate([theta0[None], path])


def _step(
    field: AbstractVectorField,
    tableau: Tableau,
    theta: Float[Array, "batch coefficients"],
    size: Float[Array, ""],
) -> Float[Array, "batch coefficients"]:
    slopes: list[Array] = []
    for row in tableau.stages:
        slopes.append(jax.vmap(field)(_add(theta, size, row, slopes)))
    return _add(theta, size, tableau.weights, slopes)


def _reverse_step(
    field: AbstractVectorField,
    tableau: Tableau,
    theta: Float[Array, "batch coefficients"],
    size: Float[Array, ""],
    later: Float[Array, "batch coefficients"],
) -> tuple[
    Float[Array, "batch coefficients"],
    Float[Array, "stages batch coefficients"],
    Float[Array, "stages batch coefficients"],
]:
    r"""Pull a cotangent back through one step.

    With $y_i$ the stages and $\lambda$ the cotangent after the step, the cotangent of $k_i$ is
    $\kappa_i = h (b_i \lambda + \sum_{j > i} a_{ji} J(y_j)^T \kappa_j)$, and the one before the
    step is $\lambda + \sum_i J(y_i)^T \kappa_i$. Returns that, the $y_i$ and the $\kappa_i$.
    """
    points, slopes, pullbacks = [], [], []
    for row in tableau.stages:
        points.append(_add(theta, size, row, slopes))
        slope, pullback = jax.vjp(jax.vmap(field), points[-1])
        slopes.append(slope)
        pullbacks.append(pullback)
    pulled, sources = [], []
    for i in reversed(range(len(points))):
        shares = [row[i] for row in tableau.stages[:i:-1]]
        source = _add(size * tableau.weights[i] * later, size, shares, pulled)
        pulled.append(pullbacks[i](source)[0])
        sources.append(source)
    return later + sum(pulled[1:], start=pulled[0]), jnp.stack(points), jnp.stack(sources[::-1])


def _add(base: Array, size: Array, factors: Sequence[float], terms: Sequence[Array]) -> Array:
    """`base + size * sum(factors * terms)`, leaving out what is zero."""
    for factor, term in zip(factors, terms, strict=True):
        if factor:
            base = base + size * factor * term
    return base
