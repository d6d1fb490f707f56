"""The layout of particle trajectories in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64, Integer

from dynboltz._arguments import checked
from dynboltz.particles import Box, PointPatterns

from ._errors import StoreError
from ._layout import AXES, check_replica, check_trajectories


@checked
def particles_dataset(
    patterns: PointPatterns,
    times: Float64[np.ndarray, " times"],
    initial_condition: Integer[np.ndarray, " replicas"] | None = None,
    *,
    attrs: Mapping[str, Any] | None = None,
    time_units: str = "1",
) -> xr.Dataset:
    """Particle trajectories in memory, in the layout that `open_particles` returns.

    Parameters
    ----------
    patterns
        Patterns of the batch (replicas, times).
    times
        Recorded times, increasing [`time_units`].
    initial_condition
        Number of the initial condition of each replica; 0 if left out.
    attrs
        Network, diffusion constants, seed and so on. Species, `box_lengths` and `boundary` are
        taken from the patterns.
    time_units
        Unit of the times.

    Raises
    ------
    ValueError
        If the batch is not that of replicas and times, or there is not one initial condition a
        replica.
    """
    if len(patterns.batch) != 2 or patterns.batch[1] != len(times):
        raise ValueError(
            f"particles_dataset: `patterns` must have the batch (replicas, {len(times)}), as there "
            f"are {len(times)} times, got {patterns.batch}."
        )
    starts = np.zeros(patterns.batch[0]) if initial_condition is None else initial_condition
    if starts.shape != (patterns.batch[0],):
        raise ValueError(
            "particles_dataset: `initial_condition` must have one entry for each of the "
            f"{patterns.batch[0]} replicas, got shape {starts.shape}."
        )
    own = {
        "species": list(patterns.species),
        "box_lengths": [float(length) for length in patterns.box.lengths],
        "boundary": patterns.box.boundary,
    }
    return xr.Dataset(
        {
            "position": (("replica", "time", "slot", "axis"), patterns.positions),
            "label": (("replica", "time", "slot"), patterns.labels),
        },
        coords={
            "time": ("time", times, {"units": time_units}),
            "axis": ("axis", np.array(AXES[: patterns.box.dim], dtype=np.str_)),
            "initial_condition": ("replica", starts.astype(np.int64)),
        },
        attrs={**(attrs or {}), **own},
    )


@checked
def load_patterns(trajectories: xr.Dataset) -> PointPatterns:
    """Patterns of a dataset in the layout of `particles_dataset`, checked.

    Parameters
    ----------
    trajectories
        The dataset or a part of it, such as `trajectories.isel(time=-1)`.

    Raises
    ------
    ValueError
        If an attribute is missing, or the particles do not fit the box and the species.
    """
    check_particles("load_patterns", trajectories)
    attrs = trajectories.attrs
    box = Box(tuple(float(length) for length in np.ravel(attrs["box_lengths"])), attrs["boundary"])
    return PointPatterns(
        np.asarray(trajectories.position.values, dtype=np.float64),
        trajectories.label.values,
        tuple(attrs["species"]),
        box,
    )


def check_particles(where: str, trajectories: xr.Dataset) -> None:
    """Raise `ValueError` unless attributes and types are those of particles; reads no values."""
    attrs = trajectories.attrs
    missing = [key for key in ("species", "box_lengths", "boundary") if key not in attrs]
    arrays = [name for name in ("position", "label") if name not in trajectories]
    if missing or arrays:
        kind = "attribute" if missing else "variable"
        raise ValueError(
            f"{where}: `trajectories` has no {kind} {', '.join(missing or arrays)}. Particle "
            "trajectories are made by `particles_dataset`, `open_particles` and the readers of "
            "foreign files."
        )
    lengths, species = np.ravel(attrs["box_lengths"]), attrs["species"]
    if lengths.dtype.kind not in "iuf" or isinstance(species, str) or np.ndim(species) != 1:
        raise ValueError(
            f"{where}: of `trajectories`, the attribute `box_lengths` must be numbers and "
            f"`species` a list of names, got {attrs['box_lengths']!r} and {species!r}."
        )
    position, label = trajectories.position.dtype, trajectories.label.dtype
    if position.kind not in "iuf" or label.kind not in "iu":
        raise ValueError(
            f"{where}: of `trajectories`, `position` must be numbers and `label` integers, got "
            f"{position} and {label}."
        )


def exported_replicas(
    where: str, path: Path, trajectories: xr.Dataset, replica: int | None
) -> range:
    """Numbers of the replicas to export: one, or all if `replica` is `None`.

    Raises
    ------
    StoreError, ValueError
        If a dataset does not hold replicas of trajectories on a lattice or of particles, or not
        this one.
    """
    if "state" in trajectories:
        check_trajectories(path, trajectories)
        wrong = [key for key in ("species", "boundary") if key not in trajectories.attrs]
    else:
        check_particles(where, trajectories)
        wrong = [
            name
            for name in ("time", "initial_condition")
            if name not in trajectories or "replica" not in trajectories.sizes
        ]
    if wrong:
        raise StoreError(path, f"{where}: `trajectories` lacks {', '.join(wrong)}, or replicas.")
    n_replicas = trajectories.sizes["replica"]
    if replica is None:
        return range(n_replicas)
    check_replica(path, replica, n_replicas)
    return range(replica, replica + 1)


def checked_patterns(
    path: Path,
    positions: np.ndarray,
    labels: np.ndarray,
    species: tuple[str, ...],
    box: Box,
    key: str | None = None,
) -> PointPatterns:
    """Patterns, or a `StoreError` that says why there are none."""
    try:
        return PointPatterns(positions, labels, species, box)
    except ValueError as error:
        raise StoreError(path, str(error), key=key) from error
