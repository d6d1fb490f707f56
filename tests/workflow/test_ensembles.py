import csv
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dask.base import get_scheduler
from hypothesis import given
from hypothesis import strategies as st

from dynboltz.store import StoreError, write_json
from dynboltz.workflow import (
    ExperimentError,
    ResultDirectory,
    Shard,
    _sweep,
    claim,
    dask_workers,
    load_experiment,
    merge,
    simulate,
    sweep,
)
from dynboltz.workflow._sweep import error_rows

N_SHARDS = 4


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def simulated(experiment, path, **options):
    directory = claim(experiment, path)
    simulate(experiment, directory, **options)
    return contents(path / "trajectories")


@pytest.fixture(scope="module")
def workers():
    with dask_workers(n_workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def experiment():
    return load_experiment(Path(__file__).with_name("tiny.toml"))


@pytest.fixture(scope="module")
def whole(experiment, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "out"
    return simulated(experiment, path)


@pytest.fixture
def shards(experiment, tmp_path):
    paths = [tmp_path / f"shard-{index}" for index in range(1, N_SHARDS + 1)]
    for index, path in enumerate(paths, start=1):
        simulated(experiment, path, shard=Shard(index, N_SHARDS))
    return paths


@given(st.integers(1, 50), st.integers(0, 200))
def test_each_block_belongs_to_one_shard(count, n_blocks):
    shares = [Shard(index, count).numbers(n_blocks) for index in range(1, count + 1)]
    assert sorted(number for share in shares for number in share) == list(range(n_blocks))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/4/2", ""])
def test_a_shard_must_be_one_of_several(text):
    with pytest.raises(ExperimentError, match=r"I/N with I from 1 to N"):
        Shard.parse(text)
    assert Shard.parse("2/3") == Shard(2, 3)


def test_workers_write_the_bytes_of_one_process(experiment, whole, workers, tmp_path):
    reports = []
    found = simulated(experiment, tmp_path / "out", workers=workers, progress=reports.append)
    assert found == whole
    steps = [(report["part"], report["step"], report["total"]) for report in reports]
    assert steps == [
        ("train", 1, 3),
        ("train", 2, 3),
        ("train", 3, 3),
        ("test", 1, 2),
        ("test", 2, 2),
    ]


def test_merged_shards_are_the_bytes_of_one_process(shards, whole, tmp_path):
    merge(shards[::-1], tmp_path / "out")
    assert contents(tmp_path / "out" / "trajectories") == whole


def test_a_merge_goes_on_where_it_was(shards, whole, tmp_path, experiment):
    with pytest.raises(ExperimentError, match=r"but 1:\n  train 2: is in none of the shards"):
        merge([shards[0], shards[1], shards[3]], tmp_path / "out")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*/c/**/0")}
    merge(shards, tmp_path / "out")
    assert contents(tmp_path / "out" / "trajectories") == whole
    assert kept
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_what_no_shard_has_can_be_simulated(shards, whole, tmp_path, experiment):
    with pytest.raises(ExperimentError, match="in none of the shards"):
        merge(shards[:1], tmp_path / "out")
    assert simulated(experiment, tmp_path / "out") == whole


def test_a_damaged_block_is_named_and_all_others_are_merged(shards, whole, tmp_path):
    sound = shutil.copytree(shards[0], tmp_path / "copy")
    folder = shards[0] / "trajectories" / "train.zarr" / "state" / "c"
    chunk = next(path for path in sorted(folder.rglob("0")) if path.is_file())
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    named = r"but 1:\n  train 0: .*shard-1.*state/c.*checksum is wrong"
    with pytest.raises(ExperimentError, match=named):
        merge(shards, tmp_path / "out")
    train = ResultDirectory(tmp_path / "out").trajectories("train")
    assert not (train / "state" / "commits" / "000000.json").exists()
    merge([*shards, sound], tmp_path / "out")
    assert contents(tmp_path / "out" / "trajectories") == whole


def test_shards_of_other_experiments_are_refused(tiny, shards, tmp_path):
    other = load_experiment(tiny, seed=99)
    simulated(other, tmp_path / "other", shard=Shard(4, N_SHARDS))
    with pytest.raises(ExperimentError, match=r"other: is a shard of another experiment"):
        merge([*shards, tmp_path / "other"], tmp_path / "out")
    with pytest.raises(ExperimentError, match="is one of the shards"):
        merge(shards, shards[0])
    with pytest.raises(ExperimentError, match="at least one"):
        merge([], tmp_path / "out")


def test_errors_of_workers_arrive_with_their_message(experiment, workers, tmp_path):
    directory = claim(experiment, tmp_path / "out")
    directory.experiment.unlink()
    with pytest.raises(ExperimentError, match="a worker does not see this file"):
        simulate(experiment, directory, workers=workers)
    error = pickle.loads(pickle.dumps(StoreError(tmp_path, "is bad.", key="`x`")))
    assert (error.path, error.key, str(error)) == (tmp_path, "`x`", f"{tmp_path}, `x`: is bad.")


def test_a_killed_worker_is_survived(experiment, whole, workers, tmp_path):
    killed = []

    def kill(report):
        if not killed:
            killed.append(next(iter(workers._client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    result = simulated(experiment, tmp_path / "out", workers=workers, progress=kill)
    assert killed
    assert result == whole


def test_arrays_of_the_caller_are_not_sent_to_workers(workers):
    assert get_scheduler() is None


def test_workers_are_here_or_there():
    with pytest.raises(ExperimentError, match="not both"), dask_workers():
        pass
    with (
        pytest.raises(ExperimentError, match="no Dask scheduler answers"),
        dask_workers("not an address"),
    ):
        pass


def stub_run(experiment, out, **options):
    """Metrics from which the settings of a run can be told."""
    errors = [experiment.seed + 0.1 * experiment.table.kernel.n_steps]
    metrics = {
        "moments": ["A"],
        "models": {"visible": {"rmse_time_mean": errors}},
        "noise_floor": {"time_mean": [0.5]},
    }
    write_json(out / "metrics.json", metrics)
    return metrics


def test_a_sweep_runs_every_combination(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(_sweep, "run", stub_run)
    reports = []
    vary = {"seed": [1, 2], "kernel.n_steps": [3, 4]}
    table = sweep(tiny, vary, tmp_path / "sweep", progress=reports.append)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [report["step"] for report in reports] == [0, 1, 2, 3, 4]
    of_model = [row for row in rows if row.pop("model") == "visible"]
    assert len(rows) == 2 * len(of_model)
    assert [list(row.values()) for row in of_model] == [
        ["run-0001", "1", "3", "A", "1.3"],
        ["run-0002", "1", "4", "A", "1.4"],
        ["run-0003", "2", "3", "A", "2.3"],
        ["run-0004", "2", "4", "A", "2.4"],
    ]


@pytest.mark.slow
def test_workers_of_a_sweep_make_the_models_of_single_runs(tiny, workers, tmp_path):
    sweep(tiny, {"seed": [1, 2]}, tmp_path / "sweep", workers=workers)
    # In a process of its own, as the workers are: here JAX compiles otherwise.
    command = [sys.executable, "-m", "dynboltz", "run", str(tiny), "--seed", "2"]
    subprocess.run([*command, "--out", str(tmp_path / "alone")], check=True, capture_output=True)
    models = contents(tmp_path / "alone" / "models")
    assert contents(tmp_path / "sweep" / "run-0002" / "models") == models


def test_a_sweep_with_wrong_settings_begins_nothing(tiny, tmp_path):
    with pytest.raises(ExperimentError, match="seed"):
        sweep(tiny, {"seed": [1, "two"]}, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()
    for vary in ({}, {"seed": []}):
        with pytest.raises(ExperimentError, match="at least one setting"):
            sweep(tiny, vary, tmp_path / "sweep")


def test_values_of_a_sweep_differ(tiny, tmp_path):
    with pytest.raises(ExperimentError, match="sweep, `seed`: a value is there twice"):
        sweep(tiny, {"seed": [1, 2, 1]}, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_errors_of_boxes_make_rows():
    metrics = {"space": "continuous", "held_out": {"learned": {"n_rel_rmse": 0.1}}}
    assert error_rows(metrics) == [{"model": "learned", "quantity": "n_rel_rmse", "rmse": 0.1}]
