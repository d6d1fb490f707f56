"""Particles that arrive one by one against random sequential adsorption on a line."""

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid

from dynboltz.particles import Box, random_arrivals

PLANE, SPECIES = Box((1.0, 2.0)), ("A", "B")


@pytest.mark.parametrize("boundary", ["periodic", "reflecting"])
def test_those_that_stay_keep_their_distance(boundary):
    box = Box(PLANE.lengths, boundary)
    patterns = random_arrivals(box, SPECIES, {"A": 10.0, "B": 20.0}, 15, distance=0.2, seed=1)
    nearest = []
    for number, count in enumerate(patterns.counts().sum(axis=1)):
        x = patterns.positions[number, :count]
        i, j = np.triu_indices(count, 1)
        nearest.append(np.linalg.norm(box.displacement(x[i], x[j]), axis=1).min())
    assert 0.2 <= min(nearest) < 0.21
    assert len(set(patterns.counts().sum(axis=1))) > 1
    # Both species are turned away alike; four standard errors of about 200 of A.
    share = patterns.counts()[:, 0].sum() / patterns.counts().sum()
    assert abs(share - 1 / 3) < 4 * np.sqrt(2 / 9 / patterns.counts().sum())


def test_numbers_on_a_line_are_those_of_random_sequential_adsorption():
    """Rényi's integral at a finite time, the number of arrivals a length of the rods."""
    length, distance, density, n = 12.0, 0.5, 4.0, 300
    u = np.linspace(1e-9, density * distance, 2000)
    gaps = np.exp(-2 * cumulative_trapezoid((1 - np.exp(-u)) / u, u, initial=0.0))
    expected = np.trapezoid(gaps, u) * length / distance
    patterns = random_arrivals(Box((length,)), ("A",), {"A": density}, n, distance=distance, seed=2)
    counts = patterns.counts()[:, 0]
    # Four standard errors: failure probability 6e-5. They are fewer than those of a Poisson
    # process, and vary less.
    error = counts.std(ddof=1) / np.sqrt(n)
    assert abs(counts.mean() - expected) < 4 * error < 0.03 * expected
    assert counts.var() < 0.5 * counts.mean()


def test_without_a_distance_all_stay():
    counts = random_arrivals(PLANE, SPECIES, {"B": 5.0}, 400, distance=0.0, seed=3).counts()
    assert not counts[:, 0].any()
    # Mean and variance are 10; the errors are 0.16 and 0.73, four of them.
    assert abs(counts[:, 1].mean() - 10) < 4 * 0.16
    assert abs(counts[:, 1].var() - 10) < 4 * 0.73


def test_a_pattern_does_not_depend_on_how_many_there_are():
    def make(n, first):
        return random_arrivals(PLANE, SPECIES, {"A": 5.0}, n, distance=0.1, seed=4, first=first)

    whole, rest = make(5, 0), make(2, 3)
    for number in range(2):
        np.testing.assert_array_equal(whole.points("A", 3 + number), rest.points("A", number))
    assert len({float(whole.points("A", number)[0, 0]) for number in range(5)}) == 5


def test_no_arrivals_are_an_empty_pattern():
    assert not random_arrivals(PLANE, SPECIES, {}, 2, distance=0.1, seed=5).counts().any()


@pytest.mark.parametrize(
    ("density", "distance", "message"),
    [
        ({"C": 1.0}, 0.1, "names 'C'; allowed are A, B"),
        ({"A": -1.0}, 0.1, "not negative, got -1.0 for A"),
        ({"A": 1.0}, np.inf, "not negative, got inf for distance"),
    ],
)
def test_impossible_arrivals_are_refused(density, distance, message):
    with pytest.raises(ValueError, match=f"random_arrivals: .*{message}"):
        random_arrivals(PLANE, SPECIES, density, 1, distance=distance, seed=1)
