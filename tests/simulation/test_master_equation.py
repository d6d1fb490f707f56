"""The exact master equation against closed forms, hand computation and explicit enumeration."""

import math
from collections import defaultdict

import numpy as np
import pytest
import scipy.linalg

from dynboltz.lattices import Factor, Lattice, Term, TermCounter, run_term
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation._master_equation import (
    collision_step,
    continuous_time_generator,
    enumerate_states,
    evolve,
)

# Sums of at most a few thousand float64 terms of size 1: rounding only.
ROUNDING = 1e-12

INERT = ReactionNetwork.parse("A + A -> 0 ; p = 0")
INERT_IN_TIME = ReactionNetwork.parse("A + A -> 0 ; k = 0")
LOCAL = (
    "0 -> A ; k = 0.3\n0 -> B + A ; k = 0.2\nA -> A + B ; k = 2\nB -> C ; k = 1\nC -> 0 ; k = 3\n"
)
COLLISIONS = ReactionNetwork.parse(
    LOCAL
    + "A + A -> A ; p = 0.3\nA + B -> C + B ; p = 0.5\nB + A -> 0 ; p = 0.2\nC + C -> A + B ; p = 1"
)
RATES = ReactionNetwork.parse(
    LOCAL
    + "A + A -> A ; k = 0.3\nA + B -> C + B ; k = 5\nB + A -> 0 ; k = 2\nC + C -> A + B ; k = 1"
)
LATTICES = [Lattice((4,), "closed"), Lattice((2, 2), "periodic"), Lattice((1, 3), "closed")]


def index(state, n_species=1):
    return int(np.ravel_multi_index(tuple(state), (n_species + 1,) * len(state)))


def point(state, n_species=1):
    """The distribution that is certain of one state."""
    p = np.zeros((n_species + 1) ** len(state))
    p[index(state, n_species)] = 1.0
    return p


def assert_distribution(p, expected, n_species=1):
    """`expected` maps states to their probabilities; all others have none."""
    full = np.zeros_like(p)
    for state, probability in expected.items():
        full[index(state, n_species)] += probability
    np.testing.assert_allclose(p, full, rtol=0, atol=ROUNDING)


def random_distribution(n_states, seed=0):
    p = np.random.default_rng(seed).random(n_states)
    return p / p.sum()


def test_states_are_numbered_with_site_0_first():
    states = enumerate_states(Lattice((3,)), 2)
    assert states.dtype == np.uint8
    assert states.shape == (27, 3)
    np.testing.assert_array_equal(
        states[[0, 1, 3, 11, 26]], [[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 2], [2, 2, 2]]
    )


@pytest.mark.parametrize("lattice", LATTICES)
def test_collision_step_conserves_probability(lattice):
    step = collision_step(COLLISIONS, lattice, 0.1)
    p = step.apply(random_distribution(4**lattice.n_sites))
    assert np.all(p >= 0)
    assert p.sum() == pytest.approx(1, abs=ROUNDING)


@pytest.mark.parametrize("lattice", LATTICES)
def test_generator_conserves_probability(lattice):
    generator = continuous_time_generator(RATES, lattice, {"A": 1.0, "B": 0.5, "C": 0.0}).toarray()
    np.testing.assert_allclose(generator.sum(axis=0), 0, atol=ROUNDING)
    assert np.all(generator - np.diag(np.diag(generator)) >= 0)


def test_evolution_matches_dense_matrix_exponential():
    generator = continuous_time_generator(RATES, Lattice((3,), "closed"), 4.0)
    p0 = random_distribution(64)
    times = np.array([0.0, 0.01, 0.01, 1.0, 20.0])
    p = evolve(p0, generator, times)
    dense = [scipy.linalg.expm(generator.toarray() * t) @ p0 for t in times]
    # Scaling and squaring loses a few digits over the 20 * 30 = 600 mean jumps.
    np.testing.assert_allclose(p, dense, rtol=0, atol=1e-11)


# --- Random walks -----------------------------------------------------------------------------


def test_collision_walk_on_a_ring_is_binomial():
    ring, n_steps = Lattice((7,)), 9
    step, p = collision_step(INERT, ring, 0.1), point((1, 0, 0, 0, 0, 0, 0))
    for _ in range(n_steps):
        p = step.apply(p)
    expected = defaultdict(float)
    for ups in range(n_steps + 1):
        place = (2 * ups - n_steps) % 7
        expected[tuple(int(i == place) for i in range(7))] += math.comb(n_steps, ups) / 2**n_steps
    assert_distribution(p, expected)


def test_collision_walk_turns_back_at_a_closed_edge():
    p = collision_step(INERT, Lattice((3,), "closed"), 0.1).apply(point((1, 0, 0)))
    assert_distribution(p, {(0, 1, 0): 1.0})


def test_lone_site_has_nowhere_to_hop():
    p = collision_step(INERT, Lattice((1,), "closed"), 0.1).apply(point((1,)))
    assert_distribution(p, {(1,): 1.0})


def test_continuous_walk_on_a_ring_matches_its_fourier_modes():
    n, rate, time = 6, 0.7, 0.9
    generator = continuous_time_generator(INERT_IN_TIME, Lattice((n,)), rate)
    p = evolve(point((1, 0, 0, 0, 0, 0)), generator, np.array([time]))[0]
    wave = 2 * np.pi * np.arange(n) / n
    decay = np.exp(-2 * rate * (1 - np.cos(wave)) * time)
    chances = [np.mean(np.cos(wave * x) * decay) for x in range(n)]
    assert_distribution(p, {tuple(int(i == x) for i in range(n)): chances[x] for x in range(n)})


def test_doubled_bond_counts_twice():
    generator = continuous_time_generator(INERT_IN_TIME, Lattice((2,)), 0.7)
    p = evolve(point((1, 0)), generator, np.array([0.4]))[0]
    moved = (1 - math.exp(-2 * (2 * 0.7) * 0.4)) / 2
    assert_distribution(p, {(0, 1): moved, (1, 0): 1 - moved})


def test_exclusion_process_has_a_symmetric_generator():
    generator = continuous_time_generator(INERT_IN_TIME, Lattice((2, 3), "closed"), 1.3)
    assert abs(generator - generator.T).max() == 0


# --- Collisions by hand -----------------------------------------------------------------------


def test_pair_on_two_sites_collides_twice_a_step():
    annihilation = ReactionNetwork.parse("A + A -> 0 ; p = 0.3")
    p = collision_step(annihilation, Lattice((2,), "closed"), 0.1).apply(point((1, 1)))
    assert_distribution(p, {(1, 1): 0.7**2, (0, 0): 1 - 0.7**2})


def test_distant_pair_on_three_sites_by_hand():
    annihilation = ReactionNetwork.parse("A + A -> 0 ; p = 0.3")
    p = collision_step(annihilation, Lattice((3,), "closed"), 0.1).apply(point((1, 0, 1)))
    # The first takes the middle; the second meets it there although it has moved already.
    assert_distribution(p, {(0, 0, 0): 0.3, (0, 1, 1): 0.35, (1, 1, 0): 0.35})


def test_neighbouring_pair_on_three_sites_by_hand():
    fires, fails = 0.3, 0.7
    annihilation = ReactionNetwork.parse("A + A -> 0 ; p = 0.3")
    p = collision_step(annihilation, Lattice((3,), "closed"), 0.1).apply(point((1, 1, 0)))
    edge_first = {
        (0, 0, 0): fires + fails * fires / 2,
        (1, 1, 0): fails * fails / 2,
        (1, 0, 1): fails / 2,
    }
    middle_first = {
        (0, 0, 0): fires / 2 + fails * fires / 2,
        (1, 1, 0): fails * fails / 2,
        (0, 1, 1): 1 / 2,
    }
    expected = defaultdict(float)
    for outcome in (edge_first, middle_first):
        for state, probability in outcome.items():
            expected[state] += probability / 2
    assert_distribution(p, expected)


def test_first_product_takes_the_target_site():
    network = ReactionNetwork.parse("A + B -> C + D ; p = 1")
    p = collision_step(network, Lattice((2,), "closed"), 0.1).apply(point((1, 2), 4))
    assert_distribution(p, {(4, 3): 0.5, (3, 4): 0.5}, 4)


def test_products_do_not_move_again():
    network = ReactionNetwork.parse("A + A -> B ; p = 1")
    p = collision_step(network, Lattice((3,), "closed"), 0.1).apply(point((0, 1, 1), 2))
    # Edge first: B in the middle. Middle first: B at the edge, or to site 0 and the edge follows.
    assert_distribution(p, {(0, 2, 0): 0.5, (0, 0, 2): 0.25, (1, 1, 0): 0.25}, 2)


def explicit_hop_phase(network, lattice, state):
    """Distribution after the hop phase, by recursion over orders and directions.

    Particles carry identities, so that no flag on a site is needed.
    """
    directions = [[int(j) for j in row if j >= 0] for row in lattice.neighbours()]
    names = (None, *network.species)
    result = defaultdict(float)

    def visit(sites, kinds, waiting, probability):
        """`sites` and `kinds` map the identity of each living particle to its place and species."""
        waiting = [i for i in waiting if i in sites]
        if not waiting:
            final = [0] * lattice.n_sites
            for i, site in sites.items():
                final[site] = names.index(kinds[i])
            result[tuple(final)] += probability
            return
        for i in waiting:
            rest = [j for j in waiting if j != i]
            targets = directions[sites[i]]
            for target in targets:
                attempt(sites, kinds, rest, i, target, probability / len(waiting) / len(targets))

    def attempt(sites, kinds, rest, i, target, probability):
        met = [j for j, site in sites.items() if site == target]
        if not met:
            visit(sites | {i: target}, kinds, rest, probability)
            return
        remaining = 1.0
        for reaction in network.reactions:
            if sorted(reaction.reactants) == sorted((kinds[i], kinds[met[0]])):
                remaining -= reaction.probability
                places = dict(sites)
                origin = places.pop(i)
                places.pop(met[0])
                fresh = [max(kinds) + 1, max(kinds) + 2][: len(reaction.products)]
                places |= dict(zip(fresh, (target, origin), strict=False))
                born = kinds | dict(zip(fresh, reaction.products, strict=True))
                visit(places, born, rest, probability * reaction.probability)
        visit(sites, kinds, rest, probability * remaining)

    sites = dict(enumerate(np.flatnonzero(state).tolist()))
    kinds = {i: names[state[site]] for i, site in sites.items()}
    visit(sites, kinds, list(sites), 1.0)
    return result


@pytest.mark.parametrize("lattice", [*LATTICES, Lattice((4,))])
def test_hop_phase_matches_explicit_orders(lattice):
    step = collision_step(COLLISIONS, lattice, 0.0)
    states = enumerate_states(lattice, 3)
    full = states[np.all(states > 0, axis=1)]
    rng = np.random.default_rng(1)
    for state in (*rng.choice(states, 6), *rng.choice(full, 2)):
        assert_distribution(
            step.apply(point(state, 3)), explicit_hop_phase(COLLISIONS, lattice, state), 3
        )


# --- Reactions of single particles --------------------------------------------------------------


def number_distribution(p, lattice):
    return np.bincount(np.sum(enumerate_states(lattice, 1), axis=1, dtype=np.int64), weights=p)


@pytest.mark.parametrize("kernel", ["collision", "continuous-time"])
def test_decay_is_binomial(kernel):
    lattice, rate, time = Lattice((5,), "closed"), 0.8, 0.6
    p0 = point((1, 1, 1, 1, 1))
    if kernel == "collision":
        p = collision_step(ReactionNetwork.parse("A -> 0 ; k = 0.8"), lattice, time).apply(p0)
    else:
        network = ReactionNetwork.parse("A -> 0 ; k = 0.8")
        p = evolve(p0, continuous_time_generator(network, lattice, 2.0), np.array([time]))[0]
    alive = math.exp(-rate * time)
    binomial = [math.comb(5, n) * alive**n * (1 - alive) ** (5 - n) for n in range(6)]
    np.testing.assert_allclose(number_distribution(p, lattice), binomial, atol=ROUNDING)


def test_birth_fills_empty_sites_independently():
    lattice, filled = Lattice((4,), "closed"), 1 - math.exp(-0.5 * 0.7)
    network = ReactionNetwork.parse("0 -> A ; k = 0.5")
    p = evolve(
        point((0, 0, 0, 0)), continuous_time_generator(network, lattice, 0.0), np.array([0.7])
    )[0]
    states = enumerate_states(lattice, 1)
    expected = np.prod(np.where(states == 1, filled, 1 - filled), axis=1)
    np.testing.assert_allclose(p, expected, atol=ROUNDING)


def test_offspring_goes_to_each_empty_neighbour_alike():
    network = ReactionNetwork.parse("A -> B + C ; k = 2")
    generator = continuous_time_generator(network, Lattice((3,), "closed"), 0.0)
    p = evolve(point((0, 1, 0), 3), generator, np.array([0.3]))[0]
    stays = math.exp(-2 * 0.3)
    halves = (1 - stays) / 2
    assert_distribution(p, {(0, 1, 0): stays, (3, 2, 0): halves, (0, 2, 3): halves}, 3)


def test_offspring_takes_the_only_empty_neighbour_at_the_full_rate():
    network = ReactionNetwork.parse("A -> A + B ; k = 2")
    generator = continuous_time_generator(network, Lattice((3,), "closed"), 0.0)
    assert_distribution(generator @ point((0, 1, 2), 2), {(0, 1, 2): -2.0, (2, 1, 2): 2.0}, 2)


def test_offspring_needs_an_empty_neighbour():
    network = ReactionNetwork.parse("A -> A + A ; k = 2")
    lattice = Lattice((2, 3))
    full = point((1,) * 6)
    np.testing.assert_allclose(
        collision_step(network, lattice, 1.0).apply(full), full, atol=ROUNDING
    )
    assert not np.any(continuous_time_generator(network, lattice, 1.0) @ full)


def test_blocked_birth_of_a_pair_by_hand():
    network = ReactionNetwork.parse("0 -> A + B ; k = 2")
    rates = continuous_time_generator(network, Lattice((3,), "closed"), 0.0) @ point((0, 0, 0), 2)
    # Each empty site at rate 2; the middle one has two places for its B.
    expected = {(0, 0, 0): -6.0, (1, 2, 0): 2.0, (2, 1, 0): 1.0, (0, 1, 2): 1.0, (0, 2, 1): 2.0}
    assert_distribution(rates, expected, 2)


def test_products_of_a_pair_take_its_sites_in_random_order():
    network = ReactionNetwork.parse("A + B -> C ; k = 3\nB + A -> C + D ; k = 5")
    rates = continuous_time_generator(network, Lattice((2,), "closed"), 9.0) @ point((1, 2), 4)
    expected = {(1, 2): -8.0, (3, 0): 1.5, (0, 3): 1.5, (3, 4): 2.5, (4, 3): 2.5}
    assert_distribution(rates, expected, 4)


# --- Moment equations, symmetries, conservation -------------------------------------------------


def test_annihilation_obeys_its_moment_equations():
    """Ernst et al. (2019), eq. (36), the pair term of the second line with its sign corrected."""
    lattice, k, hop = Lattice((8,)), 1.7, 0.6
    generator = continuous_time_generator(
        ReactionNetwork.parse("A + A -> 0 ; k = 1.7"), lattice, hop
    )
    second_neighbours = Term("A.0.A", ((Factor("A", (0,)), Factor("A", (2,))),))
    terms = [run_term("", ("A",) * order, 1) for order in (1, 2, 3)] + [second_neighbours]
    counts = TermCounter(lattice, [["A"]], terms).count(enumerate_states(lattice, 1)[None])
    p = random_distribution(256)
    slopes = counts.T @ (generator @ p)
    _, pairs, triples, spaced_pairs = counts.T @ p
    assert slopes[0] == pytest.approx(-2 * k * pairs, abs=ROUNDING)
    expected = 2 * hop * spaced_pairs - 2 * k * triples - (k + 2 * hop) * pairs
    assert slopes[1] == pytest.approx(expected, abs=ROUNDING)


def evolutions(lattice):
    """Both kernels as functions of a distribution."""
    yield collision_step(COLLISIONS, lattice, 0.2).apply
    generator = continuous_time_generator(RATES, lattice, {"A": 1.0, "B": 0.5, "C": 0.1})
    yield lambda p: evolve(p, generator, np.array([0.2]))[0]


@pytest.mark.parametrize(
    ("lattice", "moved_sites"),
    [
        (Lattice((4,)), [1, 2, 3, 0]),
        (Lattice((4,), "closed"), [3, 2, 1, 0]),
        (Lattice((2, 2), "closed"), [0, 2, 1, 3]),
    ],
)
def test_evolution_commutes_with_the_symmetries_of_the_lattice(lattice, moved_sites):
    states = enumerate_states(lattice, 3)
    image = np.ravel_multi_index(tuple(states[:, moved_sites].T), (4,) * lattice.n_sites)
    p = random_distribution(len(states))
    for evolution in evolutions(lattice):
        np.testing.assert_allclose(evolution(p)[image], evolution(p[image]), atol=ROUNDING)


@pytest.mark.parametrize("kernel", ["collision", "continuous-time"])
def test_conserved_quantities_keep_their_distribution(kernel):
    lattice = Lattice((2, 2))
    text = "A + B -> C ; {0} = 0.4\nC -> A + B ; k = 2"
    network = ReactionNetwork.parse(text.format("p" if kernel == "collision" else "k"))
    if kernel == "collision":
        evolution = collision_step(network, lattice, 0.3).apply
    else:
        generator = continuous_time_generator(network, lattice, 1.0)

        def evolution(p):
            return evolve(p, generator, np.array([0.3]))[0]

    states = enumerate_states(lattice, 3)
    numbers = np.stack([np.sum(states == value, axis=1) for value in (1, 2, 3)])
    p = random_distribution(len(states))
    assert not np.allclose(evolution(p), p)
    for quantity in network.conserved_quantities @ numbers:
        np.testing.assert_allclose(
            np.bincount(quantity, weights=evolution(p)),
            np.bincount(quantity, weights=p),
            atol=ROUNDING,
        )


# --- Size and errors ----------------------------------------------------------------------------


def test_three_species_on_six_sites_are_feasible():
    lattice = Lattice((2, 3))
    step = collision_step(COLLISIONS, lattice, 0.1)
    assert step.end.size == 7**6
    assert step.apply(point((1, 2, 3, 0, 1, 2), 3)).sum() == pytest.approx(1, abs=ROUNDING)


GENERATOR = continuous_time_generator(INERT_IN_TIME, Lattice((2,)), 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: enumerate_states(Lattice((1000,)), 3), r"4\^1000, about 10\^602.1, states"),
        (lambda: enumerate_states(Lattice((2,)), 0), "at least 1, got 0"),
        (lambda: enumerate_states(Lattice((2,)), 256), "257 values a site"),
        (lambda: collision_step(COLLISIONS, Lattice((8,)), 0.1), r"7\^8, about .* the limit is"),
        (lambda: collision_step(RATES, Lattice((2,)), 0.1), r"A \+ A -> A ; k = 0.3 has a rate"),
        (lambda: collision_step(COLLISIONS, Lattice((2,)), -1.0), "`dt` must be finite and not"),
        (lambda: continuous_time_generator(COLLISIONS, Lattice((2,)), 1.0), "has a probability"),
        (lambda: continuous_time_generator(RATES, Lattice((2,)), -1.0), "got -1.0 for species A"),
        (lambda: continuous_time_generator(RATES, Lattice((2,)), {"A": 1.0}), "got rates for A"),
        (lambda: evolve(np.ones(3), GENERATOR, np.array([1.0])), r"shape \(4,\)"),
        (lambda: evolve(np.ones(4), GENERATOR, np.array([2.0, 1.0])), "in order"),
        (lambda: evolve(np.ones(4), GENERATOR, np.array([-1.0])), "not negative"),
        (lambda: collision_step(INERT, Lattice((2,)), 1.0).apply(np.ones(3)), r"got \(3,\)"),
        (lambda: evolve(np.array([1, np.nan, 0, 0]), GENERATOR, np.ones(1)), "`p0` .* state 1"),
        (
            lambda: (s := collision_step(INERT, Lattice((2,)), 1.0)).apply(
                np.full(len(s.begin), np.inf)
            ),
            "CollisionStep.apply: `p` must be finite, got inf at state 0",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
