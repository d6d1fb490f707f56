"""Compiled trajectories against JAX: many patterns, steps of unequal lengths, interpolation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from traced import traced_variances

from dynboltz.lattices import Lattice, neighbour_moments, parse_pattern, pattern_term
from dynboltz.laws import MomentLaw, fit_readout, moment_chart, nothing_known
from dynboltz.laws._kernels import exponential, hyperbolic_tangent, nearness_kernel
from dynboltz.laws._law import SmoothFunction
from dynboltz.laws._trajectories import changes_at, kernel_law, solve, solve_at, step_counts

LATTICE = Lattice((100,))
INTERVALS = np.array([0.3, 0.2, 1.0, 0.1])


def chart():
    """Two species, their pairs and a pattern of three sites, in no order."""
    a, b, aa, ab, bb = neighbour_moments(("A", "B"), 1, 2)
    three = [parse_pattern("A(0) A(1) B(2)"), parse_pattern("B(0) A(1) A(2)")]
    return moment_chart([ab, a, aa, b, bb, pattern_term("AAB", three)], LATTICE, n_replicas=20)


def law_and_starts(n_starts=19):
    """A law with random parameters, and more starts than are integrated at once."""
    rng = np.random.default_rng(0)
    own = chart()
    n = len(own.names)
    starts = np.column_stack(
        [rng.uniform(0.1, 0.4, size=(n_starts, 2)), 0.2 * rng.normal(size=(n_starts, n - 2))]
    )
    function = SmoothFunction.draw(n, n, 5, rng)
    function = eqx.tree_at(
        lambda one: one.parameters, function, 0.5 * rng.normal(size=function.parameters.shape)
    )
    # Moment 2 is the pair of A, moment 6 the constant.
    places, scales = ((0, 6), (1, 2), (0, 1)), np.array([0.1, 0.3, 0.2])
    law = MomentLaw.untrained(
        own,
        nothing_known(own),
        rng.uniform(0.2, 0.5, size=n),
        own.batch_features(starts),
        0.25,
        function,
        places,
        scales,
    )
    return law.with_parameters(np.append(function.parameters, [0.5, -0.3, 0.7])), starts


def by_jax(law, starts, counts):
    z, path = jnp.asarray(starts), [starts]
    for interval, count in zip(INTERVALS, counts, strict=True):
        z = jax.vmap(lambda one, h=interval, n=int(count): law.step(one, h, n))(z)
        path.append(np.asarray(z))
    return np.stack(path, axis=1)


def test_functions_are_exact_to_twelve_digits():
    x = np.linspace(-40, 40, 801)
    np.testing.assert_allclose([exponential(v) for v in x], np.exp(x), rtol=1e-12)
    np.testing.assert_allclose([hyperbolic_tangent(v) for v in x], np.tanh(x), atol=1e-13)


def test_trajectories_are_those_of_jax():
    law, starts = law_and_starts()
    counts = step_counts(INTERVALS, 0.1)
    np.testing.assert_array_equal(counts, [3, 2, 10, 1])
    path, velocities = solve(kernel_law(law), starts, INTERVALS, 0.1)
    expected = by_jax(law, starts, counts)
    np.testing.assert_allclose(path, expected, atol=1e-12)
    slopes = jax.vmap(jax.vmap(law.velocity))(expected)
    np.testing.assert_allclose(velocities, slopes, atol=1e-11)


def test_many_points_are_as_single_ones():
    own, z = chart(), law_and_starts()[1]
    # Exponentials of the kernels are right to twelve digits.
    np.testing.assert_allclose(own.batch_moments(z), jax.vmap(own.moments)(z), rtol=1e-12)
    np.testing.assert_allclose(own.batch_features(z), jax.vmap(own.features)(z), rtol=1e-13)
    z[0, 0] = 0.0
    expected = jax.vmap(jax.jacfwd(own.moments))(jnp.asarray(z))
    np.testing.assert_allclose(own.batch_derivatives(z), expected, atol=1e-13)


def test_between_steps_is_interpolated():
    law, starts = law_and_starts(3)
    law = eqx.tree_at(lambda one: one.pull, law, np.array(0.0))  # which has a kink
    arrays, times = kernel_law(law), np.linspace(0, 0.4, 41)
    fine = solve_at(arrays, starts, np.linspace(0, 0.4, 401), times)
    errors = [
        np.abs(solve_at(arrays, starts, np.linspace(0, 0.4, n + 1), times) - fine).max()
        for n in (10, 20)
    ]
    # Both the steps and the polynomials are of fourth order.
    assert 11 < errors[0] / errors[1] < 24
    exact, _ = solve(arrays, starts, np.full(10, 0.04), np.inf)
    found = solve_at(arrays, starts, np.linspace(0, 0.4, 11), times)
    np.testing.assert_allclose(found[:, ::4], exact, rtol=1e-12)


def test_bands_are_those_of_jax():
    law, starts = law_and_starts(3)
    rng = np.random.default_rng(1)
    factor = 0.1 * rng.normal(size=(len(law.parameters), 4))
    grid = np.concatenate([[0.0], np.cumsum(INTERVALS)])
    path = solve_at(kernel_law(law), starts, grid, grid)
    changes = np.array(list(changes_at(kernel_law(law), factor, starts, grid, grid)))
    variance = np.sum((law.chart.batch_derivatives(path) @ changes) ** 2, axis=-1)
    expected = traced_variances(
        law, law.chart, jnp.asarray(factor), jnp.asarray(starts), jnp.asarray(INTERVALS), 1
    )
    np.testing.assert_allclose(variance, expected, rtol=1e-9)


def test_moments_that_are_read_out_are_those_of_jax():
    law, starts = law_and_starts(4)
    rng = np.random.default_rng(2)
    terms = [*neighbour_moments(("A", "B"), 1, 3)]
    extra = pattern_term("AAB", [parse_pattern("A(0) A(1) B(2)"), parse_pattern("B(0) A(1) A(2)")])
    terms = [t for t in terms if t.name != "A.A.B"] + [extra]
    names = [t.name for t in terms]
    renamed = {"AB": "A.B"}
    assert {renamed.get(n, n) for n in law.chart.names} <= set(names)
    path = solve_at(kernel_law(law), starts, np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.5, 1.0]))
    full = moment_chart(terms, LATTICE, n_replicas=20)
    means = np.abs(rng.normal(0.05, 0.01, size=(4, 1, 3, len(terms))))
    means[..., :2] = path[:, None, :, :2]
    readout = fit_readout(
        law, path, terms, LATTICE, list(means + 1e-3 * rng.normal(size=(4, 5, 3, len(terms))))
    )
    assert readout.names == full.names
    moments = jax.vmap(jax.vmap(readout.moments))(path)
    np.testing.assert_allclose(readout.batch_moments(path), moments, rtol=1e-12)
    np.testing.assert_allclose(
        readout.batch_variances(path), jax.vmap(jax.vmap(readout.variances))(path), rtol=1e-10
    )
    expected = jax.vmap(jax.vmap(jax.jacfwd(readout.moments)))(jnp.asarray(path))
    np.testing.assert_allclose(readout.batch_derivatives(path), expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("radius", [0.2, 0.6])
def test_near_points_are_all_found(radius):
    rng = np.random.default_rng(3)
    points = rng.normal(size=(60, 3))
    paths = np.cumsum(0.2 * rng.normal(size=(7, 50, 3)), axis=1)
    paths[2, 10] = np.nan
    found = np.empty((7, 50), dtype=bool)
    nearness_kernel(paths, points, radius, found)
    distance = np.linalg.norm(paths[:, :, None] - points, axis=-1).min(axis=-1)
    np.testing.assert_array_equal(found, distance <= radius)
    assert 0 < found.mean() < 1
