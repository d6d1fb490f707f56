"""Moments of long chains against enumeration, and whether chains remember their start."""

import numpy as np
import pytest

from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.evaluation import EquilibriumMoments, equilibrium_moments
from dynboltz.lattices import Lattice, TermCounter, neighbour_moments

PLANE = LatticeModel.from_names(Lattice((3, 3)), ["A"], ["b.A", "J.A.A"])
HIDDEN = LatticeModel.from_names(
    Lattice((2, 3), "closed"),
    ["A", "B"],
    ["b.A", "b.B", "W.A.X", "W.B.X", "b.X"],
    [Layer(("X",), ((0, 0), (0, 1)))],
)
TERMS = {1: neighbour_moments(("A",), 2, 3), 2: neighbour_moments(("A", "B"), 2, 2)}


def found_at(
    model: LatticeModel,
    theta: np.ndarray,
    n_chains: int,
    n_sweeps: int,
    *,
    counted_on: Lattice | None = None,
) -> EquilibriumMoments:
    """Chains of which one kind starts from full lattices."""
    return equilibrium_moments(
        model,
        theta,
        np.ones((len(theta), n_chains, model.lattice.n_sites), np.uint8),
        TERMS[len(model.species[0])],
        counted_on=counted_on or model.lattice,
        n_sweeps=n_sweeps,
        seed=np.random.SeedSequence(1),
    )


def enumerated(model: LatticeModel, theta: np.ndarray, counted_on: Lattice) -> np.ndarray:
    exact = Enumeration(model)
    weights = np.exp(exact.counts @ theta)
    terms = TERMS[len(model.species[0])]
    counts = TermCounter(counted_on, model.species, terms).count(exact.states)
    return weights @ counts / weights.sum() / model.lattice.n_sites


@pytest.mark.parametrize(
    ("model", "theta"),
    [
        (PLANE, np.array([[-0.3, 0.4], [-1.0, 0.1]])),
        (HIDDEN, np.array([[0.2, -0.3, 0.6, -0.5, 0.1]])),
    ],
)
@pytest.mark.parametrize("boundary", ["periodic", "closed"])
def test_long_chains_have_the_enumerated_moments(model, theta, boundary):
    counted_on = Lattice(model.lattice.shape, boundary)
    found = found_at(model, theta, 40, 2000, counted_on=counted_on)
    exact = np.array([enumerated(model, at, counted_on) for at in theta])
    # Four standard errors fail for one of at most 6 moments and seed in 2600.
    assert np.all(np.abs(found.mean - exact) < 4 * found.standard_error)
    # Two kinds of 40 chains with 50 records each: at least 1000 of these 4000 are independent.
    assert np.all(found.standard_error < 0.6 / np.sqrt(1000))
    assert not found.metastable.any()
    assert np.all(found.r_hat < 1.05)
    # The boundary matters for neighbours, by far more than the tolerance.
    other = Lattice(model.lattice.shape, "closed" if boundary == "periodic" else "periodic")
    elsewhere = enumerated(model, theta[0], other)
    assert np.abs(elsewhere - exact[0]).max() > 10 * found.standard_error.max()


def test_standard_errors_of_independent_sites():
    # Every record of both kinds of chains is an independent state.
    found = found_at(PLANE, np.zeros((1, 2)), 40, 100)
    expected = np.sqrt(0.25 / 9 / (2 * 40 * 50))
    # Effective sample sizes of 2000 draws are known to about a tenth, their roots to half of it.
    assert found.standard_error[0, 0] == pytest.approx(expected, rel=0.2)


def test_chains_of_a_strongly_coupled_plane_remember_their_start():
    # Symmetric between full and empty; the Ising coupling J / 4 = 0.75 is far beyond 0.44, and
    # for the second row far below.
    model = LatticeModel.from_names(Lattice((16, 16)), ["A"], ["b.A", "J.A.A"])
    theta = np.array([[-6.0, 3.0], [-0.4, 0.2]])
    found = found_at(model, theta, 8, 400)
    np.testing.assert_array_equal(found.metastable, [True, False])
    assert found.r_hat[0] > 1.1
    assert found.r_hat[1] < 1.05
    assert abs(found.mean[1, 0] - 0.5) < 4 * found.standard_error[1, 0]


def test_the_first_half_of_the_sweeps_is_not_counted():
    # Particles with one neighbour vanish, so that full chains are eaten up from their ends, two
    # sites or more a sweep.
    chain = LatticeModel.from_names(Lattice((20,), "closed"), ["A"], ["b.A", "J.A.A"])
    found = equilibrium_moments(
        chain,
        np.array([[-120.0, 100.0]]),
        np.ones((1, 4, 20), np.uint8),
        neighbour_moments(("A",), 1, 2),
        counted_on=chain.lattice,
        n_sweeps=20,
        seed=np.random.SeedSequence(2),
    )
    np.testing.assert_array_equal(found.mean, [[0.0, 0.0]])
    assert not found.metastable.any()


def test_few_sweeps_still_make_records():
    found = found_at(PLANE, np.zeros((1, 2)), 3, 2)
    assert found.mean.shape == (1, len(TERMS[1]))
    assert np.all(np.isfinite(found.mean))
