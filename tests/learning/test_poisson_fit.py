import jax
import numpy as np
import pytest
import scipy.optimize

from dynboltz.distributions import PointProcessModel, PoissonSolution
from dynboltz.elements import ElementSpace, RadialSpace, UniformSpace
from dynboltz.learning import fit_poisson
from dynboltz.particles import Box

BOX = Box((2.0,))
MODEL = PointProcessModel(BOX, ("A", "B"), {"A": ElementSpace(BOX, (3,)), "B": UniformSpace(BOX)})


def test_moments_give_back_their_coefficients():
    theta = np.array([-4.0, 0.3, -3.0, -0.5, -5.0, 0.2, -2.0])
    with jax.enable_x64(True):
        means = np.asarray(PoissonSolution(MODEL).moments(theta))
    found = fit_poisson(MODEL, means[None], 100, ridge=1e-9)
    np.testing.assert_allclose(found[0], theta, atol=1e-7)


def test_the_fit_is_the_minimum_that_a_general_optimiser_finds():
    """Oracle: BFGS on the objective as it is written in the documentation."""
    means = np.array([9.0, 0.4, 2.0, -0.3, 5.0, 0.1, 3.0])
    space, n_replicas, ridge = MODEL.single["A"], 4, 0.5
    points, weights = space.quadrature()
    basis, own = space.evaluate(points), means[:6]
    mean_density = means[[0, 2, 4]].sum() / BOX.volume

    def objective(theta):
        nu = basis @ theta
        prior = ridge / (2 * BOX.volume) * weights @ (nu + np.log(mean_density)) ** 2
        return n_replicas * (theta @ own + weights @ np.exp(-nu)) + prior

    start = np.tile([-np.log(mean_density), 0.0], 3)
    best = scipy.optimize.minimize(objective, start, method="BFGS", options={"gtol": 1e-9}).x
    found = fit_poisson(MODEL, means[None], n_replicas, ridge=ridge)[0]
    np.testing.assert_allclose(found[:6], best, atol=2e-5)


def test_empty_places_stay_finite():
    means = np.zeros((1, 7))
    means[0, :2] = [4.0, 0.0]
    found = fit_poisson(MODEL, means, 10)
    assert np.all(np.isfinite(found))
    assert found[0, 2] > found[0, 0]


def test_models_with_pairs_are_refused():
    pair = {("A", "B"): RadialSpace(0.5, 2)}
    model = PointProcessModel(BOX, MODEL.species, MODEL.single, pair)
    with pytest.raises(ValueError, match="fit_point_process"):
        fit_poisson(model, np.zeros((1, 11)), 3)
