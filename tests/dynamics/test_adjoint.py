"""Adjoints against finite differences of the action, and against each other."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import (
    L2,
    FunctionField,
    HermiteField,
    HermiteGrid,
    discrete_adjoint,
    explicit_adjoint,
    integrate,
    solve_fixed,
    time_weights,
)

NAMES = ("b", "J", "K")
STATES = np.array(list(itertools.product([0.0, 1.0], repeat=3)))
STATISTICS = np.stack(
    [STATES.sum(1), (STATES * np.roll(STATES, 1, axis=1)).sum(1), STATES.prod(1)], axis=1
)
TRUTH = np.array([[0.5, -0.6, 0.9], [-0.3, 0.2, 0.4]])
# In the interior of cells: at a face, finite differences see second derivatives jump.
STARTS = np.array([[0.35, -0.5, 0.65], [-0.4, 0.3, 0.1]])


def log_probability(theta: jax.Array) -> jax.Array:
    return jax.nn.log_softmax(theta @ jnp.asarray(STATISTICS).T, axis=-1)


def moments(theta: jax.Array) -> jax.Array:
    return jnp.exp(log_probability(theta)) @ jnp.asarray(STATISTICS)


def truth(times: np.ndarray) -> jax.Array:
    """Coefficients of the data's distributions, one trajectory for each initial condition."""
    return jnp.asarray(TRUTH[:, None, :] * np.exp(-0.7 * times)[:, None])


def divergence(theta: jax.Array, times: np.ndarray) -> jax.Array:
    """D_KL(p || p~) of each initial condition at each time."""
    log_p = log_probability(truth(times))
    return jnp.sum(jnp.exp(log_p) * (log_p - log_probability(theta)), axis=-1)


def moment_difference(theta: jax.Array, times: np.ndarray) -> jax.Array:
    return moments(theta) - moments(truth(times))


@functools.cache
def hermite_field() -> HermiteField:
    grid = HermiteGrid(NAMES, (0.5, 0.4, 0.3), (0.0,) * 3, (-2.0,) * 3, (2.0,) * 3)
    part = HermiteGrid(("K", "b"), (0.3, 0.5), (0.0,) * 2, (-2.0,) * 2, (2.0,) * 2)
    field = HermiteField.zeros(NAMES, {"b": grid, "J": part, "K": grid})
    field = field.allocate(np.random.default_rng(0).uniform(-1, 1, size=(400, 3)))
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda x: jnp.asarray(0.3 * rng.normal(size=x.shape)) if eqx.is_inexact_array(x) else x,
        field,
    )


@functools.cache
def smooth_field() -> FunctionField:
    """One field for all tests, since its function is part of what is compiled."""
    matrices = np.random.default_rng(2).normal(size=(2, 3, 3))
    return FunctionField(
        NAMES,
        lambda theta, u: u[0] @ jnp.sin(u[1] @ theta),
        jnp.asarray(0.5 * matrices),
    )


def dot(tree: Any, other: Any) -> float:
    """Scalar product of the inexact arrays of two PyTrees."""
    leaves = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return float(sum(np.vdot(x, y) for x, y in leaves))


def random_like(tree: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    draw = lambda x: jnp.asarray(rng.normal(size=x.shape))  # noqa: E731
    return jax.tree.map(draw, eqx.filter(tree, eqx.is_inexact_array))


def directional_difference(objective: Callable, point: Any, direction: Any) -> float:
    """Central finite difference of fourth order: error about 1e-12 / 1e-3 from rounding."""
    size = 1e-3

    def at(shift: float) -> float:
        moved = jax.tree.map(lambda d: size * shift * d, direction)
        return float(objective(eqx.apply_updates(point, moved)))

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * size)


CASES = [
    (hermite_field, "euler", 1),
    (hermite_field, "heun", 2),
    # Each of its parts is in one of the other cases.
    pytest.param(hermite_field, "rk4", 1, marks=pytest.mark.slow),
    (smooth_field, "euler", 3),
    (smooth_field, "heun", 2),
    (smooth_field, "rk4", 1),
]


@pytest.mark.parametrize(("make_field", "method", "substeps"), CASES)
def test_discrete_adjoint_is_the_gradient_of_the_regularised_action(make_field, method, substeps):
    times = np.array([0.0, 0.2, 0.3, 0.5, 0.7])
    weights = time_weights(jnp.asarray(times), "trapezoid")
    penalty = L2(0.4, jnp.asarray([0.1, -0.2, 0.3]))

    @eqx.filter_jit
    def action(field_and_start: tuple) -> jax.Array:
        field, start = field_and_start
        theta = solve_fixed(field, start, jnp.asarray(times), method=method, substeps=substeps)
        return jnp.sum(divergence(theta, times) @ weights + penalty.penalty(theta, weights))

    field, start = make_field(), jnp.asarray(STARTS)
    theta = integrate(field, start, times, method=method, substeps=substeps)
    cotangents = weights[None, :, None] * (
        moment_difference(theta, times) + penalty.gradient(theta)
    )
    gradient = discrete_adjoint(field, start, times, cotangents, method=method, substeps=substeps)
    directions = (
        (random_like(field, 3), jnp.zeros_like(start)),
        (jax.tree.map(jnp.zeros_like, random_like(field, 3)), random_like(start, 4)),
    )
    for direction in directions:
        expected = directional_difference(action, (field, start), direction)
        # Rounding in the finite difference; where a shift moves a point over a face, second
        # derivatives jump, which costs up to 1e-7.
        assert dot(gradient[::-1], direction) == pytest.approx(expected, rel=1e-6)


def test_discrete_adjoint_of_each_degree_of_freedom():
    times = np.array([0.0, 0.2, 0.5])
    grid = HermiteGrid(("b",), (1.0,), (0.0,), (-1.0,), (1.0,))
    field = HermiteField.zeros(("b",), {"b": grid}).allocate(np.array([[0.5]]))
    start = jnp.asarray([0.4])
    u = jnp.asarray([[0.3, -0.2], [0.1, 0.5]])[:, :, None]

    def last(u: jax.Array) -> jax.Array:
        moved = eqx.tree_at(lambda f: f.functions[0].u, field, u)
        return integrate(moved, start, times, method="heun")[-1, 0]

    field = eqx.tree_at(lambda f: f.functions[0].u, field, u)
    _, gradient = discrete_adjoint(
        field, start, times, np.array([[0.0], [0.0], [1.0]]), method="heun"
    )
    assert gradient.functions[0].keys is None
    for index in np.ndindex(u.shape):
        shift = 1e-5 * np.eye(u.size)[np.ravel_multi_index(index, u.shape)].reshape(u.shape)
        expected = (last(u + shift) - last(u - shift)) / 2e-5
        # Rounding 1e-16 / 1e-5 and a third derivative of order one times 1e-10.
        assert gradient.functions[0].u[index] == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.slow
def test_discrete_adjoint_accepts_a_diffrax_solver():
    times, field = np.array([0.0, 0.3, 0.5]), smooth_field()
    cotangents = np.asarray(random_like(jnp.zeros((2, 3, 3)), 5))
    adaptive = discrete_adjoint(
        field, STARTS, times, cotangents, method=diffrax.Tsit5(), rtol=1e-8, atol=1e-10
    )
    fixed = discrete_adjoint(field, STARTS, times, cotangents, method="rk4", substeps=40)
    for ours, theirs in zip(jax.tree.leaves(fixed), jax.tree.leaves(adaptive), strict=True):
        # Errors of the solutions, 1e-8 for each of the tens of steps.
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def compare_adjoints(field: Any, n_steps: int, method: Any, penalty: L2 | None) -> float:
    """Relative difference of the explicit and the discrete gradients of the action."""
    times = np.linspace(0.0, 1.0, n_steps + 1)
    theta = integrate(field, STARTS, times, method=method)
    difference = moment_difference(theta, times)
    source = difference if penalty is None else difference + penalty.gradient(theta)
    weights = time_weights(jnp.asarray(times), "left" if method == "euler" else "trapezoid")
    discrete = discrete_adjoint(
        field, STARTS, times, weights[None, :, None] * source, method=method
    )
    explicit = explicit_adjoint(
        field, theta, times, difference, method=method, regularisation=penalty
    )
    pairs = [
        (np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)]) for tree in trees)
        for trees in ((discrete[0], explicit.d_theta0), (discrete[1], explicit.d_u))
    ]
    return max(float(np.linalg.norm(x - y) / np.linalg.norm(x)) for x, y in pairs)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_explicit_adjoint_tends_to_the_discrete_one(method, order):
    penalty = L2(0.4, jnp.asarray([0.1, -0.2, 0.3]))
    errors = [compare_adjoints(smooth_field(), n, method, penalty) for n in (50, 100)]
    # The next order of the error changes the ratio by a few per cent.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


def test_explicit_adjoint_on_finite_elements():
    # Second order in a step of 0.01, with slopes of order one.
    assert compare_adjoints(hermite_field(), 100, "heun", None) < 1e-3


def test_substeps_refine_the_explicit_adjoint():
    field, times = smooth_field(), np.linspace(0.0, 1.0, 201)
    theta = integrate(field, STARTS, times, method="rk4")
    difference = moment_difference(theta, times)
    fine = explicit_adjoint(field, theta, times, difference)
    coarse = explicit_adjoint(field, theta[:, ::10], times[::10], difference[:, ::10], substeps=10)
    # Same steps; interpolation over 0.05 leaves second derivatives times 0.05^2 / 8.
    np.testing.assert_allclose(coarse.phi, fine.phi[:, ::10], atol=1e-3 * np.max(np.abs(fine.phi)))
    np.testing.assert_allclose(
        coarse.d_u.parameters,
        fine.d_u.parameters,
        atol=1e-3 * np.max(np.abs(fine.d_u.parameters)),
    )


def test_window_holds_the_start_fixed_and_is_zero_outside():
    field, times = smooth_field(), np.linspace(0.0, 1.0, 21)
    theta = integrate(field, STARTS, times)
    difference = moment_difference(theta, times)
    window = explicit_adjoint(field, theta, times, difference, window=(5, 12))
    alone = explicit_adjoint(field, theta[:, 5:13], times[5:13], difference[:, 5:13])
    np.testing.assert_array_equal(window.phi[:, :5], 0.0)
    np.testing.assert_array_equal(window.phi[:, 12:], 0.0)
    # Rounding.
    np.testing.assert_allclose(window.phi[:, 5:13], alone.phi, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(window.d_u.parameters, alone.d_u.parameters, rtol=1e-11)
    np.testing.assert_array_equal(window.d_theta0, -window.phi[:, 5])


def test_explicit_window_is_the_gradient_with_the_start_of_the_window_fixed():
    times = np.linspace(0.0, 1.0, 401)
    field, first, last = smooth_field(), 100, 300
    part = times[first : last + 1]
    theta = integrate(field, STARTS, times, method="rk4")
    start = theta[:, first]
    weights = time_weights(jnp.asarray(part), "trapezoid")

    @eqx.filter_jit
    def action(field: FunctionField) -> jax.Array:
        theta = solve_fixed(field, start, jnp.asarray(part), method="rk4")
        return jnp.sum(divergence(theta, part) @ weights)

    adjoint = explicit_adjoint(
        field,
        theta,
        times,
        moment_difference(theta, times),
        method="heun",
        window=(first, last),
    )
    direction = random_like(field, 6)
    # Second order in a step of 1/400.
    expected = directional_difference(action, field, direction)
    assert dot(adjoint.d_u, direction) == pytest.approx(expected, rel=1e-4)


def test_windows_of_one_length_share_a_compilation():
    traces = []

    def counted(theta: jax.Array, u: jax.Array) -> jax.Array:
        traces.append(1)
        return u * jnp.sin(theta)

    field = FunctionField(NAMES, counted, jnp.asarray(0.3))
    times = np.linspace(0.0, 1.0, 11)
    theta = integrate(field, STARTS, times)
    explicit_adjoint(field, theta, times, theta, window=(0, 5))
    before = len(traces)
    explicit_adjoint(field, theta, times, theta, window=(3, 8))
    assert len(traces) == before


def test_time_weights_integrate():
    times = jnp.asarray([0.0, 0.1, 0.4, 1.0])
    np.testing.assert_allclose(time_weights(times), [0.1, 0.3, 0.6, 0.0], atol=1e-15)
    trapezoid = time_weights(times, "trapezoid")
    np.testing.assert_allclose(trapezoid, [0.05, 0.2, 0.45, 0.3], atol=1e-15)
    window = time_weights(times, "trapezoid", window=(1, 2))
    np.testing.assert_allclose(window, [0.0, 0.15, 0.15, 0.0], atol=1e-15)
    np.testing.assert_allclose(time_weights(times, window=(1, 3)), [0, 0.3, 0.6, 0], atol=1e-15)


def test_penalty_follows_a_target_in_time():
    theta = random_like(jnp.zeros((2, 4, 3)), 7)
    target = random_like(jnp.zeros((4, 3)), 8)
    penalty = L2(0.5, target)
    weights = time_weights(jnp.linspace(0.0, 3.0, 4))
    expected = 0.5 * np.sum((np.asarray(theta - target[None]) ** 2)[:, :3], axis=(1, 2))
    np.testing.assert_allclose(penalty.penalty(theta, weights), expected, rtol=1e-13)
    summed = jax.grad(lambda x: jnp.sum(penalty.penalty(x, jnp.ones(4))))(theta)
    np.testing.assert_allclose(penalty.gradient(theta), summed, rtol=1e-13)


def test_single_precision_stays_single():
    field, times = hermite_field(), np.linspace(0.0, 0.4, 5)
    field = jax.tree.map(lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, field)
    theta = integrate(field, STARTS.astype(np.float32), times)
    discrete = discrete_adjoint(field, theta[:, 0], times, theta)
    explicit = explicit_adjoint(field, theta, times, theta, method="heun", substeps=2)
    for leaf in jax.tree.leaves((discrete, explicit)):
        assert leaf.dtype == jnp.float32


def test_impossible_arguments_are_refused():
    field, times, theta = smooth_field(), np.linspace(0.0, 1.0, 3), np.zeros((3, 3))
    with pytest.raises(ValueError, match="`window` must be two increasing indices of the 3"):
        explicit_adjoint(field, theta, times, theta, window=(1, 3))
    with pytest.raises(ValueError, match="`substeps` must be at least 1"):
        explicit_adjoint(field, theta, times, theta, substeps=0)
    with pytest.raises(ValueError, match=r"`moment_difference` must be finite, entry \(0, 0\)"):
        explicit_adjoint(field, theta, times, np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match="`cotangents` must be finite"):
        discrete_adjoint(field, theta[0], times, np.full((3, 3), np.inf))
    with pytest.raises(ValueError, match="`strength` must not be negative"):
        L2(-1.0, jnp.zeros(3))
