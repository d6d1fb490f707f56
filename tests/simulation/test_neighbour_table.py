"""Neighbours that are computed in place of looked up."""

import numpy as np
import pytest

from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import CollisionKernel, ContinuousTimeKernel, random_counts, simulate
from dynboltz.simulation import _tables as tables

SHAPES = [((7,), "closed"), ((5, 4), "periodic"), ((4, 5), "closed"), ((4, 3, 5), "closed")]
SHAPES += [((3, 4, 5), "periodic"), ((2, 2), "periodic"), ((1, 6), "closed")]


@pytest.mark.parametrize(("shape", "boundary"), SHAPES)
def test_regular_sites_have_their_neighbours_at_the_offsets(shape, boundary, monkeypatch):
    lattice = Lattice(shape, boundary)
    plain = tables.neighbour_table(lattice)
    monkeypatch.setattr(tables, "LARGE", 1)
    table = tables.neighbour_table(lattice)
    regular = np.flatnonzero(table.counts >= tables.REGULAR)
    assert np.array_equal(table.counts & tables.MOST, plain.counts)
    assert np.array_equal(regular[:, None] + table.offsets, plain.sites[regular])
    assert set(_inner_sites(shape)) <= set(regular)
    assert not (plain.counts >= tables.REGULAR).any()


def _inner_sites(shape):
    indices = np.indices(shape).reshape(len(shape), -1)
    ends = np.array(shape)[:, None] - 1
    return np.flatnonzero(((indices > 0) & (indices < ends)).all(axis=0))


@pytest.mark.parametrize("kernel", ["collision", "continuous"])
def test_results_do_not_depend_on_how_neighbours_are_found(kernel, monkeypatch):
    made = {
        "collision": (CollisionKernel(dt=0.1), "A + A -> 0 ; p = 0.3\nA -> A + A ; k = 2"),
        "continuous": (
            ContinuousTimeKernel(hop_rate=2.0, interval=0.2),
            "A + A -> 0 ; k = 1\nA -> A + A ; k = 2",
        ),
    }[kernel]
    network = ReactionNetwork.parse(made[1])
    lattice = Lattice((6, 5, 7), "closed")
    initial = random_counts(lattice, ("A",), {"A": 60}, 3, seed=1)
    states = []
    for large in (tables.LARGE, 1):
        monkeypatch.setattr(tables, "LARGE", large)
        result = simulate(network, lattice, initial, kernel=made[0], n_steps=20, seed=2)
        states.append(result.state)
    assert np.array_equal(*states)
    assert states[0].any()
