import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from dynboltz.dynamics import AbstractVectorField
from dynboltz.learning import Local, robust_covariance

TIMES = np.array([0.0, 1.0, 2.0])
WEIGHTS = np.array([1.0, 2.0, 0.5])


class Drift(AbstractVectorField):
    """One coefficient that moves at a constant velocity."""

    coefficients: tuple[str, ...] = eqx.field(static=True)
    rate: Array

    def __init__(self, rate):
        self.coefficients, self.rate = ("x",), jnp.asarray(rate)

    def __call__(self, theta):
        return jnp.broadcast_to(self.rate, theta.shape)

    def limits(self):
        return np.full(1, -np.inf), np.full(1, np.inf)


def solution(field, theta0):
    return theta0[:, None, :] + field.rate * jnp.asarray(TIMES)[None, :, None]


class Gaussian:
    """Likelihood of means of replicas with unit variance, the sign as for energies."""

    def __init__(self, n_replicas):
        self._n = n_replicas

    def __call__(self, theta, data):
        away = theta + data
        metric = jnp.broadcast_to(jnp.eye(1), (len(theta), 1, 1))
        return Local(0.5 * self._n * jnp.sum(away**2, axis=1), self._n * away, self._n * metric)


def test_the_covariance_is_that_of_weighted_least_squares():
    """Oracle: lines through correlated points, slopes in common, by linear algebra."""
    random, n = np.random.default_rng(1), 50
    root = random.standard_normal((3, 3))
    samples = [random.standard_normal((n, 3)) @ root.T for _ in range(2)]
    found = robust_covariance(
        Drift(0.3),
        np.zeros((2, 1)),
        solution,
        Gaussian(n),
        [s[..., None] for s in samples],
        WEIGHTS,
    )
    zero = np.zeros(3)
    design = np.stack(
        [np.append(TIMES, TIMES), np.append(WEIGHTS**0, zero), np.append(zero, WEIGHTS**0)]
    )
    weight = np.diag(np.append(WEIGHTS, WEIGHTS))
    estimator = np.linalg.solve(design @ weight @ design.T, design @ weight)
    errors = np.zeros((6, 6))
    for block, values in enumerate(samples):
        own = slice(3 * block, 3 * block + 3)
        errors[own, own] = np.cov(values, rowvar=False) / n
    expected = (estimator @ errors @ estimator.T)[0, 0]
    np.testing.assert_allclose(found, [[expected]], rtol=1e-10)


def test_every_initial_condition_has_its_replicas():
    with pytest.raises(ValueError, match="`replicas` must be one set for each of the 2 initial"):
        robust_covariance(
            Drift(0.3),
            np.zeros((2, 1)),
            solution,
            Gaussian(3),
            [np.ones((3, 3, 1))],
            WEIGHTS,
        )
