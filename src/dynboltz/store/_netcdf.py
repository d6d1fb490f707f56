"""NetCDF files, for hand-over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ._errors import StoreError
from ._files import replacing_file
from ._json import plain_json


def export_netcdf(ds: xr.Dataset, path: Path | str) -> None:
    """Write a dataset as one compressed NetCDF-4 file, in one step.

    Attributes that NetCDF cannot hold, such as mappings, `None`, truth values and lists that are
    empty, nested or of strings, are written as JSON text.

    Parameters
    ----------
    ds
        The dataset.
    path
        The file; one that is there is replaced.

    Raises
    ------
    StoreError
        If an attribute or a variable cannot be stored, or the file cannot be written.
    """
    path = Path(path)
    ds = ds.drop_encoding()
    for name, variable in ds.variables.items():
        variable.attrs = _attributes(variable.attrs, path, str(name))
    ds.attrs = _attributes(ds.attrs, path, "")
    compressed = {
        str(name): {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": None}
        for name, v in ds.variables.items()
        if v.ndim and v.dtype.kind in "biuf"
    }
    with replacing_file(path) as temporary:
        try:
            ds.to_netcdf(temporary, engine="h5netcdf", encoding=compressed)
        except (TypeError, ValueError) as error:
            raise StoreError(path, f"cannot be written: {error}.") from error


def _attributes(attributes: dict[Any, Any], path: Path, key: str) -> dict[str, Any]:
    plain = plain_json(attributes, path, key)
    return {name: _attribute(value) for name, value in plain.items()}


def _attribute(value: Any) -> Any:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    is_numbers = isinstance(value, list) and all(type(item) in (int, float) for item in value)
    return np.array(value) if value and is_numbers else json.dumps(value)
