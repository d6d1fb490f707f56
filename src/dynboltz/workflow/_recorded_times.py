"""Times that the files of given trajectories hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dynboltz.store import StoreError, read_times

from ._errors import ExperimentError
from ._schema import CollisionTable, ExperimentTable, StoreInitial

ROUNDING = 2.0**-23
"""Of a number stored in single precision, relative to it; files may hold it as a double."""


def with_times(table: ExperimentTable, source: Path) -> ExperimentTable:
    """Write the times of the file into `initial.times` where it says `"file"`.

    The settings then hold all times, also where the file is gone.

    Raises
    ------
    ExperimentError
        If the file cannot be read or does not say when its states were taken.
    """
    initial = table.initial
    if not isinstance(initial, StoreInitial) or initial.times != "file":
        return table
    times = file_times(table, Path(initial.train))
    if times is None:
        raise ExperimentError(
            f"{source}, `initial.times`: {initial.train} holds no times; list them, or leave "
            "`times` out for those of the kernel."
        )
    return table.model_copy(
        update={"initial": initial.model_copy(update={"times": times.tolist()})}
    )


def file_times(table: ExperimentTable, path: Path) -> np.ndarray | None:
    """Times that a file or directory holds, nothing if it does not say."""
    kernel = table.kernel
    step = kernel.dt if isinstance(kernel, CollisionTable) else kernel.interval
    try:
        return read_times(path, dt=step)
    except StoreError as error:
        raise ExperimentError(str(error)) from error


def same_times(found: np.ndarray, own: np.ndarray, tolerance: float) -> bool:
    """Whether times are the same, up to a tolerance and the rounding of single precision."""
    if found.shape != own.shape:
        return False
    shortest = np.min(np.diff(own), initial=np.inf)
    allowed = np.minimum(tolerance + ROUNDING * np.abs(own), shortest / 4)
    return bool(np.all(np.abs(found - own) <= allowed))
