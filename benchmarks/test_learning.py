"""Cost of a gradient of Algorithm 1 and of fits of snapshots, beside plainer ways to get them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dynboltz.distributions import LatticeModel, TransferMatrix
from dynboltz.dynamics import HermiteField, HermiteGrid, solve_fixed, time_weights
from dynboltz.lattices import Lattice
from dynboltz.learning import ExactMoments, FitSettings, Selection, TrainingData, fit_initial

NAMES = ("b.A", "J.A.A", "K.A.A.A")
MODEL = LatticeModel.from_names(Lattice((100,)), ["A"], list(NAMES))
N_INITIAL, N_TIMES = 50, 201


@pytest.fixture(autouse=True)
def _double_precision():
    # optax multiplies floating-point numbers with integer step counts.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture
def problem():
    """A field of three coefficients that share cells, and data with moments of another path."""
    grid = HermiteGrid(NAMES, (0.5,) * 3, (0.0,) * 3, (-2.0,) * 3, (2.0,) * 3, "clamp")
    random = np.random.default_rng(0)
    field = HermiteField.zeros(NAMES, dict.fromkeys(NAMES, grid))
    field = field.allocate(random.uniform(-1.5, 1.5, (2000, 3)))
    initial = random.uniform(-1, 1, (N_INITIAL, 3))
    times = np.linspace(0.0, 2.0, N_TIMES)
    path = initial[:, None] * np.exp(-times)[:, None]
    moments = jax.jit(jax.vmap(jax.vmap(TransferMatrix(MODEL).moments)))
    return field, TrainingData(times, initial, np.asarray(moments(jnp.asarray(path)), dtype=float))


def unrolled(field, start, times):
    """Euler's method as a plain scan, differentiated step by step."""

    def step(theta, interval):
        theta = theta + interval * jax.vmap(field)(theta)
        return theta, theta

    later = jax.lax.scan(step, start, jnp.diff(times))[1]
    return jnp.moveaxis(jnp.concatenate([start[None], later]), 0, 1)


@pytest.mark.parametrize("solve", [solve_fixed, unrolled], ids=["adjoint", "plain scan"])
def test_gradient(benchmark, problem, solve):
    field, data = problem
    dtype = field.functions[0].u.dtype
    start, times = jnp.asarray(data.initial, dtype), jnp.asarray(data.times, dtype)
    source = ExactMoments(TransferMatrix(MODEL), data)
    selection = Selection(np.arange(N_INITIAL), np.arange(N_TIMES))
    weights = (time_weights(times, "trapezoid") / N_INITIAL)[None, :, None]
    forward = jax.jit(lambda field: solve(field, start, times))

    @jax.jit
    def pull_back(field, cotangents):
        return jax.vjp(lambda f: solve(f, start, times), field)[1](cotangents)[0]

    def gradient():
        difference = source(forward(field), selection).difference
        return jax.block_until_ready(pull_back(field, difference * weights).functions[0].u)

    gradient()
    assert np.all(np.isfinite(benchmark(gradient)))


FITS = {
    "natural": FitSettings(),
    "adam": FitSettings(optimiser="adam", learning_rate=0.1, steps=500),
}


@pytest.mark.parametrize("optimiser", FITS)
def test_fit_of_snapshots(benchmark, problem, optimiser):
    """Fifty snapshots, compilation included, as the library does it; the largest error is noted."""
    _, data = problem
    benchmark.extra_info["snapshots"] = N_INITIAL
    fitted = benchmark.pedantic(
        fit_initial, (MODEL, data.summaries[:, 0], FITS[optimiser]), rounds=1
    )
    error = np.abs(fitted - data.initial).max()
    benchmark.extra_info["largest error"] = float(error)
    assert error < 0.2
