"""A small made-up experiment: exponential decay of a few coefficients and of the moments."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from dynboltz.dynamics import HermiteField, HermiteGrid

MOMENTS = ("A", "A.A", "A.A.A", "A.A.A.A")
TIMES = np.linspace(0.0, 2.0, 11)
N_TRAIN, N_TEST = 12, 5
VISIBLE = ("b.A", "J.A.A", "K.A.A.A")
RATES = np.array([-0.9, -2.0, -3.0])


def make_predictions(coefficients=VISIBLE, *, seed=0, bias=0.002, unit="s"):
    """Predictions of a model; the test part is shorter and padded with NaN."""
    generator = np.random.default_rng(seed)
    n = len(coefficients)
    offset = generator.uniform(-1.0, 1.0, (2, N_TRAIN, max(n, 1)))
    start = offset[..., :n]
    rates = np.resize(RATES, n)
    theta = start[:, :, None] * np.exp(TIMES[:, None] * rates)
    density = 0.5 * np.exp(-0.5 * TIMES)[None, None, :, None] * (1.0 + 0.3 * offset[:, :, None, :1])
    simulated = density ** np.arange(1.0, 5.0)
    moments = simulated + bias * generator.standard_normal(simulated.shape)
    error = np.full(simulated.shape, 0.001)
    for values in (theta, simulated, moments, error):
        values[1, N_TEST:] = np.nan
    shape = ("part", "initial_condition", "time")
    variables = {
        "simulated": ((*shape, "moment"), simulated),
        "standard_error": ((*shape, "moment"), error),
        "moments": ((*shape, "moment"), moments),
    }
    if n:
        variables["theta"] = ((*shape, "coefficient"), theta)
    return xr.Dataset(
        variables,
        coords={
            "part": ["train", "test"],
            "time": ("time", TIMES, {"units": unit}),
            "moment": list(MOMENTS),
        }
        | ({"coefficient": list(coefficients)} if n else {}),
        attrs={"kind": "dynboltz-prediction"},
    )


def make_field(coefficients=VISIBLE, *, cell=0.5):
    """A field whose degrees of freedom are exactly those of F = rate * coefficient."""
    d = len(coefficients)
    grid = HermiteGrid(coefficients, (cell,) * d, (0.0,) * d, (-2.0,) * d, (2.0,) * d)
    field = HermiteField.zeros(coefficients, dict.fromkeys(coefficients, grid))
    theta = make_predictions(coefficients)["theta"].sel(part="train").values
    (function,) = field.allocate(theta.reshape(-1, d)).functions
    u = np.zeros(function.u.shape)
    keys = np.asarray(function.keys)[: function.n_allocated]
    index = np.stack(np.unravel_index(keys, [n + 1 for n in grid.n_cells]), axis=-1)
    for k, rate in enumerate(np.resize(RATES, d)):
        u[: len(keys), 0, k] = rate * (grid.box[0][k] + index[:, k] * cell)
        u[: len(keys), 1 << (d - 1 - k), k] = rate
    function = type(function)(grid, coefficients, function.keys, jnp.asarray(u))
    return HermiteField(coefficients, (function,))


def make_history(n=20, columns=("kl", "rmse.A", "rmse.A.A")):
    steps = np.arange(1, n + 1)
    return {"step": steps} | {
        name: np.exp(-0.2 * steps) * 10.0**-place for place, name in enumerate(columns)
    }


@pytest.fixture
def predictions():
    return make_predictions()


@pytest.fixture
def field():
    return make_field()


@pytest.fixture
def results():
    """Predictions of two models and a baseline, as `plot_errors` takes them."""
    return {
        "visible": make_predictions(),
        "hidden": make_predictions(("b.A", "W.A.X", "b.X"), seed=1, bias=0.004),
        "mean_field": make_predictions((), seed=2, bias=0.02),
    }


@pytest.fixture
def make():
    return SimpleNamespace(predictions=make_predictions, field=make_field, history=make_history)
