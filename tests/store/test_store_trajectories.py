"""Stores of trajectories: round trips, interruptions, damage."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from dynboltz.store import (
    StoreError,
    TrajectoryStore,
    create_trajectories,
    open_trajectories,
    resume_trajectories,
    trajectories_dataset,
    write_trajectories,
)
from dynboltz.store._chunks import CHUNK_BYTES, balanced_chunks

SPECIES = ["A", "B"]
MOMENTS = ["A", "B", "A.B"]


def example(n_replicas=7, n_times=5, shape=(4, 3), seed=0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    return trajectories_dataset(
        rng.integers(0, 3, (n_replicas, n_times, *shape), dtype=np.uint8),
        rng.random((n_replicas, n_times, len(MOMENTS))),
        np.arange(n_times) * 0.25,
        MOMENTS,
        np.arange(n_replicas) // 2,
        attrs={"species": SPECIES, "network": "A + B -> 0 ; p = 0.1", "fingerprint": "abc"},
        time_units="s",
    )


def create(path: Path, data: xr.Dataset, block_replicas: int = 2) -> TrajectoryStore:
    return create_trajectories(
        path,
        n_replicas=data.sizes["replica"],
        times=data.time.values,
        lattice_shape=data.state.shape[2:],
        moment_names=MOMENTS,
        initial_condition=data.initial_condition.values,
        attrs=data.attrs,
        block_replicas=block_replicas,
        time_units="s",
    )


def write(store: TrajectoryStore, data: xr.Dataset, index: int) -> None:
    replicas = list(store.block(index))
    part = data.isel(replica=replicas)
    store.write_block(index, part.state.values, part.moments.values)


def contents(path: Path) -> dict[str, bytes]:
    """Every file below `path`."""
    files = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def chunk_files(path: Path) -> list[str]:
    return sorted(name for name in contents(path) if "/c/" in name)


@pytest.fixture
def data() -> xr.Dataset:
    return example()


@pytest.fixture
def complete(tmp_path, data) -> Path:
    write_trajectories(data, tmp_path / "complete", block_replicas=2)
    return tmp_path / "complete"


def without_format(ds: xr.Dataset) -> xr.Dataset:
    own = ("format", "format_version", "block_replicas", "lattice_shape")
    ds = ds.copy()
    ds.attrs = {k: v for k, v in ds.attrs.items() if k not in own}
    return ds


@settings(max_examples=15, deadline=None)
@given(
    n_replicas=st.integers(1, 6),
    n_times=st.integers(1, 5),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    block=st.integers(1, 6),
    seed=st.integers(0, 100),
)
def test_what_was_written_is_read(tmp_path_factory, n_replicas, n_times, shape, block, seed):
    data = example(n_replicas, n_times, shape, seed)
    path = tmp_path_factory.mktemp("store") / "trajectories"
    store = write_trajectories(data, path, block_replicas=min(block, n_replicas))
    assert store.is_complete
    xr.testing.assert_identical(without_format(open_trajectories(path)), data)


@settings(max_examples=50, deadline=None)
@given(
    n_replicas=st.integers(1, 3000),
    n_times=st.integers(1, 3000),
    snapshot_bytes=st.integers(1, 2**22),
    block=st.integers(1, 3000),
)
def test_chunks_fit_blocks_and_the_size_aimed_at(n_replicas, n_times, snapshot_bytes, block):
    block = min(block, n_replicas)
    replicas, times = balanced_chunks(n_replicas, n_times, snapshot_bytes, block)
    assert block % replicas == 0
    assert 1 <= times <= n_times
    assert times == 1 or replicas * times * snapshot_bytes <= CHUNK_BYTES


def test_chunks_balance_both_ways_of_reading():
    # Nothing restricts the chunks here: the block has many divisors.
    replicas, times = balanced_chunks(2**10, 2**8, 2**10, 2**10)
    assert replicas * times * 2**10 == CHUNK_BYTES
    # One snapshot decodes R t snapshots, one replica T r; the best power of two is within 2.
    assert 0.5 <= (2**10 * times) / (2**8 * replicas) <= 2.0


def test_values_are_read_when_used(complete):
    ds = open_trajectories(complete)
    assert not ds.state.variable._in_memory
    assert not ds.moments.variable._in_memory
    assert ds.state.chunks is None


def test_xarray_and_zarr_read_the_store_without_us(complete, data):
    ds = xr.open_zarr(complete, consolidated=False, chunks=None)
    np.testing.assert_array_equal(ds.state, data.state)
    assert set(zarr.open_group(complete, mode="r").array_keys()) == set(ds.variables)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_the_order_of_blocks_leaves_no_trace(tmp_path, data, complete, order):
    store = create(tmp_path / "other", data)
    for index in order:
        write(store, data, index)
    assert contents(tmp_path / "other") == contents(complete)


def test_threads_write_the_same_bytes(tmp_path):
    data = example(n_replicas=40)
    write_trajectories(data, tmp_path / "one", block_replicas=2)
    store = create(tmp_path / "many", data)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: write(store, data, index), range(store.n_blocks)))
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_missing_blocks_shrink(tmp_path, data):
    store = create(tmp_path / "s", data)
    assert store.missing_blocks() == [0, 1, 2, 3]
    write(store, data, 2)
    write(store, data, 3)
    assert store.missing_blocks() == [0, 1]
    assert not store.is_complete


def test_incomplete_stores_are_refused_unless_allowed(tmp_path, data):
    store = create(tmp_path / "s", data)
    write(store, data, 3)
    write(store, data, 1)
    with pytest.raises(StoreError, match="2 of 4 blocks are written: block 0 is not written, bl"):
        open_trajectories(tmp_path / "s")
    ds = open_trajectories(tmp_path / "s", allow_incomplete=True)
    xr.testing.assert_identical(without_format(ds), data.isel(replica=[2, 3, 6]))


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(monkeypatch, target: str, call: int) -> None:
    """Let the `call`-th call of `target` in `os` end the process."""
    calls = itertools.count()
    original = getattr(os, target)

    def function(*args, **kwargs):
        if next(calls) == call:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(os, target, function)


@pytest.mark.parametrize(("target", "call"), [("fsync", 0), ("fsync", 1), ("replace", 0)])
def test_a_killed_block_does_not_count_and_is_written_again(tmp_path, data, complete, target, call):
    path = tmp_path / "killed"
    write(create(path, data), data, 1)
    store = resume_trajectories(path)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, target, call)
        with pytest.raises(Killed):
            write(store, data, 0)
    assert resume_trajectories(path).missing_blocks() == [0, 2, 3]
    resume_and_compare(path, data, complete)


ENDLESS_WRITER = """
import sys
import xarray as xr
from dynboltz.store import open_trajectories, resume_trajectories
data = open_trajectories(sys.argv[1]).load()
store = resume_trajectories(sys.argv[2])
while True:
    for index in range(store.n_blocks):
        part = data.isel(replica=list(store.block(index)))
        store.write_block(index, part.state.values, part.moments.values)
        print(index, flush=True)
"""


def test_a_process_killed_while_it_writes_can_be_resumed(tmp_path, data, complete):
    path = tmp_path / "killed"
    create(path, data)
    command = [sys.executable, "-c", ENDLESS_WRITER, str(complete), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        process.kill()
    store = resume_trajectories(path)
    assert len(store.missing_blocks()) < store.n_blocks
    open_trajectories(path, allow_incomplete=True).load()
    resume_and_compare(path, data, complete)


def test_leftovers_of_a_killed_process_disappear(tmp_path, data, complete):
    path = tmp_path / "killed"
    write(create(path, data), data, 1)
    shutil.copytree(complete / "state/c/2", path / "state/c/2")
    (path / "state/c/2/0/0/0").write_bytes(b"half a ch")
    (path / "state/c/2/0/0/0.0123456789abcdef.partial").write_bytes(b"ha")
    (path / "moments/c/0").mkdir(parents=True)
    (path / "state/commits/.000002.json.partial").write_text("{")
    resume_and_compare(path, data, complete)


def resume_and_compare(path: Path, data: xr.Dataset, complete: Path) -> None:
    store = resume_trajectories(path)
    for index in store.missing_blocks():
        write(store, data, index)
    assert contents(path) == contents(complete)
    assert open_trajectories(path).state.equals(data.state)


def test_a_killed_creation_leaves_nothing_under_the_name(tmp_path, data, complete):
    path = tmp_path / "killed"
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, "rename", 0)
        with pytest.raises(Killed):
            create(path, data)
    assert not path.exists()
    (tmp_path / ".killed.partial" / "state").mkdir(parents=True)
    create(path, data)
    resume_and_compare(path, data, complete)


def test_lost_chunks_are_written_again(tmp_path, data, complete):
    path = tmp_path / "lost"
    shutil.copytree(complete, path)
    (path / "state/c/1/0/0/0").unlink()
    (path / "moments/c/3/0/0").write_bytes(b"short")
    (path / "state/commits/000002.json").write_text("{}")
    assert resume_trajectories(path).missing_blocks() == [1, 2, 3]
    resume_and_compare(path, data, complete)


def test_every_flipped_bit_is_found(complete):
    rng = np.random.default_rng(5)
    for name in chunk_files(complete):
        good = (complete / name).read_bytes()
        bad = bytearray(good)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        (complete / name).write_bytes(bad)
        with pytest.raises(StoreError, match=f"{name}: chunk is damaged"):
            open_trajectories(complete).load()
        (complete / name).write_bytes(good)
    open_trajectories(complete).load()


@pytest.mark.parametrize("length", [0, 3, -1])
def test_every_truncated_chunk_is_found(complete, length):
    for name in chunk_files(complete):
        good = (complete / name).read_bytes()
        (complete / name).write_bytes(good[:length])
        with pytest.raises(StoreError, match=f"chunk {name} has|{name}: chunk is damaged"):
            open_trajectories(complete).load()
        (complete / name).write_bytes(good)


def test_every_deleted_chunk_is_found(complete):
    for name in chunk_files(complete):
        good = (complete / name).read_bytes()
        (complete / name).unlink()
        with pytest.raises(StoreError, match=f"chunk {name} is missing|{name}: chunk is missing"):
            open_trajectories(complete).load()
        (complete / name).write_bytes(good)


@pytest.mark.parametrize("name", ["state/c/0/0/0/0", "moments/c/0/0/0"])
def test_a_chunk_deleted_while_open_is_no_zeros(complete, name):
    ds = open_trajectories(complete)
    (complete / name).unlink()
    with pytest.raises(StoreError, match=f"{name}: chunk is missing"):
        ds.load()


def test_damaged_blocks_are_errors_even_if_incomplete_is_allowed(complete):
    (complete / "state/c/1/0/0/0").unlink()
    with pytest.raises(StoreError, match="state/c/1/0/0/0 is missing"):
        open_trajectories(complete, allow_incomplete=True)


def test_damaged_metadata_is_named(complete):
    (complete / "state/zarr.json").write_text('{"zarr_format": 3, "node_type": "array"}')
    with pytest.raises(StoreError, match=r"state/zarr.json: metadata are damaged"):
        open_trajectories(complete)
    shutil.rmtree(complete / "state")
    with pytest.raises(StoreError, match="array `state`: is truncated: the array is missing"):
        open_trajectories(complete)
    (complete / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match=r"zarr.json: is not JSON"):
        open_trajectories(complete)


def edit_attribute(path: Path, key: str, value) -> None:
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"][key] = value
    (path / "zarr.json").write_text(json.dumps(metadata))


def test_other_kinds_and_versions_are_refused(complete):
    edit_attribute(complete, "format_version", 1)
    with pytest.raises(StoreError, match=r"`format_version`: is 1; this release .* version 2"):
        open_trajectories(complete)
    edit_attribute(complete, "format", "dynboltz-dataset")
    with pytest.raises(StoreError, match="another kind: 'dynboltz-dataset', expected 'dynboltz-t"):
        open_trajectories(complete)


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(StoreError, match="nothing has this name"):
        open_trajectories(tmp_path / "nothing")
    (tmp_path / "file").write_text("hello")
    with pytest.raises(StoreError, match="a store is a directory"):
        open_trajectories(tmp_path / "file")
    with pytest.raises(StoreError, match=r"it has no file `zarr.json`"):
        open_trajectories(tmp_path)


def test_foreign_zarr_is_refused(tmp_path):
    zarr.create_group(tmp_path / "group", zarr_format=3)
    with pytest.raises(StoreError, match="attribute `format`: is a foreign Zarr store"):
        open_trajectories(tmp_path / "group")
    zarr.create_group(tmp_path / "old", zarr_format=2)
    with pytest.raises(StoreError, match="of Zarr format 2"):
        open_trajectories(tmp_path / "old")
    zarr.create_array(tmp_path / "array", shape=(2,), dtype="u1", zarr_format=3)
    with pytest.raises(StoreError, match="a group of arrays was expected"):
        open_trajectories(tmp_path / "array")


def test_another_experiment_is_refused(complete):
    open_trajectories(complete, expect={"fingerprint": "abc", "species": ("A", "B")})
    with pytest.raises(
        StoreError, match="another experiment: fingerprint is 'abc', expected 'x'; seed is None, e"
    ):
        resume_trajectories(complete, expect={"fingerprint": "x", "seed": 3})


def test_nothing_is_overwritten(complete, data):
    before = contents(complete)
    with pytest.raises(StoreError, match="exists already"):
        create(complete, data)
    assert contents(complete) == before


def test_unwritable_places_are_named(tmp_path, data):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/store: cannot be written: "):
        create(tmp_path / "file" / "store", data)
    with pytest.raises(StoreError, match="/proc/store: cannot be written: "):
        create(Path("/proc/store"), data)


def test_a_full_disk_leaves_the_block_missing(tmp_path, data, monkeypatch):
    store = create(tmp_path / "s", data)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("zarr.storage._local._put", full)
        with pytest.raises(StoreError, match="cannot be written: No space left on device"):
            write(store, data, 0)
    assert 0 in store.missing_blocks()
    write(store, data, 0)
    assert 0 not in store.missing_blocks()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_replicas": 0}, "`n_replicas` must be at least 1"),
        ({"lattice_shape": ()}, "one to three positive"),
        ({"lattice_shape": (3, 0)}, "one to three positive"),
        ({"moment_names": []}, "some different names"),
        ({"moment_names": ["A", "A"]}, "some different names"),
        ({"times": np.array([0.0, np.nan])}, "`time`: must be finite and increase"),
        ({"times": np.array([0.0, 0.0])}, "`time`: must be finite and increase"),
        ({"times": np.zeros((2, 2))}, "`time`: needs a list of numbers"),
        ({"initial_condition": np.zeros(3, dtype=int)}, "one whole number for each of 4"),
        ({"initial_condition": np.zeros(4)}, "one whole number for each of 4"),
        ({"block_replicas": 5}, r"`block_replicas` must be 1 to 4 \(replicas\), got 5"),
        ({"attrs": {"dt": np.nan}}, "dt: nan is not allowed"),
        ({"attrs": {"dt": object()}}, "dt: a value of type object"),
        ({"attrs": {"format": "mine"}}, "attribute `format`: is written by the store"),
    ],
)
def test_wrong_arguments_make_no_store(tmp_path, change, message):
    arguments = {
        "n_replicas": 4,
        "times": np.array([0.0, 1.0]),
        "lattice_shape": (3,),
        "moment_names": ["A"],
        "initial_condition": np.zeros(4, dtype=int),
        "attrs": {},
        "block_replicas": 2,
    }
    with pytest.raises(StoreError, match=message):
        create_trajectories(tmp_path / "s", **(arguments | change))
    assert list(tmp_path.iterdir()) == []


def test_wrong_blocks_are_refused(tmp_path, data):
    store = create(tmp_path / "s", data)
    write(store, data, 0)
    before = contents(tmp_path / "s")
    state, moments = data.state.values[:2], data.moments.values[:2]
    with pytest.raises(StoreError, match="there is no block 4; there are 4"):
        store.write_block(4, state, moments)
    with pytest.raises(StoreError, match=r"`state`: a block needs uint8 of shape \(2, 5, 4, 3\)"):
        store.write_block(0, state[:1], moments)
    with pytest.raises(StoreError, match=r"`state`: a block needs uint8 .* got int64"):
        store.write_block(0, state.astype(np.int64), moments)
    with pytest.raises(StoreError, match="`moments`: a block needs float64"):
        store.write_block(0, state, moments[..., :1])
    with pytest.raises(StoreError, match="`state`: states must be 0 to 2, got 3"):
        store.write_block(0, np.full_like(state, 3), moments)
    with pytest.raises(StoreError, match="moments must be finite"):
        store.write_block(0, state, moments * np.nan)
    assert contents(tmp_path / "s") == before


def test_layout_in_memory_needs_lattice_axes():
    with pytest.raises(ValueError, match=r"replica, time, x\[, y, z\], got 2 axes"):
        trajectories_dataset(
            np.zeros((1, 1), np.uint8), np.zeros((1, 1, 1)), np.zeros(1), ["A"],
            np.zeros(1, np.int64), attrs={},
        )  # fmt: skip
