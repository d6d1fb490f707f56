"""Experiments whose models have no exact solution, from simulation to metrics."""

import json

import numpy as np
import pytest

from dynboltz.workflow import claim, load_experiment, run, simulate
from dynboltz.workflow._metastability import metastability_warnings, metastable_times

PLANE = """
name = "plane"
network = "A + A -> 0 ; k = 1"
[lattice]
shape = [12, 12]
[kernel]
kind = "continuous-time"
hop_rate = 1.0
interval = 0.1
n_steps = 4
[initial]
source = "counts"
counts = { A = [40, 144] }
train = 2
test = 1
replicas = 4
[models.pairs]
terms = ["b.A", "J.A.A"]
[models.pairs.grid]
outside = "linear"
[models.pairs.grid.axes]
"b.A" = { cell = 1.0, lower = -8, upper = 8 }
"J.A.A" = { cell = 1.0, lower = -8, upper = 8 }
[models.pairs.fit]
moments = "contrastive-divergence"
optimiser = "sgd"
steps = 20
[models.pairs.learning]
moments = "short-run"
sweeps = 5
warm_start = false
steps = 2
[evaluation]
samples = 20
sweeps = 10
chains = 4
long_sweeps = 200
"""


@pytest.fixture
def plane(tmp_path):
    path = tmp_path / "plane.toml"
    path.write_text(PLANE)
    return path


def test_a_plane_is_evaluated_by_short_runs(plane, tmp_path):
    run(load_experiment(plane), tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    model = metrics["models"]["pairs"]
    assert np.all(np.isfinite(model["rmse"]))
    assert model["metastable_times"] == []
    assert "metastable_times" not in metrics["models"]["mean_field"]
    run(load_experiment(plane), tmp_path / "again")
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["models"] == metrics["models"]


def test_models_that_remember_their_start_are_reported(plane, tmp_path):
    plane.write_text(PLANE.replace("[40, 144]", "144"))
    experiment = load_experiment(plane)
    directory = claim(experiment, tmp_path / "out")
    simulate(experiment, directory)
    weak, strong = np.array([0.5, 0.0]), np.array([-6.0, 3.0])
    theta = np.array([[weak, weak, weak, weak, weak]])
    assert metastable_times(experiment, directory, "pairs", theta) == []
    # Far below the critical temperature, symmetric between full and empty: the lattices of time 0
    # are full and stay so, random ones end full, empty or with a wall.
    theta[0, 0] = strong
    times = metastable_times(experiment, directory, "pairs", theta)
    assert times == [0.0]
    (warning,) = metastability_warnings("pairs", times)
    assert "pairs: metastable at t = 0." in warning
    assert metastability_warnings("pairs", []) == []
