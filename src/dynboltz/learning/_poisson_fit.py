"""Maximum likelihood of single snapshots of independent particles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import check_positive, checked
from dynboltz._numbers import check_finite
from dynboltz.distributions import PointProcessModel
from dynboltz.elements import FunctionSpace

_STEPS = 100
_TOLERANCE = 1e-12
"""Of the decrease that a step promises, relative to the number of particles."""


@checked
def fit_poisson(
    model: PointProcessModel,
    means: Float64[np.ndarray, "snapshots coefficients"],
    n_replicas: int,
    *,
    ridge: float = 1.0,
) -> Float64[np.ndarray, "snapshots coefficients"]:
    r"""Coefficients of Poisson processes that maximise the likelihood of snapshots, exactly.

    For each snapshot and species the minimum of the convex function

    $$R \Big[ \theta \cdot \mu + \int e^{-\nu(x)}\, dx \Big]
    + \frac{\pi}{2 V} \int (\nu(x) - \nu_0)^2\, dx$$

    by Newton's method, with $e^{-\nu_0}$ the mean density.

    Parameters
    ----------
    model
        A model without pairs.
    means
        Mean statistics $\mu$ of the replicas of each snapshot, totals over the box.
    n_replicas
        Number $R$ of replicas.
    ridge
        $\pi$, the precision of a Gaussian prior of the mean square of each function; it keeps
        functions finite where no particle was.

    Raises
    ------
    ValueError
        If the model has pairs, or a number is not positive.

    References
    ----------
    Ernst et al. (2019), eqs. (1) and (7) with $K = 1$.
    """
    if model.pair or n_replicas < 1 or not ridge > 0:
        raise ValueError(
            "fit_poisson: needs a model without pairs, and a positive `n_replicas` and `ridge`; "
            f"got pairs {tuple(model.pair)}, {n_replicas} and {ridge}. Fit models with pairs by "
            "fit_point_process."
        )
    check_finite("fit_poisson", "`means`", means, ("snapshot", "coefficient"))
    check_positive("fit_poisson", "ridge", ridge)
    n_coefficients = sum(space.size for space in model.spaces.values())
    if means.shape[1] != n_coefficients:
        raise ValueError(
            f"fit_poisson: `means` must have shape (snapshots, {n_coefficients}), one entry a "
            f"coefficient of the model, got {means.shape}."
        )
    found = np.empty_like(means)
    for name, own in model.slices.items():
        problem = _Problem(model.spaces[name], model.box.volume, n_replicas, ridge)
        for row, mean in zip(found, means, strict=True):
            row[own] = problem.solve(mean[own])
    return found


class _Problem:
    """Fits of the function of one species."""

    def __init__(self, space: FunctionSpace, volume: float, n_replicas: int, ridge: float) -> None:
        points, weights = space.quadrature()
        basis = space.evaluate(points)
        self._basis, self._weights, self._volume = basis, weights, volume
        self._n_replicas = n_replicas
        self._ones = np.linalg.lstsq(basis, np.ones(len(points)), rcond=None)[0]
        self._prior = ridge / volume * basis.T @ (weights[:, None] * basis)

    def solve(self, mean: Float64[np.ndarray, " c"]) -> Float64[np.ndarray, " c"]:
        number = max(float(self._ones @ mean), 1 / self._n_replicas)
        start = self._ones * -np.log(number / self._volume)
        theta, (value, gradient, metric) = start, self._look(start, start, mean)
        for _ in range(_STEPS):
            step = -np.linalg.solve(metric, gradient)
            promised, scale = -gradient @ step, 1.0
            if promised < _TOLERANCE * self._n_replicas * number:
                break
            found = self._look(theta + step, start, mean)
            while not found[0] <= value and scale > 1e-9:
                scale /= 2
                found = self._look(theta + scale * step, start, mean)
            theta, (value, gradient, metric) = theta + scale * step, found
        return theta

    def _look(
        self, theta: np.ndarray, centre: np.ndarray, mean: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and second derivative of what is minimised."""
        with np.errstate(over="ignore", invalid="ignore"):
            density = self._weights * np.exp(-(self._basis @ theta))
            pull = self._prior @ (theta - centre)
            value = self._n_replicas * (theta @ mean + density.sum())
            value += 0.5 * pull @ (theta - centre)
            gradient = self._n_replicas * (mean - self._basis.T @ density) + pull
            metric = self._basis.T @ (density[:, None] * self._basis)
            return float(value), gradient, self._n_replicas * metric + self._prior
