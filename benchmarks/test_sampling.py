"""Time of a unit update: 50 chains of 1000 sites, each with its own coefficients, one thread.

Divide the time of a round by 50 chains, 10 sweeps and the number of units of the model.
"""

import itertools

import numba
import numpy as np
import pytest

from dynboltz.distributions import LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.sampling import GibbsSampler, advance, start_random

CHAIN, CUBE = Lattice((1000,)), Lattice((10, 10, 10))
CORNERS = tuple(itertools.product((0, 1), repeat=3))
MODELS = {
    "visible chain": LatticeModel.from_names(CHAIN, ["A"], ["b.A", "J.A.A", "K.A.A.A"]),
    "pair units": LatticeModel.from_names(
        CHAIN, ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
    ),
    "two species, three dimensions": LatticeModel.from_names(
        CUBE,
        ["A", "B"],
        ["b.A", "b.B", "J.A.A", "J.A.B", "J.B.B", "W.A.X", "W.B.Y", "b.X", "b.Y"],
        [Layer(("X", "Y"), CORNERS)],
    ),
    "no tables": LatticeModel.from_names(
        CUBE, ["A", "B"], ["b.A", "b.B", "J.A.B", "K.A.A.A", "K.B.B.B"]
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_gibbs_sweeps(benchmark, name):
    model = MODELS[name]
    sampler = GibbsSampler(model)
    theta = np.random.default_rng(0).normal(0, 0.3, (50, len(model.terms)))
    chains = advance(sampler, start_random(model, 50, seed=1), theta, 1)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        after = benchmark(advance, sampler, chains, theta, 10)
    finally:
        numba.set_num_threads(before)
    benchmark.extra_info["unit updates"] = 500 * sum(sampler.block_sizes)
    assert not np.array_equal(after.states, chains.states)
