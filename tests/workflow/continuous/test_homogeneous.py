"""Models in homogeneous space from their tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from dynboltz.dynamics import (
    Constant,
    CorrelationWithin,
    Dictionary,
    Equation,
    Exponential,
    ExponentialWithin,
    PairField,
    UniformEquation,
)
from dynboltz.elements import RadialSpace
from dynboltz.workflow import ExperimentError, load_experiment
from dynboltz.workflow.continuous._homogeneous import homogeneous_field, term_labels
from dynboltz.workflow.continuous._learned import learned_weights
from dynboltz.workflow.continuous._model import (
    FunctionalModel,
    functional_dataset,
    load_functional,
    parameters_of,
    with_parameters,
)
from dynboltz.workflow.continuous._pair_functions import pair_functions

TWO_SPECIES = {
    "order": 2,
    "elements": {"kind": "radial", "cutoff": 0.8, "cells": 2},
    "dynamics": {
        "B": {"F": {"kind": "dictionary", "exponents": [{}, {"A": 1.0}], "start": [0.1, 0.2]}},
        "A": {
            "F": 0.3,
            "integrals": {
                "B.B": [{"within": 0.8, "start": 0.5}],
                "A.B": [{"within": 0.4, "start": 0.4}],
            },
        },
    },
    "pairs": {
        "A.B": {"F1": 0.6, "F2": -0.7, "F3": [{"within": 0.4, "start": 0.8}]},
        "B.B": {
            "F1": 0.9,
            "F2": -1.0,
            "F3": [
                {"exponents": {"B": -1.0, "pair": 0.5}, "within": 0.8, "start": 1.1},
                {"kind": "correlation", "exponents": {"A": -1.0}, "within": 0.4, "start": 1.2},
            ],
        },
    },
}
"""Weights are in order in the labels, wherever species and pairs stand in the table."""


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def constant(value):
    return Constant(jnp.asarray(value))


def same(field, other):
    """Tell whether two fields have the same terms with the same weights."""
    weights = np.array_equal(parameters_of(field), parameters_of(other))
    return jax.tree.structure(field) == jax.tree.structure(other) and weights


def made_up(experiment):
    """A model of order 2 as after training."""
    plan = experiment.plans["k2"]
    n, random = len(parameters_of(plan.field)), np.random.default_rng(1)
    field = with_parameters(plan.field, parameters_of(plan.field) + 0.1 * random.random(n))
    history = {"action": np.array([3.0, 1.0]), "damping": np.ones(2), "window": np.zeros(2)}
    initial = 0.1 * random.random((2, len(plan.model.coefficients)))
    covariance = np.diag(np.arange(1.0, n + 1) ** 2)
    return plan, FunctionalModel(plan.model, field, 2, initial, covariance, history)


def test_fields_are_those_that_the_library_makes(tiny_pairs):
    plan = load_experiment(tiny_pairs).plans["k2"]
    local = Dictionary((Exponential((-1.0,)),), jnp.array([0.0]))
    lost = Dictionary((ExponentialWithin((-1.0, -1.0), 0.2),), jnp.array([2.0]))
    terms = (ExponentialWithin((0.0, 0.0), 0.2), CorrelationWithin((-1.0, 0.0), 0.8))
    source = Dictionary(terms, jnp.array([2.0, 0.0]))
    expected = PairField(
        RadialSpace(0.8, 4),
        1,
        ("A",),
        (("A", "A"),),
        (UniformEquation(local, (lost,)),),
        (Equation(constant(0.1), constant(-0.1), source),),
    )
    assert plan.field.coefficients == plan.model.coefficients == expected.coefficients
    assert same(plan.field, expected)


def test_models_without_pairs_have_one_coefficient_a_species(tiny_pairs):
    plan = load_experiment(tiny_pairs).plans["k1"]
    assert plan.model.coefficients == plan.field.coefficients == ("nu.A[0]",)
    np.testing.assert_allclose(plan.field(jnp.array([0.5])), [0.8 * np.exp(-0.5)])
    assert not plan.has_pairs


def test_labels_have_the_order_of_the_parameters(tiny_pairs):
    experiment = load_experiment(tiny_pairs)
    table = type(experiment.plans["k2"].table).model_validate(TWO_SPECIES)
    species = ("A", "B")
    field = homogeneous_field(experiment.box, species, table)
    flat = [(key, label) for key, own in term_labels(table, species).items() for label in own]
    assert flat == [
        ("A.F", "1"),
        ("A.integral.A.B", "1 [r < 0.4]"),
        ("A.integral.B.B", "1 [r < 0.8]"),
        ("B.F", "1"),
        ("B.F", "exp(+1 nu.A)"),
        ("A.B.F1", "1"),
        ("A.B.F2", "1"),
        ("A.B.F3", "1 [r < 0.4]"),
        ("B.B.F1", "1"),
        ("B.B.F2", "1"),
        ("B.B.F3", "exp(-1 nu.B +0.5 nu.pair) [r < 0.8]"),
        ("B.B.F3", "exp(-1 nu.A) (exp(-nu.pair) - 1) [r < 0.4]"),
    ]
    starts = [0.3, 0.4, 0.5, 0.1, 0.2, 0.6, -0.7, 0.8, 0.9, -1.0, 1.1, 1.2]
    np.testing.assert_allclose(parameters_of(field), starts)
    # A weight moves what it is a part of: a species, or a pair.
    first = {"A.F": 0, "A.in": 0, "B.F": 1, "A.B.": 2, "B.B.": 2 + field.space.size}
    names = np.repeat([0, 1, 2, 3], [1, 1, field.space.size, field.space.size])
    theta = jnp.asarray(np.linspace(-0.4, 0.6, len(field.coefficients)))
    u, unravel = ravel_pytree(field)
    rows = jnp.concatenate([u[None], u[None] + jnp.eye(len(u))])
    plain, *others = np.asarray(jax.jit(jax.vmap(lambda u: unravel(u)(theta)))(rows))
    for number, (function, _) in enumerate(flat):
        place = next(at for start, at in first.items() if function.startswith(start))
        moved = np.flatnonzero(np.abs(others[number] - plain) > 1e-9)
        assert set(names[moved]) == {names[place]}, function


def test_weights_are_told_with_their_errors(tiny_pairs):
    plan, learned = made_up(load_experiment(tiny_pairs))
    weights = learned_weights(plan, learned)
    assert list(weights) == ["A.F", "A.integral.A.A", "A.A.F1", "A.A.F2", "A.A.F3"]
    flat = [one for own in weights.values() for one in own.values()]
    np.testing.assert_allclose([one["value"] for one in flat], parameters_of(learned.field))
    np.testing.assert_allclose([one["standard_error"] for one in flat], np.arange(1.0, 7.0))


def test_a_stored_model_is_the_same(tiny_pairs):
    plan, learned = made_up(load_experiment(tiny_pairs))
    again = load_functional(functional_dataset(learned, plan.table))
    assert again.model.coefficients == learned.model.coefficients
    assert again.substeps == 2
    for name in ("initial", "covariance"):
        np.testing.assert_array_equal(getattr(again, name), getattr(learned, name))
    assert same(again.field, learned.field)
    assert list(again.history) == list(learned.history)


def test_pair_functions_are_those_of_the_model(tiny_pairs):
    model = load_experiment(tiny_pairs).plans["k2"].model
    theta = np.random.default_rng(2).random((2, 3, len(model.coefficients)))
    found = pair_functions(model, theta)
    assert found["pair"][1] == ["A.A"]
    r, values = found["separation"][1], found["pair_function"][1]
    assert (r[0], r[-1]) == (0.0, 0.8)
    np.testing.assert_allclose(values[1, 2, 0], model.values(theta[1, 2], "nu.A.A", r[:, None]))
    # The first coefficient is the value at no distance.
    np.testing.assert_allclose(values[..., 0, 0], theta[..., 1])


@pytest.mark.parametrize("preset", [None, "quick"])
def test_the_shipped_experiment_loads(preset):
    experiment = load_experiment("annihilation-continuous", preset=preset)
    pairs = [] if preset else ["k2"]
    assert list(experiment.plans) == ["k1", "k1_hermite", *pairs]
    assert [name for name, plan in experiment.plans.items() if plan.has_pairs] == pairs


TERM = "within = 0.2, start = 1.0"


@pytest.mark.parametrize(
    ("override", "field", "message"),
    [
        (f'k1.dynamics.A.integrals = {{ "A.A" = [{{ {TERM} }}] }}', "k1.dynamics", "has order 1"),
        (
            f'k2.dynamics.A.integrals = {{ "A.B" = [{{ {TERM} }}] }}',
            "k2.dynamics",
            "A: integrals over the pair 'A.B'; the pairs of this model are A.A",
        ),
        ('k2.pairs."A.B" = { F1 = 0.1, F2 = -0.1 }', "k2.pairs", "the species are A"),
        (
            f'k2.pairs."A.A".F3 = [{{ {TERM}, exponents = {{ C = 1.0 }} }}]',
            "k2.pairs",
            "A.A: exponents of 'C'; a function of a pair depends on A, pair",
        ),
        (
            'k2.pairs."A.A".F3 = "a"',
            'k2.pairs."A.A".F3',
            "a finite number, or a list of at least 1 entry",
        ),
        (
            'k2.pairs."A.A".F3 = [{ within = 0.9, start = 1.0 }]',
            "k2",
            "`within` of a term must be at most `elements.cutoff`, 0.8, got 0.9",
        ),
        ("k2.dynamics.B.F = 1.0", "k2.dynamics", "each of the species A, got A, B"),
        ("k2.elements.cutoff = 2.5", "k2.elements", "at most 2.0, half the shortest side"),
        ('k1.learning.start_from = "k2"', "k1.learning.start_from", "must have profiles too"),
        ('k2.learning.start_from = "k1"', "k2.learning", "unknown key `start_from`"),
    ],
)
def test_bad_models_name_file_field_and_what_is_allowed(tiny_pairs, override, field, message):
    refused(tiny_pairs, f"models.{override}", f"models.{field}", message)


def test_a_species_without_an_equation_is_refused(tiny_pairs):
    tiny_pairs.write_text(tiny_pairs.read_text().replace("A + A -> 0", "A + A -> B"))
    refused(tiny_pairs, "title = ''", "models.k1.dynamics", "the species A, B, got A")


@pytest.mark.parametrize(
    ("kind", "field", "message"),
    [
        ('kind = "random", distance = 0.1', "", 'kind = "random"` has no `distance`, got 0.1'),
        ('kind = "pairs"', "", 'kind = "pairs"` needs a `distance`'),
        ('kind = "pairs", distance = [0.2, 0.1]', ".distance", "[lowest, highest], got [0.2, 0.1]"),
        (
            'kind = "hard core", distance = 0.1, share = [0.5, 0.4]',
            ".share",
            "must be [lowest, highest], got [0.5, 0.4]",
        ),
    ],
)
def test_bad_kinds_of_patterns_name_the_field(tiny_pairs, kind, field, message):
    override = f"initial.kinds = [{{ density = {{ A = 2.0 }}, {kind} }}]"
    refused(tiny_pairs, override, f"initial.kinds.0{field}", message)


@pytest.mark.parametrize(
    ("density", "message"),
    [("{ A = [2.0, 1.0] }", "got [2.0, 1.0]"), ("{ B = 1.0 }", "names 'B'; allowed are A")],
)
def test_bad_densities_name_the_field(tiny_pairs, density, message):
    override = f'initial.kinds = [{{ kind = "random", density = {density} }}]'
    refused(tiny_pairs, override, "initial.kinds.0.density", message)


def refused(path, override, field, message):
    with pytest.raises(ExperimentError) as error:
        load_experiment(path, overrides=[override])
    line, changes = str(error.value).splitlines()
    assert changes.endswith(f"changes: {override}.")
    assert line.startswith(f"{path}, `{field}`: ")
    assert message in line
