"""Files that lie about their sizes, lead elsewhere or hold what nobody expects."""

from __future__ import annotations

import json
import os
import zipfile

import h5py
import numpy as np
import pytest
import xarray as xr
from numcodecs import blosc

from dynboltz.particles import Box
from dynboltz.store import (
    StoreError,
    export_netcdf,
    import_netcdf,
    open_trajectories,
    read_dataset,
    read_json,
    read_lattice_gillespie,
    read_netcdf,
    read_npz,
    read_readdy,
    read_smoldyn,
    trajectories_dataset,
    verify_store,
    write_dataset,
    write_trajectories,
)
from dynboltz.store import _decoding as decoding
from dynboltz.store._blosc import decompress
from dynboltz.store._seal import seal

BOX = Box((1.0,))


def states():
    return np.random.default_rng(0).integers(0, 3, (2, 3, 6), dtype=np.uint8)


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setattr(decoding, "memory", lambda: 2**20)


def test_messages_are_printable_and_short():
    error = StoreError("a.nc", "\x1b[31m" + "x" * 10_000 + "\ud800; next step.", key="`\x07`")
    assert str(error).startswith("a.nc, `\\x07`: \\x1b[31mxxx")
    assert str(error).endswith("x\\ud800; next step.")
    assert len(str(error)) < 1600


@pytest.mark.parametrize("name", ["state", "species", "time"])
def test_members_must_be_arrays(tmp_path, name):
    np.savez(tmp_path / "a.npz", **({"state": states()} if name != "state" else {}))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr(name, "text")
    with pytest.raises(StoreError, match=f"a.npz, `{name}`: is no array"):
        read_npz(tmp_path / "a.npz", species=["A", "B"])


def test_archives_larger_than_the_memory_are_not_unpacked(tmp_path, small_memory):
    np.savez_compressed(tmp_path / "a.npz", state=np.zeros((1, 1, 2**21), np.uint8))
    assert (tmp_path / "a.npz").stat().st_size < 10_000
    with pytest.raises(StoreError, match=r"a.npz: declares 0\.00195 GiB, more than the 0\.000977"):
        read_npz(tmp_path / "a.npz", species=["A"])


def test_unsigned_times_must_increase(tmp_path):
    np.savez(tmp_path / "a.npz", state=states(), time=np.array([3, 2, 1], np.uint64))
    with pytest.raises(StoreError, match="`time`: must be finite and increase"):
        read_npz(tmp_path / "a.npz", species=["A", "B"])
    start = np.array([0, 2**63], np.uint64)
    np.savez(tmp_path / "a.npz", state=states(), initial_condition=start)
    with pytest.raises(StoreError, match=r"`initial_condition`: must be less than 2\*\*63"):
        read_npz(tmp_path / "a.npz", species=["A", "B"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (np.zeros(300, "U1"), "`species`: must be at most 254 names, got 300"),
        (["A", "A.A"], "`species`: give two moments the same name: A, A.A. Use names without dots"),
    ],
)
def test_names_must_name(tmp_path, names, message):
    np.savez(tmp_path / "a.npz", state=states(), species=names)
    with pytest.raises(StoreError, match=message):
        read_npz(tmp_path / "a.npz")


def test_pipes_are_not_waited_for(tmp_path):
    (tmp_path / "lattice_v1" / "lattice").mkdir(parents=True)
    for path in (tmp_path / "a", tmp_path / "lattice_v1" / "lattice" / "1.txt"):
        os.mkfifo(path)
    readers = [
        lambda: read_npz(tmp_path / "a", species=["A"]),
        lambda: read_netcdf(tmp_path / "a"),
        lambda: read_readdy(tmp_path / "a", dt=1.0),
        lambda: read_smoldyn(tmp_path / "a", BOX, ["A"], interval=1.0),
        lambda: read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0),
    ]
    for read in readers:
        with pytest.raises(StoreError, match="cannot be read: it is no regular file"):
            read()
    with pytest.raises(ValueError, match="`path` must be a path without NUL"):
        read_npz("a\0b", species=["A"])


def netcdf(path, **attrs):
    state = xr.DataArray(states(), dims=("replica", "time", "x"))
    xr.Dataset({"state": state}, attrs=attrs).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize("boundary", [1, [1.0, 2.0], "open"])
def test_a_boundary_is_text(tmp_path, boundary):
    path = netcdf(tmp_path / "a.nc", species="A,B", boundary=boundary)
    with pytest.raises(StoreError, match="`boundary`: must be one of"):
        read_netcdf(path)


def test_arrays_are_not_read_from_other_files(tmp_path):
    netcdf(tmp_path / "b.nc")
    path = netcdf(tmp_path / "a.nc", species="A,B", boundary="closed")
    with h5py.File(path, "r+") as file:
        del file["state"]
        file["state"] = h5py.ExternalLink("b.nc", "state")
        file["readdy/config/general"] = h5py.ExternalLink("b.nc", "state")
    with pytest.raises(StoreError, match=r"a\.nc"):
        read_netcdf(path)
    with pytest.raises(StoreError, match="`readdy/config/general`: is missing"):
        read_readdy(path, dt=1.0)
    with h5py.File(path, "r+") as file:
        del file["state"]
        file.create_dataset("state", (2, 3, 6), "u1", external=[(str(tmp_path / "b.nc"), 0, 36)])
    with pytest.raises(StoreError, match="`state`: holds its values in other files; copy them"):
        read_netcdf(path)


def test_arrays_larger_than_the_memory_are_not_read(tmp_path):
    path = netcdf(tmp_path / "a.nc", species="A,B", boundary="closed")
    with h5py.File(path, "r+") as file:
        del file["state"]
        file.create_dataset("state", (2**20, 2**20, 2**20), "u1", chunks=(1, 1, 64))
    with pytest.raises(StoreError, match=r"`state`: declares 1\.07e\+09 GiB, more than"):
        read_netcdf(path)


def test_cascades_of_compression_are_refused(tmp_path):
    path = netcdf(tmp_path / "a.nc", species="A,B", boundary="closed")
    with h5py.File(path, "r+") as file:
        del file["state"]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((2, 3, 6))
        properties.set_deflate(9)
        properties.set_deflate(9)
        space = h5py.h5s.create_simple((2, 3, 6))
        h5py.h5d.create(file.id, b"state", h5py.h5t.NATIVE_UINT8, space, properties)
    with pytest.raises(StoreError, match="`state`: is compressed more than once"):
        read_netcdf(path)


def test_damaged_attributes_end_in_one_message(tmp_path, capfd):
    path = netcdf(tmp_path / "a.nc", species="A,B", boundary="closed")
    with h5py.File(path, "r+") as file:
        file.attrs["_nc3_strict"] = np.int32(7)
    data = path.read_bytes()
    place = data.index(b"_nc3_strict\0")
    path.write_bytes(data[: place + 16] + b"\xff" * 8 + data[place + 24 :])
    with pytest.raises(StoreError, match=r"a\.nc.* cannot be read as (HDF5|NetCDF)"):
        read_netcdf(path)
    assert capfd.readouterr() == ("", "")


def test_compressed_chunks_are_as_long_as_they_say():
    good = blosc.compress(np.arange(1000.0).tobytes(), b"lz4", 5, 1)
    assert decompress(good, 8000) == np.arange(1000.0).tobytes()
    with pytest.raises(ValueError, match="10 bytes are too few for a compressed chunk"):
        decompress(good[:10], 8000)
    with pytest.raises(ValueError, match="has 100 bytes, not "):
        decompress(good[:100], 8000)
    with pytest.raises(ValueError, match="would have 8000 bytes, not 80"):
        decompress(good, 80)
    with pytest.raises(ValueError, match="the compressed chunk is damaged"):
        decompress(good[:16] + b"\xff" * (len(good) - 16), 8000)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("99999999 1 0 0.5 1", "calls are counted from 1 to 1000000, got 99999999"),
        ("9" * 5000 + " 1 0 0.5 1", "is no whole number of at most 18 digits"),
    ],
)
def test_calls_of_smoldyn_have_an_end(tmp_path, line, message):
    (tmp_path / "a.txt").write_text(line)
    with pytest.raises(StoreError, match=f"a.txt, line 1: .*{message}"):
        read_smoldyn(tmp_path / "a.txt", BOX, ["A"], interval=1.0)


def test_sparse_particles_must_fit_the_memory(tmp_path, small_memory):
    crowd = "".join(f"1 1 0 0.5 {serial}\n" for serial in range(1000))
    (tmp_path / "a.txt").write_text(f"{crowd}100000 1 0 0.5 1\n")
    with pytest.raises(StoreError, match=r"a\.txt: declares 0\.838 GiB"):
        read_smoldyn(tmp_path / "a.txt", BOX, ["A"], interval=1.0)


def test_numbers_of_files_have_an_end(tmp_path):
    (tmp_path / f"lattice_v{'9' * 30}").mkdir()
    with pytest.raises(StoreError, match="has a number of more than 18 digits"):
        read_lattice_gillespie(tmp_path, (3,), ["A"], dt=1.0)


def test_json_nested_too_deeply_is_no_json(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(StoreError, match=r"a.json: is not JSON: nested too deeply"):
        read_json(tmp_path / "a.json")


def lattice_store(path):
    data = trajectories_dataset(
        np.zeros((4, 3, 6), np.uint8), np.zeros((4, 3, 1)), np.arange(3.0), ["A"], np.zeros(4, int),
        attrs={"species": ["A"]},
    )  # fmt: skip
    write_trajectories(data, path, block_replicas=2)
    return path


def forge(path, array, **changes):
    file = path / array / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    seal(path)


@pytest.mark.parametrize("blocks", [None, "2", 0, -1, 5, True, 2.0])
def test_blocks_of_a_forged_store_are_checked(tmp_path, blocks):
    path = lattice_store(tmp_path / "a")
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    forge(path, ".", attributes=attributes | {"block_replicas": blocks})
    with pytest.raises(StoreError, match=r"a, attribute `block_replicas`: must be 1 to 4"):
        open_trajectories(path)


def test_arrays_of_a_forged_store_are_checked(tmp_path):
    path = lattice_store(tmp_path / "a")
    forge(path, "state", shape=[2**60, 3, 6])
    with pytest.raises(StoreError, match=r"array `moments`: has 4 replicas in chunks of 2; exp"):
        open_trajectories(path)
    forge(path, "moments", shape=[2**60, 3, 1])
    with pytest.raises(StoreError, match=f"is truncated, 2 of {2**59} blocks are written"):
        open_trajectories(path)


def test_chunks_of_a_forged_store_have_a_length(tmp_path):
    path = lattice_store(tmp_path / "a")
    grid = {"name": "regular", "configuration": {"chunk_shape": [0, 3, 1]}}
    forge(path, "moments", chunk_grid=grid)
    with pytest.raises(StoreError, match=r"array `moments`: is cut into chunks of \(0, 3, 1\)"):
        open_trajectories(path)


def test_a_format_is_text(tmp_path):
    path = lattice_store(tmp_path / "a")
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["format"] = ["dynboltz-trajectories"]
    (path / "zarr.json").write_text(json.dumps(metadata))
    assert "is a store of another kind" in verify_store(path).damaged[0]


def test_results_larger_than_the_memory_are_not_read(tmp_path, small_memory):
    data = xr.Dataset({"u": ("x", np.zeros(2**18))}, attrs={"kind": "model"})
    write_dataset(data, tmp_path / "a")
    with pytest.raises(StoreError, match=r"a: declares 0.00195 GiB, more than"):
        read_dataset(tmp_path / "a", "model")


@pytest.mark.parametrize("shape", [(300,), (1, 300)])
def test_text_that_is_there_once_and_named_often_must_fit_the_memory(tmp_path, small_memory, shape):
    path = tmp_path / "a.nc"
    text = np.full(shape, "a" * 4096, dtype=object)
    export_netcdf(xr.Dataset({"text": (("x", "y")[: len(shape)], text)}), path)
    with h5py.File(path) as file:
        start = file["text"].id.get_offset()
    data = bytearray(path.read_bytes())
    assert len(data) > 2**20
    data[start : start + 300 * 16] = data[start : start + 16] * 300  # all are the first now
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"a\.nc, `text`: declares 0.00098 GiB, more than"):
        import_netcdf(path)


def test_lists_of_dimensions_are_lists_of_dimensions(tmp_path):
    path = netcdf(tmp_path / "a.nc", species="A,B", boundary="closed")
    with h5py.File(path, "r+") as file:
        file["state"].attrs["DIMENSION_LIST"] = np.zeros((2, 3, 6), np.uint64)
    with pytest.raises(StoreError, match=r"a\.nc, `state`: has damaged dimensions"):
        read_netcdf(path)


@pytest.mark.parametrize("length", [0, 2**64 - 8, 2**64 - 24, 2**63])
def test_heaps_that_lead_nowhere_are_found(tmp_path, length):
    path = netcdf(tmp_path / "a.nc", species="A,B", boundary="closed")
    data = bytearray(path.read_bytes())
    place = data.index(b"GCOL") + 16
    data[place : place + 2] = bytes(2 if length == 0 else [1, 0])
    data[place + 8 : place + 16] = length.to_bytes(8, "little")
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"a\.nc: has a damaged heap at byte"):
        read_netcdf(path)
