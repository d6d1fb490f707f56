"""Moments of the awake and asleep phases against exact samples and exact moments."""

import numpy as np
import pytest

from dynboltz.distributions import LatticeModel, Layer, TransferMatrix, sample_chain
from dynboltz.lattices import Lattice
from dynboltz.sampling import (
    GibbsSampler,
    contrastive_divergence,
    persistent_moments,
    short_run_moments,
    start_random,
)

LATTICE = Lattice((10,))
VISIBLE = LatticeModel.from_names(LATTICE, ["A"], ["b.A", "J.A.A", "K.A.A.A"])
HIDDEN = LatticeModel.from_names(
    LATTICE, ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
)
THETA = {VISIBLE: np.array([-0.6, 0.9, -0.4]), HIDDEN: np.array([-1.0, 1.2, -0.5])}


def exact_samples(model: LatticeModel, n_samples: int) -> np.ndarray:
    return sample_chain(TransferMatrix(model), THETA[model], n_samples, seed=21)


def z_scores(values: np.ndarray, expected: np.ndarray | float) -> np.ndarray:
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return (values.mean(axis=0) - np.asarray(expected)) / error


@pytest.mark.parametrize("model", [VISIBLE, HIDDEN])
@pytest.mark.parametrize("k", [1, 4])
def test_the_gradient_vanishes_where_the_model_made_the_data(model, k):
    data = exact_samples(model, 20_000)
    moments = contrastive_divergence(GibbsSampler(model), THETA[model], data, k, seed=1)
    # Independent pairs of states; 4 standard errors fail for one moment and seed in 16 000.
    assert np.all(np.abs(z_scores(moments.asleep - moments.awake, 0.0)) < 4)


@pytest.mark.parametrize("model", [VISIBLE, HIDDEN])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_gradient_has_the_sign_of_the_displacement(model, index):
    # Moments grow with their own coefficient, a variance, so a coefficient that is too large gives
    # asleep moments that are too large.
    theta = THETA[model] + 0.5 * np.eye(3)[index]
    data = exact_samples(model, 20_000)
    moments = contrastive_divergence(GibbsSampler(model), theta, data, 1, seed=2)
    assert z_scores(moments.asleep - moments.awake, 0.0)[index] > 4


@pytest.mark.parametrize("model", [VISIBLE, HIDDEN])
def test_the_awake_phase_belongs_to_the_data(model):
    data = exact_samples(model, 20_000)
    theta = THETA[model]
    awake = contrastive_divergence(GibbsSampler(model), theta, data, 1, seed=3).awake
    if model.is_visible:
        np.testing.assert_array_equal(awake, model.statistics(data[None]))
    exact = np.asarray(TransferMatrix(model).moments(theta))
    # Exact samples with hidden units drawn from their conditional distribution; 4 standard errors.
    assert np.all(np.abs(z_scores(awake, exact)) < 4)


@pytest.mark.parametrize("model", [VISIBLE, HIDDEN])
def test_short_runs_from_random_units_reach_the_model(model):
    data = exact_samples(model, 20_000)
    moments = short_run_moments(GibbsSampler(model), THETA[model], data, 30, seed=6)
    # 30 sweeps of weakly coupled units; independent states, 4 standard errors.
    exact = np.asarray(TransferMatrix(model).moments(THETA[model]))
    assert np.all(np.abs(z_scores(moments.asleep, exact)) < 4)
    assert np.all(np.abs(z_scores(moments.awake, exact)) < 4)


def test_short_runs_do_not_start_from_the_data():
    data = np.ones((500, 10), dtype=np.uint8)
    theta = np.array([8.0, 0.0, 0.0])
    sampler = GibbsSampler(VISIBLE)
    strong = np.array([-12.0, 24.0, 0.0])
    stuck = contrastive_divergence(sampler, strong, data, 1, seed=1).asleep[:, 0].mean()
    free = short_run_moments(sampler, strong, data, 1, seed=1).asleep[:, 0].mean()
    # Full lattices stay full; of random units those without a neighbour become empty.
    assert stuck > 0.99
    assert free < 0.95
    first, again = (short_run_moments(sampler, theta, data, 2, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.asleep, again.asleep)


def test_persistent_chains_reach_the_model_from_anywhere():
    sampler, theta = GibbsSampler(HIDDEN), THETA[HIDDEN]
    chains = start_random(HIDDEN, 20_000, seed=4)
    data = exact_samples(HIDDEN, 50)
    for _ in range(10):
        moments, chains = persistent_moments(sampler, theta, data, chains, 3, seed=5)
    assert moments.awake.shape == (50, 3)
    # 30 sweeps of weakly coupled units; independent chains, 4 standard errors.
    exact = np.asarray(TransferMatrix(HIDDEN).moments(theta))
    assert np.all(np.abs(z_scores(moments.asleep, exact)) < 4)


def test_no_sweep_is_refused():
    sampler = GibbsSampler(VISIBLE)
    data = np.zeros((2, 10), dtype=np.uint8)
    with pytest.raises(ValueError, match="contrastive_divergence: `k` must be at least 1 sweep"):
        contrastive_divergence(sampler, THETA[VISIBLE], data, 0, seed=0)
    chains = start_random(VISIBLE, 2, seed=0)
    with pytest.raises(ValueError, match="persistent_moments: `k` must be at least 1 sweep"):
        persistent_moments(sampler, THETA[VISIBLE], data, chains, 0, seed=0)


def test_short_runs_need_data():
    sampler = GibbsSampler(LatticeModel.from_names(Lattice((4,)), ["A"], ["b.A", "J.A.A"]))
    with pytest.raises(ValueError, match="short_run_moments: `visible` must hold at least one"):
        short_run_moments(sampler, np.zeros(2), np.zeros((0, 4), np.uint8), 1, seed=1)
