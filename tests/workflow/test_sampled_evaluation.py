"""Experiments whose models have no exact solution, from simulation to metrics."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.cli._show import progress_display, show_metrics
from dynboltz.store import read_dataset
from dynboltz.workflow import (
    ExperimentError,
    claim,
    evaluate,
    fit,
    load_experiment,
    run,
    simulate,
    train,
)
from dynboltz.workflow._checkpoints import StoredCheckpoint
from dynboltz.workflow._sampled_models import sample_model
from dynboltz.workflow._schema import RESERVED
from dynboltz.workflow._verdicts import fit_warnings

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

FOLLOWED = """
name = "followed"
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
counts = { A = 72 }
train = 1
test = 1
replicas = 200
[models.pairs]
terms = ["b.A", "J.A.A"]
initial = { "b.A" = 0.0, "J.A.A" = 0.0 }
[models.pairs.grid]
outside = "linear"
arguments = ["b.A"]
axes = { "b.A" = { cell = 0.5, lower = -8, upper = 8 } }
[models.pairs.fit]
moments = "persistent"
steps = 30
learning_rate = 0.5
[models.pairs.learning]
moments = "persistent"
sweeps = 5
until = 0.2
learning_rate = 0.005
steps = 6
[evaluation]
chains = 16
long_sweeps = 400
equilibrium_times = 3
ceilings = { ceiling = "pairs" }
transfer = { shape = [18, 18], replicas = 100 }
"""


@pytest.fixture
def plane(tmp_path):
    path = tmp_path / "plane.toml"
    path.write_text(PLANE)
    return path


def evaluated(experiment, path):
    """Metrics of everything but the report, as they are stored."""
    directory = claim(experiment, path)
    for stage in (simulate, fit, train, evaluate):
        stage(experiment, directory)
    return json.loads(directory.metrics.read_text())


def test_a_plane_is_evaluated_by_short_runs(plane, tmp_path):
    run(load_experiment(plane), tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert np.all(np.isfinite(metrics["models"]["pairs"]["rmse"]))
    assert metrics["pairs"]["metastable_times"] == []
    assert metrics["pairs"]["short_run"].keys() == {"means_rel_rms", "neighbours_rel_rms"}
    assert set(metrics) == {*RESERVED, "pairs"} - {"mean_field"}
    # Read as equations: what each reaction does is known for chains only.
    result = CliRunner().invoke(app, ["interpret", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "d/dt b.A = " in result.stdout
    assert "interpret pairs 2/2 equations" in result.stderr
    (note,) = [line for line in result.stderr.splitlines() if "left out" in line]
    assert note == (
        "pairs: The candidates of kind `reactions` are left out: what each reaction does is known "
        "for models with an exact solution, those of chains, not of 2 axes, whose terms are of "
        "short range."
    )
    again = evaluated(load_experiment(plane), tmp_path / "again")
    assert again["models"] == metrics["models"]


def test_models_that_remember_their_start_are_reported(plane, tmp_path):
    plane.write_text(PLANE.replace("[40, 144]", "144"))
    experiment = load_experiment(plane)
    directory = claim(experiment, tmp_path / "out")
    simulate(experiment, directory)
    weak, strong = np.array([0.5, 0.0]), np.array([-6.0, 3.0])
    theta = np.array([[weak, weak, weak, weak, weak]])
    # Far below the critical temperature, symmetric between full and empty: the lattices of time 0
    # are full and stay so, random ones end full, empty or with a wall.
    theta[0, 0] = strong
    no_floor = np.zeros(len(experiment.moments))
    found = sample_model(experiment, directory, "pairs", theta, "test", no_floor).equilibrium
    assert found.metastable.tolist() == [True, False, False, False, False]
    assert found.r_hat[0] > 1.5
    assert found.r_hat[1:].max() < 1.05


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that is followed snapshot by snapshot, trained with persistent chains, and moved."""
    folder = tmp_path_factory.mktemp("followed")
    (folder / "plane.toml").write_text(FOLLOWED)
    run(load_experiment(folder / "plane.toml"), folder / "out")
    return folder


def test_fits_of_snapshots_match_the_moments(learned):
    fits = read_dataset(learned / "out" / "fits" / "pairs.zarr", "dynboltz-fit")
    assert fits.theta.dims == ("initial_condition", "time", "coefficient")
    np.testing.assert_allclose(fits.time.values, [0.0, 0.1, 0.2])
    np.testing.assert_array_equal(fits.theta[0, 0], [0.0, 0.0])
    metrics = json.loads((learned / "out" / "metrics.json").read_text())
    # The model has one coefficient for the mean and one for the pairs, so its best fit has their
    # moments; what is left is the noise of 200 lattices of 144 sites on either side.
    # Coefficients at time 0 are given; the residuals of the others are those of the progress.
    assert np.isnan(fits.initial_residual).all()
    residual = fits.residual.values[0]
    assert np.isnan(residual[0])
    assert metrics["models"]["pairs"]["fit_residual"] == {"later": residual[1:].max()}
    assert metrics["models"]["pairs"]["learned_until"] == pytest.approx(0.2)
    assert metrics["ceiling"]["part"] == "train"
    assert metrics["ceiling"]["short_run"]["means_rel_rms"] < 0.02
    assert metrics["ceiling"]["equilibrium"]["neighbours_rel_rms"] < 0.03


def test_fits_from_afar_that_are_cut_short_are_told(tmp_path, capsys):
    path = tmp_path / "plane.toml"
    text = FOLLOWED.replace('initial = { "b.A" = 0.0, "J.A.A" = 0.0 }', "")
    text = text.replace("train = 1", "train = 2")
    text = text.replace("steps = 30", 'steps = 1\nstart = { "b.A" = 0.0 }')
    path.write_text(text.replace("counts = { A = 72 }", "counts = { A = [1, 14] }"))
    experiment = load_experiment(path)
    directory = claim(experiment, tmp_path / "out")
    simulate(experiment, directory)
    with progress_display(tmp_path / "out") as progress:
        fit(experiment, directory, progress=progress)
    last = "fit pairs 4/4 snapshots residual "
    assert any(line.startswith(last) for line in capsys.readouterr().err.splitlines())
    fits = read_dataset(directory.fit("pairs"), "dynboltz-fit")
    known = fits.initial_residual.notnull()
    assert known.values.tolist() == [[True, True], [True, False]]
    # Five steps of at most 0.05 from a half-full lattice; a tenth of the sites or fewer are.
    first, *_ = fit_warnings(experiment.plans["pairs"], fits)
    assert "the fit at time 0 of the train initial conditions has not converged" in first


def test_predictions_go_beyond_the_training_and_the_lattice(learned):
    metrics = json.loads((learned / "out" / "metrics.json").read_text())["pairs"]
    assert metrics["short_run"]["means_rel_rms"] < 0.05
    assert metrics["transfer"]["means_rel_rms"] < 0.05
    assert metrics["beyond_training"].keys() == metrics["short_run"].keys()
    moved = read_dataset(learned / "out" / "transfers" / "pairs.zarr", "dynboltz-prediction")
    assert moved.attrs["lattice"] == [18, 18]
    assert moved.moments.sizes["time"] == 3
    ceiling = read_dataset(learned / "out" / "predictions" / "ceiling.zarr", "dynboltz-prediction")
    known = ceiling.moments.notnull().all("moment").any("initial_condition")
    assert known.sel(part="train").values.tolist() == [True, True, True, False, False]
    assert not known.sel(part="test").any()
    drawn = read_dataset(learned / "out" / "samples" / "pairs.zarr", "dynboltz-sample")
    assert drawn.state.dims == ("layer", "replica", "x", "y")


def test_samples_and_predictions_need_no_exact_solution(learned, tmp_path):
    runner, out = CliRunner(), learned / "out"
    done = runner.invoke(
        app, ["sample", str(out), "pairs", "--time", "0.2", "--out", str(tmp_path / "s.npz")]
    )
    assert done.exit_code == 0, done.output
    with np.load(tmp_path / "s.npz") as found:
        density = (found["state"] > 0).mean()
    done = runner.invoke(app, ["predict", str(out), "pairs"])
    assert done.exit_code == 0, done.output
    assert "means over 100 chains, 25 sweeps from random units" in done.stderr
    rows = np.genfromtxt(io.StringIO(done.stdout), delimiter=",", names=True)
    assert abs(rows["A"][2] - density) < 0.02
    # 100 lattices of 144 sites that are weakly coupled: the error of a mean is about 0.005.
    assert np.all((rows["errorA"] > 0.001) & (rows["errorA"] < 0.01))


def test_relative_errors_are_printed_as_they_are_documented(learned, capsys):
    metrics = json.loads((learned / "out" / "metrics.json").read_text())
    show_metrics(metrics)
    printed = capsys.readouterr().out
    assert "40% of them beyond the last learned one, 0.2" in " ".join(printed.split())
    assert "pairs (test)" in printed
    assert "ceiling (train)" in printed
    assert f"{100 * metrics['ceiling']['short_run']['means_rel_rms']:.3g} % / " in printed


def test_samples_that_have_not_converged_name_the_setting(learned, tmp_path):
    shutil.copytree(learned / "out", tmp_path / "out")
    path = tmp_path / "out" / "experiment.toml"
    text = path.read_text()
    assert "long_sweeps = 400" in text
    path.write_text(text.replace("long_sweeps = 400", "long_sweeps = 8"))
    # Far below the critical temperature, symmetric between full and empty.
    arguments = ["sample", str(tmp_path / "out"), "pairs", "--time", "0", "-n", "2"]
    arguments += ["--initial", "b.A=-6,J.A.A=3", "--out", str(tmp_path / "s.npz")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "chains of 8 sweeps have not converged" in done.stderr
    assert "Raise `evaluation.long_sweeps`" in done.stderr


class Interruption(Exception):
    """Ends a training in the middle."""


@pytest.mark.parametrize("last", [1, 4])
def test_an_interrupted_training_ends_with_the_same_bytes(learned, tmp_path, monkeypatch, last):
    monkeypatch.setattr("dynboltz.workflow._checkpoints.INTERVAL", 0.0)
    shutil.copytree(learned / "out", tmp_path / "out")
    model = tmp_path / "out" / "models" / "pairs.zarr"
    expected = content(model)
    shutil.rmtree(model)
    experiment = load_experiment(learned / "plane.toml")
    directory = claim(experiment, tmp_path / "out")

    def interrupt(state):
        # Called before the checkpoint of this step is written, so that one step is done anew.
        if state["stage"] == "train" and state["step"] == last + 1:
            raise Interruption

    with pytest.raises(Interruption):
        train(experiment, directory, progress=interrupt)
    assert directory.checkpoint("pairs").exists()
    seen = []
    train(experiment, directory, progress=seen.append)
    steps = [state["step"] for state in seen if state["stage"] == "train"]
    assert steps[0] == last + 1
    assert content(model) == expected
    assert not directory.checkpoint("pairs").exists()


PROGRAM = """
import sys
from dynboltz.workflow import _checkpoints
_checkpoints.INTERVAL = 0.1
from dynboltz.cli import main
sys.argv[0] = "dynboltz"
main()
"""


def start_training(directory):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "train", str(directory)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.slow
def test_five_kills_leave_the_same_bytes(tmp_path):
    path = tmp_path / "plane.toml"
    path.write_text(FOLLOWED.replace("steps = 6\n", "steps = 300\n"))
    experiment = load_experiment(path)
    for name in ("whole", "killed"):
        directory = claim(experiment, tmp_path / name)
        simulate(experiment, directory)
        fit(experiment, directory)
    assert start_training(tmp_path / "whole").wait() == 0
    model, checkpoint = (tmp_path / "killed" / f / "pairs.zarr" for f in ("models", "checkpoints"))
    random = np.random.default_rng(1)
    kills = 0
    while kills < 5:
        training = start_training(tmp_path / "killed")
        while not checkpoint.exists() and training.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 1.0))
        if training.poll() is not None:
            break
        training.send_signal(signal.SIGKILL)
        training.wait()
        kills += 1
    assert kills >= 2
    assert start_training(tmp_path / "killed").wait() == 0
    assert content(model) == content(tmp_path / "whole" / "models" / "pairs.zarr")


def test_checkpoints_of_other_settings_are_not_taken_up(tmp_path):
    path = tmp_path / "checkpoint.zarr"
    StoredCheckpoint(path, "one").save({"a/b": np.arange(3), "a/c": np.array(2.5)})
    found = StoredCheckpoint(path, "one").load()
    assert found is not None
    np.testing.assert_array_equal(found["a/b"], [0, 1, 2])
    assert found["a/c"] == 2.5
    assert StoredCheckpoint(path, "other").load() is None
    assert StoredCheckpoint(tmp_path / "nowhere", "one").load() is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (', "J.A.A" = 0.0', "", "give a value for 'J.A.A' as well"),
        ("until = 0.2", "until = 0.01", "learning.until`: must be at least 0.1, the second time"),
        ('ceiling = "pairs"', 'ceiling = "nobody"', "names the model 'nobody'; there are pairs"),
        ('ceiling = "pairs"', 'pairs = "pairs"', "the name 'pairs' is taken by a model"),
        ("shape = [18, 18]", "shape = [18]", "`shape` must have 2 entries"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path, old, new, message):
    path = tmp_path / "plane.toml"
    assert old in FOLLOWED
    path.write_text(FOLLOWED.replace(old, new, 1))
    with pytest.raises(ExperimentError, match=message):
        load_experiment(path)


def test_a_boundary_of_its_own_needs_sampled_moments(tmp_path):
    path = tmp_path / "chain.toml"
    chain = PLANE.replace("[12, 12]", "[144]")
    path.write_text(chain.replace("[models.pairs]", '[models.pairs]\nboundary = "closed"'))
    with pytest.raises(ExperimentError, match=r"models\.pairs\.boundary`: a boundary other"):
        load_experiment(path)


def content(path):
    """Bytes of all files of a store."""
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
