"""Checked solutions of the coefficients' differential equations."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from dynboltz._arguments import check_positive, check_range, checked, is_traced
from dynboltz._lazy import lazy_module

from ._adaptive import solve_adaptive
from ._base import AbstractVectorField, OutsideBoxError, outside_limits, outside_message
from ._runge_kutta import FixedMethod, solve_fixed

if TYPE_CHECKING:
    import diffrax
else:
    diffrax = lazy_module("diffrax")

Method = FixedMethod | diffrax.AbstractSolver


@checked
def integrate(
    field: AbstractVectorField,
    theta0: Float[Array | np.ndarray, "*batch coefficients"],
    times: Float[Array | np.ndarray, " times"],
    *,
    method: Method = "euler",
    substeps: int = 1,
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> Float[Array, "*batch times coefficients"]:
    r"""Solve $d\theta/dt = F(\theta)$ and check the solution.

    See Ernst et al. (2019), eq. (26). The solution is checked on the host at the requested times,
    not at the stages between them. Inside compiled code use `solve_fixed`.

    Parameters
    ----------
    field
        The right-hand side $F$.
    theta0
        Coefficients at `times[0]`, finite, for one or many initial conditions. Their floating-point
        type is that of the solution.
    times
        At least two strictly increasing times [time].
    method
        `"euler"` (order 1, the paper's choice), `"heun"` (order 2) or `"rk4"` (order 4) with fixed
        steps, or a diffrax solver, which chooses its steps.
    substeps
        Equal steps between successive times, at least 1; for fixed steps only. Where times are not
        equidistant, `step_grid` gives times between which steps have one length.
    rtol, atol
        Relative and absolute tolerance of the error of a step; for diffrax solvers only.

    Returns
    -------
    theta
        Coefficients at all times, the first being `theta0`.

    Raises
    ------
    TypeError
        If JAX traces an argument, as in `jax.grad` or `jax.jit`: those take `solve_fixed`.
    ValueError
        If an argument is not as described.
    OutsideBoxError
        If the solution leaves the limits of the field.
    FloatingPointError
        If the solution is not finite.
    """
    where = "integrate"
    check_method(method, substeps, where, rtol, atol)
    check_untraced(where, field, theta0, times)
    theta0, times = jnp.asarray(theta0), jnp.asarray(times)
    _check_start(np.asarray(theta0), np.asarray(times))
    options = {"method": method, "substeps": substeps, "rtol": rtol, "atol": atol}
    theta = _compiled_solve(field, theta0, times, **options)
    check_solution(field, np.asarray(theta), np.asarray(times))
    return theta


def solve(
    field: AbstractVectorField,
    theta0: Float[Array, "*batch coefficients"],
    times: Float[Array, " times"],
    *,
    method: Method,
    substeps: int,
    rtol: float,
    atol: float,
) -> Float[Array, "*batch times coefficients"]:
    """Solve with the method given by name or by a diffrax solver, without checks."""
    if isinstance(method, diffrax.AbstractSolver):
        return solve_adaptive(field, theta0, times, solver=method, rtol=rtol, atol=atol)
    return solve_fixed(field, theta0, times, method=method, substeps=substeps)


_compiled_solve = eqx.filter_jit(solve)


def check_untraced(where: str, *arguments: object) -> None:
    """Raise `TypeError` if JAX traces an array of an argument, whose values cannot be checked."""
    if any(map(is_traced, jax.tree.leaves(arguments))):
        raise TypeError(
            f"{where}: an array of `field`, `theta0` or `times` is traced by JAX (within "
            "jax.grad, jax.jit or jax.vmap), so that the solution cannot be checked. There use "
            "`solve_fixed`, `solve_adaptive` or `solve_implicit`; `discrete_adjoint` gives "
            "gradients at once."
        )


def check_method(
    method: Method, substeps: int, where: str, rtol: float = 1.0, atol: float = 1.0
) -> None:
    """Raise `ValueError` for an unknown method, or impossible substeps or tolerances."""
    if not isinstance(method, diffrax.AbstractSolver) and method not in get_args(FixedMethod):
        raise ValueError(
            f"{where}: `method` must be one of {get_args(FixedMethod)} or a diffrax solver, got "
            f"{method!r}."
        )
    check_range(where, "substeps", substeps, least=1)
    check_positive(where, "rtol", rtol)
    check_positive(where, "atol", atol)


def check_finite(where: str, **arrays: Array | np.ndarray) -> None:
    """Raise `ValueError` if one of the named arrays is not finite; compiled code is not checked."""
    for name, array in arrays.items():
        if not isinstance(array, Tracer) and not np.all(np.isfinite(array)):
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise ValueError(f"{where}: `{name}` must be finite, entry {index} is not.")


def check_times(times: Array | np.ndarray, where: str) -> None:
    """Raise `ValueError` unless there are two or more increasing times; not in compiled code."""
    if isinstance(times, Tracer):
        return
    known = np.asarray(times)
    if len(known) < 2 or not np.all(known[1:] > known[:-1]) or not np.all(np.isfinite(known)):
        raise ValueError(f"{where}: `times` must be two or more increasing times, got {times}.")


def _check_start(theta0: np.ndarray, times: np.ndarray) -> None:
    check_finite("integrate", theta0=theta0)
    check_times(times, "integrate")


@checked
def check_solution(
    field: AbstractVectorField,
    theta: Float[np.ndarray, "*batch times coefficients"],
    times: Float[np.ndarray, " times"],
) -> None:
    """Raise for the earliest entry that is outside the limits of the field or not finite."""
    bad = ~np.isfinite(theta)
    wrong = np.argwhere(np.moveaxis(bad | outside_limits(field, theta), -2, 0))
    if not len(wrong):
        return
    time, *batch, coefficient = (int(i) for i in wrong[0])
    index = (*batch, time, coefficient)
    where = f"integrate: at time {times[time]:.6g}"
    if batch:
        where += f", initial condition {batch[0] if len(batch) == 1 else tuple(batch)}"
    if not bad[index]:
        raise OutsideBoxError(f"{where}, {outside_message(field, coefficient, theta[index])}")
    raise FloatingPointError(
        f"{where}, coefficient `{field.coefficients[coefficient]}` is {theta[index]}: the solution "
        "diverged or the solver ran out of steps. Take smaller steps, looser tolerances, or a "
        "field without such steep slopes."
    )
