"""Which times least squares look at, and integrals over them."""

import itertools

import numpy as np
import pytest

from dynboltz.learning._times import integral_weights, representative_times

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
