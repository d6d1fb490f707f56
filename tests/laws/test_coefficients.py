"""Names of the coefficients of a chart, possible moments, and coefficients of long chains."""

import numpy as np
import pytest

from dynboltz.distributions import LatticeModel, TransferMatrix
from dynboltz.lattices import (
    Lattice,
    neighbour_moments,
    parse_pattern,
    pattern_images,
    pattern_term,
)
from dynboltz.laws import coefficient_names, moment_chart, pair_coefficients, possible_moments


def pattern(name):
    return pattern_term(name, pattern_images(parse_pattern(name)))


def test_coefficients_are_named_as_models_read_them():
    terms = (
        *neighbour_moments(("S", "I"), 2, 2),
        pattern("I(0,0) S(1,0) S(2,0)"),
        pattern("S(0,0) I(1,1)"),
    )
    lattice = Lattice((5, 5))
    chart = moment_chart(terms, lattice)
    names = coefficient_names(chart)
    assert names[:5] == ("b.S", "b.I", "J.S.S", "J.S.I", "J.I.I")
    assert names[5] == "K.S.S.I"
    model = LatticeModel.from_names(lattice, ("S", "I"), names)
    states = np.random.default_rng(0).integers(0, 3, (1, 6, 25)).astype(np.uint8)
    counted = LatticeModel(lattice, model.layers, terms).statistics(states)
    np.testing.assert_array_equal(model.statistics(states), counted)


def test_neighbours_decide_the_coefficients_of_long_chains():
    """Correlations over a thousand sites are gone: the formula is exact."""
    lattice, species = Lattice((1000,)), ("A", "B")
    chart = moment_chart(neighbour_moments(species, 1, 2), lattice)
    solution = TransferMatrix(LatticeModel.from_names(lattice, species, coefficient_names(chart)))
    theta = np.random.default_rng(2).normal(size=(4, 5))
    moments = solution.batch_moments(theta)
    np.testing.assert_allclose(pair_coefficients(chart, moments), theta, atol=1e-9)
    kept, is_at_edge = possible_moments(chart, moments)
    assert not is_at_edge.any()
    np.testing.assert_array_equal(kept, moments)


CHART = moment_chart(neighbour_moments(("A", "B"), 1, 2), Lattice((100,)), n_replicas=10)


@pytest.mark.parametrize(
    "moments",
    [
        [0.0, 0.3, 0.0, 0.0, 0.09],  # a species is absent
        [0.0, 0.0, 0.0, 0.0, 0.0],  # all are
        [0.5, 0.5, 0.25, 0.5, 0.25],  # no empty site
        [0.2, 0.3, 0.0, 0.12, 0.09],  # a pair is absent
        [0.2, 0.3, 0.25, 0.12, 0.09],  # more pairs than particles
        [0.6, 0.3, 0.1, 0.12, 0.09],  # too few pairs for so many particles
        [1.2, -0.1, 0.3, 0.0, 0.0],
    ],
)
def test_moments_at_the_edge_are_moved_inside(moments):
    found, is_at_edge = possible_moments(CHART, np.array(moments))
    assert is_at_edge
    theta = pair_coefficients(CHART, found)
    assert np.isfinite(theta).all()
    # A floor of 5e-4: no coefficient is beyond its logarithms.
    assert np.abs(theta).max() < 4 * np.log(1 / 5e-4)
    density = found[:2]
    assert np.all(density > 0)
    assert density.sum() < 1
    again, moved = possible_moments(CHART, found)
    assert not moved
    np.testing.assert_array_equal(again, found)


def test_absent_species_are_independent_of_the_others():
    found, _ = possible_moments(CHART, np.array([0.0, 0.3, 0.0, 0.0, 0.08]))
    np.testing.assert_allclose(found[:2], [5e-4, 0.3])
    np.testing.assert_allclose(found[2:], [5e-4**2, 2 * 5e-4 * 0.3, 0.08])


def test_moments_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="`moments` must be finite"):
        possible_moments(CHART, np.array([np.nan, 0.3, 0.0, 0.0, 0.08]))
