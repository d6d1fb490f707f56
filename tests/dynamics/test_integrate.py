"""Integrators: order of convergence, agreement with diffrax, checks on the host."""

from __future__ import annotations

import functools
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import (
    FunctionField,
    HermiteField,
    HermiteGrid,
    OutsideBoxError,
    integrate,
    solve_adaptive,
    solve_fixed,
    solve_implicit,
    time_weights,
)


def logistic(theta: jax.Array, rate: Any) -> jax.Array:
    return rate * theta * (1 - theta)


LOGISTIC = FunctionField(("a", "b"), logistic, 2.0)
START = np.array([0.1, 1.5])


def exact(times: np.ndarray) -> np.ndarray:
    return 1 / (1 + (1 / START - 1) * np.exp(-2.0 * times[:, None]))


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_order_of_convergence(method, order):
    times = np.linspace(0.0, 2.0, 5)
    errors = [
        np.max(np.abs(integrate(LOGISTIC, START, times, method=method, substeps=n) - exact(times)))
        for n in (16, 32)
    ]
    # The next order of the error changes the ratio by a relative 1/16 at most.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


def test_diffrax_solver_reaches_its_tolerance():
    times = np.array([0.0, 0.1, 0.5, 2.0])
    theta = integrate(LOGISTIC, START, times, method=diffrax.Tsit5(), rtol=1e-9, atol=1e-11)
    # Error of a step times the number of steps, about 100.
    np.testing.assert_allclose(theta, exact(times), rtol=1e-7)


@functools.cache
def make_field(outside: Any = "error") -> HermiteField:
    grid = HermiteGrid(("a", "b"), (0.5, 0.5), (0.0, 0.0), (-2.0, -2.0), (2.0, 2.0), outside)
    points = np.random.default_rng(0).uniform(-2, 2, size=(300, 2))
    field = HermiteField.zeros(("a", "b"), {"a": grid, "b": grid}).allocate(points)
    u = np.random.default_rng(1).normal(size=field.functions[0].u.shape)
    return eqx.tree_at(lambda f: f.functions[0].u, field, jnp.asarray(0.3 * u))


def test_diffrax_agrees_with_fixed_steps_on_finite_elements():
    times = np.linspace(0.0, 1.0, 6)
    starts = np.random.default_rng(2).uniform(-1, 1, size=(4, 2))
    adaptive = integrate(make_field(), starts, times, method=diffrax.Tsit5(), rtol=1e-8, atol=1e-10)
    fixed = integrate(make_field(), starts, times, method="rk4", substeps=50)
    # Second derivatives jump at faces, where one step of 4e-3 loses its order: below 1e-6.
    np.testing.assert_allclose(adaptive, fixed, atol=1e-6)


def test_batches_equal_single_solutions():
    times = np.array([0.0, 0.1, 0.4])
    starts = np.random.default_rng(3).uniform(-1, 1, size=(2, 3, 2))
    field = make_field()
    batch = integrate(field, starts, times, method="heun", substeps=3)
    assert batch.shape == (2, 3, 3, 2)
    mapped = jax.vmap(lambda start: solve_fixed(field, start, jnp.asarray(times), substeps=3))
    euler = integrate(field, starts, times, substeps=3)
    for index in np.ndindex(2, 3):
        single = integrate(field, starts[index], times, method="heun", substeps=3)
        # Rounding of sums in another order.
        np.testing.assert_allclose(batch[index], single, atol=1e-13)
    np.testing.assert_allclose(mapped(jnp.asarray(starts[0])), euler[0], atol=1e-13)


def test_the_first_time_is_the_start():
    theta = integrate(LOGISTIC, START, np.array([5.0, 6.0]))
    np.testing.assert_array_equal(theta[0], START)
    np.testing.assert_allclose(theta[1], START + 2.0 * START * (1 - START), rtol=1e-14)


def test_a_second_call_does_not_recompile():
    traces = []

    def counted(theta: jax.Array, rate: jax.Array) -> jax.Array:
        traces.append(1)
        return rate * theta

    times = np.array([0.0, 1.0])
    for rate in (1.0, 2.0):
        field = FunctionField(("a", "b"), counted, jnp.asarray(rate))
        first = len(traces)
        integrate(field, START * rate, times)
    assert first == len(traces)


@pytest.mark.parametrize("method", ["rk4", diffrax.Tsit5()])
def test_single_precision_stays_single(method):
    field = jax.tree.map(
        lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, make_field()
    )
    theta = integrate(
        field, START.astype(np.float32), np.array([0.0, 0.1]), method=method, rtol=1e-3, atol=1e-4
    )
    assert theta.dtype == jnp.float32


def constant_field(velocity: list[float], outside: Any) -> HermiteField:
    field = make_field(outside)
    u = np.zeros(field.functions[0].u.shape)
    u[:, 0] = velocity
    return eqx.tree_at(lambda f: f.functions[0].u, field, jnp.asarray(u))


def test_leaving_the_box_raises_with_time_initial_condition_and_coefficient():
    times = np.linspace(0.0, 2.0, 5)
    starts = np.array([[0.0, 0.0], [0.0, 0.8]])
    with pytest.raises(
        OutsideBoxError,
        match=r"at time 1\.5, initial condition 1, coefficient `b` = 2\.3 .*\[-2, 2\].*Enlarge",
    ):
        integrate(constant_field([0.1, 1.0], "error"), starts, times)
    theta = integrate(constant_field([0.1, 1.0], "clamp"), starts, times)
    np.testing.assert_allclose(theta[:, -1], starts + np.array([0.2, 2.0]), atol=1e-12)


@pytest.mark.parametrize("method", ["euler", diffrax.Tsit5()])
def test_divergence_raises(method):
    field = FunctionField(("a", "b"), lambda theta, _: 1e3 * theta**3)
    with pytest.raises(FloatingPointError, match=r"at time .* coefficient `[ab]` is .*diverged"):
        integrate(field, START, np.linspace(0.0, 1.0, 5), method=method, substeps=20)


def test_impossible_arguments_are_refused():
    times = np.array([0.0, 1.0])
    with pytest.raises(ValueError, match="`substeps` must be at least 1"):
        integrate(LOGISTIC, START, times, substeps=0)
    with pytest.raises(ValueError, match="two or more increasing times"):
        integrate(LOGISTIC, START, times[::-1].copy())
    with pytest.raises(ValueError, match=r"`theta0` must be finite, entry \(1,\)"):
        integrate(LOGISTIC, np.array([0.0, np.nan]), times)
    with pytest.raises(ValueError, match=r"`theta0` must have shape .*a, b"):
        integrate(LOGISTIC, np.zeros(3), times)


def test_function_must_return_one_value_for_each_coefficient():
    field = FunctionField(("a", "b"), lambda theta, _: theta[:1])
    with pytest.raises(ValueError, match=r"must return shape \(2,\)"):
        field(jnp.asarray(START))


def test_any_pytree_can_hold_the_parameters():
    network = eqx.nn.MLP(2, 2, 4, 1, key=jax.random.key(0))
    field = FunctionField(("a", "b"), lambda theta, network: network(theta), network)
    theta = integrate(field, START, np.array([0.0, 0.5]))
    np.testing.assert_allclose(theta[1], START + 0.5 * network(jnp.asarray(START)), rtol=1e-14)


def test_gradients_through_integrate_are_pointed_at_solve_fixed():
    times, learned = np.array([0.0, 0.1, 0.2]), FunctionField(("a", "b"), logistic, jnp.array(2.0))
    for traced in (jax.grad, jax.jit):
        with pytest.raises(TypeError, match=r"integrate: .* traced by JAX .* use `solve_fixed`"):
            traced(lambda theta: jnp.sum(integrate(LOGISTIC, theta, times)))(jnp.asarray(START))
    with pytest.raises(TypeError, match=r"integrate: .*`field`.* traced by JAX"):
        eqx.filter_grad(lambda field: jnp.sum(integrate(field, START, times)))(learned)
    gradient = jax.grad(lambda theta: jnp.sum(solve_fixed(LOGISTIC, theta, jnp.asarray(times))))
    assert np.all(np.isfinite(gradient(jnp.asarray(START))))


def test_lists_of_numbers_are_arrays():
    times = np.array([0.0, 0.1, 0.2])
    expected = integrate(LOGISTIC, START, times)
    np.testing.assert_array_equal(integrate(LOGISTIC, START.tolist(), times.tolist()), expected)
    np.testing.assert_array_equal(solve_fixed(LOGISTIC, START.tolist(), times.tolist()), expected)
    np.testing.assert_array_equal(time_weights([0, 1, 3]), [1.0, 2.0, 0.0])


@pytest.mark.parametrize(
    ("theta0", "times", "message"),
    [
        (START[:1], [0.0, 1.0], r"integrate: `theta0` must have shape .*\(a, b\), got \(1,\)"),
        (START, [0.0], r"integrate: `times` must be two or more increasing times"),
        (START, [0.0, np.inf], r"integrate: `times` must be two or more increasing times"),
        (START, [[0.0, 1.0]], r"integrate: `times` must have shape \(times,\), got \(1, 2\)"),
        (["a", "b"], [0.0, 1.0], r"integrate: `theta0` must hold real numbers, got texts"),
        (None, [0.0, 1.0], r"integrate: `theta0` must be an array of real numbers, got None"),
    ],
)
def test_what_does_not_fit_is_refused_in_words_of_the_package(theta0, times, message):
    with pytest.raises((TypeError, ValueError), match=message):
        integrate(LOGISTIC, theta0, times)


def test_solvers_for_compiled_code_compare_shapes():
    times = jnp.array([0.0, 0.1])
    for solve, options in (
        (solve_fixed, {"method": "rk4"}),
        (solve_implicit, {"operator": -jnp.eye(2)}),
        (solve_adaptive, {"solver": diffrax.Tsit5(), "rtol": 1e-3, "atol": 1e-3}),
    ):
        with pytest.raises(ValueError, match=r"`theta0` must have shape .*\(a, b\), got \(3,\)"):
            jax.jit(lambda theta, s=solve, o=options: s(LOGISTIC, theta, times, **o))(jnp.ones(3))
    with pytest.raises(ValueError, match=r"solve_fixed: `substeps` must be at least 1, got 0"):
        solve_fixed(LOGISTIC, jnp.asarray(START), times, substeps=0)
    with pytest.raises(ValueError, match=r"solve_implicit: `times` must hold 2 or more times"):
        solve_implicit(LOGISTIC, jnp.asarray(START), times[:1], operator=-jnp.eye(2))
