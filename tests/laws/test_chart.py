"""Coordinates of moments: inverses, subpatterns, random placement."""

import itertools

import jax
import numpy as np
import pytest

from dynboltz.lattices import (
    Lattice,
    Term,
    TermCounter,
    neighbour_moments,
    parse_pattern,
    pattern_term,
)
from dynboltz.laws import moment_chart
from dynboltz.simulation import enumerate_states


def chart_of(terms, lattice, **options):
    return moment_chart(terms, lattice, **options)


def mean_moments(lattice, species, terms, states, weights):
    counts = TermCounter(lattice, [species], terms).count(states[None])
    return weights @ counts / lattice.n_sites


@pytest.mark.parametrize(
    ("shape", "boundary"), [((8,), "periodic"), ((3, 3), "closed"), ((2, 2, 2), "closed")]
)
def test_moments_and_coordinates_are_inverse(shape, boundary):
    lattice = Lattice(shape, boundary)
    species = ("A",) if lattice.n_sites > 8 else ("A", "B")
    terms = neighbour_moments(species, lattice.dim, 2)
    chart = chart_of(terms, lattice)
    states = enumerate_states(lattice, len(species))
    # Any distribution over all states: its moments are possible ones.
    weights = np.random.default_rng(3).dirichlet(np.ones(len(states)), size=4)
    moments = mean_moments(lattice, species, terms, states, weights)
    z = chart.from_moments(moments)
    np.testing.assert_allclose(jax.vmap(chart.moments)(z), moments, rtol=1e-12)


def test_factors_vanish_for_independent_sites_and_of_larger_patterns_given_smaller_ones():
    lattice = Lattice((6,))
    pair, triple = parse_pattern("A(0) A(1)"), parse_pattern("A(0) A(1) A(2)")
    terms = [
        *neighbour_moments(("A",), 1, 1),
        pattern_term("AA", [pair]),
        pattern_term("A.A", [parse_pattern("A(0) A(2)")]),
        pattern_term("AAA", [triple]),
    ]
    chart = chart_of(terms, lattice, n_replicas=1000)
    assert chart.coordinates == ("A", "g(AA)", "g(A.A)", "g(AAA)")
    independent = np.array([0.3, 0.3**2, 0.3**2, 0.3**3])
    np.testing.assert_allclose(chart.from_moments(independent), [0.3, 0, 0, 0], atol=1e-14)
    # Kirkwood: three pairs, over three densities.
    superposed = np.array([0.3, 0.12, 0.1, 0.12 * 0.12 * 0.1 / 0.3**3])
    found = chart.from_moments(superposed)
    np.testing.assert_allclose(found[1:3], np.log([0.12 / 0.09, 0.1 / 0.09]))
    assert abs(found[3]) < 1e-14


@pytest.mark.parametrize("boundary", ["periodic", "closed"])
def test_random_placement_has_known_moments(boundary):
    """All states with 3 A and 2 B on seven sites, equally likely."""
    lattice = Lattice((7,), boundary)
    terms = neighbour_moments(("A", "B"), 1, 3)
    chart = chart_of(terms, lattice, n_replicas=1000)
    states = enumerate_states(lattice, 2)
    wanted = (np.sum(states == 1, axis=1) == 3) & (np.sum(states == 2, axis=1) == 2)
    moments = mean_moments(lattice, ("A", "B"), terms, states, wanted / wanted.sum())
    densities = np.array([[3, 2]]) / 7
    # Three B cannot be: their factor stands at the floor.
    possible = moments > 0
    z = chart.uncorrelated(densities, lattice.n_sites)[0]
    np.testing.assert_allclose(np.asarray(chart.moments(z))[possible], moments[possible])
    assert np.sum(~possible) == 1
    assert float(chart.moments(z)[~possible][0]) == pytest.approx(
        float(chart.floor) * chart.places[~possible][0]
    )


def test_absent_species_stay_finite():
    chart = chart_of(neighbour_moments(("A", "B"), 1, 2), Lattice((10,)), n_replicas=5)
    z = chart.from_moments(np.array([0.5, 0.0, 0.25, 0.0, 0.0]))
    assert np.all(np.isfinite(z))
    assert np.all(np.isfinite(jax.jacfwd(chart.moments)(z)))
    assert np.all(np.isfinite(chart.features(z)))


def test_terms_that_are_no_pattern_are_refused():
    lattice = Lattice((8,))
    single, pair = neighbour_moments(("A",), 1, 2)
    with pytest.raises(ValueError, match="count the same pattern"):
        chart_of([single, pair, Term("again", pair.products)], lattice)
    with pytest.raises(ValueError, match="whose density is not followed"):
        chart_of([pair], lattice)
    with pytest.raises(ValueError, match="counts different patterns"):
        chart_of([single, Term("both", (*single.products, *pair.products))], lattice)
    with pytest.raises(ValueError, match="one site or to a hidden layer"):
        chart_of([Term("A", single.products, at=(2,))], lattice)


def test_every_part_of_a_pattern_is_counted():
    """A run of four has three neighbouring pairs and two runs of three."""
    chart = chart_of(neighbour_moments(("A",), 1, 4), Lattice((9,)))
    np.testing.assert_array_equal(chart.weights, [[1, 0, 0], [2, 1, 0], [3, 2, 1]])
    for first, second in itertools.pairwise(chart.density_of):
        assert first.count(0) + 1 == second.count(0)
