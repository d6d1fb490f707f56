"""Right-hand sides by linear least squares, before the adjoint refines them."""

from __future__ import annotations

import typing
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.linalg.blas
from jaxtyping import Array, Float, Float64
from scipy import sparse

from dynboltz._arguments import check_range, checked, fitted
from dynboltz._memory import check_size
from dynboltz._numbers import check_finite, check_precision
from dynboltz.dynamics import HermiteBasis, HermiteField, HermiteGrid

from ._parameters import Parameters, dof_units, parameters, with_parameters
from ._roughness import roughness
from ._settings import Method
from ._times import integral_weights, representative_times

_TINY = 1e-9
"""Ridge that keeps degrees of freedom which nothing determines at zero, relative to the trace."""
_MATRICES = 4
"""Dense matrices of all unknowns at a time: bending energy, two parts of the normal equations, and
the factors."""
MEMORY = 10
"""Time steps for which an error of the velocities at prior points is said to last."""


@checked
class VelocityPrior(NamedTuple):
    r"""Velocities expected at some points.

    The penalty is $\tfrac12 \langle \Delta F^T G\, \Delta F \rangle\, \tau^2$ with the difference
    $\Delta F$ between field and expectation, the Fisher metric $G$ and the time $\tau$ that an
    error is said to last: the divergence that the error would cause.

    Attributes
    ----------
    points
        Coefficients.
    velocities
        Their expected time derivatives.
    metric
        Fisher metric at the points.
    duration
        The time $\tau$.
    """

    points: Float64[np.ndarray, "points coefficients"]
    velocities: Float64[np.ndarray, "points coefficients"]
    metric: Float64[np.ndarray, "points coefficients coefficients"]
    duration: float

    def value(self, field_values: Float[Array, "points coefficients"]) -> Float[Array, ""]:
        """Penalty for the values of a field at the points.

        Raises
        ------
        ValueError
            If there is another number of points or coefficients.
        """
        if field_values.shape != np.shape(self.velocities):
            raise ValueError(
                f"VelocityPrior.value: `field_values` must have the shape "
                f"{np.shape(self.velocities)} of the velocities, got {field_values.shape}."
            )
        difference = field_values - self.velocities
        squares = jnp.einsum("ni,nij,nj->n", difference, self.metric, difference)
        return 0.5 * self.duration**2 * jnp.mean(squares)


@checked
def warm_start(
    field: HermiteField,
    times: Float64[np.ndarray, " times"],
    theta: Float64[np.ndarray, "initial_conditions times coefficients"],
    metric: Float64[np.ndarray, "initial_conditions times coefficients coefficients"],
    smoothness: float,
    prior: VelocityPrior | None = None,
    *,
    method: Method = "euler",
    substeps: int = 1,
    time_step: float | None = None,
) -> HermiteField:
    r"""Fit the degrees of freedom to given trajectories of the coefficients.

    The change of the coefficients since the first time is a sum over the values of the field at
    the given coefficients (`integral_weights`), which is linear in the degrees of freedom. The
    least-squares problem weights each coefficient with its precision, $1 / (G^{-1})_{kk}$, and adds
    the bending energy of `Roughness` and the prior.

    Parameters
    ----------
    field
        Field whose cells are allocated; its values do not matter.
    times
        Times of the snapshots.
    theta
        Coefficients at these times.
    metric
        Fisher metric there.
    smoothness
        Strength of the bending energy.
    prior
        Velocities expected elsewhere.
    method, substeps, time_step
        Integrator that the field is meant for: `substeps` equal steps in each step of
        `dynboltz.dynamics.step_grid`, by default between successive times.

    Raises
    ------
    ValueError
        If a coefficient or a metric is not finite, JAX is in single precision, or the
        least-squares problem is larger than the memory.
    """
    check_precision("warm_start")
    for function in field.functions:
        check_least_squares(function.grid, len(function.keys))
    check_finite("warm_start", "`theta`", theta, ("initial condition", "time", "coefficient"))
    check_finite("warm_start", "`metric`", metric, ("initial condition", "time", "row", "column"))
    check_range("warm_start", "smoothness", smoothness, least=0)
    check_range("warm_start", "substeps", substeps, least=1)
    _check_snapshots(times, theta, metric)
    if prior is not None:
        prior = checked_prior("warm_start", prior, field)
        _check_metric("prior.metric", prior.metric)
    chosen = representative_times(len(times))
    target = (theta - theta[:, :1])[:, 1:][:, chosen]
    weight = _precision(metric[:, 1:][:, chosen])
    integrals = integral_weights(times, method, substeps, time_step)[chosen]
    data = _maps(field, theta)
    priors = _maps(field, prior.points[None]) if prior else None
    solved = []
    for index, function in enumerate(field.functions):
        start = parameters(field)[index]
        n_vertices, n_dofs, _ = start.shape
        rows = np.concatenate([integrals @ values for values in data[index]])
        energy = smoothness * roughness(function).assemble(n_vertices)
        values = np.zeros(start.shape)
        for output, name in enumerate(function.outputs):
            k = field.coefficients.index(name)
            normal, right = _normal(rows, target[..., k].reshape(-1), weight[..., k].reshape(-1))
            if prior and priors:
                more = prior.duration**2 * _precision(prior.metric)[:, k]
                extra, further = _sparse_normal(priors[index][0], prior.velocities[:, k], more)
                normal += extra
                right += further
            normal += energy
            normal[np.diag_indices_from(normal)] += _TINY * np.trace(normal) / len(normal)
            solution = scipy.linalg.cho_solve(scipy.linalg.cho_factor(normal), right)
            values[:, :, output] = solution.reshape(n_vertices, n_dofs)
        solved.append(jnp.asarray(values))
    return with_parameters(field, tuple(solved))


def check_least_squares(grid: HermiteGrid, n_vertices: int) -> None:
    """Raise `ValueError` if the least-squares problem of some vertices is beyond the memory.

    Parameters
    ----------
    grid
        Their grid.
    n_vertices
        Number of vertices.
    """
    n_unknowns = n_vertices * 2**grid.dim
    check_size(
        f"the warm start of a function of {grid.dim} arguments ({', '.join(grid.arguments)}) at "
        f"{n_vertices} vertices, with {n_unknowns} unknowns,",
        _MATRICES * 8 * n_unknowns**2,
        "choose larger cells (`cell`), fewer `arguments` of each function, or "
        "`warm_start = false` in `learning`",
    )


def _check_snapshots(times: np.ndarray, theta: np.ndarray, metric: np.ndarray) -> None:
    if len(times) < 2 or not len(theta) or not np.all(times[1:] > times[:-1]):
        raise ValueError(
            "warm_start: `times` must be two or more increasing times and `theta` have one initial "
            f"condition or more, got the times {times} and shape {theta.shape}."
        )
    _check_metric("metric", metric)


def _check_metric(name: str, metric: np.ndarray) -> None:
    """Raise `ValueError` unless all variances that a metric stands for are positive."""
    with np.errstate(all="ignore"):
        try:
            sound = np.all(_precision(metric) > 0)
        except np.linalg.LinAlgError:
            sound = False
    if not sound:
        raise ValueError(
            f"warm_start: `{name}` must be a positive definite matrix for each snapshot; a "
            "coefficient without effect on the distribution has none, leave it out."
        )


def checked_prior(where: str, prior: VelocityPrior, field: HermiteField) -> VelocityPrior:
    """The prior with arrays for lists, or `ValueError` unless it fits itself and the field."""
    sizes: dict[str, Any] = {"coefficients": field.coefficients}
    parts = {
        name: fitted(where, f"prior.{name}", getattr(prior, name), annotation, sizes)
        for name, annotation in typing.get_type_hints(VelocityPrior).items()
    }
    prior = VelocityPrior(**parts)
    if not len(prior.points):
        raise ValueError(f"{where}: `prior.points` must be one point or more, got none.")
    for name in ("points", "velocities", "metric"):
        check_finite(where, f"`prior.{name}`", getattr(prior, name), ("point",))
    check_finite(where, "`prior.duration`", prior.duration)
    return prior


def field_values(
    field: HermiteField, bases: tuple[HermiteBasis, ...], values: Parameters
) -> Float[Array, "points coefficients"]:
    """Values of the field at points whose basis functions are known."""
    columns = {}
    for function, basis, value in zip(field.functions, bases, values, strict=True):
        weights = basis.weights * dof_units(function.grid)[None, None, :]
        result = jnp.einsum("nvd,nvdo->no", weights, value[basis.rows])
        columns |= dict(zip(function.outputs, result.T, strict=True))
    return jnp.stack([columns[name] for name in field.coefficients], axis=1)


def _maps(field: HermiteField, thetas: np.ndarray) -> list[list[sparse.csr_array]]:
    """Maps from the parameters of each function to its values at each row of points."""
    n_rows, n_points, _ = thetas.shape
    bases = field.basis(thetas.reshape(-1, thetas.shape[-1]))
    maps = []
    for function, basis in zip(field.functions, bases, strict=True):
        units = dof_units(function.grid)
        weights = (np.asarray(basis.weights) * units).reshape(n_rows, n_points, -1)
        columns = np.asarray(basis.rows)[:, :, None] * len(units) + np.arange(len(units))
        columns = columns.reshape(n_rows, n_points, -1)
        pointers = np.arange(n_points + 1) * weights.shape[-1]
        shape = (n_points, function.u.shape[0] * len(units))
        maps.append(
            [
                sparse.csr_array((weights[i].ravel(), columns[i].ravel(), pointers), shape=shape)
                for i in range(n_rows)
            ]
        )
    return maps


def _normal(rows, values, weights):
    """Upper triangle of the normal equations' matrix, and their right-hand side."""
    weighted = rows * np.sqrt(weights)[:, None]
    upper = scipy.linalg.blas.dsyrk(1 / len(rows), weighted, trans=True)
    return upper, rows.T @ (weights * values) / len(rows)


def _sparse_normal(rows, values, weights):
    normal = (rows.T @ (rows * weights[:, None])).toarray() / len(values)
    return normal, rows.T @ (weights * values) / len(values)


def _precision(metric: np.ndarray) -> np.ndarray:
    return 1 / np.diagonal(np.linalg.inv(metric), axis1=-2, axis2=-1)
