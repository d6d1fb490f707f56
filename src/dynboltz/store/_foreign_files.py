"""Readers of NPZ and NetCDF files that others wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import xarray as xr

from dynboltz._arguments import checked
from dynboltz._hints import did_you_mean
from dynboltz._text import decode_text
from dynboltz.lattices import Boundary

from ._decoding import check_memory, check_regular, decoding
from ._errors import StoreError
from ._foreign import MAX_SPECIES, foreign_trajectories
from ._json import parse_json
from ._layout import AXES
from ._netcdf import load_netcdf

ARRAYS = ("state", "time", "initial_condition")
"""What is read of a file, and of an archive `species` too; anything else in it is left alone."""


@checked
def read_npz(
    path: Path | str, *, species: Sequence[str] | None = None, boundary: Boundary = "periodic"
) -> xr.Dataset:
    """Read trajectories from a NumPy archive.

    Parameters
    ----------
    path
        The file, with the array `state` of shape (replicas, times, x[, y, z]), whole numbers, 0
        for an empty site and `i + 1` for the species `i`; optionally `time` (default 0, 1, ...),
        `initial_condition` (default 0) and `species` (names).
    species
        Names of the species, if the file does not say.
    boundary
        Boundary of the lattice, which decides what neighbours are.

    Returns
    -------
    trajectories
        Dataset in the layout of `open_trajectories`, moments computed.

    Raises
    ------
    StoreError
        If the file is missing, unreadable, holds pickled objects, or an array is not as above.
    """
    path = Path(path)
    arrays = _npz_arrays(path)
    if "state" not in arrays:
        raise StoreError(
            path,
            f"holds no such array, only {', '.join(_npz_names(path)) or 'none'}; save the states "
            "under the name `state`.",
            key="`state`",
        )
    _check_near_names(path, arrays)
    names = _names(path, arrays["species"]) if "species" in arrays else None
    return foreign_trajectories(
        path,
        arrays["state"],
        times=arrays.get("time"),
        initial_condition=arrays.get("initial_condition"),
        species=_one_of(path, "species", species, names),
        boundary=boundary,
        attrs={},
    )


def _check_near_names(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Raise if an array that is not read has nearly the name of one that is missing."""
    missing = [name for name in (*ARRAYS, "species") if name not in arrays]
    for name in _npz_names(path):
        if name not in arrays and (hint := did_you_mean(name, missing)):
            raise StoreError(path, f"is not read.{hint}", key=f"`{name}`")


def npz_time(path: Path) -> np.ndarray | None:
    """Times of a NumPy archive, if it holds them; its other arrays are not read."""
    return _npz_arrays(path, ("time",)).get("time")


def netcdf_time(path: Path) -> np.ndarray | None:
    """Times of a NetCDF file, if it holds them; its other variables are not read."""
    time = load_netcdf(path, ("time",)).variables.get("time")
    return None if time is None else time.values


def _npz_arrays(path: Path, wanted: Sequence[str] = (*ARRAYS, "species")) -> dict[str, np.ndarray]:
    check_regular(path)
    with path.open("rb") as file, decoding(path, "a NumPy archive without pickles"):
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise StoreError(path, "is one array, not an archive; save it with `numpy.savez`.")
        with archive:
            names = [name for name in wanted if name in archive]
            check_memory(path, sum(_declared_bytes(archive, name) for name in names))
            return {name: _array(path, archive, name) for name in names}


def _npz_names(path: Path) -> list[str]:
    """Names of all arrays of an archive."""
    with path.open("rb") as file, decoding(path, "a NumPy archive without pickles"):
        return list(np.load(file, allow_pickle=False).files)


def _declared_bytes(archive: np.lib.npyio.NpzFile, name: str) -> int:
    """Size that the archive says a member has; no more of it is ever decompressed."""
    assert archive.zip is not None
    members = archive.zip.NameToInfo
    return sum(members[key].file_size for key in (name, f"{name}.npy") if key in members)


def _array(path: Path, archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    array = archive[name]
    if not isinstance(array, np.ndarray):
        raise StoreError(path, "is no array.", key=f"`{name}`")
    return array


def _one_of(path: Path, name: str, argument: Any, found: Any) -> Any:
    if argument is None and found is None:
        raise StoreError(path, f"does not say; pass `{name}`.", key=f"`{name}`")
    if argument is None or found is None:
        return found if argument is None else argument
    if list(argument) != list(found):
        raise StoreError(
            path, f"is {found!r} in the file, given was {argument!r}.", key=f"`{name}`"
        )
    return argument


@checked
def read_netcdf(
    path: Path | str,
    *,
    species: Sequence[str] | None = None,
    boundary: Boundary | None = None,
) -> xr.Dataset:
    """Read trajectories from a NetCDF file.

    Parameters
    ----------
    path
        The file, with the variable `state` on the dimensions `replica`, `time`, `x`[, `y`, `z`] in
        any order, whole numbers, 0 for an empty site and `i + 1` for the species `i`. Optional are
        the variables `time` and `initial_condition` and the attributes `species` (list of names,
        or JSON or comma-separated text) and `boundary`.
    species
        Names of the species, if the file does not say.
    boundary
        Boundary of the lattice, if the file does not say.

    Returns
    -------
    trajectories
        Dataset in the layout of `open_trajectories`, moments computed anew.

    Raises
    ------
    StoreError
        If the file is missing or unreadable, or a variable is not as above.
    """
    path = Path(path)
    ds = load_netcdf(path, ARRAYS)
    state = _state_variable(path, ds)
    found = ds.attrs.get("species")
    time = ds.variables.get("time")
    start = ds.variables.get("initial_condition")
    return foreign_trajectories(
        path,
        state.values,
        times=None if time is None else time.values,
        initial_condition=None if start is None else start.values,
        species=_one_of(path, "species", species, None if found is None else _names(path, found)),
        boundary=_known_boundary(path, boundary, ds.attrs.get("boundary")),
        attrs={name: _attribute(value) for name, value in ds.attrs.items()},
        time_units="1" if time is None else _text(path, "`time`", time.attrs.get("units", "1")),
    )


def _state_variable(path: Path, ds: xr.Dataset) -> xr.Variable:
    if "state" not in ds.variables:
        names = ", ".join(map(str, ds.variables)) or "none"
        raise StoreError(path, f"there is no such variable, only {names}.", key="`state`")
    state = ds.variables["state"]
    dims = ("replica", "time", *AXES[: max(1, state.ndim - 2)])
    if set(state.dims) != set(dims):
        raise StoreError(
            path, f"must have the dimensions replica, time, x[, y, z], got {state.dims}.",
            key="`state`",
        )  # fmt: skip
    return state.transpose(*dims)


def _known_boundary(path: Path, argument: Boundary | None, found: Any) -> Boundary:
    found = None if found is None else _text(path, "`boundary`", found)
    value = found if argument is None else argument
    if value is not None and not (isinstance(value, str) and value in get_args(Boundary)):
        raise StoreError(
            path, f"must be one of {get_args(Boundary)}, got {value!r}.", key="`boundary`"
        )
    return _one_of(path, "boundary", argument, found)


def _names(path: Path, value: Any) -> list[str]:
    value = value.item() if isinstance(value, np.ndarray) and not value.ndim else value
    value = _text(path, "`species`", value) if isinstance(value, bytes) else value
    names: Any = np.ravel(value)
    if isinstance(value, str) and value.startswith("["):
        names = parse_json(path, value, "`species`")
    elif isinstance(value, str):
        names = [name.strip() for name in value.split(",")]
    if len(names) > MAX_SPECIES:
        raise StoreError(
            path, f"must be at most {MAX_SPECIES} names, got {len(names)}.", key="`species`"
        )
    return [_text(path, "`species`", name) for name in names]


def _attribute(value: Any) -> Any:
    """An attribute that nothing depends on, bytes as text."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "S":
        return [_attribute(item) for item in value.ravel()]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _text(path: Path, key: str, value: Any) -> str:
    """Text of a name; C, Fortran and old Python write text as bytes."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return decode_text(value)
    except ValueError as error:
        raise StoreError(path, str(error), key=key) from error
