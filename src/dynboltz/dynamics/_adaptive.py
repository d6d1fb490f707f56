"""Solutions with the solvers of diffrax, which choose their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import check_positive, checked, is_traced
from dynboltz._lazy import lazy_module

from ._base import AbstractVectorField
from ._runge_kutta import check_fixed_grid

if TYPE_CHECKING:
    import diffrax
else:
    diffrax = lazy_module("diffrax")


@checked
def solve_adaptive(
    field: AbstractVectorField,
    theta0: Float[Array, "*batch coefficients"],
    times: Float[Array, " times"],
    *,
    solver: diffrax.AbstractSolver,
    rtol: float,
    atol: float,
) -> Float[Array, "*batch times coefficients"]:
    r"""Solve $d\theta/dt = F(\theta)$ with steps chosen by a PID controller.

    Compiles and differentiates in reverse mode, so that values of arrays are not checked, see
    `integrate`. Entries are infinite after the time where the solver ran out of steps (4096) or
    diverged.

    Parameters
    ----------
    field
        The right-hand side $F$.
    theta0
        Coefficients at `times[0]`; each initial condition has steps of its own.
    times
        At least two increasing times of the solution [time].
    solver
        A solver with an error estimate, such as `diffrax.Tsit5()`.
    rtol, atol
        Relative and absolute tolerance of the error of a step.

    Returns
    -------
    theta
        Coefficients at all times, the first being `theta0`.

    Raises
    ------
    ValueError
        If there are less than two times, or a tolerance is not positive.
    """
    where = "solve_adaptive"
    check_fixed_grid(where, times)
    check_positive(where, "rtol", rtol)
    check_positive(where, "atol", atol)
    if not is_traced(times) and not np.all(times[1:] > times[:-1]):
        raise ValueError(f"{where}: `times` must increase, got {times}.")
    times = times.astype(theta0.dtype)
    term = diffrax.ODETerm(lambda t, theta, field: field(theta))

    def solve_one(start: Array) -> Array:
        solution = diffrax.diffeqsolve(
            term,
            solver,
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=start,
            args=field,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
            throw=False,
        )
        return jnp.asarray(solution.ys)

    flat = theta0.reshape(-1, theta0.shape[-1])
    theta = jax.vmap(solve_one)(flat)
    return theta.reshape(*theta0.shape[:-1], len(times), theta0.shape[-1])
