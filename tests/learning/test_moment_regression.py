"""Linear moment equations: recovered from synthetic laws, and what follows beside trajectories."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit, logit

from dynboltz.distributions import LatticeModel, TransferMatrix
from dynboltz.lattices import Lattice
from dynboltz.learning import fit_moment_regression, pattern_terms

N = 12
RATE, STEP = 0.8, 0.05
TIMES = np.arange(30) * STEP
STATES = np.array(list(itertools.product((0, 1), repeat=N)), dtype=float)
PAIRS = STATES * np.roll(STATES, 1, axis=1)
COUNTS = np.stack([STATES.sum(1), PAIRS.sum(1)], axis=1)


def moments(theta: np.ndarray) -> np.ndarray:
    """Density and density of pairs by enumeration."""
    weights = np.exp(theta @ COUNTS.T)
    return weights @ COUNTS / weights.sum() / N


def coefficients(target: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Coefficients of a chain with these moments."""
    found = root(lambda theta: moments(theta) - target, guess, tol=1e-12)
    return found.x


def decay(start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every particle disappears at rate k: singles decay with k, pairs with 2 k; Euler steps."""
    theta, values = [start], [moments(start)]
    for _ in TIMES[1:]:
        values.append(values[-1] * (1 - STEP * RATE * np.array([1, 2])))
        theta.append(coefficients(values[-1], theta[-1]))
    return np.array(theta), np.array(values)


@pytest.fixture(scope="module")
def regression():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        starts = [[1.0, 0.5], [0.0, -1.0], [-0.5, 1.5], [2.0, -0.5], [0.5, 0.0], [1.0, -2.0]]
        paths, values = zip(*(decay(np.array(s)) for s in starts), strict=True)
        model = LatticeModel.from_names(Lattice((N,)), ["A"], ["b.A", "J.A.A"])
        solution = TransferMatrix(model)
        return fit_moment_regression(solution, np.array(paths), np.array(values), TIMES)


UNVISITED = np.array([[0.8, -0.5], [-0.2, 0.6], [1.5, 0.1]])


def test_rates_of_decay_are_recovered_where_no_trajectory_went(regression):
    patterns = jax.jit(jax.vmap(regression.patterns))(jnp.asarray(UNVISITED))
    found = np.asarray(patterns) @ regression.matrix.T
    expected = [-RATE * np.array([1, 2]) * moments(theta) for theta in UNVISITED]
    # The ridge of 1e-5 spreads the law over patterns that are nearly alike in these data.
    np.testing.assert_allclose(found, expected, atol=4e-3)


def test_velocities_of_coefficients_are_those_of_the_moments(regression):
    move = jax.jit(jax.vmap(lambda theta: regression.velocity(theta, STEP)))
    velocity, error = move(jnp.asarray(UNVISITED))
    for theta, found in zip(UNVISITED, np.asarray(velocity), strict=True):
        change = regression.matrix @ np.asarray(regression.patterns(jnp.asarray(theta)))
        expected = (coefficients(moments(theta) + STEP * change, theta) - theta) / STEP
        # The fit's prior of 1e-8, over the smallest eigenvalue of the metric and the step.
        np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.all(np.asarray(error) < 1e-5)
    assert np.abs(velocity).max() > 0.5


def test_points_where_the_model_cannot_follow_are_left_out(regression):
    points = np.concatenate([UNVISITED, [[6.0, -12.0]]])
    loose = np.array([np.inf, np.inf])
    kept, velocities = regression.sample_velocities(points, STEP, loose)
    assert len(kept) == len(velocities)
    assert {tuple(p) for p in UNVISITED} <= {tuple(p) for p in kept}
    steps = np.abs(velocities) * STEP
    limit = np.median(steps, axis=0) * 1.0001
    fewer, slower = regression.sample_velocities(points, STEP, limit / STEP)
    assert 0 < len(fewer) < len(kept)
    assert np.all(np.abs(slower) * STEP <= limit)


def test_patterns_by_enumeration(regression):
    theta = np.array([0.3, -0.8])
    weights = np.exp(COUNTS @ theta)
    expected = []
    for term in pattern_terms(regression.solution.model, regression.solution.window):
        (product,) = term.products
        occupied = [np.roll(STATES, -factor.offset[0], axis=1) for factor in product]
        expected.append(weights @ np.prod(occupied, axis=0).mean(axis=1) / weights.sum())
    np.testing.assert_allclose(regression.patterns(jnp.asarray(theta)), expected, rtol=1e-10)


def test_independent_sites_that_decay():
    """With a bias alone, b follows the logit of an exponential, here in Euler's steps."""
    model = LatticeModel.from_names(Lattice((N,), "closed"), ["A"], ["b.A"])
    density = expit(np.array([0.0, 1.0, 2.0]))[:, None] * (1 - STEP * RATE) ** np.arange(len(TIMES))
    theta = logit(density)[:, :, None]
    found = fit_moment_regression(TransferMatrix(model), theta, density[:, :, None], TIMES)
    b = np.array([-0.3, 0.6, 1.4])
    velocity, _ = jax.jit(jax.vmap(lambda t: found.velocity(t, STEP)))(jnp.asarray(b[:, None]))
    expected = (logit(expit(b) * (1 - STEP * RATE)) - b) / STEP
    np.testing.assert_allclose(velocity[:, 0], expected, atol=5e-3)  # the ridge, as above


def canonical(pattern: frozenset) -> tuple:
    """The same for all translations and for the mirror image."""
    shifted = []
    for flip in (1, -1):
        places = [flip * place for _, place in pattern]
        shifted.append(tuple(sorted((flip * place - min(places), name) for name, place in pattern)))
    return min(shifted)


@pytest.mark.parametrize(
    ("species", "window", "width"), [(("A",), 2, 4), (("A",), 3, 5), (("A", "B"), 2, 4)]
)
def test_patterns_are_all_of_a_window_once(species, window, width):
    model = LatticeModel.from_names(Lattice((20,)), species, ["b.A"])
    terms = pattern_terms(model, window)
    found = [
        canonical(frozenset((f.species, f.offset[0]) for f in term.products[0])) for term in terms
    ]
    labels = itertools.product((None, *species), repeat=width)
    everything = {
        canonical(frozenset((name, place) for place, name in enumerate(row) if name is not None))
        for row in labels
        if any(row)
    }
    assert len(found) == len(set(found))
    assert set(found) == everything
    assert len({term.name for term in terms}) == len(terms)


def test_patterns_are_limited():
    short = LatticeModel.from_names(Lattice((3,)), ["A"], ["b.A"])
    assert max(f.offset[0] for t in pattern_terms(short, 2) for f in t.products[0]) == 2
    crowded = LatticeModel.from_names(Lattice((20,)), ["A", "B", "C"], ["b.A"])
    terms = pattern_terms(crowded, 3)
    # Width 3 has 30 patterns of three species; width 4 would have more than 100.
    assert 0 < len(terms) <= 100
    assert max(f.offset[0] for t in terms for f in t.products[0]) == 2
