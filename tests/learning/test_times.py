"""Which times least squares look at, and integrals over them."""

import itertools

import numpy as np
import pytest

from dynboltz.dynamics import step_grid
from dynboltz.learning._times import integral_weights, representative_times, time_step_of

TIMES = np.array([0.0, 0.1, 0.3, 0.4, 0.9])


def test_trapezoidal_rule_integrates_linear_functions():
    found = integral_weights(TIMES, "heun", 1) @ (2 + 3 * TIMES)
    np.testing.assert_allclose(found, 2 * TIMES[1:] + 1.5 * TIMES[1:] ** 2, rtol=1e-14)


@pytest.mark.parametrize("substeps", [1, 2, 7])
def test_euler_substeps_of_a_linear_function(substeps):
    """Left sums over all substeps, written out."""
    fine = np.concatenate(
        [np.linspace(a, b, substeps, endpoint=False) for a, b in itertools.pairwise(TIMES)]
    )
    lengths = np.repeat(np.diff(TIMES) / substeps, substeps)
    expected = np.cumsum((2 + 3 * fine) * lengths)[substeps - 1 :: substeps]
    found = integral_weights(TIMES, "euler", substeps) @ (2 + 3 * TIMES)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("n_times", [2, 3, 25, 26, 201, 1000])
def test_representative_times_increase_and_end_with_the_last(n_times):
    chosen = representative_times(n_times)
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] == 0
    assert chosen[-1] == n_times - 2
    assert len(chosen) <= 51


def test_euler_weights_of_uneven_intervals_are_those_of_its_steps():
    """The sum that Euler's method forms of a function that is linear between the times."""
    times, values = np.array([0.0, 0.1, 0.35, 0.4, 1.0]), np.array([2.0, -1.0, 3.0, 0.5, 1.5])
    grid, places = step_grid(times, 0.1)
    np.testing.assert_allclose(np.diff(grid)[:4], [0.1, 0.1, 0.1, 0.05], rtol=1e-12)
    np.testing.assert_allclose(grid[places], times, rtol=1e-15)
    for substeps in (1, 3):
        fine = np.concatenate(
            [np.linspace(*ends, substeps, endpoint=False) for ends in itertools.pairwise(grid)]
        )
        sizes = np.diff(np.append(fine, times[-1]))
        terms = sizes * np.interp(fine, times, values)
        expected = [terms[fine < t - 1e-12].sum() for t in times[1:]]
        found = integral_weights(times, "euler", substeps, 0.1) @ values
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_steps_absorb_the_rounding_of_times_and_go_from_any_time_to_any_other():
    single = (0.1 * np.arange(200)).astype(np.float32).astype(float)
    assert len(step_grid(single, time_step_of(single)).times) == 200
    grid, places = step_grid(np.array([0.0, 0.3, 0.55, 0.58]), 0.1)
    np.testing.assert_allclose(grid, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.58], rtol=1e-12)
    assert places.tolist() == [0, 3, 6, 7]
    # One interval of a millionth does not ask for a million steps in every other one.
    assert time_step_of(np.array([0.0, 1e-6, 1.0])) == 1.0 / 20_000
