import numpy as np
import pytest
import scipy.spatial

from dynboltz.evaluation import (
    independent_pairs,
    jackknife,
    pair_counts,
    species_pairs,
    uniform_pair_share,
)
from dynboltz.particles import Box, PointPatterns

EDGES = np.linspace(0.0, 0.4, 5)


@pytest.mark.parametrize("boundary", ["periodic", "reflecting"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_pairs_are_those_of_a_tree(dim, boundary):
    box = Box((1.0, 1.2, 0.9)[:dim], boundary)
    random = np.random.default_rng(dim)
    points = {name: random.random((n, dim)) * box.lengths for name, n in (("A", 40), ("B", 9))}
    patterns = PointPatterns.from_lists([points, {"B": points["B"]}], ("A", "B"), box, n_slots=60)
    found = pair_counts(patterns, EDGES)
    own, other = (
        scipy.spatial.cKDTree(points[name], boxsize=box.lengths if box.is_periodic else None)
        for name in ("A", "B")
    )
    assert species_pairs(("A", "B")) == [("A", "A"), ("A", "B"), ("B", "B")]
    within = [
        [len(own.query_pairs(r)) for r in EDGES],
        own.count_neighbors(other, EDGES),
        [len(other.query_pairs(r)) for r in EDGES],
    ]
    np.testing.assert_array_equal(found[0], np.diff(within, axis=1))
    np.testing.assert_array_equal(found[1, :2], 0)
    np.testing.assert_array_equal(found[1, 2], found[0, 2])


def test_independent_pairs_are_products_of_numbers():
    found = independent_pairs(np.array([[2.0, 3.0, 5.0]]))
    np.testing.assert_array_equal(found, [[2.0, 6.0, 10.0, 4.5, 15.0, 12.5]])


def test_bins_are_checked():
    patterns = PointPatterns.from_lists([{}], ("A",), Box((1.0,)))
    with pytest.raises(ValueError, match="must increase"):
        pair_counts(patterns, np.array([0.2, 0.1]))


@pytest.mark.parametrize(
    "box", [Box((1.0,)), Box((1.0,), "reflecting"), Box((1.0, 2.0)), Box((1.0, 2.0), "reflecting")]
)
def test_uniform_pairs_have_their_share(box):
    random, n = np.random.default_rng(3), 200_000
    a, b = random.random((2, n, box.dim)) * box.lengths
    distances = np.linalg.norm(box.displacement(a, b), axis=1)
    share = uniform_pair_share(box, EDGES)
    found = np.histogram(distances, EDGES)[0]
    # Binomial numbers of independent pairs: 4.5 standard deviations, 1e-5 a bin.
    assert np.all(np.abs(found - n * share) < 4.5 * np.sqrt(n * share * (1 - share)))


def test_a_box_in_space_has_the_share_of_its_shells():
    share = uniform_pair_share(Box((1.0, 1.0, 1.0)), EDGES)
    np.testing.assert_allclose(share, np.diff(4 / 3 * np.pi * EDGES**3), rtol=1e-12)
    # The closed form of a closed unit cube: 4 pi r^2 - 6 pi r^3 + 8 r^4 - r^5 for r < 1.
    primitive = 4 / 3 * np.pi * EDGES**3 - 1.5 * np.pi * EDGES**4 + 1.6 * EDGES**5 - EDGES**6 / 6
    closed = uniform_pair_share(Box((1.0, 1.0, 1.0), "reflecting"), EDGES)
    np.testing.assert_allclose(closed, np.diff(primitive), rtol=2e-3)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    samples = np.random.default_rng(4).standard_normal((7, 3))
    value, error = jackknife(lambda mean: mean, samples)
    np.testing.assert_allclose(value, samples.mean(axis=0))
    np.testing.assert_allclose(error, samples.std(axis=0, ddof=1) / np.sqrt(7))


def test_the_jackknife_of_a_ratio_follows_propagation_of_errors():
    random = np.random.default_rng(5)
    a, b = 5 + random.standard_normal((2, 4000))
    _, error = jackknife(lambda a, b: a / b, a, b)
    # Ratio of independent means: relative variances add up; terms of second order are below 1 %.
    expected = np.sqrt(a.var() / a.mean() ** 2 + b.var() / b.mean() ** 2) * a.mean() / b.mean()
    covariance = np.cov(a, b)[0, 1] / 4000
    assert abs(covariance) < 1e-3
    np.testing.assert_allclose(error, expected / np.sqrt(4000), rtol=0.05)


def test_one_replica_has_no_error():
    with pytest.raises(ValueError, match="two or more replicas, got 1"):
        jackknife(lambda mean: mean, np.ones((1, 2)))
