"""Gradients of a solution as computed, with the cotangents of its values given."""

from __future__ import annotations

from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dynboltz._arguments import checked

from ._base import AbstractVectorField
from ._integrate import Method, check_finite, check_method, check_times, solve

Field = TypeVar("Field", bound=AbstractVectorField)


@checked
def discrete_adjoint(
    field: Field,
    theta0: Float[Array | np.ndarray, "*batch coefficients"],
    times: Float[Array | np.ndarray, " times"],
    cotangents: Float[Array | np.ndarray, "*batch times coefficients"],
    *,
    method: Method = "euler",
    substeps: int = 1,
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> tuple[Float[Array, "*batch coefficients"], Field]:
    r"""Vector-Jacobian product of the discrete solution.

    With $c_n = w_n [\tilde\mu(t_n) - \mu(t_n) + 2 \lambda_r (\theta(t_n) - \bar\theta(t_n))]$,
    model minus data and the weights $w_n$ of `time_weights`, the result is the gradient of the
    discretised action, Ernst et al. (2019), eqs. (28) and (32), for $p \propto e^{+\theta s}$.
    Moments enter only through their values: they may be sampled. As the steps shrink it tends to
    `explicit_adjoint`; unlike that, it is exact for any step. For the gradient of a window of the
    time axis with $\theta$ at its start held fixed, eq. (41), start there; cotangents that are
    zero outside the window give the gradient through the earlier times as well.

    Parameters
    ----------
    field
        The right-hand side $F$.
    theta0
        Coefficients at `times[0]`, for one or many initial conditions.
    times
        At least two strictly increasing times [time].
    cotangents
        $c_n$, the derivative of the objective with respect to the solution at each time.
    method, substeps, rtol, atol
        As for `integrate`.

    Returns
    -------
    d_theta0
        Gradient with respect to `theta0`.
    d_field
        Gradient with respect to the parameters of the field, summed over the batch: a PyTree like
        `field`, with `None` in place of everything that is not an inexact array.

    Raises
    ------
    ValueError
        If an argument is not as described, or not finite. The solution itself is not checked, see
        `integrate`.
    """
    where = "discrete_adjoint"
    check_method(method, substeps, where, rtol, atol)
    check_times(times, where)
    check_finite(where, theta0=theta0, cotangents=cotangents)
    arrays = (jnp.asarray(array) for array in (theta0, times, cotangents))
    options = {"method": method, "substeps": substeps, "rtol": rtol, "atol": atol}
    return _pull_back(field, *arrays, **options)


@eqx.filter_jit
def _pull_back(
    field: Field,
    theta0: Float[Array, "*batch coefficients"],
    times: Float[Array, " times"],
    cotangents: Float[Array, "*batch times coefficients"],
    **options: Any,
) -> tuple[Float[Array, "*batch coefficients"], Field]:
    def solution(theta0: Array, field: Field) -> Array:
        return solve(field, theta0, times, **options)

    _, pullback = eqx.filter_vjp(solution, theta0, field)
    return pullback(cotangents)
