"""The first look at a store: whether it is ours, of this kind and of this experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr
from zarr.storage import LocalStore

from dynboltz._contents import contents_of

from ._chunks import CheckedStore
from ._decoding import decoding
from ._errors import StoreError
from ._files import os_errors
from ._json import plain_json, read_json
from ._seal import SEAL, check_seal


def read_header(
    path: Path, format_name: str, version: int, expect: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Attributes of the store at `path`.

    Raises
    ------
    StoreError
        If there is no store, a foreign one, one of another format or version, one whose metadata
        are damaged, or one whose attributes differ from `expect`.
    """
    metadata = _group_metadata(path)
    attributes = metadata["attributes"]
    found = attributes.get("format")
    if found is None:
        raise StoreError(
            path, f"is a foreign Zarr store: it has no such attribute, expected {format_name!r}. "
            "Export it as NetCDF or NPZ and import that.", key="attribute `format`",
        )  # fmt: skip
    if found != format_name:
        raise StoreError(
            path, f"is a store of another kind: {found!r}, expected {format_name!r}.",
            key="attribute `format`",
        )  # fmt: skip
    if attributes.get("format_version") != version:
        raise StoreError(
            path, f"is {attributes.get('format_version')!r}; this release of dynboltz reads "
            f"version {version}.", key="attribute `format_version`",
        )  # fmt: skip
    check_seal(path, metadata)
    _check_experiment(path, attributes, expect or {})
    return attributes


def _group_metadata(path: Path) -> dict[str, Any]:
    with os_errors(path, "read"):
        exists = path.exists()
    if not exists:
        raise StoreError(path, "there is no store: nothing has this name.")
    if not path.is_dir():
        raise StoreError(
            path, f"is not a store: a store is a directory, this is {contents_of(path)}."
        )
    if (path / ".zgroup").exists() or (path / ".zarray").exists():
        raise StoreError(path, "is a foreign Zarr store, of Zarr format 2; dynboltz writes 3.")
    if not (path / "zarr.json").is_file():
        raise StoreError(
            path, f"is not a store: it has no file `zarr.json`, but is {contents_of(path)}."
        )
    metadata = read_json(path / "zarr.json")
    if not isinstance(metadata, dict) or metadata.get("node_type") != "group":
        raise StoreError(path, "is a foreign Zarr store: a group of arrays was expected.")
    if not isinstance(metadata.setdefault("attributes", {}), dict):
        raise StoreError(path, "is damaged: the attributes are no mapping.", key="zarr.json")
    return metadata


def _check_experiment(path: Path, attributes: dict[str, Any], expect: Mapping[str, Any]) -> None:
    expect = plain_json(expect, path)
    different = [
        f"{key} is {attributes.get(key)!r}, expected {value!r}"
        for key, value in expect.items()
        if attributes.get(key) != value
    ]
    if different:
        raise StoreError(
            path, f"store of another experiment: {'; '.join(different)}. Choose another directory "
            "or remove this one."
        )  # fmt: skip


def open_array(path: Path, name: str, mode: Literal["r", "r+"]) -> zarr.Array:
    """Open one array of a store, saying which one is missing or damaged."""
    if not (path / name / "zarr.json").is_file():
        raise StoreError(path, "is truncated: the array is missing.", key=f"array `{name}`")
    store = CheckedStore(path, read_only=True) if mode == "r" else LocalStore(path)
    with decoding(path, "an array", f"array `{name}`, zarr.json"):
        array = zarr.open_array(
            store=store, path=name, mode=mode, zarr_format=3, config={"write_empty_chunks": True}
        )
        # As the file says it: zarr 3.4 makes the chunks of an array that it opens at least 1 long.
        grid = json.loads((path / name / "zarr.json").read_bytes())["chunk_grid"]
        chunks = tuple(grid["configuration"].get("chunk_shape", array.chunks))
    if min(chunks, default=1) < 1:
        raise StoreError(path, f"is cut into chunks of {chunks}.", key=f"array `{name}`")
    return array


def open_dataset(path: Path) -> xr.Dataset:
    """Open all arrays of a store lazily; what is small enough for an index is read at once."""
    with decoding(path, "a store"):
        dataset = xr.open_zarr(
            CheckedStore(path, read_only=True),
            consolidated=False,
            zarr_format=3,
            chunks=None,
            mask_and_scale=False,
            decode_times=False,
        )
        dataset.attrs.pop(SEAL, None)
        return _with_fixed_width_text(dataset)


def _with_fixed_width_text(dataset: xr.Dataset) -> xr.Dataset:
    texts = {name: v for name, v in dataset.variables.items() if v.dtype.kind == "T"}
    return dataset.assign(
        {
            name: (v.dims, np.array(v.values.tolist(), dtype=np.str_).reshape(v.shape), v.attrs)
            for name, v in texts.items()
        }
    )
