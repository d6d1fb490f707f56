"""The collision kernel on a cube of sites against the exact master equation up to symmetry."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse, stats

from dynboltz.lattices import Lattice, TermCounter, neighbour_moments
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import (
    CollisionKernel,
    collision_step,
    continuous_time_generator,
    enumerate_states,
    evolve,
    simulate,
)

ROESSLER = ReactionNetwork.parse(
    """
    A -> A + A     ; k = 30
    B -> 0         ; k = 10
    C -> C + C     ; k = 16.5
    A + A -> A     ; p = 0.1
    A + B -> B + B ; p = 0.4
    A + C -> 0     ; p = 0.24
    C + C -> C     ; p = 0.36
    """
)
BIRTHS_AND_DEATHS = ReactionNetwork(
    tuple(reaction for reaction in ROESSLER.reactions if reaction.rate), ROESSLER.species
)
N_SPECIES = len(ROESSLER.species)
KERNEL = CollisionKernel(dt=0.01)
SQUARE = Lattice((2, 2), "closed")
CUBE = Lattice((2, 2, 2), "closed")


def symmetries(lattice):
    """Return the permutations of the sites by which a lattice looks the same."""
    sites = np.arange(lattice.n_sites).reshape(lattice.shape)
    images = [
        np.flip(turned, flips).ravel()
        for turned in map(sites.transpose, itertools.permutations(range(lattice.dim)))
        for flips in itertools.chain.from_iterable(
            itertools.combinations(range(lattice.dim), n) for n in range(lattice.dim + 1)
        )
    ]
    return np.unique(images, axis=0)


class Orbits:
    """States of a lattice up to its symmetries, each known by the smallest number of its images.

    Attributes
    ----------
    places
        Weight of each site in the number of a state, as in `enumerate_states`.
    smallest
        Number of the representative of each state.
    representatives
        Numbers of the representatives, sorted.
    """

    def __init__(self, lattice, base):
        self.places = base ** np.arange(lattice.n_sites)[::-1]
        images = self.places[symmetries(lattice)].T.astype(float)
        numbers = np.array_split(np.arange(base**lattice.n_sites), base**3)
        self.smallest = np.concatenate(
            [np.min((n[:, None] // self.places % base) @ images, axis=1) for n in numbers]
        ).astype(np.int64)
        self.representatives = np.unique(self.smallest)

    def index(self, numbers):
        """Place of the orbit of each state."""
        return np.searchsorted(self.representatives, self.smallest[numbers])


def outcomes(here, there):
    """Probability and values of both sites after a hop attempt; done particles are 4, 5, 6."""
    done = (0, *range(N_SPECIES + 1, 2 * N_SPECIES + 1))
    if there == 0:
        return [(1.0, 0, done[here])]
    species = (None, *ROESSLER.species)
    pair = sorted((species[here], species[there if there <= N_SPECIES else there - N_SPECIES]))
    found, left = [], 1.0
    for reaction in ROESSLER.reactions:
        if sorted(reaction.reactants) == pair:
            assert reaction.probability is not None
            products = [done[species.index(name)] for name in reaction.products] + [0, 0]
            found.append((reaction.probability, products[1], products[0]))
            left -= reaction.probability
    return [*found, (left, done[here], there)]


def hop_attempt(lattice, orbits):
    """Matrix over orbits of one hop attempt of a random particle whose turn is still to come."""
    numbers = orbits.representatives
    states = numbers[:, None] // orbits.places % (2 * N_SPECIES + 1)
    n_waiting = np.sum((states > 0) & (states <= N_SPECIES), axis=1)
    idle = np.flatnonzero(n_waiting == 0)
    pieces = [(idle, idle, np.ones(idle.size))]
    for site, row in enumerate(lattice.neighbours()):
        neighbours = row[row >= 0]
        cases = itertools.product(neighbours, range(1, N_SPECIES + 1), range(2 * N_SPECIES + 1))
        for neighbour, here, there in cases:
            source = np.flatnonzero((states[:, site] == here) & (states[:, neighbour] == there))
            for probability, here_after, there_after in outcomes(here, there):
                target = numbers[source] + (here_after - here) * orbits.places[site]
                target += (there_after - there) * orbits.places[neighbour]
                weight = probability / n_waiting[source] / len(neighbours)
                pieces.append((source, orbits.index(target), weight))
    sources, targets, weights = (np.concatenate(piece) for piece in zip(*pieces, strict=True))
    return sparse.csr_array((weights, (targets, sources)), shape=(numbers.size, numbers.size))


def exact_distributions(lattice, start, n_steps):
    """Distributions over orbits after each step, spread evenly over the states of an orbit."""
    states = enumerate_states(lattice, N_SPECIES)
    orbits = Orbits(lattice, N_SPECIES + 1)
    extended = Orbits(lattice, 2 * N_SPECIES + 1)
    attempt = hop_attempt(lattice, extended)
    begin = extended.index(states @ extended.places)
    values = extended.representatives[:, None] // extended.places % (2 * N_SPECIES + 1)
    end = orbits.index(np.where(values > N_SPECIES, values - N_SPECIES, values) @ orbits.places)
    members = orbits.index(np.arange(len(states)))
    generator = continuous_time_generator(BIRTHS_AND_DEATHS, lattice, 0.0)
    p = np.all(states == start, axis=1).astype(float)
    result = []
    for _ in range(n_steps):
        p = evolve(p, generator, np.array([KERNEL.dt]))[0]
        p = np.bincount(begin, weights=p, minlength=len(extended.representatives))
        for _ in range(lattice.n_sites):
            p = attempt @ p
        p = np.bincount(end, weights=p)
        p = (p / np.bincount(members))[members]
        result.append(p)
    return result


def test_orbits_are_those_of_the_cube():
    # Polya: colourings of the corners of a cube with b colours up to its 48 symmetries.
    b = 4
    polya = (b**8 + 6 * b**6 + 13 * b**4 + 8 * b**4 + 20 * b**2) // 48
    assert len(symmetries(CUBE)) == 48
    assert len(Orbits(CUBE, b).representatives) == polya


def test_steps_up_to_symmetry_are_those_of_all_states():
    start = np.array([1, 2, 3, 1])
    step = collision_step(ROESSLER, SQUARE, KERNEL.dt)
    p = np.all(enumerate_states(SQUARE, N_SPECIES) == start, axis=1).astype(float)
    members = Orbits(SQUARE, N_SPECIES + 1).smallest
    for found in exact_distributions(SQUARE, start, 3):
        p = step.apply(p)
        np.testing.assert_allclose(
            np.bincount(members, found), np.bincount(members, p), rtol=0, atol=1e-13
        )


@pytest.mark.parametrize(
    ("lattice", "start", "n_replicas"),
    [
        pytest.param(SQUARE, [1, 2, 3, 1], 300_000, id="square"),
        pytest.param(CUBE, [1, 2, 0, 3, 1, 0, 3, 2], 2_000_000, id="cube", marks=pytest.mark.slow),
    ],
)
def test_numbers_and_neighbours_have_the_exact_distribution(lattice, start, n_replicas):
    n_steps = 10
    initial = np.tile(np.array(start, np.uint8), (n_replicas, 1))
    sampled = simulate(
        ROESSLER, lattice, initial, kernel=KERNEL, n_steps=n_steps, seed=5, moments=()
    )
    terms = neighbour_moments(ROESSLER.species, lattice.dim, 2)
    counter = TermCounter(lattice, [ROESSLER.species], terms)
    counts = counter.count(enumerate_states(lattice, N_SPECIES)[None])
    _, kinds = np.unique(counts, axis=0, return_inverse=True)
    places = Orbits(lattice, N_SPECIES + 1).places
    exact = exact_distributions(lattice, np.array(start), n_steps)
    for step in (1, n_steps):
        observed = np.bincount(kinds[sampled.state[:, step] @ places], minlength=kinds.max() + 1)
        expected = n_replicas * np.bincount(kinds, weights=exact[step - 1])
        # Fixed seed; a random one would fail with probability 1e-3 at each time.
        assert p_value(observed, expected) > 1e-3


def p_value(observed, expected):
    """Chi-square p-value; kinds expected fewer than five times join the rarest of the others."""
    assert not np.any(observed[expected == 0.0]), "a state that cannot occur"
    rarest = np.min(expected[expected >= 5])
    group = np.where(expected > rarest, np.arange(expected.size), expected.size)
    pooled = np.stack([np.bincount(group, weights=each) for each in (observed, expected)])
    return stats.chisquare(*pooled[:, pooled[1] > 0]).pvalue
