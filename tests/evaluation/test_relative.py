"""Relative errors, against sums by hand."""

import numpy as np
import pytest

from dynboltz.evaluation import relative_rms, relative_summary
from dynboltz.lattices import neighbour_moments


def test_root_mean_square_over_initial_conditions_and_times():
    difference = np.array([[[3.0], [-1.0]], [[1.0], [5.0]]])
    simulated = np.array([[[1.0], [2.0]], [[3.0], [6.0]]])
    # sqrt((9 + 1 + 1 + 25) / 4) = 3 over the mean 3.
    np.testing.assert_allclose(relative_rms(difference, simulated), [1.0], rtol=1e-15)


def test_a_constant_factor_is_the_relative_error():
    simulated = np.broadcast_to(np.array([0.2, 7.0]), (2, 5, 2))
    found = relative_rms(0.1 * simulated, simulated)
    np.testing.assert_allclose(found, [0.1, 0.1], rtol=1e-14)


def test_moments_that_are_never_seen_have_infinite_errors():
    simulated = np.zeros((1, 3, 2))
    simulated[0, 1, 0] = 0.3
    difference = np.full((1, 3, 2), 0.1)
    np.testing.assert_allclose(relative_rms(difference, simulated), [1.0, np.inf])
    # Even where they are predicted to be zero as well.
    np.testing.assert_array_equal(relative_rms(0 * difference, simulated), [0.0, np.inf])


def test_summary_averages_the_means_and_the_neighbours():
    terms = neighbour_moments(("A", "B"), 2, 3)
    assert [term.name for term in terms] == ["A", "B", "A.A", "A.B", "B.B", "A.A.A", "B.B.B"]
    errors = np.array([0.1, 0.3, 0.2, 0.5, 0.8, 9.0, 9.0])
    simulated = np.ones((2, 4, 7))
    found = relative_summary(errors * simulated, simulated, terms)
    assert found == pytest.approx({"means_rel_rms": 0.2, "neighbours_rel_rms": 0.5})
    assert relative_summary(errors[:2] * simulated[..., :2], simulated[..., :2], terms[:2]) == (
        pytest.approx({"means_rel_rms": 0.2})
    )
    simulated[..., 3] = 0.0
    found = relative_summary(errors * simulated, simulated, terms)
    assert found == pytest.approx({"means_rel_rms": 0.2, "neighbours_rel_rms": np.inf})
