"""Checkpoints of trainings in a result directory."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import final

import numpy as np
import xarray as xr

from dynboltz.store import StoreError, read_dataset, write_dataset

KIND = "dynboltz-checkpoint"
INTERVAL = 10.0
"""Seconds between two checkpoints."""


@final
class StoredCheckpoint:
    """A checkpoint on the disk, of one model and these settings.

    Parameters
    ----------
    path
        Its store.
    fingerprint
        Of the model; a checkpoint of another one is not taken up.
    interval
        Seconds between two checkpoints, `INTERVAL` if left out.
    """

    def __init__(self, path: Path, fingerprint: str, interval: float | None = None) -> None:
        self._path, self._fingerprint = path, fingerprint
        self._interval = INTERVAL if interval is None else interval
        self._last = time.monotonic()

    def load(self) -> dict[str, np.ndarray] | None:
        """What was saved last, or nothing if it is not there, damaged or of other settings."""
        try:
            dataset = read_dataset(self._path, KIND)
        except StoreError:
            return None
        if dataset.attrs.get("fingerprint") != self._fingerprint:
            return None
        names = dataset.attrs["names"]
        return {name: dataset[f"array_{i}"].values for i, name in enumerate(names)}

    def is_due(self) -> bool:
        """Whether the interval is over."""
        return time.monotonic() - self._last >= self._interval

    def save(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Replace what was saved before."""
        variables = {
            f"array_{i}": (tuple(f"axis_{i}_{axis}" for axis in range(array.ndim)), array)
            for i, array in enumerate(map(np.asarray, arrays.values()))
        }
        attrs = {"kind": KIND, "fingerprint": self._fingerprint, "names": list(arrays)}
        write_dataset(xr.Dataset(variables, attrs=attrs), self._path)
        self._last = time.monotonic()

    def remove(self) -> None:
        """Remove it, once the training is over, and the folder of checkpoints with the last."""
        if self._path.exists():
            shutil.rmtree(self._path)
            with contextlib.suppress(OSError):  # others are there
                self._path.parent.rmdir()
