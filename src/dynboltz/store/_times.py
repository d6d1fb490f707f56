"""When the states of trajectories were taken, without reading these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from dynboltz._arguments import checked

from ._foreign_files import netcdf_time, npz_time
from ._foreign_particles import check_interval
from ._formats import format_of
from ._lattice_gillespie import gillespie_times
from ._layout import as_doubles, check_times
from ._open import open_trajectories


@checked
def read_times(path: Path | str, *, dt: float) -> Float64[np.ndarray, " times"] | None:
    """Times of trajectories of any format, without their states.

    Parameters
    ----------
    path
        A file that `read_npz` or `read_netcdf` reads, a store, or a directory that
        `read_lattice_gillespie` reads.
    dt
        Time between two files of LatticeGillespieCpp, which are numbered; not used for the others.

    Returns
    -------
    times
        The times; `None` if the file does not hold any.

    Raises
    ------
    StoreError
        If there is nothing to read, or the times are not finite or do not increase.
    """
    path = Path(path)
    check_interval(path, "dt", dt)
    found = format_of(path)
    if found == "npz":
        times = npz_time(path)
    elif found == "netcdf":
        times = netcdf_time(path)
    elif found == "store":
        times = open_trajectories(path).time.values
    else:
        times = gillespie_times(path, dt)
    if times is None:
        return None
    check_times(path, times)
    return as_doubles(times)
