"""Predictions, moments and samples of learned models, and their round trip through the store."""

from __future__ import annotations

import warnings

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.distributions import Enumeration, LatticeModel, Layer
from dynboltz.dynamics import HermiteField, HermiteGrid, OutsideBoxError
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.learning import (
    ExtrapolationWarning,
    ReducedModel,
    load_reduced_model,
    reduced_model_dataset,
)
from dynboltz.store import read_dataset, write_dataset

RING = Lattice((8,))
MODEL = LatticeModel.from_names(RING, ["A"], ["b.A", "J.A.A"])
HIDDEN = LatticeModel.from_names(
    Lattice((6,), "closed"), ["A"], ["b.A", "W.A.X", "b.X"], [Layer(("X",), ((0,), (1,)))]
)
RATES = np.array([0.8, 0.3])
STEP = 0.1


def line(name: str, cell: float, reach: float, rate: float):
    """Grid of one coefficient, and the degrees of freedom of -rate * theta on it."""
    grid = HermiteGrid((name,), (cell,), (0.0,), (-reach,), (reach,))
    vertices = np.linspace(-reach, reach, round(2 * reach / cell) + 1)
    return grid, np.stack([-rate * vertices, np.full(len(vertices), -rate)], axis=1)[:, :, None]


def decaying(model: LatticeModel, rates: np.ndarray, **options) -> ReducedModel:
    """Each coefficient decays with its own rate; a linear field is exact on the elements."""
    lines = [
        line(name, 0.5, 2.0 + 0.5 * i, rate)
        for i, (name, rate) in enumerate(zip(model.coefficients, rates, strict=True))
    ]
    grids = {name: grid for name, (grid, _) in zip(model.coefficients, lines, strict=True)}
    field = HermiteField.zeros(model.coefficients, grids)
    corners = np.linspace(-1.99, 1.99, 200)
    field = field.allocate(np.repeat(corners[:, None], len(rates), axis=1))
    u = []
    for function, (_, full) in zip(field.functions, lines, strict=True):
        keys = np.asarray(function.keys)[: function.n_allocated]
        part = np.zeros(function.u.shape)
        part[: len(keys)] = full[keys]
        u.append(jnp.asarray(part))
    field = eqx.tree_at(lambda f: [g.u for g in f.functions], field, u)
    return ReducedModel(model, field, STEP, **options)


@pytest.fixture
def learned() -> ReducedModel:
    return decaying(MODEL, RATES)


START = np.array([[1.0, -0.5], [-1.5, 1.2]])


def by_euler(start: np.ndarray, steps: list[float]) -> np.ndarray:
    for step in steps:
        start = start * (1 - step * RATES)
    return start


def test_prediction_at_the_times_of_the_data(learned):
    times = STEP * np.arange(31)
    factors = (1 - STEP * RATES) ** np.arange(31)[:, None]
    np.testing.assert_allclose(learned.predict(START, times), START[:, None] * factors, rtol=1e-12)
    # Every fifth time: the same steps, fewer are given back.
    np.testing.assert_allclose(
        learned.predict(START, times[::5]), START[:, None] * factors[::5], rtol=1e-12
    )


def test_prediction_between_the_times_of_the_data(learned):
    """Steps of the length that was learned, the last one before each time shortened."""
    predicted = learned.predict(START, np.array([0.3, 0.55, 0.58, 0.9]))
    steps = [[0.1, 0.1, 0.05], [0.03], [0.1, 0.1, 0.1, 0.02]]
    expected = [START]
    for between in steps:
        expected.append(by_euler(expected[-1], between))
    np.testing.assert_allclose(predicted, np.stack(expected, axis=1), rtol=1e-10)


def test_other_integrators_are_used():
    model = decaying(MODEL, RATES, method="rk4", substeps=2)
    times = np.array([0.0, 0.25, 1.0])
    exact = START[:, None] * np.exp(-RATES * times[:, None])
    # Order 4 with steps of 0.05: (0.8 * 0.05)^5 / 120 a step, 20 steps.
    np.testing.assert_allclose(model.predict(START, times), exact, rtol=1e-7)


def test_what_training_has_visited_is_told_point_by_point(learned):
    known = learned.visited(np.array([[[0.0, 0.0], [1.9, -1.9]], [[1.0, 2.2], [-3.0, 0.0]]]))
    # Cells of 0.5 hold the diagonal from -1.99 to 1.99; 2.2 is in the box of J.A.A, -3 in none.
    np.testing.assert_array_equal(known, [[True, True], [False, False]])
    assert not learned.visited(np.array([np.nan, 0.0]))


def test_predictions_where_training_has_not_been_say_so_once_a_call(learned):
    times = STEP * np.arange(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learned.predict(START, times)
    strange = np.array([[0.3, 2.3], [0.3, 0.2], [0.1, -2.4]])
    with pytest.warns(ExtrapolationWarning) as caught:
        learned.predict(strange, times)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    text = str(caught[0].message)
    assert "solutions of 2 of 3 initial conditions" in text
    assert "from time 0 on, where `J.A.A` from -2.4 to 2.3 (visited: -2 to 2)" in text
    assert "b.A" not in text
    with pytest.warns(ExtrapolationWarning, match="1 of 1 initial conditions"):
        learned.predict(strange[:1], np.array([0.0]))


def test_predictions_beyond_the_learned_times_say_so(tmp_path):
    model = decaying(MODEL, RATES, learned_times=(0.0, 1.0))
    write_dataset(reduced_model_dataset(model), tmp_path / "model")
    stored = load_reduced_model(read_dataset(tmp_path / "model", "dynboltz-model"))
    assert stored.learned_times == (0.0, 1.0)
    for known in (model, stored):
        known.predict(START, np.array([0.0, 1.0]))
        with pytest.warns(ExtrapolationWarning, match="learned from times up to 1; what comes lat"):
            known.predict(START, np.array([0.0, 1.5]))


def test_models_stored_without_learned_times_and_notes_are_read(learned):
    dataset = reduced_model_dataset(learned)
    for name in ("learned_times", "notes"):
        dataset.attrs.pop(name, None)
    after = load_reduced_model(dataset)
    assert (after.learned_times, after.notes) == (None, ())


@pytest.mark.parametrize("times", [[], [0.0, 0.0], [1.0, 0.5]])
def test_times_must_increase(learned, times):
    with pytest.raises(ValueError, match=r"`times` must be one or more increasing times, got"):
        learned.predict(START, np.array(times))


def test_prediction_outside_the_box_is_refused(learned):
    with pytest.raises(OutsideBoxError, match=r"b\.A"):
        learned.predict(np.array([[2.5, 0.0]]), np.array([0.0, 0.1]))


@pytest.mark.parametrize("model", [MODEL, HIDDEN], ids=["visible", "hidden"])
def test_moments_by_enumeration(model):
    n_coefficients = len(model.terms)
    theta = np.random.default_rng(0).normal(0, 0.8, (2, 3, n_coefficients))
    terms = neighbour_moments(("A",), 1)
    found = decaying(model, np.ones(n_coefficients)).moments(theta, terms)
    assert found.shape == (2, 3, len(terms))
    exact = Enumeration(model.with_terms(terms))
    states = exact.states[0].astype(float)
    ring = model.lattice.boundary == "periodic"
    for index in np.ndindex(2, 3):
        wide = np.concatenate([theta[index], np.zeros(len(terms))])
        p = np.asarray(exact.probabilities(jnp.asarray(wide)))
        for order in range(1, 5):
            runs = [np.roll(states, -i, axis=1) for i in range(order)]
            counted = np.prod(runs, axis=0)[:, : None if ring else states.shape[1] - order + 1]
            expected = p @ counted.sum(axis=1) / states.shape[1]
            np.testing.assert_allclose(found[index][order - 1], expected, rtol=1e-10)


def test_moments_may_have_the_name_of_a_coefficient(learned):
    theta = np.array([0.4, -0.3])
    own = learned.moments(theta, MODEL.terms)
    other = learned.moments(theta, neighbour_moments(("A",), 1, 2))
    np.testing.assert_allclose(own, other, rtol=1e-12)


def test_samples_follow_the_distribution(learned):
    theta, n_samples = np.array([0.4, -0.9]), 4000
    states = learned.sample(theta, n_samples, seed=5).astype(float)
    exact = Enumeration(MODEL)
    p = np.asarray(exact.probabilities(jnp.asarray(theta)))
    codes = (states @ 2 ** np.arange(8)).astype(int)
    all_codes = exact.states[0].astype(int) @ 2 ** np.arange(8)
    expected = np.zeros(256)
    expected[all_codes] = p
    counts = np.bincount(codes, minlength=256)
    kept = expected * n_samples > 5
    chi_squared = np.sum((counts - n_samples * expected)[kept] ** 2 / (n_samples * expected[kept]))
    # Its mean is the number of states kept, its variance twice that: 5 sigma, once in 10^6 seeds.
    assert chi_squared < kept.sum() + 5 * np.sqrt(2 * kept.sum())
    again = learned.sample(theta, n_samples, seed=5)
    assert np.array_equal(states, again)


@pytest.mark.parametrize("model", [MODEL, HIDDEN], ids=["visible", "hidden"])
def test_round_trip_through_the_store(tmp_path, model):
    history = {
        "moment_error": np.array([0.3, 0.1]),
        "negative_log_likelihood": np.array([1.0, 0.5]),
    }
    rates = np.linspace(0.2, 0.8, len(model.terms))
    before = decaying(model, rates, method="heun", substeps=3, history=history)
    write_dataset(reduced_model_dataset(before), tmp_path / "model")
    after = load_reduced_model(read_dataset(tmp_path / "model", "dynboltz-model"))
    assert after.model == before.model
    assert (after.time_step, after.method, after.substeps) == (STEP, "heun", 3)
    assert list(after.history) == list(history)
    for name, column in history.items():
        np.testing.assert_array_equal(after.history[name], column)
    start = np.random.default_rng(1).uniform(-1, 1, (4, len(rates)))
    times = np.linspace(0, 1, 7)
    assert before.predict(start, times).tobytes() == after.predict(start, times).tobytes()


def test_lists_of_numbers_are_arrays(learned):
    times = [0.0, 0.1, 0.25]
    expected = learned.predict(START, np.array(times))
    np.testing.assert_array_equal(learned.predict(START.tolist(), times), expected)
    terms = neighbour_moments(["A"], 1, 2)
    np.testing.assert_array_equal(
        learned.moments(START.tolist(), terms), learned.moments(START, terms)
    )


@pytest.mark.parametrize(
    ("theta0", "message"),
    [
        (START[0], r"`theta0` must have shape \(initial_conditions, 2\), .*, got \(2,\)"),
        (START[:, :1], r"`theta0` must have shape \(initial_conditions, 2\), .*, got \(2, 1\)"),
        ([[1.0, 2.0], [3.0]], r"`theta0` must be an array of real numbers, with rows of one"),
    ],
)
def test_coefficients_of_another_shape_are_refused(learned, theta0, message):
    with pytest.raises((TypeError, ValueError), match=f"ReducedModel.predict: {message}"):
        learned.predict(theta0, np.array([0.0, 0.1]))


def test_predictions_that_take_too_many_steps_are_refused(learned):
    with pytest.raises(ValueError, match=r"ReducedModel.predict: `times` .* take 1e\+10 steps"):
        learned.predict(START, [0.0, 1e9])


def test_datasets_that_are_no_models_are_refused(learned):
    dataset = reduced_model_dataset(learned)
    for wrong in (dataset.drop_vars("u_0"), dataset.assign_attrs(specification="{}"), dataset[[]]):
        with pytest.raises(ValueError, match=r"load_reduced_model: `dataset` must be one that"):
            load_reduced_model(wrong)


def test_models_need_the_field_of_their_coefficients(learned):
    other = decaying(LatticeModel.from_names(RING, ["A"], ["b.A"]), RATES[:1]).field
    with pytest.raises(ValueError, match=r"ReducedModel: `field` must have the coefficients of"):
        ReducedModel(MODEL, other, STEP)
    with pytest.raises(ValueError, match=r"ReducedModel: `time_step` must be positive"):
        ReducedModel(MODEL, learned.field, 0.0)
