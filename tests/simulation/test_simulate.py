"""Trajectories: physics that has a closed form, reproducibility, records, errors."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from dynboltz.lattices import Lattice, TermCounter, neighbour_moments
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import (
    CollisionKernel,
    ContinuousTimeKernel,
    random_counts,
    simulate,
)

STILL = ReactionNetwork.parse("A -> 0 ; k = 0")
PREDATION = ReactionNetwork.parse(
    """
    A -> A + A     ; k = 3
    B -> 0         ; k = 1
    A + B -> B + B ; p = 0.4
    """
)
PREDATION_RATES = ReactionNetwork.parse(PREDATION.to_text().replace("p =", "k ="))
KERNELS = [
    pytest.param(PREDATION, CollisionKernel(dt=0.02), id="collision"),
    pytest.param(PREDATION_RATES, ContinuousTimeKernel(5.0, interval=0.02), id="continuous time"),
]


def predators_and_prey(lattice, n_replicas):
    counts = {"A": lattice.n_sites // 4, "B": lattice.n_sites // 4}
    return random_counts(lattice, PREDATION.species, counts, n_replicas, seed=1)


def run(network, kernel, lattice, initial, n_steps=20, **options):
    return simulate(network, lattice, initial, kernel=kernel, n_steps=n_steps, seed=3, **options)


@pytest.mark.parametrize(("network", "kernel"), KERNELS)
def test_number_of_threads_does_not_matter(network, kernel):
    lattice = Lattice((6, 5))
    initial = predators_and_prey(lattice, 7)
    alone = run(network, kernel, lattice, initial)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)  # pyright: ignore[reportPrivateImportUsage]
    together = run(network, kernel, lattice, initial)
    np.testing.assert_array_equal(alone.state, together.state)
    np.testing.assert_array_equal(alone.moments, together.moments)


@pytest.mark.parametrize(("network", "kernel"), KERNELS)
def test_blocks_of_replicas_equal_one_run(network, kernel):
    lattice = Lattice((4, 4, 4))
    initial = predators_and_prey(lattice, 7)
    whole = run(network, kernel, lattice, initial)
    block = run(network, kernel, lattice, initial[3:], first_replica=3)
    np.testing.assert_array_equal(whole.state[3:], block.state)
    np.testing.assert_array_equal(whole.moments[3:], block.moments)


@pytest.mark.parametrize(("network", "kernel"), KERNELS)
@pytest.mark.parametrize("shape", [(60,), (7, 8), (4, 5, 4)])
@pytest.mark.parametrize("boundary", ["periodic", "closed"])
def test_moments_are_those_of_the_recorded_states(network, kernel, shape, boundary):
    lattice = Lattice(shape, boundary)
    initial = predators_and_prey(lattice, 3)
    trajectories = run(network, kernel, lattice, initial)
    terms = neighbour_moments(network.species, lattice.dim)
    counter = TermCounter(lattice, [network.species], terms)
    counts = counter.count(trajectories.state.reshape(1, -1, lattice.n_sites))
    np.testing.assert_array_equal(
        trajectories.moments.reshape(-1, len(terms)), counts / lattice.n_sites
    )
    assert trajectories.moment_names == tuple(term.name for term in terms)
    np.testing.assert_array_equal(trajectories.state[:, 0], initial)
    np.testing.assert_array_equal(trajectories.times, kernel.time_step * np.arange(21))


@pytest.mark.parametrize(("network", "kernel"), KERNELS)
def test_moments_do_not_depend_on_keeping_states(network, kernel):
    lattice = Lattice((30,))
    initial = predators_and_prey(lattice, 3)
    full = run(network, kernel, lattice, initial)
    moments_only = run(network, kernel, lattice, initial, keep_states=False)
    np.testing.assert_array_equal(full.moments, moments_only.moments)
    assert moments_only.state.shape == (3, 0, 30)


CYCLE = "A + B -> B + C ; {0} = 0.5\nC -> A ; k = 2\nC + C -> A + A ; {0} = 0.3"


@pytest.mark.parametrize(
    ("network", "kernel"),
    [
        (ReactionNetwork.parse(CYCLE.format("p")), CollisionKernel(dt=0.1)),
        (ReactionNetwork.parse(CYCLE.format("k")), ContinuousTimeKernel(4.0, interval=0.1)),
    ],
    ids=["collision", "continuous time"],
)
def test_conserved_quantities_are_conserved(network, kernel):
    lattice = Lattice((5, 6), "closed")
    initial = random_counts(lattice, network.species, {"A": 12, "B": 8}, 10, seed=4)
    state = run(network, kernel, lattice, initial, n_steps=50).state
    numbers = np.stack([(state == i + 1).sum(axis=2) for i in range(3)])
    assert len(network.conserved_quantities) == 2
    conserved = np.tensordot(network.conserved_quantities, numbers, axes=1)
    np.testing.assert_array_equal(conserved, conserved[:, :, :1] + np.zeros_like(conserved))
    assert np.ptp(numbers[0]) > 0


@pytest.mark.parametrize("kernel", [CollisionKernel(dt=0.1), ContinuousTimeKernel(3.0, 0.1)])
def test_decay_is_exponential(kernel):
    network = ReactionNetwork.parse("A -> 0 ; k = 0.7")
    lattice = Lattice((100,))
    initial = np.ones((2000, 100), dtype=np.uint8)
    trajectories = run(network, kernel, lattice, initial, n_steps=30)
    survival = np.exp(-0.7 * trajectories.times[1:])
    # 200 000 independent particles; 4.5 standard errors at 30 times fail with probability 2e-4.
    error = np.sqrt(survival * (1 - survival) / initial.size)
    mean = trajectories.moments[:, 1:, 0].mean(axis=0)
    assert np.all(np.abs(mean - survival) < 4.5 * error)


@pytest.mark.parametrize("shape", [(101,), (41, 41), (31, 31, 31)])
@pytest.mark.parametrize(
    ("kernel", "hops_per_step"),
    [
        (CollisionKernel(), lambda dim: 1.0),
        (ContinuousTimeKernel(10.0, 0.1), lambda dim: 2.0 * dim),
    ],
    ids=["collision", "continuous time"],
)
def test_one_particle_diffuses(shape, kernel, hops_per_step):
    lattice = Lattice(shape, "closed")
    centre = np.ravel_multi_index(tuple(n // 2 for n in shape), shape)
    initial = np.zeros((400, lattice.n_sites), dtype=np.uint8)
    initial[:, centre] = 1
    # Twelve steps; the edge is at least 15 sites away, out of reach in practice for 2 hops a step
    # and axis.
    n_steps = 12 if isinstance(kernel, CollisionKernel) else 4
    state = run(STILL, kernel, lattice, initial, n_steps=n_steps).state
    places = np.stack(np.unravel_index(state[:, -1].argmax(axis=1), shape))
    squares = ((places - np.array(shape)[:, None] // 2) ** 2).sum(axis=0)
    expected = n_steps * hops_per_step(lattice.dim)
    # Four standard errors of the mean of 400 independent squares: failure probability 6e-5 each.
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(squares.size)


@pytest.mark.parametrize("kernel", [CollisionKernel(), ContinuousTimeKernel(50.0)])
def test_full_lattice_without_reactions_stays_put(kernel):
    initial = np.ones((2, 64), dtype=np.uint8)
    state = run(STILL, kernel, Lattice((4, 4, 4)), initial).state
    assert np.all(state == 1)


@pytest.mark.parametrize("kernel", [CollisionKernel(), ContinuousTimeKernel(50.0)])
def test_branching_into_a_full_lattice_does_nothing(kernel):
    network = ReactionNetwork.parse("A -> A + A ; k = 500")
    initial = np.ones((2, 30), dtype=np.uint8)
    state = run(network, kernel, Lattice((5, 6)), initial).state
    assert np.all(state == 1)


@pytest.mark.parametrize("kernel", [CollisionKernel(), ContinuousTimeKernel(50.0)])
def test_empty_lattice_stays_empty(kernel):
    state = run(STILL, kernel, Lattice((8,)), np.zeros((2, 8), dtype=np.uint8)).state
    assert not np.any(state)


@pytest.mark.parametrize("kernel", [CollisionKernel(dt=1.0), ContinuousTimeKernel(0.0, 1.0)])
def test_empty_lattice_fills_by_creation(kernel):
    network = ReactionNetwork.parse("0 -> A ; k = 0.5")
    initial = np.zeros((3000, 100), dtype=np.uint8)
    trajectories = run(network, kernel, Lattice((10, 10), "closed"), initial, n_steps=4)
    filled = 1 - np.exp(-0.5 * trajectories.times[1:])
    # 300 000 independent sites; 4.5 standard errors at 4 times fail with probability 3e-5.
    error = np.sqrt(filled * (1 - filled) / initial.size)
    assert np.all(np.abs(trajectories.moments[:, 1:, 0].mean(axis=0) - filled) < 4.5 * error)


@pytest.mark.parametrize(
    ("text", "kernel", "message"),
    [
        ("A + A -> 0 ; k = 1", CollisionKernel(), r"`A \+ A -> 0 ; k = 1` has a rate k"),
        (
            "A + A -> 0 ; p = 0.5",
            ContinuousTimeKernel(1.0),
            r"`A \+ A -> 0 ; p = 0.5` has a probability p",
        ),
        ("A -> B ; k = 1", ContinuousTimeKernel({"A": 1.0}), "must name each species once"),
    ],
)
def test_kernel_must_fit_the_network(text, kernel, message):
    with pytest.raises(ValueError, match=message):
        run(ReactionNetwork.parse(text), kernel, Lattice((8,)), np.zeros((1, 8), dtype=np.uint8))


def test_terms_must_name_species_of_the_network():
    with pytest.raises(ValueError, match=r"simulate: `moments` must .* names the species 'Z'"):
        run(
            STILL,
            CollisionKernel(),
            Lattice((8,)),
            np.zeros((1, 8), dtype=np.uint8),
            moments=neighbour_moments(("Z",), 1),
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CollisionKernel(dt=0.0), "`dt` must be positive and finite, got 0.0"),
        (lambda: ContinuousTimeKernel(1.0, interval=np.inf), "`interval` must be positive"),
        (lambda: ContinuousTimeKernel(-1.0), "`hop_rate` must be finite and not negative"),
        (lambda: ContinuousTimeKernel({"A": np.nan}), "`hop_rate` must be finite"),
    ],
)
def test_kernels_reject_bad_values(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_negative_counts_are_rejected():
    initial = np.zeros((1, 8), dtype=np.uint8)
    with pytest.raises(ValueError, match="`n_steps` must not be negative, got -1"):
        run(STILL, CollisionKernel(), Lattice((8,)), initial, n_steps=-1)
    with pytest.raises(ValueError, match="must not be negative, got 1 and -1"):
        run(STILL, CollisionKernel(), Lattice((8,)), initial, first_replica=-1)
