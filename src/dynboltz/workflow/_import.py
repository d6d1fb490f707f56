"""Trajectories that others made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from dynboltz import store
from dynboltz.store import StoreError

from ._experiment import Experiment

SOURCE = "source"
"""Attribute of imported trajectories: what the file was like when it was read."""
SAME_TIME = 1e-6
"""Largest difference of a time from the experiment's, in steps."""


def read_trajectories(experiment: Experiment, part: str) -> xr.Dataset:
    """Read the trajectories that an experiment names, and check that they fit it.

    The format goes by the name: `.npz`, `.nc`, a store of dynboltz (`.zarr`), or a directory that
    LatticeGillespieCpp wrote. Replicas are sorted by initial condition.

    Raises
    ------
    StoreError
        If they cannot be read, or have other species, sites or times than the experiment, or not
        the same number of replicas, at least two, for each initial condition.
    """
    path = Path(getattr(experiment.table.initial, part))
    trajectories = _read(experiment, path)
    _check(experiment, path, trajectories)
    order = np.argsort(trajectories.initial_condition.values, kind="stable")
    names = [term.name for term in experiment.moments]
    imported = trajectories.isel(replica=order).sel(moment=names)
    imported.attrs[SOURCE] = _identity(path)
    return imported


def source_has_changed(experiment: Experiment, part: str, imported: xr.Dataset) -> bool:
    """Whether the file that trajectories were imported from is there and is not what it was."""
    path = Path(getattr(experiment.table.initial, part))
    return path.exists() and _identity(path) != imported.attrs.get(SOURCE)


def _identity(path: Path) -> dict[str, int]:
    """Size and time of change; contents may be huge."""
    found = (path / "zarr.json" if (path / "zarr.json").exists() else path).stat()
    return {"size": found.st_size, "changed": found.st_mtime_ns}


def _read(experiment: Experiment, path: Path) -> xr.Dataset:
    species, lattice = experiment.network.species, experiment.lattice
    if path.suffix == ".npz":
        return store.read_npz(path, species=species, boundary=lattice.boundary)
    if path.suffix in (".nc", ".nc4"):
        return store.read_netcdf(path, species=species, boundary=lattice.boundary)
    if (path / "zarr.json").exists() or path.suffix == ".zarr":
        return store.open_trajectories(path).load()
    if path.is_dir():
        return store.read_lattice_gillespie(
            path,
            lattice.shape,
            species,
            dt=experiment.kernel.time_step,
            boundary=lattice.boundary,
        )
    raise StoreError(
        path, "is no .npz, .nc or .zarr, nor a directory of LatticeGillespieCpp, or is not there."
    )


def _check(experiment: Experiment, path: Path, trajectories: xr.Dataset) -> None:
    shape = trajectories.state.shape[2:]
    if shape != experiment.lattice.shape:
        raise StoreError(
            path, f"has the lattice {shape}, the experiment {experiment.lattice.shape}."
        )
    species = trajectories.attrs.get("species")
    if species != list(experiment.network.species):
        raise StoreError(
            path, f"has the species {species}, the experiment {experiment.network.species}."
        )
    if trajectories.attrs.get("boundary") != experiment.lattice.boundary:
        raise StoreError(
            path,
            f"has the boundary {trajectories.attrs.get('boundary')!r}, the experiment "
            f"{experiment.lattice.boundary!r}.",
        )
    lacking = [t.name for t in experiment.moments if t.name not in trajectories.moment.values]
    if lacking:
        raise StoreError(path, f"has no moment {lacking[0]!r}.", key="`moment`")
    times, own = trajectories.time.values, experiment.times
    if times.shape != own.shape or np.any(
        np.abs(times - own) > SAME_TIME * experiment.kernel.time_step
    ):
        raise StoreError(
            path,
            f"has {times.size} times from {times[0]} to {times[-1]}, the experiment {own.size} "
            f"from {own[0]} to {own[-1]}. Set `kernel` to match the data.",
            key="`time`",
        )
    replicas = np.unique(trajectories.initial_condition.values, return_counts=True)[1]
    if replicas.min() != replicas.max() or replicas.min() < 2:
        raise StoreError(
            path,
            "needs the same number of replicas, at least 2, for each initial condition; got "
            f"{replicas.min()} to {replicas.max()}.",
            key="`initial_condition`",
        )
