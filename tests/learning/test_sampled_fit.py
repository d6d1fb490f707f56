"""Fits by persistent chains, against exact fits of enumerated models."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.lattices import Lattice
from dynboltz.learning import (
    FitSettings,
    TrainingData,
    fit_initial_persistent,
    fit_trajectories_sampled,
)

N = 9
PLANE = LatticeModel.from_names(Lattice((3, 3)), ["A"], ["b.A", "J.A.A"])
HIDDEN = LatticeModel.from_names(
    Lattice((2, 3)), ["A", "B"], ["b.A", "b.B", "W.A.X", "b.X"], [Layer(("X",), ((0, 0), (0, 1)))]
)
COUPLED = LatticeModel.from_names(
    Lattice((4,)),
    ["A"],
    ["b.A", "W.A.X", "b.X", "W.X.Y", "b.Y"],
    [Layer(("X",), ((0,), (1,))), Layer(("Y",), ((0,), (1,)))],
)
BIAS = LatticeModel.from_names(Lattice((5,)), ["A"], ["b.A"])
TRUTH = np.array([[[-0.3, 0.2], [-0.1, 0.35], [0.1, 0.5]], [[0.4, -0.3], [0.2, -0.4], [0.0, -0.5]]])
N_REPLICAS, N_CHAINS, STEPS = 500, 500, 120
SEED = np.random.SeedSequence(0)


def settings(**options) -> FitSettings:
    given = {"steps": STEPS, "chains": N_CHAINS, "sweeps": 2, "learning_rate": 0.3, **options}
    return FitSettings(moments="persistent", prior_strength=1e-4, **given)


@functools.cache
def enumeration(model: LatticeModel) -> Enumeration:
    return Enumeration(model)


def probabilities(model: LatticeModel, theta: np.ndarray) -> np.ndarray:
    weights = np.exp(enumeration(model).counts @ theta)
    return weights / weights.sum()


def drawn(model: LatticeModel, theta: np.ndarray, n_states: int, seed: int) -> np.ndarray:
    """Visible states of exact samples."""
    chances = probabilities(model, theta)
    rows = np.random.default_rng(seed).choice(len(chances), size=n_states, p=chances)
    return np.ascontiguousarray(enumeration(model).states[0, rows])


def moments_and_metric(model: LatticeModel, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moments and Fisher metric of a visible model, per site."""
    weights, counts = probabilities(model, theta), enumeration(model).counts
    mean = weights @ counts
    metric = (counts - mean).T @ (weights[:, None] * (counts - mean))
    return mean / model.lattice.n_sites, metric / model.lattice.n_sites


def clamped_moments(model: LatticeModel, theta: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Moments with the visible units clamped to the data, per site."""
    exact = enumeration(model)
    place = (len(model.species[0]) + 1) ** np.arange(data.shape[1])
    keys, weights = exact.states[0] @ place, np.exp(exact.counts @ theta)
    of_visible = np.bincount(keys, weights=weights)
    share = np.bincount(data @ place, minlength=len(of_visible)) / len(data) / of_visible
    return (share[keys] * weights) @ exact.counts / model.lattice.n_sites


def most_likely(model: LatticeModel, data: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Coefficients of the visible model of largest likelihood, by Newton's method from nearby."""
    target = model.statistics(data[None]).mean(axis=0)
    for _ in range(10):
        moments, metric = moments_and_metric(model, theta)
        theta = theta + np.linalg.solve(metric, target - moments)
    np.testing.assert_allclose(moments_and_metric(model, theta)[0], target, atol=1e-12)
    return theta


def training_data(states: np.ndarray, initial: np.ndarray) -> TrainingData:
    def read(i: int, times: np.ndarray, replicas: np.ndarray) -> np.ndarray:
        return states[i][np.ix_(times, replicas)]

    return TrainingData(
        np.arange(float(states.shape[1])), initial, None, read, n_replicas=states.shape[2]
    )


def assert_same_metric(found: np.ndarray, expected: np.ndarray, n_effective: float) -> None:
    """Within four standard errors of covariances of near-normal values."""
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_array_less(np.abs(found - expected) / scale, 4 * np.sqrt(2 / n_effective))


def test_fits_of_trajectories_are_those_of_maximum_likelihood():
    states = np.array(
        [
            [drawn(PLANE, theta, N_REPLICAS, 10 * i + j) for j, theta in enumerate(row)]
            for i, row in enumerate(TRUTH)
        ]
    )
    data, reports = training_data(states, TRUTH[:, 0]), []
    found = fit_trajectories_sampled(
        PLANE, data, settings(), seed=np.random.SeedSequence(1), progress=reports.append
    )
    assert [(r["stage"], r["step"], r["total"]) for r in reports] == [
        ("fit", done, 4) for done in (1, 2, 3, 4)
    ]
    assert [r["residual"] for r in reports] == found.residual[:, 1:].ravel().tolist()
    assert np.all(np.isnan(found.residual[:, 0]))
    assert np.nanmax(found.residual) < 0.04  # as for single snapshots
    np.testing.assert_array_equal(found.theta[:, 0], TRUTH[:, 0])
    for i, j in np.ndindex(2, 3):
        _, metric = moments_and_metric(PLANE, found.theta[i, j])
        # The first metric comes from the replicas, later ones from a few steps' chains.
        assert_same_metric(found.metric[i, j], metric, N_REPLICAS if j == 0 else 4 * N_CHAINS)
        if j == 0:
            continue
        exact = most_likely(PLANE, states[i, j], TRUTH[i, j])
        variance = np.diag(np.linalg.inv(metric)) / N
        # Noise of the chains in the mean over half of the steps, which two sweeps do not quite
        # forget: as if every third step counted.
        noise = np.sqrt(3 * variance / (N_CHAINS * STEPS / 2))
        assert np.all(np.abs(found.theta[i, j] - exact) < 4 * noise)
        sampling = np.sqrt(variance / N_REPLICAS)
        assert np.all(4 * noise < sampling)
        assert np.all(np.abs(exact - TRUTH[i, j]) < 4 * sampling)


def test_single_snapshots_start_where_they_are_told():
    states = np.array([drawn(PLANE, theta, 200, 7) for theta in TRUTH[0, :2]])
    chosen = settings(start={"b.A": -0.5, "J.A.A": 0.3}, steps=60)
    runs = [
        fit_initial_persistent(PLANE, states, chosen, seed=np.random.SeedSequence(seed))
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(runs[0].theta, runs[1].theta)
    assert not np.array_equal(runs[0].theta, runs[2].theta)
    for theta, data, truth in zip(runs[0].theta, states, TRUTH[0], strict=False):
        exact = most_likely(PLANE, data, truth)
        variance = np.diag(np.linalg.inv(moments_and_metric(PLANE, exact)[1])) / N
        assert np.all(np.abs(theta - exact) < 4 * np.sqrt(3 * variance / (N_CHAINS * 30)))
    # Steps as short as nothing stay at the start.
    stay = settings(start={"b.A": -0.5, "J.A.A": 0.3}, steps=2, learning_rate=1e-15)
    still = fit_initial_persistent(PLANE, states, stay, seed=np.random.SeedSequence(1))
    np.testing.assert_allclose(still.theta, [[-0.5, 0.3]] * 2, atol=1e-14)


def test_the_residual_is_what_is_left_of_the_difference_of_moments():
    """Of fits that never left their start, whose moments are known; and of finished ones."""
    states = np.array([drawn(PLANE, theta, 200, 7) for theta in TRUTH[0, :2]])
    start = np.array([-1.0, 0.3])
    chosen = settings(
        start=dict(zip(PLANE.coefficients, start, strict=True)), steps=20, learning_rate=1e-15
    )
    still = fit_initial_persistent(PLANE, states, chosen, seed=SEED)
    moments, _ = moments_and_metric(PLANE, start)
    data = np.array([PLANE.statistics(snapshot[None]).mean(axis=0) for snapshot in states])
    left = np.linalg.norm(data - moments, axis=1) / np.linalg.norm(data, axis=1)
    assert np.all(left > 0.2)
    # 50 steps of 500 chains count, every third as if independent. The moments per site have a
    # variance below 1/2 and the data a norm above 1/2: four standard errors are below 0.04.
    np.testing.assert_allclose(still.residual, left, atol=0.04)
    done = fit_initial_persistent(PLANE, states, settings(steps=20), seed=SEED)
    assert np.all(done.residual < 0.04)


def metric_of(model: LatticeModel, theta: np.ndarray) -> np.ndarray:
    """Metric of the visible distribution; of all units where hidden layers are coupled."""
    if model is COUPLED:
        return moments_and_metric(model, theta)[1]
    states, numbers = np.unique(enumeration(model).states[0], axis=0, return_inverse=True)
    given = np.array([clamped_moments(model, theta, state[None]) for state in states])
    weights = np.bincount(numbers, weights=probabilities(model, theta))
    centred = given - weights @ given
    return model.lattice.n_sites * centred.T @ (weights[:, None] * centred)


@pytest.mark.parametrize(
    ("model", "truth", "start"),
    [
        (HIDDEN, [-0.3, 0.4, 1.0, -0.5], [0.0, 0.0, 0.5, 0.0]),
        (COUPLED, [-1.4, 0.9, -0.8, 0.7, -0.4], [0.0, 0.5, 0.0, 0.5, 0.0]),
    ],
)
def test_with_hidden_units_the_moments_are_matched(model, truth, start):
    states, begin = drawn(model, np.array(truth), 400, 3), np.array(start)
    data = training_data(np.tile(states, (1, 2, 1, 1)), begin[None])
    fits = fit_trajectories_sampled(model, data, settings(), seed=np.random.SeedSequence(2))
    theta = fits.theta[0, 1]

    def gradient(theta):
        asleep, metric = moments_and_metric(model, theta)
        return asleep - clamped_moments(model, theta, states), metric

    found, metric = gradient(theta)
    found = found + settings().prior_strength * (theta - begin)
    # As for visible models; the metric of all units bounds that of the visible ones.
    noise = np.sqrt(3 * np.diag(metric) / model.lattice.n_sites / (N_CHAINS * STEPS / 2))
    assert np.all(np.abs(found) < 4 * noise)
    assert np.max(np.abs(gradient(begin)[0]) / noise) > 10
    assert_same_metric(fits.metric[0, 1], metric_of(model, theta), 4 * N_CHAINS)


def test_the_second_snapshot_starts_from_what_is_named():
    initial = np.array([[0.7, -0.2]])
    states = drawn(PLANE, initial[0], 30, 1).reshape(1, 3, 10, N)
    chosen = settings(start={"J.A.A": 0.4}, steps=1, chains=4, learning_rate=1e-15)
    found = fit_trajectories_sampled(
        PLANE, training_data(states, initial), chosen, seed=np.random.SeedSequence(0)
    )
    np.testing.assert_allclose(found.theta[0], [[0.7, -0.2], [0.7, 0.4], [0.7, 0.4]], atol=1e-14)


def test_chains_that_never_move_leave_the_coefficients_alone():
    """Empty lattices at a bias that keeps them empty: nothing is learned, and nothing warns."""
    states = np.zeros((1, 2, 4, 5), np.uint8)
    found = fit_trajectories_sampled(
        BIAS, training_data(states, np.array([[-200.0]])), settings(steps=3), seed=SEED
    )
    np.testing.assert_array_equal(found.theta, [[[-200.0], [-200.0]]])


def test_what_fits_need():
    data = training_data(np.zeros((1, 2, 4, 5), np.uint8), np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"fit_trajectories_sampled: `data.states` is needed"):
        fit_trajectories_sampled(BIAS, data._replace(states=None), settings(), seed=SEED)
    unknown = settings(start={"b.B": 1.0})
    with pytest.raises(ValueError, match=r"`start` names \['b.B'\]; the coefficients are"):
        fit_trajectories_sampled(BIAS, data, unknown, seed=SEED)
    with pytest.raises(ValueError, match=r"`start` names \['b.B'\]; the coefficients are"):
        fit_initial_persistent(BIAS, np.zeros((1, 4, 5), np.uint8), unknown, seed=SEED)
