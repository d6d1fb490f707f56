"""Functions in a box and of a distance."""

import numpy as np
import pytest

from dynboltz.distributions._local_cubics import local_cubics
from dynboltz.elements import ElementSpace, FunctionSpace, RadialSpace, UniformSpace
from dynboltz.particles import Box

BOXES = [Box((2.0,), "periodic"), Box((2.0, 1.0), "reflecting"), Box((1.0, 2.0, 1.5), "periodic")]
SPACES = [
    ElementSpace(box, (4, 3, 3)[: box.dim], family) for box in BOXES for family in ("P1", "Hermite")
]


def polynomials(space, upper, theta):
    """A function as one polynomial an element, as samplers take it."""
    found = local_cubics(space, upper)
    return (found.matrix @ theta).reshape(np.prod(found.n_elements), -1)


def inside(box, n, seed=1):
    return np.random.default_rng(seed).uniform(size=(n, box.dim)) * np.array(box.lengths)


@pytest.mark.parametrize("space", [*SPACES, UniformSpace(BOXES[1]), RadialSpace(1.0, 4)])
def test_all_spaces_have_the_same_face(space):
    assert isinstance(space, FunctionSpace)
    points, weights = space.quadrature()
    assert space.evaluate(points).shape == (len(weights), space.size)


@pytest.mark.parametrize("space", SPACES)
def test_sums_are_those_of_the_values(space):
    points = inside(space.box, 50)
    weights = np.random.default_rng(5).normal(size=50)
    expected = weights @ space.evaluate(points)
    np.testing.assert_allclose(space.sums(points, weights), expected, atol=1e-12)


@pytest.mark.parametrize("space", SPACES)
def test_no_points_are_as_good_as_some(space):
    nowhere = np.empty((0, space.box.dim))
    assert space.evaluate(nowhere).shape == (0, space.size)
    np.testing.assert_array_equal(space.sums(nowhere, np.empty(0)), np.zeros(space.size))


@pytest.mark.parametrize("space", SPACES)
def test_projection_gives_back_functions_of_the_space(space):
    theta = np.random.default_rng(6).normal(size=(2, space.size))
    points, weights = space.quadrature()
    assert weights.sum() == pytest.approx(space.box.volume)
    found = space.project(theta @ space.evaluate(points).T)
    np.testing.assert_allclose(found, theta, atol=1e-9)


@pytest.mark.parametrize("space", SPACES)
def test_polynomials_are_the_same_functions(space):
    theta = np.random.default_rng(7).normal(size=space.size)
    points = inside(space.box, 30, seed=8)
    located = [a.locate(x.copy()) for a, x in zip(space.axes, points.T, strict=True)]
    shape = tuple(axis.n_elements for axis in space.axes)
    elements = np.ravel_multi_index(tuple(element for element, _ in located), shape)
    powers = np.ones((len(points), 1))
    for _, xi in located:
        powers = (powers[:, :, None] * (xi[:, None] ** np.arange(4))[:, None, :]).reshape(30, -1)
    found = np.sum(polynomials(space, space.box.lengths, theta)[elements] * powers, axis=1)
    np.testing.assert_allclose(found, space.evaluate(points) @ theta, atol=1e-11)


@pytest.mark.parametrize("family", ["P1", "Hermite"])
def test_radial_functions_vanish_smoothly_at_the_cutoff(family):
    space = RadialSpace(0.5, 3, family)
    theta = np.random.default_rng(9).normal(size=space.size)
    near = np.array([[0.5 - 1e-9], [0.5], [0.7], [10.0]])
    np.testing.assert_allclose(space.evaluate(near) @ theta, 0.0, atol=1e-7)
    if family == "Hermite":
        np.testing.assert_allclose(space.evaluate(near, 1) @ theta, 0.0, atol=1e-6)
    r = np.array([[0.0], [0.1], [0.3], [0.49]])
    cells = np.minimum((r[:, 0] / (0.5 / 3)).astype(int), 2)
    xi = r / (0.5 / 3) - cells[:, None]
    found = np.sum(polynomials(space, (0.5,), theta)[cells] * xi ** np.arange(4), axis=1)
    np.testing.assert_allclose(found, space.evaluate(r) @ theta, atol=1e-12)


def test_one_number_of_elements_an_axis():
    with pytest.raises(ValueError, match="must have 2 entries"):
        ElementSpace(BOXES[1], (4,))
