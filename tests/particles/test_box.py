"""Boxes: images, reflections, what is refused."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from dynboltz.particles import Box

LENGTHS = (2.0, 3.0, 0.5)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_periodic_displacement_is_the_nearest_image(dim):
    box = Box(LENGTHS[:dim])
    generator = np.random.default_rng(dim)
    a, b = generator.random((2, 50, dim)) * LENGTHS[:dim]
    found = box.displacement(a, b)
    nearest = np.full(50, np.inf)
    for shift in itertools.product(*[(-length, 0.0, length) for length in box.lengths]):
        nearest = np.minimum(nearest, np.linalg.norm(b - a + np.array(shift), axis=1))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), nearest, rtol=1e-12)
    np.testing.assert_allclose(box.fold(a + found), b, atol=1e-12)


def test_reflecting_displacement_is_the_difference():
    box = Box((2.0, 3.0), "reflecting")
    np.testing.assert_array_equal(
        box.displacement(np.array([[0.1, 2.9]]), np.array([[1.9, 0.1]])), [[1.9 - 0.1, 0.1 - 2.9]]
    )


def test_folding():
    periodic, reflecting = Box((2.0,)), Box((2.0,), "reflecting")
    points = np.array([[-0.5], [0.0], [2.0], [2.5], [4.5], [-1e-18]])
    np.testing.assert_allclose(periodic.fold(points)[:, 0], [1.5, 0.0, 0.0, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(reflecting.fold(points)[:, 0], [0.5, 0.0, 2.0, 1.5, 0.5, 0.0])
    assert periodic.contains(periodic.fold(points)).all()
    assert reflecting.contains(reflecting.fold(points)).all()
    np.testing.assert_array_equal(
        periodic.contains(points), [False, True, False, False, False, False]
    )
    assert reflecting.contains(np.array([2.0]))


def test_volume_and_axes():
    assert Box(LENGTHS).volume == pytest.approx(3.0)
    assert (Box(LENGTHS).dim, Box((1.0,)).dim) == (3, 1)
    assert Box((1.0,)).is_periodic
    assert not Box((1.0,), "reflecting").is_periodic


@pytest.mark.parametrize("lengths", [(), (1.0,) * 4, (0.0,), (1.0, -1.0), (np.inf,), (np.nan,)])
def test_impossible_lengths_are_refused(lengths):
    with pytest.raises(ValueError, match="one to three positive and finite entries, got"):
        Box(lengths)


def test_other_boundaries_and_axes_are_refused():
    with pytest.raises(ValueError, match=r"one of \('periodic', 'reflecting'\), got 'open'"):
        Box.__post_init__(SimpleNamespace(lengths=(1.0,), boundary="open"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"`points` must have shape \(.*2\), got \(4, 3\)"):
        Box((1.0, 1.0)).fold(np.zeros((4, 3)))
