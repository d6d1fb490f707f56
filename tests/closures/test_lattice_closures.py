"""Lattice closures against closed forms, exact generators and equations coded by hand."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from dynboltz.closures import lattice_closure, mean_field, mean_field_moments
from dynboltz.lattices import (
    Factor,
    Lattice,
    Term,
    neighbour_moments,
    parse_pattern,
    pattern_term,
)
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import continuous_time_generator, enumerate_states, evolve

# Both solvers have a relative tolerance of 1e-10 a step.
SOLVER = 1e-8
EXACT = 1e-10

KINDS = ("mean-field", "pair", "kirkwood")
RING = Lattice((50,))
ANNIHILATION = ReactionNetwork.parse("A + A -> 0 ; k = 0.7")
MEETING = ReactionNetwork.parse("A + B -> 0 ; k = 1.3\nA -> B ; k = 0.4\n0 -> A ; k = 0.2")
ROOM = ReactionNetwork.parse(
    """
    0 -> A ; k = 0.3
    0 -> B + A ; k = 0.2
    A -> A + B ; k = 2
    B -> 0 ; k = 1
    A + B -> B ; k = 5
    B + B -> A + B ; k = 1
    """
)
HOPS = {"A": 0.6, "B": 1.9}


def independent(closure, densities):
    """Followed moments if sites are independent."""
    return np.array([[np.prod([densities[s] for s in m.species]) for m in closure.moments]])


def clusters(n_sites):
    return pattern_term("cluster", [parse_pattern(" ".join(f"A({i})" for i in range(n_sites)))])


def test_pairs_are_exact_for_annihilation_without_hops():
    """Runs of n sites stay full with p^n exp(-(n-1)kt) exp(-2p(1-exp(-kt)))."""
    closure = lattice_closure(ANNIHILATION, RING, "pair", hop_rate=0.0)
    times, p = np.linspace(0, 6, 13), 0.8
    prediction = closure.predict(independent(closure, {"A": p}), times)
    alone = np.exp(-0.7 * times)
    shielded = np.exp(-2 * p * (1 - alone))
    terms = [clusters(n) for n in (1, 2, 3, 5)]
    found = closure.predict_terms(prediction.values, terms)[0]
    for column, n in enumerate((1, 2, 3, 5)):
        exact = p**n * alone ** (n - 1) * shielded
        np.testing.assert_allclose(found[:, column], exact, rtol=SOLVER, atol=1e-11)


def test_the_pair_closure_of_annihilation_by_hand():
    """Eq. (36) of Ernst et al. (2019), with a Markov chain in place of what is open."""
    rate, hop_rate = 0.7, 1.1

    def velocity(_, y):
        density, pair = y
        two_apart = pair**2 / density + (density - pair) ** 2 / (1 - density)
        triplet = pair**2 / density
        return [
            -2 * rate * pair,
            -(2 * hop_rate + rate) * pair + 2 * hop_rate * two_apart - 2 * rate * triplet,
        ]

    times = np.linspace(0, 20, 9)
    by_hand = solve_ivp(velocity, (0, 20), [0.6, 0.3], "LSODA", times, rtol=1e-11, atol=1e-14)
    closure = lattice_closure(ANNIHILATION, RING, "pair", hop_rate=hop_rate)
    prediction = closure.predict(np.array([[0.6, 0.3]]), times)
    np.testing.assert_allclose(prediction.values[0], by_hand.y.T, rtol=SOLVER, atol=1e-11)


def chain_of_states(pairs, velocity):
    """Velocity of neighbouring pairs of a Markov chain, by the flow of four sites."""
    singles = pairs.sum(axis=1)
    steps = pairs / singles[:, None]
    four = np.einsum("ab,bc,cd->abcd", pairs, steps, steps)
    return velocity(four)


def test_the_pair_closure_of_two_species_by_a_chain_with_empty_sites():
    """All transitions of four sites in a row, empty sites being states like others."""
    bond = np.zeros((3, 3, 3, 3))  # before, then after; 0 is empty
    for species, rate in ((1, 0.6), (2, 1.9)):
        bond[species, 0, 0, species] = bond[0, species, species, 0] = rate
    bond[1, 2, 0, 0] = bond[2, 1, 0, 0] = 1.3
    site = np.zeros((3, 3))
    site[1, 2], site[0, 1] = 0.4, 0.2
    for a in range(3):
        site[a, a] -= site[a].sum()
        for b in range(3):
            bond[a, b, a, b] -= bond[a, b].sum()

    def flow(four):
        by_bonds = np.einsum("abcd,abef->fc", four, bond)
        by_bonds += np.einsum("abcd,bcef->ef", four, bond)
        by_bonds += np.einsum("abcd,cdef->be", four, bond)
        pairs = four.sum(axis=(0, 3))
        return by_bonds + site.T @ pairs + pairs @ site

    def velocity(_, y):
        return chain_of_states(y.reshape(3, 3), flow).ravel()

    start = np.outer([0.3, 0.5, 0.2], [0.3, 0.5, 0.2])
    start += 0.03 * np.array([[1, -1, 0], [-1, 2, -1], [0, -1, 1]])
    times = np.linspace(0, 4, 5)
    by_hand = solve_ivp(velocity, (0, 4), start.ravel(), "LSODA", times, rtol=1e-11, atol=1e-14)
    pairs = by_hand.y.T.reshape(-1, 3, 3)
    closure = lattice_closure(MEETING, RING, "pair", hop_rate=HOPS)
    columns = [pairs[:, 1].sum(axis=1), pairs[:, 2].sum(axis=1)]
    columns += [pairs[:, 1, 1], pairs[:, 1, 2], pairs[:, 2, 2]]
    assert closure.names == ("A(0)", "B(0)", "A(0) A(1)", "A(0) B(1)", "B(0) B(1)")
    wanted = np.stack(columns, axis=1)
    prediction = closure.predict(wanted[:1], times)
    np.testing.assert_allclose(prediction.values[0], wanted, rtol=SOLVER, atol=1e-10)


@pytest.mark.parametrize("shape", [(5,), (40,), (2, 3), (20, 30), (3, 3, 3)])
def test_mean_field_is_the_mean_field(shape):
    lattice = Lattice(shape)
    network = ROOM if len(shape) < 3 else ReactionNetwork.parse("A -> A + A ; k = 1\nA -> 0 ; k=1")
    times, start = np.linspace(0, 2, 6), np.array([0.2, 0.3])[: len(network.species)]
    closure = lattice_closure(network, lattice, "mean-field", hop_rate=0.7)
    prediction = closure.predict(start[None], times)
    wanted = mean_field(network, lattice, start, times, kernel="continuous-time")
    np.testing.assert_allclose(prediction.values[0], wanted, rtol=SOLVER, atol=1e-10)
    terms = neighbour_moments(network.species, lattice.dim, 2)
    np.testing.assert_allclose(
        closure.predict_terms(prediction.values[0], terms),
        mean_field_moments(prediction.values[0], terms, lattice, network.species),
        rtol=EXACT,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_independent_sites_move_as_the_generator_says(kind, shape):
    """All closures are exact at a product state, whatever the reactions."""
    lattice = Lattice(shape)
    densities = {"A": 0.35, "B": 0.25}
    closure = lattice_closure(ROOM, lattice, kind, hop_rate=HOPS)
    states = enumerate_states(lattice, 2)
    chances = np.array([0.4, 0.35, 0.25])[states].prod(axis=1)
    exact = continuous_time_generator(ROOM, lattice, HOPS) @ chances
    derived = closure.velocity(independent(closure, densities)[0])
    np.testing.assert_allclose(derived, exact @ closure.estimate_initial(states), atol=EXACT)


def test_pure_diffusion_of_one_species_is_exact_with_all_pairs():
    """From random weights of the states of a ring, translations and reflections averaged."""
    network, lattice = ReactionNetwork.parse("A + A -> 0 ; k = 0"), Lattice((6,))
    closure = lattice_closure(network, lattice, "kirkwood", hop_rate=0.8)
    assert closure.names == ("A(0)", "A(0) A(1)", "A(0) A(2)", "A(0) A(3)")
    states = enumerate_states(lattice, 1)
    weights = np.random.default_rng(3).dirichlet(np.ones(len(states)))
    times = np.array([0.0, 0.2, 1.0, 5.0])
    course = evolve(weights, continuous_time_generator(network, lattice, 0.8), times)
    exact = course @ closure.estimate_initial(states)
    prediction = closure.predict(exact[:1], times)
    np.testing.assert_allclose(prediction.values[0], exact, rtol=SOLVER)


@pytest.mark.parametrize("kind", KINDS)
def test_hops_alone_conserve_particles(kind):
    network = ReactionNetwork.parse("A + B -> 0 ; k = 0")
    closure = lattice_closure(network, Lattice((8, 8)), kind, hop_rate=HOPS)
    initial = independent(closure, {"A": 0.3, "B": 0.2})
    initial[:, 2:] *= 0.9
    values = closure.predict(initial, np.linspace(0, 5, 4)).values[0]
    np.testing.assert_allclose(values[:, :2], [[0.3, 0.2]] * 4, rtol=SOLVER)


def test_kirkwood_is_better_than_pairs_and_pairs_than_mean_field():
    """Annihilation with slow hops on a ring, beside its master equation."""
    lattice = Lattice((12,))
    states = enumerate_states(lattice, 1)
    chances = np.where(states > 0, 0.8, 0.2).prod(axis=1)
    generator = continuous_time_generator(ANNIHILATION, lattice, 0.5)
    times = np.array([0.0, 4.0])
    exact = evolve(chances, generator, times)[-1] @ (states > 0).mean(axis=1)
    errors = []
    for kind in KINDS:
        closure = lattice_closure(ANNIHILATION, lattice, kind, hop_rate=0.5)
        values = closure.predict(independent(closure, {"A": 0.8}), times).values
        errors.append(abs(values[0, -1, 0] / exact - 1))
    assert 0.12 < errors[0] < 0.16
    assert 0.02 < errors[1] < 0.04
    assert errors[2] < 0.01


def test_moments_of_a_chain_from_its_pairs():
    """A term that is seen twice a site, one at a distance, one of two species, one at a site."""
    closure = lattice_closure(MEETING, RING, "pair", hop_rate=HOPS)
    a, b, aa, ab, bb = 0.3, 0.2, 0.12, 0.05, 0.06
    e, ae, be = 1 - a - b, a - aa - ab, b - ab - bb
    near, apart = pattern_term("x", [parse_pattern("A(0) A(1) B(2)")]), "A(0) B(2)"
    terms = [
        *neighbour_moments(("A", "B"), 1, 4),
        near,
        pattern_term("y", [parse_pattern(apart)]),
        Term("z", ((Factor("A", (0,)), Factor("A", (1,))),), at=(7,)),
    ]
    found = closure.predict_terms(np.array([a, b, aa, ab, bb]), terms)
    two_apart = aa * ab / a + ab * bb / b + ae * be / e
    wanted = [a, b, aa, 2 * ab, bb, aa**2 / a, bb**2 / b, aa**3 / a**2, bb**3 / b**2]
    wanted += [aa * ab / a, two_apart, aa / 50]
    np.testing.assert_allclose(found, wanted, rtol=EXACT)


def test_triplets_on_a_plane():
    values = {"A(0,0)": 0.4, "A(0,0) A(0,1)": 0.21, "A(0,0) A(0,2)": 0.18, "A(0,0) A(1,1)": 0.17}
    corner = pattern_term("corner", [parse_pattern("A(0,0) A(0,1) A(1,0)")])
    row = pattern_term("row", [parse_pattern("A(0,0) A(0,1) A(0,2)")])
    square = pattern_term("square", [parse_pattern("A(0,0) A(0,1) A(1,0) A(1,1)")])
    for kind in ("pair", "kirkwood"):
        options = {"reach": 2} if kind == "kirkwood" else {}
        closure = lattice_closure(ANNIHILATION, Lattice((30, 30)), kind, hop_rate=1.0, **options)
        given = np.array([values[name] for name in closure.names])
        found = closure.predict_terms(given, [corner, row, square])
        if kind == "pair":
            wanted = [0.21**2 / 0.4, 0.21**2 / 0.4, 0.21**3 / 0.4**2]
        else:
            wanted = [0.21**2 * 0.17 / 0.4**3, 0.21**2 * 0.18 / 0.4**3]
            wanted.append(0.21**4 * 0.17**2 / 0.4**8)
        np.testing.assert_allclose(found, wanted, rtol=EXACT)


def test_axes_of_different_length_have_pairs_of_their_own():
    closure = lattice_closure(ANNIHILATION, Lattice((3, 6)), "pair", hop_rate=1.0)
    assert closure.names == ("A(0,0)", "A(0,0) A(0,1)", "A(0,0) A(1,0)")
    corner = pattern_term("corner", [parse_pattern("A(0,0) A(0,1) A(1,0)")])
    found = closure.predict_terms(np.array([0.4, 0.21, 0.18]), [corner])
    np.testing.assert_allclose(found, [0.21 * 0.18 / 0.4], rtol=EXACT)


def test_initial_moments_of_states():
    closure = lattice_closure(MEETING, Lattice((8,)), "pair", hop_rate=HOPS)
    states = np.array([[1, 1, 2, 0, 0, 2, 1, 0]], dtype=np.uint8)
    # Pairs A B are counted in both orders, over the two directions of each of the 8 bonds.
    np.testing.assert_allclose(
        closure.estimate_initial(states)[0], [3 / 8, 2 / 8, 1 / 8, 2 / 16, 0], rtol=EXACT
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must be periodic"):
        lattice_closure(ANNIHILATION, Lattice((9,), "closed"), "pair", hop_rate=1.0)
    with pytest.raises(ValueError, match="`reach` belongs to"):
        lattice_closure(ANNIHILATION, RING, "pair", hop_rate=1.0, reach=2)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        lattice_closure(ANNIHILATION, RING, "kirkwood", hop_rate=1.0, reach=0)
    with pytest.raises(ValueError, match="`hop_rate` must be"):
        lattice_closure(MEETING, RING, "pair", hop_rate={"A": 1.0})
    with pytest.raises(ValueError, match="`hop_rate` must be"):
        lattice_closure(MEETING, RING, "pair", hop_rate=-1.0)
    closure = lattice_closure(MEETING, RING, "pair", hop_rate=1.0)
    with pytest.raises(ValueError, match="too many states between them"):
        closure.predict_terms(np.ones(5) / 9, [pattern_term("x", [parse_pattern("A(0) A(20)")])])
