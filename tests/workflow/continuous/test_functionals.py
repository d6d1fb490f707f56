import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.distributions import PointProcessModel
from dynboltz.learning import ExtrapolationWarning
from dynboltz.workflow import load_experiment
from dynboltz.workflow.continuous._functions import functional_field, functions_of, started_from
from dynboltz.workflow.continuous._learned import constants
from dynboltz.workflow.continuous._model import (
    FunctionalModel,
    functional_dataset,
    load_functional,
    parameters_of,
    with_parameters,
)
from dynboltz.workflow.continuous._occupancy import occupancy
from dynboltz.workflow.continuous._schema import DynamicsTable
from dynboltz.workflow.continuous._truth import true_functions


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


@eqx.filter_jit
def functions(field, points):
    return {k: jax.vmap(f)(points) for k, f in functions_of(field.equations[0]).items()}


def values(field, nu):
    found = functions(field, jnp.asarray(np.reshape(nu, (-1, len(field.species)))))
    return {name: np.asarray(column) for name, column in found.items()}


def test_functions_take_over_those_of_another_model(tiny_box):
    experiment = load_experiment(tiny_box)
    plans, nu = experiment.plans, np.linspace(-6, -3, 200)[:, None]
    their = with_parameters(plans["constants"].field, np.array([0.2, -0.3, 0.7]))
    found = values(started_from(plans["free"].field, their, nu), [-5.5, -4.1])
    np.testing.assert_allclose(found["F1"], 0.2)
    np.testing.assert_allclose(found["F2"], -0.2)  # follows from F1
    np.testing.assert_allclose(found["F3"], 0.7, rtol=1e-9)
    back = values(started_from(their, plans["free"].field, nu), [-4.0])
    np.testing.assert_allclose([back[k][0] for k in ("F1", "F2", "F3")], [0.1, -0.1, 1.0])


def test_curves_take_over_values_and_slopes(tiny_box):
    experiment = load_experiment(tiny_box)
    space, nu = experiment.plans["free"].field.space, np.linspace(-6, -3, 200)[:, None]

    def field(source):
        return functional_field(space, ("A",), {"A": DynamicsTable(F1=0.1, F2=-0.1, F3=source)})

    # A cubic is what a curve of one cell holds; exponentials are close to it on short cells.
    their = field({"kind": "dictionary", "exponents": [{"A": 0.5}], "start": [2.0]})
    own = field({"kind": "curve", "range": [-6.0, -3.0], "cells": 6, "start": 0.0})
    places = [-5.3, -4.4, -3.1]
    found = values(started_from(own, their, nu), places)["F3"]
    # The error of cubic Hermite interpolation is at most h^4 / 384 of the fourth derivative.
    assert np.all(np.abs(found - 2 * np.exp(0.5 * np.array(places))) < 0.5**4 / 384 * 2 * 0.5**4)


def made_up(experiment, name="free"):
    plan = experiment.plans[name]
    n = len(parameters_of(plan.field))
    random = np.random.default_rng(1)
    field = with_parameters(plan.field, parameters_of(plan.field) + 0.05 * random.random(n))
    factor = 0.01 * random.standard_normal((n, n))
    history = {"action": np.array([3.0, 1.0]), "damping": np.ones(2), "window": np.zeros(2)}
    initial = np.full((2, len(plan.model.coefficients)), -4.0) * np.tile([1.0, 0.02], 3)
    return plan, FunctionalModel(plan.model, field, 2, initial, factor @ factor.T, history)


def test_a_stored_model_is_the_same(tiny_box):
    plan, learned = made_up(load_experiment(tiny_box))
    dataset = functional_dataset(learned, plan.table)
    again = load_functional(dataset)
    assert again.model.coefficients == learned.model.coefficients
    assert isinstance(again.model, PointProcessModel)
    nu = np.linspace(-5, -3, 7)[:, None]
    for key, (value, error) in learned.function_values("A", nu).items():
        np.testing.assert_array_equal(again.function_values("A", nu)[key], (value, error))
    np.testing.assert_array_equal(again.history["action"], [3.0, 1.0])
    assert again.substeps == 2


def test_a_model_says_where_and_when_it_extrapolates(tiny_box):
    _, learned = made_up(load_experiment(tiny_box))
    learned = dataclasses.replace(learned, learned_times=np.array([0.0, 0.05, 0.1]))
    learned.predict(learned.initial, np.array([0.0, 0.1]))
    later = "learned from times up to 0.1; what comes later is beyond its training"
    for times in ([0.0, 0.1, 0.2], [-0.1, 0.0, 0.1]):  # the coefficients are those of the first
        with pytest.warns(ExtrapolationWarning, match=later):
            learned.predict(learned.initial, np.array(times))
    with pytest.warns(ExtrapolationWarning, match=r"2 of 2 initial conditions are where no tr"):
        learned.predict(learned.initial + 3.0, np.array([0.0, 0.1]))


def test_starts_and_times_that_are_not_finite_are_refused(tiny_box):
    _, learned = made_up(load_experiment(tiny_box))
    initial, times = learned.initial.copy(), np.array([0.0, np.inf])
    with pytest.raises(ValueError, match=r"FunctionalModel.predict: `times` .* inf at time 1"):
        learned.predict(initial, times)
    initial[1, 2] = np.nan
    message = r"FunctionalModel.predict: `initial` .* nan at initial condition 1, coefficient 2"
    with pytest.raises(ValueError, match=message):
        learned.predict(initial, np.array([0.0, 0.1]))


def test_errors_of_functions_are_those_of_their_parameters(tiny_box):
    """Compared with the spread over parameters drawn from the covariance."""
    _, learned = made_up(load_experiment(tiny_box))
    nu, u = np.array([[-4.5], [-3.5]]), parameters_of(learned.field)
    draws = np.random.default_rng(2).multivariate_normal(u, learned.covariance * 1e-4, 400)
    found = [values(with_parameters(learned.field, d), nu) for d in draws]
    for key, (_, error) in learned.function_values("A", nu).items():
        spread = np.std([f[key] for f in found], axis=0)
        # The relative error of a standard deviation of 400 draws is 3.5 %; five of them.
        np.testing.assert_allclose(spread * 100, error, rtol=0.18)


def test_the_occupancy_counts_particles():
    # Two places as large as each other: three times the density is three times the particles.
    nu = np.log([1.0] * 10 + [1 / 3] * 10)
    seen = occupancy(nu)
    assert seen.share[0] == 1.0
    np.testing.assert_allclose(seen.share[-1], 1 / 3)
    assert seen.share[1:-1].max() == 0
    assert seen.visited(0.5).sum() == 1
    assert seen.visited(0.3).all()


def test_what_is_known_follows_from_the_reactions(tiny_box):
    text = tiny_box.read_text().replace(
        '"A -> 0 ; k = 1"', "'''\nA -> B ; k = 2\n0 -> A ; k = 3\n'''"
    )
    text = text.replace("{ A = 0.1 }", "{ A = 0.1, B = 0.3 }")
    for model in ("constants", "free"):
        text += f"\n[models.{model}.dynamics.B]\nF1 = 0.3\nconserving = true\n"
    tiny_box.write_text(text.replace("[presets.one]", "").replace('learn = ["constants"]', ""))
    experiment = load_experiment(tiny_box)
    nu = np.array([[-2.0, -1.0], [0.5, 0.2]])
    a, b = nu.T
    of_a, of_b = (true_functions(experiment, name) for name in ("A", "B"))
    assert of_a is not None
    assert of_b is not None
    np.testing.assert_allclose(of_a["F3"](nu), 2 - 3 * np.exp(a))
    np.testing.assert_allclose(of_b["F3"](nu), -2 * np.exp(b - a))
    np.testing.assert_allclose(of_b["F1"](nu), 0.3)


def test_reactions_of_pairs_are_not_known(tiny_box):
    pairs = ['network = "A + A -> 0 ; k = 1"', "kernel.reaction_radius = 0.01"]
    assert true_functions(load_experiment(tiny_box, overrides=pairs), "A") is None


def test_recovered_constants_have_their_signs_and_errors(tiny_box):
    experiment = load_experiment(tiny_box)
    _, learned = made_up(experiment, "constants")
    found = constants(experiment, learned)
    assert found is not None
    u = parameters_of(learned.field) * [1, -1, 1]
    np.testing.assert_allclose([found["recovered"][k] for k in "DEk"], u)
    errors = np.sqrt(np.diag(learned.covariance))
    np.testing.assert_allclose([found["standard_error"][k] for k in "DEk"], errors)
    assert found["truth"] == {"D": 0.1, "E": 0.1, "k": 1.0}
    assert constants(experiment, made_up(experiment)[1]) is None
