"""Gauss-Newton over growing horizons, with penalties set by the evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from ._data import ShootingData
from ._law import MomentLaw
from ._trajectories import ShootingProblem

GROWTH = 3
"""Factor between horizons. Longer ones see slower errors, and start where shorter ones ended."""

FIRST_HORIZON = 7
"""Most records of the shortest horizon: errors of a step add up over a few of them, yet a wrong
law cannot run away."""

GAIN = 0.5
"""Gain of the log posterior below which iterations end: less than a parameter is uncertain by."""

LARGEST_WIDENING = 3.0
"""Most that bands are widened by: beyond that the law is wrong, and its validation says so."""

SMALLEST_EIGENVALUE = 1e-14
"""Of a matrix, relative to the largest one, below which it is rounding error."""

ITERATIONS, LAST_ITERATIONS = 15, 30
"""Most iterations at each horizon, and at the last one. Short horizons only have to bring a law
near enough for the next one."""


class Member(NamedTuple):
    """A learned law, and how sure its parameters are.

    Attributes
    ----------
    law
        The law.
    factor
        Matrix $F$ with $F F^T$ the covariance of the parameters: Laplace's approximation, widened
        by what starts that are left out show.
    log_evidence
        Logarithm of the probability of the data, without what all members share.
    error
        Mean squared whitened residual of the whole trajectories: 1 at the noise.
    validation
        The same for each start by the law that was not shown this start, to first order.
    """

    law: MomentLaw
    factor: Float64[np.ndarray, "parameters parameters"]
    log_evidence: float
    error: float
    validation: Float64[np.ndarray, " starts"]


def horizons(n_intervals: int) -> list[int]:
    """Records of each horizon, the last one of all."""
    found = [n_intervals]
    while found[0] > FIRST_HORIZON:
        found.insert(0, -(-found[0] // GROWTH))
    return found


class Training(NamedTuple):
    """A law in training: parameters, their precisions by array, and the weight of residuals."""

    law: MomentLaw
    alpha: Float64[np.ndarray, " groups"]
    beta: float
    error: float
    log_evidence: float


def begin_training(law: MomentLaw) -> Training:
    """A law before its training."""
    return Training(law, np.ones(law.groups.max() + 1), 1.0, np.inf, -np.inf)


def train_to(
    training: Training,
    data: ShootingData,
    horizon: int,
    longest_step: float,
    stopped: Callable[[], bool] = lambda: False,
) -> Training:
    r"""Maximise the posterior of the parameters of a law, penalties and scale included.

    Whitened residuals $e$ of the trajectories have the log likelihood $-\tfrac{\beta}{2} |e|^2$,
    parameters of each array of the function independent normal priors of precision $\alpha$.
    Both are set to where the evidence of the data is largest (MacKay), with $\beta \le 1$, or
    $1 / n$ of $n$ images of the data: what a law cannot describe counts as additional noise.
    Steps are those of Levenberg and Marquardt; derivatives are carried along the trajectories
    exactly.

    Parameters
    ----------
    training
        Where to start.
    data
        The trajectories.
    horizon
        Records after which a trajectory begins again at the data.
    longest_step
        Longest Runge-Kutta step [time]; each interval is divided into equal ones.
    stopped
        Asked before each iteration whether to end with what there is.

    References
    ----------
    MacKay (1992), Neural Comput. 4, 415; Bock and Plitt (1984), IFAC Proc. 17, 1603 (multiple
    shooting).
    """
    problem = ShootingProblem(training.law, data, longest_step)
    parameters = np.array(training.law.parameters)
    state = _State(parameters, training.alpha, min(training.beta, 1 / data.n_images))
    is_last = horizon >= len(data.times) - 1
    most = LAST_ITERATIONS if is_last else ITERATIONS
    state, error = _climb(problem, state, horizon, most, stopped)
    gram, _ = _summed(problem.normal(state.parameters, horizon))
    return Training(
        training.law.with_parameters(state.parameters),
        state.alpha,
        state.beta,
        error,
        _log_evidence(problem, state, gram, error * problem.n_residuals),
    )


class _State(NamedTuple):
    """Parameters, their precisions by array, and the weight of the residuals."""

    parameters: np.ndarray
    alpha: np.ndarray
    beta: float


def _climb(
    problem: ShootingProblem,
    state: _State,
    horizon: int,
    iterations: int,
    stopped: Callable[[], bool],
) -> tuple[_State, float]:
    """Levenberg-Marquardt steps at one horizon; the precisions follow."""
    groups, damping = problem.groups, 1e-3
    error = _total(problem, state.parameters, horizon)
    for _ in range(iterations):
        if stopped():
            break
        gram, slope = _summed(problem.normal(state.parameters, horizon))
        prior = state.alpha[groups]
        objective = state.beta * error + np.sum(prior * state.parameters**2)
        for _ in range(8):
            matrix = state.beta * gram + np.diag(prior)
            matrix += damping * np.diag(np.diag(matrix))
            step = np.linalg.solve(matrix, state.beta * slope + prior * state.parameters)
            parameters = state.parameters - step
            trial = _total(problem, parameters, horizon)
            improved = state.beta * trial + np.sum(prior * parameters**2)
            if improved < objective:
                break
            damping *= 5
        else:
            break
        damping = max(damping / 5, 1e-8)
        error = trial
        state = _evidence(problem, state._replace(parameters=parameters), gram, error)
        if objective - improved < 2 * GAIN:
            break
    return state, error / problem.n_residuals


@np.errstate(over="ignore", invalid="ignore")  # where a trajectory runs away
def _total(problem: ShootingProblem, parameters: np.ndarray, horizon: int) -> float:
    """Sum of squared residuals; infinite where a trajectory runs away."""
    _, errors = problem.residuals(parameters, horizon)
    total = float(np.sum(errors**2))
    return total if np.isfinite(total) else np.inf


def _summed(parts: Iterator[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    gram, slope = next(parts)
    for own_gram, own_slope in parts:
        gram += own_gram
        slope += own_slope
    return gram, slope


def _evidence(problem: ShootingProblem, state: _State, gram: np.ndarray, error: float) -> _State:
    """Precisions and weight of the residuals by MacKay's fixed point."""
    prior = state.alpha[problem.groups]
    variance = np.diag(np.linalg.inv(state.beta * gram + np.diag(prior)))
    alpha = np.empty_like(state.alpha)
    for group in range(len(alpha)):
        mine = problem.groups == group
        known = max(mine.sum() - state.alpha[group] * variance[mine].sum(), 1e-2)
        alpha[group] = np.clip(known / np.sum(state.parameters[mine] ** 2), 1e-4, 1e6)
    n_known = len(prior) - np.sum(prior * variance)
    share = 1 / problem.data.n_images
    beta = min(share, (share * problem.n_residuals - n_known) / error)
    return _State(state.parameters, alpha, float(beta))


def _log_evidence(problem: ShootingProblem, state: _State, gram: np.ndarray, error: float) -> float:
    """Logarithm of the probability of the data, by Laplace's approximation."""
    prior = state.alpha[problem.groups]
    _, log_determinant = np.linalg.slogdet(state.beta * gram + np.diag(prior))
    return 0.5 * float(
        np.sum(np.log(prior))
        - log_determinant
        + problem.n_residuals / problem.data.n_images * np.log(state.beta * problem.data.n_images)
        - state.beta * error
        - np.sum(prior * state.parameters**2)
    )


@np.errstate(over="ignore", invalid="ignore")  # where a start that is left out runs away
def finish(training: Training, data: ShootingData, longest_step: float) -> Member:
    """Uncertainty of a trained law, and its errors at starts that are left out."""
    problem = ShootingProblem(training.law, data, longest_step)
    parameters = np.array(training.law.parameters)
    horizon, n_images = len(data.times) - 1, data.n_images
    n_starts = problem.n_starts // n_images
    grams, slopes = zip(*problem.normal(parameters, horizon), strict=True)
    prior = training.alpha[problem.groups]
    hessian = training.beta * np.sum(grams, axis=0) + np.diag(prior)
    validation, expected = np.empty(n_starts), np.empty(n_starts)
    n_residuals = problem.n_residuals / n_starts
    for i in range(n_starts):
        # Newton step to the optimum without this start: its part of the slope is taken back.
        mine = slice(i * n_images, (i + 1) * n_images)
        gram, slope = np.sum(grams[mine], axis=0), np.sum(slopes[mine], axis=0)
        root = _root_of_inverse(hessian - training.beta * gram)
        moved = parameters + root @ (root.T @ (training.beta * slope))
        _, errors = problem.residuals(moved, horizon)
        validation[i] = float(np.sum(errors[mine] ** 2)) / n_residuals
        expected[i] = np.sum(root * (gram @ root)) / n_residuals
    validation = np.where(np.isfinite(validation), validation, np.inf)
    # What starts that are left out are off by, beyond the noise, calibrates the covariance: one
    # optimum of several, and a function that is not quite free enough, make Laplace's too small.
    excess = np.median(validation) - 1 / (n_images * training.beta)
    widening = np.clip(excess / np.median(expected), 1.0, LARGEST_WIDENING**2)
    return Member(
        training.law,
        np.sqrt(widening) * _root_of_inverse(hessian),
        training.log_evidence,
        # Of whole trajectories, also where the training was interrupted before.
        _total(problem, parameters, horizon) / problem.n_residuals,
        validation,
    )


def _root_of_inverse(matrix: np.ndarray) -> np.ndarray:
    """Matrix $F$ with $F F^T$ the inverse of a matrix that is positive but for rounding errors."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors / np.sqrt(np.maximum(values, SMALLEST_EIGENVALUE * values[-1]))
