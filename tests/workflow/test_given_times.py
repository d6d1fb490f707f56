"""Given trajectories with times and numbers of replicas of their own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from dynboltz.lattices import Lattice
from dynboltz.reactions import ReactionNetwork
from dynboltz.simulation import CollisionKernel, simulate
from dynboltz.store import open_trajectories, read_dataset, read_npz, read_times
from dynboltz.workflow import ExperimentError, ResultDirectory, load_experiment, run
from dynboltz.workflow import simulate as simulate_stage
from dynboltz.workflow._directory import claim
from dynboltz.workflow._import import read_trajectories
from dynboltz.workflow._states import States, blocks_ahead

TIMES = 0.1 * np.arange(5)
STATE = np.random.default_rng(4).integers(0, 2, size=(6, 5, 12), dtype=np.uint8)


def given(tiny, *, times="", test="mine.npz", kernel=""):
    """An experiment whose trajectories are files."""
    text = tiny.read_text()
    table = f'[initial]\nsource = "store"\ntrain = "mine.npz"\ntest = "{test}"\n{times}\n'
    tail = text[text.index("[models.visible]") :].replace('"known"', '"fitted"')
    head = text.split("[initial]")[0]
    tiny.write_text((kernel or head) + table + tail)
    return tiny


def save(path, state=STATE, **arrays):
    np.savez(path, state=state, species=["A"], **arrays)


@pytest.mark.parametrize("factor", [1, 1e4])
def test_times_in_single_precision_are_those_of_the_experiment(tiny, tmp_path, factor):
    rounded = (factor * TIMES).astype(np.float32)
    assert rounded[3] != factor * TIMES[3]
    for times in (rounded, rounded.astype(np.float64)):
        save(tmp_path / "mine.npz", time=times)
        experiment = load_experiment(given(tiny), overrides=[f"kernel.dt={0.1 * factor}"])
        found = read_trajectories(experiment, "train")
        np.testing.assert_array_equal(found.time, experiment.times)
        given(tiny)


def test_single_precision_is_read_as_the_decimal_that_was_meant(tmp_path):
    save(tmp_path / "a.npz", time=TIMES.astype(np.float32))
    right = [0.0, 0.1, 0.2, 0.3, 0.4]
    np.testing.assert_array_equal(read_npz(tmp_path / "a.npz").time, right)
    np.testing.assert_array_equal(read_times(tmp_path / "a.npz", dt=1.0), right)


def test_times_that_differ_by_more_than_rounding_are_refused(tiny, tmp_path):
    save(tmp_path / "mine.npz", time=TIMES + np.array([0, 0, 0, 1e-5, 0]))
    message = r'of 0.30001 from 0.3\. Write `times = "file"` in `\[initial\]`'
    with pytest.raises(ValueError, match=message):
        read_trajectories(load_experiment(given(tiny)), "train")


def test_a_file_without_times_has_those_of_the_kernel(tiny, tmp_path):
    save(tmp_path / "mine.npz")
    np.testing.assert_array_equal(
        read_trajectories(load_experiment(given(tiny)), "train").time, TIMES
    )
    save(tmp_path / "mine.npz", STATE[:, :3])
    with pytest.raises(ValueError, match="has 3 times that it does not tell, the experiment 5"):
        read_trajectories(load_experiment(tiny), "train")
    with pytest.raises(ExperimentError, match=r"`initial.times`: .*mine\.npz holds no times"):
        load_experiment(given(tiny, times='times = "file"'))


LATE = np.array([5.0, 5.1, 5.4, 5.5, 6.5])


def write_netcdf(path):
    ds = xr.Dataset({"state": (("replica", "time", "x"), STATE), "time": ("time", LATE)})
    ds.to_netcdf(path, engine="h5netcdf")


FORMATS = {
    "mine.npz": lambda path: save(path, time=LATE),
    "mine.nc": write_netcdf,
}


@pytest.mark.parametrize("name", FORMATS)
def test_times_of_every_format_are_found(tmp_path, name):
    FORMATS[name](tmp_path / name)
    np.testing.assert_array_equal(read_times(tmp_path / name, dt=1.0), LATE)


def test_times_of_numbered_files_are_multiples_of_the_step(tmp_path):
    folder = tmp_path / "lattice_v001" / "lattice"
    folder.mkdir(parents=True)
    for number in (3, 5):
        (folder / f"{number:04d}.txt").write_text("1 A\n")
    np.testing.assert_array_equal(read_times(tmp_path, dt=0.5), [1.5, 2.5])


def test_times_of_the_file_or_in_a_list_become_settings(tiny, tmp_path):
    save(tmp_path / "mine.npz", time=LATE)
    from_file = load_experiment(given(tiny, times='times = "file"'))
    listed = load_experiment(given(tiny, times=f"times = {LATE.tolist()}"))
    assert from_file.to_toml() == listed.to_toml()
    np.testing.assert_array_equal(from_file.times, LATE)
    claim(from_file, tmp_path / "out")
    (tmp_path / "mine.npz").unlink()
    again = ResultDirectory(str(tmp_path / "out")).load_experiment()
    np.testing.assert_array_equal(again.times, LATE)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ("times = [0.0, 0.2, 0.2]", "`initial.times`: must increase, got 0.2 after 0.2 at 2"),
        ("times = [5.0, 5.15]", r"whole numbers of steps `kernel.dt` = 0.1 .* 5; got 5.15"),
        ('times = "kernels"', "`initial.times`"),
        ("times = [1.0]", "`initial.times`"),
    ],
)
def test_times_that_cannot_be_are_refused(tiny, times, message):
    with pytest.raises(ExperimentError, match=message):
        load_experiment(given(tiny, times=times))


def test_unequal_numbers_of_replicas_are_read_one_initial_condition_after_the_other(tiny, tmp_path):
    starts = np.array([3, 1, 3, 1, 3, 2])
    save(tmp_path / "mine.npz", time=TIMES, initial_condition=starts)
    experiment = load_experiment(given(tiny))
    directory = claim(experiment, tmp_path / "out")
    simulate_stage(experiment, directory)
    ds = open_trajectories(directory.trajectories("train"))
    means, shares = np.zeros((3, 5, 12)), np.zeros(3)
    for number, share, states in blocks_ahead(ds):
        means[number] += share * states.mean(axis=0)
        shares[number] += share
    np.testing.assert_allclose(shares, 1.0)
    for place, number in enumerate([1, 2, 3]):
        own = STATE[starts == number]
        np.testing.assert_allclose(means[place], own.mean(axis=0))
        states = States(ds)
        found = states(place, np.arange(5), np.arange(states.n_replicas))
        np.testing.assert_array_equal(found[:, 0], own[0])


def trajectories(n_replicas, seed):
    """Simulated states at irregular times, some of the records of a longer run."""
    network = ReactionNetwork.parse("A + A -> 0 ; p = 0.3")
    start = np.random.default_rng(seed).integers(0, 2, size=(n_replicas, 12), dtype=np.uint8)
    found = simulate(
        network, Lattice((12,), "closed"), start, kernel=CollisionKernel(0.1), n_steps=15, seed=seed
    )
    return found.state[:, [0, 1, 4, 5, 15]]


def test_all_stages_take_late_irregular_times_and_any_numbers_of_replicas(tiny, tmp_path):
    save(
        tmp_path / "mine.npz", trajectories(7, 1), time=LATE,
        initial_condition=[0, 0, 0, 0, 1, 1, 2],
    )  # fmt: skip
    save(tmp_path / "test.npz", trajectories(2, 2), time=LATE, initial_condition=[0, 1])
    experiment = load_experiment(given(tiny, times='times = "file"', test="test.npz"))
    metrics = run(experiment, tmp_path / "out")
    assert any(
        "test: 2 of 2 initial conditions have a single replica" in text and "unknown" in text
        for text in metrics["warnings"]
    )
    assert any("train: 1 of 3 initial conditions" in text for text in metrics["warnings"])
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert stored["times"] == LATE.tolist()
    assert stored["noise_floor"]["time_mean"] == [None] * 4
    assert all(value > 0 for value in stored["train"]["noise_floor"]["time_max"])
    # One state each: its mean field begins at the simulated density, and so without error.
    predicted = read_dataset(
        ResultDirectory(str(tmp_path / "out")).prediction("mean_field"), "dynboltz-prediction"
    )
    np.testing.assert_array_equal(predicted.time, LATE)
    first = predicted.sel(part="test", moment="A").isel(time=0, initial_condition=[0, 1])
    np.testing.assert_allclose(first.moments, first.simulated)
    assert (tmp_path / "out" / "report.html").exists()
