"""What is not finite, or would be computed in single precision, is refused where it enters."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from dynboltz._numbers import check_finite, check_precision
from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    TransferMatrix,
    observed_moments,
    sample_chain,
)
from dynboltz.dynamics import HermiteField, HermiteGrid
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.learning import (
    ExactMoments,
    FitSettings,
    LearningSettings,
    ReducedModel,
    TrainingData,
    fit_initial,
    fit_moment_regression,
    fit_trajectories,
    fit_trajectories_sampled,
    learn,
    train,
    warm_start,
)

MODEL = LatticeModel.from_names(Lattice((8,)), ["A"], ["b.A", "J.A.A"])
GRID = HermiteGrid(("b.A", "J.A.A"), cell=(1.0, 1.0), origin=(0.0, 0.0), lower=(-4.0, -4.0),
                   upper=(4.0, 4.0))  # fmt: skip
GRIDS = dict.fromkeys(MODEL.coefficients, GRID)
FIELD = HermiteField.zeros(MODEL.coefficients, GRIDS)
SOLUTION = TransferMatrix(MODEL)
TIMES = np.array([0.0, 1.0, 2.0])
SEED = np.random.SeedSequence(0)
SETTINGS = LearningSettings(steps=1)
THETA = np.zeros((4, 3, 2))
METRIC = np.broadcast_to(np.eye(2), (4, 3, 2, 2))


def data(*, summary=0.1, initial=0.0, time=2.0):
    """Four initial conditions and three times, one number of each kind replaced."""
    summaries, coefficients, times = np.full((4, 3, 2), 0.1), np.zeros((4, 2)), TIMES.copy()
    summaries[3, 1, 0], coefficients[2, 1], times[2] = summary, initial, time
    states = lambda i, j, replicas: np.zeros((len(j), len(replicas), 8), np.uint8)  # noqa: E731
    return TrainingData(times, coefficients, summaries, states, 2)


def with_nan(values, *place):
    values = np.array(values)
    values[place] = np.nan
    return values


FITS = {
    "fit_trajectories": lambda d: fit_trajectories(MODEL, d, FitSettings()),
    "fit_trajectories_sampled": lambda d: fit_trajectories_sampled(
        MODEL, d, FitSettings(steps=1), seed=SEED
    ),
    "learn": lambda d: learn(MODEL, GRIDS, d, SETTINGS),
    "train": lambda d: train(FIELD, d, ExactMoments(SOLUTION, data()), SETTINGS, seed=SEED),
}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"summary": np.nan}, "summaries` .* got nan at initial condition 3, time 1, feature 0"),
        ({"initial": np.inf}, "`data.initial` .* got inf at initial condition 2, coefficient 1"),
        ({"time": np.nan}, "`data.times` .* got nan at time 2"),
    ],
)
def test_data_that_are_not_finite_are_refused_with_their_place(fit, change, message):
    with pytest.raises(ValueError, match=f"^{fit}: .*{message}"):
        FITS[fit](data(**change))


ARGUMENTS = [
    (
        lambda: fit_initial(MODEL, with_nan(np.full((3, 2), 0.1), 2, 1), FitSettings()),
        "fit_initial: `summaries` must be finite, got nan at snapshot 2, feature 1",
    ),
    (
        lambda: learn(MODEL, GRIDS, data(), SETTINGS, theta=with_nan(THETA, 1, 2, 0)),
        "learn: `theta` must be finite, got nan at initial condition 1, time 2, coefficient 0",
    ),
    (
        lambda: warm_start(FIELD, TIMES, with_nan(THETA, 1, 2, 0), METRIC, 0.1),
        "warm_start: `theta` must be finite, got nan at initial condition 1, time 2",
    ),
    (
        lambda: warm_start(FIELD, TIMES, THETA, with_nan(METRIC, 1, 2, 0, 1), 0.1),
        "warm_start: `metric` must be finite, got nan at initial condition 1, time 2, row 0",
    ),
    (
        lambda: fit_moment_regression(
            SOLUTION, THETA, with_nan(np.full((4, 3, 2), 0.1), 0, 2, 1), TIMES
        ),
        "fit_moment_regression: `summaries` .* got nan at initial condition 0, time 2",
    ),
    (
        lambda: ReducedModel(MODEL, FIELD, 1.0).predict(np.array([[0.0, np.nan]]), TIMES),
        "ReducedModel.predict: `theta0` .* got nan at initial condition 0, coefficient 1",
    ),
    (
        lambda: ReducedModel(MODEL, FIELD, 1.0).predict(np.zeros((1, 2)), np.array([0.0, np.nan])),
        "ReducedModel.predict: `times` must be finite, got nan at time 1",
    ),
    (
        lambda: observed_moments(MODEL, with_nan(THETA, 1, 2, 0), neighbour_moments(["A"], 1)),
        "observed_moments: `theta` must be finite, got nan at axis 0 1, axis 1 2, coeff",
    ),
]


@pytest.mark.parametrize(("call", "message"), ARGUMENTS, ids=range(len(ARGUMENTS)))
def test_arguments_that_are_not_finite_are_refused_with_their_place(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_moments_of_a_source_that_are_not_finite_are_named():
    class Broken(ExactMoments):
        def __call__(self, theta, selection):
            found = super().__call__(theta, selection)
            return found._replace(difference=with_nan(found.difference, 2, 1, 0))

    settings = LearningSettings(steps=1, window=None)
    with pytest.raises(FloatingPointError, match="not finite for initial condition 2 at time 1"):
        train(FIELD, data(), Broken(SOLUTION, data()), settings, seed=SEED)


def test_the_message_counts_what_is_not_finite():
    with pytest.raises(ValueError, match="must be finite") as error:
        check_finite("here", "`x`", np.array([1.0, np.inf, np.nan]), ("site",), advice="Look.")
    assert str(error.value) == (
        "here: `x` must be finite, got inf at site 1 (counted from 0); 2 of 3 values are not "
        "finite. Look."
    )
    check_finite("here", "`x`", np.ones(3))
    with pytest.raises(TypeError, match="here: `x` must hold numbers, got an array of <U1"):
        check_finite("here", "`x`", np.array(["a"]))
    with pytest.raises(ValueError, match=r"`x` must be finite, got nan\."):
        check_finite("here", "`x`", np.array(np.nan))


POINT = np.zeros(2, np.float32)
DOUBLES = {
    "TransferMatrix": lambda: SOLUTION.moments(POINT),
    "Enumeration": lambda: Enumeration(MODEL).log_partition(POINT),
    "ClampedStatistics": lambda: ClampedStatistics(MODEL).log_weight(POINT, POINT),
    "fit_initial": lambda: fit_initial(MODEL, np.full((1, 2), 0.1), FitSettings()),
    "warm_start": lambda: warm_start(FIELD, TIMES, THETA, METRIC, 0.1),
    "fit_moment_regression": lambda: fit_moment_regression(SOLUTION, THETA, THETA, TIMES),
    "ReducedModel.predict": lambda: ReducedModel(MODEL, FIELD, 1.0).predict(
        np.zeros((1, 2)), TIMES
    ),
    **{name: (lambda fit=fit: fit(data())) for name, fit in FITS.items() if "sampled" not in name},
}


@pytest.mark.parametrize("entry", DOUBLES)
def test_single_precision_is_refused_with_the_way_out(entry):
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=rf'^{entry}: .*update\("jax_enable_x64", True\)'),
    ):
        DOUBLES[entry]()


RESTING = {
    "batch_moments": lambda: SOLUTION.batch_moments(np.zeros((1, 2), np.float32)),
    "sample_chain": lambda: sample_chain(SOLUTION, POINT, 1, seed=0),
    "observed_moments": lambda: observed_moments(MODEL, np.zeros(2), neighbour_moments(["A"], 1)),
}


@pytest.mark.parametrize("entry", RESTING)
def test_what_rests_on_exact_moments_is_refused_in_single_precision(entry):
    with jax.enable_x64(False), pytest.raises(ValueError, match="needs double precision"):
        RESTING[entry]()


def test_single_precision_may_be_asked_for_on_purpose():
    with jax.enable_x64(True):
        check_precision("here")
        assert SOLUTION.moments(POINT).dtype == np.float32
