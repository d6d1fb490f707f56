"""Small made-up experiments: decay from many starts, and one oscillation from a single start."""

import itertools
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from dynboltz.distributions import LatticeModel, Layer
from dynboltz.dynamics import HermiteField, HermiteGrid
from dynboltz.lattices import Lattice
from dynboltz.store import trajectories_dataset

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


def make_trajectories(dim=3, *, n_replicas=4, species=("A", "B", "C")):
    """Simulations of a lattice that differs along its axes; moments are those of the states."""
    generator = np.random.default_rng(3)
    shape = (len(TIMES), *(4, 3, 2)[:dim])
    state = generator.integers(0, len(species) + 1, (n_replicas, *shape), dtype=np.uint8)
    density = np.stack(
        [(state == k + 1).mean(axis=tuple(range(2, 2 + dim))) for k in range(len(species))], axis=-1
    )
    pairs = [f"{one}.{other}" for i, one in enumerate(species) for other in species[i:]]
    neighbours = generator.uniform(0.0, 0.2, (n_replicas, len(TIMES), len(pairs)))
    return trajectories_dataset(
        state,
        np.concatenate([density, neighbours], axis=-1),
        TIMES,
        [*species, *pairs],
        np.zeros(n_replicas, dtype=np.int64),
        attrs={"species": list(species)},
    )


def make_single(coefficients=VISIBLE, *, fitted=None, sampled=True):
    """Predictions for the simulations of `make_trajectories`; only `fitted` times are known."""
    simulated = make_trajectories()["moments"]
    mean = simulated.mean("replica").values
    n_replicas = simulated.sizes["replica"]
    phase = TIMES[:, None] * np.ones(len(coefficients)) + np.arange(len(coefficients))
    theta, moments = np.sin(phase), 1.1 * mean
    if fitted is not None:
        theta[fitted:], moments[fitted:] = np.nan, np.nan
    dims = ("part", "initial_condition", "time")

    def both(values):
        return np.stack([values, values])[:, None]

    variables: dict[str, Any] = {
        "simulated": ((*dims, "moment"), both(mean)),
        "standard_error": (
            (*dims, "moment"),
            both(simulated.std("replica", ddof=1).values / np.sqrt(n_replicas)),
        ),
        "moments": ((*dims, "moment"), both(moments)),
    }
    if coefficients:
        variables["theta"] = ((*dims, "coefficient"), both(theta))
    if sampled:
        equilibrium, metastable = 0.9 * mean, np.zeros(len(TIMES))
        equilibrium[1::2] = np.nan
        metastable[[2, 4]] = 1.0
        variables["equilibrium"] = ((*dims, "moment"), both(equilibrium))
        variables["metastable"] = (dims, both(metastable))
    return xr.Dataset(
        variables,
        coords={
            "part": ["train", "test"],
            "time": ("time", TIMES, {"units": "1"}),
            "moment": simulated["moment"].values.tolist(),
        }
        | ({"coefficient": list(coefficients)} if coefficients else {}),
        attrs={"kind": "dynboltz-prediction", "learned_until": float(TIMES[5])},
    )


def make_sample(dim=3):
    """States of two layers, and probabilities of the hidden units, of which the last is missing."""
    state = make_trajectories(dim)["state"].isel(time=[0, 1]).transpose("time", "replica", ...)
    probability = np.random.default_rng(4).uniform(size=(2, *state.shape[1:]))
    probability[..., -1] = np.nan
    axes = ("replica", "x", "y", "z")[: 1 + dim]
    return xr.Dataset(
        {
            "state": (("layer", *axes), state.values),
            "probability": (("hidden_species", *axes), probability),
        },
        coords={"time": ((), 0.2, {"units": "s"})},
        attrs={"kind": "dynboltz-sample", "species": [["A", "B", "C"], ["X", "Y"]]},
    )


def make_model(dim=3, stencil=None):
    stencil = tuple(itertools.product((0, 1), repeat=dim)) if stencil is None else stencil
    return LatticeModel.from_names(
        Lattice((4, 4, 4)[:dim]), ("A",), ("b.A", "W.A.X", "b.X"), [Layer(("X",), stencil)]
    )


def make_narrow_field(coefficients=("b.A", "J.A.A", "K.A.A.A", "W.A.X"), *, arguments=3):
    """A field of all coefficients in a few of them, with made-up values, along `make_single`."""
    shown = coefficients[:arguments]
    cell, origin, lower, upper = ((value,) * arguments for value in (0.5, 0.0, -2.0, 2.0))
    grid = HermiteGrid(shown, cell, origin, lower, upper)
    field = HermiteField.zeros(coefficients, dict.fromkeys(coefficients, grid))
    theta = make_single(coefficients)["theta"].values[0, 0]
    (function,) = field.allocate(theta).functions
    u = np.random.default_rng(5).standard_normal(function.u.shape)
    function = type(function)(grid, coefficients, function.keys, jnp.asarray(u))
    return HermiteField(coefficients, (function,))


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
    return SimpleNamespace(
        predictions=make_predictions,
        field=make_field,
        history=make_history,
        trajectories=make_trajectories,
        single=make_single,
        sample=make_sample,
        model=make_model,
        narrow_field=make_narrow_field,
    )
