"""Gibbs sampling of models whose coefficients are free at each place, against enumeration."""

import itertools

import jax
import numpy as np
import pytest

from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.lattices import Factor, Lattice, Term
from dynboltz.sampling import GibbsSampler, JaxGibbsSampler, anneal_log_partition, start_random

N_CHAINS, N_SWEEPS = 20_000, 12
PAIR = Layer(("X",), ((0,), (1,)))
SQUARE = Layer(("X",), tuple(itertools.product((0, 1), repeat=2)))


def ring() -> LatticeModel:
    """Tied biases of hidden units, whose weights are free, and doubles of one product."""
    names = ["b.A", "J.A.A", "W.A.X", "b.X"]
    model = LatticeModel.from_names(Lattice((4,)), ["A"], names, [PAIR])
    pair = Factor("A", (0,)), Factor("A", (1,))
    doubles = (Term("one", (pair,), (2,)), Term("two", (pair, pair[::-1]), (2,)))
    return model.with_free(["b.A", "J.A.A", "W.A.X"]).with_terms(doubles)


def square() -> LatticeModel:
    names = ["b.A", "b.B", "J.A.B", "W.A.X", "W.B.X", "b.X"]
    model = LatticeModel.from_names(Lattice((2, 2), "closed"), ["A", "B"], names, [SQUARE])
    return model.with_free(names)


def biases() -> LatticeModel:
    """Free visible biases; the units of the hidden layer are drawn from tables."""
    names = ["b.A", "W.A.X", "b.X"]
    model = LatticeModel.from_names(Lattice((5,), "closed"), ["A"], names, [PAIR])
    return model.with_free(["b.A"])


MODELS = {"ring": ring(), "square": square(), "biases": biases()}


def random_theta(model: LatticeModel) -> np.ndarray:
    return np.random.default_rng(5).normal(0, 0.6, len(model.terms))


@pytest.mark.parametrize("engine", ["numba", "jax"])
@pytest.mark.parametrize("name", MODELS)
def test_moments_are_those_of_the_enumeration(name, engine):
    model = MODELS[name]
    theta = random_theta(model)
    start = start_random(model, N_CHAINS, seed=1).states
    if engine == "numba":
        states = GibbsSampler(model).sweep(start, theta, seed=3, n_sweeps=N_SWEEPS)
    else:
        key = jax.random.key(3)
        states = JaxGibbsSampler(model).sweep(start, theta, key=key, n_sweeps=N_SWEEPS)
    statistics = model.statistics(np.asarray(states))
    solution = Enumeration(model)
    exact, metric = np.asarray(solution.moments(theta)), np.asarray(solution.fisher(theta))
    errors = np.sqrt(np.diag(metric) / model.lattice.n_sites / N_CHAINS)
    # Independent chains: one of the 51 moments of all models, drawn by two engines, is beyond 4
    # standard errors for less than 1 of 100 choices of the seeds.
    assert np.all(np.abs(statistics.mean(axis=0) - exact) < 4 * errors)


def test_equal_coefficients_draw_the_states_of_the_tied_model(monkeypatch):
    """Both are drawn unit by unit, with the same random numbers and fields."""
    monkeypatch.setattr("dynboltz.sampling._field_tables.CODES_PER_UNIT", 0)
    names = ["b.A", "b.B", "J.A.B", "W.A.X", "W.B.X", "b.X"]
    tied = LatticeModel.from_names(Lattice((3, 4)), ["A", "B"], names, [SQUARE])
    free = tied.with_free(names)
    values = dict(zip(tied.coefficients, random_theta(tied), strict=True))
    same = np.array([values[name.split("[")[0]] for name in free.coefficients])
    start = start_random(tied, 30, seed=1).states
    first = GibbsSampler(tied).sweep(start, np.array(list(values.values())), seed=2, n_sweeps=10)
    second = GibbsSampler(free).sweep(start, same, seed=2, n_sweeps=10)
    np.testing.assert_array_equal(first, second)


def test_annealing_starts_from_the_free_biases():
    model = square()
    theta = np.where([name.startswith("b.") for name in model.coefficients], random_theta(model), 0)
    estimate = anneal_log_partition(
        GibbsSampler(model), theta, n_chains=2, n_temperatures=1, seed=1
    )
    expected = float(Enumeration(model).log_partition(theta))
    np.testing.assert_allclose(estimate.value, expected, rtol=1e-12)
