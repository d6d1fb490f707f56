import numpy as np
import pytest
from scipy import stats

from dynboltz.evaluation import (
    ensemble_moments,
    error_summary,
    mean_field_prediction,
    noise_floor,
    root_mean_square_error,
)
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import CollisionKernel, ContinuousTimeKernel


def test_error_averages_squares_over_initial_conditions_only():
    simulated = np.zeros((2, 2, 1))
    predicted = np.array([[[3.0], [1.0]], [[4.0], [-1.0]]])
    error = root_mean_square_error(predicted, simulated)
    # By hand: sqrt((9 + 16) / 2) and 1; rounding only.
    np.testing.assert_allclose(error, [[np.sqrt(12.5)], [1.0]], rtol=1e-14)


def test_error_refuses_other_shapes_and_infinite_predictions():
    zeros = np.zeros((2, 3, 1))
    with pytest.raises(ValueError, match=r"shape \(2, 3, 1\), `simulated` \(2, 4, 1\)"):
        root_mean_square_error(zeros, np.zeros((2, 4, 1)))
    with pytest.raises(ValueError, match="must be finite"):
        root_mean_square_error(np.full((2, 3, 1), np.nan), zeros)


def test_summary_takes_mean_and_maximum_over_time():
    summary = error_summary(np.array([[1.0, 4.0], [3.0, 2.0]]))
    np.testing.assert_array_equal(summary.time_mean, [2.0, 3.0])
    np.testing.assert_array_equal(summary.time_max, [3.0, 4.0])


def test_ensembles_have_the_mean_and_standard_error_of_their_replicas():
    moments = np.random.default_rng(1).normal(size=(9, 4, 2))
    starts = np.array([7, 2, 7, 2, 2, 7, 2, 7, 7])
    ensembles = ensemble_moments(moments, starts)
    for place, number in enumerate([2, 7]):
        group = moments[starts == number]
        # SciPy computes the same sums; rounding only.
        np.testing.assert_allclose(ensembles.mean[place], group.sum(axis=0) / len(group))
        np.testing.assert_allclose(ensembles.standard_error[place], stats.sem(group, axis=0))


def test_a_single_replica_has_no_standard_error():
    moments = np.array([0.0, 2.0, 5.0]).reshape(3, 1, 1)
    ensembles = ensemble_moments(moments, np.array([1, 1, 3]))
    np.testing.assert_array_equal(ensembles.mean.ravel(), [1.0, 5.0])
    np.testing.assert_array_equal(ensembles.standard_error.ravel(), [1.0, np.nan])
    # The floor is that of the initial condition whose error is known.
    np.testing.assert_array_equal(noise_floor(ensembles.standard_error), [[1.0]])
    np.testing.assert_array_equal(noise_floor(np.full((2, 1, 1), np.nan)), [[np.nan]])


def test_exact_moments_err_by_the_noise_floor():
    random = np.random.default_rng(2)
    exact = random.uniform(0.2, 0.8, size=(400, 1, 1))
    replicas = random.binomial(1000, exact[:, None], size=(400, 20, 1, 1)) / 1000
    ensembles = ensemble_moments(replicas.reshape(8000, 1, 1), np.repeat(np.arange(400), 20))
    error = root_mean_square_error(exact, ensembles.mean)
    # Relative standard error of a root mean square over 400 draws: 1/sqrt(800) = 0.035, and of the
    # floor, from 400 variances of 19 degrees of freedom, less; 5 of them is 0.18.
    np.testing.assert_allclose(error, noise_floor(ensembles.standard_error), rtol=0.18)


def test_mean_field_of_decay_is_exponential():
    network = ReactionNetwork.parse("A -> 0 ; k = 3")
    lattice, times = Lattice((10,)), np.linspace(0, 1, 5)
    starts = np.array([[0.3], [0.9]])
    terms = neighbour_moments(("A",), 1)
    for kernel in (ContinuousTimeKernel(1.0, 0.25), CollisionKernel(0.25)):
        predicted = mean_field_prediction(
            network, lattice, kernel, initial_densities=starts, times=times, terms=terms
        )
        density = starts * np.exp(-3 * times)
        powers = density[..., None] ** np.arange(1, 5)
        # The integrator's relative tolerance is 1e-10 a step.
        np.testing.assert_allclose(predicted, powers, rtol=1e-7)
