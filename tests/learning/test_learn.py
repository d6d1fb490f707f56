"""Learning from trajectories to a reduced model, on equations that are known."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.special import expit, logit

from dynboltz.closures import entropic_matching
from dynboltz.distributions import ClampedStatistics, LatticeModel, Layer, TransferMatrix
from dynboltz.dynamics import HermiteField, HermiteGrid
from dynboltz.lattices import Lattice
from dynboltz.learning import (
    ExactMoments,
    LearningSettings,
    LearningWarning,
    TrainingData,
    allocate_with_margin,
    learn,
    summarise,
    train,
)
from dynboltz.reactions import ReactionNetwork

# A -> 0 without hops: every site is independent, and its density decays with the rate K,
# so that b = logit(density) obeys db/dt = -K (1 + exp(b)).
K = 1.5
TIMES = np.linspace(0.0, 0.6, 31)
MODEL = LatticeModel.from_names(Lattice((20,), "closed"), ["A"], ["b.A"])
GRID = {"b.A": HermiteGrid(("b.A",), (0.5,), (0.0,), (-6.0,), (4.0,))}


def density(start: np.ndarray) -> np.ndarray:
    return expit(start)[:, None] * np.exp(-K * TIMES)


def data(start: np.ndarray) -> TrainingData:
    return TrainingData(TIMES, start[:, None], density(start)[:, :, None])


@pytest.mark.parametrize(
    ("method", "substeps", "regression"),
    [pytest.param("rk4", 1, True, marks=pytest.mark.slow), ("rk4", 1, False), ("euler", 5, True)],
)
def test_decay_is_learned_and_predicted_from_other_starts(method, substeps, regression):
    settings = LearningSettings(
        method=method,
        substeps=substeps,
        steps=60,
        smoothness=1e-8,
        velocity_prior="moment-regression" if regression else "none",
    )
    learned = learn(MODEL, GRID, data(np.linspace(-2.0, 2.0, 9)), settings)
    assert (learned.method, learned.substeps) == (method, substeps)
    assert learned.time_step == pytest.approx(0.02)
    assert learned.history["moment_error"][-1] < 1e-4

    others = np.array([-1.8, -0.6, 0.3, 1.7])
    theta = learned.predict(others[:, None], TIMES)
    # Cells of 0.5 interpolate exp(b) to 0.5^4 / 384 of its fourth derivative, up to 1e-3.
    np.testing.assert_allclose(expit(theta[..., 0]), density(others), atol=3e-4)
    b = logit(density(others)).ravel()
    velocity = [float(learned.field(jnp.asarray([value]))[0]) for value in b[::7]]
    # Steps of Euler's method are as long as 0.02 / 5: half of it times the second derivative.
    np.testing.assert_allclose(velocity, -K * (1 + np.exp(b[::7])), rtol=0.02)


@pytest.mark.parametrize("moments", ["persistent", "short-run"])
def test_without_an_exact_solution_chains_refine_what_the_fits_began(moments):
    known = data(np.linspace(-1.5, 1.5, 5))
    theta = logit(density(np.linspace(-1.5, 1.5, 5)))[..., None]
    settings = LearningSettings(moments=moments, steps=40, chains=20, learning_rate=0.2)
    # Fits that are off: their velocity is that of a decay at two thirds of the rate.
    slow = logit(expit(theta[:, :1]) * np.exp(-K / 1.5 * TIMES)[:, None])
    metric = (expit(slow) * expit(-slow))[..., None]
    learned = learn(MODEL, GRID, known, settings, theta=slow, metric=metric, seed=4)
    assert list(learned.history) == ["moment_error"]
    error = np.abs(expit(learned.predict(theta[:, 0], TIMES)) - expit(theta)).max()
    before = np.abs(expit(slow) - expit(theta)).max()
    # A mean over 20 lattices of 20 sites has a standard error of 0.025, and the last steps average
    # over a few times ten snapshots.
    assert error < 0.02
    assert before > 0.08


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_entropic_matching_says_how_fast_coefficients_move_beside_one_trajectory(method):
    model = LatticeModel.from_names(Lattice((20,), "periodic"), ["A"], ["b.A"])
    network = ReactionNetwork.parse(f"A -> 0 ; k = {K}")
    settings = LearningSettings(velocity_prior="entropic-matching", steps=0, method=method)
    start = np.array([0.2])
    learned = learn(
        model, GRID, data(start), settings, matching=entropic_matching(model, network, hop_rate=1.0)
    )
    # Without correlations the matching is exact. The trajectory goes from 0.2 to -1.25; velocities
    # are expected up to a cell of 0.5 away from it.
    b = np.array([-1.6, -1.4, 0.3])
    velocity = [float(learned.field(jnp.asarray([value]))[0]) for value in b]
    curvature = K**2 * np.exp(b) * (1 + np.exp(b))
    exact = -K * (1 + np.exp(b)) + (0.01 * curvature if method == "euler" else 0)
    np.testing.assert_allclose(velocity, exact, rtol=2e-3)


def test_the_field_of_entropic_matching_and_its_setting_go_together():
    settings = LearningSettings(velocity_prior="entropic-matching")
    with pytest.raises(ValueError, match="give both or neither"):
        learn(MODEL, GRID, data(np.array([0.0])), settings)


def test_the_same_seed_learns_the_same():
    settings = LearningSettings(steps=2, batch=2, learning_rate=1e-4)
    first, second = (
        learn(MODEL, GRID, data(np.array([-1.0, 0.0, 1.0])), settings, seed=3) for _ in "ab"
    )
    np.testing.assert_array_equal(first.field.functions[0].u, second.field.functions[0].u)


def test_gibbs_moments_are_for_visible_models():
    hidden = LatticeModel.from_names(
        MODEL.lattice, ["A"], ["b.A", "W.A.X"], [Layer(("X",), ((0,), (1,)))]
    )
    settings = LearningSettings(moments="gibbs", warm_start=False)
    with pytest.raises(ValueError, match="for visible models"):
        learn(hidden, {}, data(np.array([0.0])), settings)


def test_nothing_that_is_worse_than_the_warm_start_is_returned_and_learn_says_so():
    """A rate so high that every step does harm: what is returned predicts as the warm start."""
    known = data(np.linspace(-2.0, 2.0, 9))
    theta = logit(density(np.linspace(-2.0, 2.0, 9)))[..., None]
    warm = learn(MODEL, GRID, known, LearningSettings(steps=0), theta=theta)
    with pytest.warns(LearningWarning, match="the start is returned") as caught:
        learned = learn(
            MODEL, GRID, known, LearningSettings(steps=4, learning_rate=2.0), theta=theta
        )
    assert caught[0].filename == __file__
    assert len(learned.notes) == 1
    found, at_start = (
        np.sqrt(
            np.mean(
                (
                    expit(m.predict(theta[:, 0], TIMES)[..., 0])[:, 1:]
                    - density(theta[:, 0, 0])[:, 1:]
                )
                ** 2
            )
        )
        for m in (learned, warm)
    )
    assert found == pytest.approx(at_start, rel=1e-9)
    assert learned.history["moment_error"][-1] == pytest.approx(found, rel=1e-9)


def test_a_steady_state_is_learned_without_a_velocity_prior_and_this_is_said():
    """The law that is given moves everything; velocities as small as the data's are none of it."""
    model = LatticeModel.from_names(Lattice((20,), "periodic"), ["A"], ["b.A"])
    network = ReactionNetwork.parse(f"A -> 0 ; k = {K}")
    steady = TrainingData(TIMES, np.zeros((3, 1)), np.full((3, 31, 1), 0.5))
    settings = LearningSettings(steps=0, velocity_prior="entropic-matching")
    matching = entropic_matching(model, network, hop_rate=1.0)
    with pytest.warns(LearningWarning, match="the velocity prior 'entropic-matching' has no point"):
        learned = learn(model, GRID, steady, settings, matching=matching)
    np.testing.assert_allclose(learned.predict(np.zeros((1, 1)), TIMES), 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": TIMES[:1]}, r"`data.summaries` must have shape \(2, 1, features\)"),
        ({"times": TIMES[::-1]}, r"`data.times` increase"),
        ({"initial": np.zeros(2)}, r"`data.initial` must have shape \(initial_conditions, 1\)"),
        ({"initial": np.zeros((3, 1))}, r"`data.summaries` must have shape \(3, 31, features\)"),
        ({"summaries": "none"}, r"`data.summaries` must be .*, got 'none'"),
        ({"summaries": None}, r"`data.summaries` is needed"),
    ],
)
def test_data_that_do_not_fit_are_refused(change, message):
    settings = LearningSettings(steps=1, velocity_prior="none")
    wrong = data(np.array([0.0, 1.0]))._replace(**change)
    with pytest.raises((TypeError, ValueError), match=message):
        learn(MODEL, GRID, wrong, settings)


def test_lists_of_numbers_are_data():
    settings = LearningSettings(steps=1, velocity_prior="none", warm_start=False)
    arrays = data(np.array([0.0, 1.0]))
    lists = TrainingData(*(array.tolist() for array in arrays[:3]))
    expected, found = (learn(MODEL, GRID, own, settings).history for own in (arrays, lists))
    np.testing.assert_array_equal(found["moment_error"], expected["moment_error"])


UNEVEN = np.concatenate([[0.0, 0.02, 0.05, 0.07], np.linspace(0.1, 0.6, 11), [0.65, 0.8]])


@pytest.mark.parametrize(("method", "tolerance"), [("euler", 2e-3), ("heun", 1e-3)])
def test_uneven_times_teach_the_same_law_and_predict_it_at_any_times(method, tolerance):
    """Training takes the steps of prediction: the law holds at times that are not the data's."""
    starts = np.linspace(-2.0, 2.0, 9)
    densities = expit(starts)[:, None] * np.exp(-K * UNEVEN)
    uneven = TrainingData(UNEVEN, starts[:, None], densities[:, :, None])
    settings = LearningSettings(
        steps=40, method=method, smoothness=1e-8, velocity_prior="none", learning_rate=0.01
    )
    learned = learn(MODEL, GRID, uneven, settings)
    assert learned.time_step == pytest.approx(0.02)
    # What is trained and what is predicted are the same solutions.
    b = learned.predict(starts[:, None], UNEVEN)
    error = np.sqrt(np.mean((expit(b[..., 0]) - densities)[:, 1:] ** 2))
    assert learned.history["moment_error"][-1] == pytest.approx(error, rel=1e-6)
    assert error < tolerance / 4
    for times in (np.array([0.0, 0.013, 0.4]), np.linspace(0.0, 0.8, 5)):
        found = expit(learned.predict(starts[:, None], times)[..., 0])
        np.testing.assert_allclose(
            found, expit(starts)[:, None] * np.exp(-K * times), atol=tolerance
        )


@pytest.mark.filterwarnings("ignore::dynboltz._warnings.LearningWarning")
def test_until_leaves_out_what_comes_later():
    """Also in Python: what is wrong with the later times does not matter."""
    starts = np.linspace(-1.0, 1.0, 5)[:, None]
    times = np.linspace(0.0, 1.0, 6)
    densities = expit(starts) * np.exp(-K * times)
    wrong = densities.copy()
    wrong[:, 4:] = 0.5
    settings = LearningSettings(steps=3, until=0.6, velocity_prior="none", smoothness=1e-8)
    learned = [
        learn(MODEL, GRID, TrainingData(times, starts, d[:, :, None]), settings)
        for d in (densities, wrong)
    ]
    assert learned[0].learned_times == learned[1].learned_times == (0.0, pytest.approx(0.6))
    found = [model.predict(starts, times[:4]) for model in learned]
    np.testing.assert_array_equal(*found)
    data = TrainingData(times, starts, densities[:, :, None])
    with pytest.raises(ValueError, match=r"`until` must be at least 0.2, the second time"):
        learn(MODEL, GRID, data, dataclasses.replace(settings, until=0.1))


def test_errors_and_warnings_name_the_function_that_was_called():
    """Training that is not finite, a box that is left, data that do not fit the model."""
    known, plain = data(np.array([-1.0, 1.0])), LearningSettings(steps=1, warm_start=False)
    huge = dict.fromkeys(MODEL.coefficients, 1e308)
    narrow = {
        name: dataclasses.replace(grid, lower=(-1.5,), upper=(1.5,), outside="error")
        for name, grid in GRID.items()
    }
    cases = [
        (GRID, known._replace(summaries=np.zeros((2, len(TIMES), 0))), plain, ValueError),
        (narrow, data(np.array([-1.4, 1.4])), LearningSettings(steps=0), ValueError),
        (GRID, known, LearningSettings(steps=3, learning_rate=huge, warm_start=False), None),
    ]
    for grids, given, settings, error in cases:
        if error is None:
            with pytest.warns(LearningWarning, match="^learn: "):
                learn(MODEL, grids, given, settings)
            continue
        with pytest.raises(error) as raised:
            learn(MODEL, grids, given, settings)
        assert str(raised.value).startswith("learn: "), raised.value


def test_training_alone_speaks_in_its_own_name():
    known = data(np.array([-1.0, 1.0]))
    field = HermiteField.zeros(MODEL.coefficients, GRID)
    field = allocate_with_margin(field, known.initial)
    settings = LearningSettings(steps=3, learning_rate=1e308)
    with pytest.warns(LearningWarning, match="^train: "):
        train(
            field,
            known,
            ExactMoments(TransferMatrix(MODEL), known),
            settings,
            seed=np.random.SeedSequence(1),
        )


def test_predictions_speak_in_the_name_of_the_model():
    learned = learn(MODEL, GRID, data(np.array([-1.0, 1.0])), LearningSettings(steps=0))
    with pytest.raises(ValueError, match=r"^ReducedModel\.predict: at time 0, "):
        learned.predict(np.array([[50.0]]), np.array([0.0, 0.1]))


@pytest.mark.parametrize("dims", [("time", "replica", "x"), ("x", "replica", "time")])
def test_summaries_of_labelled_arrays_go_by_the_names_of_their_dimensions(dims):
    clamped = ClampedStatistics(MODEL)
    n_sites = MODEL.lattice.n_sites
    states = np.random.default_rng(0).integers(0, 2, (5, 3, n_sites)).astype(np.uint8)
    labelled = xr.DataArray(states, dims=("replica", "time", "x"))
    expected = summarise(clamped, states)
    np.testing.assert_array_equal(summarise(clamped, labelled.transpose(*dims)), expected)
    by_run = labelled.rename(replica="run").transpose("time", "run", "x")
    np.testing.assert_array_equal(summarise(clamped, by_run), expected)
    for wrong in (
        labelled.rename(replica="a", time="b"),
        labelled.rename(replica="initial_condition"),
        xr.DataArray(states),
    ):
        with pytest.raises(ValueError, match=r"summarise: `states` must have dimensions that tell"):
            summarise(clamped, wrong)


def test_labelled_coefficients_are_transposed_for_every_function():
    """A square array: its shape does not tell the axes."""
    model = LatticeModel.from_names(MODEL.lattice, ["A"], ["b.A", "J.A.A"])
    exact, theta = TransferMatrix(model), np.array([[0.3, -0.4], [1.1, 0.2]])
    labelled = xr.DataArray(theta, dims=("initial_condition", "coefficient"))
    expected = exact.batch_moments(theta)
    np.testing.assert_array_equal(exact.batch_moments(labelled.T), expected)
