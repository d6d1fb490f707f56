"""Reader of the HDF5 files of ReaDDy 2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numcodecs import blosc

from dynboltz.particles import Box, Walls

from ._errors import StoreError
from ._files import os_errors
from ._foreign_particles import Replica, as_paths, check_interval, replicas_dataset

_BLOSC = 32001
_Frames = list[tuple[np.ndarray, np.ndarray]]


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
    with os_errors(path, "read"), path.open("rb"):
        pass
    try:
        with h5py.File(path, "r") as file:
            box, corner = _box(path, file)
            types = _types(path, file)
            times, frames = _frames(path, file, name)
    except OSError as error:
        raise StoreError(path, f"cannot be read as HDF5: {error}.") from error
    number = {type_id: label for label, type_id in enumerate(types, start=1)}
    labelled = [
        (_labels(path, frame, kinds, number), points - corner)
        for frame, (kinds, points) in enumerate(frames)
    ]
    return Replica(path, times * dt, labelled), tuple(types.values()), box


def _box(path: Path, file: h5py.File) -> tuple[Box, np.ndarray]:
    """Box, and its lower corner in the file."""
    key = "readdy/config/general"
    try:
        general = json.loads(_array(path, file, key)[()])
        lengths, periodic = [float(x) for x in general["box_size"]], list(general["pbc"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            path, f"must be JSON with `box_size` and `pbc`: {error!r}.", key=f"`{key}`"
        ) from error
    if len(set(periodic)) != 1:
        raise StoreError(
            path, f"must be the same along all axes, got {periodic}.", key=f"`{key}`, `pbc`"
        )
    boundary: Walls = "periodic" if periodic[0] else "reflecting"
    try:
        return Box(tuple(lengths), boundary), -np.array(lengths) / 2
    except ValueError as error:
        raise StoreError(path, str(error), key=f"`{key}`, `box_size`") from error


def _types(path: Path, file: h5py.File) -> dict[int, str]:
    """Names of the species by their numbers, in the order of the numbers."""
    key = "readdy/config/particle_types"
    rows = _array(path, file, key)[()]
    if rows.dtype.names is None or not {"name", "type_id"} <= {*rows.dtype.names}:
        raise StoreError(path, "must have the columns `name` and `type_id`.", key=f"`{key}`")
    names = {int(row["type_id"]): row["name"].decode() for row in rows}
    return dict(sorted(names.items()))


def _frames(path: Path, file: h5py.File, name: str) -> tuple[np.ndarray, _Frames]:
    folders = [
        "/".join(filter(None, (folder, name)))
        for folder in ("readdy/trajectory", "readdy/observables/particles")
    ]
    trajectory, observable = folders
    if f"{trajectory}/records" in file:
        return _trajectory(path, file, trajectory)
    if f"{observable}/positions" in file:
        return _observable(path, file, observable)
    raise StoreError(
        path,
        f"has neither `{trajectory}/records` nor `{observable}/positions`. Record one of them in "
        "ReaDDy, or give its `name`.",
    )


def _trajectory(path: Path, file: h5py.File, folder: str) -> tuple[np.ndarray, _Frames]:
    records = _values(path, file, f"{folder}/records")
    limits = _values(path, file, f"{folder}/limits").astype(np.int64)
    times = _values(path, file, f"{folder}/time")
    names = records.dtype.names or ()
    if "typeId" not in names or "pos" not in names:
        raise StoreError(
            path, "must have the columns `typeId` and `pos`.", key=f"`{folder}/records`"
        )
    right = limits.shape == (times.size, 2) and np.all(limits[:, 0] <= limits[:, 1])
    if not right or limits.max(initial=0) > records.size:
        raise StoreError(
            path,
            f"must be a first and a last record, of {records.size}, for each of {times.size} "
            "times.",
            key=f"`{folder}/limits`",
        )
    parts = [records[start:stop] for start, stop in limits]
    return times, [(part["typeId"], part["pos"].reshape(-1, 3)) for part in parts]


def _observable(path: Path, file: h5py.File, folder: str) -> tuple[np.ndarray, _Frames]:
    times = _values(path, file, f"{folder}/time")
    types = _values(path, file, f"{folder}/types")
    positions = _values(path, file, f"{folder}/positions")
    points = [np.asarray(place, dtype=np.float64).reshape(-1, 3) for place in positions]
    sizes = [(len(kinds), len(place)) for kinds, place in zip(types, points, strict=False)]
    if not times.size == types.size == len(points) or any(a != b for a, b in sizes):
        raise StoreError(
            path, "has other numbers of times, types and positions.", key=f"`{folder}`"
        )
    return times, list(zip(types, points, strict=True))


def _labels(path: Path, frame: int, kinds: np.ndarray, number: dict[int, int]) -> np.ndarray:
    unknown = {*map(int, np.unique(kinds))} - number.keys()
    if unknown:
        raise StoreError(
            path,
            f"has particles of the types {sorted(unknown)}; the types are {list(number)}.",
            key=f"frame {frame}",
        )
    return np.array([number[int(kind)] for kind in kinds], dtype=np.uint8)


def _array(path: Path, file: h5py.File, key: str) -> h5py.Dataset:
    array = file.get(key)
    if not isinstance(array, h5py.Dataset):
        raise StoreError(path, "is missing; was the file written by ReaDDy 2?", key=f"`{key}`")
    return array


def _values(path: Path, file: h5py.File, key: str) -> np.ndarray:
    """Values of an array, chunks compressed with Blosc decoded here."""
    array = _array(path, file, key)
    properties = array.id.get_create_plist()
    chunks = array.chunks or ()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if filters != [_BLOSC]:
        return array[()]
    values = np.zeros(array.shape, dtype=array.dtype)
    for index in range(array.id.get_num_chunks()):
        start = array.id.get_chunk_info(index).chunk_offset
        skipped, data = array.id.read_direct_chunk(start)
        chunk = _chunk(path, key, data, bool(skipped), array)
        stop = [min(s + c, n) for s, c, n in zip(start, chunks, array.shape, strict=True)]
        place = tuple(slice(s, e) for s, e in zip(start, stop, strict=True))
        values[place] = chunk[tuple(slice(0, e - s) for s, e in zip(start, stop, strict=True))]
    return values


def _chunk(path: Path, key: str, data: bytes, plain: bool, array: Any) -> np.ndarray:
    try:
        decoded = data if plain else blosc.decompress(data)
        return np.frombuffer(decoded, dtype=array.dtype).reshape(array.chunks)
    except (RuntimeError, ValueError) as error:
        raise StoreError(path, f"has a damaged chunk: {error}.", key=f"`{key}`") from error
