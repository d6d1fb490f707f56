"""Hidden units given the rest: histograms, moments and probabilities, against enumeration."""

from __future__ import annotations

import itertools

import jax
import numpy as np
import pytest

from dynboltz.distributions import (
    ClampedStatistics,
    Enumeration,
    LatticeModel,
    Layer,
    Surroundings,
    hidden_layers,
    hidden_probabilities,
)
from dynboltz.lattices import Boundary, Factor, Lattice, Term

PAIR = ((0,), (1,))
SQUARE = tuple(itertools.product((0, 1), repeat=2))


def plane(boundary: Boundary, shape: tuple[int, ...] = (4, 5)) -> LatticeModel:
    """Two hidden species, one of which sees both visible ones, and one term of two strengths."""
    names = ["b.A", "b.B", "J.A.B", "W.A.X", "W.B.X", "W.B.Y", "b.X", "b.Y"]
    layer = Layer(("X", "Y"), SQUARE)
    model = LatticeModel.from_names(Lattice(shape, boundary), ["A", "B"], names, [layer])
    twice = ((Factor("A", (0, 0)), Factor("Y", (0, 0), 1)),) * 2
    return model.with_terms((Term("twice", twice),))


def cube(boundary: Boundary) -> LatticeModel:
    stencil = tuple(itertools.product((0, 1), repeat=3))
    names = ["b.A", "W.A.X", "b.X"]
    return LatticeModel.from_names(
        Lattice((3, 2, 4), boundary), ["A"], names, [Layer(("X",), stencil)]
    )


def triples(boundary: Boundary) -> LatticeModel:
    """Units that see pairs of sites at once, for which there is only the general histogram."""
    model = LatticeModel.from_names(
        Lattice((6,), boundary), ["A", "B"], ["b.A", "W.B.X", "b.X"], [Layer(("X",), PAIR)]
    )
    both = (Factor("A", (0,)), Factor("B", (1,)), Factor("X", (0,), 1))
    return model.with_terms((Term("both", (both,)),))


def two_layers(boundary: Boundary) -> LatticeModel:
    """Hidden layers that are coupled with each other, and units of one layer as well."""
    names = ["b.A", "W.A.X", "b.X", "J.X.X", "W.X.Y", "b.Y"]
    layers = [Layer(("X",), ((0,),)), Layer(("Y",), PAIR)]
    return LatticeModel.from_names(Lattice((4,), boundary), ["A"], names, layers)


def random_states(model: LatticeModel, n_states: int) -> np.ndarray:
    random = np.random.default_rng(3)
    shape = n_states, model.lattice.n_sites
    return random.integers(0, len(model.species[0]) + 1, shape).astype(np.uint8)


def histogram_by_hand(model: LatticeModel, visible: np.ndarray) -> np.ndarray:
    """Unit by unit, product by product."""
    (layer,) = hidden_layers(model)
    places = {tuple(code): i for i, code in enumerate(layer.codes.tolist())}
    histogram = np.zeros((len(visible), len(layer.codes)), dtype=np.int64)
    units = np.flatnonzero(model.layers[1].exists(model.lattice))
    labels = {name: i + 1 for i, name in enumerate(model.species[0])}
    for state, unit in itertools.product(range(len(visible)), units):
        code = []
        for products in layer.products:
            held = 0
            for product in products:
                sites = [model.lattice.translate(factor.offset)[unit] for factor in product]
                held += all(
                    site >= 0 and visible[state, site] == labels[factor.species]
                    for site, factor in zip(sites, product, strict=True)
                )
            code.append(held)
        histogram[state, places[tuple(code)]] += 1
    return histogram


@pytest.mark.parametrize("boundary", ["periodic", "closed"])
@pytest.mark.parametrize("make_model", [plane, cube, triples])
def test_histograms_count_what_each_unit_sees(make_model, boundary):
    model = make_model(boundary)
    (layer,) = hidden_layers(model)
    visible = random_states(model, 6)
    found = Surroundings(model, layer).histogram(visible)
    np.testing.assert_array_equal(found, histogram_by_hand(model, visible))
    assert np.count_nonzero(found.sum(axis=0)) > 3


def test_units_without_a_partner_see_nothing():
    model = LatticeModel.from_names(
        Lattice((4,), "closed"), ["A"], ["b.A", "b.X"], [Layer(("X",), PAIR)]
    )
    clamped = ClampedStatistics(model)
    summary = clamped.summarise(np.ones((1, 4), np.uint8))
    theta = np.array([[0.3, -0.7]])
    # Three units, whatever the state.
    expected = [[1.0, 0.75 / (1 + np.exp(0.7))]]
    np.testing.assert_allclose(clamped.batch_moments(theta, summary), expected, rtol=1e-14)


@pytest.mark.parametrize("make_model", [plane, cube, triples])
def test_moments_of_many_rows_equal_the_gradient_of_the_log_weight(make_model):
    model = make_model("closed")
    clamped = ClampedStatistics(model)
    random = np.random.default_rng(1)
    summaries = clamped.summarise(random_states(model, 12)).reshape(4, 3, -1).mean(axis=1)
    theta = random.normal(0, 1.5, (4, len(model.terms)))
    found = clamped.batch_moments(theta, summaries)
    expected = jax.jit(jax.vmap(clamped.moments))(theta, summaries)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)  # rounding


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_moments_at_extreme_coefficients_do_not_overflow(size):
    model = cube("closed")
    clamped = ClampedStatistics(model)
    full = clamped.summarise(np.ones((1, 24), np.uint8))
    found = clamped.batch_moments(np.array([[0.0, size, size]]), full)
    # Six units with eight neighbours each, all filled or all empty.
    expected = [[1.0, 2.0, 0.25]] if size > 0 else [[1.0, 0.0, 0.0]]
    np.testing.assert_allclose(found, expected, atol=1e-300)


def conditional_by_enumeration(
    exact: Enumeration, theta: np.ndarray, state: np.ndarray, number: int, site: int
) -> np.ndarray:
    """Probabilities of the labels of one unit, given all other units."""
    same = exact.states == state[:, None]
    same[number, :, site] = True
    rows = np.all(same, axis=(0, 2))
    weights = np.exp(exact.counts[rows] @ theta)
    labels = exact.states[number, rows, site]
    return np.bincount(labels, weights=weights / weights.sum())


@pytest.mark.parametrize("boundary", ["periodic", "closed"])
@pytest.mark.parametrize("kind", ["one layer", "two layers"])
def test_probabilities_of_single_units_by_enumeration(kind, boundary):
    model = two_layers(boundary) if kind == "two layers" else plane(boundary, (2, 2))
    exact = Enumeration(model)
    random = np.random.default_rng(2)
    theta = random.normal(size=len(model.terms))
    states = np.ascontiguousarray(exact.states[:, random.integers(exact.states.shape[1], size=5)])
    found = hidden_probabilities(model, theta, states)
    assert len(found) == len(model.layers) - 1
    for number, probabilities in enumerate(found, start=1):
        layer = model.layers[number]
        assert probabilities.shape == (len(layer.species), 5, model.lattice.n_sites)
        exists = layer.exists(model.lattice)
        assert np.all(probabilities[:, :, ~exists] == 0)
        for place, site in itertools.product(range(5), np.flatnonzero(exists)):
            expected = conditional_by_enumeration(exact, theta, states[:, place], number, int(site))
            np.testing.assert_allclose(probabilities[:, place, site], expected[1:], atol=1e-13)


@pytest.mark.parametrize("make_model", [plane, triples])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[:, :-1], "must have shape"),
        (lambda v: np.full_like(v, 200), "got 200"),
    ],
)
def test_states_of_another_model_have_no_histogram(make_model, change, message):
    model = make_model("periodic")
    surroundings = Surroundings(model, hidden_layers(model)[0])
    with pytest.raises(ValueError, match=f"Surroundings.histogram: `visible` .*{message}"):
        surroundings.histogram(change(random_states(model, 2)))


@pytest.mark.parametrize("other", [plane("periodic", (3, 3)), triples("closed"), cube("closed")])
def test_layers_of_another_model_are_refused(other):
    (layer,) = hidden_layers(plane("periodic"))
    with pytest.raises(ValueError, match="Surroundings: `layer` must be one of `hidden_layers"):
        Surroundings(other, layer)


def test_hidden_layers_need_all_coefficients():
    (layer,) = hidden_layers(cube("closed"))
    with pytest.raises(ValueError, match=r"HiddenLayer.free_energy: `theta` .* at least 3, got 2"):
        layer.free_energy(np.zeros(2), layer.codes)
    with pytest.raises(ValueError, match=r"HiddenLayer.moments: `theta` .* at least 3, got 0"):
        layer.moments(np.zeros((1, 0)), np.ones((1, len(layer.codes))))
