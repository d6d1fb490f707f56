"""Random point patterns against their distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dynboltz.particles import Box, random_hard_core, random_pairs, random_particles

BOX = Box((1.0, 2.0))
SPECIES = ("A", "B")


def pair_distances(box, points):
    i, j = np.triu_indices(len(points), 1)
    return np.linalg.norm(box.displacement(points[i], points[j]), axis=1)


def test_particles_are_uniform_and_counted():
    patterns = random_particles(BOX, SPECIES, {"B": 2, "A": 3}, 500, seed=1)
    np.testing.assert_array_equal(patterns.counts(), np.tile([3, 2], (500, 1)))
    for axis, length in enumerate(BOX.lengths):
        uniform = stats.uniform(0, length).cdf
        assert stats.kstest(patterns.positions[..., axis].ravel(), uniform).pvalue > 1e-3


@pytest.mark.parametrize(
    "make",
    [
        lambda n, first: random_particles(BOX, SPECIES, {"A": 3}, n, seed=1, first=first),
        lambda n, first: random_pairs(
            BOX, SPECIES, ("A", "B"), 3, n, distance=0.1, seed=1, first=first
        ),
        lambda n, first: random_hard_core(
            BOX, SPECIES, {"A": 3}, n, distance=0.1, seed=1, first=first
        ),
    ],
    ids=["particles", "pairs", "hard core"],
)
def test_a_pattern_does_not_depend_on_how_many_there_are(make):
    whole = make(5, 0)
    np.testing.assert_array_equal(whole.positions[3:], make(2, 3).positions)
    assert len(np.unique(whole.positions[:, 0, 0])) == 5


@pytest.mark.parametrize("pair", [("A", "B"), ("A", "A")])
def test_pairs_have_their_distance(pair):
    patterns = random_pairs(BOX, SPECIES, pair, 4, 50, distance=0.3, seed=2)
    first, second = patterns.positions[:, :4], patterns.positions[:, 4:]
    np.testing.assert_allclose(np.linalg.norm(BOX.displacement(first, second), axis=-1), 0.3)
    expected = [8, 0] if pair == ("A", "A") else [4, 4]
    np.testing.assert_array_equal(patterns.counts(), np.tile(expected, (50, 1)))
    assert stats.kstest(second[..., 1].ravel(), stats.uniform(0, 2).cdf).pvalue > 1e-3


def test_distances_are_drawn_by_a_function():
    patterns = random_pairs(
        Box((9.0,)), SPECIES, ("A", "B"), 1, 800, distance=lambda g, n: g.gamma(2.0, 0.1, n), seed=3
    )
    gaps = np.abs(patterns.box.displacement(patterns.positions[:, 0], patterns.positions[:, 1]))
    assert stats.kstest(gaps[:, 0], stats.gamma(2.0, scale=0.1).cdf).pvalue > 1e-3


@pytest.mark.parametrize("boundary", ["periodic", "reflecting"])
def test_hard_cores_keep_their_distance(boundary):
    box = Box((1.0, 1.0), boundary)
    patterns = random_hard_core(box, SPECIES, {"A": 10, "B": 10}, 20, distance=0.15, seed=4)
    np.testing.assert_array_equal(patterns.counts(), 10)
    assert min(pair_distances(box, points).min() for points in patterns.positions) >= 0.15


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_particles(BOX, SPECIES, {"C": 1}, 1, seed=1), "random_particles: needs"),
        (lambda: random_particles(BOX, SPECIES, {"A": -1}, 1, seed=1), "species A, B; got"),
        (
            lambda: random_pairs(BOX, SPECIES, ("A", "B"), 2, 1, distance=-1.0, seed=1),
            "2 finite distances",
        ),
        (
            lambda: random_hard_core(BOX, SPECIES, {"A": 1}, 1, distance=np.inf, seed=1),
            "finite and not negative, got inf",
        ),
        (
            lambda: random_hard_core(BOX, SPECIES, {"A": 2}, 1, distance=5.0, seed=1),
            "particle 2 of 2 found no place",
        ),
    ],
    ids=["species", "count", "pair distance", "core", "no place"],
)
def test_impossible_patterns_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_number_beyond_the_memory_is_named():
    box, huge = Box((1.0, 1.0)), 2**50
    with pytest.raises(
        ValueError, match=r"^random_particles: `counts` = \{'A': 1125899906842624\} would"
    ):
        random_particles(box, ("A",), {"A": huge}, 1, seed=0)
    with pytest.raises(ValueError, match=r"^random_particles: `n_patterns` = 1125899906842624 "):
        random_particles(box, ("A",), {"A": 2}, huge, seed=0)
    with pytest.raises(ValueError, match=r"^random_pairs: `n_pairs` = 1125899906842624 would"):
        random_pairs(box, ("A",), ("A", "A"), huge, 1, distance=0.1, seed=0)
