"""Labelled results: fits, models, predictions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from zarr.storage import LocalStore

from dynboltz._arguments import checked

from ._chunks import CHUNK_BYTES, codecs
from ._decoding import check_memory, decoding
from ._errors import StoreError
from ._files import check_name, new_directory, os_errors
from ._header import open_dataset, read_header
from ._json import plain_json
from ._seal import seal

FORMAT = "dynboltz-dataset"
VERSION = 2
OWN_ATTRIBUTES = ("format", "format_version")


@checked
def write_dataset(ds: xr.Dataset, path: Path | str) -> None:
    """Write a dataset as a store, replacing one that is there.

    At any moment a complete dataset is on the disk: the new one is written under a second name,
    the old one is moved aside, and `read_dataset` knows where.

    Parameters
    ----------
    ds
        Dataset of booleans, numbers and strings, with a `kind` among its attributes, such as
        `"model"`. Attributes are anything that JSON can hold.
    path
        Directory of the store.

    Raises
    ------
    StoreError
        If `kind` is missing, a variable or an attribute cannot be stored, something else is at
        `path`, or the disk refuses.
    """
    path = Path(path)
    encodable = _encodable(ds, path)
    _check_replaceable(path)
    check_name(path)
    complete = path.with_name(f".{path.name}.complete")
    with os_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        if complete.exists():
            shutil.rmtree(complete)
    with new_directory(complete) as temporary:
        encodable.to_zarr(
            LocalStore(temporary),
            mode="w",
            encoding={str(name): _encoding(v) for name, v in encodable.variables.items()},
            zarr_format=3,
            consolidated=False,
            write_empty_chunks=True,
        )
        seal(temporary)
    with os_errors(path, "written"):
        _replace(path, complete)


def _set_aside(path: Path) -> Path:
    check_name(path)
    return path.with_name(f".{path.name}.replaced")


def _replace(path: Path, complete: Path) -> None:
    previous = _set_aside(path)
    if path.exists():
        if previous.exists():
            shutil.rmtree(previous)
        os.rename(path, previous)
    os.rename(complete, path)
    if previous.exists():
        shutil.rmtree(previous)


def _check_replaceable(path: Path) -> None:
    with os_errors(path, "written"):
        exists = path.exists()
    if exists:
        try:
            read_header(path, FORMAT, VERSION)
        except StoreError as error:
            raise StoreError(
                path, f"is not replaced, since it is no dataset that dynboltz wrote ({error})"
            ) from error


def _encodable(ds: xr.Dataset, path: Path) -> xr.Dataset:
    if not isinstance(ds.attrs.get("kind"), str):
        raise StoreError(path, "is needed, a string such as 'model'.", key="attribute `kind`")
    ds = ds.drop_encoding()
    for name, variable in ds.variables.items():
        variable.attrs = plain_json(variable.attrs, path, str(name))
    ds.attrs = plain_json(ds.attrs, path) | {"format": FORMAT, "format_version": VERSION}
    return ds.assign(
        {name: _encodable_variable(v, str(name), path) for name, v in ds.variables.items()}
    )


def _encodable_variable(variable: xr.Variable, name: str, path: Path) -> xr.Variable:
    values = variable.values
    if values.dtype.kind in "biuf":
        return variable
    if values.dtype.kind in "UT" or all(isinstance(item, str) for item in values.flat):
        return variable.copy(data=values.astype(np.dtypes.StringDType()))
    raise StoreError(
        path,
        f"of type {values.dtype} cannot be stored; allowed are booleans, numbers and strings.",
        key=f"variable `{name}`",
    )


def _encoding(variable: xr.Variable) -> dict[str, Any]:
    itemsize = 1 if variable.dtype.kind == "T" else variable.dtype.itemsize
    encoding: dict[str, Any] = {"compressors": codecs(itemsize), "_FillValue": None}
    if variable.ndim and variable.size:
        rows = max(1, 16 * CHUNK_BYTES * variable.shape[0] // max(1, variable.nbytes))
        encoding["chunks"] = (min(rows, variable.shape[0]), *variable.shape[1:])
    return encoding


@checked
def read_dataset(path: Path | str, kind: str) -> xr.Dataset:
    """Read a dataset that `write_dataset` wrote.

    Parameters
    ----------
    path
        Directory of the store.
    kind
        The `kind` that it must have.

    Returns
    -------
    dataset
        The whole dataset in memory; every chunk's checksum was right.

    Raises
    ------
    StoreError
        If there is no store, a foreign one, one of another kind or version, or if it is damaged.
    """
    path = Path(path)
    previous = _set_aside(path)
    with os_errors(path, "read"):
        source = previous if previous.exists() and not path.exists() else path
    read_header(source, FORMAT, VERSION)
    dataset = open_dataset(source)
    found = dataset.attrs.get("kind")
    if found != kind:
        raise StoreError(
            path,
            f"is a store of another kind: {found!r}, expected {kind!r}.",
            key="attribute `kind`",
        )
    check_memory(path, dataset.nbytes)
    with decoding(path, "a store"):
        dataset.load()
    dataset.attrs = {k: v for k, v in dataset.attrs.items() if k not in OWN_ATTRIBUTES}
    return dataset.drop_encoding()
