import json
import shutil
import subprocess
import sys
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from ase.io.extxyz import key_val_str_to_dict
from typer.testing import CliRunner

from dynboltz.cli import app
from dynboltz.cli._times import parse_times
from dynboltz.store import (
    import_netcdf,
    open_trajectories,
    read_dataset,
    read_netcdf,
    read_npz,
    store_checksum,
)

INITIAL = "b.A=0.1,J.A.A=-0.2"


def dynboltz(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments, message):
    """Run a command that must end with one message, exit code 2 and no traceback."""
    result = dynboltz(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("Error: ") == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def results(tmp_path_factory, tiny_source):
    """Results of a tiny run."""
    folder = tmp_path_factory.mktemp("tiny")
    result = dynboltz("run", tiny_source, "--out", folder / "out", "--threads", 1)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "noise floor" in result.stdout
    assert f"Report: {folder / 'out' / 'report.html'}" in result.stdout
    return folder / "out"


def test_run_leaves_metrics_with_every_error_and_its_noise_floor(results):
    metrics = json.loads((results / "metrics.json").read_text())
    assert set(metrics["wall_seconds"]) == {"simulate", "fit", "train", "evaluate", "total"}
    parts = [metrics["wall_seconds"][s] for s in ("simulate", "fit", "train", "evaluate")]
    assert min(parts) > 0
    np.testing.assert_allclose(metrics["wall_seconds"]["total"], sum(parts))
    assert metrics["moments"] == ["A", "A.A", "A.A.A", "A.A.A.A"]
    assert metrics["n_initial_conditions"] == {"train": 3, "test": 2}
    for part in (metrics, metrics["train"]):
        assert np.shape(part["noise_floor"]["over_time"]) == (5, 4)
        assert set(part["models"]) == {"visible", "mean_field"}
        for model in part["models"].values():
            error = np.array(model["rmse"])
            assert error.shape == (5, 4)
            np.testing.assert_allclose(model["rmse_time_mean"], error.mean(axis=0))
            np.testing.assert_allclose(model["rmse_time_max"], error.max(axis=0))
    assert metrics["models"]["visible"]["parameters"]["coefficients"] == 2


def test_errors_follow_from_the_stored_trajectories_and_predictions(results):
    metrics = json.loads((results / "metrics.json").read_text())
    trajectories = open_trajectories(results / "trajectories" / "test.zarr")
    simulated = trajectories.moments.groupby("initial_condition").mean().values
    for name in ("visible", "mean_field"):
        prediction = read_dataset(results / "predictions" / f"{name}.zarr", "dynboltz-prediction")
        predicted = prediction.moments.sel(part="test").values[:2]
        assert np.isnan(prediction.moments.sel(part="test").values[2]).all()
        squares = (predicted - simulated) ** 2
        if name == "mean_field":  # starts at simulated densities, and is therefore cross-fitted
            squares = prediction.squared_error.sel(part="test").values[:2]
            floor = prediction.standard_error.sel(part="test").values[:2]
            np.testing.assert_allclose(squares[:, 0, 0], floor[:, 0, 0] ** 2)
        error = np.sqrt(np.maximum(squares.mean(axis=0), 0.0))
        # The same sums; rounding only.
        np.testing.assert_allclose(metrics["models"][name]["rmse"], error, rtol=1e-10)


def test_a_second_run_keeps_everything(results):
    files = {
        path: path.read_bytes()
        for path in results.rglob("*")
        if path.is_file() and path.suffix not in (".html", ".png", ".svg")
    }
    result = dynboltz("run", results)
    assert result.exit_code == 0, result.output
    assert files == {path: path.read_bytes() for path in files}
    assert "train" not in result.stderr


def test_the_stages_one_by_one_give_the_same_as_run(results, tmp_path):
    out = tmp_path / "stages"
    assert dynboltz("simulate", results / "experiment.toml", "--out", out).exit_code == 0
    for stage in ("fit", "train", "evaluate", "report"):
        result = dynboltz(stage, out)
        assert result.exit_code == 0, result.output
    metrics = [json.loads((path / "metrics.json").read_text()) for path in (results, out)]
    for found in metrics:
        del found["wall_seconds"], found["prediction_seconds"]
    assert metrics[0] == metrics[1]
    for name in ("trajectories/train.zarr", "fits/visible.zarr", "models/visible.zarr"):
        files = [path for path in (results / name).rglob("*") if path.is_file()]
        for path in files:
            assert path.read_bytes() == (out / path.relative_to(results)).read_bytes(), path


def test_stages_ask_for_the_stage_before(results, tmp_path):
    out = tmp_path / "out"
    dynboltz("simulate", results / "experiment.toml", "--out", out)
    refused("train", out, message=f"run `dynboltz fit {out}` first")
    refused("evaluate", out, message="first")
    refused("report", out, message=f"run `dynboltz evaluate {out}` first")
    refused("fit", tmp_path, message="holds no results of dynboltz")


def test_predict_writes_a_table_and_files(results, tmp_path):
    result = dynboltz("predict", results, "visible", "--initial", INITIAL, "--times", "0:0.4:0.1")
    assert result.exit_code == 0, result.output
    rows = result.stdout.splitlines()
    assert rows[0] == "time,b.A,J.A.A,A,A.A,A.A.A,A.A.A.A"
    assert [float(row.split(",")[0]) for row in rows[1:]] == [0, 0.1, 0.2, 0.3, 0.4]
    assert [float(x) for x in rows[1].split(",")[1:3]] == [0.1, -0.2]
    for suffix in (".csv", ".nc"):
        arguments = ("predict", results, "visible", "--initial", INITIAL)
        result = dynboltz(*arguments, "--out", tmp_path / f"p{suffix}")
        assert result.exit_code == 0, result.output
        assert (tmp_path / f"p{suffix}").exists()


def test_predict_says_when_it_extrapolates(results):
    arguments = ("predict", results, "visible", "--times", "0,0.1")
    result = dynboltz(*arguments, "--initial", "b.A=3.9,J.A.A=5.9")
    assert result.exit_code == 0, result.output
    assert "no training trajectory visited" in result.stderr


def test_predict_looks_at_all_steps_on_the_way(results):
    """Times of the steps are told even where they are not asked for; training ended at 0.4."""
    arguments = ("predict", results, "visible", "--initial", INITIAL, "--times")
    found = [dynboltz(*arguments, times) for times in ("0:0.4:0.1", "0,2", "0:2:0.1")]
    assert "was learned from" not in found[0].stderr
    for result in found[1:]:
        assert result.exit_code == 0, result.output
        assert "visible was learned from times up to 0.4;" in result.stderr
    assert found[1].stderr == found[2].stderr
    assert found[1].stdout.splitlines()[-1] == found[2].stdout.splitlines()[-1]


@pytest.mark.parametrize("suffix", ["npz", "nc"])
def test_samples_are_states_that_others_can_read(results, tmp_path, suffix):
    out = tmp_path / f"samples.{suffix}"
    arguments = ("sample", results, "visible", "--initial", INITIAL, "--time", 0, "-n", 500)
    result = dynboltz(*arguments, "--out", out)
    assert result.exit_code == 0, result.output
    reader = read_npz if suffix == "npz" else read_netcdf
    found = reader(out, boundary="closed")
    assert found.state.shape == (500, 1, 12)
    before = out.read_bytes()
    refused(*arguments, "--out", out, message="is there already")
    assert out.read_bytes() == before
    first = dynboltz("predict", results, "visible", "--initial", INITIAL, "--times", "0")
    density = float(first.stdout.splitlines()[1].split(",")[3])
    # 6000 sites of variance at most 1/4, anticorrelated neighbours: 4 standard errors are 0.026.
    assert abs(found.moments.values[:, 0, 0].mean() - density) < 0.026


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--initial", "b.A=0.1"), "each of b.A, J.A.A"),
        (("--initial", "b.A=x,J.A.A=0"), "is not NAME=NUMBER"),
        (("--initial", "b.A=nan,J.A.A=0"), "finite number"),
        (("--initial", "b.A=0,b.A=1,J.A.A=0"), "--initial: b.A is given twice"),
        (("--initial", "b.a=0.1,J.A.A=0"), "'b.a'; it has b.A, J.A.A. Did you mean `b.A`?"),
        (("--initial", "J.A=0"), "coefficient 'J.A'; it has b.A, J.A.A. Did you mean `J.A.A`"),
        (
            ("--initial", INITIAL, "--times", "1,0"),
            "must begin at 0, the first time of the simulations, and increase",
        ),
        (("--initial", INITIAL, "--times", "0:1"), "start:stop:step"),
        (("--initial", INITIAL, "--out", "p.txt"), "must end in .csv or .nc"),
        (("--initial", INITIAL, "--out", "p"), "`--out`: must end in .csv or .nc"),
    ],
)
def test_predict_refuses_what_it_cannot_use(results, options, message):
    refused("predict", results, "visible", *options, message=message)


def test_unknown_models_list_those_there_are(results):
    refused("predict", results, "hidden", "--initial", INITIAL, message="there are visible")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('network = "A + A -> 0 ; p = 1.5"', "between 0 and 1"),
        ('network = "A -> 0 ; k = -1"', "not negative"),
        ('network = "A -> 0 ; k = 1\\nA -> 0 ; k = 2"', "is there already"),
        ('models.visible.terms = ["b.B"]', "species 'B'"),
        ("lattice.shape = [1]", "too small"),
        ("kernel.stepps = 3", "unknown key `stepps`"),
        ("kernel.dt = ", "is not KEY=VALUE"),
    ],
)
def test_bad_experiments_leave_nothing_behind(tiny, tmp_path, override, message):
    out = tmp_path / "out"
    refused("run", tiny, "--out", out, "--set", override, message=message)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "rosler"), "Did you mean `rossler`?"),
        (("sweep", "rosler", "--vary", "seed=[1]", "--out", "x"), "Did you mean `rossler`?"),
        (("merge", "shard-1", "--out", "x"), "shard-1: there is no such file or directory"),
        (("fit", "absent"), "absent: there is no such file or directory"),
        (("predict", "absent.nc"), "absent.nc: there is no such file or directory"),
        (("doctor", "absent"), "absent: there is no such file or directory"),
    ],
)
def test_what_is_not_there_is_told_before_anything_else(arguments, message):
    refused(*arguments, message=message)


def test_directories_that_cannot_be_written_are_named(tiny, tmp_path):
    (tmp_path / "file").write_text("x")
    refused(
        "run",
        tiny,
        "--out",
        tmp_path / "file",
        message="file: is text, where a directory for results is expected",
    )
    refused("run", tiny, "--out", tmp_path / "file" / "sub", message="cannot be written")
    assert (tmp_path / "file").read_text() == "x"


def test_a_directory_of_other_settings_needs_overwrite(results, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(results, out)
    arguments = ("run", out / "experiment.toml", "--out", out, "--seed", 77)
    refused(*arguments, message="seed: 5 there, 77 given")
    assert (out / "metrics.json").read_bytes() == (results / "metrics.json").read_bytes()


def test_overwriting_removes_models_that_are_gone(results, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(results, out)
    text = (out / "experiment.toml").read_text().replace("models.visible", "models.renamed")
    renamed = tmp_path / "renamed.toml"
    renamed.write_text(text.replace('model = "visible"', 'model = "renamed"'))
    result = dynboltz("run", renamed, "--out", out, "--overwrite")
    assert result.exit_code == 0, result.output
    assert "simulate" not in result.stderr
    assert [path.name for path in (out / "models").iterdir()] == ["renamed.zarr"]
    assert set(json.loads((out / "metrics.json").read_text())["models"]) == {
        "renamed",
        "mean_field",
    }


def test_foreign_and_truncated_stores_are_named(results, tmp_path):
    out = tmp_path / "out"
    dynboltz("simulate", results / "experiment.toml", "--out", out)
    chunk = next(
        path for path in (out / "trajectories/test.zarr/state/c").rglob("*/0") if path.is_file()
    )
    chunk.write_bytes(chunk.read_bytes()[:-3])
    refused("fit", out, message="test.zarr: is truncated")
    assert not (out / "fits").exists()
    shutil.rmtree(out / "trajectories")
    other = tmp_path / "other"
    dynboltz("simulate", results / "experiment.toml", "--out", other, "--seed", 9)
    shutil.copytree(other / "trajectories", out / "trajectories")
    refused("simulate", out, message="store of another experiment")
    refused("fit", out, message="store of another experiment")


def test_threads_are_bounded(tiny, tmp_path):
    refused("run", tiny, "--out", tmp_path / "o", "--threads", 10**6, message="--threads: must be")
    assert not (tmp_path / "o").exists()


def test_an_interruption_says_how_to_go_on(tiny, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("dynboltz.workflow.run", interrupted)
    result = dynboltz("run", tiny, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "run the same command again to go on" in result.stderr


def test_debug_shows_where_an_error_arose(tiny):
    result = dynboltz("--debug", "run", tiny, "--set", "seed=-1")
    assert isinstance(result.exception, ValueError)


def test_experiments_and_version_are_listed():
    listed = dynboltz("experiments")
    assert "annihilation" in listed.stdout
    assert "quick, paper" in listed.stdout
    assert dynboltz("--version").stdout.startswith("dynboltz 0.")


def test_wrong_names_are_told_before_the_numerics_are_imported(tmp_path):
    (tmp_path / "experiment.toml").write_text("[models.visible]")
    for arguments, message in (
        (("predict", tmp_path, "visble"), "has no model 'visble'; there are visible"),
        (("sample", tmp_path, "visible", "--time", 0, "--out", "s.txt"), "must end in .npz or .nc"),
    ):
        code = (
            f"import sys; sys.argv[1:] = {[str(a) for a in arguments]!r}\n"
            "from dynboltz.cli import main\n"
            "try: main()\n"
            "except SystemExit as end: print(end.code, 'jax' in sys.modules)"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "2 False"
        assert message in done.stderr


def test_help_does_not_import_the_numerics():
    code = (
        "import sys; from dynboltz.cli import app; "
        "print([m for m in ('jax', 'numba', 'matplotlib', 'zarr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_model_in_a_file_predicts_and_samples_as_in_its_directory(results, tmp_path):
    model = tmp_path / "model.nc"
    assert dynboltz("export", results, "--model", "visible", "--out", model).exit_code == 0
    refused("export", results, "--model", "visible", "--out", model, message="is there already")
    in_file, in_directory = dynboltz("predict", model), dynboltz("predict", results, "visible")
    assert in_file.stdout == in_directory.stdout
    drawn = tmp_path / "drawn.npz"
    assert dynboltz("sample", model, "--time", 0.2, "-n", 3, "--out", drawn).exit_code == 0
    assert read_npz(drawn).state.shape == (3, 1, 12)
    refused("predict", model, "hidden", message="holds the model 'visible', not 'hidden'")
    refused("predict", results, message="name a model, one of visible")
    for options in (("--density", "A=0.1"), ("--state", drawn)):
        refused("predict", model, *options, message="are for laws of moments")
        refused("sample", model, "--time", 0, *options, message="are for laws of moments")
    refused("predict", results, "visible", "--theta", message="are for laws of moments")


@pytest.mark.parametrize(("options", "message"), [
    (["--out", "x.nc"], "one of the two"),
    (["--out", "x.nc", "--model", "visible", "--replica", 1], "belongs to --trajectories"),
    (["--out", "x.nc", "--model", "none"], "no model 'none'"),
    (["--out", "x.xyz", "--model", "visible"], "must end in .nc"),
    (["--out", "x.xyz", "--trajectories", "train"], "--replica: is needed"),
    (["--out", "x.nc", "--trajectories", "all"], "must be train or test"),
    (["--out", "x.csv", "--model", "visible"], "must end in .nc"),
    *(
        (["--out", f"x.{kind}", "--trajectories", "test", "--replica", 99],
         "no replica 99; there are 0 to 7")
        for kind in ("nc", "csv", "xyz")
    ),
])  # fmt: skip
def test_export_refuses(results, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    refused("export", results, *options, message=message)
    assert not list(tmp_path.iterdir())


def test_trajectories_are_exported(results, tmp_path):
    there = open_trajectories(results / "trajectories" / "test.zarr")
    origin = {key: there.attrs[key] for key in ("experiment", "network", "seed", "version")}
    checksum = store_checksum(results / "trajectories" / "test.zarr")
    origin["parents"] = {"trajectories/test.zarr": checksum}
    for replica in ([], ["--replica", 2]):
        out = tmp_path / f"{len(replica)}.nc"
        exported = dynboltz("export", results, "--trajectories", "test", *replica, "--out", out)
        assert exported.exit_code == 0
        expected = there.state.values[2:3] if replica else there.state.values
        np.testing.assert_array_equal(read_netcdf(out).state, expected)
        exported_data = import_netcdf(out)
        assert exported_data.attrs["lineage"] == origin
        assert exported_data.get("replica", np.arange(8)).values.tolist() == (
            replica[1:] or [*range(8)]
        )
        assert dynboltz("doctor", out).stdout == f"{out.name}: sound\n"
    out = tmp_path / "replica.xyz"
    dynboltz("export", results, "--trajectories", "test", "--replica", 2, "--out", out)
    assert out.read_text().count("Time=") == 5
    comment = key_val_str_to_dict(out.read_text().splitlines()[1])
    assert json.loads(unquote(comment["lineage"])) == origin
    assert out.read_text().count("lineage=") == 1
    out = tmp_path / "test.csv"
    assert dynboltz("export", results, "--trajectories", "test", "--out", out).exit_code == 0
    table = pd.read_csv(out)
    counts = table[(table.quantity == "count") & (table["name"] == "A")]
    expected = (there.state == 1).sum("x").values.ravel()
    np.testing.assert_array_equal(counts.value, expected)
    assert json.loads((tmp_path / "test.csv.json").read_text())["lineage"] == origin
    refused("export", results, "--trajectories", "test", "--out", out, message="is there already")
    out.unlink()
    refused("export", results, "--trajectories", "test", "--out", out, message="test.csv.json")


def test_doctor_finds_damage(results, tmp_path):
    out = shutil.copytree(results, tmp_path / "out")
    sound = dynboltz("doctor", out)
    assert sound.exit_code == 0
    assert "models/visible.zarr: sound" in sound.stdout
    chunk = out / "models/visible.zarr/u_0/c/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-5])
    unsound = dynboltz("doctor", out)
    assert unsound.exit_code == 1
    assert "models/visible.zarr: DAMAGED" in unsound.stdout
    assert "u_0/c/0/0/0: chunk is damaged" in unsound.stdout
    repaired = dynboltz("doctor", out, "--repair")
    assert repaired.exit_code == 0
    assert "models/visible.zarr: removed." in repaired.stdout
    assert not (out / "models" / "visible.zarr").exists()
    assert dynboltz("doctor", out, "--repair").stdout == "Nothing is damaged.\n"
    commits = out / "trajectories" / "train.zarr" / "state" / "commits"
    next(commits.iterdir()).unlink()
    incomplete = dynboltz("doctor", out)
    assert incomplete.exit_code == 1
    assert "trajectories/train.zarr: INCOMPLETE" in incomplete.stdout
    assert "0 damaged, " in incomplete.stderr
    refused("doctor", "--repair", message="name the result directory")


@pytest.mark.slow  # it measures speeds
def test_doctor_describes_the_machine():
    said = dynboltz("doctor").stdout
    for expected in ("Python", "jax:", "Devices of JAX", "rossler: ", "unit updates a second"):
        assert expected in said


def test_interpret_prints_equations_and_says_what_is_left_out(results):
    result = dynboltz("interpret", results, "visible")
    assert result.exit_code == 0, result.output
    assert "d/dt b.A = " in result.stdout
    assert "d/dt J.A.A = " in result.stdout
    assert "points of 3 initial conditions" in result.stdout
    assert "\nKnown where solutions went, b.A from " in result.stdout
    assert "`reactions` are left out: entropic matching is for the continuous" in result.stderr
    (record,) = json.loads(dynboltz("interpret", results, "--json").stdout)
    assert record["model"] == "visible"
    assert [equation["coefficient"] for equation in record["equations"]] == ["b.A", "J.A.A"]
    assert {name: low < high for name, (low, high) in record["known"].items()} == {
        "b.A": True,
        "J.A.A": True,
    }
    result = dynboltz("interpret", results, "--latex", "--max-terms", 1)
    assert result.stdout.startswith("% visible\n\\begin{aligned}\n")
    assert "\n% Known where solutions went, b.A from " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "has no model 'nothing'; there are visible"),
        (("--candidates", "cubic"), "allowed are reactions, constant, linear"),
        (("--candidates", "linaer,constant"), "got 'linaer'. Did you mean `linear`?"),
        (("visibel",), "Did you mean `visible`?"),
        (("--candidates", "reactions"), "Offer others, such as --candidates constant,linear"),
        (("--json", "--latex"), "give one of them"),
    ],
)
def test_interpret_refuses(results, arguments, message):
    refused("interpret", results, *arguments, message=message)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("run", "anihilation"), "annihilation"),
        (("run", "annihilation", "--preset", "quik"), "quick"),
        (("run", "annihilation", "--set", "models.visibl.learning.steps=3"), "models.visible"),
        (("run", "annihilation", "--set", 'initial.model="visibel"'), "visible"),
        (("run", "annihilation", "--set", 'models.hidden.fit.start={"w.a.x"=1}'), "W.A.X"),
        (("run", "annihilation", "--set", 'models.visible.terms=["b.a"]'), "A"),
        (("run", "rossler", "--set", "initial.counts={a=3}"), "A"),
        (("run", "annihilation", "--set", 'evaluation.ceilings={c="hiden"}'), "hidden"),
        (("run", "diffusion-decay", "--set", 'learn=["constant"]'), "constants"),
        (("run", "diffusion-decay", "--set", "initial.mean={a=3}"), "A"),
        (("equations", "anihilation"), "annihilation"),
        (("equations", "Ant + Ant -> 0 ; k = 1", "--moments", "ant(0)"), "Ant"),
        (("export", "nowhere", "--trajectories", "tain", "--out", "x.nc"), "train"),
    ],
)
def test_names_that_are_nearly_right_are_suggested(tmp_path, monkeypatch, arguments, name):
    monkeypatch.chdir(tmp_path)
    result = refused(*arguments, message="Did you mean ")
    assert f"`{name}`" in result.stderr.split("Did you mean ")[1].split("?")[0]


ANNIHILATION = "A + A -> 0 ; k = 1"
PAIRS = ("--moments", "A(0)", "A(0) A(1)")


def test_equations_as_json_as_text_and_as_latex():
    expected = [
        {"moment": "A(0)", "terms": [{"coefficient": "-2*k1", "moment": "A(0) A(1)"}]},
        {
            "moment": "A(0) A(1)",
            "terms": [
                {"coefficient": "-2*D - k1", "moment": "A(0) A(1)"},
                {"coefficient": "2*D", "moment": "A(0) A(2)"},
                {"coefficient": "-2*k1", "moment": "A(0) A(1) A(2)"},
            ],
        },
    ]
    for arguments in (
        (ANNIHILATION, "--dim", 1, *PAIRS, "--json"),
        (*PAIRS, "--json", ANNIHILATION),
        ("--moments=A(0)", "--json", "--moments", "A(0) A(1)", "--dim", 1, ANNIHILATION),
        (ANNIHILATION, "--order", 2, "--json"),
    ):
        result = dynboltz("equations", *arguments)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout) == expected
    result = dynboltz("equations", ANNIHILATION, "--dim", 2)
    assert result.stdout.startswith("d/dt A(0,0) = -4*k1 A(0,0) A(0,1)\n")
    assert 'terms = ["b.A", "J.A.A"]' in result.stdout
    result = dynboltz("equations", ANNIHILATION, "--latex")
    assert r"&= -2 k_{1} \langle A_{0} A_{1} \rangle" in result.stdout
    result = dynboltz("equations", ANNIHILATION, "--well-mixed", "--order", 2)
    assert result.stdout.startswith("d/dt A = k1 A - k1 A^2\nd/dt A^2 = ")
    result = dynboltz("equations", "A -> B ; k = 1", "--moments", "A(0) B(3)", "--hop-rates")
    assert "D_A: hops" in result.stdout


def test_equations_read_networks_from_files(tmp_path):
    text = tmp_path / "network.txt"
    text.write_text("# decay\nB -> A ; k = 1\nA -> 0 ; k = 2\n")
    table = tmp_path / "experiment.toml"
    table.write_text('network = "B -> A ; k = 1"\nspecies = ["A", "B"]')
    assert dynboltz("equations", text).stdout.startswith("d/dt A(0) = -k2 A(0) + k1 B(0)\n")
    assert dynboltz("equations", table).stdout.startswith("d/dt A(0) = k1 B(0)\n")
    assert "A + A -> 0" in dynboltz("equations", "annihilation").stdout
    text.write_text("A -> ; k")
    refused("equations", text, message=f"{text}: line 1, column 6")
    table.write_text("network = 3")
    refused("equations", table, message="has no text `network`")
    table.write_text("network")
    refused("equations", table, message="is no TOML")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "neither a file nor text with reactions"),
        (("A + A -> 0",), "Expected '+', or ';'"),
        ((ANNIHILATION, "--moments", "A"), "Write A(0) B(1) on a chain"),
        ((ANNIHILATION, "--moments", "B(0)"), "the network has A"),
        ((ANNIHILATION, "--moments", "A(0) A(0)"), "names one site twice"),
        ((ANNIHILATION, "--moments", "A(0,0)"), "give --dim 2, or offsets such as A(0)"),
        ((ANNIHILATION, "--dim", 3, "--moments", "A(0)"), "such as A(0,0,0)"),
        ((ANNIHILATION, "--moments", "A(0)", "--order", 2), "give one of them"),
        ((ANNIHILATION, "--moments", "A(0)", "--well-mixed"), "give one of them"),
        ((ANNIHILATION, "--json", "--latex"), "give one of them"),
    ],
)
def test_equations_refuse(arguments, message):
    refused("equations", *arguments, message=message)


def test_moments_without_a_value_are_refused():
    assert dynboltz("equations", ANNIHILATION, "--moments").exit_code == 2
    assert dynboltz("equations", ANNIHILATION, "--moments", "--json").exit_code == 2


def test_times_of_predictions_are_those_of_the_data():
    """Data that begin at 2 are predicted from 2 on, as `sample --time` takes times."""
    np.testing.assert_array_equal(parse_times("2,3", 2.0), [2.0, 3.0])
    np.testing.assert_allclose(parse_times("2:3:0.5", 2.0), [2.0, 2.5, 3.0])
    with pytest.raises(ValueError, match="must begin at 2, the first time of the simulations"):
        parse_times("0:2:0.5", 2.0)
