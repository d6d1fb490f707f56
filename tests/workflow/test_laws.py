"""Laws of moments of whole experiments: a file without models is complete."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dynboltz import load, workflow
from dynboltz.cli import app
from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import ContinuousTimeKernel, random_counts, simulate
from dynboltz.store import (
    StoreError,
    import_netcdf,
    open_trajectories,
    read_dataset,
    read_netcdf,
    read_npz,
)
from dynboltz.workflow import ExperimentError, load_experiment

FILE = """
name = "relaxation"
network = "A -> 0 ; k = 1.0\\n0 -> A ; k = 0.5"

[lattice]
shape = [60]

[kernel]
kind = "continuous-time"
hop_rate = 0.0
interval = 0.2
n_steps = 8

[initial]
source = "counts"
counts = { A = [5, 50] }
train = 4
test = 3
replicas = 30
"""


def dynboltz(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laws")
    (folder / "relaxation.toml").write_text(FILE)
    result = dynboltz("run", folder / "relaxation.toml", "--seed", 1, "--out", folder / "out")
    assert result.exit_code == 0, (result.output, result.exception)
    return folder / "out"


def test_a_file_without_models_learns_a_law_at_the_noise(results):
    metrics = json.loads((results / "metrics.json").read_text())
    law, floor = metrics["models"]["auto"], np.array(metrics["noise_floor"]["time_mean"])
    assert metrics["moments"] == ["A", "A.A", "A.A.A", "A.A.A.A"]
    assert law["followed"] == ["A", "A.A"]
    assert law["tried"][0]["moments"] == ["A", "A.A"]
    # The law errs less than the noise; three starts scatter by a third.
    assert np.all(np.array(law["rmse_time_mean"]) < 1.6 * floor)
    assert 0.75 < law["coverage"] <= 1
    assert law["known"]["train"] == 1
    assert metrics["wall_seconds"]["train"] > 0
    assert "law of moments" in (results / "report.html").read_text()


def test_its_density_is_the_exact_one(results):
    """Births and deaths of independent sites: $\\dot\\rho = k_b (1 - \\rho) - k_d \\rho$."""
    opened = dynboltz("predict", results, "auto", "--density", "A=0.7", "--times", "0:1.6:0.2")
    rows = np.genfromtxt(opened.stdout.splitlines(), delimiter=",", names=True)
    exact = 1 / 3 + (0.7 - 1 / 3) * np.exp(-1.5 * rows["time"])
    np.testing.assert_allclose(rows["A"], exact, atol=2e-5)
    # Random placement of a fixed number, then independent sites: the squares.
    np.testing.assert_allclose(rows["AA"][1:], exact[1:] ** 2, atol=0.01)
    assert np.all(rows["lowAA"] <= rows["AA"])
    assert np.all(rows["known"] == 1)


def test_a_law_is_kept_and_learned_anew_only_for_other_trajectories(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "out")
    before = (copy / "laws" / "auto.zarr" / "zarr.json").read_bytes()
    assert dynboltz("train", copy).exit_code == 0
    assert (copy / "laws" / "auto.zarr" / "zarr.json").read_bytes() == before
    found = read_dataset(copy / "laws" / "auto.zarr", "dynboltz-law")
    assert found.attrs["name"] == "auto"
    assert "trajectories/train.zarr" in found.attrs["lineage"]["parents"]


def test_many_starts_come_from_a_table_and_states_from_a_file(results, tmp_path):
    (tmp_path / "starts.csv").write_text("name,A\nlow,0.2\nhigh,0.6\n")
    out = tmp_path / "prediction.csv"
    found = dynboltz("predict", results, "auto", "--starts", tmp_path / "starts.csv", "--out", out)
    assert found.exit_code == 0, found.output
    rows = np.genfromtxt(out, delimiter=",", names=True)
    assert rows["A"][rows["time"] == 0] == pytest.approx([0.2, 0.6])
    states = random_counts(Lattice((60,)), ("A",), {"A": 30}, 5, seed=3)
    np.savez(tmp_path / "states.npz", state=states[:, None])
    found = dynboltz("predict", results, "auto", "--state", tmp_path / "states.npz")
    first = found.stdout.splitlines()[1].split(",")
    assert float(first[2]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--density", "B=0.1"], "there is no species 'B'; the model has A"),
        (["--density", "A"], "'A' is not NAME=NUMBER"),
        (["--density", "A=0.1,A=0.2"], "A is given twice"),
        (["--density", ""], "is not NAME=NUMBER"),
        (["--density", "A=1.5"], "from 0 to 1"),
        (["--density", "A=0.1", "--starts", "x.csv"], "Give one of --density"),
        (["--starts", "missing.csv"], "cannot be read as a table"),
        (["--state", "states.txt"], "must be a .npz or .nc file"),
        (["--initial", "J.A.A=1"], "b.A is missing"),
        (["--initial", "b.A"], "is not NAME=NUMBER"),
        (["--initial", "=1"], "is not NAME=NUMBER"),
        (["--initial", "b.A=1,b.A=2"], "b.A is given twice"),
        (["--initial", "b.A=1", "--density", "A=0.1"], "Give one of --density"),
        (["--density", "A=0.1", "--times", "1:2:0.5"], "must begin at 0"),
    ],
)
def test_wrong_starts_are_refused(results, options, message):
    result = dynboltz("predict", results, "auto", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_coefficients_are_starts_and_are_predicted(results, tmp_path):
    """Independent sites stay independent: the bias is the logit of the density."""
    found = dynboltz("predict", results, "--initial", "b.A=-1", "--times", "0:1:0.5", "--theta")
    assert found.exit_code == 0, found.output
    rows = np.genfromtxt(found.stdout.splitlines(), delimiter=",", names=True)
    first = 1 / (1 + np.exp(1))
    exact = 1 / 3 + (first - 1 / 3) * np.exp(-1.5 * rows["time"])
    # Six digits of the table; the density beside the learned pairs decides the rest.
    assert rows["bA"][0] == pytest.approx(-1.0, abs=1e-4)
    assert rows["JAA"][0] == pytest.approx(0.0, abs=1e-4)
    np.testing.assert_allclose(rows["bA"], np.log(exact / (1 - exact)), atol=0.1)
    given = ("--initial", "b.A=-1", "--times", "0:1:0.5", "--theta")
    path = tmp_path / "prediction.nc"
    assert dynboltz("predict", results, *given, "--out", path).exit_code == 0
    written = import_netcdf(path)
    np.testing.assert_allclose(written.theta.sel(coefficient="b.A")[0], rows["bA"], rtol=1e-5)
    assert not written.is_at_edge.any()


@pytest.mark.parametrize("suffix", ["npz", "nc"])
def test_laws_draw_states_that_are_starts(results, tmp_path, suffix):
    out = tmp_path / f"samples.{suffix}"
    options = ("--density", "A=0.8", "--time", 1.0, "-n", 400)
    found = dynboltz("sample", results, "auto", *options, "--out", out)
    assert found.exit_code == 0, found.output
    read = (read_npz if suffix == "npz" else read_netcdf)(out, boundary="periodic")
    assert read.state.shape == (400, 1, 60)
    exact = 1 / 3 + (0.8 - 1 / 3) * np.exp(-1.5)
    # 24000 sites of variance 1/4 at most: 4.5 standard errors.
    assert float((read.state > 0).mean()) == pytest.approx(exact, abs=4.5 * 0.5 / np.sqrt(24000))
    again = dynboltz("predict", results, "auto", "--state", out)
    assert again.exit_code == 0, again.output
    starts = dynboltz("sample", results, "--state", out, "--time", 0.4, "--out", tmp_path / "s.nc")
    assert starts.exit_code == 0, starts.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--density", "A=2"], "from 0 to 1"),
        (["--density", "A=0.1", "--initial", "b.A=0"], "Give one of --density"),
        (["--initial", "b.B=0"], "b.A is missing"),
    ],
)
def test_samples_of_laws_refuse(results, tmp_path, options, message):
    out = tmp_path / "s.npz"
    result = dynboltz("sample", results, "auto", "--time", 1, *options, "--out", out)
    assert (result.exit_code, out.exists()) == (2, False), result.output
    assert message in result.stderr


def test_a_law_in_a_file_predicts_and_samples_as_in_its_directory(results, tmp_path):
    path = tmp_path / "law.nc"
    assert dynboltz("export", results, "--model", "auto", "--out", path).exit_code == 0
    given = ("--density", "A=0.3")
    in_file = dynboltz("predict", path, *given)
    assert in_file.exit_code == 0, in_file.output
    assert in_file.stdout == dynboltz("predict", results, "auto", *given).stdout
    opened = load(path)
    assert opened.moments == ("A", "A.A", "A.A.A", "A.A.A.A")
    for source in (path, results):
        done = dynboltz(
            "sample", source, *given, "--time", 1, "-n", 5, "--out", tmp_path / f"{source.stem}.npz"
        )
        assert done.exit_code == 0, done.output
    drawn = [read_npz(tmp_path / f"{source.stem}.npz").state for source in (path, results)]
    np.testing.assert_array_equal(*drawn)
    assert dynboltz("doctor", path).stdout == f"{path.name}: sound\n"
    with pytest.raises(StoreError, match=r"a law of moments; `dynboltz.load` opens it"):
        workflow.read_model_file(path)


def test_interpret_prints_what_is_known_of_a_law(results):
    found = dynboltz("interpret", results)
    assert "d A/dt = 0.5 - 1.5 A\n" in found.stdout
    assert "d g(A.A)/dt = f(...)" in found.stdout
    (record,) = json.loads(dynboltz("interpret", results, "auto", "--json").stdout)
    assert record["law"][0] == "d A/dt = 0.5 - 1.5 A"
    latex = dynboltz("interpret", results, "auto", "--latex").stdout
    assert all(line.startswith("%") for line in latex.splitlines())


def test_doctor_repairs_a_law(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "out")
    assert dynboltz("doctor", copy).exit_code == 0
    chunk = copy / "laws" / "auto.zarr" / "pull" / "c"
    chunk.write_bytes(chunk.read_bytes() + b"x")
    found = dynboltz("doctor", copy)
    assert "laws/auto.zarr: DAMAGED" in found.stdout
    assert dynboltz("doctor", copy, "--repair").exit_code == 0
    for command in ("predict", "sample"):
        out = tmp_path / f"{command}.nc"
        given = () if command == "predict" else ("--time", 1)
        refused = dynboltz(command, copy, *given, "--density", "A=0.3", "--out", out)
        assert (refused.exit_code, out.exists()) == (2, False)
        assert "is not there yet; run `dynboltz train" in refused.stderr


def test_shards_of_an_experiment_without_models_are_merged(results, tmp_path):
    (tmp_path / "relaxation.toml").write_text(FILE)
    for i in (1, 2):
        arguments = ("--shard", f"{i}/2", "--seed", 1, "--out", tmp_path / f"{i}")
        assert dynboltz("simulate", tmp_path / "relaxation.toml", *arguments).exit_code == 0
    merged = tmp_path / "merged"
    done = dynboltz("merge", tmp_path / "1", tmp_path / "2", "--out", merged)
    assert done.exit_code == 0, done.output
    fitted = dynboltz("fit", merged)
    assert "Fits: none are needed" in fitted.stdout
    name = Path("trajectories", "train.zarr")
    one, other = (open_trajectories(folder / name) for folder in (merged, results))
    np.testing.assert_array_equal(one.state.values, other.state.values)


def test_given_trajectories_are_learned_from_their_own_starts(tmp_path):
    """Foreign states of an unknown process: starts are estimated, errors are cross-fitted."""
    lattice = Lattice((60,))
    network = ReactionNetwork.parse("A -> 0 ; k = 1.0\n0 -> A ; k = 0.5")
    rng = np.random.default_rng(2)
    for part, n_starts in (("train", 4), ("test", 2)):
        state = []
        for start in range(n_starts):
            first = (rng.random((20, 60)) < 0.2 + 0.15 * start).astype(np.uint8)
            kernel = ContinuousTimeKernel(0.0, 0.2)
            run = simulate(network, lattice, first, kernel=kernel, n_steps=8, seed=10 + start)
            state.append(run.state)
        np.savez(
            tmp_path / f"{part}.npz",
            state=np.concatenate(state),
            time=0.2 * np.arange(9),
            initial_condition=np.repeat(np.arange(n_starts), 20),
        )
    (tmp_path / "foreign.toml").write_text(
        'name = "foreign"\nspecies = ["A"]\n[lattice]\nshape = [60]\n'
        '[initial]\nsource = "store"\ntrain = "train.npz"\ntest = "test.npz"\ntimes = "file"\n'
    )
    metrics = workflow.run(load_experiment(tmp_path / "foreign.toml", seed=1), tmp_path / "out")
    law, floor = metrics["models"]["auto"], np.array(metrics["noise_floor"]["time_mean"])
    assert np.all(np.array(law["rmse_time_mean"])[:2] < 2 * floor[:2])
    assert "mean_field" not in metrics["models"]


def test_a_single_replica_is_refused_before_anything_is_learned(tmp_path):
    for part in ("train", "test"):
        np.savez(
            tmp_path / f"{part}.npz",
            state=np.zeros((2, 4, 20), dtype=np.uint8),
            initial_condition=[0, 1],
        )
    (tmp_path / "single.toml").write_text(
        'name = "single"\nspecies = ["A"]\n[lattice]\nshape = [20]\n'
        '[initial]\nsource = "store"\ntrain = "train.npz"\ntest = "test.npz"\n'
        "times = [0.0, 1.0, 2.0, 3.0]\n"
    )
    with pytest.raises(ExperimentError, match="two or more of each"):
        workflow.run(load_experiment(tmp_path / "single.toml"), tmp_path / "out")


def test_laws_stand_beside_models_with_terms(tiny, tmp_path):
    text = tiny.read_text() + '\n[models.law]\nfamily = "auto"\n'
    tiny.write_text(text)
    experiment = load_experiment(tiny)
    assert experiment.laws == ("law",)
    assert "law" not in experiment.plans
    assert "law" in experiment.stored_names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('models.law = { family = "best" }', "family"),
        ('models.law = { family = "auto", terms = ["b.A"] }', "terms"),
    ],
)
def test_wrong_families_are_refused(tiny, change, message):
    with pytest.raises(ExperimentError, match=message):
        load_experiment(tiny, overrides=[change])


def test_what_is_not_recorded_is_counted_from_states(tmp_path):
    """Births at empty neighbours of two species need patterns such as A.B.A, which are counted."""
    (tmp_path / "two.toml").write_text(
        FILE.replace(
            "A -> 0 ; k = 1.0\\n0 -> A ; k = 0.5",
            "A -> A + A ; k = 1.0\\nB -> B + B ; k = 1.0\\nA -> 0 ; k = 0.5\\nB -> 0 ; k = 0.5",
        ).replace("{ A = [5, 50] }", "{ A = [5, 25], B = [5, 25] }")
    )
    experiment = load_experiment(tmp_path / "two.toml", seed=1)
    directory = workflow.claim(experiment, tmp_path / "out")
    workflow.simulate(experiment, directory)
    recorded = workflow._laws.read_recorded(experiment, directory, "train")
    names = [term.name for term in recorded.terms]
    stored = open_trajectories(directory.trajectories("train"))
    assert len(names) > stored.sizes["moment"]
    state = stored.state.values[: len(recorded.moments[0])].astype(int)
    pattern = next(name for name in names if name not in stored.moment.values)
    labels = [item.split("(")[0] for item in pattern.split()]
    want = [{"A": 1, "B": 2}[label] for label in labels]
    counted = np.zeros(state.shape[:2])
    for images in {tuple(want), tuple(want[::-1])}:
        here = [np.roll(state, -k, axis=2) == label for k, label in enumerate(images)]
        counted += np.all(here, axis=0).sum(axis=2) / 60
    np.testing.assert_allclose(recorded.moments[0][..., names.index(pattern)], counted)
