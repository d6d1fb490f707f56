"""NetCDF files, for hand-over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore

from dynboltz._arguments import checked

from ._decoding import check_begins, check_memory, check_regular, decoding
from ._errors import StoreError
from ._files import replacing_file
from ._hdf5 import check_array, find, open_hdf5, read_values
from ._json import parse_json, plain_json

CONTENT = "content_sha256"
"""Attribute with the checksum of all variables; files of earlier versions lack it."""
ARRAYS = "arrays"
"""In the encoding of a dataset that was read: dimensions and shape of every variable there is."""
SEAL = ("json_attributes", "attributes_sha256")
_AS_STORED: dict[str, Any] = {"decode_times": False, "create_default_indexes": False}


@checked
def export_netcdf(ds: xr.Dataset, path: Path | str) -> None:
    """Write a dataset as one compressed, checksummed NetCDF-4 file, in one step.

    Attributes that NetCDF cannot hold, such as mappings, `None`, truth values and lists that are
    nested, of strings, or of less than two numbers, are written as JSON text; the attribute
    `json_attributes` names them.

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
    ds = ds.drop_encoding().load()
    attributes = plain_json(ds.attrs, path)
    for name, variable in ds.variables.items():
        variable.attrs = _attributes(variable.attrs, path, str(name))
    ds.attrs = _sealed({**attributes, CONTENT: _content_checksum(ds)})
    ds.attrs = _attributes(ds.attrs, path, "")
    checked = {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True}
    compressed = {
        str(name): {**checked, "_FillValue": None}
        for name, v in ds.variables.items()
        if v.size and v.ndim and v.dtype.kind in "biuf"
    }
    with replacing_file(path) as temporary:
        try:
            ds.to_netcdf(temporary, engine="h5netcdf", encoding=compressed)
        except (TypeError, ValueError) as error:
            raise StoreError(path, f"cannot be written: {error}.") from error


@checked
def import_netcdf(path: Path | str, *kinds: str) -> xr.Dataset:
    """Read a dataset that `export_netcdf` wrote.

    Parameters
    ----------
    path
        The file.
    kinds
        What the `kind` among its attributes may be; anything if left out.

    Returns
    -------
    dataset
        As it was exported, in memory.

    Raises
    ------
    StoreError
        If the file cannot be read, is damaged, or holds something else.
    """
    path = Path(path)
    ds = load_netcdf(path)
    with decoding(path, "NetCDF"):
        ds = ds.assign_coords({name: ds.variables[name] for name in ds.dims if name in ds.coords})
    if kinds and ds.attrs.get("kind") not in kinds:
        raise StoreError(
            path,
            f"is a file of another kind: {ds.attrs.get('kind')!r}, expected "
            f"{' or '.join(map(repr, kinds))}.",
            key="attribute `kind`",
        )
    if not ds.attrs.keys() & {*SEAL, CONTENT}:
        raise StoreError(
            path,
            "was not written by `export_netcdf`: it has no checksums. Trajectories of other "
            "programs are read by `read_netcdf`.",
        )
    try:
        names = str(ds.attrs["json_attributes"]).split()
        attributes = {
            str(key): parse_json(path, value) if key in names else _number_or_text(value)
            for key, value in ds.attrs.items()
        }
        covered = {k: v for k, v in attributes.items() if k not in SEAL}
        is_sound = _sealed(covered) == attributes
    except StoreError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(path, f"has damaged attributes: {error}.") from error
    if not is_sound:
        raise StoreError(path, "has damaged attributes: their checksum is wrong.")
    if CONTENT in covered and covered.pop(CONTENT) != _content_checksum(ds):
        raise StoreError(path, "has damaged variables: their checksum is wrong.")
    ds.attrs = covered
    return ds.drop_encoding()


def load_netcdf(path: Path, names: Collection[str] | None = None) -> xr.Dataset:
    """Read a NetCDF file, or only those variables, which hold numbers; without indexes."""
    check_regular(path)
    if not h5py.is_hdf5(path):
        check_begins(path, "NetCDF", (b"CDF",), "Choose a file that NetCDF programs wrote.")
        check_memory(path, path.stat().st_size)
        with decoding(path, "NetCDF"):
            # Not mapped into memory: a map that an error still refers to cannot be closed, of
            # which SciPy warns whenever the error is forgotten.
            source = xr.open_dataset(path, engine="scipy", mmap=False, **_AS_STORED)
            return _loaded(path, source, names)
    with open_hdf5(path, "NetCDF") as file:
        _check_arrays(path, file, names)
        with decoding(path, "NetCDF"):
            bool(file.attrs.get("_nc3_strict"))  # if this failed in h5netcdf, it could not close
            source = H5NetCDFStore(h5netcdf.File(file, "r", decode_vlen_strings=True))
            return _loaded(path, xr.open_dataset(source, **_AS_STORED), names)


def _check_arrays(path: Path, file: h5py.File, names: Collection[str] | None) -> None:
    """Check what the libraries take for granted of the arrays of a file, and those to read."""
    with decoding(path, "NetCDF"):
        found = [str(name) for name in file]
    for name in found:
        array = find(path, file, name)
        if isinstance(array, h5py.Dataset):
            with decoding(path, "NetCDF", f"`{name}`"):
                are_dimensions = _has_dimensions(array)
                is_plain = array.ndim > 0 and not _is_netcdf(array)
                is_text = array.dtype.hasobject
            if not are_dimensions:
                raise StoreError(path, "has damaged dimensions.", key=f"`{name}`")
            if names is None and is_text:
                read_values(path, array, name)  # text, which takes more than it declares
            elif names is None or name in names:
                check_array(path, array, name)
            if is_plain:
                raise StoreError(
                    path,
                    "cannot be read as NetCDF: it is plain HDF5, whose axes have no names. Write "
                    "it with `xarray.Dataset.to_netcdf`.",
                    key=f"`{name}`",
                )


def _is_netcdf(array: h5py.Dataset) -> bool:
    """Whether the axes of an array have names, or it is one of these."""
    return "DIMENSION_LIST" in array.attrs or "CLASS" in array.attrs


def _has_dimensions(array: h5py.Dataset) -> bool:
    """Whether the list of dimensions is one, if there is any; HDF5 reads it without looking."""
    if "DIMENSION_LIST" not in array.attrs:
        return True
    listed = array.attrs.get_id("DIMENSION_LIST")
    item = h5py.check_vlen_dtype(listed.dtype)
    is_list = item is not None and h5py.check_ref_dtype(item) is h5py.Reference
    return is_list and listed.shape == (array.ndim,)


def _loaded(path: Path, ds: xr.Dataset, names: Collection[str] | None) -> xr.Dataset:
    with ds:
        arrays = {str(name): (v.dims, v.shape) for name, v in ds.variables.items()}
        wanted = ds if names is None else ds.drop_vars(set(ds.variables) - set(names))
        check_memory(path, wanted.nbytes)
        for name, variable in wanted.variables.items():
            if names is not None and variable.dtype.kind == "O":
                raise StoreError(path, "must hold numbers, not text or lists.", key=f"`{name}`")
        wanted = wanted.load()
        wanted.encoding[ARRAYS] = arrays
        return wanted


def _sealed(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes, with their checksum and the names of those that become JSON text."""
    text = json.dumps(attributes, sort_keys=True)
    names = [key for key, value in attributes.items() if not _is_native(value)]
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {**attributes, "json_attributes": " ".join(names), "attributes_sha256": digest}


def _content_checksum(ds: xr.Dataset) -> str:
    """Checksum of all variables as they are read: a chunk's own does not cover HDF5's metadata."""
    digest = hashlib.sha256()
    for name in sorted(map(str, ds.variables)):
        variable = ds.variables[name]
        is_numeric = variable.dtype.kind in "biuf"
        values = np.asarray(variable.values, dtype=variable.dtype.newbyteorder("="), order="C")
        described = {
            "name": name,
            "dims": list(map(str, variable.dims)),
            "shape": variable.shape,
            "attributes": {k: np.ravel(v).tolist() for k, v in variable.attrs.items()},
            "values": values.dtype.str if is_numeric else values.tolist(),
        }
        digest.update(json.dumps(described, sort_keys=True, default=str).encode())
        if is_numeric:
            digest.update(values.data)
    return digest.hexdigest()


def _number_or_text(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _attributes(attributes: dict[Any, Any], path: Path, key: str) -> dict[str, Any]:
    plain = plain_json(attributes, path, key)
    return {name: _attribute(value) for name, value in plain.items()}


def _attribute(value: Any) -> Any:
    if not _is_native(value):
        return json.dumps(value)
    return np.array(value) if isinstance(value, list) else value


def _is_native(value: Any) -> bool:
    """Whether NetCDF has such attributes: text, numbers, lists of at least two numbers."""
    if isinstance(value, list):
        return len(value) > 1 and all(type(item) in (int, float) for item in value)
    return isinstance(value, str | int | float) and not isinstance(value, bool)
