"""Sampled predictions against exact moments."""

import numpy as np

from dynboltz.distributions import Enumeration, LatticeModel, Layer, TransferMatrix
from dynboltz.evaluation import sampled_prediction
from dynboltz.lattices import Lattice, TermCounter, neighbour_moments


def test_short_runs_of_weakly_coupled_chains_have_the_exact_moments():
    model = LatticeModel.from_names(
        Lattice((40,)), ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
    )
    theta = np.array([[[-0.5, 0.6, 0.1], [0.2, -0.4, 0.3]]])
    terms = neighbour_moments(("A",), 1, 2)
    found = sampled_prediction(model, theta, terms, n_samples=4000, n_sweeps=25, seed=1).mean
    assert found.shape == (1, 2, 2)
    observed = TransferMatrix(
        LatticeModel.from_names(
            Lattice((40,)), ["A"], ["b.A", "W.A.X", "b.X", "J.A.A"], model.layers[1:]
        )
    )
    for row, mean in zip(theta[0], found[0], strict=True):
        exact = np.asarray(observed.moments(np.append(row, 0.0)))
        # Independent chains of 40 sites, variance of a site at most 1/4, of neighbours less than
        # twice that together: 5 standard errors.
        tolerance = 5 * np.sqrt(0.5 / (40 * 4000))
        # The bias counts visible units, and J their pairs.
        np.testing.assert_allclose(mean, exact[[0, 3]], atol=tolerance)


def test_a_plane_of_two_species_agrees_with_enumeration():
    model = LatticeModel.from_names(Lattice((2, 3), "closed"), ["A", "B"], ["b.A", "b.B", "J.A.B"])
    theta = np.array([0.3, -0.4, 0.8])
    terms = neighbour_moments(("A", "B"), 2, 2)
    found = sampled_prediction(model, theta, terms, n_samples=20_000, n_sweeps=30, seed=2)
    exact = Enumeration(model)
    weights = np.asarray(exact.probabilities(theta))
    for term, mean, given in zip(terms, *found, strict=True):
        counter = TermCounter(model.lattice, model.species, [term])
        values = counter.count(exact.states)[:, 0] / model.lattice.n_sites
        error = np.sqrt(np.average((values - weights @ values) ** 2, weights=weights) / 20_000)
        assert abs(mean - weights @ values) < 4 * error
        # The error of a standard deviation from so many chains is 1 % even for kurtosis 9.
        np.testing.assert_allclose(given, error, rtol=0.05)


def test_the_same_seed_gives_the_same_moments():
    model = LatticeModel.from_names(Lattice((4, 4)), ["A"], ["b.A", "J.A.A"])
    theta = np.zeros((3, 2))
    terms = neighbour_moments(("A",), 2, 1)
    first, again = (
        sampled_prediction(model, theta, terms, n_samples=5, n_sweeps=2, seed=7) for _ in "ab"
    )
    np.testing.assert_array_equal(first.mean, again.mean)
    single = sampled_prediction(model, theta, terms, n_samples=1, n_sweeps=2, seed=7)
    assert np.all(np.isnan(single.standard_error))
