"""Trajectories of a result directory in one file, to hand over."""

from __future__ import annotations

from pathlib import Path

from dynboltz.store import (
    StoreError,
    export_csv,
    export_extended_xyz,
    export_netcdf,
    open_particles,
    open_trajectories,
)
from dynboltz.store._layout import check_replica

from ._directory import ResultDirectory
from ._experiment import Experiment
from ._lineage import lineage_of_copy


def export_trajectories(
    directory: ResultDirectory, part: str, path: Path | str, *, replica: int | None = None
) -> None:
    """Write trajectories as NetCDF, their moments as CSV, or one replica as extended XYZ.

    Parameters
    ----------
    directory
        The results.
    part
        `"train"` or `"test"`.
    path
        The file, `.nc`, `.csv` or `.xyz`; one that is there is replaced.
    replica
        One replica instead of all, which `.xyz` needs.

    Raises
    ------
    StoreError
        If trajectories are missing or damaged, there is no such replica, or the file cannot be
        written.
    """
    path = Path(path)
    on_lattice = isinstance(directory.load_experiment(), Experiment)
    source = directory.trajectories(part)
    trajectories = (open_trajectories if on_lattice else open_particles)(source)
    origin = lineage_of_copy(trajectories.attrs, directory, source)
    trajectories = trajectories.assign_attrs(lineage=origin)
    if replica is not None:
        check_replica(path, replica, trajectories.sizes["replica"])
    if path.suffix == ".csv":
        export_csv(trajectories, path, replica=replica)
    elif path.suffix == ".xyz":
        if replica is None:
            raise StoreError(path, "holds one replica; say which.", key="`replica`")
        export_extended_xyz(trajectories, path, replica=replica)
    elif replica is None:
        export_netcdf(trajectories, path)
    else:
        one = trajectories.isel(replica=[replica]).assign_coords(replica=[replica])
        export_netcdf(one, path)
