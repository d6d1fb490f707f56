"""Trajectories that others made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from dynboltz import store
from dynboltz.store import StoreError
from dynboltz.store._formats import format_of

from ._experiment import Experiment
from ._recorded_times import file_times, same_times

SOURCE = "source"
"""Attribute of imported trajectories: what the file was like when it was read."""
SAME_TIME = 1e-6
"""Largest difference of a time from the experiment's, in steps, besides its rounding."""
ADVICE = (
    'Write `times = "file"` in `[initial]` to take the times of the training data, which may begin '
    "late and be irregular, or set `kernel` to match the data."
)


def read_trajectories(experiment: Experiment, part: str) -> xr.Dataset:
    """Read the trajectories that an experiment names, and check that they fit it.

    The format goes by the name: `.npz`, `.nc`, a store of dynboltz (`.zarr`), or a directory that
    LatticeGillespieCpp wrote. Replicas are sorted by initial condition; there may be any number of
    each. Times that are the experiment's up to rounding become these; a file that does not tell
    any has them.

    Raises
    ------
    StoreError
        If they cannot be read, or have other species, sites or times than the experiment.
    """
    path = Path(getattr(experiment.table.initial, part))
    trajectories = _read(experiment, path)
    _check(experiment, path, trajectories)
    order = np.argsort(trajectories.initial_condition.values, kind="stable")
    names = [term.name for term in experiment.moments]
    imported = trajectories.isel(replica=order).sel(moment=names)
    units = trajectories.time.attrs
    imported = imported.assign_coords(time=("time", experiment.times, units))
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
    found = format_of(path)
    if found == "npz":
        return store.read_npz(path, species=species, boundary=lattice.boundary)
    if found == "netcdf":
        return store.read_netcdf(path, species=species, boundary=lattice.boundary)
    if found == "store":
        return store.open_trajectories(path).load()
    return store.read_lattice_gillespie(
        path,
        lattice.shape,
        species,
        dt=experiment.kernel.time_step,
        boundary=lattice.boundary,
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
    tells = file_times(experiment.table, path) is not None
    tolerance = SAME_TIME * experiment.kernel.time_step
    if not (same_times(times, own, tolerance) if tells else times.shape == own.shape):
        raise StoreError(path, f"{_differing_times(times, own, tells)} {ADVICE}", key="`time`")


def _differing_times(times: np.ndarray, own: np.ndarray, tells: bool) -> str:
    """How the times of a file differ from those of the experiment."""
    if times.size != own.size or not tells:
        first = f"from {times[0]:.9g} to {times[-1]:.9g}" if tells else "that it does not tell"
        return (
            f"has {times.size} times {first}, the experiment {own.size} from {own[0]:.9g} to "
            f"{own[-1]:.9g}."
        )
    place = int(np.argmax(np.abs(times - own)))
    return (
        f"has {times.size} times from {times[0]:.9g} to {times[-1]:.9g}, the experiment as many "
        f"from {own[0]:.9g} to {own[-1]:.9g}; the largest difference is that of {times[place]:.9g} "
        f"from {own[place]:.9g}."
    )
