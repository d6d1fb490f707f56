"""What is warned of: the numbers are chosen, and so is the verdict."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from dynboltz.dynamics import HermiteField
from dynboltz.learning import FitSettings, LearningSettings, ReducedModel
from dynboltz.workflow import load_experiment
from dynboltz.workflow._verdicts import (
    Compared,
    comparison_warnings,
    extrapolation_warnings,
    fit_residuals,
    fit_warnings,
    metastability_warnings,
    poor_model_warnings,
    training_warnings,
)

SAMPLED = FitSettings(moments="persistent", steps=20)


@pytest.fixture
def plan(tiny):
    """A model with sampled moments."""
    found = load_experiment(tiny).plans["visible"]
    return dataclasses.replace(found, initial="fitted", fit=SAMPLED)


def learned(plan, **options):
    field = HermiteField.zeros(plan.model.coefficients, plan.grids)
    return ReducedModel(plan.model, field, 0.1, "euler", 1, **options)


def fits(train, test, later):
    return xr.Dataset(
        {
            "initial_residual": (("part", "initial_condition"), [train, test]),
            "residual": (("initial_condition", "time"), later),
        },
        coords={"part": ["train", "test"]},
    )


def test_fits_that_have_not_converged_are_told_with_their_residual(plan):
    nan = np.nan
    stored = fits([0.01, 0.12], [0.02, nan], [[nan, 0.04], [nan, 0.03]])
    assert fit_residuals(stored) == {"train": 0.12, "test": 0.02, "later": 0.04}
    (warning,) = fit_warnings(plan, stored)
    assert "visible: the fit at time 0 of the train initial conditions has not converged" in warning
    assert "with `fit.steps` = 20 (largest residual 0.12" in warning
    exact = fits([nan, nan], [nan, nan], [[nan, nan], [nan, nan]])
    assert fit_residuals(exact) == {}
    assert fit_warnings(plan, exact) == []
    assert fit_warnings(plan, xr.Dataset()) == []


def test_weights_without_a_start_are_named(tiny):
    hidden = (
        'models.hidden = { terms = ["b.A", "W.A.X", "b.X"], '
        'layers = [{ species = ["X"], stencil = [[0], [1]] }], '
        'grid = { axes."b.A" = { cell = 1, lower = -4, upper = 4 }, arguments = ["b.A"] } }'
    )
    plan = load_experiment(tiny, overrides=[hidden]).plans["hidden"]
    (warning,) = fit_warnings(plan, xr.Dataset())
    assert "starts with W.A.X at 0" in warning
    for start in ({"W.A.X": 0.3}, {"W.A.X": 0.0}):
        named = dataclasses.replace(plan, fit=FitSettings(start=start))
        assert fit_warnings(named, xr.Dataset()) == []
    given = dict.fromkeys(plan.model.coefficients, 0.0)
    unused = dataclasses.replace(plan, initial=given, follows_snapshots=False)
    assert fit_warnings(unused, xr.Dataset()) == []


def test_a_training_that_ends_worse_than_it_began_is_told(plan):
    rising = learned(plan, history={"moment_error": np.linspace(0.2, 0.3, 30)})
    (warning,) = training_warnings(plan, rising)
    # Means over the first and last three of thirty.
    assert f"from {0.2 + 0.1 / 29:.3g} to {0.3 - 0.1 / 29:.3g} per site" in warning
    assert "`fit.weight_decay`" in warning
    falling = learned(plan, history={"moment_error": np.linspace(0.3, 0.2, 30)})
    assert training_warnings(plan, falling) == training_warnings(plan, learned(plan)) == []
    windowed = dataclasses.replace(plan, learning=LearningSettings(window=5))
    assert training_warnings(windowed, rising) == []


@pytest.mark.parametrize(("worse", "told"), [(1, False), (2, False), (3, True)])
def test_models_worse_than_mean_field_are_told(plan, worse, told):
    rmse = np.full((5, 4), 0.1)
    rmse[:3, :worse] = 0.3
    rmse[3:] = 9.0  # beyond the learned times
    models = {"visible": {"rmse": rmse}, "mean_field": {"rmse": np.full((5, 4), 0.2)}}
    found = comparison_warnings(plan.name, 3, models)
    assert [f"worse than mean field in {worse} of 4 moments" in text for text in found] == (
        [True] * told
    )


def compared(error, noise, n_initial=4):
    """Moments with standard deviation 1 that are off by `error`, their means by `noise` as well."""
    mean = np.zeros((n_initial, 6, 2))
    mean[: n_initial // 2], mean[n_initial // 2 :] = 1.0, -1.0
    mean[:, 5] = 50.0  # beyond the learned times
    squares = np.full(mean.shape, error**2 + noise**2)
    squares[:, 5] = 1e9
    return Compared(squares, mean, np.full(mean.shape, noise))


@pytest.mark.parametrize(
    ("train", "test", "verdict"),
    [
        ((0.29, 0.01), (0.29, 0.01), None),
        ((0.31, 0.01), (0.31, 0.01), "errs by 0.31 of how much the moments vary (noise floor 0.01"),
        ((0.31, 0.11), (0.31, 0.11), None),  # not 3 noise floors
        ((np.inf, 0.01), (np.inf, 0.01), "errs by inf of"),
        ((0.05, 0.01), (0.14, 0.01), None),
        ((0.05, 0.01), (0.16, 0.01), "test set it errs by 0.16 of how much the moments vary, over"),
        ((0.0, 0.01), (0.09, 0.01), None),  # a hundredth of the variance
        ((0.0, 0.06), (0.17, 0.01), None),  # the error over the training set is not that well known
        ((0.05, 0.01), (0.16, 0.06), None),  # not 3 noise floors
    ],
)
def test_poor_models_are_told_where_it_shows(plan, train, test, verdict):
    found = poor_model_warnings(plan, 5, compared(*train), compared(*test))
    assert len(found) == (verdict is not None)
    assert all(verdict in text for text in found)


def test_models_are_not_called_poor_where_no_noise_is_known(plan):
    single = compared(5.0, 0.1)._replace(standard_error=np.full((4, 6, 2), np.nan))
    assert poor_model_warnings(plan, 5, single, single) == []


def test_moments_that_do_not_vary_are_judged_by_the_noise():
    steady = compared(0.2, 0.1)._replace(mean=np.ones((4, 6, 2)))
    np.testing.assert_allclose(steady.relative_error(5), (2.0, 1.0))


def test_metastable_times_come_with_a_remedy(plan):
    (warning,) = metastability_warnings("ceiling", plan, [0.0, 0.2])
    assert "ceiling: metastable at t = 0, 0.2." in warning
    assert "`fit.weight_decay`" in warning
    decaying = dataclasses.replace(SAMPLED, weight_decay=0.1)
    (warning,) = metastability_warnings("m", dataclasses.replace(plan, fit=decaying), [0.0])
    assert "`fit.weight_decay`" not in warning
    assert metastability_warnings("ceiling", plan, []) == []


@pytest.mark.parametrize(
    ("own", "ceiling", "verdict", "remedy"),
    [
        (0.03, 0.03, "only that the chains mix slowly", False),
        (0.04, None, "only that the chains mix slowly", False),
        (0.4, 0.02, "it is the dynamics", False),
        (0.4, 0.3, "the family of the model cannot hold these distributions", True),
        (0.4, None, "whether it is the family of the model or its dynamics", True),
    ],
)
def test_metastability_is_said_to_be_of_the_family_the_dynamics_or_the_chains(
    plan, own, ceiling, verdict, remedy
):
    errors = {"means_rel_rms": own / 2, "neighbours_rel_rms": own}
    best = None if ceiling is None else {"means_rel_rms": ceiling, "neighbours_rel_rms": 0.0}
    (warning,) = metastability_warnings("m", plan, [0.2], errors, best)
    assert verdict in warning
    assert ("`fit.weight_decay`" in warning) == remedy


def test_what_learning_warned_of_is_told(plan):
    noted = learned(plan, notes=("learn: none of the steps. Lower `learning_rate`.",))
    (warning,) = training_warnings(plan, noted)
    assert warning.startswith("visible: none of the steps. Lower `learning.learning_rate`.")


def test_extrapolation_is_told_apart_by_the_last_learned_time(plan):
    model = learned(plan)
    theta = np.tile([0.1, 0.1], (1, 4, 1))
    model = dataclasses.replace(model, field=model.field.allocate(theta[0]))
    times = np.arange(4.0)
    assert extrapolation_warnings("m", model, times, 2, {"train": theta}) == []
    theta[0, 3] = 3.3
    (warning,) = extrapolation_warnings("m", model, times, 2, {"train": theta})
    assert "m, train: 25.00% of" in warning
    assert "(0.00% up to t = 1, the last learned time, 50.00% later)" in warning
    (warning,) = extrapolation_warnings("m", model, times, 4, {"test": theta})
    assert "visited; the model" in warning
