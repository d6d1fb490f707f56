"""Averages over hidden units given the visible ones, against enumeration."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from dynboltz.distributions import Enumeration, LatticeModel, Layer, hidden_probabilities
from dynboltz.lattices import Lattice
from dynboltz.learning import HiddenAverage
from dynboltz.sampling import GibbsSampler

SEED = np.random.SeedSequence(4)
SQUARE = tuple(itertools.product((0, 1), repeat=2))
PAIR = Layer(("X",), ((0,), (1,)))


@functools.cache
def one_layer() -> Enumeration:
    names = ["b.A", "b.B", "W.A.X", "W.B.Y", "W.A.Y", "b.X", "b.Y"]
    layer = Layer(("X", "Y"), SQUARE)
    return Enumeration(
        LatticeModel.from_names(Lattice((2, 3), "closed"), ["A", "B"], names, [layer])
    )


@functools.cache
def two_layers() -> Enumeration:
    names = ["b.A", "W.A.X", "b.X", "W.X.Y", "b.Y"]
    layers = [PAIR, Layer(("Y",), ((0,), (1,)))]
    return Enumeration(LatticeModel.from_names(Lattice((4,)), ["A"], names, layers))


THETA = {
    one_layer: np.array([-0.4, 0.3, 0.5, -0.7, 0.2, -1.0, 0.6]),
    # Weights that fill neighbouring hidden units together.
    two_layers: np.array([-0.3, 0.8, -1.5, 1.6, -1.8]),
}


def probabilities(exact: Enumeration, theta: np.ndarray) -> np.ndarray:
    weights = np.exp(exact.counts @ theta)
    return weights / weights.sum()


def statistics(exact: Enumeration) -> np.ndarray:
    return exact.counts / exact.model.lattice.n_sites


def visible_numbers(exact: Enumeration) -> np.ndarray:
    """One number for each visible state, counted from 0; hidden units are counted faster."""
    _, numbers = np.unique(exact.states[0], axis=0, return_inverse=True)
    return numbers


def given_visible(
    exact: Enumeration, theta: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Visible states with their probabilities, and averages of values over the hidden units."""
    weights, numbers = probabilities(exact, theta), visible_numbers(exact)
    of_visible = np.bincount(numbers, weights=weights)
    sums = [np.bincount(numbers, weights=weights * column) for column in values.T]
    return of_visible, np.stack(sums, axis=1) / of_visible[:, None]


def all_visible(exact: Enumeration) -> np.ndarray:
    return np.unique(exact.states[0], axis=0)


def test_independent_units_are_averaged_exactly():
    exact, theta = one_layer(), THETA[one_layer]
    average = HiddenAverage(GibbsSampler(exact.model))
    assert average.clamped is not None
    visible = all_visible(exact)
    rows = np.tile(theta, (len(visible), 1))
    found = average.of_states(rows, visible, SEED)
    of_visible, expected = given_visible(exact, theta, statistics(exact))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    # Over the model's own visible states, they average to its moments: no bias in either phase.
    moments = probabilities(exact, theta) @ statistics(exact)
    np.testing.assert_allclose(of_visible @ found, moments, rtol=0, atol=1e-13)
    summaries = average.clamped.summarise(visible)
    np.testing.assert_array_equal(average.of_summaries(rows, summaries), found)


def test_groups_of_states_have_their_own_coefficients():
    exact = one_layer()
    average = HiddenAverage(GibbsSampler(exact.model))
    visible = all_visible(exact)[100:106]
    theta = np.random.default_rng(1).normal(size=(2, 7))
    found = average.of_states(theta, visible, SEED)
    for group, row in enumerate(theta):
        _, expected = given_visible(exact, row, statistics(exact))
        mean = expected[100 + 3 * group : 103 + 3 * group].mean(axis=0)
        np.testing.assert_allclose(found[group], mean, rtol=0, atol=1e-13)


def product_of_probabilities(exact: Enumeration, theta: np.ndarray) -> np.ndarray:
    """Each hidden unit replaced by its probability given all others, of both layers at once."""
    x, y = (p[0] for p in hidden_probabilities(exact.model, theta, exact.states))
    a = exact.states[0].astype(float)
    n = a.shape[1]
    terms = [
        a.sum(axis=1),
        np.sum(x * (a + np.roll(a, -1, axis=1)), axis=1),
        x.sum(axis=1),
        np.sum(y * (x + np.roll(x, -1, axis=1)), axis=1),
        y.sum(axis=1),
    ]
    return np.stack(terms, axis=1) / n


def test_coupled_layers_are_drawn_for_products_of_probabilities_are_biased():
    exact, theta = two_layers(), THETA[two_layers]
    average = HiddenAverage(GibbsSampler(exact.model))
    assert average.clamped is None
    visible, n_draws = all_visible(exact), 4000
    rows = np.tile(theta, (len(visible), 1))
    found = average.of_states(rows, np.repeat(visible, n_draws, axis=0), SEED)
    values = statistics(exact)
    of_visible, expected = given_visible(exact, theta, values)
    _, squares = given_visible(exact, theta, values**2)
    error = np.sqrt(np.maximum(squares - expected**2, 0.0) / n_draws)
    # Sixteen visible states and four moments that are drawn: beyond 4.5 once in 2300 seeds.
    assert np.all(np.abs(found - expected) < 4.5 * error + 1e-12)
    products = product_of_probabilities(exact, theta)
    _, biased = given_visible(exact, theta, products)
    # Single units are replaced without bias, products of two coupled ones are not.
    np.testing.assert_allclose(biased[:, [0, 1, 2, 4]], expected[:, [0, 1, 2, 4]], atol=1e-13)
    assert np.all(np.abs(biased - expected)[:, 3] > 6 * error[:, 3])
    moments, mean_error = of_visible @ expected, np.sqrt(of_visible**2 @ error**2)
    np.testing.assert_array_less(np.abs(of_visible @ found - moments), 4 * mean_error + 1e-12)


def test_products_of_probabilities_bias_the_difference_of_phases():
    exact, theta = two_layers(), THETA[two_layers]
    other = theta + np.array([0.0, 0.3, 0.2, -0.4, 0.3])
    values, products = statistics(exact), product_of_probabilities(exact, theta)
    weights = probabilities(exact, theta)
    # In one phase only: the difference does not vanish for data of the model itself.
    one_phase = weights @ (products - values)
    assert np.abs(one_phase).max() > 0.02
    # In both phases it vanishes there, but for data of another model is not the gradient.
    data, _ = given_visible(exact, other, values)
    of_visible, expected = given_visible(exact, theta, values)
    _, biased = given_visible(exact, theta, products)
    gradient, both_phases = (of_visible - data) @ expected, (of_visible - data) @ biased
    assert abs(both_phases[3] - gradient[3]) > 0.1 * abs(gradient[3])


def test_the_same_seed_draws_the_same():
    average = HiddenAverage(GibbsSampler(two_layers().model))
    visible, theta = all_visible(two_layers()), THETA[two_layers][None]
    draws = [average.of_states(theta, visible, np.random.SeedSequence(s)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
