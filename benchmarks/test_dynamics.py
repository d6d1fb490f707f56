"""Cost of integrating finite elements and of their gradients, 50 initial conditions at a time."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.dynamics import HermiteField, HermiteGrid, explicit_adjoint, solve_fixed

NAMES = ("b", "J", "K")
N_STEPS = 200


@pytest.fixture
def problem():
    """Three coefficients that share cells of side 0.5, in single precision, as on import."""
    grid = HermiteGrid(NAMES, (0.5,) * 3, (0.0,) * 3, (-2.0,) * 3, (2.0,) * 3, "clamp")
    rng = np.random.default_rng(0)
    field = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid), dtype=jnp.float32)
    field = field.allocate(rng.uniform(-1.5, 1.5, size=(2000, 3)).astype(np.float32))
    u = 0.05 * rng.normal(size=field.functions[0].u.shape)
    field = eqx.tree_at(lambda f: f.functions[0].u, field, jnp.asarray(u, dtype=jnp.float32))
    start = jnp.asarray(rng.uniform(-1, 1, size=(50, 3)), dtype=jnp.float32)
    return field, start, jnp.linspace(0.0, 2.0, N_STEPS + 1)


def measure(benchmark, function, *arguments):
    compiled = eqx.filter_jit(function)
    jax.block_until_ready(compiled(*arguments))
    benchmark.extra_info["steps"] = N_STEPS
    return benchmark(lambda: jax.block_until_ready(compiled(*arguments)))


def test_solve(benchmark, problem):
    theta = measure(benchmark, solve_fixed, *problem)
    assert np.all(np.isfinite(theta))


def test_gradient(benchmark, problem):
    field, start, times = problem

    def gradient(field_and_start):
        return eqx.filter_grad(lambda args: jnp.sum(solve_fixed(*args, times)))(field_and_start)

    _, d_start = measure(benchmark, gradient, (field, start))
    assert np.all(np.isfinite(d_start))


def test_explicit_adjoint(benchmark, problem):
    field, start, times = problem
    theta = solve_fixed(field, start, times)
    adjoint = benchmark(
        lambda: jax.block_until_ready(explicit_adjoint(field, theta, times, theta).phi)
    )
    assert adjoint.shape == theta.shape


def test_allocate(benchmark, problem):
    field, start, times = problem
    points = np.asarray(solve_fixed(field, start, times)).reshape(-1, 3)
    benchmark(lambda: field.allocate(points))
