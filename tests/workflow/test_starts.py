"""Coefficients at time 0: known from how states are made, or fitted, and what errors make of it."""

import numpy as np
import pytest
import xarray as xr

from dynboltz.distributions import LatticeModel, observed_moments
from dynboltz.evaluation import noise_floor
from dynboltz.lattices import Lattice, neighbour_moments
from dynboltz.learning import FitSettings, fit_initial_persistent
from dynboltz.simulation import random_counts
from dynboltz.store import read_dataset
from dynboltz.workflow import load_experiment, run
from dynboltz.workflow._experiment import MOST_REPLICAS
from dynboltz.workflow._initial_states import known_coefficients
from dynboltz.workflow._metrics import Simulated, squares_of
from dynboltz.workflow._verdicts import start_warnings

COUNTS = """
name = "counts"
network = \"\"\"
A -> 0 ; k = 1
B -> 0 ; k = 1
\"\"\"
[lattice]
shape = [40]
[kernel]
kind = "continuous-time"
hop_rate = 0.0
interval = 0.2
n_steps = 2
[initial]
source = "counts"
counts = { A = [4, 12], B = 8 }
train = 2
test = 3
replicas = 10
[models.visible]
terms = ["b.A", "b.B", "J.A.A", "J.A.B", "J.B.B"]
[models.visible.grid]
outside = "linear"
arguments = ["b.A", "b.B"]
[models.visible.grid.axes]
"b.A" = { cell = 1.0, lower = -8.0, upper = 6.0 }
"b.B" = { cell = 1.0, lower = -8.0, upper = 6.0 }
[models.visible.learning]
steps = 1
"""


@pytest.fixture
def counts(tmp_path):
    path = tmp_path / "counts.toml"
    path.write_text(COUNTS)
    return path


def test_particles_at_random_sites_have_known_coefficients(counts):
    experiment = load_experiment(counts)
    plan = experiment.plans["visible"]
    assert plan.initial == "known"
    theta = known_coefficients(experiment, plan, "test")
    assert theta.shape == (3, 5)
    np.testing.assert_array_equal(theta[:, 2:], 0.0)
    found = observed_moments(plan.model, theta, neighbour_moments(("A", "B"), 1))
    a = 40 * found[:, 0]
    # Whole numbers of particles, from independent sites; rounding only.
    np.testing.assert_allclose(a, a.round(), atol=1e-9)
    assert np.all((a > 3.5) & (a < 12.5))
    np.testing.assert_allclose(found[:, 1], 8 / 40, rtol=1e-10)


def test_known_moments_of_pairs_are_those_of_fixed_numbers_but_for_one_site(counts):
    """The exact mean of pairs is n (n - 1) / (N (N - 1)); independent sites have n^2 / N^2."""
    lattice, n, replicas = Lattice((40,)), 8, 20_000
    states = random_counts(lattice, ("A",), {"A": n}, replicas, seed=1)
    pairs = np.mean((states > 0) & (np.roll(states, -1, axis=1) > 0), axis=1)
    error = pairs.std(ddof=1) / np.sqrt(replicas)
    exact = n * (n - 1) / (40 * 39)
    assert abs(pairs.mean() - exact) < 5 * error
    # sqrt(R / N) of the standard error, which is half of it where starts count as known.
    bias = (n / 40) ** 2 - exact
    ratio = bias / (error * np.sqrt(replicas / (MOST_REPLICAS * 40)))
    np.testing.assert_allclose(ratio, 0.5, rtol=0.1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("replicas = 10", "replicas = 11"),  # more than a quarter of the sites
        ("B = 8 }", "B = 0 }"),  # an infinite bias
        ("A = [4, 12]", "A = [4, 32]"),  # perhaps no empty site
        ('"b.B", ', ""),
    ],
)
def test_starts_are_fitted_where_they_are_not_known(counts, old, new):
    text = COUNTS.replace(old, new)
    if not new:
        text = text.replace('arguments = ["b.A", "b.B"]', 'arguments = ["b.A"]')
        text = "\n".join(line for line in text.splitlines() if not line.startswith('"b.B"'))
    counts.write_text(text)
    assert load_experiment(counts).plans["visible"].initial == "fitted"


def test_terms_that_the_drawn_distribution_lacks_start_at_zero(tiny):
    text = tiny.read_text()
    wider = text[text.index("[models.visible]") : text.index("[presets")]
    wider = wider.replace("visible", "wider").replace('initial = "known"\n', "")
    wider = wider.replace('"J.A.A"]', '"J.A.A", "A(0) A(2)"]').replace(
        'outside = "linear"', 'outside = "linear"\narguments = ["b.A", "J.A.A"]'
    )
    tiny.write_text(text + wider)
    experiment = load_experiment(tiny)
    plan = experiment.plans["wider"]
    assert plan.initial == "known"
    found = known_coefficients(experiment, plan, "train")
    own = known_coefficients(experiment, experiment.plans["visible"], "train")
    np.testing.assert_array_equal(found, np.column_stack([own, np.zeros(3)]))


def test_fixed_numbers_that_many_replicas_show_are_reported(counts):
    settings = ['models.visible.initial = "known"', "initial.replicas = 11"]
    experiment = load_experiment(counts, overrides=settings)
    (warning,) = start_warnings(experiment, experiment.plans["visible"], None)
    assert "correlates sites by -1/(N - 1)" in warning
    assert not start_warnings(load_experiment(counts), experiment.plans["visible"], None)


def test_coefficients_that_hardly_any_pair_tells_are_reported(counts):
    experiment = load_experiment(counts, overrides=['models.visible.initial = "fitted"'])
    halves = np.zeros((2, 3, 5))
    halves[0, :, 2] = 4.0
    plan = experiment.plans["visible"]
    (warning,) = start_warnings(experiment, plan, {"train": halves, "test": halves})
    assert "hardly determine J.A.A (± 2):" in warning
    assert not start_warnings(experiment, plan, {"train": 0 * halves, "test": 0 * halves})


def test_sampled_fits_of_dilute_random_states_find_no_coupling():
    """Particles at 5 of 100 sites; fits that begin at a half-full lattice ended at J = 0.9."""
    lattice, replicas = Lattice((10, 10)), 100
    model = LatticeModel.from_names(lattice, ("A",), ("b.A", "J.A.A"))
    states = random_counts(lattice, ("A",), {"A": 5}, replicas, seed=3)
    settings = FitSettings(moments="persistent")
    fits = fit_initial_persistent(model, states[None], settings, seed=np.random.SeedSequence(4))
    assert fits.residual[0] < 0.05
    # 50 pairs in 100 lattices: J to 1 / sqrt(50) = 0.14; fixed numbers bring about -0.2.
    assert abs(fits.theta[0, 1]) < 0.8
    np.testing.assert_allclose(fits.theta[0, 0], np.log(5 / 95), atol=0.2)


def test_fitted_starts_are_compared_with_the_other_half(tiny, tmp_path):
    settings = ['models.visible.initial = "fitted"', "models.visible.learning.warm_start = false"]
    metrics = run(load_experiment(tiny, overrides=settings), tmp_path / "out")
    assert metrics["models"]["visible"]["start"] == "fitted"
    fits = read_dataset(tmp_path / "out" / "fits" / "visible.zarr", "dynboltz-fit")
    assert fits.initial_of_halves.dims == ("half", "part", "initial_condition", "coefficient")
    both = fits.initial_of_halves.sel(part="test").values[:, :2]
    assert not np.array_equal(both[0], both[1])
    stored = read_dataset(tmp_path / "out" / "predictions" / "visible.zarr", "dynboltz-prediction")
    squares = stored.squared_error.sel(part="test").values[:2]
    expected = np.sqrt(np.maximum(squares.mean(axis=0), 0))
    np.testing.assert_allclose(metrics["models"]["visible"]["rmse"], expected, rtol=1e-12)


def test_a_perfect_prediction_from_densities_of_the_replicas_errs_by_the_floor():
    """Independent decay, 300 initial conditions with 6 replicas of 60 sites each."""
    random = np.random.default_rng(7)
    n_initial, replicas, sites, times = 300, 6, 60, np.array([0.0, 0.3, 1.5])
    count = random.binomial(sites, random.uniform(0.2, 0.8, n_initial).repeat(replicas))
    counts = [count]
    for step in np.diff(times):
        counts.append(random.binomial(counts[-1], np.exp(-step)))
    moments = np.array(counts).T[..., None] / sites
    trajectories = xr.Dataset(
        {
            "moments": (("replica", "time", "moment"), moments),
            "initial_condition": ("replica", np.arange(n_initial).repeat(replicas)),
        }
    )
    simulated = Simulated.of(trajectories)
    assert simulated.halves is not None

    def exact(start):
        return start[..., None, :] * np.exp(-times)[:, None]

    halves = exact(simulated.halves[:, :, 0])
    squares = squares_of(simulated, exact(simulated.ensemble.mean[:, 0]), halves)
    ratio = np.sqrt(squares.mean(axis=0)) / noise_floor(simulated.ensemble.standard_error)
    # The root of a mean of 300 products of two normal errors: 4 * 2 / sqrt(300) / 2.
    np.testing.assert_allclose(ratio, 1.0, atol=0.24)
