"""Models with terms whose law is a smooth function: no grid, nothing to set."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.store import read_dataset
from dynboltz.workflow import ExperimentError, load_experiment

FILE = """
name = "decay"
network = "A -> 0 ; k = 1.0"

[lattice]
shape = [80]

[kernel]
kind = "continuous-time"
hop_rate = 0.0
interval = 0.15
n_steps = 8

[initial]
source = "distribution"
model = "visible"
train = 5
test = 3
replicas = 30
[initial.coefficients]
"b.A" = [-0.5, 1.5]
"J.A.A" = [0.0, 0.0]

[models.visible]
terms = ["b.A", "J.A.A"]

[models.hidden]
terms = ["b.A", "W.A.X", "b.X"]
layers = [{ species = ["X"], stencil = [[0], [1]] }]

[evaluation]
ceilings = { ceiling = "hidden" }
"""


def dynboltz(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machines")
    (folder / "decay.toml").write_text(FILE)
    result = dynboltz("run", folder / "decay.toml", "--seed", 2, "--out", folder / "out")
    assert result.exit_code == 0, (result.output, result.exception)
    return folder / "out"


def test_the_laws_err_little_more_than_the_static_fits(results):
    metrics = json.loads((results / "metrics.json").read_text())
    floor = np.array(metrics["noise_floor"]["time_mean"])
    errors = {name: np.array(m["rmse_time_mean"]) for name, m in metrics["models"].items()}
    assert set(errors) == {"visible", "hidden", "ceiling", "mean_field"}
    # Three starts scatter by a third; laws of five starts are not at the noise.
    assert np.all(errors["visible"][:2] < 2.5 * floor[:2])
    assert np.all(errors["hidden"][:2] < 2.5 * np.maximum(errors["ceiling"], floor)[:2])
    assert metrics["models"]["visible"]["start"] == "known"
    assert metrics["models"]["hidden"]["start"] == "fitted"
    assert 0.6 < metrics["models"]["visible"]["coverage"] <= 1


def test_coefficients_of_independent_decay_are_exact(results):
    found = read_dataset(results / "predictions" / "visible.zarr", "dynboltz-prediction")
    test = found.sel(part="test").isel(initial_condition=slice(0, 3))
    start = test.theta.sel(coefficient="b.A").values[:, :1]
    density = np.exp(-test.time.values) / (1 + np.exp(-start))
    exact = np.log(density / (1 - density))
    np.testing.assert_allclose(test.theta.sel(coefficient="b.A"), exact, atol=0.25)
    np.testing.assert_allclose(test.theta.sel(coefficient="J.A.A"), 0, atol=0.25)


def test_predict_sample_and_export(results, tmp_path):
    start = "b.A=0.5,J.A.A=0"
    found = dynboltz("predict", results, "visible", "--initial", start, "--times", "0:0.6:0.3")
    rows = np.genfromtxt(found.stdout.splitlines(), delimiter=",", names=True)
    exact = np.exp(-rows["time"]) / (1 + np.exp(-0.5))
    np.testing.assert_allclose(rows["A"], exact, atol=0.03)
    path = tmp_path / "visible.nc"
    assert dynboltz("export", results, "--model", "visible", "--out", path).exit_code == 0
    again = dynboltz("predict", path, "--initial", start, "--times", "0:0.6:0.3")
    assert again.stdout == found.stdout
    default = [
        dynboltz("predict", where, *rest) for where, rest in ((results, ["visible"]), (path, []))
    ]
    assert default[0].stdout == default[1].stdout
    drawn = dynboltz(
        "sample", path, "--initial", start, "--time", 0.3, "-n", 400, "--out", tmp_path / "s.npz"
    )
    assert drawn.exit_code == 0, drawn.output
    # 32000 sites know a density to 0.003.
    mean = (np.load(tmp_path / "s.npz")["state"] > 0).mean()
    assert abs(mean - rows["A"][1]) < 0.012


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("models.visible.learning.steps = 3", r"`learning` belongs to finite elements"),
        ("models.visible.fit.steps = 3", r"`fit\.steps` belongs to models with a table `grid`"),
        ('models.hidden.fit.start = { "b.A" = 1.0 }', r"names 'b\.A'.*no visible bias"),
        ('models.hidden.terms = ["W.A.X", "b.X"]', r"must have a bias of 'A'"),
    ],
)
def test_what_a_law_cannot_have_is_refused(tmp_path, change, message):
    (tmp_path / "decay.toml").write_text(FILE)
    with pytest.raises(ExperimentError, match=message):
        load_experiment(tmp_path / "decay.toml", overrides=[change])


PLANE = """
name = "plane"
network = "A -> 0 ; k = 1.0"

[lattice]
shape = [8, 8]

[kernel]
kind = "continuous-time"
hop_rate = 0.0
interval = 0.25
n_steps = 4

[initial]
source = "counts"
counts = { A = [15, 50] }
train = 3
test = 2
replicas = 20

[models.hidden]
terms = ["b.A", "W.A.X", "b.X"]
layers = [{ species = ["X"], stencil = [[0, 0], [0, 1], [1, 0], [1, 1]] }]
"""


def test_a_plane_learns_from_chains(tmp_path):
    (tmp_path / "plane.toml").write_text(PLANE)
    out = tmp_path / "out"
    result = dynboltz("run", tmp_path / "plane.toml", "--seed", 1, "--out", out)
    assert result.exit_code == 0, (result.output, result.exception)
    metrics = json.loads((out / "metrics.json").read_text())
    floor = np.array(metrics["noise_floor"]["time_mean"])
    errors = np.array(metrics["models"]["hidden"]["rmse_time_mean"])
    assert np.all(np.isfinite(errors))
    assert errors[0] < 3 * floor[0]
    drawn = dynboltz("sample", out, "hidden", "--time", 0.5, "-n", 50, "--out", tmp_path / "s.npz")
    assert drawn.exit_code == 0, drawn.output
    assert np.load(tmp_path / "s.npz")["state"].shape == (50, 1, 8, 8)
    start = "b.A=0.2,W.A.X=-0.5,b.X=0.3"
    found = dynboltz("predict", out, "hidden", "--initial", start, "--times", "0:0.5:0.25")
    assert found.exit_code == 0, found.output


def test_static_fits_of_planes_are_not_compared(tmp_path):
    text = PLANE + '[evaluation]\nceilings = { ceiling = "hidden" }\n'
    (tmp_path / "plane.toml").write_text(text)
    with pytest.raises(ExperimentError, match="whose static fits are not compared"):
        load_experiment(tmp_path / "plane.toml")
