"""A tiny experiment with a model of pairs, from the command line to the report."""

import json

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz._warnings import collected
from dynboltz.cli import app
from dynboltz.learning import GaussNewtonResult
from dynboltz.store import load_patterns, open_particles, read_dataset
from dynboltz.workflow import ResultDirectory, load_experiment, read_model_file
from dynboltz.workflow.continuous import _pair_train, _sampled_quantities
from dynboltz.workflow.continuous._model import parameters_of, with_parameters
from dynboltz.workflow.continuous._observed import QUANTITIES, Measured

PREDICTION = "dynboltz-functional-prediction"


def dynboltz(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def learn(field, initial, solution, model, patterns, weights, settings, *, seed, progress):
    """Add 0.1 to all parameters, which compiles nothing; `sampled_gauss_newton` has its tests."""
    assert initial.shape == (2, len(model.coefficients))
    assert [own.batch for own in patterns] == [(30, len(weights))] * 2
    assert (settings.steps, settings.chains, settings.samples) == (2, 4, 4)
    assert callable(solution)
    assert seed is not None
    progress({"stage": "train", "step": 1, "total": 1, "action": 1.0})
    u = parameters_of(field) + 0.1
    history = {"action": np.array([2.0, 1.0]), "damping": np.ones(2)}
    return GaussNewtonResult(with_parameters(field, u), initial, 0.04 * np.eye(len(u)), history)


def run(source, out, *arguments):
    result = dynboltz("run", source, "--out", out, "--threads", 1, *arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return out


@pytest.fixture(scope="module")
def results(tmp_path_factory, request):
    """Results of a tiny run of the model with pairs."""
    source = request.path.with_name("tiny_pairs.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pair_train, "sampled_gauss_newton", learn)
        out = tmp_path_factory.mktemp("pairs") / "out"
        return run(source, out, "--set", 'learn = ["k2"]')


@pytest.fixture(scope="module")
def metrics(results):
    return json.loads((results / "metrics.json").read_text())


def test_metrics_hold_weights_and_errors(metrics):
    assert set(metrics["held_out"]) == {"k2", "noise_floor"}
    for key in ("n_rel_rmse", "g_rmse", "var_over_mean_error"):
        assert metrics["held_out"]["k2"][key] > 0
    facts = metrics["models"]["k2"]
    assert (facts["order"], facts["coefficients"], facts["parameters"]) == (2, 9, 6)
    assert facts["weights"]["A.A.F1"] == {
        "1": {"value": pytest.approx(0.2), "standard_error": pytest.approx(0.2)}
    }
    assert len(facts["weights"]["A.A.F3"]) == 2


def test_predictions_start_from_the_held_out_patterns(results, metrics):
    ds = read_dataset(results / "predictions" / "k2.zarr", PREDICTION)
    patterns = load_patterns(open_particles(results / "trajectories" / "test.zarr"))
    counts = patterns.counts()[..., 0].reshape(2, 30, 3)
    np.testing.assert_allclose(ds.simulated_number.values[..., 0], counts.mean(axis=1))
    error = ds.number.values[..., 0] - counts.mean(axis=1)
    squares = ds.squared_error_number.values
    scale = np.sqrt(np.mean(counts.mean(axis=1) ** 2))
    found = metrics["held_out"]["k2"]["n_rel_rmse"]
    np.testing.assert_allclose(found, np.sqrt(np.mean(squares)) / scale)
    # A maximum-likelihood fit has the mean of its data, up to its own chains and those of the
    # prediction: 100 samples and 30 replicas of 5 to 15 particles, four standard errors.
    sd = np.sqrt(counts.var(axis=1, ddof=1)[:, 0])
    assert np.all(np.abs(error[:, 0]) < 4 * sd * np.sqrt(1 / 100 + 1 / 30))
    assert ds.pair_function.dims == ("initial_condition", "time", "pair", "separation")
    assert float(np.abs(ds.pair_function[..., -1]).max()) == 0.0


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


def test_the_report_has_the_figures(results):
    page = (results / "report.html").read_text()
    names = {path.stem for path in (results / "figures").glob("*.png")}
    assert names == {"patterns", "numbers", "pair-correlations", "pair-functions", "action"}
    assert page.count("<figure>") == len(names)
    assert "Interaction functions of pairs" in page


# Two tiny training sets do not go where the held-out patterns start.
@pytest.mark.filterwarnings("ignore::dynboltz._warnings.ExtrapolationWarning")
def test_a_model_of_pairs_in_a_file_predicts_as_the_stored_one(results, tmp_path):
    path, there = tmp_path / "k2.nc", ResultDirectory(results)
    assert dynboltz("export", results, "--model", "k2", "--out", path).exit_code == 0
    read = read_model_file(path)
    ds = read_dataset(there.prediction("k2"), PREDICTION)
    with jax.enable_x64(True):
        theta = read.learned.predict(ds.theta.values[:, 0], read.experiment.times)
    np.testing.assert_array_equal(theta, ds.theta.values)
    np.testing.assert_array_equal(read.initial, ds.theta.values[0, 0])


@pytest.mark.slow
def test_models_with_and_without_pairs_learn(tiny_pairs, tmp_path):
    more = ("initial.replicas = 60", "models.k2.learning.steps = 6")
    out = run(tiny_pairs, tmp_path / "out", *(word for one in more for word in ("--set", one)))
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["held_out"]) == {"k1", "k2", "noise_floor"}
    # Pairs move apart as the particles do; 5 standard errors.
    first = metrics["models"]["k2"]["weights"]["A.A.F1"]["1"]
    assert abs(first["value"] - 0.1) < 5 * first["standard_error"]
    # Without pairs, reactions cannot be faster than of uniform particles.
    found = metrics["models"]["k1"]["weights"]["A.F"]["exp(-1 nu.A)"]
    assert 0 < found["value"] < 0.8 + 5 * found["standard_error"]
    experiment = ResultDirectory(out).load_experiment()
    assert list(experiment.plans) == ["k1", "k2"]


@pytest.mark.parametrize(("excess", "warned"), [(1.0, False), (1.1, True)])
def test_samples_that_end_at_their_bound_are_reported(tiny_pairs, monkeypatch, excess, warned):
    experiment = load_experiment(tiny_pairs)
    model = experiment.plans["k2"].model
    n = len(model.coefficients)
    nothing = {key: (np.zeros((1, 1, 1)), np.zeros((1, 1, 1))) for key in QUANTITIES}
    monkeypatch.setattr(_sampled_quantities, "_of_one", lambda *_: (nothing, excess))
    ones = np.ones((2, 1, 1, 1))
    floors = {key: Measured(ones, ones, ones[None]) for key in QUANTITIES}
    with collected() as notes:
        _sampled_quantities.sampled_quantities(
            experiment, "k2", model, np.zeros((2, 1, n)), 10.0, floors, lambda _: None
        )
    assert [note for note in notes if "Monte Carlo error" in note] == notes
    assert len(notes) == warned
