"""Known equations of densities against the exact generator, for every state of small lattices."""

import numpy as np
import pytest

from dynboltz.lattices import Lattice, TermCounter, neighbour_moments
from dynboltz.laws import known_part, moment_chart, nothing_known
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import (
    continuous_time_generator,
    enumerate_states,
)

NETWORK = ReactionNetwork.parse(
    """
    0 -> A ; k = 0.3
    A -> B ; k = 2
    B -> 0 ; k = 0.7
    A + A -> B ; k = 0.4
    A + B -> 0 ; k = 1.5
    B + B -> A + B ; k = 0.9
    """
)


@pytest.mark.parametrize(
    ("shape", "boundary"),
    [
        ((7,), "periodic"),
        ((4,), "periodic"),
        ((6,), "closed"),
        ((2, 3), "closed"),
        ((2, 2), "periodic"),
    ],
)
@pytest.mark.parametrize("hop_rate", [0.5, {"A": 0.2, "B": 1.0}])
def test_densities_of_every_state_change_as_the_generator_says(shape, boundary, hop_rate):
    lattice = Lattice(shape, boundary)
    terms = neighbour_moments(NETWORK.species, lattice.dim, 2)
    chart = moment_chart(terms, lattice)
    known = known_part(chart, lattice, NETWORK)
    assert known.open == (False, False)
    states = enumerate_states(lattice, 2)
    counts = TermCounter(lattice, [NETWORK.species], terms).count(states[None])
    moments = counts / lattice.n_sites
    derived = moments / chart.places @ known.matrix.T + known.constant
    exact = continuous_time_generator(NETWORK, lattice, hop_rate).T @ moments[:, :2]
    # Sums of some ten terms of size 1.
    np.testing.assert_allclose(derived, exact, atol=1e-12)


def test_what_is_not_followed_leaves_an_equation_open():
    network = ReactionNetwork.parse("A -> A + A ; k = 1\nA + B -> B ; k = 1\nB -> 0 ; k = 2")
    lattice = Lattice((9,))
    pairs = moment_chart(neighbour_moments(("A", "B"), 1, 2), lattice)
    assert known_part(pairs, lattice, network).open == (True, False)
    singles = moment_chart(neighbour_moments(("A", "B"), 1, 1), lattice)
    assert known_part(singles, lattice, network).open == (True, False)
    np.testing.assert_array_equal(known_part(singles, lattice, network).matrix, [[1, 0], [0, -2]])


def test_nothing_is_known_of_other_processes():
    lattice = Lattice((9,))
    chart = moment_chart(neighbour_moments(("A",), 1, 2), lattice)
    network = ReactionNetwork.parse("A + A -> 0 ; p = 0.5")
    nothing = nothing_known(chart)
    for part in (nothing, known_part(chart, lattice, network)):
        assert part.open == (True,)
        assert not np.any(part.matrix)
        assert not np.any(part.constant)
