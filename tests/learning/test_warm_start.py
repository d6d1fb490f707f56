"""Right-hand sides by least squares, and the prior on velocities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import HermiteField, HermiteGrid
from dynboltz.learning import VelocityPrior, warm_start

NAMES = ("b", "J")
TIMES = np.arange(40) * 0.1
METRIC = np.array([[0.25, 0.1], [0.1, 0.2]])


def cubic(theta: np.ndarray) -> np.ndarray:
    """Polynomials of degree three at most in each argument: inside the space of the elements."""
    b, j = theta[..., 0], theta[..., 1]
    return np.stack(
        [-0.6 * b + 0.4 * j - 0.2 * b**3 + 0.1 * b**2 * j, -0.5 * j + 0.3 * b * j - 0.1 * b**2],
        axis=-1,
    )


def euler(law, starts: np.ndarray, times: np.ndarray) -> np.ndarray:
    theta = [starts]
    for interval in np.diff(times):
        theta.append(theta[-1] + interval * law(theta[-1]))
    return np.stack(theta, axis=1)


def empty_field(cell: float = 0.8) -> HermiteField:
    grid = HermiteGrid(NAMES, (cell, cell * 0.75), (0.0,) * 2, (-2.4,) * 2, (2.4,) * 2)
    return HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid))


def constant_metric(theta: np.ndarray) -> np.ndarray:
    return np.broadcast_to(METRIC, (*theta.shape, 2)).copy()


def values(field: HermiteField, points: np.ndarray) -> np.ndarray:
    return np.asarray(jax.vmap(field)(jnp.asarray(points)))


def test_cubic_field_is_recovered():
    starts = np.random.default_rng(0).uniform(-1.5, 1.5, (60, 2))
    theta = euler(cubic, starts, TIMES)
    field = empty_field().allocate(theta.reshape(-1, 2))
    learned = warm_start(field, TIMES, theta, constant_metric(theta), 1e-12)
    visited = theta[:, :-1].reshape(-1, 2)
    error = np.abs(values(learned, visited) - cubic(visited))
    # Exact but for ridge and bending energy, which bind where few trajectories pass; the
    # velocities themselves are of order 1.
    assert np.sqrt(np.mean(error**2)) < 1e-3
    assert error.max() < 2e-2


def test_linear_field_is_recovered_at_any_smoothness_and_continued():
    matrix = np.array([[-0.7, 0.3], [0.2, -0.4]])
    starts = np.random.default_rng(1).uniform(-0.7, 0.7, (12, 2))
    theta = euler(lambda t: t @ matrix.T, starts, TIMES)
    unvisited = np.random.default_rng(2).uniform(-1.9, 1.9, (200, 2))
    field = empty_field().allocate(np.concatenate([theta.reshape(-1, 2), unvisited]))
    learned = warm_start(field, TIMES, theta, constant_metric(theta), 1.0)
    # Linear fields have no bending energy, so only the ridge of 1e-9 of the trace is felt;
    # far from the trajectories it acts against ever less.
    np.testing.assert_allclose(values(learned, unvisited), unvisited @ matrix.T, atol=1e-3)


def test_prior_fills_in_what_trajectories_do_not_show():
    theta = euler(cubic, np.random.default_rng(3).uniform(-0.3, 0.3, (10, 2)), TIMES)
    points = np.random.default_rng(4).uniform(-2, 2, (800, 2))
    field = empty_field().allocate(np.concatenate([theta.reshape(-1, 2), points]))
    prior = VelocityPrior(points, cubic(points), constant_metric(points), 1.0)
    with_prior = warm_start(field, TIMES, theta, constant_metric(theta), 1e-12, prior)
    without = warm_start(field, TIMES, theta, constant_metric(theta), 1e-12)
    far = np.random.default_rng(5).uniform(-1.9, 1.9, (200, 2))
    # Trajectories and prior agree, so nothing but the ridge is in the way; in the
    # corners, where points are few and values above 3, it is felt.
    np.testing.assert_allclose(values(with_prior, far), cubic(far), atol=1e-2)
    assert np.abs(values(without, far) - cubic(far)).max() > 0.1


def test_values_of_the_field_given_do_not_matter():
    theta = euler(cubic, np.random.default_rng(6).uniform(-1, 1, (8, 2)), TIMES)
    field = empty_field().allocate(theta.reshape(-1, 2))
    noise = np.random.default_rng(7)
    noisy = jax.tree.map(
        lambda x: jnp.asarray(noise.normal(size=x.shape)) if x.dtype.kind == "f" else x, field
    )
    fits = [warm_start(f, TIMES, theta, constant_metric(theta), 1e-9) for f in (field, noisy)]
    assert np.array_equal(fits[0].functions[0].u, fits[1].functions[0].u)


def test_noise_is_averaged():
    """Coefficients with independent errors: the velocities are far better than differences."""
    exact = euler(cubic, np.random.default_rng(8).uniform(-1.2, 1.2, (60, 2)), TIMES)
    noise = 0.01 * np.random.default_rng(9).normal(size=exact.shape)
    noise[:, 0] = 0
    field = empty_field().allocate((exact + noise).reshape(-1, 2))
    learned = warm_start(field, TIMES, exact + noise, constant_metric(exact), 1e-6)
    visited = exact[:, :-1].reshape(-1, 2)
    error = np.sqrt(np.mean((values(learned, visited) - cubic(visited)) ** 2))
    differences = np.sqrt(2) * 0.01 / 0.1  # root mean square error of a difference quotient
    assert error < differences / 3


def test_prior_value_by_hand():
    metric = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 3.0]]])
    prior = VelocityPrior(
        points=np.zeros((2, 2)),
        velocities=np.array([[1.0, 0.0], [0.0, -1.0]]),
        metric=metric,
        duration=0.5,
    )
    # Differences (1, 2) and (-1, 0): 2 + 2 * 0.5 * 2 + 4 = 8 and 1; mean 4.5, times 0.25 / 2.
    value = prior.value(jnp.array([[2.0, 2.0], [-1.0, -1.0]]))
    assert float(value) == pytest.approx(0.5 * 0.25 * 4.5, rel=1e-14)
    assert float(prior.value(jnp.asarray(prior.velocities))) == 0.0
