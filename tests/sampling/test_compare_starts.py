"""Chains that forget their start, and chains that do not."""

import numpy as np
import pytest

from dynboltz.distributions import LatticeModel, TransferMatrix
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.sampling import (
    Chains,
    GibbsSampler,
    compare_starts,
    compare_values,
    estimate_moments,
    start_from_data,
    start_random,
    start_spread,
)

CHAIN = LatticeModel.from_names(Lattice((50,)), ["A"], ["b.A", "J.A.A"])
PLANE = LatticeModel.from_names(Lattice((16, 16)), ["A"], ["b.A", "J.A.A"])


def full(model: LatticeModel, n_chains: int) -> Chains:
    return start_from_data(model, np.ones((n_chains, model.lattice.n_sites), np.uint8), seed=2)


def empty(model: LatticeModel, n_chains: int) -> Chains:
    return start_from_data(model, np.zeros((n_chains, model.lattice.n_sites), np.uint8), seed=3)


def test_starts_that_are_forgotten_agree_with_exact_moments():
    theta = np.array([-0.6, 0.9])
    starts = {"full": full(CHAIN, 8), "random": start_random(CHAIN, 8, seed=1)}
    (third,) = [t for t in neighbour_moments(("A",), 1) if t.name == "A.A.A"]
    found = compare_starts(
        GibbsSampler(CHAIN), theta, starts, n_samples=500, burn_in=100, observables=[third]
    )
    assert found.names == ("b.A", "J.A.A", "A.A.A")
    # Differences beyond 4 standard errors are 1 in 16 000 for each moment, the seed is fixed.
    assert not found.metastable
    assert np.all(found.r_hat < 1.02)
    exact = np.asarray(TransferMatrix(CHAIN).moments(theta))
    for estimate in found.estimates.values():
        assert np.all(np.abs(estimate.mean[:2] - exact) < 4 * estimate.standard_error[:2])


def test_a_plane_below_its_critical_temperature_is_metastable():
    # J = 4 K for the Ising coupling K = 0.75, far beyond the critical 0.44, and b = -2 J for
    # symmetry between full and empty: by symmetry half of the sites are occupied.
    theta = np.array([-6.0, 3.0])
    sampler = GibbsSampler(PLANE)
    starts = {"full": full(PLANE, 4), "empty": empty(PLANE, 4)}
    found = compare_starts(sampler, theta, starts, n_samples=200, burn_in=200)
    assert found.metastable
    assert found.disagreeing == ("b.A", "J.A.A")
    assert np.all(found.r_hat > 1.5)
    # Each kind of start looks converged by itself.
    assert all(np.all(e.r_hat < 1.1) for e in found.estimates.values())
    assert found.estimates["full"].mean[0] > 0.95
    assert found.estimates["empty"].mean[0] < 0.05


def test_chains_that_never_move_differ_infinitely():
    theta = np.array([-200.0, 100.0])
    starts = {"full": full(PLANE, 2), "empty": empty(PLANE, 2)}
    found = compare_starts(GibbsSampler(PLANE), theta, starts, n_samples=4, burn_in=0)
    assert np.all(np.isinf(found.distance))
    same = {"full": full(PLANE, 2), "also full": full(PLANE, 3)}
    found = compare_starts(GibbsSampler(PLANE), theta, same, n_samples=4, burn_in=0)
    assert not found.metastable


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ({"full": full(CHAIN, 4)}, "`starts` must be at least 2, got 1"),
        ({"full": full(CHAIN, 4), "one": full(CHAIN, 1)}, "`chains` must be at least 2, got 1"),
    ],
)
def test_too_few_starts_are_refused(starts, message):
    with pytest.raises(ValueError, match=f"compare_starts: {message}"):
        compare_starts(GibbsSampler(CHAIN), np.zeros(2), starts, n_samples=4, burn_in=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "`values` must be at least 1"),
        ({"a": np.zeros((0, 4, 1))}, r"at least 1 chain of 4 samples, got the shape \(0, 4, 1\)"),
        ({"a": np.zeros((2, 3, 1))}, r"at least 1 chain of 4 samples, got the shape \(2, 3, 1\)"),
        ({"a": np.full((2, 4, 1), np.inf)}, r"`values\['a'\]` must be finite, got inf at chain 0"),
    ],
)
def test_values_without_meaning_are_refused(values, message):
    with pytest.raises(ValueError, match=f"compare_values: .*{message}"):
        compare_values(values, ("A",))


@pytest.mark.parametrize("start", [start_spread, start_random])
def test_more_chains_than_fit_the_memory_are_refused(start):
    with pytest.raises(ValueError, match=f"{start.__name__}: `n_chains` = .* of memory"):
        start(CHAIN, 10**12, seed=1)


def test_more_samples_than_fit_the_memory_are_refused():
    with pytest.raises(ValueError, match=r"`n_samples` = .* of memory"):
        estimate_moments(
            GibbsSampler(CHAIN), np.zeros(2), n_chains=2, n_samples=2**62, burn_in=0, seed=1
        )
