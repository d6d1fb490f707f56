"""Both kernels against the exact master equation: the probability of every state."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import (
    CollisionKernel,
    ContinuousTimeKernel,
    collision_step,
    continuous_time_generator,
    enumerate_states,
    evolve,
    simulate,
)

N_REPLICAS = 400_000
N_STEPS = 2

CHAIN = ReactionNetwork.parse("A + A -> 0 ; p = 0.3\nA -> A + A ; k = 2")
CHAIN_START = np.array([0, 1, 1, 0, 1, 1, 1, 0])
MIXED = ReactionNetwork.parse(
    """
    0 -> B             ; k = 0.5
    0 -> A + C         ; k = 0.3
    B -> 0             ; k = 1
    A -> C             ; k = 2
    C -> B + A         ; k = 4
    A + A -> 0         ; p = 0.3
    A + B -> C         ; p = 0.2
    B + A -> C + B     ; p = 0.5
    C + B -> A + A     ; p = 0.6
    C + C -> A + B     ; p = 1
    """,
    species=("A", "B", "C"),
)
MIXED_START = np.array([1, 2, 0, 3, 1, 3])


def with_rates(network: ReactionNetwork) -> ReactionNetwork:
    """Return the network with rates in place of probabilities."""
    return ReactionNetwork.parse(network.to_text().replace("p = ", "k = "), network.species)


def sample_frequencies(network, lattice, start, kernel, seed):
    """Return how often each state occurs at each time after the first [times, states]."""
    initial = np.tile(start.astype(np.uint8), (N_REPLICAS, 1))
    trajectories = simulate(
        network, lattice, initial, kernel=kernel, n_steps=N_STEPS, seed=seed, moments=()
    )
    base = len(network.species) + 1
    places = base ** np.arange(lattice.n_sites)[::-1]
    return np.stack(
        [
            np.bincount(trajectories.state[:, step] @ places, minlength=base**lattice.n_sites)
            for step in range(1, N_STEPS + 1)
        ]
    )


def start_distribution(network, lattice, start):
    states = enumerate_states(lattice, len(network.species))
    return np.all(states == start, axis=1).astype(float)


def p_value(observed, probabilities):
    """Chi-square p-value; states expected fewer than five times join the rarest of the others."""
    assert not np.any(observed[probabilities == 0.0]), "a state that cannot occur"
    expected = N_REPLICAS * probabilities
    common = expected >= 5
    rarest = np.argmin(expected[common])
    pooled_observed, pooled_expected = observed[common], expected[common]
    pooled_observed[rarest] += observed[~common].sum()
    pooled_expected[rarest] += expected[~common].sum()
    return stats.chisquare(pooled_observed, pooled_expected).pvalue


CASES = [
    pytest.param(CHAIN, Lattice((8,), "periodic"), CHAIN_START, id="periodic chain"),
    pytest.param(CHAIN, Lattice((8,), "closed"), CHAIN_START, id="closed chain"),
    pytest.param(MIXED, Lattice((2, 3), "periodic"), MIXED_START, id="periodic plane"),
    pytest.param(MIXED, Lattice((2, 3), "closed"), MIXED_START, id="closed plane"),
    pytest.param(MIXED, Lattice((3, 1, 2), "closed"), MIXED_START, id="closed volume"),
    pytest.param(MIXED, Lattice((1,), "closed"), np.array([1]), id="one site"),
    pytest.param(MIXED, Lattice((1, 2), "closed"), np.array([3, 3]), id="two sites of a plane"),
    pytest.param(MIXED, Lattice((2,), "periodic"), np.array([1, 3]), id="ring of two sites"),
    pytest.param(MIXED, Lattice((2, 2), "periodic"), np.array([1, 0, 3, 3]), id="doubled plane"),
]


@pytest.mark.parametrize(("network", "lattice", "start"), CASES)
def test_collision_kernel_has_the_exact_probability_of_every_state(network, lattice, start):
    kernel = CollisionKernel(dt=0.2)
    observed = sample_frequencies(network, lattice, start, kernel, seed=1)
    step = collision_step(network, lattice, kernel.dt)
    probabilities = start_distribution(network, lattice, start)
    for frequencies in observed:
        probabilities = step.apply(probabilities)
        # Fixed seed; a random one would fail with probability 1e-3 at each time.
        assert p_value(frequencies, probabilities) > 1e-3


@pytest.mark.parametrize(("network", "lattice", "start"), CASES)
def test_continuous_time_kernel_has_the_exact_probability_of_every_state(network, lattice, start):
    network = with_rates(network)
    hop_rate = 1.5 if len(network.species) == 1 else {"A": 2.0, "B": 0.1, "C": 0.0}
    kernel = ContinuousTimeKernel(hop_rate=hop_rate, interval=0.2)
    observed = sample_frequencies(network, lattice, start, kernel, seed=2)
    generator = continuous_time_generator(network, lattice, hop_rate)
    times = kernel.interval * np.arange(1, N_STEPS + 1)
    exact = evolve(start_distribution(network, lattice, start), generator, times)
    for frequencies, probabilities in zip(observed, exact, strict=True):
        assert p_value(frequencies, probabilities) > 1e-3


@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 1, 1)])
def test_a_lone_particle_without_neighbours_stays(shape):
    network = ReactionNetwork.parse("A + A -> 0 ; p = 0.0001")
    lattice = Lattice(shape, "closed")
    run = simulate(
        network,
        lattice,
        np.ones((4, *shape), int),
        kernel=CollisionKernel(),
        n_steps=3,
        seed=1,
        moments=(),
    )
    assert np.all(run.state == 1)
