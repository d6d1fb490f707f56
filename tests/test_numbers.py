"""What is not finite, or would be computed in single precision, is refused where it enters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz._numbers import check_finite, check_precision
from dynboltz.closures import entropic_matching, mean_field_moments
from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    PointProcessModel,
    PoissonSolution,
    TransferMatrix,
    observed_moments,
    sample_chain,
)
from dynboltz.dynamics import FunctionField, HermiteField, HermiteGrid, solve_fixed
from dynboltz.elements import ElementSpace
from dynboltz.evaluation import (
    ensemble_moments,
    half_means,
    independent_pairs,
    jackknife,
    noise_floor,
    reaches,
    relative_rms,
    relative_summary,
)
from dynboltz.interpretation import trajectory_errors
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.learning import (
    ExactMoments,
    FitSettings,
    GaussNewtonSettings,
    LearningSettings,
    Linearised,
    PointFitSettings,
    PoissonLikelihood,
    ReducedModel,
    SampledGaussNewtonSettings,
    TrainingData,
    VelocityPrior,
    fit_initial,
    fit_moment_regression,
    fit_point_process,
    fit_poisson,
    fit_pseudolikelihood,
    fit_trajectories,
    fit_trajectories_sampled,
    gauss_newton,
    learn,
    natural_gradient_fit,
    robust_covariance,
    sampled_gauss_newton,
    train,
    warm_start,
)
from dynboltz.particles import Box, PointPatterns
from dynboltz.reactions import ReactionNetwork

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


class Particles:
    """Point processes on a line, a field that moves them, and data of three snapshots."""

    box = Box((1.0,), "periodic")
    model = PointProcessModel(box, ("A",), {"A": ElementSpace(box, (3,), "P1")})
    exact = PoissonSolution(model)
    field = FunctionField(model.coefficients, lambda theta, _: -theta)
    initial, weights = np.full((2, 3), -3.0), np.full(3, 0.1)
    patterns = tuple(
        PointPatterns(places, np.ones((4, 3, 5), np.uint8), ("A",), Box((1.0,), "periodic"))
        for places in np.random.default_rng(0).random((2, 4, 3, 5, 1))
    )
    means = np.stack([*map(model.statistics, patterns)]).mean(axis=1)

    @staticmethod
    def solution(field, theta0):
        return solve_fixed(field, theta0, jnp.asarray(TIMES) / 10)

    @classmethod
    def descend(cls, **changed):
        given = {"initial": cls.initial, "data": jnp.asarray(cls.means), "weights": cls.weights}
        given |= {"source": PoissonLikelihood(cls.exact, 4), "solution": cls.solution} | changed
        return gauss_newton(cls.field, **given)

    @classmethod
    def sample(cls, **changed):
        given = {"initial": cls.initial, "weights": cls.weights, "solution": cls.solution}
        given |= {"model": cls.model, "patterns": cls.patterns, "seed": 0} | changed
        return sampled_gauss_newton(cls.field, **given)

    @classmethod
    def spread(cls, **changed):
        given = {"initial": cls.initial, "weights": cls.weights, "solution": cls.solution}
        given |= {"source": PoissonLikelihood(cls.exact, 4)} | changed
        replicas = [*map(cls.model.statistics, cls.patterns)]
        return robust_covariance(cls.field, replicas=replicas, **given)

    @classmethod
    def moved(cls, value):
        positions = cls.patterns[0].positions[:, 0].copy()
        positions[2, 1, 0] = value
        return PointPatterns(positions, cls.patterns[0].labels[:, 0], ("A",), cls.box)


PRIOR = VelocityPrior(np.zeros((4, 2)), np.zeros((4, 2)), METRIC[:, 0], 1.0)
MOMENTS = np.full((4, 3, 2), 0.1)
ENDLESS = np.array(MOMENTS)
ENDLESS[2, 1, 0] = np.inf
P = Particles

ARGUMENTS += [
    (
        lambda: P.descend(data=jnp.asarray(with_nan(P.means, 1, 2, 0))),
        "gauss_newton: `data` must be finite, got nan at initial condition 1, axis 1 2",
    ),
    (
        lambda: P.descend(initial=with_nan(P.initial, 1, 2)),
        "gauss_newton: `initial` must be finite, got nan at initial condition 1, coefficient 2",
    ),
    (
        lambda: P.descend(weights=np.array([0.1, np.inf, 0.1])),
        "gauss_newton: `weights` must be finite, got inf at time 1",
    ),
    (
        lambda: P.descend(weights=np.array([0.1, -0.1, 0.1])),
        r"gauss_newton: `weights` must not be negative, got \[",
    ),
    (
        lambda: P.sample(initial=with_nan(P.initial, 1, 2)),
        "sampled_gauss_newton: `initial` must be finite, got nan at initial condition 1",
    ),
    (
        lambda: P.sample(weights=np.array([0.1, np.inf, 0.1])),
        "sampled_gauss_newton: `weights` must be finite, got inf at time 1",
    ),
    (
        lambda: P.spread(initial=with_nan(P.initial, 1, 2)),
        "robust_covariance: `initial` must be finite, got nan at initial condition 1",
    ),
    (
        lambda: P.spread(weights=with_nan(P.weights, 1)),
        "robust_covariance: `weights` must be finite, got nan at time 1",
    ),
    (
        lambda: fit_poisson(P.model, with_nan(P.means[0], 1, 2), 4),
        "fit_poisson: `means` must be finite, got nan at snapshot 1, coefficient 2",
    ),
    (
        lambda: fit_pseudolikelihood(P.model, P.moved(np.nan), seed=0),
        r"PointPatterns: the particle at \(2, 1\) has the position \[nan\]",
    ),
    (
        lambda: fit_point_process(P.model, P.moved(np.inf), seed=0),
        r"PointPatterns: the particle at \(2, 1\) has the position \[inf\]",
    ),
    (
        lambda: PoissonLikelihood(P.exact, 4)(
            jnp.asarray(P.initial), jnp.asarray(with_nan(P.means[0, :2], 1, 2))
        ),
        "PoissonLikelihood: `data` must be finite, got nan at time 1, coefficient 2",
    ),
    (
        lambda: Linearised.around_fits(with_nan(np.zeros((3, 2)), 1, 0), METRIC[0]),
        "Linearised.around_fits: `theta` must be finite, got nan",
    ),
    (
        lambda: Linearised.around_fits(np.zeros((3, 2)), with_nan(METRIC[0], 1, 0, 0)),
        "Linearised.around_fits: `covariance` must be finite, got",
    ),
    (
        lambda: natural_gradient_fit(
            SOLUTION, ClampedStatistics(MODEL), jnp.array([0.1, np.nan]), jnp.zeros(2), 0.1, 2
        ),
        "natural_gradient_fit: `summary` must be finite, got nan at feature 1",
    ),
    (
        lambda: fit_moment_regression(SOLUTION, THETA, MOMENTS, np.array([0.0, 1.0, np.inf])),
        "fit_moment_regression: `times` must be finite, got inf at time 2",
    ),
    (
        lambda: train(
            FIELD,
            data(),
            ExactMoments(SOLUTION, data()),
            SETTINGS,
            prior=PRIOR._replace(velocities=with_nan(PRIOR.velocities, 3, 1)),
            seed=SEED,
        ),
        "train: `prior.velocities` must be finite, got nan at point 3",
    ),
    (
        lambda: ensemble_moments(with_nan(MOMENTS, 3, 1, 0), np.array([0, 0, 1, 1])),
        "ensemble_moments: `moments` must be finite, got nan at replica 3, time 1, moment 0",
    ),
    (
        lambda: half_means(with_nan(MOMENTS, 3, 1, 0), np.array([0, 0, 1, 1])),
        "half_means: `values` must be finite, got nan at replica 3",
    ),
    (
        lambda: jackknife(lambda mean: mean, with_nan(MOMENTS, 3, 1, 0)),
        r"jackknife: `samples\[0\]` must be finite, got nan at replica 3",
    ),
    (
        lambda: relative_rms(MOMENTS, ENDLESS),
        "relative_rms: `simulated` must be finite, got inf at initial condition 2, time 1",
    ),
    (
        lambda: relative_summary(MOMENTS, ENDLESS, neighbour_moments(["A"], 1, max_order=2)),
        "relative_summary: `simulated` must be finite, got inf at initial condition 2, time 1",
    ),
    (
        lambda: noise_floor(ENDLESS),
        "noise_floor: `standard_error`, where it is known, must be finite, got inf at initial",
    ),
    (
        lambda: reaches(MOMENTS, np.array([0.1, np.inf])),
        "reaches: `floor`, where it is known, must be finite, got inf at term 1",
    ),
    (
        lambda: independent_pairs(np.array([1.0, np.nan])),
        "independent_pairs: `number` must be finite, got nan",
    ),
    (
        lambda: trajectory_errors(FIELD, with_nan(THETA, 1, 2, 0), TIMES),
        "trajectory_errors: `trajectories` must be finite, got nan at initial condition 1, time 2",
    ),
    (
        lambda: mean_field_moments(
            np.array([[0.1], [np.nan]]), neighbour_moments(["A"], 1), Lattice((8,)), ["A"]
        ),
        "mean_field_moments: `densities` must be finite, got nan at time 1, species 0",
    ),
    (
        lambda: entropic_matching(MODEL, ReactionNetwork.parse("A -> 0 ; k = 1"), hop_rate=np.nan),
        "rate_constants: `hop_rate`, D, must be finite, got nan",
    ),
    (lambda: FitSettings(prior_strength=np.nan), "FitSettings: `prior_strength` must be finite"),
    (lambda: FitSettings(start={"b.A": np.nan}), r"FitSettings: `start\['b.A'\]` must be finite"),
    (lambda: LearningSettings(smoothness=np.inf), "LearningSettings: `smoothness` must be finite"),
    (lambda: PointFitSettings(ridge=np.inf), "PointFitSettings: `ridge` must be finite"),
    (lambda: GaussNewtonSettings(damping=np.inf), "GaussNewtonSettings: `damping` must be finite"),
    (
        lambda: SampledGaussNewtonSettings(learning_rate=np.inf),
        "SampledGaussNewtonSettings: `learning_rate` must be finite",
    ),
]


def test_noise_that_is_not_known_is_left_out():
    error = np.array([[[0.3]], [[np.nan]], [[0.1]]])
    np.testing.assert_allclose(noise_floor(error), np.sqrt((0.3**2 + 0.1**2) / 2), rtol=1e-14)
    assert reaches(np.full((2, 3, 2), 0.04), np.array([0.1, np.nan]))
    assert not reaches(np.full((2, 3, 2), 0.06), np.array([0.1, np.nan]))


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
