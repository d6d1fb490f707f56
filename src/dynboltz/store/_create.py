"""Making stores of trajectories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore

from dynboltz._arguments import checked

from ._chunks import balanced_chunks, codecs
from ._errors import StoreError
from ._files import new_directory, os_errors
from ._json import plain_json
from ._layout import AXES, check_axes, check_trajectories
from ._seal import seal
from ._trajectory_store import FORMAT, NO_STATE, VERSION, TrajectoryStore


@checked
def create_trajectories(
    path: Path | str,
    *,
    n_replicas: int,
    times: np.ndarray,
    lattice_shape: tuple[int, ...],
    moment_names: Sequence[str],
    initial_condition: np.ndarray,
    attrs: Mapping[str, Any],
    block_replicas: int,
    time_units: str = "1",
) -> TrajectoryStore:
    """Create an empty store of trajectories; it appears under its name in one step.

    Chunks hold about a megabyte and are cut so that one snapshot of all replicas and one replica
    over all times cost about the same to read; see `benchmarks/test_store.py`.

    Parameters
    ----------
    path
        Directory to make; nothing may have this name yet.
    n_replicas
        Number of replicas.
    times
        Recorded times, increasing [`time_units`].
    lattice_shape
        Number of sites along each axis, one to three axes.
    moment_names
        Names of the moments, such as `A`, `A.A`.
    initial_condition
        Number of the initial condition that each replica started from, one a replica.
    attrs
        What else to know: `species` (list of names, checked against the states), `network`,
        `boundary`, `kernel`, `dt`, `seed`, `version`, `fingerprint`. Anything that JSON can hold.
    block_replicas
        Replicas in a block.
    time_units
        Unit of the times.

    Raises
    ------
    StoreError
        If `path` exists, an argument does not fit the others, an attribute cannot be stored, or
        the directory cannot be written.
    """
    path = Path(path)
    times, initial_condition = np.asarray(times), np.asarray(initial_condition)
    check_axes(
        path,
        n_replicas=n_replicas,
        times=times,
        lattice_shape=lattice_shape,
        moment_names=moment_names,
        initial_condition=initial_condition,
    )
    if not 1 <= block_replicas <= n_replicas:
        raise StoreError(
            path, f"`block_replicas` must be 1 to {n_replicas} (replicas), got {block_replicas}."
        )
    own = {
        "format": FORMAT,
        "format_version": VERSION,
        "block_replicas": block_replicas,
        "lattice_shape": list(lattice_shape),
    }
    attributes = merge_attributes(path, own, plain_json(dict(attrs), path))
    refuse_existing(path)
    with new_directory(path) as temporary:
        group = zarr.create_group(LocalStore(temporary), attributes=attributes, zarr_format=3)
        _create_labels(group, times, moment_names, initial_condition, time_units)
        lattice = dict(zip(AXES, lattice_shape, strict=False))
        moments, size = {"moment": len(moment_names)}, (n_replicas, times.size)
        create_data(group, "state", size, lattice, np.dtype(np.uint8), NO_STATE)
        create_data(group, "moments", size, moments, np.dtype(np.float64), np.nan)
        seal(temporary)
    return TrajectoryStore(path, attributes)


def refuse_existing(path: Path) -> None:
    """Raise `StoreError` if something has the name already."""
    with os_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise StoreError(path, "exists already; resume it, remove it or choose another name.")


def merge_attributes(path: Path, own: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Attributes of the store itself and those given, which must not contradict them."""
    for key, value in own.items():
        if given.get(key, value) != value:
            raise StoreError(
                path,
                f"is written by the store as {value!r}, got {given[key]!r}.",
                key=f"attribute `{key}`",
            )
    return own | given


def _create_labels(
    group: zarr.Group,
    times: np.ndarray,
    moment_names: Sequence[str],
    initial_condition: np.ndarray,
    time_units: str,
) -> None:
    names = np.array(moment_names, dtype=np.dtypes.StringDType())
    create_label(group, "time", "time", times.astype(np.float64), units=time_units)
    create_label(group, "moment", "moment", names)
    create_label(group, "initial_condition", "replica", initial_condition.astype(np.int64))


def create_label(
    group: zarr.Group, name: str, dimension: str, values: np.ndarray, **attributes: Any
) -> None:
    """Create and write the coordinate of a dimension."""
    is_text = values.dtype.kind == "T"
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=str if is_text else values.dtype,
        chunks=values.shape,
        compressors=codecs(1 if is_text else values.dtype.itemsize),
        dimension_names=(dimension,),
        attributes=attributes,
        config={"write_empty_chunks": True},
    )
    array[:] = values


def create_data(
    group: zarr.Group,
    name: str,
    replicas_times: tuple[int, int],
    axes: Mapping[Any, int],
    dtype: np.dtype[Any],
    fill: int | float,
) -> None:
    """Create an empty array of replicas, times and further axes."""
    n_replicas, n_times = replicas_times
    rest = tuple(axes.values())
    chunks = balanced_chunks(
        n_replicas,
        n_times,
        snapshot_bytes=max(1, math.prod(rest)) * dtype.itemsize,
        block_replicas=group.metadata.attributes["block_replicas"],
    )
    group.create_array(
        name,
        shape=(n_replicas, n_times, *rest),
        dtype=dtype,
        chunks=(*chunks, *rest),
        compressors=codecs(dtype.itemsize),
        fill_value=fill,
        dimension_names=("replica", "time", *axes),
        attributes={"coordinates": "initial_condition"},
    )


@checked
def write_trajectories(
    trajectories: xr.Dataset, path: Path | str, *, block_replicas: int | None = None
) -> TrajectoryStore:
    """Write trajectories that are in memory, such as imported ones, as a complete store.

    Parameters
    ----------
    trajectories
        Dataset in the layout of `trajectories_dataset`.
    path
        Directory to make; nothing may have this name yet.
    block_replicas
        Replicas in a block; by default all of them.

    Raises
    ------
    StoreError
        As `create_trajectories` and `TrajectoryStore.write_block`.
    """
    check_trajectories(Path(path), trajectories)
    n_replicas = trajectories.sizes["replica"]
    own = ("format", "format_version", "block_replicas")
    store = create_trajectories(
        path,
        n_replicas=n_replicas,
        times=trajectories.time.values,
        lattice_shape=trajectories.state.shape[2:],
        moment_names=[str(name) for name in trajectories.moment.values],
        initial_condition=trajectories.initial_condition.values,
        attrs={str(k): v for k, v in trajectories.attrs.items() if k not in own},
        block_replicas=n_replicas if block_replicas is None else block_replicas,
        time_units=trajectories.time.attrs.get("units", "1"),
    )
    for index in range(store.n_blocks):
        replicas = store.block(index)
        part = trajectories.isel(replica=slice(replicas.start, replicas.stop))
        store.write_block(index, part.state.values, part.moments.values)
    return store
