"""A tiny experiment in a box, from the command line to the report."""

import json
import shutil

import ase.io
import h5py
import jax
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.learning import GaussNewtonResult
from dynboltz.store import load_patterns, open_particles, read_dataset
from dynboltz.workflow import (
    BoxModelFile,
    ExperimentError,
    ResultDirectory,
    claim,
    export_model,
    load_experiment,
    read_model_file,
    simulate,
    train,
)
from dynboltz.workflow.continuous import _train
from dynboltz.workflow.continuous._model import parameters_of, with_parameters
from dynboltz.workflow.continuous._train import load_model


def dynboltz(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def results(tmp_path_factory, request):
    """Results of a tiny run."""
    source = request.path.with_name("tiny_box.toml")
    out = tmp_path_factory.mktemp("box") / "out"
    result = dynboltz("run", source, "--preset", "one", "--out", out, "--threads", 1)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "Learned constants" in result.stdout
    assert "noise floor" in result.stdout
    assert f"Report: {out / 'report.html'}" in result.stdout
    return out


@pytest.fixture(scope="module")
def metrics(results):
    return json.loads((results / "metrics.json").read_text())


def test_metrics_hold_constants_errors_and_noise_floors(metrics):
    assert metrics["truth"] == {"D": 0.1, "E": 0.1, "k": 1.0}
    for name in "DEk":
        away = metrics["recovered"][name] - metrics["truth"][name]
        # Three profiles say little, but 5 standard errors are out of the question.
        assert abs(away) < 5 * metrics["standard_error"][name]
    assert set(metrics["held_out"]) == {"constants", "noise_floor"}
    for errors in metrics["held_out"].values():
        assert min(errors.values()) > 0
    assert metrics["functions"]["constants"]["A"]["F1"]["relative_error_max"] < 5
    assert set(metrics["wall_seconds"]) == {"simulate", "fit", "train", "evaluate", "total"}


def test_errors_follow_from_the_stored_trajectories_and_predictions(results, metrics):
    patterns = load_patterns(open_particles(results / "trajectories" / "test.zarr"))
    counts = patterns.counts()[..., 0].reshape(2, 6, 4)
    ds = read_dataset(results / "predictions" / "constants.zarr", "dynboltz-functional-prediction")
    simulated, floor = counts.mean(axis=1), counts.std(axis=1, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(ds.simulated_number.values[..., 0], simulated)
    # The jackknife of a mean is its standard error.
    np.testing.assert_allclose(ds.error_number.values[..., 0], floor)
    # Starts are fitted to the patterns: the product of the errors of two halves, and the noise.
    halves = np.array([counts[:, half::2].mean(axis=1) for half in range(2)])
    fits = read_dataset(results / "fits" / "constants.zarr", "dynboltz-functional-fit")
    assert fits.initial_of_halves.sizes["half"] == 2
    squares = ds.squared_error_number.values[..., 0]
    # At time 0 fits have the observed number, but for the prior.
    np.testing.assert_allclose(squares[:, 0], floor[:, 0] ** 2, atol=0.5 * np.var(halves[:, :, 0]))
    error = np.sqrt(np.mean(squares))
    scale = np.sqrt(np.mean(simulated**2))
    held_out = metrics["held_out"]
    np.testing.assert_allclose(held_out["constants"]["n_rel_rmse"], error / scale)
    spread = counts.var(axis=1, ddof=1) / simulated
    np.testing.assert_allclose(ds.simulated_dispersion.values[..., 0], spread)
    bins = np.histogram(patterns.points("A", 7, 2), bins=24, range=(0, 1))[0]
    x = [np.histogram(patterns.points("A", 6 + i, 2), bins=24, range=(0, 1))[0] for i in range(6)]
    np.testing.assert_array_equal(x[1], bins)
    np.testing.assert_allclose(ds.simulated_profile.values[1, 2, 0], 24 * np.mean(x, axis=0))


def test_predictions_are_those_of_the_stored_model(results):
    experiment = ResultDirectory(results).load_experiment()
    ds = read_dataset(results / "predictions" / "constants.zarr", "dynboltz-functional-prediction")
    with jax.enable_x64(True):
        learned = load_model(experiment, ResultDirectory(results), "constants")
        theta = learned.predict(ds.theta.values[:, 0], experiment.times)
    np.testing.assert_allclose(theta, ds.theta.values, rtol=1e-12)
    # Profiles in cells hold all particles.
    np.testing.assert_allclose(ds.profile.mean("x"), ds.number, rtol=1e-3)
    assert np.all(np.diff(ds.number.values[..., 0], axis=1) < 0)


def test_a_second_run_keeps_everything(results):
    files = {
        path: path.read_bytes()
        for path in results.rglob("*")
        if path.is_file() and path.suffix not in (".html", ".png", ".svg")
    }
    for stage in ("simulate", "fit", "train", "evaluate"):
        result = dynboltz(stage, results, *(("--out", results) if stage == "simulate" else ()))
        assert result.exit_code == 0, result.output
    assert {path: path.read_bytes() for path in files} == files


def test_the_report_has_the_figures_and_the_constants(results, metrics):
    page = (results / "report.html").read_text()
    names = {path.stem for path in (results / "figures").glob("*.png")}
    assert names == {
        *("patterns", "profiles", "functions-constants", "numbers"),
        *("pair-correlations", "action"),
    }
    assert page.count("<figure>") == len(names)
    assert f"{metrics['recovered']['D']:.5g} ± " in page
    assert "1 [length], periodic boundary" in page


def test_other_settings_need_overwrite_and_keep_what_does_not_depend_on_them(results, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(results, out)
    arguments = (out / "experiment.toml", "--out", out, "--set", "evaluation.profile_bins = 8")
    refused = dynboltz("run", *arguments)
    assert refused.exit_code == 2
    assert "evaluation.profile_bins: 24 there, 8 given" in refused.stderr
    changed = load_experiment(out, overrides=["evaluation.profile_bins = 8"])
    reports = []
    directory = claim(changed, out, overwrite=True)
    simulate(changed, directory, overwrite=True, progress=reports.append)
    assert not reports
    assert not directory.metrics.exists()


def test_an_interrupted_simulation_goes_on_to_the_same_bytes(results, tmp_path):
    experiment = ResultDirectory(results).load_experiment()

    def interrupt(report):
        if report["step"] == 2:
            raise KeyboardInterrupt

    directory = claim(experiment, tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        simulate(experiment, directory, progress=interrupt)
    simulate(experiment, directory)
    for part in ("train", "test"):
        whole = results / "trajectories" / f"{part}.zarr"
        for path in (p for p in whole.rglob("*") if p.is_file()):
            other = directory.trajectories(part) / path.relative_to(whole)
            assert other.read_bytes() == path.read_bytes()


def test_an_interrupted_training_goes_on_after_the_last_complete_window(
    results, tmp_path, monkeypatch
):
    """Windows are learned by a stand-in that adds 1 to all parameters."""
    out = tmp_path / "out"
    shutil.copytree(results, out)
    shutil.rmtree(out / "models")
    directory, seen = ResultDirectory(out), []
    experiment = directory.load_experiment()

    def learn(field, initial, solution, source, data, weights, settings, *, progress):
        seen.append(weights.sum())
        if len(seen) == 2:
            raise KeyboardInterrupt
        history = {"action": np.array([2.0, 1.0]), "damping": np.ones(2)}
        moved = with_parameters(field, parameters_of(field) + 1)
        return GaussNewtonResult(moved, initial + 1, np.eye(3), history)

    monkeypatch.setattr(_train, "gauss_newton", learn)
    monkeypatch.setattr(_train, "robust_covariance", lambda *_: np.eye(3))
    with pytest.raises(KeyboardInterrupt):
        train(experiment, directory)
    train(experiment, directory)
    assert seen == [3, 4, 4]
    assert not directory.checkpoint("constants").exists()
    ds = read_dataset(directory.model("constants"), _train.KIND)
    np.testing.assert_allclose(ds.u, [2.08, 1.92, 2.5])
    np.testing.assert_array_equal(ds.history_window, [0, 0, 1, 1])
    fits = read_dataset(directory.fit("constants"), "dynboltz-functional-fit")
    np.testing.assert_allclose(ds.initial, fits.initial.sel(part="train") + 2)


@pytest.mark.parametrize("command", [("predict",), ("sample", "--time", 0.1)])
def test_what_does_not_exist_for_boxes_says_so(results, tmp_path, command):
    name, *options = command
    more = ["--out", tmp_path / "x.npz"] if name == "sample" else []
    result = dynboltz(name, results, "constants", *options, *more)
    assert result.exit_code == 2
    assert "particles in a box, for which `predict` and `sample` do not exist" in result.stderr
    assert "opened.learned.predict(opened.initial[None]" in result.stderr


@pytest.fixture(scope="module")
def model(results, tmp_path_factory):
    """The file of the learned model."""
    path = tmp_path_factory.mktemp("file") / "model.nc"
    result = dynboltz("export", results, "--model", "constants", "--out", path)
    assert result.exit_code == 0, (result.output, result.exception)
    return path


def test_a_model_in_a_file_predicts_as_the_stored_one(results, model):
    read, there = read_model_file(model), ResultDirectory(results)
    experiment = there.load_experiment()
    assert isinstance(read, BoxModelFile)
    assert (read.name, read.experiment.table) == ("constants", experiment.table)
    ds = read_dataset(there.prediction("constants"), "dynboltz-functional-prediction")
    np.testing.assert_array_equal(read.initial, ds.theta.values[0, 0])
    with jax.enable_x64(True):
        stored = load_model(experiment, there, "constants")
        np.testing.assert_array_equal(
            read.learned.predict(read.initial[None], experiment.times),
            stored.predict(read.initial[None], experiment.times),
        )
        # The very numbers of `dynboltz evaluate`.
        theta = read.learned.predict(ds.theta.values[:, 0], experiment.times)
    np.testing.assert_array_equal(theta, ds.theta.values)
    np.testing.assert_array_equal(read.learned.covariance, stored.covariance)


def test_the_file_of_a_model_holds_all_of_its_store(results, model):
    stored = read_dataset(ResultDirectory(results).model("constants"), _train.KIND)
    with xr.open_dataset(model) as ds:
        for name, variable in stored.variables.items():
            np.testing.assert_array_equal(ds[name], variable)
        lineage = json.loads(ds.attrs["lineage"])
        assert json.loads(ds.attrs["specification"])["box"]["lengths"] == [1.0]
        assert ds.theta_initial.dims == ("coefficient",)
    assert lineage == stored.attrs["lineage"]
    assert set(lineage["parents"]) == {"trajectories/train.zarr", "fits/constants.zarr"}
    assert lineage["experiment"] == (results / "experiment.toml").read_text()


def test_doctor_verifies_the_file_of_a_model(model, tmp_path):
    assert dynboltz("doctor", model).stdout == "model.nc: sound\n"
    with h5py.File(model) as file:
        place = file["u"].id.get_chunk_info(0).byte_offset
    damaged = bytearray(model.read_bytes())
    damaged[place] ^= 1
    (tmp_path / "bad.nc").write_bytes(damaged)
    result = dynboltz("doctor", tmp_path / "bad.nc")
    assert result.exit_code == 1
    assert "bad.nc: DAMAGED" in result.stdout


@pytest.mark.parametrize("command", [("predict",), ("sample", "--time", 0.1)])
def test_files_of_boxes_are_for_python(model, tmp_path, command):
    name, *options = command
    more = ["--out", tmp_path / "x.npz"] if name == "sample" else []
    result = dynboltz(name, model, *options, *more)
    assert result.exit_code == 2
    assert f'read_model_file("{model}")' in result.stderr
    assert "dynboltz export" not in result.stderr


def test_a_model_of_a_box_that_is_not_there_cannot_be_exported(results, tmp_path):
    there = ResultDirectory(results)
    with pytest.raises(ExperimentError, match="has no model 'free'; there are constants"):
        export_model(there.load_experiment(), there, "free", tmp_path / "model.nc")
    assert not list(tmp_path.iterdir())


def test_particles_are_exported(results, tmp_path):
    there = load_patterns(open_particles(results / "trajectories" / "test.zarr"))
    for replica in ([], ["--replica", 7]):
        out = tmp_path / f"{len(replica)}.nc"
        done = dynboltz("export", results, "--trajectories", "test", *replica, "--out", out)
        assert done.exit_code == 0, done.output
        expected = there.positions[7:8] if replica else there.positions
        with xr.open_dataset(out) as ds:
            assert ds.position.dims == ("replica", "time", "slot", "axis")
            np.testing.assert_array_equal(ds.position, expected)
            assert json.loads(ds.attrs["species"]) == ["A"]
            assert ds.attrs["experiment"] == (results / "experiment.toml").read_text()
    refused = dynboltz(
        *("export", results, "--trajectories", "test", "--replica", 12, "--out", tmp_path / "x.nc")
    )
    assert refused.exit_code == 2
    assert "there is no replica 12; there are 0 to 11" in refused.stderr


def test_one_replica_of_particles_is_exported_as_extended_xyz(results, tmp_path):
    there = load_patterns(open_particles(results / "trajectories" / "test.zarr"))
    out = tmp_path / "replica.xyz"
    done = dynboltz("export", results, "--trajectories", "test", "--replica", 7, "--out", out)
    assert done.exit_code == 0, done.output
    # ASE has no element A.
    out.write_text(out.read_text().replace("\nA ", "\nH "))
    frames = ase.io.read(out, index=":", format="extxyz")
    assert len(frames) == 4
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.positions[:, :1], there.points("A", 7, number))
        assert not frame.positions[:, 1:].any()
        np.testing.assert_array_equal(frame.cell.lengths(), [1, 1, 1])
        np.testing.assert_array_equal(frame.pbc, [True, False, False])
        assert frame.info["replica"] == 7
