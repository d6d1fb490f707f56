"""The mean-field closure against closed forms and the slopes of the exact master equation."""

import itertools

import numpy as np
import pytest

from dynboltz.closures import mean_field, mean_field_moments
from dynboltz.lattices import Factor, Lattice, Term, TermCounter, neighbour_moments
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation._master_equation import (
    collision_step,
    continuous_time_generator,
    enumerate_states,
)

# The solver's relative tolerance is 1e-10 a step; errors add up over some hundred steps.
SOLVER = 1e-8

LOCAL = (
    "0 -> A ; k = 0.3\n0 -> B + A ; k = 0.2\nA -> A + B ; k = 2\nB -> C ; k = 1\nC -> 0 ; k = 3\n"
)
PAIRS = "A + A -> B ; {0} = {1}\nA + B -> C + B ; {0} = {2}\nC + B -> 0 ; {0} = {3}"
LATTICES = [
    Lattice((5,)),
    Lattice((2, 2)),
    Lattice((2, 2), "closed"),
    Lattice((5,), "closed"),
    Lattice((1,), "closed"),
]
PERIODIC = LATTICES[:2]


def continuous(network, lattice, initial, times):
    network = ReactionNetwork.parse(network)
    return mean_field(
        network, lattice, np.array(initial), np.array(times), kernel="continuous-time"
    )


@pytest.mark.parametrize(
    ("lattice", "bonds"),
    [
        (Lattice((10,)), 1.0),
        (Lattice((10,), "closed"), 0.9),
        (Lattice((2, 3)), 2.0),
        (Lattice((2, 3), "closed"), 7 / 6),
        (Lattice((3, 3, 3)), 3.0),
    ],
)
def test_annihilation_decays_hyperbolically(lattice, bonds):
    times = np.array([0.0, 0.5, 3.0, 100.0])
    densities = continuous("A + A -> 0 ; k = 0.7", lattice, [0.8], times)[:, 0]
    # Each event on one of the bonds a site removes two particles.
    np.testing.assert_allclose(1 / densities, 1 / 0.8 + 2 * 0.7 * bonds * times, rtol=SOLVER)


def test_annihilation_of_two_species_by_its_closed_form():
    times = np.array([0.3, 2.0])
    a0, b0, rate = 0.5, 0.2, 2 * 1.5
    densities = continuous("A + B -> 0 ; k = 1.5", Lattice((10,)), [a0, b0], times)
    ratio = b0 / a0 * np.exp(-(a0 - b0) * rate * times)
    a = (a0 - b0) / (1 - ratio)
    np.testing.assert_allclose(densities, np.stack([a, a - (a0 - b0)], axis=1), rtol=SOLVER)


def test_growth_on_a_ring_of_three_sites_by_its_closed_form():
    # Two neighbours: c' = k c (1 - c^2), so that c^2 is logistic at the rate 2 k.
    times = np.array([0.1, 1.0, 4.0])
    densities = continuous("A -> A + A ; k = 0.9", Lattice((3,)), [0.1], times)[:, 0]
    odds = 0.01 / 0.99 * np.exp(2 * 0.9 * times)
    np.testing.assert_allclose(densities**2, odds / (1 + odds), rtol=SOLVER)


def test_growth_on_a_doubled_bond_is_logistic():
    # One neighbour, listed twice: c' = k c (1 - c).
    times = np.array([0.1, 1.0, 4.0])
    densities = continuous("A -> A + A ; k = 0.9", Lattice((2,)), [0.1], times)[:, 0]
    odds = 0.1 / 0.9 * np.exp(0.9 * times)
    np.testing.assert_allclose(densities, odds / (1 + odds), rtol=SOLVER)


def test_collision_steps_alternate_decay_and_annihilation():
    network = ReactionNetwork.parse("A -> 0 ; k = 3\nA + A -> 0 ; p = 0.2")
    dt, density = 0.1, 0.7
    expected = [density]
    for _ in range(4):
        decayed = expected[-1] * np.exp(-3 * dt)
        expected.append(1 / (1 / decayed + 2 * 0.2))
    densities = mean_field(
        network,
        Lattice((9,)),
        np.array([density]),
        dt * np.array([0, 1, 3, 4]),
        kernel="collision",
        dt=dt,
    )
    np.testing.assert_allclose(densities[:, 0], np.array(expected)[[0, 1, 3, 4]], rtol=SOLVER)


def test_certain_collisions_on_a_full_lattice_leave_no_negative_density():
    network = ReactionNetwork.parse("A + A -> 0 ; p = 1")
    densities = mean_field(
        network, Lattice((9,)), np.ones(1), np.arange(5.0), kernel="collision", dt=1.0
    )
    np.testing.assert_allclose(densities[:, 0], 1 / (1 + 2 * np.arange(5)), rtol=SOLVER)


@pytest.mark.parametrize("kernel", ["collision", "continuous-time"])
def test_conserved_quantities_stay(kernel):
    pair = "A + B -> C ; {} = 0.4\nC -> A + B ; k = 2".format("p" if kernel == "collision" else "k")
    network = ReactionNetwork.parse(pair)
    densities = mean_field(
        network,
        Lattice((4, 4), "closed"),
        np.array([0.4, 0.3, 0.05]),
        np.linspace(0, 2, 21),
        kernel=kernel,
        dt=0.1 if kernel == "collision" else None,
    )
    totals = densities @ network.conserved_quantities.T
    assert np.ptp(densities[:, 0]) > 0.01
    np.testing.assert_allclose(totals, totals[:1].repeat(21, axis=0), rtol=SOLVER)


def product_distribution(lattice, densities):
    states = enumerate_states(lattice, len(densities))
    return np.prod(np.array([1 - sum(densities), *densities])[states], axis=1)


def mean_densities(p, lattice, n_species):
    states = enumerate_states(lattice, n_species)
    return np.array([p @ np.mean(states == value, axis=1) for value in range(1, n_species + 1)])


@pytest.mark.parametrize("lattice", LATTICES)
def test_continuous_slope_from_independent_sites_is_exact(lattice):
    network = ReactionNetwork.parse(LOCAL + PAIRS.format("k", 0.3, 5, 2))
    initial, step = np.array([0.3, 0.2, 0.25]), 1e-5
    generator = continuous_time_generator(network, lattice, {"A": 1.0, "B": 0.5, "C": 0.1})
    exact = mean_densities(generator @ product_distribution(lattice, initial), lattice, 3)
    ends = mean_field(network, lattice, initial, np.array([step]), kernel="continuous-time")
    # One-sided difference: half the step times a second derivative of order 10 times 10.
    np.testing.assert_allclose((ends[0] - initial) / step, exact, atol=1e-3)


@pytest.mark.parametrize("lattice", PERIODIC)
def test_collision_slope_from_independent_sites_is_exact(lattice):
    # To first order in p every attempt meets a uniform arrangement of the particles, because
    # attempts that never react are symmetric on a periodic lattice.
    chance = 1e-5
    network = ReactionNetwork.parse(PAIRS.format("p", 0.3 * chance, 0.5 * chance, chance))
    initial = np.array([0.3, 0.2, 0.25])
    p = collision_step(network, lattice, 1.0).apply(product_distribution(lattice, initial))
    exact = mean_densities(p, lattice, 3)
    ends = mean_field(network, lattice, initial, np.ones(1), kernel="collision", dt=1.0)[0]
    # Second order in p: relative 1e-5 times a factor of order 1.
    np.testing.assert_allclose(ends - initial, exact - initial, rtol=1e-4)


def test_times_may_repeat():
    densities = continuous("A -> 0 ; k = 1", Lattice((3,)), [0.5], [0.0, 1.0, 1.0])[:, 0]
    np.testing.assert_allclose(densities, 0.5 * np.exp([0, -1, -1]), rtol=SOLVER)


def test_idle_times_return_the_initial_densities():
    assert continuous("A -> 0 ; k = 1", Lattice((3,)), [0.5], [0.0, 0.0]).tolist() == [[0.5]] * 2


# --- Moments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lattice", [Lattice((5,)), Lattice((5,), "closed"), Lattice((2, 3), "closed")]
)
def test_moments_match_the_enumerated_product_distribution(lattice):
    densities = np.array([0.3, 0.2])
    if lattice.dim == 1:
        spaced = Factor("A", (-1,)), Factor("B", (1,))
        terms = (*neighbour_moments(("A", "B"), 1), Term("spaced", (spaced,)))
    else:
        terms = neighbour_moments(("A", "B"), 2, max_order=2)
    states = enumerate_states(lattice, 2)
    counts = TermCounter(lattice, [["A", "B"]], terms).count(states[None])
    exact = product_distribution(lattice, densities) @ counts / lattice.n_sites
    moments = mean_field_moments(densities[None], terms, lattice, ("A", "B"))
    # Sums of at most 729 terms: rounding only.
    np.testing.assert_allclose(moments[0], exact, rtol=1e-12)


def test_moments_of_every_time_are_computed():
    densities = np.array(list(itertools.product([0.1, 0.4], repeat=2)))
    moments = mean_field_moments(
        densities, neighbour_moments(["A", "B"], 1, max_order=2), Lattice((9,)), ["A", "B"]
    )
    a, b = densities.T
    np.testing.assert_allclose(moments.T, [a, b, a * a, 2 * a * b, b * b], rtol=1e-12)


# --- Errors -------------------------------------------------------------------------------------

RING = Lattice((5,))
WITH_P = ReactionNetwork.parse("A + A -> 0 ; p = 0.1")
WITH_K = ReactionNetwork.parse("A + A -> 0 ; k = 0.1")
HALF, TIMES = np.array([0.5]), np.array([0.0, 1.0])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((WITH_K, RING, HALF, TIMES), {"kernel": "collision", "dt": 1.0}, "have a probability p"),
        ((WITH_P, RING, HALF, TIMES), {"kernel": "continuous-time"}, "have a rate k; got A"),
        ((WITH_P, RING, HALF, TIMES), {"kernel": "collision"}, "give `dt`"),
        ((WITH_K, RING, HALF, TIMES), {"kernel": "continuous-time", "dt": 1.0}, "only for it"),
        ((WITH_P, RING, HALF, TIMES), {"kernel": "collision", "dt": 0.0}, "finite and positive"),
        ((WITH_P, RING, HALF, TIMES), {"kernel": "collision", "dt": 0.3}, "whole steps"),
        ((WITH_K, RING, HALF, TIMES[::-1]), {"kernel": "continuous-time"}, "in order"),
        ((WITH_K, RING, -HALF, TIMES), {"kernel": "continuous-time"}, "not negative and at most"),
        ((WITH_K, RING, 3 * HALF, TIMES), {"kernel": "continuous-time"}, "at most 1 together"),
        ((WITH_K, RING, np.nan * HALF, TIMES), {"kernel": "continuous-time"}, "got .nan"),
        ((WITH_K, RING, np.ones(2), TIMES), {"kernel": "continuous-time"}, r"got shape \(2,\)"),
    ],
)
def test_bad_input_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        mean_field(*arguments, **options)


def test_moments_refuse_densities_of_other_species():
    with pytest.raises(ValueError, match=r"shape \(times, 1\), got \(2, 3\)"):
        mean_field_moments(np.ones((2, 3)), neighbour_moments(["A"], 1), RING, ["A"])
