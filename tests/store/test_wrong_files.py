"""Files of a kind that was not expected: what they are, and what is."""

import zipfile

import h5py
import numpy as np
import pytest
import xarray as xr

from dynboltz._contents import contents_of
from dynboltz.particles import Box
from dynboltz.store import (
    StoreError,
    open_trajectories,
    read_netcdf,
    read_npz,
    read_readdy,
    read_smoldyn,
    read_times,
)

STATE = np.zeros((2, 3, 4), np.uint8)
KINDS = {
    "a.npy": "one NumPy array (.npy)",
    "a.npz": "a NumPy archive (.npz)",
    "a.csv": "a table of text (.csv)",
    "a.txt": "text",
    "a.h5": "an HDF5 file",
    "a.zip": "a zip archive",
    "a.toml": "text (.toml)",
    "a.bin": "a binary file of unknown kind",
    "empty": "an empty file",
    "folder": "an empty directory",
    "nothing": "not there",
}


@pytest.fixture
def files(tmp_path):
    """One file of each kind."""
    np.save(tmp_path / "a.npy", STATE)
    np.savez(tmp_path / "a.npz", other=STATE)
    (tmp_path / "a.csv").write_text("replica,time\n0,0\n")
    (tmp_path / "a.txt").write_text("hällo\n" * 100)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["state"] = STATE
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.txt", "x")
    (tmp_path / "a.toml").write_text('name = "x"\n')
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_files_are_told_apart_by_what_they_hold(files, name, kind):
    assert contents_of(files / name) == kind


@pytest.mark.parametrize("name", [name for name in KINDS if name != "a.npz"])
def test_what_is_no_trajectories_is_named_and_what_is_expected(files, name):
    with pytest.raises(StoreError) as error:
        read_times(files / name, dt=1.0)
    start = f"{files / name}: is {KINDS[name]}; trajectories are a NumPy archive (.npz) with the "
    assert str(error.value).startswith(start)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("ending", ["npz", "nc", "zarr", "h5", "txt"])
def test_readers_say_what_a_file_is_whatever_its_name(files, name, ending):
    """Readers that the content suits are left out."""
    readers = {
        "npz": lambda path: read_npz(path, species=["A"]),
        "nc": lambda path: read_netcdf(path, species=["A"]),
        "zarr": open_trajectories,
        "h5": lambda path: read_readdy(path, dt=1.0),
        "txt": lambda path: read_smoldyn(path, Box((1.0,)), ["A"], interval=1.0),
    }
    path = files / f"other.{ending}"
    if name != "nothing":
        (files / name).rename(path)
    with pytest.raises(StoreError) as error:
        readers[ending](path)
    suits = {"a.npz": ("npz",), "a.zip": ("npz",), "a.h5": ("h5", "nc"), "a.npy": ()}
    text = ending == "txt" and name not in ("folder", "nothing")
    if ending not in suits.get(name, ()) and not text and name != "nothing":
        kind = {"a.csv": "text", "a.toml": "text", "a.txt": "text"}.get(name, KINDS[name])
        assert kind in str(error.value)
    assert "pickle.load" not in str(error.value)
    assert "phony" not in str(error.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            {"states": "state", "times": "time"},
            r"`state`: there is no such array; the file holds `states` \(2, 3, 4\), `times` "
            r"\(3,\)\. Did you mean `states`\? Save it under the name `state`\. Needed is `state`, "
            r"whole numbers of shape \(replicas, times, x\[, y, z\]\)",
        ),
        ({"data": "state"}, r"`data` \(2, 3, 4\)\. Did you mean `data`\?"),
        ({"arr_0": "state"}, r"Did you mean `arr_0`\?"),
        ({"State": "state"}, r"Did you mean `State`\?"),
        ({"state": "state", "times": "time"}, r"`times`: is not read\. Did you mean `time`\?"),
        ({"state": "state", "t": "time"}, r"`t`: is not read\. Did you mean `time`\?"),
        ({"other": "time"}, r"the file holds `other` \(3,\)\. Needed is `state`"),
    ],
)
def test_arrays_of_near_names_are_asked_about(tmp_path, names, message):
    of = {"state": (("replica", "time", "x"), STATE), "time": (("time",), np.arange(3.0))}
    np.savez(tmp_path / "a.npz", **{name: of[own][1] for name, own in names.items()})
    with pytest.raises(StoreError, match=message):
        read_npz(tmp_path / "a.npz", species=["A"])
    ds = xr.Dataset({name: of[own] for name, own in names.items()})
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    shapes = (r"\(2, 3, 4\)", r"\(replica: 2, time: 3, x: 4\)"), (r"\(3,\)", r"\(time: 3\)")
    for shape, with_names in shapes:
        message = message.replace(shape, with_names)
    with pytest.raises(StoreError, match=message):
        read_netcdf(tmp_path / "a.nc", species=["A"])


def test_times_under_another_name_are_found_before_states_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", state=STATE, t=np.arange(3.0))
    ds = xr.Dataset({"state": (("replica", "time", "x"), STATE), "t": (("time",), np.arange(3.0))})
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    for name in ("a.npz", "a.nc"):
        with pytest.raises(StoreError, match=r"`t`: is not read\. Did you mean `time`\?"):
            read_times(tmp_path / name, dt=1.0)


def test_other_arrays_are_left_alone(tmp_path):
    np.savez(tmp_path / "a.npz", state=STATE, comment="x", weights=np.ones(7), labels=np.ones(2))
    assert read_npz(tmp_path / "a.npz", species=["A"]).sizes["replica"] == 2


def test_an_archive_is_opened_once(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", state=STATE)
    opened = []
    monkeypatch.setattr(np, "load", lambda *a, load=np.load, **k: opened.append(a) or load(*a, **k))
    read_npz(tmp_path / "a.npz", species=["A"])
    assert len(opened) == 1
