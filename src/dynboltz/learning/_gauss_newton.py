"""Gauss-Newton learning of vector fields, with the Fisher metric and joint initial conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, final, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Float64

from dynboltz._arguments import checked
from dynboltz._numbers import check_finite
from dynboltz.dynamics import AbstractVectorField

from ._static import Progress

Solution = Callable[[AbstractVectorField, Array], Array]
"""Maps a field and initial coefficients [batch, coefficients] to [batch, times, coefficients]."""

_LARGEST_DAMPING = 1e12


class Local(NamedTuple):
    r"""What the data say about coefficients, and how sure of it they are.

    Attributes
    ----------
    divergence
        Negative log likelihood, $D_{KL}$ up to the entropy of the data.
    difference
        Its derivative $\partial D_{KL} / \partial \theta$, a difference of moments.
    metric
        Its second derivative in the family of the model, the Fisher metric
        $G = \mathrm{Cov}(s)$.
    """

    divergence: Float[Array, " times"]
    difference: Float[Array, "times coefficients"]
    metric: Float[Array, "times coefficients coefficients"]


@runtime_checkable
class LikelihoodSource(Protocol):
    """Where divergences, differences of moments and metrics come from; JAX code."""

    def __call__(self, theta: Float[Array, "times coefficients"], data: Any) -> Local:
        """Look at the coefficients of one initial condition; `data` is its part of the data."""
        ...


@final
@checked
@dataclass(frozen=True)
class GaussNewtonSettings:
    """How to descend.

    Parameters
    ----------
    steps
        Largest number of accepted steps.
    damping
        First Levenberg-Marquardt damping, relative to the diagonal of the normal matrix.
    tolerance
        Relative decrease of the action below which the search ends.
    fit_initial
        Whether initial coefficients are learned as well.
    """

    steps: int = 30
    damping: float = 1e-3
    tolerance: float = 1e-8
    fit_initial: bool = True

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("steps", self.steps, self.steps >= 0),
            ("damping", self.damping, self.damping > 0),
            ("tolerance", self.tolerance, self.tolerance >= 0),
        ):
            if not allowed:
                raise ValueError(
                    f"GaussNewtonSettings: `{name}` must not be negative (`damping`: positive), "
                    f"got {value}."
                )
            check_finite("GaussNewtonSettings", f"`{name}`", value)


class GaussNewtonResult(NamedTuple):
    """What was learned.

    Attributes
    ----------
    field
        The field.
    initial
        Initial coefficients of each initial condition.
    covariance
        Covariance matrix of the parameters of the field, in the order of `ravel_pytree` of its
        inexact arrays: the inverse of the normal matrix with the initial coefficients eliminated,
        for an action that is a negative log likelihood.
    history
        `action` after every accepted step, the first entry before any, and `damping`.
    """

    field: AbstractVectorField
    initial: Float64[np.ndarray, "initial_conditions coefficients"]
    covariance: Float64[np.ndarray, "parameters parameters"]
    history: dict[str, Float64[np.ndarray, " steps"]]


class _Normal(NamedTuple):
    """Action, gradient and blocks of the normal matrix of every initial condition."""

    action: np.ndarray
    by_field: np.ndarray
    by_initial: np.ndarray
    field_field: np.ndarray
    field_initial: np.ndarray
    initial_initial: np.ndarray


class _Problem(NamedTuple):
    """What the action is made of; the field gives the structure of its parameters only."""

    field: AbstractVectorField
    solution: Solution
    source: LikelihoodSource

    def field_with(self, u: Array) -> AbstractVectorField:
        """The field with other parameters."""
        parameters, static = eqx.partition(self.field, eqx.is_inexact_array)
        _, unravel = ravel_pytree(parameters)
        return eqx.combine(unravel(u), static)

    def path(self, u: Array, eta: Array) -> Array:
        """Coefficients [times, coefficients] of one initial condition."""
        return self.solution(self.field_with(u), eta[None])[0]


@checked
def gauss_newton(
    field: AbstractVectorField,
    initial: Float64[np.ndarray, "initial_conditions coefficients"],
    solution: Solution,
    source: LikelihoodSource,
    data: Any,
    weights: Float64[np.ndarray, " times"],
    settings: GaussNewtonSettings | None = None,
    *,
    progress: Progress | None = None,
) -> GaussNewtonResult:
    r"""Minimise the action over the parameters of a field and the initial coefficients together.

    $$S(u, \eta) = \sum_i \sum_n w_n\, D_{KL}\big(\theta^{(i)}(t_n; u, \eta_i)\big)$$

    with steps that solve $(J^T G J + \lambda\, \mathrm{diag})\, \delta = -J^T g$: $J$ the
    derivative of the solution, $G$ the Fisher metric, $g$ the difference of moments. Initial
    coefficients are eliminated one initial condition at a time. A step that does not lower the
    action, or makes it not finite, is rejected and the damping raised
    (Levenberg-Marquardt).

    Parameters
    ----------
    field
        Where to start; its inexact arrays are learned.
    initial
        Initial coefficients to start from.
    solution
        Solves the field; differentiable in forward mode.
    source
        The likelihood.
    data
        A PyTree whose arrays have the initial conditions as first axis.
    weights
        $w_n$ of the times of the solution; zero for times that are not looked at.
    settings
        How to descend.
    progress
        Called after every accepted step.

    Raises
    ------
    ValueError
        If the arguments do not fit one another, a number of them is not finite, or a weight is
        negative.
    FloatingPointError
        If the action is not finite where the search starts, or no step can be solved for.
    """
    settings = settings or GaussNewtonSettings()
    check_start("gauss_newton", initial, weights)
    _check_parts(data, len(initial))
    check_solver("gauss_newton", field, initial, solution, len(weights))
    return minimise(field, initial, solution, source, data, weights, settings, progress)


def minimise(
    field: AbstractVectorField,
    initial: np.ndarray,
    solution: Solution,
    source: LikelihoodSource,
    data: Any,
    weights: np.ndarray,
    settings: GaussNewtonSettings,
    progress: Progress | None = None,
) -> GaussNewtonResult:
    """Search of `gauss_newton`, for arguments that have been checked."""
    start, _ = ravel_pytree(eqx.filter(field, eqx.is_inexact_array))
    u, eta = np.asarray(start), np.asarray(initial)
    problem, weights = _Problem(field, solution, source), np.asarray(weights, dtype=u.dtype)
    normal = _look(problem, u, eta, data, weights)
    if not np.isfinite(normal.action.sum()):
        raise FloatingPointError(
            "gauss_newton: the action is not finite where the search starts: the solution "
            "diverges, or the coefficients do not fit the data. Start from other parameters."
        )
    damping, history = settings.damping, [(normal.action.sum(), settings.damping)]
    while len(history) <= settings.steps and damping < _LARGEST_DAMPING:
        try:
            d_u, d_eta = _step(normal, damping, settings.fit_initial)
        except np.linalg.LinAlgError:
            raise FloatingPointError(
                "gauss_newton: the normal matrix is singular or not finite: the data do not "
                "determine some parameter or initial coefficient, or the solution nearly diverges. "
                "Start from other parameters, or leave out what has no effect."
            ) from None
        moved = (jnp.asarray(u + d_u), jnp.asarray(eta + d_eta))
        action = float(np.sum(_actions(problem, *moved, data, jnp.asarray(weights))))
        before = history[-1][0]
        if not action < before:
            damping *= 4.0
            continue
        u, eta, damping = u + d_u, eta + d_eta, damping / 3.0
        normal = _look(problem, u, eta, data, weights)
        history.append((action, damping))
        if progress:
            report = {"stage": "train", "step": len(history) - 1, "total": settings.steps}
            progress({**report, "action": action})
        if before - action <= settings.tolerance * abs(before):
            break
    columns = np.array(history).T
    return GaussNewtonResult(
        problem.field_with(jnp.asarray(u)),
        eta,
        _covariance(normal, settings.fit_initial),
        {"action": columns[0], "damping": columns[1]},
    )


def check_start(
    where: str,
    initial: Float64[np.ndarray, "initial_conditions coefficients"],
    weights: Float64[np.ndarray, " times"],
) -> None:
    """Raise `ValueError` unless initial coefficients and weights are finite, and none negative."""
    check_finite(where, "`initial`", initial, ("initial condition", "coefficient"))
    check_finite(where, "`weights`", weights, ("time",))
    if np.any(weights < 0):
        raise ValueError(f"{where}: `weights` must not be negative, got {weights}.")


def check_solver(
    where: str,
    field: AbstractVectorField,
    initial: Float64[np.ndarray, "initial_conditions coefficients"],
    solution: Solution,
    n_times: int,
) -> None:
    """Raise `ValueError` unless `solution` gives coefficients at the times of the weights."""
    if not len(initial) or not n_times:
        raise ValueError(
            f"{where}: `initial` must have one initial condition or more and `weights` one time or "
            f"more, got {len(initial)} and {n_times}."
        )
    try:
        found = eqx.filter_eval_shape(solution, field, jnp.asarray(initial))
        shape = tuple(found.shape)
    except Exception as error:
        raise ValueError(
            f"{where}: `solution` must map the field and coefficients of shape {initial.shape} to "
            f"solutions, such as `lambda field, theta: solve_fixed(field, theta, times)`; it "
            f"fails: {error}"
        ) from error
    if shape != (len(initial), n_times, initial.shape[1]):
        raise ValueError(
            f"{where}: `solution` must give shape {(len(initial), n_times, initial.shape[1])}: "
            f"initial conditions, times of `weights` and coefficients; it gives {shape}."
        )


def _check_parts(data: Any, n_initial: int) -> None:
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(data)]
    if any(not shape or shape[0] != n_initial for shape in shapes):
        raise ValueError(
            f"gauss_newton: all arrays of `data` must have {n_initial} entries along their first "
            f"axis, one for each initial condition; got the shapes {shapes}."
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(data):
        name = f"`data{jax.tree_util.keystr(path)}`"
        check_finite("gauss_newton", name, leaf, ("initial condition",))


def _look(
    problem: _Problem, u: np.ndarray, eta: np.ndarray, data: Any, weights: np.ndarray
) -> _Normal:
    arrays = (jnp.asarray(u), jnp.asarray(eta), data, jnp.asarray(weights))
    return _Normal(*map(np.asarray, _normal(problem, *arrays)))


@eqx.filter_jit
def _actions(
    problem: _Problem, u: Array, eta: Array, data: Any, weights: Array
) -> Float[Array, " initial_conditions"]:
    def action(eta: Array, data: Any) -> Array:
        theta = problem.path(u, eta)
        return jnp.dot(weights, problem.source(theta, data).divergence)

    return jax.vmap(action)(eta, data)


@eqx.filter_jit
def _normal(
    problem: _Problem, u: Array, eta: Array, data: Any, weights: Array
) -> tuple[Array, ...]:
    """The parts of `_Normal`."""

    def normal(eta: Array, data: Any) -> tuple[Array, ...]:
        theta, push = jax.linearize(problem.path, u, eta)
        by_u = jax.vmap(push, in_axes=(0, None))(jnp.eye(len(u)), jnp.zeros_like(eta))
        by_eta = jax.vmap(push, in_axes=(None, 0))(jnp.zeros_like(u), jnp.eye(len(eta)))
        local = problem.source(theta, data)
        pull = weights[:, None] * local.difference
        metric = weights[:, None, None] * local.metric
        seen_u = jnp.einsum("ptk,tkl->ptl", by_u, metric)
        seen_eta = jnp.einsum("ptk,tkl->ptl", by_eta, metric)
        return (
            jnp.dot(weights, local.divergence),
            jnp.einsum("ptk,tk->p", by_u, pull),
            jnp.einsum("ptk,tk->p", by_eta, pull),
            jnp.einsum("ptk,qtk->pq", seen_u, by_u),
            jnp.einsum("ptk,qtk->pq", seen_u, by_eta),
            jnp.einsum("ptk,qtk->pq", seen_eta, by_eta),
        )

    return jax.vmap(normal)(eta, data)


def _step(
    normal: _Normal, damping: float, fit_initial: bool
) -> tuple[Float64[np.ndarray, " parameters"], Float64[np.ndarray, "conditions coefficients"]]:
    """Step of the parameters and of all initial coefficients."""
    matrix, gradient, back = _eliminate(normal, damping, fit_initial)
    d_u = -np.linalg.solve(matrix, gradient)
    if not fit_initial:
        return d_u, np.zeros_like(normal.by_initial)
    d_eta = -np.stack(
        [
            np.linalg.solve(block, own + coupling.T @ d_u)
            for block, own, coupling in zip(
                back, normal.by_initial, normal.field_initial, strict=True
            )
        ]
    )
    return d_u, d_eta


def _eliminate(
    normal: _Normal, damping: float, fit_initial: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrix and gradient of the parameters alone, and the blocks that were eliminated."""
    matrix, gradient = _damped(normal.field_field.sum(axis=0), damping), normal.by_field.sum(axis=0)
    blocks = np.stack([_damped(block, damping) for block in normal.initial_initial])
    if not fit_initial:
        return matrix, gradient, blocks
    for block, own, coupling in zip(blocks, normal.by_initial, normal.field_initial, strict=True):
        solved = np.linalg.solve(block, np.column_stack([coupling.T, own]))
        matrix = matrix - coupling @ solved[:, :-1]
        gradient = gradient - coupling @ solved[:, -1]
    return matrix, gradient, blocks


def _damped(matrix: np.ndarray, damping: float) -> np.ndarray:
    diagonal = np.diag(matrix)
    return matrix + damping * np.diag(np.maximum(diagonal, 1e-12 * diagonal.max()))


def _covariance(normal: _Normal, fit_initial: bool) -> Float64[np.ndarray, "parameters parameters"]:
    matrix, _, _ = _eliminate(normal, 1e-12, fit_initial)
    return np.linalg.pinv(matrix)
