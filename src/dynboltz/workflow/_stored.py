"""Results that are kept as long as they belong to the same settings."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from dynboltz.store import StoreError, read_dataset

from ._errors import ExperimentError


def is_current(path: Path, kind: str, fingerprint: str) -> bool:
    """Whether a complete result of these settings is there."""
    try:
        return read_dataset(path, kind).attrs.get("fingerprint") == fingerprint
    except StoreError:
        return False


def read_current(path: Path, kind: str, fingerprint: str, command: str) -> xr.Dataset:
    """Read a result of these settings.

    Raises
    ------
    StoreError
        If there is none or it is damaged.
    ExperimentError
        If it belongs to other settings.
    """
    if not path.exists():
        raise ExperimentError(f"{path}: is not there yet; run `dynboltz {command} DIR` first.")
    dataset = read_dataset(path, kind)
    if dataset.attrs.get("fingerprint") != fingerprint:
        raise ExperimentError(
            f"{path}: belongs to other settings; make it anew with `dynboltz {command} DIR`."
        )
    return dataset
