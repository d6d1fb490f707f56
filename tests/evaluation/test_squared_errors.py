"""Errors of perfect predictions are the noise floor, whatever starts were fitted to."""

import numpy as np
import pytest

from dynboltz.evaluation import (
    ShortRunMoments,
    cross_fitted_square,
    ensemble_moments,
    error_summary,
    half_means,
    halves_of,
    noise_floor,
    reaches,
    root_mean_square,
    sample_until,
    squared_error,
)

N_INITIAL, N_REPLICAS, N_SITES = 400, 8, 50
TIMES = np.array([0.0, 0.2, 1.0])


def decayed(seed):
    """Independent sites that empty at the rate 1: densities of replicas, by replica and time."""
    random = np.random.default_rng(seed)
    density = random.uniform(0.2, 0.8, N_INITIAL).repeat(N_REPLICAS)
    count = random.binomial(N_SITES, density)
    counts = [count]
    for step in np.diff(TIMES):
        count = random.binomial(count, np.exp(-step))
        counts.append(count)
    return np.array(counts).T[..., None] / N_SITES, np.arange(N_INITIAL).repeat(N_REPLICAS)


def exact(start):
    """Exact solution from densities at time 0."""
    return start[..., None, :] * np.exp(-TIMES)[:, None]


def test_exact_dynamics_from_fitted_starts_err_by_the_noise_floor():
    moments, numbers = decayed(1)
    ensembles, halves = ensemble_moments(moments, numbers), half_means(moments, numbers)
    floor = noise_floor(ensembles.standard_error)
    squares = cross_fitted_square(exact(halves[:, :, 0]), halves, ensembles.standard_error)
    ratio = root_mean_square(squares) / floor
    # The product of two halves has a relative standard deviation of 2 at most, so a mean over 400
    # initial conditions 0.1, its root 0.05, and the floor 0.5 / sqrt(400) = 0.02; 4 of both.
    np.testing.assert_allclose(ratio, 1.0, atol=0.22)
    assert ratio[0] == pytest.approx(1.0)  # the start itself: no error but the floor
    # Start and comparison from the same replicas: at time 0 no error at all, later too small.
    shared = np.sqrt(np.mean((exact(ensembles.mean[:, 0]) - ensembles.mean) ** 2, axis=0)) / floor
    assert shared[0] == 0
    assert shared[1] < 0.7


def test_wrong_dynamics_from_fitted_starts_have_their_bias_and_the_noise_floor():
    moments, numbers = decayed(2)
    ensembles, halves = ensemble_moments(moments, numbers), half_means(moments, numbers)
    bias = 0.03
    squares = cross_fitted_square(exact(halves[:, :, 0]) + bias, halves, ensembles.standard_error)
    expected = np.sqrt(bias**2 + noise_floor(ensembles.standard_error) ** 2)
    # As above; the bias has no noise of its own.
    np.testing.assert_allclose(root_mean_square(squares), expected, rtol=0.15)


def test_cross_fitted_squares_are_those_of_cross_fitting_without_its_noise():
    predicted, simulated = np.random.default_rng(3).normal(size=(2, 2, 5, 4, 3))
    crossed = ((predicted - simulated[::-1]) ** 2).mean(axis=0)
    noise = (np.diff(predicted, axis=0)[0] ** 2 + np.diff(simulated, axis=0)[0] ** 2) / 2
    found = cross_fitted_square(predicted, simulated, np.zeros((5, 4, 3)))
    np.testing.assert_allclose(found, crossed - noise, atol=1e-13)  # rounding only


def test_sampled_predictions_err_by_the_noise_floor():
    random, shape = np.random.default_rng(4), (4000, 1, 1)
    simulated = random.normal(0.5, 0.01, shape)
    for error in (0.005, 0.02):
        predicted = random.normal(0.5, error, shape)
        found = root_mean_square(squared_error(predicted, simulated, np.full(shape, error)))
        # Relative to the floor, a mean of 4000 squares of 1 + (error / floor)^2; 5 of its errors.
        tolerance = 5 * (1 + (error / 0.01) ** 2) * np.sqrt(2 / 4000) / 2
        np.testing.assert_allclose(found, 0.01, rtol=tolerance)


def test_halves_take_turns_and_have_their_means():
    numbers = np.array([7, 2, 7, 2, 2, 7])
    np.testing.assert_array_equal(halves_of(numbers), [0, 0, 1, 1, 0, 0])
    values = np.array([1.0, 10.0, 2.0, 20.0, 30.0, 3.0])
    np.testing.assert_array_equal(half_means(values, numbers), [[20.0, 2.0], [20.0, 2.0]])
    assert np.isnan(half_means(values[:2], np.array([2, 7]))).all()


def test_means_below_zero_count_as_zero_and_infinite_ones_are_refused():
    np.testing.assert_array_equal(root_mean_square(np.array([[[-1.0, 4.0]]])), [[0.0, 2.0]])
    with pytest.raises(ValueError, match="must be finite"):
        root_mean_square(np.full((1, 1, 1), np.nan))


def normal_draws(spread, calls):
    """Chains whose moments are normal around 1."""

    def draw(n, seed):
        calls.append(n)
        values = np.random.default_rng(seed).normal(1.0, spread, (n, 3, 4, 2))
        return ShortRunMoments(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(n))

    return draw


def test_chains_are_added_until_the_error_is_half_the_floor():
    floor, calls = np.array([0.04, 0.0]), []
    found, total = sample_until(
        normal_draws(0.1, calls), floor, n_samples=10, seed=np.random.SeedSequence(5)
    )
    # 0.1 / sqrt(n) = 0.02 for n = 25, and a tenth more.
    assert 20 < total < 40
    assert total == sum(calls)
    assert calls[0] == 10
    assert reaches(found.standard_error, floor)
    # 5 standard errors.
    assert np.all(np.abs(found.mean - 1) < 0.1)
    # Pooled errors are those of all chains; 12 values of each moment.
    typical = error_summary(noise_floor(found.standard_error)).time_mean
    np.testing.assert_allclose(typical, 0.1 / np.sqrt(total), rtol=0.3)


def test_chains_are_bounded():
    calls, seed = [], np.random.SeedSequence(6)
    found, total = sample_until(
        normal_draws(0.1, calls), np.full(2, 1e-3), n_samples=10, most=3, seed=seed
    )
    assert total == 30
    assert not reaches(found.standard_error, np.full(2, 1e-3))
    nothing = sample_until(normal_draws(0.1, calls), np.zeros(2), n_samples=10, seed=seed)
    assert nothing[1] == 10
