"""Fits of single snapshots, against enumerated states and other optimisers."""

from __future__ import annotations

import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize, root_scalar
from scipy.special import expit, logit

from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    Layer,
    TransferMatrix,
    sample_chain,
)
from dynboltz.lattices import Factor, Lattice, Term
from dynboltz.learning import (
    FitSettings,
    LearningWarning,
    TrainingData,
    fit_initial,
    fit_initial_contrastive,
    fit_initial_persistent,
    fit_trajectories,
    natural_gradient_fit,
    summarise,
)

N = 10
STATES = np.array(list(itertools.product((0, 1), repeat=N)), dtype=np.uint8)
RING = Lattice((N,))
VISIBLE = LatticeModel.from_names(RING, ["A"], ["b.A", "J.A.A", "K.A.A.A"])
HIDDEN = LatticeModel.from_names(
    RING, ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
)
BIAS = LatticeModel.from_names(RING, ["A"], ["b.A"])
TRUTH = np.array([[-0.4, 0.7, -0.5], [1.1, -1.0, 0.3], [-2.0, 1.5, 0.8]])


def run_moments(theta: np.ndarray) -> np.ndarray:
    """Moments per site of runs of one, two and three particles on a ring, by enumeration."""
    n = STATES.astype(float)
    runs = [n, n * np.roll(n, 1, axis=1), n * np.roll(n, 1, axis=1) * np.roll(n, 2, axis=1)]
    counts = np.stack([run.sum(axis=1) for run in runs], axis=1)
    weights = np.exp(counts @ theta)
    return weights @ counts / weights.sum() / N


def hidden_log_weights(theta: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Log weights of visible states with one hidden unit on every neighbouring pair summed out."""
    b, w, b_hidden = theta
    pairs = states + np.roll(states, -1, axis=1)
    return b * states.sum(axis=1) + np.log1p(np.exp(b_hidden + w * pairs)).sum(axis=1)


def hidden_objective(theta: np.ndarray, data: np.ndarray) -> float:
    """Negative log likelihood per site of the hidden model, by enumeration."""
    n = STATES.astype(float)
    log_z = np.log(np.exp(hidden_log_weights(theta, n)).sum())
    return float(log_z - hidden_log_weights(theta, data.astype(float)).mean()) / N


def clumped_states(n_states: int) -> np.ndarray:
    """States whose particles sit together, which a product distribution cannot describe."""
    theta = np.array([-2.0, 2.0, 0.0])
    return sample_chain(TransferMatrix(VISIBLE), theta, n_states, seed=3)


def test_visible_model_is_recovered_from_its_moments():
    moments = np.array([run_moments(theta) for theta in TRUTH])
    fitted = fit_initial(VISIBLE, moments, FitSettings(prior_strength=0.0))
    # Steps end once they promise less than 1e-11: the error before the last, quadratic step was
    # below sqrt(1e-11 / smallest eigenvalue of the metric, 1e-3).
    np.testing.assert_allclose(fitted, TRUTH, atol=1e-6)


def test_any_exact_solution_can_be_used():
    moments = run_moments(TRUTH[0])[None]
    settings = FitSettings(prior_strength=0.0)
    fitted = fit_initial(VISIBLE, moments, settings, solution=Enumeration(VISIBLE))
    np.testing.assert_allclose(fitted[0], TRUTH[0], atol=1e-6)  # as above


def test_hidden_model_maximises_the_likelihood():
    data = clumped_states(200)
    start = np.array([-0.5, 0.8, -0.6])
    strength = 1e-3

    def objective(theta):
        return hidden_objective(theta, data) + 0.5 * strength * np.sum((theta - start) ** 2)

    settings = FitSettings(
        steps=300,
        prior_strength=strength,
        start=dict(zip(HIDDEN.coefficients, start, strict=True)),
    )
    summary = ClampedStatistics(HIDDEN).summarise(data).mean(axis=0)
    (fitted,) = fit_initial(HIDDEN, summary[None], settings)
    other = minimize(objective, start, method="BFGS", options={"gtol": 1e-8})
    # The objective is flat at its minimum: both stop within 1e-10 of it.
    assert objective(fitted) == pytest.approx(other.fun, abs=2e-10)
    # Curvature of at least 1e-3 (the prior) turns 1e-10 into an error of about 4e-4.
    np.testing.assert_allclose(fitted, other.x, atol=5e-4)
    # Central differences with step 1e-4 are right to 1e-8; the gradient is curvature times error.
    steps = 1e-4 * np.eye(3)
    gradient = [(objective(fitted + h) - objective(fitted - h)) / 2e-4 for h in steps]
    np.testing.assert_allclose(gradient, 0, atol=2e-6)
    assert objective(fitted) < objective(start) - 0.01


def test_weights_of_zero_are_a_saddle():
    data = clumped_states(200)
    density = data.mean()
    start = {"b.A": float(logit(density)), "W.A.X": 0.0, "b.X": 0.3}
    summary = ClampedStatistics(HIDDEN).summarise(data).mean(axis=0)[None]
    stuck = fit_initial(HIDDEN, summary, FitSettings(start=start))[0]
    np.testing.assert_allclose(stuck, list(start.values()), atol=1e-6)
    saddle = np.array(list(start.values()))
    gradient = [
        (hidden_objective(saddle + h, data) - hidden_objective(saddle - h, data)) / 2e-4
        for h in 1e-4 * np.eye(3)
    ]
    np.testing.assert_allclose(gradient, 0, atol=1e-7)  # central differences, step 1e-4
    free = fit_initial(HIDDEN, summary, FitSettings(start=start | {"W.A.X": 0.5}))[0]
    assert hidden_objective(free, data) < hidden_objective(stuck, data) - 0.01


@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_prior_pulls_towards_the_start(strength):
    centre, density = 0.4, 0.9
    settings = FitSettings(prior_strength=strength, start={"b.A": centre})
    (fitted,) = fit_initial(BIAS, np.array([[density]]), settings)
    expected = root_scalar(
        lambda b: expit(b) - density + strength * (b - centre), bracket=(-10, 10)
    ).root
    np.testing.assert_allclose(fitted, expected, atol=1e-6)  # the limit of the steps, as above


@pytest.mark.parametrize("optimiser", ["natural", "adam", "sgd"])
def test_prior_decides_between_coefficients_that_cannot_be_told_apart(optimiser):
    twin = Term("twin", ((Factor("A", (0,)),),))
    model = BIAS.with_terms([twin])
    start = {"b.A": 1.0, "twin": -0.5}
    settings = FitSettings(optimiser=optimiser, learning_rate=0.3, steps=400, start=start)
    (fitted,) = fit_initial(model, np.array([[0.8, 0.8]]), settings)
    # The sum is determined (up to the prior, 1e-6), the difference stays that of the start.
    assert fitted.sum() == pytest.approx(logit(0.8), abs=1e-4)
    assert fitted[0] - fitted[1] == pytest.approx(1.5, abs=1e-4)


@pytest.mark.parametrize(("optimiser", "rate", "steps"), [("adam", 0.1, 800), ("sgd", 3.0, 3000)])
def test_descent_reaches_the_same_optimum(optimiser, rate, steps):
    moments = np.array([run_moments(theta) for theta in TRUTH[:2]])
    settings = FitSettings(
        optimiser=optimiser, learning_rate=rate, steps=steps, prior_strength=1e-4
    )
    descended = fit_initial(VISIBLE, moments, settings)
    natural = fit_initial(VISIBLE, moments, FitSettings(prior_strength=1e-4))
    # First-order methods converge slowly along the metric's smallest eigenvector.
    np.testing.assert_allclose(descended, natural, atol=5e-3)


def test_steps_limit_the_natural_gradient():
    solution, clamped = TransferMatrix(VISIBLE), ClampedStatistics(VISIBLE)
    moments, start = jax.numpy.asarray(run_moments(TRUTH[2])), jax.numpy.zeros(3)

    @jax.jit
    def fit(steps):
        return natural_gradient_fit(solution, clamped, moments, start, 0.0, steps).theta

    def error(steps):
        return np.abs(np.asarray(fit(steps)) - TRUTH[2]).max()

    assert error(0) == 2.0
    assert error(2) > 1e-3 > error(60)


def test_contrastive_divergence_approaches_the_maximum():
    lattice = Lattice((20,), "closed")
    model = LatticeModel.from_names(lattice, ["A"], ["b.A", "J.A.A"])
    truth = np.array([[0.6, -1.0], [-1.0, 0.8]])
    solution = TransferMatrix(model)
    states = np.stack([sample_chain(solution, theta, 400, seed=i) for i, theta in enumerate(truth)])
    clamped = ClampedStatistics(model)
    summaries = np.array([clamped.summarise(s).mean(axis=0) for s in states])
    exact = fit_initial(model, summaries, FitSettings(prior_strength=0.0))
    settings = FitSettings("contrastive-divergence", "sgd", 0.5, steps=200, batch=200)
    reports = []
    fitted = fit_initial_contrastive(model, states, settings, seed=7, progress=reports.append).theta
    # One sweep decorrelates about half, so a step has noise 0.5 * sqrt(2 * 0.2 / (200 * 20)) =
    # 0.005, of which descent with metric 0.1 remembers 1 / (2 * 0.5 * 0.1) steps: 0.016, doubled
    # along the weakest direction; the data's own noise of 0.05 shifts CD-1 by part of itself.
    np.testing.assert_allclose(fitted, exact, atol=0.15)
    assert np.abs(exact).max(axis=1).min() > 0.5
    assert [report["step"] for report in reports] == list(range(1, 201))
    assert reports[0]["stage"] == "fit"
    assert reports[0]["total"] == 200
    first, last = (
        np.mean([r["moment_error"] for r in part]) for part in (reports[:5], reports[-50:])
    )
    assert last < 0.2 * first


def test_contrastive_divergence_with_the_same_seed_gives_the_same_bytes():
    states = clumped_states(30)[None]
    settings = FitSettings("contrastive-divergence", "adam", steps=5, batch=7, start={"W.A.X": 0.5})
    fits = [
        fit_initial_contrastive(HIDDEN, states, settings, seed=seed).theta for seed in (1, 1, 2)
    ]
    sequence = np.random.SeedSequence(1)
    again = fit_initial_contrastive(HIDDEN, states, settings, seed=sequence).theta
    assert fits[0].tobytes() == fits[1].tobytes() == again.tobytes()
    assert not np.array_equal(fits[0], fits[2])


def test_unknown_start_is_refused():
    settings = FitSettings(start={"b.B": 1.0})
    with pytest.raises(ValueError, match=r"`start` names \['b.B'\]; the coefficients are .*b.A"):
        fit_initial(VISIBLE, np.zeros((1, 3)), settings)


def trajectory(summaries: np.ndarray, initial: np.ndarray) -> TrainingData:
    return TrainingData(np.arange(summaries.shape[1], dtype=float), initial, summaries)


def test_trajectories_match_fits_of_snapshots():
    times = np.linspace(0, 1, 5)[:, None]
    path = np.stack([(1 - times) * TRUTH[i] + times * TRUTH[i + 1] for i in (0, 1)])
    moments = np.array([[run_moments(theta) for theta in thetas] for thetas in path])
    theta = fit_trajectories(
        VISIBLE, trajectory(moments, path[:, 0]), FitSettings(prior_strength=0.0)
    )
    np.testing.assert_allclose(theta, path, atol=1e-6)  # as for single snapshots


def test_trajectories_continue_from_the_snapshot_before():
    strength, densities = 0.5, [0.2, 0.9, 0.9, 0.1]
    summaries = np.array(densities)[None, :, None]
    data = trajectory(summaries, np.array([[2.0]]))
    theta = fit_trajectories(BIAS, data, FitSettings(prior_strength=strength))[0, :, 0]
    expected = [2.0]  # given, whatever the first snapshot says
    for density in densities[1:]:
        before = expected[-1]
        expected.append(
            root_scalar(
                lambda b, m=density, c=before: expit(b) - m + strength * (b - c), bracket=(-20, 20)
            ).root
        )
    np.testing.assert_allclose(theta, expected, atol=1e-5)  # the limit of the steps, summed up


def test_summaries_are_averages_over_replicas():
    states = np.random.default_rng(0).integers(0, 2, (4, 3, N)).astype(np.uint8)
    n = states.astype(float)
    pairs = (n * np.roll(n, 1, axis=2)).mean(axis=(0, 2))
    model = LatticeModel.from_names(RING, ["A"], ["b.A", "J.A.A"])
    summary = summarise(ClampedStatistics(model), states)
    np.testing.assert_allclose(summary, np.stack([n.mean(axis=(0, 2)), pairs], axis=1), rtol=1e-14)


def test_hidden_units_without_weights_to_start_with_are_warned_of():
    """They stay as they are: the fit is that of a model without them."""
    states = (np.random.default_rng(0).random((2, 6, RING.n_sites)) < 0.4).astype(np.uint8)
    clamped = ClampedStatistics(HIDDEN)
    summaries = np.array([clamped.summarise(own).mean(axis=0) for own in states])
    few = FitSettings(steps=2)
    with pytest.warns(LearningWarning, match=r"fit_initial: the fit starts with W\.A\.X at 0"):
        fit_initial(HIDDEN, summaries, few)
    sampled = FitSettings("contrastive-divergence", "adam", learning_rate=1e-3, steps=1)
    with pytest.warns(LearningWarning, match=r"fit_initial_contrastive: .*W\.A\.X at 0"):
        fit_initial_contrastive(HIDDEN, states, sampled, seed=0)
    persistent = FitSettings("persistent", steps=2, chains=4)
    with pytest.warns(LearningWarning, match=r"fit_initial_persistent: .*W\.A\.X at 0"):
        fit_initial_persistent(HIDDEN, states, persistent, seed=np.random.SeedSequence(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_initial(HIDDEN, summaries, FitSettings(steps=2, start={"W.A.X": 0.4}))


def test_gradient_descent_returns_nothing_worse_than_its_start():
    """At a rate that throws every step far away the start is the best."""
    solution, clamped = TransferMatrix(HIDDEN), ClampedStatistics(HIDDEN)
    theta = np.array([-0.3, 0.8, 0.2])
    states = sample_chain(solution, theta, 400, seed=1)
    summary = clamped.summarise(states).mean(axis=0)[None]
    start = dict(zip(HIDDEN.coefficients, theta, strict=True))
    settings = FitSettings(optimiser="sgd", learning_rate=1e5, steps=3, start=start)

    def loss(at):
        at = jnp.asarray(at)
        return float(solution.free_energy(at) - clamped.log_weight(at, jnp.asarray(summary[0])))

    found = fit_initial(HIDDEN, summary, settings)[0]
    assert loss(found) <= loss(theta)


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ([-0.2, 0.1], r"of b.A from 0 to 1; got -0.2"),
        ([30.0, 10.0], r"of b.A from 0 to 1; got 30"),
        ([0.3, 1.2], r"of J.A.A from 0 to 1; got 1.2"),
    ],
)
def test_moments_that_no_state_has_are_refused(summary, message):
    model = LatticeModel.from_names(Lattice((6,)), ("A",), ["b.A", "J.A.A"])
    with pytest.raises(ValueError, match=f"^fit_initial: `summaries` must hold .*{message}"):
        fit_initial(model, np.array([summary]), FitSettings())
    data = TrainingData(np.arange(2.0), np.zeros((1, 2)), np.array([[[0.3, 0.1], summary]]))
    with pytest.raises(ValueError, match=f"^fit_trajectories: .*{message}"):
        fit_trajectories(model, data, FitSettings())


def test_more_pairs_than_particles_allow_end_in_a_warning():
    model = LatticeModel.from_names(Lattice((6,)), ("A",), ["b.A", "J.A.A"])
    with pytest.warns(LearningWarning, match="1 of 2 fits end at coefficients beyond 100"):
        fit_initial(model, np.array([[0.5, 0.25], [0.3, 0.4]]), FitSettings())
