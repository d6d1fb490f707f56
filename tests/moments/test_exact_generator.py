"""Right-hand sides against the exact generator, for every state of small lattices."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.lattices import Lattice
from dynboltz.moments import moment_equations, rate_constants
from dynboltz.reactions import Reaction, ReactionNetwork
from dynboltz.simulation import continuous_time_generator, enumerate_states

# Sums of at most some hundred terms of size 10; required are 1e-10.
TOLERANCE = 1e-10

EVERYTHING = """
0 -> A ; k = 0.3
0 -> B + A ; k = 0.2
A -> A + B ; k = 2
B -> A + A ; k = 1.5
B -> C ; k = 1
C -> 0 ; k = 3
A + A -> A ; k = 0.3
A + B -> C + B ; k = 5
B + A -> 0 ; k = 2
C + C -> A + B ; k = 1
"""


def largest_error(network, lattice, moments, hop_rate, *, wrapped=False, symmetries=True):
    """Of d/dt from every state: the derived equations against the generator."""
    states = enumerate_states(lattice, len(network.species))
    by_species = "by-species" if isinstance(hop_rate, dict) else "common"
    equations = moment_equations(
        network,
        moments,
        lattice=lattice if wrapped else None,
        symmetries=symmetries,
        hop_rates=by_species,
    )
    values = equations.estimate(states, lattice)
    derived = equations.numeric(rate_constants(network, hop_rate))(values)
    generator = continuous_time_generator(network, lattice, hop_rate)
    exact = generator.T @ values[:, : len(equations.moments)]
    return np.abs(derived - exact).max()


@pytest.mark.parametrize("n_sites", [6, 7, 8])
def test_annihilation_on_rings_as_on_the_infinite_chain(n_sites):
    network = ReactionNetwork.parse("A + A -> 0 ; k = 1.7")
    moments = ["A(0)", "A(0) A(1)", "A(0) A(2)", "A(0) A(1) A(2)", "A(0) A(1) A(3)"]
    assert largest_error(network, Lattice((n_sites,)), moments, 0.6) < TOLERANCE


@pytest.mark.parametrize("symmetries", [True, False])
def test_every_kind_of_reaction_on_a_ring(symmetries):
    network = ReactionNetwork.parse(EVERYTHING)
    moments = ["A(0)", "C(0)", "A(0) B(1)", "B(0) A(1)", "A(0) C(1)"]
    hop_rate = {"A": 0.7, "B": 0.0, "C": 1.9}
    error = largest_error(network, Lattice((6,)), moments, hop_rate, symmetries=symmetries)
    assert error < TOLERANCE


def test_a_small_torus_with_every_kind_of_reaction():
    network = ReactionNetwork.parse(EVERYTHING)
    moments = ["B(0,0)", "A(0,0) A(1,0)", "A(0,0) C(1,2)"]
    assert largest_error(network, Lattice((2, 3)), moments, 0.8, wrapped=True) < TOLERANCE


@pytest.mark.parametrize("symmetries", [True, False])
@pytest.mark.parametrize("shape", [(4,), (3,), (2,)])
def test_offsets_wrap_on_lattices_made_for(shape, symmetries):
    """Axes of length 2 have two bonds between the same sites."""
    network = ReactionNetwork.parse(EVERYTHING)
    lattice = Lattice(shape)
    sites = list(itertools.product(*(range(n) for n in shape)))[:3]
    names = [f"({','.join(map(str, site))})" for site in sites]
    moments = [f"{a}{names[0]}" for a in "ABC"]
    moments += [f"A{names[0]} {a}{names[1]}" for a in "ABC"]
    moments += [" ".join(f"{a}{name}" for a, name in zip("AAB", names, strict=False))]
    error = largest_error(network, lattice, moments, 0.8, wrapped=True, symmetries=symmetries)
    assert error < TOLERANCE


def test_axes_are_permuted_where_they_are_alike():
    network = ReactionNetwork.parse("A -> A + A ; k = 2\nA + A -> 0 ; k = 0.5")
    moments = ["A(0,0)", "A(0,0) A(0,1)", "A(0,0) A(1,1)", "A(0,0) A(0,1) A(1,0)"]
    lattice = Lattice((3, 3))
    assert largest_error(network, lattice, moments, 0.8, wrapped=True) < TOLERANCE


def test_a_plane_as_the_infinite_one():
    """Nothing meets itself on 4 x 4 sites."""
    network = ReactionNetwork.parse("0 -> A ; k = 0.4\nA + A -> A ; k = 0.5")
    moments = ["A(0,0)", "A(0,0) A(0,1)", "A(0,0) A(1,1)"]
    assert largest_error(network, Lattice((4, 4)), moments, 0.8) < TOLERANCE


@st.composite
def networks(draw):
    """Reactions of one to three species, of every kind."""
    names = "ABC"[: draw(st.integers(1, 3))]
    side = st.lists(st.sampled_from(names), max_size=2).map(tuple)
    pairs = st.tuples(side, side).filter(lambda p: sorted(p[0]) != sorted(p[1]))
    key = lambda p: (tuple(sorted(p[0])), tuple(sorted(p[1])))  # noqa: E731
    equations = draw(st.lists(pairs, min_size=1, max_size=4, unique_by=key))
    rates = draw(st.lists(st.floats(0.1, 5), min_size=4, max_size=4))
    return tuple(names), [(*sides, rate) for sides, rate in zip(equations, rates, strict=False)]


def check_random(drawn, shape, hops, data):
    names, reactions = drawn
    network = ReactionNetwork(tuple(Reaction(a, b, rate=k) for a, b, k in reactions), names)
    lattice = Lattice(shape)
    sites = [site for site in itertools.product(*(range(n) for n in shape)) if sum(site) < 3]
    chosen = data.draw(st.lists(st.sampled_from(sites), min_size=1, max_size=3, unique=True))
    moment = " ".join(
        f"{data.draw(st.sampled_from(names))}({','.join(map(str, site))})" for site in chosen
    )
    moments = [*(f"{name}({','.join('0' * len(shape))})" for name in names), moment]
    hop_rate = dict(zip(names, hops, strict=False))
    assert largest_error(network, lattice, moments, hop_rate, wrapped=True) < TOLERANCE


RANDOM = {
    "drawn": networks(),
    "shape": st.sampled_from([(6,), (2, 3)]),
    "hops": st.lists(st.floats(0.1, 3), min_size=3, max_size=3),
    "data": st.data(),
}


@settings(max_examples=5, deadline=None, derandomize=True)
@given(**RANDOM)
def test_random_networks(drawn, shape, hops, data):
    check_random(drawn, shape, hops, data)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(**RANDOM)
def test_more_random_networks(drawn, shape, hops, data):
    check_random(drawn, shape, hops, data)
