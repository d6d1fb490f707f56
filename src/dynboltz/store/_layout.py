"""The layout of trajectories in memory, and what their parts must satisfy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, Integer, UInt8

from dynboltz._arguments import checked

from ._errors import StoreError

AXES = ("x", "y", "z")


@checked
def trajectories_dataset(
    state: UInt8[np.ndarray, "replicas times ..."],
    moments: Float64[np.ndarray, "replicas times moments"],
    times: Float64[np.ndarray, " times"],
    moment_names: Sequence[str],
    initial_condition: Integer[np.ndarray, " replicas"],
    *,
    attrs: Mapping[str, Any],
    time_units: str = "1",
) -> xr.Dataset:
    """Trajectories in memory, in the layout that `open_trajectories` returns.

    Parameters
    ----------
    state
        States, 0 for an empty site, `i + 1` for the species `i`; one to three lattice axes.
    moments
        Moments per site.
    times
        Recorded times, increasing [`time_units`].
    moment_names
        Names of the moments.
    initial_condition
        Number of the initial condition of each replica.
    attrs
        Species, network, boundary and so on.
    time_units
        Unit of the times.

    Raises
    ------
    ValueError
        If there are not one to three lattice axes.
    """
    if not 3 <= state.ndim <= 5:
        raise ValueError(
            "trajectories_dataset: `state` must have the axes replica, time, x[, y, z], got "
            f"{state.ndim} axes."
        )
    return xr.Dataset(
        {
            "state": (("replica", "time", *AXES[: state.ndim - 2]), state),
            "moments": (("replica", "time", "moment"), moments),
        },
        coords={
            "time": ("time", times, {"units": time_units}),
            "moment": ("moment", np.array(moment_names, dtype=np.str_)),
            "initial_condition": ("replica", initial_condition.astype(np.int64)),
        },
        attrs=dict(attrs),
    )


def check_trajectories(path: Path, trajectories: xr.Dataset) -> None:
    """Raise `StoreError` unless a dataset is in the layout of `trajectories_dataset`."""
    state, moments = trajectories.get("state"), trajectories.get("moments")
    missing = [
        name
        for name in ("state", "moments", "time", "moment", "initial_condition")
        if name not in trajectories
    ]
    if missing or state is None or moments is None:
        raise StoreError(
            path, f"`trajectories` must be made by `trajectories_dataset`: {missing} are missing."
        )
    dims = ("replica", "time", *AXES[: max(0, state.ndim - 2)])
    if state.dims != dims or moments.dims != ("replica", "time", "moment"):
        raise StoreError(
            path,
            "`trajectories` must have `state` with the axes replica, time, x[, y, z] and `moments` "
            f"with replica, time, moment; got {state.dims} and {moments.dims}.",
        )


def check_axes(
    path: Path,
    *,
    n_replicas: int,
    times: np.ndarray,
    lattice_shape: tuple[int, ...],
    moment_names: Sequence[str],
    initial_condition: np.ndarray,
) -> None:
    """Raise `StoreError` if the axes of trajectories are empty or do not fit one another."""
    if n_replicas < 1:
        raise StoreError(path, f"`n_replicas` must be at least 1, got {n_replicas}.")
    if not 1 <= len(lattice_shape) <= 3 or min(lattice_shape) < 1:
        raise StoreError(
            path, f"`lattice_shape` must have one to three positive entries, got {lattice_shape}."
        )
    if not moment_names or len(set(moment_names)) < len(moment_names):
        raise StoreError(path, f"`moment_names` must be some different names, got {moment_names}.")
    check_times(path, times)
    check_initial_condition(path, initial_condition, n_replicas)


def check_times(path: Path, times: np.ndarray) -> None:
    """Raise `StoreError` unless times are finite and increase."""
    if times.ndim != 1 or times.size == 0 or times.dtype.kind not in "iuf":
        raise StoreError(
            path,
            f"needs a list of numbers, got {times.dtype} of shape {times.shape}.",
            key="`time`",
        )
    with np.errstate(over="ignore"):
        values = times.astype(np.float64)
    if not np.all(np.isfinite(values)) or np.any(values[1:] <= values[:-1]):
        raise StoreError(path, "must be finite and increase.", key="`time`")


def check_replica(path: Path, replica: int, n_replicas: int) -> None:
    """Raise `StoreError` for a replica that is not there."""
    if not 0 <= replica < n_replicas:
        raise StoreError(path, f"there is no replica {replica}; there are 0 to {n_replicas - 1}.")


def as_doubles(times: np.ndarray) -> Float64[np.ndarray, " times"]:
    """Times in double precision; single precision becomes the shortest decimal that it rounds.

    0.3 is stored as 0.30000001192 in single precision, and was meant as 0.3.
    """
    if times.dtype.kind == "f" and times.dtype.itemsize < np.dtype(np.float64).itemsize:
        return np.array([float(str(time)) for time in times], dtype=np.float64)
    return times.astype(np.float64)


def check_initial_condition(path: Path, numbers: np.ndarray, n_replicas: int) -> None:
    """Raise `StoreError` unless there is one whole number a replica."""
    if numbers.shape != (n_replicas,) or numbers.dtype.kind not in "iu":
        raise StoreError(
            path,
            f"needs one whole number for each of {n_replicas} replicas, got {numbers.dtype} of "
            f"shape {numbers.shape}.",
            key="`initial_condition`",
        )
    if numbers.max() > np.iinfo(np.int64).max:
        raise StoreError(
            path, f"must be less than 2**63, got {numbers.max()}.", key="`initial_condition`"
        )
