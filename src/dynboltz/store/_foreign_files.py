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

from ._decoding import check_begins, check_memory, check_regular, decoding
from ._errors import StoreError
from ._foreign import MAX_SPECIES, foreign_trajectories
from ._json import parse_json
from ._layout import AXES
from ._netcdf import ARRAYS as FOUND
from ._netcdf import load_netcdf

ARRAYS = ("state", "time", "initial_condition")
"""What is read of a file, and of an archive `species` too; anything else in it is left alone."""
OTHER_NAMES = {
    "state": ("states", "data", "lattice", "lattices", "trajectories", "occupation", "arr_0"),
    "time": ("t", "ts", "times", "timestamps"),
    "initial_condition": ("initial_conditions", "ic"),
    "species": (),
}
"""What others call these arrays, besides names that come near."""
_SAVE = 'Save the arrays together: `numpy.savez("NAME.npz", state=..., time=..., species=...)`.'
_NEEDED = (
    "Needed is `state`, whole numbers of shape (replicas, times, x[, y, z]); optional are `time` "
    "(times,), `initial_condition` (replicas,) and `species`, a list of names."
)


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
    arrays, shapes = _npz_arrays(path)
    if "state" not in arrays:
        raise _without_state(path, shapes)
    check_near_names(path, shapes, (*ARRAYS, "species"))
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


def check_near_names(path: Path, shapes: Mapping[str, str], wanted: Sequence[str]) -> None:
    """Raise if an array that is not read seems to be one that is missing.

    Parameters
    ----------
    path
        The file.
    shapes
        Names of all its arrays, with their shapes as text.
    wanted
        Names of those that are read.
    """
    for name in wanted:
        near = [] if name in shapes else _near(name, shapes, wanted)
        if near:
            raise StoreError(
                path,
                f"is not read. Did you mean `{name}`? Save it under this name; the file holds "
                f"{_listed(shapes)}.",
                key=f"`{near[0]}`",
            )


def _near(name: str, shapes: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    """Names of arrays that seem to be the one of this name, and are not read."""
    others = [other for other in shapes if other not in wanted]
    known = [other for other in others if other.casefold() in OTHER_NAMES[name]]
    return known or [other for other in others if did_you_mean(other, [name])]


def _without_state(path: Path, shapes: Mapping[str, str]) -> StoreError:
    near = _near("state", shapes, (*ARRAYS, "species"))
    advice = f" Did you mean `{near[0]}`? Save it under the name `state`." if near else ""
    return StoreError(
        path,
        f"there is no such array; the file holds {_listed(shapes)}.{advice} {_NEEDED}",
        key="`state`",
    )


def _listed(shapes: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}` {shape}".rstrip() for name, shape in shapes.items()) or "none"


def npz_time(path: Path) -> np.ndarray | None:
    """Times of a NumPy archive, if it holds them; its other arrays are not read."""
    arrays, shapes = _npz_arrays(path, ("time",))
    check_near_names(path, shapes, ("time",))
    return arrays.get("time")


def netcdf_time(path: Path) -> np.ndarray | None:
    """Times of a NetCDF file, if it holds them; its other variables are not read."""
    ds = load_netcdf(path, ("time",))
    check_near_names(path, _netcdf_shapes(ds), ("time",))
    time = ds.variables.get("time")
    return None if time is None else time.values


def _netcdf_shapes(ds: xr.Dataset) -> dict[str, str]:
    """Names of all variables of a file, with their dimensions."""
    return {
        name: f"({', '.join(f'{dim}: {n}' for dim, n in zip(dims, shape, strict=True))})"
        for name, (dims, shape) in ds.encoding[FOUND].items()
    }


def _npz_arrays(
    path: Path, wanted: Sequence[str] = (*ARRAYS, "species")
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays of these names, as far as there are any, and the shapes of all arrays."""
    check_regular(path)
    check_begins(path, "a NumPy archive without pickles", (b"PK",), _SAVE)
    with path.open("rb") as file, decoding(path, "a NumPy archive without pickles"):
        archive = np.load(file, allow_pickle=False)
        assert isinstance(archive, np.lib.npyio.NpzFile)
        with archive:
            names = [name for name in wanted if name in archive]
            check_memory(path, sum(_declared_bytes(archive, name) for name in names))
            arrays = {name: _array(path, archive, name) for name in names}
            shapes = {name: _shape(archive, name) for name in archive.files}
            return arrays, shapes


def _shape(archive: np.lib.npyio.NpzFile, name: str) -> str:
    """Shape that the head of an array gives, empty if it cannot be read."""
    assert archive.zip is not None
    members = archive.zip.NameToInfo
    try:
        with archive.zip.open(members.get(f"{name}.npy") or members[name]) as file:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0}
            return str(read.get(version, np.lib.format.read_array_header_2_0)(file)[0])
    except Exception:  # of zip or NumPy, of an array that is not read: it is left alone
        return ""


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
        raise _without_state(path, _netcdf_shapes(ds))
    check_near_names(path, _netcdf_shapes(ds), ARRAYS)
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
