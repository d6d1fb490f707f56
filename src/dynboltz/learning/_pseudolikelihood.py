"""Pseudolikelihood of point processes: a convex fit that needs no samples of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float64, Int64

from dynboltz._arguments import check_memory, checked
from dynboltz.distributions import PointProcessModel
from dynboltz.lattices import child_seeds, numbered_seed
from dynboltz.particles import Box, PointPatterns

_MAX_STEPS = 100
_TOLERANCE = 1e-10
_MIN_POINTS = 64


class PointProcessFit(NamedTuple):
    r"""Coefficients of a point process.

    Attributes
    ----------
    theta
        The coefficients.
    covariance
        Covariance of their errors.
    """

    theta: Float64[np.ndarray, " coefficients"]
    covariance: Float64[np.ndarray, "coefficients coefficients"]


class Ridge(NamedTuple):
    r"""Gaussian prior: $\tfrac12 (\theta - \theta_0)^T P (\theta - \theta_0)$ in the objective."""

    centre: Float64[np.ndarray, " coefficients"]
    precision: Float64[np.ndarray, "coefficients coefficients"]


class _Insertions(NamedTuple):
    """Particles that could be added: quadrature points of one species in all patterns."""

    columns: Int64[np.ndarray, " columns"]
    statistics: Float64[np.ndarray, "patterns points columns"]
    weight: float


@checked
def fit_pseudolikelihood(
    model: PointProcessModel,
    patterns: PointPatterns,
    *,
    ridge: float = 0.1,
    n_points: int | None = None,
    seed: int | np.random.SeedSequence,
) -> PointProcessFit:
    r"""Fit a model to patterns by maximum pseudolikelihood.

    Minimises, summed over the patterns $X$,

    $$\sum_{x_i \in X} \theta \cdot t(x_i, X \setminus x_i)
    + \sum_\alpha \int e^{-\theta \cdot t_\alpha(x, X)}\, dx$$

    where $t_\alpha(x, X)$ is what a particle of species $\alpha$ at $x$ adds to the statistics.
    The function is convex and its minimum consistent; neither $Z$ nor a sample of the model is
    needed. The integral is a mean over one random point in each cell of a grid, drawn anew for
    each pattern, which leaves the estimate unbiased. Newton's method uses the exact gradient and
    Hessian of that sum.

    Starting from the potential of mean force $-\ln g(r)$ would be a mistake: it holds the
    correlations that other particles mediate, attracts where repulsive particles crowd, and a
    model with it can be impossible to normalise.

    Parameters
    ----------
    model
        The model.
    patterns
        Independent patterns along one batch axis.
    ridge
        Precision of a Gaussian prior of the mean square of each function: of a $\nu_\alpha$ around
        that of evenly spread independent particles, of a $\nu_{\alpha\beta}$ around 0. It keeps
        functions finite where there are no data.
    n_points
        Points of the integral, for each species and pattern; by default at least four a particle.
    seed
        Seed of the points; those of pattern `i` depend on the seed, `i` and their number only.

    Returns
    -------
    fit
        The covariance is the sandwich estimate from the scatter between the patterns, so it needs
        more of them than there are coefficients.

    Raises
    ------
    ValueError
        If the patterns do not fit the model, have not one batch axis or are less than two, or if
        `ridge` or `n_points` is not positive.

    References
    ----------
    Besag (1977), Bull. Int. Stat. Inst. 47, 77; Jensen and Møller (1991), Ann. Appl. Probab. 1,
    445.
    """
    check_fit("fit_pseudolikelihood", model, patterns, ridge)
    if n_points is not None and n_points < 1:
        raise ValueError(f"fit_pseudolikelihood: `n_points` must be positive, got {n_points}.")
    if n_points is not None:
        n_bytes = 16 * n_points * patterns.batch[0] * model.box.dim
        check_memory("fit_pseudolikelihood", "n_points", n_points, n_bytes)
    prior = ridge_around_independence(model, patterns, ridge)
    own = _own_statistics(model, patterns)
    insertions = _insertions(model, patterns, n_points, child_seeds(seed, 1)[0])
    theta, hessian = _newton(own.sum(axis=0), insertions, prior)
    scores = own - _expected(theta, insertions, len(own))
    scores -= scores.mean(axis=0)
    inverse = np.linalg.inv(hessian)
    return PointProcessFit(theta, inverse @ (scores.T @ scores) @ inverse)


def check_fit(
    function: str, model: PointProcessModel, patterns: PointPatterns, ridge: float
) -> None:
    """Raise `ValueError` unless there are patterns of the model and a positive ridge."""
    model.check_patterns(patterns)
    if len(patterns.batch) != 1 or patterns.batch[0] < 2:
        raise ValueError(
            f"{function}: `patterns` must have one batch axis with at least 2 patterns, got the "
            f"batch {patterns.batch}. Index a snapshot, or reshape."
        )
    if not (np.isfinite(ridge) and ridge > 0):
        raise ValueError(f"{function}: `ridge` must be positive, got {ridge}.")


def ridge_around_independence(
    model: PointProcessModel, patterns: PointPatterns, ridge: float
) -> Ridge:
    """Prior of functions around those of evenly spread, independent particles."""
    mean = (patterns.counts().sum(axis=0) + 0.5) / patterns.batch[0]
    levels = [*-np.log(mean / model.box.volume), *[0.0] * len(model.pair)]
    centres, blocks = [], []
    for space, level in zip(model.spaces.values(), levels, strict=True):
        points, weights = space.quadrature()
        values = space.evaluate(points)
        mass = values.T @ (weights[:, None] * values) / weights.sum()
        constant = values.T @ weights / weights.sum()
        centres.append(level * np.linalg.solve(mass, constant))
        blocks.append(ridge * mass)
    return Ridge(np.concatenate(centres), np.asarray(scipy.linalg.block_diag(*blocks)))


def _own_statistics(
    model: PointProcessModel, patterns: PointPatterns
) -> Float64[np.ndarray, "patterns coefficients"]:
    """What each particle adds to its pattern, summed: pairs count for both of their members."""
    first_pair = sum(model.single[name].size for name in model.species)
    found = model.statistics(patterns)
    found[:, first_pair:] *= 2.0
    return found


def _insertions(
    model: PointProcessModel,
    patterns: PointPatterns,
    n_points: int | None,
    seed: np.random.SeedSequence,
) -> list[_Insertions]:
    counts = patterns.counts().mean(axis=0)
    found = []
    for number, (name, parent) in enumerate(
        zip(model.species, child_seeds(seed, len(counts)), strict=True)
    ):
        wanted = n_points or max(_MIN_POINTS, int(np.ceil(4 * counts[number])))
        points = _scattered(model.box, wanted, patterns.batch[0], parent)
        involved = [f"nu.{name}"] + [
            f"nu.{'.'.join(names)}" for names in model.pair if name in names
        ]
        columns = np.concatenate([np.r_[model.slices[function]] for function in involved])
        statistics = model.insertions(patterns, name, points)[:, :, columns]
        found.append(_Insertions(columns, statistics, model.box.volume / points.shape[1]))
    return found


def _scattered(
    box: Box, wanted: int, n_patterns: int, seed: np.random.SeedSequence
) -> Float64[np.ndarray, "patterns points dim"]:
    """One random point in each cell of a grid of about as many cells as wanted, or more."""
    lengths = np.array(box.lengths)
    density = (wanted / box.volume) ** (1 / box.dim)
    shape = tuple(np.ceil(density * lengths - 1e-9).astype(int).tolist())
    corners = np.indices(shape).reshape(box.dim, -1).T
    generators = (np.random.default_rng(numbered_seed(seed, i)) for i in range(n_patterns))
    drawn = np.array([generator.random(corners.shape) for generator in generators])
    return (corners + drawn) * (lengths / shape)


def _newton(
    own: Float64[np.ndarray, " coefficients"], insertions: Sequence[_Insertions], prior: Ridge
) -> tuple[np.ndarray, np.ndarray]:
    """Minimum of the objective and the Hessian there, by Newton steps that go down."""
    theta = prior.centre
    value, gradient, hessian = _objective(theta, own, insertions, prior)
    for _ in range(_MAX_STEPS):
        step = -np.linalg.solve(hessian, gradient)
        promised = -float(gradient @ step)
        if promised <= _TOLERANCE:
            break
        share = 1.0
        new = _objective(theta + step, own, insertions, prior)
        while not new[0] <= value - 1e-4 * share * promised and share > 1e-9:
            share /= 2
            new = _objective(theta + share * step, own, insertions, prior)
        theta = theta + share * step
        value, gradient, hessian = new
    return theta, hessian


def _objective(
    theta: Float64[np.ndarray, " coefficients"],
    own: Float64[np.ndarray, " coefficients"],
    insertions: Sequence[_Insertions],
    prior: Ridge,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, gradient and Hessian."""
    away = theta - prior.centre
    pull = prior.precision @ away
    value = float(theta @ own + 0.5 * away @ pull)
    gradient, hessian = own + pull, prior.precision.copy()
    for columns, statistics, weight in insertions:
        flat = statistics.reshape(-1, len(columns))
        with np.errstate(over="ignore"):
            intensity = weight * np.exp(-(flat @ theta[columns]))
        value += float(intensity.sum())
        if np.isfinite(value):
            gradient[columns] -= flat.T @ intensity
            hessian[np.ix_(columns, columns)] += flat.T @ (intensity[:, None] * flat)
    return value, gradient, hessian


def _expected(
    theta: Float64[np.ndarray, " coefficients"], insertions: Sequence[_Insertions], n_patterns: int
) -> Float64[np.ndarray, "patterns coefficients"]:
    """Integral of the statistics of insertions with their intensity, for each pattern."""
    found = np.zeros((n_patterns, len(theta)))
    for columns, statistics, weight in insertions:
        intensity = weight * np.exp(-(statistics @ theta[columns]))
        found[:, columns] += np.einsum("pqc,pq->pc", statistics, intensity)
    return found
