"""Reader of the HDF5 files of ReaDDy 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import xarray as xr

from dynboltz._arguments import checked
from dynboltz.particles import Box, Walls

from ._decoding import within_memory
from ._errors import StoreError
from ._foreign import check_species
from ._foreign_particles import Replica, as_paths, check_interval, replicas_dataset
from ._hdf5 import find, open_hdf5, read_values
from ._json import parse_json
from ._layout import check_times

DIM = 3


class _Frames(NamedTuple):
    """Particles as in the file: numbers of their types, positions relative to the centre."""

    times: np.ndarray
    counts: np.ndarray
    types: np.ndarray
    positions: np.ndarray


@checked
def read_readdy(
    paths: Path | str | Sequence[Path | str],
    *,
    dt: float,
    name: str = "",
    time_units: str = "1",
) -> xr.Dataset:
    """Read particle trajectories that ReaDDy 2 wrote.

    A file holds one replica: the trajectory in `readdy/trajectory` (`records`, `limits`, `time`),
    or, if it was not recorded, the observable in `readdy/observables/particles` (`types`,
    `positions`, `time`), and the box and the species in `readdy/config`. ReaDDy's box is centred
    at the origin; positions are moved so that it begins there. Compressed arrays are read without
    a plugin of HDF5.

    Parameters
    ----------
    paths
        The file, or one file a replica.
    dt
        Time step of the simulation [time]; the files count steps.
    name
        Name of the trajectory or the observable, if it was given one.
    time_units
        Unit of the times.

    Returns
    -------
    trajectories
        Dataset in the layout of `open_particles`; a box that is not periodic is a reflecting one.

    Raises
    ------
    StoreError
        If a file is missing, is no HDF5 file, lacks a group or an array, is periodic along some
        axes only, has a particle of an unknown type or outside the box; or if the files differ in
        species, box or times.
    """
    files = as_paths(paths)
    check_interval(files[0], "dt", dt)
    read = [_read_file(path, dt, name) for path in files]
    _, species, box = read[0]
    for path, (_, other_species, other_box) in zip(files, read, strict=True):
        if (other_species, other_box) != (species, box):
            raise StoreError(
                path,
                f"has {', '.join(other_species)} in {other_box}; {files[0].name} has "
                f"{', '.join(species)} in {box}.",
            )
    replicas = [replica for replica, _, _ in read]
    return replicas_dataset(replicas, species, box, attrs={"dt": dt}, time_units=time_units)


def _read_file(path: Path, dt: float, name: str) -> tuple[Replica, tuple[str, ...], Box]:
    with within_memory(path), open_hdf5(path) as file:
        box = _box(path, file)
        types = _types(path, file)
        frames = _frames(path, file, name)
    labels = _labels(path, frames, types)
    with np.errstate(all="ignore"):  # what is not finite is found outside the box
        points = frames.positions + np.array(box.lengths) / 2
        times = frames.times * dt
    return Replica(path, times, frames.counts, labels, points), tuple(types.values()), box


def _box(path: Path, file: h5py.File) -> Box:
    key = "readdy/config/general"
    text = _values(path, file, key, "SO", ())[()]
    if not isinstance(text, bytes | str):
        raise StoreError(path, f"must be text, got {text!r}.", key=f"`{key}`")
    general = parse_json(path, text, f"`{key}`")
    lengths, periodic = _three(path, general, "box_size", float), _three(path, general, "pbc", bool)
    if len(set(periodic)) != 1:
        raise StoreError(
            path, f"must be the same along all axes, got {periodic}.", key=f"`{key}`, `pbc`"
        )
    boundary: Walls = "periodic" if periodic[0] else "reflecting"
    try:
        return Box(tuple(map(float, lengths)), boundary)
    except (ValueError, OverflowError) as error:
        raise StoreError(path, str(error), key=f"`{key}`, `box_size`") from error


def _three(path: Path, general: Any, key: str, kind: type) -> list[Any]:
    found = general.get(key) if isinstance(general, dict) else None
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(found, list) or len(found) != DIM or {*map(type, found)} - {*kinds}:
        what = "numbers" if kind is float else "truth values"
        raise StoreError(
            path, f"must be {DIM} {what}, got {found!r}.", key=f"`readdy/config/general`, `{key}`"
        )
    return found


def _types(path: Path, file: h5py.File) -> dict[int, str]:
    """Names of the species by their numbers, in the order of the numbers."""
    key = "readdy/config/particle_types"
    rows = _values(path, file, key, "", (None,))
    numbers = _column(path, key, rows, "type_id", "iu", ()).tolist()
    names = _column(path, key, rows, "name", "SO", ()).tolist()
    try:
        decoded = [name if isinstance(name, str) else name.decode() for name in names]
    except (AttributeError, UnicodeDecodeError) as error:
        raise StoreError(path, f"has names that are not text: {error}.", key=f"`{key}`") from error
    check_species(path, decoded)
    if len(set(numbers)) < len(numbers):
        raise StoreError(path, f"gives two types the same number: {numbers}.", key=f"`{key}`")
    return dict(sorted(zip(numbers, decoded, strict=True)))


def _frames(path: Path, file: h5py.File, name: str) -> _Frames:
    trajectory, observable = [
        "/".join(filter(None, (folder, name)))
        for folder in ("readdy/trajectory", "readdy/observables/particles")
    ]
    if find(path, file, f"{trajectory}/records") is not None:
        return _trajectory(path, file, trajectory)
    if find(path, file, f"{observable}/positions") is not None:
        return _observable(path, file, observable)
    raise StoreError(
        path,
        f"has neither `{trajectory}/records` nor `{observable}/positions`. Record one of them in "
        "ReaDDy, or give its `name`.",
    )


def _trajectory(path: Path, file: h5py.File, folder: str) -> _Frames:
    key = f"{folder}/records"
    records = _values(path, file, key, "", (None,))
    types = _column(path, key, records, "typeId", "iu", ())
    positions = _column(path, key, records, "pos", "f", (DIM,))
    times = _times(path, file, folder)
    limits = _values(path, file, f"{folder}/limits", "iu", (None, None))
    ends = limits.ravel()
    fits = limits.shape == (times.size, 2) and ends[0] >= 0 and ends[-1] <= records.size
    if not fits or np.any(ends[1:] < ends[:-1]):
        raise StoreError(
            path,
            f"must be a first and a last record, of {records.size}, for each of {times.size} "
            "times, none before the last one of the time before.",
            key=f"`{folder}/limits`",
        )
    first, last = limits[:, 0].astype(np.int64), limits[:, 1].astype(np.int64)
    kept = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    return _Frames(times, last - first, types[kept], positions[kept].astype(np.float64))


def _observable(path: Path, file: h5py.File, folder: str) -> _Frames:
    times = _times(path, file, folder)
    types = _values(path, file, f"{folder}/types", "O", (times.size,))
    positions = _values(path, file, f"{folder}/positions", "O", (times.size,))
    counts = [_length(path, f"{folder}/types", row, "iu") for row in types]
    sizes = [_length(path, f"{folder}/positions", row, "f") for row in positions]
    if sizes != [DIM * count for count in counts]:
        raise StoreError(
            path, "has other numbers of times, types and positions.", key=f"`{folder}`"
        )
    points = np.concatenate([row.ravel() for row in positions]).astype(np.float64)
    return _Frames(times, np.array(counts), np.concatenate(types), points.reshape(-1, DIM))


def _times(path: Path, file: h5py.File, folder: str) -> np.ndarray:
    times = _values(path, file, f"{folder}/time", "iuf", (None,))
    check_times(path, times)
    return times


def _length(path: Path, key: str, row: Any, kinds: str) -> int:
    if not isinstance(row, np.ndarray) or (row.size and row.dtype.kind not in kinds):
        raise StoreError(path, f"must be lists of numbers, got {row!r}.", key=f"`{key}`")
    return row.size


def _labels(path: Path, frames: _Frames, types: dict[int, str]) -> np.ndarray:
    numbers = np.array(list(types))
    unknown = ~np.isin(frames.types, numbers)
    if unknown.any():
        place = int(unknown.argmax())
        frame = int(np.searchsorted(np.cumsum(frames.counts), place, side="right"))
        raise StoreError(
            path,
            f"has a particle of the type {frames.types[place]}; the types are {list(types)}.",
            key=f"frame {frame}",
        )
    return (np.searchsorted(numbers, frames.types) + 1).astype(np.uint8)


def _column(
    path: Path, key: str, rows: np.ndarray, name: str, kinds: str, shape: tuple[int, ...]
) -> np.ndarray:
    """Column of a table, of one of the kinds of types and of this shape in each row."""
    names = rows.dtype.names or ()
    if name not in names:
        raise StoreError(
            path, f"must have the column `{name}`, has {', '.join(names) or 'none'}.",
            key=f"`{key}`",
        )  # fmt: skip
    column = rows[name]
    if column.dtype.kind not in kinds or column.shape[1:] != shape:
        raise StoreError(
            path,
            f"has entries of the type {column.dtype} and the shape {column.shape[1:]}.",
            key=f"`{key}`, `{name}`",
        )
    return column


def _values(
    path: Path, file: h5py.File, key: str, kinds: str, shape: tuple[int | None, ...]
) -> np.ndarray:
    """Values of an array of one of the kinds of types, if any; `None` is any length."""
    array = find(path, file, key)
    if not isinstance(array, h5py.Dataset):
        raise StoreError(path, "is missing; was the file written by ReaDDy 2?", key=f"`{key}`")
    values = read_values(path, array, key)
    fits = values.ndim == len(shape) and all(
        wanted in (None, length) for length, wanted in zip(values.shape, shape, strict=True)
    )
    if (kinds and values.dtype.kind not in kinds) or not fits:
        raise StoreError(
            path,
            f"has values of the type {values.dtype} and the shape {values.shape}; was the file "
            "written by ReaDDy 2?",
            key=f"`{key}`",
        )
    return values
