"""Piecewise polynomials along an axis, against closed forms and conditions of continuity."""

import numpy as np
import pytest

from dynboltz.elements import AxisElements

AXES = [
    AxisElements(2.0, 4, family, periodic)
    for family in ("P1", "Hermite")
    for periodic in (False, True)
]


@pytest.mark.parametrize("axis", AXES)
def test_constants_are_in_the_space(axis):
    theta = np.zeros(axis.size)
    theta[:: axis.per_vertex] = 3.0
    x = np.linspace(0.0, 2.0, 17)
    np.testing.assert_allclose(axis.matrix(x) @ theta, 3.0, rtol=1e-14)
    np.testing.assert_allclose(axis.matrix(x, 1) @ theta, 0.0, atol=1e-13)


@pytest.mark.parametrize("derivative", [0, 1, 2])
def test_hermite_elements_reproduce_cubics(derivative):
    axis = AxisElements(2.0, 3, "Hermite", periodic=False)
    cubic = np.polynomial.Polynomial([0.3, -1.0, 0.7, 0.2])
    vertices = np.linspace(0.0, 2.0, 4)
    theta = np.ravel(np.stack([cubic(vertices), axis.side * cubic.deriv()(vertices)], axis=1))
    x = np.linspace(0.0, 2.0, 23)
    expected = cubic.deriv(derivative)(x) if derivative else cubic(x)
    np.testing.assert_allclose(axis.matrix(x, derivative) @ theta, expected, atol=1e-12)


@pytest.mark.parametrize("axis", AXES)
def test_functions_are_continuous_and_hermite_ones_continuously_differentiable(axis):
    theta = np.random.default_rng(1).normal(size=axis.size)
    inner = axis.side * np.arange(1, axis.n_elements)
    ends = np.array([0.0]) if axis.periodic else np.array([])
    for derivative in range(axis.per_vertex):
        below = axis.matrix(np.append(inner, axis.length * np.ones(len(ends))) - 1e-9, derivative)
        above = axis.matrix(np.append(inner, ends) + 1e-9, derivative)
        np.testing.assert_allclose(below @ theta, above @ theta, atol=1e-6)


@pytest.mark.parametrize("axis", AXES)
def test_derivatives_are_those_of_finite_differences(axis):
    theta = np.random.default_rng(2).normal(size=axis.size)
    x = np.random.default_rng(3).uniform(0.01, 1.99, size=20)
    step = 1e-6
    found = axis.matrix(x, 1) @ theta
    expected = (axis.matrix(x + step) - axis.matrix(x - step)) @ theta / (2 * step)
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("axis", AXES)
def test_quadrature_is_exact_for_products_of_three_functions(axis):
    x, weights = axis.quadrature()
    assert weights.sum() == pytest.approx(2.0, rel=1e-14)
    theta = np.random.default_rng(4).normal(size=axis.size)
    fine = (np.arange(40_000) + 0.5) * axis.length / 40_000
    expected = np.mean((axis.matrix(fine) @ theta) ** 3) * axis.length
    assert weights @ (axis.matrix(x) @ theta) ** 3 == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 4, "P1", False), "`length` must be positive, got 0.0"),
        ((np.inf, 4, "P1", False), "`length` must be positive"),
        ((1.0, 0, "P1", False), "at least 1 on a closed axis, got 0"),
        ((1.0, 2, "Hermite", True), "at least 3 on a periodic axis, got 2"),
    ],
)
def test_impossible_axes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AxisElements(*arguments)
