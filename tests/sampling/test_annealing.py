"""Annealed importance sampling against enumeration and the transfer matrix."""

import itertools

import jax
import numpy as np
import pytest

from dynboltz.distributions import Enumeration, LatticeModel, Layer, TransferMatrix
from dynboltz.lattices import Factor, Lattice, Term
from dynboltz.sampling import GibbsSampler, anneal_log_partition

PAIR = Layer(("X",), ((0,), (1,)))
CUBE = Layer(("X", "Y"), tuple(itertools.product((0, 1), repeat=3)))
MODELS = {
    "ring": LatticeModel.from_names(Lattice((9,)), ["A"], ["b.A", "J.A.A", "K.A.A.A"]),
    "pair units": LatticeModel.from_names(
        Lattice((6,), "closed"), ["A"], ["b.A", "W.A.X", "b.X"], [PAIR]
    ),
    "cube": LatticeModel.from_names(
        Lattice((2, 2, 2), "closed"),
        ["A", "B"],
        ["b.A", "b.B", "b.X", "b.Y", "W.A.X", "W.B.Y"],
        [CUBE],
    ),
    "two hidden layers": LatticeModel.from_names(
        Lattice((4,)),
        ["A"],
        ["b.A", "W.A.X", "b.X", "W.X.Y", "b.Y"],
        [PAIR, Layer(("Y",), ((0,), (1,)))],
    ),
    "only biases": LatticeModel.from_names(Lattice((5,)), ["A", "B"], ["b.A", "b.B"]),
    "a shifted bias": LatticeModel.from_names(
        Lattice((5,), "closed"), ["A"], ["b.A", "J.A.A"]
    ).with_terms((Term("shifted", ((Factor("A", (2,)),),)),)),
}


@pytest.mark.parametrize("name", MODELS)
def test_small_models_agree_with_enumeration(name):
    model = MODELS[name]
    theta = np.random.default_rng(3).normal(size=len(model.terms))
    with jax.enable_x64(True):
        exact = float(Enumeration(model).log_partition(jax.numpy.asarray(theta)))
    found = anneal_log_partition(
        GibbsSampler(model), theta, n_chains=400, n_temperatures=150, seed=5
    )
    # 3 standard errors fail for one seed in 370, the seed is fixed; independent units are exact.
    assert abs(found.value - exact) < 3 * found.standard_error + 1e-9
    assert found.standard_error < 0.02
    assert found.effective_sample_size > 350


def test_a_long_chain_agrees_with_the_transfer_matrix():
    model = LatticeModel.from_names(Lattice((1000,), "closed"), ["A"], ["b.A", "J.A.A"])
    theta = np.array([-0.8, 0.5])
    with jax.enable_x64(True):
        exact = float(TransferMatrix(model).log_partition(jax.numpy.asarray(theta)))
    found = anneal_log_partition(
        GibbsSampler(model), theta, n_chains=400, n_temperatures=2000, seed=2
    )
    assert found.standard_error < 0.01
    assert abs(found.value - exact) < 3 * found.standard_error


@pytest.mark.parametrize("name", ["n_chains", "n_temperatures", "n_sweeps"])
def test_numbers_that_are_too_small_are_refused(name):
    model = MODELS["ring"]
    with pytest.raises(ValueError, match=f"`{name}` must be at least"):
        anneal_log_partition(GibbsSampler(model), np.zeros(3), seed=0, **{name: 0})
