"""Which format trajectories of others have."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dynboltz._contents import contents_of

from ._errors import StoreError
from ._files import os_errors

Format = Literal["npz", "netcdf", "store", "directory"]

FORMATS = (
    "a NumPy archive (.npz) with the array `state` of shape (replicas, times, x[, y, z]), a NetCDF "
    "file (.nc) with this variable, a store of dynboltz (.zarr), or a directory that "
    "LatticeGillespieCpp wrote"
)
_ADVICE = {
    "one NumPy array (.npy)": ' Write `numpy.savez("NAME.npz", state=numpy.load("NAME.npy"))`, '
    "with `time=` and `species=` if they are known.",
    "a NumPy archive (.npz)": " Give it a name that ends in .npz.",
    "an HDF5 file": " If it is NetCDF, give it a name that ends in .nc.",
    "a classic NetCDF file": " Give it a name that ends in .nc.",
    "a result directory": " Name one of its stores, such as trajectories/train.zarr in it.",
    "not there": " Paths count from the folder of the experiment file.",
}


def format_of(path: Path) -> Format:
    """Format of trajectories, by the name of a file or by what a directory holds.

    Raises
    ------
    StoreError
        If it is none of those that can be read; the message says what it is instead.
    """
    if path.suffix == ".npz":
        return "npz"
    if path.suffix in (".nc", ".nc4"):
        return "netcdf"
    with os_errors(path, "read"):
        if path.suffix == ".zarr" or (path / "zarr.json").exists():
            return "store"
        if path.is_dir() and any(path.glob("lattice_v*")):
            return "directory"
    found = contents_of(path)
    raise StoreError(path, f"is {found}; trajectories are {FORMATS}.{_ADVICE.get(found, '')}")
