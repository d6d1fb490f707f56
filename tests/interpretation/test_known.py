"""Equations say where they are known, and warn where they are used elsewhere."""

import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import FunctionField, HermiteField, HermiteGrid, integrate
from dynboltz.interpretation import (
    ProjectedField,
    constant,
    linear,
    project,
    trajectory_errors,
)
from dynboltz.learning import ExtrapolationWarning, allocate_with_margin

NAMES = ("x", "y")
TIMES = np.linspace(0.0, 1.0, 6)
FIELD = FunctionField(NAMES, lambda theta, _: jnp.stack([-theta[0], 0.5 * theta[0]]))


def solutions(starts):
    return np.asarray(integrate(FIELD, np.asarray(starts), TIMES, method="rk4"))


@pytest.fixture(scope="module")
def projection():
    inside = solutions([[1.0, 0.0], [2.0, 0.5]])
    return inside, project(FIELD, inside, [constant(), *linear(NAMES)])


def test_equations_are_known_at_the_points_of_their_fit(projection):
    inside, found = projection
    # x decays by 1/e, and y grows by half of what x loses.
    lost = 1 - np.exp(-1.0)
    np.testing.assert_allclose(
        found.ranges, [[np.exp(-1.0), 2.0], [0.0, 0.5 + lost]], rtol=1e-4, atol=1e-12
    )
    line = "Known where solutions went, x from 0.368 to 2, y from 0 to 1.13; elsewhere"
    assert found.to_text().splitlines()[-1].startswith(line)
    field = found.field()
    assert field.visited(inside).all()
    np.testing.assert_array_equal(
        field.visited(np.array([[2.05, 0.1], [2.2, 0.1], [1.0, -0.1]])), [True, False, False]
    )


def test_solutions_of_equations_outside_their_fit_warn(projection):
    inside, found = projection
    trajectory_errors(found.field(), inside, TIMES, method="rk4")
    with pytest.warns(
        ExtrapolationWarning,
        match=r"^trajectory_errors: 50.00% of the solutions lie .* \(`x` from 3.68 to 10",
    ):
        trajectory_errors(found.field(), solutions([[1.0, 0.0], [10.0, 0.0]]), TIMES, method="rk4")


def test_projections_of_cells_that_nothing_visited_warn():
    box = {"lower": (-8.0, -8.0), "upper": (8.0, 8.0)}
    grid = HermiteGrid(NAMES, cell=(1.0, 1.0), origin=(0.0, 0.0), **box)
    inside = solutions([[1.0, 0.0], [2.0, 0.5]])
    zero = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid))
    learned = allocate_with_margin(zero, inside.reshape(-1, 2))
    project(learned, inside, [constant()])
    far = np.concatenate([inside, solutions([[7.0, -4.0]])])
    with pytest.warns(ExtrapolationWarning, match=r"^project: 33.33% of the points lie where"):
        project(learned, far, [constant()])


def test_ranges_belong_to_the_coefficients(projection):
    field = projection[1].field()
    with pytest.raises(ValueError, match=r"`ranges` must be one pair for each of .* x, y, got 1"):
        ProjectedField(NAMES, field.candidates, field.weights, ((0.0, 1.0),))
