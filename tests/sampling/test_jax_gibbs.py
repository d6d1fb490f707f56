"""The two ways to draw in JAX, and the compiled kernels, against enumeration of small models."""

import itertools

import jax
import numpy as np
import pytest
from scipy import stats

import dynboltz.sampling._field_tables as field_tables_module
from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.lattices import Factor, Lattice, Term
from dynboltz.sampling import GibbsSampler, JaxGibbsSampler, start_random

N_CHAINS, N_SWEEPS = 20_000, 15
CUBE = Layer(("X", "Y"), tuple(itertools.product((0, 1), repeat=3)))
PAIR = Layer(("X",), ((0,), (1,)))
CUBE_MODEL = LatticeModel.from_names(
    Lattice((2, 2, 2), "closed"),
    ["A", "B"],
    ["b.A", "b.B", "W.A.X", "W.B.Y", "b.X", "b.Y"],
    [CUBE],
)
RING_MODEL = LatticeModel.from_names(
    Lattice((4,)), ["A", "B"], ["b.A", "J.A.B", "W.B.X"], [PAIR]
).with_terms((Term("three", ((Factor("A", (0,)), Factor("B", (1,)), Factor("X", (0,), 1)),)),))
MODELS = {"cube": CUBE_MODEL, "ring": RING_MODEL}
DRAWN_BY = ["numba, fields", "numba, units", "jax, codes", "jax, products"]


def coefficients(model: LatticeModel) -> np.ndarray:
    return np.random.default_rng(5).uniform(-0.7, 0.7, len(model.terms))


def sampled(model: LatticeModel, theta: np.ndarray, drawn_by: str, monkeypatch) -> np.ndarray:
    limit = 10**9 if drawn_by.endswith(("fields", "codes")) else 0
    monkeypatch.setattr(field_tables_module, "CODES_PER_UNIT", limit)
    states = start_random(model, N_CHAINS, seed=1).states
    if drawn_by.startswith("numba"):
        return GibbsSampler(model).sweep(states, theta, seed=7, n_sweeps=N_SWEEPS)
    key = jax.random.key(7)
    return np.asarray(JaxGibbsSampler(model).sweep(states, theta, key=key, n_sweeps=N_SWEEPS))


def p_value(model: LatticeModel, states: np.ndarray, theta: np.ndarray) -> float:
    """Chi-square test of the histogram of the occupation numbers of all species.

    States of independent chains against enumeration; numbers of few chains are pooled.
    """
    enumeration = Enumeration(model)
    probabilities = np.asarray(enumeration.probabilities(theta))
    numbers = [_numbers(model, s) for s in (states, enumeration.states)]
    keys, place = np.unique(np.concatenate(numbers), axis=0, return_inverse=True)
    place = place.ravel()
    observed = np.bincount(place[:N_CHAINS], minlength=len(keys))
    expected = np.bincount(place[N_CHAINS:], weights=probabilities, minlength=len(keys))
    expected *= N_CHAINS / expected.sum()
    rare = expected < 10
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    return stats.chisquare(observed, expected).pvalue


def _numbers(model: LatticeModel, states: np.ndarray) -> np.ndarray:
    columns = [
        (layer_states == label).sum(axis=1)
        for layer, layer_states in zip(model.layers, states, strict=True)
        for label in range(1, len(layer.species) + 1)
    ]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(
    ("name", "drawn_by"),
    [*itertools.product(["cube"], DRAWN_BY), *itertools.product(["ring"], DRAWN_BY[2:])],
)
def test_occupation_numbers_have_the_enumerated_distribution(name, drawn_by, monkeypatch):
    model = MODELS[name]
    theta = coefficients(model)
    states = sampled(model, theta, drawn_by, monkeypatch)
    # Fails for one seed in 1000; the seed is fixed.
    assert p_value(model, states, theta) > 1e-3


@pytest.mark.parametrize("drawn_by", DRAWN_BY)
def test_a_wrong_coefficient_is_noticed(drawn_by, monkeypatch):
    theta = coefficients(CUBE_MODEL)
    wrong = theta + 0.1 * (np.array(CUBE_MODEL.coefficients) == "W.A.X")
    states = sampled(CUBE_MODEL, wrong, drawn_by, monkeypatch)
    assert p_value(CUBE_MODEL, states, theta) < 1e-3


def test_single_and_double_precision_draw_the_same_states(monkeypatch):
    theta = coefficients(CUBE_MODEL)
    results = []
    for enabled in (True, False):
        with jax.enable_x64(enabled):
            results.append(sampled(CUBE_MODEL, theta, "jax, codes", monkeypatch))
    np.testing.assert_array_equal(results[0], results[1])


def test_groups_of_chains_have_their_own_row_of_theta(monkeypatch):
    theta = coefficients(CUBE_MODEL)
    alone = sampled(CUBE_MODEL, theta, "jax, codes", monkeypatch)
    states = sampled(CUBE_MODEL, np.array([-theta, theta]), "jax, codes", monkeypatch)
    half = N_CHAINS // 2
    np.testing.assert_array_equal(states[:, half:], alone[:, half:])
    assert not np.array_equal(states[:, :half], alone[:, :half])


@pytest.mark.parametrize("drawn_by", DRAWN_BY[2:])
def test_large_coefficients_do_not_overflow(drawn_by, monkeypatch):
    theta = np.where(np.array(CUBE_MODEL.coefficients) == "b.B", 2000.0, 0.0)
    assert np.all(sampled(CUBE_MODEL, theta, drawn_by, monkeypatch)[0] == 2)
    # The hidden units that would reach beyond the edge do not exist.
    assert not sampled(CUBE_MODEL, -theta, drawn_by, monkeypatch)[1, :, 1:].any()


def test_no_sweep_changes_nothing():
    start = start_random(CUBE_MODEL, N_CHAINS, seed=2).states
    sampler, theta = JaxGibbsSampler(CUBE_MODEL), coefficients(CUBE_MODEL)
    after = sampler.sweep(start, theta, key=jax.random.key(0), n_sweeps=0)
    np.testing.assert_array_equal(after, start)


def test_bad_input_is_explained():
    sampler = JaxGibbsSampler(RING_MODEL)
    states = np.zeros((2, 3, 4), np.uint8)
    with pytest.raises(ValueError, match="`n_sweeps` must not be negative"):
        sampler.sweep(states, np.zeros(4), key=jax.random.key(0), n_sweeps=-1)
    with pytest.raises(ValueError, match=r"`theta` must have shape \(\*rows, 4\)"):
        sampler.sweep(states, np.zeros(2), key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"must have shape \(2, chains, 4\)"):
        sampler.sweep(states[:1], np.zeros(4), key=jax.random.key(0))
