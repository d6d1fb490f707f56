"""Parallel tempering against enumeration, and across a barrier that plain chains do not cross."""

import itertools

import jax
import numpy as np
import pytest

from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.sampling import (
    GibbsSampler,
    advance,
    even_ladder,
    start_from_data,
    start_random,
    temper,
)

RING = LatticeModel.from_names(Lattice((5,)), ["A", "B"], ["b.A", "b.B", "J.A.A", "J.A.B"])
HIDDEN = LatticeModel.from_names(
    Lattice((6,)), ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
)
TORUS = LatticeModel.from_names(Lattice((4, 4)), ["A"], ["b.A", "J.A.A"])
RING_THETA = np.array([-2.0, 1.0, 3.0, 1.0])
LADDERS = {
    "scaled": (RING, even_ladder(0.1 * RING_THETA, RING_THETA, 4)),
    "path through hidden models": (
        HIDDEN,
        even_ladder(np.array([0.5, 0.0, -0.7]), np.array([-1.5, 2.5, -0.7]), 3),
    ),
}


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def exact_probabilities(model, ladder):
    solution = Enumeration(model)
    weights = solution.counts @ ladder.T
    weights = np.exp(weights - weights.max(axis=0))
    return solution, weights / weights.sum(axis=0)


@pytest.mark.parametrize("name", LADDERS)
def test_every_temperature_has_its_exact_moments(name):
    model, ladder = LADDERS[name]
    n_ladders = 4000
    chains = start_random(model, len(ladder) * n_ladders, seed=1)
    found = temper(GibbsSampler(model), ladder, chains, n_rounds=2, burn_in=30, seed=2)
    solution, probabilities = exact_probabilities(model, ladder)
    counts = model.counter.count(found.chains.states).reshape(len(ladder), n_ladders, -1)
    error = counts.std(axis=1) / np.sqrt(n_ladders)
    # Independent ladders. Four standard errors fail for one of 16 moments and seed in 1000.
    assert np.all(np.abs(counts.mean(axis=1) - probabilities.T @ solution.counts) < 4 * error)
    assert found.states.shape == (len(model.layers), 2, n_ladders, model.lattice.n_sites)
    np.testing.assert_array_equal(found.states[:, -1], found.chains.states[:, -n_ladders:])


def test_swaps_are_accepted_as_often_as_they_should_be():
    model, ladder = LADDERS["scaled"]
    n_ladders = 4000
    chains = start_random(model, len(ladder) * n_ladders, seed=3)
    found = temper(GibbsSampler(model), ladder, chains, n_rounds=2, burn_in=30, seed=4)
    solution, probabilities = exact_probabilities(model, ladder)
    for pair, (low, high) in enumerate(itertools.pairwise(ladder)):
        gain = solution.counts @ (high - low)
        accepted = np.minimum(1, np.exp(gain[:, None] - gain))
        exact = probabilities[:, pair] @ accepted @ probabilities[:, pair + 1]
        # Four standard errors of the fraction of independent ladders: 6e-5 for each pair.
        error = np.sqrt(exact * (1 - exact) / n_ladders)
        assert 0.1 < exact < 0.95
        assert abs(found.swap_rates[pair] - exact) < 4 * error


def test_both_phases_get_their_weights():
    theta = np.array([-5.95, 3.0])
    n_ladders = 100
    sampler = GibbsSampler(TORUS)
    empty = start_from_data(TORUS, np.zeros((n_ladders, 16), np.uint8), seed=5)
    # A row of four particles has the weight e^-11.8, and empty chains stay empty.
    assert advance(sampler, empty, theta, 1000).visible.mean() < 0.05
    ladder = even_ladder(0.2 * theta, theta, 6)
    chains = start_from_data(TORUS, np.zeros((6 * n_ladders, 16), np.uint8), seed=6)
    # The empty start is forgotten within about thirty rounds.
    found = temper(sampler, ladder, chains, n_rounds=150, burn_in=300, seed=7)
    full = (found.states[0].mean(axis=2) > 0.5).mean(axis=0)
    solution, probabilities = exact_probabilities(TORUS, ladder[-1:])
    exact = probabilities[solution.states[0].mean(axis=1) > 0.5].sum()
    assert 0.2 < exact < 0.8
    # Independent ladders; 4 standard errors of the mean of 100 fail with probability 1e-4.
    assert abs(full.mean() - exact) < 4 * full.std(ddof=1) / np.sqrt(n_ladders)
    assert np.all(found.swap_rates > 0.2)
    assert np.all(found.round_trips > 5)


def test_states_under_equal_coefficients_change_places_in_every_round():
    ladder = np.zeros((3, 2))
    chains = start_random(TORUS, 6, seed=8)
    found = temper(GibbsSampler(TORUS), ladder, chains, n_rounds=4, burn_in=0, seed=9)
    np.testing.assert_array_equal(found.swap_rates, 1.0)
    # The first state arrives after two rounds. The second goes down, waits for a round without a
    # partner, and arrives after two more.
    np.testing.assert_array_equal(found.round_trips, 2)


def test_ladders_are_evenly_spaced():
    theta = np.array([1.0, -2.0])
    np.testing.assert_allclose(
        even_ladder(0.25 * theta, theta, 4), np.array([0.25, 0.5, 0.75, 1])[:, None] * theta
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ladder": np.zeros((1, 2))}, "`temperatures` must be at least 2, got 1"),
        ({"n_rounds": 1}, "`n_rounds` must be at least 2"),
        ({"burn_in": -1}, "`burn_in` must be at least 0"),
        ({"n_sweeps": 0}, "`n_sweeps` must be at least 1"),
        ({"ladder": np.zeros((4, 2))}, "must be a multiple of the 4 sets of coefficients, got 6"),
    ],
)
def test_bad_input_is_refused(options, message):
    chains = start_random(TORUS, 6, seed=0)
    allowed = {"ladder": np.zeros((3, 2)), "n_rounds": 2, "burn_in": 0, "seed": 0}
    with pytest.raises(ValueError, match=message):
        temper(GibbsSampler(TORUS), chains=chains, **(allowed | options))
